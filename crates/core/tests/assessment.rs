//! Assessments against the specification. A small patch runs alone; every case changes one thing
//! and pins which clauses then block, and no other.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use countersign_core::assessment::{self, Assessment, ImpactState, Outcome, Verdict};
use countersign_core::document;
use countersign_core::scope::Graph;
use serde_json::{Value, json};

/// Documents that are changed before they are read, so that every case goes through the readers.
struct World {
    envelope: Value,
    topology: Value,
    proposal: Value,
    history: Option<Value>,
    now: &'static str,
}

const NOW: &str = "2026-11-24T02:20:00Z";

/// Thirty hosts, three of them targets, everything in order: it runs alone.
fn world() -> World {
    let mut systems: Vec<Value> = (1..=30)
        .map(|n| {
            json!({"id": format!("web-{n:02}"), "class": "linux-server", "tier": "non-critical",
                        "addresses": [format!("10.31.0.{n}")], "labels": {"env": "prod"}})
        })
        .collect();
    systems.extend([
        json!({"id": "db-1", "class": "database", "tier": "production-critical", "service": "shop", "addresses": ["10.40.0.1"]}),
        json!({"id": "app-1", "class": "app-server", "tier": "production-critical", "service": "shop", "addresses": ["10.40.1.1"]}),
        json!({"id": "app-2", "class": "app-server", "tier": "production-critical", "service": "shop", "addresses": ["10.40.1.2"]}),
        json!({"id": "ws-1", "class": "workstation", "tier": "non-critical", "addresses": ["10.50.0.1"]}),
        json!({"id": "ws-2", "class": "workstation", "tier": "non-critical", "addresses": ["10.50.0.2"]}),
        json!({"id": "seg-a", "class": "network-segment", "tier": "non-critical", "cidr": "10.40.0.0/24"}),
        json!({"id": "seg-b", "class": "network-segment", "tier": "non-critical", "cidr": "10.40.1.0/24"}),
        json!({"id": "plc-1", "class": "plc", "tier": "safety-critical", "addresses": ["10.60.0.1"]}),
    ]);
    World {
        envelope: json!({
            "schema": "countersign/envelope/v1", "name": "test", "version": 1,
            "authority": {"board": "board", "quorum": 3, "effective": "2026-11-01T00:00:00Z", "expires": "2027-01-30T00:00:00Z"},
            "agents": ["soc-agent"],
            "tiers": {
                "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot", "lead"]}},
                "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall", "lead"]},
                    "blast_radius": {"systems": 10, "services": 1, "segments": 0, "fraction_of_class": "0.5", "per": "24h"}},
                "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["oncall"]},
                    "blast_radius": {"systems": 20, "services": 1, "segments": 2, "fraction_of_class": "0.5", "per": "24h"}}
            },
            "calendars": {"market": {"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30"}},
            "checks": {"up": {"kind": "http", "path": "/healthz", "expect": 200, "timeout": "2s"}},
            "rules": [rule()]
        }),
        topology: json!({
            "schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z", "source": "cmdb",
            "services": [{"id": "shop", "tier": "production-critical"}],
            "systems": systems,
            "dependencies": [
                {"from": "app-1", "to": "db-1", "kind": "credential", "credential": "svc", "strength": "hard"},
                {"from": "app-2", "to": "db-1", "kind": "credential", "credential": "svc", "strength": "soft"},
            ]
        }),
        proposal: json!({
            "idempotency_key": "k", "agent": "soc-agent",
            "detection": {"id": "d", "rule": "vuln", "source": "scanner", "title": "t", "severity": "medium", "detected_at": "2026-11-24T02:14:00Z"},
            "action": {"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}},
            "targets": {"systems": ["web-01", "web-02", "web-03"]},
            "expires_at": "2026-11-25T02:14:00Z"
        }),
        history: Some(json!({
            "envelope_authorised": true, "autonomy_suspended": false,
            "drills": [{"action": "patch", "class": "linux-server", "succeeded_at": "2026-10-20T10:00:00Z"}],
            "detections": [{"rule": "vuln", "source": "scanner", "upstream": "x", "agents": ["soc-agent"], "severity": "medium", "assessed": 100, "false_positives": 2}],
            "signals": [{"source": "sbom", "upstream": "own", "systems": ["web-01", "web-02", "web-03"], "observed_at": "2026-11-24T02:05:00Z"}],
            "in_flight": [], "recent": []
        })),
        now: NOW,
    }
}

fn rule() -> Value {
    json!({
        "id": "routine", "actions": ["patch"],
        "targets": {"classes": ["linux-server"], "tiers": ["non-critical", "production-critical"]},
        "severity": {"min": "low", "max": "high"},
        "conditions": {
            "outside": ["market"],
            "corroboration": {"independent_sources": 1, "within": "15m"},
            "false_positive_rate": {"max": "0.05", "over": "90d"},
            "topology_age": {"max": "24h"},
            "concurrent_operations": {"max": 3}
        },
        "rollout": {"canary": 2, "waves": ["50%", "100%"], "concurrency": 2, "health": ["up"], "breaker": {"failures": 0}},
        "rollback": {"within": "15m", "drilled_within": "92d"}
    })
}

impl World {
    fn assess(&self) -> Assessment {
        let envelope = document::envelope(self.envelope.to_string())
            .unwrap()
            .document;
        let topology = document::topology(self.topology.to_string())
            .unwrap()
            .document;
        let proposal = document::proposal(self.proposal.to_string())
            .unwrap()
            .document;
        let history = self
            .history
            .as_ref()
            .map(|history| document::history(history.to_string()).unwrap().document);
        let now = self.now.parse().unwrap();
        let graph = Graph::new(&topology);
        let assessment =
            assessment::assess(Some(&envelope), &graph, &proposal, history.as_ref(), now);
        assert_eq!(assessment.findings.len(), 12);
        if let Some(history) = &history {
            let slice = assessment::history_slice(Some(&envelope), &graph, &proposal, history, now);
            assert_eq!(
                assessment::assess(Some(&envelope), &graph, &proposal, Some(&slice), now),
                assessment
            );
            let again = assessment::history_slice(Some(&envelope), &graph, &proposal, &slice, now);
            assert_eq!(again, slice);
        }
        assessment
    }

    fn set(&mut self, document: &str, pointer: &str, value: Value) {
        let document = match document {
            "envelope" => &mut self.envelope,
            "topology" => &mut self.topology,
            "proposal" => &mut self.proposal,
            _ => self.history.as_mut().unwrap(),
        };
        let (parent, member) = pointer.rsplit_once('/').unwrap();
        match document.pointer_mut(parent).unwrap() {
            Value::Object(members) => {
                if value.is_null() {
                    members.remove(member);
                } else {
                    members.insert(member.to_owned(), value);
                }
            }
            Value::Array(items) if member == "-" => items.push(value),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)) => *other.pointer_mut(&format!("/{member}")).unwrap() = value,
        }
    }
}

fn blocking(assessment: &Assessment) -> Vec<String> {
    assessment
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::Pass)
        .map(|finding| {
            let clause = serde_json::to_value(finding.clause).unwrap();
            let mark = if finding.outcome == Outcome::Fail {
                ""
            } else {
                "?"
            };
            format!("{}{mark}", clause.as_str().unwrap())
        })
        .collect()
}

/// What is changed: document, JSON pointer (`/-` appends), value (null removes).
type Change = (&'static str, &'static str, Value);

/// `expected` lists the clauses that block, `?` behind one that cannot be evaluated; nothing means
/// that it runs alone.
fn check(why: &str, changes: &[Change], expected: &str) -> Assessment {
    let mut world = world();
    for (document, pointer, value) in changes {
        if *document == "now" {
            world.now = pointer;
        } else {
            world.set(document, pointer, value.clone());
        }
    }
    let assessment = world.assess();
    assert_eq!(
        blocking(&assessment).join(" "),
        expected,
        "{why}: {assessment:#?}"
    );
    let verdict = if expected.is_empty() {
        Verdict::Autonomous
    } else {
        Verdict::NeedsApproval
    };
    assert_eq!(assessment.verdict, verdict, "{why}");
    assert_eq!(assessment.quorum.is_some(), !expected.is_empty(), "{why}");
    assessment
}

#[test]
fn a_small_patch_runs_alone() {
    let assessment = check("nothing changed", &[], "");
    assert_eq!(assessment.rule.unwrap().as_str(), "routine");
    assert_eq!(
        assessment.impact.len(),
        3,
        "the targets are down while they are worked on"
    );
}

#[test]
fn clause_4_1_the_envelope_grants() {
    let none = "4.1 4.4? 4.6? 4.9?";
    check(
        "another agent",
        &[("envelope", "/agents", json!(["other"]))],
        none,
    );
    check(
        "another action",
        &[("envelope", "/rules/0/actions", json!(["config-change"]))],
        none,
    );
    check(
        "one target of another class",
        &[("proposal", "/targets/systems/2", json!("ws-1"))],
        none,
    );
    check(
        "another tier",
        &[(
            "envelope",
            "/rules/0/targets/tiers",
            json!(["production-critical"]),
        )],
        none,
    );
    check(
        "a label is missing",
        &[(
            "envelope",
            "/rules/0/targets/labels",
            json!({"env": "test"}),
        )],
        none,
    );
    check(
        "a label is there",
        &[(
            "envelope",
            "/rules/0/targets/labels",
            json!({"env": "prod"}),
        )],
        "",
    );
    check("no rules", &[("envelope", "/rules", json!([]))], none);
    check(
        "severity at the bound",
        &[("history", "/detections/0/severity", json!("high"))],
        "",
    );
    check(
        "severity above",
        &[("history", "/detections/0/severity", json!("critical"))],
        "4.1",
    );
    check(
        "the claim does not count",
        &[("proposal", "/detection/severity", json!("critical"))],
        "",
    );
    check(
        "in a calendar",
        &[
            ("now", "2026-11-24T08:00:00Z", Value::Null),
            (
                "proposal",
                "/detection/detected_at",
                json!("2026-11-24T07:59:00Z"),
            ),
            (
                "history",
                "/signals/0/observed_at",
                json!("2026-11-24T07:58:00Z"),
            ),
        ],
        "4.1",
    );
    check(
        "a calendar that must be open",
        &[
            ("envelope", "/rules/0/conditions/inside", json!(["market"])),
            ("envelope", "/rules/0/conditions/outside", Value::Null),
        ],
        "4.1",
    );
    let two =
        json!([{"operation": "a", "systems": ["ws-1"]}, {"operation": "b", "systems": ["ws-1"]}]);
    check(
        "three operations are within three",
        &[("history", "/in_flight", two)],
        "",
    );
    let three = json!([{"operation": "a", "systems": ["ws-1"]}, {"operation": "b", "systems": ["ws-1"]}, {"operation": "c", "systems": ["ws-1"]}]);
    check("four are not", &[("history", "/in_flight", three)], "4.1");
}

#[test]
fn the_rule_with_the_fewest_failures_is_reported_then_the_first() {
    let mut strict = rule();
    strict["id"] = json!("strict");
    strict["rollback"] = json!({});
    strict["severity"] = json!({"max": "low"});
    let assessment = check(
        "the second rule fits",
        &[("envelope", "/rules", json!([strict, rule()]))],
        "",
    );
    assert_eq!(assessment.rule.unwrap().as_str(), "routine");
    let mut twin = rule();
    twin["id"] = json!("twin");
    let assessment = check(
        "the first of two",
        &[("envelope", "/rules", json!([twin, rule()]))],
        "",
    );
    assert_eq!(assessment.rule.unwrap().as_str(), "twin");
}

#[test]
fn clause_4_3_dependents() {
    let depends = |from: &str, to: &str, kind: &str, strength: &str| {
        (
            "topology",
            "/dependencies/-",
            json!({"from": from, "to": to, "kind": kind, "strength": strength}),
        )
    };
    check(
        "a hard dependent",
        &[depends("ws-1", "web-01", "runtime", "hard")],
        "4.3",
    );
    check(
        "for data",
        &[depends("ws-1", "web-01", "data", "hard")],
        "4.3",
    );
    check(
        "for control",
        &[depends("ws-1", "web-01", "control", "hard")],
        "4.3",
    );
    check(
        "a soft one is only degraded",
        &[depends("ws-1", "web-01", "runtime", "soft")],
        "",
    );
    check(
        "a dependent that is a target is worked on in its turn",
        &[depends("web-02", "web-01", "runtime", "hard")],
        "",
    );
    check("what depends on a target that is a dependent", &[depends("web-02", "web-01", "runtime", "hard"), depends("ws-1", "web-02", "credential", "hard")].map(|change| if change.2["kind"] == "credential" { ("topology", "/dependencies/-", json!({"from": "ws-1", "to": "web-02", "kind": "credential", "credential": "c", "strength": "hard"})) } else { change }), "4.3");
    check(
        "a degraded PLC",
        &[depends("plc-1", "web-01", "runtime", "soft")],
        "4.3",
    );
    let far = check(
        "far behind",
        &[
            depends("ws-1", "web-01", "runtime", "hard"),
            depends("plc-1", "ws-1", "control", "hard"),
        ],
        "4.3 4.5? 4.7",
    );
    let path = &far
        .impact
        .iter()
        .find(|entry| entry.id == "plc-1")
        .unwrap()
        .because;
    assert_eq!(
        path,
        "needs ws-1 (control), which needs web-01 (runtime), which is worked on"
    );
    check(
        "topology at the limit",
        &[("topology", "/observed_at", json!("2026-11-23T02:20:00Z"))],
        "",
    );
    check(
        "topology older",
        &[("topology", "/observed_at", json!("2026-11-23T02:19:59Z"))],
        "4.3?",
    );
    check(
        "topology from the future",
        &[("topology", "/observed_at", json!("2026-11-24T02:20:01Z"))],
        "4.3?",
    );
}

#[test]
fn clause_4_3_redundancy_saves_the_first_hop_only() {
    let group = |min: u64| {
        (1..=4)
            .map(|n| {
                (
                    "topology",
                    match n {
                        1 => "/systems/0/redundancy",
                        2 => "/systems/1/redundancy",
                        3 => "/systems/2/redundancy",
                        _ => "/systems/3/redundancy",
                    },
                    json!({"group": "g", "min_healthy": min}),
                )
            })
            .collect::<Vec<Change>>()
    };
    let dependent = (
        "topology",
        "/dependencies/-",
        json!({"from": "ws-1", "to": "web-01", "kind": "runtime", "strength": "hard"}),
    );
    let with =
        |min: u64, more: &[Change]| [group(min), vec![dependent.clone()], more.to_vec()].concat();
    check("two of four at once, two must stay", &with(2, &[]), "");
    check("three must stay", &with(3, &[]), "4.3");
    let in_flight = (
        "history",
        "/in_flight",
        json!([{"operation": "o", "systems": ["web-04"]}]),
    );
    check("one more is in flight", &with(2, &[in_flight]), "4.3");
    let serial = ("envelope", "/rules/0/rollout/concurrency", json!(1));
    check("one at a time", &with(3, std::slice::from_ref(&serial)), "");
    let all = ("envelope", "/rules/0/rollout/concurrency", Value::Null);
    check("all at once", &with(2, &[all]), "4.3");
    check(
        "nobody knows what is in flight",
        &with(3, &[serial, ("history", "/in_flight", Value::Null)]),
        "4.1? 4.3? 4.5?",
    );
}

#[test]
fn clause_4_4_health_and_breaker() {
    check(
        "no health check",
        &[("envelope", "/rules/0/rollout/health", json!([]))],
        "4.4",
    );
    check(
        "no breaker",
        &[("envelope", "/rules/0/rollout/breaker", Value::Null)],
        "4.4",
    );
    check(
        "an empty breaker",
        &[("envelope", "/rules/0/rollout/breaker", json!({}))],
        "4.4",
    );
    check(
        "no rollout",
        &[("envelope", "/rules/0/rollout", Value::Null)],
        "4.4",
    );
}

#[test]
fn clause_4_5_blast_radius() {
    let many = |count: u32| {
        (
            "proposal",
            "/targets",
            json!({"systems": (1..=count).map(|n| format!("web-{n:02}")).collect::<Vec<_>>()}),
        )
    };
    let signal = (
        "history",
        "/signals/0/systems",
        json!((1..=30).map(|n| format!("web-{n:02}")).collect::<Vec<_>>()),
    );
    check(
        "half of the class is within a half",
        &[many(15), signal.clone()],
        "",
    );
    check(
        "sixteen of thirty are not",
        &[many(16), signal.clone()],
        "4.5",
    );
    let wide = (
        "envelope",
        "/tiers/non-critical/blast_radius/fraction_of_class",
        Value::Null,
    );
    check(
        "twenty are within twenty",
        &[many(20), signal.clone(), wide.clone()],
        "",
    );
    let over = check(
        "twenty-one are not",
        &[many(21), signal.clone(), wide.clone()],
        "4.5",
    );
    assert!(
        over.findings[4]
            .message
            .starts_with("21 systems; the limit is 20"),
        "{}",
        over.findings[4].message
    );
    let near = check(
        "nineteen are near",
        &[many(19), signal.clone(), wide.clone()],
        "",
    );
    assert!(
        near.findings[11].message.contains("19 of 20 systems"),
        "{}",
        near.findings[11].message
    );
    let slices = (
        "history",
        "/recent",
        json!([{"operation": "o", "systems": (10..=30).map(|n| format!("web-{n:02}")).collect::<Vec<_>>(), "finished_at": "2026-11-23T02:20:00Z"}]),
    );
    check("slices of the period count", &[slices, wide.clone()], "4.5");
    let before = (
        "history",
        "/recent",
        json!([{"operation": "o", "systems": (10..=30).map(|n| format!("web-{n:02}")).collect::<Vec<_>>(), "finished_at": "2026-11-23T02:19:59Z"}]),
    );
    check("those before it do not", &[before, wide.clone()], "");
    let unknown = (
        "history",
        "/in_flight",
        json!([{"operation": "o", "systems": (1..=18).map(|n| format!("gone-{n:02}")).collect::<Vec<_>>()}]),
    );
    check(
        "systems that the topology lacks count as critical",
        &[unknown, wide],
        "4.5",
    );
    check(
        "no limits",
        &[("envelope", "/tiers/non-critical/blast_radius", Value::Null)],
        "4.5?",
    );
    check(
        "nobody knows what ran",
        &[("history", "/recent", Value::Null)],
        "4.5?",
    );
}

#[test]
fn clause_4_6_rollback() {
    check(
        "none declared",
        &[("envelope", "/rules/0/rollback", Value::Null)],
        "4.6",
    );
    check(
        "an empty one",
        &[("envelope", "/rules/0/rollback", json!({}))],
        "4.6",
    );
    check("never drilled", &[("history", "/drills", json!([]))], "4.6");
    check(
        "drilled on another class",
        &[("history", "/drills/0/class", json!("database"))],
        "4.6",
    );
    check(
        "drilled at the limit",
        &[(
            "history",
            "/drills/0/succeeded_at",
            json!("2026-08-24T02:20:00Z"),
        )],
        "",
    );
    check(
        "drilled before it",
        &[(
            "history",
            "/drills/0/succeeded_at",
            json!("2026-08-24T02:19:59Z"),
        )],
        "4.6",
    );
    check(
        "drilled in the future",
        &[(
            "history",
            "/drills/0/succeeded_at",
            json!("2026-11-25T00:00:00Z"),
        )],
        "4.6",
    );
    check(
        "nobody knows",
        &[("history", "/drills", Value::Null)],
        "4.6?",
    );
    check(
        "the executor cannot undo it",
        &[("history", "/irreversible", json!(["patch"]))],
        "4.6",
    );
    let kill = [
        ("envelope", "/rules/0/actions", json!(["process-kill"])),
        (
            "proposal",
            "/action",
            json!({"type": "process-kill", "parameters": {"process": "x"}}),
        ),
        ("history", "/drills/0/action", json!("process-kill")),
    ];
    check("killing is never undone", &kill, "4.6");
}

#[test]
fn clause_4_7_safety_critical_is_never_autonomous() {
    let plc = check(
        "a PLC as target",
        &[("proposal", "/targets/systems", json!(["plc-1"]))],
        "4.1 4.4? 4.5? 4.6? 4.7 4.9?",
    );
    assert_eq!(plc.quorum.unwrap().needed, 2);
    check(
        "a system without a tier",
        &[("topology", "/systems/0/tier", Value::Null)],
        "4.1 4.4? 4.5? 4.6? 4.7 4.9?",
    );
    check(
        "a tier that knows no autonomy",
        &[(
            "envelope",
            "/tiers/non-critical/autonomy",
            json!("prohibited"),
        )],
        "4.7",
    );
}

#[test]
fn clause_4_9_canary_beyond_ten() {
    let many = |count: u32| {
        vec![
            (
                "proposal",
                "/targets",
                json!({"systems": (1..=count).map(|n| format!("web-{n:02}")).collect::<Vec<_>>()}),
            ),
            (
                "history",
                "/signals/0/systems",
                json!((1..=30).map(|n| format!("web-{n:02}")).collect::<Vec<_>>()),
            ),
        ]
    };
    let with = |count: u32, change: Change| [many(count), vec![change]].concat();
    check(
        "ten need none",
        &with(10, ("envelope", "/rules/0/rollout/canary", Value::Null)),
        "",
    );
    check(
        "eleven do",
        &with(11, ("envelope", "/rules/0/rollout/canary", Value::Null)),
        "4.9",
    );
    check(
        "a canary of none is none",
        &with(11, ("envelope", "/rules/0/rollout/canary", json!(0))),
        "4.9",
    );
    check(
        "and waves",
        &with(11, ("envelope", "/rules/0/rollout/waves", json!([]))),
        "4.9",
    );
}

#[test]
fn clause_4_10_authority_window() {
    check(
        "the last second",
        &[(
            "envelope",
            "/authority/expires",
            json!("2026-11-24T02:20:01Z"),
        )],
        "",
    );
    check(
        "expired",
        &[(
            "envelope",
            "/authority/expires",
            json!("2026-11-24T02:20:00Z"),
        )],
        "4.10",
    );
    check(
        "from now on",
        &[(
            "envelope",
            "/authority/effective",
            json!("2026-11-24T02:20:00Z"),
        )],
        "",
    );
    check(
        "not yet",
        &[(
            "envelope",
            "/authority/effective",
            json!("2026-11-24T02:20:01Z"),
        )],
        "4.10",
    );
    let unauthorised = check(
        "not authorised",
        &[("history", "/envelope_authorised", json!(false))],
        "4.10",
    );
    assert_eq!(
        unauthorised.quorum.unwrap().needed,
        2,
        "no envelope, no approval rules"
    );
    check(
        "suspended",
        &[("history", "/autonomy_suspended", json!(true))],
        "4.10",
    );
    check(
        "nobody knows",
        &[("history", "/autonomy_suspended", Value::Null)],
        "4.10?",
    );
}

#[test]
fn clause_4_11_detection_and_corroboration() {
    check(
        "not registered",
        &[("history", "/detections", json!([]))],
        "4.11",
    );
    check(
        "for another agent",
        &[("history", "/detections/0/agents", json!(["other"]))],
        "4.11",
    );
    check(
        "of another source",
        &[("history", "/detections/0/source", json!("other"))],
        "4.11",
    );
    check(
        "nobody knows",
        &[("history", "/detections", Value::Null)],
        "4.11?",
    );
    check(
        "no signals known",
        &[("history", "/signals", Value::Null)],
        "4.11?",
    );
    check(
        "one target without a signal",
        &[("history", "/signals/0/systems", json!(["web-01", "web-02"]))],
        "4.11",
    );
    check(
        "the detection's own source",
        &[("history", "/signals/0/source", json!("scanner"))],
        "4.11",
    );
    check(
        "the detection's own upstream",
        &[("history", "/signals/0/upstream", json!("x"))],
        "4.11",
    );
    check(
        "a signal at the limit",
        &[(
            "history",
            "/signals/0/observed_at",
            json!("2026-11-24T01:59:00Z"),
        )],
        "",
    );
    check(
        "a signal before it",
        &[(
            "history",
            "/signals/0/observed_at",
            json!("2026-11-24T01:58:59Z"),
        )],
        "4.11",
    );
    check(
        "a signal after now",
        &[(
            "history",
            "/signals/0/observed_at",
            json!("2026-11-24T02:20:01Z"),
        )],
        "4.11",
    );
    check(
        "a detection from the future",
        &[(
            "proposal",
            "/detection/detected_at",
            json!("2026-11-24T02:20:01Z"),
        )],
        "4.11",
    );
    check(
        "a detection at the limit",
        &[(
            "proposal",
            "/detection/detected_at",
            json!("2026-11-24T02:05:00Z"),
        )],
        "",
    );
    check(
        "an old detection",
        &[(
            "proposal",
            "/detection/detected_at",
            json!("2026-11-24T02:04:59Z"),
        )],
        "4.11",
    );
    check(
        "five of a hundred are within",
        &[("history", "/detections/0/false_positives", json!(5))],
        "",
    );
    check(
        "six are not",
        &[("history", "/detections/0/false_positives", json!(6))],
        "4.11",
    );
    check(
        "nineteen outcomes say nothing",
        &[
            ("history", "/detections/0/assessed", json!(19)),
            ("history", "/detections/0/false_positives", json!(0)),
        ],
        "4.11?",
    );
    check(
        "twenty do",
        &[
            ("history", "/detections/0/assessed", json!(20)),
            ("history", "/detections/0/false_positives", json!(1)),
        ],
        "",
    );
    let shared = json!([{"source": "a", "upstream": "own", "systems": ["web-01", "web-02", "web-03"], "observed_at": "2026-11-24T02:05:00Z"}, {"source": "b", "upstream": "own", "systems": ["web-01", "web-02", "web-03"], "observed_at": "2026-11-24T02:05:00Z"}]);
    let two = (
        "envelope",
        "/rules/0/conditions/corroboration/independent_sources",
        json!(2),
    );
    check(
        "two sources of one upstream are one",
        &[two.clone(), ("history", "/signals", shared.clone())],
        "4.11",
    );
    let mut apart = shared;
    apart[1]["upstream"] = json!("else");
    check(
        "of two they are two",
        &[two, ("history", "/signals", apart)],
        "",
    );
    let benign = check(
        "often benign",
        &[(
            "history",
            "/detections/0/benign_patterns",
            json!(["nightly scan"]),
        )],
        "",
    );
    assert!(benign.findings[10].message.contains("\"nightly scan\""));
    check(
        "without the condition the agent's word is enough",
        &[
            ("envelope", "/rules/0/conditions/corroboration", Value::Null),
            ("history", "/signals", json!([])),
        ],
        "",
    );
}

#[test]
fn without_history_what_rests_on_it_is_not_evaluable() {
    let mut world = world();
    world.history = None;
    assert_eq!(
        blocking(&world.assess()).join(" "),
        "4.1? 4.5? 4.6? 4.10? 4.11?"
    );
}

#[test]
fn refused_is_neither_allowed_nor_asked() {
    let refused = |changes: &[Change], because: &str| {
        let mut world = world();
        for (document, pointer, value) in changes {
            world.set(document, pointer, value.clone());
        }
        let assessment = world.assess();
        assert_eq!(
            (assessment.verdict, assessment.quorum),
            (Verdict::Refused, None)
        );
        let refusal = assessment.refusal.unwrap();
        assert!(refusal.contains(because), "{refusal}");
    };
    refused(&[("proposal", "/expires_at", json!(NOW))], "expired");
    refused(
        &[("proposal", "/targets/systems/0", json!("nobody"))],
        "no system nobody",
    );
    refused(
        &[(
            "proposal",
            "/targets",
            json!({"selector": {"class": "mainframe"}}),
        )],
        "no system matches",
    );
    let rotate = json!({"type": "credential-rotate", "parameters": {"credential": "svc", "updates_dependents": ["nobody"]}});
    refused(
        &[
            ("proposal", "/action", rotate),
            ("proposal", "/targets/systems", json!(["db-1"])),
        ],
        "no system nobody",
    );
}

/// What an action disrupts (DESIGN §4): who goes down, who is degraded, the scope and its segments.
fn impact(
    action: Value,
    targets: Value,
    changes: &[Change],
    down: &[&str],
    degraded: &[&str],
) -> Assessment {
    let mut world = world();
    world.set("proposal", "/action", action);
    world.set("proposal", "/targets/systems", targets);
    for (document, pointer, value) in changes {
        world.set(document, pointer, value.clone());
    }
    let assessment = world.assess();
    let of = |state: ImpactState| {
        assessment
            .impact
            .iter()
            .filter(|entry| entry.state == state)
            .map(|entry| entry.id.as_str())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (of(ImpactState::Down), of(ImpactState::Degraded)),
        (down.to_vec(), degraded.to_vec())
    );
    assessment
}

fn outcome(assessment: &Assessment, clause: usize) -> Outcome {
    assessment.findings[clause - 1].outcome
}

#[test]
fn credentials() {
    let rotate = |credential: &str, updates: &[&str]| json!({"type": "credential-rotate", "parameters": {"credential": credential, "updates_dependents": updates}});
    let forgotten = impact(
        rotate("svc", &[]),
        json!(["db-1"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    assert_eq!(
        (forgotten.scope.systems, outcome(&forgotten, 3)),
        (2, Outcome::Fail)
    );
    let told = impact(
        rotate("svc", &["app-1", "app-2"]),
        json!(["db-1"]),
        &[],
        &[],
        &[],
    );
    assert_eq!((told.scope.systems, outcome(&told, 3)), (1, Outcome::Pass));
    let unnamed = impact(rotate("other", &[]), json!(["db-1"]), &[], &[], &[]);
    assert_eq!(outcome(&unnamed, 3), Outcome::NotEvaluable);
    let elsewhere = impact(rotate("svc", &[]), json!(["app-1"]), &[], &[], &[]);
    assert_eq!(
        outcome(&elsewhere, 3),
        Outcome::NotEvaluable,
        "a credential belongs to the `to` system"
    );
    impact(
        json!({"type": "account-disable", "parameters": {"account": "svc"}}),
        json!(["db-1"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    impact(
        json!({"type": "acl-change", "parameters": {"resource": "r", "principal": "svc", "change": "deny"}}),
        json!(["db-1"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    let target_too = impact(
        rotate("svc", &[]),
        json!(["db-1", "app-1"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    assert_eq!(
        outcome(&target_too, 3),
        Outcome::Fail,
        "only the first row excuses targets"
    );
}

#[test]
fn networks() {
    let block = |from: &str, to: &str| json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": from, "to": to, "service": "any"}});
    let cut = impact(
        block("10.40.0.0/24", "10.40.1.0/24"),
        json!(["seg-a", "seg-b"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    assert_eq!(
        (cut.scope.systems, cut.scope.segments, outcome(&cut, 3)),
        (5, 2, Outcome::Fail)
    );
    impact(
        block("10.40.1.0/24", "10.40.0.0/24"),
        json!(["seg-a"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    let beside = impact(
        block("10.40.1.0/24", "10.31.0.0/24"),
        json!(["seg-b"]),
        &[],
        &[],
        &[],
    );
    assert_eq!(
        beside.scope.systems, 33,
        "what is inside from and to is in scope"
    );
    let isolated = impact(
        json!({"type": "network-isolate"}),
        json!(["seg-a"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    assert_eq!(
        (isolated.scope.systems, isolated.scope.segments),
        (3, 2),
        "the cut reaches the other segment"
    );
    impact(
        json!({"type": "host-isolate"}),
        json!(["db-1"]),
        &[],
        &["app-1"],
        &["app-2"],
    );
    impact(
        json!({"type": "host-isolate", "parameters": {}}),
        json!(["app-1"]),
        &[],
        &["app-1"],
        &[],
    );
    let plant = [(
        "topology",
        "/systems/-",
        json!({"id": "seg-p", "class": "network-segment", "tier": "non-critical", "cidr": "10.60.0.0/16"}),
    )];
    let harmless = impact(
        block("10.60.0.0/16", "10.31.0.0/24"),
        json!(["seg-p"]),
        &plant,
        &[],
        &[],
    );
    assert_eq!(
        harmless.scope.tier.as_str(),
        "safety-critical",
        "what is inside counts, whatever the label says"
    );
}

#[test]
fn files() {
    let quarantine =
        json!({"type": "file-quarantine", "parameters": {"path": "/x", "digest": "00"}});
    impact(quarantine.clone(), json!(["ws-1"]), &[], &[], &[]);
    let service = impact(quarantine, json!(["app-1"]), &[], &["shop"], &[]);
    assert_eq!(outcome(&service, 3), Outcome::Fail);
}

#[test]
fn cycles_end() {
    let ring: Vec<Change> = [("web-01", "ws-1"), ("ws-1", "app-1"), ("app-1", "web-01")]
        .into_iter()
        .map(|(from, to)| {
            (
                "topology",
                "/dependencies/-",
                json!({"from": from, "to": to, "kind": "runtime", "strength": "hard"}),
            )
        })
        .collect();
    let patch = json!({"type": "patch", "parameters": {"package": "p", "to_version": "1"}});
    impact(
        patch,
        json!(["web-01"]),
        &ring,
        &["app-1", "web-01", "ws-1"],
        &[],
    );
}
