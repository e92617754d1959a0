//! Nonces and decisions.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::statement::DecisionKind;
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
use crate::suspended;

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
        // The document comes with the decision.
        About::Suspension(_) if begin.kind == DecisionKind::SuspendAutonomy => true,
        About::Suspension(digest) => suspended::in_force(&backend, &mut conn)
            .await?
            .iter()
            .any(|suspension| suspension.digest == *digest),
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

/// `POST /v1/decisions`. What cannot be read, or comes from somebody who decides nothing, is counted;
/// every other refusal is an entry of its own.
pub(super) async fn decide(
    session: Result<Session, Refusal>,
    State(backend): State<Arc<Backend>>,
    submitted: Result<Json<SubmitDecision>, Refusal>,
) -> Result<axum::Json<DecisionAccepted>, Refusal> {
    let submitted = submitted.map(|Json(submitted)| (submitted, None));
    take(backend, session, submitted).await
}

/// Takes a decision, and the document that came with it.
pub(super) async fn take(
    backend: Arc<Backend>,
    session: Result<Session, Refusal>,
    submitted: Result<(SubmitDecision, Option<Vec<u8>>), Refusal>,
) -> Result<axum::Json<DecisionAccepted>, Refusal> {
    // Whoever is unauthenticated is counted for every route.
    let session = session.inspect_err(|refusal| {
        if refusal.0.status != StatusCode::UNAUTHORIZED.as_u16() {
            backend.refusals.count(refusal.code());
        }
    })?;
    let (submitted, document) =
        submitted.inspect_err(|refusal| backend.refusals.count(refusal.code()))?;
    // To its end, and its refusal into the log, also where the client closes the connection.
    tokio::spawn(
        async move { decide::decide(&backend, &session, submitted, document.as_deref()).await },
    )
    .await
    .map_err(|_| codes::INTERNAL.because("the decision could not be taken"))?
    .map(axum::Json)
}
