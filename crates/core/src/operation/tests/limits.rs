//! Shares of a wave, alerts from outside, and limits in time.

use super::*;
use SystemState::{Apply, Health};

/// Of 20 systems in waves of 10, the first `failing` of the second wave fail.
#[track_caller]
fn check_share(percent: u8, failures: Option<u32>, failing: usize, tripped: Option<TripCause>) {
    let rollout = Rollout {
        waves: wave_sizes(&["10", "10"]),
        breaker: Some(Breaker {
            failures,
            failures_percent: Some(percent),
            ..Breaker::default()
        }),
        ..one_at_a_time()
    };
    let names: Vec<String> = (11..11 + failing).map(|n| format!("s{n}")).collect();
    let faults: Vec<_> = names
        .iter()
        .map(|name| (name.as_str(), Health, Fault::Failed))
        .collect();
    let lab = Lab::ran(20, &rollout, &faults);
    assert_eq!(lab.operation.trip().map(|trip| trip.cause), tripped);
}

#[test]
fn exactly_the_share_of_a_wave_passes_and_the_first_beyond_trips() {
    let share = Some(TripCause::FailureShare);
    check_share(20, None, 2, None);
    check_share(20, None, 3, share);
    // 2.9 systems are 2.
    check_share(29, None, 2, None);
    check_share(29, None, 3, share);
    check_share(0, None, 1, share);
    check_share(99, None, 9, None);
    check_share(99, None, 10, share);
    // With both, whichever trips first.
    check_share(20, Some(1), 2, Some(TripCause::Failures));
    check_share(20, Some(9), 3, share);
}

#[test]
fn a_share_counts_anew_in_each_wave() {
    let rollout = Rollout {
        waves: wave_sizes(&["5", "5"]),
        breaker: Some(Breaker {
            failures_percent: Some(20),
            ..Breaker::default()
        }),
        ..one_at_a_time()
    };
    let one_each = [
        ("s01", Health, Fault::Failed),
        ("s06", Health, Fault::Failed),
    ];
    let lab = Lab::ran(10, &rollout, &one_each);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    let lab = Lab::ran(
        10,
        &rollout,
        &[
            ("s06", Health, Fault::Failed),
            ("s07", Health, Fault::Failed),
        ],
    );
    let trip = lab.operation.trip().unwrap();
    assert_eq!((trip.failed, trip.limit), (2, 1));
}

#[test]
fn an_alert_from_outside_halts_between_two_systems() {
    let mut lab = Lab::new(decided(3), 3, &one_at_a_time());
    lab.feed(EventKind::Start);
    lab.run_until("gate s02 snapshot");
    lab.feed(EventKind::Halt {
        source: "prometheus".to_owned(),
        reason: "error rate 40 %".to_owned(),
    });
    lab.run();
    let trip = lab.operation.trip().unwrap();
    assert_eq!((trip.cause, trip.system.as_ref()), (TripCause::Alert, None));
    assert_eq!(trip.failure.measured, "prometheus: error rate 40 %");
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1"]);
}

#[test]
fn an_alert_does_not_stop_a_way_back() {
    let mut lab = Lab::ran(2, &one_at_a_time(), &[("s02", Health, Fault::Failed)]);
    let decision = digest("roll_back");
    lab.feed(EventKind::RollBack { decision });
    let alert = EventKind::Halt {
        source: "monitor".to_owned(),
        reason: "still bad".to_owned(),
    };
    assert_eq!(lab.feed(alert), []);
    lab.run();
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
}

/// The timers asked for and not answered.
fn timers(lab: &Lab) -> Vec<(Sequence, i64)> {
    lab.open
        .iter()
        .filter_map(|effect| {
            let EffectKind::StartTimer { until } = effect.kind else {
                return None;
            };
            Some((effect.sequence, (until - midnight()).num_seconds()))
        })
        .collect()
}

#[test]
fn what_gives_no_answer_is_unknown_and_treated_as_touched() {
    let rollout = Rollout {
        answer_within: soak("30s"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout).with(&[("s01", Apply, Fault::Silent)]);
    lab.feed(EventKind::Start);
    let watch = timers(&lab);
    assert_eq!(watch.len(), 1, "one timer watches all");
    assert_eq!(watch[0].1, 30);
    lab.run_until("apply s01");
    lab.open.clear();
    // The apply was sent after the timer was set: the next one covers it.
    lab.at = midnight() + seconds(30);
    let again = lab.feed(EventKind::TimerEnded {
        sequence: watch[0].0,
    });
    assert_eq!(again.iter().map(words).collect::<Vec<_>>(), ["timer 60"]);
    lab.at = midnight() + seconds(60);
    lab.feed(EventKind::TimerEnded {
        sequence: again[0].sequence,
    });
    assert_eq!(lab.state("s01"), SystemState::Unknown);
    assert_eq!(lab.operation.touched(), targets(1));
    assert_eq!(lab.operation.trip().unwrap().cause, TripCause::Unknown);
    assert_eq!(lab.operation.progress().in_flight, 0);
}

#[test]
fn what_is_awaited_after_a_trip_is_given_up_as_well() {
    let rollout = Rollout {
        concurrency: Some(2),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(3), 3, &rollout).with(&[
        ("s01", Apply, Fault::Silent),
        ("s02", Health, Fault::Failed),
    ]);
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(lab.operation.progress().in_flight, 1);
    for _ in 0..2 {
        let sequence = lab.operation.watch.unwrap().timer.sequence;
        lab.at += seconds(3_600);
        lab.feed(EventKind::TimerEnded { sequence });
    }
    assert_eq!(lab.operation.progress().in_flight, 0);
    assert_eq!(lab.state("s01"), SystemState::Unknown);
    assert_eq!(
        lab.lines(&["log"])
            .iter()
            .filter(|l| l.contains("tripped"))
            .count(),
        1
    );
}

#[test]
fn a_timer_that_ends_early_is_set_again_and_an_old_one_is_ignored() {
    let rollout = Rollout {
        within: soak("10m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(1), 1, &rollout);
    lab.feed(EventKind::Start);
    let first = lab.operation.deadline.unwrap().sequence;
    lab.at = midnight() - seconds(60);
    let again = lab.feed(EventKind::TimerEnded { sequence: first });
    assert_eq!(again.iter().map(words).collect::<Vec<_>>(), ["timer 600"]);
    lab.at = midnight() + seconds(601);
    assert_eq!(lab.feed(EventKind::TimerEnded { sequence: first }), []);
}

#[test]
fn an_operation_past_its_deadline_halts() {
    let rollout = Rollout {
        within: soak("10m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(2), 2, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("apply s01");
    lab.at = midnight() + seconds(600);
    let sequence = lab.operation.deadline.unwrap().sequence;
    lab.feed(EventKind::TimerEnded { sequence });
    lab.run();
    assert_eq!(lab.operation.trip().unwrap().cause, TripCause::Deadline);
    assert_eq!(lab.state("s01"), SystemState::Healthy, "awaited");
    assert_eq!(lab.lines(&["apply"]), ["apply s01 1"]);
}

#[test]
fn a_restart_sets_the_deadline_again() {
    let rollout = Rollout {
        within: soak("10m"),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(1), 1, &rollout);
    lab.feed(EventKind::Start);
    lab.run_until("gate");
    lab.open.clear();
    lab.feed(EventKind::Recovered);
    let ends: Vec<i64> = timers(&lab).into_iter().map(|(_, at)| at).collect();
    assert_eq!(ends, [600, 3_600]);
}
