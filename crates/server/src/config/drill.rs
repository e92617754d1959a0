//! What the configuration says of scheduled drills (AG-706 4.6).

use std::collections::BTreeSet;

use countersign_core::drill::{EVERY_MAX, Pair, Plan};
use countersign_core::identifier::{CheckId, ClassId, SystemId};
use countersign_core::proposal::Action;
use countersign_core::span::Span;
use serde::{Deserialize, Serialize};

use super::Config;

/// A drill that begins by itself: one kind of action on one class of systems.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillConfig {
    /// What is done and undone.
    pub action: Action,
    /// The class that it proves something of.
    pub class: ClassId,
    /// The systems designated for it, all of that class; one at a time, in turn.
    pub systems: BTreeSet<SystemId>,
    /// Health checks, by the envelope's names.
    pub checks: BTreeSet<CheckId>,
    /// The longest time between two drills: at most 92 days.
    pub every: Span,
}

impl DrillConfig {
    /// What it proves something of.
    #[must_use]
    pub fn pair(&self) -> Pair {
        Pair {
            action: self.action.kind(),
            class: self.class.clone(),
        }
    }

    /// When and where.
    #[must_use]
    pub fn plan(&self) -> Plan {
        Plan {
            pair: self.pair(),
            every: self.every,
            systems: self.systems.clone(),
        }
    }

    /// What is wrong with it and how to mend it.
    pub(super) fn check(&self, config: &Config) -> Result<(), String> {
        let kind = self.action.kind();
        if self.every.duration() > EVERY_MAX {
            return Err(format!(
                "is made every {}; AG-706 4.6 asks for one at least quarterly, so write `92d` or less",
                self.every
            ));
        }
        if self.systems.is_empty() {
            return Err("has no system; designate one that is there for drills".to_owned());
        }
        if self.checks.is_empty() {
            return Err("has no health check, so that it proves nothing; name one".to_owned());
        }
        if config.executor(kind).is_none() {
            return Err(format!(
                "needs an executor that carries `{}` out; configure one",
                kind.as_str()
            ));
        }
        if kind.is_irreversible() || config.irreversible().contains(&kind) {
            return Err("is of an action that nothing undoes; take it out".to_owned());
        }
        Ok(())
    }
}
