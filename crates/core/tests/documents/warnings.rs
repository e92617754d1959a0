//! Lints: each case changes an example and expects one more warning, at the mark `‸`.

use countersign_core::diagnostic::{Checked, DocumentError, Level};
use countersign_core::document;

use crate::{ENVELOPE, TOPOLOGY, listed};

fn check<T: std::fmt::Debug>(
    example: &str,
    read: impl Fn(&str) -> Result<Checked<T>, DocumentError>,
    cases: &[(&str, &str, &str)],
) {
    for (from, to, code) in cases {
        assert_eq!(example.matches(from).count(), 1, "`{from}` must stand once");
        let marked = example.replace(from, to);
        let (before, after) = marked.split_once('‸').expect("a mark");
        let line = before.matches('\n').count() + 1;
        let column = before
            .rsplit('\n')
            .next()
            .unwrap_or_default()
            .chars()
            .count()
            + 1;
        let warnings = read(&format!("{before}{after}"))
            .unwrap_or_else(|error| panic!("`{to}`: {error}"))
            .warnings;
        let warnings = listed(&warnings, Level::Warning);
        let expected = format!("{line}:{column} {code} ");
        assert!(
            warnings.lines().any(|l| l.starts_with(&expected)),
            "`{to}`: expected {expected}, found\n{warnings}"
        );
    }
}

#[test]
fn of_an_envelope() {
    const SECOND: &str = "  - id: contain-workstation";
    check(
        ENVELOPE,
        |text| document::envelope(text),
        &[
            ("agents: [soc-agent]", "agents: ‸[]", "no-agent"),
            ("canary: 5", "canary: ‸200", "limit-never-binds"),
            ("concurrency: 5", "concurrency: ‸200", "limit-never-binds"),
            (
                "fraction_of_class: \"0.25\"",
                "fraction_of_class: ‸\"1.0\"",
                "limit-never-binds",
            ),
            ("services: 5,", "services: ‸200,", "limit-never-binds"),
            (
                "false_positive_rate: { max: \"0.05\"",
                "false_positive_rate: { max: ‸\"1\"",
                "limit-never-binds",
            ),
            (
                "[ot-safety-officer, soc-lead] }\n",
                "[ot-safety-officer, soc-lead] }\n    blast_radius: ‸{ per: 1h }\n",
                "limit-never-binds",
            ),
            (
                "calendars:\n",
                "calendars:\n  ‸weekend: { zone: UTC, days: [sat, sun] }\n",
                "unused",
            ),
            (
                "{ zone: Europe/London, dates: { from: 2026-12-18, to: 2027-01-04 } }",
                "‸{ zone: Europe/London }",
                "endless-calendar",
            ),
            (
                SECOND,
                "  - id: ‸narrower\n    actions: [patch]\n    targets: { classes: [linux-server], tiers: [non-critical], labels: { env: test } }\n    severity: { min: medium, max: medium }\n    conditions:\n      outside: [london-market-hours, year-end-freeze]\n      corroboration: { independent_sources: 2, within: 5m }\n      false_positive_rate: { max: \"0.01\", over: 90d }\n      topology_age: { max: 1h }\n      concurrent_operations: { max: 1 }\n\n  - id: contain-workstation",
                "shadowed-rule",
            ),
        ],
    );
}

#[test]
fn of_a_grant_on_a_tier_without_autonomy() {
    let text = ENVELOPE.replacen("autonomy: bounded", "autonomy: prohibited", 1);
    let warnings = listed(&document::envelope(text).unwrap().warnings, Level::Warning);
    assert!(warnings.contains("43:63 grant-never-holds"), "{warnings}");
    assert!(warnings.contains("24:19 limit-never-binds"), "{warnings}");
}

#[test]
fn a_rule_with_fewer_conditions_is_not_shadowed() {
    let text = ENVELOPE.replace(
        "  - id: contain-workstation",
        "  - id: looser\n    actions: [patch]\n    targets: { classes: [linux-server], tiers: [non-critical] }\n    severity: { max: high }\n\n  - id: contain-workstation",
    );
    let warnings = listed(&document::envelope(text).unwrap().warnings, Level::Warning);
    assert!(!warnings.contains("shadowed"), "{warnings}");
}

#[test]
fn of_a_topology() {
    check(
        TOPOLOGY,
        |text| document::topology(text),
        &[
            (
                "id: seg-corp,  class: network-segment, tier: non-critical",
                "id: seg-corp,  class: network-segment, tier: ‸production-critical",
                "segment-below-inside",
            ),
            (
                "tier: production-critical, service: payments",
                "tier: ‸non-critical, service: payments",
                "system-below-service",
            ),
            ("min_healthy: 300", "min_healthy: ‸2", "group-never-healthy"),
            (
                "  - { from: plc-1, ",
                "  - { from: plc-1, to: scada-1, kind: control, strength: hard }\n  - ‸{ from: plc-1, ",
                "duplicate-dependency",
            ),
            (
                "tier: non-critical, addresses: [10.31.0.17], labels: { env: prod }",
                "tier: ‸non-critical, addresses: [10.31.0.17], labels: { env: prod, regulated: pci }",
                "regulated-below",
            ),
            (
                "labels: { purdue: \"2\" }",
                "labels: { purdue: ‸\"two\" }",
                "purdue-unknown",
            ),
            (
                "addresses: [10.31.0.18], labels: { env: prod } }\n\ndependencies:\n",
                "addresses: [10.31.0.18], labels: { env: prod, purdue: \"4\" } }\n\ndependencies:\n  - { from: web-018, to: ‸plc-1, kind: data, strength: soft }\n",
                "purdue-skipped",
            ),
            (
                "addresses: [10.31.0.18], labels: { env: prod } }\n\ndependencies:\n",
                "addresses: [10.31.0.18], labels: { env: prod, purdue: \"5\" } }\n\ndependencies:\n  - { from: scada-1, to: ‸web-018, kind: data, strength: soft }\n",
                "purdue-skipped",
            ),
        ],
    );
    for level in ["3", "3.5", "2"] {
        let text = TOPOLOGY
            .replace(
                "addresses: [10.31.0.18], labels: { env: prod }",
                &format!("addresses: [10.31.0.18], labels: {{ env: prod, purdue: \"{level}\" }}"),
            )
            .replace(
                "dependencies:\n",
                "dependencies:\n  - { from: web-018, to: plc-1, kind: data, strength: soft }\n",
            );
        let warnings = listed(&document::topology(text).unwrap().warnings, Level::Warning);
        assert!(!warnings.contains("purdue"), "{level}: {warnings}");
    }
    let lonely = TOPOLOGY.replace("min_healthy: 300", "min_healthy: 2");
    let warnings = listed(
        &document::topology(lonely).unwrap().warnings,
        Level::Warning,
    );
    assert!(
        warnings
            .contains("group `pay-ldn` has 1 member and needs 2, so that it never saves anything"),
        "{warnings}"
    );
    let quiet = TOPOLOGY
        .replace("min_healthy: 300", "min_healthy: 1")
        .replace(
            "network-segment, tier: non-critical",
            "network-segment, tier: safety-critical",
        );
    assert_eq!(document::topology(quiet).unwrap().warnings, []);
}
