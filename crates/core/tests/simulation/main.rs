//! The operation's state machine under a seeded scheduler, and explored without one (DESIGN §8).

#[cfg(not(feature = "seeded-bugs"))]
mod explore;
mod simulator;

use simulator::{NO_BUG, run};

#[test]
fn no_story_breaks_an_invariant() {
    let mut report = simulator::Report::default();
    for seed in 0..300 {
        match run(seed, NO_BUG) {
            Ok(one) => report.add(one),
            Err(violation) => panic!("seed {seed}: {}", violation.0),
        }
    }
    // A simulator in which nothing ever goes wrong shows nothing.
    for fault in [
        "crash before the commit",
        "crash between two effects",
        "crash after the commit",
        "answer lost",
        "answer late",
        "answer doubled",
        "health flapped",
        "clock jump",
        "concurrent decision",
    ] {
        assert!(report.faults.contains_key(fault), "{fault}: {report:#?}");
    }
    for ending in ["Completed", "RolledBack", "Aborted", "RollbackFailed"] {
        assert!(report.endings.contains_key(ending), "{ending}: {report:#?}");
    }
}

#[test]
fn the_same_seed_is_the_same_story() {
    for seed in [1, 99, 12_345] {
        let told = || run(seed, NO_BUG).map(|report| format!("{report:?}"));
        assert_eq!(told().ok(), told().ok());
    }
}

#[cfg(feature = "seeded-bugs")]
#[test]
fn each_bug_sown_is_found() {
    use countersign_core::operation::{Operation, SeededBug};

    for bug in SeededBug::ALL {
        let sow = |operation: &mut Operation| operation.sow(Some(bug));
        let found = (0..500).find_map(|seed| run(seed, &sow).err().map(|why| (seed, why)));
        let Some((seed, violation)) = found else {
            panic!("{bug:?} is not found in 500 stories");
        };
        // The same story without the bug is a good one.
        if let Err(violation) = run(seed, NO_BUG) {
            panic!("seed {seed} without {bug:?}: {}", violation.0);
        }
        assert!(!violation.0.is_empty());
    }
}
