//! Whether one rule makes another superfluous: 4.1 reports the rule with the fewest failures, then
//! the first in the document, so a later rule that never fails less never decides.

use std::collections::BTreeSet;

use crate::envelope::{Conditions, Rollback, Rollout, Rule, SeverityBounds};

/// Whether `earlier` grants all that `later` grants and fails nowhere where `later` passes.
pub(crate) fn shadows(earlier: &Rule, later: &Rule) -> bool {
    earlier.actions.is_superset(&later.actions)
        && earlier.targets.classes.is_superset(&later.targets.classes)
        && earlier.targets.tiers.is_superset(&later.targets.tiers)
        && earlier
            .targets
            .labels
            .iter()
            .all(|(name, value)| later.targets.labels.get(name) == Some(value))
        && is_wider(&earlier.targets.sites, &later.targets.sites)
        && is_wider(&earlier.targets.exposure, &later.targets.exposure)
        && admits_severity(&earlier.severity, &later.severity)
        && asks_no_more(&earlier.conditions, &later.conditions)
        && declares_no_less(&earlier.rollout, &later.rollout)
        && undoes_no_less(&earlier.rollback, &later.rollback)
}

/// Whether a list, which asks nothing where it is empty, admits all that `later` admits.
fn is_wider<T: Ord>(earlier: &BTreeSet<T>, later: &BTreeSet<T>) -> bool {
    earlier.is_empty() || (!later.is_empty() && earlier.is_superset(later))
}

fn admits_severity(earlier: &SeverityBounds, later: &SeverityBounds) -> bool {
    let low = match (earlier.min, later.min) {
        (None, _) => true,
        (Some(earlier), Some(later)) => earlier <= later,
        (Some(_), None) => false,
    };
    let high = match (earlier.max, later.max) {
        (None, _) => true,
        (Some(earlier), Some(later)) => earlier >= later,
        (Some(_), None) => false,
    };
    low && high
}

/// Whether what `earlier` asks follows from what `later` asks: no condition, or a looser one.
fn follows<T>(earlier: Option<&T>, later: Option<&T>, looser: impl Fn(&T, &T) -> bool) -> bool {
    match (earlier, later) {
        (None, _) => true,
        (Some(earlier), Some(later)) => looser(earlier, later),
        (Some(_), None) => false,
    }
}

fn asks_no_more(earlier: &Conditions, later: &Conditions) -> bool {
    earlier.outside.is_subset(&later.outside)
        && is_wider(&earlier.inside, &later.inside)
        && follows(
            earlier.corroboration.as_ref(),
            later.corroboration.as_ref(),
            |e, l| e.independent_sources <= l.independent_sources && e.within >= l.within,
        )
        && follows(
            earlier.false_positive_rate.as_ref(),
            later.false_positive_rate.as_ref(),
            |e, l| e.max >= l.max && e.over == l.over,
        )
        && follows(
            earlier.topology_age.as_ref(),
            later.topology_age.as_ref(),
            |e, l| e.max >= l.max,
        )
        && follows(
            earlier.concurrent_operations.as_ref(),
            later.concurrent_operations.as_ref(),
            |e, l| e.max >= l.max,
        )
        && follows(
            earlier.error_budget.as_ref(),
            later.error_budget.as_ref(),
            |e, l| {
                (l.services.is_empty()
                    || e.services.is_subset(&l.services) && !e.services.is_empty())
                    && e.min_remaining <= l.min_remaining
                    && follows(e.within.as_ref(), l.within.as_ref(), |e, l| e >= l)
            },
        )
        && follows(
            earlier.validated_in_staging.as_ref(),
            later.validated_in_staging.as_ref(),
            |e, l| e.within >= l.within,
        )
}

/// 4.4 and 4.9 ask that health checks, a breaker, a canary and waves are declared.
fn declares_no_less(earlier: &Rollout, later: &Rollout) -> bool {
    (!earlier.health.is_empty() || later.health.is_empty())
        && (earlier.breaker.is_some() || later.breaker.is_none())
        && (earlier.canary.is_some() || later.canary.is_none())
        && (!earlier.waves.is_empty() || later.waves.is_empty())
}

/// 4.6 asks that a rollback is declared, and drilled lately enough.
fn undoes_no_less(earlier: &Rollback, later: &Rollback) -> bool {
    (later.is_empty() || !earlier.is_empty())
        && (earlier.within.is_some() || later.within.is_none())
        && match (earlier.drilled_within, later.drilled_within) {
            (_, None) => true,
            (Some(earlier), Some(later)) => earlier >= later,
            (None, Some(_)) => false,
        }
}
