//! What holds for every assessment, tried on small and nasty worlds. docs/assessment-properties.md
//! says how far each property holds, and why no further.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod documents;
mod envelopes;
mod facts;
mod impacts;
mod merges;
mod topologies;
mod total;
mod worlds;
