//! 4.7: a safety-critical scope is never autonomous.

use super::super::case::{Case, Found, some};
use crate::envelope::Autonomy;
use crate::topology::Tier;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let tier = if case.targets.unknown.is_empty() {
        case.reach.tier
    } else {
        Tier::SafetyCritical
    };
    match tier {
        Tier::SafetyCritical => {
            let scope = case.graph.in_order(case.reach.scope.iter().copied());
            let critical = || {
                scope
                    .iter()
                    .filter(|index| case.graph.tier(**index) == Tier::SafetyCritical)
                    .map(|index| case.graph.name(*index))
            };
            let message = match critical().count() {
                0 => {
                    "a target that the topology does not know counts as safety-critical".to_owned()
                }
                1 => format!(
                    "{} is safety-critical; only people may decide",
                    some(critical())
                ),
                number => format!(
                    "{number} in scope are safety-critical ({}); only people may decide",
                    some(critical())
                ),
            };
            Found::fail(message).against(tier, Tier::ProductionCritical)
        }
        Tier::ProductionCritical | Tier::NonCritical => {
            match case
                .envelope
                .and_then(|envelope| envelope.tiers.get(&tier))
                .map(|rule| rule.autonomy)
            {
                Some(Autonomy::Prohibited) => {
                    Found::fail(format!("the envelope prohibits autonomy on {tier} systems"))
                        .measured(tier)
                }
                Some(Autonomy::Bounded) => Found::pass(format!("the scope is {tier}"))
                    .against(tier, Tier::ProductionCritical),
                None if case.envelope.is_none() => Found::pass(format!("the scope is {tier}"))
                    .against(tier, Tier::ProductionCritical),
                None => Found::fail(format!("the envelope says nothing of {tier} systems"))
                    .measured(tier),
            }
        }
    }
}
