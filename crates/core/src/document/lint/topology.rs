//! Lints on a topology: labels below what they stand for, groups that can never hold.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::document::tree::{Found, Node};
use crate::topology::{System, Tier, Topology};

/// Warns of what is legal and probably not meant. O(n log n) in the systems.
pub(crate) fn topology(topology: &Topology, systems: &[Node<'_>], found: &mut Found) {
    segments(topology, systems, found);
    carriers(topology, systems, found);
    groups(topology, systems, found);
}

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
                    "group `{name}` has {} members and needs {} of them, so that it never saves anything",
                    group.members, group.min_healthy
                ),
                format!("write at most {}, or add the missing members", group.members),
            );
        }
    }
}
