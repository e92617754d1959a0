//! What a guard was shown before: the replay store's content. Keeping it is the caller's.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::identifier::{ApproverId, Digest, OperationId, SystemId};
use crate::statement::CheckpointReference;

/// One thing to remember: a line of the replay store, written before anything is done about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "remembered", rename_all = "snake_case", deny_unknown_fields)]
pub enum Remembered {
    /// A permit was used.
    Used {
        /// The operation.
        operation: OperationId,
        /// The system.
        system: SystemId,
        /// The effect.
        sequence: u64,
        /// What was done.
        what: Use,
        /// When.
        at: DateTime<Utc>,
    },
    /// The state of a system that this guard saw, from which alone it can be put back.
    Snapshot {
        /// The operation.
        operation: OperationId,
        /// The system.
        system: SystemId,
        /// Digest of the snapshot.
        digest: Digest,
    },
    /// What the backend said of people and log.
    Roster {
        /// Who decides nothing any more.
        suspended: BTreeSet<ApproverId>,
        /// How far the log was.
        log: CheckpointReference,
        /// When it said so.
        at: DateTime<Utc>,
    },
}

/// What a permit was used for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Use {
    /// An action that people approved in this briefing.
    Apply {
        /// Digest of the briefing.
        briefing: Digest,
    },
    /// An undoing that this decision ordered.
    Revert {
        /// Digest of the decision.
        decision: Digest,
    },
}

/// Everything remembered, in the form in which it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    used: BTreeSet<(OperationId, u64)>,
    highest: BTreeMap<(OperationId, SystemId), u64>,
    applied: BTreeMap<(OperationId, SystemId), Digest>,
    applies: BTreeMap<(Digest, SystemId), u32>,
    operation_of: BTreeMap<Digest, OperationId>,
    reversals: BTreeSet<Digest>,
    snapshots: BTreeSet<(OperationId, SystemId, Digest)>,
    suspended: BTreeSet<ApproverId>,
    log: Option<(DateTime<Utc>, CheckpointReference)>,
}

impl Memory {
    /// Adds a line.
    pub fn remember(&mut self, remembered: Remembered) {
        match remembered {
            Remembered::Used {
                operation,
                system,
                sequence,
                what,
                at: _,
            } => {
                self.used.insert((operation.clone(), sequence));
                let place = (operation.clone(), system.clone());
                let highest = self.highest.entry(place.clone()).or_default();
                *highest = sequence.max(*highest);
                match what {
                    Use::Apply { briefing } => {
                        let applies = self.applies.entry((briefing, system)).or_default();
                        *applies = applies.saturating_add(1);
                        self.applied.insert(place, briefing);
                        self.operation_of.entry(briefing).or_insert(operation);
                    }
                    Use::Revert { decision } => {
                        self.reversals.insert(decision);
                    }
                }
            }
            Remembered::Snapshot {
                operation,
                system,
                digest,
            } => {
                self.snapshots.insert((operation, system, digest));
            }
            Remembered::Roster { suspended, log, at } => {
                self.suspended.extend(suspended);
                if self.log.is_none_or(|(known, _)| known < at) {
                    self.log = Some((at, log));
                }
            }
        }
    }

    /// Whether a permit for this effect was used, or a later one on the same system.
    pub(super) fn is_used(
        &self,
        operation: &OperationId,
        system: &SystemId,
        sequence: u64,
    ) -> bool {
        self.used.contains(&(operation.clone(), sequence))
            || self
                .highest
                .get(&(operation.clone(), system.clone()))
                .is_some_and(|highest| *highest >= sequence)
    }

    /// How often what this briefing says was applied to a system.
    pub(super) fn applies(&self, briefing: Digest, system: &SystemId) -> u32 {
        self.applies
            .get(&(briefing, system.clone()))
            .copied()
            .unwrap_or(0)
    }

    /// The operation that carries a briefing out.
    pub(super) fn operation_of(&self, briefing: Digest) -> Option<&OperationId> {
        self.operation_of.get(&briefing)
    }

    /// The briefing by which an operation touched a system.
    pub(super) fn applied(&self, operation: &OperationId, system: &SystemId) -> Option<Digest> {
        self.applied
            .get(&(operation.clone(), system.clone()))
            .copied()
    }

    /// Whether a decision to roll back was valid when it was first seen.
    pub(super) fn is_under_way(&self, decision: Digest) -> bool {
        self.reversals.contains(&decision)
    }

    /// Whether a system was seen in this state in an operation.
    pub(super) fn was_seen(
        &self,
        operation: &OperationId,
        system: &SystemId,
        snapshot: Digest,
    ) -> bool {
        self.snapshots
            .contains(&(operation.clone(), system.clone(), snapshot))
    }

    /// Who was once said to decide nothing any more.
    pub(super) const fn suspended(&self) -> &BTreeSet<ApproverId> {
        &self.suspended
    }

    /// The latest state of the log that was shown, and when it was so.
    pub(super) const fn log(&self) -> Option<(DateTime<Utc>, CheckpointReference)> {
        self.log
    }
}
