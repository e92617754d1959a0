//! `envelope`: what a new envelope changes, and the same envelope in another language.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use countersign_core::document::{self, Kind};
use countersign_core::envelope::{cedar, diff};

use crate::output::{Failure, plain, print};
use crate::read;

/// Compare Remediation Authority Envelopes, and export them
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diff(DiffArguments),
    Export(ExportArguments),
}

/// Say in sentences what changed between two envelopes, and whether it widens or narrows
#[derive(Debug, Args)]
struct DiffArguments {
    /// The envelope in force (YAML)
    before: PathBuf,
    /// The envelope that would replace it (YAML)
    after: PathBuf,
    /// Print the changes as one JSON list
    #[arg(long)]
    json: bool,
}

/// Write an envelope in another policy language, for whoever wants to check ours
#[derive(Debug, Args)]
struct ExportArguments {
    /// As Cedar: schema.cedarschema and policies.cedar (the only language so far)
    #[arg(long, required = true)]
    cedar: bool,
    /// The envelope (YAML)
    envelope: PathBuf,
    /// The folder to write into; files that are there are never replaced
    folder: PathBuf,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read, an envelope is not valid or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Diff(arguments) => run_diff(arguments),
        Command::Export(arguments) => run_export(arguments),
    }
}

fn run_export(arguments: &ExportArguments) -> Result<(), Failure> {
    let envelope = read::document(Kind::Envelope, &arguments.envelope, |b| {
        document::envelope(b)
    })?;
    let folder = &arguments.folder;
    let files = [
        ("schema.cedarschema", cedar::schema(&envelope)),
        ("policies.cedar", cedar::policies(&envelope)),
    ];
    // Both are looked at before either is written, so that a refusal leaves nothing behind.
    for (name, _) in &files {
        let file = folder.join(name);
        if file.symlink_metadata().is_ok() {
            return Err(taken(&file));
        }
    }
    fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
    for (name, text) in &files {
        write_new(&folder.join(name), text)?;
    }
    print(&format!(
        "schema.cedarschema and policies.cedar in {}; docs/cedar.md says what they can tell",
        plain(&folder.display().to_string())
    ))
}

/// Writes a file that is not there yet.
fn write_new(file: &Path, text: &str) -> Result<(), Failure> {
    let mut new = match File::create_new(file) {
        Ok(new) => new,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(taken(file)),
        Err(error) => return Err(unwritable(file, &error)),
    };
    new.write_all(text.as_bytes())
        .map_err(|error| unwritable(file, &error))
}

fn taken(file: &Path) -> Failure {
    Failure::refused(
        "file_exists",
        format!(
            "{} is there already; move it away or name another folder",
            plain(&file.display().to_string())
        ),
    )
}

fn unwritable(path: &Path, error: &io::Error) -> Failure {
    Failure::refused(
        "folder",
        format!("{}: {error}", plain(&path.display().to_string())),
    )
}

fn run_diff(arguments: &DiffArguments) -> Result<(), Failure> {
    let read = |path| read::document(Kind::Envelope, path, |b| document::envelope(b));
    let (before, after) = (read(&arguments.before)?, read(&arguments.after)?);
    let changes = diff::diff(Some(&before), &after);
    if arguments.json {
        let json = serde_json::to_string_pretty(&changes)
            .map_err(|error| Failure::Output(error.into()))?;
        return print(&json);
    }
    if changes.is_empty() {
        return print("both mean the same");
    }
    let lines: Vec<String> = changes
        .iter()
        .map(|change| {
            format!(
                "{:<8} {}",
                change.direction.as_str(),
                plain(&change.sentence)
            )
        })
        .collect();
    print(&lines.join("\n"))
}
