//! Writes an evidence folder.

use thiserror::Error;

use super::readme::{self, Edition, Signed};
use super::{
    BRIEFING, CHECKPOINT, ConsistencyFile, Files, README, WebauthnFile, consistency_path,
    decision_path, entry_path, payload_path, proof_path,
};
use crate::canonical::{self, CanonicalError};
use crate::decision::{DecisionError, Roster, RosterError, UnverifiedDecision};
use crate::genesis::Genesis;
use crate::identifier::Digest;
use crate::log::proof::InclusionProof;
use crate::log::{Checkpoint, CheckpointError, Entry, EntryError};
use crate::sshsig::{self, SshsigError};
use crate::statement::{DECISION_NAMESPACE, Salted};

/// What goes into a folder.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// The exact bytes of the briefing; absent where no item is decided.
    pub briefing: Option<Vec<u8>>,
    /// The decisions, in the order they were recorded.
    pub decisions: Vec<UnverifiedDecision>,
    /// Exact bytes of the documents that statements, briefing and entries name by digest: envelope
    /// (and the one before, and the diff), topology, operation document, the arrays of touched and
    /// remaining systems.
    pub documents: Vec<Vec<u8>>,
    /// Rationales that were not erased.
    pub salted: Vec<Salted>,
    /// The signed note that all proofs lead to.
    pub checkpoint: String,
    /// Entry 0, the assessment, every decision, and the entries of the operation.
    pub entries: Vec<LoggedEntry>,
    /// One for each size that a statement pins, except the checkpoint's own.
    pub consistency: Vec<ConsistencyFile>,
}

/// An entry of the log with its inclusion under the checkpoint.
#[derive(Debug, Clone)]
pub struct LoggedEntry {
    /// Its number, from 0.
    pub index: u64,
    /// The exact leaf.
    pub bytes: Vec<u8>,
    /// RFC 6962 §2.1.1 proof.
    pub proof: Vec<Digest>,
}

/// Why a folder cannot be written.
#[derive(Debug, Error)]
pub enum ExportError {
    /// Entry 0 is not among the entries.
    #[error("the genesis, entry 0 of the log, is missing; include it")]
    NoGenesis,
    /// An entry is malformed.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The genesis gives no roster.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The checkpoint is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A decision does not verify.
    #[error(transparent)]
    Decision(#[from] DecisionError),
    /// A decision cannot be written as an SSH signature.
    #[error(transparent)]
    Sshsig(#[from] SshsigError),
    /// A salt is not of 32 bytes.
    #[error("the salt of a rationale is not of 32 bytes")]
    Salt,
    /// Something has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

/// Writes a folder. Pass it to [`super::verify`] before handing it out: this arranges, that proves.
///
/// # Errors
/// [`ExportError`].
pub fn export(inputs: &Inputs) -> Result<Files, ExportError> {
    let genesis = inputs
        .entries
        .iter()
        .find(|entry| entry.index == 0)
        .ok_or(ExportError::NoGenesis)?;
    let genesis: Genesis = Entry::from_bytes(&genesis.bytes)?.body()?;
    let roster = Roster::from_genesis(&genesis)?;
    let checkpoint = Checkpoint::verify(&inputs.checkpoint, roster.deployment(), roster.log_key())?;

    let mut files = Files::new();
    let mut signed = Vec::new();
    for (number, decision) in (1..).zip(&inputs.decisions) {
        signed.push(write_decision(&mut files, number, decision, &roster)?);
    }
    if let Some(briefing) = &inputs.briefing {
        files.insert(BRIEFING.to_owned(), briefing.clone());
    }
    for document in &inputs.documents {
        files.insert(payload_path(Digest::of(document)), document.clone());
    }
    for salted in &inputs.salted {
        let commitment = salted.commitment().ok_or(ExportError::Salt)?;
        files.insert(payload_path(commitment), canonical::to_bytes(salted)?);
    }
    files.insert(
        CHECKPOINT.to_owned(),
        inputs.checkpoint.clone().into_bytes(),
    );
    for entry in &inputs.entries {
        let proof = InclusionProof {
            index: entry.index,
            hashes: entry.proof.clone(),
            checkpoint: inputs.checkpoint.clone(),
        };
        files.insert(entry_path(entry.index), entry.bytes.clone());
        files.insert(proof_path(entry.index), proof.to_string().into_bytes());
    }
    for consistency in &inputs.consistency {
        files.insert(
            consistency_path(consistency.old.size),
            canonical::to_bytes(consistency)?,
        );
    }
    let readme = readme::render(
        Edition::Second,
        &roster,
        canonical::digest(&genesis)?,
        &checkpoint,
        &signed,
    );
    files.insert(README.to_owned(), readme.into_bytes());
    Ok(files)
}

fn write_decision(
    files: &mut Files,
    number: usize,
    decision: &UnverifiedDecision,
    roster: &Roster,
) -> Result<Signed, ExportError> {
    let verified = decision.clone().verify(roster)?;
    let rp_id = roster.deployment().rp_id();
    let public_key = &verified.approver().credential.public_key;
    let ssh = sshsig::export(
        verified.bytes(),
        DECISION_NAMESPACE,
        &verified.approver().id,
        verified.assertion(),
        public_key,
        &rp_id,
    )?;
    let webauthn = WebauthnFile {
        assertion: verified.assertion().clone(),
        public_key: public_key.clone(),
        rp_id,
    };
    for (file, bytes) in [
        ("statement.json", decision.statement.clone()),
        ("decision.sig", ssh.signature.into_bytes()),
        ("allowed_signers", ssh.allowed_signers.into_bytes()),
        ("webauthn.json", canonical::to_bytes(&webauthn)?),
    ] {
        files.insert(decision_path(number, file), bytes);
    }
    Ok(Signed::of(number, &verified))
}
