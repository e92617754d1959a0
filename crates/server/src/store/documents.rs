//! Which topology and which envelopes there are; their bytes are payloads.

use chrono::{DateTime, Utc};
use countersign_core::identifier::Digest;
use countersign_wire::registry::EnvelopeState;
use sqlx::Row;

use super::{Conn, StoreError, Tx, from_word, parse, word};
use crate::clock::instant;

/// An envelope as the register has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeRow {
    /// Its digest.
    pub digest: Digest,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// Where it stands.
    pub state: EnvelopeState,
    /// When it was authorised.
    pub authorised_at: Option<DateTime<Utc>>,
    /// The one before it, once it was authorised.
    pub before: Option<Digest>,
    /// Digest of the difference, once it was authorised.
    pub diff: Option<Digest>,
}

/// The digest of the topology in force.
///
/// # Errors
/// [`StoreError`].
pub async fn topology(conn: &mut Conn) -> Result<Option<Digest>, StoreError> {
    let digest: Option<String> =
        sqlx::query_scalar("SELECT digest FROM topology ORDER BY number DESC LIMIT 1")
            .fetch_optional(conn)
            .await?;
    digest
        .map(|digest| parse("the topology", &digest))
        .transpose()
}

/// Whether a topology with this digest ever counted.
///
/// # Errors
/// [`StoreError`].
pub async fn has_topology(conn: &mut Conn, digest: Digest) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM topology WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_one(conn)
        .await?;
    Ok(found > 0)
}

fn envelope_row(row: &sqlx::sqlite::SqliteRow) -> Result<EnvelopeRow, StoreError> {
    let version: i64 = row.try_get("version")?;
    let authorised: Option<i64> = row.try_get("authorised_ms")?;
    let before: Option<String> = row.try_get("before")?;
    let diff: Option<String> = row.try_get("diff")?;
    Ok(EnvelopeRow {
        digest: parse("an envelope", row.try_get("digest")?)?,
        name: row.try_get("name")?,
        version: u32::try_from(version)
            .map_err(|_| StoreError::Damaged("an envelope's version is out of range".to_owned()))?,
        state: from_word("an envelope's state", row.try_get("state")?)?,
        authorised_at: authorised.map(instant),
        before: before
            .map(|digest| parse("an envelope", &digest))
            .transpose()?,
        diff: diff
            .map(|digest| parse("a difference", &digest))
            .transpose()?,
    })
}

/// Every envelope, the latest import first.
///
/// # Errors
/// [`StoreError`].
pub async fn envelopes(conn: &mut Conn) -> Result<Vec<EnvelopeRow>, StoreError> {
    sqlx::query("SELECT * FROM envelope ORDER BY imported_ms DESC, version DESC LIMIT 1000")
        .fetch_all(conn)
        .await?
        .iter()
        .map(envelope_row)
        .collect()
}

/// The envelope with this digest.
///
/// # Errors
/// [`StoreError`].
pub async fn envelope(conn: &mut Conn, digest: Digest) -> Result<Option<EnvelopeRow>, StoreError> {
    sqlx::query("SELECT * FROM envelope WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(envelope_row)
        .transpose()
}

/// The envelope that was authorised last; there is at most one.
///
/// # Errors
/// [`StoreError`].
pub async fn authorised(conn: &mut Conn) -> Result<Option<EnvelopeRow>, StoreError> {
    sqlx::query("SELECT * FROM envelope WHERE state = 'authorised'")
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(envelope_row)
        .transpose()
}

impl Tx {
    /// Makes a topology, whose bytes are kept, the one that counts.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn count_topology(
        &mut self,
        digest: Digest,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO topology (digest, imported_ms) VALUES (?, ?)")
            .bind(digest.to_string())
            .bind(now.timestamp_millis())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Registers an envelope, whose bytes are kept, as a draft.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn draft_envelope(
        &mut self,
        digest: Digest,
        name: &str,
        version: u32,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO envelope (digest, name, version, state, imported_ms) VALUES (?, ?, ?, ?, ?)")
            .bind(digest.to_string())
            .bind(name)
            .bind(version)
            .bind(word(&EnvelopeState::Draft)?)
            .bind(now.timestamp_millis())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Puts a draft in force in place of the one before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn authorise_envelope(
        &mut self,
        digest: Digest,
        before: Option<Digest>,
        diff: Digest,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE envelope SET state = 'replaced' WHERE state = 'authorised'")
            .execute(&mut **self)
            .await?;
        sqlx::query(
            "UPDATE envelope SET state = 'authorised', authorised_ms = ?, before = ?, diff = ? WHERE digest = ?",
        )
        .bind(now.timestamp_millis())
        .bind(before.map(|digest| digest.to_string()))
        .bind(diff.to_string())
        .bind(digest.to_string())
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}
