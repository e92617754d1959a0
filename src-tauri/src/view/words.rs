//! Our own words for systems, services and actions.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::identifier::SystemId;
use countersign_core::impact::Reach;
use countersign_core::proposal::Action;
use countersign_core::scope::{Graph, Node, NodeIndex};

use super::quote;

/// Kinds of systems named one by one in a sentence.
const KINDS_SHOWN_MAX: usize = 3;

/// `1,240`.
#[must_use]
pub fn number(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 server`, `14 servers`.
#[must_use]
pub fn count(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", number(n), if n == 1 { one } else { many })
}

/// `a`, `a and b`, `a, b and c`.
#[must_use]
pub fn list(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A class for people, one and many. Classes that we do not know stay as they are written.
pub(super) fn class_words(class: &str) -> (String, String) {
    let known = match class {
        "app-server" => ("application server", "application servers"),
        "linux-server" => ("Linux server", "Linux servers"),
        "windows-server" => ("Windows server", "Windows servers"),
        "workstation" => ("workstation", "workstations"),
        "database" => ("database", "databases"),
        "network-segment" => ("network segment", "network segments"),
        "plc" => ("PLC", "PLCs"),
        "rtu" => ("RTU", "RTUs"),
        "dcs" => ("DCS", "DCSs"),
        "hmi" => ("HMI", "HMIs"),
        "scada-server" => ("SCADA server", "SCADA servers"),
        "historian" => ("historian", "historians"),
        "safety-system" => ("safety system", "safety systems"),
        "medical-device" => ("medical device", "medical devices"),
        "clinical-system" => ("clinical system", "clinical systems"),
        "hospital" => ("hospital", "hospitals"),
        "clinic" => ("clinic", "clinics"),
        other => {
            return (
                quote::name(other),
                format!("{} systems", quote::name(other)),
            );
        }
    };
    (known.0.to_owned(), known.1.to_owned())
}

/// `14 application servers and 2 databases`: systems by class, the most frequent first, then services by title.
#[must_use]
pub fn kinds(graph: &Graph, nodes: &[NodeIndex]) -> String {
    let mut systems: BTreeMap<&str, u64> = BTreeMap::new();
    let mut others = Vec::new();
    let mut unknown = 0;
    for node in nodes.iter().filter_map(|index| graph.node(*index)) {
        match node {
            Node::System(system) => *systems.entry(system.class.as_str()).or_default() += 1,
            Node::Service(service) => {
                others.push(quote::title(
                    service.title.as_deref().unwrap_or(service.id.as_str()),
                ));
            }
            Node::Unknown(_) => unknown += 1,
        }
    }
    let mut by_class: Vec<_> = systems.into_iter().collect();
    by_class.sort_by_key(|(class, n)| (std::cmp::Reverse(*n), *class));
    let mut parts: Vec<String> = by_class
        .iter()
        .map(|(class, n)| {
            let (one, many) = class_words(class);
            count(*n, &one, &many)
        })
        .collect();
    if unknown > 0 {
        parts.push(count(
            unknown,
            "thing that the topology does not describe",
            "things that the topology does not describe",
        ));
    }
    let services = others.len() as u64;
    parts.extend(if parts.len() + others.len() <= KINDS_SHOWN_MAX {
        others
    } else if services > 0 {
        vec![count(services, "service", "services")]
    } else {
        Vec::new()
    });
    if parts.len() > KINDS_SHOWN_MAX {
        return format!(
            "{} systems and services of {} kinds",
            number(nodes.len() as u64),
            parts.len()
        );
    }
    list(&parts)
}

/// Names, or how many there are.
#[must_use]
pub fn names(systems: impl IntoIterator<Item = impl AsRef<str>>, shown_max: usize) -> String {
    let all: Vec<String> = systems
        .into_iter()
        .map(|id| id.as_ref().to_owned())
        .collect();
    if all.len() <= shown_max {
        return list(&all.iter().map(|id| quote::name(id)).collect::<Vec<_>>());
    }
    format!("{} systems", number(all.len() as u64))
}

/// The services that these nodes carry or are, by title, as ` of Electronic health records`; empty
/// where there are none or more than two.
pub(super) fn of_services(graph: &Graph, nodes: &[NodeIndex]) -> String {
    let mut services = BTreeSet::new();
    for system in nodes
        .iter()
        .filter_map(|index| graph.node(*index))
        .filter_map(|node| node.system())
    {
        match &system.service {
            Some(service) => services.insert(service),
            None => return String::new(),
        };
    }
    if services.is_empty() || services.len() > 2 {
        return String::new();
    }
    let titles: Vec<_> = services
        .into_iter()
        .map(|id| service_title(graph, id.as_str()))
        .collect();
    format!(" of {}", list(&titles))
}

/// A service's title, or its name.
#[must_use]
pub fn service_title(graph: &Graph, id: &str) -> String {
    match graph.find(id).and_then(|index| graph.node(index)) {
        Some(Node::Service(service)) => quote::title(service.title.as_deref().unwrap_or(id)),
        Some(Node::System(_) | Node::Unknown(_)) | None => quote::title(id),
    }
}

/// What is proposed, in a line: `Rotate svc_ehr on ehr-db-1`.
#[must_use]
pub fn title(graph: &Graph, action: &Action, reach: &Reach<'_>) -> String {
    let targets: Vec<NodeIndex> = reach.targets.iter().copied().collect();
    let on = on_targets(graph, &targets);
    match action {
        Action::Patch(p) => format!(
            "Patch {} to {} on {on}",
            quote::name(&p.package),
            quote::name(&p.to_version)
        ),
        Action::ConfigChange(p) => format!("Change {} on {on}", quote::name(&p.path)),
        Action::ServiceRestart(p) => format!("Restart {} on {on}", quote::name(&p.service)),
        Action::ProcessKill(p) => format!("Kill {} on {on}", quote::name(&p.process)),
        Action::FirewallRule(p) => {
            let arrow = if p.is_one_way() { '→' } else { '⇄' };
            if p.service == "any" {
                format!("Block {} {arrow} {}", p.from, p.to)
            } else {
                let service = quote::name(&p.service);
                format!("Block {service} {} {arrow} {}", p.from, p.to)
            }
        }
        Action::NetworkIsolate => format!("Isolate {on} from the network"),
        Action::HostIsolate => format!("Isolate {on}"),
        Action::CredentialRotate(p) => {
            format!("Rotate {} on {on}", quote::name(p.credential.as_str()))
        }
        Action::AccountDisable(p) => format!("Disable {} on {on}", quote::name(p.account.as_str())),
        Action::AclChange(p) => {
            format!(
                "Change what {} may do with {} on {on}",
                quote::name(p.principal.as_str()),
                quote::name(&p.resource)
            )
        }
        Action::FileQuarantine(p) => format!("Quarantine {} on {on}", quote::name(&p.path)),
    }
}

pub(super) fn on_targets(graph: &Graph, targets: &[NodeIndex]) -> String {
    match targets {
        [one] => graph
            .node(*one)
            .map_or_else(String::new, |node| quote::name(node.id())),
        several => kinds(graph, several),
    }
}

/// How many systems, for a sentence about targets.
#[must_use]
pub fn systems(systems: &BTreeSet<SystemId>) -> String {
    count(systems.len() as u64, "system", "systems")
}
