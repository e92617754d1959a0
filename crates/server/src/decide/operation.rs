//! `roll_back` and `abort`, about an operation.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use countersign_core::decision::{OperationDocument, OperationSubjects, operation_rule, proposers};
use countersign_core::identifier::{ApproverId, Digest, OperationId};
use countersign_core::operation::EventKind;
use countersign_core::proposal::Proposal;
use countersign_core::statement::DecisionKind;

use super::{Deciding, Outcome, offer};
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
    let event = if deciding.decision.predicate().kind == DecisionKind::RollBack {
        EventKind::RollBack { decision }
    } else {
        EventKind::Abort { decision }
    };
    tx.keep_value(PayloadKind::Touched, &subjects.touched)
        .await?;
    tx.keep_value(PayloadKind::Remaining, &subjects.remaining)
        .await?;
    operate::apply(backend, tx, &id, event).await?;
    Ok(Outcome {
        missing: None,
        operation: Some(id),
    })
}
