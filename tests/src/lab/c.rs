//! Scenario C: a rule between two /16s, around the controllers of a chemical plant.
//!
//! Corporate network, router and plant are three network namespaces; nftables on the router separates
//! them. The executor stands behind `countersignctl verify-permit` with everything guarded, so that each
//! rule is set only after the router has checked two people's signatures itself.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use chrono::{DateTime, Utc};
use countersign_core::topology::Tier;
use countersign_wire::operation::OperationState;
use countersign_wire::proposal::ItemState;
use serde_json::{Value, json};
use tokio::process::Child;

use super::modbus::{BackedUp, PORT, Polled};
use super::site::{Ground, Site};
use super::{
    Figures, Tell, checked, member, output, parts, report, run as run_program, until, with,
};
use crate::backend::{program, programs};
use crate::hands::Hands as _;
use crate::organisation::{self, CONTROLLERS};
use crate::people::{OT_OFFICER, SOC_LEAD};
use crate::story::{item, waits};

/// The corporate network's SCADA server.
const SCADA: &str = "10.4.3.9";
/// Its backup server.
const BACKUP: &str = "10.4.9.20";
/// What the backup copies from.
const FILES: &str = "10.8.20.5:445";

fn controllers() -> Vec<IpAddr> {
    (1..=CONTROLLERS)
        .filter_map(|n| u8::try_from(n + 10).ok())
        .map(|n| IpAddr::from([10, 8, 7, n]))
        .collect()
}

/// The three namespaces; gone with it.
struct Networks {
    prefix: String,
}

impl Networks {
    async fn new() -> anyhow::Result<Self> {
        let networks = Self {
            prefix: format!("cs{:08x}", rand::random::<u32>()),
        };
        let made = networks.make().await;
        made.context(
            "no network namespaces here, without which this laboratory cannot run: it needs root \
             (CAP_SYS_ADMIN and CAP_NET_ADMIN) and iproute2",
        )?;
        Ok(networks)
    }

    fn name(&self, of: &str) -> String {
        format!("{}-{of}", self.prefix)
    }

    async fn make(&self) -> anyhow::Result<()> {
        let (router, corp, plant) = (self.name("router"), self.name("corp"), self.name("plant"));
        for name in [&router, &corp, &plant] {
            run_program(&["ip", "netns", "add", name]).await?;
            run_program(&["ip", "-n", name, "link", "set", "lo", "up"]).await?;
        }
        for (site, gateway) in [(&corp, "10.4.0.1"), (&plant, "10.8.0.1")] {
            let inside = if *site == corp { "corp" } else { "plant" };
            run_program(&[
                "ip", "-n", &router, "link", "add", inside, "type", "veth", "peer", "name", "up0",
                "netns", site,
            ])
            .await?;
            let address = format!("{gateway}/16");
            run_program(&[
                "ip", "-n", &router, "address", "add", &address, "dev", inside,
            ])
            .await?;
            run_program(&["ip", "-n", &router, "link", "set", inside, "up"]).await?;
            run_program(&["ip", "-n", site, "link", "set", "up0", "up"]).await?;
        }
        let mut addresses: Vec<(&str, String)> = controllers()
            .iter()
            .map(|address| (plant.as_str(), format!("{address}/16")))
            .collect();
        addresses.push((&plant, "10.8.20.5/16".to_owned()));
        addresses.extend([SCADA, BACKUP].map(|address| (corp.as_str(), format!("{address}/16"))));
        for (site, address) in &addresses {
            run_program(&["ip", "-n", site, "address", "add", address, "dev", "up0"]).await?;
        }
        for (site, gateway) in [(&corp, "10.4.0.1"), (&plant, "10.8.0.1")] {
            run_program(&["ip", "-n", site, "route", "add", "default", "via", gateway]).await?;
        }
        let forward = "echo 1 > /proc/sys/net/ipv4/ip_forward";
        run_program(&["ip", "netns", "exec", &router, "sh", "-c", forward]).await?;
        Ok(())
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for of in ["router", "corp", "plant"] {
            let gone = std::process::Command::new("ip")
                .args(["netns", "del", &self.name(of)])
                .stderr(std::process::Stdio::null())
                .status();
            // One that was never made is none to be removed.
            drop(gone);
        }
    }
}

/// Whether there can be network namespaces here.
pub async fn is_possible() -> bool {
    output(&["unshare", "--net", "true"])
        .await
        .is_ok_and(|output| output.status.success())
}

/// The plant and those who talk with it.
struct Plant {
    networks: Networks,
    scada: PathBuf,
    backup: PathBuf,
    _parts: Vec<Child>,
}

impl Plant {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let networks = Networks::new().await?;
        let (corp, plant) = (networks.name("corp"), networks.name("plant"));
        let (scada, backup) = (folder.join("scada.json"), folder.join("backup.json"));
        let addresses: Vec<String> = controllers().iter().map(ToString::to_string).collect();
        let mut sockets: Vec<String> = addresses
            .iter()
            .map(|address| format!("{address}:{PORT}"))
            .collect();
        sockets.push(FILES.to_owned());
        let log = |name: &str| folder.join(name);
        let within_plant = ["ip", "netns", "exec", plant.as_str()];
        let within_corp = ["ip", "netns", "exec", corp.as_str()];
        let text = |path: &Path| path.display().to_string();
        let parts = vec![
            parts::start(
                &within_plant,
                &["controllers", "--addresses", &sockets.join(",")],
                &log("controllers.log"),
            )?,
            parts::start(
                &within_corp,
                &[
                    "scada",
                    "--addresses",
                    &addresses.join(","),
                    "--report",
                    &text(&scada),
                ],
                &log("scada.log"),
            )?,
            parts::start(
                &within_corp,
                &[
                    "backup",
                    "--from",
                    BACKUP,
                    "--to",
                    FILES,
                    "--report",
                    &text(&backup),
                ],
                &log("backup.log"),
            )?,
        ];
        let running = Self {
            networks,
            scada,
            backup,
            _parts: parts,
        };
        running.answering(CONTROLLERS).await?;
        until("the backup reaches the plant", || {
            report::<BackedUp>(&running.backup).filter(|done| done.connected)
        })
        .await?;
        Ok(running)
    }

    /// Waits until this many controllers answer, in a whole round of its own.
    async fn answering(&self, number: usize) -> anyhow::Result<Polled> {
        let before = report::<Polled>(&self.scada).map_or(0, |polled| polled.rounds);
        until(&format!("{number} controllers answer"), || {
            report::<Polled>(&self.scada)
                .filter(|polled| polled.rounds > before + 1 && polled.answering.len() == number)
        })
        .await
    }

    fn missed(&self) -> u64 {
        report::<Polled>(&self.scada).map_or(0, |polled| polled.missed.values().sum())
    }
}

/// The configuration of the executor, and the guard before it.
fn executor(folder: &Path, plant: &Plant) -> anyhow::Result<PathBuf> {
    let config = folder.join("nftables.json");
    let router = plant.networks.name("router");
    let text = json!({
        "state": folder.join("nftables"),
        "within": ["ip", "netns", "exec", router],
        "systems": {
            "backup-1": [format!("{BACKUP}/32")], "scada-1": [format!("{SCADA}/32")],
            "seg-corp": ["10.4.0.0/16"], "seg-plant": ["10.8.0.0/16"],
        },
    });
    std::fs::write(&config, text.to_string())?;
    Ok(config)
}

/// Scenario C's containment, of the two hosts that talk with the plant.
fn containment(now: DateTime<Utc>, supersedes: &str) -> Value {
    with(
        organisation::scenario_c(now),
        [
            ("idempotency_key", json!("soar-7f3e0c1a-2")),
            (
                "action",
                json!({ "type": "host-isolate", "parameters": {} }),
            ),
            ("targets", json!({ "systems": ["backup-1", "scada-1"] })),
            (
                "rationale",
                json!("Isolate the hosts that write to the plant segment."),
            ),
            ("supersedes", json!(supersedes)),
        ],
    )
}

/// Runs it.
///
/// # Errors
/// Where anything is not as the scenario says, or there are no namespaces.
pub async fn run(folder: PathBuf, tell: &Tell<'_>) -> anyhow::Result<Figures> {
    let plant = Plant::start(&folder).await?;
    tell(
        "a SCADA server polls 12 controllers by Modbus-TCP across a router; a backup job misbehaves",
    );
    let config = executor(&folder, &plant)?;

    let (lost, seconds) = ungoverned(&config, &plant).await?;
    tell(&format!(
        "ungoverned: the rule between the two /16s was set at once, and {lost} controllers lost control"
    ));

    let missed_before = plant.missed();
    let site = start_site(&folder, &config, &plant).await?;
    governed(&site, &plant, tell).await?;
    let missed = plant.missed() - missed_before;
    ensure!(
        missed == 0,
        "{missed} polls of controllers were missed while governed"
    );
    tell("every poll of every controller was answered, from the first signature to the last check");

    let mut figures = Figures::default();
    figures.row("controllers that lost control", lost, 0);
    figures.row("seconds until they had", seconds, "-");
    figures.row("polls of controllers missed", missed_before, missed);
    figures.row("backup host contained", "yes", "yes");
    figures.row("signatures", 0, 2);
    Ok(figures)
}

/// What the agent would do by itself: the executor, called as the backend calls it, with nobody asked.
async fn ungoverned(config: &Path, plant: &Plant) -> anyhow::Result<(usize, String)> {
    let action = member(&organisation::scenario_c(Utc::now()), "action");
    let call = |verb: &str, sequence: u64| {
        json!({ "verb": verb, "operation": "ungoverned", "sequence": sequence, "attempt": 1,
            "system": "seg-corp", "action": action, "snapshot": {}, "evidence": [] })
    };
    let began = std::time::Instant::now();
    ask(config, &call("apply", 1)).await?;
    let without = plant.answering(0).await?;
    let seconds = format!("{:.1}", began.elapsed().as_secs_f32());
    // The same call again is not done again: one revert undoes it.
    ask(config, &call("apply", 1)).await?;
    ask(config, &call("revert", 2)).await?;
    plant.answering(CONTROLLERS).await?;
    Ok((CONTROLLERS - without.answering.len(), seconds))
}

/// Calls the executor itself.
async fn ask(config: &Path, call: &Value) -> anyhow::Result<Value> {
    use tokio::io::AsyncWriteExt as _;
    let mut child = tokio::process::Command::new(program(&programs()?, "countersign-nftables")?)
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
    Ok(answer)
}

async fn start_site(folder: &Path, config: &Path, plant: &Plant) -> anyhow::Result<Site> {
    let (guard, store) = (folder.join("guard.json"), folder.join("guard"));
    let command = json!([
        program(&programs()?, "countersignctl")?,
        "verify-permit",
        "--guard",
        guard,
        "--store",
        store,
        "--",
        program(&programs()?, "countersign-nftables")?,
        config,
    ]);
    let script = format!(
        "answering=$(sed 's/.*\"answering\":\\[\\([^]]*\\)\\].*/\\1/' '{}' | tr , '\\n' | grep -c 10.8.7.)\n\
         test \"$answering\" -eq {CONTROLLERS} || {{ echo \"$answering controllers answer\" >&2; exit 1; }}",
        plant.scada.display()
    );
    let (check, envelope) = checked(folder, "plant-control", &script)?;
    let configuration = json!({
        "executors": [{
            "name": "nftables", "actions": ["firewall-rule", "network-isolate", "host-isolate"],
            "command": command, "timeout": "30s", "honesty": "enforced", "guarded": true,
        }],
        "health": { "programs": [check] },
    });
    let site = Site::start(
        Ground::new(folder)?,
        &configuration,
        envelope,
        organisation::topology(Utc::now()),
    )
    .await?;
    let text = json!({
        "schema": "countersign/guard/v1", "genesis": site.genesis, "guarded": "everything",
        "quorum": { "needed": 2, "roles": ["ot-safety-officer", "soc-lead"] },
        "order_life": "2m", "clock_skew": "5s",
    });
    std::fs::write(&guard, text.to_string())?;
    Ok(site)
}

async fn governed(site: &Site, plant: &Plant, tell: &Tell<'_>) -> anyhow::Result<()> {
    let mut hands = site.terminal.clone();
    let answer = site
        .agent
        .propose(&organisation::scenario_c(Utc::now()))
        .await?;
    let blocked = waits(&answer, Tier::SafetyCritical)?;
    let names: Vec<String> = (1..=CONTROLLERS).map(|n| format!("plc-{n:02}")).collect();
    hands
        .reject(
            OT_OFFICER,
            &item(&blocked, "block", &answer, &names),
            "The rule cuts SCADA off from twelve controllers.",
        )
        .await?;
    ensure!(
        site.agent.ask(&blocked).await?.state == ItemState::Rejected,
        "the block was not rejected"
    );
    tell("governed: held as safety-critical with all 12 controllers named, and rejected");

    let proposal = containment(Utc::now(), blocked.as_str());
    let answer = site.agent.propose(&proposal).await?;
    let id = waits(&answer, Tier::SafetyCritical)?;
    for person in [OT_OFFICER, SOC_LEAD] {
        hands
            .approve_only(
                person,
                &item(&id, "containment", &answer, &names),
                "backup-1",
                "Only the backup server; SCADA stays.",
            )
            .await?;
    }
    site.agent.wait_for(&id, ItemState::Done).await?;
    let operation = site.operation_of(&id).await?;
    let done = site.wait_for(&operation, OperationState::Completed).await?;
    ensure!(
        done.systems.len() == 1,
        "{} systems in it",
        done.systems.len()
    );
    tell(
        "governed: two people narrowed the containment to the backup server; the router checked both signatures itself",
    );
    until("the backup is cut off", || {
        report::<BackedUp>(&plant.backup).filter(|done| !done.connected)
    })
    .await?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    plant.answering(CONTROLLERS).await?;

    let used = std::fs::read_to_string(site.folder.join("guard/used.jsonl"))?;
    ensure!(
        used.contains("\"used\""),
        "the guard remembers no use: {used}"
    );
    let router = plant.networks.name("router");
    let rules = output(&["ip", "netns", "exec", &router, "nft", "list", "ruleset"]).await?;
    let rules = String::from_utf8(rules.stdout)?;
    ensure!(
        rules.contains(BACKUP) && !rules.contains(SCADA) && !rules.contains("/16"),
        "other rules than the one approved: {rules}"
    );
    Ok(())
}
