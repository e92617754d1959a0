//! `envelope`: what a new envelope changes.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::document::{self, Kind};
use countersign_core::envelope::diff;

use crate::output::{Failure, plain, print};
use crate::read;

/// Compare Remediation Authority Envelopes
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Diff(DiffArguments),
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

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read, an envelope is not valid or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Diff(arguments) => run_diff(arguments),
    }
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
