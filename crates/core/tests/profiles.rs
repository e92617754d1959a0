//! The industry profiles: each lints without a warning, and what it refuses and still lets run is pinned.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use chrono::{DateTime, Duration, Utc};
use countersign_core::assessment::{self, Clause, Outcome, Verdict};
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::scope::Graph;
use serde_json::{Value, json};

const FINANCIAL: &str = include_str!("../../../profiles/financial.yaml");
const HEALTHCARE: &str = include_str!("../../../profiles/healthcare.yaml");
const MANUFACTURING: &str = include_str!("../../../profiles/manufacturing.yaml");
const PUBLIC_SECTOR: &str = include_str!("../../../profiles/public-sector.yaml");

/// A Tuesday, 02:20 in London.
const NIGHT: &str = "2026-11-24T02:20:00Z";
/// The same day, 10:00.
const DAY: &str = "2026-11-24T10:00:00Z";

/// A profile with its window moved to hold `now`, as whoever adopts it does.
fn profile(text: &str, now: DateTime<Utc>) -> Envelope {
    let read = document::envelope(text).unwrap();
    assert_eq!(read.warnings, [], "a profile lints without a warning");
    let mut envelope = read.document;
    let window = envelope.authority.expires - envelope.authority.effective;
    envelope.authority.effective = now - Duration::days(1);
    envelope.authority.expires = envelope.authority.effective + window;
    envelope
}

/// Twenty servers and workstations that are granted, and `special` beside them.
fn topology(labels: &Value, special: &Value) -> Value {
    let system = |class: &str, n: u32| {
        json!({"id": format!("{class}-{n:02}"), "class": class, "tier": "non-critical",
               "labels": labels, "exposure": "internal"})
    };
    let mut systems: Vec<Value> = (1..=20)
        .flat_map(|n| [system("linux-server", n), system("workstation", n)])
        .collect();
    systems.extend(special["systems"].as_array().unwrap().iter().cloned());
    json!({
        "schema": "countersign/topology/v1", "source": "cmdb", "observed_at": "2026-11-24T02:00:00Z",
        "services": special.get("services").cloned().unwrap_or_else(|| json!([])),
        "systems": systems,
        "dependencies": special.get("dependencies").cloned().unwrap_or_else(|| json!([])),
    })
}

/// Verdict and blocking clauses of `action` on `target` at `now`, with every fact in its favour.
fn assess(
    envelope: &str,
    topology: &Value,
    action: &Value,
    target: &str,
    now: &str,
) -> (Verdict, Vec<Clause>) {
    let at: DateTime<Utc> = now.parse().unwrap();
    let mut topology = topology.clone();
    topology["observed_at"] = json!(now);
    let topology = document::topology(topology.to_string()).unwrap().document;
    let proposal = json!({
        "idempotency_key": "k", "agent": "soc-agent",
        "detection": {"id": "d", "rule": "r", "source": "s", "title": "t", "severity": "high", "detected_at": now},
        "action": action, "targets": {"systems": [target]}, "expires_at": at + Duration::hours(1)
    });
    let proposal = document::proposal(proposal.to_string()).unwrap().document;
    let kind = action["type"].clone();
    let class = topology
        .systems
        .iter()
        .find(|s| s.id.as_str() == target)
        .unwrap()
        .class
        .clone();
    let digest = proposal.action.digest().unwrap();
    let signal = |n| json!({"source": format!("s{n}"), "upstream": format!("u{n}"), "systems": [target], "observed_at": now});
    let history = json!({
        "envelope_authorised": true, "autonomy_suspended": false,
        "drills": [{"action": kind, "class": class, "succeeded_at": at - Duration::days(5)}],
        "staging": [{"action_digest": digest, "class": class, "succeeded_at": at - Duration::days(5)}],
        "detections": [{"rule": "r", "source": "s", "upstream": "x", "agents": ["soc-agent"], "severity": "high", "assessed": 1000, "false_positives": 1}],
        "signals": [signal(1), signal(2)], "in_flight": [], "recent": []
    });
    let history = document::history(history.to_string()).unwrap().document;
    let graph = Graph::new(&topology);
    let envelope = profile(envelope, at);
    let found = assessment::assess(Some(&envelope), &graph, &proposal, Some(&history), at);
    let blocking = found
        .findings
        .iter()
        .filter(|finding| finding.outcome != Outcome::Pass)
        .map(|finding| finding.clause)
        .collect();
    (found.verdict, blocking)
}

fn patch() -> Value {
    json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}})
}

fn isolate() -> Value {
    json!({"type": "host-isolate", "parameters": {}})
}

#[track_caller]
fn runs_alone(envelope: &str, topology: &Value, action: &Value, target: &str, now: &str) {
    let found = assess(envelope, topology, action, target, now);
    assert_eq!(found, (Verdict::Autonomous, vec![]), "{target} at {now}");
}

/// It waits, and `clause` is among the reasons.
#[track_caller]
fn waits(
    envelope: &str,
    topology: &Value,
    action: &Value,
    target: &str,
    now: &str,
    clause: Clause,
) {
    let (verdict, blocking) = assess(envelope, topology, action, target, now);
    assert_eq!(verdict, Verdict::NeedsApproval, "{target} at {now}");
    assert!(
        blocking.contains(&clause),
        "{target} at {now}: {blocking:?}"
    );
}

use Clause::{C4_1, C4_3, C4_6, C4_7};

#[test]
fn financial() {
    let labels = json!({"pci-scope": "out", "trading": "no"});
    let special = json!({"systems": [
        {"id": "settle-1", "class": "linux-server", "tier": "safety-critical", "labels": labels},
        {"id": "card-1", "class": "linux-server", "tier": "production-critical", "labels": {"pci-scope": "in", "trading": "no"}},
        {"id": "algo-1", "class": "linux-server", "tier": "production-critical", "labels": {"pci-scope": "out", "trading": "yes"}},
        {"id": "bare-1", "class": "linux-server", "tier": "non-critical"},
        {"id": "feed-1", "class": "linux-server", "tier": "non-critical", "labels": labels},
    ], "dependencies": [{"from": "settle-1", "to": "feed-1", "kind": "data", "strength": "hard"}]});
    let topology = topology(&labels, &special);
    runs_alone(FINANCIAL, &topology, &patch(), "linux-server-01", NIGHT);
    runs_alone(FINANCIAL, &topology, &isolate(), "workstation-01", DAY);
    // A bank holiday is no market day, but this one lies in the year-end freeze.
    for at in [
        DAY,
        "2026-11-24T18:30:00Z",
        "2026-12-25T10:00:00Z",
        "2026-12-20T02:20:00Z",
    ] {
        waits(FINANCIAL, &topology, &patch(), "linux-server-01", at, C4_1);
    }
    for target in ["settle-1", "card-1", "algo-1", "bare-1"] {
        waits(FINANCIAL, &topology, &patch(), target, NIGHT, C4_1);
    }
    waits(FINANCIAL, &topology, &patch(), "feed-1", NIGHT, C4_3);
    waits(FINANCIAL, &topology, &patch(), "feed-1", NIGHT, C4_7);
}

#[test]
fn healthcare() {
    let labels = json!({"phi": "no"});
    let special = json!({"systems": [
        {"id": "ehr-db", "class": "database", "tier": "safety-critical", "labels": {"phi": "yes"}},
        {"id": "pump-1", "class": "medical-device", "tier": "safety-critical"},
        {"id": "decide-1", "class": "clinical-system", "tier": "safety-critical", "labels": labels},
        {"id": "pharmacy-1", "class": "linux-server", "tier": "production-critical", "labels": labels},
        {"id": "archive-1", "class": "linux-server", "tier": "non-critical", "labels": {"phi": "yes"}},
        {"id": "login-1", "class": "linux-server", "tier": "non-critical", "labels": labels},
    ], "dependencies": [
        {"from": "ehr-db", "to": "login-1", "kind": "runtime", "strength": "hard"},
        {"from": "pharmacy-1", "to": "ehr-db", "kind": "credential", "credential": "svc", "strength": "hard"},
    ]});
    let topology = topology(&labels, &special);
    runs_alone(HEALTHCARE, &topology, &patch(), "linux-server-01", NIGHT);
    runs_alone(HEALTHCARE, &topology, &isolate(), "workstation-01", DAY);
    waits(
        HEALTHCARE,
        &topology,
        &patch(),
        "linux-server-01",
        DAY,
        C4_1,
    );
    for target in ["ehr-db", "pump-1", "decide-1"] {
        for action in [patch(), isolate()] {
            waits(HEALTHCARE, &topology, &action, target, NIGHT, C4_7);
        }
    }
    let rotate = json!({"type": "credential-rotate", "parameters": {"credential": "svc", "updates_dependents": []}});
    waits(HEALTHCARE, &topology, &rotate, "ehr-db", NIGHT, C4_3);
    for target in ["pharmacy-1", "archive-1"] {
        waits(HEALTHCARE, &topology, &patch(), target, NIGHT, C4_1);
    }
    waits(HEALTHCARE, &topology, &patch(), "login-1", NIGHT, C4_7);
}

#[test]
fn manufacturing() {
    let special = json!({"systems": [
        {"id": "plc-1", "class": "plc", "tier": "safety-critical", "addresses": ["10.8.7.11"], "labels": {"purdue": "1"}},
        {"id": "scada-1", "class": "scada-server", "tier": "safety-critical", "addresses": ["10.4.3.9"], "labels": {"purdue": "2"}},
        {"id": "seg-plant", "class": "network-segment", "tier": "non-critical", "cidr": "10.8.0.0/16", "labels": {"purdue": "4"}},
        {"id": "jump-1", "class": "linux-server", "tier": "non-critical", "labels": {"purdue": "3.5"}},
        {"id": "bare-1", "class": "linux-server", "tier": "non-critical"},
        {"id": "mes-1", "class": "linux-server", "tier": "production-critical", "labels": {"purdue": "4"}},
        {"id": "office-1", "class": "workstation", "tier": "non-critical", "labels": {"purdue": "5"}},
        {"id": "office-2", "class": "workstation", "tier": "non-critical", "labels": {"purdue": "5"}},
        {"id": "office-3", "class": "workstation", "tier": "non-critical", "labels": {"purdue": "5"}},
        {"id": "office-4", "class": "workstation", "tier": "non-critical", "labels": {"purdue": "5"}},
    ], "dependencies": [{"from": "plc-1", "to": "scada-1", "kind": "control", "strength": "hard"}]});
    let topology = topology(&json!({"purdue": "4"}), &special);
    runs_alone(MANUFACTURING, &topology, &patch(), "linux-server-01", NIGHT);
    runs_alone(MANUFACTURING, &topology, &isolate(), "office-1", DAY);
    waits(
        MANUFACTURING,
        &topology,
        &patch(),
        "linux-server-01",
        DAY,
        C4_1,
    );
    for target in ["plc-1", "scada-1"] {
        waits(MANUFACTURING, &topology, &patch(), target, NIGHT, C4_7);
    }
    // Scenario C: the segment looks harmless, and a controller is inside.
    let block = json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.4.0.0/16", "to": "10.8.0.0/16", "service": "any"}});
    for action in [block, json!({"type": "network-isolate", "parameters": {}})] {
        for clause in [C4_1, C4_3, C4_7] {
            waits(
                MANUFACTURING,
                &topology,
                &action,
                "seg-plant",
                NIGHT,
                clause,
            );
        }
    }
    for target in ["jump-1", "bare-1", "mes-1"] {
        waits(MANUFACTURING, &topology, &patch(), target, NIGHT, C4_1);
    }
}

#[test]
fn public_sector() {
    let special = json!({"systems": [
        {"id": "portal-1", "class": "linux-server", "tier": "non-critical", "exposure": "public"},
        {"id": "unsaid-1", "class": "linux-server", "tier": "non-critical"},
        {"id": "benefits-1", "class": "linux-server", "tier": "production-critical", "exposure": "internal"},
        {"id": "dispatch-1", "class": "linux-server", "tier": "safety-critical", "exposure": "internal"},
    ]});
    let topology = topology(&json!({}), &special);
    runs_alone(PUBLIC_SECTOR, &topology, &patch(), "linux-server-01", NIGHT);
    runs_alone(PUBLIC_SECTOR, &topology, &isolate(), "workstation-01", DAY);
    for at in [DAY, "2026-11-27T02:20:00Z", "2026-11-19T02:20:00Z"] {
        waits(
            PUBLIC_SECTOR,
            &topology,
            &patch(),
            "linux-server-01",
            at,
            C4_1,
        );
    }
    waits(
        PUBLIC_SECTOR,
        &topology,
        &isolate(),
        "workstation-01",
        "2026-11-19T10:00:00Z",
        C4_1,
    );
    for target in ["portal-1", "unsaid-1", "benefits-1", "dispatch-1"] {
        waits(PUBLIC_SECTOR, &topology, &patch(), target, NIGHT, C4_1);
    }
    waits(
        PUBLIC_SECTOR,
        &topology,
        &patch(),
        "dispatch-1",
        NIGHT,
        C4_7,
    );
    let kill = json!({"type": "process-kill", "parameters": {"process": "nginx"}});
    waits(
        PUBLIC_SECTOR,
        &topology,
        &kill,
        "linux-server-01",
        NIGHT,
        C4_6,
    );
}

#[test]
fn every_rule_of_every_profile_asks_for_corroboration_a_canary_and_a_breaker() {
    for text in [FINANCIAL, HEALTHCARE, MANUFACTURING, PUBLIC_SECTOR] {
        let envelope = document::envelope(text).unwrap().document;
        assert!(envelope.authority.quorum >= 3, "{}", envelope.name);
        for rule in &envelope.rules {
            let conditions = &rule.conditions;
            assert!(conditions.corroboration.is_some() && conditions.topology_age.is_some());
            assert!(rule.rollout.canary.is_some() && rule.rollout.breaker.is_some());
        }
    }
}
