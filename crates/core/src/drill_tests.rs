//! Drills come in time, one at a time, and one for however many were missed.

use proptest::prelude::*;
use proptest::sample::subsequence;

use super::*;

const SYSTEMS: [&str; 4] = ["drill-1", "drill-2", "drill-3", "drill-4"];
const CLASSES: [&str; 3] = ["linux-server", "database", "workstation"];

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn pair(class: &str) -> Pair {
    Pair {
        action: ActionKind::Patch,
        class: class.parse().unwrap(),
    }
}

fn plan(class: &str, every: &str, systems: &[&str]) -> Plan {
    Plan {
        pair: pair(class),
        every: every.parse().unwrap(),
        systems: systems.iter().map(|id| id.parse().unwrap()).collect(),
    }
}

fn run(class: &str, system: &str, began_at: &str, result: RunResult) -> Run {
    Run {
        pair: pair(class),
        system: system.parse().unwrap(),
        began_at: at(began_at),
        result,
    }
}

fn passed(when: &str) -> Run {
    run(
        "linux-server",
        "drill-1",
        when,
        RunResult::Passed { at: at(when) },
    )
}

fn failed(when: &str) -> Run {
    run(
        "linux-server",
        "drill-1",
        when,
        RunResult::Failed { at: at(when) },
    )
}

fn under_way(class: &str, system: &str, when: &str) -> Run {
    run(class, system, when, RunResult::UnderWay)
}

/// Where the drill of `linux-server`, every 30 days on the first two systems, begins on 1 July.
fn check(runs: &[Run], busy: &[&str], expected: Option<&str>) {
    let plans = [plan("linux-server", "30d", &["drill-1", "drill-2"])];
    let busy = busy.iter().map(|id| id.parse().unwrap()).collect();
    let found = due(&plans, runs, &busy, at("2026-07-01T00:00:00Z"));
    let found: Vec<&str> = found.iter().map(|due| due.system.as_str()).collect();
    assert_eq!(found, Vec::from_iter(expected), "{runs:?} {busy:?}");
}

#[test]
fn when_and_where_one_begins() {
    check(&[], &[], Some("drill-1"));
    check(&[], &["drill-1"], Some("drill-2"));
    check(&[], &["drill-1", "drill-2"], None);
    // The system rehearsed on least lately, on the very instant and not before.
    check(&[passed("2026-06-01T00:00:00Z")], &[], Some("drill-2"));
    check(&[passed("2026-06-01T00:00:01Z")], &[], None);
    // What failed is due again a day later.
    check(&[failed("2026-06-30T00:00:00Z")], &[], Some("drill-2"));
    check(&[failed("2026-06-30T00:00:01Z")], &[], None);
    // Never two of one pair, however old the first, never two on one system, whatever the pair.
    check(
        &[under_way("linux-server", "drill-1", "2020-01-01T00:00:00Z")],
        &[],
        None,
    );
    check(
        &[under_way("database", "drill-1", "2026-06-30T00:00:00Z")],
        &[],
        Some("drill-2"),
    );
    // Another pair's drill says nothing of this one, nor does a run from the future.
    let other = run(
        "database",
        "drill-9",
        "2026-06-30T00:00:00Z",
        RunResult::UnderWay,
    );
    check(&[other], &[], Some("drill-1"));
    check(&[passed("2026-08-01T00:00:00Z")], &[], Some("drill-2"));
    check(
        &[under_way("linux-server", "drill-1", "2026-08-01T00:00:00Z")],
        &[],
        None,
    );
}

fn check_overdue(every: &str, runs: &[Run], expected: Option<&str>) {
    let plan = plan("linux-server", every, &["drill-1"]);
    let found = standing(&plan, runs, at("2026-07-01T00:00:00Z")).overdue_since;
    assert_eq!(found, expected.map(at), "{every} {runs:?}");
}

#[test]
fn since_when_one_is_overdue() {
    check_overdue("30d", &[], None);
    check_overdue("30d", &[passed("2026-05-31T23:00:01Z")], None);
    check_overdue(
        "30d",
        &[passed("2026-05-31T23:00:00Z")],
        Some("2026-06-30T23:00:00Z"),
    );
    // No period is longer than the clause's.
    let longest = [passed("2026-03-01T00:00:00Z")];
    check_overdue("91d", &longest, Some("2026-05-31T00:00:00Z"));
    check_overdue("3650d", &longest, Some("2026-06-01T00:00:00Z"));
    // One that hangs or failed puts nothing off.
    let old = passed("2026-05-01T00:00:00Z");
    let hangs = under_way("linux-server", "drill-1", "2026-05-31T00:00:00Z");
    check_overdue("30d", &[old.clone(), hangs], Some("2026-05-31T00:00:00Z"));
    check_overdue(
        "30d",
        &[old, failed("2026-06-30T20:00:00Z")],
        Some("2026-05-31T00:00:00Z"),
    );
    check_overdue(
        "30d",
        &[failed("2026-06-30T20:00:00Z")],
        Some("2026-06-30T20:00:00Z"),
    );
}

#[derive(Debug, Clone, Copy)]
enum Next {
    Wait(i64),
    End { which: usize, passes: bool },
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let each = (1..200_u32, subsequence(SYSTEMS.to_vec(), 1..=SYSTEMS.len()));
    prop::collection::vec(each, CLASSES.len()).prop_map(|drawn| {
        CLASSES
            .iter()
            .zip(drawn)
            .map(|(class, (days, systems))| plan(class, &format!("{days}d"), &systems))
            .collect()
    })
}

fn life() -> impl Strategy<Value = Vec<Next>> {
    let next = prop_oneof![
        // Also backwards, as clocks are set.
        (-50..400_i64).prop_map(|hours| Next::Wait(hours * 3_600)),
        (0..4_usize, any::<bool>()).prop_map(|(which, passes)| Next::End { which, passes }),
    ];
    prop::collection::vec(next, 0..60)
}

proptest! {
    #[test]
    fn one_at_a_time_and_where_it_may(
        plans in plans(),
        life in life(),
        busy in subsequence(SYSTEMS.to_vec(), 0..=SYSTEMS.len()),
    ) {
        let busy: BTreeSet<SystemId> = busy.iter().map(|id| id.parse().unwrap()).collect();
        let mut now = at("2026-07-01T00:00:00Z");
        let mut runs: Vec<Run> = Vec::new();
        for next in life {
            match next {
                Next::Wait(seconds) => now += Duration::seconds(seconds),
                Next::End { which, passes } => {
                    let open = runs.iter_mut().filter(|run| run.result == RunResult::UnderWay);
                    if let Some(run) = open.into_iter().nth(which) {
                        run.result = if passes { RunResult::Passed { at: now } } else { RunResult::Failed { at: now } };
                    }
                }
            }
            let found = due(&plans, &runs, &busy, now);
            for due in &found {
                prop_assert!(due.plan.systems.contains(due.system) && !busy.contains(due.system));
                let under_way = runs.iter().filter(|run| run.result == RunResult::UnderWay);
                for run in under_way {
                    prop_assert!(run.pair != due.plan.pair && run.system != *due.system);
                }
            }
            let begun: Vec<Run> = found
                .iter()
                .map(|due| Run {
                    pair: due.plan.pair.clone(),
                    system: due.system.clone(),
                    began_at: now,
                    result: RunResult::UnderWay,
                })
                .collect();
            let pairs: BTreeSet<&Pair> = begun.iter().map(|run| &run.pair).collect();
            let systems: BTreeSet<&SystemId> = begun.iter().map(|run| &run.system).collect();
            prop_assert_eq!((pairs.len(), systems.len()), (begun.len(), begun.len()));
            runs.extend(begun);
            // What was missed is made up once: whatever time went by, nothing is due again by itself.
            let again = due(&plans, &runs, &busy, now);
            let mut begun_now = runs.iter().filter(|run| run.began_at == now);
            let is_repeated = begun_now.any(|run| again.iter().any(|due| due.plan.pair == run.pair));
            prop_assert!(!is_repeated);
        }
    }

    #[test]
    fn what_is_looked_at_in_time_and_passes_is_never_overdue(days in 1..200_u32, looks in prop::collection::vec(1..3_600_i64, 1..80)) {
        let plans = [plan("linux-server", &format!("{days}d"), &["drill-1"])];
        let mut now = at("2026-07-01T00:00:00Z");
        let mut runs: Vec<Run> = Vec::new();
        for seconds in looks {
            // To the next time, and late by less than an hour.
            now = standing(&plans[0], &runs, now).due_at.unwrap_or(now) + Duration::seconds(seconds - 1);
            prop_assert_eq!(standing(&plans[0], &runs, now).overdue_since, None);
            let found = due(&plans, &runs, &BTreeSet::new(), now);
            prop_assert_eq!(found.len(), 1);
            runs.push(run("linux-server", "drill-1", &now.to_rfc3339(), RunResult::Passed { at: now }));
            prop_assert!(due(&plans, &runs, &BTreeSet::new(), now).is_empty());
            let next = standing(&plans[0], &runs, now).due_at.unwrap();
            prop_assert!(next <= now + EVERY_MAX);
        }
    }
}
