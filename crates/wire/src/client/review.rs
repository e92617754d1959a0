//! A briefing with the documents behind it, read and assessed again on this side (DESIGN §6.1).

use countersign_core::briefing::{self, Briefing};
use countersign_core::canonical::CanonicalError;
use countersign_core::envelope::Envelope;
use countersign_core::identifier::{Digest, ProposalId};
use countersign_core::log::body::ProposalAssessed;
use countersign_core::log::{Entry, leaf_hash, verify_inclusion};
use countersign_core::scope::Graph;
use countersign_core::statement::CheckpointReference;
use countersign_core::topology::Topology;
use thiserror::Error;

use super::trust::Trusted;
use super::{Client, ClientError};

/// A briefing, its exact bytes, and the documents it names, each with the digest that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reviewed {
    bytes: Vec<u8>,
    digest: Digest,
    briefing: Briefing,
    envelope: Option<Envelope>,
    topology: Topology,
    differences: Vec<String>,
    logged: Logged,
}

/// Whether the log records the briefing as it was reviewed: only then is what an approver signs also
/// what an auditor will find, envelope and topology included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Logged {
    /// It is this entry, under a checkpoint that was verified here.
    Proved {
        /// The entry's number.
        index: u64,
    },
    /// It is not proved.
    Unproved {
        /// Why.
        reason: String,
    },
}

/// Why a briefing could not be reviewed.
#[derive(Debug, Error)]
pub enum ReviewError {
    /// The backend did not answer, refused, or sent another document than was asked for.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// What came is not what it should be.
    #[error("the backend's {document} cannot be read: {reason}")]
    Malformed {
        /// Which document.
        document: &'static str,
        /// Why.
        reason: String,
    },
    /// The briefing is of another deployment.
    #[error("the briefing is of another deployment; do not sign it")]
    OtherDeployment,
    /// The briefing is of another item.
    #[error(
        "the backend was asked for the briefing of `{wanted}` and sent that of `{got}`; do not sign it"
    )]
    OtherItem {
        /// What was asked for.
        wanted: ProposalId,
        /// What came.
        got: ProposalId,
    },
    /// A document has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl Reviewed {
    /// Fetches the briefing of `item` and the documents it names by digest, and assesses anew.
    ///
    /// # Errors
    /// [`ReviewError`]. That the assessments differ is no error: see [`Reviewed::differences`].
    pub async fn fetch(
        client: &Client,
        trusted: &Trusted,
        item: &ProposalId,
    ) -> Result<Self, ReviewError> {
        let bytes = client.briefing(item).await?;
        let briefing: Briefing = read("briefing", &bytes)?;
        if briefing.item != *item {
            return Err(ReviewError::OtherItem {
                wanted: item.clone(),
                got: briefing.item,
            });
        }
        let topology = client.topology(&briefing.digests.topology).await?;
        let envelope = match &briefing.digests.envelope {
            Some(digest) => Some(client.envelope(digest).await?),
            None => None,
        };
        Self::of(trusted, bytes, &topology, envelope.as_deref())
    }

    /// Reviews documents that are already here; an auditor's evidence, for one.
    ///
    /// # Errors
    /// [`ReviewError`].
    pub fn of(
        trusted: &Trusted,
        bytes: Vec<u8>,
        topology: &[u8],
        envelope: Option<&[u8]>,
    ) -> Result<Self, ReviewError> {
        let briefing: Briefing = read("briefing", &bytes)?;
        if briefing.schema != briefing::SCHEMA {
            return Err(ReviewError::Malformed {
                document: "briefing",
                reason: "it is of another schema; update this program".to_owned(),
            });
        }
        if briefing.audience != *trusted.roster().deployment() {
            return Err(ReviewError::OtherDeployment);
        }
        let topology: Topology = read("topology", topology)?;
        let envelope: Option<Envelope> =
            envelope.map(|bytes| read("envelope", bytes)).transpose()?;
        let graph = Graph::new(&topology);
        // Digests of proposal, targets, neighbourhood, history and plan are among what is made anew.
        let differences = briefing::recompute(&briefing, envelope.as_ref(), &graph)?;
        Ok(Self {
            digest: Digest::of(&bytes),
            bytes,
            briefing,
            envelope,
            topology,
            differences,
            logged: Logged::Unproved {
                reason: "it was not looked for in the log".to_owned(),
            },
        })
    }

    /// Looks for the briefing in entry `index` of the log, as it was when `checkpoint` was verified.
    #[must_use]
    pub async fn find_in_log(
        self,
        client: &Client,
        index: u64,
        checkpoint: CheckpointReference,
    ) -> Self {
        if index >= checkpoint.size {
            let reason = format!(
                "it is said to be entry {index}, and the log was verified up to {}",
                checkpoint.size
            );
            return self.unproved(reason);
        }
        let found = async {
            let entry = client.log_entry(index).await?;
            let hashes = client.inclusion_proof(index, checkpoint.size).await?;
            Ok::<_, ClientError>((entry, hashes))
        };
        match found.await {
            Ok((entry, hashes)) => self.held_against(&entry, index, &hashes, checkpoint),
            Err(error) => self.unproved(error.to_string()),
        }
    }

    /// Holds the briefing against the leaf that is entry `index` of the log under `checkpoint`:
    /// `hashes` prove where the leaf is, and its body is made again from the briefing.
    #[must_use]
    pub fn held_against(
        self,
        entry: &[u8],
        index: u64,
        hashes: &[Digest],
        checkpoint: CheckpointReference,
    ) -> Self {
        let (leaf, size, root) = (leaf_hash(entry), checkpoint.size, checkpoint.root);
        if let Err(error) = verify_inclusion(leaf, index, size, hashes, root) {
            return self.unproved(format!("entry {index} is not in the verified log: {error}"));
        }
        let body = Entry::from_bytes(entry).and_then(|entry| entry.body::<ProposalAssessed>());
        match body {
            Ok(body) if body == ProposalAssessed::of(&self.briefing, self.digest) => Self {
                logged: Logged::Proved { index },
                ..self
            },
            Ok(_) => self.unproved(format!("entry {index} of the log says otherwise")),
            Err(error) => self.unproved(format!("entry {index} of the log: {error}")),
        }
    }

    fn unproved(self, reason: String) -> Self {
        Self {
            logged: Logged::Unproved { reason },
            ..self
        }
    }

    /// The exact bytes: what is shown and what is signed for.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The digest of those bytes.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// The briefing.
    #[must_use]
    pub const fn briefing(&self) -> &Briefing {
        &self.briefing
    }

    /// The envelope it was assessed under.
    #[must_use]
    pub const fn envelope(&self) -> Option<&Envelope> {
        self.envelope.as_ref()
    }

    /// The topology it was assessed on.
    #[must_use]
    pub const fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Where the backend's briefing differs from the one made here; nothing is signed unless empty.
    #[must_use]
    pub fn differences(&self) -> &[String] {
        &self.differences
    }

    /// Whether the log records it; nothing is approved unless it is proved.
    #[must_use]
    pub const fn logged(&self) -> &Logged {
        &self.logged
    }
}

fn read<T: serde::de::DeserializeOwned>(
    document: &'static str,
    bytes: &[u8],
) -> Result<T, ReviewError> {
    serde_json::from_slice(bytes).map_err(|error| ReviewError::Malformed {
        document,
        reason: error.to_string(),
    })
}
