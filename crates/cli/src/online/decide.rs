//! `approve`, `reject`, `continue`, `roll-back`, `abort`, `authorise-envelope`: decide with a key.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use countersign_core::assessment::Clause;
use countersign_core::briefing::Narrowing;
use countersign_core::decision::{ItemChoice, OperationChoice};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::operation::Trip;
use countersign_core::quote;
use countersign_core::statement::{CheckpointReference, RiskLevel};
use countersign_wire::client::Client;
use countersign_wire::client::decide::{DecideError, Decider, Prepared, Reasons};
use countersign_wire::client::operation::ReviewedOperation;
use countersign_wire::client::review::Reviewed;
use countersign_wire::client::trust::Trusted;
use countersign_wire::decision::DecisionAccepted;
use serde_json::json;

use super::backend::{BackendArguments, Purpose};
use super::key::{Hand, Person};
use super::read::review;
use crate::output::{Failure, complain, print};

/// What every decision needs.
#[derive(Debug, Args)]
pub(super) struct Deciding {
    #[command(flatten)]
    backend: BackendArguments,
    #[command(flatten)]
    person: Person,
    /// The risk, as you judge it
    #[arg(long, value_enum)]
    risk: Risk,
    /// Your reasons; kept with your signature
    #[arg(long)]
    rationale: String,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Risk {
    Low,
    Moderate,
    High,
    Severe,
}

/// Approve an item as proposed, or less of it
#[derive(Debug, Args)]
pub(crate) struct Approve {
    /// The item
    item: ProposalId,
    /// Clauses of the findings you have seen, such as 4.3,4.7; every blocking one must be among them
    #[arg(long, value_delimiter = ',', value_parser = clause)]
    acknowledge: Vec<Clause>,
    /// Approve only the canary
    #[arg(long, conflicts_with = "narrow_to")]
    narrow_to_canary: bool,
    /// Approve only these targets
    #[arg(long, value_delimiter = ',')]
    narrow_to: Vec<SystemId>,
    #[command(flatten)]
    deciding: Deciding,
}

/// Reject an item: the agent is told to stop
#[derive(Debug, Args)]
pub(crate) struct Reject {
    /// The item
    item: ProposalId,
    /// Clauses of the findings you have seen, such as 4.3,4.7
    #[arg(long, value_delimiter = ',', value_parser = clause)]
    acknowledge: Vec<Clause>,
    #[command(flatten)]
    deciding: Deciding,
}

/// Go on with a halted operation, once a whole quorum signs the same
#[derive(Debug, Args)]
pub(crate) struct Continue {
    /// The operation
    operation: OperationId,
    /// Go on with these untouched systems only; the others are left out for good
    #[arg(long, value_delimiter = ',')]
    only: Vec<SystemId>,
    #[command(flatten)]
    deciding: Deciding,
}

/// Undo what an operation did
#[derive(Debug, Args)]
pub(crate) struct RollBack {
    /// The operation
    operation: OperationId,
    #[command(flatten)]
    deciding: Deciding,
}

/// Stop an operation and leave what it did
#[derive(Debug, Args)]
pub(crate) struct Abort {
    /// The operation
    operation: OperationId,
    #[command(flatten)]
    deciding: Deciding,
}

/// Authorise an envelope as a member of its board
#[derive(Debug, Args)]
pub(crate) struct AuthoriseEnvelope {
    /// Its digest, as `import envelope` printed it
    envelope: Digest,
    #[command(flatten)]
    deciding: Deciding,
}

fn clause(text: &str) -> Result<Clause, String> {
    serde_json::from_value(json!(text))
        .map_err(|_| "name clauses of AG-706 section 4, such as 4.3".to_owned())
}

impl From<DecideError> for Failure {
    fn from(error: DecideError) -> Self {
        match error {
            DecideError::Client(error) => Self::from(error),
            DecideError::Decision(error) => Self::refused(error.code(), error),
            DecideError::NotEnrolled(_) => Self::refused("not_enrolled", error),
            DecideError::NotWhatWasShown => Self::refused("not_what_was_shown", error),
            DecideError::Disagreement(_) => Self::refused("assessment_differs", error),
            DecideError::NotLogged(_) => Self::refused("not_logged", error),
            DecideError::Subjects(_) | DecideError::Suspension(_) => {
                Self::refused("subjects", error)
            }
            DecideError::Canonical(error) => Self::refused("canonical", error),
            DecideError::Receipt(error) => Self::refused("receipt", error),
        }
    }
}

/// A person at a key, signed in to the pinned backend.
pub(super) struct Desk<'a> {
    deciding: &'a Deciding,
    pub(super) trusted: Trusted,
    checkpoint: CheckpointReference,
    hand: Hand,
    pub(super) session: Client,
}

impl<'a> Desk<'a> {
    pub(super) async fn sit(deciding: &'a Deciding, purpose: Purpose) -> Result<Self, Failure> {
        if deciding.rationale.trim().is_empty() {
            return Err(Failure::Invalid(
                "the rationale is empty; say why".to_owned(),
            ));
        }
        let client = deciding.backend.client()?;
        let (trusted, checkpoint) = deciding.backend.trusted_for(&client, purpose).await?;
        let hand = deciding.person.key.hand(None)?;
        let session = hand
            .sign_in(&client, &trusted, &deciding.person.approver)
            .await?;
        Ok(Self {
            deciding,
            trusted,
            checkpoint,
            hand,
            session,
        })
    }

    pub(super) fn decider(&self) -> Decider {
        Decider {
            approver: self.deciding.person.approver.clone(),
            checkpoint: self.checkpoint,
        }
    }

    pub(super) fn reasons(&self, acknowledged: &[Clause]) -> Reasons {
        Reasons {
            risk_level: match self.deciding.risk {
                Risk::Low => RiskLevel::Low,
                Risk::Moderate => RiskLevel::Moderate,
                Risk::High => RiskLevel::High,
                Risk::Severe => RiskLevel::Severe,
            },
            acknowledged: acknowledged.iter().copied().collect(),
            rationale: self.deciding.rationale.clone(),
            salt: rand::random(),
        }
    }

    /// The briefing, assessed again here and looked for in the log; what differs is never signed.
    async fn review(&self, item: &ProposalId) -> Result<Reviewed, Failure> {
        let (reviewed, _) = review(&self.session, &self.trusted, item, self.checkpoint).await?;
        Ok(reviewed)
    }

    /// Signs and sends.
    pub(super) async fn sign(&self, prepared: Prepared, sentence: &str) -> Result<(), Failure> {
        complain(&format!("you sign: {sentence}"));
        let unsigned = prepared.statement(&self.trusted, chrono::Utc::now())?;
        let assertion = self.hand.sign(&unsigned.challenge().clone())?;
        let signed = unsigned.signed(&self.trusted, assertion)?;
        let accepted = signed.submit(&self.session, &self.trusted).await?;
        report(&accepted, self.deciding.json)
    }
}

fn report(accepted: &DecisionAccepted, json: bool) -> Result<(), Failure> {
    if json {
        return print(&super::json(accepted)?);
    }
    let rest = match (&accepted.missing, &accepted.operation) {
        (Some(missing), _) => format!("not enough yet: {missing}"),
        (None, Some(operation)) => format!("operation {operation}"),
        (None, None) => "done".to_owned(),
    };
    print(&format!(
        "decision {} recorded as log entry {}; {rest}",
        accepted.decision, accepted.index
    ))
}

/// Runs `approve`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn approve(arguments: &Approve) -> Result<(), Failure> {
    let desk = Desk::sit(&arguments.deciding, Purpose::Any).await?;
    let reviewed = desk.review(&arguments.item).await?;
    let targets: BTreeSet<SystemId> = if arguments.narrow_to_canary {
        reviewed
            .briefing()
            .waves
            .first()
            .into_iter()
            .flatten()
            .cloned()
            .collect()
    } else {
        arguments.narrow_to.iter().cloned().collect()
    };
    let all: usize = reviewed.briefing().waves.iter().map(Vec::len).sum();
    let (narrowing, sentence) = if targets.is_empty() {
        (
            None,
            format!("approve {} on all {all} targets", arguments.item),
        )
    } else {
        let sentence = format!(
            "approve {} on {} of {all} targets",
            arguments.item,
            targets.len()
        );
        (Some(Narrowing { targets }), sentence)
    };
    let prepared = Prepared::for_item(
        &desk.session,
        reviewed,
        ItemChoice::Approve { narrowing },
        desk.reasons(&arguments.acknowledge),
        desk.decider(),
    )
    .await?;
    desk.sign(prepared, &sentence).await
}

/// Runs `reject`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn reject(arguments: &Reject) -> Result<(), Failure> {
    let desk = Desk::sit(&arguments.deciding, Purpose::Stopping).await?;
    let reviewed = desk.review(&arguments.item).await?;
    let reasons = desk.reasons(&arguments.acknowledge);
    let prepared = Prepared::for_item(
        &desk.session,
        reviewed,
        ItemChoice::Reject,
        reasons,
        desk.decider(),
    )
    .await?;
    desk.sign(prepared, &format!("reject {}", arguments.item))
        .await
}

/// Runs `continue`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn go_on(arguments: &Continue) -> Result<(), Failure> {
    let targets: BTreeSet<SystemId> = arguments.only.iter().cloned().collect();
    let narrowing = (!targets.is_empty()).then_some(Narrowing { targets });
    about_operation(
        &arguments.deciding,
        &arguments.operation,
        OperationChoice::Continue { narrowing },
    )
    .await
}

/// Runs `roll-back`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn roll_back(arguments: &RollBack) -> Result<(), Failure> {
    about_operation(
        &arguments.deciding,
        &arguments.operation,
        OperationChoice::RollBack,
    )
    .await
}

/// Runs `abort`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn abort(arguments: &Abort) -> Result<(), Failure> {
    about_operation(
        &arguments.deciding,
        &arguments.operation,
        OperationChoice::Abort,
    )
    .await
}

/// Why an operation halted, from the log entry that is signed.
pub(super) fn halted(trip: &Trip) -> String {
    let check = trip
        .failure
        .check
        .as_ref()
        .map_or_else(String::new, |check| {
            format!("{}: ", quote::name(check.as_str()))
        });
    format!(
        "halted at {}: {}: {check}{:?}",
        trip.at,
        trip.system.as_ref().map_or_else(
            || "no system".to_owned(),
            |system| quote::name(system.as_str())
        ),
        trip.failure.measured
    )
}

async fn about_operation(
    deciding: &Deciding,
    id: &OperationId,
    choice: OperationChoice,
) -> Result<(), Failure> {
    let purpose = match &choice {
        OperationChoice::Continue { .. } => Purpose::Any,
        OperationChoice::RollBack | OperationChoice::Abort => Purpose::Stopping,
    };
    let desk = Desk::sit(deciding, purpose).await?;
    let operation = desk.session.operation(id).await?;
    let reviewed = ReviewedOperation::of(&desk.trusted, id, &operation)?;
    if let Some(trip) = reviewed.trip() {
        complain(&halted(trip));
    }
    let touched = reviewed.subjects().touched.len();
    let remaining = reviewed.subjects().remaining.len();
    let sentence = match &choice {
        OperationChoice::Continue { narrowing: None } => {
            format!("continue {id} with the {remaining} systems that it has not touched")
        }
        OperationChoice::Continue {
            narrowing: Some(narrowing),
        } => format!(
            "continue {id} with {} of the {remaining} systems that it has not touched, and leave the others out for good",
            narrowing.targets.len()
        ),
        OperationChoice::RollBack => format!("roll back the {touched} systems that {id} touched"),
        OperationChoice::Abort => {
            format!("stop {id} and leave the {touched} systems it touched")
        }
    };
    let prepared = Prepared::for_operation(
        &desk.session,
        &reviewed,
        choice,
        desk.reasons(&[]),
        desk.decider(),
    )
    .await?;
    desk.sign(prepared, &sentence).await
}

/// Runs `authorise-envelope`.
///
/// # Errors
/// [`Failure`].
pub(super) async fn authorise_envelope(arguments: &AuthoriseEnvelope) -> Result<(), Failure> {
    let desk = Desk::sit(&arguments.deciding, Purpose::Any).await?;
    let summary = desk
        .session
        .envelopes()
        .await?
        .into_iter()
        .find(|envelope| envelope.digest == arguments.envelope)
        .ok_or_else(|| {
            Failure::refused(
                "envelope_unknown",
                "the backend has no envelope of this digest; import it",
            )
        })?;
    let envelope = fetch(&desk.session, &arguments.envelope).await?;
    let before = match &summary.before {
        Some(digest) => Some(fetch(&desk.session, digest).await?),
        None => None,
    };
    let sentence = format!(
        "authorise envelope {} version {} from {} to {}",
        envelope.name, envelope.version, envelope.authority.effective, envelope.authority.expires
    );
    let prepared = Prepared::for_envelope(
        &desk.session,
        before.as_ref(),
        &envelope,
        desk.reasons(&[]),
        desk.decider(),
    )
    .await?;
    desk.sign(prepared, &sentence).await
}

async fn fetch(session: &Client, digest: &Digest) -> Result<Envelope, Failure> {
    serde_json::from_slice(&session.envelope(digest).await?)
        .map_err(|error| Failure::refused("envelope", error))
}
