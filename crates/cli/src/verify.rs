//! `verify`: check an evidence folder offline.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use countersign_core::evidence::{self, Files, Outcome};
use countersign_core::identifier::Digest;

use crate::output::{Failure, plain, print};

/// Files read from one folder at most.
const FILES_MAX: usize = 100_000;

/// Bytes read from one folder at most.
const BYTES_MAX: u64 = 512 << 20;

/// Check an evidence folder offline: signatures, digests, quorum, log, and the assessment itself
///
/// Exits with 0 where everything holds, and with 1 where anything does not.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The folder
    folder: PathBuf,
    /// Digest of the genesis that you pinned; without it the folder's own is believed, and said so
    #[arg(long, value_name = "DIGEST", env = "COUNTERSIGN_GENESIS")]
    genesis: Option<Digest>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Unreadable`] where the folder cannot be read, [`Failure::Refused`] where anything in
/// it does not hold.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = folder(&arguments.folder)?;
    let report = evidence::verify(&files, arguments.genesis);
    if arguments.json {
        let json =
            serde_json::to_string_pretty(&report).map_err(|error| Failure::Output(error.into()))?;
        print(&json)?;
    } else {
        let lines: Vec<String> = report
            .checks
            .iter()
            .map(|check| {
                let mark = match check.outcome {
                    Outcome::Holds => "ok    ",
                    Outcome::Noted => "note  ",
                    Outcome::Failed => "FAILED",
                };
                plain(&format!("{mark}  {}: {}", check.subject, check.sentence))
            })
            .collect();
        print(&lines.join("\n"))?;
    }
    if report.holds() {
        return Ok(());
    }
    Err(Failure::refused(
        "evidence",
        format!(
            "{} of {} checks failed; this folder proves nothing",
            report.failures().count(),
            report.checks.len()
        ),
    ))
}

/// A folder in memory.
///
/// # Errors
/// [`Failure`] where it cannot be read, or is no evidence folder.
pub(crate) fn folder(path: &Path) -> Result<Files, Failure> {
    let mut files = BTreeMap::new();
    read(path, "", &mut files, &mut 0)?;
    Ok(files)
}

/// Reads a folder into memory, by relative path. A link or a special file is an error: evidence has none.
fn read(folder: &Path, prefix: &str, files: &mut Files, bytes: &mut u64) -> Result<(), Failure> {
    let unreadable = |path: &Path, cause| Failure::Unreadable {
        path: path.display().to_string(),
        cause,
    };
    let entries = std::fs::read_dir(folder).map_err(|cause| unreadable(folder, cause))?;
    for entry in entries {
        let entry = entry.map_err(|cause| unreadable(folder, cause))?;
        let path = entry.path();
        let kind = entry
            .file_type()
            .map_err(|cause| unreadable(&path, cause))?;
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if kind.is_dir() {
            read(&path, &format!("{name}/"), files, bytes)?;
            continue;
        }
        let length = entry
            .metadata()
            .map_err(|cause| unreadable(&path, cause))?
            .len();
        *bytes = bytes.saturating_add(length);
        if !kind.is_file() || *bytes > BYTES_MAX || files.len() >= FILES_MAX {
            return Err(Failure::Invalid(format!(
                "{} is no evidence folder: it holds {}",
                folder.display(),
                if kind.is_file() {
                    "too much".to_owned()
                } else {
                    format!("{name}, which is no plain file")
                }
            )));
        }
        files.insert(
            name,
            std::fs::read(&path).map_err(|cause| unreadable(&path, cause))?,
        );
    }
    Ok(())
}
