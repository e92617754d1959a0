//! Lints: what is legal and probably not meant. Warnings, never errors.

mod calendars;
mod envelope;
mod rules;
pub(crate) mod shadow;
mod surroundings;
mod topology;

pub(crate) use envelope::envelope;
pub use surroundings::Surroundings;
pub(crate) use surroundings::surroundings;
pub(crate) use topology::topology;
