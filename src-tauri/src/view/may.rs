//! Whether the person signed in may decide something now, and if not, why not, in a sentence.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use countersign_core::assessment::QuorumRule;
use countersign_core::briefing::Briefing;
use countersign_core::decision::{Roster, item_rule};
use countersign_core::identifier::{ApproverId, Role};
use countersign_core::quorum::{QuorumState, any_one_of, evaluate, is_eligible};
use countersign_core::statement::DecisionKind;
use countersign_wire::client::review::Logged;
use countersign_wire::proposal::ItemState;
use countersign_wire::queue::DecisionSummary;
use countersign_wire::view::{MayView, QuorumView, SignedBy, WitnessView};

use super::quote;

/// Who looks, and what this console knows besides the documents.
#[derive(Debug, Clone)]
pub struct Viewer<'a> {
    /// Who is signed in.
    pub approver: Option<&'a ApproverId>,
    /// The people of the deployment, as its genesis and log lead to them.
    pub roster: &'a Roster,
    /// What is known of the log.
    pub witness: &'a WitnessView,
    /// The instant, by the backend's clock.
    pub now: DateTime<Utc>,
}

/// How far the operation of an item is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dispatch {
    /// There is none, or it has touched nothing: one eligible approver still stops the item (DESIGN §6.4).
    NotBegun,
    /// It has touched systems; or nobody could say.
    Begun,
}

/// An item as far as deciding goes.
#[derive(Debug, Clone, Copy)]
pub struct Item<'a> {
    /// Where it stands.
    pub state: ItemState,
    /// Its briefing, which says who may decide what.
    pub briefing: &'a Briefing,
    /// How far its operation is, if it has one.
    pub dispatch: Dispatch,
    /// Decisions so far.
    pub decisions: &'a [DecisionSummary],
    /// Who may not decide.
    pub proposers: &'a BTreeSet<ApproverId>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// Where the backend's assessment differs from ours.
    pub differences: &'a [String],
    /// Whether the log records the briefing.
    pub logged: &'a Logged,
}

fn may() -> MayView {
    MayView {
        may: true,
        why_not: None,
    }
}

fn not(why_not: impl Into<String>) -> MayView {
    MayView {
        may: false,
        why_not: Some(why_not.into()),
    }
}

/// Whether `approve` or `reject` may be signed.
#[must_use]
pub fn decide_item(viewer: &Viewer<'_>, item: &Item<'_>, kind: DecisionKind) -> MayView {
    let too_late = match item.state {
        ItemState::Waiting => "It has expired; the agent was told to stop.",
        ItemState::Running
            if kind == DecisionKind::Reject && item.dispatch == Dispatch::NotBegun =>
        {
            "The time to sign about it is over; abort its operation instead."
        }
        ItemState::Running
        | ItemState::Done
        | ItemState::Halted
        | ItemState::RolledBack
        | ItemState::Aborted
        | ItemState::Rejected
        | ItemState::Expired
        | ItemState::Superseded
        | ItemState::Refused
        | ItemState::Voided => {
            return not(format!("It no longer waits: {}.", state(item.state)));
        }
    };
    if viewer.now >= item.expires_at {
        return not(too_late);
    }
    let Ok(rule) = item_rule(item.briefing, kind) else {
        return not("There is nothing to decide: it needs no approval.");
    };
    let roles = match eligible(viewer, &rule) {
        Ok((approver, roles)) if item.proposers.contains(approver) => {
            let _ = roles;
            return not("You proposed it, or operate the agent that did; somebody else decides.");
        }
        Ok((approver, roles)) => {
            if item
                .decisions
                .iter()
                .any(|d| d.approver == *approver && d.kind == kind)
            {
                return not("You have signed already; the rest is for others.");
            }
            roles
        }
        Err(why_not) => return not(why_not),
    };
    if !item.differences.is_empty() {
        return not(
            "The backend's assessment differs from this console's own; nothing is signed here until they agree.",
        );
    }
    if kind == DecisionKind::Approve
        && let Some(why_not) = alarmed(viewer)
    {
        return not(why_not);
    }
    if kind == DecisionKind::Approve
        && let Logged::Unproved { reason } = item.logged
    {
        return not(format!(
            "The log is not proved to record this briefing: {}. Rejecting is not stopped.",
            quote::line(reason)
        ));
    }
    if kind == DecisionKind::Approve && !helps(viewer.roster, &rule, item.decisions, roles) {
        return not(format!(
            "Your role is represented already; still missing: {}.",
            missing(viewer.roster, &rule, kind, item.decisions).unwrap_or_default()
        ));
    }
    may()
}

/// Whether `roll_back` or `abort` may be signed: one eligible approver, also under an alarm.
#[must_use]
pub fn decide_operation(viewer: &Viewer<'_>, quorum: &QuorumRule) -> MayView {
    match eligible(viewer, &any_one_of(quorum)) {
        Ok(_) => may(),
        Err(why_not) => not(why_not),
    }
}

/// Whether `continue` may be signed: by one of the quorum, and never under an alarm.
#[must_use]
pub fn decide_continue(viewer: &Viewer<'_>, quorum: &QuorumRule) -> MayView {
    match (eligible(viewer, quorum), alarmed(viewer)) {
        (Err(why_not), _) => not(why_not),
        (Ok(_), Some(why_not)) => not(why_not),
        (Ok(_), None) => may(),
    }
}

/// Why approving is stopped here, where it is.
fn alarmed(viewer: &Viewer<'_>) -> Option<String> {
    match viewer.witness {
        WitnessView::Alarm { reason } => Some(format!(
            "Approving is stopped here: {reason}. Rejecting is not."
        )),
        WitnessView::Never => {
            Some("The log has not been verified yet; approving waits for that.".to_owned())
        }
        WitnessView::Consistent { .. } => None,
    }
}

fn eligible<'a>(
    viewer: &Viewer<'a>,
    rule: &QuorumRule,
) -> Result<(&'a ApproverId, &'a BTreeSet<Role>), String> {
    let approver = viewer.approver.ok_or("Nobody is signed in.")?;
    let enrolled = viewer
        .roster
        .approver(approver)
        .ok_or("You are not enrolled in this deployment.")?;
    if !is_eligible(&enrolled.roles, rule) {
        return Err(format!(
            "It takes {}; you are {}.",
            any_of(&rule.roles),
            all_of(&enrolled.roles)
        ));
    }
    Ok((approver, &enrolled.roles))
}

/// Whether one more approver with `roles` brings the quorum nearer.
fn helps(
    roster: &Roster,
    rule: &QuorumRule,
    decisions: &[DecisionSummary],
    roles: &BTreeSet<Role>,
) -> bool {
    match evaluate(rule, &agreed(roster, DecisionKind::Approve, decisions)) {
        QuorumState::Satisfied => false,
        QuorumState::Missing(missing) => {
            missing.unrepresented.is_empty() || !missing.unrepresented.is_disjoint(roles)
        }
    }
}

fn agreed(
    roster: &Roster,
    kind: DecisionKind,
    decisions: &[DecisionSummary],
) -> BTreeMap<ApproverId, BTreeSet<Role>> {
    decisions
        .iter()
        // Narrowed and whole decisions do not add up; which of them leads is the backend's to say.
        .filter(|decision| decision.kind == kind)
        .filter_map(|decision| roster.approver(&decision.approver))
        .map(|approver| (approver.id.clone(), approver.roles.clone()))
        .collect()
}

/// What the quorum for `kind` lacks, in words.
#[must_use]
pub fn missing(
    roster: &Roster,
    rule: &QuorumRule,
    kind: DecisionKind,
    decisions: &[DecisionSummary],
) -> Option<String> {
    match evaluate(rule, &agreed(roster, kind, decisions)) {
        QuorumState::Satisfied => None,
        QuorumState::Missing(missing) => {
            let roles = if missing.unrepresented.is_empty() {
                &missing.roles
            } else {
                &missing.unrepresented
            };
            Some(
                match (missing.approvers, missing.unrepresented.is_empty()) {
                    (1, _) => format!("one more: {}", any_of(roles)),
                    (n, false) if u64::from(n) == roles.len() as u64 => {
                        format!("{n} more: {}", all_of(roles))
                    }
                    (n, _) => format!("{n} more, each {}", any_of(roles)),
                },
            )
        }
    }
}

/// Who must sign and who has.
#[must_use]
pub fn quorum(
    roster: &Roster,
    rule: Option<&QuorumRule>,
    decisions: &[DecisionSummary],
) -> QuorumView {
    QuorumView {
        needed: rule.map_or(0, |rule| rule.needed),
        roles: rule
            .into_iter()
            .flat_map(|rule| &rule.roles)
            .map(|role| role.as_str().to_owned())
            .collect(),
        signed: decisions.iter().map(signed_by).collect(),
        missing: rule.and_then(|rule| missing(roster, rule, DecisionKind::Approve, decisions)),
    }
}

/// A recorded decision.
#[must_use]
pub fn signed_by(decision: &DecisionSummary) -> SignedBy {
    SignedBy {
        approver: decision.approver.as_str().to_owned(),
        name: quote::title(&decision.name),
        kind: decision.kind.as_str().to_owned(),
        at: decision.decided_at,
    }
}

/// `OT safety officer` for `ot-safety-officer`; roles we do not know stay as they are written.
#[must_use]
pub fn role(role: &str) -> String {
    match role {
        "ot-safety-officer" => "OT safety officer".to_owned(),
        "soc-lead" => "SOC lead".to_owned(),
        "on-call-engineer" => "on-call engineer".to_owned(),
        "governance-board" => "member of the governance board".to_owned(),
        "administrator" => "administrator".to_owned(),
        other => quote::name(other),
    }
}

fn any_of(roles: &BTreeSet<Role>) -> String {
    join(roles, "or").unwrap_or_else(|| "an enrolled approver".to_owned())
}

fn all_of(roles: &BTreeSet<Role>) -> String {
    join(roles, "and").unwrap_or_else(|| "without a role".to_owned())
}

fn join(roles: &BTreeSet<Role>, and: &str) -> Option<String> {
    let words: Vec<String> = roles.iter().map(|id| role(id.as_str())).collect();
    let (last, first) = words.split_last()?;
    Some(if first.is_empty() {
        last.clone()
    } else {
        format!("{} {and} {last}", first.join(", "))
    })
}

/// Where an item stands, in words.
const fn state(state: ItemState) -> &'static str {
    match state {
        ItemState::Waiting => "it waits",
        ItemState::Running => "it is being carried out",
        ItemState::Done => "it was carried out",
        ItemState::Halted => "the breaker halted it",
        ItemState::RolledBack => "it was undone",
        ItemState::Aborted => "it was stopped and left as it was",
        ItemState::Rejected => "it was rejected",
        ItemState::Expired => "nobody decided in time",
        ItemState::Superseded => "the agent replaced it",
        ItemState::Refused => "it was void from the start",
        ItemState::Voided => "what it rests on changed",
    }
}
