//! The topology as a graph, and what an action is aimed at (DESIGN §4, effective scope).

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use serde::Serialize;

use crate::canonical::{self, CanonicalError};
use crate::identifier::{ClassId, Digest, GroupId, ServiceId, SystemId};
use crate::proposal::{Selector, Targets};
use crate::topology::{Dependency, Service, System, Tier, Topology};

/// Position of a system or service in a [`Graph`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIndex(u32);

/// What stands at a node.
#[derive(Debug, Clone, Copy)]
pub enum Node<'t> {
    /// A system.
    System(&'t System),
    /// A service.
    Service(&'t Service),
    /// An end of a dependency that the topology does not describe; counts as safety-critical.
    Unknown(&'t str),
}

impl<'t> Node<'t> {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> &'t str {
        match self {
            Self::System(system) => system.id.as_str(),
            Self::Service(service) => service.id.as_str(),
            Self::Unknown(id) => id,
        }
    }

    /// The tier that counts.
    #[must_use]
    pub fn tier(&self) -> Tier {
        match self {
            Self::System(system) => system.effective_tier(),
            Self::Service(service) => service.effective_tier(),
            Self::Unknown(_) => Tier::SafetyCritical,
        }
    }

    /// The system, where it is one.
    #[must_use]
    pub const fn system(&self) -> Option<&'t System> {
        match self {
            Self::System(system) => Some(system),
            Self::Service(_) | Self::Unknown(_) => None,
        }
    }
}

/// A dependency between two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'t> {
    /// Who needs.
    pub from: NodeIndex,
    /// What is needed.
    pub to: NodeIndex,
    /// The dependency itself.
    pub dependency: &'t Dependency,
}

/// A redundancy group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'t> {
    /// Its members.
    pub members: BTreeSet<&'t SystemId>,
    /// The largest `min_healthy` that a member names.
    pub min_healthy: u64,
}

/// A topology, indexed once and asked many times. Built in O(n log n).
#[derive(Debug, Clone)]
pub struct Graph<'t> {
    topology: &'t Topology,
    nodes: Vec<Node<'t>>,
    by_id: BTreeMap<&'t str, NodeIndex>,
    edges: Vec<Edge<'t>>,
    /// Edges by the node they end at (`to`).
    dependents: Vec<Vec<u32>>,
    /// Edges by the node they start at (`from`).
    dependencies: Vec<Vec<u32>>,
    groups: BTreeMap<&'t GroupId, Group<'t>>,
    class_sizes: BTreeMap<&'t ClassId, u64>,
    carriers: BTreeMap<&'t ServiceId, Vec<NodeIndex>>,
}

impl<'t> Graph<'t> {
    /// Indexes a topology. An end of a dependency that it does not describe becomes a
    /// safety-critical node of its own: fail closed.
    #[must_use]
    pub fn new(topology: &'t Topology) -> Self {
        let mut graph = Self {
            topology,
            nodes: Vec::with_capacity(topology.systems.len() + topology.services.len()),
            by_id: BTreeMap::new(),
            edges: Vec::with_capacity(topology.dependencies.len()),
            dependents: Vec::new(),
            dependencies: Vec::new(),
            groups: BTreeMap::new(),
            class_sizes: BTreeMap::new(),
            carriers: BTreeMap::new(),
        };
        for system in &topology.systems {
            let node = graph.add(Node::System(system));
            *graph.class_sizes.entry(&system.class).or_default() += 1;
            if let Some(redundancy) = &system.redundancy {
                let group = graph
                    .groups
                    .entry(&redundancy.group)
                    .or_insert_with(|| Group {
                        members: BTreeSet::new(),
                        min_healthy: 0,
                    });
                group.members.insert(&system.id);
                group.min_healthy = group.min_healthy.max(redundancy.min_healthy);
            }
            if let Some(service) = &system.service {
                graph.carriers.entry(service).or_default().push(node);
            }
        }
        for service in &topology.services {
            graph.add(Node::Service(service));
        }
        for dependency in &topology.dependencies {
            let from = graph.find_or_add(&dependency.from);
            let to = graph.find_or_add(&dependency.to);
            graph.edges.push(Edge {
                from,
                to,
                dependency,
            });
        }
        graph.dependents = vec![Vec::new(); graph.nodes.len()];
        graph.dependencies = vec![Vec::new(); graph.nodes.len()];
        for (position, edge) in (0_u32..).zip(&graph.edges) {
            if let Some(list) = graph.dependents.get_mut(edge.to.0 as usize) {
                list.push(position);
            }
            if let Some(list) = graph.dependencies.get_mut(edge.from.0 as usize) {
                list.push(position);
            }
        }
        graph
    }

    fn add(&mut self, node: Node<'t>) -> NodeIndex {
        // INVARIANT: documents are bounded far below 2^32 systems.
        let index = NodeIndex(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(node);
        self.by_id.insert(node.id(), index);
        index
    }

    fn find_or_add(&mut self, id: &'t str) -> NodeIndex {
        match self.by_id.get(id) {
            Some(index) => *index,
            None => self.add(Node::Unknown(id)),
        }
    }

    /// The topology behind it.
    #[must_use]
    pub const fn topology(&self) -> &'t Topology {
        self.topology
    }

    /// The node of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<NodeIndex> {
        self.by_id.get(id).copied()
    }

    /// The system of this name.
    #[must_use]
    pub fn system(&self, id: &str) -> Option<&'t System> {
        self.find(id)
            .and_then(|index| self.node(index))
            .and_then(|node| node.system())
    }

    /// What stands at `index`; `None` only for an index of another graph.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> Option<Node<'t>> {
        self.nodes.get(index.0 as usize).copied()
    }

    /// The tier at `index`.
    #[must_use]
    pub fn tier(&self, index: NodeIndex) -> Tier {
        self.node(index)
            .map_or(Tier::SafetyCritical, |node| node.tier())
    }

    /// Every node.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeIndex, Node<'t>)> + '_ {
        (0_u32..).map(NodeIndex).zip(self.nodes.iter().copied())
    }

    /// Every dependency.
    #[must_use]
    pub fn edges(&self) -> &[Edge<'t>] {
        &self.edges
    }

    /// The dependencies on `index`: who needs it.
    pub fn dependents(&self, index: NodeIndex) -> impl Iterator<Item = Edge<'t>> + '_ {
        self.listed(&self.dependents, index)
    }

    /// The dependencies of `index`: what it needs.
    pub fn dependencies(&self, index: NodeIndex) -> impl Iterator<Item = Edge<'t>> + '_ {
        self.listed(&self.dependencies, index)
    }

    fn listed<'g>(
        &'g self,
        lists: &'g [Vec<u32>],
        index: NodeIndex,
    ) -> impl Iterator<Item = Edge<'t>> + 'g {
        lists
            .get(index.0 as usize)
            .into_iter()
            .flatten()
            .filter_map(|position| self.edges.get(*position as usize).copied())
    }

    /// The redundancy group of this name.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<&Group<'t>> {
        self.groups.get(id)
    }

    /// How many systems of a class there are, of any tier.
    #[must_use]
    pub fn class_size(&self, class: &ClassId) -> u64 {
        self.class_sizes.get(class).copied().unwrap_or(0)
    }

    /// The systems that carry a service.
    #[must_use]
    pub fn carriers(&self, service: &ServiceId) -> &[NodeIndex] {
        self.carriers.get(service).map_or(&[], Vec::as_slice)
    }

    /// Whether a node is inside a range: one of its addresses, its own range, or for a service one
    /// of the systems that carry it.
    #[must_use]
    pub fn is_inside(&self, index: NodeIndex, range: &IpNet) -> bool {
        match self.node(index) {
            Some(Node::System(system)) => system_is_inside(system, range),
            Some(Node::Service(service)) => self.carriers(&service.id).iter().any(|carrier| {
                self.node(*carrier)
                    .and_then(|node| node.system())
                    .is_some_and(|s| system_is_inside(s, range))
            }),
            Some(Node::Unknown(_)) | None => false,
        }
    }

    /// The segments (systems with a range) that hold a node.
    pub fn segments_around(&self, index: NodeIndex) -> impl Iterator<Item = &'t System> + '_ {
        self.topology.systems.iter().filter(move |segment| {
            segment.cidr.is_some_and(|range| {
                self.find(segment.id.as_str()) != Some(index) && self.is_inside(index, &range)
            })
        })
    }
}

/// Whether a system is inside a range: one of its addresses is, or its own range is part of it.
#[must_use]
pub fn system_is_inside(system: &System, range: &IpNet) -> bool {
    system
        .addresses
        .iter()
        .any(|address| range.contains(address))
        || system.cidr.is_some_and(|own| range.contains(&own))
}

/// The targets of a proposal, resolved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ResolvedTargets {
    /// The systems, repeats dropped.
    pub systems: BTreeSet<SystemId>,
    /// Names that the topology lacks.
    pub unknown: BTreeSet<SystemId>,
}

/// Resolves named or selected targets.
#[must_use]
pub fn resolve(graph: &Graph<'_>, targets: &Targets) -> ResolvedTargets {
    match targets {
        Targets::Systems(named) => {
            let (systems, unknown) = named
                .iter()
                .cloned()
                .partition(|id| graph.system(id.as_str()).is_some());
            ResolvedTargets { systems, unknown }
        }
        Targets::Selector(selector) => ResolvedTargets {
            systems: graph
                .topology()
                .systems
                .iter()
                .filter(|system| selects(selector, system))
                .map(|system| system.id.clone())
                .collect(),
            unknown: BTreeSet::new(),
        },
    }
}

fn selects(selector: &Selector, system: &System) -> bool {
    let named = selector.class.is_some() || selector.tier.is_some() || !selector.labels.is_empty();
    named
        && selector
            .class
            .as_ref()
            .is_none_or(|class| *class == system.class)
        && selector
            .tier
            .is_none_or(|tier| tier == system.effective_tier())
        && selector
            .labels
            .iter()
            .all(|(name, value)| system.labels.get(name) == Some(value))
}

/// The part of a topology that an approval rests on: the scope's systems and services, the
/// dependencies that touch them, their groups and the segments around them, without time stamps.
/// A change anywhere else leaves its digest alone (DESIGN §4, digests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbourhood<'t> {
    systems: Vec<&'t System>,
    services: Vec<&'t Service>,
    dependencies: Vec<&'t Dependency>,
    groups: BTreeMap<&'t GroupId, NeighbourhoodGroup<'t>>,
    segments: Vec<&'t System>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NeighbourhoodGroup<'t> {
    members: BTreeSet<&'t SystemId>,
    min_healthy: u64,
}

impl<'t> Neighbourhood<'t> {
    /// The neighbourhood of these nodes.
    #[must_use]
    pub fn of(graph: &Graph<'t>, scope: &BTreeSet<NodeIndex>) -> Self {
        let mut systems = BTreeMap::new();
        let mut services = BTreeMap::new();
        let mut dependencies = BTreeSet::new();
        let mut groups = BTreeMap::new();
        for index in scope {
            match graph.node(*index) {
                Some(Node::System(system)) => {
                    systems.insert(&system.id, system);
                    if let Some(redundancy) = &system.redundancy
                        && let Some(group) = graph.group(&redundancy.group)
                    {
                        groups.insert(
                            &redundancy.group,
                            NeighbourhoodGroup {
                                members: group.members.clone(),
                                min_healthy: group.min_healthy,
                            },
                        );
                    }
                }
                Some(Node::Service(service)) => {
                    services.insert(&service.id, service);
                }
                Some(Node::Unknown(_)) | None => {}
            }
            dependencies.extend(graph.dependents(*index).map(|edge| edge.dependency));
            dependencies.extend(graph.dependencies(*index).map(|edge| edge.dependency));
        }
        let segments: BTreeMap<_, _> = graph
            .topology()
            .systems
            .iter()
            .filter(|segment| {
                segment.cidr.is_some_and(|range| {
                    systems
                        .values()
                        .any(|system| system_is_inside(system, &range))
                })
            })
            .map(|segment| (&segment.id, segment))
            .collect();
        Self {
            systems: systems.into_values().collect(),
            services: services.into_values().collect(),
            dependencies: dependencies.into_iter().collect(),
            groups,
            segments: segments.into_values().collect(),
        }
    }

    /// Its digest.
    ///
    /// # Errors
    /// Where a number in it is beyond 2^53.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }
}

/// The digest of a set of systems: JCS of the sorted array of ids (DESIGN §4, digests).
///
/// # Errors
/// Never in practice: ids are strings.
pub fn targets_digest(systems: &BTreeSet<SystemId>) -> Result<Digest, CanonicalError> {
    canonical::digest(systems)
}
