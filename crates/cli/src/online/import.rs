//! `import`: hand a topology or an envelope to the backend.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::document::Kind;
use countersign_wire::registry::Imported;

use super::backend::{BackendArguments, OperatorArguments};
use crate::output::{Failure, complain, plain, print};
use crate::read;

/// Import a topology or an envelope; an envelope counts once its board has authorised it
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// A topology (YAML)
    Topology(Document),
    /// An envelope (YAML)
    Envelope(Document),
}

#[derive(Debug, Args)]
struct Document {
    /// The document
    file: PathBuf,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    operator: OperatorArguments,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`].
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let (What::Topology(document) | What::Envelope(document)) = &arguments.what;
    let kind = match &arguments.what {
        What::Topology(_) => Kind::Topology,
        What::Envelope(_) => Kind::Envelope,
    };
    let bytes = read::bytes(kind, &document.file)?;
    let client = document.backend.operator(&document.operator)?;
    let imported: Imported = match &arguments.what {
        What::Topology(_) => client.import_topology(&bytes).await?,
        What::Envelope(_) => client.import_envelope(&bytes).await?,
    };
    for warning in &imported.warnings {
        complain(&plain(&format!(
            "warning, line {}, column {}: {}; {}",
            warning.line, warning.column, warning.message, warning.mend
        )));
    }
    if document.json {
        print(&super::json(&imported)?)
    } else {
        print(&imported.digest.to_string())
    }
}
