//! Decisions: signature, SSH form, log entry, rationale.

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};

use super::documents::{Payloads, canonical_document};
use super::log::Log;
use super::report::Report;
use super::{Files, WebauthnFile, decision_path};
use crate::canonical;
use crate::decision::receipt::INCLUDE_WITHIN_SECONDS;
use crate::decision::{CLOCK_SKEW_SECONDS_MAX, Roster, UnverifiedDecision, VerifiedDecision};
use crate::log::body::DecisionRecorded;
use crate::sshsig;
use crate::statement::DECISION_NAMESPACE;

/// A decision that verifies and is in the log.
#[derive(Debug, Clone)]
pub(super) struct Recorded {
    pub(super) number: usize,
    pub(super) decision: VerifiedDecision,
    /// When the log recorded it.
    pub(super) at: DateTime<Utc>,
    /// Its entry's number.
    pub(super) index: u64,
}

/// The decisions whose signatures hold, by their numbers.
pub(super) fn read(
    files: &Files,
    roster: &Roster,
    report: &mut Report,
) -> BTreeMap<usize, VerifiedDecision> {
    let mut decisions = BTreeMap::new();
    for number in numbers(files) {
        let subject = format!("decisions/{number}");
        match read_one(files, number, roster) {
            Ok(decision) => {
                let predicate = decision.predicate();
                report.hold(
                    &subject,
                    format!(
                        "{} signed {} at {} with the enrolled key, touched and unlocked",
                        predicate.approver, predicate.kind, predicate.decided_at
                    ),
                );
                decisions.insert(number, decision);
            }
            Err(error) => report.fail(&subject, error),
        }
    }
    decisions
}

/// `decisions/1`, `decisions/2`, … as the folder has them, each with at least one file.
fn numbers(files: &Files) -> Vec<usize> {
    let mut numbers: Vec<usize> = files
        .keys()
        .filter_map(|path| path.strip_prefix("decisions/")?.split_once('/'))
        .filter_map(|(number, _)| number.parse().ok())
        .collect();
    numbers.sort_unstable();
    numbers.dedup();
    numbers
}

fn read_one(files: &Files, number: usize, roster: &Roster) -> Result<VerifiedDecision, String> {
    let file = |name: &str| {
        files
            .get(&decision_path(number, name))
            .ok_or_else(|| format!("`{name}` is missing"))
    };
    let webauthn: WebauthnFile = canonical_document(file("webauthn.json")?)
        .map_err(|error| format!("webauthn.json: {error}"))?;
    let decision = UnverifiedDecision {
        statement: file("statement.json")?.clone(),
        assertion: webauthn.assertion.clone(),
    };
    let decision = decision
        .verify(roster)
        .map_err(|error| format!("{error} ({})", error.code()))?;
    let credential = &decision.approver().credential;
    let rp_id = roster.deployment().rp_id();
    if webauthn.public_key != credential.public_key || webauthn.rp_id != rp_id {
        return Err("webauthn.json names another key or deployment than the genesis".to_owned());
    }
    let ssh = sshsig::export(
        decision.bytes(),
        DECISION_NAMESPACE,
        &decision.approver().id,
        decision.assertion(),
        &credential.public_key,
        &rp_id,
    )
    .map_err(|error| error.to_string())?;
    if ssh.signature.as_bytes() != file("decision.sig")?.as_slice() {
        return Err("decision.sig is not the signature of webauthn.json".to_owned());
    }
    if ssh.allowed_signers.as_bytes() != file("allowed_signers")?.as_slice() {
        return Err("allowed_signers names another approver or key".to_owned());
    }
    Ok(decision)
}

/// Finds each decision's entry in the log, and opens its rationale.
pub(super) fn check_recorded(
    decisions: BTreeMap<usize, VerifiedDecision>,
    log: &Log,
    payloads: &Payloads<'_>,
    report: &mut Report,
) -> Vec<Recorded> {
    for (index, logged) in &log.entries {
        let missing = logged.entry.body().is_ok_and(|body: DecisionRecorded| {
            decisions.values().all(|d| d.digest() != body.decision)
        });
        if missing {
            report.fail(
                "decisions",
                format!("the decision that entry {index} of the log records is missing"),
            );
        }
    }
    let mut recorded = Vec::new();
    for (number, decision) in decisions {
        let subject = format!("decisions/{number}");
        match find_entry(&decision, log) {
            Ok((index, at)) => {
                report.hold(
                    &subject,
                    format!("it is entry {index} of the log, recorded at {at}"),
                );
                let rationale = decision.predicate().rationale;
                match payloads.text(rationale) {
                    Some(_) => report.hold(&subject, "the rationale is the one committed to"),
                    None => report.note(
                        &subject,
                        format!("the rationale ({rationale}) was erased or not exported; the signature still commits to it"),
                    ),
                }
                recorded.push(Recorded {
                    number,
                    decision,
                    at,
                    index,
                });
            }
            Err(error) => report.fail(&subject, error),
        }
    }
    recorded
}

fn find_entry(decision: &VerifiedDecision, log: &Log) -> Result<(u64, DateTime<Utc>), String> {
    let digest = decision.digest();
    let assertion = canonical::digest(decision.assertion()).map_err(|error| error.to_string())?;
    let predicate = decision.predicate();
    let (index, at) = log
        .entries
        .iter()
        .find_map(|(index, logged)| {
            let body: DecisionRecorded = logged.entry.body().ok()?;
            let same = body.decision == digest
                && body.assertion == assertion
                && body.kind == predicate.kind
                && body.approver == predicate.approver;
            same.then_some((*index, logged.entry.at))
        })
        .ok_or("no entry of the log records it")?;
    if predicate.checkpoint.size > index {
        return Err("it was recorded before the checkpoint that it pins".to_owned());
    }
    if decision.check_valid_at(at).is_err() {
        return Err("it was recorded after it had expired".to_owned());
    }
    let seconds_max = CLOCK_SKEW_SECONDS_MAX.saturating_add(INCLUDE_WITHIN_SECONDS);
    if at.signed_duration_since(predicate.decided_at).abs() > Duration::seconds(seconds_max) {
        return Err(format!(
            "it was recorded more than {seconds_max} seconds from when it was made"
        ));
    }
    Ok((index, at))
}
