//! Submitting a decision.

use chrono::{DateTime, Utc};
use countersign_core::identifier::{Digest, OperationId, ProposalId};
use countersign_core::statement::DecisionKind;
use countersign_core::webauthn::{Assertion, Bytes};
use serde::{Deserialize, Serialize};

/// What a decision is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// An item on the queue.
    Item(ProposalId),
    /// An operation.
    Operation(OperationId),
    /// An envelope, by digest.
    Envelope(Digest),
    /// A suspension of autonomy, by the digest of its document.
    Suspension(Digest),
}

/// `POST /v1/nonces` (session): ask to decide; answers `session::Nonce`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginDecision {
    /// About what.
    pub about: About,
    /// What will be decided.
    pub kind: DecisionKind,
}

/// `POST /v1/decisions` (session of the same approver); `suspend_autonomy` goes to `POST /v1/suspensions`
/// ([`SuspendAutonomy`](crate::suspension::SuspendAutonomy)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubmitDecision {
    /// About what.
    pub about: About,
    /// The exact bytes of the statement.
    pub statement: Bytes,
    /// The key's signature over them.
    pub assertion: Assertion,
    /// The text behind the statement's commitment.
    pub rationale: RationalePayload,
}

/// A rationale and its salt; kept apart from the log so that it can be erased.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RationalePayload {
    /// 32 random bytes of the console.
    pub salt: Bytes,
    /// The approver's reasons.
    pub text: String,
}

/// The answer: the decision is recorded, and what it brought about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionAccepted {
    /// The receipt's exact bytes (JCS of `core::decision::Receipt`).
    pub receipt: Bytes,
    /// Ed25519 signature of the log key over them.
    pub receipt_signature: Bytes,
    /// Digest of the statement.
    pub decision: Digest,
    /// Index of its log entry.
    pub index: u64,
    /// Whether the quorum is complete.
    pub complete: bool,
    /// What is still missing, in words.
    pub missing: Option<String>,
    /// The operation that it started.
    pub operation: Option<OperationId>,
    /// When the backend received it.
    pub received_at: DateTime<Utc>,
}
