//! Which deployment this is: what was pinned, held against what the backend says now.

use countersign_core::decision::{Roster, RosterError};
use countersign_core::genesis::Genesis;
use countersign_core::identifier::Digest;
use countersign_core::log::{Checkpoint, CheckpointError, ProofError, verify_consistency};
use countersign_core::statement::CheckpointReference;
use thiserror::Error;

use super::{Client, ClientError};

/// A deployment whose genesis has the pinned digest: its people, its keys, its log key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    genesis: Genesis,
    digest: Digest,
    roster: Roster,
}

/// Why a backend is not trusted to be the pinned one.
#[derive(Debug, Error)]
pub enum TrustError {
    /// It did not answer, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// It has no genesis yet.
    #[error("the backend has no genesis yet; enrol its first people, then connect")]
    NoGenesis,
    /// Its genesis is another than the pinned one.
    #[error(
        "the backend's genesis is {got} and the pinned one {pinned}: it is another deployment or a forgery; do not sign there"
    )]
    OtherGenesis {
        /// The pinned digest.
        pinned: Digest,
        /// What the backend has.
        got: Digest,
    },
    /// It contradicts its own genesis.
    #[error("the backend's {what} is not that of its genesis; do not sign there")]
    Contradiction {
        /// What differs.
        what: &'static str,
    },
    /// Its genesis is no genesis.
    #[error("the backend's genesis cannot be read: {0}")]
    Malformed(String),
    /// Its genesis has no usable roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

impl Trusted {
    /// Fetches the genesis and holds it against `pinned` (absent on the very first contact: what the
    /// answer's digest is must then be confirmed by the person, or come with an enrolment link).
    ///
    /// # Errors
    /// [`TrustError`].
    pub async fn fetch(client: &Client, pinned: Option<Digest>) -> Result<Self, TrustError> {
        let deployment = client.deployment().await?;
        let claimed = deployment.genesis.ok_or(TrustError::NoGenesis)?;
        let trusted = Self::from_genesis(&client.genesis().await?, pinned.unwrap_or(claimed))?;
        let contradiction = [
            (claimed != trusted.digest, "genesis digest"),
            (
                deployment.deployment != trusted.roster.deployment().as_str(),
                "deployment id",
            ),
            (
                deployment.rp_id != trusted.roster.deployment().rp_id(),
                "relying party",
            ),
            (
                deployment.log_key.0 != trusted.roster.log_key().as_bytes(),
                "log key",
            ),
            (
                deployment.demonstration != trusted.genesis.demonstration,
                "kind",
            ),
        ];
        match contradiction.into_iter().find(|(differs, _)| *differs) {
            Some((_, what)) => Err(TrustError::Contradiction { what }),
            None => Ok(trusted),
        }
    }

    /// The deployment of these exact genesis bytes, kept from an earlier contact.
    ///
    /// # Errors
    /// [`TrustError`] where they do not have the pinned digest or are no genesis.
    pub fn from_genesis(bytes: &[u8], pinned: Digest) -> Result<Self, TrustError> {
        let digest = Digest::of(bytes);
        if digest != pinned {
            return Err(TrustError::OtherGenesis {
                pinned,
                got: digest,
            });
        }
        let genesis: Genesis = serde_json::from_slice(bytes)
            .map_err(|error| TrustError::Malformed(error.to_string()))?;
        let roster = Roster::from_genesis(&genesis)?;
        Ok(Self {
            genesis,
            digest,
            roster,
        })
    }

    /// The genesis document.
    #[must_use]
    pub const fn genesis(&self) -> &Genesis {
        &self.genesis
    }

    /// The genesis digest, which is pinned.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The people of the deployment.
    #[must_use]
    pub const fn roster(&self) -> &Roster {
        &self.roster
    }
}

/// Why the log could not be followed.
#[derive(Debug, Error)]
pub enum WitnessError {
    /// The backend did not answer; nothing is said about its log.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The log contradicts what was verified before, or is not signed by its key: an alarm.
    #[error(
        "the log contradicts what was verified before: {0}; stop approving here and tell an auditor"
    )]
    Alarm(String),
}

/// Fetches the checkpoint and verifies that it is signed by the pinned log key and that its log
/// begins with the one of `last`, the checkpoint verified before (DESIGN §7: every console is a witness).
///
/// # Errors
/// [`WitnessError::Alarm`] on a fork, a rollback or a checkpoint of another key.
pub async fn follow_log(
    client: &Client,
    trusted: &Trusted,
    last: Option<CheckpointReference>,
) -> Result<CheckpointReference, WitnessError> {
    let alarm = |reason: String| Err(WitnessError::Alarm(reason));
    let note = client.checkpoint().await?;
    let note = match std::str::from_utf8(&note) {
        Ok(note) => note,
        Err(_) => return alarm(CheckpointError::Malformed.to_string()),
    };
    let now = match Checkpoint::verify(note, trusted.roster.deployment(), trusted.roster.log_key())
    {
        Ok(checkpoint) => checkpoint.reference(),
        Err(error) => return alarm(error.to_string()),
    };
    let Some(last) = last else { return Ok(now) };
    if now.size < last.size {
        return alarm(format!(
            "it had {} entries and now shows {}",
            last.size, now.size
        ));
    }
    let proof = if now.size == last.size || last.size == 0 {
        Vec::new()
    } else {
        client.consistency_proof(last.size, now.size).await?
    };
    let consistent = verify_consistency(last.size, last.root, now.size, now.root, &proof);
    match consistent {
        Ok(()) => Ok(now),
        Err(error @ (ProofError::OutOfRange | ProofError::Length | ProofError::Root)) => {
            alarm(format!(
                "its first {} entries are not those seen before ({error})",
                last.size
            ))
        }
    }
}
