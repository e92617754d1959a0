//! Test 8.6: every autonomous action can be undone, and that was rehearsed within the quarter (4.6).

use chrono::Duration;

use super::TrialOutcome::{Fails, NotShown, Weak};
use super::{Inputs, Trial, Trying, trial};
use crate::envelope::WINDOW_DAYS_MAX;
use crate::identifier::ClassId;
use crate::proposal::ActionKind;

pub(super) fn check(inputs: &Inputs<'_>) -> Vec<Trial> {
    vec![declared(inputs), windows(inputs), drilled(inputs)]
}

/// Whether every rule declares a rollback: what the basic level asks.
pub(super) fn declared(inputs: &Inputs<'_>) -> Trial {
    let mut declared =
        Trying::new("every rule declares a rollback, for actions that can be undone (4.6)");
    for rule in &inputs.envelope.rules {
        let lost = rule
            .actions
            .iter()
            .find(|kind| is_irreversible(inputs, **kind));
        declared.one(match lost {
            Some(kind) => Some(format!(
                "rule {} grants {}, which cannot be undone",
                rule.id,
                kind.as_str()
            )),
            None => rule
                .rollback
                .is_empty()
                .then(|| format!("rule {} declares none", rule.id)),
        });
    }
    declared.end(Fails, "each does")
}

fn is_irreversible(inputs: &Inputs<'_>, kind: ActionKind) -> bool {
    kind.is_irreversible()
        || inputs
            .history
            .is_some_and(|history| history.irreversible.contains(&kind))
}

fn windows(inputs: &Inputs<'_>) -> Trial {
    let mut windows = Trying::new("every rollback has a time window (4.6)");
    for rule in &inputs.envelope.rules {
        windows.one(rule.rollback.within.is_none().then(|| {
            format!(
                "rule {} does not say within what time; give it `within`",
                rule.id
            )
        }));
    }
    windows.end(Weak, "each has")
}

fn drilled(inputs: &Inputs<'_>) -> Trial {
    let what = format!(
        "the rollback of every action of every rule was rehearsed on every class within {WINDOW_DAYS_MAX} days (4.6)"
    );
    let Some(drills) = inputs.history.and_then(|history| history.drills.as_ref()) else {
        return trial(
            what,
            NotShown,
            "no history was given, or it knows of no drills",
        );
    };
    let quarter = Duration::days(WINDOW_DAYS_MAX);
    let mut drilled = Trying::new(what);
    for rule in &inputs.envelope.rules {
        for kind in &rule.actions {
            for class in &rule.targets.classes {
                let latest = drills
                    .iter()
                    .filter(|drill| {
                        drill.action == *kind
                            && drill.class == *class
                            && drill.succeeded_at <= inputs.now
                    })
                    .max_by_key(|drill| (drill.succeeded_at, drill.failed_since()));
                let of = format!("rule {}: {} on {class}", rule.id, kind.as_str());
                drilled.one(match latest {
                    None => Some(never(rule.id.as_str(), *kind, class)),
                    Some(drill) => match drill.failed_since() {
                        Some(at) => {
                            Some(format!("{of} failed when it was last rehearsed, at {at}"))
                        }
                        None if inputs.now - drill.succeeded_at > quarter => {
                            Some(format!("{of} was last rehearsed at {}", drill.succeeded_at))
                        }
                        None => None,
                    },
                });
            }
        }
    }
    drilled.end(Fails, "each was")
}

fn never(rule: &str, kind: ActionKind, class: &ClassId) -> String {
    format!(
        "rule {rule}: {} on {class} was never rehearsed",
        kind.as_str()
    )
}
