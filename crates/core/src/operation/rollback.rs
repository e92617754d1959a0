//! The way back (AG-706 4.6): exactly the touched systems, last applied first, one at a time.

use super::effect::{EffectKind, Record};
use super::seeded::SeededBug;
use super::step::{StepError, Transition, count};
use super::{Ending, Failure, Phase, SystemState, TripCause};
use crate::identifier::{CheckId, Digest};

impl Transition<'_> {
    pub(super) fn roll_back(&mut self, decision: Digest) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Ended { ending } => return Err(StepError::Ended(ending)),
            Phase::Aborting { .. } | Phase::RollingBack { .. } => {
                return Err(StepError::AlreadyDecided);
            }
            Phase::Ready
            | Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. }
            | Phase::Halted => {}
        }
        if self.operation.touched.is_empty() {
            return Err(StepError::NothingTouched);
        }
        self.begin_rollback(Some(decision))
    }

    /// From here on nothing more is applied, so the touched systems are known for good. Those that an
    /// earlier rollback brought back are left alone.
    pub(super) fn begin_rollback(&mut self, decision: Option<Digest>) -> Result<(), StepError> {
        self.operation.phase = Phase::RollingBack { decision };
        self.operation.rollback_began_at.get_or_insert(self.at);
        self.stop_dispatch()?;
        let mut to_revert = Vec::new();
        for &index in &self.operation.touched {
            let system = self.operation.systems.get(index);
            let state = system.ok_or(StepError::Corrupt)?.state;
            let forgotten =
                state == SystemState::Unknown && self.operation.has(SeededBug::ForgetsTheUnknown);
            if state != SystemState::RolledBack && !forgotten {
                to_revert.push(index);
            }
        }
        self.record(Record::RollbackBegan {
            decision,
            systems: count(to_revert.len()),
        });
        self.operation.to_revert = to_revert;
        Ok(())
    }

    /// Reverts the next system once nothing is in flight.
    pub(super) fn revert_next(&mut self, decision: Option<Digest>) -> Result<(), StepError> {
        if !self.operation.flights.is_empty() {
            return Ok(());
        }
        let Some(index) = self.operation.to_revert.pop() else {
            self.end(Ending::RolledBack);
            return Ok(());
        };
        let system = self.system(index)?;
        let (id, before) = (system.id.clone(), system.before);
        self.record(Record::Reverting { system: id.clone() });
        let kind = EffectKind::Revert {
            system: id,
            before,
            decision,
        };
        self.send(index, SystemState::Revert, kind)
    }

    pub(super) fn reverted(&mut self, index: usize) -> Result<(), StepError> {
        if self.operation.limits.health.is_empty() {
            return self.verify_reverted(index);
        }
        self.check_health(index, SystemState::RevertHealth)
    }

    pub(super) fn verify_reverted(&mut self, index: usize) -> Result<(), StepError> {
        let kind = EffectKind::VerifyReverted {
            system: self.system(index)?.id.clone(),
        };
        self.send(index, SystemState::RevertSnapshot, kind)
    }

    pub(super) fn compare(&mut self, index: usize, after: Digest) -> Result<(), StepError> {
        let before = self.system(index)?.before;
        if before != Some(after) {
            let measured = match before {
                Some(before) => format!("the snapshot after is {after}, the one before {before}"),
                None => format!("the snapshot after is {after}, there is none from before"),
            };
            let failure = self.revert_failed(index, None, measured, Some(after))?;
            return self.trip(Some(index), TripCause::Rollback, failure);
        }
        self.set(index, SystemState::RolledBack)?;
        let system = self.system(index)?.id.clone();
        self.record(Record::SystemReverted {
            system,
            outcome: SystemState::RolledBack,
            before,
            after: Some(after),
            failure: None,
        });
        Ok(())
    }

    pub(super) fn revert_failed(
        &mut self,
        index: usize,
        check: Option<CheckId>,
        measured: String,
        after: Option<Digest>,
    ) -> Result<Failure, StepError> {
        let failure = self.failure(index, check, measured)?;
        self.set(index, SystemState::RollbackFailed)?;
        let system = self.system(index)?;
        let record = Record::SystemReverted {
            system: system.id.clone(),
            outcome: SystemState::RollbackFailed,
            before: system.before,
            after,
            failure: Some(failure.clone()),
        };
        self.record(record);
        Ok(failure)
    }
}
