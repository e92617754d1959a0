//! The dry run adds up, and a narrower cut disrupts no more than a wider one.

use std::collections::BTreeSet;

use countersign_core::assessment::ImpactState;
use countersign_core::briefing::{Plan, rollout};
use countersign_core::impact::dry_run::{DryRun, Inputs, Share, Suffering, dry_run};
use countersign_core::impact::{self, Circumstances};
use countersign_core::scope::{Graph, resolve};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use crate::worlds::{HOSTS, Read, World, dependency, worlds};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        ..ProptestConfig::default()
    }
}

fn run(read: &Read) -> DryRun {
    let graph = Graph::new(&read.topology);
    let targets = resolve(&graph, &read.proposal.targets);
    let rule = read.envelope.rules.first();
    let circumstances = Circumstances {
        concurrency: rule.and_then(|rule| rule.rollout.concurrency),
        history: Some(&read.history),
    };
    let action = &read.proposal.action;
    let reach = impact::reach(&graph, action, &targets.systems, circumstances);
    dry_run(Inputs {
        graph: &graph,
        action,
        reach: &reach,
        circumstances,
        rollout: &rollout(Some(&read.envelope), rule),
        plan: &Plan::none(),
    })
}

fn sum<K>(shares: &[Share<K>]) -> Suffering {
    Suffering {
        down: shares.iter().map(|share| share.suffering.down).sum(),
        degraded: shares.iter().map(|share| share.suffering.degraded).sum(),
    }
}

/// Who goes down, and who goes down or is degraded.
fn suffering(world: &World) -> (BTreeSet<String>, BTreeSet<String>) {
    let impact = run(&world.read()).impact;
    let all = impact.iter().map(|entry| entry.id.clone()).collect();
    let down = impact
        .into_iter()
        .filter(|entry| entry.state == ImpactState::Down);
    (down.map(|entry| entry.id).collect(), all)
}

/// A world in which a rule separates hosts, with up to twelve dependencies, some with a port.
fn cuts() -> impl Strategy<Value = World> {
    let ports = select(vec![None, Some("tcp/1"), Some("tcp/2"), Some("smb")]);
    let dependencies = prop::collection::vec((dependency(), ports), 0..12);
    let service = select(vec!["any", "tcp/1", "tcp/2", "smb", "tcp/1-9"]);
    (worlds(), dependencies, service).prop_map(|(mut world, dependencies, service)| {
        let dependencies: Vec<Value> = dependencies
            .into_iter()
            .map(|(mut dependency, port)| {
                if let Some(port) = port {
                    dependency["service"] = json!(port);
                }
                dependency
            })
            .collect();
        world.topology["dependencies"] = json!(dependencies);
        world.proposal["targets"] = json!({"systems": ["n0", "n1"]});
        world.proposal["action"] = json!({"type": "firewall-rule", "parameters":
            {"verdict": "drop", "from": "10.0.0.0/29", "to": "10.0.1.0/29", "service": service}});
        world
    })
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_parts_add_up_to_the_impact(world in worlds()) {
        let run = run(&world.read());
        let count = |state| run.impact.iter().filter(|entry| entry.state == state).count() as u64;
        let total = Suffering { down: count(ImpactState::Down), degraded: count(ImpactState::Degraded) };
        prop_assert_eq!(run.total, total);
        prop_assert_eq!(sum(&run.by_service), total);
        prop_assert_eq!(sum(&run.by_site), total);
        prop_assert_eq!(sum(&run.by_tier), total);
        for group in &run.groups {
            prop_assert!(group.left <= group.members && group.at_once <= group.targeted);
            prop_assert_eq!(group.holds, group.left >= group.min_healthy);
            prop_assert!(!group.holds || (group.breaks_at.is_none() && group.holds_by_waves));
        }
        let duration = &run.duration;
        prop_assert!(duration.work_s.is_none() && duration.total_s.is_none());
    }

    #[test]
    fn a_one_way_cut_disrupts_a_subset_of_the_two_way_cut(world in cuts(), forth in any::<bool>()) {
        let mut one_way = world.clone();
        let parameters = &mut one_way.proposal["action"]["parameters"];
        parameters["direction"] = json!("one-way");
        if !forth {
            parameters["from"] = json!("10.0.1.0/29");
            parameters["to"] = json!("10.0.0.0/29");
        }
        let ((down, all), (fewer, some)) = (suffering(&world), suffering(&one_way));
        prop_assert!(fewer.is_subset(&down) && some.is_subset(&all), "{fewer:?} of {down:?}");
    }

    /// Nothing that two ways cut passes both of the one-way rules.
    #[test]
    fn the_two_ways_together_cut_everything(world in cuts()) {
        let broken = |direction: Option<(&str, &str)>| {
            let mut world = world.clone();
            if let Some((from, to)) = direction {
                let parameters = &mut world.proposal["action"]["parameters"];
                parameters["direction"] = json!("one-way");
                parameters["from"] = json!(from);
                parameters["to"] = json!(to);
            }
            let cut = run(&world.read()).cut.unwrap();
            cut.broken.into_iter().map(|d| (d.from, d.to, d.kind, d.strength)).collect::<BTreeSet<_>>()
        };
        let mut both = broken(Some(("10.0.0.0/29", "10.0.1.0/29")));
        both.extend(broken(Some(("10.0.1.0/29", "10.0.0.0/29"))));
        prop_assert_eq!(both, broken(None));
    }

    #[test]
    fn a_rule_for_one_port_disrupts_a_subset_of_one_for_any(world in cuts()) {
        let mut any = world.clone();
        any.proposal["action"]["parameters"]["service"] = json!("any");
        let ((fewer, some), (down, all)) = (suffering(&world), suffering(&any));
        prop_assert!(fewer.is_subset(&down) && some.is_subset(&all));
    }

    #[test]
    fn every_user_of_a_credential_is_covered_or_left_behind(world in worlds(), told in prop::sample::subsequence(HOSTS.to_vec(), 0..=8)) {
        let mut world = world;
        world.proposal["action"] = json!({"type": "credential-rotate",
            "parameters": {"credential": "svc", "updates_dependents": told}});
        let run = run(&world.read());
        let users = run.credential.unwrap();
        for user in &users.uncovered {
            prop_assert!(run.impact.iter().any(|entry| entry.id == user.id), "{user:?}");
        }
        for user in &users.covered {
            prop_assert!(told.contains(&user.id.as_str()));
        }
        for id in &users.needless {
            prop_assert!(told.contains(&id.as_str()) && !users.covered.iter().any(|user| user.id == id.as_str()));
        }
    }
}
