//! An application server with pooled connections, which reads its password from a file.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgSslMode};

use super::put;

/// How often it asks.
const EVERY: Duration = Duration::from_millis(50);
/// How long it tries to get its connection back before a query counts as failed.
const RECONNECT_WITHIN: Duration = Duration::from_secs(3);

/// What it achieved.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
pub(super) struct Worked {
    /// Queries answered.
    pub(super) answered: u64,
    /// Queries answered only after a new connection.
    pub(super) reconnected: u64,
    /// Queries that failed for good.
    pub(super) failed: u64,
    /// Whether the last query was answered.
    pub(super) connected: bool,
}

/// Queries until it is killed, and reports after every query.
pub(super) async fn work(
    name: &str,
    port: u16,
    password: &Path,
    report: &Path,
) -> anyhow::Result<()> {
    let options = || -> anyhow::Result<PgConnectOptions> {
        let secret = std::fs::read_to_string(password)
            .with_context(|| format!("no password in {}", password.display()))?;
        Ok(PgConnectOptions::new()
            .host("127.0.0.1")
            .port(port)
            .username("svc_ehr")
            .database("ehr")
            .password(secret.trim())
            .application_name(name)
            .ssl_mode(PgSslMode::Disable))
    };
    let pool = PgPoolOptions::new()
        .max_connections(3)
        .min_connections(2)
        .acquire_timeout(Duration::from_secs(1))
        .connect_lazy_with(options()?);
    let mut worked = Worked::default();
    loop {
        worked.connected = match query(&pool).await {
            Ok(()) => {
                worked.answered += 1;
                true
            }
            Err(_) => {
                // The connection of before is gone: the next one is made with the password of now.
                let began = Instant::now();
                loop {
                    pool.set_connect_options(options()?);
                    if query(&pool).await.is_ok() {
                        worked.answered += 1;
                        worked.reconnected += 1;
                        break true;
                    }
                    if began.elapsed() > RECONNECT_WITHIN {
                        worked.failed += 1;
                        break false;
                    }
                    tokio::time::sleep(EVERY).await;
                }
            }
        };
        put(report, &serde_json::to_string(&worked)?)?;
        tokio::time::sleep(EVERY).await;
    }
}

async fn query(pool: &PgPool) -> Result<(), sqlx::Error> {
    let _patients: i64 = sqlx::query_scalar("SELECT count(*) FROM patient")
        .fetch_one(pool)
        .await?;
    Ok(())
}
