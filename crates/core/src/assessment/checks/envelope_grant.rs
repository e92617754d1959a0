//! 4.1: one rule grants the agent, the action and every target, and its own bounds hold.

use super::super::calendar;
use super::super::case::{Case, Found, count, some};
use super::super::rules::grants_system;
use super::conditions;
use crate::assessment::Outcome;
use crate::envelope::{Envelope, Rule};
use crate::identifier::CalendarId;
use crate::topology::System;

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
                    " ({} is {}, {}{})",
                    system.id,
                    system.class,
                    system.effective_tier(),
                    place(rule, system)
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

/// Site and exposure, where the rule asks for them.
fn place(rule: &Rule, system: &System) -> String {
    let mut text = String::new();
    if !rule.targets.sites.is_empty() {
        match &system.site {
            Some(site) => text.push_str(&format!(", at {site}")),
            None => text.push_str(", at a site that nobody knows"),
        }
    }
    if !rule.targets.exposure.is_empty() {
        match system.exposure {
            Some(exposure) => text.push_str(&format!(", {exposure}")),
            None => text.push_str(", of an exposure that nobody knows"),
        }
    }
    text
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
    let mut against = None;
    if let Some(limit) = &rule.conditions.concurrent_operations {
        match case.history.and_then(|history| history.in_flight.as_ref()) {
            None => unknown.push("nobody can say how many operations are under way".to_owned()),
            Some(in_flight) => {
                let number = (in_flight.len() as u64).saturating_add(1);
                if number > u64::from(limit.max) {
                    against = Some((number.to_string(), limit.max.to_string()));
                    failed.push(format!(
                        "{}; the limit is {}",
                        count(number, "operation"),
                        limit.max
                    ));
                }
            }
        }
    }
    let measured_elsewhere = [
        rule.conditions
            .error_budget
            .as_ref()
            .and_then(|wanted| conditions::error_budget(case, wanted)),
        rule.conditions
            .validated_in_staging
            .as_ref()
            .and_then(|wanted| conditions::validated_in_staging(case, wanted)),
    ];
    for miss in measured_elsewhere.into_iter().flatten() {
        against = against.or(miss.against);
        match miss.outcome {
            Outcome::Fail => failed.push(miss.message),
            Outcome::NotEvaluable => unknown.push(miss.message),
            Outcome::Pass => {}
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
    match against {
        Some((measured, limit)) => found.against(measured, limit),
        None => found,
    }
}

fn in_calendar(case: &Case<'_, '_>, envelope: &Envelope, name: &CalendarId) -> Option<bool> {
    calendar::contains(&envelope.calendars, name, case.now)
}
