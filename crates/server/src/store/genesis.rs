//! Genesis in the database: the draft, its registrations, and the sealed document.

use std::collections::BTreeSet;

use countersign_core::genesis::{AttestationRoot, Credential};
use countersign_core::identifier::{ApproverId, Digest, Role};
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Conn, StoreError, Tx, from_json, parse, to_json};

/// A genesis that is not sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Draft {
    /// The deployment's name for people.
    pub name: String,
    /// Whether it is a demonstration.
    pub demonstration: bool,
    /// The key models allowed.
    pub attestation: Vec<AttestationRoot>,
}

/// One of the first people, on the way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registration {
    /// Who.
    pub approver: ApproverId,
    /// The name for people.
    pub name: String,
    /// The salt of the name's commitment.
    pub salt: [u8; 32],
    /// The roles.
    pub roles: BTreeSet<Role>,
    /// The ceremony's state.
    pub state: String,
    /// The ceremony's challenge.
    pub challenge: Vec<u8>,
    /// The credential and the library's record of it, once there is one.
    pub enrolled: Option<(Credential, String)>,
}

/// The sealed genesis, if there is one: its digest and exact bytes.
///
/// # Errors
/// [`StoreError`].
pub async fn sealed(conn: &mut Conn) -> Result<Option<(Digest, Vec<u8>)>, StoreError> {
    let row = sqlx::query("SELECT digest, bytes FROM genesis WHERE id = 1")
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok((
            parse("the genesis digest", row.try_get("digest")?)?,
            row.try_get("bytes")?,
        ))
    })
    .transpose()
}

/// The draft, if there is one.
///
/// # Errors
/// [`StoreError`].
pub async fn draft(conn: &mut Conn) -> Result<Option<Draft>, StoreError> {
    let body: Option<String> = sqlx::query_scalar("SELECT body FROM genesis_draft WHERE id = 1")
        .fetch_optional(conn)
        .await?;
    body.map(|body| from_json("the genesis draft", &body))
        .transpose()
}

/// The registrations in the order they were begun.
///
/// # Errors
/// [`StoreError`].
pub async fn registrations(conn: &mut Conn) -> Result<Vec<Registration>, StoreError> {
    let rows = sqlx::query(
        "SELECT approver, name, salt, roles, state, challenge, credential, passkey
         FROM genesis_registration ORDER BY position",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let salt: Vec<u8> = row.try_get("salt")?;
            let credential: Option<String> = row.try_get("credential")?;
            let passkey: Option<String> = row.try_get("passkey")?;
            Ok(Registration {
                approver: parse("an approver", row.try_get("approver")?)?,
                name: row.try_get("name")?,
                salt: salt
                    .try_into()
                    .map_err(|_| StoreError::Damaged("a salt is not 32 bytes".to_owned()))?,
                roles: from_json("roles", row.try_get("roles")?)?,
                state: row.try_get("state")?,
                challenge: row.try_get("challenge")?,
                enrolled: match (credential, passkey) {
                    (Some(credential), Some(passkey)) => {
                        Some((from_json("a credential", &credential)?, passkey))
                    }
                    (None, _) | (_, None) => None,
                },
            })
        })
        .collect()
}

impl Tx {
    /// Begins a genesis anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_genesis(&mut self, draft: &Draft) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM genesis_registration")
            .execute(&mut **self)
            .await?;
        sqlx::query("INSERT INTO genesis_draft (id, body) VALUES (1, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body")
            .bind(to_json(draft)?)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Begins a registration, or begins it anew.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_registration(
        &mut self,
        registration: &Registration,
    ) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM genesis_registration WHERE approver = ?")
            .bind(registration.approver.as_str())
            .execute(&mut **self)
            .await?;
        sqlx::query(
            "INSERT INTO genesis_registration (approver, name, salt, roles, state, challenge) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(registration.approver.as_str())
        .bind(&registration.name)
        .bind(registration.salt.as_slice())
        .bind(to_json(&registration.roles)?)
        .bind(&registration.state)
        .bind(&registration.challenge)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Keeps what the key answered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_registration(
        &mut self,
        approver: &ApproverId,
        credential: &Credential,
        passkey: &str,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE genesis_registration SET credential = ?, passkey = ? WHERE approver = ?",
        )
        .bind(to_json(credential)?)
        .bind(passkey)
        .bind(approver.as_str())
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Seals the genesis; the draft is gone.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn seal_genesis(&mut self, digest: Digest, bytes: &[u8]) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO genesis (id, digest, bytes) VALUES (1, ?, ?)")
            .bind(digest.to_string())
            .bind(bytes)
            .execute(&mut **self)
            .await?;
        sqlx::query("DELETE FROM genesis_registration")
            .execute(&mut **self)
            .await?;
        sqlx::query("DELETE FROM genesis_draft")
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}
