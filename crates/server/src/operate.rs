//! Operations in the store: how one begins, and how an event moves it on (DESIGN §8).
//!
//! An event, the new state, the log entries it asks for and what follows for the item are one
//! transaction. What it asks to be done is handed to the runner once that is durable.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::assessment::QuorumRule;
use countersign_core::briefing::Briefing;
use countersign_core::decision::{OperationDocument, subjects::OPERATION_SCHEMA};
use countersign_core::envelope::Rollout;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::log::body::OperationRecorded;
use countersign_core::operation::{
    Authority, Effect, EffectKind, Ending, Event, EventKind, Failure, Operation, OperationError,
    Phase, Record, StepError, SystemState,
};
use countersign_core::proposal::Action;
use countersign_wire::operation::{AuthorityKind, OperationState};
use countersign_wire::proposal::ItemState;
use thiserror::Error;
use uuid::Uuid;

use crate::backend::Backend;
use crate::problem::{Refusal, codes};
use crate::rehearsal;
use crate::store::operations::{self, Head, OperationStoreError, Stored};
use crate::store::payloads::PayloadKind;
use crate::store::{Conn, StoreError, Tx, items, payloads};

/// Why an operation does not begin or move on.
#[derive(Debug, Error)]
pub enum OperateError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine refuses the event.
    #[error(transparent)]
    Step(#[from] StepError),
    /// The operation cannot be built.
    #[error(transparent)]
    Build(#[from] OperationError),
    /// There is no such operation.
    #[error("there is no operation `{0}`")]
    Unknown(OperationId),
}

impl From<OperationStoreError> for OperateError {
    fn from(error: OperationStoreError) -> Self {
        match error {
            OperationStoreError::Store(error) => Self::Store(error),
            OperationStoreError::Step(error) => Self::Step(error),
        }
    }
}

impl From<OperateError> for Refusal {
    fn from(error: OperateError) -> Self {
        match error {
            OperateError::Store(error) => error.into(),
            OperateError::Step(error) => codes::OPERATION_CLOSED.because(error.to_string()),
            OperateError::Build(error) => codes::STATEMENT_MISMATCH.because(error.to_string()),
            OperateError::Unknown(_) => codes::NOT_FOUND.because(error.to_string()),
        }
    }
}

/// What begins.
#[derive(Debug)]
pub struct Beginning {
    /// Its name, where whoever asks for it may ask again; a new one otherwise.
    pub id: Option<OperationId>,
    /// The item it carries out, and the digest of its briefing; absent for a drill.
    pub item: Option<(ProposalId, Digest)>,
    /// What gives it the right to run.
    pub authority: Authority,
    /// What it does.
    pub action: Action,
    /// In our own words.
    pub title: String,
    /// On what.
    pub targets: BTreeSet<SystemId>,
    /// How.
    pub rollout: Rollout,
    /// Who decides about it.
    pub quorum: QuorumRule,
}

/// Begins an operation; its name.
///
/// # Errors
/// [`OperateError`].
pub async fn begin(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    new: Beginning,
) -> Result<OperationId, OperateError> {
    let id = add(backend, tx, new).await?;
    apply(backend, tx, &id, EventKind::Start).await?;
    Ok(id)
}

/// Keeps a new operation that has not begun; its name.
///
/// # Errors
/// [`OperateError`].
pub async fn add(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    new: Beginning,
) -> Result<OperationId, OperateError> {
    let now = backend.clock.now();
    let id = match new.id {
        Some(id) => id,
        None => OperationId::new(format!("op_{}", Uuid::now_v7().simple()))
            .map_err(|error| StoreError::Damaged(error.to_string()))?,
    };
    let machine = Operation::new(
        id.clone(),
        new.authority.clone(),
        &new.targets,
        &new.rollout,
    )?;
    let machine = match &new.item {
        Some((_, briefing)) if !new.rollout.dependents.is_empty() => {
            let briefing: Briefing = payloads::value(tx, *briefing).await?;
            machine.with_dependents(dependents(backend, tx, &briefing).await?)
        }
        Some(_) | None => machine,
    };
    let (item, briefing) = new.item.unzip();
    let document = OperationDocument {
        schema: OPERATION_SCHEMA.to_owned(),
        audience: backend.deployment.clone(),
        operation: id.clone(),
        item: item.clone(),
        briefing,
        authority: new.authority.clone(),
        action: new.action.kind(),
        waves: machine
            .waves()
            .map(|wave| wave.iter().map(|system| system.id().clone()).collect())
            .collect(),
        quorum: new.quorum,
        started_at: now,
    };
    let stored = Stored {
        id: id.clone(),
        item: item.clone(),
        authority: match new.authority {
            Authority::Autonomous(_) => AuthorityKind::Autonomous,
            Authority::Decided(_) => AuthorityKind::Decided,
            Authority::Drill(_) => AuthorityKind::Drill,
        },
        title: new.title,
        action: new.action,
        document: tx.keep_value(PayloadKind::Operation, &document).await?,
        rollout: new.rollout,
        targets: new.targets,
        state: OperationState::Running,
        started_at: now,
        finished_at: None,
        touched: BTreeSet::new(),
        trip_index: None,
    };
    tx.add_operation(&stored, &machine).await?;
    if let Some(item) = &item {
        tx.link_item(item, &id).await?;
        tx.move_item(item, ItemState::Running, "It is being carried out.", now)
            .await?;
    }
    Ok(id)
}

/// The systems that the impact of a briefing names: those whose health is looked at besides.
///
/// # Errors
/// [`StoreError`].
pub async fn dependents(
    backend: &Backend,
    conn: &mut Conn,
    briefing: &Briefing,
) -> Result<BTreeSet<SystemId>, StoreError> {
    let Some((_, graph)) = backend.graph(conn).await? else {
        return Ok(BTreeSet::new());
    };
    Ok(briefing
        .assessment
        .impact
        .iter()
        .filter(|entry| graph.system(&entry.id).is_some())
        .filter_map(|entry| SystemId::new(entry.id.as_str()).ok())
        .collect())
}

/// Gives an event of this instant to an operation.
///
/// # Errors
/// [`OperateError`]; the transaction must then be dropped.
pub async fn apply(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    id: &OperationId,
    event: EventKind,
) -> Result<Arc<Operation>, OperateError> {
    let at = backend.clock.now();
    take(backend, tx, id, Event { at, kind: event }).await
}

/// Gives an event to an operation. What it asks for is done once the transaction is durable.
///
/// # Errors
/// [`OperateError`]; the transaction must then be dropped.
pub async fn take(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    id: &OperationId,
    event: Event,
) -> Result<Arc<Operation>, OperateError> {
    let stored = operations::head(tx, id)
        .await?
        .ok_or_else(|| OperateError::Unknown(id.clone()))?;
    let at = event.at;
    let (machine, effects) = tx.step_operation(id, event).await?;
    let mut todo = Vec::new();
    for Effect { sequence, kind } in effects {
        match kind {
            EffectKind::Record { record } => write(tx, &stored, record, at).await?,
            EffectKind::Finished { ending } => {
                finish(backend, tx, &stored, &machine, ending, at).await?;
            }
            kind @ (EffectKind::Gate { .. }
            | EffectKind::Snapshot { .. }
            | EffectKind::Apply { .. }
            | EffectKind::Baseline { .. }
            | EffectKind::Health { .. }
            | EffectKind::Revert { .. }
            | EffectKind::VerifyReverted { .. }
            | EffectKind::StartSoak { .. }
            | EffectKind::StartTimer { .. }) => todo.push(Effect { sequence, kind }),
        }
    }
    let state = state_of(&machine);
    if state != stored.state {
        tx.move_operation(id, state).await?;
    }
    if let Some(item) = &stored.item {
        move_item(tx, item, state, at).await?;
    }
    if !todo.is_empty() {
        let (backend, id) = (Arc::clone(backend), id.clone());
        tx.after_commit(move || backend.runner.hand_over(id, todo));
    }
    Ok(machine)
}

/// Writes one record into the log, and what screens want to know of it.
async fn write(
    tx: &mut Tx,
    stored: &Head,
    record: Record,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let tripped = record.trip().is_some();
    if let (Some(trip), AuthorityKind::Drill) = (record.trip(), stored.authority) {
        rehearsal::halted(tx, &stored.id, trip).await?;
    }
    let note = note_of(&record).map(|(system, message)| (system.clone(), message));
    let body = OperationRecorded::new(
        stored.id.clone(),
        stored.item.clone(),
        stored.document,
        stored.action.kind(),
        record,
    );
    let index = tx.record(at, &body).await?;
    if tripped {
        tx.trip_operation(&stored.id, index).await?;
    }
    if let Some((system, message)) = note {
        tx.note_system(&stored.id, &system, at, message.as_deref())
            .await?;
    }
    Ok(())
}

/// What went wrong, in a sentence.
pub(crate) fn said(failure: &Failure) -> String {
    let Failure {
        check,
        dependent,
        measured,
        during: _,
    } = failure;
    match (check, dependent) {
        (Some(check), Some(dependent)) => {
            format!("its dependent {dependent} is not well: {check}: {measured}")
        }
        (Some(check), None) => format!("{check}: {measured}"),
        (None, _) => measured.clone(),
    }
}

/// The system that a record is about, and a sentence where there is something to say.
fn note_of(record: &Record) -> Option<(&SystemId, Option<String>)> {
    match record {
        Record::Touched { system, .. } | Record::Reverting { system } => Some((system, None)),
        Record::AttemptFailed {
            system, failure, ..
        } => Some((system, Some(said(failure)))),
        Record::System {
            system, failure, ..
        }
        | Record::SystemReverted {
            system, failure, ..
        } => Some((system, failure.as_ref().map(said))),
        Record::RevertChecked { .. }
        | Record::Started { .. }
        | Record::WaveStarted { .. }
        | Record::SoakStarted { .. }
        | Record::Held { .. }
        | Record::Reopened
        | Record::Tripped { .. }
        | Record::Continued { .. }
        | Record::AbortBegan { .. }
        | Record::RollbackBegan { .. }
        | Record::Recovered { .. }
        | Record::Finished { .. } => None,
    }
}

async fn finish(
    backend: &Backend,
    tx: &mut Tx,
    stored: &Head,
    machine: &Operation,
    ending: Ending,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    tx.finish_operation(&stored.id, &machine.touched(), at)
        .await?;
    backend.verified.forget(&stored.id);
    let Authority::Drill(rehearsal) = machine.authority() else {
        return Ok(());
    };
    rehearsal::finished(backend, tx, machine, rehearsal, ending, at).await
}

/// Where an operation stands, as clients see it.
#[must_use]
pub fn state_of(machine: &Operation) -> OperationState {
    let stuck = machine.tally().contains_key(&SystemState::RollbackFailed);
    match machine.phase() {
        Phase::Ready | Phase::Running | Phase::Soaking { .. } | Phase::CoolingDown { .. } => {
            OperationState::Running
        }
        Phase::Held { .. } | Phase::Aborting { .. } => OperationState::Held,
        Phase::Halted if stuck => OperationState::RollbackFailed,
        Phase::Halted => OperationState::Halted,
        Phase::RollingBack { .. } => OperationState::RollingBack,
        Phase::Ended { ending } => match ending {
            Ending::Completed => OperationState::Completed,
            Ending::RolledBack => OperationState::RolledBack,
            Ending::Aborted => OperationState::Aborted,
            Ending::RollbackFailed => OperationState::RollbackFailed,
        },
    }
}

/// An item stands where its operation does, unless people or a changed world ended it first.
async fn move_item(
    tx: &mut Tx,
    id: &ProposalId,
    state: OperationState,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(item) = items::find(tx, id).await? else {
        return Err(StoreError::Damaged(format!(
            "the item `{id}` of an operation is missing"
        )));
    };
    match item.state {
        ItemState::Rejected
        | ItemState::Voided
        | ItemState::Expired
        | ItemState::Superseded
        | ItemState::Refused
        | ItemState::Waiting => return Ok(()),
        ItemState::Running
        | ItemState::Done
        | ItemState::Halted
        | ItemState::RolledBack
        | ItemState::Aborted => {}
    }
    let (state, message) = match state {
        OperationState::Running => (ItemState::Running, "It is being carried out."),
        OperationState::Held => (
            ItemState::Running,
            "It waits: something it rests on does not hold now.",
        ),
        OperationState::RollingBack => (ItemState::Running, "It is being undone."),
        OperationState::Halted => (
            ItemState::Halted,
            "The breaker halted it; stop, people decide.",
        ),
        OperationState::RollbackFailed => (
            ItemState::Halted,
            "Undoing it failed on a system; stop, people decide.",
        ),
        OperationState::Completed => (ItemState::Done, "It was carried out."),
        OperationState::RolledBack => (ItemState::RolledBack, "It was undone; stop."),
        OperationState::Aborted => (
            ItemState::Aborted,
            "It was aborted and left as it is; stop.",
        ),
    };
    if item.state != state || item.message != message {
        tx.move_item(id, state, message, at).await?;
    }
    Ok(())
}

/// The name of each system's wave, from 1.
#[must_use]
pub fn waves_of(machine: &Operation) -> BTreeMap<&SystemId, u32> {
    (1..)
        .zip(machine.waves())
        .flat_map(|(number, wave)| wave.iter().map(move |system| (system.id(), number)))
        .collect()
}
