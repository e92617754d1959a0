//! The permits that the backend makes for a guarded executor, held against the guard's own check.

use countersign_core::canonical;
use countersign_core::decision::OperationChoice;
use countersign_core::identifier::Digest;
use countersign_core::permit::{
    Admission, CallVerb, ExecutorCall, Guard, Memory, Remembered, check,
};
use countersign_core::proposal::ActionKind;
use countersign_wire::operation::OperationState;
use serde_json::json;

use crate::world::World;

/// Keeps every call as it came, and asks the executor of the other tests.
const KEEPS: &str = r#"
import json, os, subprocess, sys
text = sys.stdin.read()
with open(os.environ["DIR"] + "/seen", "a") as seen:
    seen.write(text)
call = json.loads(text)
call.pop("permit", None)
call = json.dumps(call, separators=(",", ":"))
sys.exit(subprocess.run(["sh", "-c", sys.argv[1]], input=call, text=True).returncode)
"#;

/// A world whose executor is guarded.
async fn guarded() -> World {
    let mut world = World::ready().await;
    let executor = world
        .config
        .executors
        .iter_mut()
        .find(|executor| executor.actions.contains(&ActionKind::Patch))
        .unwrap();
    executor.guarded = true;
    let script = executor.command.pop().unwrap();
    executor.command = ["python3", "-c", KEEPS, &script]
        .map(ToOwned::to_owned)
        .into();
    world.restart().await;
    world
}

fn seen(world: &World) -> Vec<ExecutorCall> {
    world
        .system("seen")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|call: &ExecutorCall| call.verb != CallVerb::Plan)
        .collect()
}

/// A guard of everything, which pins a genesis.
struct Guarding {
    guard: Guard,
    memory: Memory,
}

impl Guarding {
    fn new(world: &World) -> Self {
        let genesis: Digest = canonical::digest(&world.genesis).unwrap();
        let guard = json!({
            "schema": "countersign/guard/v1", "genesis": genesis, "guarded": "everything",
            "quorum": { "needed": 1, "roles": [] }, "order_life": "2m", "clock_skew": "5s",
        });
        Self {
            guard: serde_json::from_value(guard).unwrap(),
            memory: Memory::default(),
        }
    }

    fn ask(&mut self, world: &World, call: &ExecutorCall) -> String {
        let remember = match check(&self.guard, &self.memory, call, world.now()) {
            Ok(Admission::Free) => return "free".to_owned(),
            Ok(Admission::Admitted { remember, .. }) => remember,
            Ok(Admission::NothingToUndo { .. }) => return "nothing to undo".to_owned(),
            Err(refusal) => return refusal.code().to_owned(),
        };
        for line in remember {
            self.memory.remember(line);
        }
        if call.verb == CallVerb::Snapshot {
            self.memory.remember(Remembered::Snapshot {
                operation: call.operation.clone().unwrap(),
                system: call.system.clone().unwrap(),
                digest: canonical::digest(&json!("old")).unwrap(),
            });
        }
        "admitted".to_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_people_signed_is_admitted_by_the_guard_and_only_once() {
    let world = guarded().await;
    let answer = world
        .propose(&world.proposal("guarded", &["ehr-1"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    world.person("ann").await.approve(&id).await.unwrap();
    let operation = world
        .person("ben")
        .await
        .approve(&id)
        .await
        .unwrap()
        .operation;
    world
        .wait_for(&operation.unwrap(), OperationState::Completed)
        .await;
    let mut guarding = Guarding::new(&world);
    let calls = seen(&world);
    let verbs: Vec<CallVerb> = calls.iter().map(|call| call.verb).collect();
    assert_eq!(verbs, [CallVerb::Snapshot, CallVerb::Apply]);
    for call in &calls {
        assert_eq!(guarding.ask(&world, call), "admitted", "{:?}", call.verb);
    }
    assert_eq!(guarding.ask(&world, &calls[1]), "replayed");
    // The backend's permit on another system, or for another version.
    let mut other = calls[1].clone();
    other.system = Some("web-1".parse().unwrap());
    assert_eq!(guarding.ask(&world, &other), "wrong_call");
    let mut other = calls[1].clone();
    other.action = serde_json::from_value(
        json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "4"}}),
    )
    .unwrap();
    assert_eq!(guarding.ask(&world, &other), "wrong_call");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_carries_its_decision() {
    let mut world = guarded().await;
    world.mark("hang-ehr-1");
    let answer = world
        .propose(&world.proposal("guarded", &["ehr-1"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    world.person("ann").await.approve(&id).await.unwrap();
    let operation = world
        .person("ben")
        .await
        .approve(&id)
        .await
        .unwrap()
        .operation
        .unwrap();
    world.called("apply ehr-1").await;
    // What was under way is unknown afterwards, and trips the breaker.
    world.restart().await;
    world.wait_for(&operation, OperationState::Halted).await;
    world.unmark("hang-ehr-1");
    let ben = world.person("ben").await;
    ben.about_operation(&operation, OperationChoice::RollBack)
        .await
        .unwrap();
    world.wait_for(&operation, OperationState::RolledBack).await;
    let calls = seen(&world);
    assert!(calls.iter().any(|call| call.verb == CallVerb::Revert));
    let mut guarding = Guarding::new(&world);
    for call in &calls {
        assert_eq!(guarding.ask(&world, call), "admitted", "{:?}", call.verb);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_decided_carries_no_permit() {
    let world = guarded().await;
    let answer = world
        .propose(&world.proposal("alone", &["web-1"]))
        .await
        .unwrap();
    world
        .wait_for(&answer.operation.unwrap(), OperationState::Completed)
        .await;
    let mut guarding = Guarding::new(&world);
    for call in &seen(&world) {
        assert_eq!(guarding.ask(&world, call), "no_permit");
    }
}
