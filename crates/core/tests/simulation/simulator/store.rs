//! The store, and one in memory that does what the backend's does: an event, what it asks to be logged
//! and the snapshot it may call for are kept together or not at all; what is kept survives a crash.

use countersign_core::operation::{Event, Operation, Record, step};

use super::{Sow, Violation};

/// Events after which a snapshot is due; small, so that stories replay often.
const EVENTS_PER_SNAPSHOT: usize = 16;

/// What the coordinator needs of a store. Reads see everything committed, and nothing else.
pub trait Store {
    /// Keeps `event`, `records` and where they lead, in one transaction.
    ///
    /// # Errors
    /// [`Violation`] where the machine cannot be written.
    fn commit(
        &mut self,
        event: Event,
        after: &Operation,
        records: Vec<Record>,
    ) -> Result<(), Violation>;

    /// The machine as it was last committed, once whoever had it in memory is dead: the snapshot, and
    /// the events since replayed on it (with the bug, where one is sown).
    ///
    /// # Errors
    /// [`Violation`] where that does not lead anywhere.
    fn load(&mut self, sow: Sow<'_>) -> Result<Operation, Violation>;

    /// Every record committed, in order.
    ///
    /// # Errors
    /// [`Violation`] where they cannot be read.
    fn log(&mut self) -> Result<Vec<Record>, Violation>;
}

/// A store in memory. Everything goes through its bytes, as it does on disk.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    snapshot: String,
    events: Vec<String>,
    log: Vec<Record>,
}

impl MemoryStore {
    /// A store that holds a new operation.
    ///
    /// # Errors
    /// [`Violation`] where it cannot be written.
    pub fn new(operation: &Operation) -> Result<Self, Violation> {
        Ok(Self {
            snapshot: to_json(operation)?,
            events: Vec::new(),
            log: Vec::new(),
        })
    }
}

impl Store for MemoryStore {
    fn commit(
        &mut self,
        event: Event,
        after: &Operation,
        records: Vec<Record>,
    ) -> Result<(), Violation> {
        self.events.push(to_json(&event)?);
        if self.events.len() >= EVENTS_PER_SNAPSHOT {
            self.snapshot = to_json(after)?;
            self.events.clear();
        }
        self.log.extend(records);
        Ok(())
    }

    fn load(&mut self, sow: Sow<'_>) -> Result<Operation, Violation> {
        let mut operation: Operation = from_json(&self.snapshot)?;
        sow(&mut operation);
        for event in &self.events {
            step(&mut operation, from_json(event)?)
                .map_err(|error| Violation(format!("a stored event is refused: {error}")))?;
        }
        Ok(operation)
    }

    fn log(&mut self) -> Result<Vec<Record>, Violation> {
        Ok(self.log.clone())
    }
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Violation> {
    serde_json::to_string(value).map_err(|error| Violation(format!("it is not stored: {error}")))
}

fn from_json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, Violation> {
    serde_json::from_str(text).map_err(|error| Violation(format!("it is not read: {error}")))
}
