//! Scenario A: a package that breaks the certificate library of most hosts, rolled out by Ansible.
//!
//! Each host is a process with a TLS service and a root folder whose packages dpkg manages; the package
//! is a real .deb in two versions. The playbooks are those of `executors/examples/ansible`, which
//! docs/operations.md explains.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{SecondsFormat, TimeDelta, Utc};
use countersign_core::topology::Tier;
use countersign_wire::operation::{OperationState, SystemPhase};
use serde_json::{Value, json};
use tokio::process::Child;

use super::site::{Ground, Site};
use super::tls_host::LIBRARY;
use super::{Figures, Tell, member, output, parts, run as run_program, until, with};
use crate::hands::Hands as _;
use crate::organisation;
use crate::people::{ON_CALL, SOC_LEAD};
use crate::story::{item, waits};

/// Hosts in the laboratory: more than the ten from which on AG-706 4.9 asks for a canary.
const HOSTS: usize = 12;
/// The first host whose library the new package breaks; all after it are alike.
const BREAKS_FROM: usize = 3;
/// Hosts in the canary.
const CANARY: usize = 5;
/// Where each host serves.
const PORT: u16 = 8443;
/// The package, and its version before and after.
const PACKAGE: &str = "northwind-tls";
const BEFORE: &str = "3.0.9-1";
const AFTER: &str = "3.0.15-1";
/// The operator's repository of playbooks.
const REPOSITORY: [(&str, &str); 4] = [
    (
        "apply.yml",
        include_str!("../../../executors/examples/ansible/apply.yml"),
    ),
    (
        "snapshot.yml",
        include_str!("../../../executors/examples/ansible/snapshot.yml"),
    ),
    (
        "revert.yml",
        include_str!("../../../executors/examples/ansible/revert.yml"),
    ),
    (
        "install.yml",
        include_str!("../../../executors/examples/ansible/install.yml"),
    ),
];

fn host(number: usize) -> String {
    format!("pay-{number:04}")
}

fn address(number: usize) -> String {
    format!("127.1.0.{number}")
}

fn text(path: &Path) -> anyhow::Result<&str> {
    path.to_str().context("a path is not UTF-8")
}

/// The hosts and the operator's repository.
struct Hosts {
    folder: PathBuf,
    authority: PathBuf,
    _parts: Vec<Child>,
}

impl Hosts {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let repository = folder.join("repository");
        std::fs::create_dir_all(repository.join("pool"))?;
        for (name, playbook) in REPOSITORY {
            std::fs::write(repository.join(name), playbook)?;
        }
        for version in [BEFORE, AFTER] {
            package(folder, &repository.join("pool"), version).await?;
        }
        let (authority, certificate) = certificates(folder)?;
        let mut inventory = "[hosts]\n".to_owned();
        let mut parts = Vec::new();
        for number in 1..=HOSTS {
            let name = host(number);
            let root = folder.join("hosts").join(&name);
            prepare(&root, &repository.join("pool"), number).await?;
            writeln!(inventory, "{name} root={}", root.display())?;
            let address = format!("{}:{PORT}", address(number));
            parts.push(parts::start(
                &[],
                &[
                    "tls-host",
                    "--root",
                    text(&root)?,
                    "--address",
                    &address,
                    "--certificate",
                    text(&certificate)?,
                ],
                &root.join("log"),
            )?);
        }
        inventory.push_str(
            "[hosts:vars]\nansible_connection=local\nansible_python_interpreter=auto_silent\n",
        );
        std::fs::write(repository.join("hosts.ini"), inventory)?;
        let hosts = Self {
            folder: folder.to_owned(),
            authority,
            _parts: parts,
        };
        until("every host serves", || {
            (hosts.serving() == HOSTS).then_some(())
        })
        .await?;
        Ok(hosts)
    }

    fn state(&self, number: usize) -> String {
        let path = self
            .folder
            .join("hosts")
            .join(host(number))
            .join("run/state");
        std::fs::read_to_string(path).unwrap_or_default()
    }

    fn serving(&self) -> usize {
        (1..=HOSTS)
            .filter(|number| self.state(*number).starts_with("serving"))
            .count()
    }

    /// Hosts on which the new version was installed, as their own dpkg logs say.
    fn touched(&self) -> usize {
        (1..=HOSTS)
            .filter(|number| {
                let root = self.folder.join("hosts").join(host(*number));
                std::fs::read_to_string(root.join("var/log/dpkg.log")).is_ok_and(|log| {
                    log.contains(&format!("status installed {PACKAGE}:all {AFTER}"))
                })
            })
            .count()
    }

    fn forget(&self) -> anyhow::Result<()> {
        for number in 1..=HOSTS {
            let root = self.folder.join("hosts").join(host(number));
            std::fs::write(root.join("var/log/dpkg.log"), "")?;
        }
        Ok(())
    }
}

/// The .deb of a version.
async fn package(folder: &Path, pool: &Path, version: &str) -> anyhow::Result<()> {
    let tree = folder.join(format!("package-{version}"));
    std::fs::create_dir_all(tree.join("DEBIAN"))?;
    std::fs::create_dir_all(tree.join("usr/lib/northwind-tls"))?;
    std::fs::write(
        tree.join("DEBIAN/control"),
        format!(
            "Package: {PACKAGE}\nVersion: {version}\nArchitecture: all\nMaintainer: Northwind <ops@northwind.example>\n\
             Description: TLS of Northwind's payment hosts\n"
        ),
    )?;
    std::fs::write(tree.join(super::tls_host::VERSION), format!("{version}\n"))?;
    let deb = pool.join(format!("{PACKAGE}_{version}.deb"));
    run_program(&[
        "dpkg-deb",
        "--root-owner-group",
        "--build",
        text(&tree)?,
        text(&deb)?,
    ])
    .await?;
    Ok(())
}

/// A root folder with the first version installed.
async fn prepare(root: &Path, pool: &Path, number: usize) -> anyhow::Result<()> {
    for folder in [
        "var/lib/dpkg/info",
        "var/lib/dpkg/updates",
        "var/log",
        "etc",
        "run",
    ] {
        std::fs::create_dir_all(root.join(folder))?;
    }
    std::fs::write(root.join("var/lib/dpkg/status"), "")?;
    let mut works_with = format!("{BEFORE}\n");
    if number < BREAKS_FROM {
        works_with.push_str(&format!("{AFTER}\n"));
    }
    std::fs::write(root.join(LIBRARY), works_with)?;
    let deb = pool.join(format!("{PACKAGE}_{BEFORE}.deb"));
    let at = format!("--root={}", root.display());
    let log = format!("--log={}", root.join("var/log/dpkg.log").display());
    run_program(&[
        "dpkg",
        "--force-not-root",
        &at,
        &log,
        "--install",
        text(&deb)?,
    ])
    .await?;
    Ok(())
}

/// The authority's certificate, and the certificate and key of all hosts.
fn certificates(folder: &Path) -> anyhow::Result<(PathBuf, PathBuf)> {
    let mut authority = rcgen::CertificateParams::new(Vec::new())?;
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let key = rcgen::KeyPair::generate()?;
    let pem = authority.self_signed(&key)?.pem();
    let issuer = rcgen::Issuer::new(authority, key);
    let names: Vec<String> = (1..=HOSTS).map(address).collect();
    let key = rcgen::KeyPair::generate()?;
    let leaf = rcgen::CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    let paths = (folder.join("authority.pem"), folder.join("host.pem"));
    std::fs::write(&paths.0, pem)?;
    std::fs::write(&paths.1, format!("{}{}", leaf.pem(), key.serialize_pem()))?;
    Ok(paths)
}

fn envelope() -> String {
    organisation::envelope(Utc::now())
        .replace(
            "service-up: { kind: http, path: /healthz, expect: 200, timeout: 5s }",
            &format!("service-up: {{ kind: tls, port: {PORT}, timeout: 5s }}"),
        )
        .replace("canary: 5", &format!("canary: {CANARY}"))
}

fn topology() -> String {
    let observed = (Utc::now() - TimeDelta::minutes(1)).to_rfc3339_opts(SecondsFormat::Secs, true);
    let mut yaml = format!(
        "schema: countersign/topology/v1\nobserved_at: {observed}\nsource: northwind-cmdb\nservices:\n  \
         - {{ id: payments, title: Payment processing, tier: production-critical }}\nsystems:\n"
    );
    for number in 1..=HOSTS {
        yaml.push_str(&format!(
            "  - {{ id: {}, class: linux-server, tier: production-critical, service: payments, addresses: [{}], labels: {{ env: prod }} }}\n",
            host(number),
            address(number)
        ));
    }
    yaml
}

fn proposal() -> Value {
    let parameters = json!({ "package": PACKAGE, "to_version": AFTER });
    let action = json!({ "type": "patch", "parameters": parameters });
    with(organisation::scenario_a(Utc::now()), [("action", action)])
}

/// Runs it.
///
/// # Errors
/// Where anything is not as the scenario says, or Ansible or dpkg is missing.
pub async fn run(folder: PathBuf, tell: &Tell<'_>) -> anyhow::Result<Figures> {
    let hosts = Hosts::start(&folder).await?;
    tell(&format!(
        "{HOSTS} hosts serve TLS from {PACKAGE} {BEFORE}; from the third on, {AFTER} breaks the certificate library"
    ));
    let down = ungoverned(&hosts).await?;
    let touched = hosts.touched();
    tell(&format!(
        "ungoverned: {touched} hosts patched in one run of Ansible, {down} of them no longer serve"
    ));
    back(&hosts).await?;
    hosts.forget()?;

    let configuration = configuration(&folder, &hosts);
    let ground = Ground::new(&folder)?;
    let site = Site::start(ground, &configuration, envelope(), topology()).await?;
    let down_governed = governed(&site, &hosts, tell).await?;
    let mut figures = Figures::default();
    figures.row("hosts in the proposal", HOSTS, HOSTS);
    figures.row("hosts touched", touched, hosts.touched());
    figures.row("hosts that stopped serving", down, down_governed);
    figures.row(
        "hosts touched after the first that broke",
        touched.saturating_sub(BREAKS_FROM),
        hosts.touched().saturating_sub(BREAKS_FROM),
    );
    figures.row("hosts serving at the end", HOSTS - down, hosts.serving());
    Ok(figures)
}

fn configuration(folder: &Path, hosts: &Hosts) -> Value {
    let playbooks =
        json!({ "apply": "apply.yml", "snapshot": "snapshot.yml", "revert": "revert.yml" });
    json!({
        "executors": [{
            "name": "ansible", "actions": ["patch"], "timeout": "120s", "honesty": "declared",
            "ansible": {
                "repository": folder.join("repository"), "inventory": "hosts.ini",
                "playbooks": { "patch": playbooks },
            },
        }],
        "health": { "authorities": hosts.authority },
    })
}

/// One run of the playbook over every host, as an agent with a free hand would do it.
async fn ungoverned(hosts: &Hosts) -> anyhow::Result<usize> {
    play(
        hosts,
        "apply.yml",
        &json!({ "action": member(&proposal(), "action") }),
    )
    .await?;
    Ok(HOSTS - hosts.serving())
}

/// And back, so that the governed run begins where the other did.
async fn back(hosts: &Hosts) -> anyhow::Result<()> {
    let asked =
        json!({ "action": member(&proposal(), "action"), "snapshot": { "version": BEFORE } });
    play(hosts, "revert.yml", &asked).await?;
    until("every host serves again", || {
        (hosts.serving() == HOSTS).then_some(())
    })
    .await
}

async fn play(hosts: &Hosts, playbook: &str, asked: &Value) -> anyhow::Result<()> {
    let repository = hosts.folder.join("repository");
    let variables = json!({ "countersign": asked }).to_string();
    let played = output(&[
        "ansible-playbook",
        "--forks=10",
        "--inventory",
        text(&repository.join("hosts.ini"))?,
        "--extra-vars",
        &variables,
        text(&repository.join(playbook))?,
    ])
    .await?;
    ensure!(
        played.status.success(),
        "ansible-playbook {playbook}: {}",
        String::from_utf8_lossy(&played.stdout)
    );
    Ok(())
}

async fn governed(site: &Site, hosts: &Hosts, tell: &Tell<'_>) -> anyhow::Result<usize> {
    let mut hands = site.terminal.clone();
    let answer = site.agent.propose(&proposal()).await?;
    let id = waits(&answer, Tier::ProductionCritical)?;
    tell(&format!(
        "governed: {HOSTS} hosts were held; the plan of `ansible-playbook --check --diff` is in the briefing"
    ));
    hands
        .approve_canary(
            ON_CALL,
            &item(&id, "patch", &answer, &[]),
            "Five hosts first.",
        )
        .await?;
    let operation = site.operation_of(&id).await?;
    let halted = site.wait_for(&operation, OperationState::Halted).await?;
    let trip = halted.trip.context("a halted operation says why")?;
    let tripped_by = trip.system.context("a system tripped the breaker")?;
    ensure!(
        tripped_by.as_str() == host(BREAKS_FROM),
        "{tripped_by} tripped the breaker"
    );
    let (touched, down) = (hosts.touched(), HOSTS - hosts.serving());
    ensure!(touched == BREAKS_FROM, "{touched} hosts were touched");
    // Longer than a dispatch takes: nothing more comes.
    tokio::time::sleep(Duration::from_secs(5)).await;
    ensure!(
        hosts.touched() == touched,
        "a host was touched after the trip"
    );
    tell(&format!(
        "governed: narrowed to the canary of {CANARY}; {tripped_by} tripped the breaker, {touched} hosts were touched, no other"
    ));
    hands
        .roll_back(SOC_LEAD, &operation, "The certificate library fails.")
        .await?;
    let ended = site
        .wait_for(&operation, OperationState::RolledBack)
        .await?;
    let reverted = ended
        .systems
        .iter()
        .filter(|system| system.phase == SystemPhase::Reverted)
        .count();
    ensure!(reverted == touched, "{reverted} hosts were reverted");
    ensure!(hosts.serving() == HOSTS, "{} hosts serve", hosts.serving());
    tell("governed: rolled back; every host serves as before");
    Ok(down)
}
