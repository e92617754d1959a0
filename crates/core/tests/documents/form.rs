//! What does not change a digest, what does, and what the documents look like to others.

use std::net::IpAddr;

use countersign_core::document::{self, Kind};
use serde_json::Value;

use crate::{ENVELOPE, FIREWALL, HISTORY, PATCH, ROTATION, TOPOLOGY, digest};

/// Asserts that each change of `example` leaves (or does not leave) its digest as it was.
fn check(
    example: &str,
    digest: impl Fn(String) -> String,
    same: &[(&str, &str)],
    other: &[(&str, &str)],
) {
    let before = digest(example.to_owned());
    for (changes, is_same) in [(same, true), (other, false)] {
        for (from, to) in changes {
            assert_eq!(example.matches(from).count(), 1, "`{from}` must stand once");
            let after = digest(example.replace(from, to));
            assert_eq!(before == after, is_same, "`{from}` → `{to}`");
        }
    }
}

#[test]
fn of_an_envelope() {
    let digest = |text: String| digest(document::envelope(text));
    check(
        ENVELOPE,
        digest,
        &[
            ("\"0.05\", per: 24h", "\"0.050\", per: 1d"),
            (
                "topology_age: { max: 24h }\n      concurrent",
                "topology_age: { max: 1440m }\n      concurrent",
            ),
            (
                "days: [mon, tue, wed, thu, fri]",
                "days: [fri, thu, wed, tue, mon, mon]",
            ),
            (
                "roles: [ot-safety-officer, soc-lead]",
                "roles: [soc-lead, ot-safety-officer]",
            ),
            ("agents: [soc-agent]", "agents:\n- soc-agent\n- soc-agent"),
            (
                "expires: 2027-01-30T00:00:00Z",
                "expires: \"2027-01-30T01:00:00+01:00\"",
            ),
            (
                "path: /healthz, expect: 200, timeout: 2s",
                "timeout: 2s, path: /healthz",
            ),
            (
                "rollback: { within: 15m, drilled_within: 92d }",
                "rollback: { within: 15m }",
            ),
            (
                "breaker: { failures: 0, attempts_per_system: 1 }",
                "breaker: { failures: 0 }",
            ),
            (
                "    rollout: { concurrency: 10,",
                "    rollout: { canary: 0, soak: , waves: [], concurrency: 10,",
            ),
            (
                "corroboration: { independent_sources: 1, within: 10m }",
                "corroboration: { independent_sources: 1, within: 10m }\n      outside: []\n      concurrent_operations: {}",
            ),
            (
                "targets: { classes: [workstation],",
                "targets: { labels: {}, classes: [workstation],",
            ),
            (
                "  year-end-freeze:     { zone: Europe/London,",
                "  year-end-freeze:     { from: \"00:00\", to: \"24:00\", days: [], zone: Europe/London,",
            ),
        ],
        &[
            ("version: 7", "version: 8"),
            ("\"0.05\", per: 24h", "\"0.05\", per: 25h"),
            (
                "breaker: { failures: 0, attempts_per_system: 1 }",
                "breaker: {}",
            ),
            ("canary: 5", "canary: 0"),
            (
                "rollback: { within: 15m, drilled_within: 92d }",
                "rollback: {}",
            ),
            ("to: 2027-01-04", "to: 2027-01-05"),
        ],
    );
    let empty = |part: &str| {
        let text = ENVELOPE.replace("    rollback: { within: 5m, drilled_within: 92d }\n", part);
        digest(text)
    };
    let absent = empty("");
    for part in [
        "    rollback: {}\n",
        "    rollback:\n",
        "    rollback: null\n",
    ] {
        assert_eq!(empty(part), absent, "{part}");
    }
}

#[test]
fn the_order_of_rules_counts() {
    let (head, rules) = ENVELOPE.split_once("rules:\n").unwrap();
    let (first, second) = rules.split_once("\n\n").unwrap();
    let swapped = format!("{head}rules:\n{second}\n{first}\n");
    assert_ne!(
        digest(document::envelope(swapped)),
        digest(document::envelope(ENVELOPE))
    );
}

#[test]
fn of_a_topology() {
    let reversed = |text: &str| {
        let mut sections: Vec<Vec<String>> = vec![Vec::new()];
        for line in text.lines().filter(|l| !l.trim_start().starts_with('#')) {
            if !line.starts_with(' ') {
                sections.push(Vec::new());
            }
            sections.last_mut().unwrap().push(line.to_owned());
        }
        for section in sections.iter_mut().filter(|s| s.len() > 1) {
            section[1..].reverse();
        }
        sections.concat().join("\n")
    };
    let before = digest(document::topology(TOPOLOGY));
    assert_ne!(reversed(TOPOLOGY), TOPOLOGY);
    assert_eq!(digest(document::topology(reversed(TOPOLOGY))), before);
    check(
        TOPOLOGY,
        |text| digest(document::topology(text)),
        &[
            (
                "addresses: [10.8.7.11]",
                "addresses: [\"::ffff:10.8.7.11\"]",
            ),
            ("cidr: 10.8.0.0/16", "cidr: \"::ffff:10.8.0.0/112\""),
            (
                "labels: { purdue: \"2\" }",
                "labels: {\"purdue\": '2'}, title: null",
            ),
            (
                "  - { from: plc-1, ",
                "  - { from: plc-1, to: scada-1,  kind: control, strength: hard }\n  - { from: plc-1, ",
            ),
        ],
        &[
            (
                "tier: non-critical, cidr: 10.4.0.0/16",
                "tier: production-critical, cidr: 10.4.0.0/16",
            ),
            (
                "kind: control, strength: hard",
                "kind: control, strength: soft",
            ),
        ],
    );
    let topology = document::topology(TOPOLOGY.replace("[10.8.7.11]", "[\"::ffff:10.8.7.11\"]"));
    let address: IpAddr = "10.8.7.11".parse().unwrap();
    assert!(
        topology
            .unwrap()
            .document
            .systems
            .iter()
            .any(|s| s.addresses.contains(&address))
    );
}

#[test]
fn of_proposals() {
    check(
        FIREWALL,
        |text| digest(document::proposal(text)),
        &[
            (
                "[\"seg-corp\", \"seg-plant\"]",
                "[\"seg-plant\", \"seg-corp\", \"seg-plant\"]",
            ),
            (
                "\"agent\": \"soc-agent\"",
                "\"agent\": \"\\u0073oc-agent\", \"supersedes\": null",
            ),
            (
                "\"service\": \"any\"",
                "\"service\": \"any\", \"direction\": \"both\"",
            ),
        ],
        &[
            (
                "\"service\": \"any\"",
                "\"service\": \"any\", \"direction\": \"one-way\"",
            ),
            ("\"drop\"", "\"deny\""),
            ("\"seg-plant\"]", "\"seg-plants\"]"),
        ],
    );
}

#[test]
fn of_a_history() {
    let mut value: Value = serde_json::from_str(HISTORY).unwrap();
    for list in ["drills", "detections", "signals", "in_flight", "recent"] {
        let items = value[list].as_array_mut().unwrap();
        let repeated = items[0].clone();
        items.reverse();
        if list != "detections" {
            items.push(repeated);
        }
    }
    let before = digest(document::history(HISTORY));
    assert_eq!(digest(document::history(value.to_string())), before);
    // "None ran" is a fact, "nobody knows" is none.
    value["recent"] = Value::Array(Vec::new());
    let none = digest(document::history(value.to_string()));
    value["recent"] = Value::Null;
    let unknown = digest(document::history(value.to_string()));
    assert_ne!(none, before);
    assert_ne!(none, unknown);
}

/// What was read, written as JSON, is read as the same again: the digest is that of the document.
#[test]
fn what_is_read_reads_back() {
    fn check<T>(
        read: impl Fn(
            String,
        ) -> Result<
            countersign_core::diagnostic::Checked<T>,
            countersign_core::diagnostic::DocumentError,
        >,
        text: &str,
    ) where
        T: serde::Serialize + serde::de::DeserializeOwned + PartialEq + std::fmt::Debug,
    {
        let document = read(text.to_owned()).unwrap().document;
        let json = serde_json::to_string(&document).unwrap();
        assert_eq!(serde_json::from_str::<T>(&json).unwrap(), document);
        assert_eq!(read(json).unwrap().document, document);
    }
    check(document::envelope, ENVELOPE);
    check(document::topology, TOPOLOGY);
    for text in [FIREWALL, PATCH, ROTATION] {
        check(document::proposal, text);
    }
    check(document::history, HISTORY);
}

#[test]
fn every_kind_has_a_schema_that_knows_its_fields() {
    for (kind, field) in [
        (Kind::Envelope, "rules"),
        (Kind::Topology, "dependencies"),
        (Kind::Proposal, "targets"),
        (Kind::History, "in_flight"),
    ] {
        let schema = document::schema(kind);
        let value = schema.as_value();
        assert!(value["properties"][field].is_object(), "{}", kind.as_str());
        assert_eq!(value["additionalProperties"], Value::Bool(false));
    }
}
