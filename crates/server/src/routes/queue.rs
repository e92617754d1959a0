//! The queue and its briefings, for people.

use std::sync::Arc;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use countersign_core::identifier::ProposalId;
use countersign_wire::decision::About;
use countersign_wire::queue::{DecisionSummary, Queue, QueueItem};
use serde::Deserialize;

use super::sessions::name_of;
use crate::auth::Session;
use crate::backend::Backend;
use crate::body::{self, Path, Query};
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::schedule;
use crate::store::items::{self, Cursor, Item, Part};
use crate::store::{Conn, decisions, log, payloads, registry};

/// Which page.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    #[serde(default = "open")]
    state: Part,
    cursor: Option<String>,
    limit: Option<u32>,
}

const fn open() -> Part {
    Part::Open
}

/// `GET /v1/queue?state=open|closed&cursor=…&limit=…`.
pub(super) async fn page(
    _: Session,
    State(backend): State<Arc<Backend>>,
    Query(page): Query<Page>,
) -> Result<axum::Json<Queue>, Refusal> {
    let after = page.cursor.as_deref().map(read_cursor).transpose()?;
    let limit = page
        .limit
        .unwrap_or(limits::PAGE_DEFAULT)
        .clamp(1, limits::PAGE_MAX);
    let mut conn = backend.store.read().await?;
    let found = items::page(&mut conn, page.state, after.as_ref(), limit).await?;
    let full = u32::try_from(found.len()).is_ok_and(|found| found >= limit);
    let next = found
        .last()
        .filter(|_| full)
        .map(|last| write_cursor(page.state, last));
    let mut shown = Vec::with_capacity(found.len());
    for item in found {
        shown.push(show(&backend, &mut conn, item).await?);
    }
    let size = log::size(&mut conn).await?;
    let notices = match &page.cursor {
        None => schedule::notices(&backend, &mut conn).await?,
        Some(_) => Vec::new(),
    };
    Ok(axum::Json(Queue {
        notices,
        items: shown,
        next,
        now: backend.clock.now(),
        at: size.saturating_sub(1),
    }))
}

fn read_cursor(text: &str) -> Result<Cursor, Refusal> {
    text.split_once('.')
        .and_then(|(ms, id)| {
            Some(Cursor {
                ms: ms.parse().ok()?,
                id: id.to_owned(),
            })
        })
        .ok_or_else(|| {
            codes::PARAMETER_INVALID
                .because("the cursor is not one that a page gave; begin without")
        })
}

fn write_cursor(part: Part, item: &Item) -> String {
    let at = match part {
        Part::Open => item.expires_at,
        Part::Closed => item.closed_at.unwrap_or(item.received_at),
    };
    format!("{}.{}", at.timestamp_millis(), item.id)
}

async fn show(backend: &Backend, conn: &mut Conn, item: Item) -> Result<QueueItem, Refusal> {
    let decisions = summaries(backend, conn, &About::Item(item.id.clone())).await?;
    Ok(QueueItem {
        title: item.card.title,
        action: item.card.action,
        operated_by: registry::operators(conn, &item.agent).await?,
        agent: item.agent,
        state: item.state,
        scope: item.card.scope,
        targets: item.card.targets,
        down: item.card.down,
        why: item.card.why,
        quorum: item.card.quorum,
        decisions,
        briefing: item.briefing,
        assessed_in: log::assessed(conn, &item.id).await?,
        received_at: item.received_at,
        expires_at: item.expires_at,
        supersedes: item.supersedes,
        operation: item.operation,
        id: item.id,
    })
}

/// The decisions about something, for people.
pub(super) async fn summaries(
    backend: &Backend,
    conn: &mut Conn,
    about: &About,
) -> Result<Vec<DecisionSummary>, Refusal> {
    let sealed = backend.genesis()?;
    let mut shown = Vec::new();
    for decision in decisions::about(conn, about).await? {
        shown.push(DecisionSummary {
            decision: decision.digest,
            kind: decision.kind,
            name: name_of(conn, &sealed, &decision.approver).await?,
            approver: decision.approver,
            decided_at: decision.decided_at,
            narrowed: decision.narrowed,
        });
    }
    Ok(shown)
}

async fn find(conn: &mut Conn, id: &ProposalId) -> Result<Item, Refusal> {
    items::find(conn, id)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no item `{id}`")))
}

/// `GET /v1/queue/{id}`.
pub(super) async fn item(
    _: Session,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<ProposalId>,
) -> Result<axum::Json<QueueItem>, Refusal> {
    let mut conn = backend.store.read().await?;
    let item = find(&mut conn, &id).await?;
    show(&backend, &mut conn, item).await.map(axum::Json)
}

/// `GET /v1/briefings/{id}`: the exact bytes that approvers sign for.
pub(super) async fn briefing(
    _: Session,
    State(backend): State<Arc<Backend>>,
    Path(id): Path<ProposalId>,
    headers: HeaderMap,
) -> Result<Response, Refusal> {
    let mut conn = backend.store.read().await?;
    let item = find(&mut conn, &id).await?;
    let bytes = payloads::get(&mut conn, item.briefing).await?;
    Ok(body::document(&headers, item.briefing, bytes))
}
