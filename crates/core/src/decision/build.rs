//! Builds statements. Console, command line and backend all build them here, so that all three get
//! the same bytes (DESIGN §6.4: the backend rebuilds what was signed and compares).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::error::DecisionError;
use super::subjects::{
    EnvelopeSubjects, OperationSubjects, SuspensionSubjects, digest_of_systems, item_rule,
    item_subjects,
};
use crate::assessment::Clause;
use crate::briefing::{Briefing, Narrowing};
use crate::genesis::DeploymentId;
use crate::identifier::{ApproverId, Digest};
use crate::statement::{
    CORE_VERSION, CheckpointReference, DecisionKind, Predicate, RiskLevel, Statement, Subject,
    SubjectName,
};
use crate::webauthn::Bytes;

/// What is decided about an item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ItemChoice {
    /// It may run.
    Approve {
        /// On these targets only; absent means on all that were proposed.
        narrowing: Option<Narrowing>,
    },
    /// It may not run.
    Reject,
}

/// What is decided about an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationChoice {
    /// Reset the breaker, and go on with what was not touched (AG-706 4.4).
    Continue {
        /// With these systems only; absent means with all that remain.
        narrowing: Option<Narrowing>,
    },
    /// Undo what it did.
    RollBack,
    /// Stop, and leave what it did.
    Abort,
}

impl OperationChoice {
    /// The kind of the decision.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        match self {
            Self::Continue { .. } => DecisionKind::Continue,
            Self::RollBack => DecisionKind::RollBack,
            Self::Abort => DecisionKind::Abort,
        }
    }
}

/// What an approver thinks of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The risk, as the approver judges it.
    pub risk_level: RiskLevel,
    /// The clauses of the findings seen; empty where there is no assessment.
    pub acknowledged: BTreeSet<Clause>,
    /// SHA-256(salt ‖ rationale), see [`crate::statement::commitment`].
    pub rationale: Digest,
}

/// One attempt of one approver to decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// The deployment.
    pub audience: DeploymentId,
    /// Who decides.
    pub approver: ApproverId,
    /// With which credential.
    pub credential: Bytes,
    /// The log checkpoint that the approver's client has verified.
    pub checkpoint: CheckpointReference,
    /// When, by the approver's clock.
    pub decided_at: DateTime<Utc>,
    /// What the backend handed out for it.
    pub offer: Offer,
}

/// What the backend hands out for one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// 256 random bits.
    pub nonce: Bytes,
    /// First instant at which the decision is void.
    pub not_after: DateTime<Utc>,
}

/// The statement of a decision about the item of `briefing`, whose exact bytes have this digest.
///
/// # Errors
/// [`DecisionError`] where the briefing is of another deployment, nothing is to be decided about it,
/// narrowing is no proper subset, a clause is acknowledged that has no finding, or the decision would
/// outlive its item.
pub fn for_item(
    briefing: &Briefing,
    briefing_digest: Digest,
    choice: &ItemChoice,
    judgement: &Judgement,
    attempt: &Attempt,
) -> Result<Statement, DecisionError> {
    let (kind, narrowing) = match choice {
        ItemChoice::Approve { narrowing } => (DecisionKind::Approve, narrowing.clone()),
        ItemChoice::Reject => (DecisionKind::Reject, None),
    };
    if briefing.audience != attempt.audience {
        return Err(DecisionError::WrongAudience);
    }
    item_rule(briefing, kind)?;
    if attempt.offer.not_after > briefing.expires_at.min(briefing.proposal.expires_at) {
        return Err(DecisionError::NotAfterTooLate);
    }
    let found: BTreeSet<Clause> = briefing
        .assessment
        .findings
        .iter()
        .map(|f| f.clause)
        .collect();
    if !judgement.acknowledged.is_subset(&found) {
        return Err(DecisionError::AcknowledgedUnknown);
    }
    let subjects = item_subjects(briefing, briefing_digest, narrowing.as_ref())?;
    Ok(statement(kind, subjects, narrowing, judgement, attempt))
}

/// The statement of a decision about an operation.
///
/// # Errors
/// [`DecisionError::AcknowledgedUnknown`]: there are no findings to acknowledge.
/// [`DecisionError::NarrowingNotSubset`]: what is kept is nothing, all that remains, or more.
pub fn for_operation(
    choice: &OperationChoice,
    subjects: &OperationSubjects,
    judgement: &Judgement,
    attempt: &Attempt,
) -> Result<Statement, DecisionError> {
    if !judgement.acknowledged.is_empty() {
        return Err(DecisionError::AcknowledgedUnknown);
    }
    let mut list = subjects.list()?;
    let narrowing = match choice {
        OperationChoice::Continue { narrowing } => narrowing.clone(),
        OperationChoice::RollBack | OperationChoice::Abort => None,
    };
    if let Some(narrowing) = &narrowing {
        let kept = &narrowing.targets;
        let is_proper = !kept.is_empty()
            && kept.len() < subjects.remaining.len()
            && kept.is_subset(&subjects.remaining);
        if !is_proper {
            return Err(DecisionError::NarrowingNotSubset);
        }
        let digest = digest_of_systems(kept)?;
        list.push(Subject::new(SubjectName::NarrowedTargets, digest));
    }
    Ok(statement(
        choice.kind(),
        list,
        narrowing,
        judgement,
        attempt,
    ))
}

/// The statement by which a board member authorises an envelope.
///
/// # Errors
/// [`DecisionError::AcknowledgedUnknown`]: there are no findings to acknowledge.
pub fn for_envelope(
    subjects: &EnvelopeSubjects,
    judgement: &Judgement,
    attempt: &Attempt,
) -> Result<Statement, DecisionError> {
    if !judgement.acknowledged.is_empty() {
        return Err(DecisionError::AcknowledgedUnknown);
    }
    Ok(statement(
        DecisionKind::AuthoriseEnvelope,
        subjects.list(),
        None,
        judgement,
        attempt,
    ))
}

/// The statement by which one person suspends autonomy, or one of two resumes it.
///
/// # Errors
/// [`DecisionError::AcknowledgedUnknown`]: there are no findings to acknowledge.
pub fn for_suspension(
    subjects: &SuspensionSubjects,
    judgement: &Judgement,
    attempt: &Attempt,
) -> Result<Statement, DecisionError> {
    if !judgement.acknowledged.is_empty() {
        return Err(DecisionError::AcknowledgedUnknown);
    }
    Ok(statement(
        subjects.kind(),
        subjects.list(),
        None,
        judgement,
        attempt,
    ))
}

fn statement(
    kind: DecisionKind,
    subjects: Vec<Subject>,
    narrowing: Option<Narrowing>,
    judgement: &Judgement,
    attempt: &Attempt,
) -> Statement {
    Statement::new(
        subjects,
        Predicate {
            kind,
            audience: attempt.audience.clone(),
            approver: attempt.approver.clone(),
            credential: attempt.credential.clone(),
            decided_at: attempt.decided_at,
            risk_level: judgement.risk_level,
            acknowledged: judgement.acknowledged.clone(),
            rationale: judgement.rationale,
            narrowing,
            checkpoint: attempt.checkpoint,
            nonce: attempt.offer.nonce.clone(),
            not_after: attempt.offer.not_after,
            core_version: CORE_VERSION.to_owned(),
        },
    )
}
