//! Screenshots, numbered in the order in which they were taken.

use std::path::{Path, PathBuf};

/// A folder of numbered screenshots.
#[derive(Debug)]
pub(super) struct Album {
    folder: PathBuf,
    taken: u32,
}

impl Album {
    pub(super) fn new(folder: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            taken: 0,
        })
    }

    pub(super) const fn taken(&self) -> u32 {
        self.taken
    }

    /// Adds the next screenshot.
    pub(super) fn add(&mut self, name: &str, png: &[u8]) -> anyhow::Result<()> {
        self.taken += 1;
        let file = self.folder.join(format!("{:02}-{name}.png", self.taken));
        std::fs::write(file, png)?;
        Ok(())
    }

    /// Keeps what was to be seen when something did not come; it has no number.
    pub(super) fn failure(&self, png: &[u8]) -> anyhow::Result<PathBuf> {
        let file = self.folder.join("failure.png");
        std::fs::write(&file, png)?;
        Ok(file)
    }
}
