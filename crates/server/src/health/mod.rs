//! Health checks (AG-706 4.4): `http`, `tcp`, `tls`, `command`, `prometheus`.
//!
//! Three answers: what shows health passes; what shows its absence fails; where nothing can be shown
//! there is no data, which never passes (DESIGN §8). A closed port or a bad certificate is an answer;
//! silence, a broken connection and a probe that cannot be made are not.

mod address;
mod command;
mod http;
mod port;
mod prometheus;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use countersign_core::envelope::{Envelope, HealthCheck};
use countersign_core::identifier::{CheckId, SystemId};
use countersign_core::operation::CheckResult;
use countersign_core::span::Span;
use reqwest::redirect;
use thiserror::Error;

use crate::config::HealthConfig;

/// Asks systems how they are.
#[derive(Debug)]
pub struct Prober {
    client: reqwest::Client,
    tls: Arc<rustls::ClientConfig>,
    config: HealthConfig,
}

/// What is asked about.
#[derive(Debug, Clone, Copy)]
pub struct Subject<'a> {
    /// The system.
    pub system: &'a SystemId,
    /// Its addresses, as the topology in force has them.
    pub addresses: &'a BTreeSet<IpAddr>,
}

/// Why there is no prober.
#[derive(Debug, Error)]
pub enum ProberError {
    /// The HTTP client cannot be made.
    #[error("health checks: {0}")]
    Http(#[from] reqwest::Error),
    /// The authorities that `tls` checks trust cannot be read.
    #[error(
        "health checks: the certificates of `{path}` cannot be read: {reason}; name a PEM file in `authorities`"
    )]
    Authorities {
        /// The file.
        path: String,
        /// Why.
        reason: String,
    },
}

impl Prober {
    /// A prober as configured; without a configuration nothing has data but what needs none.
    ///
    /// # Errors
    /// [`ProberError`].
    pub fn new(config: Option<&HealthConfig>) -> Result<Self, ProberError> {
        // Another part of this process may have chosen it already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let config = config.cloned().unwrap_or_default();
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(4)
            .build()?;
        let tls = Arc::new(port::trust(config.authorities.as_deref())?);
        Ok(Self {
            client,
            tls,
            config,
        })
    }

    /// Asks every check of `checks` about a system.
    pub async fn check(
        &self,
        envelope: Option<&Envelope>,
        checks: &BTreeSet<CheckId>,
        subject: Subject<'_>,
    ) -> BTreeMap<CheckId, CheckResult> {
        let results = checks.iter().map(|name| async move {
            let result = match envelope.and_then(|envelope| envelope.checks.get(name)) {
                Some(check) => self.ask(check, subject).await,
                None => no_data("the envelope declares no such check"),
            };
            (name.clone(), result)
        });
        futures::future::join_all(results)
            .await
            .into_iter()
            .collect()
    }

    /// Asks checks about the whole of what an operation may harm; only what
    /// [`HealthCheck::is_about_the_whole`] has an answer.
    pub async fn alerts(
        &self,
        envelope: Option<&Envelope>,
        checks: &BTreeSet<CheckId>,
    ) -> BTreeMap<CheckId, CheckResult> {
        let results = checks.iter().map(|name| async move {
            let result = match envelope.and_then(|envelope| envelope.checks.get(name)) {
                Some(check @ HealthCheck::Prometheus { query, max })
                    if check.is_about_the_whole() =>
                {
                    self.query(query, *max).await
                }
                Some(_) => no_data("the check asks about one system, an alert about the whole"),
                None => no_data("the envelope declares no such check"),
            };
            (name.clone(), result)
        });
        futures::future::join_all(results)
            .await
            .into_iter()
            .collect()
    }

    async fn ask(&self, check: &HealthCheck, subject: Subject<'_>) -> CheckResult {
        match check {
            HealthCheck::Http {
                path,
                expect,
                timeout,
            } => self.http(path, *expect, within(*timeout), subject).await,
            HealthCheck::Tcp { port, timeout } => self.tcp(*port, within(*timeout), subject).await,
            HealthCheck::Tls { port, timeout } => self.tls(*port, within(*timeout), subject).await,
            HealthCheck::Command { command, timeout } => {
                self.command(command, within(*timeout), subject).await
            }
            HealthCheck::Prometheus { query, max } => self.prometheus(query, *max, subject).await,
        }
    }
}

fn within(timeout: Span) -> Duration {
    Duration::from_secs(u64::from(timeout.seconds()))
}

/// `done in 12 ms`.
fn took(done: &str, began: Instant) -> String {
    format!("{done} in {} ms", began.elapsed().as_millis())
}

fn late(timeout: Duration) -> CheckResult {
    no_data(&format!("no answer within {} s", timeout.as_secs()))
}

fn no_data(reason: &str) -> CheckResult {
    CheckResult::NoData {
        reason: reason.to_owned(),
    }
}
