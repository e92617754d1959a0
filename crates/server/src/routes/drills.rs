//! Drills: rehearsed rollbacks (AG-706 4.6).

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::extract::State;
use countersign_core::assessment::QuorumRule;
use countersign_core::briefing::title;
use countersign_core::document::limits::IDEMPOTENCY_KEY_CHARS_MAX;
use countersign_core::identifier::{Digest, OperationId};
use countersign_core::operation::{Authority, Rehearsal};
use countersign_core::topology::Tier;
use countersign_wire::operation::OperationSummary;
use countersign_wire::registry::StartDrill;

use super::operations::summary;
use crate::auth::Operator;
use crate::backend::Backend;
use crate::body::Json;
use crate::facts;
use crate::operate::{self, Beginning};
use crate::problem::{Refusal, codes};
use crate::rehearsal;
use crate::store::{StoreError, operations};

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
    let Some((_, graph)) = backend.graph(&mut tx).await? else {
        return Err(codes::NO_TOPOLOGY.because("import a topology first"));
    };
    let Some((_, envelope)) = backend.envelope(&mut tx).await? else {
        return Err(codes::NO_ENVELOPE
            .because("health checks are named in an envelope; have one authorised first"));
    };
    let kind = drill.action.kind();
    if backend.executors.of(kind).is_none() {
        return Err(codes::NO_EXECUTOR.because(format!(
            "no executor carries `{}` out; configure one",
            kind.as_str()
        )));
    }
    if kind.is_irreversible() || backend.config.irreversible().contains(&kind) {
        return Err(codes::DRILL_INVALID.because(format!(
            "nothing undoes `{}`, so there is no drill of it",
            kind.as_str()
        )));
    }
    let Some(system) = graph.system(drill.system.as_str()) else {
        return Err(
            codes::DRILL_INVALID.because(format!("the topology has no system `{}`", drill.system))
        );
    };
    let history = facts::in_flight(&mut tx).await?;
    rehearsal::check(&graph, &drill.action, &drill.system, &history)
        .map_err(|why| codes::DRILL_INVALID.because(why))?;
    if drill.checks.is_empty() {
        return Err(
            codes::DRILL_INVALID.because("a drill without a health check proves nothing; name one")
        );
    }
    if let Some(unknown) = drill
        .checks
        .iter()
        .find(|check| !envelope.checks.contains_key(*check))
    {
        return Err(codes::DRILL_INVALID
            .because(format!("the envelope declares no health check `{unknown}`")));
    }
    let busy = operations::unfinished(&mut tx)
        .await?
        .into_iter()
        .any(|other| other.targets.contains(&drill.system));
    if busy {
        return Err(codes::DRILL_INVALID.because(format!(
            "an operation works on `{}`; wait for its end",
            drill.system
        )));
    }
    let quorum = envelope.tiers.get(&Tier::NonCritical).map_or(
        QuorumRule {
            needed: 1,
            roles: BTreeSet::new(),
        },
        |tier| QuorumRule {
            needed: tier.approval.quorum.max(1),
            roles: tier.approval.roles.clone(),
        },
    );
    let targets = BTreeSet::from([drill.system]);
    let new = Beginning {
        id: asked,
        item: None,
        authority: Authority::Drill(Rehearsal::new(kind, system.class.clone())),
        title: format!("drill: {}", title(&drill.action, &targets, &graph)),
        action: drill.action,
        targets,
        rollout: rehearsal::rollout(drill.checks),
        quorum,
    };
    let id = operate::begin(&backend, &mut tx, new).await?;
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
