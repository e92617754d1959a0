//! What may be rehearsed (AG-706 4.6): nobody signs for a drill, so nothing but its one non-critical
//! system may feel it.

use std::collections::BTreeSet;

use countersign_core::envelope::{Breaker, Rollout};
use countersign_core::history::History;
use countersign_core::identifier::{CheckId, SystemId};
use countersign_core::impact::{self, Circumstances};
use countersign_core::proposal::Action;
use countersign_core::scope::{Graph, NodeIndex};
use countersign_core::topology::Tier;

/// How a drill runs: one system, one attempt, no failure tolerated.
#[must_use]
pub fn rollout(checks: BTreeSet<CheckId>) -> Rollout {
    Rollout {
        concurrency: Some(1),
        breaker: Some(Breaker {
            failures: Some(0),
            attempts_per_system: Some(1),
            ..Breaker::default()
        }),
        health: checks,
        ..Rollout::default()
    }
}

/// Checks that `action` on `system` reaches nothing critical and takes down nothing that depends on
/// it. `history` says what is in flight.
///
/// # Errors
/// Why not, and what to do.
pub fn check(
    graph: &Graph,
    action: &Action,
    system: &SystemId,
    history: &History,
) -> Result<(), String> {
    if graph.system(system.as_str()).is_none() {
        return Err(format!("the topology has no system `{system}`"));
    }
    let targets = BTreeSet::from([system.clone()]);
    let circumstances = Circumstances {
        concurrency: Some(1),
        history: Some(history),
    };
    let reach = impact::reach(graph, action, &targets, circumstances);
    let name = |index: NodeIndex| graph.node(index).map_or("", |node| node.id());
    let critical = |index: &NodeIndex| graph.tier(*index) != Tier::NonCritical;
    if let Some(reached) = reach.scope.iter().copied().find(critical) {
        return Err(format!(
            "it would reach `{}`, which is {}; rehearse where everything in reach is non-critical",
            name(reached),
            graph.tier(reached)
        ));
    }
    if let Some(dependent) = reach.hard_dependents().into_iter().next() {
        return Err(format!(
            "`{}` depends on it and would go down; rehearse on a system that nothing depends on",
            name(dependent)
        ));
    }
    let degraded = reach.degraded().into_iter().find(critical);
    if let Some(degraded) = degraded {
        return Err(format!(
            "`{}`, which is {}, would be degraded; rehearse elsewhere",
            name(degraded),
            graph.tier(degraded)
        ));
    }
    if !reach.unnamed_credential.is_empty() {
        return Err(
            "no dependency names what it changes, so nobody can say who uses it".to_owned(),
        );
    }
    Ok(())
}
