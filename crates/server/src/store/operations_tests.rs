use countersign_core::operation::EventKind;
use serde_json::json;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool};

use super::*;

/// What the store wrote before the systems of an operation lay apart (migration 8).
#[tokio::test]
async fn an_operation_of_an_older_store_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let id = OperationId::new("op_1").unwrap();
    let targets: BTreeSet<SystemId> = ["a", "b"].map(|id| SystemId::new(id).unwrap()).into();
    let authority = json!({"kind": "autonomous", "envelope": Digest::of(b"e"), "rule": "r"});
    let rollout = Rollout::default();
    let machine = Operation::new(
        id.clone(),
        serde_json::from_value(authority).unwrap(),
        &targets,
        &rollout,
    )
    .unwrap();
    let at = "2026-11-22T16:00:00Z".parse().unwrap();
    let event = Event {
        at,
        kind: EventKind::Start,
    };
    let options = SqliteConnectOptions::new()
        .filename(folder.path().join("countersign.db"))
        .create_if_missing(true)
        .foreign_keys(false);
    let older = SqlitePool::connect_with(options).await.unwrap();
    sqlx::migrate!("./migrations")
        .run_to(7, &older)
        .await
        .unwrap();
    sqlx::query(
        "INSERT INTO operation (id, authority, title, action, document, rollout, targets, snapshot,
         snapshot_after, events, state, started_ms) VALUES (?, 'autonomous', 't', ?, ?, ?, ?, ?, 0, 1, 'running', 0)",
    )
    .bind(id.as_str())
    .bind(r#"{"type":"patch","parameters":{"package":"p","to_version":"1"}}"#)
    .bind(Digest::of(b"document").to_string())
    .bind(to_json(&rollout).unwrap())
    .bind(to_json(&targets).unwrap())
    .bind(to_json(&machine).unwrap())
    .execute(&older)
    .await
    .unwrap();
    sqlx::query("INSERT INTO operation_event (operation, number, event) VALUES (?, 1, ?)")
        .bind(id.as_str())
        .bind(to_json(&event).unwrap())
        .execute(&older)
        .await
        .unwrap();
    older.close().await;

    let store = Store::open(folder.path()).await.unwrap();
    let mut conn = store.read().await.unwrap();
    let found = find(&mut conn, &id).await.unwrap().unwrap();
    assert_eq!(found.targets, targets);
    let mut expected = machine;
    step(&mut expected, event).unwrap();
    assert_eq!(super::machine(&mut conn, &id).await.unwrap(), expected);
    drop(conn);
    let mut tx = store.begin().await.unwrap();
    let halt = Event {
        at,
        kind: EventKind::Halt {
            source: "monitor".to_owned(),
            reason: "smoke".to_owned(),
        },
    };
    let (after, _) = tx.step_operation(&id, halt).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(*after.phase(), Phase::Halted);
    let mut conn = store.read().await.unwrap();
    assert_eq!(super::machine(&mut conn, &id).await.unwrap(), *after);
}
