//! 4.3: nothing that others need is disrupted, as far as a fresh enough topology tells.

use super::super::case::{Case, Found, age, count, some, utc};
use crate::proposal::ActionKind;
use crate::scope::NodeIndex;
use crate::topology::Tier;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let name = |index: &NodeIndex| case.graph.name(*index);
    let mut disrupted = case.graph.in_order(case.reach.hard_dependents());
    if excuses_targets(case) {
        disrupted.retain(|index| !case.reach.targets.contains(index));
    }
    if !disrupted.is_empty() {
        let number = disrupted.len() as u64;
        return Found::fail(format!(
            "{} disrupted: {}; the limit is 0",
            count(number, "hard dependent"),
            some(disrupted.iter().map(name))
        ))
        .against(number, 0);
    }
    let mut degraded = case.graph.in_order(case.reach.degraded());
    degraded.retain(|index| case.graph.tier(*index) == Tier::SafetyCritical);
    if !degraded.is_empty() {
        return Found::fail(format!(
            "degraded though safety-critical: {}",
            some(degraded.iter().map(name))
        ))
        .against(degraded.len(), 0);
    }
    not_evaluable(case)
        .unwrap_or_else(|| Found::pass("nothing that others need is disrupted").against(0, 0))
}

/// Whether a disrupted dependent that is itself a target is excused: it is worked on in its turn.
fn excuses_targets(case: &Case<'_, '_>) -> bool {
    match case.proposal.action.kind() {
        ActionKind::Patch
        | ActionKind::ConfigChange
        | ActionKind::ServiceRestart
        | ActionKind::ProcessKill => true,
        ActionKind::FirewallRule
        | ActionKind::NetworkIsolate
        | ActionKind::HostIsolate
        | ActionKind::CredentialRotate
        | ActionKind::AccountDisable
        | ActionKind::AclChange
        | ActionKind::FileQuarantine => false,
    }
}

fn not_evaluable(case: &Case<'_, '_>) -> Option<Found> {
    let observed_at = case.graph.observed_at();
    if observed_at > case.now {
        return Some(
            Found::unknown(format!(
                "the topology is from the future ({}); check the clocks",
                utc(observed_at)
            ))
            .measured(utc(observed_at)),
        );
    }
    let seen = case.graph.observed(&case.reach.scope);
    if seen.newest.at > case.now {
        let at = utc(seen.newest.at);
        let part = seen.newest.part.unwrap_or_default();
        return Some(
            Found::unknown(format!(
                "what is known of {part} is from the future ({at}); check the clocks"
            ))
            .measured(at),
        );
    }
    let old = case.now - seen.oldest.at;
    if let Some(limit) = case
        .rule
        .and_then(|rule| rule.conditions.topology_age.as_ref())
        && old > limit.max.duration()
    {
        return Some(
            Found::unknown(format!(
                "{} is {} old; the limit is {}",
                seen.oldest.part.map_or_else(
                    || "the topology".to_owned(),
                    |part| format!("what is known of {part}")
                ),
                age(old),
                limit.max
            ))
            .against(age(old), limit.max),
        );
    }
    if let Some(target) = case
        .graph
        .in_order(case.reach.unnamed_credential.iter().copied())
        .first()
        .and_then(|index| case.graph.node(*index))
    {
        return Some(Found::unknown(format!(
            "no dependency on {} names this credential, so nobody can say who uses it",
            target.id()
        )));
    }
    if case.reach.rests_on_unknown_in_flight {
        return Some(Found::unknown(
            "a redundancy group would hold, but nobody knows what else is in flight",
        ));
    }
    None
}
