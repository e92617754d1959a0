//! `drill`: rehearse a rollback.

use std::path::PathBuf;

use clap::Args;
use countersign_core::identifier::{CheckId, SystemId};
use countersign_wire::registry::StartDrill;

use super::backend::{BackendArguments, OperatorArguments};
use crate::output::{Failure, print};

/// Rehearse the rollback of an action on one drill system
#[derive(Debug, Args)]
pub(crate) struct Drill {
    /// The action (JSON): `{"type":"patch","parameters":{…}}`
    #[arg(long, value_name = "FILE")]
    action: PathBuf,
    /// The system it is rehearsed on
    #[arg(long)]
    system: SystemId,
    /// Health checks of the envelope
    #[arg(long = "check", required = true)]
    checks: Vec<CheckId>,
    /// Asked again with the same key, it is the same drill
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    operator: OperatorArguments,
}

/// Runs `drill`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn drill(arguments: &Drill) -> Result<(), Failure> {
    let bytes = std::fs::read(&arguments.action).map_err(|cause| Failure::Unreadable {
        path: arguments.action.display().to_string(),
        cause,
    })?;
    let drill = StartDrill {
        action: serde_json::from_slice(&bytes).map_err(|error| {
            Failure::Invalid(format!("{}: {error}", arguments.action.display()))
        })?,
        system: arguments.system.clone(),
        checks: arguments.checks.iter().cloned().collect(),
        idempotency_key: arguments.idempotency_key.clone(),
    };
    let operation = arguments
        .backend
        .operator(&arguments.operator)?
        .start_drill(&drill)
        .await?;
    print(operation.id.as_str())
}
