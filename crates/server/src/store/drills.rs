//! Drills that were begun, and what came of them (AG-706 4.6).

use chrono::{DateTime, Utc};
use countersign_core::drill::{Pair, Run, RunResult};
use countersign_core::identifier::OperationId;
use countersign_wire::drill::DrillResult;
use sqlx::Row;

use super::{Conn, StoreError, Tx, count, from_word, integer, parse, word};
use crate::clock::instant;

/// A drill that was begun.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The operation.
    pub operation: OperationId,
    /// What, where, when and what came of it.
    pub run: Run,
    /// Whether the schedule began it.
    pub scheduled: bool,
    /// Since when it had been due, where the schedule began it and the pair had been rehearsed before.
    pub due_at: Option<DateTime<Utc>>,
    /// How long undoing took, in milliseconds.
    pub rollback_ms: Option<u64>,
    /// What went wrong: an executor's or a check's words.
    pub message: Option<String>,
}

/// How a drill ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Passed or failed.
    pub result: DrillResult,
    /// When.
    pub at: DateTime<Utc>,
    /// How long undoing took, in milliseconds.
    pub rollback_ms: Option<u64>,
    /// What went wrong.
    pub message: Option<String>,
}

const COLUMNS: &str = "SELECT operation, action, class, system, began_ms, scheduled, due_ms, result, ended_ms, rollback_ms, message";

fn kept(row: &sqlx::sqlite::SqliteRow) -> Result<Kept, StoreError> {
    let began_at = instant(row.try_get("began_ms")?);
    let ended: Option<i64> = row.try_get("ended_ms")?;
    let due: Option<i64> = row.try_get("due_ms")?;
    let rollback: Option<i64> = row.try_get("rollback_ms")?;
    let at = ended.map_or(began_at, instant);
    Ok(Kept {
        operation: parse("an operation", row.try_get("operation")?)?,
        run: Run {
            pair: Pair {
                action: from_word("an action", row.try_get("action")?)?,
                class: parse("a class", row.try_get("class")?)?,
            },
            system: parse("a system", row.try_get("system")?)?,
            began_at,
            result: match from_word("the result of a drill", row.try_get("result")?)? {
                DrillResult::UnderWay => RunResult::UnderWay,
                DrillResult::Passed => RunResult::Passed { at },
                DrillResult::Failed => RunResult::Failed { at },
            },
        },
        scheduled: row.try_get("scheduled")?,
        due_at: due.map(instant),
        rollback_ms: rollback.map(count),
        message: row.try_get("message")?,
    })
}

/// For each pair and system the latest that passed, the latest that failed and the latest under way:
/// all that a schedule asks about. Of one system at most one is under way.
///
/// # Errors
/// [`StoreError`].
pub async fn latest(conn: &mut Conn) -> Result<Vec<Kept>, StoreError> {
    sqlx::query(sqlx::AssertSqlSafe(format!(
        "{COLUMNS}, MAX(began_ms) FROM drill_run GROUP BY action, class, system, result ORDER BY began_ms, operation"
    )))
    .fetch_all(conn)
    .await?
    .iter()
    .map(kept)
    .collect()
}

impl Tx {
    /// Keeps that a drill begins, whose operation is kept.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn begin_drill(&mut self, new: &Kept) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO drill_run (operation, action, class, system, began_ms, scheduled, due_ms, result)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.operation.as_str())
        .bind(word(&new.run.pair.action)?)
        .bind(new.run.pair.class.as_str())
        .bind(new.run.system.as_str())
        .bind(new.run.began_at.timestamp_millis())
        .bind(new.scheduled)
        .bind(new.due_at.map(|at| at.timestamp_millis()))
        .bind(word(&DrillResult::UnderWay)?)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Keeps what came of a drill; the first word counts, so that one which halted has failed.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn end_drill(&mut self, id: &OperationId, ended: &Ended) -> Result<(), StoreError> {
        sqlx::query(
            "UPDATE drill_run SET result = ?, ended_ms = ?, rollback_ms = ?, message = ?
             WHERE operation = ? AND result = ?",
        )
        .bind(word(&ended.result)?)
        .bind(ended.at.timestamp_millis())
        .bind(ended.rollback_ms.map(integer))
        .bind(ended.message.as_deref())
        .bind(id.as_str())
        .bind(word(&DrillResult::UnderWay)?)
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}
