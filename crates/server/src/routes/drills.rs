//! Drills: rehearsed rollbacks (AG-706 4.6).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use countersign_core::document::limits::IDEMPOTENCY_KEY_CHARS_MAX;
use countersign_core::identifier::{Digest, OperationId};
use countersign_wire::drill::DrillStanding;
use countersign_wire::operation::OperationSummary;
use countersign_wire::registry::StartDrill;

use super::operations::summary;
use crate::auth::{Operator, Reader};
use crate::backend::Backend;
use crate::body::Json;
use crate::problem::{Refusal, codes};
use crate::rehearsal::{self, Asked, AskedBy};
use crate::schedule;
use crate::store::{StoreError, operations};

/// `GET /v1/drills`: how each pair of action and class stands.
pub(super) async fn list(
    _: Reader,
    State(backend): State<Arc<Backend>>,
) -> Result<axum::Json<Vec<DrillStanding>>, Refusal> {
    let mut conn = backend.store.read().await?;
    Ok(axum::Json(schedule::standings(&backend, &mut conn).await?))
}

/// `POST /v1/drills`: does an action on one system, checks its health, and undoes it by itself.
///
/// Only where everything in reach is non-critical and nothing that depends on it goes down: a
/// rehearsal changes a system for a while, and nobody signs for that.
pub(super) async fn start(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(drill): Json<StartDrill>,
) -> Result<axum::Json<OperationSummary>, Refusal> {
    let mut tx = backend.change().await?;
    let asked = drill.idempotency_key.as_deref().map(name).transpose()?;
    if let Some(id) = &asked
        && let Some(before) = operations::find(&mut tx, id).await?
    {
        if before.action != drill.action || before.targets != BTreeSet::from([drill.system]) {
            return Err(codes::IDEMPOTENCY_KEY_REUSED.because(format!(
                "it began `{id}`, which is another drill; choose a new key"
            )));
        }
        let machine = operations::machine(&mut tx, id).await?;
        return Ok(axum::Json(summary(&before, &machine, None)));
    }
    let asked = Asked {
        id: asked,
        action: drill.action,
        system: drill.system,
        checks: drill.checks,
        by: AskedBy::Operator,
    };
    let id = rehearsal::begin(&backend, &mut tx, asked).await?;
    let stored = operations::find(&mut tx, &id)
        .await?
        .ok_or_else(|| StoreError::Damaged(format!("the drill `{id}` is missing")))?;
    let machine = operations::machine(&mut tx, &id).await?;
    tx.commit().await?;
    Ok(axum::Json(summary(&stored, &machine, None)))
}

/// The name of the drill that was asked for with an idempotency key: always the same.
fn name(key: &str) -> Result<OperationId, Refusal> {
    if key.trim().is_empty() || key.chars().count() > IDEMPOTENCY_KEY_CHARS_MAX {
        return Err(codes::DRILL_INVALID.because(format!(
            "an idempotency key has 1 to {IDEMPOTENCY_KEY_CHARS_MAX} characters"
        )));
    }
    let digest = Digest::of(format!("drill\n{key}").as_bytes()).to_string();
    let short = digest.get(..32).unwrap_or(&digest);
    OperationId::new(format!("op_drill_{short}"))
        .map_err(|error| codes::DRILL_INVALID.because(error.to_string()))
}
