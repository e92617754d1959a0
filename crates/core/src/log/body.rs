//! The bodies of those entries that an auditor re-checks offline, or that AG-706 4.8 asks for.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::entry::{Body, EntryKind};
use crate::assessment::{Clause, ScopeCounts, Verdict};
use crate::genesis::Genesis;
use crate::identifier::{
    AgentId, ApproverId, CheckId, DetectionRuleId, Digest, OperationId, ProposalId, RuleId,
    SourceId, SystemId,
};
use crate::proposal::{ActionKind, Severity};
use crate::statement::DecisionKind;

impl Body for Genesis {
    const KIND: EntryKind = EntryKind::Genesis;
}

/// A proposal was assessed: trigger, classification and dependency analysis of AG-706 4.8, in short.
/// The whole of it is the briefing, a payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProposalAssessed {
    /// The item.
    pub item: ProposalId,
    /// Who proposed it.
    pub agent: AgentId,
    /// What kind of action.
    pub action: ActionKind,
    /// The event that triggered it.
    pub trigger: Trigger,
    /// What may happen.
    pub verdict: Verdict,
    /// The rule that grants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
    /// The clauses that did not pass, sorted.
    pub blocking: BTreeSet<Clause>,
    /// How far it reaches.
    pub scope: ScopeCounts,
    /// Systems and services that go down.
    pub down: u64,
    /// Systems and services that get worse.
    pub degraded: u64,
    /// Digest of the proposal.
    pub proposal: Digest,
    /// Digest of the envelope it was held against.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Digest>,
    /// Digest of the topology.
    pub topology: Digest,
    /// Digest of the briefing: everything the verdict rests on.
    pub briefing: Digest,
}

impl Body for ProposalAssessed {
    const KIND: EntryKind = EntryKind::ProposalAssessed;
}

/// The detection behind a proposal, as the agent names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Its name at the source.
    pub detection: String,
    /// The detection rule.
    pub rule: DetectionRuleId,
    /// The source.
    pub source: SourceId,
    /// The severity claimed.
    pub severity: Severity,
    /// When.
    pub detected_at: DateTime<Utc>,
}

/// A decision was accepted. Statement and assertion are payloads; their digests are here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DecisionRecorded {
    /// Digest of the exact bytes of the statement.
    pub decision: Digest,
    /// Digest of the RFC 8785 bytes of the [`Assertion`](crate::webauthn::Assertion).
    pub assertion: Digest,
    /// What was decided.
    pub kind: DecisionKind,
    /// By whom.
    pub approver: ApproverId,
    /// The item it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ProposalId>,
    /// The operation it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// The envelope it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Digest>,
}

impl Body for DecisionRecorded {
    const KIND: EntryKind = EntryKind::DecisionRecorded;
}

/// An envelope is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EnvelopeAuthorised {
    /// Digest of the envelope.
    pub envelope: Digest,
    /// Digests of the statements that make the quorum, sorted.
    pub decisions: BTreeSet<Digest>,
}

impl Body for EnvelopeAuthorised {
    const KIND: EntryKind = EntryKind::EnvelopeAuthorised;
}

/// An operation began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationStarted {
    /// The operation.
    pub operation: OperationId,
    /// Digest of the [`OperationDocument`](crate::decision::OperationDocument).
    pub document: Digest,
    /// By which authority.
    pub authority: Authority,
    /// Digests of the statements that make the quorum, sorted; empty unless decided.
    pub decisions: BTreeSet<Digest>,
}

impl Body for OperationStarted {
    const KIND: EntryKind = EntryKind::OperationStarted;
}

/// By which authority an operation runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Authority {
    /// The envelope's.
    Autonomous,
    /// A quorum's.
    Decided,
    /// It is a rehearsal.
    Drill,
}

/// What became of one system: action executed, health afterwards, rollback status (AG-706 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SystemRecorded {
    /// The operation.
    pub operation: OperationId,
    /// The system.
    pub system: SystemId,
    /// Its wave, from 1.
    pub wave: u32,
    /// The attempt, from 1.
    pub attempt: u32,
    /// Forwards or back.
    pub direction: Direction,
    /// What the executor did.
    pub action: ActionKind,
    /// How that ended.
    pub execution: Execution,
    /// What the health checks said.
    pub health: Vec<HealthResult>,
    /// Whether it can be undone now.
    pub rollback: RollbackStatus,
    /// Digest of the snapshot taken before, a payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<Digest>,
    /// In a sentence, when there is something to say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
}

impl Body for SystemRecorded {
    const KIND: EntryKind = EntryKind::SystemRecorded;
}

/// Which way an executor worked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// The action was applied.
    Apply,
    /// It was undone.
    Revert,
}

/// How an executor's work ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Execution {
    /// It reports success.
    Succeeded,
    /// It reports failure.
    Failed,
    /// Nobody can say: it crashed, or did not answer in time. Counts as touched.
    Unknown,
}

/// What one health check said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthResult {
    /// The check.
    pub check: CheckId,
    /// What it said.
    pub outcome: HealthOutcome,
    /// In a sentence.
    pub message: String,
}

/// What a health check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthOutcome {
    /// Well.
    Healthy,
    /// Unwell.
    Unhealthy,
    /// No data; it never counts as well.
    Inconclusive,
}

/// Whether an action can be undone on a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackStatus {
    /// A snapshot was taken and the executor can revert.
    Available,
    /// It cannot be undone.
    Unavailable,
    /// It was undone, and state and data equal the snapshot.
    Reverted,
    /// Undoing it failed, or the outcome differs from the snapshot.
    Failed,
}

/// The breaker halted an operation (AG-706 4.4). `roll_back` and `abort` name the digest of the entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerTripped {
    /// The operation.
    pub operation: OperationId,
    /// The system at which it tripped.
    pub system: SystemId,
    /// The wave, from 1.
    pub wave: u32,
    /// Failures counted.
    pub failures: u32,
    /// Failures that the rule tolerates.
    pub tolerated: u32,
    /// In a sentence.
    pub message: String,
}

impl Body for BreakerTripped {
    const KIND: EntryKind = EntryKind::BreakerTripped;
}
