//! Changing a graph a part at a time: what did not change stays shared with every clone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, OnceLock};

use chrono::{DateTime, Utc};
use thiserror::Error;

use super::adjacency::Link;
use super::graph::{Graph, compact};
use super::{Node, NodeIndex};
use crate::identifier::{ServiceId, SystemId};
use crate::topology::{Dependency, Service, Strength, System, Topology};

/// One change of a topology. Parts are in the form that the document reader gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A system is new, or is now like this.
    System(System),
    /// A system is gone, and every dependency of and on it.
    RemoveSystem(SystemId),
    /// A service is new, or is now like this.
    Service(Service),
    /// A service that no system carries is gone, and every dependency of and on it.
    RemoveService(ServiceId),
    /// A dependency is new.
    Dependency(Dependency),
    /// A dependency is gone.
    RemoveDependency(Dependency),
    /// The topology was seen to be true at this instant.
    Observed(DateTime<Utc>),
}

/// Why a change was not made; the graph is as before.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChangeError {
    /// A system and a service would share a name.
    #[error(
        "`{0}` is already the name of something else; give each system and each service its own"
    )]
    NameTaken(String),
    /// An end of a dependency, or a carried service, is missing.
    #[error("there is no system or service `{0}`; add it first")]
    Dangling(String),
    /// What should be removed is not there.
    #[error("there is no `{0}` to remove; correct the name")]
    Missing(String),
    /// A service should be removed that systems carry.
    #[error("`{0}` is still carried by systems; change those first")]
    Carried(ServiceId),
}

/// What stands at a node now.
#[derive(Debug, Clone)]
pub(super) enum Part {
    System(Arc<System>),
    Service(Arc<Service>),
    Gone,
}

impl Part {
    pub(super) fn node(&self) -> Option<Node<'_>> {
        match self {
            Self::System(system) => Some(Node::System(system)),
            Self::Service(service) => Some(Node::Service(service)),
            Self::Gone => None,
        }
    }
}

/// What changed since the graph was built.
#[derive(Debug, Clone)]
pub(super) struct Changes {
    pub(super) observed_at: DateTime<Utc>,
    is_empty: bool,
    parts: BTreeMap<u32, Part>,
    /// Nodes beyond those of the base.
    pub(super) nodes_added: usize,
    /// Where nodes that are new in their place stand in the order of the document.
    pub(super) added: BTreeMap<u32, u32>,
    /// Names that stand elsewhere than in the base.
    pub(super) names: BTreeMap<String, u32>,
    /// Dependencies added; their positions follow those of the base.
    pub(super) dependencies: Vec<Arc<Dependency>>,
    /// Positions of dependencies removed.
    gone: BTreeSet<u32>,
}

impl Changes {
    pub(super) const fn new(observed_at: DateTime<Utc>) -> Self {
        Self {
            observed_at,
            is_empty: true,
            parts: BTreeMap::new(),
            nodes_added: 0,
            added: BTreeMap::new(),
            names: BTreeMap::new(),
            dependencies: Vec::new(),
            gone: BTreeSet::new(),
        }
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.is_empty
    }

    pub(super) fn part(&self, node: u32) -> Option<&Part> {
        if self.parts.is_empty() {
            return None;
        }
        self.parts.get(&node)
    }

    pub(super) fn parts(&self) -> impl Iterator<Item = (u32, &Part)> {
        self.parts.iter().map(|(node, part)| (*node, part))
    }
}

impl Graph {
    /// Makes one change. What follows is what building the graph anew from the changed topology
    /// would give. It costs what the part itself has to do with others, not what the topology
    /// holds; every change makes each later question a little dearer, so that who makes many
    /// builds anew ([`Graph::rebuilt`]) at a quiet moment.
    ///
    /// # Errors
    /// [`ChangeError`] where the topology would no longer hold together; nothing is changed then.
    pub fn update(&mut self, change: Change) -> Result<(), ChangeError> {
        match change {
            Change::System(system) => self.put_system(system)?,
            Change::Service(service) => self.put_service(service)?,
            Change::RemoveSystem(id) => match self.find(id.as_str()) {
                Some(index) if self.node(index).is_some_and(|n| n.system().is_some()) => {
                    self.remove(index);
                }
                Some(_) | None => return Err(ChangeError::Missing(id.to_string())),
            },
            Change::RemoveService(id) => match self.find(id.as_str()) {
                Some(index) if matches!(self.node(index), Some(Node::Service(_))) => {
                    if !self.carriers(&id).is_empty() {
                        return Err(ChangeError::Carried(id));
                    }
                    self.remove(index);
                }
                Some(_) | None => return Err(ChangeError::Missing(id.to_string())),
            },
            Change::Dependency(dependency) => self.add_dependency(dependency)?,
            Change::RemoveDependency(dependency) => self.remove_dependency(&dependency)?,
            Change::Observed(at) => self.changes.observed_at = at,
        }
        self.changes.is_empty = false;
        self.whole = OnceLock::new();
        Ok(())
    }

    /// How many parts and dependencies differ from when the graph was built.
    #[must_use]
    pub fn changes(&self) -> usize {
        self.changes.parts.len() + self.changes.dependencies.len() + self.changes.gone.len()
    }

    /// The same graph, indexed anew.
    #[must_use]
    pub fn rebuilt(&self) -> Self {
        if self.changes.is_empty() {
            return self.clone();
        }
        Self::new(self.assembled())
    }

    /// Where a node stands in the order of the document.
    pub(super) fn order(&self, node: u32) -> (u32, &str) {
        match self.changes.added.get(&node) {
            Some(place) => (
                *place,
                self.node(NodeIndex(node)).map_or("", |node| node.id()),
            ),
            None => (node.saturating_mul(2).saturating_add(1), ""),
        }
    }

    fn put_system(&mut self, system: System) -> Result<(), ChangeError> {
        if let Some(service) = &system.service
            && !self
                .find(service.as_str())
                .is_some_and(|index| matches!(self.node(index), Some(Node::Service(_))))
        {
            return Err(ChangeError::Dangling(service.to_string()));
        }
        let id = system.id.as_str().to_owned();
        let systems = &self.base.topology.systems;
        let place = systems.partition_point(|known| known.id < system.id);
        let own = systems
            .get(place)
            .is_some_and(|known| known.id == system.id);
        self.has_stamps |= system.observed_at.is_some();
        let known = self.find(&id);
        if let Some(Node::Service(_)) = known.and_then(|index| self.node(index)) {
            return Err(ChangeError::NameTaken(id));
        }
        self.put(id, Part::System(Arc::new(system)), place, own, known);
        Ok(())
    }

    fn put_service(&mut self, service: Service) -> Result<(), ChangeError> {
        let id = service.id.as_str().to_owned();
        let Topology {
            systems, services, ..
        } = &*self.base.topology;
        let place = services.partition_point(|known| known.id < service.id);
        let own = services
            .get(place)
            .is_some_and(|known| known.id == service.id);
        let place = systems.len() + place;
        self.has_stamps |= service.observed_at.is_some();
        let known = self.find(&id);
        if let Some(Node::System(_)) = known.and_then(|index| self.node(index)) {
            return Err(ChangeError::NameTaken(id));
        }
        self.put(id, Part::Service(Arc::new(service)), place, own, known);
        Ok(())
    }

    /// Puts a part at the node that has its name, at the one the base keeps for it (`own`), or at a new one.
    fn put(&mut self, id: String, part: Part, place: usize, own: bool, known: Option<NodeIndex>) {
        let place = compact(place);
        let node = match known {
            Some(index) => {
                if matches!(self.node(index), Some(Node::Unknown(_))) {
                    self.changes.added.insert(index.0, place.saturating_mul(2));
                }
                index.0
            }
            None if own => {
                self.changes.names.insert(id, place);
                place
            }
            None => {
                let node = compact(self.len());
                self.changes.nodes_added += 1;
                self.changes.added.insert(node, place.saturating_mul(2));
                self.changes.names.insert(id, node);
                node
            }
        };
        self.changes.parts.insert(node, part);
    }

    fn remove(&mut self, index: NodeIndex) {
        let of: Vec<Link> = self.dependencies.links(index.0).collect();
        let on: Vec<Link> = self.dependents.links(index.0).collect();
        for link in of {
            self.dependents.remove(link.other, link.position);
            self.changes.gone.insert(link.position);
        }
        for link in on {
            self.dependencies.remove(link.other, link.position);
            self.changes.gone.insert(link.position);
        }
        self.dependencies.clear(index.0);
        self.dependents.clear(index.0);
        self.changes.parts.insert(index.0, Part::Gone);
    }

    fn ends(&self, dependency: &Dependency) -> Result<(u32, u32), ChangeError> {
        let end = |id: &String| {
            self.find(id)
                .map(|index| index.0)
                .ok_or_else(|| ChangeError::Dangling(id.clone()))
        };
        Ok((end(&dependency.from)?, end(&dependency.to)?))
    }

    /// The position of a dependency that is there, and where it would belong in the rows of `from` and `to`.
    fn places(&self, dependency: &Dependency, from: u32, to: u32) -> (Option<u32>, usize, usize) {
        let before = |position: u32| {
            self.dependency(position)
                .is_some_and(|known| known < dependency)
        };
        let place = self.dependencies.place(from, before);
        let there = self
            .dependencies
            .links(from)
            .nth(place)
            .map(|link| link.position)
            .filter(|position| self.dependency(*position) == Some(dependency));
        (there, place, self.dependents.place(to, before))
    }

    fn add_dependency(&mut self, dependency: Dependency) -> Result<(), ChangeError> {
        let (from, to) = self.ends(&dependency)?;
        let (there, of, on) = self.places(&dependency, from, to);
        if there.is_some() {
            return Ok(());
        }
        let is_hard = dependency.strength == Strength::Hard;
        let position =
            compact(self.base.topology.dependencies.len() + self.changes.dependencies.len());
        let link = |other| Link {
            other,
            is_hard,
            position,
        };
        self.dependencies.insert(from, of, link(to));
        self.dependents.insert(to, on, link(from));
        self.has_soft |= !is_hard;
        self.has_stamps |= dependency.observed_at.is_some();
        self.changes.dependencies.push(Arc::new(dependency));
        Ok(())
    }

    fn remove_dependency(&mut self, dependency: &Dependency) -> Result<(), ChangeError> {
        let (from, to) = self.ends(dependency)?;
        let (Some(position), _, _) = self.places(dependency, from, to) else {
            return Err(ChangeError::Missing(format!(
                "{} dependency of {} on {}",
                dependency.kind.as_str(),
                dependency.from,
                dependency.to
            )));
        };
        self.dependencies.remove(from, position);
        self.dependents.remove(to, position);
        self.changes.gone.insert(position);
        Ok(())
    }

    /// The topology with its changes, in its one form.
    pub(super) fn assembled(&self) -> Topology {
        let base = &*self.base.topology;
        let mut topology = Topology {
            schema: base.schema.clone(),
            observed_at: self.changes.observed_at,
            source: base.source.clone(),
            services: Vec::new(),
            systems: Vec::new(),
            dependencies: Vec::new(),
        };
        for node in (0..compact(self.len())).map(NodeIndex) {
            match self.node(node) {
                Some(Node::System(system)) => topology.systems.push(system.clone()),
                Some(Node::Service(service)) => topology.services.push(service.clone()),
                Some(Node::Unknown(_)) | None => {}
            }
        }
        let positions = base.dependencies.len() + self.changes.dependencies.len();
        topology.dependencies = (0..compact(positions))
            .filter(|position| !self.changes.gone.contains(position))
            .filter_map(|position| self.dependency(position).cloned())
            .collect();
        topology.services.sort();
        topology.systems.sort_by(|a, b| a.id.cmp(&b.id));
        topology.dependencies.sort();
        topology
    }
}
