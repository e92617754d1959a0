//! A small laboratory: it feeds answers to an operation and keeps what it asked for.

mod authority;
mod baseline;
mod breaker;
mod limits;
mod properties;
mod recovery;
mod resume;
mod rollback;
mod rollout;
mod scenario;
mod waves;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use chrono::{DateTime, Duration, Utc};

use super::*;
use crate::envelope::{Breaker, WaveSize};
use crate::identifier::ClassId;
use crate::proposal::ActionKind;

/// `s01` … of the given number.
fn targets(number: usize) -> BTreeSet<SystemId> {
    (1..=number).map(|n| id(&format!("s{n:02}"))).collect()
}

fn id(text: &str) -> SystemId {
    SystemId::new(text).unwrap()
}

fn check(text: &str) -> CheckId {
    CheckId::new(text).unwrap()
}

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

/// An approval of `s01` … of the given number.
fn decided(number: usize) -> Authority {
    decided_on(&targets(number))
}

fn decided_on(targets: &BTreeSet<SystemId>) -> Authority {
    let targets = digest_of_systems(targets).unwrap();
    Authority::Decided(Decided::unproved(
        BTreeSet::from([digest("approve")]),
        targets,
    ))
}

fn drill() -> Authority {
    Authority::Drill(Rehearsal::new(
        ActionKind::Patch,
        ClassId::new("linux-server").unwrap(),
    ))
}

/// One check, one at a time, no canary, no waves, no failure tolerated.
fn one_at_a_time() -> Rollout {
    Rollout {
        concurrency: Some(1),
        health: BTreeSet::from([check("up")]),
        ..Rollout::default()
    }
}

fn breaker(failures: u32, attempts: u32) -> Option<Breaker> {
    Some(Breaker {
        failures: Some(failures),
        attempts_per_system: Some(attempts),
        ..Breaker::default()
    })
}

fn midnight() -> DateTime<Utc> {
    "2026-11-22T00:00:00Z".parse().unwrap()
}

/// What goes wrong when a system comes to a step.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Failed,
    NoData,
    Missing,
    Lost,
    Changed,
    Silent,
}

struct Lab {
    operation: Operation,
    at: DateTime<Utc>,
    /// Effects not yet answered.
    open: VecDeque<Effect>,
    /// Everything asked for, in words.
    trace: Vec<String>,
    faults: BTreeMap<(SystemId, SystemState), Fault>,
}

impl Lab {
    fn new(authority: Authority, number: usize, rollout: &Rollout) -> Self {
        let operation = Operation::new(
            OperationId::new("op_1").unwrap(),
            authority,
            &targets(number),
            rollout,
        )
        .unwrap();
        Self {
            operation,
            at: midnight(),
            open: VecDeque::new(),
            trace: Vec::new(),
            faults: BTreeMap::new(),
        }
    }

    /// A lab whose operation ran as far as it could with these faults.
    fn ran(number: usize, rollout: &Rollout, faults: &[(&str, SystemState, Fault)]) -> Self {
        let mut lab = Self::new(decided(number), number, rollout).with(faults);
        lab.feed(EventKind::Start);
        lab.run();
        lab
    }

    fn with(mut self, faults: &[(&str, SystemState, Fault)]) -> Self {
        self.faults = faults
            .iter()
            .map(|(system, state, fault)| ((id(system), *state), *fault))
            .collect();
        self
    }

    fn step(&mut self, kind: EventKind) -> Result<Vec<Effect>, StepError> {
        step(&mut self.operation, Event { at: self.at, kind })
    }

    fn feed(&mut self, kind: EventKind) -> Vec<Effect> {
        let effects = self.step(kind).unwrap();
        // Timers are looked at where a test is about them.
        let told = effects.iter().filter(|effect| !is_timer(effect));
        self.trace.extend(told.map(words));
        self.open.extend(effects.iter().cloned());
        effects
    }

    /// Answers the oldest open effect; whether there was one that has an answer.
    fn answer_one(&mut self) -> bool {
        while let Some(effect) = self.open.pop_front() {
            if let Some(answer) = self.answer(&effect) {
                self.feed(answer);
                return true;
            }
        }
        false
    }

    fn run(&mut self) {
        // A limit, so that a machine that never stops fails instead of hanging.
        for _ in 0..1_000_000 {
            if !self.answer_one() {
                return;
            }
        }
        panic!("no end");
    }

    /// Answers until the operation asks for something that begins so, and leaves that open.
    fn run_until(&mut self, begins: &str) -> Effect {
        loop {
            let asked = self
                .open
                .iter()
                .find(|effect| words(effect).starts_with(begins));
            if let Some(effect) = asked {
                return effect.clone();
            }
            assert!(
                self.answer_one(),
                "never asked for {begins}: {:#?}",
                self.trace
            );
        }
    }

    fn answer(&mut self, effect: &Effect) -> Option<EventKind> {
        let sequence = effect.sequence;
        let (system, state) = match &effect.kind {
            EffectKind::Gate { system, .. } => (system, SystemState::Gate),
            EffectKind::Snapshot { system, .. } => (system, SystemState::Snapshot),
            EffectKind::Apply { system, .. } => (system, SystemState::Apply),
            EffectKind::Baseline { system, .. } => (system, SystemState::Baseline),
            EffectKind::Health { system, .. } => {
                let reverting = self.operation.rollback_began_at.is_some();
                let state = if reverting {
                    SystemState::RevertHealth
                } else {
                    SystemState::Health
                };
                (system, state)
            }
            EffectKind::Revert { system, .. } => (system, SystemState::Revert),
            EffectKind::VerifyReverted { system } => (system, SystemState::RevertSnapshot),
            EffectKind::StartSoak { until } => {
                self.at = *until;
                return Some(EventKind::SoakEnded { sequence });
            }
            EffectKind::Record { .. }
            | EffectKind::StartTimer { .. }
            | EffectKind::Finished { .. } => return None,
        };
        let fault = self.faults.get(&(system.clone(), state)).copied();
        let reason = "as the test says".to_owned();
        let measured = "measured".to_owned();
        let results = |result| BTreeMap::from([(check("up"), result)]);
        // Before the first touch everything that is declared is well, where no fault says otherwise.
        let well: BTreeMap<CheckId, CheckResult> =
            if let EffectKind::Baseline { checks, .. } = &effect.kind {
                let pass = |check: &CheckId| {
                    let measured = "measured".to_owned();
                    (check.clone(), CheckResult::Pass { measured })
                };
                checks.iter().map(pass).collect()
            } else {
                BTreeMap::new()
            };
        Some(match (fault, state) {
            (None, SystemState::Baseline) => EventKind::HealthChecked {
                sequence,
                results: well,
                dependents: BTreeMap::new(),
            },
            (Some(Fault::Silent), _) => return None,
            (Some(Fault::Lost), _) => EventKind::Lost { sequence, reason },
            (None, SystemState::Gate) => EventKind::GateOpened { sequence },
            (None, SystemState::Snapshot | SystemState::RevertSnapshot) => {
                let digest = digest(system.as_str());
                EventKind::SnapshotTaken { sequence, digest }
            }
            (Some(Fault::Changed), _) => EventKind::SnapshotTaken {
                sequence,
                digest: digest("changed"),
            },
            (None, SystemState::Apply) => EventKind::Applied { sequence },
            (None, SystemState::Revert) => EventKind::Reverted { sequence },
            (found, SystemState::Baseline | SystemState::Health | SystemState::RevertHealth) => {
                EventKind::HealthChecked {
                    sequence,
                    dependents: BTreeMap::new(),
                    results: match found {
                        None => results(CheckResult::Pass { measured }),
                        Some(Fault::Failed) => results(CheckResult::Fail { measured }),
                        Some(Fault::NoData) => results(CheckResult::NoData { reason }),
                        _ => BTreeMap::new(),
                    },
                }
            }
            (Some(_), _) => EventKind::ExecutorFailed { sequence, reason },
            (None, state) => panic!("{state:?} awaits nothing"),
        })
    }

    /// The lines of the trace that begin with one of these words.
    fn lines(&self, words: &[&str]) -> Vec<&str> {
        self.trace
            .iter()
            .map(String::as_str)
            .filter(|line| {
                words
                    .iter()
                    .any(|word| line.split(' ').next() == Some(word))
            })
            .collect()
    }

    fn state(&self, system: &str) -> SystemState {
        let found = self.operation.systems().iter();
        let mut found = found.filter(|s| s.id().as_str() == system);
        found.next().unwrap().state()
    }
}

/// An effect in a few words.
fn words(effect: &Effect) -> String {
    match &effect.kind {
        EffectKind::Gate { system, before } => format!("gate {system} {}", name(before)),
        EffectKind::Snapshot { system, attempt } => format!("snapshot {system} {attempt}"),
        EffectKind::Apply { system, attempt } => format!("apply {system} {attempt}"),
        EffectKind::Baseline { system, .. } => format!("baseline {system}"),
        EffectKind::Health { system, .. } => format!("health {system}"),
        EffectKind::Revert { system, .. } => format!("revert {system}"),
        EffectKind::VerifyReverted { system } => format!("verify {system}"),
        EffectKind::StartSoak { until } => format!("soak {}", (*until - midnight()).num_seconds()),
        EffectKind::StartTimer { until } => {
            format!("timer {}", (*until - midnight()).num_seconds())
        }
        EffectKind::Finished { ending } => format!("finished {}", name(ending)),
        EffectKind::Record { record } => match record {
            Record::Started { .. } => "log started".to_owned(),
            Record::WaveStarted { wave, systems } => format!("log wave {wave} of {systems}"),
            Record::SoakStarted { .. } => "log soak".to_owned(),
            Record::Touched { system, .. } => format!("log touched {system}"),
            Record::AttemptFailed {
                system, attempt, ..
            } => format!("log attempt {attempt} of {system} failed"),
            Record::System {
                system, outcome, ..
            } => format!("log {system} {}", name(outcome)),
            Record::Held { reason } => format!("log held: {reason}"),
            Record::Reopened => "log reopened".to_owned(),
            Record::Tripped { trip } => format!(
                "log tripped {} {} {}",
                trip.system.as_ref().map_or("nothing", SystemId::as_str),
                name(&trip.failure.during),
                name(&trip.cause)
            ),
            Record::Continued { left_out, .. } => format!("log continued without {left_out}"),
            Record::AbortBegan { touched, .. } => format!("log abort, touched {touched}"),
            Record::RollbackBegan { systems, .. } => format!("log rollback of {systems}"),
            Record::Reverting { system } => format!("log reverting {system}"),
            Record::RevertChecked { system, .. } => format!("log checked {system}"),
            Record::SystemReverted {
                system, outcome, ..
            } => format!("log {system} {}", name(outcome)),
            Record::Recovered { in_flight } => format!("log recovered, in flight {in_flight}"),
            Record::Finished { ending, .. } => format!("log finished {}", name(ending)),
        },
    }
}

const fn is_timer(effect: &Effect) -> bool {
    matches!(effect.kind, EffectKind::StartTimer { .. })
}

fn name(value: &impl Serialize) -> String {
    serde_json::to_value(value)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

fn soak(text: &str) -> Option<Span> {
    Some(text.parse().unwrap())
}

fn wave_sizes(texts: &[&str]) -> Vec<WaveSize> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn seconds(number: i64) -> Duration {
    Duration::seconds(number)
}
