//! Executor `command`: a program that reads one JSON object on standard input and writes one on
//! standard output.
//!
//! Input: `{"verb":"plan","item":…,"systems":[…],"action":{…}}`, or
//! `{"verb":"snapshot"|"apply"|"revert","operation":…,"sequence":…,"attempt":…,"system":…,"action":{…},
//! "evidence":[…]}`, where `evidence` has the digests of the decisions it rests on and `revert` has the
//! `snapshot` of before. (operation, sequence) identifies a call for good and is its fencing token.
//!
//! Output: `{"ok":true}`, with `snapshot` (any JSON without floats, the same for the same state) for
//! `snapshot` and `steps` (lines) for `plan`; or `{"ok":false,"message":"…"}`. What is not an answer
//! is a failure; what was cut off by the time limit or a signal is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use countersign_core::briefing::{HonestyGrade, Plan};
use countersign_core::canonical;
use countersign_core::identifier::{Digest, OperationId, ProposalId, SystemId};
use countersign_core::operation::Sequence;
use countersign_core::proposal::{Action, ActionKind};
use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokio::process::Command;
use tokio::sync::Semaphore;

use crate::child::{self, Broken, line};
use crate::config::{Config, ExecutorConfig};

/// Plans made at once.
const PLANS_MAX: usize = 8;
/// Lines of a plan that are kept.
const PLAN_STEPS_MAX: usize = 200;

/// The executors, by what they carry out.
#[derive(Debug)]
pub struct Executors {
    by_action: BTreeMap<ActionKind, Arc<Executor>>,
    plans: Semaphore,
}

/// A program that carries actions out.
#[derive(Debug)]
pub struct Executor {
    config: ExecutorConfig,
}

/// What is asked of an executor about one system.
#[derive(Debug, Clone)]
pub struct Call {
    /// What.
    pub verb: Verb,
    /// The operation.
    pub operation: OperationId,
    /// The effect, unique in the operation.
    pub sequence: Sequence,
    /// From 1.
    pub attempt: u32,
    /// The system.
    pub system: SystemId,
    /// The action.
    pub action: Action,
    /// The decisions it rests on.
    pub evidence: BTreeSet<Digest>,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verb {
    /// The state of the system.
    Snapshot,
    /// The action.
    Apply,
    /// Its undoing.
    Revert {
        /// The snapshot of before, if there is one.
        snapshot: Option<serde_json::Value>,
    },
}

#[derive(Serialize)]
struct Input<'a> {
    verb: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'a OperationId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    item: Option<&'a ProposalId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sequence: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    system: Option<&'a SystemId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    systems: Option<&'a BTreeSet<SystemId>>,
    action: &'a Action,
    #[serde(skip_serializing_if = "Option::is_none")]
    snapshot: Option<&'a serde_json::Value>,
    evidence: &'a BTreeSet<Digest>,
}

#[derive(Deserialize)]
struct Output {
    ok: bool,
    #[serde(default)]
    snapshot: Option<serde_json::Value>,
    #[serde(default)]
    steps: Vec<String>,
    #[serde(default)]
    message: Option<String>,
}

/// What an executor answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The canonical bytes of the snapshot, if it gave one.
    pub snapshot: Option<Vec<u8>>,
    /// The lines of its plan.
    pub steps: Vec<String>,
}

/// Why there is no good answer.
#[derive(Debug, Error)]
pub enum ExecutorError {
    /// It says or shows that it failed.
    #[error("{0}")]
    Failed(String),
    /// Nobody knows whether it did it.
    #[error("{0}")]
    Unknown(String),
}

impl Executors {
    /// Those of the configuration.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        let mut by_action = BTreeMap::new();
        for config in &config.executors {
            let executor = Arc::new(Executor {
                config: config.clone(),
            });
            for action in &config.actions {
                by_action.insert(*action, Arc::clone(&executor));
            }
        }
        Self {
            by_action,
            plans: Semaphore::new(PLANS_MAX),
        }
    }

    /// The executor of an action.
    #[must_use]
    pub fn of(&self, action: ActionKind) -> Option<Arc<Executor>> {
        self.by_action.get(&action).cloned()
    }

    /// What the executor of `action` would do: its own plan where it has one, none otherwise. A
    /// failure to plan is shown as a line of the plan, never hidden.
    pub async fn plan(
        &self,
        item: &ProposalId,
        action: &Action,
        systems: &BTreeSet<SystemId>,
    ) -> Plan {
        let Some(executor) = self.of(action.kind()) else {
            return Plan::none();
        };
        // Agents ask for plans, so that their number is bounded here.
        match self.plans.acquire().await {
            Ok(_permit) => executor.plan(item, action, systems).await,
            Err(_) => Plan::none(),
        }
    }
}

impl Executor {
    async fn plan(&self, item: &ProposalId, action: &Action, systems: &BTreeSet<SystemId>) -> Plan {
        match self.config.honesty {
            HonestyGrade::None | HonestyGrade::Modelled => return Plan::none(),
            HonestyGrade::Enforced | HonestyGrade::Declared => {}
        }
        let input = Input {
            verb: "plan",
            operation: None,
            item: Some(item),
            sequence: None,
            attempt: None,
            system: None,
            systems: Some(systems),
            action,
            snapshot: None,
            evidence: &BTreeSet::new(),
        };
        let steps = match self.run(&input).await {
            Ok(answer) => answer.steps,
            Err(error) => vec![line(&format!("the executor made no plan: {error}"))],
        };
        Plan {
            grade: self.config.honesty,
            executor: Some(self.config.name.clone()),
            steps,
        }
    }

    /// Asks it about one system.
    ///
    /// # Errors
    /// [`ExecutorError`].
    pub async fn call(&self, call: &Call) -> Result<Answer, ExecutorError> {
        let (verb, snapshot) = match &call.verb {
            Verb::Snapshot => ("snapshot", None),
            Verb::Apply => ("apply", None),
            Verb::Revert { snapshot } => ("revert", snapshot.as_ref()),
        };
        let answer = self
            .run(&Input {
                verb,
                operation: Some(&call.operation),
                item: None,
                sequence: Some(call.sequence.number()),
                attempt: Some(call.attempt),
                system: Some(&call.system),
                systems: None,
                action: &call.action,
                snapshot,
                evidence: &call.evidence,
            })
            .await?;
        if call.verb == Verb::Snapshot && answer.snapshot.is_none() {
            return Err(ExecutorError::Failed(
                "the executor gave no snapshot".to_owned(),
            ));
        }
        Ok(answer)
    }

    async fn run(&self, input: &Input<'_>) -> Result<Answer, ExecutorError> {
        let mut text =
            serde_json::to_vec(input).map_err(|error| ExecutorError::Failed(error.to_string()))?;
        text.push(b'\n');
        let timeout = Duration::from_secs(u64::from(self.config.timeout.seconds()));
        match child::run(self.command()?, &text, timeout).await {
            Ok(ended) => answer(ended.code, &ended.output, &ended.error),
            Err(Broken::NotStarted(error)) => Err(ExecutorError::Failed(format!(
                "the executor `{}` does not start: {error}",
                self.program()?
            ))),
            Err(Broken::Late) => Err(ExecutorError::Unknown(format!(
                "the executor did not answer within {}",
                self.config.timeout
            ))),
            Err(Broken::Unheard(error)) => Err(ExecutorError::Unknown(format!(
                "the executor could not be heard: {error}"
            ))),
        }
    }

    fn program(&self) -> Result<&str, ExecutorError> {
        match self.config.command.first() {
            Some(program) => Ok(program),
            None => Err(ExecutorError::Failed(
                "the executor has no command".to_owned(),
            )),
        }
    }

    fn command(&self) -> Result<Command, ExecutorError> {
        let mut command = child::bare(self.program()?);
        command
            .args(self.config.command.iter().skip(1))
            .envs(&self.config.environment);
        Ok(command)
    }
}

fn answer(code: Option<i32>, output: &[u8], error: &[u8]) -> Result<Answer, ExecutorError> {
    let said = || {
        let text = String::from_utf8_lossy(error);
        text.lines()
            .rev()
            .find(|text| !text.trim().is_empty())
            .map(line)
            .unwrap_or_default()
    };
    let Some(code) = code else {
        return Err(ExecutorError::Unknown(
            format!("the executor was ended by a signal {}", said())
                .trim()
                .to_owned(),
        ));
    };
    let output: Result<Output, _> = serde_json::from_slice(output);
    match output {
        Ok(output) if output.ok && code == 0 => {
            let snapshot = output
                .snapshot
                .map(|value| canonical::to_bytes(&value))
                .transpose();
            Ok(Answer {
                snapshot: snapshot.map_err(|error| {
                    ExecutorError::Failed(format!("the executor's snapshot: {error}"))
                })?,
                steps: output
                    .steps
                    .iter()
                    .take(PLAN_STEPS_MAX)
                    .map(|step| line(step))
                    .collect(),
            })
        }
        Ok(output) => Err(ExecutorError::Failed(match output.message {
            Some(message) => line(&message),
            None => format!(
                "the executor ended with code {code} and no message {}",
                said()
            )
            .trim()
            .to_owned(),
        })),
        Err(_) => Err(ExecutorError::Failed(
            format!(
                "the executor ended with code {code} and no answer {}",
                said()
            )
            .trim()
            .to_owned(),
        )),
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn executor(script: &str, timeout: &str) -> Executor {
        Executor {
            config: ExecutorConfig {
                name: "test".to_owned(),
                actions: BTreeSet::from([ActionKind::HostIsolate]),
                command: vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()],
                timeout: timeout.parse().unwrap(),
                honesty: HonestyGrade::Declared,
                irreversible: false,
                environment: BTreeMap::from([("EXTRA".to_owned(), "yes".to_owned())]),
            },
        }
    }

    async fn check(script: &str, verb: Verb, expected: &str) {
        let call = Call {
            verb,
            operation: "op_1".parse().unwrap(),
            sequence: Sequence::new(7),
            attempt: 1,
            system: "web-1".parse().unwrap(),
            action: Action::HostIsolate,
            evidence: BTreeSet::new(),
        };
        let found = match executor(script, "1s").call(&call).await {
            Ok(answer) => format!(
                "ok {}",
                String::from_utf8(answer.snapshot.unwrap_or_default()).unwrap()
            ),
            Err(ExecutorError::Failed(reason)) => format!("failed {reason}"),
            Err(ExecutorError::Unknown(reason)) => format!("unknown {reason}"),
        };
        assert_eq!(found.trim(), expected, "{script}");
    }

    #[tokio::test]
    async fn answers() {
        check(r#"echo '{"ok":true}'"#, Verb::Apply, "ok").await;
        check(
            r#"echo '{"ok":true,"snapshot":{"b":1,"a":"x"}}'"#,
            Verb::Snapshot,
            r#"ok {"a":"x","b":1}"#,
        )
        .await;
        check(
            r#"echo '{"ok":true}'"#,
            Verb::Snapshot,
            "failed the executor gave no snapshot",
        )
        .await;
        check(
            r#"echo '{"ok":false,"message":"no\u0007 disk"}'"#,
            Verb::Apply,
            "failed no  disk",
        )
        .await;
        check(
            r#"echo '{"ok":true}'; exit 3"#,
            Verb::Apply,
            "failed the executor ended with code 3 and no message",
        )
        .await;
        check(
            "echo oops >&2; exit 1",
            Verb::Apply,
            "failed the executor ended with code 1 and no answer oops",
        )
        .await;
        check(
            "echo garbage",
            Verb::Apply,
            "failed the executor ended with code 0 and no answer",
        )
        .await;
        check(
            "kill -9 $$",
            Verb::Apply,
            "unknown the executor was ended by a signal",
        )
        .await;
        check(
            "sleep 60",
            Verb::Apply,
            "unknown the executor did not answer within 1s",
        )
        .await;
        check(
            "sleep 60 & echo '{\"ok\":true}'",
            Verb::Apply,
            "unknown the executor did not answer within 1s",
        )
        .await;
        check(
            "head -c 2000000 /dev/zero",
            Verb::Apply,
            "unknown the executor could not be heard: it wrote more than 1048576 bytes",
        )
        .await;
        check(
            r#"read -r input; case "$input" in *'"sequence":7'*'"system":"web-1"'*) echo "{\"ok\":true,\"snapshot\":\"$EXTRA$CARGO_PKG_NAME\"}";; esac"#,
            Verb::Snapshot,
            r#"ok "yes""#,
        )
        .await;
    }
}
