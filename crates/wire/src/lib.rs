//! What travels between `countersignd` and its clients, and between the console's shell and its window.
//!
//! Wire types are not domain types: the boundary converts, and conversion validates. Documents
//! (envelope, topology, briefing, statement) travel as their exact bytes and have no type here.

#[cfg(feature = "client")]
pub mod client;
pub mod decision;
pub mod deployment;
pub mod drill;
pub mod operation;
pub mod problem;
pub mod proposal;
pub mod queue;
pub mod registry;
pub mod session;
pub mod suspension;
pub mod view;
