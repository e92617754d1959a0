//! `suspend_autonomy`, by one on-call engineer or SOC lead, and `resume_autonomy`, by two (AG-706 4.10).

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::TimeDelta;
use countersign_core::assessment::QuorumRule;
use countersign_core::decision::{
    Quorum, QuorumError, Roster, SuspensionSubjects, VerifiedDecision,
};
use countersign_core::identifier::Digest;
use countersign_core::log::body::{AutonomyResumed, AutonomySuspended};
use countersign_core::quorum::Mixture;
use countersign_core::statement::DecisionKind;
use countersign_core::suspension::{Extent, Suspension, rule};
use countersign_wire::decision::About;

use super::{Deciding, Outcome, offer};
use crate::backend::Backend;
use crate::limits;
use crate::problem::{Refusal, codes};
use crate::sign_in::refused;
use crate::store::payloads::PayloadKind;
use crate::store::{Conn, StoreError, Tx, decisions, registry};
use crate::suspended::{self, InForce};

/// How long a decision about a suspension may be valid: two people sign within it.
const VALID_FOR_MAX: TimeDelta = TimeDelta::hours(1);

/// What the decision may be recorded about.
pub(super) enum Ready {
    Suspend(Box<Suspension>),
    Resume {
        suspension: Box<InForce>,
        /// What was signed before, of the same words.
        signed: Vec<VerifiedDecision>,
    },
}

/// Checks that the decision suspends what `document` says, or resumes what is suspended.
pub(super) async fn check(
    backend: &Backend,
    tx: &mut Tx,
    roster: &Roster,
    deciding: &Deciding,
    digest: Digest,
    document: Option<&[u8]>,
) -> Result<Ready, Refusal> {
    if deciding.decision.predicate().kind == DecisionKind::ResumeAutonomy {
        return check_resume(backend, tx, roster, deciding, digest).await;
    }
    let document = document.ok_or_else(|| {
        codes::SUSPENSION_INVALID
            .because("send the document that says what is suspended with it, to /v1/suspensions")
    })?;
    let suspension = Suspension::from_bytes(document)
        .map_err(|error| codes::SUSPENSION_INVALID.because(error.to_string()))?;
    if Digest::of(document) != digest {
        return Err(codes::STATEMENT_MISMATCH.because("the statement is about another suspension"));
    }
    check_decision(
        deciding,
        &SuspensionSubjects::Suspend { suspension: digest },
    )?;
    let predicate = deciding.decision.predicate();
    let age = predicate
        .decided_at
        .signed_duration_since(suspension.asked_at)
        .abs();
    if suspension.audience != backend.deployment
        || suspension.asked_by != predicate.approver
        || age > limits::NONCE_LIFE
    {
        return Err(codes::SUSPENSION_INVALID.because(
            "it names another deployment, another person or another time than the decision; make it anew",
        ));
    }
    if !decisions::about(tx, &deciding.about).await?.is_empty() {
        return Err(codes::ALREADY_DECIDED.because("this suspension is recorded already"));
    }
    check_extent(backend, tx, &suspension.suspends).await?;
    Ok(Ready::Suspend(Box::new(suspension)))
}

/// A slip of the pen would stop nothing, and whoever made it would sleep on.
async fn check_extent(backend: &Backend, conn: &mut Conn, extent: &Extent) -> Result<(), Refusal> {
    let envelope = backend.envelope(conn).await?.map(|(_, envelope)| envelope);
    let exists = match extent {
        Extent::Backend => true,
        Extent::Agent(agent) => {
            registry::has_agent(conn, agent).await?
                || envelope.is_some_and(|envelope| envelope.agents.contains(agent))
        }
        Extent::Rule(of) => envelope.is_some_and(|envelope| {
            envelope.name == of.envelope && envelope.rules.iter().any(|rule| rule.id == of.rule)
        }),
    };
    if exists {
        Ok(())
    } else {
        Err(codes::SUSPENSION_OF_NOTHING.because(format!(
            "there is no such thing as {extent}; correct the name, or suspend everything"
        )))
    }
}

async fn check_resume(
    backend: &Backend,
    tx: &mut Tx,
    roster: &Roster,
    deciding: &Deciding,
    digest: Digest,
) -> Result<Ready, Refusal> {
    let in_force = suspended::in_force(backend, tx).await?;
    let Some(suspension) = in_force
        .iter()
        .find(|suspension| suspension.digest == digest)
    else {
        return Err(not_suspended(tx, &deciding.about).await?);
    };
    check_decision(deciding, &suspension.resumption())?;
    let signed = suspended::signed(roster, tx, suspension, deciding.now).await?;
    let approver = &deciding.decision.approver().id;
    if signed
        .iter()
        .any(|earlier| earlier.approver().id == *approver)
    {
        return Err(codes::ALREADY_DECIDED.because(format!(
            "`{approver}` has signed this already; another person must"
        )));
    }
    Ok(Ready::Resume {
        suspension: Box::new(suspension.clone()),
        signed,
    })
}

/// Why there is nothing to resume.
async fn not_suspended(conn: &mut Conn, about: &About) -> Result<Refusal, StoreError> {
    Ok(if decisions::about(conn, about).await?.is_empty() {
        codes::NOT_FOUND.because("there is no such suspension")
    } else {
        codes::SUSPENSION_OVER.because("two people have resumed it already")
    })
}

fn check_decision(deciding: &Deciding, subjects: &SuspensionSubjects) -> Result<(), Refusal> {
    let Deciding { decision, now, .. } = deciding;
    let latest = now.checked_add_signed(VALID_FOR_MAX).unwrap_or(*now);
    decision
        .confirm_suspension(subjects, &offer(decision, latest)?)
        .map_err(|error| refused(&error))?;
    decision
        .check_submitted_at(*now)
        .map_err(|error| refused(&error))?;
    let (rule, _) = asked(subjects.kind())?;
    decision
        .check_eligible(&rule, &BTreeSet::new())
        .map_err(|error| refused(&error))
}

fn asked(kind: DecisionKind) -> Result<(QuorumRule, Mixture), Refusal> {
    rule(kind).ok_or_else(|| {
        codes::KIND_NOT_SUPPORTED.because(format!("`{kind}` is not decided about a suspension"))
    })
}

/// What two people who resume it still lack, given who signed.
///
/// # Errors
/// `kind_not_supported`, never for `resume_autonomy`.
pub(crate) fn resume_quorum(
    signed: &[VerifiedDecision],
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Result<Quorum, String>, Refusal> {
    let (rule, mixture) = asked(DecisionKind::ResumeAutonomy)?;
    Ok(
        Quorum::form_mixed(signed, &rule, mixture, &BTreeSet::new(), now)
            .map_err(|QuorumError { missing, .. }| missing.to_string()),
    )
}

/// What follows from the recorded decision.
pub(super) async fn follow(
    backend: &Arc<Backend>,
    tx: &mut Tx,
    deciding: &Deciding,
    ready: Ready,
) -> Result<Outcome, Refusal> {
    let mut missing = None;
    match ready {
        Ready::Suspend(suspension) => {
            let body = AutonomySuspended {
                suspension: tx.keep_value(PayloadKind::Suspension, &*suspension).await?,
                suspends: suspension.suspends,
                approver: suspension.asked_by,
                decision: deciding.decision.digest(),
            };
            tx.record(deciding.now, &body).await?;
            let backend = Arc::clone(backend);
            tx.after_commit(move || {
                tokio::spawn(suspended::hold_all(backend));
            });
        }
        Ready::Resume {
            suspension,
            mut signed,
        } => {
            signed.push(deciding.decision.clone());
            match resume_quorum(&signed, deciding.now)? {
                Ok(quorum) => {
                    let body = AutonomyResumed {
                        suspension: suspension.digest,
                        entry: Digest::of(&suspension.entry),
                        decisions: quorum.digests(),
                    };
                    tx.record(deciding.now, &body).await?;
                }
                Err(lacks) => missing = Some(lacks),
            }
        }
    }
    Ok(Outcome {
        missing,
        operation: None,
    })
}
