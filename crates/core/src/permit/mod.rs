//! The permit: what a guarded executor is shown before it touches a system, and how it checks that for
//! itself (DESIGN §8, §11).
//!
//! A guarded executor believes its own [`Guard`] (the pinned genesis, the systems that need a decision),
//! its own clock, and its own [`Memory`] of what it was shown before. The backend assembles a [`Permit`]:
//! the genesis, the briefing, the signed decisions, and a short-lived [`Order`] of the log key that binds
//! them to one operation, system, wave and fencing token. The order alone proves nothing: [`check`] asks
//! for a quorum of people's keys over this action on this system, so that a hostile backend can have a
//! guarded system touched only as people decided, once, while their decision is valid.
//!
//! What a guard cannot see: a rejection or a suspended key that a hostile backend keeps from it. For keys
//! there is `suspended` in the guard's own file, which no backend changes.

mod check;
mod guard;
mod memory;
mod order;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use check::{Admission, Refusal, check};
pub use guard::{Guard, SCHEMA as GUARD_SCHEMA};
pub use memory::{Memory, Remembered};
pub use order::{Order, OrderError};

use crate::decision::UnverifiedDecision;
use crate::genesis::Genesis;
use crate::identifier::{Digest, OperationId, ProposalId, SystemId};
use crate::proposal::Action;
use crate::webauthn::{Assertion, Bytes};

/// The `schema` member of a permit.
pub const SCHEMA: &str = "countersign/permit/v1";
/// Decisions that one permit may carry; no quorum is larger than a genesis.
pub const DECISIONS_MAX: usize = 64;

/// What an executor is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallVerb {
    /// What it would do.
    Plan,
    /// The state of a system.
    Snapshot,
    /// The action.
    Apply,
    /// Its undoing.
    Revert,
}

impl CallVerb {
    /// The verb as calls write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Snapshot => "snapshot",
            Self::Apply => "apply",
            Self::Revert => "revert",
        }
    }

    /// Whether asking twice is as good as asking once, whoever is asked.
    #[must_use]
    pub const fn only_looks(self) -> bool {
        match self {
            Self::Plan | Self::Snapshot => true,
            Self::Apply | Self::Revert => false,
        }
    }
}

/// A call of an executor, as it reads it. docs/operations.md describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "docs/operations.md tables them")]
pub struct ExecutorCall {
    pub verb: CallVerb,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<OperationId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub item: Option<ProposalId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub system: Option<SystemId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systems: Option<BTreeSet<SystemId>>,
    pub action: Action,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<serde_json::Value>,
    #[serde(default)]
    pub evidence: Vec<Digest>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permit: Option<Box<Permit>>,
}

/// Everything that an executor needs to check for itself that it may act.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Permit {
    /// [`SCHEMA`].
    pub schema: String,
    /// The genesis, whose digest the guard pins.
    pub genesis: Genesis,
    /// The exact bytes of the [`Order`].
    pub order: String,
    /// The log key's signature over them.
    pub order_signature: Bytes,
    /// The exact bytes of the briefing.
    pub briefing: String,
    /// The approvals of the item.
    pub decisions: Vec<SignedDecision>,
    /// What orders the undoing, in a permit to revert.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reversal: Option<Reversal>,
}

/// A decision as it was submitted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedDecision {
    /// The exact bytes of the statement.
    pub statement: Bytes,
    /// What the key returned.
    pub assertion: Assertion,
}

/// A decision to roll an operation back, and what it is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Reversal {
    /// The exact bytes of the operation's document.
    pub document: String,
    /// Digest of the log entry of the trip, if it tripped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trip: Option<Digest>,
    /// The systems touched when it was decided.
    pub touched: BTreeSet<SystemId>,
    /// Those not touched.
    pub remaining: BTreeSet<SystemId>,
    /// The decision.
    pub decision: SignedDecision,
}

impl From<UnverifiedDecision> for SignedDecision {
    fn from(decision: UnverifiedDecision) -> Self {
        Self {
            statement: Bytes(decision.statement),
            assertion: decision.assertion,
        }
    }
}

impl From<SignedDecision> for UnverifiedDecision {
    fn from(decision: SignedDecision) -> Self {
        Self {
            statement: decision.statement.0,
            assertion: decision.assertion,
        }
    }
}

#[cfg(test)]
mod tests;
