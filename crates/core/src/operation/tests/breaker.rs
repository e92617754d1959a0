//! AG-706 4.4: when the breaker trips, and that nothing is dispatched after it.

use super::*;
use SystemState::{Apply, Health, Snapshot};

/// Five systems, one at a time.
#[track_caller]
fn check_trip(
    breaker: Option<Breaker>,
    faults: &[(&str, SystemState, Fault)],
    applied: &[&str],
    tripped: &[&str],
) {
    let rollout = Rollout {
        breaker,
        ..one_at_a_time()
    };
    let lab = Lab::ran(5, &rollout, faults);
    let trips: Vec<&str> = lab
        .trace
        .iter()
        .filter_map(|line| line.strip_prefix("log tripped "))
        .collect();
    assert_eq!(trips, tripped);
    let applies: Vec<&str> = lab
        .trace
        .iter()
        .filter_map(|line| line.strip_prefix("apply "))
        .collect();
    assert_eq!(applies, applied);
    assert_eq!(*lab.operation.phase() == Phase::Halted, !tripped.is_empty());
}

const ALL: [&str; 5] = ["s01 1", "s02 1", "s03 1", "s04 1", "s05 1"];

#[test]
fn the_first_failure_beyond_the_tolerance_trips() {
    let second = [("s02", Health, Fault::Failed)];
    let third = [second[0], ("s03", Health, Fault::Failed)];
    let trip = ["s02 health failures"];
    check_trip(None, &second, &ALL[..2], &trip);
    check_trip(breaker(0, 1), &second, &ALL[..2], &trip);
    check_trip(breaker(1, 1), &second, &ALL, &[]);
    check_trip(breaker(1, 1), &third, &ALL[..3], &["s03 health failures"]);
}

#[test]
fn an_executor_error_is_a_failure() {
    check_trip(
        None,
        &[("s02", Apply, Fault::Failed)],
        &ALL[..2],
        &["s02 apply failures"],
    );
    check_trip(
        None,
        &[("s02", Snapshot, Fault::Failed)],
        &ALL[..1],
        &["s02 snapshot failures"],
    );
}

#[test]
fn no_data_and_lost_results_trip_whatever_is_tolerated() {
    for (fault, state, cause) in [
        (Fault::NoData, Health, "s02 health no_data"),
        (Fault::Missing, Health, "s02 health no_data"),
        (Fault::Lost, Health, "s02 health unknown"),
        (Fault::Lost, Apply, "s02 apply unknown"),
    ] {
        check_trip(breaker(9, 9), &[("s02", state, fault)], &ALL[..2], &[cause]);
    }
    check_trip(
        breaker(9, 9),
        &[("s02", Snapshot, Fault::Lost)],
        &ALL[..1],
        &["s02 snapshot unknown"],
    );
}

#[test]
fn attempts_are_capped_and_keep_the_first_snapshot() {
    let faults = [("s01", Health, Fault::Failed)];
    check_trip(
        breaker(0, 3),
        &faults,
        &["s01 1", "s01 2", "s01 3"],
        &["s01 health failures"],
    );
    let rollout = Rollout {
        breaker: breaker(0, 3),
        ..one_at_a_time()
    };
    let lab = Lab::ran(1, &rollout, &faults);
    assert_eq!(lab.lines(&["snapshot"]), ["snapshot s01 1"]);
    assert_eq!(lab.lines(&["gate"]).len(), 4, "each dispatch has its gate");
}

#[track_caller]
fn check_judgement(results: &[(&str, CheckResult)], expected: SystemState) {
    let rollout = Rollout {
        health: BTreeSet::from([check("tls"), check("up")]),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(1), 1, &rollout);
    lab.feed(EventKind::Start);
    let sequence = lab.run_until("health").sequence;
    let results = results
        .iter()
        .map(|(name, result)| (check(name), result.clone()))
        .collect();
    lab.feed(EventKind::HealthChecked {
        sequence,
        results,
        dependents: BTreeMap::new(),
    });
    assert_eq!(lab.state("s01"), expected);
}

#[test]
fn every_declared_check_must_pass() {
    let pass = || CheckResult::Pass {
        measured: "200".to_owned(),
    };
    let fail = || CheckResult::Fail {
        measured: "503".to_owned(),
    };
    let no_data = || CheckResult::NoData {
        reason: "timeout".to_owned(),
    };
    check_judgement(&[("tls", pass()), ("up", pass())], SystemState::Healthy);
    check_judgement(&[("tls", pass())], SystemState::Undecidable);
    check_judgement(
        &[("other", pass()), ("up", pass())],
        SystemState::Undecidable,
    );
    check_judgement(&[("tls", pass()), ("up", fail())], SystemState::Failed);
    check_judgement(
        &[("tls", fail()), ("up", no_data())],
        SystemState::Undecidable,
    );
    check_judgement(
        &[("tls", no_data()), ("up", fail())],
        SystemState::Undecidable,
    );
    check_judgement(
        &[("tls", pass()), ("up", pass()), ("dependent", fail())],
        SystemState::Failed,
    );
}

#[test]
fn a_trip_says_what_happened() {
    let rollout = Rollout {
        canary: Some(2),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(4), 4, &rollout).with(&[("s03", Health, Fault::Failed)]);
    lab.feed(EventKind::Start);
    lab.run_until("health s03");
    lab.at = midnight() + seconds(7);
    lab.run();
    assert_eq!(
        lab.operation.trip(),
        Some(&Trip {
            system: Some(id("s03")),
            wave: 1,
            cause: TripCause::Failures,
            failure: Failure {
                during: Health,
                check: Some(check("up")),
                dependent: None,
                measured: "measured".to_owned(),
            },
            failed: 1,
            limit: 0,
            tally: BTreeMap::from([
                (SystemState::Pending, 1),
                (SystemState::Healthy, 2),
                (SystemState::Failed, 1),
            ]),
            at: midnight() + seconds(7),
        })
    );
    assert_eq!(lab.operation.touched(), targets(3));
    assert_eq!(lab.operation.remaining(), BTreeSet::from([id("s04")]));
}

#[test]
fn after_a_trip_what_is_in_flight_is_awaited_and_nothing_starts() {
    let rollout = Rollout {
        concurrency: Some(4),
        ..one_at_a_time()
    };
    // s01 waits for a gate, s02 for its snapshot, s03 for its apply, when s04 trips.
    let mut lab = Lab::new(decided(6), 6, &rollout).with(&[
        ("s01", SystemState::Gate, Fault::Silent),
        ("s02", Snapshot, Fault::Silent),
        ("s03", Apply, Fault::Silent),
        ("s04", Health, Fault::Failed),
    ]);
    lab.feed(EventKind::Start);
    let snapshot = lab.run_until("snapshot s02").sequence;
    let apply = lab.run_until("apply s03").sequence;
    lab.run();
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(
        lab.operation.progress().in_flight,
        2,
        "the gate is withdrawn"
    );
    lab.faults.clear();
    let digest = digest("s02");
    let sequence = snapshot;
    assert_eq!(
        lab.feed(EventKind::SnapshotTaken { sequence, digest }),
        [],
        "it stays untouched"
    );
    assert_eq!(
        words(&lab.feed(EventKind::Applied { sequence: apply })[0]),
        "health s03"
    );
    lab.run();
    assert_eq!(lab.state("s03"), SystemState::Healthy);
    assert_eq!(
        lab.operation.touched(),
        BTreeSet::from([id("s03"), id("s04")])
    );
    assert_eq!(lab.lines(&["apply"]), ["apply s03 1", "apply s04 1"]);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    for kind in [
        EventKind::Reopened,
        EventKind::Hold {
            reason: "late".to_owned(),
        },
    ] {
        assert_eq!(lab.feed(kind), []);
        assert_eq!(*lab.operation.phase(), Phase::Halted);
    }
}

#[test]
fn a_system_between_two_attempts_is_recorded_when_the_breaker_trips() {
    let rollout = Rollout {
        concurrency: Some(2),
        breaker: breaker(1, 2),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(3), 3, &rollout).with(&[
        ("s01", Health, Fault::Failed),
        ("s02", Health, Fault::NoData),
    ]);
    lab.feed(EventKind::Start);
    lab.run_until("log attempt 1 of s01");
    lab.faults
        .insert((id("s01"), SystemState::Gate), Fault::Silent);
    lab.run();
    assert_eq!(lab.state("s01"), SystemState::Failed);
    assert_eq!(lab.state("s02"), SystemState::Undecidable);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(lab.operation.progress().in_flight, 0);
}

#[test]
fn texts_from_outside_are_cut() {
    let mut lab = Lab::new(decided(1), 1, &one_at_a_time());
    lab.feed(EventKind::Start);
    let sequence = lab.run_until("apply").sequence;
    let reason = "é".repeat(TEXT_CHARS_MAX * 3);
    lab.feed(EventKind::ExecutorFailed { sequence, reason });
    let measured = &lab.operation.trip().unwrap().failure.measured;
    assert_eq!(measured.chars().count(), TEXT_CHARS_MAX);
}
