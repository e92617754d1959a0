//! What an operation costs the real store (`cargo xtask bench operations`): as much a system, however many
//! there are, and little from a failing check to the halt.
//!
//! Executors and checks answer at once and the gate is left out: what is measured is the state machine,
//! the events, the log entries and the notes, each event in a transaction of its own that is synced.
//! `COUNTERSIGN_ROLLOUT=2000,10000` measures other sizes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::assessment::QuorumRule;
use countersign_core::envelope::{Breaker, Rollout, WaveSize};
use countersign_core::identifier::{CheckId, Digest, OperationId, SystemId};
use countersign_core::operation::{
    CheckResult, Ending, EventKind, Operation, Outstanding, Phase, SystemState,
};
use countersign_server::backend::{Backend, Parts};
use countersign_server::clock::Clock;
use countersign_server::config::Config;
use countersign_server::operate::{self, Beginning};
use countersign_server::secret::SecretHash;
use countersign_server::store::{Store, operations};
use ed25519_dalek::SigningKey;
use serde_json::json;
use tempfile::TempDir;

use crate::world::patch;

const CONCURRENCY: u32 = 50;
/// Halts of which the 99th percentile is taken.
const HALTS: usize = 100;
/// Systems of an operation that is halted.
const HALTED_SYSTEMS: usize = 200;

struct Costs {
    _folder: TempDir,
    backend: Arc<Backend>,
}

impl Costs {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::new(Parts {
            store: Store::open(folder.path()).await.unwrap(),
            clock: Clock::system(),
            log_key: SigningKey::from_bytes(&[7; 32]),
            operator: SecretHash::of("operator"),
            config: Config::default(),
            listen: "127.0.0.1:0".parse().unwrap(),
        })
        .await
        .unwrap();
        Self {
            _folder: folder,
            backend,
        }
    }

    async fn begin(&self, systems: usize) -> Arc<Operation> {
        let new = Beginning {
            id: None,
            item: None,
            authority: serde_json::from_value(json!({
                "kind": "autonomous", "envelope": Digest::of(b"envelope"), "rule": "routine",
            }))
            .unwrap(),
            action: serde_json::from_value(patch()).unwrap(),
            title: "patch openssl".to_owned(),
            targets: (1..=systems)
                .map(|n| SystemId::new(format!("host-{n:06}.example")).unwrap())
                .collect(),
            rollout: Rollout {
                canary: Some(5),
                waves: vec![WaveSize::Percent(5), WaveSize::Percent(100)],
                concurrency: Some(CONCURRENCY),
                health: BTreeSet::from([CheckId::new("up").unwrap()]),
                breaker: Some(Breaker {
                    failures: Some(0),
                    ..Breaker::default()
                }),
                ..Rollout::default()
            },
            quorum: QuorumRule {
                needed: 1,
                roles: BTreeSet::new(),
            },
        };
        let mut tx = self.backend.store.begin().await.unwrap();
        let id = operate::begin(&self.backend, &mut tx, new).await.unwrap();
        let machine = tx.machine(&id).await.unwrap();
        tx.commit().await.unwrap();
        machine
    }

    /// One event, in a transaction.
    async fn take(&self, id: &OperationId, event: EventKind) -> Arc<Operation> {
        let mut tx = self.backend.store.begin().await.unwrap();
        let machine = operate::apply(&self.backend, &mut tx, id, event)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        machine
    }

    /// A whole rollout; the wall time and the time of this process for each system.
    async fn rollout(&self, systems: usize) -> (Duration, Duration) {
        let (began, cpu) = (Instant::now(), cpu_time());
        let mut machine = self.begin(systems).await;
        let id = machine.id().clone();
        loop {
            let oldest = machine.outstanding().next();
            let Some(event) = oldest.map(|oldest| answer(oldest, Health::Well)) else {
                break;
            };
            // Shared no longer, it is moved on in place.
            drop(machine);
            machine = self.take(&id, event).await;
        }
        assert_eq!(machine.ending(), Some(Ending::Completed));
        assert_eq!(machine.tally()[&SystemState::Healthy], systems as u64);
        let systems = u32::try_from(systems).unwrap();
        let spent = (began.elapsed() / systems, (cpu_time() - cpu) / systems);
        // The events, from the first, make the same of it.
        let mut conn = self.backend.store.read().await.unwrap();
        let built = operations::machine(&mut conn, &id).await.unwrap();
        assert_eq!(built, *machine);
        spent
    }

    /// From the answer of a failing check to the durable halt.
    async fn halt(&self) -> Duration {
        let mut machine = self.begin(HALTED_SYSTEMS).await;
        let id = machine.id().clone();
        loop {
            let oldest = machine.outstanding().next().unwrap();
            if oldest.state == SystemState::Health {
                break;
            }
            let event = answer(oldest, Health::Well);
            drop(machine);
            machine = self.take(&id, event).await;
        }
        let event = answer(machine.outstanding().next().unwrap(), Health::Unwell);
        drop(machine);
        let began = Instant::now();
        let machine = self.take(&id, event).await;
        let took = began.elapsed();
        assert_eq!(*machine.phase(), Phase::Halted);
        took
    }
}

enum Health {
    Well,
    Unwell,
}

fn answer(awaited: Outstanding<'_>, health: Health) -> EventKind {
    let sequence = awaited.sequence;
    match awaited.state {
        SystemState::Gate => EventKind::GateOpened { sequence },
        SystemState::Snapshot => EventKind::SnapshotTaken {
            sequence,
            digest: Digest::of(awaited.system.as_str().as_bytes()),
        },
        SystemState::Apply => EventKind::Applied { sequence },
        SystemState::Baseline | SystemState::Health => {
            let measured = "200 in 12 ms".to_owned();
            let result = match health {
                Health::Well => CheckResult::Pass { measured },
                Health::Unwell => CheckResult::Fail { measured },
            };
            EventKind::HealthChecked {
                sequence,
                results: BTreeMap::from([(CheckId::new("up").unwrap(), result)]),
                dependents: BTreeMap::new(),
            }
        }
        other @ (SystemState::Pending
        | SystemState::AlreadyUnhealthy
        | SystemState::LeftOut
        | SystemState::Healthy
        | SystemState::Unchecked
        | SystemState::Failed
        | SystemState::Undecidable
        | SystemState::Unknown
        | SystemState::Revert
        | SystemState::RevertHealth
        | SystemState::RevertSnapshot
        | SystemState::RolledBack
        | SystemState::RollbackFailed) => {
            panic!("{other:?} is not awaited in a rollout that goes well")
        }
    }
}

/// What this process has used of the processors, to a hundredth of a second.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    let ticks = |at: usize| -> u64 { fields.get(at).and_then(|n| n.parse().ok()).unwrap_or(0) };
    Duration::from_millis((ticks(11) + ticks(12)) * 10)
}

/// A line of JSON, as `cargo xtask bench` prints them; less is better.
fn print(name: &str, value: f64, unit: &str, limit: Option<f64>) {
    let against = limit.map(|_| "limit");
    let ratio = limit.map(|limit| (limit / value * 100.0).round() / 100.0);
    let value = (value * 1_000.0).round() / 1_000.0;
    println!(
        "{}",
        json!({"name": format!("operations.{name}"), "value": value, "unit": unit, "against": against,
               "against_value": limit, "ratio": ratio})
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: `cargo xtask bench operations`"]
async fn of_a_system_however_many_there_are() {
    let sizes: Vec<usize> = std::env::var("COUNTERSIGN_ROLLOUT").map_or_else(
        |_| vec![1_000, 5_000],
        |text| text.split(',').map(|n| n.parse().unwrap()).collect(),
    );
    let costs = Costs::new().await;
    let mut spent = Vec::new();
    for systems in sizes {
        let (wall, cpu) = costs.rollout(systems).await;
        let us = |time: Duration| time.as_secs_f64() * 1e6;
        print(
            &format!("stored_per_system_{systems}"),
            us(wall),
            "us",
            None,
        );
        print(
            &format!("stored_cpu_per_system_{systems}"),
            us(cpu),
            "us",
            None,
        );
        spent.push(wall);
    }
    let ratio = spent.last().unwrap().as_secs_f64() / spent.first().unwrap().as_secs_f64();
    print("stored_growth", ratio, "times", Some(1.5));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement: `cargo xtask bench operations`"]
async fn from_a_failing_check_to_the_halt() {
    let costs = Costs::new().await;
    let mut halts = Vec::new();
    for _ in 0..HALTS {
        halts.push(costs.halt().await);
    }
    halts.sort();
    let p99 = halts[(halts.len() * 99).div_ceil(100) - 1];
    print("stored_halt_p99", p99.as_secs_f64() * 1e3, "ms", Some(10.0));
}
