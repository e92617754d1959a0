//! Holds what `countersign-core` decides and what Cedar decides of the same envelope together
//! (docs/cedar.md): facts worked out anew, worlds to try them on, and Cedar's side of a question.

pub mod facts;
pub mod peer;
pub mod random;
pub mod worlds;
