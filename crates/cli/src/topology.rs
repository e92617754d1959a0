//! `topology`: several sources as one.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use countersign_core::document::{self, Kind};
use countersign_core::topology::merge::{Conflict, merge};

use crate::output::{Failure, complain, plain, print};
use crate::read;

/// Work on topologies
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Merge(MergeArguments),
}

/// Make one topology of several sources; where they differ the stricter reading counts
///
/// Prints every conflict. Exits with 0 also where there are some, and with 2 where a document is not
/// valid or one name means two things.
#[derive(Debug, Args)]
struct MergeArguments {
    /// Where the merged topology goes; a file that is there already is left alone
    #[arg(value_name = "OUT")]
    out: PathBuf,
    /// The topologies (YAML)
    #[arg(value_name = "IN", required = true)]
    sources: Vec<PathBuf>,
    /// Print the conflicts as one JSON list
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read or written, a topology is not valid, or one name means two
/// things.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.command {
        Command::Merge(arguments) => run_merge(arguments),
    }
}

fn run_merge(arguments: &MergeArguments) -> Result<(), Failure> {
    let sources = arguments
        .sources
        .iter()
        .map(|path| read::document(Kind::Topology, path, |b| document::topology(b)))
        .collect::<Result<Vec<_>, _>>()?;
    let merged = merge(&sources).map_err(|error| Failure::Invalid(error.to_string()))?;
    // JSON is YAML, so that the reader of topologies reads what is written here.
    let text = serde_json::to_string_pretty(&merged.topology)
        .map_err(|error| Failure::Output(error.into()))?;
    document::topology(&text).map_err(|error| {
        Failure::Invalid(format!(
            "together they are not a valid topology: {}",
            plain(&error.to_string())
        ))
    })?;
    write_new(&arguments.out, &text)?;
    complain(&format!(
        "{} sources make {} systems, {} services and {} dependencies in `{}`",
        sources.len(),
        merged.topology.systems.len(),
        merged.topology.services.len(),
        merged.topology.dependencies.len(),
        plain(&arguments.out.display().to_string())
    ));
    if arguments.json {
        let json = serde_json::to_string_pretty(&merged.conflicts)
            .map_err(|error| Failure::Output(error.into()))?;
        return print(&json);
    }
    print(&told(&merged.conflicts))
}

fn told(conflicts: &[Conflict]) -> String {
    let heading = match conflicts.len() {
        0 => return "no conflicts".to_owned(),
        1 => "1 conflict; the stricter reading counts".to_owned(),
        number => format!("{number} conflicts; the stricter reading counts"),
    };
    let lines = conflicts
        .iter()
        .map(|conflict| format!("  {}", plain(&conflict.to_string())));
    std::iter::once(heading)
        .chain(lines)
        .collect::<Vec<_>>()
        .join("\n")
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let written = std::fs::File::create_new(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.write_all(b"\n")
    });
    written.map_err(|cause| Failure::Unwritable {
        path: plain(&path.display().to_string()),
        cause,
    })
}
