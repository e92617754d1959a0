//! What a leaf of the log holds: a kind, a time and a body, as RFC 8785 bytes.
//!
//! Requirement: AG-706 4.8. An entry holds at most 65,535 bytes (the 16-bit length of a C2SP entry
//! bundle); what is larger is stored as a payload and named by its digest.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::canonical::{self, CanonicalError};

/// The `schema` member of an entry.
pub const SCHEMA: &str = "countersign/entry/v1";

/// Largest entry.
pub const ENTRY_BYTES_MAX: usize = 65_535;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// [`SCHEMA`].
    pub schema: String,
    /// What happened.
    pub kind: EntryKind,
    /// When, by the backend's clock.
    pub at: DateTime<Utc>,
    /// The particulars, an object; [`super::body`] has the forms of those that are re-checked offline.
    pub body: serde_json::Value,
}

/// What an entry records. «4.8 …» names the part of AG-706 4.8 that it serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryKind {
    /// Entry 0 and no other: the [`Genesis`](crate::genesis::Genesis) document itself (DESIGN §6.7).
    Genesis,
    /// The backend began to serve, with its version and configuration digest.
    BackendStarted,
    /// A configuration that matters to governance changed (executors, limits, notification of breaker trips).
    ConfigurationChanged,
    /// An envelope document was imported; it grants nothing yet.
    EnvelopeImported,
    /// The board's quorum is complete: the envelope is in force (AG-706 4.10).
    EnvelopeAuthorised,
    /// A person suspended autonomy (AG-706 4.10).
    AutonomySuspended,
    /// Two people resumed it.
    AutonomyResumed,
    /// A topology was imported; the ground of every dependency analysis (4.8, dependency analysis).
    TopologyImported,
    /// An agent may propose.
    AgentRegistered,
    /// A source may send detections and signals.
    SourceRegistered,
    /// A detection rule was registered for a source and its agents (4.8, triggering event).
    DetectionRegistered,
    /// A person recorded whether a detection was right (AG-706 4.11).
    OutcomeRecorded,
    /// An authenticated source sent a signal (4.8, triggering event).
    SignalReceived,
    /// An authenticated source reported what is left of a service's error budget.
    ErrorBudgetReported,
    /// A proposal was assessed (4.8, triggering event, classification logic and dependency analysis).
    ProposalAssessed,
    /// A well-authenticated proposal was refused before assessment, with the code.
    ProposalRefused,
    /// A decision was accepted (AG-706 4.2).
    DecisionRecorded,
    /// A decision was refused, with its code, after a known approver or credential was recognised.
    DecisionRefused,
    /// Unauthenticated refusals of a stretch of time, counted by code.
    RefusalsAggregated,
    /// An item left the queue without being carried out: rejected, expired, superseded, returned, withdrawn.
    ItemClosed,
    /// An approval no longer holds (the scope changed, an approver left) and its item is open again.
    ApprovalVoided,
    /// An operation began, and by which authority (4.8, action executed). This and the following up
    /// to [`EntryKind::OperationFinished`] have the body [`super::body::OperationRecorded`].
    OperationStarted,
    /// A wave, or the canary, began (AG-706 4.9).
    WaveStarted,
    /// The pause after a wave began.
    SoakStarted,
    /// The action is being sent to a system; written before the executor is called (4.8, action executed).
    SystemDispatched,
    /// An attempt failed, and another one is allowed (4.8, health check).
    AttemptFailed,
    /// What became of a system (4.8, action executed, health check, rollback availability).
    SystemRecorded,
    /// An operation waits because something it rests on does not hold now.
    OperationHeld,
    /// A held operation went on.
    OperationResumed,
    /// The breaker halted an operation (AG-706 4.4).
    BreakerTripped,
    /// A quorum reset the breaker, and what was not touched goes on (AG-706 4.4).
    OperationContinued,
    /// A decision ended an operation; what is in flight is awaited.
    AbortStarted,
    /// The undoing of an operation began, and by which decision (AG-706 4.6).
    RollbackStarted,
    /// A revert is being sent to a system; written before the executor is called.
    RevertDispatched,
    /// The health of a system after its revert (4.8, health check).
    RevertChecked,
    /// Whether a system is back as it was (4.8, rollback availability).
    SystemReverted,
    /// The backend restarted while systems were in flight.
    OperationRecovered,
    /// An operation ended.
    OperationFinished,
    /// A rollback was rehearsed (AG-706 4.6).
    DrillRecorded,
    /// A person signed in.
    SessionOpened,
    /// A person signed out, or was signed out.
    SessionClosed,
    /// Evidence was exported, by whom.
    EvidenceExported,
    /// Somebody read log entries.
    LogRead,
    /// A rationale or name was erased; its commitment remains.
    PayloadErased,
    /// A backup was restored and a new epoch opened by a signed act (DESIGN §7).
    EpochOpened,
}

/// A body with a form of its own.
pub trait Body: Serialize + DeserializeOwned {
    /// The kind of entry it belongs to.
    fn kind(&self) -> EntryKind;
}

/// Why something is not an entry.
#[derive(Debug, Error)]
pub enum EntryError {
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
    /// It is too large.
    #[error(
        "an entry of {0} bytes is too large; store what is large as a payload and name its digest, the limit is {ENTRY_BYTES_MAX}"
    )]
    TooLarge(usize),
    /// The body is not an object.
    #[error("the body of an entry is an object")]
    Body,
    /// The bytes are not those of an entry.
    #[error("the bytes are not an entry: {0}")]
    Malformed(#[source] serde_json::Error),
    /// The bytes are an entry, but not in canonical form, or of another schema.
    #[error("the entry is not in its canonical form")]
    NotCanonical,
    /// The entry is of another kind than was asked for.
    #[error("the entry is of another kind")]
    Kind,
}

impl Entry {
    /// An entry of `kind`; prefer [`Entry::of`] where the body has a form.
    #[must_use]
    pub fn new(kind: EntryKind, at: DateTime<Utc>, body: serde_json::Value) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            kind,
            at,
            body,
        }
    }

    /// An entry with this body.
    ///
    /// # Errors
    /// [`EntryError::Malformed`], never for the bodies of [`super::body`].
    pub fn of<B: Body>(at: DateTime<Utc>, body: &B) -> Result<Self, EntryError> {
        let value = serde_json::to_value(body).map_err(EntryError::Malformed)?;
        Ok(Self::new(body.kind(), at, value))
    }

    /// The body in its form.
    ///
    /// # Errors
    /// [`EntryError::Kind`] and [`EntryError::Malformed`].
    pub fn body<B: Body>(&self) -> Result<B, EntryError> {
        let body: B = serde_json::from_value(self.body.clone()).map_err(EntryError::Malformed)?;
        if body.kind() != self.kind {
            return Err(EntryError::Kind);
        }
        Ok(body)
    }

    /// The leaf's bytes.
    ///
    /// # Errors
    /// [`EntryError`] where the body is no object, has no canonical form, or is too large.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        if !self.body.is_object() {
            return Err(EntryError::Body);
        }
        let bytes = canonical::to_bytes(self)?;
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        Ok(bytes)
    }

    /// The entry with exactly these leaf bytes.
    ///
    /// # Errors
    /// [`EntryError`], also where the bytes are another spelling of an entry.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, EntryError> {
        if bytes.len() > ENTRY_BYTES_MAX {
            return Err(EntryError::TooLarge(bytes.len()));
        }
        let entry: Self = serde_json::from_slice(bytes).map_err(EntryError::Malformed)?;
        if entry.schema != SCHEMA || entry.to_bytes()? != bytes {
            return Err(EntryError::NotCanonical);
        }
        Ok(entry)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at() -> DateTime<Utc> {
        "2026-11-22T16:00:00Z".parse().unwrap()
    }

    #[test]
    fn an_entry_has_one_spelling() {
        let entry = Entry::new(EntryKind::SessionOpened, at(), json!({"approver": "mia"}));
        let bytes = entry.to_bytes().unwrap();
        assert_eq!(
            String::from_utf8(bytes.clone()).unwrap(),
            r#"{"at":"2026-11-22T16:00:00Z","body":{"approver":"mia"},"kind":"session_opened","schema":"countersign/entry/v1"}"#
        );
        assert_eq!(Entry::from_bytes(&bytes).unwrap(), entry);
        let spaced = [&bytes[..], b" "].concat();
        assert!(matches!(
            Entry::from_bytes(&spaced),
            Err(EntryError::NotCanonical)
        ));
        let doubled = String::from_utf8(bytes)
            .unwrap()
            .replace(r#""body":"#, r#""body":{},"body":"#);
        assert!(matches!(
            Entry::from_bytes(doubled.as_bytes()),
            Err(EntryError::Malformed(_))
        ));
    }

    #[test]
    fn what_is_no_entry_is_refused() {
        let entry = |body| Entry::new(EntryKind::LogRead, at(), body);
        assert!(matches!(entry(json!([])).to_bytes(), Err(EntryError::Body)));
        assert!(matches!(
            entry(json!({"x": 0.5})).to_bytes(),
            Err(EntryError::Canonical(_))
        ));
        assert!(matches!(
            entry(json!({"x": "x".repeat(65_536)})).to_bytes(),
            Err(EntryError::TooLarge(_))
        ));
        assert!(matches!(
            Entry::from_bytes(b"{}"),
            Err(EntryError::Malformed(_))
        ));
    }
}
