//! What an operation asks of the server.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::event::{CheckResult, Sequence};
use super::{Authority, Ending, Failure, SystemState, Trip};
use crate::identifier::{CheckId, Digest, SystemId};

/// One thing to do. (operation, sequence) identifies it for good.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Effect {
    /// Its number and fencing token.
    pub sequence: Sequence,
    /// What to do.
    pub kind: EffectKind,
}

/// What to do. Each names the events that answer it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "effect", rename_all = "snake_case")]
pub enum EffectKind {
    /// Write one log entry, in the transaction of the event. No answer.
    Record {
        /// What it says.
        record: Record,
    },
    /// Re-verify the authority (DESIGN §6.5): `GateOpened` or `GateClosed`.
    Gate {
        /// The system that would be dispatched.
        system: SystemId,
        /// For which step: [`SystemState::Snapshot`] or [`SystemState::Apply`].
        before: SystemState,
    },
    /// Take the state of a system before the action: `SnapshotTaken`, `ExecutorFailed`.
    Snapshot {
        /// The system.
        system: SystemId,
        /// From 1.
        attempt: u32,
    },
    /// Check its health before the first touch: `HealthChecked`, `ExecutorFailed`.
    Baseline {
        /// The system.
        system: SystemId,
        /// The declared checks; none where only dependents are looked at.
        checks: BTreeSet<CheckId>,
        /// Whom else to look at.
        #[serde(default, skip_serializing_if = "Dependents::is_empty")]
        dependents: Dependents,
    },
    /// Carry the action out: `Applied`, `ExecutorFailed`.
    Apply {
        /// The system.
        system: SystemId,
        /// From 1.
        attempt: u32,
    },
    /// Check its health, after the action or after the revert: `HealthChecked`, `ExecutorFailed`.
    Health {
        /// The system.
        system: SystemId,
        /// The declared checks; none where only dependents are looked at.
        checks: BTreeSet<CheckId>,
        /// Whom else to look at.
        #[serde(default, skip_serializing_if = "Dependents::is_empty")]
        dependents: Dependents,
    },
    /// Undo the action: `Reverted`, `ExecutorFailed`.
    Revert {
        /// The system.
        system: SystemId,
        /// The snapshot to return to.
        before: Option<Digest>,
        /// The decision that orders it; absent in a drill.
        decision: Option<Digest>,
    },
    /// Take its state after the revert, which is compared here: `SnapshotTaken`, `ExecutorFailed`.
    VerifyReverted {
        /// The system.
        system: SystemId,
    },
    /// Wait: `SoakEnded` at `until` or later.
    StartSoak {
        /// When to answer.
        until: DateTime<Utc>,
    },
    /// Wait: `TimerEnded` at `until` or later.
    StartTimer {
        /// When to answer.
        until: DateTime<Utc>,
    },
    /// It is over. No answer.
    Finished {
        /// How it ended.
        ending: Ending,
    },
}

/// The systems that depend on the one worked on, and the checks that each of them must pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dependents {
    /// The systems.
    pub systems: BTreeSet<SystemId>,
    /// The checks of each.
    pub checks: BTreeSet<CheckId>,
}

impl Dependents {
    /// Whether nobody is looked at.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.systems.is_empty() || self.checks.is_empty()
    }
}

/// What the log must say, one entry each (AG-706 4.8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "record", rename_all = "snake_case")]
pub enum Record {
    /// It began.
    Started {
        /// By which authority.
        authority: Authority,
        /// Number of systems.
        systems: u64,
        /// Number of waves.
        waves: u64,
    },
    /// A wave began.
    WaveStarted {
        /// From 0; the canary, if there is one, is the first.
        wave: u64,
        /// Number of its systems.
        systems: u64,
    },
    /// The pause after a wave began.
    SoakStarted {
        /// When it ends.
        until: DateTime<Utc>,
    },
    /// The action is being sent to a system, which counts as touched from here on.
    Touched {
        /// The system.
        system: SystemId,
        /// From 1.
        attempt: u32,
        /// Its snapshot before.
        before: Option<Digest>,
    },
    /// An attempt failed, and another one is allowed.
    AttemptFailed {
        /// The system.
        system: SystemId,
        /// From 1.
        attempt: u32,
        /// What went wrong.
        failure: Failure,
        /// What each check found.
        checks: BTreeMap<CheckId, CheckResult>,
    },
    /// The result of a system in the rollout.
    System {
        /// The system.
        system: SystemId,
        /// Healthy, unchecked, failed, undecidable or unknown; already unhealthy or left out, and then
        /// untouched.
        outcome: SystemState,
        /// Attempts made on it.
        attempts: u32,
        /// Whether it may have been changed.
        touched: bool,
        /// Its snapshot before, which a rollback returns to.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
        /// What each check found.
        checks: BTreeMap<CheckId, CheckResult>,
    },
    /// Dispatch stopped without a trip.
    Held {
        /// Why.
        reason: String,
    },
    /// Dispatch may go on.
    Reopened,
    /// The breaker tripped (AG-706 4.4).
    Tripped {
        /// The facts.
        trip: Trip,
    },
    /// A quorum reset the breaker: what was not touched goes on (AG-706 4.4).
    Continued {
        /// The decisions.
        decisions: BTreeSet<Digest>,
        /// Systems that it leaves out, each recorded by itself.
        left_out: u64,
        /// End of the pause before anything is dispatched.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cool_down_until: Option<DateTime<Utc>>,
    },
    /// A person ordered the end.
    AbortBegan {
        /// The decision.
        decision: Digest,
        /// Touched systems, which stay as they are.
        touched: u64,
    },
    /// A rollback began (AG-706 4.6).
    RollbackBegan {
        /// The decision; absent in a drill.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        decision: Option<Digest>,
        /// Systems to revert.
        systems: u64,
    },
    /// A revert is being sent to a system.
    Reverting {
        /// The system.
        system: SystemId,
    },
    /// The health of a system after its revert.
    RevertChecked {
        /// The system.
        system: SystemId,
        /// What each check found.
        checks: BTreeMap<CheckId, CheckResult>,
    },
    /// The result of a system in the rollback.
    SystemReverted {
        /// The system.
        system: SystemId,
        /// Rolled back or rollback failed.
        outcome: SystemState,
        /// Its snapshot before the action.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Digest>,
        /// Its snapshot after the revert, if it came to that.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<Digest>,
        /// What went wrong.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        failure: Option<Failure>,
    },
    /// The server restarted while effects were in flight.
    Recovered {
        /// How many.
        in_flight: u64,
    },
    /// It is over.
    Finished {
        /// How.
        ending: Ending,
        /// How many systems ended in each state.
        tally: BTreeMap<SystemState, u64>,
        /// When the rollback began, if one did: what its time window is measured from.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        rollback_began_at: Option<DateTime<Utc>>,
    },
}

impl Record {
    /// The authority by which the operation began, where this says so.
    #[must_use]
    pub const fn authority(&self) -> Option<&Authority> {
        if let Self::Started { authority, .. } = self {
            Some(authority)
        } else {
            None
        }
    }

    /// The trip, where this is one.
    #[must_use]
    pub const fn trip(&self) -> Option<&Trip> {
        if let Self::Tripped { trip } = self {
            Some(trip)
        } else {
            None
        }
    }
}
