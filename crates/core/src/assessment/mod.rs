//! Assessment: whether an action may run alone, and if not, why not and who decides (AG-706 4.1–4.12).

pub mod calendar;
mod case;
mod checks;
mod evaluate;
mod explain;
pub mod rules;

use std::collections::BTreeSet;

pub use evaluate::{Evaluation, assess, blocking, evaluate, history_slice};
pub use explain::explain;
pub(crate) use rules::grants_system;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identifier::{Role, RuleId};
use crate::topology::Tier;

/// The result of assessing a proposal. `countersignctl assess --json` prints exactly this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assessment {
    /// What may happen now.
    pub verdict: Verdict,
    /// The rule that grants it, if one does.
    pub rule: Option<RuleId>,
    /// How far the action reaches.
    pub scope: ScopeCounts,
    /// One finding for each check, in the order of the clauses; never cut short.
    pub findings: Vec<Finding>,
    /// What goes down or is degraded.
    pub impact: Vec<ImpactEntry>,
    /// Who must decide; null where nobody may or needs to.
    pub quorum: Option<QuorumRule>,
    /// Why it is refused, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
}

/// What may happen with a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It runs without asking.
    Autonomous,
    /// A quorum decides.
    NeedsApproval,
    /// It is void: expired, of an unknown system, or of no target.
    Refused,
}

/// The effective scope in numbers (DESIGN §4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScopeCounts {
    /// Systems in scope, segments among them.
    pub systems: u64,
    /// Services carried by a system in scope, or reached by dependency.
    pub services: u64,
    /// Segments targeted or cut.
    pub segments: u64,
    /// The highest tier in scope.
    pub tier: Tier,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// The check.
    pub check: String,
    /// The requirement it checks.
    pub clause: Clause,
    /// What it found; everything but a pass blocks autonomy.
    pub outcome: Outcome,
    /// The measured value, in words.
    pub measured: Option<String>,
    /// The limit it was held against, in words.
    pub limit: Option<String>,
    /// A sentence for a tired person.
    pub message: String,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not hold.
    Fail,
    /// Nobody can say; counts like a failure.
    NotEvaluable,
}

/// A requirement of AG-706 section 4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the clause's number is the whole meaning")]
pub enum Clause {
    #[serde(rename = "4.1")]
    C4_1,
    #[serde(rename = "4.2")]
    C4_2,
    #[serde(rename = "4.3")]
    C4_3,
    #[serde(rename = "4.4")]
    C4_4,
    #[serde(rename = "4.5")]
    C4_5,
    #[serde(rename = "4.6")]
    C4_6,
    #[serde(rename = "4.7")]
    C4_7,
    #[serde(rename = "4.8")]
    C4_8,
    #[serde(rename = "4.9")]
    C4_9,
    #[serde(rename = "4.10")]
    C4_10,
    #[serde(rename = "4.11")]
    C4_11,
    #[serde(rename = "4.12")]
    C4_12,
}

impl Clause {
    /// The clause's number, such as `4.10`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::C4_1 => "4.1",
            Self::C4_2 => "4.2",
            Self::C4_3 => "4.3",
            Self::C4_4 => "4.4",
            Self::C4_5 => "4.5",
            Self::C4_6 => "4.6",
            Self::C4_7 => "4.7",
            Self::C4_8 => "4.8",
            Self::C4_9 => "4.9",
            Self::C4_10 => "4.10",
            Self::C4_11 => "4.11",
            Self::C4_12 => "4.12",
        }
    }
}

/// A system or service that suffers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpactEntry {
    /// The system or service.
    pub id: String,
    /// How.
    pub state: ImpactState,
    /// By which path, in words.
    pub because: String,
}

/// How much something suffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImpactState {
    /// It works worse.
    Degraded,
    /// It does not work.
    Down,
}

/// Who must decide: `needed` approvers, each holding one of `roles` (any approver where `roles` is
/// empty). With `needed` ≥ the number of roles each role must be represented (DESIGN §6.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuorumRule {
    /// How many approvers, at least one.
    pub needed: u32,
    /// Roles that count.
    pub roles: BTreeSet<Role>,
}
