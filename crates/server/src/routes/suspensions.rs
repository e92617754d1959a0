//! Suspensions of autonomy: what is suspended now, and how one begins.

use std::sync::Arc;

use axum::extract::State;
use countersign_core::webauthn::Bytes;
use countersign_wire::decision::{About, DecisionAccepted};
use countersign_wire::suspension::{SuspendAutonomy, Suspension, Suspensions};

use super::decisions::take;
use super::queue::summaries;
use crate::auth::{Reader, Session};
use crate::backend::Backend;
use crate::body::Json;
use crate::decide::resume_quorum;
use crate::problem::Refusal;
use crate::store::{Conn, log, payloads};
use crate::suspended::{self, InForce};

/// `GET /v1/suspensions`: those in force, the oldest first.
pub(super) async fn list(
    _: Reader,
    State(backend): State<Arc<Backend>>,
) -> Result<axum::Json<Suspensions>, Refusal> {
    let mut conn = backend.store.read().await?;
    let mut shown = Vec::new();
    for suspension in suspended::in_force(&backend, &mut conn).await?.iter() {
        shown.push(show(&backend, &mut conn, suspension).await?);
    }
    let size = log::size(&mut conn).await?;
    Ok(axum::Json(Suspensions {
        suspensions: shown,
        at: size.saturating_sub(1),
    }))
}

async fn show(
    backend: &Backend,
    conn: &mut Conn,
    suspension: &InForce,
) -> Result<Suspension, Refusal> {
    let about = About::Suspension(suspension.digest);
    let now = backend.clock.now();
    let sealed = backend.genesis()?;
    let signed = suspended::signed(&sealed.roster, conn, suspension, now).await?;
    let missing = resume_quorum(&signed, now)?.err().unwrap_or_else(|| {
        "the log's entry that two people resumed it does not hold; sign again in an hour".to_owned()
    });
    let suspended = &suspension.suspended;
    Ok(Suspension {
        digest: suspension.digest,
        suspends: suspended.suspends.clone(),
        by: suspended.by.clone(),
        since: suspended.since,
        sentence: suspended.to_string(),
        index: suspension.index,
        document: Bytes(payloads::get(conn, suspension.digest).await?),
        entry: Bytes(suspension.entry.clone()),
        decisions: summaries(backend, conn, &about).await?,
        resumed_by: signed
            .iter()
            .map(|decision| decision.approver().id.clone())
            .collect(),
        missing,
    })
}

/// `POST /v1/suspensions`: a decision to suspend, with the document that it is about.
pub(super) async fn suspend(
    session: Result<Session, Refusal>,
    State(backend): State<Arc<Backend>>,
    submitted: Result<Json<SuspendAutonomy>, Refusal>,
) -> Result<axum::Json<DecisionAccepted>, Refusal> {
    let submitted =
        submitted.map(|Json(SuspendAutonomy { document, decision })| (decision, Some(document.0)));
    take(backend, session, submitted).await
}
