//! The check of a call against the guard, the memory and the clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::guard::{Guard, SCHEMA as GUARD_SCHEMA};
use super::memory::{Memory, Remembered, Use};
use super::order::{Order, OrderError};
use super::{CallVerb, DECISIONS_MAX, ExecutorCall, Permit, Reversal, SCHEMA};
use crate::briefing::Briefing;
use crate::canonical;
use crate::decision::{
    DecisionError, OperationDocument, OperationSubjects, Quorum, QuorumError, Roster, RosterError,
    UnverifiedDecision, VerifiedDecision, item_rule, operation_rule, proposers,
};
use crate::identifier::{ApproverId, Digest, OperationId, SystemId};
use crate::operation::{Authority, waves};
use crate::proposal::Action;
use crate::quorum::{any_one_of, is_eligible};
use crate::statement::DecisionKind;

/// What a guard lets happen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// The call needs no permit: it is about nothing that is guarded, or only a plan.
    Free,
    /// It may happen. First these lines are remembered, durably; then the artefact is looked at.
    Admitted {
        /// What to remember.
        remember: Vec<Remembered>,
        /// SHA-256 that the file which the action installs must have, as the action writes it.
        artefact: Option<String>,
    },
    /// This guard never let the operation touch the system, so that there is nothing to undo; these
    /// lines are remembered all the same.
    NothingToUndo {
        /// What to remember.
        remember: Vec<Remembered>,
    },
}

/// Why a guard refuses. Each has a stable [`code`](Refusal::code).
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "each message says it")]
pub enum Refusal {
    #[error("the guard's own file is not of the schema `countersign/guard/v1`; correct it")]
    Guard,
    #[error("the call names no operation, system, sequence or attempt")]
    Incomplete,
    #[error(
        "the system is guarded and the call carries no permit; set `guarded` for this executor"
    )]
    NoPermit,
    #[error("the permit is not of the schema `countersign/permit/v1`, or too large")]
    Malformed,
    #[error("the permit's genesis is {0}, not the pinned one; it is of another deployment")]
    WrongGenesis(Digest),
    #[error("the permit's genesis gives no roster: {0}")]
    Roster(#[from] RosterError),
    #[error(transparent)]
    Order(#[from] OrderError),
    #[error("the order is for another deployment")]
    WrongAudience,
    #[error("the order is for another {0} than the call")]
    WrongCall(&'static str),
    #[error("the order has expired, or lives longer than the guard allows")]
    Expired,
    #[error("the order was made after now by this clock; set the clocks")]
    FromTheFuture,
    #[error("the log went back: the guard has seen {seen} entries and is shown {shown}")]
    LogWentBack { seen: u64, shown: u64 },
    #[error("the log forked: another log of {0} entries was seen before")]
    LogForked(u64),
    #[error("the briefing is malformed")]
    Briefing,
    #[error("the briefing is about another {0}")]
    WrongBriefing(&'static str),
    #[error("a decision does not hold: {0}")]
    Decision(#[from] DecisionError),
    #[error("`{0}` decides nothing here any more")]
    Suspended(ApproverId),
    #[error("{0}")]
    Quorum(#[from] QuorumError),
    #[error("the decisions approve nothing")]
    NotAnApproval,
    #[error("`{0}` is none of the systems that were approved")]
    WrongSystem(SystemId),
    #[error("`{system}` is in wave {approved} of what was approved, not in wave {claimed}")]
    WrongWave {
        system: SystemId,
        approved: u64,
        claimed: u64,
    },
    #[error("the permit was used before")]
    Replayed,
    #[error("the approval was spent on the operation `{0}`")]
    OtherOperation(OperationId),
    #[error("the approved number of attempts on this system, {0}, is used up")]
    AttemptsUsedUp(u32),
    #[error("the permit carries no decision to roll back")]
    NoReversal,
    #[error("the decision to roll back is about another operation, or another system: {0}")]
    WrongReversal(&'static str),
    #[error("the snapshot is none that this guard saw of the system before it was touched")]
    WrongSnapshot,
}

impl Refusal {
    /// The stable code, which interfaces branch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Guard => "guard_malformed",
            Self::Incomplete => "call_incomplete",
            Self::NoPermit => "no_permit",
            Self::Malformed => "permit_malformed",
            Self::WrongGenesis(_) => "wrong_genesis",
            Self::Roster(_) => "no_roster",
            Self::Order(_) => "order_invalid",
            Self::WrongAudience => "wrong_audience",
            Self::WrongCall(_) => "wrong_call",
            Self::Expired => "order_expired",
            Self::FromTheFuture => "order_from_the_future",
            Self::LogWentBack { .. } => "log_went_back",
            Self::LogForked(_) => "log_forked",
            Self::Briefing => "briefing_malformed",
            Self::WrongBriefing(_) => "wrong_briefing",
            Self::Decision(error) => error.code(),
            Self::Suspended(_) => "approver_suspended",
            Self::Quorum(_) => "quorum_incomplete",
            Self::NotAnApproval => "not_an_approval",
            Self::WrongSystem(_) => "wrong_system",
            Self::WrongWave { .. } => "wrong_wave",
            Self::Replayed => "replayed",
            Self::OtherOperation(_) => "other_operation",
            Self::AttemptsUsedUp(_) => "attempts_used_up",
            Self::NoReversal => "no_reversal",
            Self::WrongReversal(_) => "wrong_reversal",
            Self::WrongSnapshot => "wrong_snapshot",
        }
    }
}

/// What every permit is checked with.
struct Case<'a> {
    guard: &'a Guard,
    memory: &'a Memory,
    permit: &'a Permit,
    order: Order,
    roster: Roster,
    suspended: BTreeSet<ApproverId>,
    briefing: Briefing,
    briefing_digest: Digest,
    now: DateTime<Utc>,
}

/// Whether `call` may happen now.
///
/// # Errors
/// The first [`Refusal`] that applies: genesis, order, call, time, log, briefing, signatures, quorum,
/// targets, replay.
pub fn check(
    guard: &Guard,
    memory: &Memory,
    call: &ExecutorCall,
    now: DateTime<Utc>,
) -> Result<Admission, Refusal> {
    if guard.schema != GUARD_SCHEMA {
        return Err(Refusal::Guard);
    }
    // A plan changes nothing, and is made before anybody can have decided.
    if call.verb == CallVerb::Plan {
        return Ok(Admission::Free);
    }
    let system = call.system.as_ref().ok_or(Refusal::Incomplete)?;
    if !guard.covers(system, &call.action) {
        return Ok(Admission::Free);
    }
    let permit = call.permit.as_deref().ok_or(Refusal::NoPermit)?;
    let case = Case::new(guard, memory, call, permit, now)?;
    let mut remember = vec![Remembered::Roster {
        suspended: case.order.suspended.clone(),
        log: case.order.log,
        at: case.order.issued_at,
    }];
    match call.verb {
        CallVerb::Plan => Ok(Admission::Free),
        CallVerb::Snapshot => {
            // After the action the state is looked at again, also when the approval is over.
            if memory.applied(&case.order.operation, system) != Some(case.briefing_digest) {
                case.approved()?;
            }
            Ok(Admission::Admitted {
                remember,
                artefact: None,
            })
        }
        CallVerb::Apply => {
            case.approved()?;
            case.unused()?;
            remember.push(case.used(Use::Apply {
                briefing: case.briefing_digest,
            }));
            Ok(Admission::Admitted {
                remember,
                artefact: artefact(&call.action),
            })
        }
        CallVerb::Revert => {
            let decision = case.rolled_back()?;
            remember.push(case.used(Use::Revert { decision }));
            if memory.applied(&case.order.operation, system).is_none() {
                return Ok(Admission::NothingToUndo { remember });
            }
            case.goes_back(call)?;
            Ok(Admission::Admitted {
                remember,
                artefact: None,
            })
        }
    }
}

impl<'a> Case<'a> {
    /// Checks everything that holds for each verb.
    fn new(
        guard: &'a Guard,
        memory: &'a Memory,
        call: &ExecutorCall,
        permit: &'a Permit,
        now: DateTime<Utc>,
    ) -> Result<Self, Refusal> {
        if permit.schema != SCHEMA || permit.decisions.len() > DECISIONS_MAX {
            return Err(Refusal::Malformed);
        }
        let genesis = canonical::digest(&permit.genesis).map_err(|_| Refusal::Malformed)?;
        if genesis != guard.genesis {
            return Err(Refusal::WrongGenesis(genesis));
        }
        let roster = Roster::from_genesis(&permit.genesis)?;
        let order = Order::verify(&permit.order, &permit.order_signature, roster.log_key())?;
        if order.audience != *roster.deployment() {
            return Err(Refusal::WrongAudience);
        }
        is_this_call(&order, call)?;
        is_timely(&order, guard, now)?;
        goes_on(&order, memory)?;
        let briefing = read::<Briefing>(&permit.briefing).ok_or(Refusal::Briefing)?;
        if briefing.audience != order.audience {
            return Err(Refusal::WrongBriefing("deployment"));
        }
        if briefing.item != order.item {
            return Err(Refusal::WrongBriefing("item"));
        }
        if briefing.proposal.action != call.action {
            return Err(Refusal::WrongBriefing("action"));
        }
        let mut suspended = guard.suspended.clone();
        suspended.extend(memory.suspended().iter().cloned());
        suspended.extend(order.suspended.iter().cloned());
        Ok(Self {
            guard,
            memory,
            permit,
            order,
            roster,
            suspended,
            briefing_digest: Digest::of(permit.briefing.as_bytes()),
            briefing,
            now,
        })
    }

    /// That enough people approve this action on this system, in this wave.
    fn approved(&self) -> Result<(), Refusal> {
        let mut decisions = Vec::new();
        for signed in &self.permit.decisions {
            let decision = self.verified(signed.clone().into())?;
            decision.confirm_item(
                &self.briefing,
                self.briefing_digest,
                &decision.claimed_offer(),
            )?;
            decisions.push(decision);
        }
        let excluded = proposers(&self.briefing.proposal);
        let rule = item_rule(&self.briefing, DecisionKind::Approve)?;
        let quorum = Quorum::form(&decisions, &rule, &excluded, self.now)?;
        // The briefing's rule is the backend's word, which people signed; the guard's own stands as well.
        Quorum::form(quorum.decisions(), &self.guard.quorum, &excluded, self.now)?;
        if quorum.kind() != DecisionKind::Approve {
            return Err(Refusal::NotAnApproval);
        }
        let targets: BTreeSet<SystemId> = match quorum.narrowing() {
            Some(narrowing) => narrowing.targets.clone(),
            None => self.briefing.waves.iter().flatten().cloned().collect(),
        };
        let system = &self.order.system;
        let wave = waves(&targets, &self.briefing.rollout)
            .iter()
            .position(|wave| wave.contains(system))
            .ok_or_else(|| Refusal::WrongSystem(system.clone()))?;
        let approved = u64::try_from(wave).unwrap_or(u64::MAX);
        if approved != self.order.wave {
            return Err(Refusal::WrongWave {
                system: system.clone(),
                approved,
                claimed: self.order.wave,
            });
        }
        Ok(())
    }

    /// That the approval is not spent.
    fn unused(&self) -> Result<(), Refusal> {
        let order = &self.order;
        self.first_time()?;
        if let Some(other) = self.memory.operation_of(self.briefing_digest)
            && *other != order.operation
        {
            return Err(Refusal::OtherOperation(other.clone()));
        }
        let attempts = self
            .briefing
            .rollout
            .breaker
            .as_ref()
            .and_then(|breaker| breaker.attempts_per_system)
            .unwrap_or(1)
            .max(1);
        if self.memory.applies(self.briefing_digest, &order.system) >= attempts {
            return Err(Refusal::AttemptsUsedUp(attempts));
        }
        Ok(())
    }

    /// That this effect was never shown, nor a later one on the system.
    fn first_time(&self) -> Result<(), Refusal> {
        let order = &self.order;
        if self
            .memory
            .is_used(&order.operation, &order.system, order.sequence)
        {
            return Err(Refusal::Replayed);
        }
        Ok(())
    }

    /// That somebody who may decided to roll this operation back when it had touched this system.
    fn rolled_back(&self) -> Result<Digest, Refusal> {
        let reversal = self.permit.reversal.as_ref().ok_or(Refusal::NoReversal)?;
        self.first_time()?;
        let document = self.document(reversal)?;
        let decision = self.verified(reversal.decision.clone().into())?;
        if decision.predicate().kind != DecisionKind::RollBack {
            return Err(Refusal::NoReversal);
        }
        let subjects = OperationSubjects {
            operation: Digest::of(reversal.document.as_bytes()),
            trip: reversal.trip,
            touched: reversal.touched.clone(),
            remaining: reversal.remaining.clone(),
        };
        decision.confirm_operation(&subjects, &decision.claimed_offer())?;
        let digest = decision.digest();
        if !self.memory.is_under_way(digest) {
            decision.check_valid_at(self.now)?;
        }
        let rule = operation_rule(&document, DecisionKind::RollBack)?;
        decision.check_eligible(&rule, &proposers(&self.briefing.proposal))?;
        if !is_eligible(&decision.approver().roles, &any_one_of(&self.guard.quorum)) {
            return Err(DecisionError::NotEligible(decision.approver().id.clone()).into());
        }
        if !reversal.touched.contains(&self.order.system) {
            return Err(Refusal::WrongReversal("the system was not touched"));
        }
        Ok(digest)
    }

    /// The operation's document, where it describes the operation of this order and briefing.
    fn document(&self, reversal: &Reversal) -> Result<OperationDocument, Refusal> {
        let document = read::<OperationDocument>(&reversal.document)
            .ok_or(Refusal::WrongReversal("the document is malformed"))?;
        let same = document.operation == self.order.operation
            && document.audience == self.order.audience
            && document.item.as_ref() == Some(&self.order.item)
            && document.briefing == Some(self.briefing_digest)
            && document.action == self.briefing.proposal.action.kind()
            && matches!(document.authority, Authority::Decided(_))
            && document.quorum == item_rule(&self.briefing, DecisionKind::Approve)?;
        if same {
            Ok(document)
        } else {
            Err(Refusal::WrongReversal("the document describes another"))
        }
    }

    /// That the state to go back to is one that this guard saw itself.
    fn goes_back(&self, call: &ExecutorCall) -> Result<(), Refusal> {
        let order = &self.order;
        let seen = call
            .snapshot
            .as_ref()
            .and_then(|snapshot| canonical::digest(snapshot).ok())
            .is_some_and(|digest| {
                self.memory
                    .was_seen(&order.operation, &order.system, digest)
            });
        if seen
            && self.memory.applied(&order.operation, &order.system) == Some(self.briefing_digest)
        {
            Ok(())
        } else {
            Err(Refusal::WrongSnapshot)
        }
    }

    fn verified(&self, decision: UnverifiedDecision) -> Result<VerifiedDecision, Refusal> {
        let decision = decision.verify(&self.roster)?;
        let approver = &decision.approver().id;
        if self.suspended.contains(approver) {
            return Err(Refusal::Suspended(approver.clone()));
        }
        Ok(decision)
    }

    fn used(&self, what: Use) -> Remembered {
        Remembered::Used {
            operation: self.order.operation.clone(),
            system: self.order.system.clone(),
            sequence: self.order.sequence,
            what,
            at: self.now,
        }
    }
}

/// That the order is for this call and no other.
fn is_this_call(order: &Order, call: &ExecutorCall) -> Result<(), Refusal> {
    let (Some(operation), Some(system), Some(sequence), Some(attempt)) =
        (&call.operation, &call.system, call.sequence, call.attempt)
    else {
        return Err(Refusal::Incomplete);
    };
    let action = call.action.digest().map_err(|_| Refusal::Malformed)?;
    for (same, what) in [
        (order.operation == *operation, "operation"),
        (order.system == *system, "system"),
        (order.verb == call.verb, "verb"),
        (order.sequence == sequence, "fencing token"),
        (order.attempt == attempt, "attempt"),
        (order.action == action, "action"),
    ] {
        if !same {
            return Err(Refusal::WrongCall(what));
        }
    }
    Ok(())
}

fn is_timely(order: &Order, guard: &Guard, now: DateTime<Utc>) -> Result<(), Refusal> {
    let lives = order.expires_at.signed_duration_since(order.issued_at);
    if now >= order.expires_at || lives > guard.order_life.duration() {
        return Err(Refusal::Expired);
    }
    if order.issued_at.signed_duration_since(now) > guard.clock_skew.duration() {
        return Err(Refusal::FromTheFuture);
    }
    Ok(())
}

/// That the log is not shorter, nor another one, than it was shown before. Orders overtake each other,
/// so that an older one may show an older log.
fn goes_on(order: &Order, memory: &Memory) -> Result<(), Refusal> {
    let Some((at, seen)) = memory.log() else {
        return Ok(());
    };
    let shown = order.log;
    if shown.size < seen.size && order.issued_at >= at {
        return Err(Refusal::LogWentBack {
            seen: seen.size,
            shown: shown.size,
        });
    }
    if shown.size == seen.size && shown.root != seen.root {
        return Err(Refusal::LogForked(seen.size));
    }
    Ok(())
}

/// The document with these bytes, in its one spelling.
fn read<T: serde::Serialize + serde::de::DeserializeOwned>(text: &str) -> Option<T> {
    let document: T = serde_json::from_str(text).ok()?;
    (canonical::to_bytes(&document).ok()? == text.as_bytes()).then_some(document)
}

/// The SHA-256 that an action names of a file that it installs.
fn artefact(action: &Action) -> Option<String> {
    match action {
        Action::ConfigChange(parameters) => Some(parameters.digest.clone()),
        Action::Patch(_)
        | Action::ServiceRestart(_)
        | Action::ProcessKill(_)
        | Action::FirewallRule(_)
        | Action::NetworkIsolate
        | Action::HostIsolate
        | Action::CredentialRotate(_)
        | Action::AccountDisable(_)
        | Action::AclChange(_)
        | Action::FileQuarantine(_) => None,
    }
}
