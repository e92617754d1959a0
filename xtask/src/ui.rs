//! The console's screens: their packages, their checks, and the bundle that the console embeds.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::UNIX_EPOCH;

use crate::process::{Failure, Outcome, run};
use crate::setup::npm;
use crate::workspace::Workspace;

/// Folders of `ui/` that are made, not written.
const MADE: &[&str] = &["node_modules", "dist", "dist-memory", ".svelte-kit"];

/// Installs the locked packages, where they are not installed already.
pub(crate) fn install(workspace: &Workspace) -> Outcome {
    let folder = folder(workspace);
    let lock = folder.join("package-lock.json");
    let locked = fs::read_to_string(&lock)
        .map_err(Failure::of(format!("could not read `{}`", lock.display())))?;
    let stamp = folder.join("node_modules").join(".countersign-installed");
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == locked) {
        return Ok(());
    }
    run(in_ui(workspace).args(["ci", "--no-audit", "--no-fund"]))?;
    write(&stamp, &locked)
}

/// Makes `ui/dist`, where a source is newer. An untouched bundle spares a build of the console.
pub(crate) fn bundle(workspace: &Workspace) -> Outcome {
    install(workspace)?;
    let folder = folder(workspace);
    let stamp = folder.join("node_modules").join(".countersign-bundled");
    let mut sources = String::new();
    describe(&folder, &mut sources)?;
    let bundled = folder.join("dist").join("index.html").is_file();
    if bundled && fs::read_to_string(&stamp).is_ok_and(|known| known == sources) {
        return Ok(());
    }
    script(workspace, "build")?;
    write(&stamp, &sources)
}

/// Runs a script that `ui/package.json` must have.
pub(crate) fn script(workspace: &Workspace, name: &str) -> Outcome {
    run(in_ui(workspace).args(["run", name]))
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.root().join("ui")
}

fn in_ui(workspace: &Workspace) -> Command {
    let mut command = npm();
    command.current_dir(folder(workspace));
    command
}

/// Path, length and time of every source under a folder, in order.
fn describe(folder: &Path, into: &mut String) -> Outcome {
    let unreadable = || Failure::of(format!("could not read `{}`", folder.display()));
    let mut entries = fs::read_dir(folder)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable())?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let metadata = entry.metadata().map_err(unreadable())?;
        if metadata.is_dir() {
            if !MADE.iter().any(|made| entry.file_name() == *made) {
                describe(&entry.path(), into)?;
            }
            continue;
        }
        let changed = metadata
            .modified()
            .ok()
            .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
        let changed_ns = changed.map_or(0, |since| since.as_nanos());
        // Writing to a string cannot fail.
        let _ = writeln!(
            into,
            "{} {} {changed_ns}",
            entry.path().display(),
            metadata.len()
        );
    }
    Ok(())
}

fn write(path: &Path, content: &str) -> Outcome {
    fs::write(path, content).map_err(Failure::of(format!("could not write `{}`", path.display())))
}
