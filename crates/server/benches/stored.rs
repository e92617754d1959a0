//! What an operation costs the real store, one line of JSON each: `cargo xtask bench operations
//! operations.stored`.
//!
//! Executors and checks answer at once and the gate is left out: what is measured is the state machine,
//! the events, the log entries and the notes, each event in a transaction of its own that is synced.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    dead_code,
    reason = "a bench reads a clock, prints, fails by panicking, and shares its measures"
)]

#[path = "../../core/benches/core/measure.rs"]
mod measure;

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
use measure::{Against, Figures, p99_ns};
use serde_json::json;
use tempfile::TempDir;

const CONCURRENCY: u32 = 50;
/// Halts of which the 99th percentile is taken.
const HALTS: usize = 100;
/// Systems of an operation that is halted.
const HALTED_SYSTEMS: usize = 200;
/// Systems of the two rollouts that are held against each other.
const SIZES: [usize; 2] = [2_000, 10_000];

fn main() {
    let figures = Figures::wanted(std::env::args().skip(1));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    if figures.want(&[
        "operations.stored_per_system",
        "operations.stored_cpu_per_system",
        "operations.stored_growth",
    ]) {
        runtime.block_on(rollouts(&figures));
    }
    if figures.want(&["operations.stored_halt_p99"]) {
        runtime.block_on(halts(&figures));
    }
}

/// What a system costs, however many there are.
async fn rollouts(figures: &Figures) {
    let costs = Costs::new().await;
    let mut spent = Vec::new();
    for systems in SIZES {
        let (wall, cpu) = costs.rollout(systems).await;
        for (name, time) in [("stored_per_system", wall), ("stored_cpu_per_system", cpu)] {
            figures.print(
                &format!("operations.{name}_{systems}"),
                time.as_secs_f64() * 1e6,
                "us",
                Against::Nothing,
            );
        }
        spent.push(wall);
    }
    let growth = spent[1].as_secs_f64() / spent[0].as_secs_f64();
    figures.print(
        "operations.stored_growth",
        growth,
        "times",
        Against::Limit(1.5),
    );
}

/// From a failing check to the halt.
async fn halts(figures: &Figures) {
    let costs = Costs::new().await;
    let mut halts = Vec::new();
    for _ in 0..HALTS {
        halts.push(costs.halt().await);
    }
    halts.sort();
    figures.print(
        "operations.stored_halt_p99",
        p99_ns(&halts) / 1e6,
        "ms",
        Against::Limit(10.0),
    );
}

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
            action: serde_json::from_value(json!({
                "type": "patch", "parameters": {"package": "openssl", "to_version": "3"},
            }))
            .unwrap(),
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
