//! A topology as a graph: indexed once, asked many times, changed a part at a time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use ipnet::IpNet;

use super::adjacency::{Adjacency, Link};
use super::change::Changes;
use super::names::Names;
use super::ranges::Network;
use super::{Node, NodeIndex, NodeSet, system_is_inside};
use crate::identifier::{ClassId, GroupId, ServiceId, SystemId};
use crate::topology::{Dependency, Strength, System, Tier, Topology};

/// A dependency between two nodes.
#[derive(Debug, Clone, Copy)]
pub struct Edge<'t> {
    /// Who needs.
    pub from: NodeIndex,
    /// What is needed.
    pub to: NodeIndex,
    /// The dependency itself.
    pub dependency: &'t Dependency,
    pub(super) is_hard: bool,
    pub(super) position: u32,
}

impl Edge<'_> {
    /// How strong it is; known without a look at the dependency itself.
    #[must_use]
    pub const fn strength(&self) -> Strength {
        if self.is_hard {
            Strength::Hard
        } else {
            Strength::Soft
        }
    }
}

/// A redundancy group.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group<'t> {
    /// Its members.
    pub members: BTreeSet<&'t SystemId>,
    /// The largest `min_healthy` that a member names.
    pub min_healthy: u64,
}

/// A topology, indexed once and asked many times. Built in O(n log n); cloning shares what is
/// indexed, so that readers keep theirs while a clone is changed ([`Graph::update`]).
#[derive(Debug, Clone)]
pub struct Graph {
    pub(super) base: Arc<Base>,
    /// Dependencies by the node they end at (`to`).
    pub(super) dependents: Adjacency,
    /// Dependencies by the node they start at (`from`).
    pub(super) dependencies: Adjacency,
    pub(super) has_soft: bool,
    /// Whether a part says itself when it was seen.
    pub(super) has_stamps: bool,
    pub(super) changes: Changes,
    /// The topology with its changes, once somebody asks.
    pub(super) whole: OnceLock<Arc<Topology>>,
}

/// What was indexed at first.
#[derive(Debug)]
pub(super) struct Base {
    pub(super) topology: Arc<Topology>,
    /// Ends of dependencies that the topology does not describe.
    unknown: Vec<String>,
    names: Names,
    classes: BTreeMap<ClassId, Vec<u32>>,
    labels: BTreeMap<String, BTreeMap<String, Vec<u32>>>,
    groups: BTreeMap<GroupId, Vec<u32>>,
    carriers: BTreeMap<ServiceId, Vec<u32>>,
    network: Network,
}

impl From<&Topology> for Arc<Topology> {
    fn from(topology: &Topology) -> Self {
        Self::new(topology.clone())
    }
}

/// `number` as a node's or a dependency's number.
pub(super) fn compact(number: usize) -> u32 {
    // INVARIANT: documents are bounded far below 2^31 systems and dependencies.
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Base {
    pub(super) fn name(&self, node: u32) -> &str {
        self.names.name(node)
    }

    pub(super) const fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn find(&self, id: &str) -> Option<u32> {
        self.names.find(id)
    }

    fn node(&self, node: u32) -> Option<Node<'_>> {
        let Topology {
            systems, services, ..
        } = &*self.topology;
        let node = node as usize;
        if let Some(system) = systems.get(node) {
            return Some(Node::System(system));
        }
        let node = node - systems.len();
        match services.get(node) {
            Some(service) => Some(Node::Service(service)),
            None => self
                .unknown
                .get(node - services.len())
                .map(|id| Node::Unknown(id)),
        }
    }
}

impl Graph {
    /// Indexes a topology, which it shares (an `Arc` or a value) or copies (a reference). An end of
    /// a dependency that the topology does not describe becomes a safety-critical node of its own:
    /// fail closed.
    #[must_use]
    pub fn new(topology: impl Into<Arc<Topology>>) -> Self {
        let topology = topology.into();
        let mut unknown: Vec<String> = Vec::new();
        let (systems, services) = (topology.systems.len(), topology.services.len());
        let described = || {
            let systems = topology.systems.iter().map(|system| system.id.as_str());
            systems.chain(topology.services.iter().map(|service| service.id.as_str()))
        };
        let mut names = Names::new(described());
        let mut ends: Vec<(u32, u32)> = Vec::with_capacity(topology.dependencies.len());
        let mut strangers: BTreeMap<&str, u32> = BTreeMap::new();
        let mut last: Option<(&str, u32)> = None;
        for dependency in &topology.dependencies {
            let end = |id: &str| names.find(id).or_else(|| strangers.get(id).copied());
            // Sorted by `from`, most repeat the one before.
            let from = match last {
                Some((id, node)) if id == dependency.from => Some(node),
                Some(_) | None => end(&dependency.from),
            };
            let to = end(&dependency.to);
            let mut add = |id| {
                *strangers.entry(id).or_insert_with(|| {
                    unknown.push(String::from(id));
                    compact(systems + services + unknown.len() - 1)
                })
            };
            let from = from.unwrap_or_else(|| add(&dependency.from));
            ends.push((from, to.unwrap_or_else(|| add(&dependency.to))));
            last = Some((&dependency.from, from));
        }
        if !unknown.is_empty() {
            names = Names::new(described().chain(unknown.iter().map(String::as_str)));
        }
        let nodes = systems + services + unknown.len();
        let is_hard = |position: usize| {
            topology
                .dependencies
                .get(position)
                .is_none_or(|d| d.strength == Strength::Hard)
        };
        let links = || {
            ends.iter()
                .enumerate()
                .map(|(position, (from, to))| (*from, *to, is_hard(position)))
        };
        let dependents = Adjacency::new(nodes, links().map(|(from, to, hard)| (to, from, hard)));
        let dependencies = Adjacency::new(nodes, links());
        let has_soft = topology
            .dependencies
            .iter()
            .any(|d| d.strength == Strength::Soft);
        let has_stamps = topology.systems.iter().any(|s| s.observed_at.is_some())
            || topology.services.iter().any(|s| s.observed_at.is_some())
            || topology
                .dependencies
                .iter()
                .any(|d| d.observed_at.is_some());
        let mut classes: BTreeMap<ClassId, Vec<u32>> = BTreeMap::new();
        let mut labels: BTreeMap<String, BTreeMap<String, Vec<u32>>> = BTreeMap::new();
        let mut groups: BTreeMap<GroupId, Vec<u32>> = BTreeMap::new();
        let mut carriers: BTreeMap<ServiceId, Vec<u32>> = BTreeMap::new();
        for (node, system) in (0..).zip(&topology.systems) {
            list(&mut classes, &system.class, node);
            for (name, value) in &system.labels {
                match labels.get_mut(name) {
                    Some(values) => list(values, value, node),
                    None => {
                        let values = BTreeMap::from([(value.clone(), vec![node])]);
                        labels.insert(name.clone(), values);
                    }
                }
            }
            if let Some(redundancy) = &system.redundancy {
                list(&mut groups, &redundancy.group, node);
            }
            if let Some(service) = &system.service {
                list(&mut carriers, service, node);
            }
        }
        let network = Network::new(&topology.systems);
        Self {
            dependents,
            dependencies,
            has_soft,
            has_stamps,
            changes: Changes::new(topology.observed_at),
            whole: OnceLock::new(),
            base: Arc::new(Base {
                topology,
                unknown,
                names,
                classes,
                labels,
                groups,
                carriers,
                network,
            }),
        }
    }

    /// The topology behind it, changes included; after an update the first who asks pays for
    /// putting it together.
    #[must_use]
    pub fn topology(&self) -> &Topology {
        if self.changes.is_empty() {
            return &self.base.topology;
        }
        self.whole.get_or_init(|| Arc::new(self.assembled()))
    }

    /// When the topology was true.
    #[must_use]
    pub const fn observed_at(&self) -> DateTime<Utc> {
        self.changes.observed_at
    }

    /// How many nodes there are, those removed since it was built included.
    pub(super) fn len(&self) -> usize {
        self.base.len() + self.changes.nodes_added
    }

    /// The node of this name.
    #[must_use]
    pub fn find(&self, id: &str) -> Option<NodeIndex> {
        let added = self.changes.names.get(id).copied();
        let node = NodeIndex(added.or_else(|| self.base.find(id))?);
        self.node(node).map(|_| node)
    }

    /// The system of this name.
    #[must_use]
    pub fn system(&self, id: &str) -> Option<&System> {
        self.find(id)
            .and_then(|index| self.node(index))
            .and_then(|node| node.system())
    }

    /// What stands at `index`; `None` for what was removed, or an index of another graph.
    #[must_use]
    pub fn node(&self, index: NodeIndex) -> Option<Node<'_>> {
        match self.changes.part(index.0) {
            Some(part) => part.node(),
            None if (index.0 as usize) < self.base.len() => self.base.node(index.0),
            None => None,
        }
    }

    /// The name of what stands at `index`; nothing where nothing does.
    #[must_use]
    pub fn name(&self, index: NodeIndex) -> &str {
        match self.changes.part(index.0) {
            Some(part) => part.node().map_or("", |node| node.id()),
            None => self.base.name(index.0),
        }
    }

    /// The tier at `index`.
    #[must_use]
    pub fn tier(&self, index: NodeIndex) -> Tier {
        self.node(index)
            .map_or(Tier::SafetyCritical, |node| node.tier())
    }

    /// The dependencies on `index`: who needs it.
    pub fn dependents(&self, index: NodeIndex) -> impl Iterator<Item = Edge<'_>> + '_ {
        self.dependents
            .links(index.0)
            .filter_map(move |link| self.edge(NodeIndex(link.other), index, link))
    }

    /// The dependencies of `index`: what it needs.
    pub fn dependencies(&self, index: NodeIndex) -> impl Iterator<Item = Edge<'_>> + '_ {
        self.dependencies
            .links(index.0)
            .filter_map(move |link| self.edge(index, NodeIndex(link.other), link))
    }

    fn edge(&self, from: NodeIndex, to: NodeIndex, link: Link) -> Option<Edge<'_>> {
        Some(Edge {
            from,
            to,
            dependency: self.dependency(link.position)?,
            is_hard: link.is_hard,
            position: link.position,
        })
    }

    pub(super) fn dependency(&self, position: u32) -> Option<&Dependency> {
        let base = &self.base.topology.dependencies;
        match (position as usize).checked_sub(base.len()) {
            None => base.get(position as usize),
            Some(added) => self.changes.dependencies.get(added).map(|d| &**d),
        }
    }

    /// Brings nodes into the order of the document: systems by name, then services.
    pub fn in_order(&self, nodes: impl IntoIterator<Item = NodeIndex>) -> Vec<NodeIndex> {
        let mut nodes: Vec<NodeIndex> = nodes.into_iter().collect();
        if self.changes.added.is_empty() {
            nodes.sort_unstable();
        } else {
            nodes.sort_by(|a, b| self.order(a.0).cmp(&self.order(b.0)));
        }
        nodes
    }

    /// Brings dependencies into the order of the document and drops repeats.
    pub(crate) fn edges_in_order<'g>(&self, edges: &mut Vec<Edge<'g>>) {
        if self.changes.dependencies.is_empty() {
            edges.sort_unstable_by_key(|edge| edge.position);
        } else {
            edges.sort_by(|a, b| a.dependency.cmp(b.dependency));
        }
        edges.dedup_by_key(|edge| edge.position);
    }

    /// The systems of an index, corrected by what changed since.
    fn indexed<'g>(
        &'g self,
        list: Option<&'g Vec<u32>>,
        holds: impl Fn(&System) -> bool + 'g,
    ) -> Vec<NodeIndex> {
        let base = list.map(Vec::as_slice).unwrap_or_default();
        if self.changes.is_empty() {
            return base.iter().copied().map(NodeIndex).collect();
        }
        self.in_order(
            base.iter()
                .copied()
                .filter(|node| self.changes.part(*node).is_none())
                .map(NodeIndex)
                .chain(self.changed_systems(holds)),
        )
    }

    fn changed_systems<'g>(
        &'g self,
        holds: impl Fn(&System) -> bool + 'g,
    ) -> impl Iterator<Item = NodeIndex> + 'g {
        self.changes
            .parts()
            .filter(move |(_, part)| {
                part.node()
                    .and_then(|node| node.system())
                    .is_some_and(&holds)
            })
            .map(|(node, _)| NodeIndex(node))
    }

    /// The redundancy group of this name.
    #[must_use]
    pub fn group(&self, id: &GroupId) -> Option<Group<'_>> {
        let members = self.group_members(id);
        let systems = || {
            members
                .iter()
                .filter_map(|index| self.node(*index)?.system())
        };
        Some(Group {
            min_healthy: systems()
                .filter_map(|system| system.redundancy.as_ref())
                .map(|redundancy| redundancy.min_healthy)
                .max()?,
            members: systems().map(|system| &system.id).collect(),
        })
    }

    /// The members of a redundancy group.
    #[must_use]
    pub fn group_members(&self, id: &GroupId) -> Vec<NodeIndex> {
        self.indexed(self.base.groups.get(id), |system| {
            system.redundancy.as_ref().is_some_and(|r| r.group == *id)
        })
    }

    /// How many systems of a class there are, of any tier.
    #[must_use]
    pub fn class_size(&self, class: &ClassId) -> u64 {
        let list = self.base.classes.get(class);
        if self.changes.is_empty() {
            return list.map_or(0, Vec::len) as u64;
        }
        self.indexed(list, |system| system.class == *class).len() as u64
    }

    /// The systems that carry a service.
    #[must_use]
    pub fn carriers(&self, service: &ServiceId) -> Vec<NodeIndex> {
        self.indexed(self.base.carriers.get(service), |system| {
            system.service.as_ref() == Some(service)
        })
    }

    /// The systems of a class; of a label and its value; or all.
    pub(super) fn candidates<'g>(
        &'g self,
        class: Option<&'g ClassId>,
        labels: &'g BTreeMap<String, String>,
    ) -> Vec<NodeIndex> {
        let of_class = class.map(|class| self.base.classes.get(class).map_or(&[][..], |l| l));
        let of_labels = labels.iter().map(|(name, value)| {
            self.base
                .labels
                .get(name)
                .and_then(|values| values.get(value))
                .map_or(&[][..], |l| l)
        });
        let narrowest = of_class
            .into_iter()
            .chain(of_labels)
            .min_by_key(|list| list.len());
        match narrowest {
            Some(list) => self.in_order(
                list.iter()
                    .copied()
                    .filter(|node| self.changes.part(*node).is_none())
                    .map(NodeIndex)
                    .chain(self.changed_systems(|_| true)),
            ),
            None => self.in_order(
                (0..compact(self.len()))
                    .map(NodeIndex)
                    .filter(|index| self.node(*index).is_some_and(|n| n.system().is_some())),
            ),
        }
    }

    /// Whether a node is inside a range: one of its addresses, its own range, or for a service one
    /// of the systems that carry it.
    #[must_use]
    pub fn is_inside(&self, index: NodeIndex, range: &IpNet) -> bool {
        let inside = |index: &NodeIndex| {
            self.node(*index)
                .and_then(|node| node.system())
                .is_some_and(|system| system_is_inside(system, range))
        };
        match self.node(index) {
            Some(Node::System(system)) => system_is_inside(system, range),
            Some(Node::Service(service)) => self.carriers(&service.id).iter().any(inside),
            Some(Node::Unknown(_)) | None => false,
        }
    }

    /// The systems inside a range, in the order of the document.
    #[must_use]
    pub fn systems_inside(&self, range: &IpNet) -> Vec<NodeIndex> {
        let mut nodes = self.in_order(
            self.base
                .network
                .within(range)
                .into_iter()
                .filter(|node| self.changes.part(*node).is_none())
                .map(NodeIndex)
                .chain(self.changed_systems(|system| system_is_inside(system, range))),
        );
        nodes.dedup();
        nodes
    }

    /// The systems inside a range and the services that one of them carries.
    #[must_use]
    pub fn nodes_inside(&self, range: &IpNet) -> BTreeSet<NodeIndex> {
        let mut nodes: BTreeSet<NodeIndex> = self.systems_inside(range).into_iter().collect();
        // Systems that stand together often carry one service.
        let mut services: Vec<&ServiceId> = Vec::new();
        for index in &nodes {
            let system = self.node(*index).and_then(|node| node.system());
            let service = system.and_then(|system| system.service.as_ref());
            if service != services.last().copied() {
                services.extend(service);
            }
        }
        nodes.extend(services.into_iter().filter_map(|id| self.find(id.as_str())));
        nodes
    }

    /// About how many addresses are inside a range.
    pub(crate) fn addresses_inside(&self, range: &IpNet) -> usize {
        self.base.network.addresses_within(range)
    }

    /// The segments (systems with a range) that hold a node; a segment holds itself.
    #[must_use]
    pub fn segments_around(&self, index: NodeIndex) -> Vec<&System> {
        match self.node(index) {
            Some(Node::System(system)) => self.segments_around_system(system),
            Some(Node::Service(service)) => self
                .carriers(&service.id)
                .into_iter()
                .filter_map(|carrier| self.node(carrier)?.system())
                .flat_map(|system| self.segments_around_system(system))
                .collect(),
            Some(Node::Unknown(_)) | None => Vec::new(),
        }
    }

    /// Adds the ranges of the segments that hold one of these nodes: what [`Self::segments_around`]
    /// tells of each, in less time.
    pub(crate) fn add_ranges_around(&self, nodes: &NodeSet, ranges: &mut BTreeSet<IpNet>) {
        if !self.changes.is_empty() {
            let segments = nodes.iter().flat_map(|index| self.segments_around(index));
            ranges.extend(segments.filter_map(|segment| segment.cidr));
            return;
        }
        let systems = self.base.topology.systems.len();
        let network = &self.base.network;
        let mut homes = Vec::new();
        for index in nodes.iter() {
            if (index.0 as usize) < systems {
                network.add_homes(index.0, &mut homes);
            } else if let Some(Node::Service(service)) = self.node(index) {
                for carrier in self.base.carriers.get(&service.id).into_iter().flatten() {
                    network.add_homes(*carrier, &mut homes);
                }
            }
        }
        homes.sort_unstable();
        homes.dedup();
        network.add_ranges(&homes, ranges);
    }

    pub(super) fn segments_around_system(&self, system: &System) -> Vec<&System> {
        let network = &self.base.network;
        let known = system
            .addresses
            .iter()
            .flat_map(|address| network.around_address(*address))
            .chain(system.cidr.iter().flat_map(|own| network.around(own)))
            .filter(|node| self.changes.part(*node).is_none())
            .map(NodeIndex);
        let changed = self.changed_systems(|segment| {
            segment
                .cidr
                .is_some_and(|range| system_is_inside(system, &range))
        });
        let segments: BTreeMap<&SystemId, &System> = known
            .chain(changed)
            .filter_map(|index| self.node(index)?.system())
            .map(|segment| (&segment.id, segment))
            .collect();
        segments.into_values().collect()
    }
}

/// Adds a node to the list of a key, which is cloned only where it is new.
fn list<K: Ord + Clone>(lists: &mut BTreeMap<K, Vec<u32>>, key: &K, node: u32) {
    match lists.get_mut(key) {
        Some(list) => list.push(node),
        None => {
            lists.insert(key.clone(), vec![node]);
        }
    }
}
