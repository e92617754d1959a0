//! The order: which call a permit is for, signed by the log key and valid for moments.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::CallVerb;
use crate::canonical::{self, CanonicalError};
use crate::genesis::DeploymentId;
use crate::identifier::{ApproverId, Digest, OperationId, ProposalId, SystemId};
use crate::statement::CheckpointReference;
use crate::webauthn::Bytes;

/// The `schema` member of an order.
const SCHEMA: &str = "countersign/order/v1";
/// What is signed begins with this, so that an order is nothing else that the log key signs.
pub const SIGNATURE_PREFIX: &[u8] = b"countersign/order/v1\0";

/// One call, bound to everything that makes it this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// `SCHEMA`.
    pub schema: String,
    /// The deployment.
    pub audience: DeploymentId,
    /// The operation.
    pub operation: OperationId,
    /// The item it carries out.
    pub item: ProposalId,
    /// What is asked for.
    pub verb: CallVerb,
    /// The system.
    pub system: SystemId,
    /// The system's wave, from 0.
    pub wave: u64,
    /// The effect's number in the operation: the fencing token.
    pub sequence: u64,
    /// From 1.
    pub attempt: u32,
    /// Digest of the action.
    pub action: Digest,
    /// The roster of this moment, where it differs from the genesis: who decides nothing any more.
    pub suspended: BTreeSet<ApproverId>,
    /// The log of this moment.
    pub log: CheckpointReference,
    /// When it was made.
    pub issued_at: DateTime<Utc>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

/// Why bytes are no order.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum OrderError {
    /// They are not an order in canonical form.
    #[error("the order is malformed")]
    Malformed,
    /// The log key did not sign them.
    #[error("the order's signature does not verify under the log key")]
    Signature,
}

impl Order {
    /// The `schema` member.
    pub const SCHEMA: &str = SCHEMA;

    /// The order's exact bytes (RFC 8785), and the log key's signature over the prefix and them.
    ///
    /// # Errors
    /// Never for an order made of these types; [`CanonicalError`] otherwise.
    pub fn sign(&self, key: &SigningKey) -> Result<(String, Bytes), CanonicalError> {
        // RFC 8785 writes UTF-8.
        let text = String::from_utf8_lossy(&canonical::to_bytes(self)?).into_owned();
        let signature = key.sign(&prefixed(&text));
        Ok((text, Bytes(signature.to_bytes().to_vec())))
    }

    /// The order with these bytes, where `key` signed them.
    ///
    /// # Errors
    /// [`OrderError`].
    pub fn verify(text: &str, signature: &Bytes, key: &VerifyingKey) -> Result<Self, OrderError> {
        let signature = Signature::from_slice(&signature.0).map_err(|_| OrderError::Signature)?;
        key.verify_strict(&prefixed(text), &signature)
            .map_err(|_| OrderError::Signature)?;
        let order: Self = serde_json::from_str(text).map_err(|_| OrderError::Malformed)?;
        let again = canonical::to_bytes(&order).map_err(|_| OrderError::Malformed)?;
        if order.schema != SCHEMA || again != text.as_bytes() {
            return Err(OrderError::Malformed);
        }
        Ok(order)
    }
}

fn prefixed(text: &str) -> Vec<u8> {
    [SIGNATURE_PREFIX, text.as_bytes()].concat()
}
