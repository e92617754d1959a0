//! `schema`: the JSON Schema of a kind of document, for editors and for agents.

use clap::Args;
use countersign_core::document;

use crate::lint::KindArgument;
use crate::output::{Failure, print};

/// Print the JSON Schema of a kind of document
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The kind of document
    #[arg(value_enum)]
    kind: KindArgument,
}

/// Runs the command.
///
/// # Errors
/// [`Failure::Output`] where the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let schema = document::schema(arguments.kind.into());
    let json =
        serde_json::to_string_pretty(&schema).map_err(|error| Failure::Output(error.into()))?;
    print(&json)
}
