//! Changes of a rule.

use std::collections::{BTreeMap, BTreeSet};

use super::changes::{Changes, Empty, Loosens, both, listed, pointer};
use super::{Direction, rollout};
use crate::envelope::{
    ConcurrentOperations, Conditions, Corroboration, ErrorBudget, FalsePositiveRate, Rollback,
    Rule, SeverityBounds, TargetGrant, TopologyAge, ValidatedInStaging,
};
use crate::proposal::Severity;
use crate::span::Span;

/// What a rule grants, in words.
pub(super) fn summary(rule: &Rule) -> String {
    format!(
        "{} on {} of tier {}",
        listed(rule.actions.iter().map(|action| action.as_str())),
        listed(&rule.targets.classes),
        listed(&rule.targets.tiers)
    )
}

/// One rule in two versions.
pub(super) fn compare(before: &Rule, after: &Rule, changes: &mut Changes) {
    let Rule {
        id,
        actions,
        targets,
        severity,
        conditions,
        rollout,
        rollback,
    } = after;
    let at = pointer("/rules", id.as_str());
    let name = format!("rule {id}");
    let words = |kinds: &BTreeSet<crate::proposal::ActionKind>| -> BTreeSet<&'static str> {
        kinds.iter().map(|kind| kind.as_str()).collect()
    };
    granted(
        &format!("{at}/actions"),
        &name,
        (&words(&before.actions), &words(actions)),
        |action| action.to_string(),
        changes,
    );
    compare_targets(&at, &name, &before.targets, targets, changes);
    compare_severity(&at, &name, &before.severity, severity, changes);
    compare_conditions(&at, &name, &before.conditions, conditions, changes);
    rollout::compare(&at, &name, &before.rollout, rollout, changes);
    compare_rollback(&at, &name, &before.rollback, rollback, changes);
}

/// A list of what is granted: more of it widens.
fn granted<T: Ord + std::fmt::Display>(
    path: &str,
    name: &str,
    (before, after): (&BTreeSet<T>, &BTreeSet<T>),
    say: impl Fn(&T) -> String,
    changes: &mut Changes,
) {
    changes.members(path, before, after, Direction::Widens, |member, is_new| {
        let grants = if is_new {
            "now grants"
        } else {
            "no longer grants"
        };
        format!("{name} {grants} {}", say(member))
    });
}

fn compare_targets(
    at: &str,
    name: &str,
    before: &TargetGrant,
    after: &TargetGrant,
    changes: &mut Changes,
) {
    let TargetGrant {
        classes,
        tiers,
        labels,
        sites,
        exposure,
    } = after;
    granted(
        &format!("{at}/targets/classes"),
        name,
        (&before.classes, classes),
        |class| format!("targets of class {class}"),
        changes,
    );
    granted(
        &format!("{at}/targets/tiers"),
        name,
        (&before.tiers, tiers),
        |tier| format!("targets of tier {tier}"),
        changes,
    );
    compare_labels(at, name, &before.labels, labels, changes);
    changes.choice(
        &format!("{at}/targets/sites"),
        &before.sites,
        sites,
        Empty::Loosest,
        |now, was| format!("{name} now grants targets at {now} site, was {was}"),
    );
    changes.choice(
        &format!("{at}/targets/exposure"),
        &before.exposure,
        exposure,
        Empty::Loosest,
        |now, was| format!("{name} now grants targets of {now} exposure, was {was}"),
    );
}

fn compare_labels(
    at: &str,
    name: &str,
    before: &BTreeMap<String, String>,
    after: &BTreeMap<String, String>,
    changes: &mut Changes,
) {
    let labels: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    for label in labels {
        let path = pointer(&format!("{at}/targets/labels"), label);
        match (before.get(label), after.get(label)) {
            (Some(was), Some(now)) if was != now => changes.either(
                path,
                format!("{name} now asks of targets that `{label}` is `{now}`, was `{was}`"),
            ),
            (Some(_), Some(_)) | (None, None) => {}
            (None, Some(now)) => changes.push(
                path,
                Direction::Narrows,
                format!("{name} now asks of targets that `{label}` is `{now}`"),
            ),
            (Some(was), None) => changes.push(
                path,
                Direction::Widens,
                format!("{name} no longer asks of targets that `{label}` is `{was}`"),
            ),
        }
    }
}

fn compare_severity(
    at: &str,
    name: &str,
    before: &SeverityBounds,
    after: &SeverityBounds,
    changes: &mut Changes,
) {
    let SeverityBounds { min, max } = after;
    for (bound, what, was, now, loosens) in [
        ("min", "lowest", before.min, *min, Loosens::Shrinking),
        ("max", "highest", before.max, *max, Loosens::Growing),
    ] {
        // An absent bound is as wide as the scale.
        let end = match loosens {
            Loosens::Shrinking => Severity::Low,
            Loosens::Growing => Severity::Critical,
        };
        let (was_word, now_word) = (was.unwrap_or(end), now.unwrap_or(end));
        if was_word == now_word && was != now {
            changes.push(
                format!("{at}/severity/{bound}"),
                Direction::Neutral,
                format!("{name} now writes down its {what} severity, or no longer does"),
            );
            continue;
        }
        changes.bound(
            format!("{at}/severity/{bound}"),
            Some(&Word(was_word)),
            Some(&Word(now_word)),
            loosens,
            |now, was| format!("the {what} severity that {name} acts on is now {now}, was {was}"),
        );
    }
}

#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Word(Severity);

impl std::fmt::Display for Word {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0.as_str())
    }
}

fn compare_conditions(
    at: &str,
    name: &str,
    before: &Conditions,
    after: &Conditions,
    changes: &mut Changes,
) {
    let Conditions {
        outside,
        inside,
        corroboration,
        false_positive_rate,
        topology_age,
        concurrent_operations,
        error_budget,
        validated_in_staging,
    } = after;
    let at = format!("{at}/conditions");
    changes.members(
        &format!("{at}/outside"),
        &before.outside,
        outside,
        Direction::Narrows,
        |calendar, is_new| {
            if is_new {
                format!("{name} now waits while it is {calendar}")
            } else {
                format!("{name} no longer waits while it is {calendar}")
            }
        },
    );
    changes.choice(
        &format!("{at}/inside"),
        &before.inside,
        inside,
        Empty::Loosest,
        |now, was| format!("{name} now holds in {now} calendar, was {was}"),
    );
    let asks = |what: &'static str| {
        move |is_new: bool| {
            if is_new {
                format!("{name} now asks for {what}")
            } else {
                format!("{name} no longer asks for {what}")
            }
        }
    };
    let path = format!("{at}/corroboration");
    if let Some((old, new)) = both(
        changes,
        &path,
        before.corroboration.as_ref(),
        corroboration.as_ref(),
        asks("corroboration"),
    ) {
        let Corroboration {
            independent_sources,
            within,
        } = new;
        changes.bound(
            format!("{path}/independent_sources"),
            Some(&old.independent_sources),
            Some(independent_sources),
            Loosens::Shrinking,
            |now, was| format!("{name} now asks for {now} independent sources, was {was}"),
        );
        changes.bound(
            format!("{path}/within"),
            Some(&old.within),
            Some(within),
            Loosens::Growing,
            |now, was| format!("{name} now takes corroboration within {now}, was {was}"),
        );
    }
    let path = format!("{at}/false_positive_rate");
    if let Some((old, new)) = both(
        changes,
        &path,
        before.false_positive_rate.as_ref(),
        false_positive_rate.as_ref(),
        asks("a false-positive rate"),
    ) {
        let FalsePositiveRate { max, over } = new;
        changes.bound(
            format!("{path}/max"),
            Some(&old.max),
            Some(max),
            Loosens::Growing,
            |now, was| format!("{name} now bears a false-positive rate of {now}, was {was}"),
        );
        if old.over != *over {
            changes.either(
                format!("{path}/over"),
                format!(
                    "{name} now takes the false-positive rate over {over}, was {}",
                    old.over
                ),
            );
        }
    }
    let path = format!("{at}/topology_age");
    let age = |condition: &Option<TopologyAge>| condition.as_ref().map(|TopologyAge { max }| *max);
    changes.bound(
        path,
        age(&before.topology_age).as_ref(),
        age(topology_age).as_ref(),
        Loosens::Growing,
        |now, was| format!("the topology that {name} rests on may now be {now} old, was {was}"),
    );
    let most = |condition: &Option<ConcurrentOperations>| {
        condition.as_ref().map(|ConcurrentOperations { max }| *max)
    };
    changes.bound(
        format!("{at}/concurrent_operations"),
        most(&before.concurrent_operations).as_ref(),
        most(concurrent_operations).as_ref(),
        Loosens::Growing,
        |now, was| {
            format!("{name} now starts while operations under way are at most {now}, was {was}")
        },
    );
    compare_budget(
        &at,
        name,
        before.error_budget.as_ref(),
        error_budget.as_ref(),
        changes,
    );
    let within = |condition: &Option<ValidatedInStaging>| {
        condition
            .as_ref()
            .map(|ValidatedInStaging { within }| *within)
    };
    changes.bound(
        format!("{at}/validated_in_staging"),
        within(&before.validated_in_staging).as_ref(),
        within(validated_in_staging).as_ref(),
        Loosens::Growing,
        |now, was| {
            format!("for {name} the action's success in staging may now be {now} old, was {was}")
        },
    );
}

fn compare_budget(
    at: &str,
    name: &str,
    before: Option<&ErrorBudget>,
    after: Option<&ErrorBudget>,
    changes: &mut Changes,
) {
    let path = format!("{at}/error_budget");
    let asked = both(changes, &path, before, after, |is_new| {
        let asks = if is_new { "now asks" } else { "no longer asks" };
        format!("{name} {asks} for error budgets")
    });
    let Some((old, new)) = asked else { return };
    let ErrorBudget {
        services,
        min_remaining,
        within,
    } = new;
    changes.choice(
        &format!("{path}/services"),
        &old.services,
        services,
        Empty::Strictest,
        |now, was| {
            format!("{name} now asks for the error budget of {now} service in scope, was {was}")
        },
    );
    changes.bound(
        format!("{path}/min_remaining"),
        Some(&old.min_remaining),
        Some(min_remaining),
        Loosens::Shrinking,
        |now, was| format!("{name} now asks that {now} of each error budget is left, was {was}"),
    );
    changes.bound(
        format!("{path}/within"),
        old.within.as_ref(),
        within.as_ref(),
        Loosens::Growing,
        |now, was| format!("for {name} the measured error budget may now be {now} old, was {was}"),
    );
}

fn compare_rollback(
    at: &str,
    name: &str,
    before: &Rollback,
    after: &Rollback,
    changes: &mut Changes,
) {
    let path = format!("{at}/rollback");
    match (before.is_empty(), after.is_empty()) {
        (true, true) => {}
        (true, false) => changes.push(
            path,
            Direction::Widens,
            format!("{name} now declares a rollback, so that it may run alone"),
        ),
        (false, true) => changes.push(
            path,
            Direction::Narrows,
            format!("{name} no longer declares a rollback, so that it waits"),
        ),
        (false, false) => {
            let Rollback {
                within,
                drilled_within,
            } = after;
            changes.bound(
                format!("{path}/within"),
                before.within.as_ref(),
                within.as_ref(),
                Loosens::Growing,
                |now, was| format!("a rollback of {name} may now take {now}, was {was}"),
            );
            let drilled = |span: Option<Span>| span.map_or(DRILLED_WITHIN_SECONDS, Span::seconds);
            let words =
                |span: Option<Span>| span.map_or_else(|| "92d".to_owned(), |span| span.to_string());
            let (now, was) = (words(*drilled_within), words(before.drilled_within));
            changes.bound(
                format!("{path}/drilled_within"),
                Some(&drilled(before.drilled_within)),
                Some(&drilled(*drilled_within)),
                Loosens::Growing,
                |_, _| format!("the drill of {name} may now be {now} old, was {was}"),
            );
        }
    }
}

/// How long ago a drill may be where a rule does not say: 92 days (AG-706 4.6).
const DRILLED_WITHIN_SECONDS: u32 = 92 * 86_400;
