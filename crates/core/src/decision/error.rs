//! Why a decision does not count, each reason with a stable code.

use thiserror::Error;

use crate::canonical::CanonicalError;
use crate::identifier::ApproverId;
use crate::sshsig::SshsigError;
use crate::statement::{DecisionKind, SubjectName};
use crate::webauthn::AssertionError;

/// Why a decision or a sign-in does not count.
#[derive(Debug, Error)]
pub enum DecisionError {
    /// The bytes are not a statement.
    #[error("the statement is malformed: {0}")]
    MalformedStatement(String),
    /// The bytes are another spelling of the statement than RFC 8785's.
    #[error("the statement is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// The statement's type is not a decision's, or not a sign-in's.
    #[error("the statement is of another type")]
    WrongStatementType,
    /// The kind comes with a later feature.
    #[error("this version decides nothing of the kind `{0}`")]
    KindNotSupported(DecisionKind),
    /// The statement is meant for another deployment.
    #[error("the statement is meant for another deployment")]
    WrongAudience,
    /// Nobody of that name is enrolled.
    #[error("approver `{0}` is not enrolled here")]
    UnknownApprover(ApproverId),
    /// The credential is not the approver's.
    #[error("the credential is not the one enrolled for approver `{0}`")]
    UnknownCredential(ApproverId),
    /// The key's signature does not hold.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// Stock `ssh-keygen` could not verify it: an unusual client, and nobody could check it later.
    #[error("the signature cannot be exported for ssh-keygen: {0}")]
    NotExportable(#[from] SshsigError),
    /// The subjects are not those of the kind, or not in their order.
    #[error("the subjects are not those of a decision of the kind `{0}`, in their order")]
    SubjectsOfAnotherKind(DecisionKind),
    /// A subject is another document than the one to be decided: another item, or a changed one.
    #[error("the statement is about another {0}")]
    WrongSubject(SubjectName),
    /// Only an approval can be narrowed.
    #[error("a decision of the kind `{0}` cannot be narrowed")]
    NarrowingNotAllowed(DecisionKind),
    /// Narrowing adds something, removes nothing or leaves nothing.
    #[error("narrowing leaves some of the proposed targets and never others or all of them")]
    NarrowingNotSubset,
    /// A clause is acknowledged that the assessment has no finding for.
    #[error("a finding is acknowledged that the assessment does not have")]
    AcknowledgedUnknown,
    /// The nonce is not the one handed out.
    #[error(
        "the nonce is not the one handed out for this decision; ask for a new one and sign again"
    )]
    WrongNonce,
    /// The end of validity is not the one handed out.
    #[error("the end of validity is not the one handed out")]
    WrongNotAfter,
    /// The end of validity lies beyond that of the briefing or the proposal.
    #[error("the decision would outlive its item")]
    NotAfterTooLate,
    /// The decision is void by now, or was when it was made.
    #[error("the decision has expired")]
    Expired,
    /// The approver's clock and the backend's differ by more than a minute.
    #[error("the approver's clock and the backend's differ by more than {limit_seconds} seconds; set the clock and sign again", limit_seconds = super::CLOCK_SKEW_SECONDS_MAX)]
    ClockSkew,
    /// The approver holds no role that counts here.
    #[error("approver `{0}` holds none of the roles that decide this")]
    NotEligible(ApproverId),
    /// The approver proposed it.
    #[error("approver `{0}` proposed this and cannot decide it")]
    OwnProposal(ApproverId),
    /// The item is not one that people decide.
    #[error("there is nothing to decide: the assessment asks for no approval")]
    NotDecidable,
    /// A document has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl DecisionError {
    /// The stable code, which interfaces branch on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::MalformedStatement(_) => "malformed_statement",
            Self::NotCanonical => "not_canonical",
            Self::WrongStatementType => "wrong_statement_type",
            Self::KindNotSupported(_) => "kind_not_supported",
            Self::WrongAudience => "wrong_audience",
            Self::UnknownApprover(_) => "unknown_approver",
            Self::UnknownCredential(_) => "unknown_credential",
            Self::Assertion(error) => match error {
                AssertionError::AuthenticatorData => "authenticator_data_malformed",
                AssertionError::RelyingParty => "wrong_relying_party",
                AssertionError::UserPresence => "user_not_present",
                AssertionError::UserVerification => "user_not_verified",
                AssertionError::ClientData => "client_data_malformed",
                AssertionError::Ceremony => "wrong_ceremony",
                AssertionError::Challenge => "wrong_challenge",
                AssertionError::Origin => "wrong_origin",
                AssertionError::PublicKey => "credential_malformed",
                AssertionError::Signature => "signature_invalid",
            },
            Self::NotExportable(_) => "not_exportable",
            Self::SubjectsOfAnotherKind(_) => "malformed_subjects",
            Self::WrongSubject(_) => "wrong_subjects",
            Self::NarrowingNotAllowed(_) => "narrowing_not_allowed",
            Self::NarrowingNotSubset => "narrowing_not_subset",
            Self::AcknowledgedUnknown => "acknowledged_unknown",
            Self::WrongNonce => "wrong_nonce",
            Self::WrongNotAfter => "wrong_not_after",
            Self::NotAfterTooLate => "not_after_too_late",
            Self::Expired => "expired",
            Self::ClockSkew => "clock_skew",
            Self::NotEligible(_) => "not_eligible",
            Self::OwnProposal(_) => "own_proposal",
            Self::NotDecidable => "not_decidable",
            Self::Canonical(_) => "no_canonical_form",
        }
    }
}
