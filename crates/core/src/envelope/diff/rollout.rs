//! Changes of a rule's rollout.

use super::Direction;
use super::changes::{Changes, Loosens, listed};
use crate::envelope::{Breaker, Rollout, WaveSize};
use crate::span::Span;

/// The rollout of one rule in two versions.
pub(super) fn compare(
    at: &str,
    name: &str,
    before: &Rollout,
    after: &Rollout,
    changes: &mut Changes,
) {
    let Rollout {
        canary,
        waves,
        soak,
        per_system,
        concurrency,
        health,
        settle,
        successes: _,
        interval: _,
        dependents,
        alerts,
        answer_within,
        within,
        breaker,
    } = after;
    let at = format!("{at}/rollout");
    let (was, now) = (before.canary.unwrap_or(0), canary.unwrap_or(0));
    let sentence = format!("{name} now begins with a canary of {now}, was {was}");
    match (was, now) {
        (was, now) if was == now => {}
        // Without a canary more than ten systems wait (4.9), and fewer go without one.
        (0, _) | (_, 0) => changes.either(format!("{at}/canary"), sentence),
        (was, now) => changes.bound(
            format!("{at}/canary"),
            Some(&was),
            Some(&now),
            Loosens::Growing,
            |_, _| sentence.clone(),
        ),
    }
    if before.waves != *waves {
        let words = |waves: &[WaveSize]| {
            if waves.is_empty() {
                "none".to_owned()
            } else {
                listed(waves)
            }
        };
        changes.either(
            format!("{at}/waves"),
            format!(
                "the waves of {name} are now {}, were {}",
                words(waves),
                words(&before.waves)
            ),
        );
    }
    let rest = |soak: Option<Span>| soak.map_or(0, Span::seconds);
    changes.bound(
        format!("{at}/soak"),
        Some(&rest(before.soak)),
        Some(&rest(*soak)),
        Loosens::Shrinking,
        |now, was| format!("{name} now waits {now} s between waves, was {was} s"),
    );
    changes.neutral_optional(
        &format!("{at}/per_system"),
        before.per_system.as_ref(),
        per_system.as_ref(),
        &format!("the time that {name} expects for one system"),
    );
    if before.concurrency != *concurrency {
        let words = |limit: Option<u32>| {
            limit.map_or_else(|| "all systems".to_owned(), |n| format!("{n} systems"))
        };
        // More at once is faster, and leaves fewer of a redundancy group standing (4.3).
        changes.either(
            format!("{at}/concurrency"),
            format!(
                "{name} now works on {} at once, was {}",
                words(*concurrency),
                words(before.concurrency)
            ),
        );
    }
    let declares = |what: &str, is: bool| {
        if is {
            (
                Direction::Widens,
                format!("{name} now declares {what}, so that it may run alone"),
            )
        } else {
            (
                Direction::Narrows,
                format!("{name} no longer declares {what}, so that it waits"),
            )
        }
    };
    if before.health.is_empty() != health.is_empty() {
        let (direction, sentence) = declares("health checks", !health.is_empty());
        changes.push(format!("{at}/health"), direction, sentence);
    } else {
        changes.members(
            &format!("{at}/health"),
            &before.health,
            health,
            Direction::Narrows,
            |check, is_new| {
                let looks = if is_new { "now runs" } else { "no longer runs" };
                format!("{name} {looks} the check {check} after each system")
            },
        );
    }
    changes.bound(
        format!("{at}/successes"),
        Some(&before.looks()),
        Some(&after.looks()),
        Loosens::Shrinking,
        |now, was| format!("the checks of {name} must now pass {now} times in a row, was {was}"),
    );
    let seconds = |span: Option<Span>| span.map_or(0, Span::seconds);
    for (field, what, was, now) in [
        (
            "settle",
            "before the first look at a system",
            seconds(before.settle),
            seconds(*settle),
        ),
        (
            "interval",
            "between two looks at a system",
            before.interval_seconds(),
            after.interval_seconds(),
        ),
    ] {
        if was != now {
            let sentence = format!("{name} now waits {now} s {what}, was {was} s");
            changes.either(format!("{at}/{field}"), sentence);
        }
    }
    changes.members(
        &format!("{at}/dependents"),
        &before.dependents,
        dependents,
        Direction::Narrows,
        |check, is_new| {
            let looks = if is_new { "now runs" } else { "no longer runs" };
            format!("{name} {looks} the check {check} on those that depend on a system")
        },
    );
    changes.members(
        &format!("{at}/alerts"),
        &before.alerts,
        alerts,
        Direction::Narrows,
        |check, is_new| {
            let halts = if is_new {
                "is now halted"
            } else {
                "is no longer halted"
            };
            format!("{name} {halts} by the alert {check}")
        },
    );
    let awaited = |span: Option<Span>| span.map_or(ANSWER_WITHIN_SECONDS, Span::seconds);
    changes.bound(
        format!("{at}/answer_within"),
        Some(&awaited(before.answer_within)),
        Some(&awaited(*answer_within)),
        Loosens::Growing,
        |now, was| format!("{name} now awaits an answer for {now} s, was {was} s"),
    );
    changes.bound(
        format!("{at}/within"),
        before.within.as_ref(),
        within.as_ref(),
        Loosens::Growing,
        |now, was| format!("an operation of {name} may now take {now}, was {was}"),
    );
    match (&before.breaker, breaker) {
        (None, None) => {}
        (Some(old), Some(new)) => {
            let Breaker {
                failures: _,
                failures_percent,
                cool_down,
                attempts_per_system,
            } = new;
            changes.bound(
                format!("{at}/breaker/failures"),
                old.tolerated().as_ref(),
                new.tolerated().as_ref(),
                Loosens::Growing,
                |now, was| format!("the breaker of {name} now bears {now} failures, was {was}"),
            );
            changes.bound(
                format!("{at}/breaker/failures_percent"),
                old.failures_percent.as_ref(),
                failures_percent.as_ref(),
                Loosens::Growing,
                |now, was| {
                    format!("the breaker of {name} now bears {now} % of a wave, was {was} %")
                },
            );
            changes.bound(
                format!("{at}/breaker/cool_down"),
                Some(&seconds(old.cool_down)),
                Some(&seconds(*cool_down)),
                Loosens::Shrinking,
                |now, was| format!("{name} now pauses {now} s after a reset, was {was} s"),
            );
            changes.bound(
                format!("{at}/breaker/attempts_per_system"),
                Some(&old.attempts_per_system.unwrap_or(1)),
                Some(&attempts_per_system.unwrap_or(1)),
                Loosens::Growing,
                |now, was| format!("{name} now makes {now} attempts on a system, was {was}"),
            );
        }
        (old, _) => {
            let (direction, sentence) = declares("a breaker", old.is_none());
            changes.push(format!("{at}/breaker"), direction, sentence);
        }
    }
}

/// How long an answer is awaited where a rollout does not say: an hour.
const ANSWER_WITHIN_SECONDS: u32 = 3_600;
