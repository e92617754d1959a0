//! What agents propose, and what they are told.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use countersign_core::identifier::ProposalId;
use countersign_wire::proposal::ProposalAnswer;
use serde::Deserialize;

use crate::auth::Agent;
use crate::backend::Backend;
use crate::body::{Document, Path, Query};
use crate::problem::{Refusal, codes};
use crate::propose;
use crate::store::items;

/// How to propose.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct How {
    /// Only assess it; keep nothing.
    #[serde(default)]
    assess_only: bool,
}

/// `POST /v1/proposals[?assess_only=true]`.
pub(super) async fn propose(
    Agent(agent): Agent,
    State(backend): State<Arc<Backend>>,
    Query(how): Query<How>,
    Document(text): Document,
) -> Result<(StatusCode, axum::Json<ProposalAnswer>), Refusal> {
    backend.genesis()?;
    // To its end, and a refusal into the log, also where the client closes the connection.
    let answer = tokio::spawn(async move {
        let received = propose::receive(&backend, &agent, text).await?;
        if how.assess_only {
            propose::assess_only(&backend, received).await
        } else {
            propose::propose(&backend, received).await
        }
    })
    .await
    .map_err(|_| codes::INTERNAL.because("the proposal could not be taken"))??;
    Ok((StatusCode::OK, axum::Json(answer)))
}

/// `GET /v1/proposals/{id}`: only one's own.
pub(super) async fn proposal(
    Agent(agent): Agent,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<ProposalId>,
) -> Result<axum::Json<ProposalAnswer>, Refusal> {
    let mut conn = backend.store.read().await?;
    match items::find(&mut conn, &id).await? {
        Some(item) if item.agent == agent => propose::answer(&mut conn, item).await.map(axum::Json),
        Some(_) | None => {
            Err(codes::NOT_FOUND.because(format!("there is no item `{id}` of `{agent}`")))
        }
    }
}
