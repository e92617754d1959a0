//! `authorise_envelope`, by the board (AG-706 4.10).

use std::collections::BTreeSet;

use countersign_core::decision::{Diff, EnvelopeSubjects, Roster, VerifiedDecision, envelope_rule};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::Digest;
use countersign_core::log::body::EnvelopeAuthorised;
use countersign_core::statement::DecisionKind;
use countersign_wire::registry::EnvelopeState;

use super::{Deciding, Outcome, form, offer, standing};
use crate::problem::{Refusal, codes};
use crate::routes::both_sides;
use crate::sign_in::refused;
use crate::store::payloads::PayloadKind;
use crate::store::{StoreError, Tx, documents};

/// A draft that the decision may be recorded about.
pub(super) struct Ready {
    before: Option<Envelope>,
    envelope: Envelope,
    subjects: EnvelopeSubjects,
    /// What the board signed before, of the same words.
    signed: Vec<VerifiedDecision>,
}

/// Checks that the decision is about this draft in place of the one in force, by a board member.
pub(super) async fn check(
    tx: &mut Tx,
    roster: &Roster,
    deciding: &Deciding,
    digest: Digest,
) -> Result<Ready, Refusal> {
    let Deciding {
        about,
        decision,
        now,
    } = deciding;
    let row = documents::envelope(tx, digest)
        .await?
        .ok_or_else(|| codes::NOT_FOUND.because(format!("there is no envelope {digest}")))?;
    if row.state != EnvelopeState::Draft {
        return Err(codes::ENVELOPE_NOT_DRAFT.because("it was authorised already"));
    }
    if let Some(before) = documents::authorised(tx).await?
        && row.version <= before.version
    {
        return Err(codes::ENVELOPE_VERSION.because(format!(
            "version {} is in force since; import this one with a higher number",
            before.version
        )));
    }
    let (before, envelope) = both_sides(tx, &row).await?;
    let subjects = EnvelopeSubjects::new(before.as_ref(), &envelope).map_err(StoreError::from)?;
    decision
        .confirm_envelope(&subjects, &offer(decision, envelope.authority.expires)?)
        .map_err(|error| refused(&error))?;
    decision
        .check_submitted_at(*now)
        .map_err(|error| refused(&error))?;
    let rule = envelope_rule(before.as_ref(), &envelope);
    decision
        .check_eligible(&rule, &BTreeSet::new())
        .map_err(|error| refused(&error))?;
    let signed = standing(roster, tx, about, DecisionKind::AuthoriseEnvelope).await?;
    let approver = &decision.approver().id;
    if signed
        .iter()
        .any(|earlier| earlier.approver().id == *approver && earlier.agrees_with(decision))
    {
        return Err(codes::ALREADY_DECIDED
            .because(format!("`{approver}` has signed this already; once counts")));
    }
    Ok(Ready {
        before,
        envelope,
        subjects,
        signed,
    })
}

/// What follows from the recorded decision.
pub(super) async fn follow(
    tx: &mut Tx,
    deciding: &Deciding,
    ready: Ready,
) -> Result<Outcome, Refusal> {
    let Ready {
        before,
        envelope,
        subjects,
        mut signed,
    } = ready;
    signed.push(deciding.decision.clone());
    let rule = envelope_rule(before.as_ref(), &envelope);
    let quorum = match form(&signed, &rule, &BTreeSet::new(), deciding.now) {
        Ok(quorum) => quorum,
        Err(missing) => {
            return Ok(Outcome {
                missing: Some(missing),
                operation: None,
            });
        }
    };
    let diff = Diff::between(before.as_ref(), &envelope).map_err(StoreError::from)?;
    let diff = tx.keep_value(PayloadKind::Diff, &diff).await?;
    tx.authorise_envelope(subjects.envelope, subjects.before, diff, deciding.now)
        .await?;
    let body = EnvelopeAuthorised {
        envelope: subjects.envelope,
        decisions: quorum.digests(),
    };
    tx.record(deciding.now, &body).await?;
    Ok(Outcome {
        missing: None,
        operation: None,
    })
}
