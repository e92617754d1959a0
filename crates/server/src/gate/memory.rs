//! What gates have verified of running operations, so that a rollout does not verify all its systems
//! again before each of them.
//!
//! It holds only what follows from bytes that never change: the operation as it was built, its item's
//! briefing, and the documents that it was held against, by their digests. It counts while those are the
//! item's and the ones in force, and while nobody but this process's one writer has changed the
//! database ([`crate::store::Tx::generation`]). Signatures, who may decide, times, calendars and the states of
//! item and operation are looked at before every dispatch all the same.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use countersign_core::briefing::Briefing;
use countersign_core::identifier::{Digest, OperationId};

use crate::store::operations::Stored;

/// Operations remembered at once.
const OPERATIONS_MAX: usize = 64;

/// What was verified of an operation.
#[derive(Debug)]
pub(super) struct Verified {
    /// The store's generation in which it was.
    pub(super) generation: u64,
    /// The operation when that was; where it stands now is not in here.
    pub(super) stored: Stored,
    /// Digest of its item's briefing.
    pub(super) digest: Digest,
    /// That briefing.
    pub(super) briefing: Briefing,
    /// The topology that was in force.
    pub(super) topology: Digest,
    /// The envelope that was in force.
    pub(super) envelope: Option<Digest>,
}

/// What is remembered.
#[derive(Debug, Default)]
pub struct Memory(Mutex<BTreeMap<OperationId, Arc<Verified>>>);

impl Memory {
    pub(super) fn get(&self, id: &OperationId, generation: u64) -> Option<Arc<Verified>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known
            .get(id)
            .filter(|verified| verified.generation == generation)
            .cloned()
    }

    pub(super) fn put(&self, verified: Verified) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= OPERATIONS_MAX {
            known.pop_first();
        }
        known.insert(verified.stored.id.clone(), Arc::new(verified));
    }

    /// Nothing is dispatched any more.
    pub(crate) fn forget(&self, id: &OperationId) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.remove(id);
    }
}
