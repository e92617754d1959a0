//! What was done: one file for each (operation, sequence), written durably before and after, so that a
//! call that comes again is not done again, and one that comes late not at all.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use countersign_core::identifier::Digest;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::Failure;
use crate::call::Order;

/// A folder with what was done, for its owner alone.
#[derive(Debug)]
pub struct Journal {
    folder: PathBuf,
}

/// The journal while nobody else of this executor is at work.
#[derive(Debug)]
pub struct Locked<'a> {
    journal: &'a Journal,
    _lock: File,
}

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Nothing of it is known.
    New,
    /// It was begun: it may have been done.
    Begun,
    /// It was done.
    Done,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Marks {
    /// The highest sequence that was begun for a system of an operation.
    highest: u64,
    done: Vec<u64>,
}

impl Journal {
    /// The journal in a folder, which is made where it is missing.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be made.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(Failure::of(&format!(
            "the folder `{}` cannot be made",
            folder.display()
        )))?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Waits until no other call is at work.
    ///
    /// # Errors
    /// [`Failure`] where it cannot be locked.
    pub fn lock(&self) -> Result<Locked<'_>, Failure> {
        let path = self.folder.join("lock");
        let lock = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|file| file.lock().map(|()| file))
            .map_err(Failure::of(&format!(
                "`{}` cannot be locked",
                path.display()
            )))?;
        Ok(Locked {
            journal: self,
            _lock: lock,
        })
    }
}

/// A file name of a call's names, whatever is in them.
#[must_use]
pub fn tag(order: &Order<'_>) -> String {
    let names = format!("{}\n{}", order.operation, order.system);
    Digest::of(names.as_bytes())
        .to_string()
        .chars()
        .take(32)
        .collect()
}

impl Locked<'_> {
    fn marks(&self, order: &Order<'_>) -> Result<Marks, Failure> {
        Ok(self
            .read(&format!("{}.marks", tag(order)))?
            .unwrap_or_default())
    }

    /// How far this call came before.
    ///
    /// # Errors
    /// [`Failure`], also where a later call about the system came first: this one is too late.
    pub fn stage(&self, order: &Order<'_>) -> Result<Stage, Failure> {
        let marks = self.marks(order)?;
        if marks.done.contains(&order.sequence) {
            return Ok(Stage::Done);
        }
        match order.sequence.cmp(&marks.highest) {
            std::cmp::Ordering::Greater => Ok(Stage::New),
            std::cmp::Ordering::Equal => Ok(Stage::Begun),
            std::cmp::Ordering::Less => Err(Failure::new(format!(
                "call {} comes after call {} about the same system; it is too late",
                order.sequence, marks.highest
            ))),
        }
    }

    /// Writes that the call is begun.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn begin(&self, order: &Order<'_>) -> Result<(), Failure> {
        let mut marks = self.marks(order)?;
        marks.highest = marks.highest.max(order.sequence);
        self.write(&format!("{}.marks", tag(order)), &marks)
    }

    /// Writes that the call is done.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn done(&self, order: &Order<'_>) -> Result<(), Failure> {
        let mut marks = self.marks(order)?;
        marks.done.push(order.sequence);
        self.write(&format!("{}.marks", tag(order)), &marks)
    }

    /// What was written under a name.
    ///
    /// # Errors
    /// [`Failure`] where it is damaged.
    pub fn read<T: DeserializeOwned>(&self, name: &str) -> Result<Option<T>, Failure> {
        let path = self.journal.folder.join(name);
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(Failure::of(&format!("`{}` is damaged", path.display()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Failure::of(&format!("`{}`", path.display()))(error)),
        }
    }

    /// Writes under a name, all or nothing, durably.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn write<T: Serialize>(&self, name: &str, value: &T) -> Result<(), Failure> {
        let text = serde_json::to_vec(value).map_err(Failure::of("a record"))?;
        replace(&self.journal.folder.join(name), &text, 0o600)
    }
}

/// Writes a file in one step that survives a power cut, with these permissions.
///
/// # Errors
/// [`Failure`].
pub fn replace(path: &Path, text: &[u8], mode: u32) -> Result<(), Failure> {
    let write = || -> std::io::Result<()> {
        let mut name = path.as_os_str().to_owned();
        name.push(".new");
        let new = PathBuf::from(name);
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
        #[cfg(not(unix))]
        let _ = mode;
        let mut file = options.open(&new)?;
        file.write_all(text)?;
        file.sync_all()?;
        std::fs::rename(&new, path)?;
        #[cfg(unix)]
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(())
    };
    write().map_err(Failure::of(&format!(
        "`{}` cannot be written",
        path.display()
    )))
}
