//! Test 8.1: the envelope exists, is complete, in force and authorised (4.1, 4.10).

use super::TrialOutcome::{Fails, Holds, NotShown, Weak};
use super::log::Read;
use super::{Inputs, Trial, Trying, trial};
use crate::canonical;
use crate::document;
use crate::envelope::{Autonomy, Envelope, WINDOW_DAYS_MAX};
use crate::identifier::Digest;
use crate::topology::Tier;

pub(super) fn check(inputs: &Inputs<'_>, digest: Digest, folders: &[Read]) -> Vec<Trial> {
    let envelope = inputs.envelope;
    let mut trials = vec![schema(envelope)];
    trials.extend(elements(envelope));
    trials.push(approvals(envelope));
    trials.push(window(inputs));
    trials.push(authorised(inputs, digest, folders));
    trials
}

/// The document is read again in its canonical form, with everything that a reader demands.
fn schema(envelope: &Envelope) -> Trial {
    let what = "the envelope is a valid document of its schema";
    let read = canonical::to_bytes(envelope)
        .map_err(|error| error.to_string())
        .and_then(|bytes| document::envelope(bytes).map_err(|error| error.to_string()));
    match read {
        Ok(read) if read.warnings.is_empty() => trial(what, Holds, "no error and no warning"),
        Ok(read) => {
            let first = read.warnings.first().map_or("", |w| w.message.as_str());
            trial(
                what,
                Weak,
                format!(
                    "{} warnings, the first: {first}; lint the document",
                    read.warnings.len()
                ),
            )
        }
        Err(error) => trial(what, Fails, error),
    }
}

/// «action types, target system classes, severity thresholds, and environmental conditions» (4.1).
fn elements(envelope: &Envelope) -> Vec<Trial> {
    let mut actions = Trying::new("every rule names action types and target classes (4.1)");
    let mut severity = Trying::new("every rule has a severity threshold (4.1)");
    let mut conditions = Trying::new("every rule has environmental conditions (4.1)");
    for rule in &envelope.rules {
        let id = &rule.id;
        actions.one(
            (rule.actions.is_empty()
                || rule.targets.classes.is_empty()
                || rule.targets.tiers.is_empty())
            .then(|| format!("rule {id} leaves actions, classes or tiers open")),
        );
        severity.one(
            rule.severity
                .is_empty()
                .then(|| format!("rule {id} runs at any severity; give it `severity`")),
        );
        conditions.one(
            rule.conditions
                .is_empty()
                .then(|| format!("rule {id} runs under any conditions; give it `conditions`")),
        );
    }
    vec![
        trial(
            "it names the agents that it speaks of (4.1)",
            if envelope.agents.is_empty() {
                Fails
            } else {
                Holds
            },
            format!("{} agents", envelope.agents.len()),
        ),
        trial(
            "it has rules (4.1)",
            if envelope.rules.is_empty() {
                Weak
            } else {
                Holds
            },
            format!(
                "{} rules; everything else needs a person",
                envelope.rules.len()
            ),
        ),
        actions.end(Fails, "each does"),
        severity.end(Weak, "each has"),
        conditions.end(Weak, "each has"),
    ]
}

fn approvals(envelope: &Envelope) -> Trial {
    let mut tiers = Trying::new(
        "each criticality tier says who approves, and safety-critical knows no autonomy (4.1, 4.7)",
    );
    for tier in [
        Tier::SafetyCritical,
        Tier::ProductionCritical,
        Tier::NonCritical,
    ] {
        tiers.one(match envelope.tiers.get(&tier) {
            None => Some(format!("nothing is said of {tier}")),
            Some(rule) if rule.approval.quorum == 0 => Some(format!("{tier} has a quorum of zero")),
            Some(rule) if tier == Tier::SafetyCritical && rule.autonomy == Autonomy::Bounded => {
                Some(format!("{tier} has autonomy"))
            }
            Some(_) => None,
        });
    }
    tiers.end(Fails, "each does")
}

fn window(inputs: &Inputs<'_>) -> Trial {
    let authority = &inputs.envelope.authority;
    let what =
        format!("its authority window is at most {WINDOW_DAYS_MAX} days and open now (4.10)");
    let days = (authority.expires - authority.effective).num_days();
    let seen = format!(
        "{days} days, {} to {}, now {}",
        authority.effective, authority.expires, inputs.now
    );
    let open = authority.effective <= inputs.now && inputs.now < authority.expires;
    let short = authority.expires - authority.effective <= chrono::Duration::days(WINDOW_DAYS_MAX);
    trial(what, if open && short { Holds } else { Fails }, seen)
}

fn authorised(inputs: &Inputs<'_>, digest: Digest, folders: &[Read]) -> Trial {
    let authority = &inputs.envelope.authority;
    let what = format!(
        "a quorum of {} of the {} authorised it (4.10)",
        authority.quorum, authority.board
    );
    if authority.quorum == 0 {
        return trial(what, Fails, "a quorum of zero authorises nothing");
    }
    if let Some(folder) = folders
        .iter()
        .find(|folder| folder.authorised.contains(&digest))
    {
        let seen = format!(
            "signed decisions in {} put this digest in force",
            folder.name
        );
        return trial(what, Holds, seen);
    }
    match inputs
        .history
        .and_then(|history| history.envelope_authorised)
    {
        Some(false) => trial(what, Fails, "the history says that it is not authorised"),
        Some(true) => trial(
            what,
            Weak,
            "the history says so; an evidence folder of the envelope would prove it",
        ),
        None => trial(
            what,
            NotShown,
            "neither history nor evidence speaks of its authorisation",
        ),
    }
}
