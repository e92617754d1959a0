//! `continue`, `roll_back` and `abort`, about an operation.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use countersign_core::decision::{OperationDocument, OperationSubjects, operation_rule, proposers};
use countersign_core::identifier::{ApproverId, Digest, OperationId};
use countersign_core::operation::{EventKind, Operation, Phase};
use countersign_core::proposal::Proposal;
use countersign_core::statement::DecisionKind;

use super::{Deciding, Outcome, form, offer, standing};
use crate::backend::Backend;
use crate::operate;
use crate::problem::{Refusal, codes};
use crate::sign_in::refused;
use crate::store::operations::{self, Stored};
use crate::store::payloads::PayloadKind;
use crate::store::{Conn, StoreError, Tx, items, log, payloads};

/// How long a decision about an operation may be valid; it takes effect at once.
const VALID_FOR_MAX: TimeDelta = TimeDelta::hours(1);

/// An operation that the decision may be recorded about.
pub(super) struct Ready {
    id: OperationId,
    subjects: OperationSubjects,
}

/// Checks that the decision is about the operation as it stands, by somebody who may.
pub(super) async fn check(
    tx: &mut Tx,
    deciding: &Deciding,
    id: &OperationId,
) -> Result<Ready, Refusal> {
    let Deciding { decision, now, .. } = deciding;
    let stored = operations::find(tx, id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no operation `{id}`")))?;
    if stored.finished_at.is_some() {
        return Err(codes::OPERATION_CLOSED.because("the operation has ended"));
    }
    if decision.predicate().kind == DecisionKind::Continue {
        may_continue(&operations::machine(tx, id).await?)?;
    }
    let subjects = subjects(tx, &stored).await?;
    let latest = now.checked_add_signed(VALID_FOR_MAX).unwrap_or(*now);
    decision
        .confirm_operation(&subjects, &offer(decision, latest)?)
        .map_err(|error| refused(&error))?;
    decision
        .check_submitted_at(*now)
        .map_err(|error| refused(&error))?;
    let document: OperationDocument = payloads::value(tx, stored.document).await?;
    let rule =
        operation_rule(&document, decision.predicate().kind).map_err(|error| refused(&error))?;
    decision
        .check_eligible(&rule, &excluded(tx, &stored).await?)
        .map_err(|error| refused(&error))?;
    Ok(Ready {
        id: id.clone(),
        subjects,
    })
}

/// A quorum is asked for what can be continued, and only once nothing is in flight: what it signs is
/// then what it was when the last of them signs.
fn may_continue(machine: &Operation) -> Result<(), Refusal> {
    let closed = |why: &str| Err(codes::OPERATION_CLOSED.because(why));
    if *machine.phase() != Phase::Halted {
        return closed("the operation is not halted, so there is nothing to continue");
    }
    if machine.has_begun_rollback() {
        return closed("a rollback began; roll back again, or abort");
    }
    if machine.progress().in_flight > 0 {
        return closed("systems are still in flight; wait until they are reported");
    }
    Ok(())
}

/// What a statement about the operation names now.
pub(crate) async fn subjects(
    conn: &mut Conn,
    stored: &Stored,
) -> Result<OperationSubjects, StoreError> {
    let machine = operations::machine(conn, &stored.id).await?;
    let trip = match stored.trip_index {
        Some(index) => {
            let entry = log::entry(conn, index).await?.ok_or_else(|| {
                StoreError::Damaged(format!("the entry {index} of a trip is missing"))
            })?;
            Some(Digest::of(&entry.bytes))
        }
        None => None,
    };
    Ok(OperationSubjects {
        operation: stored.document,
        trip,
        touched: machine.touched(),
        remaining: machine.remaining(),
    })
}

/// Whoever proposed the item does not decide about its operation.
pub(crate) async fn excluded(
    conn: &mut Conn,
    stored: &Stored,
) -> Result<BTreeSet<ApproverId>, StoreError> {
    let Some(item) = &stored.item else {
        return Ok(BTreeSet::new());
    };
    let item = items::find(conn, item).await?.ok_or_else(|| {
        StoreError::Damaged(format!("the item `{item}` of an operation is missing"))
    })?;
    let proposal: Proposal = payloads::value(conn, item.proposal).await?;
    Ok(proposers(&proposal))
}

/// What follows from the recorded decision.
pub(super) async fn follow(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    deciding: &Deciding,
    Ready { id, subjects }: Ready,
) -> Result<Outcome, Refusal> {
    let decision = deciding.decision.digest();
    let kind = deciding.decision.predicate().kind;
    let event = if kind == DecisionKind::Continue {
        match to_continue(backend, tx, deciding, &id).await? {
            Ok(event) => event,
            Err(missing) => {
                keep(tx, &subjects).await?;
                return Ok(Outcome {
                    missing: Some(missing),
                    operation: None,
                });
            }
        }
    } else if kind == DecisionKind::RollBack {
        EventKind::RollBack { decision }
    } else {
        EventKind::Abort { decision }
    };
    keep(tx, &subjects).await?;
    operate::apply(backend, tx, &id, event).await?;
    Ok(Outcome {
        missing: None,
        operation: Some(id),
    })
}

/// Keeps the documents that the statement names.
async fn keep(tx: &mut Tx, subjects: &OperationSubjects) -> Result<(), StoreError> {
    tx.keep_value(PayloadKind::Touched, &subjects.touched)
        .await?;
    tx.keep_value(PayloadKind::Remaining, &subjects.remaining)
        .await?;
    Ok(())
}

/// The event by which it goes on, once the whole quorum of the item has signed the same about this
/// very halt; what is missing until then.
async fn to_continue(
    backend: &Backend,
    tx: &mut Tx,
    deciding: &Deciding,
    id: &OperationId,
) -> Result<Result<EventKind, String>, Refusal> {
    let sealed = backend.genesis()?;
    let stored = operations::find(tx, id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no operation `{id}`")))?;
    let document: OperationDocument = payloads::value(tx, stored.document).await?;
    let rule =
        operation_rule(&document, DecisionKind::Continue).map_err(|error| refused(&error))?;
    let mut equal = standing(&sealed.roster, tx, &deciding.about, DecisionKind::Continue).await?;
    // Those about an earlier halt are over.
    equal.retain(|decision| decision.agrees_with(&deciding.decision));
    let excluded = excluded(tx, &stored).await?;
    Ok(
        form(&equal, &rule, &excluded, deciding.now).map(|quorum| EventKind::Continue {
            decisions: quorum.digests(),
            narrowed: quorum
                .narrowing()
                .map(|narrowing| narrowing.targets.clone()),
        }),
    )
}
