//! A narrower envelope never permits more, and some things no envelope permits.

use countersign_core::assessment::Verdict;
use countersign_core::envelope::{Autonomy, Envelope};
use countersign_core::topology::Tier;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::worlds::{World, at, permits, pick, worlds};

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

/// Every limit that an envelope may hold, below its tiers or its rules. Shorter periods, fewer
/// systems at once and more sources are no limits in this sense; the page says why.
const TIER_LIMITS: [&str; 4] = ["systems", "services", "segments", "fraction_of_class"];
const RULE_LIMITS: [&str; 6] = [
    "/severity/max",
    "/conditions/false_positive_rate/max",
    "/conditions/topology_age/max",
    "/conditions/concurrent_operations/max",
    "/conditions/corroboration/within",
    "/rollback/drilled_within",
];

fn lowered(value: &Value, path: &str) -> Value {
    match path.rsplit('/').next().unwrap() {
        "fraction_of_class" => json!("0.1"),
        "within" | "drilled_within" => json!("30s"),
        "max" if path.contains("severity") => json!("low"),
        "max" if path.contains("false") => json!("0.01"),
        "max" if path.contains("topology") => json!("1m"),
        "max" => json!(1),
        _ => json!(value.as_u64().unwrap().saturating_sub(1)),
    }
}

/// Lowers a member where it is there.
fn lower(document: &mut Value, path: &str) -> bool {
    let Some(value) = document.pointer_mut(path) else {
        return false;
    };
    *value = lowered(value, path);
    true
}

/// An envelope that grants everything, with rules on safety-critical systems too: no reader lets it
/// pass, and no assessment must rest on that.
fn boundless(mut envelope: Envelope) -> Envelope {
    let tiers = [
        Tier::NonCritical,
        Tier::ProductionCritical,
        Tier::SafetyCritical,
    ];
    let bounded = envelope.tiers.get(&Tier::NonCritical).cloned().unwrap();
    for tier in tiers {
        let mut rule = bounded.clone();
        rule.autonomy = Autonomy::Bounded;
        if let Some(radius) = &mut rule.blast_radius {
            radius.systems = None;
            radius.services = None;
            radius.segments = None;
            radius.fraction_of_class = None;
        }
        envelope.tiers.insert(tier, rule);
    }
    for rule in &mut envelope.rules {
        rule.targets.tiers = tiers.into();
        rule.targets.labels.clear();
        rule.conditions = Default::default();
    }
    envelope
}

proptest! {
    #![proptest_config(cases())]

    #[test]
    fn lowering_a_limit_of_a_tier(world in worlds(), tier in 0..2_usize, limit in 0..4_usize) {
        let mut after = world.clone();
        let tier = ["non-critical", "production-critical"][tier];
        let path = format!("/tiers/{tier}/blast_radius/{}", TIER_LIMITS[limit]);
        prop_assert!(lower(&mut after.envelope, &path));
        never_more(&world, &after)?;
    }

    #[test]
    fn lowering_a_limit_of_a_rule(world in worlds(), which in any::<Index>(), limit in 0..6_usize) {
        let mut after = world.clone();
        let rule = pick(&world.envelope["rules"], which).unwrap();
        prop_assume!(lower(&mut after.envelope, &format!("/rules/{rule}{}", RULE_LIMITS[limit])));
        never_more(&world, &after)?;
    }

    #[test]
    fn asking_for_another_source(world in worlds(), which in any::<Index>()) {
        let mut after = world.clone();
        let rule = pick(&world.envelope["rules"], which).unwrap();
        let path = format!("/rules/{rule}/conditions/corroboration/independent_sources");
        let sources = after.envelope.pointer_mut(&path);
        prop_assume!(sources.is_some());
        let sources = sources.unwrap();
        *sources = json!(sources.as_u64().unwrap() + 1);
        never_more(&world, &after)?;
    }

    #[test]
    fn removing_a_rule(world in worlds(), which in any::<Index>()) {
        let mut after = world.clone();
        let rule = pick(&world.envelope["rules"], which).unwrap();
        after.envelope["rules"].as_array_mut().unwrap().remove(rule);
        never_more(&world, &after)?;
    }

    #[test]
    fn removing_a_grant(world in worlds(), which in any::<Index>(), member in any::<Index>(), list in 0..3_usize) {
        let mut after = world.clone();
        let rule = pick(&world.envelope["rules"], which).unwrap();
        let path = ["/actions", "/targets/classes", "/targets/tiers"][list];
        let grants = after.envelope.pointer_mut(&format!("/rules/{rule}{path}")).unwrap();
        let grants = grants.as_array_mut().unwrap();
        prop_assume!(grants.len() > 1);
        grants.remove(member.index(grants.len()));
        never_more(&world, &after)?;
    }

    #[test]
    fn removing_the_agent(world in worlds()) {
        let mut after = world;
        after.envelope["agents"] = json!(["another"]);
        prop_assert_ne!(after.assess().verdict, Verdict::Autonomous);
    }

    #[test]
    fn safety_critical_is_never_autonomous(world in worlds(), which in any::<Index>()) {
        let mut raised = world;
        raised.topology["systems"][which.index(10)]["tier"] = json!("safety-critical");
        let mut read = raised.read();
        read.envelope = boundless(read.envelope);
        let assessment = read.assess();
        if assessment.scope.tier == Tier::SafetyCritical {
            prop_assert_ne!(assessment.verdict, Verdict::Autonomous);
        }
    }

    #[test]
    fn out_of_force_or_unauthorised_never_permits(world in worlds(), how in 0..7_usize) {
        let mut after = world;
        let authority = &mut after.envelope["authority"];
        match how {
            0 => {
                authority["effective"] = at(-100);
                authority["expires"] = at(0);
            }
            1 => {
                authority["effective"] = at(1);
                authority["expires"] = at(100);
            }
            2 => after.history["envelope_authorised"] = json!(false),
            3 => after.history["autonomy_suspended"] = json!(true),
            4 | 5 => {
                let suspends = if how == 4 { json!("backend") } else { json!({"agent": "agent"}) };
                after.history["suspensions"] = json!([{"suspends": suspends, "by": "cat", "since": at(-1)}]);
            }
            _ => {
                after.history.as_object_mut().unwrap().remove("envelope_authorised");
            }
        }
        let mut read = after.read();
        prop_assert_ne!(read.assess().verdict, Verdict::Autonomous);
        read.envelope = boundless(read.envelope);
        prop_assert_ne!(read.assess().verdict, Verdict::Autonomous);
    }
}
