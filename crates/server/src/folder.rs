//! The data folder: one backend at a time, its log key and its operator token.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read as _, Write as _};
#[cfg(unix)]
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use ed25519_dalek::SigningKey;
use thiserror::Error;

use crate::secret::{self, Holder, NoRandomness};

/// Shortest operator token accepted, characters.
const OPERATOR_TOKEN_CHARS_MIN: usize = 32;

/// Why the folder cannot be used.
#[derive(Debug, Error)]
pub enum FolderError {
    /// A file cannot be read or written.
    #[error("`{path}` cannot be used: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// Another backend uses it.
    #[error("`{0}` is in use by another backend; stop that one or choose another folder")]
    InUse(PathBuf),
    /// The log key is not 32 bytes.
    #[error(
        "`{0}` is not an Ed25519 seed of 32 bytes; restore it from your backup, without it the log cannot go on"
    )]
    LogKey(PathBuf),
    /// The token is too short.
    #[error(
        "the operator token has fewer than {OPERATOR_TOKEN_CHARS_MIN} characters; give a random one"
    )]
    Token,
    /// The operating system gives no random bytes.
    #[error(transparent)]
    Randomness(#[from] NoRandomness),
}

/// A data folder that is ours until this is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    ///
    /// # Errors
    /// [`FolderError`]; [`FolderError::InUse`] where another process has it.
    pub fn take(path: &Path) -> Result<Self, FolderError> {
        fs::create_dir_all(path).map_err(at(path))?;
        let file = path.join("lock");
        let lock = private()
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(at(&file))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self {
                path: path.to_owned(),
                lock,
            }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => Err(FolderError::File { path: file, error }),
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The log key, made on the first start.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn log_key(&self) -> Result<SigningKey, FolderError> {
        let path = self.path.join("log-key");
        let seed = match fs::read(&path) {
            Ok(bytes) => {
                <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| FolderError::LogKey(path))?
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                // A store without its key cannot be continued under another one.
                if self.path.join("countersign.db").exists() {
                    return Err(FolderError::LogKey(path));
                }
                let seed = secret::random()?;
                write(&path, &seed)?;
                seed
            }
            Err(error) => return Err(FolderError::File { path, error }),
        };
        Ok(SigningKey::from_bytes(&seed))
    }

    /// The operator token of the folder, made on the first start.
    ///
    /// # Errors
    /// [`FolderError`].
    pub fn operator_token(&self) -> Result<String, FolderError> {
        let path = self.path.join("operator-token");
        let mut token = String::new();
        match File::open(&path) {
            Ok(mut file) => {
                file.read_to_string(&mut token).map_err(at(&path))?;
            }
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                token = secret::generate(Holder::Operator)?;
                write(&path, token.as_bytes())?;
            }
            Err(error) => return Err(FolderError::File { path, error }),
        }
        checked_token(&token)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Closing would leave it locked for as long as a child between fork and exec has it open.
        if let Err(error) = self.lock.unlock() {
            tracing::warn!(%error, "the data folder could not be unlocked");
        }
    }
}

/// An operator token as somebody gave it.
///
/// # Errors
/// [`FolderError::Token`] where it is too short to be secret.
pub fn checked_token(token: &str) -> Result<String, FolderError> {
    let token = token.trim();
    if token.chars().count() < OPERATOR_TOKEN_CHARS_MIN {
        return Err(FolderError::Token);
    }
    Ok(token.to_owned())
}

fn at(path: &Path) -> impl FnOnce(std::io::Error) -> FolderError {
    let path = path.to_owned();
    move |error| FolderError::File { path, error }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    options.mode(0o600);
    options
}

/// Writes a new file that only its owner can read, whole or not at all.
fn write(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let temporary = path.with_extension("new");
    let mut file = private()
        .create(true)
        .truncate(true)
        .open(&temporary)
        .map_err(at(&temporary))?;
    file.write_all(bytes).map_err(at(&temporary))?;
    file.sync_all().map_err(at(&temporary))?;
    fs::rename(&temporary, path).map_err(at(path))?;
    if let Some(folder) = path.parent() {
        File::open(folder)
            .and_then(|folder| folder.sync_all())
            .map_err(at(folder))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_backends_and_keeps_its_key() {
        let folder = tempfile::tempdir().unwrap();
        let taken = Folder::take(folder.path()).unwrap();
        assert!(matches!(
            Folder::take(folder.path()),
            Err(FolderError::InUse(_))
        ));
        let (key, token) = (taken.log_key().unwrap(), taken.operator_token().unwrap());
        drop(taken);
        let again = Folder::take(folder.path()).unwrap();
        assert_eq!(again.log_key().unwrap().to_bytes(), key.to_bytes());
        assert_eq!(again.operator_token().unwrap(), token);
        fs::write(folder.path().join("log-key"), b"short").unwrap();
        assert!(matches!(again.log_key(), Err(FolderError::LogKey(_))));
        assert!(matches!(checked_token("hunter2"), Err(FolderError::Token)));
    }
}
