//! `register`: agents, signal sources and detection rules.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use countersign_core::identifier::{AgentId, ApproverId, SourceId, UpstreamId};
use countersign_wire::registry::{RegisterAgent, RegisterDetection, RegisterSource};

use super::backend::{BackendArguments, OperatorArguments};
use crate::output::{Failure, print};

/// Register an agent, a signal source or a detection rule
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// An agent; prints its secret, once
    Agent {
        /// Who
        agent: AgentId,
        /// The approvers who operate it, such as ann,ben; they decide about nothing that it proposes
        #[arg(long, value_name = "APPROVER", value_delimiter = ',')]
        operated_by: Vec<ApproverId>,
        #[command(flatten)]
        backend: BackendArguments,
        #[command(flatten)]
        operator: OperatorArguments,
    },
    /// A signal source; prints its secret, once
    Source {
        /// Who
        source: SourceId,
        /// What it gets its knowledge from
        #[arg(long)]
        upstream: UpstreamId,
        #[command(flatten)]
        backend: BackendArguments,
        #[command(flatten)]
        operator: OperatorArguments,
    },
    /// A detection rule (JSON)
    Detection {
        /// `{"rule","source","agents","severity","benign_patterns"}`
        file: PathBuf,
        #[command(flatten)]
        backend: BackendArguments,
        #[command(flatten)]
        operator: OperatorArguments,
    },
}

/// Runs the command.
///
/// # Errors
/// [`Failure`].
pub(super) async fn run(arguments: &Arguments) -> Result<(), Failure> {
    match &arguments.what {
        What::Agent {
            agent,
            operated_by,
            backend,
            operator,
        } => {
            let secret = backend
                .operator(operator)?
                .register_agent(&RegisterAgent {
                    agent: agent.clone(),
                    operated_by: operated_by.iter().cloned().collect(),
                })
                .await?;
            print(&secret.secret)
        }
        What::Source {
            source,
            upstream,
            backend,
            operator,
        } => {
            let source = RegisterSource {
                source: source.clone(),
                upstream: upstream.clone(),
            };
            print(
                &backend
                    .operator(operator)?
                    .register_source(&source)
                    .await?
                    .secret,
            )
        }
        What::Detection {
            file,
            backend,
            operator,
        } => {
            let bytes = std::fs::read(file).map_err(|cause| Failure::Unreadable {
                path: file.display().to_string(),
                cause,
            })?;
            let detection: RegisterDetection = serde_json::from_slice(&bytes)
                .map_err(|error| Failure::Invalid(format!("{}: {error}", file.display())))?;
            backend
                .operator(operator)?
                .register_detection(&detection)
                .await?;
            print(detection.rule.as_str())
        }
    }
}
