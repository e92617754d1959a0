//! The briefing: the exact document an approver reads and signs for (DESIGN §6.1).

mod compose;
mod standing;
mod title;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
pub use compose::{Composed, Inputs, compose, recompute, rollout};
use serde::{Deserialize, Serialize};
pub use standing::{Present, RunsBy, Standing, standing, standing_unchanged};
pub use title::title;

use crate::assessment::Assessment;
use crate::envelope::{Rollback, Rollout};
use crate::genesis::DeploymentId;
use crate::history::History;
use crate::identifier::{Digest, ProposalId, Role, SystemId};
use crate::proposal::Proposal;

/// The `schema` member of a briefing.
pub const SCHEMA: &str = "countersign/briefing/v1";

/// What an approver reads. It holds no nonce: all approvers of one item sign the same bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Briefing {
    /// [`SCHEMA`].
    pub schema: String,
    /// The deployment it belongs to.
    pub audience: DeploymentId,
    /// The item on the queue.
    pub item: ProposalId,
    /// The proposal as assessed.
    pub proposal: Proposal,
    /// The `now` of the assessment.
    pub assessed_at: DateTime<Utc>,
    /// The assessment, which the console repeats for itself.
    pub assessment: Assessment,
    /// The slice of history that the assessment rests on; the backend's claim.
    pub history: History,
    /// The executor's plan; the backend's claim.
    pub plan: Plan,
    /// The targets in the order of the rollout: the canary first, then the waves.
    pub waves: Vec<Vec<SystemId>>,
    /// The rollout in full: concurrency, soak, health checks, breaker.
    pub rollout: Rollout,
    /// How it would be undone.
    pub rollback: RollbackState,
    /// Roles of which one holder may reject it, beside those of the quorum: every role that the
    /// envelope's tiers name. Stopping is never harder than approving.
    pub may_stop: BTreeSet<Role>,
    /// Digests of the documents behind it.
    pub digests: SubjectDigests,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

/// The executor's own account of what it would do (AG-706 4.12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    /// How far it can be believed.
    pub grade: HonestyGrade,
    /// The executor that made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub executor: Option<String>,
    /// What it would do, a line a step.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
}

impl Plan {
    /// The plan of something that has none; its digest is that of `{"grade":"none"}`.
    #[must_use]
    pub const fn none() -> Self {
        Self {
            grade: HonestyGrade::None,
            executor: None,
            steps: Vec::new(),
        }
    }
}

/// How far an executor's plan can be believed (DESIGN §4, dry run).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HonestyGrade {
    /// The executor cannot write while it plans.
    Enforced,
    /// The executor says that it does not write.
    Declared,
    /// From the topology alone.
    Modelled,
    /// There is no plan.
    None,
}

/// How an action would be undone (AG-706 4.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RollbackState {
    /// Whether the action can be undone at all.
    pub reversible: bool,
    /// What the rule promises.
    #[serde(default, skip_serializing_if = "Rollback::is_empty")]
    pub promised: Rollback,
    /// The oldest of the latest drills of this action on each class among the targets; absent where one was never drilled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_drilled: Option<DateTime<Utc>>,
}

/// Digests of the documents behind a briefing (DESIGN §4, digests). A subject that does not apply is omitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigests {
    /// The proposal.
    pub proposal: Digest,
    /// The sorted array of target ids.
    pub targets: Digest,
    /// The envelope in force, or the last authorised one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Digest>,
    /// The whole topology.
    pub topology: Digest,
    /// The part of it that the scope touches.
    pub neighbourhood: Digest,
    /// The slice of history.
    pub history: Digest,
    /// The plan.
    pub plan: Digest,
}

/// Approving less than was asked (DESIGN §6.6): the targets that remain, and nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narrowing {
    /// The remaining targets, a proper, non-empty subset of those proposed.
    pub targets: BTreeSet<SystemId>,
}
