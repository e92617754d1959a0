//! What ran, by which authority, on which systems, and the decisions about it.

use std::collections::BTreeSet;

use super::item::Item;
use super::report::Report;
use super::signatures::Recorded;
use super::verify::Case;
use crate::decision::{
    OperationDocument, OperationSubjects, Quorum, VerifiedDecision, digest_of_systems, item_rule,
    operation_rule, proposers, subjects::OPERATION_SCHEMA,
};
use crate::identifier::{ApproverId, Digest, SystemId};
use crate::log::EntryKind;
use crate::log::body::{ApprovalVoided, OperationRecorded};
use crate::operation::{Authority, Record};
use crate::statement::{DecisionKind, SubjectName};

/// Checks every operation in the folder's log entries and every decision about one.
pub(super) fn check(case: &Case<'_>, item: Option<&Item>, report: &mut Report) {
    let records: Vec<(u64, OperationRecorded, chrono::DateTime<chrono::Utc>)> = case
        .log
        .entries
        .iter()
        .filter_map(|(index, logged)| Some((*index, logged.entry.body().ok()?, logged.entry.at)))
        .collect();
    let mut documents = BTreeSet::new();
    for (_, body, _) in &records {
        documents.insert(body.document);
    }
    for digest in documents {
        let subject = format!("operation {digest}");
        let document = match read_document(case, digest, item) {
            Ok(document) => document,
            Err(error) => {
                report.fail(&subject, error);
                continue;
            }
        };
        let subject = format!("operation {}", document.operation);
        let own = || {
            records
                .iter()
                .filter(|(_, body, _)| body.document == digest)
        };
        match check_records(&document, own().map(|(_, body, _)| body)) {
            Ok(touched) => report.hold(
                &subject,
                format!("every system touched ({touched}) is one that was authorised"),
            ),
            Err(error) => report.fail(&subject, error),
        }
        for (index, body, at) in own() {
            if let Record::Continued { decisions, .. } = &body.record {
                match check_continued(case, item, &document, decisions, *index, *at) {
                    Ok(sentence) => report.hold(&subject, sentence),
                    Err(error) => report.fail(&subject, error),
                }
            }
        }
        let started = own().find_map(|(index, body, at)| {
            body.record
                .authority()
                .map(|authority| (*index, authority.clone(), *at))
        });
        match started {
            Some((index, authority, at)) => {
                match check_authority(case, item, &document, &authority, index, at) {
                    Ok(sentence) => report.hold(&subject, sentence),
                    Err(error) => report.fail(&subject, error),
                }
            }
            None => report.note(
                &subject,
                "its start is not among the entries of this folder",
            ),
        }
    }
    for recorded in case.about(SubjectName::Operation) {
        let subject = format!("decisions/{}", recorded.number);
        match check_decision(case, item, &recorded) {
            Ok(sentence) => report.hold(&subject, sentence),
            Err(error) => report.fail(&subject, error),
        }
    }
}

/// The document, held against the briefing where there is one.
fn read_document(
    case: &Case<'_>,
    digest: Digest,
    item: Option<&Item>,
) -> Result<OperationDocument, String> {
    let document: OperationDocument = case.payloads.document(digest)?;
    if document.schema != OPERATION_SCHEMA || document.audience != *case.roster.deployment() {
        return Err("it is of another deployment or version".to_owned());
    }
    let Some(item) = item else {
        return Ok(document);
    };
    let briefing = &item.briefing;
    if document.briefing != Some(item.digest) || document.item.as_ref() != Some(&briefing.item) {
        return Err("it carries out another item than the one briefed".to_owned());
    }
    if document.action != briefing.proposal.action.kind() {
        return Err("it does something else than was proposed".to_owned());
    }
    if let Some(quorum) = &briefing.assessment.quorum
        && document.quorum != *quorum
    {
        return Err("it names another quorum than the briefing".to_owned());
    }
    Ok(document)
}

/// That every record is of this operation and touches nothing but its systems; how many it touched.
fn check_records<'r>(
    document: &OperationDocument,
    records: impl Iterator<Item = &'r OperationRecorded>,
) -> Result<usize, String> {
    let systems: BTreeSet<&SystemId> = document.waves.iter().flatten().collect();
    let mut touched = BTreeSet::new();
    for body in records {
        if body.operation != document.operation
            || body.item != document.item
            || body.action != document.action
        {
            return Err("an entry names it and is of another operation".to_owned());
        }
        if let Record::Touched { system, .. } | Record::Reverting { system } = &body.record {
            if !systems.contains(system) {
                return Err(format!("it touched `{system}`, which was not authorised"));
            }
            touched.insert(system);
        }
    }
    Ok(touched.len())
}

/// By which authority it began: the envelope's by its briefing, or a quorum complete before it began.
fn check_authority(
    case: &Case<'_>,
    item: Option<&Item>,
    document: &OperationDocument,
    authority: &Authority,
    index: u64,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<String, String> {
    if *authority != document.authority {
        return Err("it began by another authority than its document names".to_owned());
    }
    let granted: BTreeSet<SystemId> = document.waves.iter().flatten().cloned().collect();
    match authority {
        Authority::Drill(_) => Ok("it was a drill, which people arranged".to_owned()),
        Authority::Autonomous(grant) => {
            let item = item.ok_or("it ran by the envelope and its briefing is missing")?;
            let briefing = &item.briefing;
            if !item.is_autonomous()
                || briefing.assessment.rule.as_ref() != Some(grant.rule())
                || briefing.digests.envelope != Some(grant.envelope())
                || !same_systems(&granted, briefing.digests.targets)?
            {
                return Err("it ran by the envelope, and the assessment does not let it".to_owned());
            }
            Ok(format!(
                "the rule `{}` of the envelope let it run",
                grant.rule()
            ))
        }
        Authority::Decided(decided) => {
            let item = item.ok_or("it ran by decision and its briefing is missing")?;
            let named: Vec<&Recorded> = case
                .recorded
                .iter()
                .filter(|recorded| decided.decisions().contains(&recorded.decision.digest()))
                .collect();
            if named.len() != decided.decisions().len() {
                return Err("it ran by decisions that are missing or do not hold".to_owned());
            }
            if named.iter().any(|recorded| recorded.index > index) {
                return Err("it ran before it was decided".to_owned());
            }
            let excluded = proposers(&item.briefing.proposal);
            let rejected = case
                .of_kind(DecisionKind::Reject)
                .into_iter()
                .find(|recorded| {
                    recorded.index < index
                        && recorded.decision.statement().subject(SubjectName::Briefing)
                            == Some(item.digest)
                });
            if let Some(rejection) = rejected {
                return Err(format!(
                    "decision {} had rejected it before it ran",
                    rejection.number
                ));
            }
            check_not_voided(case, item, &named, index)?;
            let decisions: Vec<VerifiedDecision> = named
                .iter()
                .map(|recorded| recorded.decision.clone())
                .collect();
            for decision in &decisions {
                decision
                    .confirm_item(&item.briefing, item.digest, &decision.claimed_offer())
                    .map_err(|error| error.to_string())?;
            }
            let rule = item_rule(&item.briefing, DecisionKind::Approve)
                .map_err(|error| error.to_string())?;
            let quorum = Quorum::form(&decisions, &rule, &excluded, at)
                .map_err(|error| error.to_string())?;
            if quorum.kind() != DecisionKind::Approve {
                return Err("it ran by decisions that approve nothing".to_owned());
            }
            let approved = match quorum.narrowing() {
                Some(narrowing) => narrowing.targets == granted,
                None => same_systems(&granted, item.briefing.digests.targets)?,
            };
            if !approved || !same_systems(&granted, decided.targets())? {
                return Err("its systems are not those that were approved".to_owned());
            }
            Ok(format!(
                "the quorum was complete before it began, entry {index} of the log"
            ))
        }
    }
}

/// That a whole quorum had decided to continue, about one and the same halt, before it went on. What
/// each of these decisions names is checked besides, as with any decision about an operation.
fn check_continued(
    case: &Case<'_>,
    item: Option<&Item>,
    document: &OperationDocument,
    named: &BTreeSet<Digest>,
    index: u64,
    at: chrono::DateTime<chrono::Utc>,
) -> Result<String, String> {
    let decisions: Vec<VerifiedDecision> = case
        .recorded
        .iter()
        .filter(|recorded| recorded.index < index)
        .map(|recorded| recorded.decision.clone())
        .filter(|decision| {
            named.contains(&decision.digest())
                && decision.predicate().kind == DecisionKind::Continue
        })
        .collect();
    if decisions.len() != named.len() {
        return Err("it went on by decisions that are missing or do not hold".to_owned());
    }
    let rule =
        operation_rule(document, DecisionKind::Continue).map_err(|error| error.to_string())?;
    let excluded: BTreeSet<ApproverId> = item
        .map(|item| proposers(&item.briefing.proposal))
        .unwrap_or_default();
    Quorum::form(&decisions, &rule, &excluded, at).map_err(|error| error.to_string())?;
    Ok(format!(
        "the quorum to continue was complete before it went on, entry {index} of the log"
    ))
}

/// That no entry between a decision and the start voids it.
fn check_not_voided(
    case: &Case<'_>,
    item: &Item,
    named: &[&Recorded],
    start: u64,
) -> Result<(), String> {
    let first = named
        .iter()
        .map(|recorded| recorded.index)
        .min()
        .unwrap_or(start);
    for (index, logged) in case.log.entries.range(first..start) {
        if logged.entry.kind != EntryKind::ApprovalVoided {
            continue;
        }
        let voided: ApprovalVoided = logged.entry.body().map_err(|error| error.to_string())?;
        if voided.item == item.briefing.item {
            return Err(format!(
                "entry {index} of the log had voided an approval before it ran"
            ));
        }
    }
    Ok(())
}

fn same_systems(systems: &BTreeSet<SystemId>, digest: Digest) -> Result<bool, String> {
    digest_of_systems(systems)
        .map(|own| own == digest)
        .map_err(|error| error.to_string())
}

/// A `continue`, `roll_back` or `abort`: its documents, and whether the approver was eligible.
fn check_decision(
    case: &Case<'_>,
    item: Option<&Item>,
    recorded: &Recorded,
) -> Result<String, String> {
    let statement = recorded.decision.statement();
    let subject = |name: SubjectName| {
        statement
            .subject(name)
            .ok_or_else(|| format!("the statement names no {name}"))
    };
    let operation = subject(SubjectName::Operation)?;
    let document = read_document(case, operation, item)?;
    let trip = statement.subject(SubjectName::Trip);
    if let Some(trip) = trip {
        check_trip(case, &document, trip)?;
    }
    let subjects = OperationSubjects {
        operation,
        trip,
        touched: case.payloads.document(subject(SubjectName::Touched)?)?,
        remaining: case.payloads.document(subject(SubjectName::Remaining)?)?,
    };
    let systems: BTreeSet<&SystemId> = document.waves.iter().flatten().collect();
    let named: BTreeSet<&SystemId> = subjects.touched.union(&subjects.remaining).collect();
    if named != systems || !subjects.touched.is_disjoint(&subjects.remaining) {
        return Err(
            "touched and remaining systems together are not those of the operation".to_owned(),
        );
    }
    let decision = &recorded.decision;
    decision
        .confirm_operation(&subjects, &decision.claimed_offer())
        .map_err(|error| format!("{error} ({})", error.code()))?;
    let excluded: BTreeSet<ApproverId> = item
        .map(|item| proposers(&item.briefing.proposal))
        .unwrap_or_default();
    let kind = decision.predicate().kind;
    operation_rule(&document, kind)
        .and_then(|rule| decision.check_eligible(&rule, &excluded))
        .map_err(|error| format!("{error} ({})", error.code()))?;
    Ok(format!(
        "it is about the operation {}, {} systems touched and {} not; the approver was eligible",
        document.operation,
        subjects.touched.len(),
        subjects.remaining.len()
    ))
}

fn check_trip(case: &Case<'_>, document: &OperationDocument, trip: Digest) -> Result<(), String> {
    let logged = case
        .log
        .entries
        .values()
        .find(|logged| logged.digest == trip)
        .ok_or("the log entry of the trip is missing")?;
    let body: OperationRecorded = logged.entry.body().map_err(|error| error.to_string())?;
    if matches!(body.record, Record::Tripped { .. }) && body.operation == document.operation {
        Ok(())
    } else {
        Err("the log entry named as the trip is not one of this operation".to_owned())
    }
}
