//! `cargo xtask demo`: everything built and the demonstration's story run, in a window or without.

use std::env;
use std::path::PathBuf;

use crate::build;
use crate::desktop::Desktop;
use crate::process::{Outcome, run};
use crate::setup::{self, Consent, Purpose};
use crate::workspace::Workspace;

/// Who looks at the console.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Audience {
    /// A person at a display.
    Person,
    /// Nobody: a desktop of our own, and a driver that does what a person would.
    Driver,
}

impl Audience {
    /// A person, where there is a display to sit at.
    pub(crate) fn here() -> Self {
        let set = |name: &str| env::var_os(name).is_some_and(|value| !value.is_empty());
        if !cfg!(target_os = "linux") || set("DISPLAY") || set("WAYLAND_DISPLAY") {
            Self::Person
        } else {
            Self::Driver
        }
    }
}

/// Runs the demonstration. `data` is the folder the backend keeps its store in, if it shall be kept.
pub(crate) fn demo(
    workspace: &Workspace,
    audience: Audience,
    data: Option<PathBuf>,
    consent: Consent,
) -> Outcome {
    let purpose = match audience {
        Audience::Person => Purpose::Build,
        Audience::Driver => Purpose::Headless,
    };
    setup::ensure(purpose, consent)?;
    build::everything(workspace)?;
    let program = workspace.binary("countersign-demonstration");
    let desktop = match audience {
        Audience::Person => None,
        Audience::Driver => Some(Desktop::start()?),
    };
    let mut command = match &desktop {
        Some(desktop) => desktop.command(workspace, program),
        None => workspace.command(program),
    };
    command.arg("--out").arg(workspace.in_target("demo"));
    if let Some(data) = data {
        command.arg("--data").arg(data);
    }
    if desktop.is_some() {
        command.arg("--headless");
    }
    run(&mut command)
}
