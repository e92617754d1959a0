//! Drills that begin by themselves, and what their absence or failure changes (AG-706 4.6).

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use countersign_core::assessment::{Clause, Outcome};
use countersign_core::decision::OperationChoice;
use countersign_core::log::EntryKind;
use countersign_core::suspension::Extent;
use countersign_server::config::DrillConfig;
use countersign_server::schedule;
use countersign_wire::client::QueueState;
use countersign_wire::drill::{DrillResult, DrillStanding, Notice, NoticeKind};
use countersign_wire::operation::{AuthorityKind, OperationState};
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use countersign_wire::registry::StartDrill;

use crate::world::{World, patch};

/// Patches on Linux servers are rehearsed every 30 days on this system.
async fn scheduled(mut world: World, system: &str) -> World {
    world.config.drills = vec![DrillConfig {
        action: serde_json::from_value(patch()).unwrap(),
        class: "linux-server".parse().unwrap(),
        systems: BTreeSet::from([system.parse().unwrap()]),
        checks: BTreeSet::from(["up".parse().unwrap()]),
        every: "30d".parse().unwrap(),
    }];
    world.restart().await;
    world
}

async fn standing(world: &World) -> DrillStanding {
    let mut standings = world.operator.drills().await.unwrap();
    assert_eq!(standings.len(), 1, "{standings:#?}");
    standings.remove(0)
}

/// Waits until the drills stand so.
async fn wait_until(world: &World, is: impl Fn(&DrillStanding) -> bool) -> DrillStanding {
    for _ in 0..600 {
        let standing = standing(world).await;
        if is(&standing) {
            return standing;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came to that: {:#?}", standing(world).await);
}

/// Waits for the drill that begins now and ends so.
async fn wait_for_next(world: &World, result: DrillResult) -> DrillStanding {
    let now = world.now() - TimeDelta::minutes(5);
    wait_until(world, |standing| {
        standing
            .last
            .as_ref()
            .is_some_and(|last| last.result == result && last.began_at > now)
    })
    .await
}

/// Has the schedule looked at now, and the drills it begins made.
async fn look(world: &World) {
    schedule::look(&world.running.as_ref().unwrap().backend)
        .await
        .unwrap();
}

fn drills(world: &World) -> usize {
    let calls = world.calls();
    calls.iter().filter(|call| *call == "apply drill-1").count()
}

async fn notices(world: &World) -> Vec<Notice> {
    let cat = world.person("cat").await;
    let page = cat.client.queue_page(QueueState::Open, None).await.unwrap();
    page.notices
}

async fn proposed(world: &World, key: &str) -> ProposalAnswer {
    let answer = world.propose(&world.proposal(key, &["web-1"])).await;
    answer.unwrap()
}

/// What the assessment says about 4.6, where that blocks.
fn blocked(answer: &ProposalAnswer) -> Option<String> {
    let finding = answer
        .assessment
        .findings
        .iter()
        .find(|finding| finding.clause == Clause::C4_6)
        .unwrap();
    (finding.outcome != Outcome::Pass).then(|| finding.message.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_begins_when_it_is_due_and_is_made_up_once() {
    let world = World::new().await;
    world.authorise().await;
    let mut world = scheduled(world, "drill-1").await;
    let first = wait_for_next(&world, DrillResult::Passed).await;
    let last = first.last.unwrap();
    assert!(last.scheduled && last.rollback_ms.is_some());
    assert_eq!((last.system.as_str(), drills(&world)), ("drill-1", 1));
    assert_eq!(world.system("drill-1"), "old");
    assert_eq!(first.due_at, Some(last.began_at + TimeDelta::days(30)));
    let operation = world.operator.operation(&last.operation).await.unwrap();
    assert_eq!(operation.summary.authority, AuthorityKind::Drill);
    let recorded = world
        .log()
        .await
        .into_iter()
        .find(|entry| entry.kind == EntryKind::DrillRecorded)
        .unwrap();
    assert_eq!(recorded.body["operation"], last.operation.as_str());
    assert_eq!(recorded.body["succeeded"], true);
    assert_eq!(notices(&world).await, []);
    assert_eq!(proposed(&world, "after").await.state, ItemState::Running);

    // What was made is not made again, by a look or by a restart.
    world.restart().await;
    look(&world).await;
    assert_eq!(standing(&world).await.last.unwrap(), last);
    // Two were missed: one is made.
    world.clock.advance(TimeDelta::days(75));
    wait_for_next(&world, DrillResult::Passed).await;
    look(&world).await;
    world.restart().await;
    look(&world).await;
    assert_eq!(
        standing(&world).await.last.unwrap().result,
        DrillResult::Passed
    );
    assert_eq!(
        (drills(&world), world.kinds().await["drill_recorded"]),
        (2, 2)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_drill_is_on_the_queue_and_its_pair_waits_for_people() {
    let world = scheduled(World::ready().await, "drill-1").await;
    assert_eq!(proposed(&world, "before").await.state, ItemState::Running);
    // The operator's own drill counts: nothing is due.
    look(&world).await;
    assert_eq!(drills(&world), 1);
    world.clock.advance(TimeDelta::days(31));
    world.mark("sticks-drill-1");
    let failed = wait_for_next(&world, DrillResult::Failed).await;
    let operation = failed.last.unwrap().operation;
    world
        .wait_for(&operation, OperationState::RollbackFailed)
        .await;
    let told = notices(&world).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].kind, NoticeKind::DrillFailed);
    assert_eq!(told[0].operation.as_ref(), Some(&operation));
    assert!(
        told[0].detail.as_ref().unwrap().contains("snapshot"),
        "{told:#?}"
    );
    let waits = proposed(&world, "failed").await;
    assert_eq!(waits.state, ItemState::Waiting);
    let why = blocked(&waits).unwrap();
    assert!(why.contains("failed when it was last rehearsed"), "{why}");

    // Nothing is tried again while that one is halted, however late it is.
    world.clock.advance(TimeDelta::days(2));
    look(&world).await;
    assert_eq!(drills(&world), 2);
    let cat = world.person("cat").await;
    cat.about_operation(&operation, OperationChoice::Abort)
        .await
        .unwrap();
    assert_eq!(notices(&world).await[0].kind, NoticeKind::DrillFailed);
    world.unmark("sticks-drill-1");
    wait_for_next(&world, DrillResult::Passed).await;
    assert_eq!(notices(&world).await, []);
    let runs = proposed(&world, "mended").await;
    assert_eq!((runs.state, blocked(&runs)), (ItemState::Running, None));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_overdue_is_told_and_waits_for_people() {
    let world = World::ready().await;
    let envelope = world.envelope(2).replace("92d", "30d");
    world.authorise_text(&envelope).await;
    // The topology has no such system.
    let world = scheduled(world, "drill-9").await;
    assert_eq!(blocked(&proposed(&world, "in-time").await), None);
    world.clock.advance(TimeDelta::days(31));
    let overdue = wait_until(&world, |standing| standing.waits.is_some()).await;
    assert!(overdue.overdue_since.is_some());
    let told = notices(&world).await;
    assert_eq!(told.len(), 1, "{told:#?}");
    assert_eq!(told[0].kind, NoticeKind::DrillOverdue);
    assert_eq!(
        told[0].detail.as_deref(),
        Some("the topology has no system `drill-9`")
    );
    let waits = proposed(&world, "overdue").await;
    assert_eq!(waits.state, ItemState::Waiting);
    let why = blocked(&waits).unwrap();
    assert!(why.contains("was last rehearsed 31 d"), "{why}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_whose_rollback_takes_longer_than_the_envelope_allows_has_failed() {
    let world = World::ready().await;
    world.mark("hang-drill-1");
    let drill = StartDrill {
        action: serde_json::from_value(patch()).unwrap(),
        system: "drill-1".parse().unwrap(),
        checks: BTreeSet::from(["up".parse().unwrap()]),
        idempotency_key: None,
    };
    let applied = drills(&world);
    let begun = world.operator.start_drill(&drill).await.unwrap();
    wait_until(&world, |_| drills(&world) > applied).await;
    // Its state is not asked for before it is undone.
    world.mark("holds-drill-1");
    let reverted = |world: &World| {
        let calls = world.calls();
        calls
            .iter()
            .filter(|call| *call == "revert drill-1")
            .count()
    };
    let before = reverted(&world);
    world.unmark("hang-drill-1");
    wait_until(&world, |_| reverted(&world) > before).await;
    world.clock.advance(TimeDelta::minutes(16));
    world.unmark("holds-drill-1");
    world.wait_for(&begun.id, OperationState::RolledBack).await;
    let last = standing(&world).await.last.unwrap();
    assert_eq!(last.result, DrillResult::Failed);
    let message = last.message.unwrap();
    assert!(message.ends_with("the envelope allows 15m"), "{message}");
    assert_eq!(proposed(&world, "late").await.state, ItemState::Waiting);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_begins_by_itself_while_autonomy_is_suspended() {
    let world = World::new().await;
    world.authorise().await;
    {
        let cat = world.person("cat").await;
        cat.suspend(Extent::Backend).await.unwrap();
    }
    let world = scheduled(world, "drill-1").await;
    let waits = wait_until(&world, |standing| standing.waits.is_some()).await;
    let why = waits.waits.unwrap();
    assert!(why.contains("suspended"), "{why}");
    assert_eq!((waits.last, drills(&world)), (None, 0));
    assert_eq!(notices(&world).await[0].kind, NoticeKind::DrillOverdue);
}
