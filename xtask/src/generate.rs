//! Files made from code and committed: the TypeScript types of what travels.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::process::{Failure, Outcome, run};
use crate::tools::NEXTEST;
use crate::workspace::{WholeWorkspace, Workspace};

/// Whether differences are written down or refused.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    Mend,
    Refuse,
}

/// Makes `ui/src/lib/bindings` from the types of `countersign-wire`.
pub(crate) fn bindings(workspace: &Workspace, drift: Drift) -> Outcome {
    let committed = workspace
        .root()
        .join("ui")
        .join("src")
        .join("lib")
        .join("bindings");
    let fresh = workspace.in_target("bindings");
    remove(&fresh)?;
    export(workspace, &fresh, drift)?;
    let differences = differences(&read(&committed)?, &read(&fresh)?);
    if differences.is_empty() {
        println!("  {} is as the code says", committed.display());
        return Ok(());
    }
    if drift == Drift::Refuse {
        return Err(Failure::new(format!(
            "`ui/src/lib/bindings` is not what the code says; run `cargo xtask generate` and commit:\n    {}",
            differences.join("\n    ")
        )));
    }
    remove(&committed)?;
    copy(&fresh, &committed)?;
    println!("  {}", differences.join("\n  "));
    Ok(())
}

/// ts-rs exports from tests of its own making, a test a type. They run one after the other, because
/// types share files. Where they are mended, without the other crates, which may not compile until the
/// types are here; where they are compared, from what is compiled already.
fn export(workspace: &Workspace, into: &Path, drift: Drift) -> Outcome {
    let mut command = workspace.command(NEXTEST.path()?);
    command.args(["nextest", "run", "--locked"]);
    match drift {
        Drift::Mend => command.args(["--package", "countersign-wire"]),
        Drift::Refuse => command.whole_workspace(),
    };
    run(command
        .args(["--ignore-default-filter", "--test-threads", "1"])
        .args(["--status-level", "fail", "--final-status-level", "fail"])
        .args([
            "--filterset",
            "package(countersign-wire) & test(/export_bindings/)",
        ])
        .env("TS_RS_EXPORT_DIR", into)
        .env("TS_RS_LARGE_INT", "number"))
}

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn differences(committed: &Files, fresh: &Files) -> Vec<String> {
    let mut differences = Vec::new();
    for (path, content) in fresh {
        match committed.get(path) {
            None => differences.push(format!("new      {}", path.display())),
            Some(known) if known != content => {
                differences.push(format!("changed  {}", path.display()))
            }
            Some(_) => {}
        }
    }
    let gone = committed.keys().filter(|path| !fresh.contains_key(*path));
    differences.extend(gone.map(|path| format!("gone     {}", path.display())));
    differences
}

/// Every file under a folder, by its path within; a missing folder has none.
fn read(folder: &Path) -> Outcome<Files> {
    let mut files = Files::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(current) = open.pop() {
        if !current.is_dir() {
            continue;
        }
        let unreadable = || Failure::of(format!("could not read `{}`", current.display()));
        for entry in fs::read_dir(&current).map_err(unreadable())? {
            let path = entry.map_err(unreadable())?.path();
            if path.is_dir() {
                open.push(path);
            } else if let Ok(within) = path.strip_prefix(folder) {
                files.insert(within.to_path_buf(), fs::read(&path).map_err(unreadable())?);
            }
        }
    }
    Ok(files)
}

fn remove(folder: &Path) -> Outcome {
    if !folder.exists() {
        return Ok(());
    }
    fs::remove_dir_all(folder).map_err(Failure::of(format!(
        "could not remove `{}`",
        folder.display()
    )))
}

fn copy(from: &Path, to: &Path) -> Outcome {
    for (path, content) in read(from)? {
        let path = to.join(path);
        let unwritable = || Failure::of(format!("could not write `{}`", path.display()));
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).map_err(unwritable())?;
        }
        fs::write(&path, content).map_err(unwritable())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(path, content)| (PathBuf::from(path), content.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn every_kind_of_drift_is_named() {
        let committed = files(&[("Same.ts", "1"), ("Changed.ts", "1"), ("Gone.ts", "1")]);
        let fresh = files(&[("Same.ts", "1"), ("Changed.ts", "2"), ("New.ts", "1")]);
        let expected = ["changed  Changed.ts", "new      New.ts", "gone     Gone.ts"];
        assert_eq!(differences(&committed, &fresh), expected);
        assert!(differences(&fresh, &fresh).is_empty());
    }
}
