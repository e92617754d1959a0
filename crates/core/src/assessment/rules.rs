//! Which rule grants what: agent, action kind, and every target by its own class, tier, labels, site
//! and exposure (AG-706 4.1).

use std::collections::BTreeSet;

use crate::envelope::{Envelope, Rule};
use crate::proposal::Proposal;
use crate::scope::{Graph, ResolvedTargets};
use crate::topology::System;

/// Whether a rule grants the agent, the action kind and every target.
#[must_use]
pub fn grants(
    envelope: &Envelope,
    rule: &Rule,
    graph: &Graph,
    proposal: &Proposal,
    targets: &ResolvedTargets,
) -> bool {
    envelope.agents.contains(&proposal.agent)
        && rule.actions.contains(&proposal.action.kind())
        && !targets.systems.is_empty()
        && targets.systems.iter().all(|id| {
            graph
                .system(id.as_str())
                .is_some_and(|system| grants_system(rule, system))
        })
}

/// Whether a rule grants this target.
#[must_use]
pub fn grants_system(rule: &Rule, system: &System) -> bool {
    rule.targets.classes.contains(&system.class)
        && rule.targets.tiers.contains(&system.effective_tier())
        && rule
            .targets
            .labels
            .iter()
            .all(|(name, value)| system.labels.get(name) == Some(value))
        && asks_for(&rule.targets.sites, system.site.as_ref())
        && asks_for(&rule.targets.exposure, system.exposure.as_ref())
}

/// Whether a list that is empty asks nothing, or else holds a value that is known.
fn asks_for<T: Ord>(wanted: &BTreeSet<T>, known: Option<&T>) -> bool {
    wanted.is_empty() || known.is_some_and(|known| wanted.contains(known))
}
