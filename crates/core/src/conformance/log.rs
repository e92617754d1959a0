//! Test 8.8: evidence verifies, any tampering is noticed, and no fact of 4.8 is missing.

use std::collections::{BTreeMap, BTreeSet};

use super::TrialOutcome::{Fails, NotShown, Weak};
use super::{Folder, Inputs, Trial, Trying, spread, trial};
use crate::assessment::Clause;
use crate::briefing::Briefing;
use crate::decision;
use crate::evidence::{self, Files};
use crate::identifier::{Digest, OperationId, SystemId};
use crate::log::Entry;
use crate::log::body::{EnvelopeAuthorised, OperationRecorded, ProposalAssessed};
use crate::operation::{Authority, Record};
use crate::statement::{DecisionKind, Statement, SubjectName};

/// Folders tampered with, and entries tampered with in each.
const TAMPERED_FOLDERS_MAX: usize = 8;
const TAMPERED_ENTRIES_MAX: usize = 6;

/// What a folder says, read only as far as it verifies.
pub(super) struct Read {
    pub(super) name: String,
    pub(super) genesis: Option<Digest>,
    /// The first check that failed.
    pub(super) failure: Option<String>,
    /// Envelopes that it proves to be in force.
    pub(super) authorised: BTreeSet<Digest>,
    pub(super) briefing: Option<Briefing>,
    pub(super) operations: Vec<Operation>,
}

/// An operation in the evidence.
pub(super) struct Operation {
    pub(super) id: OperationId,
    /// Whether it ran by decision.
    pub(super) decided: bool,
    /// Whether what approved it says who, when, what and at which risk.
    pub(super) approval: Result<(), String>,
    /// The facts of 4.8 that are missing.
    missing: Vec<&'static str>,
}

/// Verifies and reads every folder.
pub(super) fn read(folders: &[Folder], genesis: Option<Digest>) -> Vec<Read> {
    folders
        .iter()
        .map(|folder| read_one(folder, genesis))
        .collect()
}

fn read_one(folder: &Folder, genesis: Option<Digest>) -> Read {
    let report = evidence::verify(&folder.files, genesis);
    let mut read = Read {
        name: folder.name.clone(),
        genesis: report.genesis,
        failure: None,
        authorised: BTreeSet::new(),
        briefing: None,
        operations: Vec::new(),
    };
    if !report.holds() {
        read.failure = Some(report.failures().next().map_or_else(
            || "nothing in it could be checked".to_owned(),
            |check| format!("{}: {}", check.subject, check.sentence),
        ));
        return read;
    }
    read.briefing = folder
        .files
        .get("briefing.json")
        .and_then(|bytes| serde_json::from_slice(bytes).ok());
    let entries: Vec<Entry> = entries(&folder.files)
        .into_iter()
        .filter_map(|path| Entry::from_bytes(folder.files.get(path)?).ok())
        .collect();
    read.authorised = entries
        .iter()
        .filter_map(|entry| entry.body::<EnvelopeAuthorised>().ok())
        .map(|body| body.envelope)
        .collect();
    let mut operations: BTreeMap<OperationId, Vec<OperationRecorded>> = BTreeMap::new();
    for body in entries
        .iter()
        .filter_map(|entry| entry.body::<OperationRecorded>().ok())
    {
        operations
            .entry(body.operation.clone())
            .or_default()
            .push(body);
    }
    let assessed: Vec<ProposalAssessed> = entries
        .iter()
        .filter_map(|entry| entry.body().ok())
        .collect();
    read.operations = operations
        .into_iter()
        .filter(|(_, records)| records.iter().all(|record| record.item.is_some()))
        .map(|(id, records)| {
            operation(
                id,
                &records,
                &assessed,
                read.briefing.as_ref(),
                &folder.files,
            )
        })
        .collect();
    read
}

/// The paths of the entries.
fn entries(files: &Files) -> Vec<&String> {
    files
        .keys()
        .filter(|path| path.starts_with("log/entries/"))
        .collect()
}

fn operation(
    id: OperationId,
    records: &[OperationRecorded],
    assessed: &[ProposalAssessed],
    briefing: Option<&Briefing>,
    files: &Files,
) -> Operation {
    let item = records.first().and_then(|record| record.item.as_ref());
    let assessed = assessed.iter().find(|body| Some(&body.item) == item);
    let has = |clause| {
        briefing.is_some_and(|briefing| {
            briefing
                .assessment
                .findings
                .iter()
                .any(|finding| finding.clause == clause)
        })
    };
    let mut touched: BTreeSet<&SystemId> = BTreeSet::new();
    let mut checked: BTreeSet<&SystemId> = BTreeSet::new();
    let mut undoable: BTreeSet<&SystemId> = BTreeSet::new();
    let mut authority = None;
    for body in records {
        match &body.record {
            Record::Started { authority: by, .. } => authority = Some(by),
            Record::Touched { system, .. } => {
                touched.insert(system);
            }
            Record::System {
                system,
                checks,
                failure,
                ..
            } => {
                if !checks.is_empty() || failure.is_some() {
                    checked.insert(system);
                }
                if body.rollback.is_some() {
                    undoable.insert(system);
                }
            }
            Record::WaveStarted { .. }
            | Record::SoakStarted { .. }
            | Record::AttemptFailed { .. }
            | Record::Held { .. }
            | Record::Reopened
            | Record::Tripped { .. }
            | Record::Continued { .. }
            | Record::AbortBegan { .. }
            | Record::RollbackBegan { .. }
            | Record::Reverting { .. }
            | Record::RevertChecked { .. }
            | Record::SystemReverted { .. }
            | Record::Recovered { .. }
            | Record::Finished { .. } => {}
        }
    }
    let facts = [
        ("the triggering event", assessed.is_some()),
        (
            "the classification logic",
            assessed.is_some() && has(Clause::C4_1),
        ),
        (
            "the dependency analysis",
            assessed.is_some() && has(Clause::C4_3),
        ),
        ("the action executed", authority.is_some()),
        ("the health check result", touched.is_subset(&checked)),
        ("the rollback status", touched.is_subset(&undoable)),
    ];
    let decisions = match authority {
        Some(Authority::Decided(decided)) => Some(decided.decisions()),
        Some(Authority::Autonomous(_) | Authority::Drill(_)) | None => None,
    };
    Operation {
        id,
        decided: decisions.is_some(),
        approval: decisions.map_or(Ok(()), |decisions| approval(decisions, files)),
        missing: facts
            .into_iter()
            .filter(|(_, is_there)| !is_there)
            .map(|(fact, _)| fact)
            .collect(),
    }
}

/// Whether every decision behind an operation is in the folder, and approves a proposal on targets.
/// The verified statement cannot be without approver, time and risk level.
fn approval(decisions: &BTreeSet<Digest>, files: &Files) -> Result<(), String> {
    let statements: BTreeMap<Digest, Statement> = files
        .iter()
        .filter(|(path, _)| path.starts_with("decisions/") && path.ends_with("/statement.json"))
        .filter_map(|(_, bytes)| Some((Digest::of(bytes), decision::parse(bytes).ok()?)))
        .collect();
    for digest in decisions {
        let statement = statements
            .get(digest)
            .ok_or_else(|| format!("the decision {digest} is missing"))?;
        let complete = statement.predicate.kind == DecisionKind::Approve
            && [
                SubjectName::Proposal,
                SubjectName::Targets,
                SubjectName::Briefing,
            ]
            .iter()
            .all(|name| statement.subject(*name).is_some());
        if !complete {
            return Err(format!(
                "the decision {digest} names no action, targets and assessment"
            ));
        }
    }
    Ok(())
}

pub(super) fn check(inputs: &Inputs<'_>, folders: &[Read]) -> Vec<Trial> {
    if folders.is_empty() {
        return vec![trial(
            "evidence folders verify, offline and from the genesis up (4.8)",
            NotShown,
            "no evidence was given; export some and name it",
        )];
    }
    vec![
        verifies(folders),
        facts(folders),
        pinned(inputs),
        tampering(inputs, folders),
    ]
}

fn verifies(folders: &[Read]) -> Trial {
    let mut verifies =
        Trying::new("evidence folders verify, offline and from the genesis up (4.8)");
    for folder in folders {
        verifies.one(
            folder
                .failure
                .as_ref()
                .map(|failure| format!("{}: {failure}", folder.name)),
        );
    }
    verifies.end(Fails, "each does")
}

fn facts(folders: &[Read]) -> Trial {
    let mut facts = Trying::new("all six facts of 4.8 are there for every operation");
    for folder in folders {
        for operation in &folder.operations {
            facts.one((!operation.missing.is_empty()).then(|| {
                format!(
                    "{}, operation {}: {} missing",
                    folder.name,
                    operation.id,
                    operation.missing.join(", ")
                )
            }));
        }
    }
    facts.end(
        Fails,
        "trigger, classification, dependency analysis, action, health and rollback status",
    )
}

fn pinned(inputs: &Inputs<'_>) -> Trial {
    let what = "the evidence is held against a genesis that the reader pinned";
    match inputs.genesis {
        Some(genesis) => trial(what, super::TrialOutcome::Holds, genesis.to_string()),
        None => trial(
            what,
            Weak,
            "none was pinned, so that each folder's own is believed",
        ),
    }
}

/// Copies in memory with entries dropped, altered and exchanged.
fn tampering(inputs: &Inputs<'_>, folders: &[Read]) -> Trial {
    let mut tampering = Trying::new(
        "log entries dropped, altered by a byte or exchanged in a copy are each noticed (4.8)",
    );
    let sound = inputs
        .evidence
        .iter()
        .zip(folders)
        .filter(|(_, read)| read.failure.is_none())
        .map(|(folder, _)| folder)
        .collect();
    for folder in spread(sound, TAMPERED_FOLDERS_MAX) {
        let entries = entries(&folder.files);
        let pairs: Vec<(&String, &String)> = entries
            .iter()
            .zip(entries.iter().cycle().skip(1))
            .map(|(one, other)| (*one, *other))
            .collect();
        for (path, next) in spread(pairs, TAMPERED_ENTRIES_MAX) {
            for (how, files) in tampered(&folder.files, path, next) {
                let unnoticed = evidence::verify(&files, inputs.genesis).holds();
                tampering.one(
                    unnoticed.then(|| format!("{}: {path} {how} is not noticed", folder.name)),
                );
            }
        }
    }
    tampering.end(Fails, "each of them is")
}

fn tampered(files: &Files, path: &String, next: &String) -> Vec<(&'static str, Files)> {
    let mut dropped = files.clone();
    dropped.remove(path);
    let mut altered = files.clone();
    if let Some(bytes) = altered.get_mut(path) {
        let middle = bytes.len() / 2;
        if let Some(byte) = bytes.get_mut(middle) {
            *byte ^= 1;
        }
    }
    let mut all = vec![("dropped", dropped), ("altered", altered)];
    if path != next
        && let (Some(one), Some(other)) = (files.get(path), files.get(next))
    {
        let mut exchanged = files.clone();
        exchanged.insert(path.clone(), other.clone());
        exchanged.insert(next.clone(), one.clone());
        all.push(("exchanged", exchanged));
    }
    all
}
