//! `queue`, `show`, `operations`, `operation`: read with a signed-in session.

use clap::Args;
use countersign_core::briefing::title;
use countersign_core::identifier::{OperationId, ProposalId};
use countersign_core::quote;
use countersign_core::scope::Graph;
use countersign_core::statement::CheckpointReference;
use countersign_core::suspension::Suspended;
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::client::review::{Logged, Reviewed};
use countersign_wire::client::trust::Trusted;
use countersign_wire::client::{Client, QueueState};
use countersign_wire::drill::Notice;
use countersign_wire::queue::QueueItem;
use serde_json::json;

use super::backend::BackendArguments;
use super::decide::halted;
use super::key::Person;
use crate::output::{Failure, plain, print};
use crate::report;

/// List what waits for people
#[derive(Debug, Args)]
pub(crate) struct Queue {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    person: Person,
    /// List what is closed instead
    #[arg(long)]
    closed: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// Show an item: the briefing, assessed again on this machine
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The item
    item: ProposalId,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    person: Person,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// List operations
#[derive(Debug, Args)]
pub(crate) struct Operations {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    person: Person,
}

/// Show an operation
#[derive(Debug, Args)]
pub(crate) struct Operation {
    /// The operation
    operation: OperationId,
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    person: Person,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn session(
    backend: &BackendArguments,
    person: &Person,
) -> Result<Client, Failure> {
    Ok(signed_in(backend, person).await?.2)
}

/// A briefing, assessed again here and looked for in the log, and the item it is of.
pub(super) async fn review(
    session: &Client,
    trusted: &Trusted,
    item: &ProposalId,
    checkpoint: CheckpointReference,
) -> Result<(Reviewed, QueueItem), Failure> {
    let reviewed = Reviewed::fetch(session, trusted, item)
        .await
        .map_err(|error| Failure::refused("review", error))?;
    let item = session.queue_item(item).await?;
    let reviewed = reviewed
        .find_in_log(session, item.assessed_in, checkpoint)
        .await;
    Ok((reviewed, item))
}

/// The pinned deployment, its log as it was verified just now, and a session of `person` there.
async fn signed_in(
    backend: &BackendArguments,
    person: &Person,
) -> Result<(Trusted, CheckpointReference, Client), Failure> {
    let client = backend.client()?;
    let (trusted, checkpoint) = backend.trusted(&client).await?;
    let session = person
        .key
        .hand(None)?
        .sign_in(&client, &trusted, &person.approver)
        .await?;
    Ok((trusted, checkpoint, session))
}

/// Runs `queue`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn queue(arguments: &Queue) -> Result<(), Failure> {
    let session = session(&arguments.backend, &arguments.person).await?;
    let state = if arguments.closed {
        QueueState::Closed
    } else {
        QueueState::Open
    };
    let mut cursor = None;
    let mut items = Vec::new();
    let mut notices = Vec::new();
    loop {
        let page = session.queue_page(state, cursor.as_deref()).await?;
        items.extend(page.items);
        notices.extend(page.notices);
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    if arguments.json {
        return print(&super::json(&items)?);
    }
    let mut text = suspended(&session).await?;
    let mut lines: Vec<String> = notices.iter().map(noticed).collect();
    if items.is_empty() {
        lines.push("nothing waits".to_owned());
    }
    let rows = items.iter().map(|item| {
        let needed = item.quorum.as_ref().map_or(0, |quorum| quorum.needed);
        let why = item.why.first().map_or("", String::as_str);
        format!(
            "{}  {}  {}  {} of {needed} signed  expires {}\n    {}",
            item.id,
            item.scope.tier,
            item.title,
            item.decisions.len(),
            item.expires_at.format("%Y-%m-%d %H:%M UTC"),
            why
        )
    });
    lines.extend(rows);
    text.push_str(&lines.join("\n"));
    print(&plain_lines(&text))
}

/// Runs `show`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn show(arguments: &Show) -> Result<(), Failure> {
    let (trusted, checkpoint, session) = signed_in(&arguments.backend, &arguments.person).await?;
    let (reviewed, item) = review(&session, &trusted, &arguments.item, checkpoint).await?;
    if arguments.json {
        return print(&super::json(&json!({
            "item": item,
            "briefing": reviewed.briefing(),
            "digest": reviewed.digest(),
            "differences": reviewed.differences(),
            "logged": match reviewed.logged() {
                Logged::Proved { index } => json!({ "entry": index }),
                Logged::Unproved { reason } => json!({ "unproved": reason }),
            },
        }))?);
    }
    let briefing = reviewed.briefing();
    let mut text = suspended(&session).await?;
    text.push_str(&format!(
        "{}\n{}\n\n{}",
        title(
            &briefing.proposal.action,
            &briefing.waves.iter().flatten().cloned().collect(),
            &Graph::new(reviewed.topology()),
        ),
        arguments.item,
        report::text(&briefing.assessment)
    ));
    text.push_str(&format!(
        "\nthe agent {} says: {:?}\n",
        briefing.proposal.agent, briefing.proposal.rationale
    ));
    text.push_str(&format!(
        "briefing {} (digest recomputed here)\n",
        reviewed.digest()
    ));
    if reviewed.differences().is_empty() {
        text.push_str("assessed again on this machine: the same\n");
    } else {
        text.push_str("ASSESSED AGAIN ON THIS MACHINE: NOT THE SAME; do not sign\n");
        text.push_str(&reviewed.differences().join("\n"));
        text.push('\n');
    }
    match reviewed.logged() {
        Logged::Proved { index } => {
            text.push_str(&format!("recorded as entry {index} of the log: proved\n"));
        }
        Logged::Unproved { reason } => {
            text.push_str(&format!(
                "NOT PROVED TO BE LOGGED: {reason}; do not approve\n"
            ));
        }
    }
    print(&plain_lines(&text))
}

/// Runs `operations`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn operations(arguments: &Operations) -> Result<(), Failure> {
    let session = session(&arguments.backend, &arguments.person).await?;
    print(&super::json(&session.operations().await?)?)
}

/// Runs `operation`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn operation(arguments: &Operation) -> Result<(), Failure> {
    let (trusted, _, session) = signed_in(&arguments.backend, &arguments.person).await?;
    let operation = session.operation(&arguments.operation).await?;
    if arguments.json {
        return print(&super::json(&operation)?);
    }
    let reviewed = ReviewedOperation::of(&trusted, &arguments.operation, &operation)?;
    let summary = &operation.summary;
    let mut text = format!(
        "{}  the backend says: {:?}\n{:?}: {} of {} systems healthy, {} touched, wave {} of {}\n",
        summary.id,
        summary.title,
        summary.state,
        summary.healthy,
        summary.systems,
        reviewed.subjects().touched.len(),
        summary.wave,
        summary.waves
    );
    if let Some(trip) = reviewed.trip() {
        text.push_str(&halted(trip));
        text.push('\n');
    }
    print(&plain_lines(&text))
}

/// What is suspended now, for the top of what is shown; empty where nothing is.
async fn suspended(session: &Client) -> Result<String, Failure> {
    let mut text = String::new();
    for suspension in session.suspensions().await?.suspensions {
        let suspended = Suspended {
            suspends: suspension.suspends,
            by: suspension.by,
            since: suspension.since,
        };
        let signed: Vec<String> = suspension
            .resumed_by
            .iter()
            .map(|approver| quote::name(approver.as_str()))
            .collect();
        let signed = if signed.is_empty() {
            "nobody yet".to_owned()
        } else {
            signed.join(", ")
        };
        text.push_str(&format!(
            "AUTONOMY IS SUSPENDED: {suspended}\n    {}  two people resume it; signed by {signed}\n",
            suspension.digest
        ));
    }
    if !text.is_empty() {
        text.push('\n');
    }
    Ok(text)
}

/// Text of ours with names of others in it, its line breaks kept and everything else that moves a
/// terminal taken out.
pub(super) fn plain_lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn noticed(notice: &Notice) -> String {
    let mut line = format!("!! {}", notice.message);
    if let Some(operation) = &notice.operation {
        line.push_str(&format!("  {operation}"));
    }
    if let Some(detail) = &notice.detail {
        line.push_str(&format!("\n    it says: {detail:?}"));
    }
    line
}
