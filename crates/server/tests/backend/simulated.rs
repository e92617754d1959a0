//! The simulator's stories on the real store: each event in a transaction of SQLite, some of them dropped
//! half way, and after each crash a backend that has nothing but the folder (DESIGN §8).

#[path = "../../../core/tests/simulation/simulator/mod.rs"]
#[expect(dead_code, reason = "the store in memory is not used here")]
mod simulator;

use std::collections::BTreeSet;
use std::fmt::Display;
use std::sync::Arc;

use countersign_core::assessment::QuorumRule;
use countersign_core::envelope::Rollout;
use countersign_core::identifier::OperationId;
use countersign_core::log::body::OperationRecorded;
use countersign_core::log::{Entry, EntryKind};
use countersign_core::operation::{Event, Operation, Record};
use countersign_server::backend::{Backend, Parts};
use countersign_server::clock::Clock;
use countersign_server::config::Config;
use countersign_server::operate::{self, Beginning};
use countersign_server::secret::SecretHash;
use countersign_server::store::log::{self, About};
use countersign_server::store::{Store, operations};
use ed25519_dalek::SigningKey;
use tempfile::TempDir;
use tokio::runtime::Runtime;

use self::simulator::{NO_BUG, Report, Sow, Violation, run_on};
use crate::world::patch;

/// Stories told; each costs a transaction an event.
const SEEDS: u64 = 30;

/// One change in so many is dropped before its commit, and made again.
const DROPPED_EVERY: u64 = 5;

/// The backend's store with one operation.
struct Database {
    runtime: Runtime,
    folder: TempDir,
    backend: Arc<Backend>,
    id: OperationId,
    changes: u64,
}

fn failed(error: impl Display) -> Violation {
    Violation(format!("the store: {error}"))
}

/// A backend on what the folder holds.
async fn open(folder: &TempDir) -> Result<Arc<Backend>, Violation> {
    Backend::new(Parts {
        store: Store::open(folder.path()).await.map_err(failed)?,
        clock: Clock::system(),
        log_key: SigningKey::from_bytes(&[7; 32]),
        operator: SecretHash::of("operator"),
        config: Config::default(),
        listen: ([127, 0, 0, 1], 0).into(),
    })
    .await
    .map_err(failed)
}

impl Database {
    fn found(operation: &Operation, rollout: &Rollout) -> Result<Self, Violation> {
        let runtime = Runtime::new().map_err(failed)?;
        let folder = tempfile::tempdir().map_err(failed)?;
        let backend = runtime.block_on(open(&folder))?;
        let new = Beginning {
            id: Some(operation.id().clone()),
            item: None,
            authority: operation.authority().clone(),
            action: serde_json::from_value(patch()).map_err(failed)?,
            title: "patch openssl".to_owned(),
            targets: operation.remaining(),
            rollout: rollout.clone(),
            quorum: QuorumRule {
                needed: 1,
                roles: BTreeSet::new(),
            },
        };
        let id = runtime.block_on(async {
            let mut tx = backend.store.begin().await.map_err(failed)?;
            let id = operate::add(&backend, &mut tx, new).await.map_err(failed)?;
            tx.commit().await.map_err(failed)?;
            Ok(id)
        })?;
        Ok(Self {
            runtime,
            folder,
            backend,
            id,
            changes: 0,
        })
    }
}

impl simulator::Store for Database {
    fn commit(&mut self, event: Event, after: &Operation, _: Vec<Record>) -> Result<(), Violation> {
        self.changes += 1;
        let is_dropped = self.changes.is_multiple_of(DROPPED_EVERY);
        self.runtime.block_on(async {
            if is_dropped {
                let mut tx = self.backend.store.begin().await.map_err(failed)?;
                operate::take(&self.backend, &mut tx, &self.id, event.clone())
                    .await
                    .map_err(failed)?;
            }
            let mut tx = self.backend.store.begin().await.map_err(failed)?;
            let taken = operate::take(&self.backend, &mut tx, &self.id, event)
                .await
                .map_err(failed)?;
            tx.commit().await.map_err(failed)?;
            if *taken == *after {
                Ok(())
            } else {
                Err(Violation(
                    "the backend made something else of it".to_owned(),
                ))
            }
        })
    }

    fn load(&mut self, _: Sow<'_>) -> Result<Operation, Violation> {
        self.runtime.block_on(async {
            self.backend = open(&self.folder).await?;
            let mut conn = self.backend.store.read().await.map_err(failed)?;
            operations::machine(&mut conn, &self.id)
                .await
                .map_err(failed)
        })
    }

    fn log(&mut self) -> Result<Vec<Record>, Violation> {
        self.runtime.block_on(async {
            let mut conn = self.backend.store.read().await.map_err(failed)?;
            let about = About::operation(&self.id, None);
            let found = log::entries_about(&mut conn, &about, u32::MAX)
                .await
                .map_err(failed)?
                .unwrap_or_default();
            let record = |bytes: &[u8]| {
                let entry = Entry::from_bytes(bytes).map_err(failed)?;
                let body: OperationRecorded = entry.body().map_err(failed)?;
                Ok(body.record)
            };
            found
                .iter()
                .filter(|entry| entry.kind != EntryKind::DrillRecorded)
                .map(|entry| record(&entry.bytes))
                .collect()
        })
    }
}

#[test]
fn no_story_breaks_an_invariant_on_the_real_store() {
    let mut report = Report::default();
    for seed in 0..SEEDS {
        match run_on(seed, NO_BUG, Database::found) {
            Ok(one) => report.add(one),
            Err(violation) => panic!("seed {seed}: {}", violation.0),
        }
    }
    for fault in [
        "crash before the commit",
        "crash between two effects",
        "crash after the commit",
        "answer lost",
        "answer doubled",
        "clock jump",
        "concurrent decision",
    ] {
        assert!(report.faults.contains_key(fault), "{fault}: {report:#?}");
    }
    assert!(report.endings.len() > 1, "{report:#?}");
}
