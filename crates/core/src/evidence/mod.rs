//! The evidence folder: everything that proves a decision, and its check, offline and by anyone.
//!
//! A folder is a map from relative paths to bytes; reading and writing it is the caller's.
//!
//! ```text
//! README.md                       what this is, how to check it, what each check proves
//! briefing.json                   what approvers of an item read; absent for envelopes and suspensions
//! decisions/1/statement.json      the exact bytes signed
//! decisions/1/decision.sig        the signature, for ssh-keygen
//! decisions/1/allowed_signers     the credential, for ssh-keygen
//! decisions/1/webauthn.json       the signature as the key made it
//! payloads/<sha256>.json          documents by digest; salted texts by commitment
//! log/checkpoint                  C2SP signed note
//! log/entries/0.json              the genesis; every entry by its number, the exact leaf
//! log/proofs/0.tlog-proof         its inclusion, C2SP tlog-proof
//! log/consistency/17.json         that the log extends the checkpoint a statement pins
//! ```
//!
//! [`verify`] believes nothing in the folder but the genesis, and that only as far as its digest is
//! pinned. Key models (attestation) are checked at enrolment and not repeated here.

mod documents;
mod envelope;
mod export;
mod item;
mod log;
mod operation;
mod readme;
mod report;
mod signatures;
mod suspension;
mod verify;

use serde::{Deserialize, Serialize};

pub use export::{ExportError, Inputs, LoggedEntry, export};
pub use report::{Check, Outcome, Report};
pub use verify::verify;

use crate::identifier::Digest;
use crate::statement::CheckpointReference;
use crate::webauthn::{Assertion, PublicKey};

/// An evidence folder: bytes by relative path, with `/` between its parts.
pub type Files = std::collections::BTreeMap<String, Vec<u8>>;

const README: &str = "README.md";
const BRIEFING: &str = "briefing.json";
const CHECKPOINT: &str = "log/checkpoint";

/// `decisions/N/webauthn.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebauthnFile {
    /// What the key returned.
    pub assertion: Assertion,
    /// The credential's public key.
    pub public_key: PublicKey,
    /// The relying party, which is the deployment.
    pub rp_id: String,
}

/// `log/consistency/SIZE.json`: the log of the folder's checkpoint begins with `old`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyFile {
    /// The older size and root.
    pub old: CheckpointReference,
    /// RFC 6962 §2.1.2 proof.
    pub proof: Vec<Digest>,
}

fn decision_path(number: usize, file: &str) -> String {
    format!("decisions/{number}/{file}")
}

fn payload_path(digest: Digest) -> String {
    format!("payloads/{digest}.json")
}

fn entry_path(index: u64) -> String {
    format!("log/entries/{index}.json")
}

fn proof_path(index: u64) -> String {
    format!("log/proofs/{index}.tlog-proof")
}

fn consistency_path(size: u64) -> String {
    format!("log/consistency/{size}.json")
}

#[cfg(test)]
pub(crate) mod tests;
