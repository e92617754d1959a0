//! Standing alerts of a real Prometheus (AG-706 4.4).

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::get;
use countersign_wire::operation::OperationState;
use serde_json::{Value, json};

use crate::world::World;

type Rate = Arc<Mutex<&'static str>>;

/// A real Prometheus that scrapes an error rate; killed with it.
struct Monitor {
    process: Child,
    address: String,
    rate: Rate,
    _folder: tempfile::TempDir,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Monitor {
    async fn start() -> Self {
        async fn metrics(State(rate): State<Rate>) -> String {
            format!("error_ratio {}\n", rate.lock().unwrap())
        }
        let rate: Rate = Arc::new(Mutex::new("0.01"));
        let target = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let scraped = target.local_addr().unwrap();
        let router = Router::new()
            .route("/metrics", get(metrics))
            .with_state(Arc::clone(&rate));
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
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.path().display()))
            .arg(format!("--web.listen-address={address}"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("prometheus: {error}; `cargo xtask setup` installs it"));
        let monitor = Self {
            process,
            address: format!("http://{address}"),
            rate,
            _folder: folder,
        };
        monitor.wait_for_rate("0.01").await;
        monitor
    }

    /// Sets the error rate, and waits until Prometheus has scraped it.
    async fn set(&self, rate: &'static str) {
        *self.rate.lock().unwrap() = rate;
        self.wait_for_rate(rate).await;
    }

    async fn wait_for_rate(&self, rate: &str) {
        let url = format!("{}/api/v1/query?query=error_ratio", self.address);
        for _ in 0..300 {
            if let Ok(response) = reqwest::get(&url).await
                && let Ok(answer) = response.json::<Value>().await
                && answer["data"]["result"][0]["value"][1] == rate
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("Prometheus never had the rate {rate}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_pass_halts_and_lets_nothing_begin() {
    let mut world = World::ready().await;
    let monitor = Monitor::start().await;
    world.config.health.as_mut().unwrap().prometheus = Some(monitor.address.clone());
    world.restart().await;
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["checks"]["errors"] =
        json!({"kind": "prometheus", "query": "sum(error_ratio)", "max": "0.02"});
    envelope["rules"][0]["rollout"]["alerts"] = json!(["errors"]);
    world.put_in_force(&envelope).await;
    let proposed = async |key: &str, systems: &[&str]| {
        let answer = world.propose(&world.proposal(key, systems)).await.unwrap();
        answer.operation.unwrap()
    };

    // While a system is worked on.
    world.mark("hang-web-1");
    let operation = proposed("rate", &["web-1", "web-2"]).await;
    world.called("apply web-1").await;
    monitor.set("0.4").await;
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let message = halted.trip.unwrap().message;
    assert!(
        message.contains("the alert errors: 0.4; the limit is 0.02"),
        "{message}"
    );
    world.unmark("hang-web-1");

    // Before the first system.
    let operation = proposed("again", &["web-2"]).await;
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    assert_eq!(halted.summary.touched, 0);

    // Nobody knows: that is not calm.
    drop(monitor);
    let operation = proposed("silence", &["web-3"]).await;
    let halted = world.wait_for(&operation, OperationState::Halted).await;
    let message = halted.trip.unwrap().message;
    assert!(message.contains("no data"), "{message}");
    let calls = world.calls();
    let applied: Vec<&String> = calls.iter().filter(|c| c.starts_with("apply")).collect();
    assert!(!applied.iter().any(|call| call.ends_with("web-2")));
    assert!(!applied.iter().any(|call| call.ends_with("web-3")));
}
