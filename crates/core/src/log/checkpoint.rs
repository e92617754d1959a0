//! A size and root of the log, signed by the log key.
//!
//! Sources: C2SP tlog-checkpoint (the body), C2SP signed-note (the signature lines). The origin is
//! also the key's name: `<deployment>.countersign.invalid/log`.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use thiserror::Error;

use crate::genesis::DeploymentId;
use crate::identifier::Digest;
use crate::statement::CheckpointReference;

/// Largest signed note accepted, cosignatures included.
pub const NOTE_BYTES_MAX: usize = 16 * 1024;

/// Signature algorithm Ed25519 in C2SP signed-note.
const ED25519: u8 = 0x01;

/// A size and root of one log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// Number of entries.
    pub size: u64,
    /// RFC 6962 root of them.
    pub root: Digest,
}

/// Why a text is not a checkpoint of this log.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// The text is not a signed note around a checkpoint.
    #[error("the checkpoint is malformed")]
    Malformed,
    /// It is of another log.
    #[error("the checkpoint is of the log `{0}`, not of this one")]
    Origin(String),
    /// The log key did not sign it.
    #[error("the checkpoint has no signature of this log's key")]
    Unsigned,
    /// The log key's signature does not verify.
    #[error("the checkpoint's signature does not verify under this log's key")]
    Signature,
}

/// The origin line of a deployment's log, and the name of its key.
#[must_use]
pub fn origin(deployment: &DeploymentId) -> String {
    format!("{}/log", deployment.rp_id())
}

/// The 4-byte id of an Ed25519 key (C2SP signed-note): the first of `SHA-256(name ‖ 0x0A ‖ 0x01 ‖ key)`.
#[must_use]
pub fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut bytes = name.as_bytes().to_vec();
    bytes.extend_from_slice(&[b'\n', ED25519]);
    bytes.extend_from_slice(key.as_bytes());
    let [a, b, c, d, ..] = *Digest::of(&bytes).as_bytes();
    [a, b, c, d]
}

/// The key as other verifiers take it, `name+id+base64` (a «vkey», C2SP signed-note).
#[must_use]
pub fn verifier_key(name: &str, key: &VerifyingKey) -> String {
    let mut bytes = vec![ED25519];
    bytes.extend_from_slice(key.as_bytes());
    format!(
        "{name}+{}+{}",
        hex::encode(key_id(name, key)),
        STANDARD.encode(bytes)
    )
}

impl Checkpoint {
    /// The size and root of a deployment's log.
    #[must_use]
    pub fn new(deployment: &DeploymentId, size: u64, root: Digest) -> Self {
        Self {
            origin: origin(deployment),
            size,
            root,
        }
    }

    /// The body: origin, size and base64 root, a line each.
    #[must_use]
    pub fn body(&self) -> String {
        format!(
            "{}\n{}\n{}\n",
            self.origin,
            self.size,
            STANDARD.encode(self.root.as_bytes())
        )
    }

    /// As statements pin it.
    #[must_use]
    pub const fn reference(&self) -> CheckpointReference {
        CheckpointReference {
            size: self.size,
            root: self.root,
        }
    }

    /// The signed note.
    #[must_use]
    pub fn sign(&self, key: &SigningKey) -> String {
        let body = self.body();
        let mut line = key_id(&self.origin, &key.verifying_key()).to_vec();
        line.extend_from_slice(&key.sign(body.as_bytes()).to_bytes());
        format!("{body}\n— {} {}\n", self.origin, STANDARD.encode(line))
    }

    /// The checkpoint in a signed note, where the log key of `deployment` signed it. Signatures of
    /// other keys (cosignatures of witnesses) are passed over.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(
        note: &str,
        deployment: &DeploymentId,
        key: &VerifyingKey,
    ) -> Result<Self, CheckpointError> {
        if note.len() > NOTE_BYTES_MAX {
            return Err(CheckpointError::Malformed);
        }
        let blank = note.rfind("\n\n").ok_or(CheckpointError::Malformed)?;
        let (body, lines) = note
            .split_at_checked(blank + 1)
            .ok_or(CheckpointError::Malformed)?;
        let lines = lines.strip_prefix('\n').ok_or(CheckpointError::Malformed)?;
        let checkpoint = Self::parse_body(body)?;
        let expected = origin(deployment);
        if checkpoint.origin != expected {
            return Err(CheckpointError::Origin(
                checkpoint.origin.chars().take(80).collect(),
            ));
        }
        let mut signed = false;
        for line in lines
            .strip_suffix('\n')
            .ok_or(CheckpointError::Malformed)?
            .split('\n')
        {
            let (name, bytes) = parse_signature(line)?;
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(CheckpointError::Malformed);
            };
            if name != expected || *id != key_id(&expected, key) {
                continue;
            }
            let signature =
                Signature::from_slice(signature).map_err(|_| CheckpointError::Signature)?;
            key.verify_strict(body.as_bytes(), &signature)
                .map_err(|_| CheckpointError::Signature)?;
            signed = true;
        }
        if signed {
            Ok(checkpoint)
        } else {
            Err(CheckpointError::Unsigned)
        }
    }

    /// Reads the body, in its one spelling. Extension lines are not ours and are refused.
    fn parse_body(body: &str) -> Result<Self, CheckpointError> {
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), Some(""), None) = (
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
            lines.next(),
        ) else {
            return Err(CheckpointError::Malformed);
        };
        let root = STANDARD
            .decode(root)
            .ok()
            .and_then(|bytes| <[u8; 32]>::try_from(bytes).ok())
            .map(Digest::from_bytes)
            .ok_or(CheckpointError::Malformed)?;
        let size = size.parse().map_err(|_| CheckpointError::Malformed)?;
        let checkpoint = Self {
            origin: origin.to_owned(),
            size,
            root,
        };
        if origin.is_empty() || checkpoint.body() != body {
            return Err(CheckpointError::Malformed);
        }
        Ok(checkpoint)
    }
}

/// `— name base64`: the name and the bytes.
fn parse_signature(line: &str) -> Result<(&str, Vec<u8>), CheckpointError> {
    let (name, text) = line
        .strip_prefix("— ")
        .and_then(|rest| rest.split_once(' '))
        .ok_or(CheckpointError::Malformed)?;
    let bytes = STANDARD
        .decode(text)
        .map_err(|_| CheckpointError::Malformed)?;
    if name.is_empty() {
        return Err(CheckpointError::Malformed);
    }
    Ok((name, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> (SigningKey, DeploymentId) {
        let key = SigningKey::from_bytes(&[seed; 32]);
        let deployment = DeploymentId::of_log_key(key.verifying_key().as_bytes());
        (key, deployment)
    }

    #[test]
    fn key_ids_are_those_of_go() {
        // golang.org/x/mod/sumdb/note, the example key PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW.
        let bytes = STANDARD
            .decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
            .unwrap();
        let key = VerifyingKey::try_from(&bytes[1..]).unwrap();
        assert_eq!(
            verifier_key("PeterNeumann", &key),
            "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
        );
    }

    #[test]
    fn a_signed_checkpoint_reads_back() {
        let (key, deployment) = key(7);
        let checkpoint = Checkpoint::new(&deployment, 42, Digest::of(b"root"));
        let note = checkpoint.sign(&key);
        assert!(note.starts_with(&format!("{deployment}.countersign.invalid/log\n42\n")));
        assert_eq!(
            Checkpoint::verify(&note, &deployment, &key.verifying_key()),
            Ok(checkpoint.clone())
        );

        let cosigned = format!("{note}— witness.example {}\n", STANDARD.encode([9; 76]));
        assert_eq!(
            Checkpoint::verify(&cosigned, &deployment, &key.verifying_key()),
            Ok(checkpoint)
        );
    }

    #[test]
    fn any_changed_byte_is_refused() {
        let (key, deployment) = key(7);
        let note = Checkpoint::new(&deployment, 42, Digest::of(b"root")).sign(&key);
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(
                    Checkpoint::verify(&changed, &deployment, &key.verifying_key()).is_err(),
                    "byte {place}"
                );
            }
        }
        assert!(Checkpoint::verify(note.trim_end(), &deployment, &key.verifying_key()).is_err());
    }

    #[test]
    fn another_log_and_another_key_are_refused() {
        let (mine, deployment) = key(7);
        let (other, elsewhere) = key(8);
        let note = Checkpoint::new(&elsewhere, 1, Digest::of(b"x")).sign(&other);
        assert!(matches!(
            Checkpoint::verify(&note, &deployment, &mine.verifying_key()),
            Err(CheckpointError::Origin(_))
        ));
        let forged = Checkpoint::new(&deployment, 1, Digest::of(b"x")).sign(&other);
        assert_eq!(
            Checkpoint::verify(&forged, &deployment, &mine.verifying_key()),
            Err(CheckpointError::Unsigned)
        );
    }
}
