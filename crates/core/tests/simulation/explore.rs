//! Every order of every answer, restart and decision, for 3 systems in 2 waves (stateright).
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};

use chrono::{DateTime, Utc};
use countersign_core::decision::digest_of_systems;
use countersign_core::envelope::{Breaker, Rollout};
use countersign_core::identifier::{CheckId, Digest, OperationId, SystemId};
use countersign_core::operation::{
    CheckResult, Effect, EffectKind, Ending, Event, EventKind, Operation, Phase, Record, Sequence,
    SystemState, step,
};
use serde_json::{Value, json};
use stateright::{Checker as _, Model, Property};

/// The systems of the model.
const SYSTEMS: usize = 3;

/// An operation, and what was seen of it that its invariants are about.
#[derive(Debug, Clone)]
struct State {
    operation: Operation,
    applies: BTreeMap<SystemId, u32>,
    /// What went wrong, in words.
    wrong: Option<&'static str>,
    /// All of the above as far as it decides what can happen: without the numbers of past effects.
    key: String,
}

impl PartialEq for State {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key
    }
}

impl Eq for State {}

impl Hash for State {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key.hash(state);
    }
}

/// The numbers of effects only name them: two states that differ in nothing else are one.
fn key(operation: &Operation, applies: &BTreeMap<SystemId, u32>, wrong: Option<&str>) -> String {
    let mut value = serde_json::to_value(operation).unwrap();
    let members = value.as_object_mut().unwrap();
    for name in [
        "id",
        "authority",
        "limits",
        "wave_ends",
        "last_sequence",
        "watch",
        "trip",
    ] {
        members.remove(name);
    }
    let flights: Vec<&SystemId> = operation.outstanding().map(|out| out.system).collect();
    members.insert("flights".to_owned(), json!(flights));
    if let Some(phase) = members.get_mut("phase").and_then(Value::as_object_mut) {
        phase.remove("timer");
        phase.remove("reason");
    }
    for system in members["systems"].as_array_mut().unwrap() {
        system.as_object_mut().unwrap().remove("failure");
    }
    json!([value, applies, wrong, operation.trip().is_some()]).to_string()
}

struct Exploration {
    begin: State,
    checks: BTreeSet<CheckId>,
}

fn at() -> DateTime<Utc> {
    DateTime::<Utc>::UNIX_EPOCH
}

impl Exploration {
    fn new(concurrency: u32) -> Self {
        let targets: BTreeSet<SystemId> = (1..=SYSTEMS)
            .map(|n| SystemId::new(format!("s{n}")).unwrap())
            .collect();
        let checks = BTreeSet::from([CheckId::new("up").unwrap()]);
        let rollout = Rollout {
            canary: Some(1),
            concurrency: Some(concurrency),
            health: checks.clone(),
            breaker: Some(Breaker {
                failures: Some(0),
                attempts_per_system: Some(1),
                ..Breaker::default()
            }),
            ..Rollout::default()
        };
        let authority = serde_json::from_value(json!({
            "kind": "decided",
            "decisions": [Digest::of(b"approve")],
            "targets": digest_of_systems(&targets).unwrap(),
        }))
        .unwrap();
        let id = OperationId::new("op_1").unwrap();
        let operation = Operation::new(id, authority, &targets, &rollout).unwrap();
        assert_eq!(operation.waves().count(), 2);
        let applies = BTreeMap::new();
        let begin = State {
            key: key(&operation, &applies, None),
            operation,
            applies,
            wrong: None,
        };
        Self { begin, checks }
    }

    fn answers(&self, sequence: Sequence, state: SystemState, system: &SystemId) -> Vec<EventKind> {
        let reason = || "explored".to_owned();
        let lost = EventKind::Lost {
            sequence,
            reason: reason(),
        };
        let failed = EventKind::ExecutorFailed {
            sequence,
            reason: reason(),
        };
        let digest = Digest::of(system.as_str().as_bytes());
        let checked = |result: CheckResult| EventKind::HealthChecked {
            sequence,
            results: self
                .checks
                .iter()
                .map(|c| (c.clone(), result.clone()))
                .collect(),
            dependents: BTreeMap::new(),
        };
        match state {
            SystemState::Gate => vec![
                EventKind::GateOpened { sequence },
                EventKind::GateClosed {
                    sequence,
                    reason: reason(),
                },
            ],
            SystemState::Snapshot => {
                vec![EventKind::SnapshotTaken { sequence, digest }, failed, lost]
            }
            SystemState::RevertSnapshot => vec![
                EventKind::SnapshotTaken { sequence, digest },
                EventKind::SnapshotTaken {
                    sequence,
                    digest: Digest::of(b"changed"),
                },
                lost,
            ],
            SystemState::Baseline | SystemState::Health | SystemState::RevertHealth => vec![
                checked(CheckResult::Pass { measured: reason() }),
                checked(CheckResult::Fail { measured: reason() }),
                checked(CheckResult::NoData { reason: reason() }),
                lost,
            ],
            SystemState::Apply => vec![EventKind::Applied { sequence }, failed, lost],
            SystemState::Revert => vec![EventKind::Reverted { sequence }, failed, lost],
            SystemState::Pending
            | SystemState::AlreadyUnhealthy
            | SystemState::LeftOut
            | SystemState::Healthy
            | SystemState::Unchecked
            | SystemState::Failed
            | SystemState::Undecidable
            | SystemState::Unknown
            | SystemState::RolledBack
            | SystemState::RollbackFailed => panic!("{state:?} is not in flight"),
        }
    }
}

/// What is wrong with a step from `before`.
fn wrong(
    before: &Operation,
    event: &EventKind,
    effects: &[Effect],
    after: &Operation,
    applies: &BTreeMap<SystemId, u32>,
    concurrency: u64,
) -> Option<&'static str> {
    let stopped = matches!(
        before.phase(),
        Phase::Held { .. }
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. }
            | Phase::Ended { .. }
    );
    let goes_on = matches!(event, EventKind::Continue { .. } | EventKind::Reopened);
    let dispatches = |effect: &Effect| {
        matches!(
            effect.kind,
            EffectKind::Gate { .. } | EffectKind::Snapshot { .. } | EffectKind::Apply { .. }
        )
    };
    let sent = |effect: &Effect| {
        matches!(
            effect.kind,
            EffectKind::Snapshot { .. } | EffectKind::Apply { .. }
        )
    };
    if stopped && !goes_on && effects.iter().any(dispatches) {
        return Some("dispatched after a stop");
    }
    if effects.iter().any(sent) && !matches!(event, EventKind::GateOpened { .. }) {
        return Some("dispatched without a gate");
    }
    if before.ending().is_some() && (before != after || !effects.is_empty()) {
        return Some("moved after its end");
    }
    if applies.values().any(|times| *times > 1) {
        return Some("applied twice");
    }
    if after.progress().in_flight > concurrency {
        return Some("too many in flight");
    }
    let touched = after.touched();
    if touched.iter().ne(applies.keys()) {
        return Some("touched is not what was applied");
    }
    let strange = |effect: &Effect| matches!(&effect.kind, EffectKind::Revert { system, .. } if !touched.contains(system));
    if effects.iter().any(strange) {
        return Some("reverted what was not touched");
    }
    let back = |system: &countersign_core::operation::System| {
        !system.is_touched() || system.state() == SystemState::RolledBack
    };
    if after.ending() == Some(Ending::RolledBack) && !after.systems().iter().all(back) {
        return Some("called rolled back, and is not");
    }
    let told = |system: &SystemId| {
        effects.iter().any(|effect| {
            let EffectKind::Record { record } = &effect.kind else {
                return false;
            };
            matches!(record, Record::Touched { system: told, .. } if told == system)
        })
    };
    let forgot =
        |effect: &Effect| matches!(&effect.kind, EffectKind::Apply { system, .. } if !told(system));
    let logged = !effects.iter().any(forgot);
    (!logged).then_some("applied without a record")
}

impl Model for Exploration {
    type State = State;
    type Action = EventKind;

    fn init_states(&self) -> Vec<State> {
        vec![self.begin.clone()]
    }

    fn actions(&self, state: &State, actions: &mut Vec<EventKind>) {
        let operation = &state.operation;
        let decision = Digest::of(b"decision");
        if matches!(operation.phase(), Phase::Ready) {
            actions.push(EventKind::Start);
            return;
        }
        for out in operation.outstanding() {
            actions.extend(self.answers(out.sequence, out.state, out.system));
        }
        let remaining = operation.remaining();
        actions.extend([
            EventKind::Hold {
                reason: "explored".to_owned(),
            },
            EventKind::Halt {
                source: "explored".to_owned(),
                reason: "explored".to_owned(),
            },
            EventKind::Reopened,
            EventKind::Recovered,
            EventKind::RollBack { decision },
            EventKind::Abort { decision },
            EventKind::Continue {
                decisions: BTreeSet::from([decision]),
                narrowed: None,
            },
            EventKind::Continue {
                decisions: BTreeSet::from([decision]),
                narrowed: Some(remaining.into_iter().take(1).collect()),
            },
        ]);
    }

    fn next_state(&self, state: &State, event: EventKind) -> Option<State> {
        let mut operation = state.operation.clone();
        let effects = step(
            &mut operation,
            Event {
                at: at(),
                kind: event.clone(),
            },
        )
        .ok()?;
        let mut applies = state.applies.clone();
        for effect in &effects {
            if let EffectKind::Apply { system, .. } = &effect.kind {
                *applies.entry(system.clone()).or_default() += 1;
            }
        }
        let concurrency = 2;
        let wrong = state.wrong.or_else(|| {
            wrong(
                &state.operation,
                &event,
                &effects,
                &operation,
                &applies,
                concurrency,
            )
        });
        Some(State {
            key: key(&operation, &applies, wrong),
            operation,
            applies,
            wrong,
        })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("no invariant breaks", |_, state: &State| {
                state.wrong.is_none()
            }),
            Property::sometimes("it completes", |_, state: &State| {
                state.operation.ending() == Some(Ending::Completed)
            }),
            Property::sometimes("it is rolled back", |_, state: &State| {
                state.operation.ending() == Some(Ending::RolledBack)
            }),
            Property::sometimes("it is aborted", |_, state: &State| {
                state.operation.ending() == Some(Ending::Aborted)
            }),
            Property::sometimes("a rollback fails", |_, state: &State| {
                state.operation.ending() == Some(Ending::RollbackFailed)
            }),
        ]
    }
}

#[test]
#[expect(clippy::print_stdout, reason = "the number of states is told")]
fn three_systems_in_two_waves_are_explored_to_the_end() {
    let checker = Exploration::new(2).checker().threads(2).spawn_bfs().join();
    checker.assert_properties();
    println!(
        "explored {} states, {} of them different, {} steps deep",
        checker.state_count(),
        checker.unique_state_count(),
        checker.max_depth()
    );
    assert!(checker.is_done());
    assert!(checker.unique_state_count() > 1_000);
}
