//! The topology as a graph, and what an action is aimed at (DESIGN §4, effective scope).

mod adjacency;
mod change;
mod graph;
mod names;
mod observed;
mod ranges;
mod spread;
#[cfg(test)]
pub(crate) mod tests;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

pub use change::{Change, ChangeError};
pub use graph::{Edge, Graph, Group};
use ipnet::IpNet;
pub use observed::{Observed, Seen};
use serde::Serialize;
pub(crate) use spread::NodeRanks;
pub use spread::NodeSet;

use crate::canonical::{self, CanonicalError};
use crate::identifier::{Digest, GroupId, SystemId};
use crate::proposal::{Selector, Targets};
use crate::topology::{Dependency, Service, System, Tier};

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
pub fn resolve(graph: &Graph, targets: &Targets) -> ResolvedTargets {
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
                .candidates(selector.class.as_ref(), &selector.labels)
                .into_iter()
                .filter_map(|index| graph.node(index)?.system())
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
/// dependencies that touch them, their groups and the segments around them, without sources and time
/// stamps.
/// A change anywhere else leaves its digest alone (DESIGN §4, digests).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Neighbourhood<'t> {
    systems: Vec<Cow<'t, System>>,
    services: Vec<Cow<'t, Service>>,
    dependencies: Vec<Cow<'t, Dependency>>,
    groups: BTreeMap<&'t GroupId, NeighbourhoodGroup<'t>>,
    segments: Vec<Cow<'t, System>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct NeighbourhoodGroup<'t> {
    members: BTreeSet<&'t SystemId>,
    min_healthy: u64,
}

impl<'t> Neighbourhood<'t> {
    /// The neighbourhood of these nodes.
    #[must_use]
    pub fn of(graph: &'t Graph, scope: &BTreeSet<NodeIndex>) -> Self {
        let mut systems = BTreeMap::new();
        let mut services = BTreeMap::new();
        let mut dependencies: BTreeSet<&Dependency> = BTreeSet::new();
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
                                members: group.members,
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
        // Two sources may tell of one dependency.
        let mut dependencies: Vec<_> = dependencies.into_iter().map(bare_dependency).collect();
        dependencies.sort();
        dependencies.dedup();
        let segments: BTreeMap<_, _> = systems
            .values()
            .flat_map(|system| graph.segments_around_system(system))
            .map(|segment| (&segment.id, segment))
            .collect();
        Self {
            systems: systems.into_values().map(bare_system).collect(),
            services: services.into_values().map(bare_service).collect(),
            dependencies,
            groups,
            segments: segments.into_values().map(bare_system).collect(),
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

fn bare_system(system: &System) -> Cow<'_, System> {
    if system.source.is_none() && system.observed_at.is_none() {
        return Cow::Borrowed(system);
    }
    Cow::Owned(System {
        source: None,
        observed_at: None,
        ..system.clone()
    })
}

fn bare_service(service: &Service) -> Cow<'_, Service> {
    if service.source.is_none() && service.observed_at.is_none() {
        return Cow::Borrowed(service);
    }
    Cow::Owned(Service {
        source: None,
        observed_at: None,
        ..service.clone()
    })
}

fn bare_dependency(dependency: &Dependency) -> Cow<'_, Dependency> {
    if dependency.source.is_none() && dependency.observed_at.is_none() {
        return Cow::Borrowed(dependency);
    }
    Cow::Owned(Dependency {
        source: None,
        observed_at: None,
        ..dependency.clone()
    })
}

/// The digest of a set of systems: JCS of the sorted array of ids (DESIGN §4, digests).
///
/// # Errors
/// Never in practice: ids are strings.
pub fn targets_digest(systems: &BTreeSet<SystemId>) -> Result<Digest, CanonicalError> {
    canonical::digest(systems)
}
