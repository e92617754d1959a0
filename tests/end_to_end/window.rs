//! The console's real window, driven as a person drives it.

use std::path::Path;

use anyhow::Context as _;
use chrono::Utc;
use countersign_core::identifier::ProposalId;
use countersign_tests::demonstration::walk;
use countersign_tests::organisation;
use countersign_tests::people::{OT_OFFICER, PIN, SOC_LEAD};
use countersign_tests::setup::Northwind;
use countersign_tests::story::{first_authority, scenario_a_halted};
use countersign_tests::window::key::{DOWN, ENTER, SPACE};
use countersign_tests::window::{Surroundings, Window};
use serde_json::{Value, json};

/// Northwind, and a window of its console.
async fn opened(folder: &Path) -> anyhow::Result<(Northwind, Window)> {
    let world = Northwind::start(folder).await?;
    let surroundings = Surroundings::of(&world, &folder.join("console"));
    let window = Window::open(&surroundings, &folder.join("screenshots")).await?;
    Ok((world, window))
}

async fn proposed(world: &Northwind, proposal: &Value) -> anyhow::Result<ProposalId> {
    let answer = world.agent.propose(proposal).await?;
    answer.id.context("an accepted proposal has an id")
}

#[tokio::test(flavor = "multi_thread")]
async fn the_story_is_told_in_it() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let walked = walk(folder.path(), &folder.path().join("out"), &|_| {}).await?;
    assert_eq!(walked.verified.len(), 9);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_is_said_and_what_was_written_stays() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (world, mut window) = opened(folder.path()).await?;
    let item = proposed(&world, &organisation::scenario_c(Utc::now())).await?;
    window.be(OT_OFFICER).await?;
    window.click(&format!("queue-row-{item}")).await?;
    window.type_into("rationale", "Half a thought").await?;
    world.backend.kill().await?;
    window
        .wait_for_words("connection-banner", "Connection lost")
        .await?;
    window
        .wait_for_attribute("reject", "aria-disabled", "true")
        .await?;
    assert_eq!(
        window.value("rationale").await?.as_deref(),
        Some("Half a thought")
    );
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_halted_operation_is_continued_with_fewer() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (world, mut window) = opened(folder.path()).await?;
    first_authority(&world, &|_| {}).await?;
    let (_, operation) = scenario_a_halted(&world, &mut window, &|_| {}).await?;
    window
        .continue_without(
            SOC_LEAD,
            &operation,
            "pay-0005",
            "Host 3 has another certificate store; host 4 is alike to 1 and 2.",
        )
        .await?;
    window
        .wait_for_attribute("operation", "data-state", "completed")
        .await?;
    for (host, phase, applied) in [
        ("pay-0001", "healthy", 1),
        ("pay-0003", "failed", 1),
        ("pay-0004", "healthy", 1),
        ("pay-0005", "left_out", 0),
    ] {
        window
            .wait_for_attribute(&format!("cell-{host}"), "data-phase", phase)
            .await?;
        let counts = world.systems.counts(host).await?;
        assert_eq!(counts.applied, applied, "{host}");
    }
    window
        .wait_for_words("operation", "It ran to its end")
        .await?;
    window.close().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_can_be_rejected_without_a_mouse() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (world, window) = opened(folder.path()).await?;
    let item = proposed(&world, &organisation::scenario_c(Utc::now())).await?;

    window.wait_for("sign-in").await?;
    // A group of choices is one stop: arrows move in it.
    window
        .tab_to_choice(
            "signin-approver-",
            &format!("signin-approver-{OT_OFFICER}"),
            DOWN,
        )
        .await?;
    window
        .tab_to_choice(
            "signin-key-",
            &format!("signin-key-demonstration:{OT_OFFICER}"),
            DOWN,
        )
        .await?;
    window.press(&[ENTER]).await?;
    sign_by_keyboard(&window).await?;
    window
        .wait_for_attribute("person", "data-approver", OT_OFFICER)
        .await?;

    let row = format!("queue-row-{item}");
    window.wait_for(&row).await?;
    window.go_to_row(&row).await?;
    window.press(&[ENTER]).await?;
    window.wait_for("briefing").await?;
    window.press(&['a']).await?;
    window.wait_for_focus("rationale").await?;
    window
        .press(&"It cuts SCADA off.".chars().collect::<Vec<_>>())
        .await?;
    window.tab_to_choice("risk-", "risk-high", DOWN).await?;
    window.press(&['r']).await?;
    window.wait_for("sign-sentence").await?;
    window.tab_to("sign-next").await?;
    window.press(&[ENTER]).await?;
    window
        .tab_to_choice(
            "sign-key-",
            &format!("sign-key-demonstration:{OT_OFFICER}"),
            DOWN,
        )
        .await?;
    window.tab_to("sign-next").await?;
    window.press(&[ENTER]).await?;
    sign_by_keyboard(&window).await?;
    window.wait_for("sign-outcome").await?;
    window.press(&[ENTER]).await?;
    window.wait_gone("sign-dialog").await?;
    window
        .wait_for_attribute("state", "data-state", "rejected")
        .await?;
    window.close().await
}

/// PIN and touch.
async fn sign_by_keyboard(window: &Window) -> anyhow::Result<()> {
    window.wait_for_focus("pin").await?;
    window.press(&PIN.chars().collect::<Vec<_>>()).await?;
    window.press(&[ENTER]).await?;
    window.wait_for("touch-demo").await?;
    window.tab_to("touch-demo").await?;
    window.press(&[SPACE]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hostile_name_is_only_text() -> anyhow::Result<()> {
    const NAME: &str = "web-<img/src=x/onerror=document.title='owned'>";
    let folder = tempfile::tempdir()?;
    let (world, mut window) = opened(folder.path()).await?;
    let topology = organisation::topology(Utc::now()).replace(
        "\ndependencies:",
        &format!("  - {{ id: {}, class: linux-server, tier: production-critical, addresses: [10.60.0.1] }}\n\ndependencies:", json!(NAME)),
    );
    world.operator.import_topology(topology.as_bytes()).await?;
    let mut proposal = organisation::small_patch(Utc::now());
    proposal["targets"] = json!({ "systems": [NAME] });
    proposal["rationale"] = json!("<script>document.title='owned'</script>\u{202e}txet");
    let item = proposed(&world, &proposal).await?;
    window.be(OT_OFFICER).await?;
    window.click(&format!("queue-row-{item}")).await?;
    window.wait_for_words("targets", NAME).await?;
    window.wait_for_words("agent-says", "<script>").await?;
    // What would turn the text round is taken out or written out, never obeyed.
    window.wait_for_words("agent-says", "txet").await?;
    assert!(!window.words().await?.contains('\u{202e}'));
    window.click("table-toggle").await?;
    window.wait_for_words("impact-table", NAME).await?;
    assert!(!window.title().await?.contains("owned"));
    window.close().await
}
