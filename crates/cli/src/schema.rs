//! `schema`: the JSON Schema of a kind of document, for editors and for agents.

use clap::{Args, ValueEnum};
use countersign_core::backtest;
use countersign_core::document::{self, Kind};

use crate::output::{Failure, print};

/// Print the JSON Schema of a kind of document
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The kind of document
    #[arg(value_enum)]
    kind: Schema,
}

/// What has a schema.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Schema {
    /// A Remediation Authority Envelope (YAML)
    Envelope,
    /// A topology (YAML)
    Topology,
    /// A proposal (JSON)
    Proposal,
    /// A history (JSON)
    History,
    /// A past case of a back-test (a line of JSON)
    Backtest,
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Output`] where the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let schema = match arguments.kind {
        Schema::Envelope => document::schema(Kind::Envelope),
        Schema::Topology => document::schema(Kind::Topology),
        Schema::Proposal => document::schema(Kind::Proposal),
        Schema::History => document::schema(Kind::History),
        Schema::Backtest => backtest::schema(),
    };
    let json =
        serde_json::to_string_pretty(&schema).map_err(|error| Failure::Output(error.into()))?;
    print(&json)
}
