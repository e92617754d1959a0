//! Knowing less never permits more, and the slice of history that a briefing carries is enough.

use countersign_core::assessment::{self, Outcome};
use countersign_core::scope::Graph;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::worlds::{NOW, permits, pick, worlds};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn forgetting_a_kind_of_fact(
        world in worlds(),
        name in select(vec![
            "envelope_authorised", "autonomy_suspended", "drills", "detections", "signals", "in_flight", "recent",
        ]),
    ) {
        let mut after = world.clone();
        prop_assume!(after.history.as_object_mut().unwrap().remove(name).is_some());
        prop_assert!(permits(&after.assess()) <= permits(&world.assess()));
    }

    #[test]
    fn forgetting_one_fact(
        world in worlds(),
        name in select(vec!["drills", "detections", "signals"]),
        which in any::<Index>(),
    ) {
        let position = pick(&world.history[name], which);
        prop_assume!(position.is_some());
        let mut after = world.clone();
        after.history[name].as_array_mut().unwrap().remove(position.unwrap());
        prop_assert!(permits(&after.assess()) <= permits(&world.assess()));
    }

    #[test]
    fn a_slice_of_history_is_enough(world in worlds()) {
        let read = world.read();
        let graph = Graph::new(&read.topology);
        let now = NOW.parse().unwrap();
        let slice = assessment::history_slice(Some(&read.envelope), &graph, &read.proposal, &read.history, now);
        let of = |history| assessment::assess(Some(&read.envelope), &graph, &read.proposal, history, now);
        prop_assert_eq!(of(Some(&slice)), of(Some(&read.history)));
        let again = assessment::history_slice(Some(&read.envelope), &graph, &read.proposal, &slice, now);
        prop_assert_eq!(again, slice);
    }

    #[test]
    fn the_explanation_mentions_every_blocking_finding(world in worlds()) {
        let read = world.read();
        let graph = Graph::new(&read.topology);
        let assessment = read.assess();
        let told = assessment::explain(&assessment, &graph, &read.proposal, Some(&read.history));
        prop_assert_eq!(&told, &assessment::explain(&assessment, &graph, &read.proposal, Some(&read.history)));
        prop_assert!(told.contains("“nightly scan”") || read.history.detections.is_none_or(|known| known.is_empty()));
        for finding in assessment::blocking(&assessment.findings) {
            let clause = finding.clause.as_str();
            let (sentence, _) = finding.message.split_once("; often benign: ").unwrap_or((&finding.message, ""));
            let without_rule = assessment.rule.is_none()
                && finding.outcome == Outcome::NotEvaluable
                && ["4.4", "4.6", "4.9"].contains(&clause);
            let mentioned = if without_rule {
                told.contains(clause)
            } else {
                told.contains(&format!("{sentence} ({clause})"))
            };
            prop_assert!(mentioned, "{finding:#?} in: {told}");
        }
    }
}
