//! A dry run as text, for a person at a terminal at night: the worst first, numbers with their units.

use std::fmt::Write as _;

use countersign_core::assessment::{Assessment, ImpactState};
use countersign_core::briefing::{HonestyGrade, Plan};
use countersign_core::impact::Passes;
use countersign_core::impact::dry_run::{
    CredentialUser, CredentialUsers, Cut, CutDependency, DryRun, ExpectedDuration, GroupMargin,
    Lasting, Share, Suffering,
};
use countersign_core::proposal::FirewallDirection;

use crate::output::plain;

/// Members of one list that are told; of more, the number is told. `--json` lists them all.
const LISTED_MAX: usize = 20;

/// The whole text.
pub(super) fn text(
    title: &str,
    assessment: &Assessment,
    rule: Option<&str>,
    dry_run: &DryRun,
) -> String {
    let mut text = String::new();
    let _ = write(&mut text, title, assessment, rule, dry_run);
    text
}

fn write(
    text: &mut String,
    title: &str,
    assessment: &Assessment,
    rule: Option<&str>,
    dry_run: &DryRun,
) -> std::fmt::Result {
    writeln!(text, "DRY RUN: {}", plain(title))?;
    writeln!(
        text,
        "  modelled from the topology alone; nothing was touched"
    )?;
    if let Some(refusal) = &assessment.refusal {
        writeln!(text, "  it would be refused: {}", plain(refusal))?;
    }
    let until = match dry_run.lasting {
        Lasting::WhileWorkedOn => "each while it is worked on",
        Lasting::UntilUndone => "until it is undone",
    };
    writeln!(
        text,
        "  {}{}",
        suffering(&dry_run.total),
        if dry_run.total.down > 0 {
            format!(", {until}")
        } else {
            String::new()
        }
    )?;
    let scope = &assessment.scope;
    writeln!(
        text,
        "  scope: {}, {}; the highest tier is {}",
        count(scope.systems, "system"),
        count(scope.services, "service"),
        scope.tier
    )?;
    shares(text, "By tier", &dry_run.by_tier, ToString::to_string)?;
    shares(text, "By service", &dry_run.by_service, |service| {
        or_words(service.as_ref(), "no service")
    })?;
    shares(text, "By site", &dry_run.by_site, |site| {
        or_words(site.as_ref(), "no known site")
    })?;
    impact(text, dry_run)?;
    groups(text, &dry_run.groups)?;
    if let Some(users) = &dry_run.credential {
        credential(text, users)?;
    }
    if let Some(cut) = &dry_run.cut {
        cut_words(text, cut)?;
    }
    duration(text, &dry_run.duration, rule)?;
    plan(text, &dry_run.plan)
}

fn or_words<T: ToString>(value: Option<&T>, words: &str) -> String {
    value.map_or_else(|| words.to_owned(), ToString::to_string)
}

/// `1 system`, `2 systems`.
fn count(number: u64, one: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {one}{plural}")
}

fn suffering(suffering: &Suffering) -> String {
    match (suffering.down, suffering.degraded) {
        (0, 0) => "nothing goes down or is degraded".to_owned(),
        (down, 0) => format!("{down} down"),
        (0, degraded) => format!("{degraded} degraded"),
        (down, degraded) => format!("{down} down, {degraded} degraded"),
    }
}

/// A list under a heading, cut where it is long.
fn listed(
    text: &mut String,
    heading: &str,
    lines: impl ExactSizeIterator<Item = String>,
) -> std::fmt::Result {
    let number = lines.len();
    if number == 0 {
        return Ok(());
    }
    writeln!(text, "\n{heading}:")?;
    for line in lines.take(LISTED_MAX) {
        writeln!(text, "  {}", plain(&line))?;
    }
    match number.checked_sub(LISTED_MAX) {
        Some(more) if more > 0 => writeln!(text, "  {more} more; `--json` lists them all"),
        Some(_) | None => Ok(()),
    }
}

fn shares<K>(
    text: &mut String,
    heading: &str,
    shares: &[Share<K>],
    name: impl Fn(&K) -> String,
) -> std::fmt::Result {
    let lines = shares
        .iter()
        .map(|share| format!("{}: {}", name(&share.of), suffering(&share.suffering)));
    listed(text, heading, lines)
}

fn impact(text: &mut String, dry_run: &DryRun) -> std::fmt::Result {
    let lines = dry_run.impact.iter().map(|entry| {
        let state = match entry.state {
            ImpactState::Down => "down",
            ImpactState::Degraded => "degraded",
        };
        format!("{state:<8}  {}: {}", entry.id, entry.because)
    });
    listed(text, "Who suffers, and why", lines)
}

fn groups(text: &mut String, groups: &[GroupMargin]) -> std::fmt::Result {
    let lines = groups.iter().map(|group| {
        let mut line = format!(
            "{} {}: {} of {} stay up at the worst moment, {} must",
            if group.holds { "holds " } else { "BREAKS" },
            group.group,
            group.left,
            group.members,
            group.min_healthy
        );
        let mut parts = vec![format!("{} at once", group.at_once)];
        if group.lost > 0 {
            parts.push(format!("{} besides", group.lost));
        }
        match group.in_flight {
            None => parts.push("nobody knows what is in flight".to_owned()),
            Some(0) => {}
            Some(others) => parts.push(format!("{others} in flight")),
        }
        line.push_str(&format!(" ({})", parts.join(", ")));
        if let Some(at) = &group.breaks_at {
            line.push_str(&format!(
                "; {} breaks it, system {} of the rollout, in wave {}",
                at.system, at.position, at.wave
            ));
        }
        if !group.holds && group.holds_by_waves {
            line.push_str("; it would hold if each wave found those before it up again");
        }
        line
    });
    listed(text, "Redundancy groups", lines)
}

fn credential(text: &mut String, users: &CredentialUsers) -> std::fmt::Result {
    writeln!(
        text,
        "\nCredential {}: {} given the new one, {} not",
        plain(users.credential.as_str()),
        users.covered.len(),
        users.uncovered.len()
    )?;
    let line =
        |user: &CredentialUser| format!("{} on {} ({})", user.id, user.on, user.strength.as_str());
    listed(text, "Left behind", users.uncovered.iter().map(line))?;
    listed(text, "Given the new one", users.covered.iter().map(line))?;
    listed(
        text,
        "Given it without being known to use it",
        users.needless.iter().map(ToString::to_string),
    )?;
    listed(
        text,
        "Nobody can say who uses it on",
        users.unnamed.iter().cloned(),
    )
}

fn dependency(dependency: &CutDependency) -> String {
    format!(
        "{} needs {} ({}, {})",
        dependency.from,
        dependency.to,
        dependency.kind.as_str(),
        dependency.strength.as_str()
    )
}

fn cut_words(text: &mut String, cut: &Cut) -> std::fmt::Result {
    let direction = match cut.direction {
        FirewallDirection::Both => "in both directions",
        FirewallDirection::OneWay => "one way",
    };
    let traffic = or_words(cut.service.as_ref(), "all traffic");
    let broken = count(cut.broken.len() as u64, "known need");
    writeln!(
        text,
        "\nCut: {} {direction}; {broken} across it",
        plain(&traffic)
    )?;
    listed(text, "Cut off", cut.broken.iter().map(dependency))?;
    let spared = cut.spared.iter().map(|spared| {
        let why = match spared.because {
            Passes::OtherService => "another port",
            Passes::OtherDirection => "opened from the other side",
        };
        format!("{}: {why}", dependency(&spared.dependency))
    });
    listed(text, "Left alone", spared)
}

/// Seconds as people say them.
fn seconds(seconds: u64) -> String {
    match seconds {
        0 => "0 s".to_owned(),
        s if s.is_multiple_of(3_600) => format!("{} h", s / 3_600),
        s if s.is_multiple_of(60) => format!("{} min", s / 60),
        s if s > 60 => format!("{} min {} s", s / 60, s % 60),
        s => format!("{s} s"),
    }
}

fn duration(
    text: &mut String,
    duration: &ExpectedDuration,
    rule: Option<&str>,
) -> std::fmt::Result {
    let rule = rule.map_or_else(
        || "no rule grants it, so one at a time".to_owned(),
        |rule| format!("rule {rule}"),
    );
    let at_once = duration
        .concurrency
        .map_or_else(|| "a whole wave".to_owned(), |limit| limit.to_string());
    writeln!(
        text,
        "\nDuration ({}; {}, {at_once} at once): {}",
        plain(&rule),
        count(duration.waves, "wave"),
        match (duration.total_s, duration.work_s) {
            (Some(total), Some(work)) => format!(
                "{} expected, {} of work and {} between waves",
                seconds(total),
                seconds(work),
                seconds(duration.soak_s)
            ),
            (Some(_), None) | (None, _) => format!(
                "unknown, since no document says how long one system takes (`per_system`); {} of it between waves",
                seconds(duration.soak_s)
            ),
        }
    )
}

fn plan(text: &mut String, plan: &Plan) -> std::fmt::Result {
    let believed = match plan.grade {
        HonestyGrade::Enforced => "enforced: its executor could not write while it planned",
        HonestyGrade::Declared => "declared: its executor says that it wrote nothing",
        HonestyGrade::Modelled => "modelled: from the topology alone, as everything above",
        HonestyGrade::None => "none: no executor has looked at the systems",
    };
    writeln!(text, "\nPlan: {believed}")?;
    if let Some(executor) = &plan.executor {
        writeln!(text, "  by {}", plain(executor))?;
    }
    listed(text, "Steps", plan.steps.iter().cloned())
}
