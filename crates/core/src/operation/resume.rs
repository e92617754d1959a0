//! The ways out of a halt that go forward, and the ways into one from outside: `continue`, the
//! cool-down after it, and an alert (AG-706 4.4).

use std::collections::{BTreeMap, BTreeSet};

use super::effect::Record;
use super::event::capped;
use super::step::{StepError, Transition, count};
use super::{Failure, Phase, SystemState, TripCause};
use crate::identifier::{Digest, SystemId};

impl Transition<'_> {
    /// A verified quorum resets the breaker: failures count anew, and what was not touched goes on,
    /// less whatever `narrowed` leaves out.
    pub(super) fn resume(
        &mut self,
        decisions: BTreeSet<Digest>,
        narrowed: Option<&BTreeSet<SystemId>>,
    ) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Ended { ending } => return Err(StepError::Ended(ending)),
            Phase::Aborting { .. } | Phase::RollingBack { .. } => {
                return Err(StepError::AlreadyDecided);
            }
            Phase::Ready
            | Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. } => return Err(StepError::NotHalted),
            Phase::Halted => {}
        }
        if self.operation.rollback_began_at.is_some() {
            return Err(StepError::RollbackBegan);
        }
        if !self.operation.flights.is_empty() {
            return Err(StepError::InFlight(count(self.operation.flights.len())));
        }
        let left_out = match narrowed {
            Some(kept) => self.not_kept(kept)?,
            None => Vec::new(),
        };
        self.operation.forgiven = self.operation.failed;
        self.operation.failed_in_wave = 0;
        self.operation.cool_until = self
            .operation
            .limits
            .cool_down
            .map(|cool_down| self.after(cool_down));
        self.record(Record::Continued {
            decisions: decisions.clone(),
            left_out: count(left_out.len()),
            cool_down_until: self.operation.cool_until,
        });
        self.operation.continued_by = decisions;
        for index in left_out {
            self.operation.returned.remove(&index);
            self.recorded(index, SystemState::LeftOut, None, BTreeMap::new())?;
        }
        self.arm_deadline();
        self.go_on();
        Ok(())
    }

    /// The systems still to be worked on that are not among `kept`, all of which must be untouched.
    fn not_kept(&self, kept: &BTreeSet<SystemId>) -> Result<Vec<usize>, StepError> {
        let mut left_out = Vec::new();
        let mut found = 0_usize;
        for (index, system) in self.operation.systems.iter().enumerate() {
            if kept.contains(&system.id) {
                if system.touched {
                    return Err(StepError::NotRemaining(system.id.clone()));
                }
                found = found.saturating_add(1);
            } else if system.state == SystemState::Pending {
                left_out.push(index);
            }
        }
        if found == kept.len() {
            return Ok(left_out);
        }
        let strange = kept.iter().find(|id| {
            !self
                .operation
                .systems
                .iter()
                .any(|system| system.id == **id)
        });
        strange.map_or(Err(StepError::Corrupt), |id| {
            Err(StepError::NotRemaining(id.clone()))
        })
    }

    /// Goes forward from where it stopped: first what is left of a cool-down, then of a soak.
    pub(super) fn go_on(&mut self) {
        if let Some(until) = self.operation.cool_until
            && self.at < until
        {
            let timer = self.timer(until);
            self.operation.phase = Phase::CoolingDown { until, timer };
            return;
        }
        self.operation.cool_until = None;
        match self.operation.soak_until {
            Some(until) if self.at < until => self.soak(until),
            Some(_) => self.start_next_wave(),
            None => self.operation.phase = Phase::Running,
        }
    }

    /// A monitor outside says that something is wrong: the same as a failure beyond every tolerance.
    /// It does not stop a way back, nor what a person is ending already.
    pub(super) fn alert(&mut self, source: &str, reason: &str) -> Result<(), StepError> {
        let failure = Failure {
            during: SystemState::Pending,
            check: None,
            dependent: None,
            measured: capped(format!("{source}: {reason}")),
        };
        self.trip(None, TripCause::Alert, failure)
    }
}
