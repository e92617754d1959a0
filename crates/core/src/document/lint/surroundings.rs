//! Lints on an envelope against what surrounds it: the topology it speaks of, and the clock.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::assessment::rules::grants_system;
use crate::document::tree::{Found, Node};
use crate::envelope::Envelope;
use crate::topology::Topology;

/// What an envelope is held against besides itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings<'a> {
    /// The systems that it speaks of.
    pub topology: Option<&'a Topology>,
    /// The present, to tell a window that is over.
    pub now: Option<DateTime<Utc>>,
}

/// Warns of what does not fit the surroundings.
pub(crate) fn surroundings(
    envelope: &Envelope,
    around: Surroundings<'_>,
    root: &Node<'_>,
    found: &mut Found,
) {
    if let Some(now) = around.now
        && now >= envelope.authority.expires
    {
        found.warning(
            root.place_of(&["authority", "expires"]),
            "window-over",
            "the authority window is already over, so that nothing runs alone",
            "write a new window and have the board authorise it",
        );
    }
    if let Some(topology) = around.topology {
        against(envelope, topology, root, found);
    }
}

fn against(envelope: &Envelope, topology: &Topology, root: &Node<'_>, found: &mut Found) {
    let classes: BTreeSet<&str> = topology.systems.iter().map(|s| s.class.as_str()).collect();
    let sites: BTreeSet<&str> = topology
        .systems
        .iter()
        .filter_map(|s| s.site.as_ref().map(|site| site.as_str()))
        .collect();
    let services: BTreeSet<&str> = topology.services.iter().map(|s| s.id.as_str()).collect();
    let nodes = root.get("rules").map(Node::items).unwrap_or_default();
    for (rule, node) in envelope.rules.iter().zip(nodes) {
        let mut is_known = true;
        let mut unknown = |path: &[&str], what: &str, name: &str| {
            is_known = false;
            found.warning(
                node.place_of_member(path, name),
                "unknown-name",
                format!("no system of the topology has the {what} `{name}`"),
                format!("correct the name, or import the {what}"),
            );
        };
        for class in &rule.targets.classes {
            if !classes.contains(class.as_str()) {
                unknown(&["targets", "classes"], "class", class.as_str());
            }
        }
        for site in &rule.targets.sites {
            if !sites.contains(site.as_str()) {
                unknown(&["targets", "sites"], "site", site.as_str());
            }
        }
        for service in rule
            .conditions
            .error_budget
            .iter()
            .flat_map(|b| &b.services)
        {
            if !services.contains(service.as_str()) {
                unknown(
                    &["conditions", "error_budget", "services"],
                    "service",
                    service.as_str(),
                );
            }
        }
        if is_known
            && !topology
                .systems
                .iter()
                .any(|system| grants_system(rule, system))
        {
            found.warning(
                node.place_of(&["targets"]),
                "grants-nothing",
                format!(
                    "no system of the topology matches all that rule `{}` asks of a target",
                    rule.id
                ),
                "widen its targets, or remove the rule",
            );
        }
    }
}
