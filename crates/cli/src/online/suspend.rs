//! `suspend-autonomy`, `resume-autonomy`: stop what runs alone, and let it go on.

use clap::Args;
use countersign_core::identifier::{AgentId, Digest, RuleId};
use countersign_core::suspension::{Extent, RuleOfEnvelope};
use countersign_wire::client::decide::Prepared;
use countersign_wire::client::suspension::ReviewedSuspension;
use countersign_wire::registry::EnvelopeState;

use super::backend::Purpose;
use super::decide::{Deciding, Desk};
use crate::output::{Failure, complain};

/// Stop everything that runs alone, one agent, or one rule; approved operations go on
#[derive(Debug, Args)]
pub(crate) struct Suspend {
    /// Only what this agent proposes
    #[arg(long, conflicts_with = "rule")]
    agent: Option<AgentId>,
    /// Only what this rule of the envelope in force lets run
    #[arg(long)]
    rule: Option<RuleId>,
    #[command(flatten)]
    deciding: Deciding,
}

/// Let go on what was suspended, once two people sign the same
#[derive(Debug, Args)]
pub(crate) struct Resume {
    /// The suspension, as `queue` shows it; not needed where there is only one
    suspension: Option<Digest>,
    #[command(flatten)]
    deciding: Deciding,
}

/// Runs `suspend-autonomy`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn suspend(arguments: &Suspend) -> Result<(), Failure> {
    let desk = Desk::sit(&arguments.deciding, Purpose::Stopping).await?;
    let suspends = match (&arguments.agent, &arguments.rule) {
        (Some(agent), _) => Extent::Agent(agent.clone()),
        (None, Some(rule)) => Extent::Rule(RuleOfEnvelope {
            envelope: envelope_in_force(&desk).await?,
            rule: rule.clone(),
        }),
        (None, None) => Extent::Backend,
    };
    let sentence = format!("suspend {suspends} until two people resume it");
    let prepared = Prepared::for_suspending(
        &desk.session,
        &desk.trusted,
        suspends,
        desk.reasons(&[]),
        desk.decider(),
        chrono::Utc::now(),
    )
    .await?;
    desk.sign(prepared, &sentence).await
}

async fn envelope_in_force(desk: &Desk<'_>) -> Result<String, Failure> {
    desk.session
        .envelopes()
        .await?
        .into_iter()
        .find(|envelope| envelope.state == EnvelopeState::Authorised)
        .map(|envelope| envelope.name)
        .ok_or_else(|| {
            Failure::refused(
                "no_envelope",
                "no envelope is in force, so no rule lets anything run; suspend everything to be sure",
            )
        })
}

/// Runs `resume-autonomy`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn resume(arguments: &Resume) -> Result<(), Failure> {
    let desk = Desk::sit(&arguments.deciding, Purpose::Any).await?;
    let mut in_force = desk.session.suspensions().await?.suspensions;
    if let Some(digest) = arguments.suspension {
        in_force.retain(|suspension| suspension.digest == digest);
    }
    let [suspension] = in_force.as_slice() else {
        return Err(if in_force.is_empty() {
            Failure::refused("not_suspended", "there is nothing of it to resume")
        } else {
            Failure::refused(
                "which_suspension",
                "several suspensions are in force; look at `queue` and name one",
            )
        });
    };
    let reviewed = ReviewedSuspension::of(&desk.trusted, suspension)?;
    complain(&reviewed.suspended().to_string());
    let sentence = format!("resume {}", reviewed.suspended().suspends);
    let prepared =
        Prepared::for_resuming(&desk.session, &reviewed, desk.reasons(&[]), desk.decider()).await?;
    desk.sign(prepared, &sentence).await
}
