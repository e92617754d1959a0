//! An operation: an approved or autonomous action being carried out (DESIGN §8; AG-706 4.4, 4.6, 4.9).
//!
//! [`step`] is the whole of it: a pure function from (operation, event) to effects, the same live,
//! in replay and under a simulator. It never fails half-way and never does anything itself.
//!
//! ```text
//!  Ready ─start─▶ Running ⇄ Soaking ─────────────────────────▶ Ended: completed
//!                  │  ▲                                          (a drill goes to RollingBack)
//!   gate closed or │  │ re-opened
//!   held           ▼  │
//!                 Held ─────┐ roll_back            ┌─▶ Ended: rolled_back
//!                  │ trip   ├───────▶ RollingBack ─┤
//!                  ▼        │           │ trip      └─▶ Halted (again a person decides)
//!     CoolingDown ◀─ Halted ┤ abort     ▼
//!      (then Running)       │
//!                           └───────▶ Aborting ──────▶ Ended: aborted, or rollback_failed
//!                                                      where a rollback had begun
//! ```
//!
//! `continue`, by a whole quorum, leads from Halted through a cool-down back to Running.
//!
//! Each system goes gate → snapshot → baseline → gate → apply → health → recorded, and on the way back
//! revert → health → snapshot → compared. It is *touched* from the moment its apply is sent. One that
//! is unhealthy before the first touch is not touched, is no failure, and is counted by itself; where
//! nobody can say how it is, or a system that depends on it is unwell already, the operation holds.
//!
//! Invariants, which the properties in `tests/` hold:
//! - nothing is snapshot or applied without its own gate, answered after the last trip or hold;
//! - after a trip nothing more is applied until a quorum continues; what is in flight is awaited, with
//!   a limit in time, and recorded;
//! - systems in flight ≤ concurrency; applies of one system ≤ its attempts;
//! - what was lost or undecidable is never run again and never passes;
//! - a rollback reverts exactly the touched systems, last applied first, one at a time;
//! - an answer counts once: late and duplicate ones change nothing; an ended operation never moves.
//!
//! How a server drives it: persist the event, the new state, the log entries
//! ([`EffectKind::Record`]) and the other effects in one transaction; carry those effects out after
//! it commits; feed each answer back with the effect's sequence. After a restart feed
//! [`EventKind::Recovered`] before anything else, and carry out nothing from before it.
//! A full snapshot costs time in the number of systems: store events, and snapshots now and then.

mod authority;
mod breaker;
mod effect;
mod event;
mod query;
mod resume;
mod rollback;
mod rollout;
mod seeded;
mod step;
mod system;
mod timers;
mod waves;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use authority::{Authority, AuthorityError, Autonomous, Decided, Rehearsal};
pub use breaker::{Trip, TripCause};
pub use effect::{Dependents, Effect, EffectKind, Record};
pub use event::{CheckResult, Event, EventKind, Sequence, TEXT_CHARS_MAX};
pub use query::{Outstanding, Progress};
#[cfg(feature = "seeded-bugs")]
pub use seeded::SeededBug;
pub use step::{StepError, step};
pub use system::{Failure, System, SystemState};
pub use timers::ANSWER_WITHIN;
pub use waves::waves;

use crate::decision::digest_of_systems;
use crate::envelope::Rollout;
use crate::identifier::{CheckId, Digest, OperationId, SystemId};
use crate::span::Span;
use timers::{Timer, Watch};

/// An operation and how far it is. Serialisable, so that it can be stored and resumed; a stored one
/// is no proof of authority, which is why each gate asks for that again (DESIGN §6.5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    id: OperationId,
    authority: Authority,
    limits: Limits,
    phase: Phase,
    /// The systems in the order of the rollout, each once.
    systems: Vec<System>,
    /// For each wave the number of systems reached by its end: increasing, the last is all of them.
    wave_ends: Vec<usize>,
    /// The wave under way, or the last one finished.
    wave: usize,
    /// First system never taken up.
    next: usize,
    /// Systems taken up and put back, or waiting for another attempt; they go first.
    returned: BTreeSet<usize>,
    /// Effects that await an answer, with the system; one for each system in flight.
    flights: BTreeMap<Sequence, usize>,
    /// The touched systems in the order of their first apply.
    touched: Vec<usize>,
    /// Systems still to be reverted, the next one last.
    to_revert: Vec<usize>,
    /// End of the soak between two waves, while one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    soak_until: Option<DateTime<Utc>>,
    /// Systems recorded as failed in the rollout.
    failed: u32,
    /// Those of them that a `continue` has forgiven: the breaker counts anew from there.
    #[serde(default, skip_serializing_if = "is_zero")]
    forgiven: u32,
    /// Systems that failed in the wave under way, since the last `continue`.
    #[serde(default, skip_serializing_if = "is_zero")]
    failed_in_wave: u32,
    /// The decisions of the latest `continue`.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    continued_by: BTreeSet<Digest>,
    /// End of the cool-down after it, while one is due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cool_until: Option<DateTime<Utc>>,
    /// The timer of the deadline, while one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    deadline: Option<Timer>,
    /// The timer over what is in flight, while one is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    watch: Option<Watch>,
    /// The systems that are no targets and whose health is looked at besides.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    dependents: BTreeSet<SystemId>,
    /// How many systems are in each state; zeros are left out.
    tally: BTreeMap<SystemState, u64>,
    /// The latest trip.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    trip: Option<Trip>,
    /// When a rollback first began.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rollback_began_at: Option<DateTime<Utc>>,
    /// The highest sequence given out.
    last_sequence: Sequence,
    /// A bug sown by a test.
    #[cfg(feature = "seeded-bugs")]
    #[serde(skip)]
    bug: Option<SeededBug>,
}

/// What bounds an operation, from the rule's rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    /// Systems in flight at once, at least one.
    concurrency: usize,
    /// Attempts on one system, at least one.
    attempts: u32,
    /// Failed systems tolerated; absent where only a share of each wave is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// Per cent of a wave's systems whose failure is tolerated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    failures_percent: Option<u8>,
    /// The pause after a `continue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    cool_down: Option<Span>,
    /// How long an answer is awaited; absent means [`ANSWER_WITHIN`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    answer_within: Option<Span>,
    /// How long the whole operation may take, from its start or its latest `continue`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    within: Option<Span>,
    /// Time between waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    soak: Option<Span>,
    /// Health checks before and after each system.
    health: BTreeSet<CheckId>,
    /// Health checks of dependents, before and after each system.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    dependents: BTreeSet<CheckId>,
    /// Whether health is looked at before the first touch; not in operations stored before there
    /// was such a look, whose events must replay as they happened.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    baseline: bool,
}

/// Where an operation stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum Phase {
    /// Built, not started.
    Ready,
    /// Systems of a wave are worked on.
    Running,
    /// Between two waves.
    Soaking {
        /// When the next wave may begin.
        until: DateTime<Utc>,
        /// The sequence of the timer.
        timer: Sequence,
    },
    /// A quorum continued it; nothing is dispatched until the pause is over.
    CoolingDown {
        /// When it may go on.
        until: DateTime<Utc>,
        /// The sequence of the timer.
        timer: Sequence,
    },
    /// Nothing more is dispatched until it is re-opened or decided; no fault of a system.
    Held {
        /// Why.
        reason: String,
    },
    /// The breaker tripped ([`Operation::trip`]); only a signed decision moves it on.
    Halted,
    /// Aborted by decision; what is in flight is awaited.
    Aborting {
        /// The decision.
        decision: Digest,
    },
    /// What is in flight is awaited, then the touched systems are reverted.
    RollingBack {
        /// The decision; absent where a drill rolls back by itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Digest>,
    },
    /// Over, for good.
    Ended {
        /// How.
        ending: Ending,
    },
}

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// Every system was worked on, and failures stayed within the breaker's tolerance.
    Completed,
    /// Every touched system is as it was before, snapshots compared.
    RolledBack,
    /// Stopped by decision; touched systems stay as they are.
    Aborted,
    /// A rollback began and a decision ended it before every touched system was back.
    RollbackFailed,
}

/// Why an operation cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OperationError {
    /// There is nothing to do.
    #[error("an operation needs at least one target; approve at least one system")]
    NoTargets,
    /// The targets are not those that were approved.
    #[error("the targets are not those of the approval; take exactly the systems that were signed")]
    OtherTargets,
}

impl Operation {
    /// An operation on `targets` (narrowed, where the approval was) as `rollout` says; its waves are
    /// those of [`waves`]. It does nothing until [`EventKind::Start`].
    ///
    /// Absent limits mean: all systems at once, one attempt each, no failure tolerated, an answer within
    /// an hour, no deadline. A concurrency or a number of attempts of 0 counts as 1.
    ///
    /// # Errors
    /// [`OperationError::NoTargets`] where `targets` is empty, [`OperationError::OtherTargets`] where
    /// they are not exactly those that the approval was signed for.
    pub fn new(
        id: OperationId,
        authority: Authority,
        targets: &BTreeSet<SystemId>,
        rollout: &Rollout,
    ) -> Result<Self, OperationError> {
        if targets.is_empty() {
            return Err(OperationError::NoTargets);
        }
        if let Authority::Decided(decided) = &authority
            && !digest_of_systems(targets).is_ok_and(|digest| digest == decided.targets())
        {
            return Err(OperationError::OtherTargets);
        }
        let waves = waves(targets, rollout);
        let wave_ends = waves
            .iter()
            .scan(0_usize, |reached, wave| {
                *reached = reached.saturating_add(wave.len());
                Some(*reached)
            })
            .collect();
        let systems: Vec<System> = waves.into_iter().flatten().map(System::pending).collect();
        let breaker = rollout.breaker.clone().unwrap_or_default();
        let concurrency = rollout.concurrency.map_or(systems.len(), |systems| {
            usize::try_from(systems).unwrap_or(usize::MAX)
        });
        Ok(Self {
            id,
            authority,
            limits: Limits {
                concurrency: concurrency.max(1),
                attempts: breaker.attempts_per_system.unwrap_or(1).max(1),
                failures: breaker.tolerated(),
                failures_percent: breaker.failures_percent,
                cool_down: breaker.cool_down,
                answer_within: rollout.answer_within,
                within: rollout.within,
                soak: rollout.soak,
                health: rollout.health.clone(),
                dependents: rollout.dependents.clone(),
                baseline: true,
            },
            phase: Phase::Ready,
            tally: BTreeMap::from([(
                SystemState::Pending,
                u64::try_from(systems.len()).unwrap_or(u64::MAX),
            )]),
            systems,
            wave_ends,
            wave: 0,
            next: 0,
            returned: BTreeSet::new(),
            flights: BTreeMap::new(),
            touched: Vec::new(),
            to_revert: Vec::new(),
            soak_until: None,
            failed: 0,
            forgiven: 0,
            failed_in_wave: 0,
            continued_by: BTreeSet::new(),
            cool_until: None,
            deadline: None,
            watch: None,
            dependents: BTreeSet::new(),
            trip: None,
            rollback_began_at: None,
            last_sequence: Sequence::default(),
            #[cfg(feature = "seeded-bugs")]
            bug: None,
        })
    }

    /// The same operation, which looks at the health of these systems besides: those that its impact
    /// names as down or degraded (AG-706 4.4: "in any affected system"). Targets among them are left
    /// out, and so are all where the rollout declares no check of dependents. Before its start only.
    #[must_use]
    pub fn with_dependents(mut self, mut dependents: BTreeSet<SystemId>) -> Self {
        if self.phase == Phase::Ready && !self.limits.dependents.is_empty() {
            for system in &self.systems {
                dependents.remove(&system.id);
            }
            self.dependents = dependents;
        }
        self
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
