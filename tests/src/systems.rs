//! The systems of Northwind: one small HTTP server with a path per system. Health checks are real
//! requests, and a patch changes a version that they see.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use axum::Json;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::{get, post};
use serde::{Deserialize, Serialize};

use crate::organisation::{BREAKING_VERSION, BREAKS, PACKAGE, played_systems, record_servers};

/// The state of one system: everything that an action may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SystemState {
    /// Installed packages and their versions.
    pub packages: BTreeMap<String, String>,
    /// Credentials held, by name: for the database its own, for its clients the one they use.
    pub credentials: BTreeMap<String, String>,
}

/// What has happened to a system, counted so that a test can see what was never touched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// States written by an action.
    pub applied: u64,
    /// States written by a rollback.
    pub restored: u64,
}

#[derive(Debug, Clone)]
struct System {
    state: SystemState,
    counts: Counts,
}

type Systems = Arc<Mutex<BTreeMap<String, System>>>;

/// A running systems server; it ends with the process.
#[derive(Debug, Clone)]
pub struct SystemsServer {
    address: SocketAddr,
}

impl SystemsServer {
    /// Starts it on a free loopback port.
    ///
    /// # Errors
    /// Where no port can be bound.
    pub async fn start() -> anyhow::Result<Self> {
        let systems: Systems = Arc::new(Mutex::new(first_states()));
        let router = axum::Router::new()
            .route("/systems/{id}", get(read))
            .route("/systems/{id}/healthz", get(health))
            .route("/systems/{id}/counts", get(counts))
            .route("/systems/{id}/apply", post(apply))
            .route("/systems/{id}/restore", post(restore))
            .with_state(systems);
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { address })
    }

    /// `http://127.0.0.1:PORT/systems`.
    #[must_use]
    pub fn base(&self) -> String {
        format!("http://{}/systems", self.address)
    }

    /// The state of a system.
    ///
    /// # Errors
    /// Where the server does not answer or knows no such system.
    pub async fn state(&self, id: &str) -> anyhow::Result<SystemState> {
        Ok(reqwest::get(format!("{}/{id}", self.base()))
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    /// What has happened to a system.
    ///
    /// # Errors
    /// Where the server does not answer or knows no such system.
    pub async fn counts(&self, id: &str) -> anyhow::Result<Counts> {
        Ok(reqwest::get(format!("{}/{id}/counts", self.base()))
            .await?
            .error_for_status()?
            .json()
            .await?)
    }

    /// Whether a system is healthy.
    ///
    /// # Errors
    /// Where the server does not answer.
    pub async fn is_healthy(&self, id: &str) -> anyhow::Result<bool> {
        Ok(reqwest::get(format!("{}/{id}/healthz", self.base()))
            .await?
            .status()
            .is_success())
    }
}

fn first_states() -> BTreeMap<String, System> {
    played_systems()
        .into_iter()
        .map(|id| {
            let uses_records = id.starts_with("ehr-");
            let state = SystemState {
                packages: BTreeMap::from([
                    (PACKAGE.to_owned(), "3.0.9-1".to_owned()),
                    ("curl".to_owned(), "8.8.0-1".to_owned()),
                ]),
                credentials: if uses_records {
                    BTreeMap::from([("svc_ehr".to_owned(), "generation-1".to_owned())])
                } else {
                    BTreeMap::new()
                },
            };
            (
                id,
                System {
                    state,
                    counts: Counts::default(),
                },
            )
        })
        .collect()
}

fn lock(systems: &Systems) -> std::sync::MutexGuard<'_, BTreeMap<String, System>> {
    systems.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn read(
    State(systems): State<Systems>,
    Path(id): Path<String>,
) -> Result<Json<SystemState>, StatusCode> {
    lock(&systems)
        .get(&id)
        .map(|system| Json(system.state.clone()))
        .ok_or(StatusCode::NOT_FOUND)
}

async fn counts(
    State(systems): State<Systems>,
    Path(id): Path<String>,
) -> Result<Json<Counts>, StatusCode> {
    lock(&systems)
        .get(&id)
        .map(|system| Json(system.counts.clone()))
        .ok_or(StatusCode::NOT_FOUND)
}

/// A payment host fails with the new OpenSSL where its certificate library cannot load it; a records
/// server fails where its password is not the database's.
async fn health(
    State(systems): State<Systems>,
    Path(id): Path<String>,
) -> (StatusCode, &'static str) {
    let systems = lock(&systems);
    let Some(system) = systems.get(&id) else {
        return (StatusCode::NOT_FOUND, "no such system");
    };
    if id == BREAKS
        && system
            .state
            .packages
            .get(PACKAGE)
            .is_some_and(|version| version == BREAKING_VERSION)
    {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "certificate validation library failed to start",
        );
    }
    let database = systems
        .get("ehr-db-1")
        .and_then(|db| db.state.credentials.get("svc_ehr"));
    if record_servers().contains(&id) && system.state.credentials.get("svc_ehr") != database {
        return (
            StatusCode::SERVICE_UNAVAILABLE,
            "password authentication failed for user svc_ehr",
        );
    }
    (StatusCode::OK, "ok")
}

/// What an executor writes: packages and credentials that change.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Packages and their new versions.
    #[serde(default)]
    pub packages: BTreeMap<String, String>,
    /// Credentials and their new secrets.
    #[serde(default)]
    pub credentials: BTreeMap<String, String>,
}

async fn apply(
    State(systems): State<Systems>,
    Path(id): Path<String>,
    Json(change): Json<Change>,
) -> Result<Json<SystemState>, StatusCode> {
    let mut systems = lock(&systems);
    let system = systems.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    system.state.packages.extend(change.packages);
    system.state.credentials.extend(change.credentials);
    system.counts.applied += 1;
    Ok(Json(system.state.clone()))
}

async fn restore(
    State(systems): State<Systems>,
    Path(id): Path<String>,
    Json(state): Json<SystemState>,
) -> Result<Json<SystemState>, StatusCode> {
    let mut systems = lock(&systems);
    let system = systems.get_mut(&id).ok_or(StatusCode::NOT_FOUND)?;
    system.state = state;
    system.counts.restored += 1;
    Ok(Json(system.state.clone()))
}
