//! `evidence export`: the proof of everything that was decided about something, as a folder.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::backend::BackendArguments;
use super::key::Person;
use super::read::session;
use crate::output::{Failure, print};

/// Export the evidence of what was decided
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Export the evidence about an item, an operation, an envelope or a suspension into a new folder
    Export {
        /// The item, the operation, or the digest of the envelope or suspension
        id: String,
        /// The folder, which must not exist or be empty
        folder: PathBuf,
        #[command(flatten)]
        backend: BackendArguments,
        #[command(flatten)]
        person: Person,
    },
}

/// Runs the command.
///
/// # Errors
/// [`Failure`].
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Command::Export {
        id,
        folder,
        backend,
        person,
    } = &arguments.command;
    let unwritable = |error: std::io::Error| {
        Failure::refused("folder", format!("{}: {error}", folder.display()))
    };
    std::fs::create_dir_all(folder).map_err(unwritable)?;
    if std::fs::read_dir(folder)
        .map_err(unwritable)?
        .next()
        .is_some()
    {
        return Err(Failure::refused(
            "folder",
            format!("{} is not empty; name a new folder", folder.display()),
        ));
    }
    let files = session(backend, person).await?.evidence(id).await?;
    for name in files.keys() {
        // Names come from the backend: they stay inside the folder.
        let inside = !name.is_empty()
            && name
                .split('/')
                .all(|part| !part.is_empty() && part != "." && part != "..")
            && !name.contains(['\\', ':', '\0']);
        if !inside {
            return Err(Failure::refused(
                "evidence_name",
                format!("the backend names a file {name:?}; nothing of it is written"),
            ));
        }
    }
    for (name, bytes) in &files {
        let file = folder.join(name);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent).map_err(unwritable)?;
        }
        std::fs::write(&file, &bytes.0).map_err(unwritable)?;
    }
    print(&format!(
        "{} files in {}; check them with `countersignctl verify`",
        files.len(),
        folder.display()
    ))
}
