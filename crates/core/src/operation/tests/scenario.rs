//! AG-706 Scenario A: 1,240 hosts, approved narrowed to the canary of 5; host 3 breaks.

use super::*;

fn hosts(number: usize) -> BTreeSet<SystemId> {
    (1..=number).map(|n| id(&format!("pay-{n:04}"))).collect()
}

#[test]
fn the_canary_halts_at_host_3_and_is_rolled_back() {
    let all = hosts(1240);
    let narrowed: BTreeSet<SystemId> = all.iter().take(5).cloned().collect();
    let rollout = Rollout {
        canary: Some(5),
        waves: wave_sizes(&["5%", "25%", "100%"]),
        soak: soak("2m"),
        breaker: breaker(0, 1),
        ..one_at_a_time()
    };
    let mut lab = Lab::new(decided(1), 1, &rollout);
    lab.operation = Operation::new(
        OperationId::new("op_7f").unwrap(),
        decided_on(&narrowed),
        &narrowed,
        &rollout,
    )
    .unwrap();
    assert_eq!(
        Operation::new(
            OperationId::new("op_7f").unwrap(),
            decided_on(&narrowed),
            &all,
            &rollout,
        ),
        Err(OperationError::OtherTargets),
        "never more than was signed"
    );
    assert_eq!(
        lab.operation.waves().map(<[_]>::len).collect::<Vec<_>>(),
        [5]
    );
    lab.faults
        .insert((id("pay-0003"), SystemState::Health), Fault::Failed);
    lab.feed(EventKind::Start);
    lab.run();
    assert_eq!(*lab.operation.phase(), Phase::Halted);
    assert_eq!(
        lab.lines(&["apply"]),
        ["apply pay-0001 1", "apply pay-0002 1", "apply pay-0003 1"]
    );
    for never in ["pay-0004", "pay-0005"] {
        assert!(
            !lab.trace.iter().any(|line| line.contains(never)),
            "{never}"
        );
        assert_eq!(lab.state(never), SystemState::Pending);
    }
    assert_eq!(lab.operation.touched(), hosts(3));
    lab.faults.clear();
    lab.feed(EventKind::RollBack {
        decision: digest("soc-lead"),
    });
    lab.run();
    assert_eq!(
        lab.lines(&["revert"]),
        ["revert pay-0003", "revert pay-0002", "revert pay-0001"]
    );
    assert_eq!(lab.operation.ending(), Some(Ending::RolledBack));
    assert_eq!(
        *lab.operation.tally(),
        BTreeMap::from([(SystemState::Pending, 2), (SystemState::RolledBack, 3)])
    );
}

#[test]
fn all_1240_run_through_where_nothing_breaks() {
    let rollout = Rollout {
        canary: Some(5),
        waves: wave_sizes(&["5%", "25%", "100%"]),
        soak: soak("2m"),
        concurrency: Some(50),
        ..one_at_a_time()
    };
    let lab = Lab::ran(1240, &rollout, &[]);
    assert_eq!(lab.operation.ending(), Some(Ending::Completed));
    let progress = lab.operation.progress();
    assert_eq!(
        (progress.recorded, progress.wave, progress.waves),
        (1240, 3, 4)
    );
    let wave_lines: Vec<&str> = lab
        .trace
        .iter()
        .filter_map(|line| line.strip_prefix("log wave "))
        .collect();
    assert_eq!(wave_lines, ["0 of 5", "1 of 57", "2 of 248", "3 of 930"]);
}
