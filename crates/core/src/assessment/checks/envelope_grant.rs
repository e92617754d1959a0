//! 4.1: one rule grants the agent, the action and every target, and its own bounds hold.

use super::super::calendar;
use super::super::case::{Case, Found, count, grants_system, some};
use crate::envelope::{Envelope, Rule};
use crate::identifier::CalendarId;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(envelope) = case.envelope else {
        return Found::fail("no envelope has been authorised, so nothing grants this");
    };
    match case.rule {
        None => Found::fail(why_no_rule(case, envelope)),
        Some(rule) => bounds(case, envelope, rule),
    }
}

/// The nearest miss, in words.
fn why_no_rule(case: &Case<'_, '_>, envelope: &Envelope) -> String {
    let agent = &case.proposal.agent;
    let kind = case.proposal.action.kind().as_str();
    if !envelope.agents.contains(agent) {
        return format!("the envelope does not speak of agent {agent}");
    }
    let granting: Vec<&Rule> = envelope
        .rules
        .iter()
        .filter(|rule| rule.actions.contains(&case.proposal.action.kind()))
        .collect();
    if granting.is_empty() {
        return format!("no rule grants {kind}");
    }
    let nearest = granting
        .into_iter()
        .map(|rule| {
            (
                rule,
                case.target_systems()
                    .filter(|system| !grants_system(rule, system))
                    .collect::<Vec<_>>(),
            )
        })
        .min_by_key(|(_, missed)| missed.len());
    match nearest {
        Some((rule, missed)) if !missed.is_empty() => {
            let why = missed.first().map_or_else(String::new, |system| {
                format!(
                    " ({} is {}, {})",
                    system.id,
                    system.class,
                    system.effective_tier()
                )
            });
            format!(
                "rule {} grants {kind}, but not on {}: {}{why}",
                rule.id,
                count(missed.len() as u64, "target"),
                some(missed.iter().map(|system| system.id.as_str()))
            )
        }
        Some(_) | None => format!("no rule grants {kind} on these targets"),
    }
}

fn bounds(case: &Case<'_, '_>, envelope: &Envelope, rule: &Rule) -> Found {
    let mut failed = Vec::new();
    let mut unknown = Vec::new();
    let severity = case.severity();
    if rule.severity.min.is_some_and(|min| severity < min) {
        failed.push(format!(
            "severity {} is below the rule's lowest",
            severity.as_str()
        ));
    }
    if rule.severity.max.is_some_and(|max| severity > max) {
        failed.push(format!(
            "severity {} is above the rule's highest",
            severity.as_str()
        ));
    }
    for name in &rule.conditions.outside {
        match in_calendar(case, envelope, name) {
            Some(false) => {}
            Some(true) => failed.push(format!("now is inside {name}")),
            None => unknown.push(format!("calendar {name} cannot be evaluated")),
        }
    }
    let inside: Vec<_> = rule
        .conditions
        .inside
        .iter()
        .map(|name| in_calendar(case, envelope, name))
        .collect();
    if !inside.is_empty() && !inside.contains(&Some(true)) {
        if inside.contains(&None) {
            unknown.push("a calendar cannot be evaluated".to_owned());
        } else {
            failed.push(format!(
                "now is outside {}",
                some(rule.conditions.inside.iter().map(CalendarId::as_str))
            ));
        }
    }
    let mut concurrency = None;
    if let Some(limit) = &rule.conditions.concurrent_operations {
        match case.history.and_then(|history| history.in_flight.as_ref()) {
            None => unknown.push("nobody can say how many operations are under way".to_owned()),
            Some(in_flight) => {
                let number = (in_flight.len() as u64).saturating_add(1);
                concurrency = Some((number, limit.max));
                if number > u64::from(limit.max) {
                    failed.push(format!(
                        "{}; the limit is {}",
                        count(number, "operation"),
                        limit.max
                    ));
                }
            }
        }
    }
    let found = if !failed.is_empty() {
        Found::fail(format!(
            "rule {} grants it, but {}",
            rule.id,
            failed.join(", ")
        ))
    } else if !unknown.is_empty() {
        Found::unknown(format!(
            "rule {} grants it, but {}",
            rule.id,
            unknown.join(", ")
        ))
    } else {
        Found::pass(format!("rule {} grants it", rule.id))
    };
    match concurrency {
        Some((number, max)) if number > u64::from(max) => found.against(number, max),
        Some(_) | None => found,
    }
}

fn in_calendar(case: &Case<'_, '_>, envelope: &Envelope, name: &CalendarId) -> Option<bool> {
    calendar::contains(envelope.calendars.get(name)?, case.now)
}
