//! `prometheus`: a query whose every sample must not exceed a value. `$system` in it stands for the
//! system's name, within quotes.

use std::time::Duration;

use countersign_core::decimal::Decimal;
use countersign_core::envelope::SYSTEM_IN_QUERY;
use countersign_core::operation::CheckResult;
use serde::Deserialize;

use super::{Prober, Subject, late, no_data};
use crate::child;

/// How long an answer may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer read, bytes.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// An answer of `/api/v1/query`, as far as it is looked at.
#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: Option<String>,
    #[serde(default)]
    data: Option<Data>,
}

/// `vector` and `scalar` hold values at one instant; the other types do not.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Series {
    value: Sample,
}

/// Time and value.
type Sample = (f64, String);

impl Prober {
    pub(super) async fn prometheus(
        &self,
        query: &str,
        max: Decimal,
        subject: Subject<'_>,
    ) -> CheckResult {
        match filled(query, subject) {
            Some(query) => self.query(&query, max).await,
            None => no_data("the system's name cannot stand in a query"),
        }
    }

    /// Asks a query as it stands.
    pub(super) async fn query(&self, query: &str, max: Decimal) -> CheckResult {
        let Some(base) = &self.config.prometheus else {
            return no_data("the configuration names no `prometheus`");
        };
        let Ok(mut url) = url::Url::parse(&format!("{}/api/v1/query", base.trim_end_matches('/')))
        else {
            return no_data("the address of Prometheus is not one");
        };
        url.query_pairs_mut().append_pair("query", query);
        let asked = self.client.get(url).timeout(TIMEOUT).send().await;
        let answer = match asked {
            Ok(response) => body(response).await,
            Err(error) if error.is_timeout() => return late(TIMEOUT),
            Err(_) => return no_data("no connection to Prometheus"),
        };
        match answer.map(|bytes| serde_json::from_slice::<Answer>(&bytes)) {
            Some(Ok(answer)) => judge(answer, max),
            Some(Err(_)) => no_data("Prometheus gave no answer that can be read"),
            None => no_data("Prometheus' answer broke off or is too long"),
        }
    }
}

/// The body, unless it breaks off or is too long.
async fn body(mut response: reqwest::Response) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.ok()? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            return None;
        }
    }
    Some(bytes)
}

/// The query with the system's name in it, escaped as a PromQL string wants it. A raw string knows
/// no escapes, so that a name with a backtick has no place in it.
fn filled(query: &str, subject: Subject<'_>) -> Option<String> {
    let name = subject.system.as_str();
    if name.contains('`') {
        return None;
    }
    let mut escaped = String::with_capacity(name.len());
    for c in name.chars() {
        if matches!(c, '\\' | '"' | '\'') {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    Some(query.replace(SYSTEM_IN_QUERY, &escaped))
}

/// The largest sample counts. No sample, or one that is not a number, is no data.
fn judge(answer: Answer, max: Decimal) -> CheckResult {
    let Some(data) = answer.data.filter(|_| answer.status == "success") else {
        let said = answer.error.as_deref().map(child::line).unwrap_or_default();
        return no_data(format!("Prometheus refused the query: {said}").trim());
    };
    let samples: Result<Vec<Sample>, _> = match data.result_type.as_str() {
        "vector" => serde_json::from_value::<Vec<Series>>(data.result)
            .map(|series| series.into_iter().map(|series| series.value).collect()),
        "scalar" => serde_json::from_value::<Sample>(data.result).map(|sample| vec![sample]),
        _ => return no_data("the query gives neither a vector nor a scalar"),
    };
    let values: Option<Vec<f64>> = samples.ok().and_then(|samples| {
        samples
            .iter()
            .map(|(_, value)| value.parse().ok().filter(|value: &f64| !value.is_nan()))
            .collect()
    });
    let (Some(values), Ok(max)) = (values, max.to_string().parse::<f64>()) else {
        return no_data("a sample is not a number");
    };
    match values.into_iter().reduce(f64::max) {
        None => no_data("the query has no sample"),
        Some(value) if value <= max => CheckResult::Pass {
            measured: value.to_string(),
        },
        Some(value) => CheckResult::Fail {
            measured: format!("{value}; the limit is {max}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn check(answer: &str, max: &str, expected: &str) {
        let found = match judge(serde_json::from_str(answer).unwrap(), max.parse().unwrap()) {
            CheckResult::Pass { measured } => format!("pass {measured}"),
            CheckResult::Fail { measured } => format!("fail {measured}"),
            CheckResult::NoData { reason } => format!("no data {reason}"),
        };
        assert_eq!(found, expected, "{answer}");
    }

    fn vector(values: &[&str]) -> String {
        let series: Vec<_> = values
            .iter()
            .map(|value| serde_json::json!({"metric": {}, "value": [1.5, value]}))
            .collect();
        serde_json::json!({"status": "success", "data": {"resultType": "vector", "result": series}})
            .to_string()
    }

    #[test]
    fn answers() {
        check(&vector(&["0.01"]), "0.02", "pass 0.01");
        check(&vector(&["0.02"]), "0.02", "pass 0.02");
        check(
            &vector(&["1e-3", "0.5"]),
            "0.02",
            "fail 0.5; the limit is 0.02",
        );
        check(&vector(&["+Inf"]), "1", "fail inf; the limit is 1");
        check(
            &vector(&["0.01", "NaN"]),
            "1",
            "no data a sample is not a number",
        );
        check(&vector(&[]), "1", "no data the query has no sample");
        check(
            r#"{"status":"success","data":{"resultType":"scalar","result":[1,"2"]}}"#,
            "1",
            "fail 2; the limit is 1",
        );
        check(
            r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#,
            "1",
            "no data the query gives neither a vector nor a scalar",
        );
        check(
            r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
            "1",
            "no data Prometheus refused the query: parse error",
        );
    }

    #[test]
    fn a_name_stays_within_its_quotes() {
        let fill = |name: &str| {
            filled(
                r#"up{s="$system"}"#,
                Subject {
                    system: &name.parse().unwrap(),
                    addresses: &BTreeSet::new(),
                },
            )
        };
        assert_eq!(fill("web-1").as_deref(), Some(r#"up{s="web-1"}"#));
        assert_eq!(
            fill(r#""}or(1)#\"#).as_deref(),
            Some(r#"up{s="\"}or(1)#\\"}"#)
        );
        assert_eq!(fill("a`b"), None);
    }

    /// A real Prometheus that scrapes one target; killed with it.
    #[cfg(unix)]
    struct Monitor {
        process: std::process::Child,
        address: String,
        _folder: tempfile::TempDir,
    }

    #[cfg(unix)]
    impl Drop for Monitor {
        fn drop(&mut self) {
            drop(self.process.kill());
            drop(self.process.wait());
        }
    }

    #[cfg(unix)]
    impl Monitor {
        async fn start() -> Self {
            let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let scraped = target.local_addr().unwrap();
            let metrics =
                async || "error_ratio{system=\"web-1\"} 0.01\nerror_ratio{system=\"web-2\"} 0.5\n";
            let router = axum::Router::new().route("/metrics", axum::routing::get(metrics));
            tokio::spawn(async move { axum::serve(target, router).await });
            let folder = tempfile::tempdir().unwrap();
            let config = folder.path().join("prometheus.yml");
            let text = format!(
                "global: {{ scrape_interval: 1s, scrape_timeout: 1s }}\nscrape_configs:\n  \
                 - {{ job_name: target, static_configs: [{{ targets: ['{scraped}'] }}] }}\n"
            );
            std::fs::write(&config, text).unwrap();
            let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let address = free.local_addr().unwrap().to_string();
            drop(free);
            let process = std::process::Command::new("prometheus")
                .arg(format!("--config.file={}", config.display()))
                .arg(format!("--storage.tsdb.path={}", folder.path().display()))
                .arg(format!("--web.listen-address={address}"))
                .stderr(std::process::Stdio::null())
                .spawn()
                .expect("prometheus is missing; `cargo xtask setup` installs it");
            Self {
                process,
                address: format!("http://{address}"),
                _folder: folder,
            }
        }
    }

    #[cfg(unix)]
    #[tokio::test]
    async fn a_real_prometheus_passes_fails_and_has_no_data() {
        let monitor = Monitor::start().await;
        let prober = Prober::new(Some(&crate::config::HealthConfig {
            prometheus: Some(monitor.address.clone()),
            ..crate::config::HealthConfig::default()
        }))
        .unwrap();
        let ask = async |system: &str, query: &str| {
            let system = system.parse().unwrap();
            let subject = Subject {
                system: &system,
                addresses: &BTreeSet::new(),
            };
            match prober
                .prometheus(query, "0.02".parse().unwrap(), subject)
                .await
            {
                CheckResult::Pass { measured } => format!("pass {measured}"),
                CheckResult::Fail { measured } => format!("fail {measured}"),
                CheckResult::NoData { reason } => format!("no data {reason}"),
            }
        };
        let query = r#"max(error_ratio{system="$system"})"#;
        let began = std::time::Instant::now();
        // It comes up, and has scraped nothing at first: no data, never a pass.
        loop {
            let found = ask("web-1", query).await;
            if found == "pass 0.01" {
                break;
            }
            assert!(found.starts_with("no data"), "{found}");
            assert!(began.elapsed().as_secs() < 60, "{found}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert_eq!(ask("web-2", query).await, "fail 0.5; the limit is 0.02");
        assert_eq!(ask("web-3", query).await, "no data the query has no sample");
        let hostile = ask(r#"x"} or vector(0) #"#.replace(' ', "_").as_str(), query).await;
        assert_eq!(hostile, "no data the query has no sample");
        let refused = ask("web-1", "max(").await;
        assert!(
            refused.starts_with("no data Prometheus refused the query"),
            "{refused}"
        );
        drop(monitor);
        assert_eq!(
            ask("web-1", query).await,
            "no data no connection to Prometheus"
        );
    }
}
