//! Recorded decisions; their statements are payloads.

use chrono::{DateTime, Utc};
use countersign_core::decision::UnverifiedDecision;
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::statement::DecisionKind;
use countersign_core::webauthn::Bytes;
use countersign_wire::decision::About;
use sqlx::Row;

use super::{
    Conn, StoreError, Tx, count, from_json, from_word, integer, parse, payloads, to_json, word,
};
use crate::clock::instant;

/// A recorded decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Digest of its statement.
    pub digest: Digest,
    /// What.
    pub kind: DecisionKind,
    /// Who.
    pub approver: ApproverId,
    /// Whether it approved less than was asked.
    pub narrowed: bool,
    /// When, by the approver's clock.
    pub decided_at: DateTime<Utc>,
    /// When, by ours.
    pub received_at: DateTime<Utc>,
    /// Index of its log entry.
    pub index: u64,
    /// The receipt's exact bytes.
    pub receipt: Bytes,
    /// The log key's signature over them.
    pub receipt_signature: Bytes,
    /// Whether it no longer counts.
    pub voided: bool,
}

/// What a decision is about, as two columns.
#[must_use]
pub fn subject(about: &About) -> (&'static str, String) {
    match about {
        About::Item(id) => ("item", id.to_string()),
        About::Operation(id) => ("operation", id.to_string()),
        About::Envelope(digest) => ("envelope", digest.to_string()),
        About::Suspension(digest) => ("suspension", digest.to_string()),
    }
}

/// The decisions about something, in the order they were recorded.
///
/// # Errors
/// [`StoreError`].
pub async fn about(conn: &mut Conn, about: &About) -> Result<Vec<Recorded>, StoreError> {
    let (about, subject) = subject(about);
    sqlx::query("SELECT * FROM decision WHERE about = ? AND subject = ? ORDER BY log_index")
        .bind(about)
        .bind(subject)
        .fetch_all(conn)
        .await?
        .iter()
        .map(|row| {
            Ok(Recorded {
                digest: parse("a decision", row.try_get("digest")?)?,
                kind: from_word("a decision's kind", row.try_get("kind")?)?,
                approver: parse("an approver", row.try_get("approver")?)?,
                narrowed: row.try_get("narrowed")?,
                decided_at: instant(row.try_get("decided_ms")?),
                received_at: instant(row.try_get("received_ms")?),
                index: count(row.try_get("log_index")?),
                receipt: Bytes(row.try_get("receipt")?),
                receipt_signature: Bytes(row.try_get("receipt_signature")?),
                voided: row.try_get("voided")?,
            })
        })
        .collect()
}

/// A decision as it was submitted, to be verified again.
///
/// # Errors
/// [`StoreError`].
pub async fn unverified(conn: &mut Conn, digest: Digest) -> Result<UnverifiedDecision, StoreError> {
    let assertion: Option<String> =
        sqlx::query_scalar("SELECT assertion FROM decision WHERE digest = ?")
            .bind(digest.to_string())
            .fetch_optional(&mut *conn)
            .await?;
    let assertion = assertion
        .ok_or_else(|| StoreError::Damaged(format!("the decision {digest} is missing")))?;
    Ok(UnverifiedDecision {
        statement: payloads::get(conn, digest).await?,
        assertion: from_json("an assertion", &assertion)?,
    })
}

/// A decision to be recorded; its statement is kept.
#[derive(Debug)]
pub struct NewDecision<'a> {
    /// About what.
    pub about: &'a About,
    /// The decision.
    pub decision: &'a countersign_core::decision::VerifiedDecision,
    /// When it was received.
    pub received_at: DateTime<Utc>,
    /// Index of its log entry.
    pub index: u64,
    /// The receipt.
    pub receipt: &'a [u8],
    /// The log key's signature over it.
    pub receipt_signature: &'a Bytes,
}

impl Tx {
    /// Records a decision.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_decision(&mut self, new: &NewDecision<'_>) -> Result<(), StoreError> {
        let (about, subject) = subject(new.about);
        let predicate = new.decision.predicate();
        sqlx::query(
            "INSERT INTO decision (digest, about, subject, kind, approver, assertion, narrowed, decided_ms,
             received_ms, log_index, receipt, receipt_signature) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.decision.digest().to_string())
        .bind(about)
        .bind(subject)
        .bind(word(&predicate.kind)?)
        .bind(predicate.approver.as_str())
        .bind(to_json(new.decision.assertion())?)
        .bind(predicate.narrowing.is_some())
        .bind(predicate.decided_at.timestamp_millis())
        .bind(new.received_at.timestamp_millis())
        .bind(integer(new.index))
        .bind(new.receipt)
        .bind(&new.receipt_signature.0)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// The decisions about something no longer count.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn void_decisions(&mut self, about: &About) -> Result<(), StoreError> {
        let (about, subject) = subject(about);
        sqlx::query("UPDATE decision SET voided = 1 WHERE about = ? AND subject = ?")
            .bind(about)
            .bind(subject)
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}
