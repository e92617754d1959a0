//! The backend's signed promise that a decision will be in the log (DESIGN §7).

use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::canonical::{self, CanonicalError};
use crate::genesis::DeploymentId;
use crate::identifier::Digest;
use crate::webauthn::Bytes;

/// The `schema` member of a receipt.
pub const SCHEMA: &str = "countersign/receipt/v1";
/// What is signed begins with this, so that a receipt is never a checkpoint nor the reverse.
pub const SIGNATURE_PREFIX: &[u8] = b"countersign/receipt/v1\0";
/// The longest time from receipt to inclusion; more is an alarm.
pub const INCLUDE_WITHIN_SECONDS: i64 = 10;

/// A receipt.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Receipt {
    /// [`SCHEMA`].
    pub schema: String,
    /// Digest of the statement.
    pub decision: Digest,
    /// The deployment that received it.
    pub deployment: DeploymentId,
    /// When.
    pub received_at: DateTime<Utc>,
    /// When the log will hold it at the latest.
    pub include_by: DateTime<Utc>,
}

/// Why bytes are not a receipt.
#[derive(Debug, Error)]
pub enum ReceiptError {
    /// They are not a receipt in canonical form.
    #[error("the receipt is malformed")]
    Malformed,
    /// The log key did not sign them.
    #[error("the receipt's signature does not verify under the log key")]
    Signature,
    /// It is for another decision or of another deployment.
    #[error("the receipt is for another decision or of another deployment")]
    Other,
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl Receipt {
    /// The receipt of a decision received now.
    #[must_use]
    pub fn new(decision: Digest, deployment: DeploymentId, received_at: DateTime<Utc>) -> Self {
        let within = chrono::Duration::seconds(INCLUDE_WITHIN_SECONDS);
        Self {
            schema: SCHEMA.to_owned(),
            decision,
            deployment,
            received_at,
            include_by: received_at
                .checked_add_signed(within)
                .unwrap_or(received_at),
        }
    }

    /// The receipt's exact bytes (RFC 8785), and the log key's signature over the prefix and them.
    ///
    /// # Errors
    /// Never for a receipt made of these types; [`CanonicalError`] otherwise.
    pub fn sign(&self, key: &SigningKey) -> Result<(Vec<u8>, Bytes), CanonicalError> {
        let bytes = canonical::to_bytes(self)?;
        let signature = key.sign(&prefixed(&bytes));
        Ok((bytes, Bytes(signature.to_bytes().to_vec())))
    }

    /// The receipt with these bytes, where `key` signed them for this decision and deployment.
    ///
    /// # Errors
    /// [`ReceiptError`].
    pub fn verify(
        bytes: &[u8],
        signature: &Bytes,
        key: &VerifyingKey,
        decision: Digest,
        deployment: &DeploymentId,
    ) -> Result<Self, ReceiptError> {
        let signature = Signature::from_slice(&signature.0).map_err(|_| ReceiptError::Signature)?;
        key.verify_strict(&prefixed(bytes), &signature)
            .map_err(|_| ReceiptError::Signature)?;
        let receipt: Self = serde_json::from_slice(bytes).map_err(|_| ReceiptError::Malformed)?;
        if receipt.schema != SCHEMA || canonical::to_bytes(&receipt)? != bytes {
            return Err(ReceiptError::Malformed);
        }
        if receipt.decision != decision || receipt.deployment != *deployment {
            return Err(ReceiptError::Other);
        }
        Ok(receipt)
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [SIGNATURE_PREFIX, bytes].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_holds_for_its_decision_its_deployment_and_its_key_only() {
        let key = SigningKey::from_bytes(&[5; 32]);
        let public = key.verifying_key();
        let deployment = DeploymentId::of_log_key(public.as_bytes());
        let decision = Digest::of(b"statement");
        let receipt = Receipt::new(
            decision,
            deployment.clone(),
            "2026-11-22T16:00:00Z".parse().unwrap(),
        );
        let (bytes, signature) = receipt.sign(&key).unwrap();
        let check = |bytes: &[u8], key: &VerifyingKey, decision| {
            Receipt::verify(bytes, &signature, key, decision, &deployment)
        };
        assert_eq!(check(&bytes, &public, decision).unwrap(), receipt);
        assert!(matches!(
            check(&bytes, &public, Digest::of(b"x")),
            Err(ReceiptError::Other)
        ));
        let other = SigningKey::from_bytes(&[6; 32]).verifying_key();
        assert!(matches!(
            check(&bytes, &other, decision),
            Err(ReceiptError::Signature)
        ));
        let mut changed = bytes.clone();
        changed[20] ^= 1;
        assert!(matches!(
            check(&changed, &public, decision),
            Err(ReceiptError::Signature)
        ));
    }
}
