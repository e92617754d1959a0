//! What the console's shell hands to its window. Everything is computed or checked by the shell:
//! the window shows it and holds no authority.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::operation::{AuthorityKind, OperationState, SystemPhase};
use crate::proposal::ItemState;

/// Criticality tier: a word and a shape before it is a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[serde(rename_all = "kebab-case")]
#[ts(export)]
#[expect(missing_docs, reason = "core::topology::Tier documents them")]
pub enum TierView {
    NonCritical,
    ProductionCritical,
    SafetyCritical,
}

/// The frame around every screen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FrameView {
    /// The backend; absent until the console knows one.
    pub backend: Option<BackendView>,
    /// Who is signed in.
    pub session: Option<SessionView>,
    /// Where the session is kept, in words; says so where it is only in memory.
    pub keeping: KeepingView,
    /// Whether this build carries demonstration keys.
    pub demonstration_build: bool,
    /// People who may sign in.
    pub approvers: Vec<ApproverView>,
}

/// A backend.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct BackendView {
    /// Its name for people.
    pub name: String,
    /// Its address.
    pub url: String,
    /// Deployment id.
    pub deployment: String,
    /// Whether it is a demonstration.
    pub demonstration: bool,
    /// Whether it answers.
    pub connection: ConnectionView,
    /// What the console, as a witness, last verified.
    pub witness: WitnessView,
}

/// Whether the backend answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
#[ts(export)]
pub enum ConnectionView {
    /// It answers, and events flow.
    Live,
    /// It does not; what is shown is as old as `since`.
    Lost {
        /// Since when.
        since: DateTime<Utc>,
        /// Why.
        reason: String,
    },
}

/// What the console last verified of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
#[ts(export)]
pub enum WitnessView {
    /// Nothing yet.
    Never,
    /// The log grew consistently.
    Consistent {
        /// Entries.
        size: u64,
        /// When it was verified.
        at: DateTime<Utc>,
    },
    /// The log contradicts what was verified before: approving is stopped here.
    Alarm {
        /// What contradicts what.
        reason: String,
    },
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SessionView {
    /// Approver id.
    pub approver: String,
    /// The name for people.
    pub name: String,
    /// Roles held.
    pub roles: Vec<String>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

/// Where the session is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "place", rename_all = "snake_case")]
#[ts(export)]
pub enum KeepingView {
    /// In the operating system's keyring.
    Keyring,
    /// In memory only.
    Memory {
        /// Why, and what to do.
        reason: String,
    },
}

/// Somebody who may sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ApproverView {
    /// Approver id.
    pub id: String,
    /// Roles held.
    pub roles: Vec<String>,
}

/// A hardware key that is present.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct KeyView {
    /// Stable while it is inserted.
    pub id: String,
    /// The name for people.
    pub label: String,
    /// Whether it is a demonstration key.
    pub demonstration: bool,
}

/// Event `key`: what the key waits for while a command signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "stage", rename_all = "snake_case")]
#[ts(export)]
pub enum KeyStage {
    /// Insert or wake it.
    Insert,
    /// Its PIN, through the command `give_pin`.
    Pin {
        /// Tries left, where the key says so.
        retries: Option<u8>,
        /// Why it asks again.
        message: Option<String>,
    },
    /// A touch.
    Touch {
        /// Whether the window must offer the touch itself (a demonstration key).
        demonstration: bool,
    },
    /// Nothing; it works.
    Working,
    /// Sending what was signed.
    Sending,
}

/// Event `changed`: something happened in the log; fetch what you show.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct Changed {
    /// Index of the entry.
    pub index: u64,
    /// Its kind.
    pub kind: String,
    /// The item it is about.
    pub item: Option<String>,
    /// The operation it is about.
    pub operation: Option<String>,
}

/// The queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct QueueView {
    /// Open items, nearest deadline first.
    pub open: Vec<QueueRow>,
    /// Items closed lately, latest first.
    pub closed: Vec<QueueRow>,
    /// What autonomy is suspended now: who suspended what, a sentence each; empty where nothing is.
    pub suspended: Vec<String>,
    /// Backend's clock minus this machine's, milliseconds.
    pub clock_offset_ms: i64,
    /// When this was true.
    pub as_of: DateTime<Utc>,
    /// What people should know besides.
    pub notices: Vec<NoticeView>,
}

/// What people should know besides the items of the queue: drills that failed or are overdue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct NoticeView {
    /// In our own words.
    pub text: String,
    /// The operation that tells more.
    pub operation: Option<String>,
    /// Since when.
    pub since: Option<DateTime<Utc>>,
}

/// An item in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct QueueRow {
    /// Its name.
    pub id: String,
    /// What is proposed, in our own words.
    pub title: String,
    /// Highest tier in scope.
    pub tier: TierView,
    /// Who proposes.
    pub agent: String,
    /// Where it stands.
    pub state: ItemState,
    /// The consequence, in a few words: `14 servers lose it`.
    pub consequence: String,
    /// Why it waits, worst first.
    pub why: Vec<String>,
    /// Systems in scope.
    pub systems: u64,
    /// Approvals wanted.
    pub needed: u32,
    /// Approvals so far.
    pub approvals: u32,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// The operation that carries it out.
    pub operation: Option<String>,
}

/// A briefing, checked and re-assessed by the console.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct BriefingView {
    /// In a line.
    pub row: QueueRow,
    /// What would happen to whom, computed, in two or three sentences.
    pub consequence: String,
    /// Findings that block, worst first.
    pub blocking: Vec<FindingView>,
    /// Findings that pass.
    pub passed: Vec<FindingView>,
    /// How far it reaches.
    pub scope: ScopeView,
    /// The targets.
    pub targets: Vec<SystemView>,
    /// What goes down or is degraded, down first.
    pub impact: Vec<ImpactRow>,
    /// The dependency graph, groups collapsed.
    pub graph: GraphView,
    /// The executor's plan.
    pub plan: PlanView,
    /// Waves in order, the canary first.
    pub waves: Vec<WaveView>,
    /// How it would be undone.
    pub rollback: RollbackView,
    /// What the agent says; never our words.
    pub agent_says: AgentSays,
    /// What the detection is often mistaken for.
    pub often_benign: Vec<String>,
    /// Digests that will be signed.
    pub digests: Vec<DigestRow>,
    /// Whether the console's own assessment agrees; where it does not, it refuses to sign.
    pub agreement: AgreementView,
    /// Who must sign and who has.
    pub quorum: QuorumView,
    /// Whether the person signed in may approve now, and why not.
    pub may_approve: MayView,
    /// Whether the person signed in may reject now, and why not.
    pub may_reject: MayView,
    /// The briefing's exact bytes, as text.
    pub raw: String,
    /// When it was assessed.
    pub assessed_at: DateTime<Utc>,
}

/// Whether something may be done, and why not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct MayView {
    /// Whether.
    pub may: bool,
    /// Why not, in a sentence.
    pub why_not: Option<String>,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct FindingView {
    /// AG-706 clause, such as `4.7`.
    pub clause: String,
    /// The check.
    pub check: String,
    /// `pass`, `fail` or `not_evaluable`.
    pub outcome: String,
    /// Measured value.
    pub measured: Option<String>,
    /// Limit.
    pub limit: Option<String>,
    /// A sentence.
    pub message: String,
}

/// Scope in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[expect(missing_docs, reason = "core::assessment::ScopeCounts documents them")]
pub struct ScopeView {
    pub systems: u64,
    pub services: u64,
    pub segments: u64,
    pub tier: TierView,
}

/// A system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SystemView {
    /// Its name.
    pub id: String,
    /// Its class.
    pub class: String,
    /// Its tier.
    pub tier: TierView,
    /// The service it carries.
    pub service: Option<String>,
}

/// A system or service that suffers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ImpactRow {
    /// Its name.
    pub id: String,
    /// For people.
    pub title: Option<String>,
    /// `system` or `service`.
    pub what: String,
    /// Its tier.
    pub tier: TierView,
    /// `down` or `degraded`.
    pub state: String,
    /// By which path.
    pub because: String,
}

/// The dependency graph with groups collapsed: at most about 300 nodes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphView {
    /// Nodes.
    pub nodes: Vec<GraphNode>,
    /// Edges, `from` depends on `to`.
    pub edges: Vec<GraphEdge>,
}

/// A node: one system or service, or several alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphNode {
    /// Stable within the graph.
    pub id: String,
    /// For people: a name, or `ehr-app-1 … ehr-app-14`.
    pub label: String,
    /// Its members; one where it is not a group.
    pub members: Vec<String>,
    /// Class, or `service`.
    pub class: String,
    /// Highest tier.
    pub tier: TierView,
    /// `target`, `inside`, `down`, `degraded` or `touched-by` (in scope, unharmed).
    pub role: String,
}

/// An edge: `from` depends on `to`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct GraphEdge {
    /// Node id.
    pub from: String,
    /// Node id.
    pub to: String,
    /// Dependency kind and credential, such as `credential svc_ehr`; `inside` for containment.
    pub label: String,
    /// Whether any of them is hard.
    pub hard: bool,
    /// Whether the action cuts or breaks it.
    pub broken: bool,
    /// How many dependencies it stands for.
    pub count: u64,
}

/// The executor's plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PlanView {
    /// `enforced`, `declared`, `modelled` or `none`.
    pub grade: String,
    /// The executor.
    pub executor: Option<String>,
    /// Its steps.
    pub steps: Vec<String>,
}

/// A wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WaveView {
    /// `canary`, or `wave 2`.
    pub label: String,
    /// Its systems.
    pub systems: Vec<String>,
}

/// How it would be undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct RollbackView {
    /// Whether it can be.
    pub reversible: bool,
    /// In a sentence.
    pub message: String,
    /// Last rehearsal.
    pub last_drilled: Option<DateTime<Utc>>,
}

/// What the agent says. Quoted, capped, after the findings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AgentSays {
    /// Who.
    pub agent: String,
    /// Its reasons.
    pub rationale: Option<String>,
    /// The detection's title.
    pub detection: String,
    /// Severity as claimed.
    pub severity: String,
    /// The detection's source as claimed.
    pub source: String,
    /// When it was detected.
    pub detected_at: DateTime<Utc>,
    /// Signals it claims.
    pub signals: Vec<String>,
}

/// A digest that will be signed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DigestRow {
    /// Of which document.
    pub name: String,
    /// SHA-256, hexadecimal.
    pub sha256: String,
    /// Whether the console computed the same from the document itself.
    pub recomputed: bool,
    /// Whether it is only the backend's claim (plan, history).
    pub claim: bool,
}

/// Whether the console's own assessment agrees with the backend's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct AgreementView {
    /// Whether.
    pub agrees: bool,
    /// Where it does not.
    pub differences: Vec<String>,
    /// Whether the log records the briefing; unless that is proved nothing is approved.
    pub logged: LoggedView,
}

/// Whether the log is proved to record a briefing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "state", rename_all = "snake_case")]
#[ts(export)]
pub enum LoggedView {
    /// It is.
    Proved {
        /// The entry's number.
        index: u64,
    },
    /// It is not.
    Unproved {
        /// Why.
        reason: String,
    },
}

/// Who must sign and who has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct QuorumView {
    /// How many.
    pub needed: u32,
    /// Of which roles.
    pub roles: Vec<String>,
    /// Who has.
    pub signed: Vec<SignedBy>,
    /// What is missing, in words.
    pub missing: Option<String>,
}

/// A signature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SignedBy {
    /// Approver id.
    pub approver: String,
    /// The name for people.
    pub name: String,
    /// `approve`, `reject`, `roll_back`, `abort`.
    pub kind: String,
    /// When.
    pub at: DateTime<Utc>,
}

/// What the command `decide` is asked to sign.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(deny_unknown_fields)]
#[ts(export)]
pub struct DecideRequest {
    /// The item's or operation's name.
    pub id: String,
    /// `approve`, `reject` (items), `roll_back`, `abort` (operations).
    pub kind: String,
    /// Digest of the bytes that were on the screen: the briefing's, or for an operation the `shown` of its view.
    pub shown: String,
    /// `low`, `moderate`, `high` or `severe`.
    pub risk_level: String,
    /// The approver's reasons.
    pub rationale: String,
    /// Clauses ticked as seen.
    pub acknowledged: Vec<String>,
    /// The targets that remain, where less is approved than was asked.
    pub narrowed_to: Option<Vec<String>>,
    /// Which key.
    pub key: String,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DecideOutcome {
    /// Digest of the statement that was signed.
    pub decision: String,
    /// Index of its log entry.
    pub index: u64,
    /// Whether the quorum is complete.
    pub complete: bool,
    /// What is missing, in words.
    pub missing: Option<String>,
    /// The operation that it started.
    pub operation: Option<String>,
}

/// What will be signed, in one sentence, before the key is asked (command `preview_decision`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct DecisionPreview {
    /// The sentence.
    pub sentence: String,
    /// What it would bring about, line by line.
    pub effects: Vec<String>,
}

/// An operation in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OperationRow {
    /// Its name.
    pub id: String,
    /// The item it carries out.
    pub item: Option<String>,
    /// In our own words.
    pub title: String,
    /// How it came to run.
    pub authority: AuthorityKind,
    /// Where it stands.
    pub state: OperationState,
    /// Systems it may touch.
    pub systems: u64,
    /// Recorded healthy.
    pub healthy: u64,
    /// Touched.
    pub touched: u64,
    /// The wave under way, from 1.
    pub wave: u32,
    /// Number of waves.
    pub waves: u32,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct OperationView {
    /// In a line.
    pub row: OperationRow,
    /// A cell a system, in the order of the rollout.
    pub cells: Vec<SystemCell>,
    /// Why it halted.
    pub trip: Option<TripView>,
    /// Who decided what.
    pub decisions: Vec<SignedBy>,
    /// Whether the person signed in may sign now that it goes on, and why not.
    pub may_continue: MayView,
    /// What the quorum for going on still lacks, of those who signed since it halted; absent where
    /// nothing is to be continued.
    pub continue_missing: Option<String>,
    /// Whether the person signed in may roll back now, and why not.
    pub may_roll_back: MayView,
    /// Whether the person signed in may abort now, and why not.
    pub may_abort: MayView,
    /// Digest of the subjects shown, for [`DecideRequest::shown`].
    pub shown: String,
}

/// A cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SystemCell {
    /// The system.
    pub id: String,
    /// Its wave, from 1.
    pub wave: u32,
    /// Where it stands.
    pub phase: SystemPhase,
    /// In a sentence.
    pub message: Option<String>,
    /// When that was.
    pub at: Option<DateTime<Utc>>,
}

/// Why an operation halted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TripView {
    /// The system that tripped it.
    pub system: String,
    /// In a sentence.
    pub message: String,
    /// When.
    pub at: DateTime<Utc>,
    /// Systems touched until then.
    pub touched: Vec<String>,
    /// How many were not.
    pub untouched: u64,
}
