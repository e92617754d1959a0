//! One story: a coordinator that crashes, systems that answer as they like, people who decide at
//! once, and a clock that jumps. When the faults stop, it must come to an end.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::decision::digest_of_systems;
use countersign_core::envelope::{Breaker, Rollout, WaveSize};
use countersign_core::identifier::{CheckId, ClassId, Digest, OperationId, SystemId};
use countersign_core::operation::{
    Authority, CheckResult, Effect, EffectKind, Event, EventKind, Operation, Phase, Record,
    Rehearsal, step,
};
use countersign_core::proposal::ActionKind;

use super::dice::Dice;
use super::invariants::{Allowed, Observer};
use super::store::Store;
use super::systems::{Target, Targets};
use super::{Report, Sow, Violation};

/// Length of the stormy part of a story, in milliseconds of its own time.
const STORM_MS: u64 = 900_000;
/// Most turns of a story; one that is not over then makes no progress.
const TURNS_MAX: u64 = 20_000;

/// Something that will happen.
#[derive(Debug, Clone)]
enum Job {
    /// An effect reaches whoever carries it out; sent by the coordinator of this life.
    CarryOut(u64, Effect),
    /// An answer reaches the coordinator.
    Answer(u64, EventKind),
    /// Somebody decides.
    Decide,
    /// Calendars and suspensions come and go.
    Authority,
    /// The sweeper looks whether what is held may go on.
    Look,
    /// A monitor outside complains.
    Alert,
    /// The clock jumps.
    Jump,
}

/// A world and the operation in it.
pub struct World<'s, S> {
    dice: Dice,
    sow: Sow<'s>,
    store: S,
    /// Every record that was committed.
    told: Vec<Record>,
    operation: Operation,
    observer: Observer,
    systems: Targets,
    checks: BTreeSet<CheckId>,
    queue: BTreeMap<(u64, u64), Job>,
    /// Jobs ever queued, which orders those of one instant.
    queued: u64,
    /// Milliseconds since the beginning, by no clock.
    now_ms: u64,
    /// How far the store's clock is from that.
    skew: TimeDelta,
    /// The life of the coordinator; each crash begins another.
    life: u64,
    authority_holds: bool,
    storm: bool,
    report: Report,
}

fn broken(error: impl std::fmt::Display) -> Violation {
    Violation(format!("the story cannot begin: {error}"))
}

fn rollout(dice: &mut Dice) -> Result<Rollout, Violation> {
    let span = |text: &str| text.parse().map(Some).map_err(broken);
    let waves: Vec<WaveSize> = match dice.below(4) {
        0 => Vec::new(),
        1 => vec![WaveSize::Percent(50)],
        2 => vec![WaveSize::Systems(2), WaveSize::Percent(60)],
        _ => vec![WaveSize::Percent(25), WaveSize::Percent(100)],
    };
    let up = CheckId::new("up").map_err(broken)?;
    Ok(Rollout {
        canary: u32::try_from(dice.below(4)).ok().filter(|n| *n > 0),
        waves,
        soak: if dice.one_in(3) { span("1m")? } else { None },
        concurrency: u32::try_from(dice.between(1, 5)).ok(),
        health: if dice.one_in(5) {
            BTreeSet::new()
        } else {
            BTreeSet::from([up])
        },
        answer_within: if dice.one_in(4) { None } else { span("2m")? },
        within: if dice.one_in(4) { span("10m")? } else { None },
        breaker: Some(Breaker {
            failures: u32::try_from(dice.below(3)).ok(),
            failures_percent: if dice.one_in(3) { Some(40) } else { None },
            cool_down: if dice.one_in(3) { span("30s")? } else { None },
            attempts_per_system: u32::try_from(dice.between(1, 3)).ok(),
        }),
        ..Rollout::default()
    })
}

/// A stored authority: as the real store has it, read back.
fn authority(dice: &mut Dice, targets: &BTreeSet<SystemId>) -> Result<Authority, Violation> {
    if dice.one_in(8) {
        let class = ClassId::new("linux-server").map_err(broken)?;
        return Ok(Authority::Drill(Rehearsal::new(ActionKind::Patch, class)));
    }
    let targets = digest_of_systems(targets).map_err(broken)?;
    serde_json::from_value(serde_json::json!({
        "kind": "decided",
        "decisions": [Digest::of(b"approve")],
        "targets": targets,
    }))
    .map_err(broken)
}

impl<'s, S: Store> World<'s, S> {
    pub fn new(
        seed: u64,
        sow: Sow<'s>,
        found: impl FnOnce(&Operation, &Rollout) -> Result<S, Violation>,
    ) -> Result<Self, Violation> {
        let mut dice = Dice::new(seed);
        let number = dice.between(1, 12);
        let mut systems = Targets::new();
        for n in 1..=number {
            let id = SystemId::new(format!("s{n:02}")).map_err(broken)?;
            let system = Target {
                flaps: dice.one_in(6),
                breaks: dice.one_in(12),
                was_sick: dice.one_in(16),
                ..Target::default()
            };
            systems.insert(id, system);
        }
        let targets: BTreeSet<SystemId> = systems.keys().cloned().collect();
        let rollout = rollout(&mut dice)?;
        let authority = authority(&mut dice, &targets)?;
        let id = OperationId::new("op_1").map_err(broken)?;
        let mut operation = Operation::new(id, authority, &targets, &rollout).map_err(broken)?;
        let breaker = rollout.breaker.clone().unwrap_or_default();
        let allowed = Allowed {
            concurrency: rollout.concurrency.map_or(u64::MAX, u64::from),
            attempts: breaker.attempts_per_system.unwrap_or(1),
        };
        let store = found(&operation, &rollout)?;
        sow(&mut operation);
        let mut world = Self {
            dice,
            sow,
            store,
            told: Vec::new(),
            operation,
            observer: Observer::new(allowed, targets),
            systems,
            checks: rollout.health,
            queue: BTreeMap::new(),
            queued: 0,
            now_ms: 0,
            skew: TimeDelta::zero(),
            life: 0,
            authority_holds: true,
            storm: true,
            report: Report {
                seeds: 1,
                ..Report::default()
            },
        };
        for _ in 0..4 {
            let at = world.dice.below(STORM_MS);
            world.queue(at, Job::Decide);
            let at = world.dice.below(STORM_MS);
            world.queue(at, Job::Authority);
        }
        if world.dice.one_in(3) {
            let at = world.dice.below(STORM_MS / 4);
            world.queue(at, Job::Alert);
        }
        if world.dice.one_in(3) {
            let at = world.dice.below(STORM_MS / 4);
            world.queue(at, Job::Jump);
        }
        world.queue(1_000, Job::Look);
        Ok(world)
    }

    /// Tells the story to its end.
    pub fn run(mut self) -> Result<Report, Violation> {
        self.feed(EventKind::Start)?;
        for _ in 0..TURNS_MAX {
            if self.operation.ending().is_some() && self.queue.is_empty() {
                break;
            }
            self.turn()?;
        }
        let Some(ending) = self.operation.ending() else {
            return Err(Violation(format!(
                "no progress after the faults stopped: {:?}",
                self.operation.phase()
            )));
        };
        self.observer.against(&self.systems)?;
        self.log_is_whole()?;
        self.report.checks = self.observer.checks;
        self.report.endings.insert(format!("{ending:?}"), 1);
        Ok(self.report)
    }

    /// What is in the store is what the observer saw, and leads to where the operation is.
    fn log_is_whole(&mut self) -> Result<(), Violation> {
        let ends = |record: &&Record| matches!(record, Record::Finished { .. });
        let log = self.store.log()?;
        let finished = log.iter().filter(ends).count();
        self.observer.checks += 3;
        if log != self.told {
            return Err(Violation("the log holds other records".to_owned()));
        }
        if finished != 1 {
            return Err(Violation(format!("the log ends {finished} times")));
        }
        if self.store.load(self.sow)? != self.operation {
            return Err(Violation("the store holds another operation".to_owned()));
        }
        Ok(())
    }

    fn queue(&mut self, in_ms: u64, job: Job) {
        self.queued += 1;
        self.queue.insert((self.now_ms + in_ms, self.queued), job);
    }

    fn clock(&self) -> DateTime<Utc> {
        let since = TimeDelta::milliseconds(i64::try_from(self.now_ms).unwrap_or(i64::MAX));
        DateTime::<Utc>::UNIX_EPOCH + TimeDelta::days(20_000) + since + self.skew
    }

    fn turn(&mut self) -> Result<(), Violation> {
        if self.storm && self.now_ms > STORM_MS {
            self.calm_down();
        }
        let Some(((at, _), job)) = self.queue.pop_first() else {
            // Nothing is under way: people move it on.
            self.storm = false;
            self.authority_holds = true;
            return self.decide();
        };
        self.now_ms = at;
        match job {
            Job::CarryOut(life, effect) => self.carry_out(life, effect),
            Job::Answer(life, event) => {
                if life != self.life {
                    self.report.fault("answer to a life before");
                }
                self.feed(event)
            }
            Job::Decide => self.decide(),
            Job::Authority => {
                if self.storm {
                    self.authority_holds = self.dice.one_in(2);
                    self.report.fault("authority came or went");
                }
                Ok(())
            }
            Job::Look => self.look(),
            Job::Alert => {
                self.report.fault("alert");
                self.feed(EventKind::Halt {
                    source: "monitor".to_owned(),
                    reason: "as the dice say".to_owned(),
                })
            }
            Job::Jump => {
                self.report.fault("clock jump");
                let seconds = i64::try_from(self.dice.below(7_200)).unwrap_or(0) - 3_600;
                self.skew += TimeDelta::seconds(seconds);
                Ok(())
            }
        }
    }

    /// From here on everything answers, and well.
    fn calm_down(&mut self) {
        self.storm = false;
        self.authority_holds = true;
        for system in self.systems.values_mut() {
            system.flaps = false;
            system.breaks = false;
        }
        self.queue(0, Job::Decide);
    }

    fn look(&mut self) -> Result<(), Violation> {
        if self.operation.ending().is_some() {
            return Ok(());
        }
        self.queue(5_000, Job::Look);
        if matches!(self.operation.phase(), Phase::Held { .. }) && self.authority_holds {
            return self.feed(EventKind::Reopened);
        }
        // In calm weather people do not leave a halted operation lying about.
        if !self.storm && *self.operation.phase() == Phase::Halted {
            return self.decide();
        }
        Ok(())
    }

    fn decide(&mut self) -> Result<(), Violation> {
        // Two people at once, who know nothing of each other.
        for _ in 0..self.dice.between(1, 2) {
            let decision = Digest::of(&self.queued.to_be_bytes());
            let untouched = self.operation.touched().is_empty();
            let event = match self.dice.below(if self.storm { 10 } else { 4 }) {
                0 if self.storm || *self.operation.phase() == Phase::Halted => {
                    EventKind::Abort { decision }
                }
                1 | 2 if !untouched => EventKind::RollBack { decision },
                1..=3 => EventKind::Continue {
                    decisions: BTreeSet::from([decision]),
                    narrowed: self.narrowed(),
                },
                4 | 5 => EventKind::Hold {
                    reason: "somebody asked".to_owned(),
                },
                _ => continue,
            };
            let is_moving = matches!(
                self.operation.phase(),
                Phase::Running | Phase::Soaking { .. } | Phase::CoolingDown { .. }
            );
            // A story in which people stop everything at once is soon told.
            let stops = matches!(event, EventKind::Abort { .. } | EventKind::RollBack { .. });
            if stops && is_moving && !self.dice.one_in(3) {
                continue;
            }
            self.report.fault("concurrent decision");
            self.feed(event)?;
        }
        Ok(())
    }

    fn narrowed(&mut self) -> Option<BTreeSet<SystemId>> {
        self.dice.one_in(3).then(|| {
            let remaining = self.operation.remaining();
            remaining.into_iter().step_by(2).collect()
        })
    }

    /// Whether something goes wrong now: only while the storm lasts.
    fn strikes(&mut self, odds: u64) -> bool {
        self.storm && self.dice.one_in(odds)
    }

    /// Gives the operation an event: one transaction, with a crash before it, after it, or between
    /// any two of the effects that it hands over.
    fn feed(&mut self, kind: EventKind) -> Result<(), Violation> {
        if self.strikes(100) {
            return self.crash("crash before the commit");
        }
        let event = Event {
            at: self.clock(),
            kind,
        };
        let mut after = self.operation.clone();
        let effects = match step(&mut after, event.clone()) {
            Ok(effects) => effects,
            Err(countersign_core::operation::StepError::Corrupt) => {
                return Err(Violation("it contradicts itself".to_owned()));
            }
            Err(error) => {
                self.observer.checks += 1;
                return if after == self.operation {
                    Ok(())
                } else {
                    Err(Violation(format!("`{error}`, and yet it changed")))
                };
            }
        };
        self.report.steps += 1;
        self.observer.see(&event, &effects, &after)?;
        let records: Vec<Record> = effects
            .iter()
            .filter_map(|effect| {
                let EffectKind::Record { record } = &effect.kind else {
                    return None;
                };
                Some(record.clone())
            })
            .collect();
        self.told.extend(records.iter().cloned());
        self.store.commit(event, &after, records)?;
        self.operation = after;
        for effect in effects {
            if matches!(effect.kind, EffectKind::Record { .. }) {
                continue;
            }
            if self.strikes(80) {
                return self.crash("crash between two effects");
            }
            self.hand_over(effect);
        }
        if self.strikes(200) {
            return self.crash("crash after the commit");
        }
        Ok(())
    }

    /// The coordinator dies; what systems were already told they go on doing. It comes back from the
    /// store, and answers of before are lost, or come late.
    fn crash(&mut self, name: &'static str) -> Result<(), Violation> {
        self.report.fault(name);
        self.life += 1;
        let keys: Vec<(u64, u64)> = self.queue.keys().copied().collect();
        for key in keys {
            let Some(job) = self.queue.get(&key) else {
                continue;
            };
            let gone = if let Job::Answer(_, _) = job {
                !self.dice.one_in(8)
            } else if let Job::CarryOut(_, effect) = job {
                // An order that was on the wire arrives; what was only planned does not.
                let on_the_wire = matches!(
                    effect.kind,
                    EffectKind::Apply { .. } | EffectKind::Revert { .. }
                );
                !on_the_wire || self.dice.one_in(2)
            } else {
                false
            };
            if gone {
                self.queue.remove(&key);
            }
        }
        let stored = self.store.load(self.sow)?;
        self.observer.checks += 1;
        if stored != self.operation {
            return Err(Violation(
                "what was committed is not what comes back after a crash".to_owned(),
            ));
        }
        self.operation = stored;
        let begun = !matches!(self.operation.phase(), Phase::Ready);
        self.feed(if begun {
            EventKind::Recovered
        } else {
            EventKind::Start
        })
    }

    fn hand_over(&mut self, effect: Effect) {
        let delay = if let EffectKind::StartSoak { until } | EffectKind::StartTimer { until } =
            &effect.kind
        {
            let left = until.signed_duration_since(self.clock()).num_milliseconds();
            let left = u64::try_from(left).unwrap_or(0).max(1);
            // A timer may end early: then it is asked for again.
            if self.strikes(10) { left / 2 } else { left }
        } else {
            self.dice.between(1, 400)
        };
        if matches!(effect.kind, EffectKind::Finished { .. }) {
            return;
        }
        self.queue(delay, Job::CarryOut(self.life, effect));
    }

    /// The answer, which may be lost, late or doubled.
    fn reply(&mut self, life: u64, event: EventKind) {
        if self.strikes(60) {
            self.report.fault("answer lost");
            return;
        }
        let mut delay = self.dice.between(1, 400);
        if self.strikes(40) {
            self.report.fault("answer late");
            delay += self.dice.below(400_000);
        }
        if self.strikes(20) {
            self.report.fault("answer doubled");
            let again = delay + self.dice.below(30_000);
            self.queue(again, Job::Answer(life, event.clone()));
        }
        self.queue(delay, Job::Answer(life, event));
    }

    fn carry_out(&mut self, life: u64, effect: Effect) -> Result<(), Violation> {
        let sequence = effect.sequence;
        let reason = "as the dice say".to_owned();
        let event = match effect.kind {
            EffectKind::Record { .. } | EffectKind::Finished { .. } => return Ok(()),
            EffectKind::StartSoak { .. } => {
                // A timer has no answer to lose: it ends with the life that set it.
                return if life == self.life {
                    self.feed(EventKind::SoakEnded { sequence })
                } else {
                    Ok(())
                };
            }
            EffectKind::StartTimer { .. } => {
                return if life == self.life {
                    self.feed(EventKind::TimerEnded { sequence })
                } else {
                    Ok(())
                };
            }
            EffectKind::Gate { .. } => {
                // A gate is answered in one transaction with the look at the authority.
                if life != self.life {
                    return Ok(());
                }
                return if self.authority_holds {
                    self.observer.verified(sequence);
                    self.feed(EventKind::GateOpened { sequence })
                } else {
                    self.feed(EventKind::GateClosed { sequence, reason })
                };
            }
            EffectKind::Snapshot { system, .. } | EffectKind::VerifyReverted { system } => {
                if self.strikes(40) {
                    self.report.fault("executor failed");
                    EventKind::ExecutorFailed { sequence, reason }
                } else {
                    let digest = self.of(&system)?.digest(&system);
                    EventKind::SnapshotTaken { sequence, digest }
                }
            }
            EffectKind::Apply { system, .. } => {
                let failed = self.strikes(25);
                let target = self.of(&system)?;
                if !target.admits(sequence) {
                    return Ok(());
                }
                target.content = 1;
                target.applied.push(sequence);
                if failed {
                    self.report.fault("executor failed");
                    EventKind::ExecutorFailed { sequence, reason }
                } else {
                    EventKind::Applied { sequence }
                }
            }
            EffectKind::Revert { system, .. } => {
                let leaves_traces = self.strikes(12);
                let failed = self.strikes(20);
                let target = self.of(&system)?;
                if !target.admits(sequence) {
                    return Ok(());
                }
                target.content = if leaves_traces { 2 } else { 0 };
                target.reverted += 1;
                if failed {
                    self.report.fault("executor failed");
                    EventKind::ExecutorFailed { sequence, reason }
                } else {
                    EventKind::Reverted { sequence }
                }
            }
            EffectKind::Baseline { system, .. } => self.health(sequence, &system, true)?,
            EffectKind::Health { system, .. } => self.health(sequence, &system, false)?,
        };
        self.reply(life, event);
        Ok(())
    }

    fn health(
        &mut self,
        sequence: countersign_core::operation::Sequence,
        system: &SystemId,
        before: bool,
    ) -> Result<EventKind, Violation> {
        let (flapped, silent) = (self.strikes(3), self.strikes(30));
        let target = self.of(system)?;
        let sick = (target.flaps && flapped)
            || (before && target.was_sick)
            || (target.breaks && target.content == 1);
        let flaps = target.flaps && flapped;
        if flaps {
            self.report.fault("health flapped");
        }
        let measured = "measured".to_owned();
        let result = if silent {
            self.report.fault("no data");
            CheckResult::NoData { reason: measured }
        } else if sick {
            CheckResult::Fail { measured }
        } else {
            CheckResult::Pass { measured }
        };
        let results = self.checks.iter().cloned().map(|c| (c, result.clone()));
        Ok(EventKind::HealthChecked {
            sequence,
            results: results.collect(),
            dependents: BTreeMap::new(),
        })
    }

    fn of(&mut self, system: &SystemId) -> Result<&mut Target, Violation> {
        self.systems
            .get_mut(system)
            .ok_or_else(|| Violation(format!("`{system}` is no system of this world")))
    }
}
