//! The dependency graph of a briefing, with what is alike collapsed: a picture that stays readable
//! at a thousand systems.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::assessment::ImpactState;
use countersign_core::impact::{Cause, Reach};
use countersign_core::scope::{Graph, Node, NodeIndex, system_is_inside};
use countersign_core::topology::{Dependency, Strength, Tier};
use countersign_wire::view::{GraphEdge, GraphNode, GraphView};

use super::tier;

/// Most nodes of a picture; more are neither drawn smoothly nor read.
pub const NODES_MAX: usize = 300;
/// As many nodes are still read at a glance; a picture of more is collapsed further where it can be.
const NODES_READABLE_MAX: usize = 24;
/// As many alike are still shown one by one.
const ALIKE_SHOWN_MAX: usize = 6;
/// Rounds in which nodes of unlike neighbours are told apart.
const ROUNDS_MAX: usize = 8;

/// What a node is in the story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Target,
    Inside,
    Down,
    Degraded,
    TouchedBy,
}

impl Role {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Target => "target",
            Self::Inside => "inside",
            Self::Down => "down",
            Self::Degraded => "degraded",
            Self::TouchedBy => "touched-by",
        }
    }
}

/// An edge between two nodes, before anything is collapsed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Link {
    from: NodeIndex,
    to: NodeIndex,
    label: String,
    hard: bool,
    broken: bool,
}

/// An edge as one of its ends sees it: outwards, label, hard, broken, and to which part.
type Neighbour<'l> = (bool, &'l str, bool, bool, Option<u32>);

/// What makes two nodes alike at first sight: class, service, role, tier.
type Look<'t> = (&'t str, Option<&'t str>, Role, Tier);

/// The picture.
#[must_use]
pub fn view(graph: &Graph, reach: &Reach<'_>) -> GraphView {
    let roles = roles(graph, reach);
    let links = links(graph, reach, &roles);
    let looks: BTreeMap<NodeIndex, Look<'_>> = roles
        .iter()
        .filter_map(|(index, role)| Some((*index, look(graph, *index, *role)?)))
        .collect();
    let refined = refine(&looks, &links);
    let coarse = |key: fn(&Look<'_>) -> (String, Role, Tier)| -> BTreeMap<NodeIndex, u32> {
        number(looks.iter().map(|(index, look)| (*index, key(look))))
    };
    let by_class =
        coarse(|(class, service, role, tier)| (format!("{class} {service:?}"), *role, *tier));
    let by_stem = number(looks.iter().filter_map(|(index, (class, _, role, tier))| {
        let node = graph.node(*index)?;
        // Services of one kind are alike by what they are called: hospital-1, hospital-2.
        let kind = if matches!(node, Node::Service(_)) {
            format!("service {}", stem(node.id()))
        } else {
            (*class).to_owned()
        };
        Some((*index, (kind, *role, *tier)))
    }));
    let by_role = coarse(|(_, _, role, tier)| (String::new(), *role, *tier));
    // From the finest picture that is read at a glance to one that always fits: five roles of three
    // tiers.
    let ladder = [
        (&refined, ALIKE_SHOWN_MAX, NODES_READABLE_MAX),
        (&refined, 1, NODES_READABLE_MAX),
        (&by_class, 1, NODES_READABLE_MAX),
        (&by_stem, 1, NODES_MAX),
    ];
    let (parts, shown) = ladder
        .into_iter()
        .find(|(parts, shown, nodes_max)| nodes_after(parts, *shown) <= *nodes_max)
        .map_or((&by_role, 1), |(parts, shown, _)| (parts, shown));
    draw(graph, &looks, &links, parts, shown)
}

/// Who is in the picture, and as what: scope, everything harmed, the other ends of broken
/// dependencies, direct dependents of the targets, and the services that the scope carries.
fn roles(graph: &Graph, reach: &Reach<'_>) -> BTreeMap<NodeIndex, Role> {
    let mut roles: BTreeMap<NodeIndex, Role> = BTreeMap::new();
    for target in &reach.targets {
        roles.extend(
            graph
                .dependents(*target)
                .map(|edge| (edge.from, Role::TouchedBy)),
        );
    }
    for edge in &reach.broken {
        roles.extend([(edge.from, Role::TouchedBy), (edge.to, Role::TouchedBy)]);
    }
    roles.extend(
        reach
            .services
            .iter()
            .filter_map(|id| graph.find(id.as_str()))
            .map(|index| (index, Role::TouchedBy)),
    );
    roles.extend(reach.scope.iter().map(|index| (*index, Role::TouchedBy)));
    for (index, effect) in reach.effects() {
        let role = match effect.state {
            ImpactState::Down => Role::Down,
            ImpactState::Degraded => Role::Degraded,
        };
        roles.insert(*index, role);
    }
    for index in &reach.inside {
        // What is inside and goes down is told as going down.
        let role = roles.entry(*index).or_insert(Role::Inside);
        if *role == Role::TouchedBy {
            *role = Role::Inside;
        }
    }
    roles.extend(reach.targets.iter().map(|index| (*index, Role::Target)));
    roles
}

fn look<'t>(graph: &'t Graph, index: NodeIndex, role: Role) -> Option<Look<'t>> {
    let node = graph.node(index)?;
    Some(match node {
        Node::System(system) => (
            system.class.as_str(),
            system
                .service
                .as_ref()
                .map(countersign_core::identifier::ServiceId::as_str),
            role,
            node.tier(),
        ),
        // Services are few and each means something: never alike.
        Node::Service(service) => ("service", Some(service.id.as_str()), role, node.tier()),
        Node::Unknown(_) => ("unknown", None, role, node.tier()),
    })
}

fn links(graph: &Graph, reach: &Reach<'_>, roles: &BTreeMap<NodeIndex, Role>) -> BTreeSet<Link> {
    let mut broken: BTreeSet<&Dependency> =
        reach.broken.iter().map(|edge| edge.dependency).collect();
    broken.extend(
        reach
            .effects()
            .iter()
            .filter_map(|(_, effect)| match effect.cause {
                Cause::NeedsTarget(edge)
                | Cause::CutOff(edge)
                | Cause::LosesCredential(edge)
                | Cause::NeedsDown(edge) => Some(edge.dependency),
                Cause::WorkedOn | Cause::RunsFrom(_) => None,
            }),
    );
    let mut links = BTreeSet::new();
    for index in roles.keys() {
        links.extend(
            graph
                .dependencies(*index)
                .filter(|edge| roles.contains_key(&edge.to))
                .map(|edge| Link {
                    from: edge.from,
                    to: edge.to,
                    label: label(edge.dependency),
                    hard: edge.dependency.strength == Strength::Hard,
                    broken: broken.contains(edge.dependency),
                }),
        );
        // A service stands on the systems that carry it, also where no dependency says so.
        if let Some(system) = graph.node(*index).and_then(|node| node.system())
            && let Some(service) = system
                .service
                .as_ref()
                .and_then(|id| graph.find(id.as_str()))
            && roles.contains_key(&service)
            && !graph.dependencies(service).any(|edge| edge.to == *index)
        {
            links.insert(Link {
                from: service,
                to: *index,
                label: "carried by".to_owned(),
                hard: false,
                broken: matches!(reach.effects().get(service).map(|e| e.cause), Some(Cause::RunsFrom(host)) if host == *index),
            });
        }
    }
    let segments = reach.targets.iter().filter_map(|index| {
        let range = graph.node(*index)?.system()?.cidr?;
        Some((*index, range))
    });
    for (segment, range) in segments {
        for index in &reach.inside {
            if graph
                .node(*index)
                .and_then(|node| node.system())
                .is_some_and(|system| system_is_inside(system, &range))
            {
                links.insert(Link {
                    from: *index,
                    to: segment,
                    label: "inside".to_owned(),
                    hard: false,
                    broken: false,
                });
            }
        }
    }
    links
}

fn label(dependency: &Dependency) -> String {
    match &dependency.credential {
        Some(credential) => format!("{} {credential}", dependency.kind.as_str()),
        None => dependency.kind.as_str().to_owned(),
    }
}

/// Numbers equal keys alike.
fn number<K: Ord>(keys: impl Iterator<Item = (NodeIndex, K)>) -> BTreeMap<NodeIndex, u32> {
    let mut numbers: BTreeMap<K, u32> = BTreeMap::new();
    keys.map(|(index, key)| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        (index, *numbers.entry(key).or_insert(next))
    })
    .collect()
}

/// Tells apart what looks alike and has unlike neighbours (colour refinement), so that nodes of one
/// part have the same edges to the same parts.
fn refine(
    looks: &BTreeMap<NodeIndex, Look<'_>>,
    links: &BTreeSet<Link>,
) -> BTreeMap<NodeIndex, u32> {
    let mut parts = number(looks.iter().map(|(index, look)| (*index, look)));
    for _ in 0..ROUNDS_MAX {
        let mut neighbours: BTreeMap<NodeIndex, BTreeSet<Neighbour<'_>>> = BTreeMap::new();
        for link in links {
            let mut note = |at: NodeIndex, outwards: bool, other: NodeIndex| {
                let seen = (
                    outwards,
                    link.label.as_str(),
                    link.hard,
                    link.broken,
                    parts.get(&other).copied(),
                );
                neighbours.entry(at).or_default().insert(seen);
            };
            note(link.from, true, link.to);
            note(link.to, false, link.from);
        }
        let refined = number(
            parts
                .iter()
                .map(|(index, part)| (*index, (*part, neighbours.remove(index)))),
        );
        let stable = size(&refined) == size(&parts);
        parts = refined;
        if stable {
            break;
        }
    }
    parts
}

fn size(parts: &BTreeMap<NodeIndex, u32>) -> usize {
    parts.values().collect::<BTreeSet<_>>().len()
}

fn members(parts: &BTreeMap<NodeIndex, u32>) -> BTreeMap<u32, Vec<NodeIndex>> {
    let mut members: BTreeMap<u32, Vec<NodeIndex>> = BTreeMap::new();
    for (index, part) in parts {
        members.entry(*part).or_default().push(*index);
    }
    members
}

fn nodes_after(parts: &BTreeMap<NodeIndex, u32>, shown_max: usize) -> usize {
    members(parts)
        .values()
        .map(|alike| {
            if alike.len() > shown_max {
                1
            } else {
                alike.len()
            }
        })
        .sum()
}

fn draw(
    graph: &Graph,
    looks: &BTreeMap<NodeIndex, Look<'_>>,
    links: &BTreeSet<Link>,
    parts: &BTreeMap<NodeIndex, u32>,
    shown_max: usize,
) -> GraphView {
    let mut drawn: BTreeMap<NodeIndex, String> = BTreeMap::new();
    let mut nodes: Vec<(Role, GraphNode)> = Vec::new();
    for alike in members(parts).into_values() {
        let groups: Vec<Vec<NodeIndex>> = if alike.len() > shown_max {
            vec![alike]
        } else {
            alike.into_iter().map(|index| vec![index]).collect()
        };
        for group in groups {
            let Some((class, _, role, _)) =
                group.first().and_then(|index| looks.get(index)).copied()
            else {
                continue;
            };
            let mut ids: Vec<&str> = group
                .iter()
                .filter_map(|index| graph.node(*index))
                .map(|node| node.id())
                .collect();
            ids.sort_by_key(|id| natural(id));
            let (Some(first), Some(last)) = (ids.first(), ids.last()) else {
                continue;
            };
            let (id, label) = if ids.len() == 1 {
                (format!("one:{first}"), (*first).to_owned())
            } else {
                (format!("group:{first}"), format!("{first} … {last}"))
            };
            let one_class = group
                .iter()
                .all(|index| looks.get(index).is_some_and(|look| look.0 == class));
            drawn.extend(group.iter().map(|index| (*index, id.clone())));
            let highest = group
                .iter()
                .map(|index| graph.tier(*index))
                .max()
                .unwrap_or(Tier::SafetyCritical);
            nodes.push((
                role,
                GraphNode {
                    id,
                    label,
                    members: ids.iter().map(|id| (*id).to_owned()).collect(),
                    class: if one_class {
                        class.to_owned()
                    } else {
                        "mixed".to_owned()
                    },
                    tier: tier(highest),
                    role: role.as_str().to_owned(),
                },
            ));
        }
    }
    nodes.sort_by_cached_key(|(role, node)| (*role, natural(&node.label)));
    let mut edges: BTreeMap<(&str, &str, &str), GraphEdge> = BTreeMap::new();
    for link in links {
        let (Some(from), Some(to)) = (drawn.get(&link.from), drawn.get(&link.to)) else {
            continue;
        };
        let edge = edges
            .entry((from, to, &link.label))
            .or_insert_with(|| GraphEdge {
                from: from.clone(),
                to: to.clone(),
                label: link.label.clone(),
                hard: false,
                broken: false,
                count: 0,
            });
        edge.hard |= link.hard;
        edge.broken |= link.broken;
        edge.count += 1;
    }
    GraphView {
        nodes: nodes.into_iter().map(|(_, node)| node).collect(),
        edges: edges.into_values().collect(),
    }
}

/// A name without the number at its end: `clinic-` of `clinic-07`.
fn stem(id: &str) -> &str {
    id.trim_end_matches(|c: char| c.is_ascii_digit())
}

/// A key that sorts `pay-2` before `pay-10`.
#[must_use]
pub fn natural(text: &str) -> Vec<(bool, u64, String)> {
    let mut parts: Vec<(bool, u64, String)> = Vec::new();
    for c in text.chars() {
        let digit = c.to_digit(10);
        match (digit, parts.last_mut()) {
            (Some(digit), Some((true, n, spelling))) if spelling.len() < 18 => {
                *n = n.saturating_mul(10).saturating_add(u64::from(digit));
                spelling.push(c);
            }
            (Some(digit), _) => parts.push((true, u64::from(digit), c.to_string())),
            (None, Some((false, _, letters))) => letters.push(c),
            (None, _) => parts.push((false, 0, c.to_string())),
        }
    }
    parts
}
