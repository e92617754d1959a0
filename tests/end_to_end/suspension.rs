//! Stopping all autonomy at the terminal, and letting it go on.

use std::path::Path;

use anyhow::{Context as _, ensure};
use countersign_tests::backend::Terminal;
use countersign_tests::people::{BOARD, ON_CALL, OT_OFFICER, SOC_LEAD};
use countersign_tests::setup::Northwind;
use serde_json::Value;

const SUSPEND: &[&str] = &["suspend-autonomy"];
const RESUME: &[&str] = &["resume-autonomy"];

/// Whether a decision completed what it is about.
async fn complete(hands: &Terminal, person: &str, what: &[&str]) -> anyhow::Result<bool> {
    let accepted = hands
        .decide(person, what, "patches break the tills")
        .await?;
    let accepted: Value = serde_json::from_str(&accepted)?;
    let complete = accepted.get("complete").and_then(Value::as_bool);
    complete.context("it says so")
}

/// The code with which a decision is refused.
async fn check_refused(hands: &Terminal, person: &str, what: &[&str], code: &str) {
    let refused = hands.decide(person, what, "to see").await;
    let said = refused.unwrap_or_else(|error| format!("{error:#}"));
    assert!(said.contains(code), "{said}");
}

async fn queue(hands: &Terminal) -> anyhow::Result<String> {
    let who = [
        "queue",
        "--as",
        OT_OFFICER,
        "--key",
        OT_OFFICER,
        "--pin-stdin",
    ];
    hands.run(&who).await
}

/// Makes this terminal remember another log than the backend's.
fn see_another_log(home: &Path) -> anyhow::Result<()> {
    let path = home.join("pinned.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path)?)?;
    let pinned = record.get_mut("backends").and_then(Value::as_object_mut);
    for (_, pinned) in pinned.context("nothing is pinned")? {
        let root = pinned.pointer_mut("/checkpoint/root");
        *root.context("no checkpoint is pinned")? = Value::from("a".repeat(64));
    }
    std::fs::write(&path, record.to_string())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn one_stops_everything_and_two_let_it_go_on() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = Northwind::start(folder.path()).await?;
    let hands = &world.terminal;
    check_refused(hands, BOARD[0], SUSPEND, "not_eligible").await;
    check_refused(
        hands,
        ON_CALL,
        &["suspend-autonomy", "--agent", "nobody"],
        "suspension_of_nothing",
    )
    .await;
    assert!(!queue(hands).await?.contains("SUSPENDED"));

    assert!(complete(hands, ON_CALL, SUSPEND).await?);
    let said = queue(hands).await?;
    let first = said.lines().next().unwrap_or_default();
    ensure!(
        first.starts_with("AUTONOMY IS SUSPENDED: mira suspended everything that runs alone at "),
        "{said}"
    );
    assert!(said.contains("signed by nobody yet"), "{said}");

    assert!(!complete(hands, ON_CALL, RESUME).await?);
    check_refused(hands, ON_CALL, RESUME, "already_decided").await;
    check_refused(hands, OT_OFFICER, RESUME, "not_eligible").await;
    let said = queue(hands).await?;
    assert!(said.contains("signed by mira"), "{said}");
    let digest = said
        .lines()
        .nth(1)
        .and_then(|line| line.split_whitespace().next())
        .context("the suspension has a name")?
        .to_owned();
    assert!(complete(hands, SOC_LEAD, &["resume-autonomy", &digest]).await?);
    check_refused(hands, SOC_LEAD, RESUME, "not_suspended").await;
    assert!(!queue(hands).await?.contains("SUSPENDED"));

    // Anybody can check it afterwards, offline.
    let evidence = folder.path().join("evidence");
    let evidence = evidence.to_str().context("the folder has a name")?;
    let who = ["--as", SOC_LEAD, "--key", SOC_LEAD, "--pin-stdin"];
    hands
        .run(&[&["evidence", "export", &digest, evidence][..], &who].concat())
        .await?;
    let verified = hands
        .run(&["verify", evidence, "--genesis", &world.genesis])
        .await?;
    assert!(
        verified.contains("mira, who may do so alone, suspended everything"),
        "{verified}"
    );
    assert!(
        verified.contains("2 people who agree resumed it"),
        "{verified}"
    );

    // A log that contradicts itself stops everything else.
    see_another_log(&hands.home)?;
    check_refused(hands, SOC_LEAD, RESUME, "log_alarm").await;
    assert!(complete(hands, SOC_LEAD, SUSPEND).await?);
    world.backend.stop().await
}
