//! Whole worlds: an envelope, a topology, a proposal, a history and an instant that fit each other
//! more often than not.

use countersign_core::assessment::{self, Assessment, Verdict};
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::history::History;
use countersign_core::proposal::Proposal;
use countersign_core::scope::Graph;
use countersign_core::topology::Topology;
use proptest::prelude::*;
use proptest::sample::{Index, select, subsequence};
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

pub(crate) const NOW: &str = "2026-11-24T02:20:00Z";

/// Hosts of every world.
pub(crate) const HOSTS: [&str; 8] = ["s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7"];

/// Documents as they are written.
#[derive(Debug, Clone)]
pub(crate) struct World {
    pub(crate) envelope: Value,
    pub(crate) topology: Value,
    pub(crate) proposal: Value,
    pub(crate) history: Value,
}

/// Documents as they were read.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) envelope: Envelope,
    pub(crate) topology: Topology,
    pub(crate) proposal: Proposal,
    pub(crate) history: History,
}

impl World {
    pub(crate) fn read(&self) -> Read {
        Read {
            envelope: document::envelope(self.envelope.to_string())
                .unwrap()
                .document,
            topology: document::topology(self.topology.to_string())
                .unwrap()
                .document,
            proposal: document::proposal(self.proposal.to_string())
                .unwrap()
                .document,
            history: document::history(self.history.to_string())
                .unwrap()
                .document,
        }
    }

    pub(crate) fn assess(&self) -> Assessment {
        self.read().assess()
    }

    /// The targets, where they are named.
    pub(crate) fn targets(&self) -> Vec<String> {
        let named = self.proposal.pointer("/targets/systems");
        named
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|name| name.as_str().unwrap().to_owned())
            .collect()
    }
}

impl Read {
    pub(crate) fn assess(&self) -> Assessment {
        let graph = Graph::new(&self.topology);
        assessment::assess(
            Some(&self.envelope),
            &graph,
            &self.proposal,
            Some(&self.history),
            NOW.parse().unwrap(),
        )
    }
}

/// How much a verdict permits.
pub(crate) fn permits(assessment: &Assessment) -> u8 {
    match assessment.verdict {
        Verdict::Refused => 0,
        Verdict::NeedsApproval => 1,
        Verdict::Autonomous => 2,
    }
}

fn one_in(number: u32) -> impl Strategy<Value = bool> {
    (0..number).prop_map(|n| n == 0)
}

fn tier() -> impl Strategy<Value = Value> {
    prop_oneof![
        60 => Just(json!("non-critical")),
        24 => Just(json!("production-critical")),
        1 => Just(json!("safety-critical")),
        1 => Just(Value::Null),
    ]
}

fn host(name: &'static str) -> impl Strategy<Value = Value> {
    let class = select(vec!["linux-server", "linux-server", "database"]);
    let service = select(vec![None, None, Some("v0"), Some("v1")]);
    let group =
        prop_oneof![2 => Just(None), 1 => (select(vec!["g0", "g1"]), 0..4_u64).prop_map(Some)];
    (class, tier(), service, group, 0..2_u8, one_in(3)).prop_map(
        move |(class, tier, service, group, net, twin)| {
            let mut addresses = vec![format!("10.0.{net}.{}", &name[1..])];
            if twin {
                addresses.push(format!("2001:db8:{net}::{}", &name[1..]));
            }
            let mut host = json!({"id": name, "class": class, "addresses": addresses, "labels": {"env": "prod"}});
            let optional = [
                ("tier", (!tier.is_null()).then_some(tier)),
                ("service", service.map(|service| json!(service))),
                (
                    "redundancy",
                    group.map(|(group, min)| json!({"group": group, "min_healthy": min})),
                ),
            ];
            for (name, value) in optional {
                if let Some(value) = value {
                    host[name] = value;
                }
            }
            host
        },
    )
}

/// Both ends are hosts or services; a credential belongs to a host.
pub(crate) fn dependency() -> impl Strategy<Value = Value> {
    let from = select([HOSTS.as_slice(), &["v0", "v1"]].concat());
    let to = select(HOSTS.as_slice());
    let kind = select(vec![
        "runtime",
        "data",
        "control",
        "credential",
        "credential",
    ]);
    let strength = select(vec!["soft", "soft", "soft", "hard"]);
    (from, to, kind, strength, one_in(4)).prop_map(|(from, to, kind, strength, other)| {
        let mut dependency = json!({"from": from, "to": to, "kind": kind, "strength": strength});
        if kind == "credential" {
            dependency["credential"] = json!(if other { "other" } else { "svc" });
        }
        dependency
    })
}

fn topology() -> impl Strategy<Value = Value> {
    let hosts: Vec<_> = HOSTS.iter().map(|name| host(name).boxed()).collect();
    let age = prop_oneof![20 => 0..3600_i64, 1 => Just(86_401), 1 => Just(-1)];
    (
        hosts,
        prop::collection::vec(dependency(), 0..4),
        tier(),
        tier(),
        age,
    )
        .prop_map(|(mut systems, dependencies, service, segment, age)| {
            let mut services = vec![json!({"id": "v0"}), json!({"id": "v1", "tier": "non-critical"})];
            if !service.is_null() {
                services[0]["tier"] = service;
            }
            systems.push(json!({"id": "n0", "class": "network-segment", "tier": "non-critical", "cidr": "10.0.0.0/24"}));
            systems.push(json!({"id": "n1", "class": "network-segment", "cidr": "10.0.1.0/29"}));
            if !segment.is_null() {
                systems[9]["tier"] = segment;
            }
            json!({
                "schema": "countersign/topology/v1", "observed_at": at(-age), "source": "cmdb",
                "services": services, "systems": systems, "dependencies": dependencies
            })
        })
}

/// An instant so many seconds from now.
pub(crate) fn at(seconds: i64) -> Value {
    let now: chrono::DateTime<chrono::Utc> = NOW.parse().unwrap();
    json!(now + chrono::Duration::seconds(seconds))
}

fn action() -> impl Strategy<Value = Value> {
    let worked_on = prop_oneof![
        6 => Just(json!({"type": "patch", "parameters": {"package": "p", "to_version": "1"}})),
        3 => Just(json!({"type": "config-change", "parameters": {"path": "/x", "digest": "00".repeat(32)}})),
        3 => Just(json!({"type": "service-restart", "parameters": {"service": "u"}})),
        1 => Just(json!({"type": "process-kill", "parameters": {"process": "x"}})),
    ];
    let network = select(vec![
        json!({"type": "host-isolate"}),
        json!({"type": "network-isolate"}),
        json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.0.0.0/29", "to": "10.0.1.0/30", "service": "any"}}),
        json!({"type": "firewall-rule", "parameters": {"verdict": "deny", "from": "2001:db8:0::/48", "to": "2001:db8:1::/48", "service": "tcp/1"}}),
    ]);
    let credential = subsequence(HOSTS.to_vec(), 0..=8).prop_map(|updated| {
        json!({"type": "credential-rotate", "parameters": {"credential": "svc", "updates_dependents": updated}})
    });
    let other = select(vec![
        json!({"type": "account-disable", "parameters": {"account": "svc"}}),
        json!({"type": "acl-change", "parameters": {"resource": "r", "principal": "svc", "change": "deny"}}),
        json!({"type": "file-quarantine", "parameters": {"path": "/x", "digest": "00".repeat(32)}}),
    ]);
    prop_oneof![6 => worked_on, 2 => network, 2 => credential, 1 => other]
}

fn proposal() -> impl Strategy<Value = Value> {
    let targets = prop_oneof![
        20 => subsequence(HOSTS.to_vec(), 1..4).prop_map(|names| json!({"systems": names})),
        2 => subsequence(vec!["n0", "n1"], 1..=2).prop_map(|names| json!({"systems": names})),
        1 => Just(json!({"selector": {"class": "database"}})),
        1 => Just(json!({"systems": ["s0", "nobody"]})),
    ];
    let severity = select(vec!["low", "medium", "critical"]);
    let expires = prop_oneof![15 => 1..9000_i64, 1 => Just(0)];
    (action(), targets, severity, expires, 0..300_i64).prop_map(
        |(action, targets, severity, expires, detected)| {
            json!({
                "idempotency_key": "k", "agent": "agent",
                "detection": {"id": "d", "rule": "r", "source": "scanner", "title": "t", "severity": severity, "detected_at": at(-detected)},
                "action": action, "targets": targets, "expires_at": at(expires)
            })
        },
    )
}

fn radius() -> impl Strategy<Value = Value> {
    let fraction = prop_oneof![1 => Just("0.25"), 1 => Just("0.5"), 10 => Just("1")];
    (3..14_u64, 1..4_u64, 1..4_u64, fraction, select(vec!["1h", "24h"])).prop_map(
        |(systems, services, segments, fraction, per)| {
            json!({"systems": systems, "services": services, "segments": segments, "fraction_of_class": fraction, "per": per})
        },
    )
}

const KINDS: [&str; 11] = [
    "patch",
    "config-change",
    "service-restart",
    "process-kill",
    "firewall-rule",
    "network-isolate",
    "host-isolate",
    "credential-rotate",
    "account-disable",
    "acl-change",
    "file-quarantine",
];

fn rule() -> impl Strategy<Value = Value> {
    let classes = prop_oneof![
        9 => Just(json!(["linux-server", "database", "network-segment"])),
        1 => Just(json!(["linux-server"])),
    ];
    let tiers = prop_oneof![
        9 => Just(json!(["non-critical", "production-critical"])),
        1 => Just(json!(["non-critical"])),
    ];
    let conditions = (
        one_in(3),
        prop_oneof![3 => Just(1_u32), 1 => Just(2)],
        prop_oneof![1 => Just("1m"), 4 => Just("15m")],
        one_in(3),
        one_in(2),
        one_in(4),
        1..5_u32,
        one_in(16),
    );
    let kinds = prop_oneof![9 => Just(KINDS.to_vec()), 1 => subsequence(KINDS.to_vec(), 1..=11)];
    let rollout = (
        one_in(30),
        one_in(30),
        prop::option::of(1..4_u32),
        one_in(30),
    );
    (kinds, classes, tiers, conditions, rollout).prop_map(
        |(kinds, classes, tiers, (corroborated, sources, within, rated, fresh, few, max, night), rollout)| {
            let (no_breaker, no_health, concurrency, no_rollback) = rollout;
            let mut conditions = json!({});
            if corroborated {
                conditions["corroboration"] = json!({"independent_sources": sources, "within": within});
            }
            if rated {
                conditions["false_positive_rate"] = json!({"max": "0.05", "over": "90d"});
            }
            if fresh {
                conditions["topology_age"] = json!({"max": "24h"});
            }
            if few {
                conditions["concurrent_operations"] = json!({"max": max});
            }
            if night {
                conditions["outside"] = json!(["night"]);
            }
            let mut rollout = json!({"canary": 1, "waves": ["100%"]});
            if let Some(concurrency) = concurrency {
                rollout["concurrency"] = json!(concurrency);
            }
            if !no_health {
                rollout["health"] = json!(["up"]);
            }
            if !no_breaker {
                rollout["breaker"] = json!({"failures": 0});
            }
            let rollback = if no_rollback {
                json!({})
            } else {
                json!({"within": "15m", "drilled_within": "92d"})
            };
            json!({
                "actions": kinds, "targets": {"classes": classes, "tiers": tiers, "labels": {"env": "prod"}},
                "severity": {"max": "high"}, "conditions": conditions, "rollout": rollout, "rollback": rollback
            })
        },
    )
}

fn envelope() -> impl Strategy<Value = Value> {
    let window = prop_oneof![30 => (-86_400..=0_i64, 1..86_400_i64), 1 => Just((-90_000, 0)), 1 => Just((1, 90_000))];
    (
        prop::collection::vec(rule(), 1..4),
        radius(),
        radius(),
        window,
    )
        .prop_map(|(mut rules, production, other, (effective, expires))| {
            for (number, rule) in rules.iter_mut().enumerate() {
                rule["id"] = json!(format!("rule-{number}"));
                if rule["targets"]["classes"].as_array().is_some_and(|classes| classes.len() == 3) {
                    // A segment has no labels.
                    rule["targets"].as_object_mut().unwrap().remove("labels");
                }
            }
            json!({
                "schema": "countersign/envelope/v1", "name": "test", "version": 1,
                "authority": {"board": "board", "quorum": 3, "effective": at(effective), "expires": at(expires)},
                "agents": ["agent", "another"],
                "tiers": {
                    "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot", "lead"]}},
                    "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["lead"]}, "blast_radius": production},
                    "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall"]}, "blast_radius": other},
                },
                "calendars": {"night": {"zone": "Europe/London", "from": "22:00", "to": "06:00"}},
                "checks": {"up": {"kind": "tcp", "port": 1, "timeout": "2s"}},
                "rules": rules
            })
        })
}

fn signals() -> impl Strategy<Value = Vec<Value>> {
    let signal = (
        select(vec!["scanner", "a", "b", "c"]),
        select(vec!["x", "p", "q"]),
        subsequence([HOSTS.as_slice(), &["n0", "n1"]].concat(), 8..=10),
        -400..10_i64,
    )
        .prop_map(|(source, upstream, systems, seconds)| {
            json!({"source": source, "upstream": upstream, "systems": systems, "observed_at": at(seconds)})
        });
    prop::collection::vec(signal, 0..8)
}

fn operations() -> impl Strategy<Value = Vec<Vec<&'static str>>> {
    let systems = subsequence([HOSTS.as_slice(), &["gone", "n1"]].concat(), 0..3);
    prop::collection::vec(systems, 0..2)
}

/// None in most worlds.
fn suspensions() -> impl Strategy<Value = Vec<Value>> {
    let suspends = select(vec![
        json!("backend"),
        json!({"agent": "agent"}),
        json!({"agent": "another"}),
        json!({"rule": {"envelope": "test", "rule": "rule-0"}}),
        json!({"rule": {"envelope": "test", "rule": "rule-1"}}),
        json!({"rule": {"envelope": "other", "rule": "rule-0"}}),
    ]);
    let suspended =
        suspends.prop_map(|suspends| json!({"suspends": suspends, "by": "cat", "since": at(-600)}));
    (one_in(12), prop::collection::vec(suspended, 1..3))
        .prop_map(|(some, list)| if some { list } else { Vec::new() })
}

fn history() -> impl Strategy<Value = Value> {
    let standing = prop_oneof![
        60 => Just((json!(true), json!(false))),
        1 => Just((json!(false), json!(false))),
        1 => Just((json!(true), json!(true))),
        1 => Just((Value::Null, json!(false))),
        1 => Just((json!(true), Value::Null)),
    ];
    let outcomes = prop_oneof![8 => Just((100, 5)), 4 => Just((20, 1)), 1 => Just((19, 0)), 1 => Just((100, 6))];
    let severity = prop_oneof![12 => select(vec!["low", "medium", "high"]), 1 => Just("critical")];
    let drills = prop::collection::vec((0..94_i64, one_in(40), one_in(40)), 33);
    (
        standing,
        outcomes,
        severity,
        drills,
        signals(),
        operations(),
        prop::collection::vec((operations(), 0..90_000_i64), 0..2),
        one_in(20),
        subsequence(vec!["drills", "detections", "signals", "in_flight", "recent"], 0..=5),
        (one_in(12), suspensions()),
    )
        .prop_map(
            |(standing, outcomes, severity, drilled, signals, flying, ran, unregistered, unknown, (forget, suspensions))| {
                let classes = ["linux-server", "database", "network-segment"];
                let pairs = KINDS.iter().flat_map(|kind| classes.map(|class| (*kind, class)));
                let drills: Vec<Value> = pairs
                    .zip(drilled)
                    .filter(|(_, (_, missing, _))| !missing)
                    .map(|((kind, class), (days, _, failed))| {
                        let mut drill =
                            json!({"action": kind, "class": class, "succeeded_at": at(-days * 86_400)});
                        if failed {
                            drill["failed_at"] = json!(at(0));
                        }
                        drill
                    })
                    .collect();
                let agents = if unregistered { json!(["another"]) } else { json!(["agent"]) };
                let in_flight: Vec<Value> = flying
                    .iter()
                    .enumerate()
                    .map(|(n, systems)| json!({"operation": format!("f{n}"), "systems": systems}))
                    .collect();
                let recent: Vec<Value> = ran
                    .iter()
                    .flat_map(|(operations, ago)| operations.iter().map(move |systems| (systems, *ago)))
                    .enumerate()
                    .map(|(n, (systems, ago))| {
                        json!({"operation": format!("r{n}"), "systems": systems, "finished_at": at(-ago)})
                    })
                    .collect();
                let mut history = json!({
                    "drills": drills,
                    "detections": [{"rule": "r", "source": "scanner", "upstream": "x", "agents": agents, "severity": severity,
                        "assessed": outcomes.0, "false_positives": outcomes.1, "benign_patterns": ["nightly scan"]}],
                    "signals": signals, "in_flight": in_flight, "recent": recent
                });
                for (name, value) in [("envelope_authorised", standing.0), ("autonomy_suspended", standing.1)] {
                    if !value.is_null() {
                        history[name] = value;
                    }
                }
                if !suspensions.is_empty() {
                    history["suspensions"] = json!(suspensions);
                }
                if forget {
                    for name in unknown {
                        history.as_object_mut().unwrap().remove(name);
                    }
                }
                history
            },
        )
}

/// Whole worlds, about a third of which run alone. In most of them somebody is known to use every
/// host's credential.
pub(crate) fn worlds() -> impl Strategy<Value = World> {
    (envelope(), topology(), proposal(), history(), one_in(4)).prop_map(
        |(envelope, mut topology, proposal, history, unnamed)| {
            let by_credential = ["credential-rotate", "account-disable", "acl-change"];
            let kind = proposal["action"]["type"].as_str().unwrap();
            if by_credential.contains(&kind) && !unnamed {
                let users = HOSTS.map(|host| {
                    json!({"from": "v1", "to": host, "kind": "credential", "credential": "svc", "strength": "soft"})
                });
                topology["dependencies"].as_array_mut().unwrap().extend(users);
            }
            World {
                envelope,
                topology,
                proposal,
                history,
            }
        },
    )
}

/// One of the members of a list, where there is one.
pub(crate) fn pick(list: &Value, index: Index) -> Option<usize> {
    let length = list.as_array().map_or(0, Vec::len);
    (length > 0).then(|| index.index(length))
}

#[test]
fn worlds_of_every_verdict_occur_in_number() {
    const WORLDS: usize = 600;
    let mut runner = TestRunner::deterministic();
    let mut counts = [0_usize; 3];
    let mut alone_at = 0;
    let mut blocked = std::collections::BTreeMap::new();
    for _ in 0..WORLDS {
        let world = worlds().new_tree(&mut runner).unwrap().current();
        let assessment = world.assess();
        counts[usize::from(permits(&assessment))] += 1;
        for finding in assessment::blocking(&assessment.findings) {
            *blocked.entry(finding.clause.as_str()).or_insert(0) += 1;
        }
        if assessment.scope.systems > 1 {
            alone_at += usize::from(permits(&assessment) == 2);
        }
    }
    let [refused, waiting, alone] = counts;
    assert!(
        alone * 5 >= WORLDS && waiting * 5 >= WORLDS && refused * 50 >= WORLDS,
        "{refused} refused, {waiting} waiting, {alone} alone; blocked by {blocked:?}"
    );
    assert!(
        alone_at * 10 >= WORLDS,
        "{alone_at} of several systems alone"
    );
}
