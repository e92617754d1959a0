//! Kills the real backend in the middle of real operations, as often as one likes.

use crate::process::{Outcome, run};
use crate::workspace::{WholeWorkspace as _, Workspace};

/// Kills where nobody says how many.
pub(crate) const TIMES: u64 = 300;

/// Runs the test that kills, with this many kills.
pub(crate) fn kill(workspace: &Workspace, times: u64) -> Outcome {
    run(workspace
        .cargo("test")
        .args(["--locked", "--test", "backend"])
        .whole_workspace()
        .args(["kills::", "--", "--nocapture"])
        .env("COUNTERSIGN_KILLS", times.to_string()))
}
