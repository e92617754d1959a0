//! The log's part of a folder: genesis, checkpoint, entries, inclusion and consistency.

use std::collections::BTreeMap;

use super::documents::canonical_document;
use super::report::Report;
use super::{CHECKPOINT, ConsistencyFile, Files, consistency_path, entry_path, proof_path};
use crate::canonical;
use crate::decision::{Roster, VerifiedDecision};
use crate::genesis::Genesis;
use crate::identifier::Digest;
use crate::log::proof::InclusionProof;
use crate::log::{Checkpoint, Entry, verify_consistency};
use crate::statement::CheckpointReference;

/// What a folder starts from: its genesis and the people in it.
pub(super) struct Ground {
    pub(super) genesis: Digest,
    pub(super) roster: Roster,
}

/// Reads the genesis, entry 0, and holds it against the pinned digest.
pub(super) fn ground(files: &Files, pinned: Option<Digest>, report: &mut Report) -> Option<Ground> {
    let path = entry_path(0);
    let Some(bytes) = files.get(&path) else {
        report.fail(
            &path,
            "the genesis is missing; nothing can be checked without it",
        );
        return None;
    };
    let read = || -> Result<(Genesis, Digest, Roster), String> {
        let entry = Entry::from_bytes(bytes).map_err(|error| error.to_string())?;
        let genesis: Genesis = entry.body().map_err(|error| error.to_string())?;
        let digest = canonical::digest(&genesis).map_err(|error| error.to_string())?;
        let roster = Roster::from_genesis(&genesis).map_err(|error| error.to_string())?;
        Ok((genesis, digest, roster))
    };
    let (genesis, digest, roster) = match read() {
        Ok(read) => read,
        Err(error) => {
            report.fail(&path, format!("the genesis cannot be used: {error}"));
            return None;
        }
    };
    report.genesis = Some(digest);
    match pinned {
        Some(pinned) if pinned == digest => {
            report.hold("genesis", format!("the genesis is the pinned one, {digest}"));
        }
        Some(pinned) => {
            report.fail("genesis", format!("the genesis is {digest}, not the pinned {pinned}"));
        }
        None => report.note(
            "genesis",
            format!("nothing was pinned: all of this holds only if {digest} is your deployment's genesis"),
        ),
    }
    if genesis.demonstration {
        report.note(
            "genesis",
            "this is a demonstration: its keys protect nothing",
        );
    }
    Some(Ground {
        genesis: digest,
        roster,
    })
}

/// The entries that are proved to be in the log.
pub(super) struct Log {
    pub(super) checkpoint: Checkpoint,
    pub(super) entries: BTreeMap<u64, Logged>,
}

/// One of them.
pub(super) struct Logged {
    pub(super) entry: Entry,
    /// Digest of the leaf's bytes.
    pub(super) digest: Digest,
}

impl Log {
    /// Checks the checkpoint and the inclusion of every entry; entries that fail are left out.
    pub(super) fn read(files: &Files, roster: &Roster, report: &mut Report) -> Option<Self> {
        let note = files
            .get(CHECKPOINT)
            .and_then(|bytes| std::str::from_utf8(bytes).ok());
        let Some(note) = note else {
            report.fail(CHECKPOINT, "the checkpoint is missing or not text");
            return None;
        };
        let checkpoint = match Checkpoint::verify(note, roster.deployment(), roster.log_key()) {
            Ok(checkpoint) => checkpoint,
            Err(error) => {
                report.fail(CHECKPOINT, error.to_string());
                return None;
            }
        };
        let lines = note.lines().filter(|line| line.starts_with("— ")).count();
        report.hold(
            CHECKPOINT,
            format!(
                "the log key signed {} entries, root {}",
                checkpoint.size, checkpoint.root
            ),
        );
        if lines > 1 {
            report.note(
                CHECKPOINT,
                format!("{} further signatures are not checked here", lines - 1),
            );
        }
        let mut entries = BTreeMap::new();
        let mut failed = false;
        for index in indexes(files, "log/entries/", ".json") {
            match read_entry(files, index, note, roster) {
                Ok(logged) => {
                    entries.insert(index, logged);
                }
                Err(error) => {
                    failed = true;
                    report.fail(&entry_path(index), error);
                }
            }
        }
        for index in indexes(files, "log/proofs/", ".tlog-proof") {
            if !files.contains_key(&entry_path(index)) {
                failed = true;
                report.fail(&proof_path(index), "the entry that it is about is missing");
            }
        }
        if !failed {
            report.hold(
                "log",
                format!(
                    "{} entries are in the log under that checkpoint",
                    entries.len()
                ),
            );
        }
        Some(Self {
            checkpoint,
            entries,
        })
    }

    /// Checks that the log goes on from every checkpoint that a statement pins.
    pub(super) fn check_pins(
        &self,
        files: &Files,
        decisions: &[VerifiedDecision],
        report: &mut Report,
    ) {
        let mut pins: BTreeMap<u64, CheckpointReference> = BTreeMap::new();
        for decision in decisions {
            let pin = decision.predicate().checkpoint;
            let first = *pins.entry(pin.size).or_insert(pin);
            if first != pin {
                report.fail(
                    "log",
                    format!(
                        "two approvers saw different logs of {} entries: a fork",
                        pin.size
                    ),
                );
            }
        }
        for (size, pin) in &pins {
            match self.check_pin(files, pin) {
                Ok(()) => report.hold(
                    "log",
                    format!(
                        "the log goes on from the {size} entries that an approver had verified"
                    ),
                ),
                Err(error) => report.fail(&consistency_path(*size), error),
            }
        }
        for size in indexes(files, "log/consistency/", ".json") {
            if !pins.contains_key(&size) || size == self.checkpoint.size {
                report.fail(&consistency_path(size), "no statement pins this size");
            }
        }
    }

    fn check_pin(&self, files: &Files, pin: &CheckpointReference) -> Result<(), String> {
        let proof = if pin.size == self.checkpoint.size {
            Vec::new()
        } else {
            let bytes = files
                .get(&consistency_path(pin.size))
                .ok_or("the proof that the log goes on from a pinned checkpoint is missing")?;
            let file: ConsistencyFile = canonical_document(bytes)?;
            if file.old != *pin {
                return Err("it is about another root than the statement pins".to_owned());
            }
            file.proof
        };
        verify_consistency(
            pin.size,
            pin.root,
            self.checkpoint.size,
            self.checkpoint.root,
            &proof,
        )
        .map_err(|error| error.to_string())
    }
}

fn read_entry(files: &Files, index: u64, note: &str, roster: &Roster) -> Result<Logged, String> {
    let bytes = files
        .get(&entry_path(index))
        .ok_or("the entry is missing")?;
    let proof = files
        .get(&proof_path(index))
        .and_then(|bytes| std::str::from_utf8(bytes).ok())
        .ok_or("its inclusion proof is missing")?;
    let proof = InclusionProof::parse(proof).map_err(|error| error.to_string())?;
    if proof.index != index || proof.checkpoint != note {
        return Err("its inclusion proof is of another entry or checkpoint".to_owned());
    }
    proof
        .verify(bytes, roster.deployment(), roster.log_key())
        .map_err(|error| error.to_string())?;
    let entry = Entry::from_bytes(bytes).map_err(|error| error.to_string())?;
    Ok(Logged {
        entry,
        digest: Digest::of(bytes),
    })
}

/// The numbers in file names like `log/entries/17.json`, in their one spelling.
fn indexes(files: &Files, prefix: &str, suffix: &str) -> Vec<u64> {
    files
        .keys()
        .filter_map(|path| path.strip_prefix(prefix)?.strip_suffix(suffix))
        .filter_map(|name| {
            name.parse::<u64>()
                .ok()
                .filter(|index| index.to_string() == name)
        })
        .collect()
}
