//! The backend as people, agents and auditors meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails where it stands"
)]

mod conditions;
mod drills;
mod guarded;
mod input;
mod interface;
mod path;
mod person;
mod recovery;
mod refusals;
mod tampering;
mod world;
