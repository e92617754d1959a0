//! Health before the first touch: what is unwell already is not our failure, and is left alone.

use super::*;
use SystemState::{AlreadyUnhealthy, Baseline, Health};

#[test]
fn what_is_unhealthy_already_is_left_alone_and_counted_by_itself() {
    let lab = Lab::ran(3, &one_at_a_time(), &[("s02", Baseline, Fault::Failed)]);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1", "apply s03 1"]);
    assert_eq!(lab.operation.remaining(), BTreeSet::from([id("s02")]));
    assert_eq!(
        *lab.operation.tally(),
        BTreeMap::from([(AlreadyUnhealthy, 1), (SystemState::Healthy, 2)])
    );
    assert_eq!(lab.operation.trip(), None);
    assert!(lab.trace.contains(&"log s02 already_unhealthy".to_owned()));
}

#[track_caller]
fn check_held(fault: Fault) {
    let mut lab = Lab::ran(2, &one_at_a_time(), &[("s01", Baseline, fault)]);
    assert!(matches!(lab.operation.phase(), Phase::Held { .. }));
    assert_eq!(lab.lines(&["apply"]), [""; 0]);
    // It is looked at again once it is re-opened, with a snapshot of that moment.
    lab.faults.clear();
    lab.feed(EventKind::Reopened);
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    assert_eq!(
        lab.lines(&["snapshot"]),
        ["snapshot s01 1", "snapshot s01 1", "snapshot s02 1"]
    );
}

#[test]
fn no_data_before_the_first_touch_holds() {
    check_held(Fault::NoData);
    check_held(Fault::Missing);
    check_held(Fault::Lost);
}

#[test]
fn another_attempt_does_not_look_again() {
    let rollout = Rollout {
        breaker: breaker(0, 2),
        ..one_at_a_time()
    };
    let lab = Lab::ran(1, &rollout, &[("s01", Health, Fault::Failed)]);
    assert_eq!(lab.lines(&["baseline"]), ["baseline s01"]);
    assert_eq!(lab.lines(&["apply"]).len(), 2);
}

#[test]
fn without_checks_there_is_nothing_to_look_at() {
    let rollout = Rollout {
        health: BTreeSet::new(),
        ..one_at_a_time()
    };
    let lab = Lab::ran(1, &rollout, &[]);
    assert_eq!(lab.lines(&["baseline", "health"]), [""; 0]);
    assert_eq!(lab.state("s01"), SystemState::Unchecked);
}

/// One target, whose dependent `db` gives these results before and after.
fn with_dependent(before: CheckResult, after: CheckResult) -> Lab {
    let rollout = Rollout {
        dependents: BTreeSet::from([check("answers")]),
        breaker: breaker(9, 9),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.operation = lab
        .operation
        .with_dependents(BTreeSet::from([id("db"), id("s02")]));
    lab.feed(EventKind::Start);
    for (begins, result) in [("baseline", before), ("health", after)] {
        while let Some(effect) = lab.open.front().cloned() {
            if words(&effect).starts_with(begins) {
                break;
            }
            assert!(lab.answer_one());
        }
        let Some(effect) = lab.open.pop_front() else {
            return lab;
        };
        let (EffectKind::Baseline { dependents, .. } | EffectKind::Health { dependents, .. }) =
            &effect.kind
        else {
            panic!("{}", words(&effect));
        };
        assert_eq!(dependents.systems, BTreeSet::from([id("db")]), "no target");
        let measured = "measured".to_owned();
        lab.feed(EventKind::HealthChecked {
            sequence: effect.sequence,
            results: BTreeMap::from([(check("up"), CheckResult::Pass { measured })]),
            dependents: BTreeMap::from([(id("db"), BTreeMap::from([(check("answers"), result)]))]),
        });
        if lab.operation.phase() != &Phase::Running {
            return lab;
        }
    }
    lab
}

fn pass() -> CheckResult {
    CheckResult::Pass {
        measured: "yes".to_owned(),
    }
}

fn fail() -> CheckResult {
    CheckResult::Fail {
        measured: "no".to_owned(),
    }
}

fn no_data() -> CheckResult {
    CheckResult::NoData {
        reason: "timeout".to_owned(),
    }
}

#[test]
fn a_dependent_that_suffers_trips_whatever_is_tolerated() {
    for after in [fail(), no_data()] {
        let lab = with_dependent(pass(), after);
        let trip = lab.operation.trip().unwrap();
        assert_eq!(trip.cause, TripCause::Dependent);
        assert_eq!(trip.failure.dependent, Some(id("db")));
        assert_eq!(lab.state("s01"), SystemState::Failed);
        assert_eq!(lab.state("s02"), SystemState::Pending);
    }
    let lab = with_dependent(pass(), pass());
    assert_eq!(lab.state("s01"), SystemState::Healthy);
}

#[test]
fn a_dependent_that_is_unwell_already_holds() {
    for before in [fail(), no_data()] {
        let lab = with_dependent(before, pass());
        assert!(matches!(lab.operation.phase(), Phase::Held { .. }));
        assert_eq!(lab.operation.touched(), BTreeSet::new());
    }
}

#[test]
fn an_operation_stored_before_there_was_a_baseline_goes_on_as_it_was() {
    let mut lab = Lab::new(decided(1), 1, &one_at_a_time());
    let mut stored = serde_json::to_value(&lab.operation).unwrap();
    stored["limits"].as_object_mut().unwrap().remove("baseline");
    lab.operation = serde_json::from_value(stored).unwrap();
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(lab.lines(&["baseline"]), [""; 0]);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}
