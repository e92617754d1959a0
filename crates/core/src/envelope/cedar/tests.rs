//! What is exported, as text. What Cedar makes of it is `proofs/`' business.

use super::*;
use crate::document;

fn example() -> Envelope {
    let text = include_str!("../../../tests/examples/envelope.yaml");
    document::envelope(text).unwrap().document
}

#[test]
fn the_example_reads_like_this() {
    insta::assert_snapshot!("schema", schema(&example()));
    insta::assert_snapshot!("policies", policies(&example()));
}

#[test]
fn every_kind_of_action_is_in_the_schema_once() {
    for (place, kind) in schema::KINDS.into_iter().enumerate() {
        let expected = match kind {
            ActionKind::Patch => 0,
            ActionKind::ConfigChange => 1,
            ActionKind::ServiceRestart => 2,
            ActionKind::ProcessKill => 3,
            ActionKind::FirewallRule => 4,
            ActionKind::NetworkIsolate => 5,
            ActionKind::HostIsolate => 6,
            ActionKind::CredentialRotate => 7,
            ActionKind::AccountDisable => 8,
            ActionKind::AclChange => 9,
            ActionKind::FileQuarantine => 10,
        };
        assert_eq!(place, expected, "{kind:?}");
    }
}

#[test]
fn a_hostile_name_stays_inside_its_literal() {
    let mut envelope = example();
    let hostile = "\");permit(principal,action,resource);//";
    envelope.name = format!("{hostile}\n{hostile}");
    envelope.rules[0].id = crate::identifier::RuleId::new(hostile).unwrap();
    envelope.rules[0].rollback = crate::envelope::Rollback::default();
    envelope.rules[1].id = crate::identifier::RuleId::new("*/\u{e9}\\").unwrap();
    let text = policies(&envelope);
    assert!(text.is_ascii());
    let permits = text.lines().filter(|line| line.starts_with("permit"));
    assert_eq!(permits.count(), 1, "{text}");
    assert!(text.contains(r#"@rule("*/\u{e9}\\")"#), "{text}");
    assert!(
        text.contains(r#"// Rule "\");permit(principal,action,resource);//" never runs alone"#),
        "{text}"
    );
    assert!(schema(&envelope).is_ascii());
}

#[test]
fn a_rule_under_which_nothing_runs_alone_says_why() {
    type Change = fn(&mut Envelope);
    let cases: [(Change, &str); 9] = [
        (|e| e.agents.clear(), "speaks of no agent"),
        (
            |e| {
                e.rules[0].actions.clear();
            },
            "can be undone (4.6)",
        ),
        (
            |e| e.rules[0].targets.classes.clear(),
            "no class or no tier",
        ),
        (|e| e.rules[0].targets.tiers.clear(), "no class or no tier"),
        (|e| e.rules[0].rollout.health.clear(), "no health check"),
        (|e| e.checks.clear(), "one that the envelope lacks"),
        (|e| e.rules[0].rollout.breaker = None, "no breaker"),
        (|e| e.tiers.clear(), "no tier has both"),
        (
            |e| e.authority.expires += chrono::Duration::days(1),
            "too long (4.10)",
        ),
    ];
    for (change, reason) in cases {
        let mut envelope = example();
        envelope.authority.expires =
            envelope.authority.effective + chrono::Duration::days(crate::envelope::WINDOW_DAYS_MAX);
        assert_eq!(never(&envelope, &envelope.rules[0]), None);
        change(&mut envelope);
        let said = never(&envelope, &envelope.rules[0]).unwrap();
        assert!(said.contains(reason), "{said}");
        assert!(policies(&envelope).contains(&format!("never runs alone: {said}.")));
    }
}
