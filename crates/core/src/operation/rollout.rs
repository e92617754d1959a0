//! The way forward: waves, gates, snapshot and apply, soaks and holds (AG-706 4.9).

use super::effect::{Dependents, EffectKind, Record};
use super::event::{Sequence, capped};
use super::seeded::SeededBug;
use super::step::{StepError, Transition, count};
use super::{Authority, Ending, Phase, SystemState};
use crate::identifier::Digest;

impl Transition<'_> {
    pub(super) fn start_wave(&mut self, wave: usize) {
        self.operation.wave = wave;
        self.operation.failed_in_wave = 0;
        self.operation.phase = Phase::Running;
        let systems = count(self.operation.wave_systems(wave).len());
        self.record(Record::WaveStarted {
            wave: count(wave),
            systems,
        });
    }

    /// Fills the free slots from the wave; at its end goes on to the next wave or finishes.
    pub(super) fn dispatch(&mut self) -> Result<(), StepError> {
        // Bounded: each turn but the last begins a further wave, and waves are never empty.
        loop {
            let slots = self
                .operation
                .limits
                .concurrency
                .saturating_add(usize::from(self.operation.has(SeededBug::OneTooMany)));
            while self.operation.flights.len() < slots
                && let Some(index) = self.take_up()
            {
                self.ask_gate(index)?;
            }
            if !self.operation.is_wave_done() {
                return Ok(());
            }
            if self.operation.is_last_wave() {
                return self.finish();
            }
            if let Some(soak) = self.operation.limits.soak {
                let until = self.after(soak);
                self.record(Record::SoakStarted { until });
                self.soak(until);
                return Ok(());
            }
            self.start_wave(self.operation.wave.saturating_add(1));
        }
    }

    /// The next system of the wave to work on: first those put back, then in the order of ids.
    fn take_up(&mut self) -> Option<usize> {
        if let Some(index) = self.operation.returned.pop_first() {
            return Some(index);
        }
        let end = self.operation.wave_end();
        while self.operation.next < end {
            let index = self.operation.next;
            self.operation.next = index.saturating_add(1);
            // What a narrowed `continue` left out is recorded already.
            let system = self.operation.systems.get(index);
            if system.is_some_and(|system| system.state == SystemState::Pending) {
                return Some(index);
            }
        }
        None
    }

    /// Every snapshot and every apply is preceded by a gate of its own.
    pub(super) fn ask_gate(&mut self, index: usize) -> Result<(), StepError> {
        let system = self.system(index)?;
        let (id, before) = match system.before {
            None => (system.id.clone(), SystemState::Snapshot),
            Some(_) => (system.id.clone(), SystemState::Apply),
        };
        self.send(
            index,
            SystemState::Gate,
            EffectKind::Gate { system: id, before },
        )
    }

    pub(super) fn gate_opened(&mut self, index: usize) -> Result<(), StepError> {
        let system = self.system(index)?;
        let (id, attempt) = (system.id.clone(), system.attempt());
        if system.before.is_none() {
            let kind = EffectKind::Snapshot {
                system: id,
                attempt,
            };
            return self.send(index, SystemState::Snapshot, kind);
        }
        let before = system.before;
        if !std::mem::replace(&mut system.touched, true) {
            self.operation.touched.push(index);
        }
        self.record(Record::Touched {
            system: id.clone(),
            attempt,
            before,
        });
        let kind = EffectKind::Apply {
            system: id,
            attempt,
        };
        self.send(index, SystemState::Apply, kind)
    }

    pub(super) fn snapshot_taken(&mut self, index: usize, digest: Digest) -> Result<(), StepError> {
        if self.system(index)?.state == SystemState::RevertSnapshot {
            return self.compare(index, digest);
        }
        match self.operation.phase {
            Phase::Running => {
                self.system(index)?.before = Some(digest);
                if self.operation.looks_before() {
                    return self.check_health(index, SystemState::Baseline);
                }
                self.ask_gate(index)
            }
            // Dispatch stopped meanwhile: the system stays as it is, and so does nothing else.
            Phase::Ready
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. }
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. }
            | Phase::Ended { .. } => self.put_back(index),
        }
    }

    pub(super) fn applied(&mut self, index: usize) -> Result<(), StepError> {
        if self.operation.limits.health.is_empty() && self.operation.dependents.is_empty() {
            return self.recorded(
                index,
                SystemState::Unchecked,
                None,
                std::collections::BTreeMap::new(),
            );
        }
        self.check_health(index, SystemState::Health)
    }

    pub(super) fn check_health(
        &mut self,
        index: usize,
        state: SystemState,
    ) -> Result<(), StepError> {
        let system = self.system(index)?.id.clone();
        let checks = self.operation.limits.health.clone();
        // On the way back dependents suffer what they suffered; only the system itself is looked at.
        let dependents = if state == SystemState::RevertHealth {
            Dependents::default()
        } else {
            self.operation.dependents()
        };
        let kind = if state == SystemState::Baseline {
            EffectKind::Baseline {
                system,
                checks,
                dependents,
            }
        } else {
            EffectKind::Health {
                system,
                checks,
                dependents,
            }
        };
        self.send(index, state, kind)
    }

    /// Takes a system that no effect is in flight for out of its slot: to be taken up again, or,
    /// where an attempt failed and no other one can follow, recorded as failed.
    pub(super) fn put_back(&mut self, index: usize) -> Result<(), StepError> {
        let may_go_on = self.may_go_on();
        let system = self.system(index)?;
        if !system.touched {
            // An older snapshot may no longer tell how the system is when it is taken up again.
            system.before = None;
        }
        if system.failures > 0 && !may_go_on {
            return self.recorded_failed(index, std::collections::BTreeMap::new());
        }
        self.set(index, SystemState::Pending)?;
        self.operation.returned.insert(index);
        Ok(())
    }

    /// Whether systems may still be dispatched without a decision of a person.
    pub(super) const fn may_go_on(&self) -> bool {
        match self.operation.phase {
            Phase::Ready
            | Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. } => true,
            Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. }
            | Phase::Ended { .. } => false,
        }
    }

    /// Withdraws what is not yet dispatched; what is in flight stays awaited. In a phase that only a
    /// decision leaves, systems between two attempts are recorded as failed.
    pub(super) fn stop_dispatch(&mut self) -> Result<(), StepError> {
        let mut gates = Vec::new();
        for (&sequence, &index) in &self.operation.flights {
            let system = self.operation.systems.get(index);
            if system.ok_or(StepError::Corrupt)?.state == SystemState::Gate {
                gates.push((sequence, index));
            }
        }
        for (sequence, index) in gates {
            self.operation.flights.remove(&sequence);
            self.put_back(index)?;
        }
        for index in std::mem::take(&mut self.operation.returned) {
            self.put_back(index)?;
        }
        Ok(())
    }

    pub(super) fn hold(&mut self, reason: String) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. } => {}
            // Not begun: its first gates will close. Otherwise nothing is dispatched but reverts.
            Phase::Ready
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. }
            | Phase::Ended { .. } => return Ok(()),
        }
        let reason = capped(reason);
        self.record(Record::Held {
            reason: reason.clone(),
        });
        self.operation.phase = Phase::Held { reason };
        self.stop_dispatch()
    }

    pub(super) fn reopened(&mut self) {
        let Phase::Held { .. } = self.operation.phase else {
            return;
        };
        self.record(Record::Reopened);
        self.go_on();
    }

    pub(super) fn soak(&mut self, until: chrono::DateTime<chrono::Utc>) {
        let timer = self.effect(EffectKind::StartSoak { until });
        self.operation.soak_until = Some(until);
        self.operation.phase = Phase::Soaking { until, timer };
    }

    pub(super) fn soak_ended(&mut self, sequence: Sequence) {
        let Phase::Soaking { until, timer } = self.operation.phase else {
            return;
        };
        if timer != sequence {
            return;
        }
        if self.at < until {
            // The timer was early, or the clock went back.
            self.soak(until);
        } else {
            self.start_next_wave();
        }
    }

    pub(super) fn start_next_wave(&mut self) {
        self.operation.soak_until = None;
        self.start_wave(self.operation.wave.saturating_add(1));
    }

    /// While held, what was in flight may have been the last.
    pub(super) fn finish_if_done(&mut self) -> Result<(), StepError> {
        if self.operation.is_wave_done() && self.operation.is_last_wave() {
            return self.finish();
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), StepError> {
        match self.operation.authority {
            Authority::Autonomous(_) | Authority::Decided(_) => {
                self.end(Ending::Completed);
                Ok(())
            }
            Authority::Drill(_) => {
                self.begin_rollback(None)?;
                self.revert_next(None)
            }
        }
    }
}
