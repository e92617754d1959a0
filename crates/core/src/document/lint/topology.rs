//! Lints on a topology: labels below what they stand for, groups that can never hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::document::tree::{Found, Node, shortened};
use crate::topology::{Purdue, System, Tier, Topology};

/// Warns of what is legal and probably not meant. O(n log n) in the systems.
pub(crate) fn topology(
    topology: &Topology,
    systems: &[Node<'_>],
    dependencies: &[Node<'_>],
    found: &mut Found,
) {
    segments(topology, systems, found);
    carriers(topology, systems, found);
    groups(topology, systems, found);
    regulated(topology, systems, found);
    levels(topology, systems, dependencies, found);
}

/// A regulated system whose loss counts as bearable.
fn regulated(topology: &Topology, nodes: &[Node<'_>], found: &mut Found) {
    for (system, node) in topology.systems.iter().zip(nodes) {
        let Some(regime) = system.labels.get(REGULATED) else {
            continue;
        };
        match system.effective_tier() {
            Tier::NonCritical => found.warning(
                node.place_of(&["tier"]),
                "regulated-below",
                format!(
                    "`{}` is regulated ({}) and labelled `non-critical`",
                    system.id,
                    shortened(regime)
                ),
                "label it `production-critical` or above, or remove the label",
            ),
            Tier::ProductionCritical | Tier::SafetyCritical => {}
        }
    }
}

/// Purdue levels that are none, and dependencies that join the enterprise (4, 5) with control (0 to
/// 2) past the levels between (AG-706, manufacturing and industrial control systems).
fn levels(topology: &Topology, nodes: &[Node<'_>], dependencies: &[Node<'_>], found: &mut Found) {
    let mut known: BTreeMap<&str, Purdue> = BTreeMap::new();
    for (system, node) in topology.systems.iter().zip(nodes) {
        let Some(label) = system.labels.get(PURDUE) else {
            continue;
        };
        match label.parse::<Purdue>() {
            Ok(level) => {
                known.insert(system.id.as_str(), level);
            }
            Err(_) => found.warning(
                node.place_of(&["labels", PURDUE]),
                "purdue-unknown",
                format!("`{}` is no Purdue level", shortened(label)),
                "write one of \"0\", \"1\", \"2\", \"3\", \"3.5\", \"4\", \"5\"",
            ),
        }
    }
    for (dependency, node) in topology.dependencies.iter().zip(dependencies) {
        let (Some(from), Some(to)) = (
            known.get(dependency.from.as_str()),
            known.get(dependency.to.as_str()),
        ) else {
            continue;
        };
        if from.is_enterprise() && to.is_control() || from.is_control() && to.is_enterprise() {
            found.warning(
                node.place_of(&["to"]),
                "purdue-skipped",
                format!(
                    "`{}` (level {from}) needs `{}` (level {to}) without a level 3 or 3.5 between",
                    dependency.from, dependency.to
                ),
                "let it go through a system of level 3 or 3.5, or correct the labels",
            );
        }
    }
}

/// The label that names the regime which a system is under.
const REGULATED: &str = "regulated";

/// The label that names the level of a system in the Purdue model.
const PURDUE: &str = "purdue";

/// The addresses of one tier, sorted, with whose they are.
type Addresses<'d> = Vec<(IpAddr, &'d System)>;

fn addresses_of(topology: &Topology, tier: Tier) -> Addresses<'_> {
    let mut addresses: Addresses<'_> = topology
        .systems
        .iter()
        .filter(|system| system.effective_tier() == tier)
        .flat_map(|system| system.addresses.iter().map(move |a| (*a, system)))
        .collect();
    addresses.sort_by_key(|(address, _)| *address);
    addresses
}

/// Some system of `addresses` inside `range`.
fn inside<'d>(addresses: &Addresses<'d>, range: &IpNet) -> Option<&'d System> {
    let start = addresses.partition_point(|(address, _)| *address < range.network());
    addresses
        .get(start)
        .filter(|(address, _)| range.contains(address))
        .map(|(_, system)| *system)
}

fn segments(topology: &Topology, nodes: &[Node<'_>], found: &mut Found) {
    let by_tier = [Tier::SafetyCritical, Tier::ProductionCritical]
        .map(|tier| (tier, addresses_of(topology, tier)));
    for (segment, node) in topology.systems.iter().zip(nodes) {
        let Some(range) = &segment.cidr else { continue };
        let labelled = segment.effective_tier();
        let above = by_tier
            .iter()
            .filter(|(tier, _)| *tier > labelled)
            .find_map(|(tier, addresses)| Some((tier, inside(addresses, range)?)));
        if let Some((tier, system)) = above {
            found.warning(
                node.place_of(&["tier"]),
                "segment-below-inside",
                format!(
                    "segment `{}` is labelled `{labelled}`, and `{}` inside it is `{tier}`",
                    segment.id, system.id
                ),
                format!("label it `{tier}`; what is inside counts in any case"),
            );
        }
    }
}

fn carriers(topology: &Topology, nodes: &[Node<'_>], found: &mut Found) {
    let tiers: BTreeMap<&str, Tier> = topology
        .services
        .iter()
        .map(|service| (service.id.as_str(), service.effective_tier()))
        .collect();
    for (system, node) in topology.systems.iter().zip(nodes) {
        let Some(service) = &system.service else {
            continue;
        };
        let Some(tier) = tiers.get(service.as_str()) else {
            continue;
        };
        if system.effective_tier() < *tier {
            found.warning(
                node.place_of(&["tier"]),
                "system-below-service",
                format!(
                    "system `{}` is labelled `{}`, and the service `{service}` that it carries is `{tier}`",
                    system.id,
                    system.effective_tier()
                ),
                format!("label it `{tier}`, or correct its service"),
            );
        }
    }
}

fn groups(topology: &Topology, nodes: &[Node<'_>], found: &mut Found) {
    struct Group<'n, 't> {
        members: u64,
        min_healthy: u64,
        node: &'n Node<'t>,
    }
    let mut groups: BTreeMap<&str, Group<'_, '_>> = BTreeMap::new();
    for (system, node) in topology.systems.iter().zip(nodes) {
        let Some(redundancy) = &system.redundancy else {
            continue;
        };
        let group = groups.entry(redundancy.group.as_str()).or_insert(Group {
            members: 0,
            min_healthy: 0,
            node,
        });
        group.members += 1;
        if redundancy.min_healthy > group.min_healthy {
            group.min_healthy = redundancy.min_healthy;
            group.node = node;
        }
    }
    for (name, group) in groups {
        if group.min_healthy > group.members {
            found.warning(
                group.node.place_of(&["redundancy", "min_healthy"]),
                "group-never-healthy",
                format!(
                    "group `{name}` has {} {} and needs {}, so that it never saves anything",
                    group.members,
                    if group.members == 1 {
                        "member"
                    } else {
                        "members"
                    },
                    group.min_healthy
                ),
                format!(
                    "write at most {}, or add the missing members",
                    group.members
                ),
            );
        }
    }
}
