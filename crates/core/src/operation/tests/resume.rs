//! `continue`: a quorum resets the breaker (AG-706 4.4), perhaps for fewer systems.

use super::*;
use SystemState::{Apply, Health, LeftOut};

fn go_on(narrowed: Option<&[&str]>) -> EventKind {
    EventKind::Continue {
        decisions: BTreeSet::from([digest("ann"), digest("ben")]),
        narrowed: narrowed.map(|ids| ids.iter().map(|text| id(text)).collect()),
    }
}

/// Halted at the second of five.
fn halted(rollout: &Rollout) -> Lab {
    let mut lab = Lab::ran(5, rollout, &[("s02", Health, Fault::Failed)]);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    lab.faults.clear();
    lab
}

#[test]
fn what_was_not_touched_goes_on_and_nothing_runs_twice() {
    let mut lab = halted(&one_at_a_time());
    lab.feed(go_on(None));
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    assert_eq!(
        lab.lines(&["apply"]),
        [
            "apply s01 1",
            "apply s02 1",
            "apply s03 1",
            "apply s04 1",
            "apply s05 1"
        ]
    );
    assert_eq!(lab.operation.continued_by().len(), 2);
}

#[test]
fn the_breaker_counts_anew() {
    let rollout = Rollout {
        breaker: breaker(1, 1),
        ..one_at_a_time()
    };
    let mut lab = Lab::ran(
        6,
        &rollout,
        &[
            ("s01", Health, Fault::Failed),
            ("s02", Health, Fault::Failed),
        ],
    );
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    for failing in ["s03", "s04"] {
        lab.faults.insert((id(failing), Health), Fault::Failed);
    }
    lab.feed(go_on(None));
    lab.run();
    assert_eq!(lab.state("s04"), SystemState::Failed, "one is borne again");
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    let trip = lab.operation.trip().unwrap();
    assert_eq!((trip.failed, trip.limit), (2, 1));
}

#[test]
fn a_narrowed_one_leaves_the_others_out_for_good() {
    let mut lab = halted(&one_at_a_time());
    lab.feed(go_on(Some(&["s04"])));
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    assert_eq!((lab.state("s03"), lab.state("s05")), (LeftOut, LeftOut));
    assert_eq!(
        lab.lines(&["apply"]),
        ["apply s01 1", "apply s02 1", "apply s04 1"]
    );
    assert!(lab.trace.contains(&"log s03 left_out".to_owned()));
}

#[track_caller]
fn check_refused(lab: &mut Lab, narrowed: Option<&[&str]>, error: &StepError) {
    let state = lab.operation.clone();
    assert_eq!(lab.step(go_on(narrowed)).unwrap_err(), *error);
    assert_eq!(lab.operation, state);
}

#[test]
fn only_untouched_systems_can_be_kept() {
    let mut lab = halted(&one_at_a_time());
    check_refused(
        &mut lab,
        Some(&["s02"]),
        &StepError::NotRemaining(id("s02")),
    );
    check_refused(&mut lab, Some(&["s9"]), &StepError::NotRemaining(id("s9")));
}

#[test]
fn only_a_halted_operation_goes_on() {
    let mut lab = Lab::new(decided(2), 2, &one_at_a_time());
    lab.feed(EventKind::Start);
    check_refused(&mut lab, None, &StepError::NotHalted);
    let mut lab = halted(&one_at_a_time());
    let decision = digest("roll_back");
    lab.feed(EventKind::RollBack { decision });
    check_refused(&mut lab, None, &StepError::AlreadyDecided);
    lab.faults
        .insert((id("s02"), SystemState::RevertSnapshot), Fault::Changed);
    lab.run();
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    check_refused(&mut lab, None, &StepError::RollbackBegan);
}

#[test]
fn what_is_in_flight_is_known_before_anybody_continues() {
    let rollout = Rollout {
        concurrency: Some(2),
        ..one_at_a_time()
    };
    let mut lab = Lab::ran(
        3,
        &rollout,
        &[
            ("s01", Apply, Fault::Silent),
            ("s02", Health, Fault::Failed),
        ],
    );
    check_refused(&mut lab, None, &StepError::InFlight(1));
}

#[test]
fn after_a_reset_it_cools_down_first() {
    let rollout = Rollout {
        breaker: Some(Breaker {
            cool_down: soak("5m"),
            ..Breaker::default()
        }),
        ..one_at_a_time()
    };
    let mut lab = halted(&rollout);
    let effects = lab.feed(go_on(None));
    assert_eq!(
        effects.iter().map(words).collect::<Vec<_>>(),
        ["log continued without 0", "timer 300"]
    );
    // A hold and a restart do not shorten it.
    let reason = "calendar".to_owned();
    lab.feed(EventKind::Hold { reason });
    lab.at = midnight() + seconds(60);
    lab.feed(EventKind::Reopened);
    let effects = lab.feed(EventKind::Recovered);
    assert_eq!(effects.iter().map(words).collect::<Vec<_>>(), ["timer 300"]);
    lab.run();
    assert!(matches!(lab.operation.phase(), Phase::CoolingDown { .. }));
    lab.at = midnight() + seconds(300);
    lab.feed(EventKind::TimerEnded {
        sequence: effects[0].sequence,
    });
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn a_soak_that_an_alert_broke_off_is_taken_up_again() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("2m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("soak");
    lab.open.clear();
    lab.feed(EventKind::Halt {
        source: "monitor".to_owned(),
        reason: "bad".to_owned(),
    });
    lab.at = midnight() + seconds(30);
    let effects = lab.feed(go_on(None));
    assert_eq!(words(&effects[1]), "soak 120");
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}
