//! Command executors that ship with Countersign: one call on standard input, one answer on standard
//! output, as docs/operations.md describes. What they have in common is here: reading the call, doing
//! each (operation, sequence) once, and running a program without a shell.

pub mod call;
pub mod journal;
pub mod nftables;
pub mod postgres;
pub mod program;

use thiserror::Error;

/// Why an executor did not do it. The text is the answer's message.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Failure(pub String);

impl Failure {
    /// A failure with this message.
    pub fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// What failed, followed by the reason.
    pub fn of<E: std::fmt::Display>(what: &str) -> impl FnOnce(E) -> Self {
        let what = what.to_owned();
        move |error| Self(format!("{what}: {error}"))
    }
}
