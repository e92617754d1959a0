//! The same question asked of types instead of policies: the rules that allow a request.

use super::{
    OUTCOMES_MIN, Request, SYSTEMS_WITHOUT_CANARY_MAX, drilled_within, is_staged, limit, never,
    share_limit, tiers_with_autonomy,
};
use crate::envelope::{Conditions, Envelope, Rule};
use crate::identifier::RuleId;

/// The rules of `envelope` that let `request` run alone, in the document's order; none where a person
/// decides. It says of every request what Cedar says of it under [`super::policies`]; `proofs/` holds
/// the two, and the whole assessment, together.
pub fn allowed_by<'a>(
    envelope: &'a Envelope,
    request: &'a Request,
) -> impl Iterator<Item = &'a RuleId> {
    envelope
        .rules
        .iter()
        .filter(move |rule| {
            grants(envelope, rule, request)
                && within_bounds(rule, request)
                && under_this_rule(rule, request)
                && always(envelope, request)
                && never(envelope, rule).is_none()
        })
        .map(|rule| &rule.id)
}

/// 4.1, the grant.
fn grants(envelope: &Envelope, rule: &Rule, request: &Request) -> bool {
    let (wanted, scope) = (&rule.targets, &request.scope);
    rule.actions.contains(&request.action)
        && envelope.agents.contains(&request.agent)
        && scope.classes.is_subset(&wanted.classes)
        && scope.tiers.is_subset(&wanted.tiers)
        && wanted
            .labels
            .iter()
            .all(|(name, value)| scope.labels.get(name) == Some(value))
        && asks_for(&wanted.sites, scope.sites.as_ref())
        && asks_for(&wanted.exposure, scope.exposures.as_ref())
}

/// Whether a list that is empty asks nothing, or else holds all that there is.
fn asks_for<T: Ord>(
    wanted: &std::collections::BTreeSet<T>,
    known: Option<&std::collections::BTreeSet<T>>,
) -> bool {
    wanted.is_empty() || known.is_some_and(|known| known.is_subset(wanted))
}

/// 4.1, the bounds.
fn within_bounds(rule: &Rule, request: &Request) -> bool {
    let Conditions {
        outside,
        inside,
        concurrent_operations,
        error_budget,
        validated_in_staging,
        corroboration: _,
        false_positive_rate: _,
        topology_age: _,
    } = &rule.conditions;
    rule.severity.min.is_none_or(|min| request.severity >= min)
        && rule.severity.max.is_none_or(|max| request.severity <= max)
        && outside.is_disjoint(&request.calendars)
        && outside.is_disjoint(&request.calendars_undecided)
        && (inside.is_empty() || !inside.is_disjoint(&request.calendars))
        && concurrent_operations.as_ref().is_none_or(|most| {
            request
                .in_flight
                .is_some_and(|number| number < i64::from(most.max))
        })
        && error_budget.as_ref().is_none_or(|wanted| {
            let fact = request.rules.get(&rule.id);
            fact.and_then(|facts| facts.error_budget.as_ref())
                .is_some_and(|left| {
                    left.lowest >= wanted.min_remaining.parts_per_billion_ceil()
                        && wanted
                            .within
                            .is_none_or(|within| left.oldest <= i64::from(within.seconds()))
                })
        })
        && validated_in_staging.as_ref().is_none_or(|wanted| {
            request
                .staged_ago
                .is_some_and(|ago| ago <= i64::from(wanted.within.seconds()))
        })
}

/// 4.3, 4.6, 4.9 and 4.11 as far as the rule says more than the standard.
fn under_this_rule(rule: &Rule, request: &Request) -> bool {
    let conditions = &rule.conditions;
    request.scope.concurrency == rule.rollout.concurrency
        && conditions
            .topology_age
            .as_ref()
            .is_none_or(|age| request.topology_age <= i64::from(age.max.seconds()))
        && request
            .drilled_ago
            .is_some_and(|ago| ago <= drilled_within(rule))
        && (is_staged(rule) || request.scope.systems <= SYSTEMS_WITHOUT_CANARY_MAX)
        && conditions.corroboration.as_ref().is_none_or(|wanted| {
            let fact = request.rules.get(&rule.id);
            request.detected_ago <= i64::from(wanted.within.seconds())
                && fact
                    .and_then(|facts| facts.independent_sources)
                    .is_some_and(|sources| sources >= i64::from(wanted.independent_sources))
        })
        && conditions.false_positive_rate.as_ref().is_none_or(|most| {
            request
                .false_positives
                .as_ref()
                .is_some_and(|of| of.assessed >= OUTCOMES_MIN && of.share <= share_limit(most.max))
        })
}

/// What every rule asks for.
fn always(envelope: &Envelope, request: &Request) -> bool {
    let (authority, scope) = (&envelope.authority, &request.scope);
    request.now < request.proposal_expires_at
        && scope.unknown == 0
        && scope.targets > 0
        && scope.disrupted == 0
        && scope.degraded_safety_critical == 0
        && scope.dependents_known
        && request.topology_observed_at <= request.now
        && request.now >= authority.effective.timestamp_micros()
        && request.now < authority.expires.timestamp_micros()
        && request.authorised == Some(true)
        && request.suspended == Some(false)
        && !request.irreversible
        && !request.action.is_irreversible()
        && request.registered
        && request.detected_at <= request.now
        && within_limits(envelope, request)
}

/// 4.5 and 4.7.
fn within_limits(envelope: &Envelope, request: &Request) -> bool {
    tiers_with_autonomy(envelope)
        .find(|(tier, _)| *tier == request.scope.tier)
        .zip(request.scope.counted.as_ref())
        .is_some_and(|((_, radius), counted)| {
            counted.per == i64::from(radius.per.seconds())
                && radius
                    .systems
                    .is_none_or(|most| counted.systems <= limit(most))
                && radius
                    .services
                    .is_none_or(|most| counted.services <= limit(most))
                && radius
                    .segments
                    .is_none_or(|most| counted.segments <= limit(most))
                && radius
                    .fraction_of_class
                    .is_none_or(|most| counted.largest_share <= share_limit(most))
        })
}
