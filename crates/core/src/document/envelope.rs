//! What must hold within an envelope, and its one form.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use crate::document::exceptions;
use crate::document::limits::{ENVELOPE_LIST_MAX, RATIONALE_CHARS_MAX, TITLE_CHARS_MAX};
use crate::document::lint;
use crate::document::read::{check_each, read};
use crate::document::text::{check_labels, check_length, check_schema, check_share, check_text};
use crate::document::tree::{Found, Node, Place};
use crate::envelope::{
    Authority, Autonomy, Breaker, Calendar, ClockTime, Envelope, HealthCheck, INTERVAL_SECONDS,
    Rollout, Rule, SCHEMA, TierRule, WINDOW_DAYS_MAX,
};
use crate::identifier::CalendarId;
use crate::operation::ANSWER_WITHIN;
use crate::span::Span;
use crate::topology::Tier;

/// How long ago a rollback was last rehearsed where a rule does not say (DESIGN §5, 4.6).
const DRILLED_WITHIN_DEFAULT: &str = "92d";

/// Looks for errors of form in every part.
pub(crate) fn check_parts(root: &Node<'_>, found: &mut Found) {
    if let Some(authority) = root.get("authority") {
        let _: Option<Authority> = read(authority, found);
    }
    for (group, check) in [
        ("tiers", check_part::<TierRule> as fn(&Node<'_>, &mut Found)),
        ("calendars", check_part::<Calendar>),
        ("checks", check_part::<HealthCheck>),
    ] {
        for field in root.get(group).map(Node::fields).unwrap_or_default() {
            check(&field.value, found);
        }
    }
    check_each::<Rule>(root.get("rules"), found);
}

fn check_part<T: serde::de::DeserializeOwned>(node: &Node<'_>, found: &mut Found) {
    let _: Option<T> = read(node, found);
}

/// Checks an envelope and brings it to its one form.
pub(crate) fn check(envelope: &mut Envelope, root: &Node<'_>, found: &mut Found) {
    check_schema(&envelope.schema, SCHEMA, root, found);
    check_text(
        &envelope.name,
        "name",
        TITLE_CHARS_MAX,
        root.place_of(&["name"]),
        found,
    );
    if let Some(description) = &envelope.description {
        check_text(
            description,
            "description",
            RATIONALE_CHARS_MAX,
            root.place_of(&["description"]),
            found,
        );
    }
    for (name, length) in [
        ("agents", envelope.agents.len()),
        ("calendars", envelope.calendars.len()),
        ("checks", envelope.checks.len()),
        ("rules", envelope.rules.len()),
    ] {
        check_length(
            length,
            name,
            ENVELOPE_LIST_MAX,
            root.place_of(&[name]),
            found,
        );
    }
    check_authority(&envelope.authority, root, found);
    for (tier, rule) in &envelope.tiers {
        check_tier(*tier, rule, root, found);
    }
    for (id, calendar) in &mut envelope.calendars {
        check_calendar(id, calendar, root, found);
    }
    exceptions::check(&envelope.calendars, root, found);
    for (id, check) in &envelope.checks {
        check_health_check(id.as_str(), check, root, found);
    }
    let rules = root.get("rules").map(Node::items).unwrap_or_default();
    let mut ids: BTreeMap<&str, Place> = BTreeMap::new();
    for (rule, node) in envelope.rules.iter().zip(rules) {
        let place = node.place_of(&["id"]);
        if let Some(first) = ids.get(rule.id.as_str()) {
            found.error(
                place,
                "duplicate-id",
                format!("`{}` is already the rule on line {}", rule.id, first.line),
                "give each rule a name of its own",
            );
        } else {
            ids.insert(rule.id.as_str(), place);
        }
        check_rule(rule, envelope, node, found);
    }
    for (rule, node) in envelope.rules.iter_mut().zip(rules) {
        normalise_rollout(&mut rule.rollout, node, found);
        if rule.rollback.within.is_some() && rule.rollback.drilled_within.is_none() {
            rule.rollback.drilled_within = DRILLED_WITHIN_DEFAULT.parse::<Span>().ok();
        }
    }
    if !found.refuses() {
        lint::envelope(envelope, root, found);
    }
}

fn check_authority(authority: &Authority, root: &Node<'_>, found: &mut Found) {
    if authority.quorum == 0 {
        zero_quorum(root.place_of(&["authority", "quorum"]), found);
    }
    let window = authority.expires.signed_duration_since(authority.effective);
    let place = root.place_of(&["authority", "expires"]);
    if window <= TimeDelta::zero() {
        found.error(
            place,
            "empty-window",
            "the envelope expires before it takes effect",
            "write an instant after `effective`",
        );
    } else if window > TimeDelta::days(WINDOW_DAYS_MAX) {
        found.error(
            place,
            "window-too-long",
            format!("the window is longer than {WINDOW_DAYS_MAX} days (AG-706 4.10)"),
            format!(
                "write at most `{}`",
                (authority.effective + TimeDelta::days(WINDOW_DAYS_MAX))
                    .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
            ),
        );
    }
}

fn zero_quorum(place: Place, found: &mut Found) {
    found.error(
        place,
        "zero-quorum",
        "a quorum of zero lets nobody's approval count as everybody's",
        "write at least 1",
    );
}

fn check_tier(tier: Tier, rule: &TierRule, root: &Node<'_>, found: &mut Found) {
    let place = |path: &[&str]| {
        let mut whole = vec!["tiers", tier.as_str()];
        whole.extend_from_slice(path);
        root.place_of(&whole)
    };
    if tier == Tier::SafetyCritical && rule.autonomy != Autonomy::Prohibited {
        found.error(
            place(&["autonomy"]),
            "safety-critical-autonomy",
            "safety-critical systems never know autonomy (AG-706 4.7)",
            "write `prohibited`",
        );
    }
    if rule.approval.quorum == 0 {
        zero_quorum(place(&["approval", "quorum"]), found);
    }
    if rule.approval.roles.is_empty() {
        found.error(
            place(&["approval", "roles"]),
            "quorum-without-roles",
            format!("nobody is named who may approve on `{tier}` systems"),
            "add at least one role",
        );
    }
}

fn check_calendar(id: &CalendarId, calendar: &mut Calendar, root: &Node<'_>, found: &mut Found) {
    let place = |path: &[&str]| {
        let mut whole = vec!["calendars", id.as_str()];
        whole.extend_from_slice(path);
        root.place_of(&whole)
    };
    if calendar.zone.parse::<chrono_tz::Tz>().is_err() {
        found.error(
            place(&["zone"]),
            "unknown-zone",
            format!(
                "`{}` is not a time zone of the IANA database",
                crate::document::tree::shortened(&calendar.zone)
            ),
            "write a zone such as `Europe/London`",
        );
    }
    let from = calendar.from.map_or(0, ClockTime::minute);
    let to = calendar.to.map_or(MINUTES_OF_DAY, ClockTime::minute);
    if from == MINUTES_OF_DAY {
        found.error(
            place(&["from"]),
            "empty-calendar",
            "the day is over at 24:00",
            "write `from: \"00:00\"`",
        );
    } else if from == to {
        found.error(
            place(&["to"]),
            "empty-calendar",
            "`from` and `to` are the same minute",
            "leave out both for the whole day, or correct one of them",
        );
    }
    if let Some(dates) = &calendar.dates
        && dates.from > dates.to
    {
        found.error(
            place(&["dates", "to"]),
            "dates-reversed",
            format!(
                "the dates end on {} before they begin on {}",
                dates.to, dates.from
            ),
            "exchange them",
        );
    }
    // What equals absence is absent, so that one calendar has one digest.
    if calendar
        .days
        .as_ref()
        .is_some_and(|days| matches!(days.len(), 0 | 7))
    {
        calendar.days = None;
    }
    if from == 0 {
        calendar.from = None;
    }
    if to == MINUTES_OF_DAY || (to == 0 && from > 0) {
        calendar.to = None;
    }
}

const MINUTES_OF_DAY: u16 = 24 * 60;

fn check_health_check(id: &str, check: &HealthCheck, root: &Node<'_>, found: &mut Found) {
    let place = |field: &str| root.place_of(&["checks", id, field]);
    match check {
        HealthCheck::Http { path, expect, .. } => {
            check_text(path, "path", TITLE_CHARS_MAX, place("path"), found);
            if !path.starts_with('/') {
                found.error(
                    place("path"),
                    "invalid-value",
                    "a path begins with `/`",
                    "write such as `/healthz`",
                );
            }
            if !(100..=599).contains(expect) {
                found.error(
                    place("expect"),
                    "invalid-value",
                    format!("{expect} is not an HTTP status"),
                    "write a status such as 200",
                );
            }
        }
        HealthCheck::Tcp { port, .. } | HealthCheck::Tls { port, .. } => {
            if *port == 0 {
                found.error(
                    place("port"),
                    "invalid-value",
                    "0 is not a port",
                    "write a port from 1 to 65535",
                );
            }
        }
        HealthCheck::Command { command, .. } => {
            check_length(
                command.len(),
                "command",
                ENVELOPE_LIST_MAX,
                place("command"),
                found,
            );
            match command.first() {
                Some(program) => {
                    check_text(program, "command", TITLE_CHARS_MAX, place("command"), found);
                }
                None => found.error(
                    place("command"),
                    "empty-list",
                    "the command is empty",
                    "write the program and its arguments",
                ),
            }
        }
        HealthCheck::Prometheus { query, .. } => {
            check_text(query, "query", RATIONALE_CHARS_MAX, place("query"), found);
        }
    }
}

fn check_rule(rule: &Rule, envelope: &Envelope, node: &Node<'_>, found: &mut Found) {
    for (path, is_empty, what) in [
        (&["actions"][..], rule.actions.is_empty(), "action kind"),
        (
            &["targets", "classes"],
            rule.targets.classes.is_empty(),
            "class",
        ),
        (&["targets", "tiers"], rule.targets.tiers.is_empty(), "tier"),
    ] {
        if is_empty {
            found.error(
                node.place_of(path),
                "empty-list",
                format!("rule `{}` grants no {what}", rule.id),
                format!("add a {what}, or remove the rule"),
            );
        }
    }
    if rule.targets.tiers.contains(&Tier::SafetyCritical) {
        found.error(
            node.place_of_member(&["targets", "tiers"], Tier::SafetyCritical.as_str()),
            "safety-critical-grant",
            format!(
                "rule `{}` grants safety-critical systems (AG-706 4.7)",
                rule.id
            ),
            "remove `safety-critical`",
        );
    }
    check_labels(
        &rule.targets.labels,
        node.get("targets").and_then(|t| t.get("labels")),
        found,
    );
    if let (Some(min), Some(max)) = (rule.severity.min, rule.severity.max)
        && min > max
    {
        found.error(
            node.place_of(&["severity", "min"]),
            "severity-reversed",
            format!(
                "the lowest severity `{}` is above the highest, `{}`",
                min.as_str(),
                max.as_str()
            ),
            "exchange them",
        );
    }
    for (list, ids) in [
        ("outside", &rule.conditions.outside),
        ("inside", &rule.conditions.inside),
    ] {
        for id in ids {
            if !envelope.calendars.contains_key(id) {
                found.error(
                    node.place_of_member(&["conditions", list], id.as_str()),
                    "dangling-reference",
                    format!("there is no calendar `{id}`"),
                    "correct the name, or add it under `calendars`",
                );
            }
        }
    }
    for (list, ids) in [
        ("health", &rule.rollout.health),
        ("dependents", &rule.rollout.dependents),
        ("alerts", &rule.rollout.alerts),
    ] {
        for id in ids {
            let place = || node.place_of_member(&["rollout", list], id.as_str());
            match envelope.checks.get(id) {
                None => found.error(
                    place(),
                    "dangling-reference",
                    format!("there is no check `{id}`"),
                    "correct the name, or add it under `checks`",
                ),
                Some(check) if list == "alerts" && !check.is_about_the_whole() => found.error(
                    place(),
                    "alert-of-one-system",
                    format!("the check `{id}` asks about one system, an alert about the whole"),
                    "name a check of kind `prometheus` whose query is without `$system`",
                ),
                Some(_) => {}
            }
        }
    }
    if let Some(limit) = &rule.conditions.concurrent_operations
        && limit.max == 0
    {
        found.error(
            node.place_of(&["conditions", "concurrent_operations", "max"]),
            "zero",
            "no operation at all may be under way, this one included",
            "write at least 1",
        );
    }
    if let Some(budget) = &rule.conditions.error_budget {
        check_share(
            budget.min_remaining,
            "min_remaining",
            node.place_of(&["conditions", "error_budget", "min_remaining"]),
            found,
        );
    }
    check_length(
        rule.rollout.waves.len(),
        "waves",
        ENVELOPE_LIST_MAX,
        node.place_of(&["rollout", "waves"]),
        found,
    );
}

/// A canary of 0 is none. A concurrency of 0 and 0 attempts are refused: read as absent they would
/// mean "all at once" and "one", the opposite of what they say.
fn normalise_rollout(rollout: &mut Rollout, node: &Node<'_>, found: &mut Found) {
    if rollout.canary == Some(0) {
        rollout.canary = None;
    }
    if rollout.concurrency == Some(0) {
        found.error(
            node.place_of(&["rollout", "concurrency"]),
            "zero",
            "with a concurrency of 0 nothing would ever be worked on",
            "write at least 1, or leave it out for all at once",
        );
    }
    if rollout.successes == Some(0) {
        found.error(
            node.place_of(&["rollout", "successes"]),
            "zero",
            "after no look at all nobody knows whether a system is healthy",
            "write at least 1",
        );
    }
    if rollout.successes == Some(1) {
        rollout.successes = None;
    }
    if rollout.interval.map(Span::seconds) == Some(INTERVAL_SECONDS) {
        rollout.interval = None;
    }
    let answered = rollout
        .answer_within
        .map_or(ANSWER_WITHIN, Span::duration)
        .num_seconds();
    if u64::try_from(answered).is_ok_and(|answered| rollout.longest_look_seconds() >= answered) {
        found.error(
            node.place_of(&["rollout"]),
            "never-answered",
            format!(
                "looking at one system takes up to {} s, and an answer is awaited for {answered} s only",
                rollout.longest_look_seconds()
            ),
            "shorten `settle`, `successes` or `interval`, or lengthen `answer_within`",
        );
    }
    let Some(breaker) = &mut rollout.breaker else {
        return;
    };
    if breaker.attempts_per_system == Some(0) {
        found.error(
            node.place_of(&["rollout", "breaker", "attempts_per_system"]),
            "zero",
            "with 0 attempts nothing would ever be worked on",
            "write at least 1",
        );
    }
    if breaker.failures_percent.is_some_and(|percent| percent > 99) {
        found.error(
            node.place_of(&["rollout", "breaker", "failures_percent"]),
            "percent",
            "a breaker that bears every system of a wave never trips",
            "write a number from 0 to 99",
        );
    }
    if *breaker == Breaker::default() {
        rollout.breaker = None;
    } else {
        if breaker.failures_percent.is_none() {
            breaker.failures.get_or_insert(0);
        }
        breaker.attempts_per_system.get_or_insert(1);
    }
}
