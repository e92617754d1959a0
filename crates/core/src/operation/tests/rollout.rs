//! The way forward.

use super::*;

#[test]
fn a_system_takes_the_whole_path() {
    let lab = Lab::ran(1, &one_at_a_time(), &[]);
    assert_eq!(
        lab.trace,
        [
            "log started",
            "log wave 0 of 1",
            "gate s01 snapshot",
            "snapshot s01 1",
            "baseline s01",
            "gate s01 apply",
            "log touched s01",
            "apply s01 1",
            "health s01",
            "log s01 healthy",
            "log finished completed",
            "finished completed",
        ]
    );
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[track_caller]
fn check_concurrency(systems: usize, concurrency: Option<u32>, expected: u64) {
    let rollout = Rollout {
        concurrency,
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(systems), systems, &rollout);
    lab.feed(EventKind::Start);
    let mut most = lab.operation.progress().in_flight;
    while lab.answer_one() {
        most = most.max(lab.operation.progress().in_flight);
    }
    assert_eq!(most, expected);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn no_more_are_in_flight_than_allowed() {
    check_concurrency(6, Some(1), 1);
    check_concurrency(6, Some(4), 4);
    check_concurrency(6, Some(40), 6);
    check_concurrency(6, None, 6);
    check_concurrency(6, Some(0), 1);
}

#[test]
fn a_wave_starts_after_the_one_before_and_the_soak() {
    let rollout = Rollout {
        canary: Some(1),
        waves: wave_sizes(&["50%", "100%"]),
        soak: soak("2m"),
        concurrency: None,
        ..one_at_a_time()
    };
    let lab = Lab::ran(4, &rollout, &[]);
    let kept: Vec<&str> = lab
        .trace
        .iter()
        .map(String::as_str)
        .filter(|line| {
            ["apply", "soak", "finished"].contains(&line.split(' ').next().unwrap())
                || line.starts_with("log wave")
        })
        .collect();
    assert_eq!(
        kept,
        [
            "log wave 0 of 1",
            "apply s01 1",
            "soak 120",
            "log wave 1 of 1",
            "apply s02 1",
            "soak 240",
            "log wave 2 of 2",
            "apply s03 1",
            "apply s04 1",
            "finished completed",
        ]
    );
}

#[test]
fn an_early_timer_waits_again_and_an_old_one_is_ignored() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("2m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.feed(EventKind::Start);
    let first = lab.run_until("soak").sequence;
    lab.at = midnight() + seconds(119);
    let again = lab.feed(EventKind::SoakEnded { sequence: first });
    assert_eq!(words(&again[0]), "soak 120");
    lab.at = midnight() + seconds(120);
    assert_eq!(lab.feed(EventKind::SoakEnded { sequence: first }), []);
    let sequence = again[0].sequence;
    assert_eq!(
        words(&lab.feed(EventKind::SoakEnded { sequence })[0]),
        "log wave 1 of 1"
    );
}

#[test]
fn a_soak_at_the_end_of_time_does_not_overflow() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("3650d"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.at = DateTime::<Utc>::MAX_UTC;
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[track_caller]
fn check_closed_gate(at_gate: usize, expected: &[&str]) {
    let mut lab = Lab::new(decided(2), 2, &one_at_a_time());
    lab.feed(EventKind::Start);
    for _ in 1..at_gate {
        let gate = lab.run_until("gate");
        lab.feed(EventKind::GateOpened {
            sequence: gate.sequence,
        });
        lab.open.retain(|effect| effect.sequence != gate.sequence);
    }
    let gate = lab.run_until("gate");
    lab.open.clear();
    let effects = lab.feed(EventKind::GateClosed {
        sequence: gate.sequence,
        reason: "a new dependency".to_owned(),
    });
    assert_eq!(words(&effects[0]), "log held: a new dependency");
    assert_eq!(effects.len(), 1, "a closed gate stops dispatch");
    assert!(matches!(lab.operation.phase(), Phase::Held { .. }));
    assert_eq!(
        lab.feed(EventKind::GateOpened {
            sequence: gate.sequence
        }),
        [],
        "a gate answers once"
    );
    let reopened = lab.trace.len();
    lab.feed(EventKind::Reopened);
    lab.run();
    assert_eq!(&lab.trace[reopened..][..expected.len()], expected);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn a_closed_gate_holds_and_after_reopening_is_asked_anew() {
    check_closed_gate(1, &["log reopened", "gate s01 snapshot", "snapshot s01 1"]);
    // The snapshot from before the hold no longer counts.
    check_closed_gate(2, &["log reopened", "gate s01 snapshot", "snapshot s01 1"]);
    check_closed_gate(3, &["log reopened", "gate s02 snapshot", "snapshot s02 1"]);
}

#[test]
fn a_gate_without_an_answer_is_a_closed_one() {
    let lab = Lab::ran(
        2,
        &one_at_a_time(),
        &[("s01", SystemState::Gate, Fault::Lost)],
    );
    assert!(matches!(lab.operation.phase(), Phase::Held { .. }));
    assert!(lab.operation.touched().is_empty());
}

#[test]
fn a_hold_withdraws_gates_and_lets_nothing_start() {
    let rollout = Rollout {
        concurrency: Some(3),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(4), 4, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("apply s01");
    lab.feed(EventKind::Hold {
        reason: "autonomy is suspended".to_owned(),
    });
    lab.run();
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1"], "in flight, awaited");
    assert_eq!(lab.state("s01"), SystemState::Healthy);
    assert!(matches!(lab.operation.phase(), Phase::Held { .. }));
    lab.feed(EventKind::Reopened);
    lab.run();
    assert_eq!(
        lab.lines(&["apply"]),
        ["apply s01 1", "apply s02 1", "apply s03 1", "apply s04 1"]
    );
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn a_hold_in_a_soak_keeps_the_soak() {
    let rollout = Rollout {
        canary: Some(1),
        soak: soak("2m"),
        ..one_at_a_time()
    };
    for (reopened_after_s, expected) in [(60, "soak 120"), (180, "log wave 1 of 1")] {
        let mut lab = Lab::new(decided(2), 2, &rollout);
        lab.feed(EventKind::Start);
        let timer = lab.run_until("soak").sequence;
        let reason = "the calendar closed".to_owned();
        lab.feed(EventKind::Hold { reason });
        lab.at = midnight() + seconds(reopened_after_s);
        assert_eq!(lab.feed(EventKind::SoakEnded { sequence: timer }), []);
        let effects = lab.feed(EventKind::Reopened);
        assert_eq!(words(&effects[1]), expected);
        lab.run();
        assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    }
}

#[test]
fn a_hold_while_the_last_system_is_in_flight_does_not_outlive_it() {
    let mut lab = Lab::new(decided(1), 1, &one_at_a_time());
    lab.feed(EventKind::Start);
    lab.run_until("apply s01");
    let reason = "the calendar closed".to_owned();
    lab.feed(EventKind::Hold { reason });
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn without_checks_a_system_is_never_called_healthy() {
    let rollout = Rollout {
        health: BTreeSet::new(),
        ..one_at_a_time()
    };
    let lab = Lab::ran(1, &rollout, &[]);
    assert_eq!(lab.state("s01"), SystemState::Unchecked);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
}

#[test]
fn nothing_is_built_without_targets_or_on_others_than_approved() {
    let build = |approved: usize, number: usize| {
        let id = OperationId::new("op_1").unwrap();
        Operation::new(id, decided(approved), &targets(number), &one_at_a_time()).map(|_| ())
    };
    assert_eq!(build(0, 0), Err(OperationError::NoTargets));
    assert_eq!(build(2, 3), Err(OperationError::OtherTargets));
    assert_eq!(build(3, 2), Err(OperationError::OtherTargets));
    assert_eq!(build(3, 3), Ok(()));
}
