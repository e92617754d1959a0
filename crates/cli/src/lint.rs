//! `lint`: whether a document is valid, and what in it is probably not meant.

use std::path::{Path, PathBuf};

use chrono::Utc;
use clap::{Args, ValueEnum};
use countersign_core::document::{self, Kind, Surroundings};

use crate::output::{Failure, complain};
use crate::read;

/// Check a document: errors exit with 2, warnings with 0
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The document
    #[arg(value_name = "FILE", required_unless_present = "envelope")]
    file: Option<PathBuf>,
    /// What it is meant to be
    #[arg(long, value_enum, required_unless_present = "envelope")]
    kind: Option<KindArgument>,
    /// An envelope, instead of FILE
    #[arg(long, value_name = "FILE", conflicts_with_all = ["file", "kind"])]
    envelope: Option<PathBuf>,
    /// The topology that the envelope speaks of: names that it lacks are warned of
    #[arg(long, value_name = "FILE")]
    topology: Option<PathBuf>,
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
/// [`Failure`] where a file cannot be read or a document is not valid.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (kind, file) = match (&arguments.envelope, &arguments.file, arguments.kind) {
        (Some(envelope), _, _) => (Kind::Envelope, envelope),
        (None, Some(file), Some(kind)) => (kind.into(), file),
        // INVARIANT: the parser asks for both where there is no `--envelope`.
        (None, _, _) => return Err(Failure::Invalid("name a file and its `--kind`".to_owned())),
    };
    match kind {
        Kind::Envelope => lint_envelope(file, arguments.topology.as_deref())?,
        Kind::Topology | Kind::Proposal | Kind::History if arguments.topology.is_some() => {
            return Err(Failure::Invalid(
                "only an envelope is held against a topology; leave out `--topology`".to_owned(),
            ));
        }
        Kind::Topology => read::document(kind, file, |b| document::topology(b)).map(drop)?,
        Kind::Proposal => read::document(kind, file, |b| document::proposal(b)).map(drop)?,
        Kind::History => read::document(kind, file, |b| document::history(b)).map(drop)?,
    }
    complain(&format!(
        "`{}` is a valid {}",
        crate::output::plain(&file.display().to_string()),
        kind.as_str()
    ));
    Ok(())
}

fn lint_envelope(file: &Path, topology: Option<&Path>) -> Result<(), Failure> {
    let topology = topology
        .map(|path| read::document(Kind::Topology, path, |b| document::topology(b)))
        .transpose()?;
    let surroundings = Surroundings {
        topology: topology.as_ref(),
        now: Some(Utc::now()),
    };
    read::document(Kind::Envelope, file, |bytes| {
        document::envelope_within(bytes, surroundings)
    })
    .map(drop)
}
