//! Impact: what an action disrupts, and everything that hard-depends on that (AG-706 4.3, DESIGN §4).

mod spread;

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use crate::assessment::{ImpactEntry, ImpactState};
use crate::history::History;
use crate::identifier::{CredentialId, ServiceId, SystemId};
use crate::proposal::Action;
use crate::scope::{Edge, Graph, Neighbourhood, Node, NodeIndex};
use crate::topology::{DependencyKind, Strength, Tier};
use spread::Effects;

/// Why a node suffers at first hand, or the dependency by which the harm reached it.
#[derive(Debug, Clone, Copy)]
pub enum Cause<'t> {
    /// It is a target, and worked on.
    WorkedOn,
    /// It runs from a quarantined system.
    RunsFrom(NodeIndex),
    /// It needs a target that is worked on.
    NeedsTarget(Edge<'t>),
    /// It is cut off from what it needs.
    CutOff(Edge<'t>),
    /// The credential it uses changes, and it is not told.
    LosesCredential(Edge<'t>),
    /// It needs something that is itself down.
    NeedsDown(Edge<'t>),
}

/// How a node suffers.
#[derive(Debug, Clone, Copy)]
pub struct Effect<'t> {
    /// How much.
    pub state: ImpactState,
    /// Why.
    pub cause: Cause<'t>,
    /// Whether it is disrupted as a hard dependent (what AG-706 4.3 forbids), besides any work on itself.
    pub hard_dependent: bool,
}

/// Everything an action reaches.
#[derive(Debug, Clone)]
pub struct Reach<'t> {
    /// The targets.
    pub targets: BTreeSet<NodeIndex>,
    /// What is inside a targeted segment.
    pub inside: BTreeSet<NodeIndex>,
    /// What suffers.
    effects: Effects<'t>,
    /// The effective scope: targets, inside, hard dependents.
    pub scope: BTreeSet<NodeIndex>,
    /// Services carried by a system in scope, or in scope themselves.
    pub services: BTreeSet<&'t ServiceId>,
    /// Ranges of the segments targeted or cut.
    pub segments: BTreeSet<IpNet>,
    /// The highest tier in scope; of an empty scope the lowest.
    pub tier: Tier,
    /// Dependencies that the action separates or breaks at first hand.
    pub broken: Vec<Edge<'t>>,
    /// Targets of which no dependency names the credential, account or principal.
    pub unnamed_credential: BTreeSet<NodeIndex>,
    /// Whether a redundancy group saved a dependent while nobody knows what is in flight.
    pub rests_on_unknown_in_flight: bool,
}

/// The facts besides the topology that impact rests on.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'h> {
    /// Systems worked on at once; `None` means all of them.
    pub concurrency: Option<u32>,
    /// What is in flight; `None` means nobody knows.
    pub history: Option<&'h History>,
}

/// Computes the reach of `action` on `targets`. Total, and linear in what it reaches.
#[must_use]
pub fn reach<'t>(
    graph: &'t Graph,
    action: &Action,
    targets: &BTreeSet<SystemId>,
    circumstances: Circumstances<'_>,
) -> Reach<'t> {
    let nodes: BTreeSet<NodeIndex> = targets
        .iter()
        .filter_map(|id| graph.find(id.as_str()))
        .collect();
    let mut ranges: BTreeSet<IpNet> = nodes
        .iter()
        .filter_map(|index| own_range(graph, *index))
        .collect();
    if let Action::FirewallRule(rule) = action {
        ranges.extend([rule.from.trunc(), rule.to.trunc()]);
    }
    let mut reach = Reach {
        inside: inside(graph, &nodes, &ranges),
        targets: nodes,
        effects: Effects::new(graph),
        scope: BTreeSet::new(),
        services: BTreeSet::new(),
        segments: ranges,
        tier: Tier::NonCritical,
        broken: Vec::new(),
        unnamed_credential: BTreeSet::new(),
        rests_on_unknown_in_flight: false,
    };
    first_hop(graph, action, circumstances, &mut reach);
    reach.effects.propagate();
    finish(graph, action, &mut reach);
    reach
}

fn own_range(graph: &Graph, index: NodeIndex) -> Option<IpNet> {
    graph.node(index)?.system()?.cidr
}

fn inside(
    graph: &Graph,
    targets: &BTreeSet<NodeIndex>,
    ranges: &BTreeSet<IpNet>,
) -> BTreeSet<NodeIndex> {
    ranges
        .iter()
        .flat_map(|range| graph.systems_inside(range))
        .filter(|index| !targets.contains(index))
        .collect()
}

impl<'t> Reach<'t> {
    /// Records that `edge` is broken at its `from` end.
    fn break_edge(&mut self, edge: Edge<'t>, cause: Cause<'t>) {
        self.broken.push(edge);
        match edge.dependency.strength {
            Strength::Hard => self
                .effects
                .suffer(edge.from, ImpactState::Down, cause, true),
            Strength::Soft => self
                .effects
                .suffer(edge.from, ImpactState::Degraded, cause, false),
        };
    }

    /// The hard dependents disrupted.
    #[must_use]
    pub fn hard_dependents(&self) -> Vec<NodeIndex> {
        self.effects.hard_dependents()
    }

    /// What is degraded.
    #[must_use]
    pub fn degraded(&self) -> Vec<NodeIndex> {
        self.effects.degraded()
    }

    /// What suffers, and why. Where much does, the first who asks pays for the reasons.
    #[must_use]
    pub fn effects(&self) -> &BTreeMap<NodeIndex, Effect<'t>> {
        self.effects.all()
    }

    /// The systems in scope.
    pub fn systems<'g>(
        &'g self,
        graph: &'g Graph,
    ) -> impl Iterator<Item = &'g crate::topology::System> + 'g {
        self.scope
            .iter()
            .filter_map(|index| graph.node(*index))
            .filter_map(|node| node.system())
    }

    /// The neighbourhood of the scope.
    #[must_use]
    pub fn neighbourhood<'g>(&self, graph: &'g Graph) -> Neighbourhood<'g> {
        Neighbourhood::of(graph, &self.scope)
    }

    /// What goes down or is degraded, sorted by name.
    #[must_use]
    pub fn entries(&self, graph: &Graph) -> Vec<ImpactEntry> {
        let mut entries: Vec<_> = self
            .effects()
            .iter()
            .filter_map(|(index, effect)| {
                let id = graph.node(*index)?.id().to_owned();
                Some(ImpactEntry {
                    id,
                    state: effect.state,
                    because: self.because(graph, *index),
                })
            })
            .collect();
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
    }

    /// The path by which harm reaches `index`, in words: nearest first, the cause last.
    fn because(&self, graph: &Graph, index: NodeIndex) -> String {
        let effects = self.effects();
        let mut path = Vec::new();
        let mut at = index;
        // INVARIANT: causes form a forest rooted in first-hand causes; the bound only guards against a defect.
        for _ in 0..=effects.len() {
            let Some(effect) = effects.get(&at) else {
                break;
            };
            match effect.cause {
                Cause::NeedsDown(edge) => {
                    path.push(format!(
                        "needs {} ({})",
                        name(graph, edge.to),
                        edge.dependency.kind.as_str()
                    ));
                    at = edge.to;
                }
                Cause::WorkedOn => {
                    path.push("is worked on itself".to_owned());
                    break;
                }
                Cause::RunsFrom(system) => {
                    path.push(format!("runs from {}", name(graph, system)));
                    break;
                }
                Cause::NeedsTarget(edge) => {
                    path.push(format!(
                        "needs {} ({}), which is worked on",
                        name(graph, edge.to),
                        edge.dependency.kind.as_str()
                    ));
                    break;
                }
                Cause::CutOff(edge) => {
                    path.push(format!(
                        "is cut off from {} ({})",
                        name(graph, edge.to),
                        edge.dependency.kind.as_str()
                    ));
                    break;
                }
                Cause::LosesCredential(edge) => {
                    let credential = edge
                        .dependency
                        .credential
                        .as_ref()
                        .map_or("a credential", CredentialId::as_str);
                    path.push(format!(
                        "uses {credential} of {}, which changes and is not delivered to it",
                        name(graph, edge.to)
                    ));
                    break;
                }
            }
        }
        const SHOWN_MAX: usize = 6;
        if path.len() > SHOWN_MAX {
            let left_out = path.len() - SHOWN_MAX;
            let last = path.split_off(path.len() - 1);
            path.truncate(SHOWN_MAX - 1);
            path.push(format!("and so on through {left_out} more"));
            path.extend(last);
        }
        path.join(", which ")
    }
}

fn name(graph: &Graph, index: NodeIndex) -> &str {
    graph.node(index).map_or("?", |node| node.id())
}

fn first_hop<'t>(
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
                reach.break_edge(edge, Cause::CutOff(edge));
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
    id: &crate::identifier::GroupId,
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
        let mut within = own_range(graph, target)
            .map(|range| graph.nodes_inside(&range))
            .unwrap_or_default();
        within.insert(target);
        let mut cut: Vec<Edge<'t>> = within
            .iter()
            .flat_map(|index| graph.dependencies(*index).chain(graph.dependents(*index)))
            .filter(|edge| within.contains(&edge.from) != within.contains(&edge.to))
            .collect();
        graph.edges_in_order(&mut cut);
        for edge in cut {
            reach.break_edge(edge, Cause::CutOff(edge));
        }
    }
}

/// The dependencies with one end in each range, found from the side with fewer addresses.
fn separated<'t>(graph: &'t Graph, a: &IpNet, b: &IpNet) -> Vec<Edge<'t>> {
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
            if !updated.contains(name(graph, edge.from)) {
                reach.break_edge(edge, Cause::LosesCredential(edge));
            }
        }
        if !named {
            reach.unnamed_credential.insert(target);
        }
    }
}

fn finish<'t>(graph: &'t Graph, action: &Action, reach: &mut Reach<'t>) {
    let separates = matches!(
        action,
        Action::FirewallRule(_) | Action::NetworkIsolate | Action::HostIsolate
    );
    reach.scope = reach
        .targets
        .union(&reach.inside)
        .copied()
        .chain(reach.effects.hard_dependents())
        .collect();
    reach.tier = reach
        .scope
        .iter()
        .map(|index| graph.tier(*index))
        .max()
        .unwrap_or(Tier::NonCritical);
    for index in &reach.scope {
        match graph.node(*index) {
            Some(Node::System(system)) => reach.services.extend(system.service.as_ref()),
            Some(Node::Service(service)) => {
                reach.services.insert(&service.id);
            }
            Some(Node::Unknown(_)) | None => {}
        }
    }
    if !separates {
        return;
    }
    let cut: BTreeSet<NodeIndex> = reach
        .broken
        .iter()
        .flat_map(|edge| [edge.from, edge.to])
        .collect();
    reach.segments.extend(
        cut.into_iter()
            .flat_map(|index| graph.segments_around(index))
            .filter_map(|segment| segment.cidr),
    );
}
