//! 4.4: health checks and a circuit breaker are declared.

use super::super::case::{Case, Found, count, some};
use crate::envelope::Breaker;
use crate::identifier::CheckId;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(rule) = case.rule else {
        return Found::unknown(
            "no rule grants this, so no health check or breaker is declared for it",
        );
    };
    let undeclared: Vec<_> = rule
        .rollout
        .health
        .iter()
        .filter(|name| {
            case.envelope
                .is_none_or(|envelope| !envelope.checks.contains_key(*name))
        })
        .collect();
    match (rule.rollout.health.is_empty(), &rule.rollout.breaker) {
        (_, _) if !undeclared.is_empty() => Found::fail(format!(
            "rule {} names health checks that the envelope does not declare: {}",
            rule.id,
            some(undeclared.into_iter().map(CheckId::as_str))
        )),
        (true, None) => Found::fail(format!(
            "rule {} declares neither a health check nor a breaker",
            rule.id
        )),
        (true, Some(_)) => Found::fail(format!("rule {} declares no health check", rule.id)),
        (false, None) => Found::fail(format!("rule {} declares no breaker", rule.id)),
        (false, Some(breaker)) => Found::pass(format!(
            "{} after each system; the breaker trips beyond {}",
            some(rule.rollout.health.iter().map(CheckId::as_str)),
            tolerated(breaker)
        )),
    }
}

/// What a breaker lets pass.
fn tolerated(breaker: &Breaker) -> String {
    let failures = breaker
        .tolerated()
        .map(|failures| count(failures.into(), "failure"));
    let share = breaker
        .failures_percent
        .map(|percent| format!("{percent} % of a wave"));
    match (failures, share) {
        (Some(failures), Some(share)) => format!("{failures} or {share}"),
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => count(0, "failure"),
    }
}
