//! Operations in memory: the state machines as the last commit left them, so that an event costs no
//! reading of all that happened before.
//!
//! The database stays the truth. A machine counts only while the database has exactly the events that
//! it has taken, and while nobody but this process's one writer has changed the database; otherwise it
//! is built again from the snapshot and the events since. It is taken out for a change and comes back
//! with the commit: a change that is dropped leaves none behind.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use countersign_core::identifier::OperationId;
use countersign_core::operation::Operation;

/// An operation's state machine.
#[derive(Debug, Clone)]
pub(super) struct Machine {
    /// As it stands.
    pub(super) operation: Arc<Operation>,
    /// The number of the last event that it has taken.
    pub(super) events: i64,
    /// The number of the last event in the stored snapshot.
    pub(super) snapshot_after: i64,
}

/// The machines of operations that have not ended.
#[derive(Debug, Default)]
pub(super) struct Machines {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    machines: BTreeMap<OperationId, Machine>,
    /// SQLite's `data_version` as the writer saw it last; absent for a new connection.
    version: Option<i64>,
    /// Rises whenever everything is forgotten.
    generation: u64,
}

impl Machines {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets everything where somebody else has changed the database since the last call. What was
    /// read in the generation that it answers is still what the database has.
    pub(super) fn see(&self, version: i64) -> u64 {
        let mut known = self.known();
        if known.version != Some(version) {
            known.machines.clear();
            known.version = Some(version);
            known.generation = known.generation.saturating_add(1);
        }
        known.generation
    }

    /// The writer has a new connection, whose versions say nothing of those before.
    pub(super) fn forget(&self) {
        let mut known = self.known();
        known.machines.clear();
        known.version = None;
    }

    /// The machine that has taken exactly this many events, where it is known.
    pub(super) fn get(&self, id: &OperationId, events: i64) -> Option<Arc<Operation>> {
        let known = self.known();
        let machine = known.machines.get(id)?;
        (machine.events == events).then(|| Arc::clone(&machine.operation))
    }

    /// As [`Machines::get`], and it is forgotten.
    pub(super) fn take(&self, id: &OperationId, events: i64) -> Option<Machine> {
        let machine = self.known().machines.remove(id)?;
        (machine.events == events).then_some(machine)
    }

    /// Keeps a machine; one that has ended is of no more use.
    pub(super) fn put(&self, id: OperationId, machine: Machine) {
        if machine.operation.ending().is_none() {
            self.known().machines.insert(id, machine);
        }
    }
}
