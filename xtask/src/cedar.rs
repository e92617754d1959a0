//! `proofs/`: the core held against Cedar, in a workspace of its own, because compiling Cedar costs minutes
//! and nothing that ships may depend on it.

use std::path::PathBuf;

use crate::process::{Outcome, run};
use crate::tools::DENY;
use crate::workspace::Workspace;

/// The figures that are measured in `proofs/`.
const FIGURES: [&str; 2] = ["core.rules_vs_cedar", "core.assess_vs_cedar"];

fn manifest(workspace: &Workspace) -> PathBuf {
    workspace.root().join("proofs").join("Cargo.toml")
}

/// Generated envelopes and cases, decided by the core and by Cedar.
pub(crate) fn prove(workspace: &Workspace) -> Outcome {
    run(workspace
        .command(DENY.path()?)
        .args(["--locked", "--log-level", "error", "--manifest-path"])
        .arg(manifest(workspace))
        .arg("--config")
        .arg(workspace.root().join("deny.toml"))
        .args(["check", "--hide-inclusion-graph"])
        .args(["bans", "licenses", "sources"]))?;
    run(workspace
        .cargo("test")
        .args(["--locked", "--manifest-path"])
        .arg(manifest(workspace))
        .arg("--target-dir")
        .arg(workspace.in_target("proofs")))
}

/// Whether a figure of `proofs/` is asked for by `names`, all of them where it is empty.
pub(crate) fn is_wanted(names: &[String]) -> bool {
    names.is_empty()
        || FIGURES
            .iter()
            .any(|figure| names.iter().any(|name| figure.starts_with(name.as_str())))
}

/// Whether `names` ask for nothing else.
pub(crate) fn is_all(names: &[String]) -> bool {
    !names.is_empty() && names.iter().all(|name| FIGURES.contains(&name.as_str()))
}

/// Measures the figures.
pub(crate) fn bench(workspace: &Workspace, names: &[String]) -> Outcome {
    run(workspace
        .cargo("bench")
        .args(["--locked", "--manifest-path"])
        .arg(manifest(workspace))
        .arg("--target-dir")
        .arg(workspace.in_target("proofs"))
        .args(["--bench", "cedar", "--"])
        .args(names))
}
