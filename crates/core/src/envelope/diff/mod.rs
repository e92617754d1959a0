//! What changed between two envelopes, in sentences, and whether it lets more or less happen.
//!
//! Each change is judged on what the members mean to an assessment, not on their text. If none
//! widens, nothing runs alone that did not before; if none narrows, nothing waits that did not.

mod calendar;
mod changes;
mod rollout;
mod rule;

use serde::{Deserialize, Serialize};

use self::changes::{Changes, Loosens, listed, pointer};
use crate::envelope::{
    Approval, Authority, Autonomy, BlastRadius, Envelope, HealthCheck, Rule, TierRule,
};
use crate::identifier::CheckId;
use crate::topology::Tier;

/// Which way a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// More may happen: something may run alone, or with fewer precautions or other people than before.
    Widens,
    /// Less may happen.
    Narrows,
    /// Neither.
    Neutral,
}

impl Direction {
    /// The direction as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Widens => "widens",
            Self::Narrows => "narrows",
            Self::Neutral => "neutral",
        }
    }

    /// The direction of the change taken back.
    #[must_use]
    pub const fn opposite(self) -> Self {
        match self {
            Self::Widens => Self::Narrows,
            Self::Narrows => Self::Widens,
            Self::Neutral => Self::Neutral,
        }
    }
}

/// One change. What may go either way is told twice, once in each direction.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Change {
    /// JSON Pointer (RFC 6901), in which rules go by their id, as in [`crate::decision::diff::Diff`].
    pub path: String,
    /// What it means, lower case, without a full stop.
    pub sentence: String,
    /// Which way it goes.
    pub direction: Direction,
}

/// Everything that changed, in the order of the document; nothing where both mean the same.
/// `before` is the envelope that was in force, `None` where there was none.
#[must_use]
pub fn diff(before: Option<&Envelope>, after: &Envelope) -> Vec<Change> {
    let mut changes = Changes::default();
    match before {
        Some(before) => compare(before, after, &mut changes),
        None => {
            changes.push(
                String::new(),
                Direction::Widens,
                format!(
                    "no envelope was in force before `{}` version {}",
                    after.name, after.version
                ),
            );
            compare(&nothing_of(after), after, &mut changes);
        }
    }
    changes.into_list()
}

/// An envelope that grants nothing, under the authority of `envelope`.
fn nothing_of(envelope: &Envelope) -> Envelope {
    Envelope {
        agents: Default::default(),
        tiers: Default::default(),
        calendars: Default::default(),
        checks: Default::default(),
        rules: Vec::new(),
        ..envelope.clone()
    }
}

fn compare(before: &Envelope, after: &Envelope, changes: &mut Changes) {
    let Envelope {
        schema,
        name,
        version,
        description,
        authority,
        agents,
        tiers,
        calendars: _,
        checks: _,
        rules: _,
    } = after;
    changes.neutral("/schema", &before.schema, schema, "the schema");
    changes.neutral("/name", &before.name, name, "the name");
    changes.neutral("/version", &before.version, version, "the version");
    changes.neutral_optional(
        "/description",
        before.description.as_ref(),
        description.as_ref(),
        "the description",
    );
    compare_authority(&before.authority, authority, changes);
    changes.members(
        "/agents",
        &before.agents,
        agents,
        Direction::Widens,
        |agent, is_new| {
            if is_new {
                format!("the envelope now speaks of agent {agent}")
            } else {
                format!("the envelope no longer speaks of agent {agent}")
            }
        },
    );
    for tier in [
        Tier::SafetyCritical,
        Tier::ProductionCritical,
        Tier::NonCritical,
    ] {
        compare_tier(
            tier,
            (before.tiers.get(&tier), tiers.get(&tier)),
            &rules_on(tier, before, after),
            changes,
        );
    }
    calendar::compare(before, after, changes);
    compare_checks(before, after, changes);
    compare_rules(&before.rules, &after.rules, changes);
}

fn compare_authority(before: &Authority, after: &Authority, changes: &mut Changes) {
    let Authority {
        board,
        quorum,
        effective,
        expires,
    } = after;
    if before.board != *board {
        changes.either(
            "/authority/board",
            format!(
                "the {board} now authorises the envelope, it was the {}",
                before.board
            ),
        );
    }
    changes.bound(
        "/authority/quorum",
        Some(&before.quorum),
        Some(quorum),
        Loosens::Shrinking,
        |now, was| format!("{now} of the board now authorise the envelope, it was {was}"),
    );
    changes.bound(
        "/authority/effective",
        Some(&before.effective),
        Some(effective),
        Loosens::Shrinking,
        |now, was| format!("the authority window now begins at {now}, was {was}"),
    );
    changes.bound(
        "/authority/expires",
        Some(&before.expires),
        Some(expires),
        Loosens::Growing,
        |now, was| format!("the authority window now ends at {now}, was {was}"),
    );
}

/// The rules that grant systems of a tier, in either version, in words.
fn rules_on(tier: Tier, before: &Envelope, after: &Envelope) -> String {
    let rules: std::collections::BTreeSet<&str> = before
        .rules
        .iter()
        .chain(&after.rules)
        .filter(|rule| rule.targets.tiers.contains(&tier))
        .map(|rule| rule.id.as_str())
        .collect();
    match rules.len() {
        0 => "any rule".to_owned(),
        1 => format!("rule {}", listed(rules)),
        _ => format!("rules {}", listed(rules)),
    }
}

/// Whether anything can run alone on a tier.
fn is_bounded(rule: Option<&TierRule>) -> bool {
    rule.is_some_and(|rule| match rule.autonomy {
        Autonomy::Bounded => true,
        Autonomy::Prohibited => false,
    })
}

fn compare_tier(
    tier: Tier,
    (before, after): (Option<&TierRule>, Option<&TierRule>),
    rules: &str,
    changes: &mut Changes,
) {
    let path = pointer("/tiers", tier.as_str());
    let (was, is) = (is_bounded(before), is_bounded(after));
    let autonomy = match (was, is) {
        (false, true) => Some((Direction::Widens, "may now")),
        (true, false) => Some((Direction::Narrows, "may no longer")),
        (true, true) | (false, false) => None,
    };
    if let Some((direction, may)) = autonomy {
        changes.push(
            format!("{path}/autonomy"),
            direction,
            format!("{rules} {may} run alone on {tier} systems"),
        );
    }
    match (before, after) {
        (None, None) => {}
        (Some(before), Some(after)) => {
            let TierRule {
                autonomy: _,
                approval,
                blast_radius,
            } = after;
            compare_approval(tier, &path, &before.approval, approval, changes);
            compare_radius(
                (tier, rules, was && is),
                &format!("{path}/blast_radius"),
                (before.blast_radius.as_ref(), blast_radius.as_ref()),
                changes,
            );
        }
        (Some(_), None) => changes.either(
            path,
            format!(
                "nothing says any more who approves on {tier} systems, so that any two approvers do"
            ),
        ),
        (None, Some(after)) => changes.either(
            path,
            format!(
                "{} of {} now approve on {tier} systems, it was any two approvers",
                after.approval.quorum,
                listed(&after.approval.roles)
            ),
        ),
    }
}

fn compare_approval(
    tier: Tier,
    path: &str,
    before: &Approval,
    after: &Approval,
    changes: &mut Changes,
) {
    let Approval { quorum, roles } = after;
    changes.bound(
        format!("{path}/approval/quorum"),
        Some(&before.quorum),
        Some(quorum),
        Loosens::Shrinking,
        |now, was| format!("what waits on {tier} systems now needs {now} approvers, was {was}"),
    );
    if before.roles != *roles {
        changes.either(
            format!("{path}/approval/roles"),
            format!(
                "{} now approve on {tier} systems, it was {}",
                listed(roles),
                listed(&before.roles)
            ),
        );
    }
}

/// Limits matter where the tier lets things run alone before and after; where it begins or ceases
/// to, that change says so.
fn compare_radius(
    (tier, rules, matters): (Tier, &str, bool),
    path: &str,
    (before, after): (Option<&BlastRadius>, Option<&BlastRadius>),
    changes: &mut Changes,
) {
    let mut inner = Changes::default();
    match (before, after) {
        (None, None) => {}
        (Some(before), Some(after)) => {
            let BlastRadius {
                systems,
                services,
                segments,
                fraction_of_class,
                per,
            } = after;
            for (name, was, now) in [
                ("systems", before.systems, systems),
                ("services", before.services, services),
                ("segments", before.segments, segments),
            ] {
                inner.bound(
                    format!("{path}/{name}"),
                    was.as_ref(),
                    now.as_ref(),
                    Loosens::Growing,
                    |now, was| {
                        format!(
                            "{rules} may now touch {now} {name} of tier {tier} in {per}, was {was}"
                        )
                    },
                );
            }
            inner.bound(
                format!("{path}/fraction_of_class"),
                before.fraction_of_class.as_ref(),
                fraction_of_class.as_ref(),
                Loosens::Growing,
                |now, was| {
                    format!(
                        "{rules} may now touch a share of {now} of any class on tier {tier} in {per}, was {was}"
                    )
                },
            );
            inner.bound(
                format!("{path}/per"),
                Some(&before.per),
                Some(per),
                Loosens::Shrinking,
                |now, was| {
                    format!("what {rules} touch on tier {tier} now adds up over {now}, was {was}")
                },
            );
        }
        (None, Some(_)) => inner.push(
            path.to_owned(),
            Direction::Widens,
            format!(
                "{tier} systems now have a blast radius, so that {rules} may run alone on them"
            ),
        ),
        (Some(_), None) => inner.push(
            path.to_owned(),
            Direction::Narrows,
            format!(
                "{tier} systems no longer have a blast radius, so that nothing runs alone on them"
            ),
        ),
    }
    for change in inner.into_list() {
        let direction = if matters {
            change.direction
        } else {
            Direction::Neutral
        };
        changes.push(change.path, direction, change.sentence);
    }
}

/// What a check looks at changes no verdict: 4.4 asks that a rule names one, and `rule` compares that.
fn compare_checks(before: &Envelope, after: &Envelope, changes: &mut Changes) {
    let ids: std::collections::BTreeSet<&CheckId> =
        before.checks.keys().chain(after.checks.keys()).collect();
    for id in ids {
        let (was, is) = (before.checks.get(id), after.checks.get(id));
        let sentence = match (was, is) {
            (Some(was), Some(is)) if was != is => {
                format!("check {id} is now {}, was {}", words(is), words(was))
            }
            (Some(_), Some(_)) | (None, None) => continue,
            (None, Some(is)) => format!("check {id} is new: {}", words(is)),
            (Some(was), None) => format!("check {id} is gone: {}", words(was)),
        };
        changes.push(
            pointer("/checks", id.as_str()),
            Direction::Neutral,
            sentence,
        );
    }
}

fn words(check: &HealthCheck) -> String {
    match check {
        HealthCheck::Http {
            path,
            expect,
            timeout,
        } => format!("http {path} answers {expect} within {timeout}"),
        HealthCheck::Tcp { port, timeout } => format!("tcp port {port} within {timeout}"),
        HealthCheck::Tls { port, timeout } => format!("tls port {port} within {timeout}"),
        HealthCheck::Command { command, timeout } => {
            format!("command `{}` within {timeout}", command.join(" "))
        }
        HealthCheck::Prometheus { query, max } => format!("`{query}` at most {max}"),
    }
}

fn compare_rules(before: &[Rule], after: &[Rule], changes: &mut Changes) {
    for old in before {
        if !after.iter().any(|new| new.id == old.id) {
            changes.push(
                pointer("/rules", old.id.as_str()),
                Direction::Narrows,
                format!("rule {} is gone: {}", old.id, rule::summary(old)),
            );
        }
    }
    for new in after {
        match before.iter().find(|old| old.id == new.id) {
            Some(old) => rule::compare(old, new, changes),
            None => changes.push(
                pointer("/rules", new.id.as_str()),
                Direction::Widens,
                format!("rule {} is new: {}", new.id, rule::summary(new)),
            ),
        }
    }
    let kept = |rules: &[Rule], others: &[Rule]| -> Vec<_> {
        rules
            .iter()
            .map(|rule| rule.id.clone())
            .filter(|id| others.iter().any(|other| other.id == *id))
            .collect()
    };
    let order = kept(after, before);
    if order != kept(before, after) {
        changes.push(
            "/rules".to_owned(),
            Direction::Neutral,
            format!(
                "where several rules grant the same, the order is now {}",
                listed(&order)
            ),
        );
    }
}
