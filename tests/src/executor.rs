//! The demonstration's executor, run by the backend as a command: JSON on standard input, one JSON
//! object on standard output. It carries actions out on the [`crate::systems`] server.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};

use anyhow::{Context as _, bail};
use countersign_core::proposal::{Action, CredentialRotateParameters, PatchParameters};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::systems::{Change, SystemState};

/// What the backend asks.
#[derive(Debug, Deserialize)]
struct Request {
    verb: Verb,
    /// The system acted on.
    #[serde(default)]
    system: Option<String>,
    action: Action,
    #[serde(default)]
    snapshot: Option<BTreeMap<String, SystemState>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Verb {
    Plan,
    Snapshot,
    Apply,
    Revert,
}

/// Serves one request from standard input.
///
/// # Errors
/// Where the request is malformed or a system does not answer; the text goes to standard error.
pub async fn run(systems: &str) -> anyhow::Result<()> {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    let request: Request =
        serde_json::from_str(&text).context("the request on standard input is malformed")?;
    let answer = serve(systems, request).await?;
    let mut out = std::io::stdout();
    serde_json::to_writer(&mut out, &answer)?;
    writeln!(out)?;
    Ok(())
}

async fn serve(base: &str, request: Request) -> anyhow::Result<Value> {
    if let Verb::Plan = request.verb {
        return Ok(json!({ "ok": true, "steps": steps(&request.action)? }));
    }
    let system = request.system.context("the request names no system")?;
    let client = Systems { base, http: http() };
    let states = client.states(&reached(&request.action, &system)?).await?;
    match request.verb {
        Verb::Plan => bail!("a plan was served already"),
        Verb::Snapshot => Ok(json!({ "ok": true, "snapshot": states })),
        Verb::Apply => {
            for (id, change) in changes(&request.action, &system, &states)? {
                client.post(&id, "apply", &change).await?;
            }
            Ok(json!({ "ok": true, "message": "applied" }))
        }
        Verb::Revert => {
            for (id, state) in request
                .snapshot
                .context("the request has no snapshot to go back to")?
            {
                client.post(&id, "restore", &state).await?;
            }
            Ok(json!({ "ok": true, "message": "as it was before" }))
        }
    }
}

/// A client for plain HTTP. reqwest wants a cryptography provider chosen before it makes one.
fn http() -> reqwest::Client {
    // It is an error only where one was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// What the demonstration can carry out.
enum Doable<'a> {
    Patch(&'a PatchParameters),
    CredentialRotate(&'a CredentialRotateParameters),
}

fn doable(action: &Action) -> anyhow::Result<Doable<'_>> {
    if let Action::Patch(parameters) = action {
        Ok(Doable::Patch(parameters))
    } else if let Action::CredentialRotate(parameters) = action {
        Ok(Doable::CredentialRotate(parameters))
    } else {
        bail!("the demonstration carries out only patch and credential-rotate")
    }
}

/// The systems whose state an action on `system` changes.
fn reached(action: &Action, system: &str) -> anyhow::Result<Vec<String>> {
    match doable(action)? {
        Doable::Patch(_) => Ok(vec![system.to_owned()]),
        Doable::CredentialRotate(parameters) => Ok(std::iter::once(system.to_owned())
            .chain(
                parameters
                    .updates_dependents
                    .iter()
                    .map(|id| id.as_str().to_owned()),
            )
            .collect()),
    }
}

fn steps(action: &Action) -> anyhow::Result<Vec<String>> {
    match doable(action)? {
        Doable::Patch(p) => Ok(vec![
            format!("install {} {}", p.package, p.to_version),
            "restart what uses it".to_owned(),
        ]),
        Doable::CredentialRotate(p) => {
            let mut steps = vec![format!("set a new password for {}", p.credential)];
            match p.updates_dependents.len() {
                0 => steps.push("deliver it to nobody".to_owned()),
                number => steps.push(format!(
                    "deliver it to {number} dependents and let them reconnect"
                )),
            }
            Ok(steps)
        }
    }
}

fn changes(
    action: &Action,
    system: &str,
    states: &BTreeMap<String, SystemState>,
) -> anyhow::Result<Vec<(String, Change)>> {
    match doable(action)? {
        Doable::Patch(p) => Ok(vec![(
            system.to_owned(),
            Change {
                packages: BTreeMap::from([(p.package.clone(), p.to_version.clone())]),
                ..Change::default()
            },
        )]),
        Doable::CredentialRotate(p) => {
            let name = p.credential.as_str();
            let now = states
                .get(system)
                .and_then(|state| state.credentials.get(name))
                .and_then(|secret| secret.strip_prefix("generation-"))
                .and_then(|number| number.parse::<u64>().ok())
                .with_context(|| format!("{system} has no credential {name}"))?;
            let change = Change {
                credentials: BTreeMap::from([(name.to_owned(), format!("generation-{}", now + 1))]),
                ..Change::default()
            };
            Ok(states
                .keys()
                .map(|id| (id.clone(), change.clone()))
                .collect())
        }
    }
}

struct Systems<'b> {
    base: &'b str,
    http: reqwest::Client,
}

impl Systems<'_> {
    async fn states(&self, ids: &[String]) -> anyhow::Result<BTreeMap<String, SystemState>> {
        let mut states = BTreeMap::new();
        for id in ids {
            let url = format!("{}/{id}", self.base);
            let state = self
                .http
                .get(url)
                .send()
                .await?
                .error_for_status()?
                .json()
                .await?;
            states.insert(id.clone(), state);
        }
        Ok(states)
    }

    async fn post<T: serde::Serialize>(
        &self,
        id: &str,
        verb: &str,
        body: &T,
    ) -> anyhow::Result<()> {
        let url = format!("{}/{id}/{verb}", self.base);
        self.http
            .post(url)
            .json(body)
            .send()
            .await?
            .error_for_status()?;
        Ok(())
    }
}
