//! An envelope in Cedar, the policy language: a schema and policies as text, and the request they are
//! asked with (docs/cedar.md).
//!
//! Cedar decides what an envelope says: who, what, on which targets, and every limit as a comparison.
//! What it cannot work out (reach, calendars, what adds up over a period) are facts in the request.
//! Nothing here depends on Cedar; `proofs/` holds its decisions and ours together.
//!
//! Cedar *skips* a policy that errs, so that a `forbid` that errs lets a request through. Hence there is
//! no arithmetic and no extension function in the policies, every optional attribute is guarded by
//! `has`, and each `permit` repeats what the `forbid`s say: whatever errs can only deny.

mod literal;
mod policies;
mod request;
mod schema;
mod typed;

use crate::envelope::{Envelope, Rule};
use crate::proposal::{ActionKind, Severity};
use crate::topology::Tier;

pub use policies::policies;
pub use request::{Counted, ErrorBudgetFact, FalsePositives, Request, RuleFacts, Scope};
pub use schema::schema;
pub use typed::allowed_by;

/// The namespace of every type of the schema.
pub const NAMESPACE: &str = "Countersign";

/// Systems above which AG-706 4.9 asks for a canary and waves.
const SYSTEMS_WITHOUT_CANARY_MAX: i64 = 10;

/// Recorded outcomes below which a false-positive rate says nothing (DESIGN §5, 4.11).
const OUTCOMES_MIN: i64 = 20;

/// Age of a drill where a rule declares a rollback and no age, in seconds (AG-706 4.6: quarterly).
const DRILLED_WITHIN_SECONDS: i64 = 92 * 86_400;

/// The name of a rule's record in the request's `rules`. The prefix keeps a rule's name from being one
/// that Cedar's JSON gives a meaning of its own, such as `__entity`.
fn rule_key(rule: &Rule) -> String {
    format!("rule:{}", rule.id)
}

/// A limit as a Cedar long. One that is too large to write is written as the largest that the largest
/// measured value, which is cut to `i64::MAX`, still exceeds.
fn limit(value: u64) -> i64 {
    i64::try_from(value)
        .unwrap_or(i64::MAX)
        .min(i64::MAX.saturating_sub(1))
}

/// The same of a share, in parts per billion rounded down: measured shares are rounded up, so that the
/// comparison is exact up to nine decimals and stricter beyond.
fn share_limit(share: crate::decimal::Decimal) -> i64 {
    share
        .parts_per_billion_floor()
        .min(i64::MAX.saturating_sub(1))
}

/// A severity as a Cedar long, least severe 0.
const fn severity(severity: Severity) -> i64 {
    match severity {
        Severity::Low => 0,
        Severity::Medium => 1,
        Severity::High => 2,
        Severity::Critical => 3,
    }
}

/// The tiers on which something may run alone at all: autonomy is bounded, and so is the reach
/// (AG-706 4.5, 4.7). Never safety-critical.
fn tiers_with_autonomy(
    envelope: &Envelope,
) -> impl Iterator<Item = (Tier, &crate::envelope::BlastRadius)> {
    use crate::envelope::Autonomy;
    envelope
        .tiers
        .iter()
        .filter(|(tier, rule)| **tier != Tier::SafetyCritical && rule.autonomy == Autonomy::Bounded)
        .filter_map(|(tier, rule)| Some((*tier, rule.blast_radius.as_ref()?)))
}

/// Why nothing under `rule` ever runs alone, whatever is asked; `None` where something may.
fn never(envelope: &Envelope, rule: &Rule) -> Option<&'static str> {
    let authority = &envelope.authority;
    let window = authority.expires.signed_duration_since(authority.effective);
    let undeclared = |name| !envelope.checks.contains_key(name);
    let reasons = [
        (
            window > chrono::TimeDelta::days(super::WINDOW_DAYS_MAX),
            "the authority window is too long (4.10)",
        ),
        (
            envelope.agents.is_empty(),
            "the envelope speaks of no agent (4.1)",
        ),
        (
            rule.actions.iter().all(|kind| kind.is_irreversible()),
            "none of its actions can be undone (4.6)",
        ),
        (
            rule.targets.classes.is_empty() || rule.targets.tiers.is_empty(),
            "it grants no class or no tier (4.1)",
        ),
        (
            rule.rollout.health.is_empty() || rule.rollout.health.iter().any(undeclared),
            "it declares no health check, or one that the envelope lacks (4.4)",
        ),
        (
            rule.rollout.breaker.is_none(),
            "it declares no breaker (4.4)",
        ),
        (rule.rollback.is_empty(), "it declares no rollback (4.6)"),
        (
            tiers_with_autonomy(envelope).next().is_none(),
            "no tier has both autonomy and a blast radius (4.5, 4.7)",
        ),
    ];
    reasons
        .into_iter()
        .find_map(|(holds, reason)| holds.then_some(reason))
}

/// Whether `rule` declares what AG-706 4.9 asks for above ten systems.
fn is_staged(rule: &Rule) -> bool {
    rule.rollout.canary.unwrap_or(0) > 0 && !rule.rollout.waves.is_empty()
}

/// The kinds of action that `rule` grants and that can be undone.
fn reversible(rule: &Rule) -> impl Iterator<Item = ActionKind> {
    rule.actions
        .iter()
        .copied()
        .filter(|kind| !kind.is_irreversible())
}

/// Longest age of a drill under `rule`, in seconds.
fn drilled_within(rule: &Rule) -> i64 {
    rule.rollback
        .drilled_within
        .map_or(DRILLED_WITHIN_SECONDS, |span| i64::from(span.seconds()))
}

#[cfg(test)]
mod tests;
