//! The console's files: the pinned record and what it verified of the log. No secret is among them.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::Digest;
use countersign_core::webauthn::Bytes;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::Witness;

/// The folder of the console's files.
#[derive(Debug, Clone)]
pub struct Home {
    folder: PathBuf,
}

/// The backend that was pinned: what every later contact is held against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pinned {
    /// Its address.
    pub url: String,
    /// Its genesis digest.
    pub genesis: Digest,
    /// The exact bytes of its genesis, so that it is known while it does not answer.
    pub document: Bytes,
}

impl Home {
    /// The files in `folder`.
    #[must_use]
    pub const fn new(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The pinned record, if there is a readable one.
    #[must_use]
    pub fn pinned(&self) -> Option<Pinned> {
        self.read("pinned.json")
    }

    /// Keeps the pinned record.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn pin(&self, pinned: &Pinned) -> std::io::Result<()> {
        self.write("pinned.json", pinned)
    }

    pub(super) fn witness(&self, deployment: &DeploymentId) -> Witness {
        self.read(&format!("witness-{deployment}.json"))
            .unwrap_or_default()
    }

    pub(super) fn keep_witness(
        &self,
        deployment: &DeploymentId,
        witness: &Witness,
    ) -> std::io::Result<()> {
        self.write(&format!("witness-{deployment}.json"), witness)
    }

    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.folder.join(name);
        let bytes = fs::read(&path).ok()?;
        match serde_json::from_slice(&bytes) {
            Ok(value) => Some(value),
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "a file of the console cannot be read and is passed over");
                None
            }
        }
    }

    /// Whole or not at all: a new file is written, flushed and put in place of the old one.
    fn write<T: Serialize>(&self, name: &str, value: &T) -> std::io::Result<()> {
        fs::create_dir_all(&self.folder)?;
        let new = self.folder.join(format!("{name}.new"));
        let mut file = fs::File::create(&new)?;
        file.write_all(&serde_json::to_vec_pretty(value)?)?;
        file.sync_all()?;
        fs::rename(&new, self.folder.join(name))
    }
}
