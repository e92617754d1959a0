//! Whether the envelope in force is the one that its board signed (AG-706 4.10). The register only says
//! which one to look at: what counts is the log's chain of authorisations, each with its quorum.

use std::collections::BTreeSet;

use countersign_core::decision::{EnvelopeSubjects, Quorum, envelope_rule};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::Digest;
use countersign_core::log::body::EnvelopeAuthorised;
use countersign_core::log::{Entry, EntryKind};

use crate::backend::{Backend, SealedGenesis};
use crate::store::{Conn, StoreError, decisions, log, payloads};

/// Whether there is an envelope that its board put in force. One that the register claims without a
/// proof is reported.
///
/// # Errors
/// [`StoreError`].
pub async fn in_force(backend: &Backend, conn: &mut Conn) -> Result<bool, StoreError> {
    let Some((digest, _)) = backend.envelope(conn).await? else {
        return Ok(false);
    };
    match check(backend, conn, digest).await? {
        Ok(()) => Ok(true),
        Err(reason) => {
            tracing::error!(%digest, reason, "the envelope in force is not authorised");
            Ok(false)
        }
    }
}

/// Checks that the latest authorisation is that of the envelope with this digest, and that every one
/// before it was signed by the board of its time; why not. Verified once a
/// process, and again whenever another one is authorised or claimed.
///
/// # Errors
/// [`StoreError`], but for damaged records, which are a reason.
pub async fn check(
    backend: &Backend,
    conn: &mut Conn,
    digest: Digest,
) -> Result<Result<(), String>, StoreError> {
    let Some(index) = log::latest_of_kind(conn, EntryKind::EnvelopeAuthorised).await? else {
        return Ok(Err("the log has no authorisation of an envelope".to_owned()));
    };
    if backend.is_proved(digest, index) {
        return Ok(Ok(()));
    }
    let Some(sealed) = backend.sealed() else {
        return Ok(Err("there is no genesis".to_owned()));
    };
    let latest = match replay(&sealed, conn).await {
        Ok(Ok(latest)) => latest,
        Ok(Err(reason)) => return Ok(Err(reason)),
        Err(StoreError::Damaged(reason)) => return Ok(Err(reason)),
        Err(error) => return Err(error),
    };
    if latest != Some(digest) {
        return Ok(Err(format!(
            "the log has no authorisation of {digest}, or a later one of another envelope"
        )));
    }
    backend.set_proved(digest, index);
    Ok(Ok(()))
}

/// The envelope that was authorised last, with every authorisation verified again.
async fn replay(
    sealed: &SealedGenesis,
    conn: &mut Conn,
) -> Result<Result<Option<Digest>, String>, StoreError> {
    let mut latest: Option<(Digest, Envelope)> = None;
    for found in log::of_kind(conn, EntryKind::EnvelopeAuthorised).await? {
        let entry = Entry::from_bytes(&found.bytes)?;
        let body: EnvelopeAuthorised = entry.body()?;
        let envelope: Envelope = payloads::value(conn, body.envelope).await?;
        let before = latest.as_ref().map(|(_, before)| before);
        let subjects = EnvelopeSubjects::new(before, &envelope)?;
        let mut verified = Vec::new();
        for digest in &body.decisions {
            let decision = match decisions::unverified(conn, *digest)
                .await?
                .verify(&sealed.roster)
            {
                Ok(decision) => decision,
                Err(error) => return Ok(Err(format!("a decision does not hold: {error}"))),
            };
            if let Err(error) = decision.confirm_envelope(&subjects, &decision.claimed_offer()) {
                return Ok(Err(format!("a decision is about something else: {error}")));
            }
            verified.push(decision);
        }
        let rule = envelope_rule(before, &envelope);
        if let Err(error) = Quorum::form(&verified, &rule, &BTreeSet::new(), entry.at) {
            return Ok(Err(error.to_string()));
        }
        latest = Some((body.envelope, envelope));
    }
    Ok(Ok(latest.map(|(digest, _)| digest)))
}
