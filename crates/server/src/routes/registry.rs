//! Agents, sources, detection rules and their outcomes, signals.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use chrono::{DateTime, Utc};
use countersign_core::canonical;
use countersign_core::decimal::Decimal;
use countersign_core::log::EntryKind;
use countersign_wire::registry::{
    RecordOutcome, RegisterAgent, RegisterDetection, RegisterSource, ReportErrorBudget, Secret,
    SendSignal,
};
use serde_json::json;

use crate::auth::{Operator, Session, Source};
use crate::backend::Backend;
use crate::body::{Json, Path, check_text};
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::secret::{self, Holder, SecretHash};
use crate::store::log::About;
use crate::store::{StoreError, registry};

fn new_secret(holder: Holder) -> Result<String, Refusal> {
    secret::generate(holder).map_err(|error| codes::INTERNAL.because(error.to_string()))
}

/// `POST /v1/agents`.
pub(super) async fn agent(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(register): Json<RegisterAgent>,
) -> Result<axum::Json<Secret>, Refusal> {
    let mut tx = backend.change().await?;
    if registry::has_agent(&mut tx, &register.agent).await? {
        return Err(codes::ALREADY_REGISTERED.because(format!(
            "the agent `{}` has a secret already",
            register.agent
        )));
    }
    if !register.operated_by.is_empty() {
        let sealed = backend.genesis()?;
        if let Some(unknown) = register
            .operated_by
            .iter()
            .find(|approver| sealed.roster.approver(approver).is_none())
        {
            return Err(codes::UNKNOWN_APPROVER.because(format!(
                "`{unknown}` is not enrolled here; name the people who operate the agent by the ids they decide with"
            )));
        }
    }
    let secret = new_secret(Holder::Agent)?;
    tx.register_agent(
        &register.agent,
        &register.operated_by,
        &SecretHash::of(&secret),
    )
    .await?;
    let body =
        serde_json::to_value(&register).map_err(|error| StoreError::Damaged(error.to_string()))?;
    tx.note(
        backend.clock.now(),
        EntryKind::AgentRegistered,
        &About::nothing(),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(Secret { secret }))
}

/// `POST /v1/sources`.
pub(super) async fn source(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(register): Json<RegisterSource>,
) -> Result<axum::Json<Secret>, Refusal> {
    let mut tx = backend.change().await?;
    if registry::has_source(&mut tx, &register.source).await? {
        return Err(codes::ALREADY_REGISTERED.because(format!(
            "the source `{}` has a secret already",
            register.source
        )));
    }
    let secret = new_secret(Holder::Source)?;
    tx.register_source(
        &register.source,
        &register.upstream,
        &SecretHash::of(&secret),
    )
    .await?;
    let body = json!({"source": register.source, "upstream": register.upstream});
    tx.note(
        backend.clock.now(),
        EntryKind::SourceRegistered,
        &About::nothing(),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(axum::Json(Secret { secret }))
}

/// `POST /v1/detections`: registers a detection rule, or replaces what was registered.
pub(super) async fn detection(
    _: Operator,
    State(backend): State<Arc<Backend>>,
    Json(register): Json<RegisterDetection>,
) -> Result<StatusCode, Refusal> {
    for pattern in &register.benign_patterns {
        check_text("benign pattern", pattern)?;
    }
    let mut tx = backend.change().await?;
    if !registry::has_source(&mut tx, &register.source).await? {
        return Err(codes::SOURCE_UNKNOWN
            .because(format!("register the source `{}` first", register.source)));
    }
    for agent in &register.agents {
        if !registry::has_agent(&mut tx, agent).await? {
            return Err(codes::AGENT_UNKNOWN.because(format!("register the agent `{agent}` first")));
        }
    }
    tx.register_detection(&register).await?;
    let body =
        serde_json::to_value(&register).map_err(|error| StoreError::Damaged(error.to_string()))?;
    tx.note(
        backend.clock.now(),
        EntryKind::DetectionRegistered,
        &About::nothing(),
        body,
    )
    .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/detections/{id}/outcome`: a person says whether a detection was right; once.
pub(super) async fn outcome(
    session: Session,
    State(backend): State<Arc<Backend>>,
    Path(detection): Path<String>,
    Json(outcome): Json<RecordOutcome>,
) -> Result<StatusCode, Refusal> {
    check_text("detection's id", &detection)?;
    let mut tx = backend.change().await?;
    if !registry::has_detection(&mut tx, &outcome.rule, &outcome.source).await? {
        return Err(codes::DETECTION_UNKNOWN.because(format!(
            "the rule `{}` is not registered for the source `{}`",
            outcome.rule, outcome.source
        )));
    }
    let now = backend.clock.now();
    if !tx
        .record_outcome(&detection, &outcome, &session.approver, now)
        .await?
    {
        return Err(
            codes::OUTCOME_RECORDED.because(format!("the detection `{detection}` has its outcome"))
        );
    }
    let body = json!({
        "detection": detection, "rule": outcome.rule, "source": outcome.source,
        "false_positive": outcome.false_positive, "approver": session.approver,
    });
    tx.note(now, EntryKind::OutcomeRecorded, &About::nothing(), body)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/signals`: what an authenticated source saw.
pub(super) async fn signal(
    Source(source): Source,
    State(backend): State<Arc<Backend>>,
    Json(signal): Json<SendSignal>,
) -> Result<StatusCode, Refusal> {
    check_text("kind", &signal.kind)?;
    check_text("summary", &signal.summary)?;
    if signal.systems.is_empty() || signal.systems.len() > limits::SIGNAL_SYSTEMS_MAX {
        return Err(codes::SIGNAL_INVALID.because(format!(
            "a signal is about 1 to {} systems, not {}",
            limits::SIGNAL_SYSTEMS_MAX,
            signal.systems.len()
        )));
    }
    let now = backend.clock.now();
    if is_future(signal.observed_at, now) {
        return Err(
            codes::SIGNAL_INVALID.because("it was observed in the future; set the source's clock")
        );
    }
    let mut tx = backend.change().await?;
    tx.keep_signal(&source, &signal.systems, signal.observed_at)
        .await?;
    let systems = canonical::digest(&signal.systems).map_err(StoreError::from)?;
    let body = json!({
        "source": source.source, "upstream": source.upstream, "kind": signal.kind, "summary": signal.summary,
        "systems": systems, "count": signal.systems.len(), "observed_at": signal.observed_at,
    });
    tx.note(now, EntryKind::SignalReceived, &About::nothing(), body)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/error-budgets`: what an authenticated source measured to be left of one.
pub(super) async fn error_budget(
    Source(source): Source,
    State(backend): State<Arc<Backend>>,
    Json(report): Json<ReportErrorBudget>,
) -> Result<StatusCode, Refusal> {
    if report.remaining > Decimal::ONE {
        return Err(codes::ERROR_BUDGET_INVALID.because(format!(
            "the remaining share is {}; it is between 0 and 1",
            report.remaining
        )));
    }
    let now = backend.clock.now();
    if is_future(report.at, now) {
        return Err(codes::ERROR_BUDGET_INVALID
            .because("it was measured in the future; set the source's clock"));
    }
    let mut tx = backend.change().await?;
    tx.keep_error_budget(&source, &report).await?;
    let body = json!({
        "source": source.source, "service": report.service, "remaining": report.remaining, "at": report.at,
    });
    tx.note(now, EntryKind::ErrorBudgetReported, &About::nothing(), body)
        .await?;
    tx.commit().await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Whether a source's clock says what ours cannot believe.
fn is_future(at: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    now.checked_add_signed(limits::CLOCK_SKEW_MAX)
        .is_some_and(|latest| at > latest)
}
