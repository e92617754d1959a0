//! Impact: what an action disrupts, and everything that hard-depends on that (AG-706 4.3, DESIGN §4).

pub mod dry_run;
mod first_hop;
mod spread;
mod words;

use std::collections::BTreeSet;

use ipnet::IpNet;

use crate::assessment::{ImpactEntry, ImpactState};
use crate::history::History;
use crate::identifier::{ServiceId, SystemId};
use crate::proposal::Action;
use crate::scope::{Edge, Graph, Neighbourhood, Node, NodeIndex};
use crate::topology::{Strength, Tier};
pub use first_hop::Passes;
use spread::Spread;

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

/// What suffers, each node once, in the order of [`NodeIndex`].
#[derive(Debug, Clone, Default)]
pub struct Effects<'t> {
    list: Vec<(NodeIndex, Effect<'t>)>,
}

impl<'t> Effects<'t> {
    /// How a node suffers, where it does.
    #[must_use]
    pub fn get(&self, index: NodeIndex) -> Option<&Effect<'t>> {
        let place = self.list.binary_search_by_key(&index, |(node, _)| *node);
        self.list.get(place.ok()?).map(|(_, effect)| effect)
    }

    /// How many nodes suffer.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.list.len()
    }

    /// Whether nothing suffers.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Every node that suffers, and how.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &(NodeIndex, Effect<'t>)> {
        self.list.iter()
    }
}

impl<'e, 't> IntoIterator for &'e Effects<'t> {
    type Item = &'e (NodeIndex, Effect<'t>);
    type IntoIter = std::slice::Iter<'e, (NodeIndex, Effect<'t>)>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.iter()
    }
}

/// Everything an action reaches.
#[derive(Debug, Clone)]
pub struct Reach<'t> {
    /// The targets.
    pub targets: BTreeSet<NodeIndex>,
    /// What is inside a targeted segment.
    pub inside: BTreeSet<NodeIndex>,
    /// What suffers.
    effects: Spread<'t>,
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
        effects: Spread::new(graph),
        scope: BTreeSet::new(),
        services: BTreeSet::new(),
        segments: ranges,
        tier: Tier::NonCritical,
        broken: Vec::new(),
        unnamed_credential: BTreeSet::new(),
        rests_on_unknown_in_flight: false,
    };
    first_hop::disrupt(graph, action, circumstances, &mut reach);
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
        match edge.strength() {
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
    pub fn effects(&self) -> &Effects<'t> {
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
        let effects = self.effects();
        let mut room = words::Room::default();
        let mut entries = Vec::with_capacity(effects.len());
        let known = effects
            .iter()
            .filter(|(index, _)| graph.node(*index).is_some());
        entries.extend(known.map(|(index, effect)| ImpactEntry {
            id: graph.name(*index).to_owned(),
            state: effect.state,
            because: words::because(graph, effects, effect, &mut room),
        }));
        entries.sort_by(|a, b| a.id.cmp(&b.id));
        entries
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
    let mut last = None;
    for index in &reach.scope {
        match graph.node(*index) {
            Some(Node::System(system)) => {
                // Systems that stand together often carry one service.
                if system.service.as_ref() != last {
                    last = system.service.as_ref();
                    reach.services.extend(last);
                }
            }
            Some(Node::Service(service)) => {
                reach.services.insert(&service.id);
            }
            Some(Node::Unknown(_)) | None => {}
        }
    }
    if !separates {
        return;
    }
    let cut = graph.node_set(reach.broken.iter().flat_map(|edge| [edge.from, edge.to]));
    graph.add_ranges_around(&cut, &mut reach.segments);
}
