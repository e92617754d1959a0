//! Agents, sources, detection rules, their outcomes, and signals.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use countersign_core::history::{RegisteredDetection, RemainingBudget, VerifiedSignal};
use countersign_core::identifier::{
    AgentId, ApproverId, DetectionRuleId, SourceId, SystemId, UpstreamId,
};
use sqlx::Row;

use super::{Conn, StoreError, Tx, count, from_json, from_word, parse, to_json, word};
use crate::secret::SecretHash;

/// A source that sent a secret of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSource {
    /// Who.
    pub source: SourceId,
    /// What it gets its knowledge from.
    pub upstream: UpstreamId,
}

/// The agent with this secret.
///
/// # Errors
/// [`StoreError`].
pub async fn agent(conn: &mut Conn, secret: &SecretHash) -> Result<Option<AgentId>, StoreError> {
    let row = sqlx::query("SELECT id, secret_hash FROM agent WHERE secret_hash = ?")
        .bind(secret.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let stored: Vec<u8> = row.try_get("secret_hash")?;
    if !secret.is(&stored) {
        return Ok(None);
    }
    Ok(Some(parse("an agent", row.try_get("id")?)?))
}

/// The source with this secret.
///
/// # Errors
/// [`StoreError`].
pub async fn source(
    conn: &mut Conn,
    secret: &SecretHash,
) -> Result<Option<KnownSource>, StoreError> {
    let row = sqlx::query("SELECT id, upstream, secret_hash FROM source WHERE secret_hash = ?")
        .bind(secret.as_bytes().as_slice())
        .fetch_optional(conn)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let stored: Vec<u8> = row.try_get("secret_hash")?;
    if !secret.is(&stored) {
        return Ok(None);
    }
    Ok(Some(KnownSource {
        source: parse("a source", row.try_get("id")?)?,
        upstream: parse("an upstream", row.try_get("upstream")?)?,
    }))
}

/// Whether the agent is registered.
///
/// # Errors
/// [`StoreError`].
pub async fn has_agent(conn: &mut Conn, agent: &AgentId) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM agent WHERE id = ?")
        .bind(agent.as_str())
        .fetch_one(conn)
        .await?;
    Ok(found > 0)
}

/// The people who operate the agent.
///
/// # Errors
/// [`StoreError`].
pub async fn operators(
    conn: &mut Conn,
    agent: &AgentId,
) -> Result<BTreeSet<ApproverId>, StoreError> {
    let found: Vec<String> =
        sqlx::query_scalar("SELECT approver FROM agent_operator WHERE agent = ?")
            .bind(agent.as_str())
            .fetch_all(conn)
            .await?;
    found
        .into_iter()
        .map(|id| parse("an approver", &id))
        .collect()
}

/// Whether the source is registered.
///
/// # Errors
/// [`StoreError`].
pub async fn has_source(conn: &mut Conn, source: &SourceId) -> Result<bool, StoreError> {
    let found: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM source WHERE id = ?")
        .bind(source.as_str())
        .fetch_one(conn)
        .await?;
    Ok(found > 0)
}

/// Whether the detection rule is registered for the source.
///
/// # Errors
/// [`StoreError`].
pub async fn has_detection(
    conn: &mut Conn,
    rule: &DetectionRuleId,
    source: &SourceId,
) -> Result<bool, StoreError> {
    let found: i64 =
        sqlx::query_scalar("SELECT COUNT(*) FROM detection WHERE rule = ? AND source = ?")
            .bind(rule.as_str())
            .bind(source.as_str())
            .fetch_one(conn)
            .await?;
    Ok(found > 0)
}

/// Every registered detection rule with the outcomes recorded since `since`.
///
/// # Errors
/// [`StoreError`].
pub async fn detections(
    conn: &mut Conn,
    since: DateTime<Utc>,
) -> Result<Vec<RegisteredDetection>, StoreError> {
    let mut outcomes: BTreeMap<(String, String), (u64, u64)> = BTreeMap::new();
    let rows = sqlx::query(
        "SELECT rule, source, COUNT(*) AS assessed, SUM(false_positive) AS wrong FROM outcome
         WHERE at_ms >= ? GROUP BY rule, source",
    )
    .bind(since.timestamp_millis())
    .fetch_all(&mut *conn)
    .await?;
    for row in rows {
        outcomes.insert(
            (row.try_get("rule")?, row.try_get("source")?),
            (
                count(row.try_get("assessed")?),
                count(row.try_get("wrong")?),
            ),
        );
    }
    let rows = sqlx::query(
        "SELECT d.rule, d.source, s.upstream, d.agents, d.severity, d.benign_patterns
         FROM detection d JOIN source s ON s.id = d.source ORDER BY d.rule, d.source",
    )
    .fetch_all(conn)
    .await?;
    rows.iter()
        .map(|row| {
            let (rule, source): (String, String) = (row.try_get("rule")?, row.try_get("source")?);
            let (assessed, false_positives) = outcomes
                .get(&(rule.clone(), source.clone()))
                .copied()
                .unwrap_or((0, 0));
            Ok(RegisteredDetection {
                rule: parse("a detection rule", &rule)?,
                source: parse("a source", &source)?,
                upstream: parse("an upstream", row.try_get("upstream")?)?,
                agents: from_json("agents", row.try_get("agents")?)?,
                severity: from_word("a severity", row.try_get("severity")?)?,
                assessed,
                false_positives,
                benign_patterns: from_json("benign patterns", row.try_get("benign_patterns")?)?,
            })
        })
        .collect()
}

/// Signals observed since `since`, oldest first; the latest 100,000.
///
/// # Errors
/// [`StoreError`].
pub async fn signals(
    conn: &mut Conn,
    since: DateTime<Utc>,
) -> Result<Vec<VerifiedSignal>, StoreError> {
    let rows = sqlx::query(
        "SELECT source, upstream, systems, observed_at FROM signal
         WHERE observed_ms >= ? ORDER BY observed_ms DESC, id DESC LIMIT 100000",
    )
    .bind(since.timestamp_millis())
    .fetch_all(conn)
    .await?;
    rows.iter()
        .rev()
        .map(|row| {
            Ok(VerifiedSignal {
                source: parse("a source", row.try_get("source")?)?,
                upstream: parse("an upstream", row.try_get("upstream")?)?,
                systems: from_json("systems", row.try_get("systems")?)?,
                observed_at: parse("an instant", row.try_get("observed_at")?)?,
            })
        })
        .collect()
}

/// What each source last reported to be left of each service's error budget.
///
/// # Errors
/// [`StoreError`].
pub async fn error_budgets(conn: &mut Conn) -> Result<Vec<RemainingBudget>, StoreError> {
    let rows =
        sqlx::query("SELECT service, remaining, at FROM error_budget ORDER BY service, source")
            .fetch_all(conn)
            .await?;
    rows.iter()
        .map(|row| {
            Ok(RemainingBudget {
                service: parse("a service", row.try_get("service")?)?,
                remaining: parse("a share", row.try_get("remaining")?)?,
                at: parse("an instant", row.try_get("at")?)?,
            })
        })
        .collect()
}

impl Tx {
    /// Registers an agent.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_agent(
        &mut self,
        agent: &AgentId,
        operated_by: &BTreeSet<ApproverId>,
        secret: &SecretHash,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO agent (id, secret_hash) VALUES (?, ?)")
            .bind(agent.as_str())
            .bind(secret.as_bytes().as_slice())
            .execute(&mut **self)
            .await?;
        for approver in operated_by {
            sqlx::query("INSERT INTO agent_operator (agent, approver) VALUES (?, ?)")
                .bind(agent.as_str())
                .bind(approver.as_str())
                .execute(&mut **self)
                .await?;
        }
        Ok(())
    }

    /// Registers a source.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_source(
        &mut self,
        source: &SourceId,
        upstream: &UpstreamId,
        secret: &SecretHash,
    ) -> Result<(), StoreError> {
        sqlx::query("INSERT INTO source (id, upstream, secret_hash) VALUES (?, ?, ?)")
            .bind(source.as_str())
            .bind(upstream.as_str())
            .bind(secret.as_bytes().as_slice())
            .execute(&mut **self)
            .await?;
        Ok(())
    }

    /// Registers a detection rule, or replaces what was registered.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn register_detection(
        &mut self,
        detection: &countersign_wire::registry::RegisterDetection,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO detection (rule, source, agents, severity, benign_patterns) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (rule, source) DO UPDATE SET agents = excluded.agents, severity = excluded.severity,
             benign_patterns = excluded.benign_patterns",
        )
        .bind(detection.rule.as_str())
        .bind(detection.source.as_str())
        .bind(to_json(&detection.agents)?)
        .bind(word(&detection.severity)?)
        .bind(to_json(&detection.benign_patterns)?)
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Records an outcome; whether it did. There is one for each detection.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn record_outcome(
        &mut self,
        detection: &str,
        outcome: &countersign_wire::registry::RecordOutcome,
        approver: &ApproverId,
        at: DateTime<Utc>,
    ) -> Result<bool, StoreError> {
        let done = sqlx::query(
            "INSERT INTO outcome (source, detection, rule, false_positive, approver, at_ms)
             VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(outcome.source.as_str())
        .bind(detection)
        .bind(outcome.rule.as_str())
        .bind(outcome.false_positive)
        .bind(approver.as_str())
        .bind(at.timestamp_millis())
        .execute(&mut **self)
        .await?;
        Ok(done.rows_affected() == 1)
    }

    /// Keeps a signal.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_signal(
        &mut self,
        from: &KnownSource,
        systems: &BTreeSet<SystemId>,
        observed_at: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO signal (source, upstream, systems, observed_ms, observed_at) VALUES (?, ?, ?, ?, ?)",
        )
        .bind(from.source.as_str())
        .bind(from.upstream.as_str())
        .bind(to_json(systems)?)
        .bind(observed_at.timestamp_millis())
        .bind(observed_at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        .execute(&mut **self)
        .await?;
        Ok(())
    }

    /// Keeps what a source reports of an error budget, unless it reported something newer before.
    ///
    /// # Errors
    /// [`StoreError`].
    pub async fn keep_error_budget(
        &mut self,
        from: &KnownSource,
        report: &countersign_wire::registry::ReportErrorBudget,
    ) -> Result<(), StoreError> {
        sqlx::query(
            "INSERT INTO error_budget (source, service, remaining, at_ms, at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (source, service) DO UPDATE SET remaining = excluded.remaining,
             at_ms = excluded.at_ms, at = excluded.at WHERE excluded.at_ms >= error_budget.at_ms",
        )
        .bind(from.source.as_str())
        .bind(report.service.as_str())
        .bind(report.remaining.to_string())
        .bind(report.at.timestamp_millis())
        .bind(report.at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
        .execute(&mut **self)
        .await?;
        Ok(())
    }
}
