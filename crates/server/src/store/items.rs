//! Items: accepted proposals and what became of them.

use chrono::{DateTime, Utc};
use countersign_core::assessment::{QuorumRule, ScopeCounts};
use countersign_core::identifier::{AgentId, Digest, OperationId, ProposalId};
use countersign_core::proposal::ActionKind;
use countersign_wire::proposal::ItemState;
use serde::{Deserialize, Serialize};
use sqlx::Row;

use super::{Conn, StoreError, Tx, from_json, from_word, parse, to_json, word};
use crate::clock::instant;

/// What a list shows of an item and never changes; the whole of it is in the briefing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Card {
    /// What is proposed, in our own words.
    pub title: String,
    /// The kind of action.
    pub action: ActionKind,
    /// How far it reaches.
    pub scope: ScopeCounts,
    /// Number of targets.
    pub targets: u64,
    /// Systems and services that would go down.
    pub down: u64,
    /// The messages of the blocking findings.
    pub why: Vec<String>,
    /// Who must decide.
    pub quorum: Option<QuorumRule>,
}

/// An item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its name.
    pub id: ProposalId,
    /// Who proposed it.
    pub agent: AgentId,
    /// The agent's key for this proposal.
    pub idempotency_key: String,
    /// Digest of the request's proposal, to recognise a repetition.
    pub request: Digest,
    /// Where it stands.
    pub state: ItemState,
    /// Digest of the proposal.
    pub proposal: Digest,
    /// Digest of the briefing.
    pub briefing: Digest,
    /// Digest of the envelope it was held against.
    pub envelope: Option<Digest>,
    /// What a list shows of it.
    pub card: Card,
    /// In a sentence, for the agent.
    pub message: String,
    /// When it came.
    pub received_at: DateTime<Utc>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// When it stopped waiting for people.
    pub closed_at: Option<DateTime<Utc>>,
    /// The operation that carries it out.
    pub operation: Option<OperationId>,
    /// The item it replaces.
    pub supersedes: Option<ProposalId>,
}

/// Which part of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What waits for people, nearest deadline first.
    Open,
    /// What no longer does, latest first.
    Closed,
}

/// Where a page begins: after this item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// Its deadline (open) or its end (closed), milliseconds.
    pub ms: i64,
    /// Its name.
    pub id: String,
}

fn item(row: &sqlx::sqlite::SqliteRow) -> Result<Item, StoreError> {
    let envelope: Option<String> = row.try_get("envelope")?;
    let operation: Option<String> = row.try_get("operation")?;
    let supersedes: Option<String> = row.try_get("supersedes")?;
    let closed: Option<i64> = row.try_get("closed_ms")?;
    Ok(Item {
        id: parse("an item", row.try_get("id")?)?,
        agent: parse("an agent", row.try_get("agent")?)?,
        idempotency_key: row.try_get("idempotency_key")?,
        request: parse("a request", row.try_get("request")?)?,
        state: from_word("an item's state", row.try_get("state")?)?,
        proposal: parse("a proposal", row.try_get("proposal")?)?,
        briefing: parse("a briefing", row.try_get("briefing")?)?,
        envelope: envelope
            .map(|digest| parse("an envelope", &digest))
            .transpose()?,
        card: from_json("a card", row.try_get("card")?)?,
        message: row.try_get("message")?,
        received_at: instant(row.try_get("received_ms")?),
        expires_at: instant(row.try_get("expires_ms")?),
        closed_at: closed.map(instant),
        operation: operation.map(|id| parse("an operation", &id)).transpose()?,
        supersedes: supersedes.map(|id| parse("an item", &id)).transpose()?,
    })
}

/// The item with this name.
///
/// # Errors
/// [`StoreError`].
pub async fn find(conn: &mut Conn, id: &ProposalId) -> Result<Option<Item>, StoreError> {
    sqlx::query("SELECT * FROM item WHERE id = ?")
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(item)
        .transpose()
}

/// The item that an agent proposed under this key.
///
/// # Errors
/// [`StoreError`].
pub async fn by_key(
    conn: &mut Conn,
    agent: &AgentId,
    key: &str,
) -> Result<Option<Item>, StoreError> {
    sqlx::query("SELECT * FROM item WHERE agent = ? AND idempotency_key = ?")
        .bind(agent.as_str())
        .bind(key)
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(item)
        .transpose()
}

/// How many items of an agent wait.
///
/// # Errors
/// [`StoreError`].
pub async fn open_of(conn: &mut Conn, agent: &AgentId) -> Result<i64, StoreError> {
    Ok(
        sqlx::query_scalar("SELECT COUNT(*) FROM item WHERE agent = ? AND state = 'waiting'")
            .bind(agent.as_str())
            .fetch_one(conn)
            .await?,
    )
}

/// A page of the queue.
///
/// # Errors
/// [`StoreError`].
pub async fn page(
    conn: &mut Conn,
    part: Part,
    after: Option<&Cursor>,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    let query = match part {
        Part::Open => {
            "SELECT * FROM item WHERE state = 'waiting' AND (?1 IS NULL OR (expires_ms, id) > (?1, ?2))
             ORDER BY expires_ms, id LIMIT ?3"
        }
        Part::Closed => {
            "SELECT * FROM item WHERE state <> 'waiting' AND (?1 IS NULL OR (COALESCE(closed_ms, received_ms), id) < (?1, ?2))
             ORDER BY COALESCE(closed_ms, received_ms) DESC, id DESC LIMIT ?3"
        }
    };
    sqlx::query(query)
        .bind(after.map(|cursor| cursor.ms))
        .bind(after.map_or("", |cursor| cursor.id.as_str()))
        .bind(limit)
        .fetch_all(conn)
        .await?
        .iter()
        .map(item)
        .collect()
}

/// Items that wait and are void at `now`; at most `limit`.
///
/// # Errors
/// [`StoreError`].
pub async fn expired(
    conn: &mut Conn,
    now: DateTime<Utc>,
    limit: u32,
) -> Result<Vec<Item>, StoreError> {
    sqlx::query("SELECT * FROM item WHERE state = 'waiting' AND expires_ms <= ? ORDER BY expires_ms LIMIT ?")
        .bind(now.timestamp_millis())
        .bind(limit)
        .fetch_all(conn)
        .await?
        .iter()
        .map(item)
        .collect()
}

impl Tx {
    /// Keeps a new item, whose proposal and briefing are kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_item(&mut self, item: &Item) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO item (id, agent, idempotency_key, request, state, proposal, briefing, envelope, card,
             message, received_ms, expires_ms, closed_ms, operation, supersedes)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(item.id.as_str())
        .bind(item.agent.as_str())
        .bind(&item.idempotency_key)
        .bind(item.request.to_string())
        .bind(word(&item.state)?)
        .bind(item.proposal.to_string())
        .bind(item.briefing.to_string())
        .bind(item.envelope.map(|digest| digest.to_string()))
        .bind(to_json(&item.card)?)
        .bind(&item.message)
        .bind(item.received_at.timestamp_millis())
        .bind(item.expires_at.timestamp_millis())
        .bind(item.closed_at.map(|at| at.timestamp_millis()))
        .bind(item.operation.as_ref().map(OperationId::as_str))
        .bind(item.supersedes.as_ref().map(ProposalId::as_str))
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Moves an item on. It stops waiting, if it did, at `now`.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_item(
        &mut self,
        id: &ProposalId,
        state: ItemState,
        message: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE item SET state = ?, message = ?, closed_ms = COALESCE(closed_ms, ?) WHERE id = ?")
            .bind(word(&state)?)
            .bind(message)
            .bind(now.timestamp_millis())
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Says which operation carries an item out.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn link_item(
        &mut self,
        id: &ProposalId,
        operation: &OperationId,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE item SET operation = ? WHERE id = ?")
            .bind(operation.as_str())
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        Ok(())
    }
}
