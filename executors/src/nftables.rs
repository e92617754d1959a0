//! Executor `nftables`: `firewall-rule`, `network-isolate` and `host-isolate` on a Linux router.
//!
//! Everything it does is in a table of its own, `inet countersign`, whose chain hooks into `forward`
//! before the usual filters. Each rule bears a comment that names operation and system by digest, so that
//! a call is done once, and undone without touching what is not its own. A rule separates both ways.
//!
//! Its plan is `enforced`: the rules are loaded into a network namespace made for it, which ends with
//! the plan; nothing that the plan writes can reach the router's own.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use countersign_core::identifier::{Digest, OperationId, SystemId};
use countersign_core::permit::ExecutorCall;
use countersign_core::proposal::{Action, FirewallRuleParameters, FirewallVerdict};
use ipnet::IpNet;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Failure;
use crate::call::{Executor, Order, config};
use crate::journal::{Journal, Stage};
use crate::program;

/// Steps of a plan at most.
const STEPS_MAX: usize = 200;

/// The configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Folder for what was done.
    state: PathBuf,
    /// Where systems are: addresses or networks. What is not here cannot be isolated.
    systems: BTreeMap<SystemId, BTreeSet<IpNet>>,
    /// Words before `nft`, such as `["ip", "netns", "exec", "router"]`; absent means none.
    #[serde(default)]
    within: Vec<String>,
}

/// A router and its table.
#[derive(Debug)]
pub struct Router {
    config: Config,
    journal: Journal,
}

/// One rule: what it matches and what it does, in nft's words, all of our own making.
type Rule = String;

impl Router {
    /// The router of a configuration file.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn new(path: &Path) -> Result<Self, Failure> {
        let config: Config = config(path)?;
        let journal = Journal::open(&config.state)?;
        Ok(Self { config, journal })
    }

    fn rules(&self, system: &SystemId, action: &Action) -> Result<Vec<Rule>, Failure> {
        match action {
            Action::FirewallRule(parameters) => between(parameters),
            Action::NetworkIsolate | Action::HostIsolate => self.around(system),
            Action::Patch(_)
            | Action::ConfigChange(_)
            | Action::ServiceRestart(_)
            | Action::ProcessKill(_)
            | Action::CredentialRotate(_)
            | Action::AccountDisable(_)
            | Action::AclChange(_)
            | Action::FileQuarantine(_) => Err(Failure::new(format!(
                "nftables does not carry `{}` out",
                action.kind().as_str()
            ))),
        }
    }

    /// Everything from and to a system.
    fn around(&self, system: &SystemId) -> Result<Vec<Rule>, Failure> {
        let networks = self
            .config
            .systems
            .get(system)
            .filter(|networks| !networks.is_empty())
            .ok_or_else(|| {
                Failure::new(format!(
                    "the configuration gives no address of `{system}`; add it under `systems`"
                ))
            })?;
        Ok(networks
            .iter()
            .flat_map(|network| {
                let family = family(network);
                [
                    format!("{family} saddr {network} drop"),
                    format!("{family} daddr {network} drop"),
                ]
            })
            .collect())
    }

    fn nft(&self, arguments: &[&str], input: &str) -> Result<Vec<u8>, Failure> {
        let mut words = self.config.within.clone();
        words.push("nft".to_owned());
        words.extend(arguments.iter().map(|&word| word.to_owned()));
        program::run(&words, input.as_bytes())
    }

    /// The rules of the table: handle, comment and the rest.
    fn listed(&self) -> Result<Vec<(u64, String, Value)>, Failure> {
        // Before the table is there to be listed.
        self.nft(&["--file", "-"], TABLE)?;
        let text = self.nft(
            &[
                "--json",
                "--stateless",
                "list",
                "table",
                "inet",
                "countersign",
            ],
            "",
        )?;
        let listing: Value =
            serde_json::from_slice(&text).map_err(Failure::of("the rules cannot be read"))?;
        let objects = listing
            .get("nftables")
            .and_then(Value::as_array)
            .ok_or_else(|| Failure::new("the rules cannot be read: nft lists none"))?;
        Ok(objects
            .iter()
            .filter_map(|object| object.get("rule"))
            .filter_map(|rule| {
                Some((
                    rule.get("handle")?.as_u64()?,
                    rule.get("comment")?.as_str()?.to_owned(),
                    rule.get("expr")?.clone(),
                ))
            })
            .collect())
    }

    fn add(&self, order: &Order<'_>) -> Result<(), Failure> {
        let comment = comment(order.operation, order.system);
        let present = self.listed()?.iter().any(|(_, other, _)| *other == comment);
        if present {
            // The call before was cut off after nft had taken it, all or nothing.
            return Ok(());
        }
        let batch = batch(&self.rules(order.system, order.action)?, &comment);
        self.nft(&["--file", "-"], &batch).map(|_| ())
    }

    fn remove(&self, order: &Order<'_>) -> Result<(), Failure> {
        let comment = comment(order.operation, order.system);
        let batch: String = self
            .listed()?
            .iter()
            .filter(|(_, other, _)| *other == comment)
            .map(|(handle, _, _)| format!("delete rule inet countersign forward handle {handle}\n"))
            .collect();
        if batch.is_empty() {
            return Ok(());
        }
        self.nft(&["--file", "-"], &batch).map(|_| ())
    }
}

/// The table and its chain; adding what is there changes nothing.
const TABLE: &str = "add table inet countersign\n\
    add chain inet countersign forward { type filter hook forward priority -10; policy accept; }\n";

impl Executor for Router {
    fn plan(&self, call: &ExecutorCall) -> Result<Vec<String>, Failure> {
        let mut steps = Vec::new();
        let mut script = TABLE.to_owned();
        for system in call.systems.iter().flatten() {
            let rules = self.rules(system, &call.action)?;
            script.push_str(&batch(&rules, "plan"));
            steps.extend(
                rules
                    .iter()
                    .map(|rule| format!("{system}: add to inet countersign forward: {rule}")),
            );
        }
        // A network namespace of its own, in which nothing is and of which nothing stays.
        let words = ["unshare", "--net", "--", "nft", "--file", "-"].map(ToOwned::to_owned);
        program::run(&words, script.as_bytes())?;
        steps.truncate(STEPS_MAX);
        steps.push(
            "every rule was taken by the kernel, in a network namespace of its own".to_owned(),
        );
        Ok(steps)
    }

    fn snapshot(&self, order: &Order<'_>) -> Result<Value, Failure> {
        let _locked = self.journal.lock()?;
        let suffix = of_system(order.system);
        let mut rules: Vec<Value> = self
            .listed()?
            .into_iter()
            .filter(|(_, comment, _)| comment.ends_with(&suffix))
            .map(|(_, comment, expression)| json!({"comment": comment, "rule": expression.to_string()}))
            .collect();
        rules.sort_by_key(Value::to_string);
        Ok(json!({ "rules": rules }))
    }

    fn apply(&self, order: &Order<'_>) -> Result<(), Failure> {
        let locked = self.journal.lock()?;
        match locked.stage(order)? {
            Stage::Done => return Ok(()),
            Stage::New | Stage::Begun => {}
        }
        // What cannot be done is not begun.
        self.rules(order.system, order.action)?;
        locked.begin(order)?;
        self.add(order)?;
        locked.done(order)
    }

    fn revert(&self, order: &Order<'_>, _snapshot: &Value) -> Result<(), Failure> {
        let locked = self.journal.lock()?;
        match locked.stage(order)? {
            Stage::Done => return Ok(()),
            Stage::New | Stage::Begun => {}
        }
        locked.begin(order)?;
        self.remove(order)?;
        locked.done(order)
    }
}

/// The rules that separate the two sides, each way.
fn between(parameters: &FirewallRuleParameters) -> Result<Vec<Rule>, Failure> {
    let (from, to) = (&parameters.from, &parameters.to);
    if family(from) != family(to) {
        return Err(Failure::new(format!(
            "`{from}` and `{to}` are of different address families"
        )));
    }
    let verdict = match parameters.verdict {
        FirewallVerdict::Drop | FirewallVerdict::Deny => "drop",
        FirewallVerdict::Reject => "reject",
    };
    let family = family(from);
    let (there, back) = ports(&parameters.service)?;
    Ok(vec![
        format!("{family} saddr {from} {family} daddr {to}{there} {verdict}"),
        format!("{family} saddr {to} {family} daddr {from}{back} {verdict}"),
    ])
}

/// What a service matches on the way to it and on the way back.
fn ports(service: &str) -> Result<(String, String), Failure> {
    if service == "any" {
        return Ok((String::new(), String::new()));
    }
    // Only what this writes reaches nft: an agent's text never does.
    let known = service.split_once('/').and_then(|(protocol, port)| {
        let port: u16 = port.parse().ok()?;
        matches!(protocol, "tcp" | "udp").then_some((protocol, port))
    });
    let (protocol, port) = known.ok_or_else(|| {
        Failure::new("the service is neither `any` nor such as `tcp/445`; write one of them")
    })?;
    Ok((
        format!(" {protocol} dport {port}"),
        format!(" {protocol} sport {port}"),
    ))
}

fn family(network: &IpNet) -> &'static str {
    match network.addr() {
        IpAddr::V4(_) => "ip",
        IpAddr::V6(_) => "ip6",
    }
}

fn batch(rules: &[Rule], comment: &str) -> String {
    rules
        .iter()
        .map(|rule| format!("add rule inet countersign forward {rule} comment \"{comment}\"\n"))
        .collect()
}

fn short(text: &str) -> String {
    Digest::of(text.as_bytes())
        .to_string()
        .chars()
        .take(24)
        .collect()
}

fn of_system(system: &SystemId) -> String {
    format!(" on {}", short(system.as_str()))
}

fn comment(operation: &OperationId, system: &SystemId) -> String {
    format!("op {}{}", short(operation.as_str()), of_system(system))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(from: &str, to: &str, service: &str, verdict: &str) -> Result<Vec<Rule>, String> {
        let parameters = json!({"verdict": verdict, "from": from, "to": to, "service": service});
        between(&serde_json::from_value(parameters).unwrap()).map_err(|failure| failure.to_string())
    }

    #[test]
    fn rules_separate_both_ways() {
        assert_eq!(
            rule("10.4.0.0/16", "10.8.0.0/16", "any", "drop").unwrap(),
            [
                "ip saddr 10.4.0.0/16 ip daddr 10.8.0.0/16 drop",
                "ip saddr 10.8.0.0/16 ip daddr 10.4.0.0/16 drop"
            ]
        );
        assert_eq!(
            rule("fd00::/8", "fd01::/16", "tcp/445", "reject").unwrap(),
            [
                "ip6 saddr fd00::/8 ip6 daddr fd01::/16 tcp dport 445 reject",
                "ip6 saddr fd01::/16 ip6 daddr fd00::/8 tcp sport 445 reject"
            ]
        );
        assert!(rule("10.0.0.0/8", "fd00::/8", "any", "drop").is_err());
    }

    #[test]
    fn no_text_of_an_agent_reaches_nft() {
        for service in [
            "",
            "any; flush ruleset",
            "tcp/0x1",
            "tcp/445 drop",
            "icmp/1",
            "tcp/99999",
            "\n",
        ] {
            let found = rule("10.4.0.0/16", "10.8.0.0/16", service, "drop");
            assert!(
                found.unwrap_err().starts_with("the service is neither"),
                "{service}"
            );
        }
        let operation = OperationId::new("op\"};flush").unwrap();
        let system = SystemId::new("a\"b").unwrap();
        let comment = comment(&operation, &system);
        assert!(
            comment.len() < 128
                && comment
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || c == ' ')
        );
    }
}
