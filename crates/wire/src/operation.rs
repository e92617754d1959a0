//! Operations as clients see them.

use chrono::{DateTime, Utc};
use countersign_core::assessment::QuorumRule;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::webauthn::Bytes;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::queue::DecisionSummary;

/// `GET /v1/operations/{id}` (session). `GET /v1/operations` lists [`OperationSummary`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operation {
    /// In short. Not flattened: both have `systems`.
    pub summary: OperationSummary,
    /// Every system, in the order of the rollout.
    pub systems: Vec<OperationSystem>,
    /// Why it halted.
    pub trip: Option<Trip>,
    /// Decisions about it: what authorised it, and what was decided since.
    pub decisions: Vec<DecisionSummary>,
    /// Who may decide `continue`; one eligible approver may `roll_back` or `abort`.
    pub quorum: Option<QuorumRule>,
    /// The exact bytes of the documents that a decision about it names.
    pub subjects: OperationSubjects,
}

/// An operation in short.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationSummary {
    /// Its name.
    pub id: OperationId,
    /// The item it carries out; absent for a drill.
    pub item: Option<ProposalId>,
    /// Digest of that item's briefing, from which a console makes a title of its own.
    pub briefing: Option<Digest>,
    /// In our own words.
    pub title: String,
    /// How it came to run.
    pub authority: AuthorityKind,
    /// Where it stands.
    pub state: OperationState,
    /// Systems it may touch.
    pub systems: u64,
    /// Systems recorded healthy.
    pub healthy: u64,
    /// Systems touched.
    pub touched: u64,
    /// The wave under way, from 1; 1 is the canary where there is one.
    pub wave: u32,
    /// Number of waves.
    pub waves: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// How an operation came to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum AuthorityKind {
    /// Within the envelope.
    Autonomous,
    /// A quorum signed.
    Decided,
    /// A rehearsal.
    Drill,
}

/// Where an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum OperationState {
    /// Under way.
    Running,
    /// Something it rests on does not hold now; nothing is dispatched.
    Held,
    /// The breaker tripped; nothing is dispatched until a person decides.
    Halted,
    /// Being undone.
    RollingBack,
    /// Every system is healthy.
    Completed,
    /// Every touched system is as it was.
    RolledBack,
    /// Stopped, left as it is.
    Aborted,
    /// Undoing it failed on a system; people decide.
    RollbackFailed,
}

/// One system of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationSystem {
    /// The system.
    pub id: SystemId,
    /// Its wave, from 1.
    pub wave: u32,
    /// Where it stands.
    pub phase: SystemPhase,
    /// In a sentence, when there is something to say.
    pub message: Option<String>,
    /// When that was.
    pub at: Option<DateTime<Utc>>,
}

/// Where a system of an operation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum SystemPhase {
    /// Not touched.
    Pending,
    /// Not touched: it was unhealthy before.
    AlreadyUnhealthy,
    /// Not touched: the decision that continued left it out.
    LeftOut,
    /// Being worked on.
    InFlight,
    /// Done, and healthy.
    Healthy,
    /// Done, and not healthy.
    Failed,
    /// Nobody can say; counts as touched.
    Unknown,
    /// As it was before.
    Reverted,
    /// Undoing it failed.
    RevertFailed,
}

/// `POST /v1/operations/{id}/halt` (a source's secret): a monitor halts an operation. Answers
/// [`OperationSummary`]; one that is ended, halted or on its way back stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HaltOperation {
    /// What the monitor saw.
    pub reason: String,
}

/// Why an operation halted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trip {
    /// The system that tripped it; absent where a monitor or the clock did.
    pub system: Option<SystemId>,
    /// In a sentence.
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Index of the log entry.
    pub index: u64,
}

/// Exact bytes of the documents that `roll_back` and `abort` name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OperationSubjects {
    /// What was authorised.
    pub operation: Bytes,
    /// The log entry of the trip.
    pub trip: Option<Bytes>,
    /// JCS array of the touched systems, sorted.
    pub touched: Bytes,
    /// JCS array of the untouched, sorted.
    pub remaining: Bytes,
    /// Digest of the briefing that was approved.
    pub briefing: Option<Digest>,
}
