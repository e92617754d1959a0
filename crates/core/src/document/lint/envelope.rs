//! Lints on an envelope: limits that never bind, grants that never hold, parts that nobody uses.

use std::collections::BTreeSet;

use crate::decimal::Decimal;
use crate::document::lint::calendars::calendars;
use crate::document::lint::rules::rules;
use crate::document::tree::{Found, Node};
use crate::envelope::{Autonomy, BlastRadius, Envelope, Rollout, Rule};
use crate::topology::Tier;

/// Warns of what is legal and probably not meant.
pub(crate) fn envelope(envelope: &Envelope, root: &Node<'_>, found: &mut Found) {
    if envelope.agents.is_empty() {
        found.warning(
            root.place_of(&["agents"]),
            "no-agent",
            "the envelope speaks of no agent, so that it grants nothing",
            "name at least one agent",
        );
    }
    tiers(envelope, root, found);
    unused(envelope, root, found);
    calendars(envelope, root, found);
    let nodes = root.get("rules").map(Node::items).unwrap_or_default();
    rules(envelope, nodes, found);
    for (rule, node) in envelope.rules.iter().zip(nodes) {
        grants(rule, envelope, node, found);
        limits(rule, envelope, node, found);
    }
}

fn tiers(envelope: &Envelope, root: &Node<'_>, found: &mut Found) {
    for tier in [
        Tier::SafetyCritical,
        Tier::ProductionCritical,
        Tier::NonCritical,
    ] {
        let Some(rule) = envelope.tiers.get(&tier) else {
            found.warning(
                root.place_of(&["tiers"]),
                "tier-without-approval",
                format!("nothing says who approves on `{tier}` systems"),
                format!("add `{tier}` with its `approval`"),
            );
            continue;
        };
        let Some(limits) = &rule.blast_radius else {
            continue;
        };
        let mut warn = |field: &str, message: String| {
            found.warning(
                root.place_of(&["tiers", tier.as_str(), "blast_radius", field]),
                "limit-never-binds",
                message,
                "lower it, or remove it",
            );
        };
        if rule.autonomy == Autonomy::Prohibited {
            warn(
                "",
                format!("nothing runs alone on `{tier}` systems, so that their limits never bind"),
            );
            continue;
        }
        let BlastRadius {
            systems,
            services,
            segments: _,
            fraction_of_class,
            per: _,
        } = limits;
        if let (Some(systems), Some(services)) = (systems, services)
            && services >= systems
            && *systems > 0
        {
            warn(
                "services",
                format!(
                    "{systems} systems carry at most {systems} services, so that a limit of {services} never binds"
                ),
            );
        }
        if let Some(fraction) = fraction_of_class
            && is_whole(fraction)
        {
            warn(
                "fraction_of_class",
                format!(
                    "no class has more than all of its systems, so that {fraction} never binds"
                ),
            );
        }
    }
}

/// Whether a share of `limit` admits everything.
fn is_whole(limit: &Decimal) -> bool {
    limit.admits(1, 1)
}

fn unused(envelope: &Envelope, root: &Node<'_>, found: &mut Found) {
    let calendars: BTreeSet<_> = envelope
        .rules
        .iter()
        .flat_map(|r| r.conditions.outside.iter().chain(&r.conditions.inside))
        .chain(envelope.calendars.values().flat_map(|c| &c.except))
        .collect();
    let checks: BTreeSet<_> = envelope
        .rules
        .iter()
        .flat_map(|r| {
            let Rollout {
                health,
                dependents,
                alerts,
                ..
            } = &r.rollout;
            health.iter().chain(dependents).chain(alerts)
        })
        .collect();
    let mut warn = |group: &str, what: &str, id: &str| {
        let place = root
            .get(group)
            .and_then(|g| g.field(id))
            .map_or(root.place, |f| f.name.place);
        found.warning(
            place,
            "unused",
            format!("no rule uses the {what} `{id}`"),
            "name it in a rule, or remove it",
        );
    };
    for id in envelope
        .calendars
        .keys()
        .filter(|id| !calendars.contains(id))
    {
        warn("calendars", "calendar", id.as_str());
    }
    for id in envelope.checks.keys().filter(|id| !checks.contains(id)) {
        warn("checks", "check", id.as_str());
    }
}

fn grants(rule: &Rule, envelope: &Envelope, node: &Node<'_>, found: &mut Found) {
    for tier in &rule.targets.tiers {
        let autonomy = envelope.tiers.get(tier).map(|t| t.autonomy);
        if autonomy != Some(Autonomy::Bounded) {
            found.warning(
                node.place_of_member(&["targets", "tiers"], tier.as_str()),
                "grant-never-holds",
                format!(
                    "rule `{}` grants `{tier}` systems, on which nothing runs alone",
                    rule.id
                ),
                "remove the tier here, or allow autonomy under `tiers`",
            );
        }
    }
}

fn limits(rule: &Rule, envelope: &Envelope, node: &Node<'_>, found: &mut Found) {
    if let Some(rate) = &rule.conditions.false_positive_rate
        && is_whole(&rate.max)
    {
        found.warning(
            node.place_of(&["conditions", "false_positive_rate", "max"]),
            "limit-never-binds",
            format!("no rate is above 1, so that {} never binds", rate.max),
            "lower it, or remove the condition",
        );
    }
    // The widest of the tiers' limits; where one tier has none, nothing is known.
    let widest = rule
        .targets
        .tiers
        .iter()
        .map(|tier| envelope.tiers.get(tier)?.blast_radius.as_ref()?.systems)
        .try_fold(0, |widest, systems| Some(widest.max(systems?)));
    let Some(widest) = widest else { return };
    for (field, size) in [
        ("canary", rule.rollout.canary),
        ("concurrency", rule.rollout.concurrency),
    ] {
        if let Some(size) = size
            && u64::from(size) >= widest
        {
            found.warning(
                node.place_of(&["rollout", field]),
                "limit-never-binds",
                format!(
                    "the blast radius is at most {widest} systems, so that a {field} of {size} never holds anything back"
                ),
                format!("write less than {widest}, or remove it"),
            );
        }
    }
}
