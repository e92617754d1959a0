//! Assessments against the specification: a table of cases, each of which names its clause of
//! AG-706 section 4 and pins which clauses then block, and no other.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod world;

mod actions;
mod authority_window;
mod blast_radius;
mod breaker;
mod calendars;
mod classification;
mod dependencies;
mod detection;
mod envelope_grant;
mod near_limit;
mod networks;
mod recording;
mod redundancy;
mod rollback;
mod staged_rollout;
mod verdict;

use std::collections::BTreeMap;

use world::Case;

/// Runs all cases and tells every one that differs, not only the first.
fn run(cases: Vec<Case>) {
    let failed: Vec<String> = cases.iter().filter_map(|case| case.run().err()).collect();
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
}

#[test]
fn envelope_grant() {
    run(envelope_grant::cases());
}

#[test]
fn calendars() {
    run(calendars::cases());
}

#[test]
fn recording() {
    run(recording::cases());
}

#[test]
fn dependencies() {
    run(dependencies::cases());
}

#[test]
fn redundancy() {
    run(redundancy::cases());
}

#[test]
fn actions() {
    run(actions::cases());
}

#[test]
fn networks() {
    run(networks::cases());
}

#[test]
fn breaker() {
    run(breaker::cases());
}

#[test]
fn blast_radius() {
    run(blast_radius::cases());
}

#[test]
fn rollback() {
    run(rollback::cases());
}

#[test]
fn classification() {
    run(classification::cases());
}

#[test]
fn staged_rollout() {
    run(staged_rollout::cases());
}

#[test]
fn authority_window() {
    run(authority_window::cases());
}

#[test]
fn detection() {
    run(detection::cases());
}

#[test]
fn near_limit() {
    run(near_limit::cases());
}

#[test]
fn verdict() {
    run(verdict::cases());
}

/// Every part of the table.
const TABLE: [fn() -> Vec<Case>; 16] = [
    envelope_grant::cases,
    calendars::cases,
    recording::cases,
    dependencies::cases,
    redundancy::cases,
    actions::cases,
    networks::cases,
    breaker::cases,
    blast_radius::cases,
    rollback::cases,
    classification::cases,
    staged_rollout::cases,
    authority_window::cases,
    detection::cases,
    near_limit::cases,
    verdict::cases,
];

#[test]
fn the_table_names_every_clause_and_every_kind_of_action() {
    const CASES_MIN: usize = 170;
    const CLAUSES: [&str; 12] = [
        "4.1", "4.2", "4.3", "4.4", "4.5", "4.6", "4.7", "4.8", "4.9", "4.10", "4.11", "4.12",
    ];
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
    let cases: Vec<Case> = TABLE.iter().flat_map(|part| part()).collect();
    assert!(cases.len() >= CASES_MIN, "only {} cases", cases.len());
    let mut names = BTreeMap::new();
    let mut clauses = BTreeMap::new();
    let mut kinds = BTreeMap::new();
    for case in &cases {
        *names.entry((case.clause, case.why)).or_insert(0) += 1;
        *clauses.entry(case.clause).or_insert(0) += 1;
        *kinds.entry(case.kind()).or_insert(0) += 1;
    }
    let repeated: Vec<_> = names.iter().filter(|(_, times)| **times > 1).collect();
    assert!(repeated.is_empty(), "cases of one name: {repeated:?}");
    for clause in CLAUSES {
        assert!(clauses.remove(clause).is_some(), "no case names {clause}");
    }
    assert!(clauses.is_empty(), "clauses that do not exist: {clauses:?}");
    for kind in KINDS {
        assert!(kinds.contains_key(kind), "no case is about {kind}");
    }
    let alone = cases.iter().filter(|case| case.runs_alone()).count();
    assert!(
        alone * 4 >= cases.len() && alone * 4 <= cases.len() * 3,
        "{alone} of {} run alone: the table must show both",
        cases.len()
    );
}
