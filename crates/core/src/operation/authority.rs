//! What gives an operation the right to run: no operation is built without it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::assessment::{Assessment, Verdict};
use crate::decision::Quorum;
use crate::identifier::{ClassId, Digest, RuleId};
use crate::proposal::ActionKind;
use crate::statement::{DecisionKind, SubjectName};

/// The authority of an operation. Its values come only from the constructors of what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Authority {
    /// A rule of the envelope in force grants it.
    Autonomous(Autonomous),
    /// A quorum of approvers decided it.
    Decided(Decided),
    /// A rehearsal of a rollback: it reverts by itself what it did.
    Drill(Rehearsal),
}

/// The grant of a rule (AG-706 4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Autonomous {
    envelope: Digest,
    rule: RuleId,
}

/// The decisions of a quorum (AG-706 4.2) and the targets that they approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    decisions: BTreeSet<Digest>,
    targets: Digest,
}

/// A drill of one action on systems of one class that are there for it (AG-706 4.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rehearsal {
    action: ActionKind,
    class: ClassId,
}

/// Why something gives no authority.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AuthorityError {
    /// The assessment does not say `autonomous`, or names no rule.
    #[error("the assessment does not let it run alone; a quorum must decide")]
    NotAutonomous,
    /// The quorum decided something else than to approve.
    #[error("the quorum decided `{0:?}`; only an approval lets an operation begin")]
    NotAnApproval(DecisionKind),
    /// The statement names no targets.
    #[error("the approval names no targets; sign a statement that does")]
    NoTargets,
}

impl Autonomous {
    /// The grant that `assessment` found in the envelope with the digest `envelope`.
    ///
    /// # Errors
    /// [`AuthorityError::NotAutonomous`] unless the verdict is `autonomous` and a rule is named.
    pub fn new(assessment: &Assessment, envelope: Digest) -> Result<Self, AuthorityError> {
        match (assessment.verdict, &assessment.rule) {
            (Verdict::Autonomous, Some(rule)) => Ok(Self {
                envelope,
                rule: rule.clone(),
            }),
            (Verdict::Autonomous, None) | (Verdict::NeedsApproval | Verdict::Refused, _) => {
                Err(AuthorityError::NotAutonomous)
            }
        }
    }

    /// The digest of the envelope.
    #[must_use]
    pub const fn envelope(&self) -> Digest {
        self.envelope
    }

    /// The rule in it.
    #[must_use]
    pub const fn rule(&self) -> &RuleId {
        &self.rule
    }
}

impl Decided {
    /// The approval of a verified quorum, for the targets it signed: the narrowed ones where it
    /// narrowed.
    ///
    /// # Errors
    /// [`AuthorityError::NotAnApproval`], [`AuthorityError::NoTargets`].
    pub fn new(quorum: &Quorum) -> Result<Self, AuthorityError> {
        if quorum.kind() != DecisionKind::Approve {
            return Err(AuthorityError::NotAnApproval(quorum.kind()));
        }
        let statement = quorum.statement();
        let targets = statement
            .subject(SubjectName::NarrowedTargets)
            .or_else(|| statement.subject(SubjectName::Targets))
            .ok_or(AuthorityError::NoTargets)?;
        Ok(Self {
            decisions: quorum.digests(),
            targets,
        })
    }

    /// As if a quorum had signed for these targets.
    #[cfg(test)]
    pub(super) const fn unproved(decisions: BTreeSet<Digest>, targets: Digest) -> Self {
        Self { decisions, targets }
    }

    /// The digests of the decisions.
    #[must_use]
    pub const fn decisions(&self) -> &BTreeSet<Digest> {
        &self.decisions
    }

    /// The digest of the sorted array of the approved targets.
    #[must_use]
    pub const fn targets(&self) -> Digest {
        self.targets
    }
}

impl Rehearsal {
    /// A drill of `action` on `class`. The caller vouches that every target is designated for drills.
    #[must_use]
    pub const fn new(action: ActionKind, class: ClassId) -> Self {
        Self { action, class }
    }

    /// The action rehearsed.
    #[must_use]
    pub const fn action(&self) -> ActionKind {
        self.action
    }

    /// The class of the systems.
    #[must_use]
    pub const fn class(&self) -> &ClassId {
        &self.class
    }
}
