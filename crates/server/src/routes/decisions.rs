//! Nonces and decisions.

use std::sync::Arc;

use axum::extract::State;
use countersign_wire::decision::{About, BeginDecision, DecisionAccepted, SubmitDecision};
use countersign_wire::session::Nonce;

use super::sessions::give_nonce;
use crate::auth::Session;
use crate::backend::Backend;
use crate::body::Json;
use crate::decide;
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::store::{documents, items, operations};

/// `POST /v1/nonces`: 256 random bits for one attempt of this approver at this.
pub(super) async fn nonce(
    session: Session,
    State(backend): State<Arc<Backend>>,
    Json(begin): Json<BeginDecision>,
) -> Result<axum::Json<Nonce>, Refusal> {
    decide::check_kind(&begin.about, begin.kind)?;
    let mut conn = backend.store.read().await?;
    let exists = match &begin.about {
        About::Item(id) => items::find(&mut conn, id).await?.is_some(),
        About::Operation(id) => operations::find(&mut conn, id).await?.is_some(),
        About::Envelope(digest) => documents::envelope(&mut conn, *digest).await?.is_some(),
    };
    drop(conn);
    if !exists {
        return Err(codes::NOT_FOUND.because("there is nothing of this name to decide about"));
    }
    let purpose = decide::purpose(&session.approver, &begin.about, begin.kind)?;
    give_nonce(&backend, purpose, limits::DECISION_NONCES_MAX)
        .await
        .map(axum::Json)
}

/// `POST /v1/decisions`.
pub(super) async fn decide(
    session: Session,
    State(backend): State<Arc<Backend>>,
    Json(submitted): Json<SubmitDecision>,
) -> Result<axum::Json<DecisionAccepted>, Refusal> {
    decide::decide(&backend, &session, submitted)
        .await
        .map(axum::Json)
}
