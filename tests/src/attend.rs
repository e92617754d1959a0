//! The demonstration with a person at the display: Northwind runs, its agent has proposed, and the
//! console is open. Whoever sits there decides.

use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use chrono::Utc;
use countersign_core::identifier::ProposalId;
use countersign_core::proposal::ActionKind;
use countersign_wire::client::QueueState;
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::demonstration::{say, tick};
use crate::organisation;
use crate::people::{BOARD, ON_CALL, OT_OFFICER, PEOPLE, PIN, SOC_LEAD};
use crate::session::sign_in;
use crate::setup::Northwind;
use crate::story::first_authority;
use crate::window::{Surroundings, console};

/// What the rotation that forgets everybody is called here.
const ROTATION: &str = "the credential rotation";

/// How often the agent asks what became of its proposals.
const AGENT_ASKS_EVERY: Duration = Duration::from_secs(1);

/// Sets Northwind up in `folder`, or opens the one that is there, with proposals waiting, and opens
/// the console until it is closed or Ctrl-C is pressed.
///
/// # Errors
/// Where Northwind cannot be set up or the console does not start.
pub async fn attend(folder: &Path) -> anyhow::Result<()> {
    let mut world = if Northwind::lies_in(folder) {
        let world = Northwind::reopen(folder).await?;
        tick(
            "backend up again, with the people, decisions and log of before; the systems are as at first",
        );
        world
    } else {
        let world = Northwind::start(folder).await?;
        tick("backend up; everybody enrolled through genesis; envelope and topology imported");
        first_authority(&world, &tick).await?;
        world
    };
    let mut waiting = waiting(&world).await?;
    if waiting.is_empty() {
        waiting = propose(&world).await?;
        tick("the agent proposed three things that it may not do alone; they wait in the queue");
    }
    introduce(&world);

    let surroundings = Surroundings::of(&world, &folder.join("console"));
    let mut window = Command::new(console()?)
        .envs(surroundings.environment())
        .kill_on_drop(true)
        .spawn()
        .context("the console does not start")?;
    let closed = tokio::select! {
        status = window.wait() => Some(status?),
        stopped = tokio::signal::ctrl_c() => { stopped?; None }
        never = obey(&world, waiting) => match never {},
    };
    if let Some(status) = closed {
        say(&format!(
            "The console was closed ({status}); everything ends with it."
        ));
    } else {
        window.kill().await?;
        say("Stopped; everything ends with it.");
    }
    world.backend.stop().await
}

/// What waits from before.
async fn waiting(world: &Northwind) -> anyhow::Result<Vec<Proposed>> {
    let reader = sign_in(&world.client, &world.keys, SOC_LEAD).await?;
    let queue = reader.queue_page(QueueState::Open, None).await?;
    Ok(queue
        .items
        .into_iter()
        .map(|item| Proposed {
            name: item.title,
            id: item.id,
            state: item.state,
            rotation: item.action == ActionKind::CredentialRotate && item.supersedes.is_none(),
        })
        .collect())
}

/// Has the agent propose three things.
async fn propose(world: &Northwind) -> anyhow::Result<Vec<Proposed>> {
    let now = Utc::now();
    let mut proposed = Vec::new();
    for (name, mut proposal) in [
        (ROTATION, organisation::scenario_b(now, None)),
        ("the network block", organisation::scenario_c(now)),
        ("the patch of 1,240 hosts", organisation::scenario_a(now)),
    ] {
        // Another time these are other proposals, not those of before sent again.
        rename(&mut proposal, &format!("{name} {}", now.timestamp()));
        let answer = world.agent.propose(&proposal).await?;
        proposed.push(Proposed::new(name, &answer)?);
    }
    Ok(proposed)
}

/// Gives a proposal an idempotency key of its own.
fn rename(proposal: &mut Value, key: &str) {
    if let Some(members) = proposal.as_object_mut() {
        members.insert("idempotency_key".to_owned(), json!(key));
    }
}

/// What the agent proposed, and what it was told last.
#[derive(Debug)]
struct Proposed {
    name: String,
    id: ProposalId,
    state: ItemState,
    /// Whether it is the rotation that forgets everybody.
    rotation: bool,
}

impl Proposed {
    fn new(name: &str, answer: &ProposalAnswer) -> anyhow::Result<Self> {
        Ok(Self {
            name: name.to_owned(),
            id: answer
                .id
                .clone()
                .context("an accepted proposal has an id")?,
            state: answer.state,
            rotation: name == ROTATION,
        })
    }
}

/// The agent asks, does as it is told, and says so: what is rejected it does not do. The rotation it
/// proposes anew, with everybody who uses the password.
async fn obey(world: &Northwind, mut proposed: Vec<Proposed>) -> std::convert::Infallible {
    loop {
        let mut anew = Vec::new();
        for item in &mut proposed {
            // A backend that does not answer is asked again; until then nothing is done.
            let Ok(answer) = world.agent.ask(&item.id).await else {
                continue;
            };
            if answer.state == item.state {
                continue;
            }
            item.state = answer.state;
            say(&format!(
                "  agent: {} is {}: {}",
                item.name,
                word(answer.state),
                answer.message
            ));
            if answer.state == ItemState::Rejected && item.rotation {
                let mut proposal = organisation::scenario_b(Utc::now(), Some(item.id.as_str()));
                rename(&mut proposal, &format!("instead of {}", item.id));
                if let Ok(answer) = world.agent.propose(&proposal).await
                    && let Ok(next) = Proposed::new("the rotation for all 14 servers", &answer)
                {
                    say("  agent: it is proposed anew, with all 14 servers that use the password");
                    anew.push(next);
                }
            }
        }
        proposed.append(&mut anew);
        tokio::time::sleep(AGENT_ASKS_EVERY).await;
    }
}

const fn word(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "waiting",
        ItemState::Running => "running",
        ItemState::Done => "done",
        ItemState::Halted => "halted",
        ItemState::RolledBack => "rolled back",
        ItemState::Aborted => "aborted",
        ItemState::Rejected => "rejected",
        ItemState::Expired => "expired",
        ItemState::Superseded => "superseded",
        ItemState::Refused => "refused",
        ItemState::Voided => "voided",
    }
}

/// Who may sign in, and what to try.
fn introduce(world: &Northwind) {
    say("");
    say(
        "The console opens now. Sign in as one of these people, with the demonstration key of that name;",
    );
    say(&format!("the PIN of every demonstration key is {PIN}."));
    for person in &PEOPLE {
        say(&format!(
            "  {:<8} {:<16} {}",
            person.id,
            person.name,
            person.roles.join(", ")
        ));
    }
    say("");
    say(&format!(
        "Try: as {ON_CALL}, read the rotation that forgets 14 servers, and reject it; the agent proposes it anew."
    ));
    say(&format!(
        "     as {OT_OFFICER} and then {SOC_LEAD}, approve the new one: two keys, both needed."
    ));
    say(&format!(
        "     as {OT_OFFICER}, look at what is inside two harmless /16s, and reject the block."
    ));
    say(&format!(
        "     as {ON_CALL}, approve the patch for its canary only, and watch host 3; as {SOC_LEAD}, roll it back."
    ));
    say(&format!(
        "The board ({}) has authorised the envelope. Backend {}, genesis {}.",
        BOARD.join(", "),
        world.backend.url,
        world.genesis
    ));
    say("Close the console, or press Ctrl-C here, to end.");
    say("");
}
