//! Drills as clients see them (AG-706 4.6).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use countersign_core::identifier::{ClassId, OperationId, SystemId};
use countersign_core::proposal::ActionKind;
use countersign_core::span::Span;
use serde::{Deserialize, Serialize};

/// `GET /v1/drills` (session or operator) lists these: how each pair of action and class stands that is
/// scheduled or was ever rehearsed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillStanding {
    /// The kind of action.
    pub action: ActionKind,
    /// The class of systems.
    pub class: ClassId,
    /// The longest time between two drills; absent where none is scheduled.
    pub every: Option<Span>,
    /// The systems designated for it.
    pub systems: BTreeSet<SystemId>,
    /// The latest one.
    pub last: Option<DrillRun>,
    /// The latest that failed, where none has passed since.
    pub failed: Option<DrillRun>,
    /// When one last passed.
    pub passed_at: Option<DateTime<Utc>>,
    /// When the next one is due; absent where none is scheduled, or the first one is due at once.
    pub due_at: Option<DateTime<Utc>>,
    /// Since when it is overdue.
    pub overdue_since: Option<DateTime<Utc>>,
    /// Why the one that is due does not begin.
    pub waits: Option<String>,
}

/// One drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRun {
    /// The operation.
    pub operation: OperationId,
    /// The system.
    pub system: SystemId,
    /// Whether the schedule began it.
    pub scheduled: bool,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// What came of it.
    pub result: DrillResult,
    /// When that was known.
    pub ended_at: Option<DateTime<Utc>>,
    /// How long undoing took, in milliseconds: from its beginning until state and data were shown to be
    /// as they were.
    pub rollback_ms: Option<u64>,
    /// What went wrong, in the words of a check or an executor.
    pub message: Option<String>,
}

/// What came of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillResult {
    /// Nothing yet.
    UnderWay,
    /// State and data are as they were.
    Passed,
    /// It halted, ended otherwise, or took longer than a rule allows.
    Failed,
}

/// What the queue tells besides its items. It goes when a later drill of the pair passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Notice {
    /// What about.
    pub kind: NoticeKind,
    /// The kind of action.
    pub action: ActionKind,
    /// The class of systems.
    pub class: ClassId,
    /// The drill, where there was one.
    pub operation: Option<OperationId>,
    /// In our own words.
    pub message: String,
    /// What went wrong, in the words of a check or an executor.
    pub detail: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoticeKind {
    /// The latest drill of a pair failed: nothing of it runs alone.
    DrillFailed,
    /// The drill of a pair is overdue, or the first one cannot begin.
    DrillOverdue,
}
