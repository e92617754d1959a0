//! Decisions, in levels of trust that are types (DESIGN §6): [`UnverifiedDecision`] →
//! [`VerifiedDecision`] → [`Quorum`]. An operation can rest on nothing less than the last.
//!
//! [`build`] makes the statements; [`UnverifiedDecision::verify`] checks the signature and the form;
//! `confirm_…` checks that it is about this item, operation or envelope and nothing else;
//! [`Quorum::form`] checks that those who agree are enough.

pub mod build;
pub mod diff;
pub mod error;
pub mod quorum;
pub mod receipt;
pub mod roster;
pub mod session;
pub mod subjects;

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

pub use build::{
    Attempt, ItemChoice, Judgement, Offer, OperationChoice, for_envelope, for_item, for_operation,
    for_suspension,
};
pub use diff::Diff;
pub use error::DecisionError;
pub use quorum::{LeftOut, Quorum, QuorumError};
pub use receipt::{Receipt, ReceiptError};
pub use roster::{Roster, RosterError};
pub use session::{UnverifiedSession, VerifiedSession};
pub use subjects::{
    EnvelopeSubjects, OperationDocument, OperationSubjects, SuspensionSubjects, digest_of_systems,
    envelope_rule, item_rule, item_subjects, operation_rule, proposers,
};

use crate::assessment::QuorumRule;
use crate::briefing::Briefing;
use crate::genesis::Approver;
use crate::identifier::{ApproverId, Digest};
use crate::quorum::is_eligible;
use crate::sshsig;
use crate::statement::{
    DECISION_NAMESPACE, DECISION_TYPE, DecisionKind, Predicate, Presence, STATEMENT_TYPE,
    Statement, Subject, SubjectName, challenge,
};
use crate::webauthn::{Assertion, verify_assertion};

/// Largest statement accepted; narrowing lists its targets.
pub const STATEMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Length of a nonce.
pub const NONCE_BYTES: usize = 32;
/// How far the approver's clock may be from the backend's at submission.
pub const CLOCK_SKEW_SECONDS_MAX: i64 = 60;
/// Longest `core_version`.
const VERSION_BYTES_MAX: usize = 64;

/// A decision as it arrives: bytes and a signature that may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnverifiedDecision {
    /// The exact bytes of the statement.
    pub statement: Vec<u8>,
    /// The key's signature over them.
    pub assertion: Assertion,
}

/// A decision that an enrolled key signed, with its user present and verified, for this deployment,
/// in canonical form and with the subjects of its kind. It is not yet known to be about anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifiedDecision {
    statement: Statement,
    bytes: Vec<u8>,
    assertion: Assertion,
    approver: Approver,
    counter: u32,
}

impl UnverifiedDecision {
    /// Verifies form and signature, against the people and the deployment of `roster`.
    ///
    /// # Errors
    /// The first [`DecisionError`] that applies: form, audience, approver, credential, signature.
    pub fn verify(self, roster: &Roster) -> Result<VerifiedDecision, DecisionError> {
        let statement = parse(&self.statement)?;
        let predicate = &statement.predicate;
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
        let public_key = &approver.credential.public_key;
        let rp_id = roster.deployment().rp_id();
        let verified = verify_assertion(
            &self.assertion,
            public_key,
            &rp_id,
            &challenge(DECISION_NAMESPACE, &self.statement),
        )?;
        // What could never be proved to others is not accepted in the first place.
        sshsig::export(
            &self.statement,
            DECISION_NAMESPACE,
            &approver.id,
            &self.assertion,
            public_key,
            &rp_id,
        )?;
        Ok(VerifiedDecision {
            approver: approver.clone(),
            counter: verified.counter,
            statement,
            bytes: self.statement,
            assertion: self.assertion,
        })
    }
}

/// Reads a statement of a decision and checks everything that needs no other document: canonical
/// form, types, supported kind, its subjects, narrowing, nonce, and that it was made before its end.
///
/// # Errors
/// [`DecisionError`].
pub fn parse(bytes: &[u8]) -> Result<Statement, DecisionError> {
    let malformed = |what: &str| Err(DecisionError::MalformedStatement(what.to_owned()));
    if bytes.len() > STATEMENT_BYTES_MAX {
        return malformed("it is too large");
    }
    let statement: Statement = serde_json::from_slice(bytes)
        .map_err(|error| DecisionError::MalformedStatement(error.to_string()))?;
    if statement.statement_type != STATEMENT_TYPE || statement.predicate_type != DECISION_TYPE {
        return Err(DecisionError::WrongStatementType);
    }
    if statement.to_bytes()? != bytes {
        return Err(DecisionError::NotCanonical);
    }
    let predicate = &statement.predicate;
    if predicate.nonce.0.len() != NONCE_BYTES {
        return malformed("its nonce is not of 256 bits");
    }
    if predicate.checkpoint.size == 0 {
        return malformed("it pins no checkpoint of the log");
    }
    if predicate.core_version.len() > VERSION_BYTES_MAX {
        return malformed("its core version is too long");
    }
    check_subjects(predicate, &statement.subject)?;
    if predicate.decided_at >= predicate.not_after {
        return Err(DecisionError::Expired);
    }
    Ok(statement)
}

/// Subjects exactly those of the kind, in their order; narrowing only where it may be, and digested.
fn check_subjects(predicate: &Predicate, subjects: &[Subject]) -> Result<(), DecisionError> {
    let kind = predicate.kind;
    let table = kind
        .subjects()
        .ok_or(DecisionError::KindNotSupported(kind))?;
    let may_narrow = matches!(kind, DecisionKind::Approve | DecisionKind::Continue);
    if predicate.narrowing.is_some() && !may_narrow {
        return Err(DecisionError::NarrowingNotAllowed(kind));
    }
    let mut given = subjects.iter().peekable();
    for (name, presence) in table {
        let there = given.next_if(|subject| subject.name == *name);
        let fits = match (presence, there) {
            (Presence::Always, Some(_)) | (Presence::WhereThereIsOne, _) => true,
            (Presence::Always, None) => false,
            (Presence::WhereNarrowed, subject) => match (subject, &predicate.narrowing) {
                (None, None) => true,
                (Some(subject), Some(narrowing)) => {
                    subject.digest.sha256 == digest_of_systems(&narrowing.targets)?
                }
                (Some(_), None) | (None, Some(_)) => false,
            },
        };
        if !fits {
            return Err(DecisionError::SubjectsOfAnotherKind(kind));
        }
    }
    match given.next() {
        None => Ok(()),
        Some(_) => Err(DecisionError::SubjectsOfAnotherKind(kind)),
    }
}

impl VerifiedDecision {
    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// What is decided, by whom, and all the rest of the predicate.
    #[must_use]
    pub const fn predicate(&self) -> &Predicate {
        &self.statement.predicate
    }

    /// The exact bytes signed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the exact bytes signed: the decision's identity.
    #[must_use]
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    /// The key's signature.
    #[must_use]
    pub const fn assertion(&self) -> &Assertion {
        &self.assertion
    }

    /// The approver as the roster has it.
    #[must_use]
    pub const fn approver(&self) -> &Approver {
        &self.approver
    }

    /// The key's signature counter.
    #[must_use]
    pub const fn counter(&self) -> u32 {
        self.counter
    }

    /// Whether two decisions are equal as a quorum counts them: kind, subjects, narrowing.
    #[must_use]
    pub fn agrees_with(&self, other: &Self) -> bool {
        self.predicate().kind == other.predicate().kind
            && self.statement.subject == other.statement.subject
            && self.predicate().narrowing == other.predicate().narrowing
    }

    /// Checks that the decision is not void at `now`.
    ///
    /// # Errors
    /// [`DecisionError::Expired`].
    pub fn check_valid_at(&self, now: DateTime<Utc>) -> Result<(), DecisionError> {
        if now < self.predicate().not_after {
            Ok(())
        } else {
            Err(DecisionError::Expired)
        }
    }

    /// Checks that the decision arrives at `now` while it is valid and soon after it was made.
    ///
    /// # Errors
    /// [`DecisionError::Expired`] and [`DecisionError::ClockSkew`].
    pub fn check_submitted_at(&self, now: DateTime<Utc>) -> Result<(), DecisionError> {
        self.check_valid_at(now)?;
        let skew = now.signed_duration_since(self.predicate().decided_at).abs();
        if skew > Duration::seconds(CLOCK_SKEW_SECONDS_MAX) {
            return Err(DecisionError::ClockSkew);
        }
        Ok(())
    }

    /// Checks that the approver may decide by `rule` and is none of `excluded` (see [`proposers`]).
    ///
    /// # Errors
    /// [`DecisionError::OwnProposal`] and [`DecisionError::NotEligible`].
    pub fn check_eligible(
        &self,
        rule: &QuorumRule,
        excluded: &BTreeSet<ApproverId>,
    ) -> Result<(), DecisionError> {
        if excluded.contains(&self.approver.id) {
            return Err(DecisionError::OwnProposal(self.approver.id.clone()));
        }
        if !is_eligible(&self.approver.roles, rule) {
            return Err(DecisionError::NotEligible(self.approver.id.clone()));
        }
        Ok(())
    }

    /// What the signer says the backend handed out; an auditor has nothing else to compare with.
    #[must_use]
    pub fn claimed_offer(&self) -> Offer {
        Offer {
            nonce: self.predicate().nonce.clone(),
            not_after: self.predicate().not_after,
        }
    }

    /// Checks that this decides about the item of `briefing`: rebuilds the statement from the
    /// briefing, its digest, what was handed out and what only the approver can know, and compares.
    ///
    /// # Errors
    /// [`DecisionError`], as [`for_item`], and for whatever differs.
    pub fn confirm_item(
        &self,
        briefing: &Briefing,
        briefing_digest: Digest,
        offer: &Offer,
    ) -> Result<(), DecisionError> {
        let kind = self.predicate().kind;
        let choice = if kind == DecisionKind::Approve {
            ItemChoice::Approve {
                narrowing: self.predicate().narrowing.clone(),
            }
        } else if kind == DecisionKind::Reject {
            ItemChoice::Reject
        } else {
            return Err(DecisionError::SubjectsOfAnotherKind(kind));
        };
        self.check_offer(offer)?;
        // Which subject differs is worth more than that something does.
        self.check_same(&item_subjects(briefing, briefing_digest, None)?)?;
        let (judgement, attempt) = self.own(offer);
        self.compare(for_item(
            briefing,
            briefing_digest,
            &choice,
            &judgement,
            &attempt,
        )?)
    }

    /// Checks that this decides about the operation with these subjects.
    ///
    /// # Errors
    /// [`DecisionError`], as [`for_operation`], and for whatever differs.
    pub fn confirm_operation(
        &self,
        subjects: &OperationSubjects,
        offer: &Offer,
    ) -> Result<(), DecisionError> {
        let kind = self.predicate().kind;
        let choice = if kind == DecisionKind::Continue {
            OperationChoice::Continue {
                narrowing: self.predicate().narrowing.clone(),
            }
        } else if kind == DecisionKind::RollBack {
            OperationChoice::RollBack
        } else if kind == DecisionKind::Abort {
            OperationChoice::Abort
        } else {
            return Err(DecisionError::SubjectsOfAnotherKind(kind));
        };
        self.check_offer(offer)?;
        self.check_same(&subjects.list()?)?;
        let (judgement, attempt) = self.own(offer);
        self.compare(for_operation(&choice, subjects, &judgement, &attempt)?)
    }

    /// Checks that this authorises the envelope with these subjects.
    ///
    /// # Errors
    /// [`DecisionError`], as [`for_envelope`], and for whatever differs.
    pub fn confirm_envelope(
        &self,
        subjects: &EnvelopeSubjects,
        offer: &Offer,
    ) -> Result<(), DecisionError> {
        if self.predicate().kind != DecisionKind::AuthoriseEnvelope {
            return Err(DecisionError::SubjectsOfAnotherKind(self.predicate().kind));
        }
        self.check_offer(offer)?;
        self.check_same(&subjects.list())?;
        let (judgement, attempt) = self.own(offer);
        self.compare(for_envelope(subjects, &judgement, &attempt)?)
    }

    /// Checks that this suspends or resumes autonomy as these subjects say.
    ///
    /// # Errors
    /// [`DecisionError`], as [`for_suspension`], and for whatever differs.
    pub fn confirm_suspension(
        &self,
        subjects: &SuspensionSubjects,
        offer: &Offer,
    ) -> Result<(), DecisionError> {
        if self.predicate().kind != subjects.kind() {
            return Err(DecisionError::SubjectsOfAnotherKind(self.predicate().kind));
        }
        self.check_offer(offer)?;
        self.check_same(&subjects.list())?;
        let (judgement, attempt) = self.own(offer);
        self.compare(for_suspension(subjects, &judgement, &attempt)?)
    }

    fn check_offer(&self, offer: &Offer) -> Result<(), DecisionError> {
        if self.predicate().nonce != offer.nonce {
            return Err(DecisionError::WrongNonce);
        }
        if self.predicate().not_after != offer.not_after {
            return Err(DecisionError::WrongNotAfter);
        }
        Ok(())
    }

    /// That each expected subject is there as expected, and none besides but narrowed targets.
    fn check_same(&self, expected: &[Subject]) -> Result<(), DecisionError> {
        for subject in expected {
            if self.statement.subject(subject.name) != Some(subject.digest.sha256) {
                return Err(DecisionError::WrongSubject(subject.name));
            }
        }
        let unexpected = self.statement.subject.iter().find(|subject| {
            subject.name != SubjectName::NarrowedTargets && !expected.contains(subject)
        });
        unexpected.map_or(Ok(()), |subject| {
            Err(DecisionError::WrongSubject(subject.name))
        })
    }

    /// What only the approver can know.
    fn own(&self, offer: &Offer) -> (Judgement, Attempt) {
        let predicate = self.predicate();
        let judgement = Judgement {
            risk_level: predicate.risk_level,
            acknowledged: predicate.acknowledged.clone(),
            rationale: predicate.rationale,
        };
        let attempt = Attempt {
            audience: predicate.audience.clone(),
            approver: self.approver.id.clone(),
            credential: self.approver.credential.id.clone(),
            checkpoint: predicate.checkpoint,
            decided_at: predicate.decided_at,
            offer: offer.clone(),
        };
        (judgement, attempt)
    }

    fn compare(&self, mut rebuilt: Statement) -> Result<(), DecisionError> {
        rebuilt
            .predicate
            .core_version
            .clone_from(&self.predicate().core_version);
        if rebuilt.to_bytes()? == self.bytes {
            Ok(())
        } else {
            Err(DecisionError::NotCanonical)
        }
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
