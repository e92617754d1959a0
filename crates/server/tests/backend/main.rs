//! The backend as people, agents and auditors meet it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    reason = "a test fails where it stands"
)]

mod alerts;
mod conditions;
mod drills;
mod guarded;
mod halts;
mod input;
mod interface;
mod kills;
mod path;
mod person;
mod recovery;
mod refusals;
mod schedule;
mod simulated;
mod suspension;
mod tampering;
mod world;
