//! What would happen to whom, in our own sentences, computed from the topology alone.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::assessment::ImpactState;
use countersign_core::history::History;
use countersign_core::identifier::SystemId;
use countersign_core::impact::{Cause, Circumstances, Reach};
use countersign_core::proposal::{Action, ActionKind};
use countersign_core::scope::{Graph, Node, NodeIndex};
use countersign_core::topology::{DependencyKind, System, Tier};

use super::quote;
use super::words::{
    class_words, kinds, list, names, number, of_services, on_targets, service_title,
};

/// First-hand harm of one sort.
#[derive(Default)]
struct FirstHand {
    /// Who suffers it.
    who: Vec<NodeIndex>,
    /// From what.
    from: BTreeSet<NodeIndex>,
}

fn first_hand(reach: &Reach<'_>, wanted: impl Fn(&Cause<'_>) -> Option<NodeIndex>) -> FirstHand {
    let mut found = FirstHand::default();
    for (index, effect) in reach.effects() {
        if let Some(from) = wanted(&effect.cause)
            && matches!(effect.state, ImpactState::Down)
        {
            found.who.push(*index);
            found.from.insert(from);
        }
    }
    found
}

fn cut_off_by(kind: DependencyKind) -> impl Fn(&Cause<'_>) -> Option<NodeIndex> {
    move |cause| match cause {
        Cause::CutOff(edge) if edge.dependency.kind == kind => Some(edge.to),
        Cause::CutOff(_)
        | Cause::WorkedOn
        | Cause::RunsFrom(_)
        | Cause::NeedsTarget(_)
        | Cause::LosesCredential(_)
        | Cause::NeedsDown(_) => None,
    }
}

fn loses_credential(cause: &Cause<'_>) -> Option<NodeIndex> {
    match cause {
        Cause::LosesCredential(edge) => Some(edge.to),
        Cause::CutOff(_)
        | Cause::WorkedOn
        | Cause::RunsFrom(_)
        | Cause::NeedsTarget(_)
        | Cause::NeedsDown(_) => None,
    }
}

fn needs_target(cause: &Cause<'_>) -> Option<NodeIndex> {
    match cause {
        Cause::NeedsTarget(edge) => Some(edge.to),
        Cause::RunsFrom(system) => Some(*system),
        Cause::CutOff(_) | Cause::WorkedOn | Cause::LosesCredential(_) | Cause::NeedsDown(_) => {
            None
        }
    }
}

const CUTS: [(DependencyKind, &str, &str); 4] = [
    (DependencyKind::Control, "loses control", "lose control"),
    (DependencyKind::Data, "loses its data", "lose their data"),
    (
        DependencyKind::Runtime,
        "loses what it runs on",
        "lose what they run on",
    ),
    (
        DependencyKind::Credential,
        "can no longer sign in",
        "can no longer sign in",
    ),
];

fn verb<'v>(who: &[NodeIndex], one: &'v str, many: &'v str) -> &'v str {
    if who.len() == 1 { one } else { many }
}

/// The consequence in a few words: `12 PLCs lose control`.
#[must_use]
pub fn short(graph: &Graph, action: &Action, reach: &Reach<'_>) -> String {
    match action.kind() {
        ActionKind::CredentialRotate | ActionKind::AccountDisable | ActionKind::AclChange => {
            let lost = first_hand(reach, loses_credential);
            if lost.who.is_empty() {
                return "nobody loses access".to_owned();
            }
            format!(
                "{} {} access",
                kinds(graph, &lost.who),
                verb(&lost.who, "loses", "lose")
            )
        }
        ActionKind::FirewallRule | ActionKind::NetworkIsolate | ActionKind::HostIsolate => {
            for (kind, one, many) in CUTS {
                let cut = first_hand(reach, cut_off_by(kind));
                if !cut.who.is_empty() {
                    return format!("{} {}", kinds(graph, &cut.who), verb(&cut.who, one, many));
                }
            }
            "no known dependency is cut".to_owned()
        }
        ActionKind::FileQuarantine => {
            let stopped = first_hand(reach, needs_target);
            if stopped.who.is_empty() {
                return "nothing known runs from it".to_owned();
            }
            format!(
                "{} {}",
                kinds(graph, &stopped.who),
                verb(&stopped.who, "stops", "stop")
            )
        }
        ActionKind::Patch
        | ActionKind::ConfigChange
        | ActionKind::ServiceRestart
        | ActionKind::ProcessKill => {
            let down = first_hand(reach, needs_target);
            if !down.who.is_empty() {
                return format!(
                    "{} {} down",
                    kinds(graph, &down.who),
                    verb(&down.who, "goes", "go")
                );
            }
            match carried(graph, reach).first() {
                Some((n, title)) if reach.targets.len() > 1 => {
                    format!("{} carry {title}", number(*n))
                }
                Some((_, title)) => format!("it carries {title}"),
                None => "no dependent goes down".to_owned(),
            }
        }
    }
}

/// Services that targets carry, above non-critical, the most carried first.
fn carried(graph: &Graph, reach: &Reach<'_>) -> Vec<(u64, String)> {
    let mut carried: BTreeMap<&str, u64> = BTreeMap::new();
    for system in reach
        .targets
        .iter()
        .filter_map(|index| graph.node(*index))
        .filter_map(|node| node.system())
    {
        if let Some(service) = &system.service
            && graph.find(service.as_str()).map(|index| graph.tier(index)) > Some(Tier::NonCritical)
        {
            *carried.entry(service.as_str()).or_default() += 1;
        }
    }
    let mut carried: Vec<_> = carried
        .into_iter()
        .map(|(id, n)| (n, service_title(graph, id)))
        .collect();
    carried.sort_by(|a, b| b.cmp(a));
    carried
}

/// What would happen to whom, in two or three sentences.
#[must_use]
pub fn sentences(
    graph: &Graph,
    action: &Action,
    reach: &Reach<'_>,
    circumstances: Circumstances<'_>,
) -> String {
    let mut sentences = match action {
        Action::CredentialRotate(p) => {
            let name = quote::name(p.credential.as_str());
            credential(
                graph,
                reach,
                &name,
                &format!("the new password of {name} is not delivered to them"),
            )
        }
        Action::AccountDisable(p) => {
            let name = quote::name(p.account.as_str());
            credential(
                graph,
                reach,
                &name,
                &format!("the account {name}, which they use, is disabled"),
            )
        }
        Action::AclChange(p) => {
            let name = quote::name(p.principal.as_str());
            credential(
                graph,
                reach,
                &name,
                &format!("what {name} may do, on which they rely, changes"),
            )
        }
        Action::FirewallRule(p) => cut(
            graph,
            reach,
            &if p.is_one_way() {
                format!("connections from {} to {} stop", p.from, p.to)
            } else {
                format!("traffic between {} and {} stops", p.from, p.to)
            },
        ),
        Action::NetworkIsolate => cut(
            graph,
            reach,
            &format!("traffic into and out of {} stops", targets(graph, reach)),
        ),
        Action::HostIsolate => cut(
            graph,
            reach,
            &format!(
                "{} can reach nothing and is reached by nothing",
                targets(graph, reach)
            ),
        ),
        Action::FileQuarantine(p) => {
            let stopped = first_hand(reach, needs_target);
            vec![if stopped.who.is_empty() {
                format!(
                    "If this runs now, {} becomes unusable on {}; no service is known to run from it.",
                    quote::name(&p.path),
                    targets(graph, reach)
                )
            } else {
                format!(
                    "If this runs now, {} {}, because {} runs from {}.",
                    kinds(graph, &stopped.who),
                    verb(&stopped.who, "stops", "stop"),
                    verb(&stopped.who, "it", "they"),
                    targets(graph, reach)
                )
            }]
        }
        Action::Patch(_)
        | Action::ConfigChange(_)
        | Action::ServiceRestart(_)
        | Action::ProcessKill(_) => worked_on(graph, reach, circumstances),
    };
    sentences.extend(further(graph, reach));
    sentences.join(" ")
}

fn targets(graph: &Graph, reach: &Reach<'_>) -> String {
    let targets: Vec<NodeIndex> = reach.targets.iter().copied().collect();
    on_targets(graph, &targets)
}

fn credential(graph: &Graph, reach: &Reach<'_>, name: &str, reason: &str) -> Vec<String> {
    let lost = first_hand(reach, loses_credential);
    if lost.who.is_empty() {
        let users = reach
            .targets
            .iter()
            .flat_map(|target| graph.dependents(*target))
            .filter(|edge| {
                edge.dependency
                    .credential
                    .as_ref()
                    .is_some_and(|id| id.as_str() == name)
            })
            .count() as u64;
        return vec![if users == 0 {
            format!(
                "If this runs now, {name} changes on {}; the topology knows nobody who uses it.",
                targets(graph, reach)
            )
        } else {
            format!(
                "If this runs now, {name} changes on {} and {} that use it {} given the new one in the same step.",
                targets(graph, reach),
                if users == 1 {
                    "the one dependent".to_owned()
                } else {
                    format!("all {} dependents", number(users))
                },
                if users == 1 { "is" } else { "are" },
            )
        }];
    }
    let from: Vec<NodeIndex> = lost.from.iter().copied().collect();
    let what = match from.as_slice() {
        [one] => graph
            .node(*one)
            .map_or_else(String::new, |node| owned(&node)),
        several => kinds(graph, several),
    };
    vec![format!(
        "If this runs now, {}{} {} {what} at once: {}.",
        kinds(graph, &lost.who),
        of_services(graph, &lost.who),
        verb(&lost.who, "loses", "lose"),
        if lost.who.len() == 1 {
            reason
                .replace("to them", "to it")
                .replace("they use", "it uses")
                .replace("they rely", "it relies")
        } else {
            reason.to_owned()
        },
    )]
}

/// `the database ehr-db-1`.
fn owned(node: &Node<'_>) -> String {
    match node {
        Node::System(system) => format!(
            "the {} {}",
            class_words(system.class.as_str()).0,
            quote::name(system.id.as_str())
        ),
        Node::Service(_) | Node::Unknown(_) => quote::name(node.id()),
    }
}

fn cut(graph: &Graph, reach: &Reach<'_>, otherwise: &str) -> Vec<String> {
    let mut sentences = Vec::new();
    for (kind, one, many) in CUTS {
        let cut = first_hand(reach, cut_off_by(kind));
        if cut.who.is_empty() {
            continue;
        }
        let from: Vec<String> = cut
            .from
            .iter()
            .filter_map(|index| graph.node(*index))
            .map(|node| node.id().to_owned())
            .collect();
        let opening = if sentences.is_empty() {
            "If this runs now, "
        } else {
            "Besides, "
        };
        sentences.push(format!(
            "{opening}{}{} {}: {} cut off from {}.",
            kinds(graph, &cut.who),
            of_services(graph, &cut.who),
            verb(&cut.who, one, many),
            verb(&cut.who, "it is", "they are"),
            names(from, 3),
        ));
    }
    if sentences.is_empty() {
        sentences.push(format!(
            "If this runs now, {otherwise}; no dependency that the topology knows needs it."
        ));
    }
    let safety: Vec<NodeIndex> = reach
        .inside
        .iter()
        .copied()
        .filter(|index| graph.tier(*index) == Tier::SafetyCritical)
        .collect();
    if !safety.is_empty() {
        let segments: Vec<&System> = reach
            .targets
            .iter()
            .filter_map(|index| graph.node(*index))
            .filter_map(|node| node.system())
            .collect();
        let harmless = segments
            .iter()
            .any(|segment| segment.effective_tier() < Tier::SafetyCritical);
        sentences.push(format!(
            "Inside {}: {}, all safety-critical{}.",
            if segments.len() == 1 { "it" } else { "them" },
            kinds(graph, &safety),
            if harmless {
                ", whatever the segment itself is labelled"
            } else {
                ""
            },
        ));
    }
    sentences
}

fn worked_on(graph: &Graph, reach: &Reach<'_>, circumstances: Circumstances<'_>) -> Vec<String> {
    let all: Vec<NodeIndex> = reach.targets.iter().copied().collect();
    let n = all.len() as u64;
    let at_once = circumstances
        .concurrency
        .map_or(n, |limit| n.min(u64::from(limit)));
    let pace = if n == 1 {
        String::new()
    } else if at_once == n {
        ", all at once".to_owned()
    } else {
        format!(", up to {} at a time", number(at_once))
    };
    let carried = carried(graph, reach);
    let carry = match carried.first() {
        Some((_, title)) if n == 1 => format!("; it carries {title}"),
        Some((m, title)) if *m == n => format!("; all carry {title}"),
        Some((m, title)) => format!("; {} of them carry {title}", number(*m)),
        None => String::new(),
    };
    let mut sentences = vec![format!(
        "If this runs now, {} {} worked on{pace}{carry}.",
        kinds(graph, &all),
        if n == 1 { "is" } else { "are" }
    )];
    let down = first_hand(reach, needs_target);
    if !down.who.is_empty() {
        sentences.push(format!(
            "{}{} {} down while it runs, because {} {}.",
            kinds(graph, &down.who),
            of_services(graph, &down.who),
            verb(&down.who, "goes", "go"),
            verb(&down.who, "it needs", "they need"),
            names(
                down.from
                    .iter()
                    .filter_map(|index| graph.node(*index))
                    .map(|node| node.id()),
                3
            ),
        ));
    }
    sentences.extend(groups(graph, &all, at_once, circumstances.history));
    sentences
}

/// What is left of each redundancy group.
fn groups(
    graph: &Graph,
    targets: &[NodeIndex],
    at_once: u64,
    history: Option<&History>,
) -> Vec<String> {
    // Without a rule the assessment counts on no group, and neither do we.
    let Some(history) = history else {
        return Vec::new();
    };
    let in_flight: BTreeSet<&SystemId> = history
        .in_flight
        .iter()
        .flatten()
        .flat_map(|operation| &operation.systems)
        .collect();
    let mut targeted: BTreeMap<_, u64> = BTreeMap::new();
    for redundancy in targets
        .iter()
        .filter_map(|index| graph.node(*index))
        .filter_map(|node| node.system())
        .filter_map(|system| system.redundancy.as_ref())
    {
        *targeted.entry(&redundancy.group).or_default() += 1;
    }
    let (mut kept, mut broken) = (Vec::new(), Vec::new());
    for (id, n) in targeted {
        let Some(group) = graph.group(id) else {
            continue;
        };
        let members = group.members.len() as u64;
        let busy = group.members.intersection(&in_flight).count() as u64;
        let left = members.saturating_sub(n.min(at_once).saturating_add(busy));
        let name = quote::name(id.as_str());
        if left >= group.min_healthy {
            kept.push(format!(
                "{name} keeps {} of {} (it needs {})",
                number(left),
                number(members),
                number(group.min_healthy)
            ));
        } else {
            broken.push(format!(
                "{name} keeps only {} of {} and needs {}",
                number(left),
                number(members),
                number(group.min_healthy)
            ));
        }
    }
    let sentence = |parts: Vec<String>, opening: &str| match parts.len() {
        0 => None,
        1..=3 => Some(format!("{opening} {}.", list(&parts))),
        n => Some(format!(
            "{opening} {} and {} more.",
            parts.into_iter().take(2).collect::<Vec<_>>().join(", "),
            n - 2
        )),
    };
    [
        sentence(broken, "Too few stay up:"),
        sentence(kept, "Redundancy:"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What goes down or is degraded behind the first hand.
fn further(graph: &Graph, reach: &Reach<'_>) -> Option<String> {
    let behind = |wanted: ImpactState| -> Vec<NodeIndex> {
        reach
            .effects()
            .iter()
            .filter(|(_, effect)| effect.state == wanted)
            .filter(|(_, effect)| match effect.cause {
                Cause::NeedsDown(_) => true,
                Cause::NeedsTarget(_)
                | Cause::CutOff(_)
                | Cause::LosesCredential(_)
                | Cause::RunsFrom(_) => wanted == ImpactState::Degraded,
                Cause::WorkedOn => false,
            })
            .map(|(index, _)| *index)
            .collect()
    };
    let (down, degraded) = (behind(ImpactState::Down), behind(ImpactState::Degraded));
    match (down.is_empty(), degraded.is_empty()) {
        (true, true) => None,
        (false, true) => Some(format!(
            "Through them {} {} down too.",
            kinds(graph, &down),
            verb(&down, "goes", "go")
        )),
        (true, false) => Some(format!(
            "{} {} worse.",
            kinds(graph, &degraded),
            verb(&degraded, "works", "work")
        )),
        (false, false) => Some(format!(
            "Through them {} {} down too, and {} {} worse.",
            kinds(graph, &down),
            verb(&down, "goes", "go"),
            kinds(graph, &degraded),
            verb(&degraded, "works", "work")
        )),
    }
}
