//! Where things are, and the one set of features everything is built with.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::{Failure, Outcome};

/// Development builds carry the demonstration keys. Build, clippy, tests and documentation all use
/// this one list, so that cargo compiles each dependency once.
const FEATURES: &str = "countersign/demonstration-key,countersign-cli/demonstration-key";

/// The checked-out repository and the folder that cargo builds into.
pub(crate) struct Workspace {
    root: PathBuf,
    binaries: PathBuf,
}

impl Workspace {
    /// Finds the repository this tool belongs to.
    pub(crate) fn find() -> Outcome<Self> {
        // cargo's word at run time comes first: with a shared target folder, the path compiled in
        // may be another checkout's.
        let package = env::var_os("CARGO_MANIFEST_DIR")
            .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
        let root = package.parent().map(Path::to_path_buf);
        let root = root.ok_or_else(|| Failure::new("xtask has no folder above its own"))?;
        let this =
            env::current_exe().map_err(Failure::of("could not tell where xtask itself is"))?;
        let binaries = this.parent().map(Path::to_path_buf);
        let binaries = binaries.ok_or_else(|| Failure::new("xtask lies in no folder"))?;
        Ok(Self { root, binaries })
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A program of this workspace: all are built beside this one.
    pub(crate) fn binary(&self, name: &str) -> PathBuf {
        self.binaries
            .join(format!("{name}{}", env::consts::EXE_SUFFIX))
    }

    /// A folder inside cargo's target folder, wherever `CARGO_TARGET_DIR` or the configuration puts that.
    pub(crate) fn in_target(&self, name: &str) -> PathBuf {
        self.binaries.parent().unwrap_or(&self.binaries).join(name)
    }

    /// A program to be run at the root of the repository.
    pub(crate) fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root);
        // `cargo run` describes *this* package to us; passed on, it would make build scripts
        // believe that their surroundings had changed.
        for (name, _) in env::vars_os() {
            let ours = name.to_string_lossy();
            if ours.starts_with("CARGO_PKG_") || ours.starts_with("CARGO_MANIFEST_") {
                command.env_remove(name);
            }
        }
        command
    }

    /// `cargo SUBCOMMAND`.
    pub(crate) fn cargo(&self, subcommand: &str) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = self.command(cargo);
        command.arg(subcommand);
        command
    }
}

/// Says that a cargo command is about the whole workspace, with the features of development.
pub(crate) trait WholeWorkspace {
    fn whole_workspace(&mut self) -> &mut Self;
}

impl WholeWorkspace for Command {
    fn whole_workspace(&mut self) -> &mut Self {
        self.args(["--workspace", "--features", FEATURES])
    }
}
