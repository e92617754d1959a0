//! Lints on an envelope: each case changes the example and expects a warning at the mark `‸`.

use countersign_core::diagnostic::Diagnostic;
use countersign_core::document::{self, Surroundings};

const ENVELOPE: &str = include_str!("../examples/envelope.yaml");
const TOPOLOGY: &str = include_str!("../examples/topology.yaml");

fn listed(warnings: &[Diagnostic]) -> String {
    warnings
        .iter()
        .map(|d| {
            format!(
                "{}:{} {} | {} | {}\n",
                d.line, d.column, d.code, d.message, d.mend
            )
        })
        .collect()
}

fn warnings(text: &str, surroundings: Surroundings<'_>) -> String {
    let checked = document::envelope_within(text, surroundings)
        .unwrap_or_else(|error| panic!("{text}\n{error}"));
    listed(&checked.warnings)
}

/// Replaces `from` by `to`; the warning at the mark begins with `expected`, code and message.
fn check_within(surroundings: Surroundings<'_>, cases: &[(&str, &str, &str)]) {
    for (from, to, expected) in cases {
        assert_eq!(
            ENVELOPE.matches(from).count(),
            1,
            "`{from}` must stand once"
        );
        let marked = ENVELOPE.replace(from, to);
        let (before, after) = marked.split_once('‸').unwrap();
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap().chars().count() + 1;
        let found = warnings(&format!("{before}{after}"), surroundings);
        let expected = format!("{line}:{column} {expected}");
        assert!(
            found.lines().any(|l| l.starts_with(&expected)),
            "`{to}`: expected {expected}, found\n{found}"
        );
    }
}

fn check(cases: &[(&str, &str, &str)]) {
    check_within(Surroundings::default(), cases);
}

const SECOND: &str = "  - id: contain-workstation";
const TARGETS: &str =
    "targets: { classes: [linux-server], tiers: [non-critical, production-critical] }";

/// A second rule about patches, with everything that a rule needs to run alone.
fn rule(targets: &str, more: &str) -> String {
    format!(
        "  - id: ‸other\n    actions: [patch]\n    targets: {{ classes: [linux-server], tiers: [non-critical]{targets} }}\n{more}    rollout: {{ health: [edr-alive], breaker: {{ failures: 1 }} }}\n    rollback: {{ within: 15m }}\n\n{SECOND}"
    )
}

#[test]
fn of_rules_that_grant_the_same_on_other_terms() {
    check(&[(
        SECOND,
        &rule("", ""),
        "overlapping-rules | rules `routine-patch` and `other` both grant `patch` on `linux-server`, `non-critical`, and differ in their severity, conditions, rollout;",
    )]);
    for apart in [
        rule("", "    severity: { min: critical }\n"),
        rule("", "").replace("[linux-server]", "[windows-server]"),
    ] {
        let text = ENVELOPE.replace(SECOND, &apart.replace('‸', ""));
        let found = warnings(&text, Surroundings::default());
        assert!(!found.contains("overlapping"), "{found}");
    }
    // Labels, sites and exposures keep two rules apart where both ask for different ones.
    for (list, ours, theirs) in [
        ("labels", "{ env: prod }", "{ env: test }"),
        ("sites", "[london]", "[leeds]"),
        ("exposure", "[public]", "[internal]"),
    ] {
        let first = TARGETS.replace(" }", &format!(", {list}: {ours} }}"));
        for (theirs, apart) in [(theirs, true), (ours, false)] {
            let text = ENVELOPE.replace(TARGETS, &first).replace(
                SECOND,
                &rule(&format!(", {list}: {theirs}"), "").replace('‸', ""),
            );
            let found = warnings(&text, Surroundings::default());
            assert_eq!(
                !found.contains("overlapping"),
                apart,
                "{list} {theirs}: {found}"
            );
        }
    }
}

#[test]
fn of_rules_under_which_nothing_runs_alone() {
    check(&[
        (
            "    rollback: { within: 5m, drilled_within: 92d }",
            "    rollback: ‸{}",
            "never-alone | rule `contain-workstation` declares no rollback,",
        ),
        (
            "rollout: { concurrency: 10, health: [edr-alive], breaker: { failures: 0, attempts_per_system: 2 } }",
            "rollout: ‸{ concurrency: 10 }",
            "never-alone | rule `contain-workstation` declares neither health checks nor a breaker,",
        ),
        (
            "actions: [patch]",
            "actions: ‸[process-kill]",
            "never-alone | rule `routine-patch` grants only what cannot be undone,",
        ),
        (
            "actions: [patch]",
            "actions: [patch, ‸process-kill]",
            "grant-never-holds | `process-kill` cannot be undone,",
        ),
        (
            "outside: [london-market-hours, year-end-freeze]",
            "outside: [london-market-hours, year-end-freeze]\n      inside: ‸[year-end-freeze]",
            "never-alone | rule `routine-patch` must be inside and outside of the same calendars",
        ),
        (
            "classes: [linux-server]",
            "classes: [linux-server, ‸plc]",
            "grant-never-holds | a `plc` is always safety-critical,",
        ),
    ]);
    let radius = "    blast_radius: { systems: 10, services: 1, segments: 0, fraction_of_class: \"0.05\", per: 24h }\n";
    for (replacement, why) in [
        ("", "`production-critical` has no blast radius"),
        (
            "    blast_radius: { systems: 0, per: 24h }\n",
            "the blast radius of `production-critical` is 0 systems",
        ),
    ] {
        let found = warnings(
            &ENVELOPE.replace(radius, replacement),
            Surroundings::default(),
        );
        assert!(
            found.contains(&format!("grant-never-holds | {why}")),
            "{found}"
        );
    }
}

#[test]
fn of_limits_that_are_none() {
    check(&[
        (
            "corroboration: { independent_sources: 1, within: 15m }",
            "corroboration: { independent_sources: ‸0, within: 15m }",
            "limit-never-binds | 0 independent sources",
        ),
        (
            "within: 15m, drilled_within: 92d",
            "within: 15m, drilled_within: ‸93d",
            "drill-too-old | a drill 93d ago",
        ),
    ]);
}

#[test]
fn of_a_rollout_wider_than_a_tier() {
    check(&[
        (
            "canary: 5",
            "canary: ‸11",
            "wider-than-tier | a canary of 11 is wider than the 10 systems that `production-critical` allows",
        ),
        (
            "concurrency: 5\n",
            "concurrency: ‸11\n",
            "wider-than-tier | a concurrency of 11 is wider",
        ),
        (
            "waves: [\"5%\", \"25%\", \"100%\"]",
            "waves: [\"5%\", ‸\"11\", \"100%\"]",
            "wider-than-tier | a wave of 11 is wider",
        ),
    ]);
    let found = warnings(
        &ENVELOPE.replace("canary: 5", "canary: 10"),
        Surroundings::default(),
    );
    assert!(!found.contains("wider-than-tier"), "{found}");
}

#[test]
fn of_calendars_that_change_nothing() {
    const FREEZE: &str = "{ zone: Europe/London, dates: { from: 2026-12-18, to: 2027-01-04 } }";
    let never = "calendar-never-applies | calendar `year-end-freeze` covers nothing of the authority window";
    let always = "endless-calendar | calendar `year-end-freeze` covers the whole authority window";
    check(&[
        (
            FREEZE,
            "‸{ zone: Europe/London, dates: { from: 2025-12-18, to: 2026-01-04 } }",
            "calendar-never-applies | calendar `year-end-freeze` is over before the authority window begins",
        ),
        (
            FREEZE,
            "‸{ zone: Europe/London, dates: { from: 2027-12-18, to: 2028-01-04 } }",
            never,
        ),
        // 24 and 25 November 2026 are a Tuesday and a Wednesday.
        (
            FREEZE,
            "‸{ zone: Europe/London, days: [thu], dates: { from: 2026-11-24, to: 2026-11-25 } }",
            never,
        ),
        (
            FREEZE,
            "‸{ zone: Europe/London, days: [mon, tue], from: \"09:00\", to: \"10:00\", except: [london-market-hours] }",
            never,
        ),
        (
            FREEZE,
            "‸{ zone: Europe/London, dates: { from: 2026-11-01, to: 2027-01-30 } }",
            always,
        ),
    ]);
    // One minute of the window is enough: 31 October 23:59 in New York is after its first instant.
    for edge in [
        "{ zone: America/New_York, dates: { from: 2026-10-31, to: 2026-10-31 }, from: \"23:59\" }",
        "{ zone: Europe/London, days: [mon, tue], from: \"08:59\", to: \"10:00\", except: [nine] }\n  nine: { zone: Europe/London, from: \"09:00\", to: \"10:00\" }",
    ] {
        let found = warnings(&ENVELOPE.replace(FREEZE, edge), Surroundings::default());
        assert!(!found.contains("year-end-freeze"), "{edge}: {found}");
    }
}

#[test]
fn against_a_topology_and_the_clock() {
    let topology = document::topology(TOPOLOGY).unwrap().document;
    let around = Surroundings {
        topology: Some(&topology),
        now: Some("2026-11-24T02:20:00Z".parse().unwrap()),
    };
    check_within(
        around,
        &[
            (
                "classes: [linux-server]",
                "classes: [linux-server, ‸mainframe]",
                "unknown-name | no system of the topology has the class `mainframe`",
            ),
            (
                TARGETS,
                "targets: { classes: [linux-server], tiers: [non-critical], sites: [‸leeds] }",
                "unknown-name | no system of the topology has the site `leeds`",
            ),
            (
                "topology_age: { max: 24h }\n      concurrent",
                "topology_age: { max: 24h }\n      error_budget: { services: [‸shop], min_remaining: \"0.1\" }\n      concurrent",
                "unknown-name | no system of the topology has the service `shop`",
            ),
            (
                TARGETS,
                "targets: ‸{ classes: [linux-server], tiers: [non-critical], labels: { nobody: has-it } }",
                "grants-nothing | no system of the topology matches all that rule `routine-patch` asks of a target",
            ),
        ],
    );
    let over = Surroundings {
        topology: None,
        now: Some("2027-01-30T00:00:00Z".parse().unwrap()),
    };
    check_within(
        over,
        &[(
            "expires: 2027",
            "expires: ‸2027",
            "window-over | the authority window is already over",
        )],
    );
    let last = Surroundings {
        now: Some("2027-01-29T23:59:59Z".parse().unwrap()),
        ..over
    };
    assert!(!warnings(ENVELOPE, last).contains("window-over"));
}
