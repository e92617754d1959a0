//! The order in which documents are written changes nothing, and a digest is a meaning.

use countersign_core::assessment::{self, Assessment};
use countersign_core::canonical;
use countersign_core::identifier::Digest;
use countersign_core::scope::Graph;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::worlds::{Read, World, worlds};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        ..ProptestConfig::default()
    }
}

/// Turns every list round, but for those whose order means something.
fn turned(value: &Value, name: &str) -> Value {
    match value {
        Value::Array(items) => {
            let items = items.iter().map(|item| turned(item, ""));
            if ["rules", "waves", "command"].contains(&name) {
                Value::Array(items.collect())
            } else {
                Value::Array(items.rev().collect())
            }
        }
        Value::Object(members) => members
            .iter()
            .rev()
            .map(|(name, value)| (name.clone(), turned(value, name)))
            .collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn turned_round(world: &World) -> World {
    World {
        envelope: turned(&world.envelope, ""),
        topology: turned(&world.topology, ""),
        proposal: turned(&world.proposal, ""),
        history: turned(&world.history, ""),
    }
}

/// Another way to write the same, or something else, and which of them it is.
fn rewritten(world: &World, how: usize) -> (World, bool) {
    let mut other = world.clone();
    let rule = &mut other.envelope["rules"][0];
    let same = match how {
        0 => {
            other.envelope["tiers"]["non-critical"]["blast_radius"]["per"] = json!("61s");
            false
        }
        1 => {
            for tier in ["non-critical", "production-critical"] {
                let per = &mut other.envelope["tiers"][tier]["blast_radius"]["per"];
                *per = json!(if *per == "1h" { "3600s" } else { "1d" });
            }
            true
        }
        2 => {
            rule["rollback"] = json!({"within": "7m"});
            false
        }
        3 => {
            rule["severity"] = json!({"min": "low", "max": "high"});
            false
        }
        4 => {
            let fraction =
                &mut other.envelope["tiers"]["non-critical"]["blast_radius"]["fraction_of_class"];
            let text = fraction.as_str().unwrap();
            *fraction = json!(if text.contains('.') {
                format!("{text}00")
            } else {
                format!("{text}.0")
            });
            true
        }
        5 => {
            other.topology["systems"][0]["addresses"] = json!(["10.9.9.9"]);
            false
        }
        6 => {
            let addresses = other.topology["systems"][0]["addresses"]
                .as_array_mut()
                .unwrap();
            let mapped = format!("::ffff:{}", addresses[0].as_str().unwrap());
            addresses.push(json!(mapped));
            true
        }
        7 => {
            let repeated = other.history["drills"].get(0).cloned();
            if let (Some(drill), Some(drills)) = (repeated, other.history["drills"].as_array_mut())
            {
                drills.push(drill);
            }
            true
        }
        8 => {
            other.history["irreversible"] = json!(["file-quarantine"]);
            false
        }
        9 => {
            other.history["irreversible"] = json!([]);
            true
        }
        10 => {
            other.proposal["rationale"] = json!("because");
            false
        }
        _ => {
            other = turned_round(world);
            true
        }
    };
    (other, same)
}

fn digests(read: &Read) -> [Digest; 4] {
    [
        canonical::digest(&read.envelope).unwrap(),
        canonical::digest(&read.topology).unwrap(),
        canonical::digest(&read.proposal).unwrap(),
        canonical::digest(&read.history).unwrap(),
    ]
}

fn explained(read: &Read, assessment: &Assessment) -> String {
    let graph = Graph::new(&read.topology);
    assessment::explain(assessment, &graph, &read.proposal, Some(&read.history))
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn the_order_of_lists_does_not_matter(world in worlds()) {
        let (one, other) = (world.read(), turned_round(&world).read());
        let (assessment, again) = (one.assess(), other.assess());
        prop_assert_eq!(&assessment, &again);
        prop_assert_eq!(digests(&one), digests(&other));
        prop_assert_eq!(explained(&one, &assessment), explained(&other, &again));
    }

    #[test]
    fn the_order_of_rules_changes_no_verdict(world in worlds()) {
        let mut read = world.read();
        let verdict = read.assess().verdict;
        read.envelope.rules.reverse();
        prop_assert_eq!(verdict, read.assess().verdict);
    }

    #[test]
    fn one_digest_is_one_meaning(world in worlds(), other in worlds(), how in 0..12_usize) {
        let (rewritten, same) = rewritten(&world, how);
        let (world, rewritten, other) = (world.read(), rewritten.read(), other.read());
        prop_assert_eq!(digests(&world) == digests(&rewritten), same, "how {}", how);
        for (left, right) in [(&world, &rewritten), (&world, &other)] {
            let [e, t, p, h] = digests(left);
            let [f, u, q, i] = digests(right);
            prop_assert_eq!(e == f, left.envelope == right.envelope);
            prop_assert_eq!(t == u, left.topology == right.topology);
            prop_assert_eq!(p == q, left.proposal == right.proposal);
            prop_assert_eq!(h == i, left.history == right.history);
        }
    }
}
