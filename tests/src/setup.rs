//! From nothing to a running Northwind: keys, genesis, documents, agent, sources, outcomes.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use chrono::{Duration, Utc};
use countersign_core::identifier::{AgentId, DetectionRuleId, SourceId, SystemId, UpstreamId};
use countersign_virtual_key::KeyRing;
use countersign_wire::client::Client;
use countersign_wire::registry::{
    RecordOutcome, RegisterAgent, RegisterDetection, RegisterSource, SendSignal,
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::agent::Agent;
use crate::backend::{Backend, Terminal};
use crate::organisation::{self, AGENT, DETECTIONS, INVENTORY};
use crate::people::{PEOPLE, PIN, SOC_LEAD};
use crate::session::sign_in;
use crate::systems::SystemsServer;

/// A running Northwind.
pub struct Northwind {
    /// Its systems.
    pub systems: SystemsServer,
    /// Its backend.
    pub backend: Backend,
    /// The demonstration keys of its people.
    pub keys: KeyRing,
    /// Where they lie.
    pub keys_folder: PathBuf,
    /// Its agent.
    pub agent: Agent,
    /// A terminal.
    pub terminal: Terminal,
    /// A client with the operator's token.
    pub operator: Client,
    /// A client without any.
    pub client: Client,
    /// Digest of its genesis, for people to pin.
    pub genesis: String,
    /// Digest of its envelope, a draft until the board signs.
    pub envelope: String,
}

impl Northwind {
    /// Starts the systems and the backend in `folder`, enrols everybody through genesis at the
    /// terminal, imports envelope and topology, registers agent, sources and detection rules, and
    /// records outcomes and a corroborating signal through the API.
    ///
    /// # Errors
    /// Where any of it fails.
    pub async fn start(folder: &Path) -> anyhow::Result<Self> {
        let systems = SystemsServer::start().await?;
        let keys_folder = folder.join("demonstration-keys");
        let names: Vec<&str> = PEOPLE.iter().map(|person| person.id).collect();
        let keys = KeyRing::create(&keys_folder, &names, PIN)?;
        let backend = Backend::start(&folder.join("backend"), &systems.base()).await?;
        let terminal = Terminal {
            keys: keys_folder.clone(),
            home: folder.join("terminal"),
            url: backend.url.clone(),
        };
        let client = Client::new(&backend.url)?;
        let operator = client.with_bearer(&backend.operator_token)?;

        let genesis = enrol(folder, &terminal, &backend, &keys).await?;
        let now = Utc::now();
        let documents = (organisation::envelope(now), organisation::topology(now));
        let envelope = import(folder, &terminal, &backend, &documents).await?;
        let agent_secret = register(&client, &operator, &keys).await?;
        let kept = Kept {
            genesis,
            envelope,
            agent_secret,
        };
        std::fs::write(folder.join(KEPT), serde_json::to_vec_pretty(&kept)?)?;
        Ok(Self {
            systems,
            backend,
            keys,
            keys_folder,
            agent: Agent::new(client.with_bearer(&kept.agent_secret)?),
            terminal,
            operator,
            client,
            genesis: kept.genesis,
            envelope: kept.envelope,
        })
    }

    /// Whether one was started in `folder` before.
    #[must_use]
    pub fn lies_in(folder: &Path) -> bool {
        folder.join("backend").exists()
    }

    /// Opens the one that was started in `folder` before: its people, keys, decisions and log. Its
    /// systems are as at first, for they ended with the program that played them.
    ///
    /// # Errors
    /// Where it was not started to its end, or does not start again.
    pub async fn reopen(folder: &Path) -> anyhow::Result<Self> {
        let kept: Kept = std::fs::read(folder.join(KEPT))
            .map_err(anyhow::Error::from)
            .and_then(|bytes| Ok(serde_json::from_slice(&bytes)?))
            .with_context(|| {
                format!(
                    "`{}` holds a Northwind that was not set up to its end; remove it, or name another \
                     folder with --data",
                    folder.display()
                )
            })?;
        let systems = SystemsServer::start().await?;
        let keys_folder = folder.join("demonstration-keys");
        let keys = KeyRing::open(&keys_folder)?;
        let backend = Backend::start(&folder.join("backend"), &systems.base()).await?;
        let terminal = Terminal {
            keys: keys_folder.clone(),
            home: folder.join("terminal"),
            url: backend.url.clone(),
        };
        let client = Client::new(&backend.url)?;
        Ok(Self {
            systems,
            keys,
            keys_folder,
            agent: Agent::new(client.with_bearer(&kept.agent_secret)?),
            terminal,
            operator: client.with_bearer(&backend.operator_token)?,
            client,
            backend,
            genesis: kept.genesis,
            envelope: kept.envelope,
        })
    }
}

/// The file in which [`Kept`] lies.
const KEPT: &str = "northwind.json";

/// What must be known to open a Northwind again. Demonstrations only: a true agent keeps its secret
/// to itself.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    genesis: String,
    envelope: String,
    agent_secret: String,
}

pub(crate) async fn enrol(
    folder: &Path,
    terminal: &Terminal,
    backend: &Backend,
    keys: &KeyRing,
) -> anyhow::Result<String> {
    let root = folder.join("attestation-root.pem");
    std::fs::write(&root, keys.attestation_root_pem()?)?;
    let people: Vec<Value> = PEOPLE
        .iter()
        .map(|person| json!({ "approver": person.id, "name": person.name, "roles": person.roles, "key": person.id }))
        .collect();
    let file = folder.join("people.json");
    std::fs::write(&file, Value::from(people).to_string())?;
    let printed = terminal
        .run(&[
            "genesis",
            "--operator-token",
            &backend.operator_token,
            "--name",
            "Northwind production",
            "--demonstration",
            "--attestation-root",
            path(&root)?,
            "--people",
            path(&file)?,
            "--pin-stdin",
            "--json",
        ])
        .await?;
    text(&printed, "genesis")
}

/// Imports envelope and topology; gives the digest of the envelope.
pub(crate) async fn import(
    folder: &Path,
    terminal: &Terminal,
    backend: &Backend,
    documents: &(String, String),
) -> anyhow::Result<String> {
    let (envelope, topology) = (folder.join("envelope.yaml"), folder.join("topology.yaml"));
    std::fs::write(&envelope, &documents.0)?;
    std::fs::write(&topology, &documents.1)?;
    let token = ["--operator-token", &backend.operator_token, "--json"];
    terminal
        .run(&[&["import", "topology", path(&topology)?][..], &token].concat())
        .await?;
    let printed = terminal
        .run(&[&["import", "envelope", path(&envelope)?][..], &token].concat())
        .await?;
    text(&printed, "digest")
}

/// Registers agent, sources and detection rules; gives the agent's secret.
pub(crate) async fn register(
    client: &Client,
    operator: &Client,
    keys: &KeyRing,
) -> anyhow::Result<String> {
    let agent_id = AgentId::new(AGENT)?;
    let secret = operator
        .register_agent(&RegisterAgent {
            agent: agent_id.clone(),
            operated_by: std::collections::BTreeSet::new(),
        })
        .await?
        .secret;
    let session = sign_in(client, keys, SOC_LEAD).await?;
    for detection in &DETECTIONS {
        let (rule, source) = (
            DetectionRuleId::new(detection.rule)?,
            SourceId::new(detection.source)?,
        );
        operator
            .register_source(&RegisterSource {
                source: source.clone(),
                upstream: UpstreamId::new(detection.upstream)?,
            })
            .await?;
        operator
            .register_detection(&RegisterDetection {
                rule: rule.clone(),
                source: source.clone(),
                agents: [agent_id.clone()].into(),
                severity: serde_json::from_value(json!(detection.severity))?,
                benign_patterns: detection
                    .benign
                    .iter()
                    .map(|pattern| (*pattern).to_owned())
                    .collect(),
            })
            .await?;
        for n in 0..detection.assessed {
            session
                .record_outcome(
                    &format!("{}-past-{n}", detection.rule),
                    &RecordOutcome {
                        rule: rule.clone(),
                        source: source.clone(),
                        false_positive: n < detection.false_positives,
                    },
                )
                .await?;
        }
    }
    let inventory = operator
        .register_source(&RegisterSource {
            source: SourceId::new(INVENTORY)?,
            upstream: UpstreamId::new("own-build-system")?,
        })
        .await?;
    let systems = organisation::SMALL_PATCH_HOSTS
        .iter()
        .map(|id| SystemId::new(*id))
        .collect::<Result<_, _>>()?;
    client
        .with_bearer(&inventory.secret)?
        .send_signal(&SendSignal {
            systems,
            kind: "inventory".to_owned(),
            summary: "curl 8.8.0-1 in the installed package list".to_owned(),
            observed_at: Utc::now() - Duration::minutes(2),
        })
        .await?;
    Ok(secret)
}

/// A path as an argument.
///
/// # Errors
/// Where it is not UTF-8.
pub fn path(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// A text member of a printed JSON object.
///
/// # Errors
/// Where it is not there.
pub fn text(printed: &str, member: &str) -> anyhow::Result<String> {
    let value: Value =
        serde_json::from_str(printed).with_context(|| format!("not JSON: {printed}"))?;
    Ok(value
        .get(member)
        .and_then(Value::as_str)
        .with_context(|| format!("no `{member}` in {printed}"))?
        .to_owned())
}
