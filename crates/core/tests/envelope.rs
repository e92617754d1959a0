//! The envelope: what it asks for, what is worth a warning in it, what changed between two of it.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

#[path = "envelope/calendars.rs"]
mod calendars;
#[path = "envelope/conditions.rs"]
mod conditions;
#[path = "envelope/diff.rs"]
mod diff;
#[path = "envelope/lints.rs"]
mod lints;
#[path = "envelope/world.rs"]
mod world;
