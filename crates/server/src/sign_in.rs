//! Keys in use: what sign-ins and decisions have in common (DESIGN §6.4).

use chrono::{DateTime, Utc};
use countersign_core::decision::DecisionError;
use countersign_core::identifier::ApproverId;
use countersign_core::webauthn::{Assertion, AssertionError};
use webauthn_rs::prelude::WebauthnError;

use crate::backend::Backend;
use crate::ceremony::CeremonyError;
use crate::problem::{Refusal, codes};
use crate::store::nonces::{self, Given, Purpose};
use crate::store::{Tx, approvers};

/// The refusal of a statement or signature: each reason has a code of its own.
#[must_use]
pub fn refused(error: &DecisionError) -> Refusal {
    let code = match error {
        DecisionError::MalformedStatement(_) | DecisionError::WrongStatementType => {
            codes::STATEMENT_MALFORMED
        }
        DecisionError::NotCanonical | DecisionError::Canonical(_) => codes::NOT_CANONICAL,
        DecisionError::KindNotSupported(_) => codes::KIND_NOT_SUPPORTED,
        DecisionError::WrongAudience => codes::WRONG_AUDIENCE,
        DecisionError::UnknownApprover(_) => codes::UNKNOWN_APPROVER,
        DecisionError::UnknownCredential(_) => codes::CREDENTIAL_NOT_ENROLLED,
        DecisionError::Assertion(error) => match error {
            AssertionError::UserVerification => codes::USER_NOT_VERIFIED,
            AssertionError::UserPresence => codes::USER_NOT_PRESENT,
            AssertionError::RelyingParty | AssertionError::Origin => codes::WRONG_AUDIENCE,
            AssertionError::AuthenticatorData
            | AssertionError::ClientData
            | AssertionError::Ceremony
            | AssertionError::Challenge
            | AssertionError::PublicKey
            | AssertionError::Signature => codes::SIGNATURE_INVALID,
        },
        DecisionError::NotExportable(_) => codes::SIGNATURE_INVALID,
        DecisionError::SubjectsOfAnotherKind(_)
        | DecisionError::WrongSubject(_)
        | DecisionError::WrongNotAfter
        | DecisionError::NotAfterTooLate => codes::STATEMENT_MISMATCH,
        DecisionError::NarrowingNotAllowed(_) => codes::NARROWING_NOT_ALLOWED,
        DecisionError::NarrowingNotSubset => codes::NARROWING_NOT_SUBSET,
        DecisionError::AcknowledgedUnknown => codes::ACKNOWLEDGEMENT_UNKNOWN,
        DecisionError::WrongNonce => codes::NONCE_UNKNOWN,
        DecisionError::Expired => codes::DECISION_EXPIRED,
        DecisionError::ClockSkew => codes::CLOCK_SKEW,
        DecisionError::NotEligible(_) => codes::NOT_ELIGIBLE,
        DecisionError::OwnProposal(_) => codes::OWN_PROPOSAL,
        DecisionError::NotDecidable => codes::ITEM_CLOSED,
    };
    code.because(error.to_string())
}

/// Finds a nonce that may be used for this.
///
/// # Errors
/// `nonce_unknown`, `nonce_used`, `nonce_expired` or `nonce_of_another`.
pub async fn check_nonce(
    tx: &mut Tx,
    nonce: &[u8],
    purpose: &Purpose,
    now: DateTime<Utc>,
) -> Result<(), Refusal> {
    let Some(Given {
        purpose: given,
        expires_at,
        used,
    }) = nonces::find(tx, nonce).await?
    else {
        return Err(codes::NONCE_UNKNOWN.because("ask for a new nonce and sign again"));
    };
    if given != *purpose {
        return Err(codes::NONCE_OF_ANOTHER
            .because("the nonce was given to another approver or for another item, operation, envelope or kind"));
    }
    if used {
        return Err(codes::NONCE_USED.because("this was submitted before; a nonce serves once"));
    }
    if expires_at <= now {
        return Err(codes::NONCE_EXPIRED
            .because("a nonce serves for five minutes; ask for a new one and sign again"));
    }
    Ok(())
}

/// Applies the policy of attested keys to an assertion over `challenge` and moves the key's counter
/// on, in the transaction of what it is for.
///
/// # Errors
/// `counter_not_advanced`, `user_not_verified` or `signature_invalid`.
pub async fn use_key(
    backend: &Backend,
    tx: &mut Tx,
    approver: &ApproverId,
    assertion: &Assertion,
    challenge: &[u8],
) -> Result<(), Refusal> {
    let key = approvers::key(tx, approver).await?.ok_or_else(|| {
        codes::CREDENTIAL_NOT_ENROLLED.because(format!("`{approver}` has no key here"))
    })?;
    let (result, passkey) =
        match backend
            .ceremonies
            .authenticate(&key.passkey, assertion, challenge)
        {
            Ok(done) => done,
            Err(CeremonyError::Refused(error)) => return Err(policy(&error)),
            Err(error) => {
                tracing::error!(%error, "an assertion could not be checked");
                return Err(codes::INTERNAL.because("the signature could not be checked"));
            }
        };
    let not_advanced = || {
        codes::COUNTER_NOT_ADVANCED.because(
            "the key signed something later already, or it was copied; sign again, and report it if that does not help",
        )
    };
    if result.counter() <= key.counter
        || !tx
            .advance_counter(approver, &passkey, result.counter())
            .await?
    {
        return Err(not_advanced());
    }
    Ok(())
}

/// What the library refuses beyond the plain check of the signature.
fn policy(error: &WebauthnError) -> Refusal {
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's error has over a hundred variants, and none is ours"
    )]
    let code = match error {
        WebauthnError::CredentialPossibleCompromise => codes::COUNTER_NOT_ADVANCED,
        WebauthnError::UserNotVerified => codes::USER_NOT_VERIFIED,
        WebauthnError::UserNotPresent => codes::USER_NOT_PRESENT,
        WebauthnError::CredentialNotFound => codes::CREDENTIAL_NOT_ENROLLED,
        _ => codes::SIGNATURE_INVALID,
    };
    code.because(error.to_string())
}
