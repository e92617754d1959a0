//! The figures of operations: one line of JSON each, `cargo xtask bench operations [NAME]...`.
//!
//! What is measured is the coordinator without its database: `step`, the bytes of each event as the
//! store keeps it, and the bytes of each log entry. Executors and checks answer at once.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    dead_code,
    reason = "a bench reads a clock, prints, fails by panicking, and shares its measures"
)]

#[path = "../core/measure.rs"]
mod measure;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use chrono::{DateTime, Utc};
use countersign_core::decision::digest_of_systems;
use countersign_core::envelope::{Rollout, WaveSize};
use countersign_core::identifier::{CheckId, Digest, OperationId, SystemId};
use countersign_core::log::Entry;
use countersign_core::log::body::OperationRecorded;
use countersign_core::operation::{
    CheckResult, Effect, EffectKind, Ending, Event, EventKind, Operation, Phase, step,
};
use countersign_core::proposal::ActionKind;
use measure::{Against, Figures, p99_ns, time};
use peak_alloc::PeakAlloc;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

const SYSTEMS: usize = 100_000;
const CONCURRENCY: u32 = 500;
/// Halts of which the 99th percentile is taken.
const HALTS: usize = 300;

fn main() {
    let figures = Figures::wanted(std::env::args().skip(1));
    if figures.want(&[
        "operations.cpu_per_system",
        "operations.bytes_per_system",
        "operations.growth",
    ]) {
        rollout(&figures);
    }
    if figures.want(&["operations.halt_p99", "operations.dispatched_after_trip"]) {
        halt(&figures);
    }
}

/// A coordinator that keeps nothing but what a store would keep of one step.
struct Coordinator {
    operation: Operation,
    open: VecDeque<Effect>,
    checks: BTreeSet<CheckId>,
    /// Bytes of events and entries, which a database would write.
    written: usize,
    spent: Duration,
    /// Systems dispatched once it had tripped.
    dispatched_after_trip: u64,
}

fn now() -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH
}

impl Coordinator {
    fn new(systems: usize) -> Self {
        let targets: BTreeSet<SystemId> = (1..=systems)
            .map(|n| SystemId::new(format!("host-{n:06}.example")).unwrap())
            .collect();
        let checks = BTreeSet::from([CheckId::new("up").unwrap()]);
        let rollout = Rollout {
            canary: Some(5),
            waves: vec![WaveSize::Percent(5), WaveSize::Percent(100)],
            concurrency: Some(CONCURRENCY),
            health: checks.clone(),
            ..Rollout::default()
        };
        let authority = serde_json::from_value(serde_json::json!({
            "kind": "decided",
            "decisions": [Digest::of(b"approve")],
            "targets": digest_of_systems(&targets).unwrap(),
        }))
        .unwrap();
        let id = OperationId::new("op_1").unwrap();
        let operation = Operation::new(id, authority, &targets, &rollout).unwrap();
        Self {
            operation,
            open: VecDeque::new(),
            checks,
            written: 0,
            spent: Duration::ZERO,
            dispatched_after_trip: 0,
        }
    }

    /// One transaction: the event, what it leads to, and the bytes of both.
    fn take(&mut self, kind: EventKind) {
        let event = Event { at: now(), kind };
        let operation_had_tripped = *self.operation.phase() == Phase::Halted || fails(&event.kind);
        let operation = &mut self.operation;
        let (mut written, mut asked) = (0, Vec::new());
        self.spent += time(|| {
            written += serde_json::to_vec(&event).unwrap().len();
            for effect in step(operation, event).unwrap() {
                let EffectKind::Record { record } = effect.kind else {
                    asked.push(effect);
                    continue;
                };
                let document = Digest::of(b"document");
                let id = operation.id().clone();
                let body = OperationRecorded::new(id, None, document, ActionKind::Patch, record);
                written += Entry::of(now(), &body).unwrap().to_bytes().unwrap().len();
            }
        });
        self.written += written;
        if operation_had_tripped {
            let dispatched = asked.iter().filter(|effect| dispatches(effect)).count();
            self.dispatched_after_trip += u64::try_from(dispatched).unwrap();
        }
        self.open.extend(asked);
    }

    /// Answers the oldest effect well; whether there was one.
    fn answer(&mut self) -> bool {
        while let Some(effect) = self.open.pop_front() {
            if let Some(kind) = self.well(&effect) {
                self.take(kind);
                return true;
            }
        }
        false
    }

    fn well(&self, effect: &Effect) -> Option<EventKind> {
        let sequence = effect.sequence;
        Some(match &effect.kind {
            EffectKind::Gate { .. } => EventKind::GateOpened { sequence },
            EffectKind::Snapshot { system, .. } | EffectKind::VerifyReverted { system } => {
                EventKind::SnapshotTaken {
                    sequence,
                    digest: Digest::of(system.as_str().as_bytes()),
                }
            }
            EffectKind::Apply { .. } => EventKind::Applied { sequence },
            EffectKind::Revert { .. } => EventKind::Reverted { sequence },
            EffectKind::Baseline { .. } | EffectKind::Health { .. } => {
                self.checked(effect, |measured| CheckResult::Pass { measured })
            }
            EffectKind::StartSoak { .. }
            | EffectKind::StartTimer { .. }
            | EffectKind::Record { .. }
            | EffectKind::Finished { .. } => return None,
        })
    }

    fn checked(&self, effect: &Effect, result: impl Fn(String) -> CheckResult) -> EventKind {
        let results = self.checks.iter().map(|check| {
            let measured = "200 in 12 ms".to_owned();
            (check.clone(), result(measured))
        });
        EventKind::HealthChecked {
            sequence: effect.sequence,
            results: results.collect(),
            dependents: BTreeMap::new(),
        }
    }
}

/// Microseconds of this process for each system of a whole rollout, and its peak of bytes.
fn whole(systems: usize) -> (f64, f64) {
    let before = ALLOCATED.current_usage();
    ALLOCATED.reset_peak_usage();
    let mut coordinator = Coordinator::new(systems);
    coordinator.take(EventKind::Start);
    while coordinator.answer() {}
    assert_eq!(coordinator.operation.ending(), Some(Ending::Completed));
    let peak = ALLOCATED.peak_usage().saturating_sub(before);
    let each = systems as f64;
    (
        coordinator.spent.as_nanos() as f64 / 1_000.0 / each,
        peak as f64 / each,
    )
}

fn rollout(figures: &Figures) {
    let (quarter, _) = whole(SYSTEMS / 4);
    let (each, bytes) = whole(SYSTEMS);
    figures.print(
        "operations.cpu_per_system",
        each,
        "us",
        Against::Limit(100.0),
    );
    figures.print(
        "operations.bytes_per_system",
        bytes,
        "B",
        Against::Limit(1_024.0),
    );
    // One where the cost of a system is the same in a rollout four times as large.
    figures.print(
        "operations.growth",
        each / quarter,
        "ratio",
        Against::Limit(1.5),
    );
}

fn halt(figures: &Figures) {
    let mut begun = Coordinator::new(SYSTEMS);
    begun.take(EventKind::Start);
    // Deep in the last wave, with every slot taken.
    for _ in 0..100_000 {
        begun.answer();
    }
    let mut after_trip = 0_u64;
    let mut times = Vec::new();
    for run in 0..HALTS {
        let mut coordinator = Coordinator {
            operation: begun.operation.clone(),
            open: begun.open.clone(),
            checks: begun.checks.clone(),
            written: 0,
            spent: Duration::ZERO,
            dispatched_after_trip: 0,
        };
        for _ in 0..run {
            coordinator.answer();
        }
        let failing = loop {
            let effect = coordinator.open.pop_front().unwrap();
            if matches!(effect.kind, EffectKind::Health { .. }) {
                break effect;
            }
            let answer = coordinator.well(&effect);
            if let Some(kind) = answer {
                coordinator.take(kind);
            }
        };
        coordinator.spent = Duration::ZERO;
        let kind = coordinator.checked(&failing, |measured| CheckResult::Fail { measured });
        coordinator.take(kind);
        times.push(coordinator.spent);
        assert_eq!(*coordinator.operation.phase(), Phase::Halted);
        assert!(coordinator.operation.progress().in_flight > 0);
        // What was asked for before still comes back, and leads to nothing new.
        while coordinator.answer() {}
        after_trip += coordinator.dispatched_after_trip;
    }
    times.sort();
    figures.print(
        "operations.halt_p99",
        p99_ns(&times) / 1_000_000.0,
        "ms",
        Against::Limit(10.0),
    );
    figures.print(
        "operations.dispatched_after_trip",
        after_trip as f64,
        "systems",
        Against::Nothing,
    );
}

/// Whether the event is the one that trips the breaker of these rollouts.
fn fails(event: &EventKind) -> bool {
    let EventKind::HealthChecked { results, .. } = event else {
        return false;
    };
    let failed = |result: &CheckResult| matches!(result, CheckResult::Fail { .. });
    results.values().any(failed)
}

const fn dispatches(effect: &Effect) -> bool {
    matches!(
        effect.kind,
        EffectKind::Gate { .. } | EffectKind::Snapshot { .. } | EffectKind::Apply { .. }
    )
}
