//! The systems worked on: they keep their own count of what was done to them.

use std::collections::BTreeMap;

use countersign_core::identifier::{Digest, SystemId};
use countersign_core::operation::Sequence;

/// One system, as it really is.
#[derive(Debug, Clone, Default)]
pub struct Target {
    /// What is on it: 0 before, 1 after the action, 2 where a revert went wrong.
    pub content: u8,
    /// Actions carried out on it, by the sequence that ordered each.
    pub applied: Vec<Sequence>,
    /// Reverts carried out on it.
    pub reverted: u32,
    /// The highest fencing token it has seen: an older order is refused.
    pub fence: Sequence,
    /// Whether its health comes and goes.
    pub flaps: bool,
    /// Whether the action breaks it.
    pub breaks: bool,
    /// Whether it was unhealthy from the beginning.
    pub was_sick: bool,
}

impl Target {
    /// Takes an order with this token; whether it is newer than all before.
    pub fn admits(&mut self, token: Sequence) -> bool {
        let newer = token > self.fence;
        if newer {
            self.fence = token;
        }
        newer
    }

    /// The digest of what is on it.
    pub fn digest(&self, id: &SystemId) -> Digest {
        Digest::of(format!("{id} {}", self.content).as_bytes())
    }
}

/// All of them.
pub type Targets = BTreeMap<SystemId, Target>;
