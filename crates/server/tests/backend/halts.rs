//! What halts an operation from outside, and how it goes on (AG-706 4.4).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use countersign_core::briefing::Narrowing;
use countersign_core::decision::OperationChoice;
use countersign_core::evidence;
use countersign_wire::operation::{HaltOperation, OperationState, SystemPhase};
use countersign_wire::proposal::ItemState;
use countersign_wire::registry::RegisterSource;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn after_a_halt_a_quorum_continues_with_fewer_and_nothing_runs_twice() {
    let world = World::ready().await;
    world.mark("breaks-web-1");
    let answer = world
        .propose(&world.proposal("goes-on", &["pay-1", "web-1", "web-2", "web-3"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let cat = world.person("cat").await;
    let operation = cat
        .approve_only(&id, &["web-1", "web-2", "web-3"])
        .await
        .unwrap()
        .operation
        .unwrap();
    let go_on = |systems: &[&str]| OperationChoice::Continue {
        narrowing: Some(Narrowing {
            targets: systems.iter().map(|id| id.parse().unwrap()).collect(),
        }),
    };
    world.wait_for(&operation, OperationState::Halted).await;
    let accepted = cat
        .about_operation(&operation, go_on(&["web-3"]))
        .await
        .unwrap();
    assert!(accepted.complete);
    let ended = world.wait_for(&operation, OperationState::Completed).await;
    let phases: Vec<_> = ended.systems.iter().map(|system| system.phase).collect();
    assert_eq!(
        phases,
        [
            SystemPhase::Failed,
            SystemPhase::LeftOut,
            SystemPhase::Healthy
        ]
    );
    assert_eq!(world.system("web-2"), "old");
    let calls = world.calls();
    let applies: Vec<&String> = calls.iter().filter(|c| c.starts_with("apply")).collect();
    let once: BTreeSet<&String> = applies.iter().copied().collect();
    assert_eq!(applies.len(), once.len(), "{calls:?}");
    assert_eq!(world.kinds().await["operation_continued"], 1);
    let state = world.agent.proposal(&id).await.unwrap().state;
    assert_eq!(state, ItemState::Done);
    // It ended: nobody continues it again.
    let error = cat
        .about_operation(&operation, OperationChoice::Continue { narrowing: None })
        .await
        .unwrap_err();
    assert_eq!(error.code(), "operation_closed");

    let files = cat.client.evidence(operation.as_str()).await.unwrap();
    let files = files
        .into_iter()
        .map(|(path, bytes)| (path, bytes.0))
        .collect();
    let report = evidence::verify(&files, None);
    assert!(
        report.holds(),
        "{:#?}",
        report.failures().collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_whole_quorum_continues_and_not_one_of_it() {
    let world = World::ready().await;
    world.mark("breaks-ehr-1");
    let answer = world
        .propose(&world.proposal("two", &["ehr-1", "web-1"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let (ann, ben) = (world.person("ann").await, world.person("ben").await);
    ann.approve(&id).await.unwrap();
    let operation = ben.approve(&id).await.unwrap().operation.unwrap();
    world.wait_for(&operation, OperationState::Halted).await;
    let all = OperationChoice::Continue { narrowing: None };
    let accepted = ann.about_operation(&operation, all.clone()).await.unwrap();
    assert!(!accepted.complete);
    assert_eq!(world.system("web-1"), "old");
    let accepted = ben.about_operation(&operation, all).await.unwrap();
    assert!(accepted.complete);
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(world.system("web-1"), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monitor_halts_an_operation_between_two_systems() {
    let world = World::ready().await;
    world.mark("hang-web-1");
    let answer = world
        .propose(&world.proposal("alert", &["web-1", "web-2"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-1").await;
    let alert = HaltOperation {
        reason: "error rate 40 %".to_owned(),
    };
    let unknown = world.agent.halt_operation(&operation, &alert).await;
    assert_eq!(unknown.unwrap_err().code(), "forbidden");
    let secret = world
        .operator
        .register_source(&RegisterSource {
            source: "prometheus".parse().unwrap(),
            upstream: "own".parse().unwrap(),
        })
        .await
        .unwrap();
    let monitor = world.client.with_bearer(&secret.secret).unwrap();
    monitor.halt_operation(&operation, &alert).await.unwrap();
    world.unmark("hang-web-1");
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let trip = halted.trip.unwrap();
    assert_eq!(trip.system, None);
    assert!(trip.message.contains("error rate 40 %"), "{}", trip.message);
    assert_eq!(world.system("web-2"), "old");
}

/// A topology in which `web-3` needs `web-1`, and an envelope that looks after dependents.
async fn looks_after_dependents(world: &World) {
    let mut topology: Value = serde_json::from_str(&world.topology()).unwrap();
    topology["dependencies"] =
        json!([{"from": "web-3", "to": "web-1", "kind": "runtime", "strength": "hard"}]);
    world
        .operator
        .import_topology(topology.to_string().as_bytes())
        .await
        .unwrap();
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["rules"][0]["rollout"]["dependents"] = json!(["up"]);
    world.authorise_text(&envelope.to_string()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn harm_to_a_dependent_halts_though_the_system_itself_is_well() {
    let world = World::ready().await;
    looks_after_dependents(&world).await;
    let systems = world.folder.path().join("systems");
    std::fs::write(systems.join("harms-web-1"), "web-3").unwrap();
    let answer = world
        .propose(&world.proposal("harm", &["web-1", "web-2"]))
        .await
        .unwrap();
    // A hard dependent goes down meanwhile, so that people decide.
    assert_eq!(answer.state, ItemState::Waiting);
    let cat = world.person("cat").await;
    let approved = cat.approve(&answer.id.unwrap()).await.unwrap();
    let operation = approved.operation.unwrap();
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let trip = halted.trip.unwrap();
    assert_eq!(trip.system.unwrap().as_str(), "web-1");
    assert!(
        trip.message
            .starts_with("its dependent web-3 is not well: up: "),
        "{}",
        trip.message
    );
    let phases: Vec<_> = halted.systems.iter().map(|system| system.phase).collect();
    assert_eq!(phases, [SystemPhase::Failed, SystemPhase::Pending]);
    let states = ["web-1", "web-2", "web-3"].map(|system| world.system(system));
    assert_eq!(states, ["new", "old", "broken"]);
    assert!(!world.calls().contains(&"apply web-2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dependent_that_is_not_well_already_holds_before_the_first_touch() {
    let world = World::ready().await;
    looks_after_dependents(&world).await;
    let web_3 = world.folder.path().join("systems").join("web-3");
    std::fs::write(&web_3, "broken").unwrap();
    let answer = world
        .propose(&world.proposal("unwell", &["web-1"]))
        .await
        .unwrap();
    let cat = world.person("cat").await;
    let approved = cat.approve(&answer.id.unwrap()).await.unwrap();
    let operation = approved.operation.unwrap();
    world.wait_for(&operation, OperationState::Held).await;
    assert!(!world.calls().contains(&"apply web-1".to_owned()));
    std::fs::write(&web_3, "old").unwrap();
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(world.system("web-1"), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_unhealthy_already_is_not_touched_and_is_shown() {
    let world = World::ready().await;
    std::fs::write(world.folder.path().join("systems").join("web-1"), "broken").unwrap();
    let answer = world
        .propose(&world.proposal("sick", &["web-1", "web-2"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    let ended = world.wait_for(&operation, OperationState::Completed).await;
    let phases: Vec<_> = ended.systems.iter().map(|system| system.phase).collect();
    assert_eq!(
        phases,
        [SystemPhase::AlreadyUnhealthy, SystemPhase::Healthy]
    );
    assert_eq!((ended.summary.healthy, ended.summary.touched), (1, 1));
    assert!(!world.calls().contains(&"apply web-1".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_calendar_that_closes_while_it_runs_holds_it_until_it_opens_again() {
    let world = World::ready().await;
    let tomorrow = (world.now() + TimeDelta::days(1)).date_naive();
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["calendars"] =
        json!({"freeze": {"zone": "UTC", "dates": {"from": tomorrow, "to": tomorrow}}});
    envelope["rules"][0]["conditions"] = json!({"outside": ["freeze"]});
    world.put_in_force(&envelope).await;
    world.mark("hang-web-1");
    let answer = world
        .propose(&world.proposal("freeze", &["web-1", "web-2"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-1").await;
    world.clock.advance(TimeDelta::days(1));
    world.unmark("hang-web-1");
    let held = world.wait_for(&operation, OperationState::Held).await;
    let phases: Vec<_> = held.systems.iter().map(|system| system.phase).collect();
    assert_eq!(phases, [SystemPhase::Healthy, SystemPhase::Pending]);
    assert_eq!(world.system("web-2"), "old");
    world.clock.advance(TimeDelta::days(1));
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(world.system("web-2"), "new");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_system_settles_before_anybody_looks() {
    let world = World::ready().await;
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["rules"][0]["rollout"]["settle"] = json!("1h");
    envelope["rules"][0]["rollout"]["answer_within"] = json!("2h");
    world.put_in_force(&envelope).await;
    let systems = world.folder.path().join("systems");
    let answer = world
        .propose(&world.proposal("settles", &["web-1"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-1").await;
    while world.system("web-1") != "new" {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    std::fs::write(systems.join("web-1"), "broken").unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    let state = world
        .operator
        .operation(&operation)
        .await
        .unwrap()
        .summary
        .state;
    assert_eq!(state, OperationState::Running);
    std::fs::write(systems.join("web-1"), "new").unwrap();
    world.clock.advance(TimeDelta::hours(1));
    world.wait_for(&operation, OperationState::Completed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn checks_must_pass_as_often_in_a_row_as_the_rule_says() {
    let world = World::ready().await;
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["rules"][0]["rollout"]["successes"] = json!(3);
    envelope["rules"][0]["rollout"]["interval"] = json!("1s");
    world.put_in_force(&envelope).await;
    let systems = world.folder.path().join("systems");
    let passes = |system: &str, times: &str| {
        std::fs::write(systems.join(format!("passes-{system}")), times).unwrap();
    };
    // Once before the touch, and three times after it.
    passes("web-3", "4");
    let answer = world
        .propose(&world.proposal("well", &["web-3"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(world.system("passes-web-3"), "0");
    passes("web-1", "3");
    let answer = world
        .propose(&world.proposal("relapse", &["web-1", "web-2"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.wait_for(&operation, OperationState::Halted).await;
    assert_eq!(world.system("web-1"), "new");
    assert_eq!(world.system("web-2"), "old");
}
