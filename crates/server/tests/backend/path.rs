//! The one path: genesis, envelope, proposal, decision, operation, evidence.

use countersign_core::decision::OperationChoice;
use countersign_core::evidence;
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::ItemState;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn within_the_envelope_it_runs_alone() {
    let world = World::ready().await;
    let answer = world
        .propose(&world.proposal("a", &["web-1", "web-2"]))
        .await
        .unwrap();
    assert_eq!(answer.state, ItemState::Running, "{:#?}", answer.assessment);
    world
        .wait_for(
            answer.operation.as_ref().unwrap(),
            OperationState::Completed,
        )
        .await;
    assert_eq!(
        (
            world.system("web-1"),
            world.system("web-2"),
            world.system("web-3")
        ),
        ("new".into(), "new".into(), "old".into())
    );
    let answer = world
        .agent
        .proposal(answer.id.as_ref().unwrap())
        .await
        .unwrap();
    assert_eq!(answer.state, ItemState::Done);
    assert_eq!(
        world.calls(),
        [
            "apply drill-1",
            "revert drill-1",
            "apply web-1",
            "apply web-2"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn two_signatures_where_two_are_needed_and_the_evidence_holds() {
    let world = World::ready().await;
    let proposal = world.proposal("b", &["ehr-1"]);
    let answer = world.propose(&proposal).await.unwrap();
    let id = answer.id.unwrap();
    assert_eq!(answer.state, ItemState::Waiting);
    let (ann, ben) = (world.person("ann").await, world.person("ben").await);
    let first = ann.approve(&id).await.unwrap();
    assert!(!first.complete && first.operation.is_none());
    assert_eq!(
        first.missing.unwrap(),
        "1 more approver; not yet represented: ot-safety-officer"
    );
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Waiting
    );
    let second = ben.approve(&id).await.unwrap();
    assert!(second.complete);
    world
        .wait_for(&second.operation.unwrap(), OperationState::Completed)
        .await;
    assert_eq!(world.system("ehr-1"), "new");

    let files = ann.client.evidence(id.as_str()).await.unwrap();
    let files = files
        .into_iter()
        .map(|(path, bytes)| (path, bytes.0))
        .collect();
    let genesis = countersign_core::canonical::digest(&world.genesis).unwrap();
    let report = evidence::verify(&files, Some(genesis));
    assert!(
        report.holds(),
        "{:#?}",
        report.failures().collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_breaker_halts_and_a_signed_roll_back_undoes() {
    let world = World::ready().await;
    world.mark("breaks-web-2");
    // Five minutes too old for the rule's own severity: made to wait by a production-critical target.
    let answer = world
        .propose(&world.proposal("c", &["pay-1", "web-1", "web-2", "web-3"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let cat = world.person("cat").await;
    let accepted = cat
        .approve_only(&id, &["web-1", "web-2", "web-3"])
        .await
        .unwrap();
    let operation = accepted.operation.unwrap();
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let tripped_by = halted.trip.unwrap().system.unwrap();
    assert_eq!(tripped_by.as_str(), "web-2");
    assert_eq!(world.system("web-3"), "old");
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Halted
    );
    let accepted = cat
        .about_operation(&operation, OperationChoice::RollBack)
        .await
        .unwrap();
    assert!(accepted.complete);
    world.wait_for(&operation, OperationState::RolledBack).await;
    assert_eq!(
        (world.system("web-1"), world.system("web-2")),
        ("old".into(), "old".into())
    );
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::RolledBack
    );

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
