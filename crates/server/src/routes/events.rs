//! Live events: the log itself, as it grows (DESIGN §9). Notification is a hint, reading is the truth.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use countersign_core::identifier::{OperationId, ProposalId};
use countersign_wire::view::Changed;
use futures::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, watch};

use crate::auth::Reader;
use crate::backend::Backend;
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::store::{StoreError, log, word};

/// How often a comment keeps a silent stream open.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

struct Follower {
    backend: Arc<Backend>,
    sizes: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
    /// The next entry to send.
    next: u64,
    pending: VecDeque<Event>,
    reader: Reader,
    _permit: OwnedSemaphorePermit,
}

/// `GET /v1/events`: from the entry after `Last-Event-ID` on, or from the next one.
pub(super) async fn stream(
    reader: Reader,
    State(backend): State<Arc<Backend>>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Refusal> {
    let permit = Arc::clone(&backend.streams)
        .try_acquire_owned()
        .map_err(|_| {
            codes::TOO_MANY_REQUESTS.because("too many live streams are open; close one")
        })?;
    let last = match headers.get("last-event-id") {
        None => None,
        Some(value) => Some(
            value
                .to_str()
                .ok()
                .and_then(|text| text.parse::<u64>().ok())
                .ok_or_else(|| {
                    codes::PARAMETER_INVALID.because("`Last-Event-ID` is the index of a log entry")
                })?,
        ),
    };
    let sizes = backend.store.sizes();
    let size = log::size(&mut *backend.store.read().await?).await?;
    let next = last.map_or(size, |last| last.saturating_add(1).min(size));
    let stopping = backend.stopping.subscribe();
    let follower = Follower {
        backend,
        sizes,
        stopping,
        next,
        pending: VecDeque::new(),
        reader,
        _permit: permit,
    };
    let events = stream::unfold(follower, |mut follower| async move {
        let event = follower.next_event().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

impl Follower {
    /// The next event; none when the backend stops, its store fails or the session is over, after
    /// which clients reconnect. Each look at the log is a look at the session as well.
    async fn next_event(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.pending.pop_front() {
                return Some(event);
            }
            if *self.stopping.borrow() || !self.reader.still_may(&self.backend).await {
                return None;
            }
            match self.read().await {
                Ok(()) if self.pending.is_empty() => {}
                Ok(()) => continue,
                Err(error) => {
                    tracing::warn!(%error, "a live stream ends");
                    return None;
                }
            }
            tokio::select! {
                changed = self.sizes.changed() => changed.ok()?,
                changed = self.stopping.changed() => changed.ok()?,
                () = tokio::time::sleep(limits::EVENTS_POLL) => {}
            }
        }
    }

    async fn read(&mut self) -> Result<(), StoreError> {
        let mut conn = self.backend.store.read().await?;
        for entry in log::entries(&mut conn, self.next, limits::EVENTS_BATCH).await? {
            let changed = Changed {
                index: entry.index,
                kind: word(&entry.kind)?,
                item: entry.about.item.as_ref().map(ProposalId::to_string),
                operation: entry.about.operation.as_ref().map(OperationId::to_string),
            };
            let event = Event::default()
                .event("changed")
                .id(entry.index.to_string())
                .json_data(&changed)
                .map_err(|error| StoreError::Damaged(error.to_string()))?;
            self.pending.push_back(event);
            self.next = entry.index.saturating_add(1);
        }
        Ok(())
    }
}
