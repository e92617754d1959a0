//! Operations, for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use countersign_core::assessment::QuorumRule;
use countersign_core::canonical;
use countersign_core::decision::OperationDocument;
use countersign_core::identifier::{Digest, OperationId};
use countersign_core::operation::{self, EventKind, SystemState};
use countersign_core::webauthn::Bytes;
use countersign_wire::decision::About;
use countersign_wire::operation::{
    HaltOperation, Operation, OperationSubjects, OperationSummary, OperationSystem, SystemPhase,
    Trip,
};

use super::queue::summaries;
use crate::auth::{Reader, Source};
use crate::backend::Backend;
use crate::body::{Json, Path, check_text};
use crate::limits;
use crate::operate::{self, waves_of};
use crate::problem::{Refusal, codes};
use crate::store::operations::{self, Stored};
use crate::store::{Conn, StoreError, items, log, payloads};

/// `GET /v1/operations`: the latest first.
pub(super) async fn list(
    _: Reader,
    State(backend): State<Arc<Backend>>,
) -> Result<axum::Json<Vec<OperationSummary>>, Refusal> {
    let mut conn = backend.store.read().await?;
    let mut shown = Vec::new();
    for stored in operations::latest(&mut conn, limits::PAGE_MAX).await? {
        let machine = operations::machine(&mut conn, &stored.id).await?;
        let briefing = briefing_of(&mut conn, &stored).await?;
        shown.push(summary(&stored, &machine, briefing));
    }
    Ok(axum::Json(shown))
}

async fn briefing_of(conn: &mut Conn, stored: &Stored) -> Result<Option<Digest>, StoreError> {
    match &stored.item {
        Some(item) => Ok(items::find(conn, item).await?.map(|item| item.briefing)),
        None => Ok(None),
    }
}

/// In short; `briefing` is that of its item.
pub(super) fn summary(
    stored: &Stored,
    machine: &operation::Operation,
    briefing: Option<Digest>,
) -> OperationSummary {
    let progress = machine.progress();
    let of = |state| machine.tally().get(&state).copied().unwrap_or(0);
    OperationSummary {
        id: stored.id.clone(),
        item: stored.item.clone(),
        briefing,
        title: stored.title.clone(),
        authority: stored.authority,
        state: stored.state,
        systems: progress.systems,
        healthy: of(SystemState::Healthy).saturating_add(of(SystemState::Unchecked)),
        touched: u64::try_from(
            machine
                .systems()
                .iter()
                .filter(|system| system.is_touched())
                .count(),
        )
        .unwrap_or(u64::MAX),
        wave: u32::try_from(progress.wave.saturating_add(1)).unwrap_or(u32::MAX),
        waves: u32::try_from(progress.waves).unwrap_or(u32::MAX),
        started_at: stored.started_at,
        finished_at: stored.finished_at,
    }
}

/// `GET /v1/operations/{id}`.
pub(super) async fn operation(
    _: Reader,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<OperationId>,
) -> Result<axum::Json<Operation>, Refusal> {
    let mut conn = backend.store.read().await?;
    let stored = operations::find(&mut conn, &id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no operation `{id}`")))?;
    let machine = operations::machine(&mut conn, &id).await?;
    let briefing = briefing_of(&mut conn, &stored).await?;
    let document_bytes = payloads::get(&mut conn, stored.document).await?;
    let document: OperationDocument = serde_json::from_slice(&document_bytes)
        .map_err(|error| StoreError::Damaged(format!("the document of `{id}`: {error}")))?;
    let mut decisions = Vec::new();
    if let Some(item) = &stored.item {
        decisions = summaries(&backend, &mut conn, &About::Item(item.clone())).await?;
    }
    decisions.extend(summaries(&backend, &mut conn, &About::Operation(id.clone())).await?);
    let (trip, trip_bytes) = trip(&mut conn, &stored, &machine).await?;
    let bytes = |value| {
        canonical::to_bytes(value)
            .map(Bytes)
            .map_err(StoreError::from)
    };
    Ok(axum::Json(Operation {
        summary: summary(&stored, &machine, briefing),
        systems: systems(&mut conn, &machine).await?,
        trip,
        decisions,
        quorum: Some(QuorumRule {
            needed: document.quorum.needed,
            roles: document.quorum.roles,
        }),
        subjects: OperationSubjects {
            operation: Bytes(document_bytes),
            trip: trip_bytes,
            touched: bytes(&machine.touched())?,
            remaining: bytes(&machine.remaining())?,
            briefing: document.briefing,
        },
    }))
}

/// `POST /v1/operations/{id}/halt`: any registered monitor stops any operation (AG-706 4.4); only
/// people let it go on.
pub(super) async fn halt(
    Source(source): Source,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<OperationId>,
    Json(halt): Json<HaltOperation>,
) -> Result<axum::Json<OperationSummary>, Refusal> {
    check_text("reason", &halt.reason)?;
    let mut tx = backend.change().await?;
    let event = EventKind::Halt {
        source: source.source.to_string(),
        reason: halt.reason,
    };
    let machine = operate::apply(&backend, &mut tx, &id, event).await?;
    let stored = operations::find(&mut tx, &id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no operation `{id}`")))?;
    let briefing = briefing_of(&mut tx, &stored).await?;
    tx.commit().await?;
    Ok(axum::Json(summary(&stored, &machine, briefing)))
}

/// The latest trip, and the exact bytes of its log entry.
async fn trip(
    conn: &mut Conn,
    stored: &Stored,
    machine: &operation::Operation,
) -> Result<(Option<Trip>, Option<Bytes>), StoreError> {
    let (Some(trip), Some(index)) = (machine.trip(), stored.trip_index) else {
        return Ok((None, None));
    };
    let entry = log::entry(conn, index)
        .await?
        .ok_or_else(|| StoreError::Damaged(format!("the entry {index} of a trip is missing")))?;
    let message = operate::said(&trip.failure);
    Ok((
        Some(Trip {
            system: trip.system.clone(),
            message,
            at: trip.at,
            index: entry.index,
        }),
        Some(Bytes(entry.bytes)),
    ))
}

async fn systems(
    conn: &mut Conn,
    machine: &operation::Operation,
) -> Result<Vec<OperationSystem>, StoreError> {
    let mut notes: BTreeMap<_, _> = operations::system_notes(conn, machine.id())
        .await?
        .into_iter()
        .map(|note| (note.system.clone(), note))
        .collect();
    let waves = waves_of(machine);
    Ok(machine
        .systems()
        .iter()
        .map(|system| {
            let note = notes.remove(system.id());
            OperationSystem {
                id: system.id().clone(),
                wave: waves.get(system.id()).copied().unwrap_or(1),
                phase: phase(system.state()),
                message: note.as_ref().and_then(|note| note.message.clone()),
                at: note.map(|note| note.at),
            }
        })
        .collect())
}

const fn phase(state: SystemState) -> SystemPhase {
    match state {
        SystemState::Pending => SystemPhase::Pending,
        SystemState::AlreadyUnhealthy => SystemPhase::AlreadyUnhealthy,
        SystemState::LeftOut => SystemPhase::LeftOut,
        SystemState::Gate
        | SystemState::Snapshot
        | SystemState::Baseline
        | SystemState::Apply
        | SystemState::Health
        | SystemState::Revert
        | SystemState::RevertHealth
        | SystemState::RevertSnapshot => SystemPhase::InFlight,
        SystemState::Healthy | SystemState::Unchecked => SystemPhase::Healthy,
        SystemState::Failed => SystemPhase::Failed,
        SystemState::Undecidable | SystemState::Unknown => SystemPhase::Unknown,
        SystemState::RolledBack => SystemPhase::Reverted,
        SystemState::RollbackFailed => SystemPhase::RevertFailed,
    }
}
