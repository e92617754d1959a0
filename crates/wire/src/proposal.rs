//! What an agent is told about its proposal.

use chrono::{DateTime, Utc};
use countersign_core::assessment::Assessment;
use countersign_core::identifier::{OperationId, ProposalId};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The answer to `POST /v1/proposals` and `GET /v1/proposals/{id}`. Whatever is not `running` or
/// `waiting` tells the agent to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProposalAnswer {
    /// The item; absent where it was only assessed (`?assess_only=true`).
    pub id: Option<ProposalId>,
    /// Where it stands.
    pub state: ItemState,
    /// In a sentence, for the agent.
    pub message: String,
    /// The assessment.
    pub assessment: Assessment,
    /// The operation that carries it out.
    pub operation: Option<OperationId>,
    /// When it was received.
    pub received_at: DateTime<Utc>,
}

/// Where an item stands. The ends are different, and an agent must stop at each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export)]
pub enum ItemState {
    /// Waits for people.
    Waiting,
    /// Being carried out.
    Running,
    /// Carried out.
    Done,
    /// The breaker halted it; people decide.
    Halted,
    /// Undone.
    RolledBack,
    /// Stopped, left as it is.
    Aborted,
    /// A person rejected it.
    Rejected,
    /// Nobody decided in time.
    Expired,
    /// The agent replaced it.
    Superseded,
    /// Void from the start.
    Refused,
    /// What it rests on changed after it was approved; assessed anew as another item.
    Voided,
}
