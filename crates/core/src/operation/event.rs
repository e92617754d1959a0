//! What happens to an operation: answers to its effects, the passing of time, people's decisions.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identifier::{CheckId, Digest, SystemId};

/// Longest text kept of what an executor or a check says, in characters.
pub const TEXT_CHARS_MAX: usize = 500;

/// The number of an effect: unique and rising within an operation, and the fencing token that
/// executors compare. Its answer carries it back.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Sequence(u64);

impl Sequence {
    /// The sequence with this number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.0
    }

    // INVARIANT: a rollout of 2^32 systems at a thousand effects each stays far below 2^64.
    pub(super) const fn next(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

impl std::fmt::Display for Sequence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Something that happened, and when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Event {
    /// The time of the store.
    pub at: DateTime<Utc>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened. Answers carry the sequence of their effect; one that is not awaited (a duplicate,
/// a late one, one of another life of the server) changes nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum EventKind {
    /// The server begins it.
    Start,
    /// The authority holds at this moment (DESIGN §6.5).
    GateOpened {
        /// Of the gate.
        sequence: Sequence,
    },
    /// The authority does not hold, or could not be verified.
    GateClosed {
        /// Of the gate.
        sequence: Sequence,
        /// Why, in words.
        reason: String,
    },
    /// A snapshot was taken, before the action or after the revert.
    SnapshotTaken {
        /// Of the snapshot.
        sequence: Sequence,
        /// Of the system's state and data.
        digest: Digest,
    },
    /// The action was carried out.
    Applied {
        /// Of the apply.
        sequence: Sequence,
    },
    /// The revert was carried out.
    Reverted {
        /// Of the revert.
        sequence: Sequence,
    },
    /// The executor (or the prober) says that it failed.
    ExecutorFailed {
        /// Of the snapshot, apply, health or revert.
        sequence: Sequence,
        /// Its words.
        reason: String,
    },
    /// The health checks ran. A declared check that is missing here had no data; one that is not
    /// declared counts as well. Dependents that the effect names count in the same way.
    HealthChecked {
        /// Of the health checks.
        sequence: Sequence,
        /// What each found.
        results: BTreeMap<CheckId, CheckResult>,
        /// What each found about each dependent.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        dependents: BTreeMap<SystemId, BTreeMap<CheckId, CheckResult>>,
    },
    /// The server gave up waiting: nobody knows whether it happened.
    Lost {
        /// Of any effect on a system.
        sequence: Sequence,
        /// Why, in words.
        reason: String,
    },
    /// A timer ran out.
    SoakEnded {
        /// Of the soak.
        sequence: Sequence,
    },
    /// A timer other than that of a soak ran out.
    TimerEnded {
        /// Of the timer.
        sequence: Sequence,
    },
    /// A monitor outside of the operation says that it must stop (AG-706 4.4).
    Halt {
        /// Which monitor.
        source: String,
        /// Its words.
        reason: String,
    },
    /// Something outside forbids more for now: a calendar closed, autonomy was suspended.
    Hold {
        /// Why, in words.
        reason: String,
    },
    /// What held it is over. Every dispatch still asks its gate.
    Reopened,
    /// A verified quorum of `continue` decisions.
    Continue {
        /// Their digests.
        decisions: BTreeSet<Digest>,
        /// The untouched systems to go on with; absent means all of them.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        narrowed: Option<BTreeSet<SystemId>>,
    },
    /// A verified `roll_back` decision.
    RollBack {
        /// Its digest.
        decision: Digest,
    },
    /// A verified `abort` decision.
    Abort {
        /// Its digest.
        decision: Digest,
    },
    /// The server restarted: nothing that was in flight will be answered.
    Recovered,
}

/// What a health check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "result", rename_all = "snake_case", deny_unknown_fields)]
pub enum CheckResult {
    /// Healthy.
    Pass {
        /// The measured value.
        measured: String,
    },
    /// Not healthy.
    Fail {
        /// The measured value.
        measured: String,
    },
    /// Nobody can say; never a pass.
    NoData {
        /// Why.
        reason: String,
    },
}

impl CheckResult {
    pub(super) fn capped(self) -> Self {
        match self {
            Self::Pass { measured } => Self::Pass {
                measured: capped(measured),
            },
            Self::Fail { measured } => Self::Fail {
                measured: capped(measured),
            },
            Self::NoData { reason } => Self::NoData {
                reason: capped(reason),
            },
        }
    }
}

/// `text`, cut to [`TEXT_CHARS_MAX`].
pub(super) fn capped(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(TEXT_CHARS_MAX) {
        text.truncate(end);
    }
    text
}
