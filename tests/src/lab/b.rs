//! Scenario B: the password of a database role that 14 application servers use.
//!
//! A real PostgreSQL, 14 real processes with pooled connections, and the shipped executor `postgres-role`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::Utc;
use countersign_core::topology::Tier;
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::ItemState;
use serde_json::{Value, json};
use tokio::process::{Child, Command};

use super::client::Worked;
use super::site::{Ground, Site};
use super::{
    Figures, Tell, checked, member, output, parts, report, run as run_program, until, with,
};
use crate::backend::{program, programs};
use crate::hands::Hands as _;
use crate::organisation::{self, RECORD_SERVERS, record_servers};
use crate::people::{ON_CALL, OT_OFFICER, SOC_LEAD};
use crate::story::{item, waits};

/// The password at first.
const FIRST: &str = "first-password";
/// The server whose reload fails when it is told to.
const STUBBORN: &str = "ehr-app-07";

/// A PostgreSQL of its own; killed with it.
struct Database {
    folder: PathBuf,
    port: u16,
    _server: Child,
}

/// Where Debian keeps the server's programs.
fn postgres_programs() -> anyhow::Result<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path().join("bin"))
        .filter(|folder| folder.join("initdb").is_file())
        .collect();
    found.sort();
    found
        .pop()
        .context("PostgreSQL is missing; `cargo xtask setup` installs it")
}

impl Database {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let programs = postgres_programs()?;
        let folder = folder.join("postgres");
        std::fs::create_dir_all(&folder)?;
        let is_root = output(&["id", "-u"]).await?.stdout == b"0\n";
        // PostgreSQL refuses to be root.
        let user: &[&str] = if is_root {
            run_program(&["chown", "postgres", text(&folder)?]).await?;
            for parent in folder.ancestors().skip(1).take(1) {
                run_program(&["chmod", "711", text(parent)?]).await?;
            }
            &[
                "setpriv",
                "--reuid=postgres",
                "--regid=postgres",
                "--clear-groups",
                "--",
            ]
        } else {
            &[]
        };
        let data = folder.join("data");
        let initdb = programs.join("initdb");
        let words = [
            user,
            &[
                text(&initdb)?,
                "--pgdata",
                text(&data)?,
                "--username=postgres",
                "--auth-local=trust",
                "--auth-host=scram-sha-256",
                "--no-sync",
                "--locale=C.UTF-8",
            ],
        ]
        .concat();
        run_program(&words).await?;
        let port = std::net::TcpListener::bind("127.0.0.1:0")?
            .local_addr()?
            .port();
        let server = programs.join("postgres");
        let port_text = port.to_string();
        let words = [
            user,
            &[
                text(&server)?,
                "-D",
                text(&data)?,
                "-k",
                text(&folder)?,
                "-p",
                &port_text,
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
            ],
        ]
        .concat();
        let (first, rest) = words.split_first().context("no words")?;
        let child = Command::new(first)
            .args(rest)
            .stdin(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .stderr(std::fs::File::create(folder.join("postgres.log"))?)
            .kill_on_drop(true)
            .spawn()?;
        let database = Self {
            folder,
            port,
            _server: child,
        };
        let began = std::time::Instant::now();
        while database.sql("postgres", "SELECT 1").await.is_err() {
            ensure!(began.elapsed() < super::SOON, "PostgreSQL does not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        database.sql("postgres", "CREATE DATABASE ehr").await?;
        database
            .sql(
                "ehr",
                &format!(
                    "CREATE ROLE svc_ehr LOGIN PASSWORD '{FIRST}'; CREATE TABLE patient (id int); \
                     INSERT INTO patient SELECT generate_series(1, 1000); GRANT SELECT ON patient TO svc_ehr"
                ),
            )
            .await?;
        Ok(database)
    }

    fn address(&self, name: &str) -> String {
        format!(
            "host={} port={} user=postgres dbname={name}",
            self.folder.display(),
            self.port
        )
    }

    async fn sql(&self, name: &str, sql: &str) -> anyhow::Result<String> {
        run_program(&[
            "psql",
            "--no-psqlrc",
            "-qAt",
            "--set=ON_ERROR_STOP=1",
            &self.address(name),
            "-c",
            sql,
        ])
        .await
    }
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// The 14 application servers.
struct Servers {
    folder: PathBuf,
    _parts: Vec<Child>,
}

impl Servers {
    async fn start(folder: &Path, port: u16) -> anyhow::Result<Self> {
        let folder = folder.join("servers");
        std::fs::create_dir_all(&folder)?;
        let mut parts = Vec::new();
        for name in record_servers() {
            let password = folder.join(format!("{name}.password"));
            std::fs::write(&password, FIRST)?;
            let report = folder.join(format!("{name}.json"));
            let arguments = [
                "client",
                "--name",
                &name,
                "--port",
                &port.to_string(),
                "--password",
                text(&password)?,
                "--report",
                text(&report)?,
            ];
            parts.push(parts::start(
                &[],
                &arguments,
                &folder.join(format!("{name}.log")),
            )?);
        }
        let servers = Self {
            folder,
            _parts: parts,
        };
        servers.connected(RECORD_SERVERS).await?;
        Ok(servers)
    }

    fn reports(&self) -> Vec<Worked> {
        record_servers()
            .iter()
            .filter_map(|name| report(&self.folder.join(format!("{name}.json"))))
            .collect()
    }

    /// Waits until this many have the database, each after a query of its own from now.
    async fn connected(&self, number: usize) -> anyhow::Result<()> {
        until(&format!("{number} servers have the database"), || {
            let reports = self.reports();
            let connected = reports.iter().filter(|worked| worked.connected).count();
            (reports.len() == RECORD_SERVERS && connected == number).then_some(())
        })
        .await
    }

    fn failed(&self) -> u64 {
        self.reports().iter().map(|worked| worked.failed).sum()
    }

    fn reconnected(&self) -> u64 {
        self.reports().iter().map(|worked| worked.reconnected).sum()
    }

    fn answered(&self) -> u64 {
        self.reports().iter().map(|worked| worked.answered).sum()
    }
}

fn executor(folder: &Path, database: &Database, servers: &Servers) -> anyhow::Result<PathBuf> {
    let config = folder.join("postgres-role.json");
    let dependents: serde_json::Map<String, Value> = record_servers()
        .into_iter()
        .map(|name| {
            let how = json!({ "file": servers.folder.join(format!("{name}.password")) });
            let how = if name == STUBBORN {
                let halt = servers.folder.join("halt");
                with(how, [("reload", json!(["test", "!", "-e", halt]))])
            } else {
                how
            };
            (name, json!({ "svc_ehr": how }))
        })
        .collect();
    let text = json!({
        "state": folder.join("postgres-role"),
        "databases": { "ehr-db-1": ["psql", database.address("ehr")] },
        "dependents": dependents,
        "end_sessions": true,
    });
    std::fs::write(&config, text.to_string())?;
    Ok(config)
}

/// Runs it.
///
/// # Errors
/// Where anything is not as the scenario says, or PostgreSQL is missing.
pub async fn run(folder: PathBuf, tell: &Tell<'_>) -> anyhow::Result<Figures> {
    let database = Database::start(&folder).await?;
    let servers = Servers::start(&folder, database.port).await?;
    tell("14 application servers query PostgreSQL over pooled connections as svc_ehr");
    let config = executor(&folder, &database, &servers)?;

    let lost = ungoverned(&config, &servers).await?;
    tell(&format!(
        "ungoverned: the password was rotated at once and delivered to nobody; {lost} servers lost the database"
    ));
    let (failed, reconnected) = (servers.failed(), servers.reconnected());

    let script = format!(
        "connected=$(grep -l '\"connected\":true' '{}'/*.json | wc -l)\n\
         test \"$connected\" -eq {RECORD_SERVERS} || {{ echo \"$connected servers have the database\" >&2; exit 1; }}",
        servers.folder.display()
    );
    let (check, envelope) = checked(&folder, "records-up", &script)?;
    let configuration = json!({
        "executors": [{
            "name": "postgres-role", "actions": ["credential-rotate"], "timeout": "60s", "honesty": "declared",
            "command": [program(&programs()?, "countersign-postgres-role")?, config],
            "limits": { "open_files": 256, "file_size": 16_777_216 },
        }],
        "health": { "programs": [check] },
    });
    let site = Site::start(
        Ground::new(&folder)?,
        &configuration,
        envelope,
        organisation::topology(Utc::now()),
    )
    .await?;
    governed(&site, &servers, &database, tell).await?;
    let governed_failed = servers.failed() - failed;
    ensure!(
        governed_failed == 0,
        "{governed_failed} queries failed while governed"
    );
    tell(&format!(
        "{} queries were answered in all; while governed none failed, and {} waited for a new connection",
        servers.answered(),
        servers.reconnected() - reconnected
    ));
    let mut figures = Figures::default();
    figures.row("servers that lost the database", lost, 0);
    figures.row("queries that failed", failed, governed_failed);
    figures.row("dependents named before", 0, RECORD_SERVERS);
    figures.row("signatures", 0, 2);
    Ok(figures)
}

/// What the agent would do by itself, called as the backend calls it, with nobody asked.
async fn ungoverned(config: &Path, servers: &Servers) -> anyhow::Result<usize> {
    let action = member(&organisation::scenario_b(Utc::now(), None), "action");
    let call = |verb: &str, sequence: u64| {
        json!({ "verb": verb, "operation": "ungoverned", "sequence": sequence, "attempt": 1,
            "system": "ehr-db-1", "action": action, "snapshot": {}, "evidence": [] })
    };
    ask(config, &call("apply", 1)).await?;
    servers.connected(0).await?;
    let lost = servers
        .reports()
        .iter()
        .filter(|worked| !worked.connected)
        .count();
    ask(config, &call("revert", 2)).await?;
    servers.connected(RECORD_SERVERS).await?;
    Ok(lost)
}

async fn ask(config: &Path, call: &Value) -> anyhow::Result<()> {
    use tokio::io::AsyncWriteExt as _;
    let mut child = Command::new(program(&programs()?, "countersign-postgres-role")?)
        .arg(config)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(call.to_string().as_bytes()).await?;
    }
    let output = child.wait_with_output().await?;
    let answer: Value = serde_json::from_slice(&output.stdout)?;
    ensure!(member(&answer, "ok") == json!(true), "{call}: {answer}");
    Ok(())
}

async fn governed(
    site: &Site,
    servers: &Servers,
    database: &Database,
    tell: &Tell<'_>,
) -> anyhow::Result<()> {
    let mut hands = site.terminal.clone();
    let names = record_servers();
    let answer = site
        .agent
        .propose(&organisation::scenario_b(Utc::now(), None))
        .await?;
    let rejected = waits(&answer, Tier::SafetyCritical)?;
    hands
        .reject(
            ON_CALL,
            &item(&rejected, "rotation", &answer, &names),
            "All 14 servers would lose the database.",
        )
        .await?;
    tell("governed: held as safety-critical with all 14 servers named, and rejected");

    let verifier = "SELECT rolpassword FROM pg_authid WHERE rolname = 'svc_ehr'";
    let before = database.sql("postgres", verifier).await?;
    let proposal = organisation::scenario_b(Utc::now(), Some(rejected.as_str()));
    let answer = site.agent.propose(&proposal).await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    approve(site, &id, &answer).await?;
    site.agent.wait_for(&id, ItemState::Done).await?;
    servers.connected(RECORD_SERVERS).await?;
    let rotated = database.sql("postgres", verifier).await?;
    ensure!(rotated != before, "the password is the one of before");
    tell(
        "governed: approved by two people with the 14 servers included; all of them have the new password",
    );

    // A server that cannot take the next password halts the operation, which is undone.
    std::fs::write(servers.folder.join("halt"), "")?;
    let mut proposal = with(
        organisation::scenario_b(Utc::now(), Some(id.as_str())),
        [("idempotency_key", json!("soar-19c2b7-3"))],
    );
    if let Some(members) = proposal.as_object_mut() {
        // The one of before is done, and nothing to be superseded.
        members.remove("supersedes");
    }
    let answer = site.agent.propose(&proposal).await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    approve(site, &id, &answer).await?;
    let operation = site.operation_of(&id).await?;
    site.wait_for(&operation, OperationState::Halted).await?;
    std::fs::remove_file(servers.folder.join("halt"))?;
    hands
        .roll_back(SOC_LEAD, &operation, "ehr-app-07 does not take it.")
        .await?;
    site.wait_for(&operation, OperationState::RolledBack)
        .await?;
    servers.connected(RECORD_SERVERS).await?;
    ensure!(
        database.sql("postgres", verifier).await? == rotated,
        "the password is not the one of before"
    );
    tell(
        "governed: a server that did not take the next password tripped the breaker; rolled back, password and servers are as before",
    );
    Ok(())
}

async fn approve(
    site: &Site,
    id: &countersign_core::identifier::ProposalId,
    answer: &countersign_wire::proposal::ProposalAnswer,
) -> anyhow::Result<()> {
    let mut hands = site.terminal.clone();
    for person in [OT_OFFICER, SOC_LEAD] {
        hands
            .approve(
                person,
                &item(id, "whole-rotation", answer, &[]),
                "Every server gets it in the same step.",
            )
            .await?;
    }
    Ok(())
}
