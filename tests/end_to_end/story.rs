//! The story at the terminal: the whole path without a window.

use countersign_tests::demonstration::told;
use countersign_tests::people::{BOARD, ON_CALL, OT_OFFICER, SOC_LEAD};
use countersign_tests::setup::Northwind;

#[tokio::test(flavor = "multi_thread")]
async fn it_is_told_at_the_terminal() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let mut world = Northwind::start(folder.path()).await?;
    let mut hands = world.terminal.clone();
    let verified = told(&world, &mut hands, folder.path(), &|_| {}).await?;
    let decided: Vec<(&str, &str)> = verified
        .iter()
        .map(|decision| (decision.kind.as_str(), decision.approver.as_str()))
        .collect();
    let mut expected: Vec<(&str, &str)> = BOARD
        .iter()
        .map(|member| ("authorise_envelope", *member))
        .collect();
    expected.extend([
        ("reject", ON_CALL),
        ("approve", OT_OFFICER),
        ("approve", SOC_LEAD),
        ("reject", OT_OFFICER),
        ("approve", ON_CALL),
        ("roll_back", SOC_LEAD),
    ]);
    assert_eq!(decided, expected);
    world.backend.stop().await
}
