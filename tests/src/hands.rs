//! How a person decides: at the terminal, or in the console's window.

use std::future::Future;

use anyhow::{Context as _, ensure};
use countersign_core::identifier::{OperationId, ProposalId};
use serde_json::Value;

use crate::backend::Terminal;

/// An item as its reader must find it: what a person sees before deciding is part of the story.
#[derive(Debug, Clone, Copy)]
pub struct Item<'s> {
    /// Its id.
    pub id: &'s ProposalId,
    /// What the story calls it.
    pub name: &'s str,
    /// How many systems are in its scope.
    pub systems: u64,
    /// Systems that must be named as going down.
    pub suffers: &'s [String],
}

/// What the story needs a person to do. Each ends when the decision is recorded.
pub trait Hands {
    /// Reads an item and rejects it.
    fn reject(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads an item and approves it as proposed.
    fn approve(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads an item and approves its canary only.
    fn approve_canary(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads why an operation halted and has it rolled back.
    fn roll_back(
        &mut self,
        person: &str,
        operation: &OperationId,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
}

impl Terminal {
    /// Decides at the terminal: `arguments` are the command and what it is about.
    ///
    /// # Errors
    /// Where the decision is refused.
    pub async fn decide(
        &self,
        person: &str,
        arguments: &[&str],
        why: &str,
    ) -> anyhow::Result<String> {
        let who = [
            "--as",
            person,
            "--key",
            person,
            "--risk",
            "moderate",
            "--rationale",
            why,
            "--pin-stdin",
            "--json",
        ];
        self.run(&[arguments, &who[..]].concat()).await
    }

    /// A board member authorises an envelope.
    ///
    /// # Errors
    /// Where the decision is refused.
    pub async fn authorise_envelope(
        &self,
        person: &str,
        digest: &str,
        why: &str,
    ) -> anyhow::Result<String> {
        self.decide(person, &["authorise-envelope", digest], why)
            .await
    }

    /// Reads an item and approves it for one of its targets only.
    ///
    /// # Errors
    /// Where the item is not as the story says, or the decision is refused.
    pub async fn approve_only(
        &self,
        person: &str,
        item: &Item<'_>,
        target: &str,
        why: &str,
    ) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        let what = [
            "approve",
            item.id.as_str(),
            "--acknowledge",
            &seen,
            "--narrow-to",
            target,
        ];
        self.decide(person, &what, why).await?;
        Ok(())
    }

    /// Reads an item, finds in it what the story needs, and gives the clauses that block it, for
    /// `--acknowledge`.
    async fn read(&self, person: &str, item: &Item<'_>) -> anyhow::Result<String> {
        let who = ["--as", person, "--key", person, "--pin-stdin", "--json"];
        let printed = self
            .run(&[&["show", item.id.as_str()][..], &who].concat())
            .await?;
        let shown: Value = serde_json::from_str(&printed)?;
        let list = |name: &str| {
            shown
                .pointer(&format!("/briefing/assessment/{name}"))
                .and_then(Value::as_array)
                .with_context(|| format!("no {name} in {printed}"))
        };
        let member = |entry: &Value, name: &str| {
            let text = entry.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let systems = shown.pointer("/briefing/assessment/scope/systems");
        ensure!(
            systems.and_then(Value::as_u64) == Some(item.systems),
            "{} has {systems:?} systems in scope, not {}",
            item.id,
            item.systems
        );
        let impact = list("impact")?;
        for name in item.suffers {
            ensure!(
                impact
                    .iter()
                    .any(|entry| member(entry, "id") == *name && member(entry, "state") == "down"),
                "{name} is not named as going down"
            );
        }
        let blocking: Vec<String> = list("findings")?
            .iter()
            .filter(|finding| member(finding, "outcome") != "pass")
            .map(|finding| member(finding, "clause"))
            .collect();
        Ok(blocking.join(","))
    }
}

impl Hands for Terminal {
    async fn reject(&mut self, person: &str, item: &Item<'_>, why: &str) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        let what = ["reject", item.id.as_str(), "--acknowledge", &seen];
        self.decide(person, &what, why).await?;
        Ok(())
    }

    async fn approve(&mut self, person: &str, item: &Item<'_>, why: &str) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        let what = ["approve", item.id.as_str(), "--acknowledge", &seen];
        self.decide(person, &what, why).await?;
        Ok(())
    }

    async fn approve_canary(
        &mut self,
        person: &str,
        item: &Item<'_>,
        why: &str,
    ) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        let what = [
            "approve",
            item.id.as_str(),
            "--acknowledge",
            &seen,
            "--narrow-to-canary",
        ];
        self.decide(person, &what, why).await?;
        Ok(())
    }

    async fn roll_back(
        &mut self,
        person: &str,
        operation: &OperationId,
        why: &str,
    ) -> anyhow::Result<()> {
        self.decide(person, &["roll-back", operation.as_str()], why)
            .await?;
        Ok(())
    }
}
