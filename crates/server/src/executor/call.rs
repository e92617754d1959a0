//! What an executor is asked and what it answers, whatever its kind.
//!
//! Asked, as one JSON object: `{"verb":"plan","item":…,"systems":[…],"action":{…},"evidence":[]}`, or
//! `{"verb":"snapshot"|"apply"|"revert","operation":…,"sequence":…,"attempt":…,"system":…,"action":{…},
//! "evidence":[…]}`. `evidence` has the digests of the decisions it rests on; a guarded executor is given
//! the whole of it as `permit` (docs/operations.md). `revert` has the `snapshot` of before.
//! (operation, sequence) identifies a call for good, and `sequence` is its fencing token.
//!
//! Answered: `{"ok":true}`, with `snapshot` (any JSON without floats, the same for the same state) for
//! `snapshot` and `steps` (lines) for `plan`; or `{"ok":false,"message":"…"}`. What is not an answer is
//! a failure; what was cut off is unknown.

use std::collections::BTreeSet;

use countersign_core::canonical;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::operation::Sequence;
pub use countersign_core::permit::CallVerb as Asked;
use countersign_core::permit::Permit;
use countersign_core::proposal::Action;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::child::line;

/// Lines of a plan that are kept.
pub(super) const PLAN_STEPS_MAX: usize = 200;

/// What is asked of an executor about one system.
#[derive(Debug, Clone)]
pub struct Call {
    /// What.
    pub verb: Verb,
    /// The operation.
    pub operation: OperationId,
    /// The effect, unique in the operation.
    pub sequence: Sequence,
    /// From 1.
    pub attempt: u32,
    /// The system.
    pub system: SystemId,
    /// The action.
    pub action: Action,
    /// The decisions it rests on.
    pub evidence: BTreeSet<Digest>,
    /// The whole evidence, for an executor that checks it itself.
    pub permit: Option<Box<Permit>>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// The state of the system.
    Snapshot,
    /// The action.
    Apply,
    /// Its undoing.
    Revert {
        /// The snapshot of before, if there is one.
        snapshot: Option<serde_json::Value>,
    },
}

impl Verb {
    /// The verb alone.
    #[must_use]
    pub const fn asked(&self) -> Asked {
        match self {
            Self::Snapshot => Asked::Snapshot,
            Self::Apply => Asked::Apply,
            Self::Revert { .. } => Asked::Revert,
        }
    }
}

/// What is asked, as it travels.
#[derive(Debug, Serialize)]
pub(super) struct Input<'a> {
    pub(super) verb: Asked,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<&'a OperationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<&'a ProposalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) system: Option<&'a SystemId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) systems: Option<&'a BTreeSet<SystemId>>,
    pub(super) action: &'a Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) snapshot: Option<&'a serde_json::Value>,
    pub(super) evidence: Vec<Digest>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) permit: Option<&'a Permit>,
}

impl<'a> Input<'a> {
    pub(super) const fn plan(
        item: &'a ProposalId,
        action: &'a Action,
        systems: &'a BTreeSet<SystemId>,
    ) -> Self {
        Self {
            verb: Asked::Plan,
            operation: None,
            item: Some(item),
            sequence: None,
            attempt: None,
            system: None,
            systems: Some(systems),
            action,
            snapshot: None,
            evidence: Vec::new(),
            permit: None,
        }
    }

    pub(super) fn call(call: &'a Call) -> Self {
        let snapshot = match &call.verb {
            Verb::Snapshot | Verb::Apply => None,
            Verb::Revert { snapshot } => snapshot.as_ref(),
        };
        Self {
            verb: call.verb.asked(),
            operation: Some(&call.operation),
            item: None,
            sequence: Some(call.sequence.number()),
            attempt: Some(call.attempt),
            system: Some(&call.system),
            systems: None,
            action: &call.action,
            snapshot,
            evidence: call.evidence.iter().copied().collect(),
            permit: call.permit.as_deref(),
        }
    }

    /// The systems it is about.
    pub(super) fn about(&self) -> impl Iterator<Item = &'a SystemId> {
        self.system
            .into_iter()
            .chain(self.systems.into_iter().flatten())
    }

    /// One line of JSON.
    pub(super) fn to_line(&self) -> Result<Vec<u8>, ExecutorError> {
        let mut text =
            serde_json::to_vec(self).map_err(|error| ExecutorError::Failed(error.to_string()))?;
        text.push(b'\n');
        Ok(text)
    }
}

/// What is answered, as it travels.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Output {
    pub(super) ok: bool,
    #[serde(default)]
    pub(super) snapshot: Option<serde_json::Value>,
    #[serde(default)]
    pub(super) steps: Vec<String>,
    #[serde(default)]
    pub(super) message: Option<String>,
}

/// What an executor answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The canonical bytes of the snapshot, if it gave one.
    pub snapshot: Option<Vec<u8>>,
    /// The lines of its plan.
    pub steps: Vec<String>,
}

/// Why there is no good answer.
#[derive(Debug, Error)]
pub enum ExecutorError {
    /// It says or shows that it failed.
    #[error("{0}")]
    Failed(String),
    /// Nobody knows whether it did it.
    #[error("{0}")]
    Unknown(String),
}

impl Output {
    /// The answer, where it says that all is well; otherwise what it says.
    pub(super) fn into_answer(self) -> Result<Answer, Option<String>> {
        if !self.ok {
            return Err(self.message.map(|message| line(&message)));
        }
        let snapshot = self
            .snapshot
            .map(|value| canonical::to_bytes(&value))
            .transpose()
            .map_err(|error| Some(format!("the executor's snapshot: {error}")))?;
        Ok(Answer {
            snapshot,
            steps: self
                .steps
                .iter()
                .take(PLAN_STEPS_MAX)
                .map(|step| line(step))
                .collect(),
        })
    }
}
