//! What gives an operation the right to run: no operation is built without it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::assessment::{Assessment, Verdict};
use crate::identifier::{ClassId, Digest, RuleId};
use crate::proposal::ActionKind;

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

/// The decisions of a quorum (AG-706 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    decisions: BTreeSet<Digest>,
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
    /// There is no decision.
    #[error("no decision was given; an operation needs those of its whole quorum")]
    NoDecision,
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
    /// The decisions with these digests. The caller vouches that they are a verified quorum: this is
    /// the one door that will take the verified quorum itself once its type exists.
    ///
    /// # Errors
    /// [`AuthorityError::NoDecision`] where there is none.
    pub fn new(decisions: BTreeSet<Digest>) -> Result<Self, AuthorityError> {
        if decisions.is_empty() {
            return Err(AuthorityError::NoDecision);
        }
        Ok(Self { decisions })
    }

    /// The digests of the decisions.
    #[must_use]
    pub const fn decisions(&self) -> &BTreeSet<Digest> {
        &self.decisions
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
