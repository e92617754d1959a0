//! The simulator: the real `step`, a store with the transactions of the real one, and a world that
//! crashes, loses, delays and repeats, all from one seed (DESIGN §8).
//!
//! A seed is a whole story: the rollout, the faults, the people. The same seed is the same story, so
//! that a violation found anywhere can be looked at here.

mod dice;
mod invariants;
mod store;
mod systems;
mod world;

use std::collections::BTreeMap;

use countersign_core::operation::Operation;
#[cfg(feature = "seeded-bugs")]
pub use countersign_core::operation::SeededBug;

/// Without the feature there is no bug to sow.
#[cfg(not(feature = "seeded-bugs"))]
#[derive(Debug, Clone, Copy)]
pub enum SeededBug {}

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

#[cfg(feature = "seeded-bugs")]
fn sow(operation: &mut Operation, bug: Option<SeededBug>) {
    operation.sow(bug);
}

#[cfg(not(feature = "seeded-bugs"))]
fn sow(_: &mut Operation, _: Option<SeededBug>) {}

/// Runs the story of `seed`, with a bug sown or none.
///
/// # Errors
/// The first invariant that does not hold.
pub fn run(seed: u64, bug: Option<SeededBug>) -> Result<Report, Violation> {
    world::World::new(seed, bug)?.run()
}
