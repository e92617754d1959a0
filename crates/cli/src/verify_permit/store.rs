//! The replay store: a folder with one file to which lines are added, under a lock, and synced before
//! anything is done about them. A line cut short by a crash is the last one, and was never acted upon.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use countersign_core::permit::{Memory, Remembered};

use crate::output::Failure;

/// The file's name.
const FILE: &str = "used.jsonl";

/// A replay store.
pub(super) struct Store {
    path: PathBuf,
}

/// The store while nobody else reads or writes it.
pub(super) struct Locked {
    file: File,
    path: PathBuf,
}

impl Store {
    /// The store in a folder, which is made where it is missing, for its owner alone.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub(super) fn open(folder: &Path) -> Result<Self, Failure> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(folder)
            .map_err(|error| broken(folder, &error))?;
        Ok(Self {
            path: folder.join(FILE),
        })
    }

    /// Waits until nobody else has it.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be opened or locked.
    pub(super) fn lock(&self) -> Result<Locked, Failure> {
        let failed = |error: std::io::Error| broken(&self.path, &error);
        let is_new = !self.path.exists();
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&self.path).map_err(failed)?;
        file.lock().map_err(failed)?;
        if is_new && let Some(folder) = self.path.parent() {
            // Its name must survive a power cut as well.
            #[cfg(unix)]
            File::open(folder)
                .and_then(|folder| folder.sync_all())
                .map_err(failed)?;
            #[cfg(not(unix))]
            let _ = folder;
        }
        Ok(Locked {
            file,
            path: self.path.clone(),
        })
    }
}

impl Locked {
    /// Everything remembered.
    ///
    /// # Errors
    /// [`Failure`] where the file cannot be read, or a line in it is none: then nothing is believed.
    pub(super) fn memory(&mut self) -> Result<Memory, Failure> {
        let mut text = String::new();
        self.file
            .seek(SeekFrom::Start(0))
            .and_then(|_| self.file.read_to_string(&mut text))
            .map_err(|error| broken(&self.path, &error))?;
        let whole = text.rfind('\n').map_or(0, |end| end.saturating_add(1));
        let mut memory = Memory::default();
        for (number, line) in (1..).zip(text.get(..whole).unwrap_or_default().lines()) {
            let number: u64 = number;
            let remembered: Remembered = serde_json::from_str(line).map_err(|error| {
                Failure::refused(
                    "store_damaged",
                    format!(
                        "line {number} of `{}` is damaged: {error}; nothing is permitted until an \
                         administrator has restored it",
                        self.path.display()
                    ),
                )
            })?;
            memory.remember(remembered);
        }
        if whole < text.len() {
            // A crash came between: nothing was done about this line.
            let whole = u64::try_from(whole).unwrap_or(u64::MAX);
            self.file
                .set_len(whole)
                .and_then(|()| self.file.sync_all())
                .map_err(|error| broken(&self.path, &error))?;
        }
        Ok(memory)
    }

    /// Adds lines, durably.
    ///
    /// # Errors
    /// [`Failure`] where they may not be on disk; nothing may be done about them then.
    pub(super) fn remember(&mut self, lines: &[Remembered]) -> Result<(), Failure> {
        let mut text = Vec::new();
        for line in lines {
            serde_json::to_writer(&mut text, line)
                .map_err(|error| Failure::Output(error.into()))?;
            text.push(b'\n');
        }
        self.file
            .write_all(&text)
            .and_then(|()| self.file.sync_all())
            .map_err(|error| broken(&self.path, &error))
    }
}

fn broken(path: &Path, error: &std::io::Error) -> Failure {
    Failure::refused(
        "store_unusable",
        format!(
            "the store `{}` cannot be used: {error}; nothing is permitted without it",
            path.display()
        ),
    )
}

#[cfg(test)]
mod tests {
    use countersign_core::permit::Memory;

    use super::*;

    fn line(name: &str) -> Remembered {
        serde_json::from_value(serde_json::json!({
            "remembered": "snapshot", "operation": "op-1", "system": name,
            "digest": "00".repeat(32),
        }))
        .unwrap()
    }

    #[test]
    fn a_line_cut_short_is_forgotten_and_a_damaged_one_stops_everything() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).unwrap();
        store
            .lock()
            .unwrap()
            .remember(&[line("a"), line("b")])
            .unwrap();
        let path = folder.path().join(FILE);
        let whole = std::fs::read_to_string(&path).unwrap();
        let mut expected = Memory::default();
        expected.remember(line("a"));
        expected.remember(line("b"));

        std::fs::write(&path, format!("{whole}{{\"remembered\":\"used\",\"oper")).unwrap();
        assert_eq!(store.lock().unwrap().memory().unwrap(), expected);
        store.lock().unwrap().remember(&[line("c")]).unwrap();
        expected.remember(line("c"));
        assert_eq!(store.lock().unwrap().memory().unwrap(), expected);

        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, text.replacen("op-1", "", 1)).unwrap();
        let failure = store.lock().unwrap().memory().unwrap_err();
        assert!(failure.to_string().contains("store_damaged"), "{failure}");
    }

    #[test]
    fn two_at_once_wait_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            for n in 0..8 {
                let folder = folder.path();
                scope.spawn(move || {
                    let store = Store::open(folder).unwrap();
                    let mut locked = store.lock().unwrap();
                    locked.memory().unwrap();
                    locked.remember(&[line(&format!("s-{n}"))]).unwrap();
                });
            }
        });
        let text = std::fs::read_to_string(folder.path().join(FILE)).unwrap();
        assert_eq!(text.lines().count(), 8);
    }
}
