//! A stricter topology, or a wider aim, never permits more.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::json;

use crate::worlds::{HOSTS, World, dependency, permits, pick, worlds};

fn cases() -> ProptestConfig {
    ProptestConfig {
        cases: 128,
        ..ProptestConfig::default()
    }
}

fn never_more(before: &World, after: &World) -> Result<(), TestCaseError> {
    let (before, after) = (before.assess(), after.assess());
    prop_assert!(
        permits(&after) <= permits(&before),
        "before: {before:#?}\nafter: {after:#?}"
    );
    Ok(())
}

/// Selected by name, so that a changed system stays in the aim.
fn named(world: &World) -> bool {
    !world.targets().is_empty()
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn raising_a_system_to_safety_critical(world in worlds(), which in any::<Index>()) {
        prop_assume!(named(&world));
        let mut after = world.clone();
        let position = which.index(10);
        after.topology["systems"][position]["tier"] = json!("safety-critical");
        never_more(&world, &after)?;
    }

    #[test]
    fn raising_a_service_to_safety_critical(world in worlds(), which in 0..2_usize) {
        let mut after = world.clone();
        after.topology["services"][which]["tier"] = json!("safety-critical");
        never_more(&world, &after)?;
    }

    #[test]
    fn raising_what_is_no_target_within_the_tier_of_the_scope(world in worlds(), which in any::<Index>()) {
        let mut after = world.clone();
        let system = &mut after.topology["systems"][which.index(10)];
        let id = system["id"].as_str().unwrap().to_owned();
        prop_assume!(named(&world) && !world.targets().contains(&id));
        prop_assume!(system["tier"] == "non-critical");
        system["tier"] = json!("production-critical");
        prop_assume!(world.assess().scope.tier == after.assess().scope.tier);
        never_more(&world, &after)?;
    }

    #[test]
    fn hardening_a_dependency(world in worlds(), which in any::<Index>()) {
        let position = pick(&world.topology["dependencies"], which);
        prop_assume!(position.is_some());
        let mut after = world.clone();
        after.topology["dependencies"][position.unwrap()]["strength"] = json!("hard");
        never_more(&world, &after)?;
    }

    #[test]
    fn a_hard_dependent_from_outside_the_targets(world in worlds(), added in dependency()) {
        let mut added = added;
        added["strength"] = json!("hard");
        let from = added["from"].as_str().unwrap().to_owned();
        prop_assume!(!world.targets().contains(&from));
        // Naming a credential that no dependency named makes evaluable what was not; where the
        // dependent is also told of the change, nothing fails any more.
        let told = world.proposal.pointer("/action/parameters/updates_dependents");
        let told = told.and_then(|names| names.as_array()).is_some_and(|names| names.contains(&json!(from)));
        prop_assume!(!(told && added["kind"] == "credential"));
        let mut after = world.clone();
        after.topology["dependencies"].as_array_mut().unwrap().push(added);
        never_more(&world, &after)?;
    }

    #[test]
    fn a_target_from_outside_the_scope_that_leaves_its_tier(world in worlds(), added in select(HOSTS.as_slice())) {
        prop_assume!(named(&world));
        let before = world.read();
        let graph = countersign_core::scope::Graph::new(&before.topology);
        let evaluation = countersign_core::assessment::evaluate(
            Some(&before.envelope), &graph, &before.proposal, Some(&before.history), crate::worlds::NOW.parse().unwrap(),
        );
        let index = graph.find(added).unwrap();
        prop_assume!(!evaluation.reach.scope.contains(&index));
        let mut after = world.clone();
        after.proposal["targets"]["systems"].as_array_mut().unwrap().push(json!(added));
        prop_assume!(after.assess().scope.tier == evaluation.assessment.scope.tier);
        never_more(&world, &after)?;
    }
}
