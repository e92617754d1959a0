//! AG-706 4.6: the touched systems, in reverse, and proved to be back as they were. Aborts and drills.

use super::*;
use SystemState::{Apply, Health, Revert, RevertHealth, RevertSnapshot, Snapshot};

fn roll_back() -> EventKind {
    EventKind::RollBack {
        decision: digest("roll_back"),
    }
}

fn abort() -> EventKind {
    EventKind::Abort {
        decision: digest("abort"),
    }
}

#[test]
fn the_touched_are_reverted_in_reverse_checked_and_compared() {
    let mut lab = Lab::ran(4, &one_at_a_time(), &[("s02", Health, Fault::Failed)]);
    let halted = lab.trace.len();
    lab.feed(roll_back());
    lab.run();
    assert_eq!(
        &lab.trace[halted..],
        [
            "log rollback of 2",
            "log reverting s02",
            "revert s02",
            "health s02",
            "log checked s02",
            "verify s02",
            "log s02 rolled_back",
            "log reverting s01",
            "revert s01",
            "health s01",
            "log checked s01",
            "verify s01",
            "log s01 rolled_back",
            "log finished rolled_back",
            "finished rolled_back",
        ]
    );
    assert_eq!(lab.operation.touched(), targets(2), "touched stays touched");
}

#[test]
fn a_revert_carries_its_snapshot_and_its_decision() {
    let mut lab = Lab::ran(1, &one_at_a_time(), &[("s01", Apply, Fault::Failed)]);
    lab.feed(roll_back());
    let effect = lab.run_until("revert");
    assert_eq!(
        effect.kind,
        EffectKind::Revert {
            system: id("s01"),
            before: Some(digest("s01")),
            decision: Some(digest("roll_back")),
        }
    );
}

#[test]
fn a_rollback_waits_for_what_is_in_flight() {
    let rollout = Rollout {
        concurrency: Some(3),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(3), 3, &rollout).with(&[
        ("s01", Apply, Fault::Silent),
        ("s02", Snapshot, Fault::Silent),
        ("s03", Health, Fault::Failed),
    ]);
    lab.feed(EventKind::Start);
    let snapshot = lab.run_until("snapshot s02").sequence;
    let apply = lab.run_until("apply s01").sequence;
    lab.run();
    lab.feed(roll_back());
    lab.run();
    assert_eq!(lab.lines(&["revert"]), Vec::<&str>::new());
    let reason = "no answer for 10m".to_owned();
    lab.feed(EventKind::Lost {
        sequence: apply,
        reason,
    });
    assert_eq!(lab.state("s01"), SystemState::Unknown);
    lab.feed(EventKind::SnapshotTaken {
        sequence: snapshot,
        digest: digest("s02"),
    });
    lab.run();
    assert_eq!(lab.lines(&["revert"]), ["revert s03", "revert s01"]);
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
    assert_eq!(lab.state("s02"), SystemState::Pending);
}

#[track_caller]
fn check_failed_rollback(state: SystemState, fault: Fault) {
    let faults = [("s03", Health, Fault::Failed), ("s02", state, fault)];
    let mut lab = Lab::ran(4, &one_at_a_time(), &faults[..1]);
    lab.faults.clear();
    lab = lab.with(&faults[1..]);
    lab.feed(roll_back());
    lab.run();
    assert_eq!(lab.lines(&["revert"]), ["revert s03", "revert s02"]);
    assert_eq!(lab.state("s02"), SystemState::RollbackFailed);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    let trip = lab.operation.trip().unwrap();
    assert_eq!(
        (trip.cause, trip.failure.during),
        (TripCause::Rollback, state)
    );

    // A person may leave it so …
    let mut left = Lab {
        operation: lab.operation.clone(),
        open: VecDeque::new(),
        trace: Vec::new(),
        faults: BTreeMap::new(),
        ..lab
    };
    left.feed(abort());
    assert_eq!(left.operation.ending(), Some(Ending::RollbackFailed));

    // … or order what is missing once more.
    lab.faults.clear();
    lab.feed(roll_back());
    lab.run();
    assert_eq!(lab.lines(&["revert"])[2..], ["revert s02", "revert s01"]);
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
}

#[test]
fn a_system_that_is_not_back_halts_the_rollback_for_a_person() {
    check_failed_rollback(Revert, Fault::Failed);
    check_failed_rollback(Revert, Fault::Lost);
    check_failed_rollback(RevertHealth, Fault::Failed);
    check_failed_rollback(RevertHealth, Fault::NoData);
    check_failed_rollback(RevertHealth, Fault::Missing);
    check_failed_rollback(RevertSnapshot, Fault::Changed);
    check_failed_rollback(RevertSnapshot, Fault::Failed);
    check_failed_rollback(RevertSnapshot, Fault::Lost);
}

#[test]
fn with_nothing_touched_there_is_nothing_to_roll_back() {
    let mut lab = Lab::ran(3, &one_at_a_time(), &[("s01", Snapshot, Fault::Failed)]);
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(lab.step(roll_back()), Err(StepError::NothingTouched));
    assert_eq!(lab.operation.remaining(), targets(3));
    lab.feed(abort());
    assert_eq!(lab.operation.ending(), Some(Ending::Aborted));
}

#[test]
fn an_abort_leaves_the_touched_as_they_are_and_starts_nothing() {
    let mut lab = Lab::new(decided(4), 4, &one_at_a_time());
    lab.feed(EventKind::Start);
    lab.run_until("apply s02");
    lab.feed(abort());
    assert_eq!(lab.step(abort()), Err(StepError::AlreadyDecided));
    assert_eq!(lab.step(roll_back()), Err(StepError::AlreadyDecided));
    lab.run();
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1", "apply s02 1"]);
    assert_eq!(lab.lines(&["revert"]), Vec::<&str>::new());
    assert_eq!(lab.state("s02"), SystemState::Healthy, "awaited, recorded");
    assert_eq!(lab.operation.ending(), Some(Ending::Aborted));
}

#[test]
fn an_abort_can_come_in_any_phase() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("2m"),
        ..one_at_a_time()
    };
    for until in ["", "gate", "snapshot", "apply", "soak", "revert", "verify"] {
        let mut lab = Lab::new(decided(2), 2, &rollout).with(&[("s02", Health, Fault::Failed)]);
        let mut expected = Ending::Aborted;
        if !until.is_empty() {
            lab.feed(EventKind::Start);
        }
        if ["revert", "verify"].contains(&until) {
            lab.run();
            lab.feed(roll_back());
            expected = Ending::RollbackFailed;
        }
        if !until.is_empty() {
            lab.run_until(until);
        }
        lab.feed(abort());
        lab.run();
        assert_eq!(lab.operation.ending(), Some(expected), "{until}");
        assert!(lab.lines(&["revert"]).len() <= 1, "{until}");
    }
}

#[test]
fn a_drill_rolls_back_by_itself_and_is_recorded() {
    let mut lab = Lab::new(drill(), 2, &one_at_a_time());
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1", "apply s02 1"]);
    assert_eq!(lab.lines(&["revert"]), ["revert s02", "revert s01"]);
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
    let drill = lab.operation.drill(midnight()).unwrap();
    assert_eq!(drill.action, ActionKind::Patch);
    assert_eq!(drill.succeeded_at, midnight());
}

#[test]
fn a_drill_that_did_not_run_through_proves_nothing() {
    for fault in [
        ("s01", Health, Fault::Failed),
        ("s01", RevertSnapshot, Fault::Changed),
    ] {
        let mut lab = Lab::new(drill(), 1, &one_at_a_time()).with(&[fault]);
        lab.feed(EventKind::Start);
        lab.run();
        assert_eq!(*lab.operation.phase(), Phase::Halted);
        lab.faults.clear();
        lab.feed(roll_back());
        lab.run();
        assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
        assert_eq!(lab.operation.drill(midnight()), None);
    }
    let mut lab = Lab::new(decided(1), 1, &one_at_a_time());
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(lab.operation.drill(midnight()), None, "it was no drill");
}
