//! What each kind of action disrupts at first hand (DESIGN §4, the table of action kinds).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;

use super::{Cause, Circumstances, Reach, own_range};
use crate::assessment::ImpactState;
use crate::identifier::{CredentialId, GroupId, SystemId};
use crate::proposal::{Action, FirewallRuleParameters};
use crate::scope::{Edge, Graph, NodeIndex};
use crate::topology::DependencyKind;

/// Lets everything suffer that the action disrupts at first hand (the table of DESIGN §4).
pub(super) fn disrupt<'t>(
    graph: &'t Graph,
    action: &Action,
    circumstances: Circumstances<'_>,
    reach: &mut Reach<'t>,
) {
    match action {
        Action::Patch(_)
        | Action::ConfigChange(_)
        | Action::ServiceRestart(_)
        | Action::ProcessKill(_) => {
            work_on_targets(graph, circumstances, reach);
        }
        Action::FirewallRule(rule) => {
            for edge in separated(graph, &rule.from.trunc(), &rule.to.trunc()) {
                if passes(graph, rule, &edge).is_none() {
                    reach.break_edge(edge, Cause::CutOff(edge));
                }
            }
        }
        Action::NetworkIsolate => isolate_segments(graph, reach),
        Action::HostIsolate => {
            for target in graph.in_order(reach.targets.iter().copied()) {
                for edge in graph.dependents(target).chain(graph.dependencies(target)) {
                    reach.break_edge(edge, Cause::CutOff(edge));
                }
            }
        }
        Action::CredentialRotate(parameters) => {
            change_credential(
                graph,
                reach,
                &parameters.credential,
                &parameters.updates_dependents,
            );
        }
        Action::AccountDisable(parameters) => {
            change_credential(graph, reach, &parameters.account, &BTreeSet::new())
        }
        Action::AclChange(parameters) => {
            change_credential(graph, reach, &parameters.principal, &BTreeSet::new())
        }
        Action::FileQuarantine(_) => {
            for target in graph.in_order(reach.targets.iter().copied()) {
                let service = graph
                    .node(target)
                    .and_then(|node| node.system())
                    .and_then(|s| s.service.as_ref());
                if let Some(service) = service.and_then(|id| graph.find(id.as_str())) {
                    reach
                        .effects
                        .suffer(service, ImpactState::Down, Cause::RunsFrom(target), true);
                }
            }
        }
    }
}

/// The targets are down while they are worked on; so are those that need them to run, for their
/// data or for control, unless a redundancy group keeps enough members.
fn work_on_targets<'t>(graph: &'t Graph, circumstances: Circumstances<'_>, reach: &mut Reach<'t>) {
    for target in graph.in_order(reach.targets.iter().copied()) {
        reach
            .effects
            .suffer(target, ImpactState::Down, Cause::WorkedOn, false);
    }
    let mut kept_groups = BTreeMap::new();
    for target in graph.in_order(reach.targets.iter().copied()) {
        let group = graph
            .node(target)
            .and_then(|n| n.system())
            .and_then(|s| s.redundancy.as_ref())
            .map(|r| &r.group);
        let kept = group.is_some_and(|id| {
            *kept_groups
                .entry(id)
                .or_insert_with(|| group_is_kept(graph, id, &reach.targets, circumstances))
        });
        for edge in graph.dependents(target) {
            match edge.dependency.kind {
                DependencyKind::Runtime | DependencyKind::Data | DependencyKind::Control => {
                    if kept {
                        reach.rests_on_unknown_in_flight |= circumstances
                            .history
                            .and_then(|h| h.in_flight.as_ref())
                            .is_none();
                    } else {
                        reach.break_edge(edge, Cause::NeedsTarget(edge));
                    }
                }
                DependencyKind::Credential => {}
            }
        }
    }
}

/// Whether a group keeps `min_healthy` members: those down at once are the smaller of the targeted
/// and the rollout's concurrency, plus those already in flight.
fn group_is_kept(
    graph: &Graph,
    id: &GroupId,
    targets: &BTreeSet<NodeIndex>,
    circumstances: Circumstances<'_>,
) -> bool {
    let Some(group) = graph.group(id) else {
        return false;
    };
    let targeted = graph
        .group_members(id)
        .iter()
        .filter(|member| targets.contains(member))
        .count() as u64;
    let at_once = circumstances
        .concurrency
        .map_or(targeted, |limit| targeted.min(u64::from(limit)));
    let in_flight: BTreeSet<&SystemId> = circumstances
        .history
        .and_then(|history| history.in_flight.as_ref())
        .into_iter()
        .flatten()
        .flat_map(|operation| &operation.systems)
        .filter(|system| group.members.contains(system))
        .collect();
    let down = at_once.saturating_add(in_flight.len() as u64);
    (group.members.len() as u64).saturating_sub(down) >= group.min_healthy
}

/// Each targeted segment is cut off from everything outside it; a target without a range is cut off alone.
fn isolate_segments<'t>(graph: &'t Graph, reach: &mut Reach<'t>) {
    for target in graph.in_order(reach.targets.iter().copied()) {
        let within = own_range(graph, target)
            .map(|range| graph.nodes_inside(&range))
            .unwrap_or_default();
        let within = graph.node_set(within.into_iter().chain([target]));
        let mut cut: Vec<Edge<'t>> = within
            .iter()
            .flat_map(|index| graph.dependencies(index).chain(graph.dependents(index)))
            .filter(|edge| within.contains(edge.from) != within.contains(edge.to))
            .collect();
        graph.edges_in_order(&mut cut);
        for edge in cut {
            reach.break_edge(edge, Cause::CutOff(edge));
        }
    }
}

/// Why a firewall rule leaves a dependency alone that joins its two ranges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Passes {
    /// It is of another port.
    OtherService,
    /// Its connections are opened from the other side.
    OtherDirection,
}

/// Why `rule` leaves alone a dependency that joins its ranges; `None` where it cuts it.
///
/// A one-way rule spares what is surely opened from the other side: who needs something to run, or
/// authenticates to it, opens the connection; who needs data may be sent them, unless the dependency
/// says which service of the other it connects to; control may begin on either side.
pub(super) fn passes(
    graph: &Graph,
    rule: &FirewallRuleParameters,
    edge: &Edge<'_>,
) -> Option<Passes> {
    if edge.dependency.surely_not_of(&rule.service) {
        return Some(Passes::OtherService);
    }
    if !rule.is_one_way() {
        return None;
    }
    let opened_by_dependent = match edge.dependency.kind {
        DependencyKind::Runtime | DependencyKind::Credential => true,
        DependencyKind::Data => edge.dependency.service.is_some(),
        DependencyKind::Control => false,
    };
    let along = graph.is_inside(edge.from, &rule.from.trunc())
        && graph.is_inside(edge.to, &rule.to.trunc());
    (opened_by_dependent && !along).then_some(Passes::OtherDirection)
}

/// The dependencies with one end in each range, found from the side with fewer addresses.
pub(super) fn separated<'t>(graph: &'t Graph, a: &IpNet, b: &IpNet) -> Vec<Edge<'t>> {
    let (fewer, other) = if graph.addresses_inside(a) <= graph.addresses_inside(b) {
        (a, b)
    } else {
        (b, a)
    };
    let mut edges: Vec<Edge<'t>> = Vec::new();
    for index in graph.nodes_inside(fewer) {
        edges.extend(
            graph
                .dependencies(index)
                .filter(|edge| graph.is_inside(edge.to, other)),
        );
        edges.extend(
            graph
                .dependents(index)
                .filter(|edge| graph.is_inside(edge.from, other)),
        );
    }
    graph.edges_in_order(&mut edges);
    edges
}

/// Everything that authenticates to a target with `credential` loses it, unless it is updated in the same step.
fn change_credential<'t>(
    graph: &'t Graph,
    reach: &mut Reach<'t>,
    credential: &CredentialId,
    updated: &BTreeSet<SystemId>,
) {
    for target in graph.in_order(reach.targets.iter().copied()) {
        let mut named = false;
        for edge in graph.dependents(target) {
            if edge.dependency.kind != DependencyKind::Credential
                || edge.dependency.credential.as_ref() != Some(credential)
            {
                continue;
            }
            named = true;
            if !updated.contains(graph.name(edge.from)) {
                reach.break_edge(edge, Cause::LosesCredential(edge));
            }
        }
        if !named {
            reach.unnamed_credential.insert(target);
        }
    }
}
