//! Who may depend on whom (docs/ARCHITECTURE.md), proved on cargo's own dependency tree.

use std::collections::BTreeSet;

use crate::process::{Failure, Outcome, output};
use crate::workspace::Workspace;

/// A package with its default features, and what its tree must not hold.
struct Arrow {
    package: &'static str,
    never: &'static [&'static str],
    because: &'static str,
}

const VIRTUAL_KEY: &[&str] = &["countersign-virtual-key", "trussed", "fido-authenticator"];
const RUNTIMES: &[&str] = &[
    "tokio",
    "async-std",
    "smol",
    "reqwest",
    "hyper",
    "sqlx",
    "rand",
];

const ARROWS: &[Arrow] = &[
    Arrow {
        package: "countersign",
        never: VIRTUAL_KEY,
        because: "the demonstration keys never ship",
    },
    Arrow {
        package: "countersign-cli",
        never: VIRTUAL_KEY,
        because: "the demonstration keys never ship",
    },
    Arrow {
        package: "countersign-server",
        never: VIRTUAL_KEY,
        because: "the demonstration keys never ship",
    },
    Arrow {
        package: "countersign-core",
        never: RUNTIMES,
        because: "the core has no I/O, no randomness and no async",
    },
    Arrow {
        package: "countersign",
        never: &["countersign-server", "sqlx"],
        because: "console and backend are two programs",
    },
    Arrow {
        package: "countersign-server",
        never: &["countersign", "countersign-hardware-key", "tauri"],
        because: "console and backend are two programs, and the backend holds no keys of people",
    },
    Arrow {
        package: "countersign-cli",
        never: &["countersign-server", "tauri"],
        because: "the command line is a client",
    },
    Arrow {
        package: "countersign-executors",
        never: &["tokio", "reqwest", "hyper", "sqlx", "countersign-wire"],
        because: "an executor runs one call on the machine that it changes, and speaks to nobody",
    },
];

/// Fails where a package reaches what it must not.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let mut broken = Vec::new();
    for arrow in ARROWS {
        let tree = output(workspace.cargo("tree").args([
            "--package",
            arrow.package,
            "--edges",
            "normal",
            "--target",
            "all",
            "--prefix",
            "none",
        ]))?;
        let reached = packages(&tree);
        for never in arrow.never.iter().filter(|never| reached.contains(*never)) {
            broken.push(format!(
                "`{}` reaches `{never}`, but {}",
                arrow.package, arrow.because
            ));
        }
    }
    if broken.is_empty() {
        println!("  {} rules about who depends on whom hold", ARROWS.len());
        Ok(())
    } else {
        Err(Failure::new(broken.join("\n")))
    }
}

/// The packages' names in cargo's listing, a line a package: `name v1.2.3 …`.
fn packages(tree: &str) -> BTreeSet<&str> {
    tree.lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_from_the_listing() {
        let tree = "countersign v0.1.0 (/somewhere)\ntokio v1.4.0\nversioned v2.0.0 (proc-macro)\ntokio v1.4.0 (*)\n";
        assert_eq!(
            packages(tree),
            BTreeSet::from(["countersign", "tokio", "versioned"])
        );
    }
}
