//! What the commands write, and why they stop.

use std::io::{self, Write};

use thiserror::Error;

/// Why a command stopped.
#[derive(Debug, Error)]
pub(crate) enum Failure {
    /// A file could not be read.
    #[error("`{path}` cannot be read: {cause}; check the path and its permissions")]
    Unreadable {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// A file could not be written.
    #[error("`{path}` cannot be written: {cause}; name a new file in a folder that is there")]
    Unwritable {
        /// The file.
        path: String,
        /// What the system says.
        cause: io::Error,
    },
    /// Documents are not valid; the rendered diagnostics say where and how to mend them.
    #[error("{0}")]
    Invalid(String),
    /// The backend, the key or the person did not go along.
    #[error("{message} ({code})")]
    Refused {
        /// Stable code.
        code: String,
        /// What happened and what to do.
        message: String,
    },
    /// Nothing takes what is written.
    #[error("the output cannot be written: {0}")]
    Output(#[from] io::Error),
}

impl Failure {
    /// The exit code that belongs to it.
    pub(crate) const fn exit_code(&self) -> u8 {
        match self {
            Self::Unreadable { .. } | Self::Unwritable { .. } | Self::Invalid(_) => 2,
            Self::Refused { .. } | Self::Output(_) => 1,
        }
    }

    /// A refusal with a code.
    pub(crate) fn refused(code: &str, message: impl ToString) -> Self {
        Self::Refused {
            code: code.to_owned(),
            message: message.to_string(),
        }
    }
}

/// Writes `text` and a line break to the standard output.
///
/// # Errors
/// [`Failure::Output`] where it cannot be written.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.trim_end_matches('\n').as_bytes())?;
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

/// Writes `text` to the standard error. Where nobody takes it there is nobody left to tell.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", text.trim_end_matches('\n'));
}

/// `text` without characters that move a terminal's cursor or change its colours.
pub(crate) fn plain(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || countersign_core::identifier::is_invisible(c) {
                '\u{fffd}'
            } else {
                c
            }
        })
        .collect()
}
