//! Drills harm nobody: nobody signs for them.

use std::collections::BTreeSet;

use countersign_core::proposal::Action;
use countersign_wire::operation::{OperationState, OperationSummary};
use countersign_wire::registry::StartDrill;
use serde_json::{Value, json};

use crate::world::{World, patch};

async fn drill(world: &World, action: Value, system: &str) -> Result<OperationSummary, String> {
    let action: Action = serde_json::from_value(action).unwrap();
    let drill = StartDrill {
        action,
        system: system.parse().unwrap(),
        checks: BTreeSet::from(["up".parse().unwrap()]),
        idempotency_key: None,
    };
    world
        .operator
        .start_drill(&drill)
        .await
        .map_err(|error| format!("{}: {error}", error.code()))
}

async fn check_refused(world: &World, action: Value, system: &str, why: &str) {
    let logged = world.log().await.len();
    let refused = drill(world, action, system).await.unwrap_err();
    assert!(refused.starts_with("drill_invalid"), "{refused}");
    assert!(refused.contains(why), "{refused}");
    assert_eq!(world.log().await.len(), logged);
}

/// With these systems and dependencies besides.
async fn import(world: &World, systems: &[Value], dependencies: &[Value]) {
    let mut topology: Value = serde_json::from_str(&world.topology()).unwrap();
    topology["systems"]
        .as_array_mut()
        .unwrap()
        .extend_from_slice(systems);
    topology["dependencies"]
        .as_array_mut()
        .unwrap()
        .extend_from_slice(dependencies);
    world
        .operator
        .import_topology(topology.to_string().as_bytes())
        .await
        .unwrap();
}

fn needs(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to, "kind": "runtime", "strength": "hard"})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_reaches_nothing_critical() {
    let world = World::ready().await;
    // AG-706, scenario C: a segment that looks harmless, with controllers inside.
    let segment = json!({"id": "cell-7", "class": "network-segment", "tier": "non-critical", "cidr": "10.4.0.0/16"});
    let plc = json!({"id": "plc-1", "class": "plc", "tier": "safety-critical", "addresses": ["10.4.7.1"]});
    import(&world, &[segment, plc], &[needs("web-3", "web-2")]).await;
    let isolate = || json!({"type": "network-isolate", "parameters": {}});
    check_refused(
        &world,
        isolate(),
        "cell-7",
        "`plc-1`, which is safety-critical",
    )
    .await;
    check_refused(
        &world,
        patch(),
        "pay-1",
        "`pay-1`, which is production-critical",
    )
    .await;
    check_refused(&world, patch(), "web-2", "`web-3` depends on it").await;
    check_refused(&world, patch(), "nothing", "no system `nothing`").await;
    let allowed = drill(&world, patch(), "web-1").await.unwrap();
    world
        .wait_for(&allowed.id, OperationState::RolledBack)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_looked_at_again_before_it_changes_anything() {
    let world = World::ready().await;
    world.mark("holds-web-2");
    let begun = drill(&world, patch(), "web-2").await.unwrap();
    // Meanwhile something comes to depend on it.
    import(&world, &[], &[needs("pay-1", "web-2")]).await;
    world.unmark("holds-web-2");
    world.wait_for(&begun.id, OperationState::Held).await;
    assert_eq!(world.system("web-2"), "old");
    assert!(!world.calls().contains(&"apply web-2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_asked_for_twice_is_one_drill() {
    let world = World::ready().await;
    let ask = async |action: Value, key: &str| {
        world
            .operator
            .start_drill(&StartDrill {
                action: serde_json::from_value(action).unwrap(),
                system: "web-1".parse().unwrap(),
                checks: BTreeSet::from(["up".parse().unwrap()]),
                idempotency_key: Some(key.to_owned()),
            })
            .await
    };
    let first = ask(patch(), "quarterly 1").await.unwrap();
    let again = ask(patch(), "quarterly 1").await.unwrap();
    assert_eq!(again.id, first.id);
    world.wait_for(&first.id, OperationState::RolledBack).await;
    // Also when it is long over.
    let again = ask(patch(), "quarterly 1").await.unwrap();
    assert_eq!(
        (again.id, again.state),
        (first.id.clone(), OperationState::RolledBack)
    );
    let applied = |calls: Vec<String>| calls.iter().filter(|call| *call == "apply web-1").count();
    assert_eq!(applied(world.calls()), 1);
    let restart = json!({"type": "service-restart", "parameters": {"service": "nginx"}});
    let refused = ask(restart, "quarterly 1").await.unwrap_err();
    assert_eq!(refused.code(), "idempotency_key_reused");
    assert!(ask(patch(), " ").await.is_err());
    let second = ask(patch(), "quarterly 2").await.unwrap();
    assert_ne!(second.id, first.id);
    world.wait_for(&second.id, OperationState::RolledBack).await;
}
