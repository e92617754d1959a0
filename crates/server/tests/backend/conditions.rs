//! What others measured: error budgets that sources report, and what succeeded in staging.

use chrono::TimeDelta;
use countersign_core::assessment::Clause;
use countersign_core::assessment::Outcome;
use countersign_core::log::EntryKind;
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use countersign_wire::registry::{RegisterSource, ReportErrorBudget};
use serde_json::{Value, json};

use crate::world::World;

/// A world where `shop` runs on web-1 to web-3, drill-1 is staging, and production asks for `conditions`.
async fn world(conditions: Value) -> World {
    let world = World::new().await;
    let mut topology: Value = serde_json::from_str(&world.topology()).unwrap();
    topology["services"]
        .as_array_mut()
        .unwrap()
        .push(json!({"id": "shop", "tier": "non-critical"}));
    for system in topology["systems"].as_array_mut().unwrap() {
        match system["id"].as_str().unwrap() {
            "drill-1" => system["labels"] = json!({"env": "staging"}),
            id if id.starts_with("web-") => system["service"] = json!("shop"),
            _ => {}
        }
    }
    world
        .operator
        .import_topology(topology.to_string().as_bytes())
        .await
        .unwrap();
    let mut envelope: Value = serde_json::from_str(&world.envelope(1)).unwrap();
    let rules = envelope["rules"].as_array_mut().unwrap();
    let mut staging = rules[0].clone();
    staging["id"] = json!("staging");
    staging["targets"]["labels"] = json!({"env": "staging"});
    rules[0]["conditions"] = conditions;
    rules.push(staging);
    world.authorise_text(&envelope.to_string()).await;
    world.rehearse().await;
    world
}

/// What 4.1 says, where it blocks.
fn why(answer: &ProposalAnswer) -> String {
    answer
        .assessment
        .findings
        .iter()
        .filter(|finding| finding.clause == Clause::C4_1 && finding.outcome != Outcome::Pass)
        .map(|finding| finding.message.clone())
        .collect::<Vec<_>>()
        .join("; ")
}

async fn check_waits(world: &World, key: &str, expected: &str) {
    let answer = world
        .propose(&world.proposal(key, &["web-1"]))
        .await
        .unwrap();
    assert_eq!(answer.state, ItemState::Waiting, "{key}");
    assert!(why(&answer).contains(expected), "{key}: {}", why(&answer));
}

async fn runs(world: &World, key: &str, system: &str) {
    let answer = world
        .propose(&world.proposal(key, &[system]))
        .await
        .unwrap();
    assert_eq!(answer.state, ItemState::Running, "{:#?}", answer.assessment);
    world
        .wait_for(&answer.operation.unwrap(), OperationState::Completed)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_completed_in_staging_may_follow_in_production() {
    let world = world(json!({"validated_in_staging": {"within": "24h"}})).await;
    // The drill on the same system was undone: it validates nothing.
    check_waits(
        &world,
        "untried",
        "this patch never succeeded in staging on linux-server",
    )
    .await;
    runs(&world, "staging", "drill-1").await;
    runs(&world, "tried", "web-1").await;
    // Another version is another action.
    let mut other = world.proposal("other", &["web-2"]);
    other["action"]["parameters"]["to_version"] = json!("4");
    let answer = world.propose(&other).await.unwrap();
    assert!(
        why(&answer).contains("never succeeded in staging"),
        "{}",
        why(&answer)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_source_reports_what_is_left_of_an_error_budget() {
    let conditions = json!({"error_budget": {"min_remaining": "0.2", "within": "1h"}});
    let world = world(conditions).await;
    check_waits(
        &world,
        "unknown",
        "nobody can say what is left of the error budget of shop",
    )
    .await;
    let secret = world
        .operator
        .register_source(&RegisterSource {
            source: "slo".parse().unwrap(),
            upstream: "prometheus".parse().unwrap(),
        })
        .await
        .unwrap();
    let source = world.client.with_bearer(&secret.secret).unwrap();
    let report = |remaining: &str, age: TimeDelta| ReportErrorBudget {
        service: "shop".parse().unwrap(),
        remaining: remaining.parse().unwrap(),
        at: world.now() - age,
    };
    let now = TimeDelta::zero();
    for refused in [report("1.5", now), report("0.5", -TimeDelta::hours(1))] {
        let error = source.report_error_budget(&refused).await.unwrap_err();
        assert_eq!(error.code(), "error_budget_invalid");
    }
    let stranger = world.agent.report_error_budget(&report("0.5", now)).await;
    assert_eq!(stranger.unwrap_err().code(), "forbidden");

    source
        .report_error_budget(&report("0.5", TimeDelta::hours(2)))
        .await
        .unwrap();
    check_waits(&world, "stale", "was measured 2 hours ago").await;
    source
        .report_error_budget(&report("0.1", TimeDelta::minutes(5)))
        .await
        .unwrap();
    check_waits(&world, "spent", "shop has 0.1 of its error budget left").await;
    // What comes late does not count against what is newer.
    source
        .report_error_budget(&report("0.9", TimeDelta::minutes(10)))
        .await
        .unwrap();
    check_waits(&world, "late", "shop has 0.1 of its error budget left").await;
    source
        .report_error_budget(&report("0.9", now))
        .await
        .unwrap();
    runs(&world, "enough", "web-1").await;
    let reports = world
        .log()
        .await
        .iter()
        .filter(|entry| entry.kind == EntryKind::ErrorBudgetReported)
        .count();
    assert_eq!(reports, 4);
}
