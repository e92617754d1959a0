//! What a screen, a statement or a store wants to know of an operation.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::step::count;
use super::{Authority, Dependents, Ending, Operation, Phase, Sequence, System, SystemState, Trip};
use crate::envelope::Rollout;
use crate::history::Drill;
use crate::identifier::{Digest, OperationId, SystemId};

/// How far an operation is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    /// Systems with a recorded result.
    pub recorded: u64,
    /// Systems in flight.
    pub in_flight: u64,
    /// All systems.
    pub systems: u64,
    /// The wave under way, or the last one finished, from 0.
    pub wave: u64,
    /// All waves.
    pub waves: u64,
}

/// An effect on a system that awaits its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outstanding<'a> {
    /// The effect.
    pub sequence: Sequence,
    /// The system.
    pub system: &'a SystemId,
    /// The step in flight.
    pub state: SystemState,
}

impl Operation {
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> &OperationId {
        &self.id
    }

    /// What gave it the right to run.
    #[must_use]
    pub const fn authority(&self) -> &Authority {
        &self.authority
    }

    /// Where it stands.
    #[must_use]
    pub const fn phase(&self) -> &Phase {
        &self.phase
    }

    /// How it ended, if it did.
    #[must_use]
    pub const fn ending(&self) -> Option<Ending> {
        match self.phase {
            Phase::Ended { ending } => Some(ending),
            Phase::Ready
            | Phase::Running
            | Phase::Soaking { .. }
            | Phase::CoolingDown { .. }
            | Phase::Held { .. }
            | Phase::Halted
            | Phase::Aborting { .. }
            | Phase::RollingBack { .. } => None,
        }
    }

    /// The latest trip, also after it was decided.
    #[must_use]
    pub const fn trip(&self) -> Option<&Trip> {
        self.trip.as_ref()
    }

    /// Whether a rollback ever began, so that there is no way forward.
    #[must_use]
    pub const fn has_begun_rollback(&self) -> bool {
        self.rollback_began_at.is_some()
    }

    /// When a rollback first began: what its time window is measured from (AG-706 4.6).
    #[must_use]
    pub const fn rollback_began_at(&self) -> Option<DateTime<Utc>> {
        self.rollback_began_at
    }

    /// The decisions of the latest `continue`, by which it goes on; none where there was none.
    #[must_use]
    pub const fn continued_by(&self) -> &BTreeSet<Digest> {
        &self.continued_by
    }

    /// The systems besides the targets whose health is looked at, and their checks.
    #[must_use]
    pub fn dependents(&self) -> Dependents {
        Dependents {
            systems: self.dependents.clone(),
            checks: if self.dependents.is_empty() {
                BTreeSet::new()
            } else {
                self.limits.dependents.clone()
            },
        }
    }

    /// How many systems are in each state; states of no system are left out.
    #[must_use]
    pub const fn tally(&self) -> &BTreeMap<SystemState, u64> {
        &self.tally
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        Progress {
            recorded: self
                .tally
                .iter()
                .filter(|(state, _)| state.is_recorded())
                .fold(0, |sum, (_, systems)| sum.saturating_add(*systems)),
            in_flight: count(self.flights.len()),
            systems: count(self.systems.len()),
            wave: count(self.wave),
            waves: count(self.wave_ends.len()),
        }
    }

    /// All systems in the order of the rollout.
    #[must_use]
    pub fn systems(&self) -> &[System] {
        &self.systems
    }

    /// The waves, each with its systems.
    pub fn waves(&self) -> impl Iterator<Item = &[System]> {
        (0..self.wave_ends.len()).map(|wave| self.wave_systems(wave))
    }

    /// The systems that may have been changed: a subject of `roll_back` and `abort`, as the digest of
    /// the canonical form of this sorted array. Fixed once the operation is halted.
    #[must_use]
    pub fn touched(&self) -> BTreeSet<SystemId> {
        self.ids(|system| system.touched)
    }

    /// The systems that were never touched: every target is in this or in [`Self::touched`].
    #[must_use]
    pub fn remaining(&self) -> BTreeSet<SystemId> {
        self.ids(|system| !system.touched)
    }

    /// The effects on systems that await an answer, oldest first.
    pub fn outstanding(&self) -> impl Iterator<Item = Outstanding<'_>> {
        self.flights.iter().filter_map(|(&sequence, &index)| {
            let system = self.systems.get(index)?;
            Some(Outstanding {
                sequence,
                system: &system.id,
                state: system.state,
            })
        })
    }

    /// What history may say of this drill, which ended at `at`: only where it ran through, tripped
    /// nothing, and brought every system back as it was.
    #[must_use]
    pub fn drill(&self, at: DateTime<Utc>) -> Option<Drill> {
        let Authority::Drill(rehearsal) = &self.authority else {
            return None;
        };
        let back = self.tally.get(&SystemState::RolledBack).copied();
        let succeeded = self.ending() == Some(Ending::RolledBack)
            && self.trip.is_none()
            && back == Some(count(self.systems.len()));
        succeeded.then(|| Drill {
            action: rehearsal.action(),
            class: rehearsal.class().clone(),
            succeeded_at: at,
            failed_at: None,
        })
    }

    /// Whether its systems, their waves and its limits are those that `rollout` gives these systems,
    /// under its authority. What happened since it was built is not looked at.
    #[must_use]
    pub fn is_built_by(&self, rollout: &Rollout) -> bool {
        let targets = self.ids(|_| true);
        Self::new(self.id.clone(), self.authority.clone(), &targets, rollout).is_ok_and(|built| {
            built.limits == self.limits
                && built.wave_ends == self.wave_ends
                && built
                    .systems
                    .iter()
                    .map(System::id)
                    .eq(self.systems.iter().map(System::id))
        })
    }

    fn ids(&self, wanted: impl Fn(&System) -> bool) -> BTreeSet<SystemId> {
        self.systems
            .iter()
            .filter(|system| wanted(system))
            .map(|system| system.id.clone())
            .collect()
    }

    /// Whether health is looked at before the first touch.
    pub(super) fn looks_before(&self) -> bool {
        self.limits.baseline && !(self.limits.health.is_empty() && self.dependents.is_empty())
    }

    pub(super) fn wave_systems(&self, wave: usize) -> &[System] {
        let end = self.wave_ends.get(wave).copied().unwrap_or(0);
        let begin = wave
            .checked_sub(1)
            .and_then(|before| self.wave_ends.get(before).copied())
            .unwrap_or(0);
        self.systems.get(begin..end).unwrap_or(&[])
    }

    /// The first system after the wave under way.
    pub(super) fn wave_end(&self) -> usize {
        self.wave_ends.get(self.wave).copied().unwrap_or(0)
    }

    pub(super) fn is_wave_done(&self) -> bool {
        self.flights.is_empty() && self.returned.is_empty() && self.next >= self.wave_end()
    }

    pub(super) fn is_last_wave(&self) -> bool {
        self.wave.saturating_add(1) >= self.wave_ends.len()
    }
}
