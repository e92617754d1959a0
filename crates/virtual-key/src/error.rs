//! What can go wrong with a ring of demonstration keys.

use std::path::{Path, PathBuf};

use countersign_hardware_key::KeyError;
use thiserror::Error;

/// Why a ring of demonstration keys cannot be made or used.
#[derive(Debug, Error)]
pub enum RingError {
    /// A file could not be read or written.
    #[error("`{}` cannot be used: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: std::io::Error,
    },
    /// The folder already holds a ring.
    #[error("`{}` already holds demonstration keys; use them, or choose another folder", .0.display())]
    Exists(PathBuf),
    /// The folder holds no ring.
    #[error("`{}` holds no demonstration keys; make them first", .0.display())]
    Absent(PathBuf),
    /// The ring has no key of that name.
    #[error("there is no demonstration key `{name}`; there are {}", known.join(", "))]
    UnknownKey {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// A name that cannot be a file's.
    #[error(
        "`{0}` cannot name a demonstration key; use 1 to 64 of a-z, A-Z, 0-9, `-` and `_`, each name once"
    )]
    Name(String),
    /// The PIN is not accepted.
    #[error("the PIN is not accepted by the firmware; use 4 to 63 characters")]
    Pin,
    /// The certificates could not be made.
    #[error("the demonstration's attestation certificates could not be made: {0}")]
    Authority(String),
    /// The key could not be powered.
    #[error(transparent)]
    Key(#[from] KeyError),
}

impl RingError {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        |source| Self::File { path, source }
    }
}
