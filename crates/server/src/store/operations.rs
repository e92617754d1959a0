//! Operations: the state machine's snapshot, the events since, and what a list shows.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use countersign_core::envelope::Rollout;
use countersign_core::history::Drill;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::operation::{Effect, Event, Operation, Phase, StepError, step};
use countersign_core::proposal::Action;
use countersign_wire::operation::{AuthorityKind, OperationState};
use sqlx::Row;

use super::machines::Machine;
use super::{
    Conn, Store, StoreError, Tx, count, from_json, from_word, integer, parse, to_json, word,
};
use crate::clock::instant;
use crate::limits::EVENTS_PER_SNAPSHOT;

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// Its name.
    pub id: OperationId,
    /// The item it carries out; absent for a drill.
    pub item: Option<ProposalId>,
    /// How it came to run.
    pub authority: AuthorityKind,
    /// In our own words.
    pub title: String,
    /// The action.
    pub action: Action,
    /// Digest of its document.
    pub document: Digest,
    /// How it is rolled out.
    pub rollout: Rollout,
    /// The systems it may touch.
    pub targets: BTreeSet<SystemId>,
    /// Where it stands.
    pub state: OperationState,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
    /// The systems it touched; kept when it ends.
    pub touched: BTreeSet<SystemId>,
    /// Index of the log entry of its latest trip.
    pub trip_index: Option<u64>,
}

/// What happened last to one of its systems.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SystemNote {
    /// The system.
    pub system: SystemId,
    /// When.
    pub at: DateTime<Utc>,
    /// In a sentence.
    pub message: Option<String>,
}

/// Why an operation did not take an event.
#[derive(Debug, thiserror::Error)]
pub enum OperationStoreError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The state machine refused it.
    #[error(transparent)]
    Step(#[from] StepError),
}

impl From<sqlx::Error> for OperationStoreError {
    fn from(error: sqlx::Error) -> Self {
        Self::Store(error.into())
    }
}

fn stored(row: &sqlx::sqlite::SqliteRow) -> Result<Stored, StoreError> {
    let item: Option<String> = row.try_get("item")?;
    let finished: Option<i64> = row.try_get("finished_ms")?;
    let trip: Option<i64> = row.try_get("trip_index")?;
    Ok(Stored {
        id: parse("an operation", row.try_get("id")?)?,
        item: item.map(|id| parse("an item", &id)).transpose()?,
        authority: from_word("an authority", row.try_get("authority")?)?,
        title: row.try_get("title")?,
        action: from_json("an action", row.try_get("action")?)?,
        document: parse("an operation's document", row.try_get("document")?)?,
        rollout: from_json("a rollout", row.try_get("rollout")?)?,
        targets: from_json("targets", row.try_get("targets")?)?,
        state: from_word("an operation's state", row.try_get("state")?)?,
        started_at: instant(row.try_get("started_ms")?),
        finished_at: finished.map(instant),
        touched: from_json("touched systems", row.try_get("touched")?)?,
        trip_index: trip.map(count),
    })
}

const COLUMNS: &str = "SELECT id, item, authority, title, action, document, rollout, targets, state, started_ms, finished_ms, touched, trip_index
     FROM operation JOIN operation_state ON operation_state.operation = operation.id";

/// The operation with this name.
///
/// # Errors
/// [`StoreError`].
pub async fn find(conn: &mut Conn, id: &OperationId) -> Result<Option<Stored>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("{COLUMNS} WHERE id = ?")))
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(stored)
        .transpose()
}

/// The operations, the latest first.
///
/// # Errors
/// [`StoreError`].
pub async fn latest(conn: &mut Conn, limit: u32) -> Result<Vec<Stored>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} ORDER BY started_ms DESC, id DESC LIMIT ?"
    )))
    .bind(limit)
    .fetch_all(conn)
    .await?
    .iter()
    .map(stored)
    .collect()
}

/// The operations that have not ended.
///
/// # Errors
/// [`StoreError`].
pub async fn unfinished(conn: &mut Conn) -> Result<Vec<Stored>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE finished_ms IS NULL ORDER BY id"
    )))
    .fetch_all(conn)
    .await?
    .iter()
    .map(stored)
    .collect()
}

/// The operations that ended since `since`.
///
/// # Errors
/// [`StoreError`].
pub async fn finished_since(
    conn: &mut Conn,
    since: DateTime<Utc>,
) -> Result<Vec<Stored>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{COLUMNS} WHERE finished_ms >= ? ORDER BY finished_ms"
    )))
    .bind(since.timestamp_millis())
    .fetch_all(conn)
    .await?
    .iter()
    .map(stored)
    .collect()
}

/// The state machine as it stands: the snapshot and the events since.
///
/// # Errors
/// [`StoreError::Damaged`] where the events do not fit the snapshot.
pub async fn machine(conn: &mut Conn, id: &OperationId) -> Result<Operation, StoreError> {
    let row = sqlx::query(
        "SELECT snapshot, snapshot_after FROM operation JOIN operation_state ON operation_state.operation = operation.id
         WHERE id = ?",
    )
        .bind(id.as_str())
        .fetch_one(&mut *conn)
        .await?;
    let mut machine: Operation = from_json("an operation", row.try_get("snapshot")?)?;
    let after: i64 = row.try_get("snapshot_after")?;
    let events: Vec<String> = sqlx::query_scalar(
        "SELECT event FROM operation_event WHERE operation = ? AND number > ? ORDER BY number",
    )
    .bind(id.as_str())
    .bind(after)
    .fetch_all(conn)
    .await?;
    for event in events {
        step(&mut machine, from_json("an event", &event)?)
            .map_err(|error| StoreError::Damaged(format!("the operation `{id}`: {error}")))?;
    }
    Ok(machine)
}

async fn numbers(conn: &mut Conn, id: &OperationId) -> Result<(i64, i64), StoreError> {
    let row = sqlx::query("SELECT events, snapshot_after FROM operation WHERE id = ?")
        .bind(id.as_str())
        .fetch_one(conn)
        .await?;
    Ok((row.try_get("events")?, row.try_get("snapshot_after")?))
}

/// Events between two snapshots: at least as many as there are systems, so that all snapshots of a
/// rollout together cost as much as its events do.
fn snapshot_distance(machine: &Operation) -> i64 {
    i64::try_from(machine.systems().len())
        .unwrap_or(i64::MAX)
        .max(EVENTS_PER_SNAPSHOT)
}

/// Whether it waits for people or is over, so that it is read more often than it moves on.
const fn rests(phase: &Phase) -> bool {
    match phase {
        Phase::Halted | Phase::Held { .. } | Phase::Ended { .. } => true,
        Phase::Ready
        | Phase::Running
        | Phase::Soaking { .. }
        | Phase::CoolingDown { .. }
        | Phase::Aborting { .. }
        | Phase::RollingBack { .. } => false,
    }
}

impl Store {
    /// The state machine as `conn` sees it; costs no building where nothing happened meanwhile.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn machine(
        &self,
        conn: &mut Conn,
        id: &OperationId,
    ) -> Result<Arc<Operation>, StoreError> {
        let (events, _) = numbers(conn, id).await?;
        match self.machines.get(id, events) {
            Some(operation) => Ok(operation),
            None => Ok(Arc::new(machine(conn, id).await?)),
        }
    }
}

/// What an event of an operation needs to be known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Its name.
    pub id: OperationId,
    /// The item it carries out; absent for a drill.
    pub item: Option<ProposalId>,
    /// How it came to run.
    pub authority: AuthorityKind,
    /// The action.
    pub action: Action,
    /// Digest of its document.
    pub document: Digest,
    /// How it is rolled out.
    pub rollout: Rollout,
    /// Where it stands.
    pub state: OperationState,
    /// When it ended.
    pub finished_at: Option<DateTime<Utc>>,
}

/// What an event of the operation with this name needs to be known; its systems are not read.
///
/// # Errors
/// [`StoreError`].
pub async fn head(conn: &mut Conn, id: &OperationId) -> Result<Option<Head>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!("{HEAD_COLUMNS} WHERE id = ?")))
        .bind(id.as_str())
        .fetch_optional(conn)
        .await?
        .as_ref()
        .map(head_of)
        .transpose()
}

/// As [`head`], of every operation that has not ended.
///
/// # Errors
/// [`StoreError`].
pub async fn unfinished_heads(conn: &mut Conn) -> Result<Vec<Head>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{HEAD_COLUMNS} WHERE finished_ms IS NULL ORDER BY id"
    )))
    .fetch_all(conn)
    .await?
    .iter()
    .map(head_of)
    .collect()
}

const HEAD_COLUMNS: &str =
    "SELECT id, item, authority, action, document, rollout, state, finished_ms FROM operation";

fn head_of(row: &sqlx::sqlite::SqliteRow) -> Result<Head, StoreError> {
    let item: Option<String> = row.try_get("item")?;
    let finished: Option<i64> = row.try_get("finished_ms")?;
    Ok(Head {
        id: parse("an operation", row.try_get("id")?)?,
        item: item.map(|id| parse("an item", &id)).transpose()?,
        authority: from_word("an authority", row.try_get("authority")?)?,
        action: from_json("an action", row.try_get("action")?)?,
        document: parse("an operation's document", row.try_get("document")?)?,
        rollout: from_json("a rollout", row.try_get("rollout")?)?,
        state: from_word("an operation's state", row.try_get("state")?)?,
        finished_at: finished.map(instant),
    })
}

/// What happened last to each system that something happened to.
///
/// # Errors
/// [`StoreError`].
pub async fn system_notes(
    conn: &mut Conn,
    id: &OperationId,
) -> Result<Vec<SystemNote>, StoreError> {
    sqlx::query("SELECT system, at_ms, message FROM operation_system WHERE operation = ?")
        .bind(id.as_str())
        .fetch_all(conn)
        .await?
        .iter()
        .map(|row| {
            Ok(SystemNote {
                system: parse("a system", row.try_get("system")?)?,
                at: instant(row.try_get("at_ms")?),
                message: row.try_get("message")?,
            })
        })
        .collect()
}

/// The rehearsals that succeeded, the latest of each action and class, and whether one failed since.
///
/// # Errors
/// [`StoreError`].
pub async fn drills(conn: &mut Conn) -> Result<Vec<Drill>, StoreError> {
    sqlx::query(
        "SELECT action, class, succeeded_at, MAX(succeeded_ms),
         (SELECT MAX(ended_ms) FROM drill_run
          WHERE drill_run.action = drill.action AND drill_run.class = drill.class AND result = 'failed') AS failed_ms
         FROM drill GROUP BY action, class ORDER BY action, class",
    )
    .fetch_all(conn)
    .await?
    .iter()
    .map(|row| {
        let failed: Option<i64> = row.try_get("failed_ms")?;
        let mut drill = Drill {
            action: from_word("an action", row.try_get("action")?)?,
            class: parse("a class", row.try_get("class")?)?,
            succeeded_at: parse("an instant", row.try_get("succeeded_at")?)?,
            failed_at: failed.map(instant),
        };
        drill.failed_at = drill.failed_since();
        Ok(drill)
    })
    .collect()
}

impl Tx {
    /// Keeps a new operation, whose document is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_operation(
        &mut self,
        new: &Stored,
        machine: &Operation,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO operation (id, item, authority, title, action, document, rollout, snapshot_after, events,
             state, started_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 0, 0, ?, ?)",
        )
        .bind(new.id.as_str())
        .bind(new.item.as_ref().map(ProposalId::as_str))
        .bind(word(&new.authority)?)
        .bind(&new.title)
        .bind(to_json(&new.action)?)
        .bind(new.document.to_string())
        .bind(to_json(&new.rollout)?)
        .bind(word(&new.state)?)
        .bind(new.started_at.timestamp_millis())
        .execute(&mut **self)
        .await?;
        sqlx::query("INSERT INTO operation_state (operation, targets, snapshot) VALUES (?, ?, ?)")
            .bind(new.id.as_str())
            .bind(to_json(&new.targets)?)
            .bind(to_json(machine)?)
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// The state machine as it stands, this change included.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn machine(&mut self, id: &OperationId) -> Result<Arc<Operation>, StoreError> {
        if let Some(machine) = self.moved.get(id) {
            return Ok(Arc::clone(&machine.operation));
        }
        let machine = self.take_machine(id).await?;
        let operation = Arc::clone(&machine.operation);
        // Nothing was done to it: it is what the database has.
        self.machines.put(id.clone(), machine);
        Ok(operation)
    }

    async fn take_machine(&mut self, id: &OperationId) -> Result<Machine, StoreError> {
        if let Some(machine) = self.moved.remove(id) {
            return Ok(machine);
        }
        let (events, snapshot_after) = numbers(self, id).await?;
        if let Some(machine) = self.machines.take(id, events) {
            return Ok(machine);
        }
        Ok(Machine {
            operation: Arc::new(machine(self, id).await?),
            events,
            snapshot_after,
        })
    }

    /// Gives an event to an operation and keeps it; the machine after it and what it asks for.
    ///
    /// # Errors
    /// [`OperationStoreError`]; the transaction must then be dropped.
    pub async fn step_operation(
        &mut self,
        id: &OperationId,
        event: Event,
    ) -> Result<(Arc<Operation>, Vec<Effect>), OperationStoreError> {
        let mut machine = self.take_machine(id).await?;
        let text = to_json(&event)?;
        let phase = std::mem::discriminant(machine.operation.phase());
        let effects = step(Arc::make_mut(&mut machine.operation), event)?;
        machine.events = machine.events.saturating_add(1);
        sqlx::query("INSERT INTO operation_event (operation, number, event) VALUES (?, ?, ?)")
            .bind(id.as_str())
            .bind(machine.events)
            .bind(text)
            .execute(&mut **self)
            .await?;
        let is_new_phase = std::mem::discriminant(machine.operation.phase()) != phase;
        let since = machine.events.saturating_sub(machine.snapshot_after);
        if since >= snapshot_distance(&machine.operation)
            || (is_new_phase && rests(machine.operation.phase()))
        {
            sqlx::query("UPDATE operation_state SET snapshot = ? WHERE operation = ?")
                .bind(to_json(&*machine.operation)?)
                .bind(id.as_str())
                .execute(&mut **self)
                .await?;
            machine.snapshot_after = machine.events;
        }
        sqlx::query("UPDATE operation SET events = ?, snapshot_after = ? WHERE id = ?")
            .bind(machine.events)
            .bind(machine.snapshot_after)
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        let operation = Arc::clone(&machine.operation);
        self.moved.insert(id.clone(), machine);
        Ok((operation, effects))
    }

    /// Keeps where an operation stands.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn move_operation(
        &mut self,
        id: &OperationId,
        state: OperationState,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE operation SET state = ? WHERE id = ?")
            .bind(word(&state)?)
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Keeps that an operation ended, and what it touched.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn finish_operation(
        &mut self,
        id: &OperationId,
        touched: &BTreeSet<SystemId>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query("UPDATE operation SET finished_ms = ?, touched = ? WHERE id = ? AND finished_ms IS NULL")
            .bind(at.timestamp_millis())
            .bind(to_json(touched)?)
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Keeps the index of the entry of a trip.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn trip_operation(&mut self, id: &OperationId, index: u64) -> Result<(), StoreError> {
        sqlx::query("UPDATE operation SET trip_index = ? WHERE id = ?")
            .bind(integer(index))
            .bind(id.as_str())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Keeps what happened last to a system.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn note_system(
        &mut self,
        id: &OperationId,
        system: &SystemId,
        at: DateTime<Utc>,
        message: Option<&str>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO operation_system (operation, system, at_ms, message) VALUES (?, ?, ?, ?)
             ON CONFLICT (operation, system) DO UPDATE SET at_ms = excluded.at_ms, message = excluded.message",
        )
        .bind(id.as_str())
        .bind(system.as_str())
        .bind(at.timestamp_millis())
        .bind(message)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Keeps a rehearsal that succeeded.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn add_drill(&mut self, id: &OperationId, drill: &Drill) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO drill (operation, action, class, succeeded_at, succeeded_ms) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(id.as_str())
        .bind(word(&drill.action)?)
        .bind(drill.class.as_str())
        .bind(drill.succeeded_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        .bind(drill.succeeded_at.timestamp_millis())
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}

#[cfg(test)]
#[path = "operations_tests.rs"]
mod tests;
