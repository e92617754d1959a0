//! `http`: a request that expects a status.

use std::time::{Duration, Instant};

use countersign_core::operation::CheckResult;

use super::{Prober, Subject, address, late, no_data, took};

impl Prober {
    pub(super) async fn http(
        &self,
        path: &str,
        expect: u16,
        timeout: Duration,
        subject: Subject<'_>,
    ) -> CheckResult {
        let Some(base) = &self.config.base else {
            return no_data("the configuration names no `base` of http checks");
        };
        let Some(url) = address::url(base, subject, path) else {
            return no_data("the system's name or address makes no address");
        };
        let began = Instant::now();
        match self.client.get(url).timeout(timeout).send().await {
            Ok(response) => {
                let status = response.status().as_u16();
                let measured = took(&status.to_string(), began);
                if status == expect {
                    CheckResult::Pass { measured }
                } else {
                    CheckResult::Fail {
                        measured: format!("{measured}, {expect} was expected"),
                    }
                }
            }
            Err(error) if error.is_timeout() => late(timeout),
            Err(error) if error.is_connect() => no_data("no connection"),
            Err(_) => no_data("the answer broke off"),
        }
    }
}
