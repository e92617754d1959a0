//! Decisions that suspend and resume autonomy: what was suspended, by whom, and whether two people
//! resumed it (AG-706 4.10; DESIGN §6.2).

use std::collections::{BTreeMap, BTreeSet};

use super::log::Logged;
use super::report::Report;
use super::signatures::Recorded;
use super::verify::Case;
use crate::decision::{Quorum, SuspensionSubjects, VerifiedDecision};
use crate::identifier::Digest;
use crate::log::body::{AutonomyResumed, AutonomySuspended};
use crate::log::entry::Body;
use crate::statement::{DecisionKind, SubjectName};
use crate::suspension::{Suspension, rule};

/// Checks every suspension that a decision or an entry of the folder is about.
pub(super) fn check(case: &Case<'_>, report: &mut Report) {
    let mut decided: BTreeMap<Digest, Vec<Recorded>> = BTreeMap::new();
    for recorded in case.about(SubjectName::Suspension) {
        let statement = recorded.decision.statement();
        if let Some(digest) = statement.subject(SubjectName::Suspension) {
            decided.entry(digest).or_default().push(recorded);
        }
    }
    for (_, _, body) in bodies::<AutonomySuspended>(case) {
        decided.entry(body.suspension).or_default();
    }
    for (_, _, body) in bodies::<AutonomyResumed>(case) {
        decided.entry(body.suspension).or_default();
    }
    for (digest, decisions) in decided {
        let subject = format!("suspension {digest}");
        let suspended = match check_suspended(case, digest, &decisions, report) {
            Ok(suspended) => suspended,
            Err(error) => {
                report.fail(&subject, error);
                continue;
            }
        };
        check_resumed(case, digest, suspended, &decisions, report);
    }
}

/// The entry by which it came into force, resting on the decision of one person who may; its digest.
fn check_suspended(
    case: &Case<'_>,
    digest: Digest,
    decisions: &[Recorded],
    report: &mut Report,
) -> Result<Digest, String> {
    let suspension: Suspension = case.payloads.document(digest)?;
    if suspension.audience != *case.roster.deployment() {
        return Err("it is meant for another deployment".to_owned());
    }
    let (index, logged, body) = bodies::<AutonomySuspended>(case)
        .find(|(_, _, body)| body.suspension == digest)
        .ok_or("no entry of the log says that it came into force")?;
    let recorded = decisions
        .iter()
        .find(|recorded| recorded.decision.digest() == body.decision)
        .ok_or_else(|| format!("entry {index} of the log rests on a decision that is missing"))?;
    let decision = &recorded.decision;
    let subjects = SuspensionSubjects::Suspend { suspension: digest };
    decision
        .confirm_suspension(&subjects, &decision.claimed_offer())
        .map_err(|error| format!("{error} ({})", error.code()))?;
    let (by, _) =
        rule(DecisionKind::SuspendAutonomy).ok_or("nobody is named who suspends autonomy")?;
    decision
        .check_eligible(&by, &BTreeSet::new())
        .map_err(|error| format!("{error} ({})", error.code()))?;
    let approver = &decision.approver().id;
    let same = body.suspends == suspension.suspends
        && body.approver == *approver
        && suspension.asked_by == *approver
        && recorded.index < index;
    if !same {
        return Err(format!(
            "entry {index} of the log says something else than the decision it rests on"
        ));
    }
    report.hold(
        &format!("decisions/{}", recorded.number),
        format!(
            "{approver}, who may do so alone, suspended {}; in force with entry {index} of the log",
            suspension.suspends
        ),
    );
    Ok(logged.digest)
}

/// That the log resumes it only with two people who agree.
fn check_resumed(
    case: &Case<'_>,
    suspension: Digest,
    entry: Digest,
    decisions: &[Recorded],
    report: &mut Report,
) {
    let subject = format!("suspension {suspension}");
    let subjects = SuspensionSubjects::Resume { suspension, entry };
    let mut confirmed = Vec::new();
    for recorded in decisions
        .iter()
        .filter(|r| r.decision.predicate().kind == DecisionKind::ResumeAutonomy)
    {
        let decision = &recorded.decision;
        let name = format!("decisions/{}", recorded.number);
        match decision.confirm_suspension(&subjects, &decision.claimed_offer()) {
            Ok(()) => {
                report.hold(&name, "it is about resuming what this entry suspended");
                confirmed.push(recorded);
            }
            Err(error) => report.fail(&name, format!("{error} ({})", error.code())),
        }
    }
    let Some((index, logged, body)) =
        bodies::<AutonomyResumed>(case).find(|(_, _, body)| body.suspension == suspension)
    else {
        report.note(
            &subject,
            "that it was resumed is not among the entries of this folder",
        );
        return;
    };
    let members: Vec<VerifiedDecision> = confirmed
        .iter()
        .filter(|recorded| {
            recorded.index < index && body.decisions.contains(&recorded.decision.digest())
        })
        .map(|recorded| recorded.decision.clone())
        .collect();
    let by = rule(DecisionKind::ResumeAutonomy);
    let quorum = by.map(|(by, mixture)| {
        Quorum::form_mixed(&members, &by, mixture, &BTreeSet::new(), logged.entry.at)
    });
    match quorum {
        Some(Ok(quorum)) if quorum.digests() == body.decisions && body.entry == entry => report
            .hold(
                &subject,
                format!(
                    "{} people who agree resumed it, with entry {index} of the log",
                    quorum.decisions().len()
                ),
            ),
        Some(Ok(_)) | None => report.fail(
            &subject,
            format!("entry {index} of the log resumes it and rests on other decisions"),
        ),
        Some(Err(error)) => report.fail(
            &subject,
            format!("entry {index} of the log resumes it: {error}"),
        ),
    }
}

/// The entries of one form.
fn bodies<'c, B: Body + 'c>(
    case: &'c Case<'_>,
) -> impl Iterator<Item = (u64, &'c Logged, B)> + use<'c, B> {
    case.log
        .entries
        .iter()
        .filter_map(|(index, logged)| Some((*index, logged, logged.entry.body().ok()?)))
}
