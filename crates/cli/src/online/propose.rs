//! `propose`: what an agent does, from a file.

use std::path::PathBuf;

use clap::Args;
use countersign_core::document::{self, Kind};

use super::backend::BackendArguments;
use crate::output::{Failure, print};
use crate::{read, report};

/// Propose an action as an agent
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The proposal (JSON)
    file: PathBuf,
    #[command(flatten)]
    backend: BackendArguments,
    /// The agent's secret
    #[arg(
        long,
        value_name = "SECRET",
        env = "COUNTERSIGN_AGENT_SECRET",
        hide_env_values = true
    )]
    agent_secret: String,
    /// Only ask what would become of it
    #[arg(long)]
    assess_only: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`].
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    // Read here first, so that a mistake is shown in its line without the network.
    read::document(Kind::Proposal, &arguments.file, |bytes| {
        document::proposal(bytes)
    })?;
    let bytes = read::bytes(Kind::Proposal, &arguments.file)?;
    let client = arguments
        .backend
        .client()?
        .with_bearer(&arguments.agent_secret)?;
    let answer = if arguments.assess_only {
        client.assess_only(&bytes).await?
    } else {
        client.propose(&bytes).await?
    };
    if arguments.json {
        return print(&super::json(&answer)?);
    }
    let id = answer.id.as_ref().map_or("not proposed", |id| id.as_str());
    print(&format!(
        "{id}: {}\n\n{}",
        answer.message,
        report::text(&answer.assessment)
    ))
}
