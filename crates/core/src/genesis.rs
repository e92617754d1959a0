//! The first log entry: the log key, the first people, the key models allowed (DESIGN §6.7).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identifier::{ApproverId, Digest, Role};
use crate::webauthn::{Bytes, PublicKey, Registration};

/// The `schema` member of a genesis document.
pub const SCHEMA: &str = "countersign/genesis/v1";

/// The model id (AAGUID) of the demonstration key, which no other deployment accepts.
pub const DEMONSTRATION_AAGUID: [u8; 16] = [
    0xbe, 0x77, 0x2a, 0x5f, 0x61, 0x7e, 0x58, 0x40, 0xaf, 0x9e, 0x7e, 0x62, 0x8f, 0x51, 0x41, 0xd2,
];

/// The role whose holders administer the deployment.
pub const ADMINISTRATOR: &str = "administrator";

/// A deployment: the first 16 bytes of the SHA-256 of its genesis log key, as 32 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct DeploymentId(String);

impl DeploymentId {
    /// The deployment of a log key (32 bytes of Ed25519 public key).
    #[must_use]
    pub fn of_log_key(log_key: &[u8; 32]) -> Self {
        let digest = Digest::of(log_key).to_string();
        Self(digest.chars().take(32).collect())
    }

    /// The 32 hexadecimal digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The WebAuthn relying party, which no web page can be (DESIGN §6.3).
    #[must_use]
    pub fn rp_id(&self) -> String {
        format!("{}.countersign.invalid", self.0)
    }
}

impl std::fmt::Display for DeploymentId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// The genesis document. Its digest is what consoles, executors and auditors pin.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Genesis {
    /// [`SCHEMA`].
    pub schema: String,
    /// The deployment's name for people.
    pub name: String,
    /// The log's Ed25519 public key, 32 bytes.
    pub log_key: Bytes,
    /// Whether this is a demonstration: loopback only, demonstration keys allowed, no witness asked.
    pub demonstration: bool,
    /// The key models allowed.
    pub attestation: Vec<AttestationRoot>,
    /// The first people; at least two of them hold [`ADMINISTRATOR`].
    pub approvers: Vec<Approver>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A key model that may be enrolled, and the root that attests it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationRoot {
    /// The model's name.
    pub model: String,
    /// The model's id as a UUID.
    pub aaguid: String,
    /// The attestation root, PEM.
    pub root: String,
}

/// A person who may decide.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Approver {
    /// Who; the name for people is a salted payload of its own, so that it can be erased.
    pub id: ApproverId,
    /// SHA-256(salt ‖ name).
    pub name_commitment: Digest,
    /// The roles held.
    pub roles: BTreeSet<Role>,
    /// The credential.
    pub credential: Credential,
}

/// A credential on a hardware key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credential {
    /// Its id.
    pub id: Bytes,
    /// Its public key.
    pub public_key: PublicKey,
    /// The key model's id as a UUID.
    pub aaguid: String,
    /// What the key returned when the credential was made, attestation and all.
    pub registration: Registration,
    /// The challenge it was made with.
    pub challenge: Bytes,
}

/// Whether `aaguid`, a UUID in any spelling, is [`DEMONSTRATION_AAGUID`].
#[must_use]
pub fn is_demonstration_model(aaguid: &str) -> bool {
    let digits: String = aaguid
        .chars()
        .filter(char::is_ascii_hexdigit)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let own: String = DEMONSTRATION_AAGUID
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    digits.ends_with(&own)
}

impl Credential {
    /// Whether a demonstration key made it, by its model or by what the key itself attested.
    #[must_use]
    pub fn is_demonstration(&self) -> bool {
        let attested = &self.registration.attestation_object.0;
        is_demonstration_model(&self.aaguid)
            || attested
                .windows(DEMONSTRATION_AAGUID.len())
                .any(|window| window == DEMONSTRATION_AAGUID)
    }
}

impl Genesis {
    /// The approver with this id.
    #[must_use]
    pub fn approver(&self, id: &ApproverId) -> Option<&Approver> {
        self.approvers.iter().find(|approver| approver.id == *id)
    }
}
