//! Health check `http`: a request that expects a status (AG-706 4.4).
//!
//! A wrong status is a failure. No answer at all is no data, which never passes (DESIGN §8).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use countersign_core::envelope::{Envelope, HealthCheck};
use countersign_core::identifier::{CheckId, SystemId};
use countersign_core::operation::CheckResult;
use reqwest::redirect;

use crate::config::HealthConfig;

/// Asks systems how they are.
#[derive(Debug)]
pub struct Prober {
    client: reqwest::Client,
    base: Option<String>,
}

impl Prober {
    /// A prober for the systems below the configured base address.
    ///
    /// # Errors
    /// That of the HTTP client.
    pub fn new(config: Option<&HealthConfig>) -> Result<Self, reqwest::Error> {
        // Another part of this process may have chosen it already.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(redirect::Policy::none())
            .no_proxy()
            .pool_max_idle_per_host(4)
            .build()?;
        Ok(Self {
            client,
            base: config.map(|config| config.base.clone()),
        })
    }

    /// Asks every check of `checks` about a system.
    pub async fn check(
        &self,
        envelope: Option<&Envelope>,
        checks: &BTreeSet<CheckId>,
        system: &SystemId,
    ) -> BTreeMap<CheckId, CheckResult> {
        let results = checks.iter().map(|name| async move {
            let result = match envelope.and_then(|envelope| envelope.checks.get(name)) {
                Some(check) => self.ask(check, system).await,
                None => no_data("the envelope declares no such check"),
            };
            (name.clone(), result)
        });
        futures::future::join_all(results)
            .await
            .into_iter()
            .collect()
    }

    async fn ask(&self, check: &HealthCheck, system: &SystemId) -> CheckResult {
        match check {
            HealthCheck::Http {
                path,
                expect,
                timeout,
            } => {
                let timeout = Duration::from_secs(u64::from(timeout.seconds()));
                self.http(path, *expect, timeout, system).await
            }
            HealthCheck::Tcp { .. }
            | HealthCheck::Tls { .. }
            | HealthCheck::Command { .. }
            | HealthCheck::Prometheus { .. } => no_data("this version asks for http only"),
        }
    }

    async fn http(
        &self,
        path: &str,
        expect: u16,
        timeout: Duration,
        system: &SystemId,
    ) -> CheckResult {
        let Some(base) = &self.base else {
            return no_data("the configuration names no base address of health checks");
        };
        let Some(url) = address(base, system, path) else {
            return no_data("the system's id makes no address");
        };
        let began = Instant::now();
        match self.client.get(url).timeout(timeout).send().await {
            Ok(response) => {
                let measured = format!(
                    "{} in {} ms",
                    response.status().as_u16(),
                    began.elapsed().as_millis()
                );
                if response.status().as_u16() == expect {
                    CheckResult::Pass { measured }
                } else {
                    CheckResult::Fail {
                        measured: format!("{measured}, {expect} was expected"),
                    }
                }
            }
            Err(error) if error.is_timeout() => {
                no_data(&format!("no answer within {} s", timeout.as_secs()))
            }
            Err(error) if error.is_connect() => no_data("no connection"),
            Err(_) => no_data("the answer broke off"),
        }
    }
}

fn no_data(reason: &str) -> CheckResult {
    CheckResult::NoData {
        reason: reason.to_owned(),
    }
}

/// The address of a check: a system's id stands for one segment and nothing else.
fn address(base: &str, system: &SystemId, path: &str) -> Option<url::Url> {
    if system.as_str().chars().all(|c| c == '.') {
        return None;
    }
    let mut encoded = String::new();
    for byte in system.as_str().bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            encoded.push(char::from(byte));
        } else {
            encoded.push_str(&format!("%{byte:02X}"));
        }
    }
    let base = base.replace("{system}", &encoded);
    let separator = if path.starts_with('/') { "" } else { "/" };
    url::Url::parse(&format!("{}{separator}{path}", base.trim_end_matches('/'))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_one_segment_of_the_address() {
        let check = |system: &str, expected: Option<&str>| {
            let system: SystemId = system.parse().unwrap();
            let found = address("http://127.0.0.1:9/systems/{system}", &system, "/healthz");
            assert_eq!(found.as_ref().map(url::Url::as_str), expected);
        };
        check("web-1", Some("http://127.0.0.1:9/systems/web-1/healthz"));
        check(
            "a/../b?c#d",
            Some("http://127.0.0.1:9/systems/a%2F..%2Fb%3Fc%23d/healthz"),
        );
        check("..", None);
        check("ü@h", Some("http://127.0.0.1:9/systems/%C3%BC%40h/healthz"));
    }
}
