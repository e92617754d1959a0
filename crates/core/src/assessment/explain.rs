//! An assessment in one paragraph, for a person who was asleep a minute ago.

use std::collections::BTreeSet;

use super::checks::{BENIGN, NEAR};
use super::{Assessment, Clause, Finding, ImpactState, Outcome, QuorumRule, Verdict, blocking};
use crate::history::History;
use crate::identifier::is_invisible;
use crate::proposal::{Action, Proposal};
use crate::scope::{self, Graph};

/// Longest text of an agent's that is quoted, in characters.
const QUOTED_CHARS_MAX: usize = 60;

/// Longest finding that is told whole, in characters.
const FINDING_CHARS_MAX: usize = 300;

/// Names listed of targets and of benign patterns; of more, the number is told.
const LISTED_MAX: usize = 3;

/// What would happen, why it waits, what it may be mistaken for, which limits are near and who
/// decides: one paragraph of plain words, the same for the same arguments.
///
/// It mentions every finding that blocks, by its sentence and its clause, the gravest first. Text
/// that comes from an agent or a document is quoted, cut, and without characters that move a cursor
/// or hide.
///
/// Source: AG-706 4.2 (the risk assessment upon which an approval is based), 4.11 and 4.12.
#[must_use]
pub fn explain(
    assessment: &Assessment,
    graph: &Graph,
    proposal: &Proposal,
    history: Option<&History>,
) -> String {
    let mut sentences = vec![
        format!(
            "Agent {} wants to {}.",
            quoted(proposal.agent.as_str()),
            action(&proposal.action, &targets(graph, proposal))
        ),
        reach(assessment),
    ];
    sentences.extend(verdict(assessment));
    sentences.extend(benign(proposal, history));
    sentences.extend(near(assessment));
    sentences.extend(assessment.quorum.as_ref().map(quorum));
    sentences.join(" ")
}

fn action(action: &Action, on: &str) -> String {
    match action {
        Action::Patch(p) => format!(
            "patch {} to {} on {on}",
            quoted(&p.package),
            quoted(&p.to_version)
        ),
        Action::ConfigChange(p) => format!("change the file {} on {on}", quoted(&p.path)),
        Action::ServiceRestart(p) => format!("restart {} on {on}", quoted(&p.service)),
        Action::ProcessKill(p) => format!("kill the process {} on {on}", quoted(&p.process)),
        Action::FirewallRule(p) => {
            let what = if p.service == "any" {
                "all traffic".to_owned()
            } else {
                quoted(&p.service)
            };
            if p.is_one_way() {
                format!("block {what} from {} to {} ({on})", p.from, p.to)
            } else {
                format!("block {what} between {} and {} ({on})", p.from, p.to)
            }
        }
        Action::NetworkIsolate => format!("cut {on} off from every other network"),
        Action::HostIsolate => format!("cut {on} off from everything"),
        Action::CredentialRotate(p) => format!(
            "change the credential {} of {on}",
            quoted(p.credential.as_str())
        ),
        Action::AccountDisable(p) => {
            format!("disable the account {} of {on}", quoted(p.account.as_str()))
        }
        Action::AclChange(p) => format!(
            "change what {} may do with {} on {on} ({})",
            quoted(p.principal.as_str()),
            quoted(&p.resource),
            quoted(&p.change)
        ),
        Action::FileQuarantine(p) => {
            format!("take the file {} out of use on {on}", quoted(&p.path))
        }
    }
}

/// The targets by name, or their number.
fn targets(graph: &Graph, proposal: &Proposal) -> String {
    let resolved = scope::resolve(graph, &proposal.targets);
    let names: Vec<String> = resolved
        .systems
        .iter()
        .chain(&resolved.unknown)
        .map(|id| quoted(id.as_str()))
        .collect();
    match names.len() {
        0 => "no system".to_owned(),
        1..=LISTED_MAX => all_of(&names, "and"),
        number => format!("{number} systems"),
    }
}

fn reach(assessment: &Assessment) -> String {
    let scope = &assessment.scope;
    let of = |state| {
        let entries = assessment.impact.iter();
        entries.filter(|entry| entry.state == state).count() as u64
    };
    let suffers = match (of(ImpactState::Down), of(ImpactState::Degraded)) {
        (0, 0) => "nothing goes down".to_owned(),
        (down, 0) => format!("{down} would go down"),
        (0, worse) => format!("{worse} would work worse"),
        (down, worse) => format!("{down} would go down, {worse} would work worse"),
    };
    let mut reached = vec![number(scope.systems, "system")];
    if scope.services > 0 {
        reached.push(number(scope.services, "service"));
    }
    if scope.segments > 0 {
        reached.push(number(scope.segments, "network segment"));
    }
    format!(
        "It reaches {}, at most {}; {suffers}.",
        all_of(&reached, "and"),
        scope.tier
    )
}

/// What may happen, and each finding that blocks.
fn verdict(assessment: &Assessment) -> Vec<String> {
    let rule = assessment.rule.as_ref();
    let reasons = reasons(assessment);
    match assessment.verdict {
        Verdict::Autonomous => vec![match rule {
            Some(rule) => format!(
                "It runs without asking: rule {} allows it and every check holds.",
                quoted(rule.as_str())
            ),
            None => "It runs without asking: every check holds.".to_owned(),
        }],
        Verdict::NeedsApproval => vec![format!("It waits because {reasons}.")],
        Verdict::Refused => {
            let refusal = assessment.refusal.as_deref().unwrap_or("it cannot be done");
            let mut told = vec![format!("It is void: {}.", plain(refusal))];
            if !reasons.is_empty() {
                told.push(format!("It would have waited besides, because {reasons}."));
            }
            told
        }
    }
}

/// The findings that block, the gravest first; what only lacks a rule is told as one.
fn reasons(assessment: &Assessment) -> String {
    let mut findings: Vec<&Finding> = blocking(&assessment.findings).collect();
    findings.sort_by_key(|finding| (finding.outcome != Outcome::Fail, gravity(finding.clause)));
    let (without_rule, findings): (Vec<&Finding>, Vec<&Finding>) = findings
        .into_iter()
        .partition(|finding| assessment.rule.is_none() && rests_on_rule(finding));
    let mut reasons: Vec<String> = findings
        .into_iter()
        .map(|finding| {
            let told = match finding.message.split_once(BENIGN) {
                Some((told, _)) if finding.clause == Clause::C4_11 => told,
                Some(_) | None => &finding.message,
            };
            format!("{} ({})", plain(told), finding.clause.as_str())
        })
        .collect();
    if !without_rule.is_empty() {
        let clauses: BTreeSet<Clause> = without_rule.iter().map(|found| found.clause).collect();
        let clauses: Vec<&str> = clauses.into_iter().map(Clause::as_str).collect();
        reasons.push(format!(
            "without a rule nobody declared how it is watched, undone or staged ({})",
            clauses.join(", ")
        ));
    }
    reasons.join("; ")
}

/// Whether a finding says no more than that no rule declares what it looks for.
const fn rests_on_rule(finding: &Finding) -> bool {
    matches!(
        (finding.clause, finding.outcome),
        (
            Clause::C4_4 | Clause::C4_6 | Clause::C4_9,
            Outcome::NotEvaluable
        )
    )
}

/// The order in which findings are told: what can hurt people, then what breaks others, then who
/// allowed it, then how far it goes, then how it is done.
const fn gravity(clause: Clause) -> u8 {
    match clause {
        Clause::C4_7 => 0,
        Clause::C4_3 => 1,
        Clause::C4_10 => 2,
        Clause::C4_1 => 3,
        Clause::C4_11 => 4,
        Clause::C4_5 => 5,
        Clause::C4_6 => 6,
        Clause::C4_4 => 7,
        Clause::C4_9 => 8,
        Clause::C4_2 => 9,
        Clause::C4_8 => 10,
        Clause::C4_12 => 11,
    }
}

/// What the detection is often mistaken for, whichever agent acts on it.
fn benign(proposal: &Proposal, history: Option<&History>) -> Option<String> {
    let detection = &proposal.detection;
    let patterns: Vec<String> = history?
        .detections
        .as_ref()?
        .iter()
        .filter(|known| known.rule == detection.rule && known.source == detection.source)
        .flat_map(|known| &known.benign_patterns)
        .map(|pattern| quoted(pattern))
        .collect();
    let more = patterns.len().saturating_sub(LISTED_MAX);
    let mut listed: Vec<String> = patterns.into_iter().take(LISTED_MAX).collect();
    if more > 0 {
        listed.push(format!("{more} more"));
    }
    (!listed.is_empty()).then(|| {
        format!(
            "What was detected is often harmless: {}.",
            all_of(&listed, "and")
        )
    })
}

fn near(assessment: &Assessment) -> Option<String> {
    let finding = assessment
        .findings
        .iter()
        .find(|finding| finding.clause == Clause::C4_12)?;
    let (_, rest) = finding.message.split_once(NEAR)?;
    let limits = rest.split_once(';').map_or(rest, |(limits, _)| limits);
    Some(format!("Close to a limit: {}.", plain(limits)))
}

fn quorum(quorum: &QuorumRule) -> String {
    let roles: Vec<String> = quorum
        .roles
        .iter()
        .map(|role| quoted(role.as_str()))
        .collect();
    let people = match quorum.needed {
        1 => "One person decides".to_owned(),
        needed => format!("{needed} people decide"),
    };
    let every_role = roles.len() > 1 && u64::from(quorum.needed) >= roles.len() as u64;
    match (roles.as_slice(), every_role) {
        ([], _) => format!("{people}, of any role."),
        (roles, true) => format!("{people}, at least one of each: {}.", all_of(roles, "and")),
        (roles, false) if quorum.needed == 1 => format!("{people}: {}.", all_of(roles, "or")),
        (roles, false) => format!("{people}, each {}.", all_of(roles, "or")),
    }
}

fn number(number: u64, one: &str) -> String {
    if number == 1 {
        format!("1 {one}")
    } else {
        format!("{number} {one}s")
    }
}

/// `a`, `a and b`, `a, b and c`.
fn all_of(items: &[String], and: &str) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

/// Somebody else's words, so that they cannot pose as ours.
fn quoted(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(QUOTED_CHARS_MAX)
        .map(|c| match c {
            '“' | '”' => '"',
            c => visible(c),
        })
        .collect();
    if text.chars().count() > QUOTED_CHARS_MAX {
        shown.push('…');
    }
    format!("“{shown}”")
}

/// A finding's sentence, cut.
fn plain(text: &str) -> String {
    let mut shown: String = text.chars().take(FINDING_CHARS_MAX).map(visible).collect();
    if text.chars().count() > FINDING_CHARS_MAX {
        shown.push('…');
    }
    shown
}

fn visible(c: char) -> char {
    if c.is_control() || is_invisible(c) {
        '\u{fffd}'
    } else {
        c
    }
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
