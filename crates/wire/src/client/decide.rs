//! Deciding, in steps that are types: [`Prepared`] (a nonce is held) → [`Unsigned`] (the exact bytes,
//! and what the key must sign) → [`Signed`] (checked here as the backend will check it) → submitted.
//!
//! The key is asked by the caller between the second and the third step, as often as a wrong PIN
//! makes it necessary; nothing here knows keys.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::assessment::Clause;
use countersign_core::canonical::{self, CanonicalError};
use countersign_core::decision::{
    Attempt, DecisionError, EnvelopeSubjects, ItemChoice, Judgement, Offer, OperationChoice,
    OperationSubjects, Receipt, ReceiptError, SuspensionSubjects, UnverifiedDecision, for_envelope,
    for_item, for_operation, for_suspension,
};
use countersign_core::envelope::Envelope;
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::statement::{
    CheckpointReference, DECISION_NAMESPACE, DecisionKind, RiskLevel, SESSION_NAMESPACE,
    SessionPredicate, SessionStatement, Statement, challenge, commitment,
};
use countersign_core::suspension::{Extent, Suspension};
use countersign_core::webauthn::{Assertion, Bytes};
use thiserror::Error;

use super::operation::ReviewedOperation;
use super::review::{Logged, Reviewed};
use super::suspension::ReviewedSuspension;
use super::trust::Trusted;
use super::{Client, ClientError};
use crate::decision::{About, BeginDecision, DecisionAccepted, RationalePayload, SubmitDecision};
use crate::session::{BeginSession, OpenSession, Session};
use crate::suspension::SuspendAutonomy;

/// How much longer than its nonce a decision to resume is valid: the second of two people signs meanwhile.
const RESUME_VALID_FOR: TimeDelta = TimeDelta::minutes(50);

/// Why a decision was not made. Until submission nothing has left this machine.
#[derive(Debug, Error)]
pub enum DecideError {
    /// The backend did not answer, or refused.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The statement cannot be made, or the key signed something else.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// The approver is not enrolled.
    #[error("`{0}` is not enrolled here; ask an administrator")]
    NotEnrolled(ApproverId),
    /// What would be signed is not what was shown.
    #[error("what would be signed is not what was shown; look at it again and decide anew")]
    NotWhatWasShown,
    /// The backend's assessment is not the one made here.
    #[error("the backend's assessment differs from the one made here; nothing is signed:\n{}", .0.join("\n"))]
    Disagreement(Vec<String>),
    /// The log is not proved to record what would be approved.
    #[error("the log is not proved to record this briefing ({0}); nothing is approved")]
    NotLogged(String),
    /// The documents of an operation are not those of that operation.
    #[error(
        "the backend's documents about the operation do not fit together ({0}); nothing is signed"
    )]
    Subjects(&'static str),
    /// The documents of a suspension are not those of that suspension.
    #[error(
        "the backend's documents about the suspension do not fit together ({0}); nothing is signed"
    )]
    Suspension(&'static str),
    /// A document has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// The backend took the decision and gave a receipt that does not hold.
    #[error("the decision was sent, but its receipt does not hold ({0}); tell an auditor")]
    Receipt(#[from] ReceiptError),
}

/// What a key must sign, and with which credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// The relying party, from the pinned genesis.
    pub rp_id: String,
    /// The approver's credential.
    pub credential: Bytes,
    /// The challenge, from a statement that was built here.
    pub challenge: Vec<u8>,
}

/// Who decides, and on what view of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decider {
    /// Who.
    pub approver: ApproverId,
    /// The checkpoint verified before.
    pub checkpoint: CheckpointReference,
}

/// The approver's own words and judgement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reasons {
    /// The risk, as the approver judges it.
    pub risk_level: RiskLevel,
    /// Clauses of the findings seen; empty for operations and envelopes.
    pub acknowledged: BTreeSet<Clause>,
    /// The rationale.
    pub rationale: String,
    /// 32 random bytes, for its commitment.
    pub salt: [u8; 32],
}

/// What the statement is about.
#[derive(Debug, Clone)]
enum Subject {
    Item {
        reviewed: Box<Reviewed>,
        choice: ItemChoice,
    },
    Operation {
        subjects: OperationSubjects,
        choice: OperationChoice,
    },
    Envelope {
        subjects: EnvelopeSubjects,
    },
    Suspension {
        subjects: SuspensionSubjects,
        /// The bytes of what is suspended, which go with the decision.
        document: Option<Bytes>,
    },
}

/// A decision for which the backend has handed out a nonce.
#[derive(Debug, Clone)]
pub struct Prepared {
    about: About,
    subject: Subject,
    reasons: Reasons,
    decider: Decider,
    offer: Offer,
}

/// A statement that waits for the key.
#[derive(Debug, Clone)]
pub struct Unsigned {
    about: About,
    statement: Statement,
    bytes: Vec<u8>,
    rationale: RationalePayload,
    challenge: Challenge,
    document: Option<Bytes>,
}

/// A decision that the key has signed and that holds.
#[derive(Debug, Clone)]
pub struct Signed {
    submit: SubmitDecision,
    document: Option<Bytes>,
    digest: Digest,
}

impl Prepared {
    /// Prepares a decision about an item, from the briefing that was reviewed and shown.
    ///
    /// # Errors
    /// [`DecideError::Disagreement`] where the assessments differ (nothing is signed then, a
    /// rejection neither: what would be rejected is not what is there); [`DecideError::NotLogged`]
    /// where something would be approved that the log is not proved to record.
    pub async fn for_item(
        client: &Client,
        reviewed: Reviewed,
        choice: ItemChoice,
        reasons: Reasons,
        decider: Decider,
    ) -> Result<Self, DecideError> {
        if !reviewed.differences().is_empty() {
            return Err(DecideError::Disagreement(reviewed.differences().to_vec()));
        }
        if let (ItemChoice::Approve { .. }, Logged::Unproved { reason }) =
            (&choice, reviewed.logged())
        {
            return Err(DecideError::NotLogged(reason.clone()));
        }
        let briefing = reviewed.briefing();
        let kind = match choice {
            ItemChoice::Approve { .. } => DecisionKind::Approve,
            ItemChoice::Reject => DecisionKind::Reject,
        };
        // All approvers of an item sign until the item ends: their statements must outlast each other's.
        let not_after = briefing.expires_at.min(briefing.proposal.expires_at);
        let about = About::Item(briefing.item.clone());
        let subject = Subject::Item {
            reviewed: Box::new(reviewed),
            choice,
        };
        Self::begin(
            client,
            about,
            kind,
            subject,
            reasons,
            decider,
            Some(not_after),
        )
        .await
    }

    /// Prepares a decision about an operation, from the documents that were read and shown.
    ///
    /// # Errors
    /// [`DecideError::Client`].
    pub async fn for_operation(
        client: &Client,
        operation: &ReviewedOperation,
        choice: OperationChoice,
        reasons: Reasons,
        decider: Decider,
    ) -> Result<Self, DecideError> {
        let subjects = operation.subjects().clone();
        let kind = choice.kind();
        let about = About::Operation(operation.document().operation.clone());
        Self::begin(
            client,
            about,
            kind,
            Subject::Operation { subjects, choice },
            reasons,
            decider,
            None,
        )
        .await
    }

    /// Prepares the authorisation of an envelope in place of the one in force before, if there was one.
    ///
    /// # Errors
    /// [`DecideError`].
    pub async fn for_envelope(
        client: &Client,
        before: Option<&Envelope>,
        envelope: &Envelope,
        reasons: Reasons,
        decider: Decider,
    ) -> Result<Self, DecideError> {
        let subjects = EnvelopeSubjects::new(before, envelope)?;
        let about = About::Envelope(subjects.envelope);
        // Board members sign on different days: until the envelope itself ends.
        let not_after = Some(envelope.authority.expires);
        let kind = DecisionKind::AuthoriseEnvelope;
        Self::begin(
            client,
            about,
            kind,
            Subject::Envelope { subjects },
            reasons,
            decider,
            not_after,
        )
        .await
    }

    /// Prepares the suspension of autonomy, as one person asks for it `now`.
    ///
    /// # Errors
    /// [`DecideError::Client`].
    pub async fn for_suspending(
        client: &Client,
        trusted: &Trusted,
        suspends: Extent,
        reasons: Reasons,
        decider: Decider,
        now: DateTime<Utc>,
    ) -> Result<Self, DecideError> {
        let audience = trusted.roster().deployment().clone();
        let suspension = Suspension::new(audience, suspends, decider.approver.clone(), now);
        let subjects = SuspensionSubjects::of(&suspension)?;
        let subject = Subject::Suspension {
            subjects,
            document: Some(Bytes(suspension.to_bytes()?)),
        };
        let about = About::Suspension(subjects.suspension());
        Self::begin(
            client,
            about,
            subjects.kind(),
            subject,
            reasons,
            decider,
            None,
        )
        .await
    }

    /// Prepares the decision of one of two people who resume autonomy, from the documents that were read
    /// and shown.
    ///
    /// # Errors
    /// [`DecideError::Client`].
    pub async fn for_resuming(
        client: &Client,
        suspension: &ReviewedSuspension,
        reasons: Reasons,
        decider: Decider,
    ) -> Result<Self, DecideError> {
        let subjects = *suspension.subjects();
        let subject = Subject::Suspension {
            subjects,
            document: None,
        };
        let about = About::Suspension(suspension.digest());
        let mut prepared = Self::begin(
            client,
            about,
            subjects.kind(),
            subject,
            reasons,
            decider,
            None,
        )
        .await?;
        let until = &mut prepared.offer.not_after;
        *until = until.checked_add_signed(RESUME_VALID_FOR).unwrap_or(*until);
        Ok(prepared)
    }

    async fn begin(
        client: &Client,
        about: About,
        kind: DecisionKind,
        subject: Subject,
        reasons: Reasons,
        decider: Decider,
        not_after: Option<DateTime<Utc>>,
    ) -> Result<Self, DecideError> {
        let nonce = client
            .begin_decision(&BeginDecision {
                about: about.clone(),
                kind,
            })
            .await?;
        let offer = Offer {
            nonce: nonce.nonce,
            not_after: not_after.unwrap_or(nonce.expires_at),
        };
        Ok(Self {
            about,
            subject,
            reasons,
            decider,
            offer,
        })
    }

    /// The statement, made `now`, just before the key is asked; after a wrong PIN make a new one.
    ///
    /// # Errors
    /// [`DecideError`].
    pub fn statement(
        &self,
        trusted: &Trusted,
        now: DateTime<Utc>,
    ) -> Result<Unsigned, DecideError> {
        let credential = credential(trusted, &self.decider.approver)?;
        let judgement = Judgement {
            risk_level: self.reasons.risk_level,
            acknowledged: self.reasons.acknowledged.clone(),
            rationale: commitment(&self.reasons.salt, &self.reasons.rationale),
        };
        let attempt = Attempt {
            audience: trusted.roster().deployment().clone(),
            approver: self.decider.approver.clone(),
            credential: credential.clone(),
            checkpoint: self.decider.checkpoint,
            decided_at: now,
            offer: self.offer.clone(),
        };
        let statement = match &self.subject {
            Subject::Item { reviewed, choice } => for_item(
                reviewed.briefing(),
                reviewed.digest(),
                choice,
                &judgement,
                &attempt,
            )?,
            Subject::Operation { subjects, choice } => {
                for_operation(choice, subjects, &judgement, &attempt)?
            }
            Subject::Envelope { subjects } => for_envelope(subjects, &judgement, &attempt)?,
            Subject::Suspension { subjects, .. } => for_suspension(subjects, &judgement, &attempt)?,
        };
        let document = match &self.subject {
            Subject::Suspension { document, .. } => document.clone(),
            Subject::Item { .. } | Subject::Operation { .. } | Subject::Envelope { .. } => None,
        };
        let bytes = statement.to_bytes()?;
        Ok(Unsigned {
            about: self.about.clone(),
            challenge: Challenge {
                rp_id: trusted.roster().deployment().rp_id(),
                credential,
                challenge: challenge(DECISION_NAMESPACE, &bytes),
            },
            rationale: RationalePayload {
                salt: Bytes(self.reasons.salt.to_vec()),
                text: self.reasons.rationale.clone(),
            },
            statement,
            bytes,
            document,
        })
    }
}

impl Unsigned {
    /// What the key must sign.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// The statement.
    #[must_use]
    pub const fn statement(&self) -> &Statement {
        &self.statement
    }

    /// The exact bytes of the statement.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The signed decision, where the approver's own enrolled key signed exactly this.
    ///
    /// # Errors
    /// [`DecideError::Decision`].
    pub fn signed(self, trusted: &Trusted, assertion: Assertion) -> Result<Signed, DecideError> {
        UnverifiedDecision {
            statement: self.bytes.clone(),
            assertion: assertion.clone(),
        }
        .verify(trusted.roster())?;
        Ok(Signed {
            digest: Digest::of(&self.bytes),
            document: self.document,
            submit: SubmitDecision {
                about: self.about,
                statement: Bytes(self.bytes),
                assertion,
                rationale: self.rationale,
            },
        })
    }
}

impl Signed {
    /// The digest of the statement: the decision's identity.
    #[must_use]
    pub const fn digest(&self) -> Digest {
        self.digest
    }

    /// What goes to the backend.
    #[must_use]
    pub const fn submission(&self) -> &SubmitDecision {
        &self.submit
    }

    /// Sends it and checks the receipt.
    ///
    /// # Errors
    /// [`DecideError::Client`]: it is refused or may not have arrived (sending the same again is
    /// harmless: the nonce counts once). [`DecideError::Receipt`]: it arrived, at a backend that lies.
    pub async fn submit(
        &self,
        client: &Client,
        trusted: &Trusted,
    ) -> Result<DecisionAccepted, DecideError> {
        let accepted = match &self.document {
            None => client.submit_decision(&self.submit).await?,
            Some(document) => {
                let suspend = SuspendAutonomy {
                    document: document.clone(),
                    decision: self.submit.clone(),
                };
                client.suspend_autonomy(&suspend).await?
            }
        };
        Receipt::verify(
            &accepted.receipt.0,
            &accepted.receipt_signature,
            trusted.roster().log_key(),
            self.digest,
            trusted.roster().deployment(),
        )?;
        Ok(accepted)
    }
}

/// A sign-in that waits for the key.
#[derive(Debug, Clone)]
pub struct SignIn {
    approver: ApproverId,
    nonce: Bytes,
}

/// The statement of a sign-in, made just before the key is asked.
#[derive(Debug, Clone)]
pub struct UnsignedSignIn {
    bytes: Vec<u8>,
    challenge: Challenge,
}

impl SignIn {
    /// Asks for a nonce.
    ///
    /// # Errors
    /// [`DecideError`].
    pub async fn begin(
        client: &Client,
        trusted: &Trusted,
        approver: &ApproverId,
    ) -> Result<Self, DecideError> {
        credential(trusted, approver)?;
        let nonce = client
            .begin_session(&BeginSession {
                approver: approver.clone(),
            })
            .await?;
        Ok(Self {
            approver: approver.clone(),
            nonce: nonce.nonce,
        })
    }

    /// The statement, made `now`; after a wrong PIN make a new one.
    ///
    /// # Errors
    /// [`DecideError`].
    pub fn statement(
        &self,
        trusted: &Trusted,
        now: DateTime<Utc>,
    ) -> Result<UnsignedSignIn, DecideError> {
        let credential = credential(trusted, &self.approver)?;
        let statement = SessionStatement::new(SessionPredicate {
            audience: trusted.roster().deployment().clone(),
            approver: self.approver.clone(),
            credential: credential.clone(),
            at: now,
            nonce: self.nonce.clone(),
        });
        let bytes = canonical::to_bytes(&statement)?;
        let challenge = Challenge {
            rp_id: trusted.roster().deployment().rp_id(),
            credential,
            challenge: challenge(SESSION_NAMESPACE, &bytes),
        };
        Ok(UnsignedSignIn { bytes, challenge })
    }
}

impl UnsignedSignIn {
    /// What the key must sign.
    #[must_use]
    pub const fn challenge(&self) -> &Challenge {
        &self.challenge
    }

    /// Opens the session.
    ///
    /// # Errors
    /// [`DecideError::Client`].
    pub async fn open(self, client: &Client, assertion: Assertion) -> Result<Session, DecideError> {
        Ok(client
            .open_session(&OpenSession {
                statement: Bytes(self.bytes),
                assertion,
            })
            .await?)
    }
}

fn credential(trusted: &Trusted, approver: &ApproverId) -> Result<Bytes, DecideError> {
    trusted
        .roster()
        .approver(approver)
        .map(|approver| approver.credential.id.clone())
        .ok_or_else(|| DecideError::NotEnrolled(approver.clone()))
}
