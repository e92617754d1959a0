//! Decisions (DESIGN §6.4, §6.5): what is checked before one counts, and what follows from it.
//!
//! Everything about one decision is one transaction: its nonce is used up, its key's counter moves
//! on, it is recorded and logged, and what it completes begins. A refusal changes nothing and is
//! itself logged.

mod envelope;
mod item;
pub(crate) mod operation;
mod suspension;

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::assessment::QuorumRule;
use countersign_core::canonical;
use countersign_core::decision::{
    Offer, Quorum, QuorumError, Receipt, Roster, UnverifiedDecision, VerifiedDecision,
};
use countersign_core::identifier::{ApproverId, Digest, OperationId};
use countersign_core::log::EntryKind;
use countersign_core::log::body::DecisionRecorded;
use countersign_core::statement::{DECISION_NAMESPACE, DecisionKind, challenge, commitment};
use countersign_core::webauthn::Bytes;
use countersign_wire::decision::{About, DecisionAccepted, RationalePayload, SubmitDecision};
use serde_json::json;

pub(crate) use suspension::resume_quorum;

use crate::auth::Session;
use crate::backend::Backend;
use crate::body::check_text;
use crate::problem::{Refusal, codes};
use crate::sign_in::{check_nonce, refused, use_key};
use crate::store::decisions::{NewDecision, Recorded};
use crate::store::nonces::Purpose;
use crate::store::payloads::{ErasableKind, PayloadKind};
use crate::store::{StoreError, Tx, decisions, log, to_json, word};

/// What a recorded decision brought about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// What the quorum still lacks, in words; none where it is complete.
    pub missing: Option<String>,
    /// The operation that it started.
    pub operation: Option<OperationId>,
}

/// A decision that was checked, and how to go on with it.
struct Deciding {
    about: About,
    decision: VerifiedDecision,
    now: DateTime<Utc>,
}

/// What a nonce for this decision is given for.
///
/// # Errors
/// That of the store.
pub fn purpose(
    approver: &ApproverId,
    about: &About,
    kind: DecisionKind,
) -> Result<Purpose, StoreError> {
    Ok(Purpose {
        approver: approver.clone(),
        about: to_json(about)?,
        kind: word(&kind)?,
    })
}

/// Whether this kind is decided about this, here and now.
///
/// # Errors
/// `kind_not_supported`.
pub fn check_kind(about: &About, kind: DecisionKind) -> Result<(), Refusal> {
    let fits = match about {
        About::Item(_) => matches!(kind, DecisionKind::Approve | DecisionKind::Reject),
        About::Operation(_) => matches!(
            kind,
            DecisionKind::Continue | DecisionKind::RollBack | DecisionKind::Abort
        ),
        About::Envelope(_) => kind == DecisionKind::AuthoriseEnvelope,
        About::Suspension(_) => matches!(
            kind,
            DecisionKind::SuspendAutonomy | DecisionKind::ResumeAutonomy
        ),
    };
    if fits {
        Ok(())
    } else {
        Err(codes::KIND_NOT_SUPPORTED.because(format!(
            "`{kind}` is not decided about this in this version; choose another kind"
        )))
    }
}

/// Takes a decision of the person who signed in, with the `document` that only the approver has: what
/// `suspend_autonomy` suspends.
///
/// # Errors
/// The refusal, which is in the log as well.
pub async fn decide(
    backend: &Arc<Backend>,
    session: &Session,
    submitted: SubmitDecision,
    document: Option<&[u8]>,
) -> Result<DecisionAccepted, Refusal> {
    let (about, statement) = (submitted.about.clone(), Digest::of(&submitted.statement.0));
    match try_decide(backend, session, submitted, document).await {
        Ok(accepted) => Ok(accepted),
        Err(refusal) => Err(log_refusal(backend, session, &about, statement, refusal).await),
    }
}

/// A refusal is in the log, or the request failed altogether.
async fn log_refusal(
    backend: &Backend,
    session: &Session,
    about: &About,
    statement: Digest,
    refusal: Refusal,
) -> Refusal {
    let write = async {
        let mut tx = backend.change().await?;
        let body = json!({
            "approver": session.approver, "code": refusal.code(), "about": about, "statement": statement,
        });
        tx.note(
            backend.clock.now(),
            EntryKind::DecisionRefused,
            &about_of(about),
            body,
        )
        .await?;
        tx.commit().await?;
        Ok::<(), Refusal>(())
    };
    match write.await {
        Ok(()) => refusal,
        Err(error) => error,
    }
}

fn about_of(about: &About) -> log::About {
    match about {
        About::Item(id) => log::About::item(id),
        About::Operation(id) => log::About::operation(id, None),
        About::Envelope(digest) => log::About::envelope(*digest),
        About::Suspension(digest) => log::About::suspension(*digest),
    }
}

async fn try_decide(
    backend: &Arc<Backend>,
    session: &Session,
    submitted: SubmitDecision,
    document: Option<&[u8]>,
) -> Result<DecisionAccepted, Refusal> {
    let sealed = backend.genesis()?;
    let SubmitDecision {
        about,
        statement,
        assertion,
        rationale,
    } = submitted;
    let roster = Arc::clone(&sealed);
    // Two signature checks: off the runtime.
    let decision = tokio::task::spawn_blocking(move || {
        UnverifiedDecision {
            statement: statement.0,
            assertion,
        }
        .verify(&roster.roster)
    })
    .await
    .map_err(|_| codes::INTERNAL.because("the signature could not be checked"))?
    .map_err(|error| refused(&error))?;
    let approver = decision.approver().id.clone();
    if approver != session.approver {
        return Err(codes::ANOTHER_APPROVER.because(format!(
            "the session is that of `{}`, the statement of `{approver}`",
            session.approver
        )));
    }
    let kind = decision.predicate().kind;
    check_kind(&about, kind)?;

    let mut tx = backend.change().await?;
    let now = backend.clock.now();
    let nonce = decision.predicate().nonce.0.clone();
    check_nonce(&mut tx, &nonce, &purpose(&approver, &about, kind)?, now).await?;
    check_rationale(&decision, &rationale)?;
    // Whoever saw another log than this one has the more reason to stop everything (DESIGN §7).
    if kind != DecisionKind::SuspendAutonomy {
        check_checkpoint(&mut tx, &decision).await?;
    }
    let deciding = Deciding {
        about,
        decision,
        now,
    };
    let ready = match &deciding.about {
        About::Item(id) => Ready::Item(Box::new(item::check(&mut tx, &deciding, id).await?)),
        About::Operation(id) => {
            Ready::Operation(Box::new(operation::check(&mut tx, &deciding, id).await?))
        }
        About::Envelope(digest) => Ready::Envelope(Box::new(
            envelope::check(&mut tx, &sealed.roster, &deciding, *digest).await?,
        )),
        About::Suspension(digest) => Ready::Suspension(Box::new(
            suspension::check(
                backend,
                &mut tx,
                &sealed.roster,
                &deciding,
                *digest,
                document,
            )
            .await?,
        )),
    };
    // Last of all, so that only a decision that counts uses up nonce and counter.
    tx.use_nonce(&nonce, now).await?;
    let signed = challenge(DECISION_NAMESPACE, deciding.decision.bytes());
    use_key(
        backend,
        &mut tx,
        &approver,
        deciding.decision.assertion(),
        &signed,
    )
    .await?;
    let accepted = record(backend, &mut tx, &deciding, &rationale).await?;
    let outcome = match ready {
        Ready::Item(ready) => item::follow(backend, &mut tx, &deciding, *ready).await?,
        Ready::Operation(ready) => operation::follow(backend, &mut tx, &deciding, *ready).await?,
        Ready::Envelope(ready) => envelope::follow(&mut tx, &deciding, *ready).await?,
        Ready::Suspension(ready) => suspension::follow(backend, &mut tx, &deciding, *ready).await?,
    };
    tx.commit().await?;
    Ok(DecisionAccepted {
        complete: outcome.missing.is_none(),
        missing: outcome.missing,
        operation: outcome.operation,
        ..accepted
    })
}

/// What a decision is about, once everything about it was checked.
enum Ready {
    Item(Box<item::Ready>),
    Operation(Box<operation::Ready>),
    Envelope(Box<envelope::Ready>),
    Suspension(Box<suspension::Ready>),
}

/// The text must be the one whose commitment was signed.
fn check_rationale(
    decision: &VerifiedDecision,
    rationale: &RationalePayload,
) -> Result<(), Refusal> {
    check_text("rationale", &rationale.text)?;
    if rationale.text.trim().is_empty() {
        return Err(
            codes::RATIONALE_MISSING.because("say in a sentence why; it is kept with the decision")
        );
    }
    let opens = <&[u8; 32]>::try_from(rationale.salt.0.as_slice())
        .is_ok_and(|salt| commitment(salt, &rationale.text) == decision.predicate().rationale);
    if opens {
        Ok(())
    } else {
        Err(codes::RATIONALE_MISMATCH.because("its salted digest is another one than was signed"))
    }
}

/// The console must have seen this log, and no other.
async fn check_checkpoint(tx: &mut Tx, decision: &VerifiedDecision) -> Result<(), Refusal> {
    let reference = &decision.predicate().checkpoint;
    if reference.size > 0 && log::is_ancestor(tx, reference).await? {
        return Ok(());
    }
    Err(codes::CHECKPOINT_UNKNOWN.because(format!(
        "this log never had the root that was signed at {} entries; check that this is the backend you pinned",
        reference.size
    )))
}

/// What the backend hands out for a decision: its nonce, which was checked, and an end of validity
/// that the approver may draw nearer.
fn offer(decision: &VerifiedDecision, latest: DateTime<Utc>) -> Result<Offer, Refusal> {
    let predicate = decision.predicate();
    if predicate.not_after > latest {
        return Err(codes::STATEMENT_MISMATCH
            .because(format!("the decision would be valid beyond {latest}")));
    }
    Ok(Offer {
        nonce: predicate.nonce.clone(),
        not_after: predicate.not_after,
    })
}

/// Records a decision: its statement, its rationale, its log entry, its receipt.
async fn record(
    backend: &Backend,
    tx: &mut Tx,
    deciding: &Deciding,
    rationale: &RationalePayload,
) -> Result<DecisionAccepted, Refusal> {
    let Deciding {
        about,
        decision,
        now,
    } = deciding;
    let assertion = canonical::to_bytes(decision.assertion()).map_err(StoreError::from)?;
    let digest = tx.keep(PayloadKind::Statement, decision.bytes()).await?;
    let log::About {
        item,
        operation,
        envelope,
        suspension,
    } = about_of(about);
    let body = DecisionRecorded {
        decision: digest,
        assertion: tx.keep(PayloadKind::Assertion, &assertion).await?,
        kind: decision.predicate().kind,
        approver: decision.approver().id.clone(),
        item,
        operation,
        envelope,
        suspension,
    };
    let index = tx.record(*now, &body).await?;
    let (receipt, receipt_signature) = Receipt::new(digest, backend.deployment.clone(), *now)
        .sign(&backend.log_key)
        .map_err(StoreError::from)?;
    tx.add_decision(&NewDecision {
        about,
        decision,
        received_at: *now,
        index,
        receipt: &receipt,
        receipt_signature: &receipt_signature,
    })
    .await?;
    if let Ok(salt) = <&[u8; 32]>::try_from(rationale.salt.0.as_slice()) {
        tx.keep_erasable(ErasableKind::Rationale, salt, &rationale.text)
            .await?;
    }
    Ok(DecisionAccepted {
        receipt: Bytes(receipt),
        receipt_signature,
        decision: digest,
        index,
        complete: false,
        missing: None,
        operation: None,
        received_at: *now,
    })
}

/// The recorded decisions of one kind about something that still count, verified again.
async fn standing(
    roster: &Roster,
    tx: &mut Tx,
    about: &About,
    kind: DecisionKind,
) -> Result<Vec<VerifiedDecision>, Refusal> {
    let mut verified = Vec::new();
    for Recorded { digest, .. } in decisions::about(tx, about)
        .await?
        .into_iter()
        .filter(|recorded| recorded.kind == kind && !recorded.voided)
    {
        let decision = decisions::unverified(tx, digest)
            .await?
            .verify(roster)
            .map_err(|error| {
                StoreError::Damaged(format!("the decision {digest} does not hold: {error}"))
            })?;
        verified.push(decision);
    }
    Ok(verified)
}

/// Forms the quorum of everything recorded so far, or says what it lacks.
fn form(
    decisions: &[VerifiedDecision],
    rule: &QuorumRule,
    excluded: &BTreeSet<ApproverId>,
    now: DateTime<Utc>,
) -> Result<Quorum, String> {
    Quorum::form(decisions, rule, excluded, now)
        .map_err(|QuorumError { missing, .. }| missing.to_string())
}
