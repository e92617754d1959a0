//! When rehearsed rollbacks are due (AG-706 4.6: tested at least quarterly).
//!
//! Pure: of (plans, runs, busy systems, now). Whoever begins what [`due`] names, and writes the run down in
//! the same transaction, never has two of one pair under way, begins none on a system that is worked on,
//! and makes up one drill for however many were missed.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use crate::identifier::{ClassId, SystemId};
use crate::proposal::ActionKind;
use crate::span::Span;

/// Longest time between two drills of a pair: AG-706 4.6 says quarterly.
pub const EVERY_MAX: Duration = Duration::days(92);

/// How long after a failure the next drill is due, where its turn is not sooner. What failed is halted
/// until a person has decided, so that nothing is tried again over their heads.
pub const AGAIN_AFTER: Duration = Duration::days(1);

/// How long a drill may be due before it is overdue.
pub const OVERDUE_AFTER: Duration = Duration::hours(1);

/// What a drill proves something of: an action kind on a class of systems.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Pair {
    /// The kind of action.
    pub action: ActionKind,
    /// The class.
    pub class: ClassId,
}

impl std::fmt::Display for Pair {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} on {}", self.action.as_str(), self.class)
    }
}

/// How often a pair is rehearsed, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// What.
    pub pair: Pair,
    /// The longest time between two drills; counted as [`EVERY_MAX`] where it is longer.
    pub every: Span,
    /// The systems designated for it.
    pub systems: BTreeSet<SystemId>,
}

/// A drill that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What was rehearsed.
    pub pair: Pair,
    /// On which system.
    pub system: SystemId,
    /// When it began.
    pub began_at: DateTime<Utc>,
    /// What came of it.
    pub result: RunResult,
}

/// What came of a drill.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunResult {
    /// Nothing yet.
    UnderWay,
    /// State and data are as they were.
    Passed {
        /// When that was shown.
        at: DateTime<Utc>,
    },
    /// It halted, or ended otherwise.
    Failed {
        /// When.
        at: DateTime<Utc>,
    },
}

impl RunResult {
    const fn passed_at(self) -> Option<DateTime<Utc>> {
        match self {
            Self::Passed { at } => Some(at),
            Self::UnderWay | Self::Failed { .. } => None,
        }
    }
}

/// A drill to begin now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Due<'p> {
    /// What.
    pub plan: &'p Plan,
    /// Where.
    pub system: &'p SystemId,
    /// Since when; absent where the pair was never rehearsed.
    pub since: Option<DateTime<Utc>>,
}

/// How a pair stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing<'r> {
    /// The latest run.
    pub last: Option<&'r Run>,
    /// When one last passed.
    pub passed_at: Option<DateTime<Utc>>,
    /// When the next one is due; absent where it never ran, so that it is due at once.
    pub due_at: Option<DateTime<Utc>>,
    /// Since when it is overdue.
    pub overdue_since: Option<DateTime<Utc>>,
}

/// How the pair of `plan` stands at `now`, by its `runs` (those of other pairs are passed over). Runs
/// from the future do not count: a clock that was wrong puts nothing off.
#[must_use]
pub fn standing<'r>(plan: &Plan, runs: &'r [Run], now: DateTime<Utc>) -> Standing<'r> {
    let mine = || {
        runs.iter()
            .filter(|run| run.pair == plan.pair && run.began_at <= now)
    };
    let last = mine().max_by_key(|run| run.began_at);
    let passed_at = mine()
        .filter_map(|run| run.result.passed_at())
        .filter(|at| *at <= now)
        .max();
    let every = plan.every.duration().min(EVERY_MAX);
    let after = |at: DateTime<Utc>, span: Duration| {
        at.checked_add_signed(span)
            .unwrap_or(DateTime::<Utc>::MAX_UTC)
    };
    let due_at = last.map(|run| match run.result {
        RunResult::UnderWay | RunResult::Passed { .. } => after(run.began_at, every),
        RunResult::Failed { at } => after(at, every.min(AGAIN_AFTER)),
    });
    // What is owed is a drill that passed, however many failed or hang since.
    let owed_at = match (passed_at, mine().map(|run| run.began_at).min()) {
        (Some(at), _) => Some(after(at, every)),
        (None, first) => first,
    };
    Standing {
        last,
        passed_at,
        due_at,
        overdue_since: owed_at.filter(|at| after(*at, OVERDUE_AFTER) <= now),
    }
}

/// The drills to begin at `now`: at most one a pair and one a system, on the designated system that was
/// rehearsed on least lately. `runs` are all that are under way and the latest of each pair and system;
/// `busy` are the systems that an operation works on.
#[must_use]
pub fn due<'p>(
    plans: &'p [Plan],
    runs: &[Run],
    busy: &BTreeSet<SystemId>,
    now: DateTime<Utc>,
) -> Vec<Due<'p>> {
    let mut taken = busy.clone();
    let mut pairs: BTreeSet<&Pair> = BTreeSet::new();
    for run in runs {
        if run.result == RunResult::UnderWay {
            pairs.insert(&run.pair);
            taken.insert(run.system.clone());
        }
    }
    let mut found = Vec::new();
    for plan in plans {
        let since = standing(plan, runs, now).due_at;
        if pairs.contains(&plan.pair) || since.is_some_and(|at| at > now) {
            continue;
        }
        let lately = |system: &SystemId| {
            runs.iter()
                .filter(|run| run.pair == plan.pair && run.system == *system)
                .map(|run| run.began_at)
                .max()
        };
        let free = plan
            .systems
            .iter()
            .filter(|system| !taken.contains(*system));
        if let Some(system) = free.min_by_key(|system| lately(system)) {
            taken.insert(system.clone());
            pairs.insert(&plan.pair);
            found.push(Due {
                plan,
                system,
                since,
            });
        }
    }
    found
}

#[cfg(test)]
#[path = "drill_tests.rs"]
mod tests;
