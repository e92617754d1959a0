//! What `cargo xtask demo` runs: the story in the real window, or Northwind left to a person.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, ensure};

use crate::attend;
use crate::hands::Hands;
use crate::organisation;
use crate::setup::Northwind;
use crate::story::{self, Tell, Verified};
use crate::window::{Surroundings, Window};

/// Who looks at the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// A person at a display, who does what the story would do.
    Person,
    /// Nobody: the window is driven through the story.
    Driver,
}

/// Runs the demonstration: screenshots and evidence of the story go to `out`.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn run(out: &Path, data: Option<&Path>, audience: Audience) -> anyhow::Result<()> {
    let fresh = tempfile::tempdir()?;
    let folder = data.unwrap_or(fresh.path());
    ensure!(
        audience == Audience::Person || !Northwind::lies_in(folder),
        "`{}` holds a Northwind already, and the story is told from the beginning; name a new folder \
         with --data, or remove that one",
        folder.display()
    );
    std::fs::create_dir_all(folder)?;
    say(&organisation::summary());
    match audience {
        Audience::Person => attend::attend(folder).await,
        Audience::Driver => {
            if out.exists() {
                std::fs::remove_dir_all(out)
                    .with_context(|| format!("`{}` cannot be emptied", out.display()))?;
            }
            std::fs::create_dir_all(out)?;
            let walked = walk(folder, out, &tick).await?;
            summarise(&walked, out);
            Ok(())
        }
    }
}

/// What a walk through the story leaves.
#[derive(Debug)]
pub struct Walked {
    /// Every decision that was verified.
    pub verified: Vec<Verified>,
    /// How many screenshots were taken.
    pub screenshots: u32,
    /// Digest of the genesis that it was verified against.
    pub genesis: String,
}

/// Tells the whole story in the window, in a new Northwind in `folder`. Screenshots and evidence go
/// to `out`.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn walk(folder: &Path, out: &Path, tell: &Tell<'_>) -> anyhow::Result<Walked> {
    let mut world = Northwind::start(folder).await?;
    tell(
        "backend up; everybody enrolled through genesis; envelope, topology, agent, sources and outcomes recorded",
    );
    let surroundings = Surroundings::of(&world, &folder.join("console"));
    let mut window = Window::open(&surroundings, out).await?;
    window.mistype_the_next_pin();
    window.open_the_next_item_by_keyboard();
    let verified = told(&world, &mut window, out, tell).await?;
    let screenshots = window.screenshots();
    window.close().await?;
    world.backend.stop().await?;
    Ok(Walked {
        verified,
        screenshots,
        genesis: world.genesis.clone(),
    })
}

/// Tells the story with these hands, and verifies the evidence of it.
///
/// # Errors
/// Where anything is not as the story says.
pub async fn told(
    world: &Northwind,
    hands: &mut impl Hands,
    out: &Path,
    tell: &Tell<'_>,
) -> anyhow::Result<Vec<Verified>> {
    let happened = story::tell_all(world, hands, tell).await?;
    story::evidence(world, &happened.decided, &out.join("evidence"), tell).await
}

/// Who verified what: the demonstration's last lines.
fn summarise(walked: &Walked, out: &Path) {
    let people: BTreeSet<&str> = walked
        .verified
        .iter()
        .map(|decision| decision.approver.as_str())
        .collect();
    say("");
    say(
        "Verified, each by `countersignctl verify` against the pinned genesis and by stock `ssh-keygen -Y verify`:",
    );
    for decision in &walked.verified {
        say(&format!(
            "  {:<18} by {:<8} {}",
            decision.kind, decision.approver, decision.about
        ));
    }
    say(&format!(
        "{} decisions signed by {} people with {} keys ({}); genesis {}",
        walked.verified.len(),
        people.len(),
        people.len(),
        people.into_iter().collect::<Vec<_>>().join(", "),
        walked.genesis
    ));
    say(&format!(
        "{} screenshots and the evidence are in {}",
        walked.screenshots,
        out.display()
    ));
}

/// One thing that was seen.
pub fn tick(line: &str) {
    say(&format!("✓ {line}"));
}

/// A line to the person at the terminal.
pub(crate) fn say(line: &str) {
    // A closed terminal is no reason to stop.
    let _ = writeln!(std::io::stdout(), "{line}");
}
