//! Standing alerts (AG-706 4.4): what a rollout names about the whole is asked over and over while it
//! runs, so that no dispatch rests on an answer older than [`limits::ALERTS_EVERY`]; whatever does not
//! pass halts it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use countersign_core::identifier::{CheckId, OperationId};
use countersign_core::operation::{CheckResult, EventKind};
use countersign_wire::operation::OperationState;

use crate::backend::Backend;
use crate::limits;
use crate::operate::{self, OperateError};
use crate::runner;
use crate::store::StoreError;
use crate::store::operations::{self, Head};

/// An alert that does not pass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    check: CheckId,
    found: String,
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the alert {}: {}", self.check, self.found)
    }
}

impl From<Alert> for EventKind {
    fn from(Alert { check, found }: Alert) -> Self {
        Self::Halt {
            source: format!("the alert {check}"),
            reason: found,
        }
    }
}

/// Which operations had nothing to be alarmed about a moment ago, so that many dispatches ask once.
#[derive(Debug, Default)]
pub struct Calm(Mutex<BTreeMap<OperationId, Instant>>);

impl Calm {
    fn lately(&self, id: &OperationId) -> bool {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(id)
            .is_some_and(|at| at.elapsed() < limits::ALERTS_EVERY)
    }

    fn note(&self, id: &OperationId, asked: Instant) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, at| at.elapsed() < limits::ALERTS_EVERY);
        known.insert(id.clone(), asked);
    }
}

/// The alert under which an operation must not go on, if there is one.
///
/// # Errors
/// [`StoreError`].
pub async fn firing(backend: &Backend, stored: &Head) -> Result<Option<Alert>, StoreError> {
    if stored.rollout.alerts.is_empty() || backend.calm.lately(&stored.id) {
        return Ok(None);
    }
    let asked = Instant::now();
    let envelope = runner::envelope_of(backend, stored).await?;
    let results = backend
        .prober
        .alerts(envelope.as_deref(), &stored.rollout.alerts)
        .await;
    let alert = results
        .into_iter()
        .find_map(|(check, result)| match result {
            CheckResult::Pass { .. } => None,
            CheckResult::Fail { measured } => Some(Alert {
                check,
                found: measured,
            }),
            CheckResult::NoData { reason } => Some(Alert {
                check,
                found: format!("no data: {reason}"),
            }),
        });
    if alert.is_none() {
        backend.calm.note(&stored.id, asked);
    }
    Ok(alert)
}

/// Asks the alerts of running operations until the backend stops.
pub async fn run(backend: Arc<Backend>) {
    let mut stopping = backend.stopping.subscribe();
    loop {
        tokio::select! {
            _ = stopping.wait_for(|stopping| *stopping) => break,
            () = tokio::time::sleep(limits::ALERTS_EVERY) => {}
        }
        if backend.sealed().is_none() || backend.store.is_stopped() {
            continue;
        }
        if let Err(error) = ask_all(&backend).await {
            tracing::error!(%error, "the alerts of operations could not be asked");
        }
    }
}

async fn ask_all(backend: &Arc<Backend>) -> Result<(), OperateError> {
    let unfinished = operations::unfinished_heads(&mut *backend.store.read().await?).await?;
    let running = unfinished
        .into_iter()
        .filter(|head| head.state == OperationState::Running);
    let asked = running.map(|stored| async move {
        // One that cannot be asked about keeps no other one waiting.
        if let Err(error) = ask_one(backend, &stored).await {
            tracing::error!(operation = %stored.id, %error, "its alerts could not be asked");
        }
    });
    futures::future::join_all(asked).await;
    Ok(())
}

async fn ask_one(backend: &Arc<Backend>, stored: &Head) -> Result<(), OperateError> {
    let Some(alert) = firing(backend, stored).await? else {
        return Ok(());
    };
    let mut tx = backend.store.begin().await?;
    operate::apply(backend, &mut tx, &stored.id, alert.into()).await?;
    Ok(tx.commit().await?)
}
