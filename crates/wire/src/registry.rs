//! Agents, signal sources, detection rules, outcomes, and imported documents.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use countersign_core::decimal::Decimal;
use countersign_core::identifier::{
    AgentId, ApproverId, DetectionRuleId, Digest, Role, ServiceId, SourceId, SystemId, UpstreamId,
};
use countersign_core::proposal::{Action, Severity};
use serde::{Deserialize, Serialize};

use crate::problem::Place;

/// `POST /v1/agents` (operator).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterAgent {
    /// Who.
    pub agent: AgentId,
    /// The people who operate it: they decide about nothing that it proposes (AG-706 4.2).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub operated_by: BTreeSet<ApproverId>,
}

/// `POST /v1/sources` (operator).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterSource {
    /// Who.
    pub source: SourceId,
    /// What it gets its knowledge from.
    pub upstream: UpstreamId,
}

/// The secret of an agent or source, shown once and kept only as a hash.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// The bearer token.
    pub secret: String,
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// `POST /v1/detections` (operator): a detection rule, as people vouch for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegisterDetection {
    /// The rule.
    pub rule: DetectionRuleId,
    /// The source it is registered for.
    pub source: SourceId,
    /// The agents that may act on it.
    pub agents: BTreeSet<AgentId>,
    /// Its severity.
    pub severity: Severity,
    /// What it is often mistaken for.
    #[serde(default)]
    pub benign_patterns: BTreeSet<String>,
}

/// `POST /v1/detections/{id}/outcome` (a person's session): whether a detection was right.
/// `{id}` is the detection's id at its source; one outcome for each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecordOutcome {
    /// The detection rule that had fired.
    pub rule: DetectionRuleId,
    /// Its source.
    pub source: SourceId,
    /// Whether it was false.
    pub false_positive: bool,
}

/// `POST /v1/signals` (a source's secret).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SendSignal {
    /// The systems it is about.
    pub systems: BTreeSet<SystemId>,
    /// What kind of signal.
    pub kind: String,
    /// In a sentence.
    pub summary: String,
    /// When.
    pub observed_at: DateTime<Utc>,
}

/// `POST /v1/error-budgets` (a source's secret): what is left of a service's error budget. Of what a
/// source reports about a service the latest measurement stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportErrorBudget {
    /// The service.
    pub service: ServiceId,
    /// The remaining share, 0 to 1; an overspent budget is 0.
    pub remaining: Decimal,
    /// When it was measured.
    pub at: DateTime<Utc>,
}

/// `POST /v1/envelopes` and `POST /v1/topology` (operator): the document's own bytes go in, this comes out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// The document's digest, its identity.
    pub digest: Digest,
    /// Whether it was new.
    pub created: bool,
    /// What is worth a look in it.
    pub warnings: Vec<Place>,
}

/// `GET /v1/envelopes`: one envelope. `GET /v1/envelopes/{digest}` gives its canonical bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvelopeSummary {
    /// Its digest.
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: EnvelopeState,
    /// The role whose holders authorise it.
    pub board: Role,
    /// How many of them.
    pub needed: u32,
    /// How many have signed.
    pub signed: u32,
    /// First instant of its window.
    pub effective: DateTime<Utc>,
    /// First instant after it.
    pub expires: DateTime<Utc>,
    /// The envelope that was authorised before it, which the statement names.
    pub before: Option<Digest>,
    /// Digest of the difference from the one before (`core::envelope` semantic lines; JCS array of strings), which the statement names.
    pub diff: Digest,
}

/// Where an envelope stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EnvelopeState {
    /// Waits for the board.
    Draft,
    /// Authorised, and the latest.
    Authorised,
    /// Authorised once, replaced since.
    Replaced,
}

/// `POST /v1/drills` (operator): rehearse the rollback of an action on one drill system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StartDrill {
    /// The action rehearsed.
    pub action: Action,
    /// The system it is rehearsed on.
    pub system: SystemId,
    /// Health checks, by the envelope's names.
    pub checks: BTreeSet<countersign_core::identifier::CheckId>,
    /// Asked again with the same key, whose answer was lost, it is the same drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub idempotency_key: Option<String>,
}
