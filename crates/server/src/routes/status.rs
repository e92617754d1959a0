//! Whether the backend lives, is ready, and in numbers.

use std::sync::Arc;

use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;

use crate::backend::Backend;
use crate::problem::{Refusal, codes};
use crate::store::{StoreError, log};

/// `GET /healthz`: the process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: it reads, and it would write.
pub(super) async fn ready(State(backend): State<Arc<Backend>>) -> Result<&'static str, Refusal> {
    if backend.store.is_stopped() {
        return Err(codes::WRITER_STOPPED.because("restart the backend after a look at its log"));
    }
    let mut conn = backend.store.read().await?;
    log::size(&mut conn).await?;
    if *backend.stopping.borrow() {
        return Err(codes::NOT_READY.because("the backend is stopping"));
    }
    Ok("ready\n")
}

/// `GET /metrics`: Prometheus text. Numbers only: no names, no titles.
pub(super) async fn metrics(
    State(backend): State<Arc<Backend>>,
) -> Result<impl IntoResponse, Refusal> {
    let mut conn = backend.store.read().await?;
    let size = log::size(&mut conn).await?;
    let count = |query: &'static str| sqlx::query_scalar::<_, i64>(query);
    let waiting = count("SELECT COUNT(*) FROM item WHERE state = 'waiting'")
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::from)?;
    let running = count("SELECT COUNT(*) FROM operation WHERE finished_ms IS NULL")
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::from)?;
    let decisions = count("SELECT COUNT(*) FROM decision")
        .fetch_one(&mut *conn)
        .await
        .map_err(StoreError::from)?;
    let metrics = [
        (
            "countersign_log_entries",
            "Entries in the log.",
            "counter",
            size.to_string(),
        ),
        (
            "countersign_items_waiting",
            "Items that wait for people.",
            "gauge",
            waiting.to_string(),
        ),
        (
            "countersign_operations_unfinished",
            "Operations that have not ended.",
            "gauge",
            running.to_string(),
        ),
        (
            "countersign_decisions_total",
            "Decisions recorded.",
            "counter",
            decisions.to_string(),
        ),
        (
            "countersign_unauthenticated_refusals_total",
            "Refusals of strangers since the start.",
            "counter",
            backend.refusals.total().to_string(),
        ),
        (
            "countersign_writer_stopped",
            "1 after a failure of durability.",
            "gauge",
            u8::from(backend.store.is_stopped()).to_string(),
        ),
    ];
    let mut text = String::new();
    for (name, help, kind, value) in metrics {
        text.push_str(&format!(
            "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}\n"
        ));
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4")], text))
}
