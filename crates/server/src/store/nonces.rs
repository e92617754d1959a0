//! Nonces: 256 random bits for one attempt of one approver at one thing.

use chrono::{DateTime, Utc};
use countersign_core::identifier::ApproverId;
use sqlx::Row;

use super::{Conn, StoreError, Tx, parse};
use crate::clock::instant;

/// The kind of nonces for signing in.
pub const SESSION: &str = "session";

/// What a nonce was given for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// To whom.
    pub approver: ApproverId,
    /// `session`, or what will be decided about, as JSON.
    pub about: String,
    /// `session`, or the kind of decision.
    pub kind: String,
}

/// A nonce as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// For what.
    pub purpose: Purpose,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// Whether it was used.
    pub used: bool,
}

/// The nonce, if it was given and is still remembered.
///
/// # Errors
/// [`StoreError`].
pub async fn find(conn: &mut Conn, nonce: &[u8]) -> Result<Option<Given>, StoreError> {
    let row =
        sqlx::query("SELECT approver, about, kind, expires_ms, used_ms FROM nonce WHERE nonce = ?")
            .bind(nonce)
            .fetch_optional(conn)
            .await?;
    row.map(|row| {
        let used: Option<i64> = row.try_get("used_ms")?;
        Ok(Given {
            purpose: Purpose {
                approver: parse("an approver", row.try_get("approver")?)?,
                about: row.try_get("about")?,
                kind: row.try_get("kind")?,
            },
            expires_at: instant(row.try_get("expires_ms")?),
            used: used.is_some(),
        })
    })
    .transpose()
}

impl Tx {
    /// Gives a nonce; whether it did. It does not where the approver has `open_max` open ones. For
    /// signing in, which strangers ask for as well, the oldest makes room instead.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn give_nonce(
        &mut self,
        nonce: &[u8; 32],
        purpose: &Purpose,
        now: DateTime<Utc>,
        expires_at: DateTime<Utc>,
        open_max: i64,
    ) -> Result<bool, StoreError> {
        // Those for signing in are counted apart, so that strangers cannot keep anybody from deciding.
        let open: i64 = sqlx::query_scalar(
            "SELECT COUNT(*) FROM nonce WHERE approver = ? AND used_ms IS NULL AND expires_ms > ? AND (kind = 'session') = ?",
        )
        .bind(purpose.approver.as_str())
        .bind(now.timestamp_millis())
        .bind(purpose.kind == SESSION)
        .fetch_one(&mut **self)
        .await?;
        if open >= open_max {
            if purpose.kind != SESSION {
                return Ok(false);
            }
            let surplus = open.saturating_sub(open_max).saturating_add(1);
            sqlx::query(
                "DELETE FROM nonce WHERE nonce IN (SELECT nonce FROM nonce WHERE approver = ? AND kind = ?
                 AND used_ms IS NULL ORDER BY expires_ms, rowid LIMIT ?)",
            )
            .bind(purpose.approver.as_str())
            .bind(SESSION)
            .bind(surplus)
            .execute(&mut **self)
            .await?;
        }
        sqlx::query(
            "INSERT INTO nonce (nonce, approver, about, kind, expires_ms) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(nonce.as_slice())
        .bind(purpose.approver.as_str())
        .bind(&purpose.about)
        .bind(&purpose.kind)
        .bind(expires_at.timestamp_millis())
        .execute(&mut **self)
        .await?;
        Ok(true)
    }

    /// Uses a nonce up; whether it was there and unused.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn use_nonce(
        &mut self,
        nonce: &[u8],
        now: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query("UPDATE nonce SET used_ms = ? WHERE nonce = ? AND used_ms IS NULL")
            .bind(now.timestamp_millis())
            .bind(nonce)
            .execute(&mut **self)
            .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Forgets unused nonces that expired before `unused`, and used ones that expired before `used`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn forget_nonces(
        &mut self,
        unused: DateTime<Utc>,
        used: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "DELETE FROM nonce WHERE (used_ms IS NULL AND expires_ms < ?) OR expires_ms < ?",
        )
        .bind(unused.timestamp_millis())
        .bind(used.timestamp_millis())
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    #[tokio::test]
    async fn strangers_keep_nobody_from_signing_in() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let mut tx = store.begin().await.unwrap();
        let now = "2026-11-22T16:00:00Z".parse().unwrap();
        let until = "2026-11-22T16:05:00Z".parse().unwrap();
        let of = |kind: &str| Purpose {
            approver: "cat".parse().unwrap(),
            about: kind.to_owned(),
            kind: kind.to_owned(),
        };
        for number in 0..5 {
            let nonce = [number; 32];
            assert!(
                tx.give_nonce(&nonce, &of(SESSION), now, until, 3)
                    .await
                    .unwrap()
            );
        }
        for (number, remembered) in [(0, false), (1, false), (2, true), (3, true), (4, true)] {
            let found = find(&mut tx, &[number; 32]).await.unwrap();
            assert_eq!(found.is_some(), remembered, "{number}");
        }
        // Nobody but the person asks for those to decide with.
        for (number, given) in [(10, true), (11, true), (12, false)] {
            let nonce = [number; 32];
            assert_eq!(
                tx.give_nonce(&nonce, &of("approve"), now, until, 2)
                    .await
                    .unwrap(),
                given
            );
        }
    }
}
