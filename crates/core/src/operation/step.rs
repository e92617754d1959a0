//! The transition function: one event in, effects out.

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::effect::{Effect, EffectKind, Record};
use super::event::{Event, EventKind, Sequence, capped};
use super::seeded::SeededBug;
use super::{Ending, Operation, Phase, System, SystemState};
use crate::identifier::SystemId;

/// Why an event is refused. The operation is unchanged, but after [`StepError::Corrupt`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum StepError {
    /// It was started before.
    #[error("the operation was already started; do not start it again")]
    AlreadyStarted,
    /// It is over.
    #[error("the operation has ended ({0:?}); propose a new one")]
    Ended(Ending),
    /// Another decision was first.
    #[error("the operation is already being ended by an earlier decision; wait for it")]
    AlreadyDecided,
    /// Nothing is to be continued.
    #[error("the operation is not halted, so there is nothing to continue; wait for it")]
    NotHalted,
    /// A rollback began, so that there is no way forward.
    #[error("a rollback began; roll back again, or abort")]
    RollbackBegan,
    /// What is in flight must be known before anybody continues.
    #[error("{0} systems are still in flight; wait until they are reported")]
    InFlight(u64),
    /// A narrowing keeps what is not there to be kept.
    #[error("`{0}` is none of the untouched systems; narrow to systems that remain")]
    NotRemaining(SystemId),
    /// There is nothing to roll back.
    #[error("no system was touched, so there is nothing to roll back; abort instead")]
    NothingTouched,
    /// The event does not answer the effect with this sequence.
    #[error("effect {sequence} awaits the answer to `{awaited:?}`, not this one")]
    WrongAnswer {
        /// The effect.
        sequence: Sequence,
        /// The step that is in flight.
        awaited: SystemState,
    },
    /// The state contradicts itself, so it was not stored by this program. Discard it.
    #[error("the stored operation contradicts itself; rebuild it from the log")]
    Corrupt,
}

/// Applies `event` to `operation` and says what to do now, in order. Total: it never panics. Its
/// cost is that of the systems affected, so a whole rollout is linear in its systems (an event that
/// empties all slots, such as a trip, costs as much as there are systems in flight).
///
/// An answer that is not awaited changes nothing and asks for nothing.
///
/// # Errors
/// [`StepError`]; the operation is then unchanged, but after [`StepError::Corrupt`].
pub fn step(operation: &mut Operation, event: Event) -> Result<Vec<Effect>, StepError> {
    let mut transition = Transition {
        operation,
        at: event.at,
        effects: Vec::new(),
    };
    transition.take(event.kind)?;
    transition.advance()?;
    transition.watch();
    Ok(transition.effects)
}

/// One call of [`step`]: the operation, the event's time and the effects so far. The rollout, the
/// breaker and the rollback add their methods in their own files.
pub(super) struct Transition<'a> {
    pub(super) operation: &'a mut Operation,
    pub(super) at: DateTime<Utc>,
    pub(super) effects: Vec<Effect>,
}

impl Transition<'_> {
    fn take(&mut self, event: EventKind) -> Result<(), StepError> {
        use SystemState::{
            Apply, Baseline, Gate, Health, Revert, RevertHealth, RevertSnapshot, Snapshot,
        };
        match event {
            EventKind::Start => self.start(),
            EventKind::GateOpened { sequence } => {
                self.answered(sequence, &[Gate], Self::gate_opened)
            }
            EventKind::GateClosed { sequence, reason } => {
                self.answered(sequence, &[Gate], |this, index| {
                    this.gate_closed(index, reason)
                })
            }
            EventKind::SnapshotTaken { sequence, digest } => {
                self.answered(sequence, &[Snapshot, RevertSnapshot], |this, index| {
                    this.snapshot_taken(index, digest)
                })
            }
            EventKind::Applied { sequence } => self.answered(sequence, &[Apply], Self::applied),
            EventKind::Reverted { sequence } => self.answered(sequence, &[Revert], Self::reverted),
            EventKind::HealthChecked {
                sequence,
                results,
                dependents,
            } => self.answered(
                sequence,
                &[Baseline, Health, RevertHealth],
                |this, index| this.health_checked(index, results, &dependents),
            ),
            EventKind::ExecutorFailed { sequence, reason } => self.answered(
                sequence,
                &[
                    Snapshot,
                    Baseline,
                    Apply,
                    Health,
                    Revert,
                    RevertHealth,
                    RevertSnapshot,
                ],
                |this, index| this.executor_failed(index, reason),
            ),
            EventKind::Lost { sequence, reason } => self.answered(
                sequence,
                &[
                    Gate,
                    Snapshot,
                    Baseline,
                    Apply,
                    Health,
                    Revert,
                    RevertHealth,
                    RevertSnapshot,
                ],
                |this, index| this.lost(index, reason),
            ),
            EventKind::SoakEnded { sequence } => {
                self.soak_ended(sequence);
                Ok(())
            }
            EventKind::TimerEnded { sequence } => self.timer_ended(sequence),
            EventKind::Halt { source, reason } => self.alert(&source, &reason),
            EventKind::Hold { reason } => self.hold(reason),
            EventKind::Reopened => {
                self.reopened();
                Ok(())
            }
            EventKind::Continue {
                decisions,
                narrowed,
            } => self.resume(decisions, narrowed.as_ref()),
            EventKind::RollBack { decision } => self.roll_back(decision),
            EventKind::Abort { decision } => self.abort(decision),
            EventKind::Recovered => self.recovered(),
        }
    }

    /// Hands the system of an awaited effect to `then`. An effect that is not awaited is no error.
    fn answered(
        &mut self,
        sequence: Sequence,
        fits: &[SystemState],
        then: impl FnOnce(&mut Self, usize) -> Result<(), StepError>,
    ) -> Result<(), StepError> {
        let Some(&index) = self.operation.flights.get(&sequence) else {
            return Ok(());
        };
        let awaited = self.system(index)?.state;
        if !fits.contains(&awaited) {
            return Err(StepError::WrongAnswer { sequence, awaited });
        }
        if !self.operation.has(SeededBug::CountsDuplicates) {
            self.operation.flights.remove(&sequence);
        }
        then(self, index)
    }

    /// Dispatches what may now be dispatched.
    fn advance(&mut self) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Ready
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Halted
            | Phase::Ended { .. } => Ok(()),
            Phase::Running => self.dispatch(),
            Phase::Held { .. } => self.finish_if_done(),
            Phase::Aborting { .. } => {
                if self.operation.flights.is_empty() {
                    let ending = match self.operation.rollback_began_at {
                        Some(_) => Ending::RollbackFailed,
                        None => Ending::Aborted,
                    };
                    self.end(ending);
                }
                Ok(())
            }
            Phase::RollingBack { decision } => self.revert_next(decision),
        }
    }

    fn start(&mut self) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Ready => {}
            Phase::Ended { ending } => return Err(StepError::Ended(ending)),
            Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. }
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. } => return Err(StepError::AlreadyStarted),
        }
        self.record(Record::Started {
            authority: self.operation.authority.clone(),
            systems: count(self.operation.systems.len()),
            waves: count(self.operation.wave_ends.len()),
        });
        self.arm_deadline();
        self.start_wave(0);
        Ok(())
    }

    fn abort(&mut self, decision: crate::identifier::Digest) -> Result<(), StepError> {
        match self.operation.phase {
            Phase::Ended { ending } => return Err(StepError::Ended(ending)),
            Phase::Aborting { .. } => return Err(StepError::AlreadyDecided),
            Phase::Ready
            | Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. }
            | Phase::Halted
            | Phase::RollingBack { .. } => {}
        }
        self.operation.phase = Phase::Aborting { decision };
        self.operation.to_revert.clear();
        self.record(Record::AbortBegan {
            decision,
            touched: count(self.operation.touched.len()),
        });
        self.stop_dispatch()
    }

    pub(super) fn end(&mut self, ending: Ending) {
        self.operation.phase = Phase::Ended { ending };
        self.operation.watch = None;
        self.operation.deadline = None;
        self.record(Record::Finished {
            ending,
            tally: self.operation.tally.clone(),
            rollback_began_at: self.operation.rollback_began_at,
        });
        self.effect(EffectKind::Finished { ending });
    }

    // What all parts share.

    /// Asks for `kind`; its sequence.
    pub(super) fn effect(&mut self, kind: EffectKind) -> Sequence {
        let sequence = self.operation.last_sequence.next();
        self.operation.last_sequence = sequence;
        self.effects.push(Effect { sequence, kind });
        sequence
    }

    pub(super) fn record(&mut self, record: Record) {
        self.effect(EffectKind::Record { record });
    }

    /// Asks for `kind` on a system, which is then in flight in `state`.
    pub(super) fn send(
        &mut self,
        index: usize,
        state: SystemState,
        kind: EffectKind,
    ) -> Result<(), StepError> {
        self.set(index, state)?;
        let sequence = self.effect(kind);
        self.operation.flights.insert(sequence, index);
        Ok(())
    }

    pub(super) fn system(&mut self, index: usize) -> Result<&mut System, StepError> {
        self.operation
            .systems
            .get_mut(index)
            .ok_or(StepError::Corrupt)
    }

    pub(super) fn set(&mut self, index: usize, state: SystemState) -> Result<(), StepError> {
        let before = std::mem::replace(&mut self.system(index)?.state, state);
        let tally = &mut self.operation.tally;
        let left = tally.get_mut(&before).ok_or(StepError::Corrupt)?;
        *left = left.saturating_sub(1);
        if *left == 0 {
            tally.remove(&before);
        }
        let entered = tally.entry(state).or_default();
        *entered = entered.saturating_add(1);
        Ok(())
    }

    fn gate_closed(&mut self, index: usize, reason: String) -> Result<(), StepError> {
        self.put_back(index)?;
        self.hold(reason)
    }

    pub(super) fn lost(&mut self, index: usize, reason: String) -> Result<(), StepError> {
        match self.system(index)?.state {
            SystemState::Gate | SystemState::Baseline => self.gate_closed(index, reason),
            SystemState::Snapshot | SystemState::Apply | SystemState::Health => {
                let failure = self.unknown(index, capped(reason))?;
                self.trip(Some(index), super::TripCause::Unknown, failure)
            }
            SystemState::Revert | SystemState::RevertHealth | SystemState::RevertSnapshot => {
                let failure = self.revert_failed(index, None, capped(reason), None)?;
                self.trip(Some(index), super::TripCause::Rollback, failure)
            }
            SystemState::Pending
            | SystemState::AlreadyUnhealthy
            | SystemState::LeftOut
            | SystemState::Healthy
            | SystemState::Unchecked
            | SystemState::Failed
            | SystemState::Undecidable
            | SystemState::Unknown
            | SystemState::RolledBack
            | SystemState::RollbackFailed => Err(StepError::Corrupt),
        }
    }

    fn executor_failed(&mut self, index: usize, reason: String) -> Result<(), StepError> {
        let reason = capped(reason);
        match self.system(index)?.state {
            SystemState::Snapshot | SystemState::Apply => {
                self.attempt_failed(index, None, reason, std::collections::BTreeMap::new())
            }
            // Nothing was changed yet; what cannot be looked at holds.
            SystemState::Baseline => self.gate_closed(index, reason),
            SystemState::Health => {
                self.undecidable(index, None, reason, std::collections::BTreeMap::new())
            }
            SystemState::Revert | SystemState::RevertHealth | SystemState::RevertSnapshot => {
                let failure = self.revert_failed(index, None, reason, None)?;
                self.trip(Some(index), super::TripCause::Rollback, failure)
            }
            SystemState::Pending
            | SystemState::Gate
            | SystemState::AlreadyUnhealthy
            | SystemState::LeftOut
            | SystemState::Healthy
            | SystemState::Unchecked
            | SystemState::Failed
            | SystemState::Undecidable
            | SystemState::Unknown
            | SystemState::RolledBack
            | SystemState::RollbackFailed => Err(StepError::Corrupt),
        }
    }

    fn recovered(&mut self) -> Result<(), StepError> {
        let flights = std::mem::take(&mut self.operation.flights);
        if !flights.is_empty() {
            self.record(Record::Recovered {
                in_flight: count(flights.len()),
            });
        }
        let mut first = None;
        let runs_twice = self.operation.has(SeededBug::RunsTwice);
        for index in flights.into_values() {
            let reason = "the backend restarted before an answer came".to_owned();
            match self.system(index)?.state {
                SystemState::Apply if runs_twice => self.put_back(index)?,
                SystemState::Gate | SystemState::Baseline => self.put_back(index)?,
                SystemState::Snapshot | SystemState::Apply | SystemState::Health => {
                    let failure = self.unknown(index, reason)?;
                    first.get_or_insert((index, super::TripCause::Unknown, failure));
                }
                SystemState::Revert | SystemState::RevertHealth | SystemState::RevertSnapshot => {
                    let failure = self.revert_failed(index, None, reason, None)?;
                    first.get_or_insert((index, super::TripCause::Rollback, failure));
                }
                SystemState::Pending
                | SystemState::AlreadyUnhealthy
                | SystemState::LeftOut
                | SystemState::Healthy
                | SystemState::Unchecked
                | SystemState::Failed
                | SystemState::Undecidable
                | SystemState::Unknown
                | SystemState::RolledBack
                | SystemState::RollbackFailed => return Err(StepError::Corrupt),
            }
        }
        if let Some((index, cause, failure)) = first {
            self.trip(Some(index), cause, failure)?;
        }
        self.rearm();
        Ok(())
    }
}

pub(super) fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
