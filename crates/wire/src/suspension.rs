//! Suspensions of autonomy (AG-706 4.10).

use chrono::{DateTime, Utc};
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::suspension::Extent;
use countersign_core::webauthn::Bytes;
use serde::{Deserialize, Serialize};

use crate::decision::SubmitDecision;
use crate::queue::DecisionSummary;

/// `POST /v1/suspensions` (session of the same approver): one on-call engineer or SOC lead suspends
/// autonomy. Answers [`DecisionAccepted`](crate::decision::DecisionAccepted).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SuspendAutonomy {
    /// The exact bytes of the suspension: JCS of `core::suspension::Suspension`.
    pub document: Bytes,
    /// The decision about it.
    pub decision: SubmitDecision,
}

/// `GET /v1/suspensions` (session or operator): what is suspended now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspensions {
    /// Those in force, the oldest first; none where autonomy is not suspended.
    pub suspensions: Vec<Suspension>,
    /// Index of the last log entry the answer includes.
    pub at: u64,
}

/// A suspension in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspension {
    /// Digest of its document: its name.
    pub digest: Digest,
    /// What is suspended.
    pub suspends: Extent,
    /// Who suspended it.
    pub by: ApproverId,
    /// Since when.
    pub since: DateTime<Utc>,
    /// All of that in a sentence.
    pub sentence: String,
    /// Index of the log entry by which it came into force.
    pub index: u64,
    /// The exact bytes of its document.
    pub document: Bytes,
    /// The exact bytes of that log entry, which a decision to resume names.
    pub entry: Bytes,
    /// Every decision about it.
    pub decisions: Vec<DecisionSummary>,
    /// Who has signed that it may be resumed, and is still counted.
    pub resumed_by: Vec<ApproverId>,
    /// What resuming it still lacks, in words.
    pub missing: String,
}
