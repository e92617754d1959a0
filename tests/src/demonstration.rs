//! What `cargo xtask demo` runs.

use std::io::Write as _;
use std::path::Path;

use crate::organisation;
use crate::setup::Northwind;
use crate::story;

/// Runs the demonstration: screenshots and evidence go to `out`.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn run(out: &Path, data: Option<&Path>, _headless: bool) -> anyhow::Result<()> {
    let fresh = tempfile::tempdir()?;
    let folder = data.unwrap_or(fresh.path());
    if out.exists() {
        std::fs::remove_dir_all(out)?;
    }
    std::fs::create_dir_all(out)?;
    say(&organisation::summary());
    let mut world = Northwind::start(folder).await?;
    say("backend up, everybody enrolled through genesis, envelope and topology imported");
    let mut hands = world.terminal.clone();
    let happened = story::tell_all(&world, &mut hands, &say).await?;
    story::evidence(&world, &happened.decided, &out.join("evidence"), &say).await?;
    world.backend.stop().await?;
    Ok(())
}

fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "✓ {line}");
}
