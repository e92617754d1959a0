//! `lint`: whether a document is valid, and what in it is probably not meant.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use countersign_core::document::{self, Kind};

use crate::output::{Failure, complain};
use crate::read;

/// Check a document: errors exit with 2, warnings with 0
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The document
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// What it is meant to be
    #[arg(long, value_enum)]
    kind: KindArgument,
}

/// A kind of document on the command line.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum KindArgument {
    /// A Remediation Authority Envelope (YAML)
    Envelope,
    /// A topology (YAML)
    Topology,
    /// A proposal (JSON)
    Proposal,
    /// A history (JSON)
    History,
}

impl From<KindArgument> for Kind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Envelope => Self::Envelope,
            KindArgument::Topology => Self::Topology,
            KindArgument::Proposal => Self::Proposal,
            KindArgument::History => Self::History,
        }
    }
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where the file cannot be read or the document is not valid.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let kind = Kind::from(arguments.kind);
    let file = &arguments.file;
    match kind {
        Kind::Envelope => read::document(kind, file, |b| document::envelope(b)).map(drop),
        Kind::Topology => read::document(kind, file, |b| document::topology(b)).map(drop),
        Kind::Proposal => read::document(kind, file, |b| document::proposal(b)).map(drop),
        Kind::History => read::document(kind, file, |b| document::history(b)).map(drop),
    }?;
    complain(&format!(
        "`{}` is a valid {}",
        crate::output::plain(&file.display().to_string()),
        kind.as_str()
    ));
    Ok(())
}
