//! Sign-in with a hardware key.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use countersign_core::identifier::{ApproverId, Role};
use countersign_core::webauthn::{Assertion, Bytes};
use serde::{Deserialize, Serialize};

/// `POST /v1/sessions/nonce`: ask to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BeginSession {
    /// Who.
    pub approver: ApproverId,
}

/// The nonce for one attempt, five minutes long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nonce {
    /// 256 random bits.
    pub nonce: Bytes,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

/// `POST /v1/sessions`: the signed sign-in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenSession {
    /// The exact bytes of the `SessionStatement`.
    pub statement: Bytes,
    /// The key's signature over them.
    pub assertion: Assertion,
}

/// A session: it reads, and it can decide nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The bearer token.
    pub token: String,
    /// Who.
    pub approver: ApproverId,
    /// The name for people.
    pub name: String,
    /// The roles held.
    pub roles: BTreeSet<Role>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("approver", &self.approver)
            .finish_non_exhaustive()
    }
}
