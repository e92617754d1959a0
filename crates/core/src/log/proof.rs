//! One entry's inclusion in the log as a text that can be checked offline.
//!
//! Source: C2SP tlog-proof (`c2sp.org/tlog-proof@v1`), without extra data.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::VerifyingKey;
use thiserror::Error;

use super::checkpoint::{Checkpoint, CheckpointError};
use super::tree::{self, ProofError};
use crate::genesis::DeploymentId;
use crate::identifier::Digest;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";
/// A proof in a tree of 2^64 entries has 64 hashes.
const HASHES_MAX: usize = 64;

/// The inclusion of entry number `index` under a signed checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InclusionProof {
    /// The entry's number, from 0.
    pub index: u64,
    /// Sibling hashes from the leaf up.
    pub hashes: Vec<Digest>,
    /// The signed note, verbatim.
    pub checkpoint: String,
}

/// Why a text does not prove inclusion.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InclusionError {
    /// It is not a tlog-proof.
    #[error("the inclusion proof is malformed")]
    Malformed,
    /// Its checkpoint does not hold.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// Its hashes do not hold.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

impl InclusionProof {
    /// Reads a tlog-proof in its one spelling.
    ///
    /// # Errors
    /// [`InclusionError::Malformed`].
    pub fn parse(text: &str) -> Result<Self, InclusionError> {
        let malformed = || InclusionError::Malformed;
        let (head, checkpoint) = text.split_once("\n\n").ok_or_else(malformed)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(malformed());
        }
        let index = lines
            .next()
            .and_then(|line| line.strip_prefix("index "))
            .and_then(|index| index.parse().ok())
            .ok_or_else(malformed)?;
        let hashes = lines
            .map(|line| {
                let bytes = STANDARD.decode(line).map_err(|_| malformed())?;
                Ok(Digest::from_bytes(
                    bytes.try_into().map_err(|_| malformed())?,
                ))
            })
            .collect::<Result<Vec<_>, InclusionError>>()?;
        let proof = Self {
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        };
        if proof.hashes.len() > HASHES_MAX || proof.to_string() != text {
            return Err(malformed());
        }
        Ok(proof)
    }

    /// Checks that `entry` is in the log of `deployment`, whose key is `key`.
    ///
    /// # Errors
    /// [`InclusionError`].
    pub fn verify(
        &self,
        entry: &[u8],
        deployment: &DeploymentId,
        key: &VerifyingKey,
    ) -> Result<Checkpoint, InclusionError> {
        let checkpoint = Checkpoint::verify(&self.checkpoint, deployment, key)?;
        tree::verify_inclusion(
            tree::leaf_hash(entry),
            self.index,
            checkpoint.size,
            &self.hashes,
            checkpoint.root,
        )?;
        Ok(checkpoint)
    }
}

impl std::fmt::Display for InclusionProof {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{HEADER}\nindex {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.checkpoint)
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::*;
    use crate::log::tree::{inclusion_proof, leaf_hash, stored_hashes, tree_hash};

    #[test]
    fn a_proof_reads_back_and_any_changed_byte_is_refused() {
        let key = SigningKey::from_bytes(&[3; 32]);
        let deployment = DeploymentId::of_log_key(key.verifying_key().as_bytes());
        let mut stored: Vec<Digest> = Vec::new();
        for index in 0..11 {
            let new = stored_hashes(index, leaf_hash(&[index as u8]), &stored).unwrap();
            stored.extend(new.into_iter().map(|(_, hash)| hash));
        }
        let checkpoint = Checkpoint::new(&deployment, 11, tree_hash(11, &stored).unwrap());
        let text = InclusionProof {
            index: 9,
            hashes: inclusion_proof(9, 11, &stored).unwrap(),
            checkpoint: checkpoint.sign(&key),
        }
        .to_string();
        let check = |text: &str, entry: &[u8]| {
            InclusionProof::parse(text)
                .and_then(|p| p.verify(entry, &deployment, &key.verifying_key()))
        };
        assert_eq!(check(&text, &[9]), Ok(checkpoint));
        assert_eq!(
            check(&text, &[8]),
            Err(InclusionError::Proof(ProofError::Root))
        );
        for place in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(check(&changed, &[9]).is_err(), "byte {place}");
            }
        }
    }
}
