//! Sign-in: a typed statement of its own, in a namespace of its own, that decides nothing.

use chrono::{DateTime, Duration, Utc};

use super::error::DecisionError;
use super::roster::Roster;
use super::{CLOCK_SKEW_SECONDS_MAX, STATEMENT_BYTES_MAX};
use crate::genesis::Approver;
use crate::statement::{
    SESSION_NAMESPACE, SESSION_TYPE, STATEMENT_TYPE, SessionPredicate, SessionStatement, challenge,
};
use crate::webauthn::{Assertion, Bytes, verify_assertion};

/// A sign-in as it arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedSession {
    /// The exact bytes of the [`SessionStatement`].
    pub statement: Vec<u8>,
    /// The key's signature over them.
    pub assertion: Assertion,
}

/// A sign-in that an enrolled key signed for this deployment and this attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedSession {
    approver: Approver,
    predicate: SessionPredicate,
    counter: u32,
}

impl UnverifiedSession {
    /// Verifies the sign-in against the roster, the nonce handed out for this attempt, and the clock.
    ///
    /// # Errors
    /// The first [`DecisionError`] that applies.
    pub fn verify(
        &self,
        roster: &Roster,
        nonce: &Bytes,
        now: DateTime<Utc>,
    ) -> Result<VerifiedSession, DecisionError> {
        if self.statement.len() > STATEMENT_BYTES_MAX {
            return Err(DecisionError::MalformedStatement(
                "it is too large".to_owned(),
            ));
        }
        let statement: SessionStatement = serde_json::from_slice(&self.statement)
            .map_err(|error| DecisionError::MalformedStatement(error.to_string()))?;
        if statement.statement_type != STATEMENT_TYPE
            || statement.predicate_type != SESSION_TYPE
            || !statement.subject.is_empty()
        {
            return Err(DecisionError::WrongStatementType);
        }
        if statement.to_bytes()? != self.statement {
            return Err(DecisionError::NotCanonical);
        }
        let predicate = statement.predicate;
        if predicate.audience != *roster.deployment() {
            return Err(DecisionError::WrongAudience);
        }
        let approver = roster
            .approver(&predicate.approver)
            .ok_or_else(|| DecisionError::UnknownApprover(predicate.approver.clone()))?;
        if predicate.credential != approver.credential.id
            || self.assertion.credential_id != approver.credential.id
        {
            return Err(DecisionError::UnknownCredential(approver.id.clone()));
        }
        if predicate.nonce != *nonce {
            return Err(DecisionError::WrongNonce);
        }
        if now.signed_duration_since(predicate.at).abs() > Duration::seconds(CLOCK_SKEW_SECONDS_MAX)
        {
            return Err(DecisionError::ClockSkew);
        }
        let verified = verify_assertion(
            &self.assertion,
            &approver.credential.public_key,
            &roster.deployment().rp_id(),
            &challenge(SESSION_NAMESPACE, &self.statement),
        )?;
        Ok(VerifiedSession {
            approver: approver.clone(),
            predicate,
            counter: verified.counter,
        })
    }
}

impl VerifiedSession {
    /// Who signed in.
    #[must_use]
    pub const fn approver(&self) -> &Approver {
        &self.approver
    }

    /// What was signed.
    #[must_use]
    pub const fn predicate(&self) -> &SessionPredicate {
        &self.predicate
    }

    /// The key's signature counter.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }
}
