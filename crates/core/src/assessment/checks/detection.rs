//! 4.11: the detection is a registered one, fresh, rarely false, and others saw it too.

use chrono::Duration;

use super::super::case::{Case, Found, age, count, utc};
use super::corroboration::independent_sources;
use crate::history::RegisteredDetection;

/// Begins the list of what a detection is often mistaken for.
pub(in crate::assessment) const BENIGN: &str = "; often benign: ";

/// Outcomes below which a false-positive rate says nothing.
const OUTCOMES_MIN: u64 = 20;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(detections) = case.history.and_then(|history| history.detections.as_ref()) else {
        return Found::unknown("nobody can say whether this detection rule is registered");
    };
    let detection = &case.proposal.detection;
    let Some(registered) = case.registered() else {
        let elsewhere = detections
            .iter()
            .any(|d| d.rule == detection.rule && d.source == detection.source);
        return Found::fail(if elsewhere {
            format!(
                "detection rule {} of {} is not registered for agent {}",
                detection.rule, detection.source, case.proposal.agent
            )
        } else {
            format!(
                "detection rule {} of {} is not registered",
                detection.rule, detection.source
            )
        });
    };
    let mut found = evaluate(case, registered);
    if !registered.benign_patterns.is_empty() {
        let patterns: Vec<String> = registered
            .benign_patterns
            .iter()
            .map(|pattern| format!("\"{pattern}\""))
            .collect();
        found.append(&format!("{BENIGN}{}", patterns.join(", ")));
    }
    found
}

fn evaluate(case: &Case<'_, '_>, registered: &RegisteredDetection) -> Found {
    let detected_at = case.proposal.detection.detected_at;
    if detected_at > case.now {
        return Found::fail(format!(
            "the detection is from the future ({})",
            utc(detected_at)
        ))
        .measured(utc(detected_at));
    }
    let conditions = case.rule.map(|rule| &rule.conditions);
    let mut unknown = None;
    if let Some(wanted) = conditions.and_then(|conditions| conditions.corroboration.as_ref()) {
        let within: Duration = wanted.within.duration();
        let since = case.now - detected_at;
        if since > within {
            return Found::fail(format!(
                "detected {} ago; corroboration is asked for within {}",
                age(since),
                wanted.within
            ))
            .against(age(since), wanted.within);
        }
        match independent_sources(case, registered, within) {
            None => unknown = Some(Found::unknown("nobody can say which signals were verified")),
            Some((system, sources)) if sources < u64::from(wanted.independent_sources) => {
                return Found::fail(format!(
                    "{} about {system}; {} wanted within {} of the detection",
                    count(sources, "independent source"),
                    wanted.independent_sources,
                    wanted.within
                ))
                .against(sources, wanted.independent_sources);
            }
            Some(_) => {}
        }
    }
    if let Some(limit) = conditions.and_then(|conditions| conditions.false_positive_rate.as_ref()) {
        let rate = format!("{} of {}", registered.false_positives, registered.assessed);
        if registered.assessed < OUTCOMES_MIN {
            return Found::unknown(format!(
                "{} recorded; at least {OUTCOMES_MIN} are needed for a false-positive rate",
                count(registered.assessed, "outcome")
            ))
            .against(registered.assessed, OUTCOMES_MIN);
        }
        if !limit
            .max
            .admits(registered.false_positives, registered.assessed)
        {
            return Found::fail(format!(
                "{rate} detections were false; the limit is a share of {}",
                limit.max
            ))
            .against(rate, limit.max);
        }
    }
    unknown.unwrap_or_else(|| {
        Found::pass(format!(
            "{} is registered for {}",
            registered.rule, registered.source
        ))
    })
}
