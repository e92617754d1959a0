//! The laboratories: AG-706's scenarios against real Ansible, PostgreSQL and nftables.
//!
//! C needs network namespaces. Where there can be none (no root) it is not run, and says so.

use countersign_tests::lab;

#[tokio::test(flavor = "multi_thread")]
async fn scenario_a_halts_in_the_canary() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    lab::a::run(folder.path().to_owned(), &|_| {}).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_b_keeps_the_database() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    lab::b::run(folder.path().to_owned(), &|_| {}).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_c_keeps_control() -> anyhow::Result<()> {
    if !lab::c::is_possible().await {
        use std::io::Write as _;
        writeln!(
            std::io::stderr(),
            "laboratory C was NOT run: there can be no network namespaces here"
        )?;
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    lab::c::run(folder.path().to_owned(), &|_| {}).await?;
    Ok(())
}
