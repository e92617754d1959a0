//! One build of everything, with one set of features.

use crate::process::{Outcome, run};
use crate::ui;
use crate::workspace::{WholeWorkspace, Workspace};

/// Bundles the screens and builds every program.
pub(crate) fn everything(workspace: &Workspace) -> Outcome {
    ui::bundle(workspace)?;
    run(workspace.cargo("build").arg("--locked").whole_workspace())
}

/// Bundles the screens and builds every program and every test.
pub(crate) fn everything_with_tests(workspace: &Workspace) -> Outcome {
    ui::bundle(workspace)?;
    run(workspace
        .cargo("build")
        .arg("--locked")
        .whole_workspace()
        .arg("--all-targets"))
}
