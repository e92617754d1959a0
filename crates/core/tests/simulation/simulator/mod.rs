//! The simulator: the real `step`, a store, and a world that crashes, loses, delays and repeats, all from
//! one seed (DESIGN §8). The store is one in memory, for many stories, or the backend's own.
//!
//! A seed is a whole story: the rollout, the faults, the people. The same seed is the same story, so
//! that a violation found anywhere can be looked at here.

mod dice;
mod invariants;
mod store;
mod systems;
mod world;

use std::collections::BTreeMap;

use countersign_core::envelope::Rollout;
use countersign_core::operation::Operation;
use store::MemoryStore;
pub use store::Store;
/// An invariant that did not hold.
#[derive(Debug, Clone)]
pub struct Violation(pub String);

/// What happened in one story, or in many.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// Stories.
    pub seeds: u64,
    /// Events that the state machine took.
    pub steps: u64,
    /// Times that an invariant was looked at.
    pub checks: u64,
    /// Faults injected, by name.
    pub faults: BTreeMap<&'static str, u64>,
    /// How the stories ended.
    pub endings: BTreeMap<String, u64>,
}

impl Report {
    /// Counts a fault.
    pub fn fault(&mut self, name: &'static str) {
        let times = self.faults.entry(name).or_default();
        *times = times.saturating_add(1);
    }

    /// Adds another report to this one.
    pub fn add(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.steps += other.steps;
        self.checks += other.checks;
        for (name, times) in other.faults {
            *self.faults.entry(name).or_default() += times;
        }
        for (name, times) in other.endings {
            *self.endings.entry(name).or_default() += times;
        }
    }
}

/// Sows a bug into an operation; [`NO_BUG`] sows none.
pub type Sow<'s> = &'s dyn Fn(&mut Operation);

/// Leaves an operation as it is.
pub const NO_BUG: Sow<'static> = &|_| {};

/// Runs the story of `seed` on a store in memory.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(seed: u64, sow: Sow<'_>) -> Result<Report, Violation> {
    run_on(seed, sow, |operation, _| MemoryStore::new(operation))
}

/// Runs the story of `seed` on the store that `found` makes for its operation.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run_on<S: Store>(
    seed: u64,
    sow: Sow<'_>,
    found: impl FnOnce(&Operation, &Rollout) -> Result<S, Violation>,
) -> Result<Report, Violation> {
    world::World::new(seed, sow, found)?.run()
}
