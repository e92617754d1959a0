//! The log in the database: leaves and stored hashes, written with the change they record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use countersign_core::genesis::{DeploymentId, Genesis};
use countersign_core::identifier::{Digest, OperationId, ProposalId};
use countersign_core::log::body::{
    ApprovalVoided, AutonomyResumed, AutonomySuspended, DecisionRecorded, EnvelopeAuthorised,
    OperationRecorded, ProposalAssessed,
};
use countersign_core::log::entry::Body;
use countersign_core::log::tile::{Tile, TileError, TileKind, bundle};
use countersign_core::log::{Checkpoint, Entry, EntryKind, tree};
use countersign_core::statement::CheckpointReference;
use ed25519_dalek::SigningKey;
use sqlx::Row;

use super::{Conn, StoreError, Tx, count, from_word, integer, word};

/// What an entry is about, so that it can be found again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About {
    /// The item.
    pub item: Option<ProposalId>,
    /// The operation.
    pub operation: Option<OperationId>,
    /// The envelope.
    pub envelope: Option<Digest>,
    /// The suspension.
    pub suspension: Option<Digest>,
}

impl About {
    /// About nothing in particular.
    #[must_use]
    pub fn nothing() -> Self {
        Self::default()
    }

    /// About an item.
    #[must_use]
    pub fn item(id: &ProposalId) -> Self {
        Self {
            item: Some(id.clone()),
            ..Self::default()
        }
    }

    /// About an operation, and the item it carries out.
    #[must_use]
    pub fn operation(id: &OperationId, item: Option<&ProposalId>) -> Self {
        Self {
            operation: Some(id.clone()),
            item: item.cloned(),
            ..Self::default()
        }
    }

    /// About an envelope.
    #[must_use]
    pub fn envelope(digest: Digest) -> Self {
        Self {
            envelope: Some(digest),
            ..Self::default()
        }
    }

    /// About a suspension.
    #[must_use]
    pub fn suspension(digest: Digest) -> Self {
        Self {
            suspension: Some(digest),
            ..Self::default()
        }
    }
}

/// A body that says itself what it is about.
pub trait Recorded: Body {
    /// What it is about.
    fn about(&self) -> About;
}

impl Recorded for Genesis {
    fn about(&self) -> About {
        About::nothing()
    }
}

impl Recorded for ProposalAssessed {
    fn about(&self) -> About {
        About::item(&self.item)
    }
}

impl Recorded for DecisionRecorded {
    fn about(&self) -> About {
        About {
            item: self.item.clone(),
            operation: self.operation.clone(),
            envelope: self.envelope,
            suspension: self.suspension,
        }
    }
}

impl Recorded for ApprovalVoided {
    fn about(&self) -> About {
        About {
            item: Some(self.item.clone()),
            operation: self.operation.clone(),
            ..About::default()
        }
    }
}

impl Recorded for EnvelopeAuthorised {
    fn about(&self) -> About {
        About::envelope(self.envelope)
    }
}

impl Recorded for AutonomySuspended {
    fn about(&self) -> About {
        About::suspension(self.suspension)
    }
}

impl Recorded for AutonomyResumed {
    fn about(&self) -> About {
        About::suspension(self.suspension)
    }
}

impl Recorded for OperationRecorded {
    fn about(&self) -> About {
        About::operation(&self.operation, self.item.as_ref())
    }
}

impl Tx {
    /// Appends an entry with a form of its own; its index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record<B: Recorded>(
        &mut self,
        at: DateTime<Utc>,
        body: &B,
    ) -> Result<u64, StoreError> {
        let entry = Entry::of(at, body)?;
        self.append(&entry, &body.about()).await
    }

    /// Appends an entry without a form of its own; its index.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note(
        &mut self,
        at: DateTime<Utc>,
        kind: EntryKind,
        about: &About,
        body: serde_json::Value,
    ) -> Result<u64, StoreError> {
        self.append(&Entry::new(kind, at, body), about).await
    }

    /// Appends an entry; its index, which is the next one.
    ///
    /// # Errors
    /// [`StoreError`]; the transaction must then be dropped.
    pub async fn append(&mut self, entry: &Entry, about: &About) -> Result<u64, StoreError> {
        let bytes = entry.to_bytes()?;
        let index = self.size;
        let known = hashes(self, &tree::positions_to_append(index)).await?;
        let stored = tree::stored_hashes(index, tree::leaf_hash(&bytes), &known)?;
        sqlx::query("INSERT INTO log_entry (idx, kind, item, operation, envelope, suspension, bytes) VALUES (?, ?, ?, ?, ?, ?, ?)")
            .bind(integer(index))
            .bind(word(&entry.kind)?)
            .bind(about.item.as_ref().map(ProposalId::as_str))
            .bind(about.operation.as_ref().map(OperationId::as_str))
            .bind(about.envelope.map(|digest| digest.to_string()))
            .bind(about.suspension.map(|digest| digest.to_string()))
            .bind(bytes)
            .execute(&mut **self)
            .await?;
        for (position, hash) in stored {
            sqlx::query("INSERT INTO log_hash (position, hash) VALUES (?, ?)")
                .bind(integer(position))
                .bind(hash.as_bytes().as_slice())
                .execute(&mut **self)
                .await?;
        }
        self.size = index.saturating_add(1);
        Ok(index)
    }
}

/// An entry as it is found again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Its number.
    pub index: u64,
    /// What it records.
    pub kind: EntryKind,
    /// What it is about.
    pub about: About,
    /// Its exact bytes.
    pub bytes: Vec<u8>,
}

/// Number of entries.
///
/// # Errors
/// [`StoreError`].
pub async fn size(conn: &mut Conn) -> Result<u64, StoreError> {
    let size: i64 = sqlx::query_scalar("SELECT COALESCE(MAX(idx) + 1, 0) FROM log_entry")
        .fetch_one(conn)
        .await?;
    Ok(count(size))
}

/// The stored hashes at `positions`. One that is missing is missing in the map: core says so.
///
/// # Errors
/// [`StoreError`].
pub async fn hashes(
    conn: &mut Conn,
    positions: &[u64],
) -> Result<BTreeMap<u64, Digest>, StoreError> {
    let mut found = BTreeMap::new();
    for position in positions {
        let hash: Option<Vec<u8>> =
            sqlx::query_scalar("SELECT hash FROM log_hash WHERE position = ?")
                .bind(integer(*position))
                .fetch_optional(&mut *conn)
                .await?;
        if let Some(hash) = hash {
            let bytes = <[u8; 32]>::try_from(hash.as_slice()).map_err(|_| {
                StoreError::Damaged(format!("the hash at {position} is not 32 bytes"))
            })?;
            found.insert(*position, Digest::from_bytes(bytes));
        }
    }
    Ok(found)
}

/// The root of the first `size` entries.
///
/// # Errors
/// [`StoreError`].
pub async fn root(conn: &mut Conn, size: u64) -> Result<Digest, StoreError> {
    let known = hashes(conn, &tree::positions_of_tree(size)).await?;
    Ok(tree::tree_hash(size, &known)?)
}

/// Whether `reference` is a point that this log went through.
///
/// # Errors
/// [`StoreError`].
pub async fn is_ancestor(
    conn: &mut Conn,
    reference: &CheckpointReference,
) -> Result<bool, StoreError> {
    if reference.size > size(conn).await? {
        return Ok(false);
    }
    Ok(root(conn, reference.size).await? == reference.root)
}

/// The log as it is now, and its signed note.
///
/// # Errors
/// [`StoreError`].
pub async fn checkpoint(
    conn: &mut Conn,
    deployment: &DeploymentId,
    key: &SigningKey,
) -> Result<(Checkpoint, String), StoreError> {
    let size = size(conn).await?;
    let checkpoint = Checkpoint::new(deployment, size, root(conn, size).await?);
    let note = checkpoint.sign(key);
    Ok((checkpoint, note))
}

fn found(row: &sqlx::sqlite::SqliteRow) -> Result<Found, StoreError> {
    let item: Option<String> = row.try_get("item")?;
    let operation: Option<String> = row.try_get("operation")?;
    let envelope: Option<String> = row.try_get("envelope")?;
    let suspension: Option<String> = row.try_get("suspension")?;
    Ok(Found {
        index: count(row.try_get("idx")?),
        kind: from_word("the kind of an entry", row.try_get("kind")?)?,
        about: About {
            item: item.map(|id| super::parse("an item", &id)).transpose()?,
            operation: operation
                .map(|id| super::parse("an operation", &id))
                .transpose()?,
            envelope: envelope
                .map(|digest| super::parse("an envelope", &digest))
                .transpose()?,
            suspension: suspension
                .map(|digest| super::parse("a suspension", &digest))
                .transpose()?,
        },
        bytes: row.try_get("bytes")?,
    })
}

/// Entry number `index`.
///
/// # Errors
/// [`StoreError`].
pub async fn entry(conn: &mut Conn, index: u64) -> Result<Option<Found>, StoreError> {
    sqlx::query("SELECT idx, kind, item, operation, envelope, suspension, bytes FROM log_entry WHERE idx = ?")
        .bind(integer(index))
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(found)
        .transpose()
}

/// Index of the entry that records the assessment of `item`.
///
/// # Errors
/// [`StoreError`], also where there is none: an item and its entry are written in one transaction.
pub async fn assessed(conn: &mut Conn, item: &ProposalId) -> Result<u64, StoreError> {
    let index: Option<i64> =
        sqlx::query_scalar("SELECT idx FROM log_entry WHERE item = ? AND kind = ?")
            .bind(item.as_str())
            .bind(word(&EntryKind::ProposalAssessed)?)
            .fetch_optional(conn)
            .await?;
    index.map(count).ok_or_else(|| {
        StoreError::Damaged(format!(
            "no entry of the log records the assessment of `{item}`"
        ))
    })
}

/// Up to `limit` entries from number `from` on.
///
/// # Errors
/// [`StoreError`].
pub async fn entries(conn: &mut Conn, from: u64, limit: u32) -> Result<Vec<Found>, StoreError> {
    sqlx::query(
        "SELECT idx, kind, item, operation, envelope, suspension, bytes FROM log_entry WHERE idx >= ? ORDER BY idx LIMIT ?",
    )
    .bind(integer(from))
    .bind(limit)
    .fetch_all(conn)
    .await?
    .iter()
    .map(found)
    .collect()
}

/// Index of the latest entry of a kind.
///
/// # Errors
/// [`StoreError`].
pub async fn latest_of_kind(conn: &mut Conn, kind: EntryKind) -> Result<Option<u64>, StoreError> {
    let index: Option<i64> = sqlx::query_scalar("SELECT MAX(idx) FROM log_entry WHERE kind = ?")
        .bind(word(&kind)?)
        .fetch_one(conn)
        .await?;
    Ok(index.map(count))
}

/// Every entry of a kind, oldest first; only for kinds of which there are few.
///
/// # Errors
/// [`StoreError`].
pub async fn of_kind(conn: &mut Conn, kind: EntryKind) -> Result<Vec<Found>, StoreError> {
    sqlx::query(
        "SELECT idx, kind, item, operation, envelope, suspension, bytes FROM log_entry WHERE kind = ? ORDER BY idx",
    )
    .bind(word(&kind)?)
    .fetch_all(conn)
    .await?
    .iter()
    .map(found)
    .collect()
}

/// Every entry about an item, its operation, an operation, an envelope or a suspension; none where there are more
/// than `limit`, since a part of them proves nothing.
///
/// # Errors
/// [`StoreError`].
pub async fn entries_about(
    conn: &mut Conn,
    about: &About,
    limit: u32,
) -> Result<Option<Vec<Found>>, StoreError> {
    let rows = sqlx::query(
        "SELECT idx, kind, item, operation, envelope, suspension, bytes FROM log_entry
         WHERE item = ?1 OR operation = ?2 OR envelope = ?3 OR suspension = ?4 ORDER BY idx LIMIT ?5",
    )
    .bind(about.item.as_ref().map(ProposalId::as_str))
    .bind(about.operation.as_ref().map(OperationId::as_str))
    .bind(about.envelope.map(|digest| digest.to_string()))
    .bind(about.suspension.map(|digest| digest.to_string()))
    .bind(i64::from(limit).saturating_add(1))
    .fetch_all(conn)
    .await?;
    if u32::try_from(rows.len()).is_ok_and(|rows| rows <= limit) {
        rows.iter().map(found).collect::<Result<_, _>>().map(Some)
    } else {
        Ok(None)
    }
}

/// Why there are no bytes for a tile.
#[derive(Debug, thiserror::Error)]
pub enum ReadTileError {
    /// There is no such tile.
    #[error(transparent)]
    Tile(#[from] TileError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The bytes of a tile of the log as it is now.
///
/// # Errors
/// [`ReadTileError`].
pub async fn tile(conn: &mut Conn, tile: &Tile) -> Result<Vec<u8>, ReadTileError> {
    let size = size(conn).await?;
    let positions = tile.positions(size)?;
    match tile.kind {
        TileKind::Hashes(_) => {
            let known = hashes(conn, &positions).await?;
            Ok(tile.hashes(size, &known)?)
        }
        TileKind::Entries => {
            let from = tile
                .index
                .saturating_mul(countersign_core::log::tile::WIDTH);
            let found = entries(conn, from, u32::from(tile.width)).await?;
            Ok(bundle(found.iter().map(|entry| &entry.bytes))?)
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn evidence_is_whole_or_none() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let at = "2026-11-22T16:00:00Z".parse().unwrap();
        let about = About::item(&"p_1".parse().unwrap());
        for number in 0..3 {
            tx.note(at, EntryKind::ItemClosed, &about, json!({"number": number}))
                .await
                .unwrap();
        }
        for (limit, whole) in [(4, Some(3)), (3, Some(3)), (2, None)] {
            let found = entries_about(&mut tx, &about, limit).await.unwrap();
            assert_eq!(found.map(|found| found.len()), whole, "{limit}");
        }
    }
}
