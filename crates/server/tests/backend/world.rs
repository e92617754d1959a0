//! A small organisation on a real backend: real keys, a real database, a real executor and real
//! health checks, all of this process and its children.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::StatusCode;
use axum::routing::get;
use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::briefing::HonestyGrade;
use countersign_core::genesis::{AttestationRoot, Genesis};
use countersign_core::identifier::{ApproverId, Digest, OperationId, ProposalId};
use countersign_core::log::Entry;
use countersign_core::proposal::ActionKind;
use countersign_hardware_key::{HardwareKey as _, Interaction, PinPrompt, RegisterRequest};
use countersign_server::clock::Clock;
use countersign_server::config::{Config, ExecutorConfig, HealthConfig};
use countersign_server::serve::{self, Options, Running};
use countersign_virtual_key::{AAGUID, KeyRing};
use countersign_wire::client::{Client, ClientError};
use countersign_wire::deployment::{BeginGenesis, BeginRegistration};
use countersign_wire::operation::{Operation, OperationState};
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use countersign_wire::registry::{RegisterAgent, RegisterDetection, RegisterSource, StartDrill};
use serde_json::{Value, json};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use tempfile::TempDir;

use crate::person::Person;

pub const PIN: &str = "123456";
pub const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";

/// The people: id and roles. `soc-agent-owner` also owns an agent of the same name.
pub const PEOPLE: [(&str, &[&str]); 4] = [
    ("ann", &["administrator", "governance-board", "soc-lead"]),
    (
        "ben",
        &["administrator", "governance-board", "ot-safety-officer"],
    ),
    ("cat", &["on-call-engineer"]),
    ("dan", &["on-call-engineer"]),
];

/// An executor in the shell: a system is a file, a patch writes `new` into it.
const EXECUTOR: &str = r#"
read -r input
get() { printf '%s' "$input" | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
verb=$(get verb); system=$(get system); file="$DIR/$system"
case "$verb" in
  plan) echo '{"ok":true,"steps":["write it"]}' ;;
  snapshot)
    while [ -e "$DIR/holds-$system" ]; do sleep 0.1; done
    printf '{"ok":true,"snapshot":"%s"}\n' "$(cat "$file")" ;;
  apply)
    echo "apply $system" >> "$DIR/calls"
    while [ -e "$DIR/hang-$system" ]; do sleep 0.1; done
    if [ -e "$DIR/breaks-$system" ]; then printf broken > "$file"; else printf new > "$file"; fi
    if [ -e "$DIR/harms-$system" ]; then printf broken > "$DIR/$(cat "$DIR/harms-$system")"; fi
    echo '{"ok":true}' ;;
  revert)
    echo "revert $system" >> "$DIR/calls"
    [ -e "$DIR/sticks-$system" ] || printf '%s' "$(get snapshot)" > "$file"
    echo '{"ok":true}' ;;
esac
"#;

#[derive(Debug)]
pub struct Willing(pub &'static str);

impl Interaction for Willing {
    fn pin(&self, _: PinPrompt) -> Option<String> {
        Some(self.0.to_owned())
    }
    fn touch(&self) {}
    fn processing(&self) {}
    fn cancelled(&self) -> bool {
        false
    }
}

pub struct World {
    pub folder: TempDir,
    pub running: Option<Running>,
    pub clock: Clock,
    pub keys: KeyRing,
    pub config: Config,
    pub operator: Client,
    pub client: Client,
    pub agent: Client,
    agent_secret: String,
    pub genesis: Genesis,
}

impl World {
    /// With a sealed genesis, a topology and an agent; no envelope is in force.
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let systems = folder.path().join("systems");
        std::fs::create_dir_all(&systems).unwrap();
        for system in ["web-1", "web-2", "web-3", "pay-1", "drill-1", "ehr-1"] {
            std::fs::write(systems.join(system), "old").unwrap();
        }
        let names: Vec<&str> = PEOPLE
            .iter()
            .map(|(id, _)| *id)
            .chain(["stranger"])
            .collect();
        let keys = {
            let folder = folder.path().join("keys");
            tokio::task::spawn_blocking(move || KeyRing::create(&folder, &names, PIN))
                .await
                .unwrap()
                .unwrap()
        };
        let health = serve_health(systems.clone()).await;
        let config = config(&systems, &health);
        let clock = Clock::system();
        let running = start(folder.path(), config.clone(), clock.clone()).await;
        let url = format!("http://{}", running.address);
        let client = Client::new(&url).unwrap();
        let operator = client.with_bearer(OPERATOR).unwrap();
        enrol(&operator, &keys).await;
        let genesis = serde_json::from_slice(&client.genesis().await.unwrap()).unwrap();
        let mut world = Self {
            folder,
            running: Some(running),
            clock,
            keys,
            config,
            agent: client.clone(),
            agent_secret: String::new(),
            operator,
            client,
            genesis,
        };
        world
            .operator
            .import_topology(world.topology().as_bytes())
            .await
            .unwrap();
        world.agent_secret = world.secret_of("soc-agent", &[]).await;
        world.agent = world.client.with_bearer(&world.agent_secret).unwrap();
        let source = RegisterSource {
            source: "scanner".parse().unwrap(),
            upstream: "vendor".parse().unwrap(),
        };
        world.operator.register_source(&source).await.unwrap();
        world
            .operator
            .register_detection(&RegisterDetection {
                rule: "vulnerability".parse().unwrap(),
                source: "scanner".parse().unwrap(),
                agents: BTreeSet::from(["soc-agent".parse().unwrap()]),
                severity: countersign_core::proposal::Severity::Medium,
                benign_patterns: BTreeSet::new(),
            })
            .await
            .unwrap();
        world
    }

    /// As [`World::new`], with the envelope in force and a rollback rehearsed.
    pub async fn ready() -> Self {
        let world = Self::new().await;
        let digest = world.authorise().await;
        assert_eq!(world.operator.envelopes().await.unwrap()[0].digest, digest);
        world.rehearse().await;
        world
    }

    /// Rehearses the rollback of a patch.
    pub async fn rehearse(&self) {
        let drill = StartDrill {
            action: serde_json::from_value(patch()).unwrap(),
            system: "drill-1".parse().unwrap(),
            checks: BTreeSet::from(["up".parse().unwrap()]),
            idempotency_key: None,
        };
        let drill = self.operator.start_drill(&drill).await.unwrap();
        self.wait_for(&drill.id, OperationState::RolledBack).await;
    }

    pub async fn register_agent(&self, name: &str) -> Client {
        self.register_agent_of(name, &[]).await
    }

    /// An agent that these people operate.
    pub async fn register_agent_of(&self, name: &str, operators: &[&str]) -> Client {
        let secret = self.secret_of(name, operators).await;
        self.client.with_bearer(&secret).unwrap()
    }

    async fn secret_of(&self, name: &str, operators: &[&str]) -> String {
        let register = RegisterAgent {
            agent: name.parse().unwrap(),
            operated_by: operators.iter().map(|id| id.parse().unwrap()).collect(),
        };
        self.operator
            .register_agent(&register)
            .await
            .unwrap()
            .secret
    }

    /// The board authorises the envelope.
    pub async fn authorise(&self) -> Digest {
        self.authorise_text(&self.envelope(1)).await
    }

    /// The board authorises this envelope.
    pub async fn authorise_text(&self, envelope: &str) -> Digest {
        let imported = self
            .operator
            .import_envelope(envelope.as_bytes())
            .await
            .unwrap();
        for (signed, name) in [(1, "ann"), (2, "ben")] {
            let person = self.person(name).await;
            let accepted = person.authorise(&imported.digest).await.unwrap();
            assert_eq!(accepted.complete, signed == 2);
        }
        imported.digest
    }

    pub async fn person(&self, name: &str) -> Person<'_> {
        Person::sign_in(self, name).await.unwrap()
    }

    pub fn now(&self) -> DateTime<Utc> {
        self.clock.now()
    }

    pub fn topology(&self) -> String {
        json!({
            "schema": "countersign/topology/v1", "observed_at": self.now(), "source": "cmdb",
            "services": [{"id": "payments", "tier": "production-critical"}, {"id": "records", "tier": "safety-critical"}],
            "systems": [
                system("web-1", "linux-server", "non-critical"), system("web-2", "linux-server", "non-critical"),
                system("web-3", "linux-server", "non-critical"), system("drill-1", "linux-server", "non-critical"),
                system("pay-1", "linux-server", "production-critical"), system("ehr-1", "database", "safety-critical"),
            ],
            "dependencies": [],
        })
        .to_string()
    }

    pub fn envelope(&self, version: u32) -> String {
        let now = self.now();
        json!({
            "schema": "countersign/envelope/v1", "name": "small", "version": version,
            "authority": {"board": "governance-board", "quorum": 2,
                "effective": now - TimeDelta::days(1), "expires": now + TimeDelta::days(80)},
            "agents": ["soc-agent"],
            "tiers": {
                "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot-safety-officer", "soc-lead"]}},
                "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["on-call-engineer"]}},
                "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["on-call-engineer"]},
                    "blast_radius": {"systems": 50, "per": "24h"}},
            },
            "checks": {"up": {"kind": "http", "path": "/healthz", "timeout": "5s"}},
            "rules": [{
                "id": "routine", "actions": ["patch"],
                "targets": {"classes": ["linux-server"], "tiers": ["non-critical"]},
                "rollout": {"concurrency": 1, "health": ["up"], "breaker": {"failures": 0}},
                "rollback": {"within": "15m", "drilled_within": "92d"},
            }],
        })
        .to_string()
    }

    /// Has the board put an envelope in force.
    pub async fn put_in_force(&self, envelope: &Value) {
        let imported = self
            .operator
            .import_envelope(envelope.to_string().as_bytes())
            .await
            .unwrap();
        for name in ["ann", "ben"] {
            let person = self.person(name).await;
            person.authorise(&imported.digest).await.unwrap();
        }
    }

    /// A proposal to patch these systems.
    pub fn proposal(&self, key: &str, systems: &[&str]) -> Value {
        json!({
            "idempotency_key": key, "agent": "soc-agent",
            "detection": {"id": format!("found-{key}"), "rule": "vulnerability", "source": "scanner",
                "title": "a hole", "severity": "medium", "detected_at": self.now() - TimeDelta::minutes(1)},
            "action": patch(), "targets": {"systems": systems}, "expires_at": self.now() + TimeDelta::hours(1),
        })
    }

    pub async fn propose(&self, proposal: &Value) -> Result<ProposalAnswer, ClientError> {
        self.agent.propose(proposal.to_string().as_bytes()).await
    }

    /// An item that waits for one on-call engineer: it reaches a production-critical system.
    pub async fn waiting(&self, key: &str) -> ProposalId {
        let answer = self.propose(&self.proposal(key, &["pay-1"])).await.unwrap();
        assert_eq!(answer.state, ItemState::Waiting, "{:#?}", answer.assessment);
        answer.id.unwrap()
    }

    pub async fn wait_for(&self, id: &OperationId, state: OperationState) -> Operation {
        for _ in 0..600 {
            let operation = self.operator.operation(id).await.unwrap();
            if operation.summary.state == state {
                return operation;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{id} never became {state:?}: {:#?}",
            self.operator.operation(id).await
        );
    }

    pub async fn wait_for_item(&self, id: &ProposalId, state: ItemState) {
        for _ in 0..400 {
            if self.agent.proposal(id).await.unwrap().state == state {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!(
            "{id} never became {state:?}: {:?}",
            self.agent.proposal(id).await
        );
    }

    /// Waits until the executor was called for this.
    pub async fn called(&self, call: &str) {
        for _ in 0..400 {
            if self.calls().iter().any(|line| line == call) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("the executor was never called: {:?}", self.calls());
    }

    pub fn system(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("systems").join(name)).unwrap()
    }

    pub fn mark(&self, name: &str) {
        std::fs::write(self.folder.path().join("systems").join(name), "").unwrap();
    }

    pub fn unmark(&self, name: &str) {
        std::fs::remove_file(self.folder.path().join("systems").join(name)).unwrap();
    }

    /// The backend's database, from outside.
    pub async fn database(&self) -> SqliteConnection {
        SqliteConnectOptions::new()
            .filename(self.folder.path().join("data/countersign.db"))
            .busy_timeout(Duration::from_secs(10))
            .connect()
            .await
            .unwrap()
    }

    /// Changes the database behind the backend's back; how many rows.
    pub async fn tamper(&self, sql: &'static str) -> u64 {
        let mut conn = self.database().await;
        let done = sqlx::query(sql).execute(&mut conn).await.unwrap();
        conn.close().await.unwrap();
        done.rows_affected()
    }

    /// What the executor was called for, in order.
    pub fn calls(&self) -> Vec<String> {
        let text =
            std::fs::read_to_string(self.folder.path().join("systems/calls")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Every log entry.
    pub async fn log(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        for index in 0.. {
            match self.operator.log_entry(index).await {
                Ok(bytes) => entries.push(Entry::from_bytes(&bytes).unwrap()),
                Err(_) => break,
            }
        }
        entries
    }

    /// How often each kind is in the log.
    pub async fn kinds(&self) -> BTreeMap<String, usize> {
        let mut kinds = BTreeMap::new();
        for entry in self.log().await {
            *kinds.entry(word(&entry.kind)).or_default() += 1;
        }
        kinds
    }

    /// Stops the backend and starts it again on the same folder.
    pub async fn restart(&mut self) {
        self.running.take().unwrap().stop().await.unwrap();
        self.start_again().await;
    }

    pub async fn start_again(&mut self) {
        let running = start(self.folder.path(), self.config.clone(), self.clock.clone()).await;
        self.connect(&format!("http://{}", running.address));
        self.running = Some(running);
    }

    pub fn connect(&mut self, url: &str) {
        let client = Client::new(url).unwrap();
        self.operator = client.with_bearer(OPERATOR).unwrap();
        self.agent = client.with_bearer(&self.agent_secret).unwrap();
        self.client = client;
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.running.as_ref().unwrap().address)
    }
}

pub fn word<T: serde::Serialize>(value: &T) -> String {
    serde_json::to_value(value)
        .unwrap()
        .as_str()
        .unwrap()
        .to_owned()
}

pub fn patch() -> Value {
    json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}})
}

fn system(id: &str, class: &str, tier: &str) -> Value {
    json!({"id": id, "class": class, "tier": tier})
}

fn config(systems: &Path, health: &str) -> Config {
    Config {
        executors: vec![ExecutorConfig {
            name: "shell".to_owned(),
            actions: BTreeSet::from([ActionKind::Patch, ActionKind::NetworkIsolate]),
            command: vec!["sh".to_owned(), "-c".to_owned(), EXECUTOR.to_owned()],
            timeout: "20s".parse().unwrap(),
            honesty: HonestyGrade::Declared,
            irreversible: false,
            guarded: false,
            ansible: None,
            webhook: None,
            limits: None,
            environment: BTreeMap::from([("DIR".to_owned(), systems.display().to_string())]),
        }],
        health: Some(HealthConfig {
            base: Some(format!("{health}/systems/{{system}}")),
            ..HealthConfig::default()
        }),
        drills: Vec::new(),
    }
}

pub async fn start(folder: &Path, config: Config, clock: Clock) -> Running {
    serve::start(Options {
        data: folder.join("data"),
        listen: "127.0.0.1:0".parse().unwrap(),
        config,
        operator_token: Some(OPERATOR.to_owned()),
        clock,
    })
    .await
    .unwrap()
}

/// Healthy unless the file says broken, or a file `passes-SYSTEM` says how many more times and that is over.
async fn serve_health(systems: PathBuf) -> String {
    async fn health(
        State(systems): State<PathBuf>,
        UrlPath(system): UrlPath<String>,
    ) -> StatusCode {
        let passes = systems.join(format!("passes-{system}"));
        if let Ok(left) = std::fs::read_to_string(&passes) {
            match left.parse::<u32>().unwrap().checked_sub(1) {
                Some(left) => std::fs::write(&passes, left.to_string()).unwrap(),
                None => return StatusCode::SERVICE_UNAVAILABLE,
            }
        }
        match std::fs::read_to_string(systems.join(system)) {
            Ok(state) if state != "broken" => StatusCode::OK,
            Ok(_) | Err(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
    let router = Router::new()
        .route("/systems/{system}/healthz", get(health))
        .with_state(systems);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

pub fn attestation(keys: &KeyRing) -> AttestationRoot {
    AttestationRoot {
        model: "Demonstration key".to_owned(),
        aaguid: uuid::Uuid::from_bytes(AAGUID).to_string(),
        root: String::from_utf8(keys.attestation_root_pem().unwrap()).unwrap(),
    }
}

/// One registration of a genesis, with the key's answer.
pub async fn register(
    operator: &Client,
    keys: &KeyRing,
    id: &str,
    key: &str,
    roles: &[&str],
) -> Result<(), ClientError> {
    let approver: ApproverId = id.parse().unwrap();
    let options = operator
        .begin_registration(&BeginRegistration {
            approver: approver.clone(),
            name: format!("{id} the person"),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        })
        .await?;
    let key = keys.key(key).unwrap();
    let request = RegisterRequest {
        rp_id: options.rp_id,
        challenge: options.challenge.0,
        user_id: options.user_id.0,
        exclude: options.exclude,
        user_name: id.to_owned(),
        user_display_name: id.to_owned(),
        timeout: Duration::from_secs(30),
    };
    let registration = tokio::task::spawn_blocking(move || key.register(&request, &Willing(PIN)))
        .await
        .unwrap()
        .unwrap();
    operator.finish_registration(&approver, &registration).await
}

async fn enrol(operator: &Client, keys: &KeyRing) {
    operator
        .begin_genesis(&BeginGenesis {
            name: "A small organisation".to_owned(),
            demonstration: true,
            attestation: vec![attestation(keys)],
        })
        .await
        .unwrap();
    for (id, roles) in PEOPLE {
        register(operator, keys, id, id, roles).await.unwrap();
    }
    operator.seal_genesis().await.unwrap();
}
