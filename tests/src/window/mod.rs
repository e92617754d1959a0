//! The console's real window, driven as a person drives it: by mouse and keyboard, through WebDriver.
//!
//! Nothing sleeps to let something happen: every step waits for what it needs to see, for at most
//! `LIMIT`, and where that does not come, the error holds the page's words and a screenshot.

mod album;
mod driver;
mod hands;
mod page;
mod reading;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use fantoccini::Client;

use crate::backend::{program, programs};
use crate::setup::Northwind;
use album::Album;
use driver::Driver;

pub use page::key;

/// How long anything may take to show. Generous: the machine may be busy compiling.
const LIMIT: Duration = Duration::from_secs(90);

/// Width and height of the window, in pixels.
const SIZE: (u32, u32) = (1_440, 900);

/// Where a console finds its backend, its keys and its own folder.
#[derive(Debug, Clone)]
pub struct Surroundings {
    backend: String,
    keys: PathBuf,
    home: PathBuf,
}

impl Surroundings {
    /// The console of a person of `world`, who keeps what the console pins in `home`.
    #[must_use]
    pub fn of(world: &Northwind, home: &Path) -> Self {
        Self {
            backend: format!("{},{}", world.backend.url, world.genesis),
            keys: world.keys_folder.clone(),
            home: home.to_owned(),
        }
    }

    /// As the environment of its process.
    #[must_use]
    pub fn environment(&self) -> [(&'static str, OsString); 3] {
        [
            ("COUNTERSIGN_BACKEND", self.backend.clone().into()),
            ("COUNTERSIGN_HOME", self.home.clone().into()),
            ("COUNTERSIGN_DEMONSTRATION_KEYS", self.keys.clone().into()),
        ]
    }
}

/// The console's program.
///
/// # Errors
/// Where it was not built.
pub fn console() -> anyhow::Result<PathBuf> {
    program(&programs()?, "countersign")
}

/// A window of the console; it ends, with all its processes, when dropped.
#[derive(Debug)]
pub struct Window {
    client: Client,
    driver: Driver,
    album: Album,
    /// Whether the next PIN is to be a wrong one, to see what that looks like.
    wrong_pin: bool,
    /// Whether anything was signed in it.
    signed: bool,
    /// Whether the next item is opened by keyboard.
    by_keyboard: bool,
}

impl Window {
    /// Opens the console; its screenshots go to `shots`.
    ///
    /// # Errors
    /// Where a program is missing, or no window comes up.
    pub async fn open(surroundings: &Surroundings, shots: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&surroundings.home)?;
        let log = surroundings.home.join("console.log");
        let driver = Driver::start(surroundings.environment(), &log).await?;
        let client = driver.session(&console()?).await?;
        let (width, height) = SIZE;
        client
            .set_window_rect(0, 0, width, height)
            .await
            .context("the window cannot be sized")?;
        let window = Self {
            client,
            driver,
            album: Album::new(shots)?,
            wrong_pin: false,
            signed: false,
            by_keyboard: false,
        };
        window.wait_for("frame").await?;
        Ok(window)
    }

    /// Has the next PIN be a wrong one first, to see what that looks like.
    pub const fn mistype_the_next_pin(&mut self) {
        self.wrong_pin = true;
    }

    /// Has the next item be opened by keyboard alone.
    pub const fn open_the_next_item_by_keyboard(&mut self) {
        self.by_keyboard = true;
    }

    /// How many screenshots were taken.
    #[must_use]
    pub const fn screenshots(&self) -> u32 {
        self.album.taken()
    }

    /// Closes the window as a person would.
    ///
    /// # Errors
    /// Where it does not close.
    pub async fn close(self) -> anyhow::Result<()> {
        self.client
            .close()
            .await
            .context("the window does not close")
    }
}
