//! The invariants, held against what an observer sees: events, effects, the log, and the systems'
//! own count.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::identifier::SystemId;
use countersign_core::operation::{
    Effect, EffectKind, Ending, Event, EventKind, Operation, Record, Sequence, SystemState,
};

use super::Violation;
use super::systems::Targets;

/// What the rollout allows.
#[derive(Debug, Clone, Copy)]
pub struct Allowed {
    pub concurrency: u64,
    pub attempts: u32,
}

/// Everything seen so far that an invariant is about.
#[derive(Debug)]
pub struct Observer {
    allowed: Allowed,
    targets: BTreeSet<SystemId>,
    /// Gates asked, and for which step.
    gates: BTreeMap<Sequence, (SystemId, SystemState)>,
    /// Gates that were opened while the authority was there.
    verified: BTreeSet<Sequence>,
    /// The last trip, hold or reset: older gates no longer count.
    stopped_at: Sequence,
    tripped: bool,
    held: bool,
    going_back: bool,
    applies: BTreeMap<SystemId, u32>,
    /// In the order of the first apply.
    touched: Vec<SystemId>,
    recorded: BTreeSet<SystemId>,
    back: BTreeSet<SystemId>,
    last_revert: Option<usize>,
    last_sequence: Sequence,
    ended: Option<Ending>,
    pub checks: u64,
}

impl Observer {
    pub const fn new(allowed: Allowed, targets: BTreeSet<SystemId>) -> Self {
        Self {
            allowed,
            targets,
            gates: BTreeMap::new(),
            verified: BTreeSet::new(),
            stopped_at: Sequence::new(0),
            tripped: false,
            held: false,
            going_back: false,
            applies: BTreeMap::new(),
            touched: Vec::new(),
            recorded: BTreeSet::new(),
            back: BTreeSet::new(),
            last_revert: None,
            last_sequence: Sequence::new(0),
            ended: None,
            checks: 0,
        }
    }

    /// The authority was really there when this gate was opened.
    pub fn verified(&mut self, gate: Sequence) {
        self.verified.insert(gate);
    }

    fn check(&mut self, holds: bool, what: impl FnOnce() -> String) -> Result<(), Violation> {
        self.checks += 1;
        if holds {
            Ok(())
        } else {
            Err(Violation(what()))
        }
    }

    /// Looks at one step.
    pub fn see(
        &mut self,
        event: &Event,
        effects: &[Effect],
        after: &Operation,
    ) -> Result<(), Violation> {
        if let Some(ending) = self.ended {
            self.check(effects.is_empty(), || {
                format!("it moved after its end: {:?}", event.kind)
            })?;
            self.check(after.ending() == Some(ending), || {
                format!("its ending {ending:?} changed")
            })?;
        }
        for effect in effects {
            let last = std::mem::replace(&mut self.last_sequence, effect.sequence);
            self.check(effect.sequence > last, || {
                format!("sequence {} after {last}", effect.sequence)
            })?;
            self.effect(event, effect)?;
        }
        let in_flight = after.progress().in_flight;
        let most = self.allowed.concurrency;
        self.check(in_flight <= most, || {
            format!("{in_flight} systems in flight, {most} are allowed")
        })?;
        let told: BTreeSet<SystemId> = self.touched.iter().cloned().collect();
        self.check(after.touched() == told, || {
            "what it calls touched is not what the log says was touched".to_owned()
        })?;
        let tallied: u64 = after.tally().values().sum();
        let systems = after.progress().systems;
        self.check(tallied == systems, || {
            format!("{tallied} systems tallied of {systems}")
        })
    }

    fn effect(&mut self, event: &Event, effect: &Effect) -> Result<(), Violation> {
        match &effect.kind {
            EffectKind::Gate { system, before } => {
                self.may_dispatch("asks a gate")?;
                self.is_target(system)?;
                self.gates
                    .insert(effect.sequence, (system.clone(), *before));
                Ok(())
            }
            EffectKind::Snapshot { system, attempt } => {
                self.came_through(event, system, SystemState::Snapshot)?;
                self.attempts(*attempt)
            }
            EffectKind::Apply { system, attempt } => {
                self.came_through(event, system, SystemState::Apply)?;
                self.attempts(*attempt)?;
                let applies = self.applies.entry(system.clone()).or_default();
                *applies += 1;
                let applies = *applies;
                self.attempts(applies)?;
                let logged = self.touched.contains(system);
                self.check(logged, || {
                    format!("`{system}` is not in the log as touched")
                })
            }
            EffectKind::Revert { system, .. } => {
                let rank = self.touched.iter().position(|known| known == system);
                self.check(rank.is_some(), || {
                    format!("`{system}` is reverted and was never touched")
                })?;
                let in_order = match (rank, self.last_revert) {
                    (Some(rank), Some(last)) => rank < last,
                    _ => true,
                };
                self.check(in_order, || format!("`{system}` is reverted out of order"))?;
                let is_back = self.back.contains(system);
                self.check(!is_back, || {
                    format!("`{system}` is back and reverted again")
                })?;
                self.last_revert = rank;
                Ok(())
            }
            EffectKind::Baseline { .. }
            | EffectKind::Health { .. }
            | EffectKind::VerifyReverted { .. }
            | EffectKind::StartSoak { .. }
            | EffectKind::StartTimer { .. }
            | EffectKind::Finished { .. } => Ok(()),
            EffectKind::Record { record } => self.read(record, effect.sequence),
        }
    }

    fn read(&mut self, record: &Record, sequence: Sequence) -> Result<(), Violation> {
        match record {
            Record::Tripped { .. } => {
                self.tripped = true;
                self.stopped_at = sequence;
            }
            Record::Held { .. } => {
                self.held = true;
                self.stopped_at = sequence;
            }
            Record::Reopened => self.held = false,
            Record::Continued { .. } => {
                let halted = self.tripped && !self.going_back;
                self.check(halted, || "it was continued and not halted".to_owned())?;
                self.tripped = false;
                self.held = false;
                self.stopped_at = sequence;
            }
            Record::Touched { system, .. } => {
                if !self.touched.contains(system) {
                    self.touched.push(system.clone());
                }
                self.is_target(system)?;
            }
            Record::System { system, .. } => {
                let new = self.recorded.insert(system.clone());
                self.check(new, || format!("`{system}` is recorded twice"))?;
            }
            Record::RollbackBegan { .. } => {
                self.going_back = true;
                self.last_revert = None;
            }
            Record::AbortBegan { .. } => self.going_back = true,
            Record::SystemReverted {
                system,
                outcome,
                before,
                after,
                ..
            } => {
                if *outcome == SystemState::RolledBack {
                    self.check(before.is_some() && before == after, || {
                        format!("`{system}` is called back, and is not as it was")
                    })?;
                    self.back.insert(system.clone());
                }
            }
            Record::Finished { ending, .. } => {
                self.ended = Some(*ending);
                let touched: BTreeSet<SystemId> = self.touched.iter().cloned().collect();
                let logged = touched.is_subset(&self.recorded);
                self.check(logged, || "a touched system has no result".to_owned())?;
                if *ending == Ending::RolledBack {
                    let exactly = self.back == touched;
                    self.check(exactly, || {
                        "the rollback brought back other systems than the touched".to_owned()
                    })?;
                }
            }
            Record::Started { .. }
            | Record::WaveStarted { .. }
            | Record::SoakStarted { .. }
            | Record::AttemptFailed { .. }
            | Record::Reverting { .. }
            | Record::RevertChecked { .. }
            | Record::Recovered { .. } => {}
        }
        Ok(())
    }

    fn is_target(&mut self, system: &SystemId) -> Result<(), Violation> {
        let known = self.targets.contains(system);
        self.check(known, || {
            format!("`{system}` is outside of the blast radius")
        })
    }

    fn attempts(&mut self, attempt: u32) -> Result<(), Violation> {
        let most = self.allowed.attempts;
        self.check(attempt <= most, || {
            format!("attempt {attempt}, {most} are allowed")
        })
    }

    fn may_dispatch(&mut self, what: &str) -> Result<(), Violation> {
        let may = !self.tripped && !self.held && !self.going_back && self.ended.is_none();
        self.check(may, || {
            format!("it {what} after a trip, a hold or a decision")
        })
    }

    fn came_through(
        &mut self,
        event: &Event,
        system: &SystemId,
        step: SystemState,
    ) -> Result<(), Violation> {
        self.may_dispatch("dispatches")?;
        let EventKind::GateOpened { sequence } = &event.kind else {
            return self.check(false, || format!("{step:?} of `{system}` without a gate"));
        };
        let asked = self.gates.get(sequence) == Some(&(system.clone(), step));
        let fresh = *sequence > self.stopped_at;
        let verified = self.verified.contains(sequence);
        self.check(asked && fresh && verified, || {
            format!("{step:?} of `{system}` by a gate that was not verified for it")
        })
    }

    /// Holds what the systems themselves count against the log.
    pub fn against(&mut self, systems: &Targets) -> Result<(), Violation> {
        for (id, system) in systems {
            let times = system.applied.len();
            let attempts = usize::try_from(self.allowed.attempts).unwrap_or(usize::MAX);
            self.check(times <= attempts, || {
                format!("`{id}` had the action applied {times} times")
            })?;
            let once = system.applied.iter().collect::<BTreeSet<_>>().len() == times;
            self.check(once, || format!("`{id}` carried one order out twice"))?;
            let logged = times == 0 || self.touched.contains(id);
            self.check(logged, || {
                format!("`{id}` was touched and the log forgot it")
            })?;
            let reverted = system.reverted == 0 || self.touched.contains(id);
            self.check(reverted, || {
                format!("`{id}` was reverted and never touched")
            })?;
            let is_back = self.ended != Some(Ending::RolledBack) || system.content == 0;
            self.check(is_back, || format!("`{id}` is not back after a rollback"))?;
        }
        Ok(())
    }
}
