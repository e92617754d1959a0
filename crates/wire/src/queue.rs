//! The queue.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use countersign_core::assessment::{QuorumRule, ScopeCounts};
use countersign_core::identifier::{AgentId, ApproverId, Digest, OperationId, ProposalId};
use countersign_core::proposal::ActionKind;
use countersign_core::statement::DecisionKind;
use serde::{Deserialize, Serialize};

use crate::drill::Notice;
use crate::proposal::ItemState;

/// `GET /v1/queue?state=open|closed&cursor=…&limit=…` (session).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Queue {
    /// Nearest deadline first.
    pub items: Vec<QueueItem>,
    /// Where the next page begins.
    pub next: Option<String>,
    /// The backend's clock.
    pub now: DateTime<Utc>,
    /// Index of the last log entry the answer includes.
    pub at: u64,
    /// What people should know besides; on the first page.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<Notice>,
}

/// One item; `GET /v1/queue/{id}` gives it alone, `GET /v1/briefings/{id}` gives its briefing's exact bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueItem {
    /// Its name.
    pub id: ProposalId,
    /// What is proposed, in our own words: `rotate svc_ehr on ehr-db-1`.
    pub title: String,
    /// The kind of action.
    pub action: ActionKind,
    /// Who proposes.
    pub agent: AgentId,
    /// The people who operate that agent, who do not decide about it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub operated_by: BTreeSet<ApproverId>,
    /// Where it stands.
    pub state: ItemState,
    /// How far it reaches.
    pub scope: ScopeCounts,
    /// Number of targets.
    pub targets: u64,
    /// Systems and services that would go down.
    pub down: u64,
    /// Why it waits: the messages of the blocking findings, worst first.
    pub why: Vec<String>,
    /// Who must decide.
    pub quorum: Option<QuorumRule>,
    /// Decisions so far.
    pub decisions: Vec<DecisionSummary>,
    /// Digest of its briefing's bytes.
    pub briefing: Digest,
    /// Index of the log entry that records its assessment, against which a console holds the briefing.
    pub assessed_in: u64,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// The item it replaces.
    pub supersedes: Option<ProposalId>,
    /// The operation that carries it out.
    pub operation: Option<OperationId>,
}

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DecisionSummary {
    /// Digest of its statement.
    pub decision: Digest,
    /// What.
    pub kind: DecisionKind,
    /// Who.
    pub approver: ApproverId,
    /// The name for people.
    pub name: String,
    /// When.
    pub decided_at: DateTime<Utc>,
    /// Whether it approved less than was asked.
    pub narrowed: bool,
}
