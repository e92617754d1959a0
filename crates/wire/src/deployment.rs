//! Who the backend is, and how a new one gets its first people (DESIGN §6.7).

use std::collections::BTreeSet;

use countersign_core::genesis::AttestationRoot;
use countersign_core::identifier::{ApproverId, Digest, Role};
use countersign_core::webauthn::Bytes;
use serde::{Deserialize, Serialize};

/// `GET /v1/deployment`: who the backend says it is. A console holds it against its pinned record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// The deployment id, 32 hexadecimal digits.
    pub deployment: String,
    /// The relying party of its credentials.
    pub rp_id: String,
    /// Its Ed25519 log key.
    pub log_key: Bytes,
    /// The digest of its genesis document; absent until it has one.
    pub genesis: Option<Digest>,
    /// Its name for people.
    pub name: Option<String>,
    /// Whether it is a demonstration.
    pub demonstration: bool,
    /// The backend's version.
    pub version: String,
}

/// `POST /v1/genesis` (operator): begin; repeated, it begins anew until sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginGenesis {
    /// The deployment's name for people.
    pub name: String,
    /// Whether it is a demonstration.
    pub demonstration: bool,
    /// The key models allowed.
    pub attestation: Vec<AttestationRoot>,
}

/// `POST /v1/genesis/registrations` (operator): one of the first people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginRegistration {
    /// Who.
    pub approver: ApproverId,
    /// The name for people.
    pub name: String,
    /// The roles held.
    pub roles: BTreeSet<Role>,
}

/// What a key needs to make a credential. Followed by
/// `PUT /v1/genesis/registrations/{approver}` with a `core::webauthn::Registration`,
/// and in the end by `POST /v1/genesis/seal`, which answers [`Sealed`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationOptions {
    /// The relying party.
    pub rp_id: String,
    /// The challenge.
    pub challenge: Bytes,
    /// The WebAuthn user handle.
    pub user_id: Bytes,
    /// Credentials of the other people; a key that holds one of them makes no second.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<Bytes>,
}

/// `POST /v1/genesis/seal` (operator): the genesis entry is in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// What consoles, executors and auditors pin.
    pub genesis: Digest,
}
