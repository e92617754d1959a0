//! The simulator of operations: a range of seeds by command, and a fresh range in every test run.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::process::{Outcome, run};
use crate::workspace::{WholeWorkspace, Workspace};

/// Seeds of a test run: about half a minute.
const SEEDS: u64 = 10_000;

/// Seeds of the command where it names no number.
pub(crate) const SEEDS_BY_COMMAND: u64 = 10_000;

/// Runs the stories of `seeds` seeds from `from` on.
pub(crate) fn simulate(workspace: &Workspace, seeds: u64, from: u64) -> Outcome {
    run(workspace
        .cargo("bench")
        .args(["--locked", "--profile", "dev"])
        .whole_workspace()
        .args(["--bench", "simulate"])
        .arg("--")
        .args([seeds.to_string(), from.to_string()]))
}

/// A range that no run had before, which is printed; and that every bug sown on purpose is found.
pub(crate) fn step(workspace: &Workspace) -> Outcome {
    simulate(workspace, SEEDS, fresh())?;
    run(workspace
        .cargo("test")
        .arg("--locked")
        .whole_workspace()
        .args(["--features", "countersign-core/seeded-bugs"])
        .args(["--test", "simulation"])
        .args(["each_bug_sown_is_found"]))
}

/// Where this second's range begins.
pub(crate) fn fresh() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since
        .map_or(0, |since| since.as_secs())
        .saturating_mul(SEEDS)
}
