//! What happens to operations when the world changes or the backend goes down under them.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use chrono::TimeDelta;
use countersign_core::decision::{ItemChoice, OperationChoice};
use countersign_wire::client::Client;
use countersign_wire::decision::About;
use countersign_wire::operation::{OperationState, SystemPhase};
use countersign_wire::proposal::ItemState;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::world::{OPERATOR, World};

#[tokio::test(flavor = "multi_thread")]
async fn what_was_in_flight_is_unknown_after_a_restart_and_never_runs_again() {
    let mut world = World::ready().await;
    world.mark("hang-web-2");
    let answer = world
        .propose(&world.proposal("hang", &["web-1", "web-2", "web-3"]))
        .await
        .unwrap();
    let operation = answer.operation.unwrap();
    world.called("apply web-2").await;
    world.restart().await;
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let phases: Vec<_> = halted.systems.iter().map(|system| system.phase).collect();
    assert_eq!(
        phases,
        [
            SystemPhase::Healthy,
            SystemPhase::Unknown,
            SystemPhase::Pending
        ]
    );
    assert_eq!(
        world
            .calls()
            .iter()
            .filter(|call| *call == "apply web-2")
            .count(),
        1
    );
    assert_eq!(world.system("web-3"), "old");
    let cat = world.person("cat").await;
    cat.about_operation(&operation, OperationChoice::RollBack)
        .await
        .unwrap();
    world.wait_for(&operation, OperationState::RolledBack).await;
    assert_eq!(
        (world.system("web-1"), world.system("web-2")),
        ("old".into(), "old".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_scope_voids_the_approval_before_the_next_dispatch() {
    let world = World::ready().await;
    // The second system waits for the first.
    world.mark("hang-web-1");
    let answer = world
        .propose(&world.proposal("void", &["pay-1", "web-1", "web-2"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let cat = world.person("cat").await;
    let operation = cat
        .approve_only(&id, &["web-1", "web-2"])
        .await
        .unwrap()
        .operation
        .unwrap();
    world.called("apply web-1").await;
    // A tighter topology counts at once.
    let tight = world.topology().replace(
        r#""id":"web-2","tier":"non-critical""#,
        r#""id":"web-2","tier":"safety-critical""#,
    );
    world
        .operator
        .import_topology(tight.as_bytes())
        .await
        .unwrap();
    // The first system is well; what it was approved with is not so any more.
    world.unmark("hang-web-1");
    let held = world.wait_for(&operation, OperationState::Held).await;
    let phases: Vec<_> = held.systems.iter().map(|system| system.phase).collect();
    assert_eq!(phases, [SystemPhase::Healthy, SystemPhase::Pending]);
    world.wait_for_item(&id, ItemState::Voided).await;
    assert_eq!(world.kinds().await["approval_voided"], 1);
    assert_eq!(world.system("web-2"), "old");
    assert!(!world.calls().contains(&"apply web-2".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_void_approval_is_held_and_its_item_says_so() {
    let world = World::ready().await;
    let answer = world
        .propose(&world.proposal("void", &["ehr-1"]))
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let (ann, ben) = (world.person("ann").await, world.person("ben").await);
    ann.approve(&id).await.unwrap();
    // The scope changes between the signatures: a new dependent that would go down.
    let topology = world.topology().replace(
        r#""dependencies":[]"#,
        r#""dependencies":[{"from":"web-1","to":"ehr-1","kind":"runtime","strength":"hard"}]"#,
    );
    world
        .operator
        .import_topology(topology.as_bytes())
        .await
        .unwrap();
    let operation = ben.approve(&id).await.unwrap().operation.unwrap();
    let held = world.wait_for(&operation, OperationState::Held).await;
    assert_eq!(held.summary.touched, 0);
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Voided
    );
    assert_eq!(world.system("ehr-1"), "old");
    assert_eq!(world.kinds().await["approval_voided"], 1);
    // It stays void, and people may end it.
    ann.about_operation(&operation, OperationChoice::Abort)
        .await
        .unwrap();
    world.wait_for(&operation, OperationState::Aborted).await;
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Voided
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_carries_out_is_held_and_goes_on_or_is_stopped() {
    let mut world = World::ready().await;
    let executors = std::mem::take(&mut world.config.executors);
    world.restart().await;
    let stopped = world
        .propose(&world.proposal("stopped", &["pay-1"]))
        .await
        .unwrap()
        .id
        .unwrap();
    let goes_on = world
        .propose(&world.proposal("goes-on", &["web-1"]))
        .await
        .unwrap();
    let held = world
        .wait_for(goes_on.operation.as_ref().unwrap(), OperationState::Held)
        .await;
    assert_eq!(held.summary.touched, 0);
    // Approved, held, and rejected before the first dispatch.
    let cat = world.person("cat").await;
    let operation = cat.approve(&stopped).await.unwrap().operation.unwrap();
    world.wait_for(&operation, OperationState::Held).await;
    let dan = world.person("dan").await;
    assert!(dan.reject(&stopped).await.unwrap().complete);
    world.wait_for(&operation, OperationState::Aborted).await;
    let state = world.agent.proposal(&stopped).await.unwrap().state;
    assert_eq!(state, ItemState::Rejected);
    // With an executor again, what was held goes on by itself.
    world.config.executors = executors;
    world.restart().await;
    world
        .wait_for(
            goes_on.operation.as_ref().unwrap(),
            OperationState::Completed,
        )
        .await;
    assert_eq!(
        (world.system("web-1"), world.system("pay-1")),
        ("new".into(), "old".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_approval_ends_in_the_middle_of_its_operation() {
    let world = World::ready().await;
    world.mark("hang-pay-1");
    let id = world
        .propose(&world.proposal("ends", &["pay-1", "web-1"]))
        .await
        .unwrap()
        .id
        .unwrap();
    let cat = world.person("cat").await;
    let mut statement = cat
        .statement(&id, &ItemChoice::Approve { narrowing: None })
        .await;
    statement.predicate.not_after = world.now() + TimeDelta::minutes(2);
    let submit = cat.signed(About::Item(id.clone()), &statement).await;
    let accepted = cat.client.submit_decision(&submit).await.unwrap();
    let operation = accepted.operation.unwrap();
    world.called("apply pay-1").await;
    world.clock.advance(TimeDelta::minutes(3));
    world.unmark("hang-pay-1");
    world.wait_for_item(&id, ItemState::Voided).await;
    let held = world.wait_for(&operation, OperationState::Held).await;
    assert_eq!(held.summary.touched, 1);
    assert_eq!(
        (world.system("pay-1"), world.system("web-1")),
        ("new".into(), "old".into())
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_backend_applies_nothing_twice() {
    let mut world = World::ready().await;
    world.running.take().unwrap().stop().await.unwrap();
    let config = world.folder.path().join("config.json");
    std::fs::write(&config, serde_json::to_vec(&world.config).unwrap()).unwrap();
    let data = world.folder.path().join("data");
    let mut first = program(&data, Some(&config)).await;
    world.connect(&first.url);
    world.mark("hang-web-2");
    let operation = world
        .propose(&world.proposal("killed", &["web-1", "web-2", "web-3"]))
        .await
        .unwrap()
        .operation
        .unwrap();
    world.called("apply web-2").await;
    // SIGKILL: it says goodbye to nobody, and its executor goes on.
    first.child.kill().await.unwrap();
    let again = program(&data, Some(&config)).await;
    world.connect(&again.url);
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let phases: Vec<_> = halted.systems.iter().map(|system| system.phase).collect();
    assert_eq!(
        phases,
        [
            SystemPhase::Healthy,
            SystemPhase::Unknown,
            SystemPhase::Pending
        ]
    );
    let applied: Vec<_> = world
        .calls()
        .into_iter()
        .filter(|call| call.starts_with("apply web-"))
        .collect();
    assert_eq!(applied, ["apply web-1", "apply web-2"]);
    assert_eq!(world.system("web-3"), "old");
}

pub struct Program {
    pub url: String,
    pub child: Child,
    pub client: Client,
}

pub async fn program(data: &Path, config: Option<&Path>) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersignd"));
    command
        .args(["serve", "--token-stdin", "--exit-with-stdin", "--data"])
        .arg(data);
    if let Some(config) = config {
        command.arg("--config").arg(config);
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let stdin = child.stdin.as_mut().unwrap();
    stdin
        .write_all(format!("{OPERATOR}\n").as_bytes())
        .await
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line())
        .await
        .unwrap()
        .unwrap()
        .unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = ready["listening"].as_str().unwrap().to_owned();
    let client = Client::new(&url).unwrap().with_bearer(OPERATOR).unwrap();
    Program { url, child, client }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_serves_one_folder_survives_a_kill_and_ends_with_its_standard_input() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = program(folder.path(), None).await;
    let deployment = first.client.deployment().await.unwrap();
    assert!(deployment.genesis.is_none());
    // The folder is taken.
    let second = Command::new(env!("CARGO_BIN_EXE_countersignd"))
        .args(["serve", "--data"])
        .arg(folder.path())
        .stdin(Stdio::null())
        .output()
        .await
        .unwrap();
    assert!(!second.status.success());
    assert!(String::from_utf8_lossy(&second.stderr).contains("in use by another backend"));
    first.child.kill().await.unwrap();
    let mut again = program(folder.path(), None).await;
    assert_eq!(
        again.client.deployment().await.unwrap().log_key,
        deployment.log_key
    );
    drop(again.child.stdin.take());
    let ended = tokio::time::timeout(Duration::from_secs(30), again.child.wait())
        .await
        .unwrap()
        .unwrap();
    assert!(ended.success());
}
