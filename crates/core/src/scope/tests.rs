//! The graph against simple definitions: reach, ranges, and updates against building anew.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::assessment::evaluate;
use crate::document;
use crate::envelope::Envelope;
use crate::impact::{self, Circumstances};
use crate::proposal::{Action, Proposal};
use crate::topology::{SCHEMA, Strength, Topology};

const NOW: &str = "2026-11-24T02:20:00Z";

/// Numbers that a topology is made of: systems (look, host) and dependencies (from, to, look).
pub(crate) type Parts = (Vec<(u8, u8)>, Vec<(usize, usize, u8)>);

/// Up to twelve systems and forty dependencies, with cycles, segments, services and groups.
pub(crate) fn topologies() -> impl Strategy<Value = Parts> {
    (
        prop::collection::vec((0..8_u8, 0..64_u8), 1..12),
        prop::collection::vec((0..15_usize, 0..15_usize, 0..6_u8), 0..40),
    )
}

fn system(n: usize, look: u8, host: u8) -> Value {
    let id = format!("s{n:02}");
    let address = format!("10.0.{}.{}", host / 16, host % 16 + 1);
    match look {
        0 => json!({"id": id, "class": "network-segment", "tier": "non-critical",
                    "cidr": format!("10.0.{}.0/{}", host / 16, 24 + host % 4)}),
        1 => json!({"id": id, "class": "network-segment", "cidr": "10.0.0.0/22"}),
        2 => json!({"id": id, "class": "plc", "addresses": [address]}),
        3 => json!({"id": id, "class": "database", "tier": "production-critical", "service": "v1",
                    "addresses": [address, format!("fd00::{host:x}")]}),
        4 | 5 => {
            json!({"id": id, "class": "linux-server", "tier": "non-critical", "addresses": [address], "service": "v0",
                        "labels": {"env": "prod"}, "redundancy": {"group": "g", "min_healthy": host % 4}})
        }
        _ => {
            json!({"id": id, "class": "linux-server", "tier": "non-critical", "addresses": [address], "labels": {"env": "test"}})
        }
    }
}

/// The names that dependencies join; beyond the systems they are services.
fn end(n: usize, systems: usize) -> String {
    if n < systems {
        format!("s{n:02}")
    } else {
        format!("v{}", n % 3)
    }
}

fn dependency(from: usize, to: usize, look: u8, systems: usize) -> Value {
    let strength = if look.is_multiple_of(2) {
        "hard"
    } else {
        "soft"
    };
    let (from, to) = (end(from, systems), end(to, systems));
    if look < 2 && to.starts_with('s') {
        return json!({"from": from, "to": to, "kind": "credential", "credential": "c", "strength": strength});
    }
    let kind = ["runtime", "data", "control"][usize::from(look) % 3];
    json!({"from": from, "to": to, "kind": kind, "strength": strength})
}

pub(crate) fn topology((systems, dependencies): &Parts) -> Topology {
    let number = systems.len();
    let systems: Vec<Value> = (0..)
        .zip(systems)
        .map(|(n, (look, host))| system(n, *look, *host))
        .collect();
    let dependencies: Vec<Value> = dependencies
        .iter()
        .map(|(from, to, look)| dependency(*from, *to, *look, number))
        .collect();
    let text = json!({"schema": SCHEMA, "observed_at": "2026-11-24T01:30:00Z", "source": "test",
        "services": [{"id": "v0", "tier": "non-critical"}, {"id": "v1"}, {"id": "v2", "tier": "production-critical"}],
        "systems": systems, "dependencies": dependencies});
    document::topology(text.to_string()).unwrap().document
}

fn actions() -> Vec<Action> {
    [
        json!({"type": "patch", "parameters": {"package": "p", "to_version": "1"}}),
        json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.0.0.0/23", "to": "10.0.1.0/24", "service": "any"}}),
        json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.0.0.0/28", "to": "fd00::/16", "service": "any"}}),
        json!({"type": "network-isolate"}),
        json!({"type": "host-isolate"}),
        json!({"type": "account-disable", "parameters": {"account": "c"}}),
        json!({"type": "file-quarantine", "parameters": {"path": "/x", "digest": "00"}}),
    ]
    .into_iter()
    .map(|action| serde_json::from_value(action).unwrap())
    .collect()
}

fn envelope() -> Envelope {
    let text = json!({
        "schema": "countersign/envelope/v1", "name": "test", "version": 1,
        "authority": {"board": "board", "quorum": 3, "effective": "2026-11-01T00:00:00Z", "expires": "2027-01-30T00:00:00Z"},
        "agents": ["a"],
        "tiers": {"non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["r"]},
                  "blast_radius": {"systems": 5, "services": 1, "segments": 2, "fraction_of_class": "0.5", "per": "24h"}}},
        "rules": [{"id": "r", "actions": ["patch", "host-isolate"], "targets": {"classes": ["linux-server"], "tiers": ["non-critical"]},
                   "rollout": {"concurrency": 1}}]
    });
    document::envelope(text.to_string()).unwrap().document
}

fn proposal(action: &Action, targets: &Value) -> Proposal {
    serde_json::from_value(json!({
        "idempotency_key": "k", "agent": "a",
        "detection": {"id": "d", "rule": "r", "source": "s", "title": "t", "severity": "low", "detected_at": NOW},
        "action": action, "targets": targets, "expires_at": "2026-11-25T02:14:00Z"
    }))
    .unwrap()
}

/// Everything that is asked of a graph, so that two graphs can be held against each other.
fn answers(graph: &Graph) -> Vec<String> {
    let selections = [
        json!({"systems": ["s00", "s01", "s04", "s13"]}),
        json!({"selector": {"class": "linux-server", "labels": {"env": "prod"}}}),
        json!({"selector": {"tier": "safety-critical"}}),
    ];
    let (envelope, now) = (envelope(), NOW.parse().unwrap());
    let mut answers = Vec::new();
    for action in actions() {
        for targets in &selections {
            let proposal = proposal(&action, targets);
            let evaluation = evaluate(Some(&envelope), graph, &proposal, None, now);
            let neighbourhood = evaluation.reach.neighbourhood(graph).digest().unwrap();
            answers.push(format!(
                "{} {neighbourhood:?}",
                serde_json::to_string(&evaluation.assessment).unwrap()
            ));
        }
    }
    answers
}

/// One of the changes that two numbers stand for.
fn change(number: u8, a: usize, b: usize, look: u8) -> Change {
    let id = format!("s{:02}", a % 15);
    match number % 8 {
        0 | 1 => Change::System(
            serde_json::from_value(system(a % 15, look, u8::try_from(b * 7 % 64).unwrap()))
                .unwrap(),
        ),
        2 => Change::RemoveSystem(SystemId::new(id).unwrap()),
        3 => Change::Service(
            serde_json::from_value(json!({"id": format!("v{}", a % 5), "tier": "non-critical"}))
                .unwrap(),
        ),
        4 => {
            Change::RemoveService(crate::identifier::ServiceId::new(format!("v{}", a % 5)).unwrap())
        }
        5 | 6 => Change::Dependency(serde_json::from_value(dependency(a, b, look, 12)).unwrap()),
        _ => Change::RemoveDependency(serde_json::from_value(dependency(a, b, look, 12)).unwrap()),
    }
}

/// Reach by definition: what is reached grows until nothing changes.
fn closure_by_definition(topology: &Topology, starts: &BTreeSet<String>) -> BTreeSet<String> {
    let mut reached = starts.clone();
    loop {
        let before = reached.len();
        for dependency in &topology.dependencies {
            if dependency.strength == Strength::Hard && reached.contains(&dependency.to) {
                reached.insert(dependency.from.clone());
            }
        }
        if reached.len() == before {
            return reached;
        }
    }
}

proptest! {
    #[test]
    fn hard_closure_is_what_the_definition_says(
        parts in topologies(), starts in prop::collection::btree_set(0..12_usize, 1..3)
    ) {
        let topology = topology(&parts);
        let graph = Graph::new(&topology);
        let starts: BTreeSet<String> = starts.into_iter().map(|n| end(n, parts.0.len())).collect();
        let reached = graph.hard_closure(starts.iter().filter_map(|id| graph.find(id)));
        let names: BTreeSet<String> =
            reached.iter().map(|index| graph.node(index).unwrap().id().to_owned()).collect();
        prop_assert_eq!(&names, &closure_by_definition(&topology, &starts));
        let degraded: BTreeSet<&str> = graph
            .soft_dependents(&reached)
            .iter()
            .map(|index| graph.node(index).unwrap().id())
            .collect();
        let soft: BTreeSet<&str> = topology
            .dependencies
            .iter()
            .filter(|d| d.strength == Strength::Soft && names.contains(&d.to) && !names.contains(&d.from))
            .map(|d| d.from.as_str())
            .collect();
        prop_assert_eq!(degraded, soft);
    }

    /// A chain is followed from in front, a star from the other side; both from end to end.
    #[test]
    fn long_and_wide_graphs_are_reached_whole(length in 1..400_u32, width in 1..400_u32) {
        let mut topology = topology(&(vec![], vec![]));
        let id = |n: u32| format!("x{n:04}");
        let depends = |from: u32, to: u32| -> Dependency {
            serde_json::from_value(json!({"from": id(from), "to": id(to), "kind": "data", "strength": "hard"})).unwrap()
        };
        topology.systems = (0..=length + width)
            .map(|n| serde_json::from_value(json!({"id": id(n), "class": "c"})).unwrap())
            .collect();
        topology.dependencies = (1..=length).map(|n| depends(n, n - 1)).collect();
        topology.dependencies.extend((0..width).map(|n| depends(length + 1 + n, length / 2)));
        topology.dependencies.push(depends(0, length));
        topology.dependencies.sort();
        let graph = Graph::new(&topology);
        prop_assert_eq!(graph.hard_closure(graph.find(&id(length))).len(), topology.systems.len());
    }

    #[test]
    fn ranges_are_what_a_scan_says(parts in topologies(), host in 0..64_u8, length in 20..33_u8) {
        let topology = topology(&parts);
        let graph = Graph::new(&topology);
        let range: IpNet = format!("10.0.{}.{}/{length}", host / 16, host % 16 + 1).parse().unwrap();
        let range = range.trunc();
        let scanned: Vec<&str> = topology
            .systems
            .iter()
            .filter(|s| system_is_inside(s, &range))
            .map(|s| s.id.as_str())
            .collect();
        let found: Vec<&str> = graph
            .systems_inside(&range)
            .into_iter()
            .map(|index| graph.node(index).unwrap().id())
            .collect();
        prop_assert_eq!(found, scanned);
        for system in &topology.systems {
            let around: Vec<&str> = graph
                .segments_around(graph.find(system.id.as_str()).unwrap())
                .into_iter()
                .map(|s| s.id.as_str())
                .collect();
            let scanned: Vec<&str> = topology
                .systems
                .iter()
                .filter(|s| s.cidr.is_some_and(|range| system_is_inside(system, &range)))
                .map(|s| s.id.as_str())
                .collect();
            prop_assert_eq!(around, scanned);
        }
    }

    #[test]
    fn a_rule_separates_what_a_scan_says(parts in topologies()) {
        let topology = topology(&parts);
        let graph = Graph::new(&topology);
        for action in actions() {
            let Action::FirewallRule(rule) = &action else { continue };
            let targets = BTreeSet::from([topology.systems[0].id.clone()]);
            let circumstances = Circumstances { concurrency: None, history: None };
            let reach = impact::reach(&graph, &action, &targets, circumstances);
            let broken: Vec<&Dependency> = reach.broken.iter().map(|edge| edge.dependency).collect();
            let inside = |id: &str, range: &IpNet| graph.is_inside(graph.find(id).unwrap(), range);
            let scanned: Vec<&Dependency> = graph
                .topology()
                .dependencies
                .iter()
                .filter(|d| {
                    (inside(&d.from, &rule.from) && inside(&d.to, &rule.to))
                        || (inside(&d.from, &rule.to) && inside(&d.to, &rule.from))
                })
                .collect();
            prop_assert_eq!(broken, scanned);
        }
    }
}

proptest! {
    // Each case assesses everything three times.
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any sequence of updates gives what building anew gives, and leaves clones alone.
    #[test]
    fn updated_is_as_built_anew(
        parts in topologies(),
        changes in prop::collection::vec((0..8_u8, 0..15_usize, 0..15_usize, 0..8_u8), 1..12),
    ) {
        let mut graph = Graph::new(topology(&parts));
        let original = graph.clone();
        let before = answers(&original);
        for (number, a, b, look) in changes {
            let known = graph.topology().clone();
            if graph.update(change(number, a, b, look)).is_err() {
                prop_assert_eq!(graph.topology(), &known);
            }
        }
        let anew = Graph::new(graph.topology());
        prop_assert_eq!(answers(&graph), answers(&anew));
        let rebuilt = graph.rebuilt();
        prop_assert_eq!(rebuilt.topology(), anew.topology());
        prop_assert_eq!(answers(&original), before);
    }
}

#[test]
fn a_topology_that_would_not_hold_together_is_refused() {
    let mut graph = Graph::new(topology(&(vec![(4, 1), (6, 2)], vec![])));
    let service = |id: &str| crate::identifier::ServiceId::new(id).unwrap();
    for (change, error) in [
        (
            Change::RemoveService(service("v0")),
            ChangeError::Carried(service("v0")),
        ),
        (
            Change::RemoveSystem(SystemId::new("s09").unwrap()),
            ChangeError::Missing("s09".into()),
        ),
        (
            Change::RemoveSystem(SystemId::new("v0").unwrap()),
            ChangeError::Missing("v0".into()),
        ),
        (
            Change::Dependency(serde_json::from_value(dependency(0, 9, 2, 12)).unwrap()),
            ChangeError::Dangling("s09".into()),
        ),
        (
            Change::System(serde_json::from_value(json!({"id": "v0", "class": "c"})).unwrap()),
            ChangeError::NameTaken("v0".into()),
        ),
        (
            Change::System(
                serde_json::from_value(json!({"id": "n", "class": "c", "service": "s00"})).unwrap(),
            ),
            ChangeError::Dangling("s00".into()),
        ),
    ] {
        assert_eq!(graph.update(change), Err(error));
    }
}
