//! The check of an evidence folder, from the genesis up.

use std::collections::BTreeSet;

use super::documents::Payloads;
use super::item::Item;
use super::log::{Log, ground};
use super::readme::{self, Edition, Signed};
use super::report::Report;
use super::signatures::{self, Recorded};
use super::{BRIEFING, CHECKPOINT, Files, README, decision_path};
use super::{envelope, item, operation, suspension};
use crate::decision::Roster;
use crate::identifier::Digest;
use crate::log::EntryKind;
use crate::log::body::OperationRecorded;
use crate::operation::Authority;
use crate::statement::{DecisionKind, SubjectName};

/// What the checks of what was decided have in common.
pub(super) struct Case<'f> {
    pub(super) files: &'f Files,
    pub(super) roster: &'f Roster,
    pub(super) log: &'f Log,
    pub(super) payloads: &'f Payloads<'f>,
    pub(super) recorded: &'f [Recorded],
}

impl Case<'_> {
    /// The recorded decisions about the same kind of thing, which is what their first subject names.
    pub(super) fn about(&self, subject: SubjectName) -> Vec<Recorded> {
        self.recorded
            .iter()
            .filter(|recorded| {
                recorded
                    .decision
                    .statement()
                    .subject
                    .first()
                    .is_some_and(|s| s.name == subject)
            })
            .cloned()
            .collect()
    }

    /// Those of one kind.
    pub(super) fn of_kind(&self, kind: DecisionKind) -> Vec<Recorded> {
        self.recorded
            .iter()
            .filter(|recorded| recorded.decision.predicate().kind == kind)
            .cloned()
            .collect()
    }
}

/// Checks a folder: signatures and flags, SSH form, log inclusion and consistency, the documents
/// behind every digest, the assessment (made again), the quorum, narrowing, and that no file is left
/// over. A decision must be there only where something rests on one. `pinned` is the digest of the genesis that the reader trusts.
#[must_use]
pub fn verify(files: &Files, pinned: Option<Digest>) -> Report {
    let mut report = Report::default();
    check_layout(files, &mut report);
    let Some(ground) = ground(files, pinned, &mut report) else {
        return report;
    };
    let Some(log) = Log::read(files, &ground.roster, &mut report) else {
        return report;
    };
    let payloads = Payloads::read(files, &mut report);
    let decisions = signatures::read(files, &ground.roster, &mut report);

    let signed: Vec<Signed> = decisions
        .iter()
        .map(|(number, decision)| Signed::of(*number, decision))
        .collect();
    let written = files.get(README);
    let belongs = [Edition::Second, Edition::First]
        .into_iter()
        .any(|edition| {
            let text = readme::render(
                edition,
                &ground.roster,
                ground.genesis,
                &log.checkpoint,
                &signed,
            );
            written.is_some_and(|bytes| *bytes == text.as_bytes())
        });
    if belongs {
        report.hold(README, "it is what belongs to this folder");
    } else {
        report.fail(
            README,
            "it is not what belongs to this folder; do not follow it",
        );
    }

    let all: Vec<_> = decisions.values().cloned().collect();
    log.check_pins(files, &all, &mut report);
    let recorded = signatures::check_recorded(decisions, &log, &payloads, &mut report);
    let case = Case {
        files,
        roster: &ground.roster,
        log: &log,
        payloads: &payloads,
        recorded: &recorded,
    };
    let item = item::check(&case, &mut report);
    operation::check(&case, item.as_ref(), &mut report);
    envelope::check(&case, &mut report);
    suspension::check(&case, &mut report);
    if recorded.is_empty() {
        check_undecided(&case, item.as_ref(), &mut report);
    }
    report
}

/// A folder without a decision: what it proves instead, and a failure where it proves nothing or
/// something in it rests on decisions.
fn check_undecided(case: &Case<'_>, item: Option<&Item>, report: &mut Report) {
    const SUBJECT: &str = "decisions";
    let started: Vec<Authority> = case
        .log
        .entries
        .values()
        .filter_map(|logged| logged.entry.body::<OperationRecorded>().ok())
        .filter_map(|body| body.record.authority().cloned())
        .collect();
    let decided = |authority: &Authority| match authority {
        Authority::Decided(_) => true,
        Authority::Autonomous(_) | Authority::Drill(_) => false,
    };
    let authorised = case.log.entries.values().any(|logged| {
        [
            EntryKind::EnvelopeAuthorised,
            EntryKind::AutonomySuspended,
            EntryKind::AutonomyResumed,
        ]
        .contains(&logged.entry.kind)
    });
    if authorised || started.iter().any(decided) {
        report.fail(
            SUBJECT,
            "the log says that people decided, and there is no decision whose signature holds",
        );
        return;
    }
    match (item, started.first()) {
        (_, Some(Authority::Autonomous(_))) => report.note(
            SUBJECT,
            "nobody decided, and nobody had to: the assessment, made again, and the rule it names are what was checked",
        ),
        (_, Some(Authority::Drill(_))) => report.note(
            SUBJECT,
            "nobody decided, and nobody had to: it was a drill; its systems and the entries about it are what was checked",
        ),
        (Some(_), Some(Authority::Decided(_)) | None) => report.note(
            SUBJECT,
            "nobody's decision is in this folder, and nothing that ran: the assessment, made again, is what was checked",
        ),
        (None, Some(Authority::Decided(_)) | None) => report.fail(
            SUBJECT,
            "there is no decision whose signature holds, and nothing else to check",
        ),
    }
}

/// Every file must be of a kind that a check covers; the checks then cover each of them.
fn check_layout(files: &Files, report: &mut Report) {
    let fixed: BTreeSet<&str> = BTreeSet::from([README, BRIEFING, CHECKPOINT]);
    let number = |name: &str| name.parse::<u64>().is_ok_and(|n| n.to_string() == name);
    for path in files.keys() {
        let known = fixed.contains(path.as_str())
            || path.starts_with("payloads/")
            || [
                ("log/entries/", ".json"),
                ("log/proofs/", ".tlog-proof"),
                ("log/consistency/", ".json"),
            ]
            .iter()
            .any(|(prefix, suffix)| {
                path.strip_prefix(prefix)
                    .and_then(|p| p.strip_suffix(suffix))
                    .is_some_and(number)
            })
            || path
                .strip_prefix("decisions/")
                .and_then(|path| path.split_once('/'))
                .and_then(|(number, file)| Some((number.parse().ok()?, file)))
                .is_some_and(|(number, file)| {
                    [
                        "statement.json",
                        "decision.sig",
                        "allowed_signers",
                        "webauthn.json",
                    ]
                    .contains(&file)
                        && *path == decision_path(number, file)
                });
        if !known {
            report.fail(path, "no such file belongs to an evidence folder");
        }
    }
}
