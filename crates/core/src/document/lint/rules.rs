//! Lints on rules: two that grant the same with different limits, and those that can never hold.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::lint::shadow;
use crate::document::tree::{Found, Node};
use crate::envelope::{Envelope, Rule, SeverityBounds, WaveSize};
use crate::proposal::{ActionKind, Severity};
use crate::topology::SAFETY_CRITICAL_CLASSES;

/// AG-706 4.6: a rollback is tested at least quarterly.
const DRILLED_WITHIN_DAYS_MAX: i64 = 92;

/// Warns of rules that are legal and probably not meant.
pub(crate) fn rules(envelope: &Envelope, nodes: &[Node<'_>], found: &mut Found) {
    for (index, (rule, node)) in envelope.rules.iter().zip(nodes).enumerate() {
        let earlier = || envelope.rules.iter().take(index);
        if let Some(shadowing) = earlier().find(|e| shadow::shadows(e, rule)) {
            found.warning(
                node.place_of(&["id"]),
                "shadowed-rule",
                format!(
                    "rule `{}` never decides: `{}` before it grants all that it grants, on no more conditions",
                    rule.id, shadowing.id
                ),
                "put the narrower rule first, or remove it",
            );
        } else if let Some((other, both)) =
            earlier().find_map(|other| Some((other, overlap(other, rule)?)))
        {
            found.warning(
                node.place_of(&["id"]),
                "overlapping-rules",
                format!(
                    "rules `{}` and `{}` both grant {both}, and differ in their {}; whichever fails less decides",
                    other.id,
                    rule.id,
                    differences(other, rule).join(", ")
                ),
                "make one rule of both, or let each grant what the other does not",
            );
        }
        never_alone(rule, envelope, node, found);
        wider_than_tier(rule, envelope, node, found);
    }
}

/// What two rules both grant, in words, where they grant it on different terms.
fn overlap(a: &Rule, b: &Rule) -> Option<String> {
    let action = a.actions.intersection(&b.actions).next()?;
    let class = a.targets.classes.intersection(&b.targets.classes).next()?;
    let tier = a.targets.tiers.intersection(&b.targets.tiers).next()?;
    let apart = a
        .targets
        .labels
        .iter()
        .any(|(name, value)| b.targets.labels.get(name).is_some_and(|v| v != value))
        || are_apart(&a.targets.sites, &b.targets.sites)
        || are_apart(&a.targets.exposure, &b.targets.exposure)
        || highest(&a.severity) < lowest(&b.severity)
        || highest(&b.severity) < lowest(&a.severity);
    (!apart && !differences(a, b).is_empty())
        .then(|| format!("`{}` on `{class}`, `{tier}`", action.as_str()))
}

/// Whether two lists, each of which asks nothing where it is empty, have nothing in common.
fn are_apart<T: Ord>(a: &BTreeSet<T>, b: &BTreeSet<T>) -> bool {
    !a.is_empty() && !b.is_empty() && a.is_disjoint(b)
}

fn lowest(bounds: &SeverityBounds) -> Severity {
    bounds.min.unwrap_or(Severity::Low)
}

fn highest(bounds: &SeverityBounds) -> Severity {
    bounds.max.unwrap_or(Severity::Critical)
}

fn differences(a: &Rule, b: &Rule) -> Vec<&'static str> {
    [
        ("severity", a.severity == b.severity),
        ("conditions", a.conditions == b.conditions),
        ("rollout", a.rollout == b.rollout),
        ("rollback", a.rollback == b.rollback),
    ]
    .into_iter()
    .filter_map(|(what, equal)| (!equal).then_some(what))
    .collect()
}

/// Rules under which nothing ever runs alone, whatever is proposed.
fn never_alone(rule: &Rule, envelope: &Envelope, node: &Node<'_>, found: &mut Found) {
    let id = &rule.id;
    let mut warn = |path: &[&str], why: String, mend: &str| {
        found.warning(node.place_of(path), "never-alone", why, mend);
    };
    if rule.rollout.health.is_empty() || rule.rollout.breaker.is_none() {
        let what = match (
            rule.rollout.health.is_empty(),
            rule.rollout.breaker.is_none(),
        ) {
            (true, true) => "neither health checks nor a breaker",
            (true, false) => "no health check",
            (false, _) => "no breaker",
        };
        warn(
            &["rollout"],
            format!(
                "rule `{id}` declares {what}, so that nothing runs alone under it (AG-706 4.4)"
            ),
            "add `health` and `breaker` under `rollout`",
        );
    }
    if rule.rollback.is_empty() {
        warn(
            &["rollback"],
            format!(
                "rule `{id}` declares no rollback, so that nothing runs alone under it (AG-706 4.6)"
            ),
            "add `rollback`",
        );
    }
    if rule.actions.iter().all(|action| action.is_irreversible()) {
        warn(
            &["actions"],
            format!(
                "rule `{id}` grants only what cannot be undone, which never runs alone (AG-706 4.6)"
            ),
            "remove the rule, or grant other actions",
        );
    } else {
        irreversible_among(rule, node, found);
    }
    let inside = &rule.conditions.inside;
    if !inside.is_empty() && inside.is_subset(&rule.conditions.outside) {
        found.warning(
            node.place_of(&["conditions", "inside"]),
            "never-alone",
            format!("rule `{id}` must be inside and outside of the same calendars"),
            "remove them from one of the two lists",
        );
    }
    for class in &rule.targets.classes {
        if SAFETY_CRITICAL_CLASSES.contains(&class.as_str()) {
            found.warning(
                node.place_of_member(&["targets", "classes"], class.as_str()),
                "grant-never-holds",
                format!(
                    "a `{class}` is always safety-critical, so that rule `{id}` never grants one"
                ),
                "remove the class",
            );
        }
    }
    for tier in &rule.targets.tiers {
        let Some(tier_rule) = envelope.tiers.get(tier) else {
            continue;
        };
        let why = match &tier_rule.blast_radius {
            None => format!(
                "`{tier}` has no blast radius, so that nothing on it runs alone (AG-706 4.5)"
            ),
            Some(radius) if radius.systems == Some(0) => {
                format!(
                    "the blast radius of `{tier}` is 0 systems, so that nothing on it runs alone"
                )
            }
            Some(_) => continue,
        };
        found.warning(
            node.place_of_member(&["targets", "tiers"], tier.as_str()),
            "grant-never-holds",
            why,
            "remove the tier here, or give it a blast radius under `tiers`",
        );
    }
    if let Some(corroboration) = &rule.conditions.corroboration
        && corroboration.independent_sources == 0
    {
        found.warning(
            node.place_of(&["conditions", "corroboration", "independent_sources"]),
            "limit-never-binds",
            "0 independent sources corroborate nothing".to_owned(),
            "write at least 1, or remove the condition",
        );
    }
    if let Some(span) = rule.rollback.drilled_within
        && span.duration().num_days() > DRILLED_WITHIN_DAYS_MAX
    {
        found.warning(
            node.place_of(&["rollback", "drilled_within"]),
            "drill-too-old",
            format!("a drill {span} ago is no quarterly test (AG-706 4.6)"),
            format!("write at most `{DRILLED_WITHIN_DAYS_MAX}d`"),
        );
    }
}

fn irreversible_among(rule: &Rule, node: &Node<'_>, found: &mut Found) {
    for action in rule
        .actions
        .iter()
        .filter(|action| action.is_irreversible())
    {
        found.warning(
            node.place_of_member(&["actions"], ActionKind::as_str(*action)),
            "grant-never-holds",
            format!(
                "`{}` cannot be undone, so that it never runs alone (AG-706 4.6)",
                action.as_str()
            ),
            "remove it here",
        );
    }
}

/// Sizes of a rollout beyond what one of the rule's tiers lets through at all.
fn wider_than_tier(rule: &Rule, envelope: &Envelope, node: &Node<'_>, found: &mut Found) {
    let limits: BTreeMap<_, _> = rule
        .targets
        .tiers
        .iter()
        .filter_map(|tier| {
            let radius = envelope.tiers.get(tier)?.blast_radius.as_ref()?;
            Some((*tier, radius.systems?))
        })
        .collect();
    let mut warn = |place, what: String, size: u64| {
        for (tier, limit) in limits.iter().filter(|(_, limit)| size > **limit) {
            found.warning(
                place,
                "wider-than-tier",
                format!("{what} is wider than the {limit} systems that `{tier}` allows"),
                format!("write at most {limit}, or give `{tier}` a rule of its own"),
            );
        }
    };
    if let Some(canary) = rule.rollout.canary {
        let place = node.place_of(&["rollout", "canary"]);
        warn(place, format!("a canary of {canary}"), canary.into());
    }
    if let Some(concurrency) = rule.rollout.concurrency {
        let place = node.place_of(&["rollout", "concurrency"]);
        warn(
            place,
            format!("a concurrency of {concurrency}"),
            concurrency.into(),
        );
    }
    for wave in &rule.rollout.waves {
        match wave {
            WaveSize::Percent(_) => {}
            WaveSize::Systems(systems) => {
                let place = node.place_of_member(&["rollout", "waves"], &systems.to_string());
                warn(place, format!("a wave of {systems}"), (*systems).into());
            }
        }
    }
}
