//! `assess`: what would become of a proposal, from files alone.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use countersign_core::document::{self, Kind};
use countersign_core::{assessment, scope};

use crate::output::{Failure, print};
use crate::{read, report};

/// Assess a proposal offline: verdict, findings, impact and quorum
///
/// Exits with 0 whenever an assessment was made, whatever its verdict, and with 2 where a document
/// is not valid.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Remediation Authority Envelope in force (YAML)
    #[arg(long, value_name = "FILE")]
    envelope: PathBuf,
    /// The topology (YAML)
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The proposal (JSON)
    #[arg(long, value_name = "FILE")]
    proposal: PathBuf,
    /// What the backend knows besides (JSON); without it, what rests on it is `not_evaluable`
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The instant of the assessment, such as 2026-11-24T02:20:00Z
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    now: DateTime<Utc>,
    /// Print the assessment as one JSON object
    #[arg(long)]
    json: bool,
}

/// An instant on the command line.
pub(crate) fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    DateTime::parse_from_rfc3339(text)
        .map(|instant| instant.with_timezone(&Utc))
        .map_err(|_| "write an instant such as 2026-11-24T02:20:00Z".to_owned())
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read, a document is not valid or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    // Every document is read before any failure is told, so that one run shows all that is wrong.
    let envelope = read::document(Kind::Envelope, &arguments.envelope, |b| {
        document::envelope(b)
    });
    let topology = read::document(Kind::Topology, &arguments.topology, |b| {
        document::topology(b)
    });
    let proposal = read::document(Kind::Proposal, &arguments.proposal, |b| {
        document::proposal(b)
    });
    let history = arguments
        .history
        .as_ref()
        .map(|path| read::document(Kind::History, path, |b| document::history(b)))
        .transpose();
    let (envelope, topology, proposal, history) = match (envelope, topology, proposal, history) {
        (Ok(envelope), Ok(topology), Ok(proposal), Ok(history)) => {
            (envelope, topology, proposal, history)
        }
        (envelope, topology, proposal, history) => {
            let failures = [
                envelope.err(),
                topology.err(),
                proposal.err(),
                history.err(),
            ];
            return Err(Failure::Invalid(
                failures
                    .into_iter()
                    .flatten()
                    .map(|failure| failure.to_string())
                    .collect::<Vec<_>>()
                    .join("\n\n"),
            ));
        }
    };
    let graph = scope::Graph::new(topology);
    let history = history.as_ref();
    let assessment = assessment::assess(Some(&envelope), &graph, &proposal, history, arguments.now);
    if arguments.json {
        let json = serde_json::to_string_pretty(&assessment)
            .map_err(|error| Failure::Output(error.into()))?;
        print(&json)
    } else {
        let explanation = assessment::explain(&assessment, &graph, &proposal, history);
        print(&report::explained(&assessment, &explanation))
    }
}
