//! A database that somebody else writes into starts nothing, widens nothing and undoes nothing.

use countersign_core::identifier::{OperationId, ProposalId};
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::ItemState;

use crate::world::World;

/// An operation that was approved and waits for an executor, with the backend stopped.
async fn approved(world: &mut World) -> (ProposalId, OperationId) {
    let executors = std::mem::take(&mut world.config.executors);
    world.restart().await;
    let answer = world
        .propose(&world.proposal("tampered", &["pay-1", "web-1"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let operation = {
        let cat = world.person("cat").await;
        cat.approve(&id).await.unwrap().operation.unwrap()
    };
    world.wait_for(&operation, OperationState::Held).await;
    world.running.take().unwrap().stop().await.unwrap();
    world.config.executors = executors;
    (id, operation)
}

/// Makes this change to an approved operation, and expects that nothing is carried out.
async fn check_voided(sql: &'static str) {
    let mut world = World::ready().await;
    let (id, operation) = approved(&mut world).await;
    let calls = world.calls();
    assert_eq!(world.tamper(sql).await, 1, "{sql}");
    world.start_again().await;
    world.wait_for_item(&id, ItemState::Voided).await;
    let held = world.operator.operation(&operation).await.unwrap();
    assert_eq!(held.summary.state, OperationState::Held, "{sql}");
    assert_eq!(world.calls(), calls, "{sql}");
    assert_eq!(world.kinds().await["approval_voided"], 1, "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_approved_is_what_is_dispatched() {
    // Unchanged it goes on: what follows is refused for the change alone.
    let mut world = World::ready().await;
    let (_, operation) = approved(&mut world).await;
    world.start_again().await;
    world.wait_for(&operation, OperationState::Completed).await;

    check_voided("UPDATE operation SET action = replace(action, 'openssl', 'backdoor') WHERE item IS NOT NULL").await;
    check_voided(
        "UPDATE operation_state SET snapshot = replace(snapshot, 'web-1', 'web-3'), targets = replace(targets, 'web-1', 'web-3')
         WHERE operation IN (SELECT id FROM operation WHERE item IS NOT NULL)",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_it_is_carried_out_is_what_was_approved() {
    check_voided(
        r#"UPDATE operation_state SET snapshot = replace(snapshot, '"concurrency":1', '"concurrency":9')
         WHERE operation IN (SELECT id FROM operation WHERE item IS NOT NULL)"#,
    )
    .await;
    check_voided(
        r#"UPDATE operation_state SET snapshot = replace(snapshot, '"failures":0,"', '"failures":9,"')
         WHERE operation IN (SELECT id FROM operation WHERE item IS NOT NULL)"#,
    )
    .await;
    check_voided(
        r#"UPDATE operation_state SET snapshot = replace(snapshot, '"health":["up"]', '"health":[]')
         WHERE operation IN (SELECT id FROM operation WHERE item IS NOT NULL)"#,
    )
    .await;
    check_voided("UPDATE operation SET rollout = '{}' WHERE item IS NOT NULL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_runs_alone_because_a_row_says_so() {
    let mut world = World::ready().await;
    let id = world.waiting("forged").await;
    let answer = world
        .propose(&world.proposal("real", &["web-1"]))
        .await
        .unwrap();
    world
        .wait_for(
            answer.operation.as_ref().unwrap(),
            OperationState::Completed,
        )
        .await;
    world.running.take().unwrap().stop().await.unwrap();
    let calls = world.calls();
    // The real grant, as the state of an operation for the waiting item.
    let forged = "INSERT INTO operation (id, item, authority, title, action, document, rollout, snapshot_after, events,
         state, started_ms)
         SELECT 'op_forged', (SELECT id FROM item WHERE state = 'waiting'), 'autonomous', title, action, document,
         rollout, 0, 0, 'held', started_ms FROM operation WHERE authority = 'autonomous'";
    assert_eq!(world.tamper(forged).await, 1);
    let forged = "INSERT INTO operation_state (operation, targets, snapshot)
         SELECT 'op_forged', '[\"pay-1\"]', json_object('id', 'op_forged', 'authority', json_extract(snapshot, '$.authority'),
         'limits', json_extract(snapshot, '$.limits'), 'phase', json('{\"phase\":\"held\",\"reason\":\"x\"}'),
         'systems', json('[{\"id\":\"pay-1\",\"state\":\"pending\"}]'),
         'wave_ends', json('[1]'), 'wave', 0, 'next', 0, 'returned', json('[]'), 'flights', json('{}'),
         'touched', json('[]'), 'to_revert', json('[]'), 'failed', 0, 'tally', json('{\"pending\":1}'), 'last_sequence', 0)
         FROM operation_state JOIN operation ON operation = id WHERE authority = 'autonomous' AND id <> 'op_forged'";
    assert_eq!(world.tamper(forged).await, 1);
    let running =
        "UPDATE item SET state = 'running', operation = 'op_forged' WHERE state = 'waiting'";
    assert_eq!(world.tamper(running).await, 1);
    world.start_again().await;
    world.wait_for_item(&id, ItemState::Voided).await;
    assert_eq!(world.calls(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_flag_puts_an_envelope_in_force() {
    let mut world = World::ready().await;
    let run = |key: &'static str| world.proposal(key, &["web-1"]);
    let (before, after) = (run("before"), run("after"));
    let real = world.propose(&before).await.unwrap();
    assert_eq!(real.state, ItemState::Running);
    world
        .wait_for(real.operation.as_ref().unwrap(), OperationState::Completed)
        .await;
    // A draft that nobody signed.
    let draft = world.envelope(2);
    world
        .operator
        .import_envelope(draft.as_bytes())
        .await
        .unwrap();
    world.running.take().unwrap().stop().await.unwrap();
    let replaced = "UPDATE envelope SET state = 'replaced' WHERE state = 'authorised'";
    assert_eq!(world.tamper(replaced).await, 1);
    let flag = "UPDATE envelope SET state = 'authorised' WHERE state = 'draft'";
    assert_eq!(world.tamper(flag).await, 1);
    world.start_again().await;
    let calls = world.calls();
    let forged = world.propose(&after).await.unwrap();
    assert_eq!(forged.state, ItemState::Waiting, "{:#?}", forged.assessment);
    assert!(forged.operation.is_none());
    // People who sign under it start nothing either.
    let id = forged.id.unwrap();
    let mut begun = None;
    for name in ["cat", "dan"] {
        let person = world.person(name).await;
        begun = person.approve(&id).await.unwrap().operation;
    }
    let operation = begun.unwrap();
    world.wait_for(&operation, OperationState::Held).await;
    assert_eq!(world.calls(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_payload_holds_the_operation() {
    let mut world = World::ready().await;
    let (_, operation) = approved(&mut world).await;
    let calls = world.calls();
    let changed = "UPDATE payload SET bytes = CAST(replace(CAST(bytes AS TEXT), 'openssl', 'opensls') AS BLOB)
         WHERE digest = (SELECT briefing FROM item WHERE operation IS NOT NULL)";
    assert_eq!(world.tamper(changed).await, 1);
    world.start_again().await;
    // It is looked at again and again; nothing comes of it.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let held = world.operator.operation(&operation).await.unwrap();
    assert_eq!(held.summary.state, OperationState::Held);
    assert_eq!(world.calls(), calls);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_undone_without_a_signature() {
    let world = World::ready().await;
    world.mark("hang-web-1");
    let answer = world
        .propose(&world.proposal("undo", &["web-1"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-1").await;
    // A decision that nobody took, written into the operation's events.
    let event = "INSERT INTO operation_event SELECT id, events + 1, json_object('at', '2026-11-22T16:00:00Z', 'kind',
         json_object('event', 'roll_back', 'decision', document)) FROM operation WHERE finished_ms IS NULL";
    assert_eq!(world.tamper(event).await, 1);
    let counted = "UPDATE operation SET events = events + 1 WHERE finished_ms IS NULL";
    assert_eq!(world.tamper(counted).await, 1);
    world.unmark("hang-web-1");
    let stuck = world
        .wait_for(&operation, OperationState::RollbackFailed)
        .await;
    assert_eq!(world.system("web-1"), "new");
    assert!(!world.calls().contains(&"revert web-1".to_owned()));
    let said = stuck.systems[0].message.clone().unwrap_or_default();
    assert!(said.contains("nothing was undone"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_effect_that_fails_does_not_hang_the_operation() {
    let world = World::ready().await;
    world.mark("breaks-web-1");
    let answer = world
        .propose(&world.proposal("hangs", &["web-1"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.wait_for(&operation, OperationState::Halted).await;
    // What it would be restored from is gone.
    let gone = "UPDATE payload SET bytes = x'00' WHERE kind = 'snapshot'";
    assert!(world.tamper(gone).await > 0);
    let cat = world.person("cat").await;
    cat.about_operation(
        &operation,
        countersign_core::decision::OperationChoice::RollBack,
    )
    .await
    .unwrap();
    world
        .wait_for(&operation, OperationState::RollbackFailed)
        .await;
    assert!(!world.calls().contains(&"revert web-1".to_owned()));
}

/// Makes this change while an operation is under way and its first system is worked on, and expects
/// that the second one is left alone.
async fn check_stopped(sql: &'static str, voided: usize) {
    let world = World::ready().await;
    world.mark("hang-web-1");
    let answer = world
        .propose(&world.proposal("meanwhile", &["web-1", "web-2"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-1").await;
    assert_eq!(world.tamper(sql).await, 1, "{sql}");
    world.unmark("hang-web-1");
    world.wait_for(&operation, OperationState::Held).await;
    let kinds = world.kinds().await;
    let found = kinds.get("approval_voided").copied().unwrap_or(0);
    assert_eq!(found, voided, "{sql}");
    assert_eq!(world.system("web-2"), "old", "{sql}");
    assert!(!world.calls().contains(&"apply web-2".to_owned()), "{sql}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_verified_before_is_verified_again_once_somebody_else_has_written() {
    // Unchanged it goes on.
    let world = World::ready().await;
    let answer = world
        .propose(&world.proposal("whole", &["web-1", "web-2"]))
        .await
        .unwrap();
    world
        .wait_for(&answer.operation.unwrap(), OperationState::Completed)
        .await;
    assert_eq!(world.system("web-2"), "new");

    check_stopped(
        "UPDATE operation SET rollout = '{}' WHERE item IS NOT NULL",
        1,
    )
    .await;
    check_stopped(
        "UPDATE operation_state SET targets = replace(targets, 'web-2', 'web-3')
         WHERE operation IN (SELECT id FROM operation WHERE item IS NOT NULL)",
        1,
    )
    .await;
    // What cannot be read holds it.
    check_stopped(
        "UPDATE payload SET bytes = CAST(replace(CAST(bytes AS TEXT), 'openssl', 'opensls') AS BLOB)
         WHERE digest = (SELECT briefing FROM item WHERE operation IS NOT NULL)",
        0,
    )
    .await;
}
