//! `drill`, `drills`: rehearse a rollback, and how rehearsals stand.

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use countersign_core::identifier::{CheckId, SystemId};
use countersign_wire::drill::{DrillResult, DrillStanding};
use countersign_wire::registry::StartDrill;

use super::backend::{BackendArguments, OperatorArguments};
use super::read::plain_lines;
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

/// List how the drills of each action and class stand: when the next one is due, which are overdue or failed
#[derive(Debug, Args)]
pub(crate) struct Drills {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    operator: OperatorArguments,
    /// Print one JSON array
    #[arg(long)]
    json: bool,
}

/// Runs `drills`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn drills(arguments: &Drills) -> Result<(), Failure> {
    let client = arguments.backend.operator(&arguments.operator)?;
    let standings = client.drills().await?;
    if arguments.json {
        return print(&super::json(&standings)?);
    }
    if standings.is_empty() {
        return print("nothing is scheduled, and nothing was rehearsed");
    }
    let lines: Vec<String> = standings.iter().map(told).collect();
    print(&plain_lines(&lines.join("\n")))
}

fn told(of: &DrillStanding) -> String {
    let mut line = format!("{} on {}", of.action.as_str(), of.class);
    match (&of.every, of.due_at) {
        (None, _) => line.push_str("  not scheduled"),
        (Some(every), None) => line.push_str(&format!("  every {every}  due now")),
        (Some(every), Some(at)) => line.push_str(&format!("  every {every}  due {}", minute(at))),
    }
    if let Some(since) = of.overdue_since {
        line.push_str(&format!("  OVERDUE since {}", minute(since)));
    }
    match &of.last {
        None => line.push_str("\n    never rehearsed"),
        Some(last) => {
            let result = match last.result {
                DrillResult::UnderWay => "under way",
                DrillResult::Passed => "passed",
                DrillResult::Failed => "FAILED",
            };
            let at = last.ended_at.unwrap_or(last.began_at);
            line.push_str(&format!(
                "\n    {result} on {} at {}  {}",
                last.system,
                minute(at),
                last.operation
            ));
            if let Some(took) = last.rollback_ms {
                line.push_str(&format!("  undone in {}.{:03} s", took / 1000, took % 1000));
            }
            if let Some(message) = &last.message {
                line.push_str(&format!("\n    it says: {message:?}"));
            }
        }
    }
    if let Some(failed) = of
        .failed
        .as_ref()
        .filter(|failed| Some(*failed) != of.last.as_ref())
    {
        line.push_str(&format!(
            "\n    FAILED before, and none has passed since: {}",
            failed.operation
        ));
    }
    if let Some(why) = &of.waits {
        line.push_str(&format!("\n    does not begin: {why}"));
    }
    line
}

fn minute(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}
