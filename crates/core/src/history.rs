//! What the backend knows besides the documents: authorisation, drills, registered detections and
//! their outcomes, verified signals, what is in flight and what ran lately.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::decimal::Decimal;
use crate::identifier::{
    AgentId, ClassId, DetectionRuleId, Digest, OperationId, ServiceId, SourceId, SystemId,
    UpstreamId,
};
use crate::proposal::{ActionKind, Severity};
use crate::suspension::Suspended;

/// Facts. An absent member is a fact that nobody knows: what rests on it is `not_evaluable`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// Whether the envelope was authorised by a full quorum of its board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope_authorised: Option<bool>,
    /// Whether a person has suspended all autonomy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autonomy_suspended: Option<bool>,
    /// The suspensions in force: who suspended what, all of it, one agent or one rule.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub suspensions: BTreeSet<Suspended>,
    /// Rehearsed rollbacks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drills: Option<Vec<Drill>>,
    /// Registered detection rules and how often they were right.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detections: Option<Vec<RegisteredDetection>>,
    /// Signals from authenticated sources.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Vec<VerifiedSignal>>,
    /// Operations under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<Vec<InFlight>>,
    /// Operations that ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<Vec<Recent>>,
    /// How much of their error budgets services have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_budgets: Option<Vec<RemainingBudget>>,
    /// Actions that succeeded in staging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub staging: Option<Vec<StagingRun>>,
    /// Action kinds whose executor declares that it cannot undo them.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub irreversible: BTreeSet<ActionKind>,
}

/// A rehearsed rollback that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Drill {
    /// Of which kind of action.
    pub action: ActionKind,
    /// On which class of systems.
    pub class: ClassId,
    /// When.
    pub succeeded_at: DateTime<Utc>,
    /// When a later one failed, if one did and none has succeeded since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed_at: Option<DateTime<Utc>>,
}

impl Drill {
    /// When a later one failed, so that this one proves nothing any more; at the same instant counts
    /// as later.
    #[must_use]
    pub fn failed_since(&self) -> Option<DateTime<Utc>> {
        self.failed_at.filter(|at| *at >= self.succeeded_at)
    }
}

/// A detection rule that people registered.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RegisteredDetection {
    /// The rule.
    pub rule: DetectionRuleId,
    /// The source it is registered for.
    pub source: SourceId,
    /// What that source gets its knowledge from.
    pub upstream: UpstreamId,
    /// The agents that may act on it.
    pub agents: BTreeSet<AgentId>,
    /// Its severity, which overrides the agent's claim.
    pub severity: Severity,
    /// Outcomes that people recorded.
    pub assessed: u64,
    /// Those of them that were false.
    pub false_positives: u64,
    /// What it is often mistaken for; shown, never decisive.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub benign_patterns: BTreeSet<String>,
}

/// A signal that an authenticated source sent.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VerifiedSignal {
    /// Who sent it.
    pub source: SourceId,
    /// What that source gets its knowledge from.
    pub upstream: UpstreamId,
    /// The systems it is about.
    pub systems: BTreeSet<SystemId>,
    /// When it was observed.
    pub observed_at: DateTime<Utc>,
}

/// An operation under way.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InFlight {
    /// The operation.
    pub operation: OperationId,
    /// Its systems.
    pub systems: BTreeSet<SystemId>,
}

/// An operation that ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recent {
    /// The operation.
    pub operation: OperationId,
    /// Its systems.
    pub systems: BTreeSet<SystemId>,
    /// When it ended.
    pub finished_at: DateTime<Utc>,
}

/// What a service has left of its error budget at one instant. The latest counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RemainingBudget {
    /// The service.
    pub service: ServiceId,
    /// The remaining share, 0 to 1; an overspent budget is 0.
    pub remaining: Decimal,
    /// When it was measured.
    pub at: DateTime<Utc>,
}

/// An action that succeeded in staging.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StagingRun {
    /// Digest of the action, kind and parameters ([`crate::proposal::Action::digest`]).
    pub action_digest: Digest,
    /// On which class of systems.
    pub class: ClassId,
    /// When.
    pub succeeded_at: DateTime<Utc>,
}
