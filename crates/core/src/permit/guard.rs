//! The guard: what a guarded executor knows by itself.

use std::collections::BTreeSet;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::assessment::QuorumRule;
use crate::identifier::{ApproverId, Digest, SystemId};
use crate::proposal::Action;
use crate::span::Span;

/// The `schema` member of a guard.
pub const SCHEMA: &str = "countersign/guard/v1";

/// The guard's file. Who can write it can lift it, so it is the guarded systems' administrator's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guard {
    /// [`SCHEMA`].
    pub schema: String,
    /// Digest of the genesis; the enrolment link carries it.
    pub genesis: Digest,
    /// What needs a decision.
    pub guarded: Guarded,
    /// The least that must have signed, whatever a briefing says.
    pub quorum: QuorumRule,
    /// Who decides nothing here any more, whatever the backend says.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub suspended: BTreeSet<ApproverId>,
    /// How long an order may live.
    pub order_life: Span,
    /// How far the backend's clock may be ahead of this one.
    pub clock_skew: Span,
}

/// What needs a decision.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Guarded {
    /// Every call.
    Everything,
    /// Calls about some systems and networks.
    Only {
        /// Systems.
        systems: BTreeSet<SystemId>,
        /// Networks: a firewall rule that reaches into one is guarded.
        #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
        networks: BTreeSet<IpNet>,
    },
}

impl Guard {
    /// Whether `action` on `system` needs a decision: the system is guarded, or the action reaches one
    /// that is by its parameters.
    #[must_use]
    pub fn covers(&self, system: &SystemId, action: &Action) -> bool {
        let Guarded::Only { systems, networks } = &self.guarded else {
            return true;
        };
        systems.contains(system)
            || match action {
                Action::CredentialRotate(parameters) => {
                    !parameters.updates_dependents.is_disjoint(systems)
                }
                Action::FirewallRule(parameters) => networks.iter().any(|network| {
                    [&parameters.from, &parameters.to]
                        .into_iter()
                        .any(|side| side.contains(network) || network.contains(side))
                }),
                Action::Patch(_)
                | Action::ConfigChange(_)
                | Action::ServiceRestart(_)
                | Action::ProcessKill(_)
                | Action::NetworkIsolate
                | Action::HostIsolate
                | Action::AccountDisable(_)
                | Action::AclChange(_)
                | Action::FileQuarantine(_) => false,
            }
    }
}
