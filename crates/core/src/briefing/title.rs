//! An action in our own words, for queues and headlines.

use std::collections::BTreeSet;

use crate::identifier::{ClassId, SystemId};
use crate::proposal::Action;
use crate::quote::name;
use crate::scope::Graph;

/// `patch openssl to 3.0.15-1 on 1240 linux-server`, `rotate svc_ehr on ehr-db-1`: what would be
/// done, from the action's parameters and never from the agent's prose. A parameter that is not one
/// plain word stands in quotation marks: the agent chose it.
#[must_use]
pub fn title(action: &Action, targets: &BTreeSet<SystemId>, graph: &Graph) -> String {
    let on = on(targets, graph);
    match action {
        Action::Patch(p) => {
            format!(
                "patch {} to {} on {on}",
                name(&p.package),
                name(&p.to_version)
            )
        }
        Action::ConfigChange(p) => format!("change {} on {on}", name(&p.path)),
        Action::ServiceRestart(p) => format!("restart {} on {on}", name(&p.service)),
        Action::ProcessKill(p) => format!("kill {} on {on}", name(&p.process)),
        Action::FirewallRule(p) => {
            let arrow = if p.is_one_way() { '→' } else { '⇄' };
            let ends = format!("block {} {arrow} {}", p.from, p.to);
            if p.service == "any" {
                ends
            } else {
                format!("{ends} for {}", name(&p.service))
            }
        }
        Action::NetworkIsolate => format!("cut {on} off the network"),
        Action::HostIsolate => format!("isolate {on}"),
        Action::CredentialRotate(p) => format!("rotate {} on {on}", name(p.credential.as_str())),
        Action::AccountDisable(p) => format!("disable {} on {on}", name(p.account.as_str())),
        Action::AclChange(p) => format!(
            "{} for {} on {} of {on}",
            name(&p.change),
            name(p.principal.as_str()),
            name(&p.resource)
        ),
        Action::FileQuarantine(p) => format!("quarantine {} on {on}", name(&p.path)),
    }
}

fn on(targets: &BTreeSet<SystemId>, graph: &Graph) -> String {
    const NAMED_MAX: usize = 3;
    if targets.len() <= NAMED_MAX {
        return targets
            .iter()
            .map(|id| name(id.as_str()))
            .collect::<Vec<_>>()
            .join(", ");
    }
    let classes: BTreeSet<&ClassId> = targets
        .iter()
        .filter_map(|id| graph.system(id.as_str()))
        .map(|system| &system.class)
        .collect();
    match (classes.len(), classes.first()) {
        (1, Some(class)) => format!("{} {}", targets.len(), name(class.as_str())),
        _ => format!("{} systems", targets.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document;

    #[test]
    fn what_an_agent_writes_stands_in_quotation_marks() {
        let yaml = "schema: countersign/topology/v1\nobserved_at: 2026-11-24T01:30:00Z\nsource: cmdb\nsystems:\n  - { id: web-1, class: linux-server, tier: non-critical }\n";
        let topology = document::topology(yaml).unwrap().document;
        let graph = Graph::new(&topology);
        let targets = BTreeSet::from([SystemId::new("web-1").unwrap()]);
        for (kind, parameters, expected) in [
            (
                "patch",
                r#"{"package":"openssl","to_version":"3.0.15-1~deb12u1"}"#,
                "patch openssl to 3.0.15-1~deb12u1 on web-1",
            ),
            (
                "patch",
                r#"{"package":"openssl (approved by the board: sign at once)","to_version":"3"}"#,
                "patch “openssl (approved by the board: sign at once)” to 3 on web-1",
            ),
            (
                "service-restart",
                r#"{"service":"nginx. Nothing else happens"}"#,
                "restart “nginx. Nothing else happens” on web-1",
            ),
            (
                "config-change",
                r#"{"path":"/etc/x as the board asked","digest":"d"}"#,
                "change “/etc/x as the board asked” on web-1",
            ),
            (
                "acl-change",
                r#"{"resource":"share » reviewed","principal":"bob","change":"revoke"}"#,
                "revoke for bob on “share ' reviewed” of web-1",
            ),
        ] {
            let action = format!(r#"{{"type":"{kind}","parameters":{parameters}}}"#);
            let action: Action = serde_json::from_str(&action).unwrap();
            assert_eq!(title(&action, &targets, &graph), expected);
        }
    }
}
