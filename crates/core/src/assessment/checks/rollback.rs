//! 4.6: a rollback is declared, and was rehearsed for this action on each class of targets.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::super::case::{Case, Found, age, utc};
use crate::identifier::ClassId;

/// AG-706 4.6: tested at least quarterly.
const DRILLED_WITHIN_DAYS: i64 = 92;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(rule) = case.rule else {
        return Found::unknown("no rule grants this, so no rollback is declared for it");
    };
    let kind = case.proposal.action.kind();
    if kind.is_irreversible()
        || case
            .history
            .is_some_and(|history| history.irreversible.contains(&kind))
    {
        return Found::fail(format!(
            "{} cannot be undone, so it never runs alone",
            kind.as_str()
        ));
    }
    if rule.rollback.is_empty() {
        return Found::fail(format!("rule {} declares no rollback", rule.id));
    }
    let Some(drills) = case.history.and_then(|history| history.drills.as_ref()) else {
        return Found::unknown("nobody can say when the rollback was last rehearsed");
    };
    let within = rule
        .rollback
        .drilled_within
        .map_or(Duration::days(DRILLED_WITHIN_DAYS), |span| span.duration());
    let classes: BTreeSet<&ClassId> = case.target_systems().map(|system| &system.class).collect();
    let mut oldest: Option<DateTime<Utc>> = None;
    for class in classes {
        let latest = drills
            .iter()
            .filter(|drill| {
                drill.action == kind && drill.class == *class && drill.succeeded_at <= case.now
            })
            .max_by_key(|drill| (drill.succeeded_at, drill.failed_since()));
        let Some(drill) = latest else {
            return Found::fail(format!(
                "the rollback of {} on {class} was never rehearsed",
                kind.as_str()
            ))
            .against("never", age(within));
        };
        let latest = drill.succeeded_at;
        if let Some(at) = drill.failed_since() {
            return Found::fail(format!(
                "the rollback of {} on {class} failed when it was last rehearsed, at {}",
                kind.as_str(),
                utc(at)
            ))
            .against("failed", age(within));
        }
        if case.now - latest > within {
            return Found::fail(format!(
                "the rollback of {} on {class} was last rehearsed {} ago; the limit is {}",
                kind.as_str(),
                age(case.now - latest),
                age(within)
            ))
            .against(age(case.now - latest), age(within));
        }
        oldest = Some(oldest.map_or(latest, |known| known.min(latest)));
    }
    match oldest {
        Some(at) => Found::pass(format!("rehearsed at {}", utc(at)))
            .against(age(case.now - at), age(within)),
        None => Found::unknown("there is no target whose rollback could have been rehearsed"),
    }
}
