//! `cargo xtask test`: every check and test, about cheapest first, stopping at the first that fails.

use std::time::{Duration, Instant};

use crate::arrows;
use crate::build;
use crate::cedar;
use crate::desktop::Desktop;
use crate::fuzz;
use crate::generate::{self, Drift};
use crate::process::{Failure, Outcome, elapsed, run};
use crate::simulate;
use crate::tools::{self, DENY, NEXTEST, TAURI_DRIVER, Tool};
use crate::ui;
use crate::workspace::{WholeWorkspace, Workspace};

/// The package with the end-to-end tests.
const END_TO_END: &str = "countersign-tests";

/// A named part of the whole run. Each brings what it needs, so that it also runs alone.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    pub(crate) about: &'static str,
    tools: &'static [&'static Tool],
    run: fn(&Workspace) -> Outcome,
}

pub(crate) const STEPS: &[Step] = &[
    Step {
        name: "format",
        about: "rustfmt",
        tools: &[],
        run: format,
    },
    Step {
        name: "ui",
        about: "ESLint, Prettier, svelte-check, tests and bundle of the screens; in a browser, accessibility too",
        tools: &[],
        run: screens,
    },
    Step {
        name: "clippy",
        about: "every lint of the workspace",
        tools: &[],
        run: clippy,
    },
    Step {
        name: "dependencies",
        about: "licences, bans, sources, and who may depend on whom",
        tools: &[&DENY],
        run: dependencies,
    },
    Step {
        name: "build",
        about: "every program and test",
        tools: &[],
        run: compile,
    },
    Step {
        name: "unit",
        about: "the tests of every crate",
        tools: &[&NEXTEST],
        run: unit,
    },
    Step {
        name: "fuzz",
        about: "everything that reads what others wrote, under libFuzzer for a bounded time",
        tools: &[],
        run: fuzz::fuzz,
    },
    Step {
        name: "simulate",
        about: "operations under a fresh range of seeds; each bug sown is found",
        tools: &[],
        run: simulate::step,
    },
    Step {
        name: "cedar",
        about: "a hundred thousand generated cases, decided by the core and by Cedar alike",
        tools: &[&DENY],
        run: cedar::prove,
    },
    Step {
        name: "generated",
        about: "committed generated files are as the code says",
        tools: &[&NEXTEST],
        run: generated,
    },
    Step {
        name: "documentation",
        about: "documentation builds without a warning, its examples run",
        tools: &[],
        run: documentation,
    },
    Step {
        name: "end-to-end",
        about: "console, backend, keys and systems together, in a real window",
        tools: &[&NEXTEST, &TAURI_DRIVER],
        run: end_to_end,
    },
];

/// Runs all steps, or those named.
pub(crate) fn test(workspace: &Workspace, only: &[String]) -> Outcome {
    if let Some(unknown) = only
        .iter()
        .find(|name| STEPS.iter().all(|step| step.name != name.as_str()))
    {
        return Err(Failure::new(format!(
            "there is no step `{unknown}`; `cargo xtask help` lists them"
        )));
    }
    let chosen: Vec<&Step> = STEPS
        .iter()
        .filter(|step| only.is_empty() || only.iter().any(|name| name == step.name))
        .collect();
    tools::build_beside(chosen.iter().flat_map(|step| step.tools).copied());
    let mut passed: Vec<(&str, Duration)> = Vec::new();
    for step in chosen {
        println!("\n▶ {}: {}", step.name, step.about);
        let started = Instant::now();
        let outcome = (step.run)(workspace);
        let time = started.elapsed();
        if let Err(failure) = outcome {
            summary(&passed);
            println!("  ✗ {:<14} {:>12}", step.name, elapsed(time));
            return Err(Failure::new(format!(
                "step `{}` failed: {failure}\nRun it alone with `cargo xtask test --only {}`.",
                step.name, step.name
            )));
        }
        println!("✓ {} in {}", step.name, elapsed(time));
        passed.push((step.name, time));
    }
    summary(&passed);
    let total = passed.iter().map(|(_, time)| *time).sum();
    println!("All {} steps passed in {}.", passed.len(), elapsed(total));
    Ok(())
}

fn summary(passed: &[(&str, Duration)]) {
    println!();
    for (name, time) in passed {
        println!("  ✓ {name:<14} {:>12}", elapsed(*time));
    }
}

fn format(workspace: &Workspace) -> Outcome {
    run(workspace.cargo("fmt").args(["--all", "--check"]))
}

fn dependencies(workspace: &Workspace) -> Outcome {
    run(workspace
        .command(DENY.path()?)
        .args([
            "--locked",
            "--workspace",
            "--log-level",
            "error",
            "check",
            "--hide-inclusion-graph",
        ])
        .args(["bans", "licenses", "sources"]))?;
    arrows::check(workspace)
}

fn screens(workspace: &Workspace) -> Outcome {
    ui::install(workspace)?;
    for script in ["lint", "format:check", "check", "test", "test:browser"] {
        ui::script(workspace, script)?;
    }
    ui::bundle(workspace)
}

fn clippy(workspace: &Workspace) -> Outcome {
    // The console embeds the bundle when it is compiled.
    ui::bundle(workspace)?;
    run(workspace
        .cargo("clippy")
        .arg("--locked")
        .whole_workspace()
        .args(["--all-targets", "--", "-D", "warnings"]))
}

fn compile(workspace: &Workspace) -> Outcome {
    build::everything_with_tests(workspace)
}

fn unit(workspace: &Workspace) -> Outcome {
    compile(workspace)?;
    run(workspace
        .command(NEXTEST.path()?)
        .args(["nextest", "run", "--locked"])
        .whole_workspace()
        .args(["--filterset", &format!("not package({END_TO_END})")]))
}

fn generated(workspace: &Workspace) -> Outcome {
    generate::bindings(workspace, Drift::Refuse)
}

fn documentation(workspace: &Workspace) -> Outcome {
    ui::bundle(workspace)?;
    run(workspace
        .cargo("doc")
        .args(["--locked", "--no-deps"])
        .whole_workspace()
        .env("RUSTDOCFLAGS", "-D warnings"))?;
    run(workspace
        .cargo("test")
        .args(["--locked", "--doc"])
        .whole_workspace())
}

fn end_to_end(workspace: &Workspace) -> Outcome {
    compile(workspace)?;
    let nextest = NEXTEST.path()?;
    let desktop = Desktop::start()?;
    run(desktop
        .command(workspace, nextest)
        .args(["nextest", "run", "--locked"])
        .whole_workspace()
        .args(["--filterset", &format!("package({END_TO_END})")]))
}
