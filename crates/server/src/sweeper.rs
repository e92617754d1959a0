//! What happens by itself: items expire, held operations are looked at again, drills begin, nonces and
//! sessions are forgotten, strangers' refusals are logged.

use std::sync::Arc;
use std::time::Instant;

use countersign_core::log::EntryKind;
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::ItemState;
use serde_json::json;

use crate::backend::Backend;
use crate::gate;
use crate::limits;
use crate::operate::OperateError;
use crate::problem::Refusal;
use crate::propose::close;
use crate::schedule;
use crate::store::log::About;
use crate::store::{StoreError, items, operations};

/// Items that expire in one transaction.
const EXPIRED_AT_ONCE: u32 = 100;

/// Runs until the backend stops.
pub async fn run(backend: Arc<Backend>) {
    let mut stopping = backend.stopping.subscribe();
    let mut logged = Instant::now();
    let mut looked = Instant::now();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(limits::SWEEP_EVERY) => {}
        }
        if backend.sealed().is_none() || backend.store.is_stopped() {
            continue;
        }
        if let Err(error) = expire(&backend).await {
            tracing::error!(%error, "expired items could not be closed");
        }
        if looked.elapsed() >= limits::LOOK_AGAIN_EVERY {
            looked = Instant::now();
            if let Err(error) = look_again(&backend).await {
                tracing::error!(%error, "held operations could not be looked at");
            }
            if let Err(error) = schedule::look(&backend).await {
                tracing::error!(%error, "the schedule of drills could not be looked at");
            }
        }
        if logged.elapsed() >= limits::REFUSALS_EVERY {
            logged = Instant::now();
            tidy(&backend).await;
        }
    }
    tidy(&backend).await;
}

/// Closes items that are void by now.
///
/// # Errors
/// [`StoreError`].
pub async fn expire(backend: &Backend) -> Result<(), StoreError> {
    let now = backend.clock.now();
    if items::expired(&mut *backend.store.read().await?, now, 1)
        .await?
        .is_empty()
    {
        return Ok(());
    }
    let mut tx = backend.store.begin().await?;
    for item in items::expired(&mut tx, now, EXPIRED_AT_ONCE).await? {
        close(
            &mut tx,
            &item,
            ItemState::Expired,
            "Nobody decided in time; stop.",
            now,
        )
        .await?;
    }
    tx.commit().await
}

async fn look_again(backend: &Arc<Backend>) -> Result<(), OperateError> {
    let held = operations::unfinished_heads(&mut *backend.store.read().await?).await?;
    for operation in held
        .into_iter()
        .filter(|operation| operation.state == OperationState::Held)
    {
        // One that cannot be looked at keeps no other one waiting.
        if let Err(error) = gate::look_again(backend, &operation.id).await {
            tracing::error!(operation = %operation.id, %error, "a held operation could not be looked at");
        }
    }
    Ok(())
}

async fn tidy(backend: &Backend) {
    if backend.sealed().is_none() || backend.store.is_stopped() {
        return;
    }
    let counted = backend.refusals.take();
    if let Err(error) = try_tidy(backend, &counted).await {
        tracing::error!(%error, "tidying failed");
        backend.refusals.put_back(counted);
    }
}

async fn try_tidy(
    backend: &Backend,
    counted: &std::collections::BTreeMap<String, u64>,
) -> Result<(), Refusal> {
    let now = backend.clock.now();
    let mut tx = backend.change().await?;
    let ago = |span| now.checked_sub_signed(span).unwrap_or(now);
    tx.forget_nonces(ago(limits::UNUSED_NONCE_MEMORY), ago(limits::NONCE_MEMORY))
        .await?;
    tx.forget_sessions(now).await?;
    for (code, count) in counted {
        let body = json!({"code": code, "count": count, "until": now});
        tx.note(now, EntryKind::RefusalsAggregated, &About::nothing(), body)
            .await?;
    }
    tx.commit().await?;
    Ok(())
}
