//! Executors: what carries actions out on systems (DESIGN §8).
//!
//! Every executor knows four verbs: `plan`, `snapshot`, `apply`, `revert`. Of three kinds: a
//! [`command`], [`ansible`] and a [`webhook`]. [`call`] is what is asked and answered, the same for all
//! of them; docs/operations.md shows how to write one.

pub mod ansible;
pub mod call;
pub mod command;
pub mod webhook;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use countersign_core::briefing::{HonestyGrade, Plan};
use countersign_core::identifier::{ProposalId, SystemId};
use countersign_core::proposal::{Action, ActionKind};
use thiserror::Error;
use tokio::sync::Semaphore;

pub use call::{Answer, Call, ExecutorError, Verb};

use crate::child::line;
use crate::config::{Config, ExecutorConfig, MeansConfig};
use call::Input;

/// Plans made at once.
const PLANS_MAX: usize = 8;

/// The executors, by what they carry out.
#[derive(Debug)]
pub struct Executors {
    by_action: BTreeMap<ActionKind, Arc<Executor>>,
    plans: Semaphore,
}

/// What carries actions out.
#[derive(Debug)]
pub struct Executor {
    name: String,
    honesty: HonestyGrade,
    guarded: bool,
    means: Means,
}

/// How it does so.
#[derive(Debug)]
enum Means {
    Command(command::Program),
    Ansible(ansible::Playbooks),
    Webhook(Box<webhook::Remote>),
}

/// Why an executor cannot be made.
#[derive(Debug, Error)]
#[error("the executor `{executor}`: {reason}")]
pub struct MeansError {
    /// Which.
    pub executor: String,
    /// Why, and what to mend.
    pub reason: String,
}

impl Executors {
    /// Those of the configuration.
    ///
    /// # Errors
    /// [`MeansError`] where one of them lacks a file.
    pub fn new(config: &Config) -> Result<Self, MeansError> {
        let mut by_action = BTreeMap::new();
        for config in &config.executors {
            let executor = Arc::new(Executor::new(config)?);
            for action in &config.actions {
                by_action.insert(*action, Arc::clone(&executor));
            }
        }
        Ok(Self {
            by_action,
            plans: Semaphore::new(PLANS_MAX),
        })
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
    fn new(config: &ExecutorConfig) -> Result<Self, MeansError> {
        let failed = |reason: String| MeansError {
            executor: config.name.clone(),
            reason,
        };
        let timeout = config.timeout;
        let means = match config.means() {
            Some(MeansConfig::Command(command)) => Means::Command(command::Program::new(
                command,
                &config.environment,
                config.limits.as_ref(),
                timeout,
            )),
            Some(MeansConfig::Ansible(ansible)) => Means::Ansible(
                ansible::Playbooks::new(ansible, &config.environment, timeout).map_err(failed)?,
            ),
            Some(MeansConfig::Webhook(webhook)) => Means::Webhook(Box::new(
                webhook::Remote::new(webhook, timeout).map_err(failed)?,
            )),
            None => return Err(failed("it has no means; name a `command`".to_owned())),
        };
        Ok(Self {
            name: config.name.clone(),
            honesty: config.honesty,
            guarded: config.guarded,
            means,
        })
    }

    /// Whether it checks permits itself, so that each call must carry one.
    #[must_use]
    pub const fn is_guarded(&self) -> bool {
        self.guarded
    }

    async fn plan(&self, item: &ProposalId, action: &Action, systems: &BTreeSet<SystemId>) -> Plan {
        match self.honesty {
            HonestyGrade::None | HonestyGrade::Modelled => return Plan::none(),
            HonestyGrade::Enforced | HonestyGrade::Declared => {}
        }
        let steps = match self.run(&Input::plan(item, action, systems)).await {
            Ok(answer) => answer.steps,
            Err(error) => vec![line(&format!("the executor made no plan: {error}"))],
        };
        Plan {
            grade: self.honesty,
            executor: Some(self.name.clone()),
            steps,
        }
    }

    /// Asks it about one system.
    ///
    /// # Errors
    /// [`ExecutorError`].
    pub async fn call(&self, call: &Call) -> Result<Answer, ExecutorError> {
        let answer = self.run(&Input::call(call)).await?;
        if call.verb == Verb::Snapshot && answer.snapshot.is_none() {
            return Err(ExecutorError::Failed(
                "the executor gave no snapshot".to_owned(),
            ));
        }
        Ok(answer)
    }

    async fn run(&self, input: &Input<'_>) -> Result<Answer, ExecutorError> {
        match &self.means {
            Means::Command(program) => program.run(input).await,
            Means::Ansible(playbooks) => playbooks.run(input).await,
            Means::Webhook(remote) => remote.run(input).await,
        }
    }
}

#[cfg(test)]
#[cfg(unix)]
#[path = "examples_tests.rs"]
mod examples_tests;
