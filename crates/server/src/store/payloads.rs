//! Payloads: what the log names by digest, and the texts that can be erased.

use countersign_core::identifier::Digest;
use countersign_core::statement::commitment;
use sqlx::Row;

use super::{Conn, StoreError, Tx, from_word, word};

/// What a payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum PayloadKind {
    Genesis,
    Topology,
    Envelope,
    Diff,
    Proposal,
    Targets,
    Neighbourhood,
    History,
    Plan,
    Briefing,
    Statement,
    Assertion,
    Operation,
    Touched,
    Remaining,
    Snapshot,
    Waves,
    Suspension,
}

/// What an erasable text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum ErasableKind {
    Name,
    Rationale,
}

/// A text and the salt of its commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasable {
    /// What it is.
    pub kind: ErasableKind,
    /// 32 random bytes.
    pub salt: Vec<u8>,
    /// The text.
    pub text: String,
}

impl Tx {
    /// Keeps `bytes` under their digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep(&mut self, kind: PayloadKind, bytes: &[u8]) -> Result<Digest, StoreError> {
        let digest = Digest::of(bytes);
        sqlx::query(
            "INSERT INTO payload (digest, kind, bytes) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(digest.to_string())
        .bind(word(&kind)?)
        .bind(bytes)
        .execute(&mut **self)
        .await?;
        Ok(digest)
    }

    /// Keeps the canonical bytes of `value` under their digest.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_value<T: serde::Serialize + Sync>(
        &mut self,
        kind: PayloadKind,
        value: &T,
    ) -> Result<Digest, StoreError> {
        let bytes = countersign_core::canonical::to_bytes(value)?;
        self.keep(kind, &bytes).await
    }

    /// Keeps a text that can be erased; its commitment.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_erasable(
        &mut self,
        kind: ErasableKind,
        salt: &[u8; 32],
        text: &str,
    ) -> Result<Digest, StoreError> {
        let commitment = commitment(salt, text);
        sqlx::query("INSERT INTO erasable (commitment, kind, salt, text) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING")
            .bind(commitment.to_string())
            .bind(word(&kind)?)
            .bind(salt.as_slice())
            .bind(text)
            .execute(&mut **self)
            .await?;
        Ok(commitment)
    }
}

/// The bytes with this digest, which they are held against.
///
/// # Errors
/// [`StoreError::Damaged`] where they have another one.
pub async fn find(conn: &mut Conn, digest: Digest) -> Result<Option<Vec<u8>>, StoreError> {
    let bytes: Option<Vec<u8>> = sqlx::query_scalar("SELECT bytes FROM payload WHERE digest = ?")
        .bind(digest.to_string())
        .fetch_optional(conn)
        .await?;
    match bytes {
        Some(bytes) if Digest::of(&bytes) != digest => Err(StoreError::Damaged(format!(
            "the payload {digest} was changed"
        ))),
        bytes => Ok(bytes),
    }
}

/// The bytes with this digest, which must be there.
///
/// # Errors
/// [`StoreError::Damaged`] where they are not, or were changed.
pub async fn get(conn: &mut Conn, digest: Digest) -> Result<Vec<u8>, StoreError> {
    find(conn, digest)
        .await?
        .ok_or_else(|| StoreError::Damaged(format!("the payload {digest} is missing")))
}

/// The value whose canonical bytes have this digest.
///
/// # Errors
/// [`StoreError`].
pub async fn value<T: serde::de::DeserializeOwned>(
    conn: &mut Conn,
    digest: Digest,
) -> Result<T, StoreError> {
    let bytes = get(conn, digest).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| StoreError::Damaged(format!("the payload {digest}: {error}")))
}

/// The text behind a commitment; none where it was erased.
///
/// # Errors
/// [`StoreError`].
pub async fn erasable(conn: &mut Conn, commitment: Digest) -> Result<Option<Erasable>, StoreError> {
    let row = sqlx::query("SELECT kind, salt, text FROM erasable WHERE commitment = ?")
        .bind(commitment.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|row| {
        Ok(Erasable {
            kind: from_word("the kind of a text", row.try_get("kind")?)?,
            salt: row.try_get("salt")?,
            text: row.try_get("text")?,
        })
    })
    .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn changed_bytes_are_not_handed_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let digest = tx.keep(PayloadKind::Plan, b"one").await.unwrap();
        assert_eq!(get(&mut tx, digest).await.unwrap(), b"one");
        sqlx::query("UPDATE payload SET bytes = x'00'")
            .execute(&mut *tx)
            .await
            .unwrap();
        assert!(matches!(
            find(&mut tx, digest).await,
            Err(StoreError::Damaged(_))
        ));
    }
}
