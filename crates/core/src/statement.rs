//! The statement: what is signed (DESIGN §6.2), and the challenge a key signs for it (§6.3).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

use crate::assessment::Clause;
use crate::briefing::Narrowing;
use crate::canonical::{self, CanonicalError};
use crate::genesis::DeploymentId;
use crate::identifier::{ApproverId, Digest};
use crate::webauthn::Bytes;

/// The `_type` member: in-toto Statement v1.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";
/// The `predicateType` of a decision.
pub const DECISION_TYPE: &str = "urn:countersign:decision:v1";
/// The `predicateType` of a sign-in.
pub const SESSION_TYPE: &str = "urn:countersign:session:v1";
/// SSHSIG namespace of decisions.
pub const DECISION_NAMESPACE: &str = "countersign-decision";
/// SSHSIG namespace of sign-ins.
pub const SESSION_NAMESPACE: &str = "countersign-session";
/// The version of this core, signed with every decision.
pub const CORE_VERSION: &str = env!("CARGO_PKG_VERSION");

/// A signed decision, as in-toto Statement v1 around a [`Predicate`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Statement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// What it is about, in the order of [`DecisionKind::subjects`].
    pub subject: Vec<Subject>,
    /// [`DECISION_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The decision.
    pub predicate: Predicate,
}

/// A document that a statement is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subject {
    /// Which document.
    pub name: SubjectName,
    /// Its digest.
    pub digest: SubjectDigest,
}

/// An in-toto digest set with its one member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectDigest {
    /// SHA-256.
    pub sha256: Digest,
}

/// The documents that statements are about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "DESIGN §6.2 tables them")]
pub enum SubjectName {
    Briefing,
    Proposal,
    Targets,
    Envelope,
    Topology,
    Neighbourhood,
    History,
    Plan,
    NarrowedTargets,
    Operation,
    Trip,
    Touched,
    Remaining,
    Before,
    Diff,
    Suspension,
    Entry,
}

/// The kinds of decision (DESIGN §6.2). Those that come with a later feature are refused until then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "DESIGN §6.2 tables them")]
pub enum DecisionKind {
    Approve,
    Reject,
    Return,
    Withdraw,
    Continue,
    RollBack,
    Abort,
    AuthoriseEnvelope,
    RevokeEnvelope,
    SuspendAutonomy,
    ResumeAutonomy,
    AcceptTopology,
    Enrol,
    SetAttestationList,
    RotateLogKey,
    Erase,
    SuspendKey,
    Delegate,
    BreakGlass,
    Review,
}

/// When a subject belongs to a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// Always.
    Always,
    /// Where there is such a document; omitted otherwise, never null.
    WhereThereIsOne,
    /// Exactly where the decision is narrowed.
    WhereNarrowed,
}

const ITEM_SUBJECTS: &[(SubjectName, Presence)] = &[
    (SubjectName::Briefing, Presence::Always),
    (SubjectName::Proposal, Presence::Always),
    (SubjectName::Targets, Presence::Always),
    (SubjectName::Envelope, Presence::WhereThereIsOne),
    (SubjectName::Topology, Presence::Always),
    (SubjectName::Neighbourhood, Presence::Always),
    (SubjectName::History, Presence::Always),
    (SubjectName::Plan, Presence::Always),
    (SubjectName::NarrowedTargets, Presence::WhereNarrowed),
];

const OPERATION_SUBJECTS: &[(SubjectName, Presence)] = &[
    (SubjectName::Operation, Presence::Always),
    (SubjectName::Trip, Presence::WhereThereIsOne),
    (SubjectName::Touched, Presence::Always),
    (SubjectName::Remaining, Presence::Always),
];

const CONTINUE_SUBJECTS: &[(SubjectName, Presence)] = &[
    (SubjectName::Operation, Presence::Always),
    (SubjectName::Trip, Presence::WhereThereIsOne),
    (SubjectName::Touched, Presence::Always),
    (SubjectName::Remaining, Presence::Always),
    (SubjectName::NarrowedTargets, Presence::WhereNarrowed),
];

const ENVELOPE_SUBJECTS: &[(SubjectName, Presence)] = &[
    (SubjectName::Envelope, Presence::Always),
    (SubjectName::Before, Presence::WhereThereIsOne),
    (SubjectName::Diff, Presence::Always),
];

const SUSPEND_SUBJECTS: &[(SubjectName, Presence)] = &[(SubjectName::Suspension, Presence::Always)];

const RESUME_SUBJECTS: &[(SubjectName, Presence)] = &[
    (SubjectName::Suspension, Presence::Always),
    (SubjectName::Entry, Presence::Always),
];

impl DecisionKind {
    /// What a decision of this kind is about, in the order in which a statement lists it; none for
    /// a kind that comes with a later feature and is refused until then.
    #[must_use]
    pub const fn subjects(self) -> Option<&'static [(SubjectName, Presence)]> {
        match self {
            Self::Approve | Self::Reject => Some(ITEM_SUBJECTS),
            Self::Continue => Some(CONTINUE_SUBJECTS),
            Self::RollBack | Self::Abort => Some(OPERATION_SUBJECTS),
            Self::AuthoriseEnvelope => Some(ENVELOPE_SUBJECTS),
            Self::SuspendAutonomy => Some(SUSPEND_SUBJECTS),
            Self::ResumeAutonomy => Some(RESUME_SUBJECTS),
            Self::Return
            | Self::Withdraw
            | Self::RevokeEnvelope
            | Self::AcceptTopology
            | Self::Enrol
            | Self::SetAttestationList
            | Self::RotateLogKey
            | Self::Erase
            | Self::SuspendKey
            | Self::Delegate
            | Self::BreakGlass
            | Self::Review => None,
        }
    }

    /// The kind as statements write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
            Self::Return => "return",
            Self::Withdraw => "withdraw",
            Self::Continue => "continue",
            Self::RollBack => "roll_back",
            Self::Abort => "abort",
            Self::AuthoriseEnvelope => "authorise_envelope",
            Self::RevokeEnvelope => "revoke_envelope",
            Self::SuspendAutonomy => "suspend_autonomy",
            Self::ResumeAutonomy => "resume_autonomy",
            Self::AcceptTopology => "accept_topology",
            Self::Enrol => "enrol",
            Self::SetAttestationList => "set_attestation_list",
            Self::RotateLogKey => "rotate_log_key",
            Self::Erase => "erase",
            Self::SuspendKey => "suspend_key",
            Self::Delegate => "delegate",
            Self::BreakGlass => "break_glass",
            Self::Review => "review",
        }
    }
}

impl SubjectName {
    /// The name as statements write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Briefing => "briefing",
            Self::Proposal => "proposal",
            Self::Targets => "targets",
            Self::Envelope => "envelope",
            Self::Topology => "topology",
            Self::Neighbourhood => "neighbourhood",
            Self::History => "history",
            Self::Plan => "plan",
            Self::NarrowedTargets => "narrowed_targets",
            Self::Operation => "operation",
            Self::Trip => "trip",
            Self::Touched => "touched",
            Self::Remaining => "remaining",
            Self::Before => "before",
            Self::Diff => "diff",
            Self::Suspension => "suspension",
            Self::Entry => "entry",
        }
    }
}

impl std::fmt::Display for DecisionKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Display for SubjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The decision itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predicate {
    /// What is decided.
    pub kind: DecisionKind,
    /// The deployment it is meant for.
    pub audience: DeploymentId,
    /// Who decides.
    pub approver: ApproverId,
    /// With which credential.
    pub credential: Bytes,
    /// When, by the approver's clock.
    pub decided_at: DateTime<Utc>,
    /// The risk as the approver judges it (AG-706 4.2).
    pub risk_level: RiskLevel,
    /// Clauses of the findings the approver says to have seen, in the order of the clauses.
    pub acknowledged: BTreeSet<Clause>,
    /// SHA-256(salt ‖ rationale); the text is a payload of its own, so that it can be erased.
    pub rationale: Digest,
    /// Approving less than was asked, or continuing with less than remains; only with
    /// [`DecisionKind::Approve`] and [`DecisionKind::Continue`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrowing: Option<Narrowing>,
    /// The log checkpoint that the console had verified.
    pub checkpoint: CheckpointReference,
    /// 256 random bits of the backend for this item, approver and attempt.
    pub nonce: Bytes,
    /// First instant at which the decision is void.
    pub not_after: DateTime<Utc>,
    /// [`CORE_VERSION`] of the console.
    pub core_version: String,
}

/// A point of the log: its size and root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckpointReference {
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root of them.
    pub root: Digest,
}

/// Risk as an approver judges it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum RiskLevel {
    Low,
    Moderate,
    High,
    Severe,
}

/// A sign-in, signed in a namespace of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionStatement {
    /// [`STATEMENT_TYPE`].
    #[serde(rename = "_type")]
    pub statement_type: String,
    /// Always empty.
    pub subject: Vec<Subject>,
    /// [`SESSION_TYPE`].
    #[serde(rename = "predicateType")]
    pub predicate_type: String,
    /// The sign-in.
    pub predicate: SessionPredicate,
}

/// The sign-in itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPredicate {
    /// The deployment it is meant for.
    pub audience: DeploymentId,
    /// Who signs in.
    pub approver: ApproverId,
    /// With which credential.
    pub credential: Bytes,
    /// When, by the console's clock.
    pub at: DateTime<Utc>,
    /// 256 random bits of the backend for this attempt.
    pub nonce: Bytes,
}

impl Statement {
    /// A decision about these subjects.
    #[must_use]
    pub fn new(subject: Vec<Subject>, predicate: Predicate) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject,
            predicate_type: DECISION_TYPE.to_owned(),
            predicate,
        }
    }

    /// The exact bytes that are signed (RFC 8785).
    ///
    /// # Errors
    /// Never for a statement made of these types; [`CanonicalError`] otherwise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }

    /// The digest of the subject with this name.
    #[must_use]
    pub fn subject(&self, name: SubjectName) -> Option<Digest> {
        self.subject
            .iter()
            .find(|subject| subject.name == name)
            .map(|subject| subject.digest.sha256)
    }
}

impl SessionStatement {
    /// A sign-in.
    #[must_use]
    pub fn new(predicate: SessionPredicate) -> Self {
        Self {
            statement_type: STATEMENT_TYPE.to_owned(),
            subject: Vec::new(),
            predicate_type: SESSION_TYPE.to_owned(),
            predicate,
        }
    }

    /// The exact bytes that are signed (RFC 8785).
    ///
    /// # Errors
    /// Never for a statement made of these types; [`CanonicalError`] otherwise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }
}

impl Subject {
    /// A subject.
    #[must_use]
    pub const fn new(name: SubjectName, sha256: Digest) -> Self {
        Self {
            name,
            digest: SubjectDigest { sha256 },
        }
    }
}

/// A text that can be erased, and the salt without which its commitment says nothing about it: a
/// rationale, or the name of an approver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Salted {
    /// 32 random bytes.
    pub salt: Bytes,
    /// The text.
    pub text: String,
}

impl Salted {
    /// The [`commitment`] to it; none where the salt is not of 32 bytes.
    #[must_use]
    pub fn commitment(&self) -> Option<Digest> {
        let salt = self.salt.0.as_slice().try_into().ok()?;
        Some(commitment(salt, &self.text))
    }
}

/// SHA-256(salt ‖ text): the commitment to a name or a rationale that can be erased later.
#[must_use]
pub fn commitment(salt: &[u8; 32], text: &str) -> Digest {
    let mut bytes = salt.to_vec();
    bytes.extend_from_slice(text.as_bytes());
    Digest::of(&bytes)
}

/// The challenge a key signs: the OpenSSH SSHSIG to-be-signed blob over `statement`, with SHA-512.
///
/// Source: OpenSSH PROTOCOL.sshsig §3.
#[must_use]
pub fn challenge(namespace: &str, statement: &[u8]) -> Vec<u8> {
    let mut blob = b"SSHSIG".to_vec();
    for part in [
        namespace.as_bytes(),
        b"",
        b"sha512",
        Sha512::digest(statement).as_slice(),
    ] {
        // INVARIANT: every part is under 2^32 bytes: a namespace of ours, a constant or a digest.
        blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        blob.extend_from_slice(part);
    }
    blob
}
