//! The circuit breaker (AG-706 4.4): results of systems, and when they halt the operation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::effect::Record;
use super::event::{CheckResult, capped};
use super::seeded::SeededBug;
use super::step::{StepError, Transition, count};
use super::{Failure, Operation, Phase, SystemState};
use crate::identifier::{CheckId, SystemId};

/// The facts of a trip, as a person reads them before deciding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trip {
    /// The system whose result tripped it; absent where none did, but a monitor or the clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemId>,
    /// The wave it happened in, from 0.
    pub wave: u64,
    /// What kind of result.
    pub cause: TripCause,
    /// In which step, by which check, with which measured value.
    pub failure: Failure,
    /// Systems recorded as failed since the breaker was last reset, this one included; where
    /// `cause` is [`TripCause::FailureShare`], those of the wave.
    pub failed: u32,
    /// How many of those are tolerated.
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
    /// A larger share of the wave's systems failed than the rule tolerates.
    FailureShare,
    /// A system that depends on one worked on is unhealthy; nothing tolerates that.
    Dependent,
    /// A monitor outside said so.
    Alert,
    /// The operation took longer than it may.
    Deadline,
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

/// A dependent that is not well, by which check, and how.
struct Unwell {
    system: SystemId,
    check: CheckId,
    measured: String,
}

impl Operation {
    /// Failures since the breaker was last reset, and the tolerated number of them, as `cause` counts.
    fn counted(&self, cause: TripCause) -> (u32, u32) {
        match (cause, self.limits.failures) {
            (TripCause::FailureShare, _) | (_, None) => {
                (self.failed_in_wave, self.tolerated_in_wave())
            }
            (
                TripCause::Failures
                | TripCause::Dependent
                | TripCause::Alert
                | TripCause::Deadline
                | TripCause::NoData
                | TripCause::Unknown
                | TripCause::Rollback,
                Some(limit),
            ) => (self.failed.saturating_sub(self.forgiven), limit),
        }
    }

    /// The number of systems of the wave under way whose failure its share tolerates: rounded down,
    /// so that exactly the share passes and the first system beyond trips.
    fn tolerated_in_wave(&self) -> u32 {
        let percent = usize::from(self.limits.failures_percent.unwrap_or(100));
        let systems = self.wave_systems(self.wave).len();
        u32::try_from(systems.saturating_mul(percent) / 100).unwrap_or(u32::MAX)
    }

    /// Whether more systems failed than are tolerated, by which count.
    fn beyond_tolerance(&self) -> Option<TripCause> {
        let counts = [
            self.limits.failures.map(|_| TripCause::Failures),
            self.limits
                .failures_percent
                .map(|_| TripCause::FailureShare),
        ];
        counts.into_iter().flatten().find(|cause| {
            let (failed, limit) = self.counted(*cause);
            failed > limit
        })
    }
}

impl Transition<'_> {
    /// How the system was before anything touched it (AG-706 4.4).
    fn baseline(
        &mut self,
        index: usize,
        health: Health,
        checks: BTreeMap<CheckId, CheckResult>,
        dependents: &BTreeMap<SystemId, BTreeMap<CheckId, CheckResult>>,
    ) -> Result<(), StepError> {
        match health {
            Health::NoData(check, measured) => {
                self.put_back(index)?;
                self.hold(format!("`{check}` has no data yet: {measured}"))
            }
            Health::Fail(check, measured) => {
                let failure = self.failure(index, Some(check), measured)?;
                // Nothing was done to it that a snapshot could undo.
                self.system(index)?.before = None;
                self.recorded(index, SystemState::AlreadyUnhealthy, Some(failure), checks)
            }
            Health::Pass => match self.unwell_dependent(dependents) {
                Some(Unwell {
                    system,
                    check,
                    measured,
                }) => {
                    self.put_back(index)?;
                    self.hold(format!(
                        "`{system}`, which depends on it, is not well already: `{check}` {measured}"
                    ))
                }
                None if self.operation.has(SeededBug::SkipsTheGate) => self.gate_opened(index),
                None if self.operation.phase == Phase::Running => self.ask_gate(index),
                None => self.put_back(index),
            },
        }
    }

    /// The first dependent that is not proved to be well.
    fn unwell_dependent(
        &self,
        results: &BTreeMap<SystemId, BTreeMap<CheckId, CheckResult>>,
    ) -> Option<Unwell> {
        let nothing = BTreeMap::new();
        let declared = &self.operation.limits.dependents;
        self.operation.dependents.iter().find_map(|system| {
            match judge(declared, results.get(system).unwrap_or(&nothing)) {
                Health::Pass => None,
                Health::Fail(check, measured) | Health::NoData(check, measured) => Some(Unwell {
                    system: system.clone(),
                    check,
                    measured: capped(measured),
                }),
            }
        })
    }

    /// Harm to a system that was none of the targets is a failure that nothing tolerates.
    fn dependent_failed(
        &mut self,
        index: usize,
        unwell: Unwell,
        checks: BTreeMap<CheckId, CheckResult>,
    ) -> Result<(), StepError> {
        let mut failure = self.failure(index, Some(unwell.check), unwell.measured)?;
        failure.dependent = Some(unwell.system);
        let system = self.system(index)?;
        system.failures = system.failures.saturating_add(1);
        system.failure = Some(Box::new(failure.clone()));
        self.recorded_failed(index, checks)?;
        self.trip(Some(index), TripCause::Dependent, failure)
    }

    pub(super) fn health_checked(
        &mut self,
        index: usize,
        results: BTreeMap<CheckId, CheckResult>,
        dependents: &BTreeMap<SystemId, BTreeMap<CheckId, CheckResult>>,
    ) -> Result<(), StepError> {
        let checks: BTreeMap<_, _> = results
            .into_iter()
            .map(|(check, result)| (check, result.capped()))
            .collect();
        let health = judge(&self.operation.limits.health, &checks);
        let state = self.system(index)?.state;
        if state == SystemState::Baseline {
            return self.baseline(index, health, checks, dependents);
        }
        if state == SystemState::RevertHealth {
            let system = self.system(index)?.id.clone();
            self.record(Record::RevertChecked { system, checks });
            return match health {
                Health::Pass => self.verify_reverted(index),
                Health::Fail(check, measured) | Health::NoData(check, measured) => {
                    let failure = self.revert_failed(index, Some(check), measured, None)?;
                    self.trip(Some(index), TripCause::Rollback, failure)
                }
            };
        }
        match health {
            Health::Pass => match self.unwell_dependent(dependents) {
                None if self.operation.limits.health.is_empty() => {
                    self.recorded(index, SystemState::Unchecked, None, checks)
                }
                None => self.recorded(index, SystemState::Healthy, None, checks),
                Some(unwell) => self.dependent_failed(index, unwell, checks),
            },
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
        match self.operation.beyond_tolerance() {
            Some(cause) => self.trip(Some(index), cause, failure),
            None => Ok(()),
        }
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
        self.trip(Some(index), TripCause::NoData, failure)
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
            dependent: None,
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
        self.operation.failed_in_wave = self.operation.failed_in_wave.saturating_add(1);
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
        let attempts = match outcome {
            SystemState::Failed | SystemState::AlreadyUnhealthy | SystemState::LeftOut => {
                system.failures
            }
            SystemState::Pending
            | SystemState::Gate
            | SystemState::Snapshot
            | SystemState::Baseline
            | SystemState::Apply
            | SystemState::Health
            | SystemState::Healthy
            | SystemState::Unchecked
            | SystemState::Undecidable
            | SystemState::Unknown
            | SystemState::Revert
            | SystemState::RevertHealth
            | SystemState::RevertSnapshot
            | SystemState::RolledBack
            | SystemState::RollbackFailed => system.attempt(),
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
        index: Option<usize>,
        cause: TripCause,
        failure: Failure,
    ) -> Result<(), StepError> {
        match (&self.operation.phase, cause) {
            (
                Phase::Running
                | Phase::Soaking { .. }
                | Phase::CoolingDown { .. }
                | Phase::Held { .. },
                _,
            )
            | (Phase::RollingBack { .. }, TripCause::Rollback) => {}
            (
                Phase::RollingBack { .. },
                TripCause::Failures
                | TripCause::FailureShare
                | TripCause::Dependent
                | TripCause::Alert
                | TripCause::Deadline
                | TripCause::NoData
                | TripCause::Unknown,
            )
            | (Phase::Ready | Phase::Halted | Phase::Aborting { .. } | Phase::Ended { .. }, _) => {
                return Ok(());
            }
        }
        self.operation.phase = Phase::Halted;
        self.operation.to_revert.clear();
        self.operation.deadline = None;
        self.operation.cool_until = None;
        if !self.operation.has(SeededBug::DispatchesAfterTrip) {
            self.stop_dispatch()?;
        }
        let system = match index {
            Some(index) => Some(self.system(index)?.id.clone()),
            None => None,
        };
        let (failed, limit) = self.operation.counted(cause);
        let trip = Trip {
            system,
            wave: count(self.operation.wave),
            cause,
            failure,
            failed,
            limit,
            tally: self.operation.tally.clone(),
            at: self.at,
        };
        self.operation.trip = Some(trip.clone());
        self.record(Record::Tripped { trip });
        Ok(())
    }
}
