//! What changes about people: the counters of their keys, their sessions. Who they are and what
//! they may do is the roster's to say, replayed from the genesis.

use chrono::{DateTime, Utc};
use countersign_core::genesis::Approver;
use countersign_core::identifier::ApproverId;
use sqlx::Row;

use super::{Conn, StoreError, Tx, parse, to_json};
use crate::clock::instant;
use crate::secret::SecretHash;

/// What the library of ceremonies keeps about a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its record, serialised.
    pub passkey: String,
    /// The counter of its last use.
    pub counter: u32,
}

/// A session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSession {
    /// Who.
    pub approver: ApproverId,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
}

/// The key of an approver.
///
/// # Errors
/// [`StoreError`].
pub async fn key(conn: &mut Conn, approver: &ApproverId) -> Result<Option<Key>, StoreError> {
    let row = sqlx::query("SELECT passkey, counter FROM approver WHERE id = ?")
        .bind(approver.as_str())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        let counter: i64 = row.try_get("counter")?;
        Ok(Key {
            passkey: row.try_get("passkey")?,
            counter: u32::try_from(counter)
                .map_err(|_| StoreError::Damaged("a key's counter is out of range".to_owned()))?,
        })
    })
    .transpose()
}

/// The session with this token.
///
/// # Errors
/// [`StoreError`].
pub async fn session(
    conn: &mut Conn,
    token: &SecretHash,
) -> Result<Option<OpenSession>, StoreError> {
    let row =
        sqlx::query("SELECT token_hash, approver, expires_ms FROM session WHERE token_hash = ?")
            .bind(token.as_bytes().as_slice())
            .fetch_optional(conn)
            .await?;
    let Some(row) = row else { return Ok(None) };
    let stored: Vec<u8> = row.try_get("token_hash")?;
    if !token.is(&stored) {
        return Ok(None);
    }
    Ok(Some(OpenSession {
        approver: parse("an approver", row.try_get("approver")?)?,
        expires_at: instant(row.try_get("expires_ms")?),
    }))
}

impl Tx {
    /// Enrols one of the first people.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn enrol(
        &mut self,
        approver: &Approver,
        passkey: &str,
        counter: u32,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO approver (id, roles, name_commitment, credential_id, passkey, counter) VALUES (?, ?, ?, ?, ?, ?)",
        )
        .bind(approver.id.as_str())
        .bind(to_json(&approver.roles)?)
        .bind(approver.name_commitment.to_string())
        .bind(approver.credential.id.0.as_slice())
        .bind(passkey)
        .bind(counter)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Moves a key's counter on; whether it did. It does not where the stored one is as high.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn advance_counter(
        &mut self,
        approver: &ApproverId,
        passkey: &str,
        counter: u32,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "UPDATE approver SET counter = ?1, passkey = ?2 WHERE id = ?3 AND counter < ?1",
        )
        .bind(counter)
        .bind(passkey)
        .bind(approver.as_str())
        .execute(&mut **self)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Opens a session.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn open_session(
        &mut self,
        token: &SecretHash,
        approver: &ApproverId,
        expires_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO session (token_hash, approver, expires_ms) VALUES (?, ?, ?)")
            .bind(token.as_bytes().as_slice())
            .bind(approver.as_str())
            .bind(expires_at.timestamp_millis())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Closes a session; whether there was one.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn close_session(&mut self, token: &SecretHash) -> Result<bool, StoreError> {
        let done = sqlx::query("DELETE FROM session WHERE token_hash = ?")
            .bind(token.as_bytes().as_slice())
            .execute(&mut **self)
            .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets sessions that are over.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_sessions(&mut self, now: DateTime<Utc>) -> Result<(), StoreError> {
        sqlx::query("DELETE FROM session WHERE expires_ms <= ?")
            .bind(now.timestamp_millis())
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}
