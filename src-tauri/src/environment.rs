//! What the environment says, for demonstrations and tests; a person needs none of it.
//!
//! `COUNTERSIGN_HOME` is the folder of the console's files. `COUNTERSIGN_BACKEND` is a backend to
//! use, `URL` or `URL,GENESIS-DIGEST`. `COUNTERSIGN_DEMONSTRATION_KEYS` is a folder of
//! demonstration keys, in builds that have them.

use std::path::PathBuf;
use std::sync::Arc;

use thiserror::Error;

use crate::console::keeping::Keyring;
use crate::console::keys::{Hardware, KeySource};
use crate::console::{BackendChoice, Home, Parts, Sink};

/// Why the environment cannot be used.
#[derive(Debug, Error)]
pub enum EnvironmentError {
    /// `COUNTERSIGN_BACKEND` holds no digest behind its comma.
    #[error("COUNTERSIGN_BACKEND: {0}; write `URL` or `URL,GENESIS-DIGEST`")]
    Backend(#[from] countersign_core::identifier::DigestError),
    /// The demonstration keys cannot be used.
    #[cfg(feature = "demonstration-key")]
    #[error("COUNTERSIGN_DEMONSTRATION_KEYS: {0}")]
    Keys(#[from] countersign_virtual_key::RingError),
}

/// The parts of a console whose files lie in `home` unless the environment says otherwise.
///
/// # Errors
/// [`EnvironmentError`].
pub fn parts(home: PathBuf, sink: Arc<dyn Sink>) -> Result<Parts, EnvironmentError> {
    let home = std::env::var_os("COUNTERSIGN_HOME").map_or(home, PathBuf::from);
    let backend = std::env::var("COUNTERSIGN_BACKEND")
        .ok()
        .filter(|text| !text.trim().is_empty())
        .map(|text| backend(&text))
        .transpose()?;
    Ok(Parts {
        home: Home::new(home),
        keeper: Box::new(Keyring),
        keys: keys()?,
        sink,
        backend,
    })
}

/// `URL` or `URL,GENESIS-DIGEST`.
fn backend(text: &str) -> Result<BackendChoice, EnvironmentError> {
    Ok(match text.split_once(',') {
        Some((url, genesis)) => BackendChoice {
            url: url.trim().to_owned(),
            genesis: Some(genesis.trim().parse()?),
        },
        None => BackendChoice {
            url: text.trim().to_owned(),
            genesis: None,
        },
    })
}

#[cfg(not(feature = "demonstration-key"))]
#[expect(
    clippy::unnecessary_wraps,
    reason = "with demonstration keys it can fail"
)]
fn keys() -> Result<Arc<dyn KeySource>, EnvironmentError> {
    Ok(Arc::new(Hardware))
}

#[cfg(feature = "demonstration-key")]
fn keys() -> Result<Arc<dyn KeySource>, EnvironmentError> {
    use crate::console::keys::Demonstration;
    match std::env::var_os("COUNTERSIGN_DEMONSTRATION_KEYS") {
        Some(folder) => {
            let ring = countersign_virtual_key::KeyRing::open(folder.as_ref())?;
            Ok(Arc::new(Demonstration::new(&ring, Some(Hardware))))
        }
        None => Ok(Arc::new(Hardware)),
    }
}

#[cfg(test)]
mod tests {
    use super::backend;

    #[test]
    fn a_backend_is_an_address_and_perhaps_a_digest() {
        let digest = "a".repeat(64);
        let with = backend(&format!("http://127.0.0.1:1,{digest}")).unwrap();
        assert_eq!(
            (with.url.as_str(), with.genesis.map(|d| d.to_string())),
            ("http://127.0.0.1:1", Some(digest))
        );
        assert_eq!(backend("https://x.example").unwrap().genesis, None);
        assert!(backend("https://x.example,abc").is_err());
    }
}
