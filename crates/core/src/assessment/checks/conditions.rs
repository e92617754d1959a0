//! 4.1: conditions on what others measured: error budgets, and runs in staging.

use std::collections::BTreeSet;

use super::super::case::{Case, age, some};
use crate::assessment::Outcome;
use crate::envelope::{ErrorBudget, ValidatedInStaging};
use crate::history::{History, RemainingBudget};
use crate::identifier::{ClassId, ServiceId};

/// A condition that does not hold, or of which nobody can say whether it does.
pub(super) struct Miss {
    pub(super) outcome: Outcome,
    pub(super) message: String,
    /// The measured value and its limit, where there is one.
    pub(super) against: Option<(String, String)>,
}

impl Miss {
    fn unknown(message: impl Into<String>) -> Self {
        Self {
            outcome: Outcome::NotEvaluable,
            message: message.into(),
            against: None,
        }
    }

    fn fail(message: String, measured: impl ToString, limit: impl ToString) -> Self {
        Self {
            outcome: Outcome::Fail,
            message,
            against: Some((measured.to_string(), limit.to_string())),
        }
    }
}

/// Whether every service in the scope that `wanted` asks about has enough of its error budget left.
pub(super) fn error_budget(case: &Case<'_, '_>, wanted: &ErrorBudget) -> Option<Miss> {
    let services: BTreeSet<&ServiceId> = case
        .reach
        .services
        .iter()
        .copied()
        .filter(|service| wanted.services.is_empty() || wanted.services.contains(*service))
        .collect();
    let Some(history) = case.history.filter(|h| h.error_budgets.is_some()) else {
        return Some(Miss::unknown(
            "nobody can say what is left of any error budget",
        ));
    };
    let mut lowest: Option<&RemainingBudget> = None;
    let mut unknown = Vec::new();
    let mut stale = None;
    for service in services {
        let Some(budget) = latest_budget(history, service, case.now) else {
            unknown.push(service.as_str());
            continue;
        };
        if let Some(within) = wanted.within
            && case.now - budget.at > within.duration()
        {
            stale.get_or_insert((budget, within));
        }
        if lowest.is_none_or(|known| budget.remaining < known.remaining) {
            lowest = Some(budget);
        }
    }
    if let Some(budget) = lowest.filter(|budget| budget.remaining < wanted.min_remaining) {
        return Some(Miss::fail(
            format!(
                "{} has {} of its error budget left; at least {} is asked for",
                budget.service, budget.remaining, wanted.min_remaining
            ),
            budget.remaining,
            wanted.min_remaining,
        ));
    }
    if !unknown.is_empty() {
        return Some(Miss::unknown(format!(
            "nobody can say what is left of the error budget of {}",
            some(unknown.into_iter())
        )));
    }
    stale.map(|(budget, within)| {
        let old = age(case.now - budget.at);
        Miss {
            outcome: Outcome::NotEvaluable,
            message: format!(
                "the error budget of {} was measured {old} ago; the limit is {within}",
                budget.service
            ),
            against: Some((old, within.to_string())),
        }
    })
}

/// The latest measurement of a service's budget that is not after `now`; of two at one instant, the lower.
pub(in crate::assessment) fn latest_budget<'h>(
    history: &'h History,
    service: &ServiceId,
    now: chrono::DateTime<chrono::Utc>,
) -> Option<&'h RemainingBudget> {
    history
        .error_budgets
        .iter()
        .flatten()
        .filter(|budget| budget.service == *service && budget.at <= now)
        .max_by_key(|budget| (budget.at, std::cmp::Reverse(budget.remaining)))
}

/// Whether the same action succeeded in staging on the class of each target, lately enough.
pub(super) fn validated_in_staging(
    case: &Case<'_, '_>,
    wanted: &ValidatedInStaging,
) -> Option<Miss> {
    let (Some(runs), Ok(digest)) = (
        case.history.and_then(|history| history.staging.as_ref()),
        case.proposal.action.digest(),
    ) else {
        return Some(Miss::unknown(
            "nobody can say whether this succeeded in staging",
        ));
    };
    let kind = case.proposal.action.kind().as_str();
    let classes: BTreeSet<&ClassId> = case.target_systems().map(|system| &system.class).collect();
    for class in classes {
        let latest = runs
            .iter()
            .filter(|run| {
                run.action_digest == digest && run.class == *class && run.succeeded_at <= case.now
            })
            .map(|run| run.succeeded_at)
            .max();
        let Some(latest) = latest else {
            return Some(Miss::fail(
                format!("this {kind} never succeeded in staging on {class}"),
                "never",
                wanted.within,
            ));
        };
        if case.now - latest > wanted.within.duration() {
            let old = age(case.now - latest);
            return Some(Miss::fail(
                format!(
                    "this {kind} last succeeded in staging on {class} {old} ago; the limit is {}",
                    wanted.within
                ),
                old,
                wanted.within,
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decimal::Decimal;

    #[test]
    fn of_two_measurements_at_one_instant_the_lower_counts() {
        let budget = |remaining: &str, at: &str| RemainingBudget {
            service: ServiceId::new("shop").unwrap(),
            remaining: remaining.parse::<Decimal>().unwrap(),
            at: at.parse().unwrap(),
        };
        let now = "2026-11-24T02:20:00Z";
        let history = History {
            error_budgets: Some(vec![
                budget("0.1", "2026-11-24T01:00:00Z"),
                budget("0.9", now),
                budget("0.4", now),
                budget("0", "2026-11-24T02:20:01Z"),
            ]),
            ..History::default()
        };
        let found = latest_budget(
            &history,
            &ServiceId::new("shop").unwrap(),
            now.parse().unwrap(),
        );
        assert_eq!(found, Some(&budget("0.4", now)));
    }
}
