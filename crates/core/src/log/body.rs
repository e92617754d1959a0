//! The bodies of those entries that an auditor re-checks offline, or that AG-706 4.8 asks for.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::entry::{Body, EntryKind};
use crate::assessment::{Clause, ImpactState, ScopeCounts, Verdict, blocking};
use crate::briefing::Briefing;
use crate::genesis::Genesis;
use crate::identifier::{
    AgentId, ApproverId, DetectionRuleId, Digest, OperationId, ProposalId, RuleId, SourceId,
};
use crate::operation::{Record, SystemState};
use crate::proposal::{ActionKind, Severity};
use crate::statement::DecisionKind;
use crate::suspension::Extent;

impl Body for Genesis {
    fn kind(&self) -> EntryKind {
        EntryKind::Genesis
    }
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
    fn kind(&self) -> EntryKind {
        EntryKind::ProposalAssessed
    }
}

impl ProposalAssessed {
    /// The body for a briefing whose exact bytes have this digest. Verifiers make it again and compare.
    #[must_use]
    pub fn of(briefing: &Briefing, briefing_digest: Digest) -> Self {
        let assessment = &briefing.assessment;
        let detection = &briefing.proposal.detection;
        let count = |state| {
            let entries = assessment
                .impact
                .iter()
                .filter(|entry| entry.state == state);
            u64::try_from(entries.count()).unwrap_or(u64::MAX)
        };
        Self {
            item: briefing.item.clone(),
            agent: briefing.proposal.agent.clone(),
            action: briefing.proposal.action.kind(),
            trigger: Trigger {
                detection: detection.id.clone(),
                rule: detection.rule.clone(),
                source: detection.source.clone(),
                severity: detection.severity,
                detected_at: detection.detected_at,
            },
            verdict: assessment.verdict,
            rule: assessment.rule.clone(),
            blocking: blocking(&assessment.findings)
                .map(|finding| finding.clause)
                .collect(),
            scope: assessment.scope.clone(),
            down: count(ImpactState::Down),
            degraded: count(ImpactState::Degraded),
            proposal: briefing.digests.proposal,
            envelope: briefing.digests.envelope,
            topology: briefing.digests.topology,
            briefing: briefing_digest,
        }
    }
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
    /// The suspension it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspension: Option<Digest>,
}

impl Body for DecisionRecorded {
    fn kind(&self) -> EntryKind {
        EntryKind::DecisionRecorded
    }
}

/// The approvals of an item recorded before this no longer hold: what they approved is not what
/// would happen now (DESIGN §6.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ApprovalVoided {
    /// The item.
    pub item: ProposalId,
    /// The operation that this stopped, where one had begun.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    /// Why, in words.
    pub reason: String,
}

impl Body for ApprovalVoided {
    fn kind(&self) -> EntryKind {
        EntryKind::ApprovalVoided
    }
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
    fn kind(&self) -> EntryKind {
        EntryKind::EnvelopeAuthorised
    }
}

/// Autonomy is suspended from here on. `resume_autonomy` names the digest of this entry's leaf bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutonomySuspended {
    /// Digest of the [`Suspension`](crate::suspension::Suspension).
    pub suspension: Digest,
    /// What is suspended.
    pub suspends: Extent,
    /// By whom.
    pub approver: ApproverId,
    /// Digest of the statement.
    pub decision: Digest,
}

impl Body for AutonomySuspended {
    fn kind(&self) -> EntryKind {
        EntryKind::AutonomySuspended
    }
}

/// A suspension is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AutonomyResumed {
    /// Digest of the [`Suspension`](crate::suspension::Suspension).
    pub suspension: Digest,
    /// Digest of the leaf bytes of the entry by which it came into force.
    pub entry: Digest,
    /// Digests of the statements that make the quorum, sorted.
    pub decisions: BTreeSet<Digest>,
}

impl Body for AutonomyResumed {
    fn kind(&self) -> EntryKind {
        EntryKind::AutonomyResumed
    }
}

/// A step of an operation: the action executed, the health afterwards and the rollback status of
/// AG-706 4.8, as the state machine recorded it. `roll_back` and `abort` name the digest of the leaf
/// bytes of the entry whose record is `tripped`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationRecorded {
    /// The operation.
    pub operation: OperationId,
    /// The item it carries out; absent for a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ProposalId>,
    /// Digest of the [`OperationDocument`](crate::decision::OperationDocument).
    pub document: Digest,
    /// What its executor does.
    pub action: ActionKind,
    /// Whether the system of this record can be undone now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollback: Option<RollbackStatus>,
    /// The step.
    pub record: Record,
}

/// Whether an action can be undone on a system (AG-706 4.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RollbackStatus {
    /// Nothing was changed.
    NotNeeded,
    /// There is a snapshot to return to.
    Available,
    /// There is none, or nothing undoes this kind of action.
    Unavailable,
    /// It was undone, and the system equals its snapshot.
    Reverted,
    /// Undoing it is not proved.
    Failed,
}

impl OperationRecorded {
    /// The body for `record`, with the rollback status that follows from it.
    #[must_use]
    pub fn new(
        operation: OperationId,
        item: Option<ProposalId>,
        document: Digest,
        action: ActionKind,
        record: Record,
    ) -> Self {
        let rollback = rollback_status(action, &record);
        Self {
            operation,
            item,
            document,
            action,
            rollback,
            record,
        }
    }
}

impl Body for OperationRecorded {
    fn kind(&self) -> EntryKind {
        match &self.record {
            Record::Started { .. } => EntryKind::OperationStarted,
            Record::WaveStarted { .. } => EntryKind::WaveStarted,
            Record::SoakStarted { .. } => EntryKind::SoakStarted,
            Record::Touched { .. } => EntryKind::SystemDispatched,
            Record::AttemptFailed { .. } => EntryKind::AttemptFailed,
            Record::System { .. } => EntryKind::SystemRecorded,
            Record::Held { .. } => EntryKind::OperationHeld,
            Record::Reopened => EntryKind::OperationResumed,
            Record::Tripped { .. } => EntryKind::BreakerTripped,
            Record::Continued { .. } => EntryKind::OperationContinued,
            Record::AbortBegan { .. } => EntryKind::AbortStarted,
            Record::RollbackBegan { .. } => EntryKind::RollbackStarted,
            Record::Reverting { .. } => EntryKind::RevertDispatched,
            Record::RevertChecked { .. } => EntryKind::RevertChecked,
            Record::SystemReverted { .. } => EntryKind::SystemReverted,
            Record::Recovered { .. } => EntryKind::OperationRecovered,
            Record::Finished { .. } => EntryKind::OperationFinished,
        }
    }
}

fn rollback_status(action: ActionKind, record: &Record) -> Option<RollbackStatus> {
    match record {
        Record::System { touched: false, .. } => Some(RollbackStatus::NotNeeded),
        Record::System {
            before: Some(_), ..
        } if !action.is_irreversible() => Some(RollbackStatus::Available),
        Record::System { .. } => Some(RollbackStatus::Unavailable),
        Record::SystemReverted {
            outcome: SystemState::RolledBack,
            ..
        } => Some(RollbackStatus::Reverted),
        Record::SystemReverted { .. } => Some(RollbackStatus::Failed),
        Record::Started { .. }
        | Record::WaveStarted { .. }
        | Record::SoakStarted { .. }
        | Record::Touched { .. }
        | Record::AttemptFailed { .. }
        | Record::Held { .. }
        | Record::Reopened
        | Record::Tripped { .. }
        | Record::Continued { .. }
        | Record::AbortBegan { .. }
        | Record::RollbackBegan { .. }
        | Record::Reverting { .. }
        | Record::RevertChecked { .. }
        | Record::Recovered { .. }
        | Record::Finished { .. } => None,
    }
}
