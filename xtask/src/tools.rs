//! Cargo's companions. What the machine does not have is built once into the user's cache folder.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::process::{Failure, Outcome, run};

/// A program from crates.io.
pub(crate) struct Tool {
    name: &'static str,
    version: &'static str,
    /// Whether its optional parts are left out: they are none of ours, and cost time to compile.
    is_bare: bool,
}

pub(crate) const NEXTEST: Tool = Tool {
    name: "cargo-nextest",
    version: "^0.9.143",
    is_bare: true,
};
pub(crate) const DENY: Tool = Tool {
    name: "cargo-deny",
    version: "^0.20",
    is_bare: false,
};
pub(crate) const TAURI_DRIVER: Tool = Tool {
    name: "tauri-driver",
    version: "^2",
    is_bare: false,
};

/// One tool is built at a time, and each once.
static BUILDING: Mutex<()> = Mutex::new(());

/// Builds what is not on this machine while other steps run, which leave processors idle now and then.
/// What fails here is tried again, and told, by the step that needs it.
pub(crate) fn build_beside(tools: impl Iterator<Item = &'static Tool>) {
    let mut missing: Vec<&Tool> = Vec::new();
    for tool in tools {
        let known = missing.iter().any(|other| other.name == tool.name);
        if !known && matches!(tool.found(), Ok(None)) {
            missing.push(tool);
        }
    }
    if missing.is_empty() {
        return;
    }
    thread::spawn(move || {
        for tool in missing {
            if let Err(failure) = tool.path() {
                println!(
                    "  {} waits for the step that needs it: {failure}",
                    tool.name
                );
            }
        }
    });
}

impl Tool {
    /// Where the tool is, after building it if it is nowhere.
    pub(crate) fn path(&self) -> Outcome<PathBuf> {
        let _one_at_a_time = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = self.found()? {
            return Ok(found);
        }
        let cache = cache_folder()?;
        println!(
            "  {} is not on this machine: building it once into {}",
            self.name,
            cache.display()
        );
        self.build(&cache)?;
        self.found()?.ok_or_else(|| {
            Failure::new(format!(
                "`cargo install {}` made no program of that name",
                self.name
            ))
        })
    }

    /// Where the tool is, on the path or among those built before.
    fn found(&self) -> Outcome<Option<PathBuf>> {
        let program = format!("{}{}", self.name, env::consts::EXE_SUFFIX);
        let cache = cache_folder()?;
        let cached = cache.join("bin").join(&program);
        let on_path = env::var_os("PATH").unwrap_or_default();
        let folders = env::split_paths(&on_path).map(|folder| folder.join(&program));
        Ok(folders.chain([cached]).find(|path| path.is_file()))
    }

    fn build(&self, cache: &Path) -> Outcome {
        fs::create_dir_all(cache).map_err(Failure::of(format!(
            "could not create `{}`",
            cache.display()
        )))?;
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        run(Command::new(cargo)
            .args([
                "install",
                "--locked",
                "--debug",
                "--quiet",
                self.name,
                "--version",
                self.version,
                "--root",
            ])
            .arg(cache)
            .args(self.is_bare.then_some("--no-default-features"))
            // Not in the repository, whose configuration is none of the tool's business, and not
            // into its target folder.
            .current_dir(cache)
            .env_remove("CARGO_TARGET_DIR")
            // Unoptimised and without symbols: quicker to build, and they are run once.
            .env("CARGO_PROFILE_DEV_DEBUG", "0"))
    }
}

fn cache_folder() -> Outcome<PathBuf> {
    let from = |name: &str| {
        env::var_os(name)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let caches = from("XDG_CACHE_HOME")
        .or_else(|| from("LOCALAPPDATA"))
        .or_else(|| from("HOME").map(|home| home.join(".cache")));
    let caches = caches
        .ok_or_else(|| Failure::new("there is no cache folder: set HOME or XDG_CACHE_HOME"))?;
    Ok(caches.join("countersign").join("tools"))
}
