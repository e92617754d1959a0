//! Restarts, duplicates, late answers, ends and storage.

use super::*;
use SystemState::Health;

#[track_caller]
fn check_recovery(until: &str, touched: usize, tripped: Option<&str>) {
    let mut lab = Lab::new(decided(3), 3, &one_at_a_time());
    lab.feed(EventKind::Start);
    let pending = lab.run_until(until);
    lab.open.clear();
    let before = lab.trace.len();
    lab.feed(EventKind::Recovered);
    let trip = lab.trace[before..]
        .iter()
        .find_map(|line| line.strip_prefix("log tripped "));
    assert_eq!(trip, tripped);
    assert_eq!(lab.operation.touched(), targets(touched));
    // The answer to an effect of the life before changes nothing.
    let state = lab.operation.clone();
    let late = lab.answer(&pending).unwrap();
    assert_eq!(lab.feed(late), []);
    assert_eq!(lab.operation, state);
    lab.run();
    let applies = lab.lines(&["apply"]);
    let once: BTreeSet<&str> = applies.iter().copied().collect();
    assert_eq!(applies.len(), once.len(), "nothing runs twice");
    let expected = if tripped.is_some() {
        Phase::Halted
    } else {
        Phase::Ended {
            ending: Ending::Completed,
        }
    };
    assert_eq!(*lab.operation.phase(), expected);
}

#[test]
fn after_a_restart_what_was_in_flight_is_unknown_and_trips() {
    check_recovery("gate s02 snapshot", 1, None);
    check_recovery("snapshot s02", 1, Some("s02 snapshot unknown"));
    check_recovery("baseline s02", 1, None);
    check_recovery("gate s02 apply", 1, None);
    check_recovery("apply s02", 2, Some("s02 apply unknown"));
    check_recovery("health s02", 2, Some("s02 health unknown"));
}

#[test]
fn a_restart_halts_once_for_many_and_records_each() {
    let rollout = Rollout {
        concurrency: Some(3),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(5), 5, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("apply s03");
    lab.feed(EventKind::Recovered);
    let unknown = lab.operation.tally().get(&SystemState::Unknown);
    assert_eq!(unknown, Some(&3));
    assert_eq!(lab.operation.touched().len(), 3);
    let trips = lab.trace.iter().filter(|line| line.contains("tripped"));
    assert_eq!(trips.count(), 1);
}

#[test]
fn a_restart_in_a_rollback_halts_and_a_person_may_order_it_again() {
    let mut lab = Lab::ran(3, &one_at_a_time(), &[("s02", Health, Fault::Failed)]);
    let decision = digest("roll_back");
    lab.feed(EventKind::RollBack { decision });
    lab.run_until("revert s01");
    lab.open.clear();
    lab.feed(EventKind::Recovered);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(lab.state("s01"), SystemState::RollbackFailed);
    lab.feed(EventKind::RollBack { decision });
    lab.run();
    assert_eq!(
        lab.lines(&["revert"]),
        ["revert s02", "revert s01", "revert s01"]
    );
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
}

#[test]
fn a_restart_sets_the_timer_again() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("2m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("soak");
    lab.open.clear();
    let effects = lab.feed(EventKind::Recovered);
    assert_eq!(effects.iter().map(words).collect::<Vec<_>>(), ["soak 120"]);
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn a_duplicate_answer_changes_nothing() {
    let mut lab = Lab::new(decided(3), 3, &one_at_a_time());
    lab.feed(EventKind::Start);
    while let Some(effect) = lab.open.pop_front() {
        let Some(answer) = lab.answer(&effect) else {
            continue;
        };
        lab.feed(answer.clone());
        let state = lab.operation.clone();
        assert_eq!(lab.feed(answer), []);
        assert_eq!(lab.operation, state);
    }
    assert_eq!(lab.lines(&["apply"]).len(), 3);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn an_answer_of_another_kind_is_refused() {
    let mut lab = Lab::new(decided(1), 1, &one_at_a_time());
    lab.feed(EventKind::Start);
    let sequence = lab.run_until("gate").sequence;
    let state = lab.operation.clone();
    assert_eq!(
        lab.step(EventKind::Applied { sequence }),
        Err(StepError::WrongAnswer {
            sequence,
            awaited: SystemState::Gate
        })
    );
    assert_eq!(lab.operation, state);
    assert_eq!(lab.step(EventKind::Start), Err(StepError::AlreadyStarted));
    assert_eq!(lab.operation, state);
}

#[test]
fn an_ended_operation_never_moves() {
    let mut lab = Lab::ran(1, &one_at_a_time(), &[]);
    let state = lab.operation.clone();
    let decision = digest("late");
    let reason = "late".to_owned();
    for kind in [
        EventKind::Start,
        EventKind::RollBack { decision },
        EventKind::Abort { decision },
    ] {
        assert_eq!(lab.step(kind), Err(StepError::Ended(Ending::Completed)));
    }
    for kind in [
        EventKind::Hold { reason },
        EventKind::Reopened,
        EventKind::Recovered,
        EventKind::SoakEnded {
            sequence: Sequence::new(1),
        },
        EventKind::Applied {
            sequence: Sequence::new(7),
        },
    ] {
        assert_eq!(lab.step(kind), Ok(vec![]));
    }
    assert_eq!(lab.operation, state);
}

#[test]
fn a_stored_operation_that_contradicts_itself_is_refused_without_panic() {
    let mut lab = Lab::new(decided(2), 2, &one_at_a_time());
    lab.feed(EventKind::Start);
    let sequence = lab.run_until("gate").sequence;
    let mut stored = serde_json::to_value(&lab.operation).unwrap();
    stored["flights"] = serde_json::json!({ sequence.to_string(): 9 });
    lab.operation = serde_json::from_value(stored).unwrap();
    assert_eq!(
        lab.step(EventKind::GateOpened { sequence }),
        Err(StepError::Corrupt)
    );
}
