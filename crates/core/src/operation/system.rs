//! One system of an operation and how far it is.

use serde::{Deserialize, Serialize};

use crate::identifier::{CheckId, Digest, SystemId};

/// A system of an operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct System {
    pub(super) id: SystemId,
    pub(super) state: SystemState,
    /// Attempts that failed.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(super) failures: u32,
    /// Whether an apply was ever sent.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) touched: bool,
    /// The snapshot from before the first apply.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) before: Option<Digest>,
    /// What went wrong last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<Box<Failure>>,
}

/// How far a system is. One for each cell on the screen; the order is that of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemState {
    /// Not taken up, put back, or waiting for another attempt.
    Pending,
    /// In flight: the server re-verifies the authority before the next dispatch.
    Gate,
    /// In flight: its state before the action is taken.
    Snapshot,
    /// In flight: the health checks before the first touch.
    Baseline,
    /// In flight: the action.
    Apply,
    /// In flight: the health checks.
    Health,
    /// Recorded: not touched, since a check failed before the first touch. No failure of the operation.
    AlreadyUnhealthy,
    /// Recorded: not touched, since the decision that continued left it out.
    LeftOut,
    /// Recorded: applied, and every check passed.
    Healthy,
    /// Recorded: applied, and no check is declared. Never called healthy.
    Unchecked,
    /// Recorded: a step or a check failed in its last attempt.
    Failed,
    /// Recorded: applied, and a check had no data.
    Undecidable,
    /// Recorded: a step was sent and its result never came.
    Unknown,
    /// In flight on the way back: the revert.
    Revert,
    /// In flight on the way back: the health checks.
    RevertHealth,
    /// In flight on the way back: its state, to compare with the one before.
    RevertSnapshot,
    /// Recorded: reverted, healthy and equal to the snapshot before.
    RolledBack,
    /// Recorded: not proved to be back as it was.
    RollbackFailed,
}

/// What went wrong with a system, where and by which measure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Failure {
    /// The step it happened in; [`SystemState::Pending`] where it was none of a system's steps.
    pub during: SystemState,
    /// The health check, if one said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub check: Option<CheckId>,
    /// The system that the check was of, where it is one that depends on this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dependent: Option<SystemId>,
    /// The measured value or the executor's words, capped and never trusted.
    pub measured: String,
}

impl SystemState {
    /// Whether an answer is awaited.
    #[must_use]
    pub const fn is_in_flight(self) -> bool {
        match self {
            Self::Gate
            | Self::Snapshot
            | Self::Baseline
            | Self::Apply
            | Self::Health
            | Self::Revert
            | Self::RevertHealth
            | Self::RevertSnapshot => true,
            Self::Pending
            | Self::AlreadyUnhealthy
            | Self::LeftOut
            | Self::Healthy
            | Self::Unchecked
            | Self::Failed
            | Self::Undecidable
            | Self::Unknown
            | Self::RolledBack
            | Self::RollbackFailed => false,
        }
    }

    /// Whether its result is in the log.
    #[must_use]
    pub const fn is_recorded(self) -> bool {
        match self {
            Self::AlreadyUnhealthy
            | Self::LeftOut
            | Self::Healthy
            | Self::Unchecked
            | Self::Failed
            | Self::Undecidable
            | Self::Unknown
            | Self::RolledBack
            | Self::RollbackFailed => true,
            Self::Pending
            | Self::Gate
            | Self::Snapshot
            | Self::Baseline
            | Self::Apply
            | Self::Health
            | Self::Revert
            | Self::RevertHealth
            | Self::RevertSnapshot => false,
        }
    }
}

impl System {
    pub(super) const fn pending(id: SystemId) -> Self {
        Self {
            id,
            state: SystemState::Pending,
            failures: 0,
            touched: false,
            before: None,
            failure: None,
        }
    }

    /// The attempt under way or due, from 1.
    pub(super) const fn attempt(&self) -> u32 {
        self.failures.saturating_add(1)
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &SystemId {
        &self.id
    }

    /// How far it is.
    #[must_use]
    pub const fn state(&self) -> SystemState {
        self.state
    }

    /// Whether the action was ever sent to it, so that it may have been changed.
    #[must_use]
    pub const fn is_touched(&self) -> bool {
        self.touched
    }

    /// The digest of its snapshot from before the first apply.
    #[must_use]
    pub const fn before(&self) -> Option<Digest> {
        self.before
    }

    /// What went wrong with it last.
    #[must_use]
    pub fn failure(&self) -> Option<&Failure> {
        self.failure.as_deref()
    }
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes fields by reference"
)]
const fn is_zero(number: &u32) -> bool {
    *number == 0
}
