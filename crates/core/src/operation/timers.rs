//! Limits in time: how long an answer is awaited, and how long the whole operation may take.
//!
//! One timer watches all systems in flight. It covers what is in flight when it is set; what of that
//! is still in flight when it ends has had no answer for at least the limit, and for less than twice
//! the limit. So a rollout of any size asks for one timer at a time.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::event::Sequence;
use super::step::{StepError, Transition};
use super::{EffectKind, Failure, Phase, SystemState, TripCause};
use crate::span::Span;

/// How long an answer is awaited where a rollout does not say: an hour.
pub const ANSWER_WITHIN: TimeDelta = TimeDelta::hours(1);

/// A timer that is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Timer {
    /// Its effect.
    pub(super) sequence: Sequence,
    /// When it ends.
    pub(super) until: DateTime<Utc>,
}

/// The timer over what is in flight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Watch {
    pub(super) timer: Timer,
    /// It covers the effects up to this one.
    pub(super) covers: Sequence,
}

impl Transition<'_> {
    /// The instant `span` from now, or the end of time.
    pub(super) fn after(&self, span: Span) -> DateTime<Utc> {
        self.later(span.duration())
    }

    fn later(&self, delta: TimeDelta) -> DateTime<Utc> {
        self.at
            .checked_add_signed(delta)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    pub(super) fn timer(&mut self, until: DateTime<Utc>) -> Sequence {
        self.effect(EffectKind::StartTimer { until })
    }

    /// Sets the deadline of the whole operation, from now.
    pub(super) fn arm_deadline(&mut self) {
        let Some(within) = self.operation.limits.within else {
            return;
        };
        let until = self.after(within);
        self.set_deadline(until);
    }

    fn set_deadline(&mut self, until: DateTime<Utc>) {
        let sequence = self.timer(until);
        self.operation.deadline = Some(Timer { sequence, until });
    }

    /// Watches what is in flight, if anything is and nothing watches it.
    pub(super) fn watch(&mut self) {
        if self.operation.flights.is_empty() || self.operation.watch.is_some() {
            return;
        }
        let limit = self
            .operation
            .limits
            .answer_within
            .map_or(ANSWER_WITHIN, Span::duration);
        let until = self.later(limit);
        let covers = self.operation.last_sequence;
        self.set_watch(until, covers);
    }

    fn set_watch(&mut self, until: DateTime<Utc>, covers: Sequence) {
        let sequence = self.timer(until);
        self.operation.watch = Some(Watch {
            timer: Timer { sequence, until },
            covers,
        });
    }

    /// A timer ended, perhaps early, or with a clock that went back: then it is set again.
    pub(super) fn timer_ended(&mut self, sequence: Sequence) -> Result<(), StepError> {
        if let Some(watch) = self.operation.watch
            && watch.timer.sequence == sequence
        {
            if self.at < watch.timer.until {
                self.set_watch(watch.timer.until, watch.covers);
                return Ok(());
            }
            self.operation.watch = None;
            return self.give_up(watch.covers);
        }
        if let Some(deadline) = self.operation.deadline
            && deadline.sequence == sequence
        {
            if self.at < deadline.until {
                self.set_deadline(deadline.until);
                return Ok(());
            }
            self.operation.deadline = None;
            return self.overdue(deadline.until);
        }
        if let Phase::CoolingDown { timer, .. } = self.operation.phase
            && timer == sequence
        {
            self.go_on();
        }
        Ok(())
    }

    /// Nobody waits longer for what was asked for up to `covers`.
    fn give_up(&mut self, covers: Sequence) -> Result<(), StepError> {
        let late: Vec<Sequence> = self
            .operation
            .flights
            .range(..=covers)
            .map(|(sequence, _)| *sequence)
            .collect();
        for sequence in late {
            // A trip may have withdrawn it meanwhile.
            if let Some(index) = self.operation.flights.remove(&sequence) {
                self.lost(index, "no answer came in time".to_owned())?;
            }
        }
        Ok(())
    }

    fn overdue(&mut self, until: DateTime<Utc>) -> Result<(), StepError> {
        let failure = Failure {
            during: SystemState::Pending,
            check: None,
            dependent: None,
            measured: format!("the operation was to be over by {until}"),
        };
        self.trip(None, TripCause::Deadline, failure)
    }

    /// After a restart no timer of before ends; those that still matter are set again.
    pub(super) fn rearm(&mut self) {
        self.operation.watch = None;
        if let Some(deadline) = self.operation.deadline {
            self.set_deadline(deadline.until);
        }
        match self.operation.phase {
            Phase::Soaking { until, .. } => self.soak(until),
            Phase::CoolingDown { .. } => self.go_on(),
            Phase::Ready
            | Phase::Running
            | Phase::Held { .. }
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. }
            | Phase::Ended { .. } => {}
        }
    }
}
