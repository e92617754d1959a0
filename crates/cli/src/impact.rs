//! `impact`: what an action would do, from files alone (AG-706 4.12).

mod words;

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Args;
use countersign_core::briefing::{self, Plan};
use countersign_core::document::{self, Kind};
use countersign_core::impact::Circumstances;
use countersign_core::impact::dry_run::{self, DryRun};
use countersign_core::{assessment, scope};

use crate::assess::instant;
use crate::output::{Failure, plain, print};
use crate::read;

/// Model what an action would do: who suffers, which groups hold, what is cut, how long it takes
///
/// Exits with 0 whenever a model was made, also where the proposal would be refused, and with 2 where
/// a document is not valid.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The topology (YAML)
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// The proposal (JSON)
    #[arg(long, value_name = "FILE")]
    proposal: PathBuf,
    /// The envelope (YAML), whose rule says how it is rolled out; without it, one system at a time
    #[arg(long, value_name = "FILE")]
    envelope: Option<PathBuf>,
    /// What the backend knows besides (JSON), such as what is in flight
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// The executor's plan (JSON), with its honesty grade
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,
    /// The instant at which rules are chosen, such as 2026-11-24T02:20:00Z; now, where it is left out
    #[arg(long, value_name = "RFC3339", value_parser = instant)]
    now: Option<DateTime<Utc>>,
    /// Print the model as one JSON object
    #[arg(long)]
    json: bool,
}

/// Most bytes that a plan may have.
const PLAN_BYTES_MAX: usize = 4 << 20;

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read, a document is not valid or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let topology = read::document(Kind::Topology, &arguments.topology, |b| {
        document::topology(b)
    })?;
    let proposal = read::document(Kind::Proposal, &arguments.proposal, |b| {
        document::proposal(b)
    })?;
    let envelope = arguments.envelope.as_ref();
    let envelope = envelope
        .map(|path| read::document(Kind::Envelope, path, |b| document::envelope(b)))
        .transpose()?;
    let history = arguments.history.as_ref();
    let history = history
        .map(|path| read::document(Kind::History, path, |b| document::history(b)))
        .transpose()?;
    let plan = match &arguments.plan {
        Some(path) => read_plan(path)?,
        None => Plan::none(),
    };
    let graph = scope::Graph::new(topology);
    let (envelope, history) = (envelope.as_ref(), history.as_ref());
    let now = arguments.now.unwrap_or_else(Utc::now);
    let evaluation = assessment::evaluate(envelope, &graph, &proposal, history, now);
    let rule = evaluation
        .assessment
        .rule
        .as_ref()
        .and_then(|id| envelope?.rules.iter().find(|rule| rule.id == *id));
    let rollout = briefing::rollout(envelope, rule);
    let dry_run: DryRun = dry_run::dry_run(dry_run::Inputs {
        graph: &graph,
        action: &proposal.action,
        reach: &evaluation.reach,
        circumstances: Circumstances {
            concurrency: rule.and_then(|rule| rule.rollout.concurrency),
            history,
        },
        rollout: &rollout,
        plan: &plan,
    });
    if arguments.json {
        let json = serde_json::to_string_pretty(&dry_run)
            .map_err(|error| Failure::Output(error.into()))?;
        return print(&json);
    }
    let title = briefing::title(&proposal.action, &evaluation.targets.systems, &graph);
    let rule = rule.map(|rule| rule.id.as_str());
    print(&words::text(&title, &evaluation.assessment, rule, &dry_run))
}

fn read_plan(path: &Path) -> Result<Plan, Failure> {
    let name = plain(&path.display().to_string());
    let bytes = std::fs::read(path).map_err(|cause| Failure::Unreadable {
        path: name.clone(),
        cause,
    })?;
    if bytes.len() > PLAN_BYTES_MAX {
        return Err(Failure::Invalid(format!(
            "`{name}` has more than {PLAN_BYTES_MAX} bytes; that is the limit for a plan"
        )));
    }
    serde_json::from_slice(&bytes).map_err(|error| {
        Failure::Invalid(format!(
            "`{name}` is not a valid plan: {}; write such as {{\"grade\":\"declared\",\"executor\":\"ansible\",\"steps\":[\"…\"]}}",
            plain(&error.to_string())
        ))
    })
}
