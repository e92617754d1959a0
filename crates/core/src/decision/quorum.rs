//! A complete quorum of verified decisions: the only thing that lets an approved operation begin.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::VerifiedDecision;
use crate::assessment::QuorumRule;
use crate::briefing::Narrowing;
use crate::identifier::{ApproverId, Digest};
use crate::quorum::{Missing, Mixture, QuorumState, evaluate_mixed, is_eligible};
use crate::statement::{DecisionKind, Statement};

/// Equal decisions of enough eligible approvers, none of them void when it was formed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    decisions: Vec<VerifiedDecision>,
    // INVARIANT: a copy of the first of `decisions`, which is never empty; all of them agree.
    first: Statement,
    not_after: DateTime<Utc>,
}

/// Why decisions are not a quorum.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the quorum is not complete: {missing}")]
pub struct QuorumError {
    /// What the nearest agreement still lacks.
    pub missing: Missing,
    /// The decisions that do not count towards it, and why.
    pub left_out: Vec<(ApproverId, LeftOut)>,
}

/// Why a decision does not count towards a quorum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum LeftOut {
    /// It is void by now.
    #[error("the decision has expired")]
    Expired,
    /// The approver holds none of the roles.
    #[error("the approver holds none of the roles")]
    NotEligible,
    /// The approver proposed it.
    #[error("the approver proposed it")]
    OwnProposal,
    /// The approver was counted already.
    #[error("the approver was counted already")]
    CountedAlready,
    /// It decides something else: another kind, other documents, another narrowing.
    #[error("the decision differs from the others")]
    Different,
}

impl Quorum {
    /// The quorum that the first complete agreement among `decisions` forms: equal in kind, subjects
    /// and narrowing, each approver counted once, eligible by `rule`, not in `excluded`
    /// (see [`super::proposers`]), and none void at `now`.
    ///
    /// # Errors
    /// [`QuorumError`] says what the nearest agreement lacks.
    pub fn form(
        decisions: &[VerifiedDecision],
        rule: &QuorumRule,
        excluded: &BTreeSet<ApproverId>,
        now: DateTime<Utc>,
    ) -> Result<Self, QuorumError> {
        Self::form_mixed(decisions, rule, Mixture::EveryRole, excluded, now)
    }

    /// As [`Self::form`], with this mixture of the rule's roles.
    ///
    /// # Errors
    /// As [`Self::form`].
    pub fn form_mixed(
        decisions: &[VerifiedDecision],
        rule: &QuorumRule,
        mixture: Mixture,
        excluded: &BTreeSet<ApproverId>,
        now: DateTime<Utc>,
    ) -> Result<Self, QuorumError> {
        let mut nearest: Option<QuorumError> = None;
        for (index, first) in decisions.iter().enumerate() {
            let seen = decisions
                .iter()
                .take(index)
                .any(|earlier| earlier.agrees_with(first));
            if seen {
                continue;
            }
            match Self::of_those_who_agree_with(first, decisions, (rule, mixture), excluded, now) {
                Ok(quorum) => return Ok(quorum),
                Err(error) => {
                    if nearest
                        .as_ref()
                        .is_none_or(|n| error.missing.approvers < n.missing.approvers)
                    {
                        nearest = Some(error);
                    }
                }
            }
        }
        Err(nearest.unwrap_or_else(|| QuorumError {
            missing: match evaluate_mixed(rule, mixture, &BTreeMap::new()) {
                QuorumState::Missing(missing) => missing,
                // INVARIANT: nobody satisfies no rule.
                QuorumState::Satisfied => Missing {
                    approvers: 1,
                    unrepresented: BTreeSet::new(),
                    roles: rule.roles.clone(),
                },
            },
            left_out: Vec::new(),
        }))
    }

    fn of_those_who_agree_with(
        first: &VerifiedDecision,
        decisions: &[VerifiedDecision],
        (rule, mixture): (&QuorumRule, Mixture),
        excluded: &BTreeSet<ApproverId>,
        now: DateTime<Utc>,
    ) -> Result<Self, QuorumError> {
        let mut counted = BTreeMap::new();
        let mut members = Vec::new();
        let mut left_out = Vec::new();
        for decision in decisions {
            let approver = decision.approver();
            let reason = if !decision.agrees_with(first) {
                Some(LeftOut::Different)
            } else if decision.check_valid_at(now).is_err() {
                Some(LeftOut::Expired)
            } else if excluded.contains(&approver.id) {
                Some(LeftOut::OwnProposal)
            } else if !is_eligible(&approver.roles, rule) {
                Some(LeftOut::NotEligible)
            } else if counted.contains_key(&approver.id) {
                Some(LeftOut::CountedAlready)
            } else {
                None
            };
            match reason {
                Some(reason) => left_out.push((approver.id.clone(), reason)),
                None => {
                    counted.insert(approver.id.clone(), approver.roles.clone());
                    members.push(decision.clone());
                }
            }
        }
        match evaluate_mixed(rule, mixture, &counted) {
            QuorumState::Missing(missing) => Err(QuorumError { missing, left_out }),
            QuorumState::Satisfied => Ok(Self {
                not_after: members
                    .iter()
                    .map(|decision| decision.predicate().not_after)
                    .min()
                    .unwrap_or(now),
                first: first.statement().clone(),
                decisions: members,
            }),
        }
    }

    /// The decisions counted, in the order they were given.
    #[must_use]
    pub fn decisions(&self) -> &[VerifiedDecision] {
        &self.decisions
    }

    /// Digests of the decisions counted.
    #[must_use]
    pub fn digests(&self) -> BTreeSet<Digest> {
        self.decisions
            .iter()
            .map(VerifiedDecision::digest)
            .collect()
    }

    /// What they decided.
    #[must_use]
    pub const fn kind(&self) -> DecisionKind {
        self.first.predicate.kind
    }

    /// A statement whose kind, subjects and narrowing are everybody's.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.first
    }

    /// The targets that remain, where less was approved than was asked.
    #[must_use]
    pub const fn narrowing(&self) -> Option<&Narrowing> {
        self.first.predicate.narrowing.as_ref()
    }

    /// First instant at which one of the decisions is void.
    #[must_use]
    pub const fn not_after(&self) -> DateTime<Utc> {
        self.not_after
    }
}
