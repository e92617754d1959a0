//! Executor `ansible`: ansible-core and the playbooks of an operator's repository.
//!
//! `plan` is the playbook of `apply` with `--check --diff`; modules say that they do not write then, so
//! that its grade is `declared`. What is asked reaches a playbook as the variable `countersign`, every
//! text of it marked unsafe: Ansible would take `{{ … }}` in it for a template otherwise. Vault, become
//! and connection secrets are the repository's `ansible.cfg`'s; nothing here reads or passes any.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use countersign_core::canonical;
use countersign_core::identifier::SystemId;
use countersign_core::proposal::ActionKind;
use countersign_core::span::Span;
use serde::Deserialize;
use serde_json::Value;
use tokio::process::Command;

use super::call::{Answer, Asked, ExecutorError, Input, PLAN_STEPS_MAX};
use super::command::{last_line, unknown};
use crate::child::{self, Broken, line};
use crate::config::{AnsibleConfig, PlaybooksConfig};

/// The callback that tells what each task did on each host.
const CALLBACK: &str = include_str!("countersign_callback.py");
/// Largest account of a run that is read, bytes.
const RESULTS_BYTES_MAX: u64 = 64 << 20;
/// Patterns of hosts that a system's name could be mistaken for.
const PATTERNS: [&str; 3] = ["all", "ungrouped", "localhost"];

/// Playbooks and how they are run.
#[derive(Debug)]
pub struct Playbooks {
    program: PathBuf,
    repository: PathBuf,
    inventory: PathBuf,
    by_action: BTreeMap<ActionKind, PlaybooksConfig>,
    environment: BTreeMap<String, String>,
    timeout: Span,
}

/// What [`CALLBACK`] writes.
#[derive(Debug, Deserialize)]
struct Results {
    hosts: BTreeMap<String, Host>,
    refused: Option<Vec<String>>,
    finished: bool,
}

#[derive(Debug, Deserialize)]
struct Host {
    tasks: Vec<Task>,
    failed: Option<String>,
    unreachable: Option<String>,
    snapshot: Option<Value>,
    /// Tasks that ended well.
    done: u64,
}

#[derive(Debug, Deserialize)]
struct Task {
    name: String,
    status: String,
    diff: Vec<String>,
}

impl Playbooks {
    /// The playbooks of a repository.
    ///
    /// # Errors
    /// Where one of its files is missing; what, and the mend.
    pub fn new(
        config: &AnsibleConfig,
        environment: &BTreeMap<String, String>,
        timeout: Span,
    ) -> Result<Self, String> {
        let files = config
            .playbooks
            .values()
            .flat_map(|books| [&books.apply, &books.snapshot, &books.revert])
            .chain([&config.inventory]);
        for file in files {
            let path = config.repository.join(file);
            if !path.exists() {
                return Err(format!(
                    "`{}` does not exist; correct its path or put it there",
                    path.display()
                ));
            }
        }
        Ok(Self {
            program: config
                .program
                .clone()
                .unwrap_or_else(|| PathBuf::from("ansible-playbook")),
            repository: config.repository.clone(),
            inventory: config.inventory.clone(),
            by_action: config.playbooks.clone(),
            environment: environment.clone(),
            timeout,
        })
    }

    /// Asks for a run.
    pub(super) async fn run(&self, input: &Input<'_>) -> Result<Answer, ExecutorError> {
        let failed = |text: String| ExecutorError::Failed(text);
        let systems: Vec<&SystemId> = input.about().collect();
        if let Some(system) = systems.iter().find(|system| !is_host(system.as_str())) {
            return Err(failed(format!(
                "`{system}` cannot be a host of an inventory; Ansible would read it as a pattern"
            )));
        }
        let books = self
            .by_action
            .get(&input.action.kind())
            .ok_or_else(|| failed("there are no playbooks for this action".to_owned()))?;
        let book = match input.verb {
            Asked::Plan | Asked::Apply => &books.apply,
            Asked::Snapshot => &books.snapshot,
            Asked::Revert => &books.revert,
        };
        let folder = Folder::new(input).map_err(|error| {
            failed(format!(
                "the folder of a run could not be written, in the system's temporary folder: {error}"
            ))
        })?;
        let names: Vec<&str> = systems.iter().map(|system| system.as_str()).collect();
        let mut command = self.command(&folder, &names, input.verb)?;
        command.arg("--").arg(book);
        let timeout = Duration::from_secs(u64::from(self.timeout.seconds()));
        let ended = match child::run(command, b"", timeout).await {
            Ok(ended) => ended,
            Err(Broken::NotStarted(error)) => {
                return Err(failed(format!(
                    "`{}` does not start: {error}; install ansible-core",
                    self.program.display()
                )));
            }
            Err(broken) => return Err(unknown(broken, self.timeout)),
        };
        let said = {
            let last = last_line(&ended.error);
            if last.is_empty() {
                last_line(&ended.output)
            } else {
                last
            }
        };
        let Some(results) = folder.results() else {
            // Without one task done there is no account of them.
            return Err(match ended.code {
                Some(code) => failed(format!("ansible-playbook ended with code {code}: {said}")),
                None => ExecutorError::Unknown("ansible-playbook was ended by a signal".to_owned()),
            });
        };
        if let Some(strangers) = &results.refused {
            return Err(failed(line(&format!(
                "the playbook would reach {}, which was not asked for; nothing was run",
                strangers.join(", ")
            ))));
        }
        if !results.finished {
            return Err(ExecutorError::Unknown(format!(
                "ansible-playbook broke off: {said}"
            )));
        }
        match input.verb {
            Asked::Plan => Ok(Answer {
                snapshot: None,
                steps: steps(&results, &names),
            }),
            Asked::Snapshot | Asked::Apply | Asked::Revert => {
                of_one(&results, &names, input.verb, ended.code)
            }
        }
    }

    fn command(
        &self,
        folder: &Folder,
        names: &[&str],
        verb: Asked,
    ) -> Result<Command, ExecutorError> {
        let hosts = serde_json::to_string(names)
            .map_err(|error| ExecutorError::Failed(error.to_string()))?;
        let mut command = child::bare(&self.program.to_string_lossy());
        command
            .current_dir(&self.repository)
            .envs(&self.environment)
            .env("ANSIBLE_CALLBACK_PLUGINS", folder.path())
            .env("ANSIBLE_STDOUT_CALLBACK", "countersign")
            .env("ANSIBLE_RETRY_FILES_ENABLED", "0")
            .env("ANSIBLE_NOCOLOR", "1")
            // An inventory that cannot be read is no inventory of fewer hosts.
            .env("ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED", "1")
            .env("COUNTERSIGN_RESULTS", folder.path().join("results.json"))
            .env("COUNTERSIGN_HOSTS", hosts)
            .arg("--inventory")
            .arg(&self.inventory)
            .arg("--limit")
            .arg(format!("@{}", folder.path().join("hosts").display()))
            .arg("--extra-vars")
            .arg(format!("@{}", folder.path().join("asked.yml").display()));
        if verb == Asked::Plan {
            command.args(["--check", "--diff"]);
        }
        Ok(command)
    }
}

/// Whether a name stands for itself and nothing else in a list of hosts.
fn is_host(name: &str) -> bool {
    !PATTERNS.contains(&name)
        && name
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'))
        && name.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// The one host of a call.
fn of_one(
    results: &Results,
    names: &[&str],
    verb: Asked,
    code: Option<i32>,
) -> Result<Answer, ExecutorError> {
    let name = names.first().copied().unwrap_or_default();
    let Some(host) = results.hosts.get(name) else {
        return Err(ExecutorError::Failed(format!(
            "no play of the playbook is for `{name}`; add the host to its groups in the inventory"
        )));
    };
    if let Some(message) = &host.unreachable {
        let message = line(&format!("`{name}` is unreachable: {message}"));
        // The connection was lost on the way: what its last task did nobody knows.
        return Err(if host.done > 0 && !verb.only_looks() {
            ExecutorError::Unknown(message)
        } else {
            ExecutorError::Failed(message)
        });
    }
    if let Some(message) = &host.failed {
        return Err(ExecutorError::Failed(line(message)));
    }
    if code != Some(0) {
        return Err(ExecutorError::Failed(format!(
            "ansible-playbook ended with {} though no task of `{name}` failed",
            code.map_or_else(|| "a signal".to_owned(), |code| format!("code {code}"))
        )));
    }
    let snapshot = match (verb, &host.snapshot) {
        (Asked::Snapshot, Some(snapshot)) => {
            Some(canonical::to_bytes(snapshot).map_err(|error| {
                ExecutorError::Failed(format!("the fact `countersign_snapshot`: {error}"))
            })?)
        }
        (Asked::Snapshot, None) => {
            return Err(ExecutorError::Failed(
                "the playbook set no fact `countersign_snapshot`; add a set_fact task".to_owned(),
            ));
        }
        (Asked::Plan | Asked::Apply | Asked::Revert, _) => None,
    };
    Ok(Answer {
        snapshot,
        steps: Vec::new(),
    })
}

/// What would change, host by host; a host of which nothing is known is named first.
fn steps(results: &Results, names: &[&str]) -> Vec<String> {
    let mut steps = Vec::new();
    let unknown: Vec<&str> = names
        .iter()
        .copied()
        .filter(|name| !results.hosts.contains_key(*name))
        .collect();
    if !unknown.is_empty() {
        steps.push(format!(
            "no play is for {} of {} hosts: {}",
            unknown.len(),
            names.len(),
            unknown.join(", ")
        ));
    }
    for (name, host) in &results.hosts {
        if let Some(message) = &host.unreachable {
            steps.push(format!("{name}: unreachable: {message}"));
        }
        if let Some(message) = &host.failed {
            steps.push(format!("{name}: would fail: {message}"));
        }
        for task in &host.tasks {
            match task.status.as_str() {
                "changed" => {
                    steps.push(format!("{name}: {}", task.name));
                    steps.extend(task.diff.iter().map(|text| format!("{name}:   {text}")));
                }
                "skipped" => steps.push(format!("{name}: {} (not shown in check mode)", task.name)),
                _ => {}
            }
        }
    }
    let total = steps.len();
    if total > PLAN_STEPS_MAX {
        steps.truncate(PLAN_STEPS_MAX - 1);
        steps.push(format!(
            "and {} more lines",
            total.saturating_sub(PLAN_STEPS_MAX - 1)
        ));
    }
    steps.iter().map(|step| line(step)).collect()
}

/// What a run is given and what it tells; gone with it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(input: &Input<'_>) -> std::io::Result<Self> {
        // Readable by nobody else: it holds snapshots.
        let folder = Self(tempfile::Builder::new().prefix("countersign-").tempdir()?);
        let asked = serde_json::to_value(input)?;
        let mut text = String::from("\"countersign\": ");
        write_unsafe(&mut text, &asked);
        text.push('\n');
        std::fs::write(folder.path().join("asked.yml"), text)?;
        // From a file, because an argument has a length and a process list has readers.
        let hosts: Vec<&str> = input.about().map(|system| system.as_str()).collect();
        std::fs::write(folder.path().join("hosts"), hosts.join("\n") + "\n")?;
        std::fs::write(folder.path().join("countersign.py"), CALLBACK)?;
        Ok(folder)
    }

    fn path(&self) -> &std::path::Path {
        self.0.path()
    }

    fn results(&self) -> Option<Results> {
        use std::io::Read as _;
        let mut text = Vec::new();
        std::fs::File::open(self.path().join("results.json"))
            .ok()?
            .take(RESULTS_BYTES_MAX)
            .read_to_end(&mut text)
            .ok()?;
        serde_json::from_slice(&text).ok()
    }
}

/// `value` as YAML in which every text is `!unsafe`: the value of a variable and never a template.
fn write_unsafe(text: &mut String, value: &Value) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(value) => text.push_str(&value.to_string()),
        Value::String(value) => {
            text.push_str("!unsafe ");
            quote(text, value);
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                write_unsafe(text, value);
                text.push_str(", ");
            }
            text.push(']');
        }
        Value::Object(members) => {
            text.push('{');
            for (name, value) in members {
                quote(text, name);
                text.push_str(": ");
                write_unsafe(text, value);
                text.push_str(", ");
            }
            text.push('}');
        }
    }
}

/// A double-quoted scalar of YAML 1.1, in ASCII.
fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                text.push('\\');
                text.push(c);
            }
            ' '..='~' => text.push(c),
            // Writing to a String cannot fail.
            _ => {
                let _ = write!(text, "\\U{:08X}", u32::from(c));
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
#[path = "ansible_tests.rs"]
mod tests;
