//! An action in our own words, for queues and headlines.

use std::collections::BTreeSet;

use crate::identifier::{ClassId, SystemId};
use crate::proposal::Action;
use crate::scope::Graph;

/// `patch openssl to 3.0.15-1 on 1240 linux-server`, `rotate svc_ehr on ehr-db-1`: what would be
/// done, from the action's parameters and never from the agent's prose.
#[must_use]
pub fn title(action: &Action, targets: &BTreeSet<SystemId>, graph: &Graph<'_>) -> String {
    let on = on(targets, graph);
    match action {
        Action::Patch(p) => format!("patch {} to {} on {on}", p.package, p.to_version),
        Action::ConfigChange(p) => format!("change {} on {on}", p.path),
        Action::ServiceRestart(p) => format!("restart {} on {on}", p.service),
        Action::ProcessKill(p) => format!("kill {} on {on}", p.process),
        Action::FirewallRule(p) if p.service == "any" => format!("block {} ⇄ {}", p.from, p.to),
        Action::FirewallRule(p) => format!("block {} ⇄ {} for {}", p.from, p.to, p.service),
        Action::NetworkIsolate => format!("cut {on} off the network"),
        Action::HostIsolate => format!("isolate {on}"),
        Action::CredentialRotate(p) => format!("rotate {} on {on}", p.credential),
        Action::AccountDisable(p) => format!("disable {} on {on}", p.account),
        Action::AclChange(p) => {
            format!("{} for {} on {} of {on}", p.change, p.principal, p.resource)
        }
        Action::FileQuarantine(p) => format!("quarantine {} on {on}", p.path),
    }
}

fn on(targets: &BTreeSet<SystemId>, graph: &Graph<'_>) -> String {
    const NAMED_MAX: usize = 3;
    if targets.len() <= NAMED_MAX {
        return targets
            .iter()
            .map(SystemId::as_str)
            .collect::<Vec<_>>()
            .join(", ");
    }
    let classes: BTreeSet<&ClassId> = targets
        .iter()
        .filter_map(|id| graph.system(id.as_str()))
        .map(|system| &system.class)
        .collect();
    match (classes.len(), classes.first()) {
        (1, Some(class)) => format!("{} {class}", targets.len()),
        _ => format!("{} systems", targets.len()),
    }
}
