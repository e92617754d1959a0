//! The circuit breaker (AG-706 4.4): results of systems, and when they halt the operation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::effect::Record;
use super::event::CheckResult;
use super::step::{StepError, Transition, count};
use super::{Failure, Phase, SystemState};
use crate::identifier::{CheckId, SystemId};

/// The facts of a trip, as a person reads them before deciding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trip {
    /// The system whose result tripped it.
    pub system: SystemId,
    /// The wave it happened in, from 0.
    pub wave: u64,
    /// What kind of result.
    pub cause: TripCause,
    /// In which step, by which check, with which measured value.
    pub failure: Failure,
    /// Systems recorded as failed in the rollout, this one included.
    pub failed: u32,
    /// Failed systems tolerated.
    pub limit: u32,
    /// How many systems were in each state.
    pub tally: BTreeMap<SystemState, u64>,
    /// When.
    pub at: DateTime<Utc>,
}

/// What trips the breaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TripCause {
    /// More systems failed than the rule tolerates.
    Failures,
    /// A check had no data; that never passes.
    NoData,
    /// The result of a step was lost.
    Unknown,
    /// A system could not be proved to be back as it was.
    Rollback,
}

/// What the results of the checks of one system amount to.
enum Health {
    Pass,
    Fail(CheckId, String),
    NoData(CheckId, String),
}

/// No data outweighs a failure, since no tolerance covers it; a declared check without a result had
/// no data. The first check by name speaks for the others.
fn judge(declared: &BTreeSet<CheckId>, results: &BTreeMap<CheckId, CheckResult>) -> Health {
    let mut health = Health::Pass;
    for (check, result) in results {
        match (result, &health) {
            (CheckResult::NoData { reason }, _) => {
                return Health::NoData(check.clone(), reason.clone());
            }
            (CheckResult::Fail { measured }, Health::Pass) => {
                health = Health::Fail(check.clone(), measured.clone());
            }
            (CheckResult::Fail { .. }, Health::Fail(..) | Health::NoData(..))
            | (CheckResult::Pass { .. }, _) => {}
        }
    }
    match declared.iter().find(|check| !results.contains_key(*check)) {
        Some(check) => Health::NoData(check.clone(), "the check gave no result".to_owned()),
        None => health,
    }
}

impl Transition<'_> {
    pub(super) fn health_checked(
        &mut self,
        index: usize,
        results: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        let checks: BTreeMap<_, _> = results
            .into_iter()
            .map(|(check, result)| (check, result.capped()))
            .collect();
        let health = judge(&self.operation.limits.health, &checks);
        if self.system(index)?.state == SystemState::RevertHealth {
            let system = self.system(index)?.id.clone();
            self.record(Record::RevertChecked { system, checks });
            return match health {
                Health::Pass => self.verify_reverted(index),
                Health::Fail(check, measured) | Health::NoData(check, measured) => {
                    let failure = self.revert_failed(index, Some(check), measured, None)?;
                    self.trip(index, TripCause::Rollback, failure)
                }
            };
        }
        match health {
            Health::Pass => self.recorded(index, SystemState::Healthy, None, checks),
            Health::Fail(check, measured) => {
                self.attempt_failed(index, Some(check), measured, checks)
            }
            Health::NoData(check, measured) => {
                self.undecidable(index, Some(check), measured, checks)
            }
        }
    }

    /// A step or a check failed: another attempt if one is left, otherwise a failed system.
    pub(super) fn attempt_failed(
        &mut self,
        index: usize,
        check: Option<CheckId>,
        measured: String,
        checks: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        let attempts = self.operation.limits.attempts;
        let may_go_on = self.may_go_on();
        let failure = self.failure(index, check, measured)?;
        let system = self.system(index)?;
        let (id, attempt) = (system.id.clone(), system.attempt());
        system.failures = system.failures.saturating_add(1);
        if system.failures < attempts && may_go_on {
            self.record(Record::AttemptFailed {
                system: id,
                attempt,
                failure,
                checks,
            });
            return self.put_back(index);
        }
        self.recorded_failed(index, checks)?;
        if self.operation.failed > self.operation.limits.failures {
            self.trip(index, TripCause::Failures, failure)?;
        }
        Ok(())
    }

    /// A check had no data: never another attempt, never a pass, always a trip.
    pub(super) fn undecidable(
        &mut self,
        index: usize,
        check: Option<CheckId>,
        measured: String,
        checks: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        let failure = self.failure(index, check, measured)?;
        self.recorded(
            index,
            SystemState::Undecidable,
            Some(failure.clone()),
            checks,
        )?;
        self.trip(index, TripCause::NoData, failure)
    }

    /// The result of a step will never come: recorded so, and never run again.
    pub(super) fn unknown(&mut self, index: usize, reason: String) -> Result<Failure, StepError> {
        let failure = self.failure(index, None, reason)?;
        self.recorded(
            index,
            SystemState::Unknown,
            Some(failure.clone()),
            BTreeMap::new(),
        )?;
        Ok(failure)
    }

    /// Keeps what went wrong in the step that the system is in.
    pub(super) fn failure(
        &mut self,
        index: usize,
        check: Option<CheckId>,
        measured: String,
    ) -> Result<Failure, StepError> {
        let system = self.system(index)?;
        let failure = Failure {
            during: system.state,
            check,
            measured,
        };
        system.failure = Some(Box::new(failure.clone()));
        Ok(failure)
    }

    pub(super) fn recorded_failed(
        &mut self,
        index: usize,
        checks: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        self.operation.failed = self.operation.failed.saturating_add(1);
        let failure = self.system(index)?.failure.as_deref().cloned();
        self.recorded(index, SystemState::Failed, failure, checks)
    }

    pub(super) fn recorded(
        &mut self,
        index: usize,
        outcome: SystemState,
        failure: Option<Failure>,
        checks: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        self.set(index, outcome)?;
        let system = self.system(index)?;
        let attempts = if outcome == SystemState::Failed {
            system.failures
        } else {
            system.attempt()
        };
        let record = Record::System {
            system: system.id.clone(),
            outcome,
            attempts,
            touched: system.touched,
            before: system.before,
            failure,
            checks,
        };
        self.record(record);
        Ok(())
    }

    /// Halts the operation, if it was going on. A later trip adds nothing to an operation that is
    /// halted already, and cannot stop a rollback that only waits for what is in flight.
    pub(super) fn trip(
        &mut self,
        index: usize,
        cause: TripCause,
        failure: Failure,
    ) -> Result<(), StepError> {
        match (&self.operation.phase, cause) {
            (Phase::Running | Phase::Soaking { .. } | Phase::Held { .. }, _)
            | (Phase::RollingBack { .. }, TripCause::Rollback) => {}
            (
                Phase::RollingBack { .. },
                TripCause::Failures | TripCause::NoData | TripCause::Unknown,
            )
            | (Phase::Ready | Phase::Halted | Phase::Aborting { .. } | Phase::Ended { .. }, _) => {
                return Ok(());
            }
        }
        self.operation.phase = Phase::Halted;
        self.operation.to_revert.clear();
        self.stop_dispatch()?;
        let trip = Trip {
            system: self.system(index)?.id.clone(),
            wave: count(self.operation.wave),
            cause,
            failure,
            failed: self.operation.failed,
            limit: self.operation.limits.failures,
            tally: self.operation.tally.clone(),
            at: self.at,
        };
        self.operation.trip = Some(trip.clone());
        self.record(Record::Tripped { trip });
        Ok(())
    }
}
