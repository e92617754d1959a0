//! Lints: what is legal and probably not meant. Warnings, never errors.

mod envelope;
mod shadow;
mod topology;

pub(crate) use envelope::envelope;
pub(crate) use topology::topology;
