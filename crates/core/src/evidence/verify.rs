//! The check of an evidence folder, from the genesis up.

use std::collections::BTreeSet;

use super::documents::Payloads;
use super::log::{Log, ground};
use super::readme::{self, Signed};
use super::report::Report;
use super::signatures::{self, Recorded};
use super::{BRIEFING, CHECKPOINT, Files, README, decision_path};
use super::{envelope, item, operation};
use crate::decision::Roster;
use crate::identifier::Digest;
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
/// over. `pinned` is the digest of the genesis that the reader trusts.
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
    let readme = readme::render(&ground.roster, ground.genesis, &log.checkpoint, &signed);
    if files
        .get(README)
        .is_some_and(|bytes| *bytes == readme.as_bytes())
    {
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
    report
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
