//! What decisions are about: the documents, their digests, and the subjects of a statement.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::diff::Diff;
use super::error::DecisionError;
use crate::assessment::{QuorumRule, Verdict};
use crate::briefing::{Briefing, Narrowing};
use crate::canonical::{self, CanonicalError};
use crate::envelope::Envelope;
use crate::genesis::DeploymentId;
use crate::identifier::{ApproverId, Digest, OperationId, ProposalId, SystemId};
use crate::operation::Authority;
use crate::proposal::{ActionKind, Proposal};
use crate::quorum::any_one_of;
use crate::statement::{DecisionKind, Subject, SubjectName};
use crate::suspension::Suspension;

/// The `schema` member of an operation document.
pub const OPERATION_SCHEMA: &str = "countersign/operation/v1";

/// What an operation is: the fixed facts of it, written when it starts. Its digest is the subject
/// `operation` of `continue`, `roll_back` and `abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationDocument {
    /// [`OPERATION_SCHEMA`].
    pub schema: String,
    /// The deployment it belongs to.
    pub audience: DeploymentId,
    /// Its name.
    pub operation: OperationId,
    /// The item that it carries out; absent for a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ProposalId>,
    /// Digest of the briefing of that item; absent for a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub briefing: Option<Digest>,
    /// By which authority it runs.
    pub authority: Authority,
    /// What it does.
    pub action: ActionKind,
    /// The systems it may touch, in the order of its waves.
    pub waves: Vec<Vec<SystemId>>,
    /// Who decides about it: the whole quorum for `continue`, one of them for `roll_back` and `abort`.
    pub quorum: QuorumRule,
    /// When it began.
    pub started_at: DateTime<Utc>,
}

/// The subjects of a decision about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationSubjects {
    /// Digest of the [`OperationDocument`].
    pub operation: Digest,
    /// Digest of the leaf bytes of the log entry of the latest trip, if it tripped.
    pub trip: Option<Digest>,
    /// The systems touched so far.
    pub touched: BTreeSet<SystemId>,
    /// Those it has not touched.
    pub remaining: BTreeSet<SystemId>,
}

/// The subjects of a decision about an envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeSubjects {
    /// Digest of the envelope.
    pub envelope: Digest,
    /// Digest of the one in force before, if there was one.
    pub before: Option<Digest>,
    /// Digest of the [`Diff`] between them.
    pub diff: Digest,
}

/// The subjects of a decision about a suspension.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SuspensionSubjects {
    /// Of `suspend_autonomy`.
    Suspend {
        /// Digest of the [`Suspension`].
        suspension: Digest,
    },
    /// Of `resume_autonomy`.
    Resume {
        /// Digest of the [`Suspension`].
        suspension: Digest,
        /// Digest of the leaf bytes of the log entry by which it came into force.
        entry: Digest,
    },
}

/// The digest of a set of systems: RFC 8785 of the sorted array of their ids, in byte order.
///
/// # Errors
/// Never for identifiers; [`CanonicalError`] otherwise.
pub fn digest_of_systems(systems: &BTreeSet<SystemId>) -> Result<Digest, CanonicalError> {
    canonical::digest(systems)
}

/// The subjects of `approve` and `reject`, from a briefing, the digest of its exact bytes and the
/// narrowing.
///
/// # Errors
/// [`DecisionError::NarrowingNotSubset`].
pub fn item_subjects(
    briefing: &Briefing,
    briefing_digest: Digest,
    narrowing: Option<&Narrowing>,
) -> Result<Vec<Subject>, DecisionError> {
    let digests = &briefing.digests;
    let mut subjects = vec![
        Subject::new(SubjectName::Briefing, briefing_digest),
        Subject::new(SubjectName::Proposal, digests.proposal),
        Subject::new(SubjectName::Targets, digests.targets),
    ];
    subjects.extend(
        digests
            .envelope
            .map(|digest| Subject::new(SubjectName::Envelope, digest)),
    );
    subjects.extend([
        Subject::new(SubjectName::Topology, digests.topology),
        Subject::new(SubjectName::Neighbourhood, digests.neighbourhood),
        Subject::new(SubjectName::History, digests.history),
        Subject::new(SubjectName::Plan, digests.plan),
    ]);
    if let Some(narrowing) = narrowing {
        let proposed: BTreeSet<&SystemId> = briefing.waves.iter().flatten().collect();
        let remains = narrowing.targets.len();
        if remains == 0
            || remains >= proposed.len()
            || !narrowing
                .targets
                .iter()
                .all(|target| proposed.contains(target))
        {
            return Err(DecisionError::NarrowingNotSubset);
        }
        let digest = digest_of_systems(&narrowing.targets)?;
        subjects.push(Subject::new(SubjectName::NarrowedTargets, digest));
    }
    Ok(subjects)
}

impl OperationSubjects {
    /// As a statement lists them.
    ///
    /// # Errors
    /// Never for identifiers; [`CanonicalError`] otherwise.
    pub fn list(&self) -> Result<Vec<Subject>, CanonicalError> {
        let mut subjects = vec![Subject::new(SubjectName::Operation, self.operation)];
        subjects.extend(
            self.trip
                .map(|digest| Subject::new(SubjectName::Trip, digest)),
        );
        subjects.push(Subject::new(
            SubjectName::Touched,
            digest_of_systems(&self.touched)?,
        ));
        subjects.push(Subject::new(
            SubjectName::Remaining,
            digest_of_systems(&self.remaining)?,
        ));
        Ok(subjects)
    }
}

impl EnvelopeSubjects {
    /// The subjects of authorising `envelope` in place of `before`.
    ///
    /// # Errors
    /// [`CanonicalError`] where an envelope has no canonical form.
    pub fn new(before: Option<&Envelope>, envelope: &Envelope) -> Result<Self, CanonicalError> {
        let diff = Diff::between(before, envelope)?;
        Ok(Self {
            envelope: diff.after,
            before: diff.before,
            diff: canonical::digest(&diff)?,
        })
    }

    /// As a statement lists them.
    #[must_use]
    pub fn list(&self) -> Vec<Subject> {
        let mut subjects = vec![Subject::new(SubjectName::Envelope, self.envelope)];
        subjects.extend(
            self.before
                .map(|digest| Subject::new(SubjectName::Before, digest)),
        );
        subjects.push(Subject::new(SubjectName::Diff, self.diff));
        subjects
    }
}

impl SuspensionSubjects {
    /// The subjects of suspending what `suspension` says.
    ///
    /// # Errors
    /// Never for a suspension; [`CanonicalError`] otherwise.
    pub fn of(suspension: &Suspension) -> Result<Self, CanonicalError> {
        Ok(Self::Suspend {
            suspension: suspension.digest()?,
        })
    }

    /// The kind of a decision with these subjects.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Suspend { .. } => DecisionKind::SuspendAutonomy,
            Self::Resume { .. } => DecisionKind::ResumeAutonomy,
        }
    }

    /// Digest of the suspension.
    #[must_use]
    pub const fn suspension(&self) -> Digest {
        match self {
            Self::Suspend { suspension } | Self::Resume { suspension, .. } => *suspension,
        }
    }

    /// As a statement lists them.
    #[must_use]
    pub fn list(&self) -> Vec<Subject> {
        let suspension = Subject::new(SubjectName::Suspension, self.suspension());
        match self {
            Self::Suspend { .. } => vec![suspension],
            Self::Resume { entry, .. } => {
                vec![suspension, Subject::new(SubjectName::Entry, *entry)]
            }
        }
    }
}

/// Who must sign a decision of `kind` about the item of `briefing`.
///
/// # Errors
/// [`DecisionError::NotDecidable`] where the assessment asks for no approval, and
/// [`DecisionError::KindNotSupported`] for kinds that are not about items.
pub fn item_rule(briefing: &Briefing, kind: DecisionKind) -> Result<QuorumRule, DecisionError> {
    let assessment = &briefing.assessment;
    let rule = match (assessment.verdict, &assessment.quorum) {
        (Verdict::NeedsApproval, Some(rule)) => rule,
        (Verdict::NeedsApproval, None) | (Verdict::Autonomous | Verdict::Refused, _) => {
            return Err(DecisionError::NotDecidable);
        }
    };
    let mut rule = quorum_or_one(rule, kind)?;
    // Where any approver counts, any approver may stop it as well.
    if kind == DecisionKind::Reject && !rule.roles.is_empty() {
        rule.roles.extend(briefing.may_stop.iter().cloned());
    }
    Ok(rule)
}

/// Who must sign a decision of `kind` about an operation.
///
/// # Errors
/// [`DecisionError::KindNotSupported`] for kinds that are not about operations.
pub fn operation_rule(
    operation: &OperationDocument,
    kind: DecisionKind,
) -> Result<QuorumRule, DecisionError> {
    quorum_or_one(&operation.quorum, kind)
}

/// Who must sign that `envelope` comes into force in place of `before`: the board of the one in
/// force, so that a draft cannot appoint its own; its quorum, or the draft's where that is larger.
#[must_use]
pub fn envelope_rule(before: Option<&Envelope>, envelope: &Envelope) -> QuorumRule {
    let draft = &envelope.authority;
    let (board, quorum) = match before {
        Some(before) => (
            &before.authority.board,
            before.authority.quorum.max(draft.quorum),
        ),
        None => (&draft.board, draft.quorum),
    };
    QuorumRule {
        needed: quorum.max(1),
        roles: BTreeSet::from([board.clone()]),
    }
}

/// Who may not decide about a proposal: whoever made it (AG-706 4.2; DESIGN §6.4).
#[must_use]
pub fn proposers(proposal: &Proposal) -> BTreeSet<ApproverId> {
    ApproverId::new(proposal.agent.as_str())
        .into_iter()
        .collect()
}

fn quorum_or_one(rule: &QuorumRule, kind: DecisionKind) -> Result<QuorumRule, DecisionError> {
    match kind {
        DecisionKind::Approve | DecisionKind::Continue => Ok(rule.clone()),
        DecisionKind::Reject | DecisionKind::RollBack | DecisionKind::Abort => Ok(any_one_of(rule)),
        DecisionKind::Return
        | DecisionKind::Withdraw
        | DecisionKind::AuthoriseEnvelope
        | DecisionKind::RevokeEnvelope
        | DecisionKind::SuspendAutonomy
        | DecisionKind::ResumeAutonomy
        | DecisionKind::AcceptTopology
        | DecisionKind::Enrol
        | DecisionKind::SetAttestationList
        | DecisionKind::RotateLogKey
        | DecisionKind::Erase
        | DecisionKind::SuspendKey
        | DecisionKind::Delegate
        | DecisionKind::BreakGlass
        | DecisionKind::Review => Err(DecisionError::KindNotSupported(kind)),
    }
}
