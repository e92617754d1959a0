//! Decisions that authorise an envelope: its documents, their difference, the board's quorum.

use std::collections::{BTreeMap, BTreeSet};

use super::report::Report;
use super::signatures::Recorded;
use super::verify::Case;
use crate::canonical;
use crate::decision::{EnvelopeSubjects, Quorum, VerifiedDecision, envelope_rule};
use crate::envelope::Envelope;
use crate::identifier::Digest;
use crate::log::body::EnvelopeAuthorised;
use crate::statement::{DecisionKind, SubjectName};

/// Checks every envelope that the folder's decisions authorise, and that the log says came into force.
pub(super) fn check(case: &Case<'_>, report: &mut Report) {
    // The one before is part of the key: who must sign depends on it.
    let mut decisions: BTreeMap<(Option<Digest>, Option<Digest>), Vec<Recorded>> = BTreeMap::new();
    for recorded in case.of_kind(DecisionKind::AuthoriseEnvelope) {
        let statement = recorded.decision.statement();
        let key = (
            statement.subject(SubjectName::Envelope),
            statement.subject(SubjectName::Before),
        );
        decisions.entry(key).or_default().push(recorded);
    }
    for group in decisions.values() {
        let mut confirmed = Vec::new();
        for recorded in group {
            let subject = format!("decisions/{}", recorded.number);
            match confirm(case, recorded) {
                Ok((before, envelope)) => {
                    report.hold(
                        &subject,
                        format!(
                            "it is about the envelope `{}` version {}",
                            envelope.name, envelope.version
                        ),
                    );
                    confirmed.push((recorded, before, envelope));
                }
                Err(error) => report.fail(&subject, error),
            }
        }
        let Some((_, before, envelope)) = confirmed.first() else {
            continue;
        };
        let rule = envelope_rule(before.as_ref(), envelope);
        let Some(at) = confirmed.iter().map(|(recorded, ..)| recorded.at).max() else {
            continue;
        };
        let members: Vec<VerifiedDecision> = confirmed
            .iter()
            .map(|(recorded, ..)| recorded.decision.clone())
            .collect();
        match Quorum::form(&members, &rule, &BTreeSet::new(), at) {
            Ok(quorum) => {
                report.hold(
                    "quorum",
                    format!(
                        "{} of the board authorised the envelope; the quorum is complete",
                        quorum.decisions().len()
                    ),
                );
                check_in_force(case, &quorum, report);
            }
            Err(error) => {
                report.note(
                    "quorum",
                    format!("{error}; the envelope is not in force by these decisions"),
                );
                let envelope = canonical::digest(envelope).ok();
                if let Some((index, _)) =
                    authorisations(case).find(|(_, body)| Some(body.envelope) == envelope)
                {
                    report.fail("envelope", format!("entry {index} of the log says that it came into force; that rests on too few decisions"));
                }
            }
        }
    }
    check_unfounded(case, &decisions, report);
}

/// The documents of one decision, read and confirmed: the envelope before, and the envelope.
fn confirm(case: &Case<'_>, recorded: &Recorded) -> Result<(Option<Envelope>, Envelope), String> {
    let statement = recorded.decision.statement();
    let envelope = statement
        .subject(SubjectName::Envelope)
        .ok_or("the statement names no envelope")?;
    let envelope: Envelope = case.payloads.document(envelope)?;
    let before: Option<Envelope> = statement
        .subject(SubjectName::Before)
        .map(|digest| case.payloads.document(digest))
        .transpose()?;
    let subjects =
        EnvelopeSubjects::new(before.as_ref(), &envelope).map_err(|error| error.to_string())?;
    recorded
        .decision
        .confirm_envelope(&subjects, &recorded.decision.claimed_offer())
        .map_err(|error| format!("{error} ({})", error.code()))?;
    Ok((before, envelope))
}

fn check_in_force(case: &Case<'_>, quorum: &Quorum, report: &mut Report) {
    let envelope = quorum.statement().subject(SubjectName::Envelope);
    let entry = authorisations(case).find(|(_, body)| Some(body.envelope) == envelope);
    match entry {
        Some((index, body)) if body.decisions.is_subset(&quorum.digests()) => {
            report.hold(
                "envelope",
                format!("it came into force with entry {index} of the log"),
            );
        }
        Some((index, _)) => {
            report.fail(
                "envelope",
                format!("entry {index} of the log rests on decisions that are missing"),
            );
        }
        None => report.note(
            "envelope",
            "that it came into force is not among the entries of this folder",
        ),
    }
}

/// Entries that say an envelope came into force, with no decision here that says so.
fn check_unfounded(
    case: &Case<'_>,
    decisions: &BTreeMap<(Option<Digest>, Option<Digest>), Vec<Recorded>>,
    report: &mut Report,
) {
    for (index, body) in authorisations(case) {
        if !decisions
            .keys()
            .any(|(envelope, _)| *envelope == Some(body.envelope))
        {
            report.note(
                "envelope",
                format!("entry {index} of the log says that {} came into force; its decisions are not in this folder", body.envelope),
            );
        }
    }
}

fn authorisations(case: &Case<'_>) -> impl Iterator<Item = (u64, EnvelopeAuthorised)> {
    case.log
        .entries
        .iter()
        .filter_map(|(index, logged)| Some((*index, logged.entry.body().ok()?)))
}
