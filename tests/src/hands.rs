//! How a person decides: at the terminal, or in the console's window.

use std::future::Future;

use anyhow::Context as _;

use crate::backend::Terminal;

/// What the story needs a person to do. Each ends when the decision is recorded.
pub trait Hands {
    /// Reads an item and rejects it.
    fn reject(
        &mut self,
        person: &str,
        item: &str,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads an item and approves it as proposed.
    fn approve(
        &mut self,
        person: &str,
        item: &str,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads an item and approves its canary only.
    fn approve_canary(
        &mut self,
        person: &str,
        item: &str,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
    /// Reads why an operation halted and has it rolled back.
    fn roll_back(
        &mut self,
        person: &str,
        operation: &str,
        why: &str,
    ) -> impl Future<Output = anyhow::Result<()>>;
}

impl Terminal {
    /// Decides at the terminal: `arguments` are the command and what it is about.
    async fn decide(&self, person: &str, arguments: &[&str], why: &str) -> anyhow::Result<String> {
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

    /// The clauses that block an item, for `--acknowledge`, after reading it.
    async fn read(&self, person: &str, item: &str) -> anyhow::Result<String> {
        let printed = self
            .run(&[
                "show",
                item,
                "--as",
                person,
                "--key",
                person,
                "--pin-stdin",
                "--json",
            ])
            .await?;
        let shown: serde_json::Value = serde_json::from_str(&printed)?;
        let findings = shown
            .pointer("/briefing/assessment/findings")
            .and_then(|findings| findings.as_array())
            .with_context(|| format!("no findings in {printed}"))?;
        let blocking: Vec<&str> = findings
            .iter()
            .filter(|finding| {
                finding.get("outcome").and_then(|outcome| outcome.as_str()) != Some("pass")
            })
            .filter_map(|finding| finding.get("clause").and_then(|clause| clause.as_str()))
            .collect();
        Ok(blocking.join(","))
    }
}

impl Hands for Terminal {
    async fn reject(&mut self, person: &str, item: &str, why: &str) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        self.decide(person, &["reject", item, "--acknowledge", &seen], why)
            .await?;
        Ok(())
    }

    async fn approve(&mut self, person: &str, item: &str, why: &str) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        self.decide(person, &["approve", item, "--acknowledge", &seen], why)
            .await?;
        Ok(())
    }

    async fn approve_canary(&mut self, person: &str, item: &str, why: &str) -> anyhow::Result<()> {
        let seen = self.read(person, item).await?;
        self.decide(
            person,
            &[
                "approve",
                item,
                "--acknowledge",
                &seen,
                "--narrow-to-canary",
            ],
            why,
        )
        .await?;
        Ok(())
    }

    async fn roll_back(&mut self, person: &str, operation: &str, why: &str) -> anyhow::Result<()> {
        self.decide(person, &["roll-back", operation], why).await?;
        Ok(())
    }
}
