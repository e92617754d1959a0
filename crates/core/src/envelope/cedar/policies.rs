//! The policies: one `permit` for each rule, and a `forbid` for each "never".

use super::{
    OUTCOMES_MIN, SYSTEMS_WITHOUT_CANARY_MAX, drilled_within, is_staged, limit, literal, never,
    reversible, rule_key, severity, share_limit, tiers_with_autonomy,
};
use crate::envelope::{BlastRadius, Conditions, Envelope, Rule};
use crate::identifier::{AgentId, CalendarId, ClassId, SiteId};
use crate::proposal::ActionKind;
use crate::topology::{Exposure, Tier};

/// The Cedar policies of `envelope`. A decision `allow` on a request that [`super::schema`] admits is
/// "it runs alone, as far as this rollout concurrency is concerned"; `deny` is "a person decides, or it
/// is void".
#[must_use]
pub fn policies(envelope: &Envelope) -> String {
    let mut text = format!(
        "// What agents may do alone under the envelope {}, version {}.\n\
         // A rule runs alone only where its `permit` holds; each repeats what the `forbid`s say, because\n\
         // Cedar skips a policy that errs.\n",
        literal::text(&envelope.name),
        envelope.version
    );
    forbid_always(envelope, &mut text);
    let always = always(envelope);
    for rule in &envelope.rules {
        text.push('\n');
        let name = literal::text(rule.id.as_str());
        match never(envelope, rule) {
            Some(reason) => {
                text.push_str(&format!("// Rule {name} never runs alone: {reason}.\n"));
            }
            None => text.push_str(&permit(envelope, rule, &always)),
        }
    }
    text
}

/// A policy's conditions, one clause of AG-706 each.
type Clauses = Vec<(&'static str, Vec<String>)>;

fn permit(envelope: &Envelope, rule: &Rule, always: &Clauses) -> String {
    let actions = literal::entities("Action", reversible(rule).map(ActionKind::as_str));
    let mut policy = format!(
        "@rule({})\npermit (principal, action in {actions}, resource)\n",
        literal::text(rule.id.as_str())
    );
    let mut clauses = vec![
        ("4.1, the grant", grant(envelope, rule)),
        ("4.1, its bounds", bounds(rule)),
    ];
    clauses.extend(always.iter().cloned());
    clauses.push(("4.3, under this rule", dependencies(rule)));
    clauses.push(("4.6", rollback(rule)));
    if !is_staged(rule) {
        clauses.push((
            "4.9",
            vec![format!("resource.systems <= {SYSTEMS_WITHOUT_CANARY_MAX}")],
        ));
    }
    clauses.push(("4.11, under this rule", detection(rule)));
    for (clause, conditions) in clauses
        .into_iter()
        .filter(|(_, conditions)| !conditions.is_empty())
    {
        policy.push_str(&format!(
            "when {{ // {clause}\n  {}\n}}\n",
            conditions.join(" &&\n  ")
        ));
    }
    policy.truncate(policy.trim_end().len());
    policy.push_str(";\n");
    policy
}

/// AG-706 4.1: agent and every target; the action is in the policy's scope. That every target has one
/// of the classes is that the set of their classes is a subset, and so for each list.
fn grant(envelope: &Envelope, rule: &Rule) -> Vec<String> {
    let targets = &rule.targets;
    let agents = literal::entities("Agent", envelope.agents.iter().map(AgentId::as_str));
    let mut conditions = vec![
        format!("{agents}.contains(principal)"),
        format!(
            "{}.containsAll(resource.classes)",
            literal::set(targets.classes.iter().map(ClassId::as_str))
        ),
        format!(
            "{}.containsAll(resource.tiers)",
            literal::set(targets.tiers.iter().copied().map(Tier::as_str))
        ),
    ];
    conditions.extend(targets.labels.iter().map(|(name, value)| {
        format!(
            "resource.labels.contains({{\"name\": {}, \"value\": {}}})",
            literal::text(name),
            literal::text(value)
        )
    }));
    if !targets.sites.is_empty() {
        conditions.push(format!(
            "resource has sites && {}.containsAll(resource.sites)",
            literal::set(targets.sites.iter().map(SiteId::as_str))
        ));
    }
    if !targets.exposure.is_empty() {
        conditions.push(format!(
            "resource has exposures && {}.containsAll(resource.exposures)",
            literal::set(targets.exposure.iter().copied().map(Exposure::as_str))
        ));
    }
    conditions
}

/// AG-706 4.1: severity, calendars, concurrency, error budget, staging.
fn bounds(rule: &Rule) -> Vec<String> {
    let Conditions {
        outside,
        inside,
        concurrent_operations,
        error_budget,
        validated_in_staging,
        corroboration: _,
        false_positive_rate: _,
        topology_age: _,
    } = &rule.conditions;
    let mut conditions = Vec::new();
    if let Some(min) = rule.severity.min {
        conditions.push(format!("context.severity >= {}", severity(min)));
    }
    if let Some(max) = rule.severity.max {
        conditions.push(format!("context.severity <= {}", severity(max)));
    }
    if !outside.is_empty() {
        let calendars = literal::set(outside.iter().map(CalendarId::as_str));
        conditions.push(format!("!context.calendars.containsAny({calendars})"));
        conditions.push(format!(
            "!context.calendars_undecided.containsAny({calendars})"
        ));
    }
    if !inside.is_empty() {
        conditions.push(format!(
            "context.calendars.containsAny({})",
            literal::set(inside.iter().map(CalendarId::as_str))
        ));
    }
    if let Some(most) = concurrent_operations {
        conditions.push(format!(
            "context has in_flight && context.in_flight < {}",
            most.max
        ));
    }
    if let Some(wanted) = error_budget {
        let mut holds = format!(
            "{}.lowest >= {}",
            own(rule, "error_budget"),
            wanted.min_remaining.parts_per_billion_ceil()
        );
        if let Some(within) = wanted.within {
            holds.push_str(&format!(
                " && {}.oldest <= {}",
                fact(rule, "error_budget"),
                within.seconds()
            ));
        }
        conditions.push(holds);
    }
    if let Some(wanted) = validated_in_staging {
        conditions.push(format!(
            "context has staged_ago && context.staged_ago <= {}",
            wanted.within.seconds()
        ));
    }
    conditions
}

/// A fact that only this rule asks for.
fn fact(rule: &Rule, name: &str) -> String {
    format!("context.rules[{}].{name}", literal::text(&rule_key(rule)))
}

/// The same behind the guards without which it would err where nobody knows it.
fn own(rule: &Rule, name: &str) -> String {
    let key = literal::text(&rule_key(rule));
    format!(
        "context.rules has {key} && context.rules[{key}] has {name} && {}",
        fact(rule, name)
    )
}

/// What every rule asks for, whatever else it says.
fn always(envelope: &Envelope) -> Clauses {
    let tiers: Vec<String> = tiers_with_autonomy(envelope)
        .map(|(tier, radius)| format!("({})", reach(tier, radius)))
        .collect();
    vec![
        (
            "not void",
            vec![
                "context.now < context.proposal_expires_at".to_owned(),
                "resource.unknown == 0".to_owned(),
                "resource.targets > 0".to_owned(),
            ],
        ),
        (
            "4.3",
            vec![
                "resource.disrupted == 0".to_owned(),
                "resource.degraded_safety_critical == 0".to_owned(),
                "resource.dependents_known".to_owned(),
                "context.topology_observed_at <= context.now".to_owned(),
            ],
        ),
        ("4.5 and 4.7", vec![tiers.join(" ||\n  ")]),
        ("4.10", vec![in_force(envelope)]),
        (
            "4.11",
            vec![
                "context.registered".to_owned(),
                "context.detected_at <= context.now".to_owned(),
            ],
        ),
    ]
}

/// AG-706 4.5: the reach counted over the tier's period stays within its limits.
fn reach(tier: Tier, radius: &BlastRadius) -> String {
    let mut conditions = vec![
        format!("resource.tier == {}", literal::text(tier.as_str())),
        "resource has counted".to_owned(),
        format!("resource.counted.per == {}", radius.per.seconds()),
    ];
    for (name, most) in [
        ("systems", radius.systems.map(limit)),
        ("services", radius.services.map(limit)),
        ("segments", radius.segments.map(limit)),
        ("largest_share", radius.fraction_of_class.map(share_limit)),
    ] {
        if let Some(most) = most {
            conditions.push(format!("resource.counted.{name} <= {most}"));
        }
    }
    conditions.join(" && ")
}

/// AG-706 4.10. The instants are told again in words.
fn in_force(envelope: &Envelope) -> String {
    let authority = &envelope.authority;
    format!(
        "context.now >= {} && // {}\n  context.now < {} && // {}\n  \
         context has authorised && context.authorised &&\n  context has suspended && !context.suspended",
        authority.effective.timestamp_micros(),
        utc(authority.effective),
        authority.expires.timestamp_micros(),
        utc(authority.expires),
    )
}

fn utc(at: chrono::DateTime<chrono::Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// AG-706 4.3: the reach was modelled as this rule would roll it out, on a topology fresh enough.
fn dependencies(rule: &Rule) -> Vec<String> {
    let mut conditions = vec![match rule.rollout.concurrency {
        Some(concurrency) => {
            format!("resource has concurrency && resource.concurrency == {concurrency}")
        }
        None => "!(resource has concurrency)".to_owned(),
    }];
    if let Some(age) = &rule.conditions.topology_age {
        conditions.push(format!("context.topology_age <= {}", age.max.seconds()));
    }
    conditions
}

/// AG-706 4.6.
fn rollback(rule: &Rule) -> Vec<String> {
    vec![
        "!context.irreversible".to_owned(),
        format!(
            "context has drilled_ago && context.drilled_ago <= {}",
            drilled_within(rule)
        ),
    ]
}

/// AG-706 4.11.
fn detection(rule: &Rule) -> Vec<String> {
    let mut conditions = Vec::new();
    if let Some(wanted) = &rule.conditions.corroboration {
        conditions.push(format!(
            "context.detected_ago <= {}",
            wanted.within.seconds()
        ));
        conditions.push(format!(
            "{} >= {}",
            own(rule, "independent_sources"),
            wanted.independent_sources
        ));
    }
    if let Some(most) = &rule.conditions.false_positive_rate {
        conditions.push(format!(
            "context has false_positives && context.false_positives.assessed >= {OUTCOMES_MIN} && \
             context.false_positives.share <= {}",
            share_limit(most.max)
        ));
    }
    conditions
}

/// What no rule can allow. None of it reads an attribute that may be absent without a guard.
fn forbid_always(envelope: &Envelope, text: &mut String) {
    let irreversible = super::schema::KINDS
        .into_iter()
        .filter(|kind| kind.is_irreversible())
        .map(ActionKind::as_str);
    for (clause, scope, condition) in [
        (
            "4.7",
            "action",
            format!(
                "when {{ resource.tier == {} }}",
                literal::text(Tier::SafetyCritical.as_str())
            ),
        ),
        (
            "4.10",
            "action",
            format!("unless {{\n  {}\n}}", in_force(envelope)),
        ),
        (
            "4.3",
            "action",
            "when { resource.disrupted > 0 || resource.degraded_safety_critical > 0 }".to_owned(),
        ),
        (
            "4.6",
            &format!("action in {}", literal::entities("Action", irreversible)),
            String::new(),
        ),
        ("4.6", "action", "when { context.irreversible }".to_owned()),
    ] {
        let gap = if condition.is_empty() { "" } else { "\n" };
        text.push_str(&format!(
            "\n@clause({})\nforbid (principal, {scope}, resource){gap}{condition};\n",
            literal::text(clause)
        ));
    }
}
