//! A small real agent: it proposes over HTTP, watches what comes of it, and stops when told to.

use std::time::Duration;

use anyhow::bail;
use countersign_core::identifier::ProposalId;
use countersign_wire::client::Client;
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use serde_json::Value;

/// The agent, with its own secret.
#[derive(Debug, Clone)]
pub struct Agent {
    client: Client,
}

impl Agent {
    /// An agent that speaks to the backend through `client`, which carries its secret.
    #[must_use]
    pub const fn new(client: Client) -> Self {
        Self { client }
    }

    /// Proposes, and gives the answer.
    ///
    /// # Errors
    /// Where the backend does not take the proposal.
    pub async fn propose(&self, proposal: &Value) -> anyhow::Result<ProposalAnswer> {
        Ok(self.client.propose(proposal.to_string().as_bytes()).await?)
    }

    /// Where a proposal stands.
    ///
    /// # Errors
    /// Where the backend does not say.
    pub async fn ask(&self, id: &ProposalId) -> anyhow::Result<ProposalAnswer> {
        Ok(self.client.proposal(id).await?)
    }

    /// Waits until a proposal stands as `wanted`.
    ///
    /// # Errors
    /// Where it ends otherwise, or nothing moves for a minute.
    pub async fn wait_for(
        &self,
        id: &ProposalId,
        wanted: ItemState,
    ) -> anyhow::Result<ProposalAnswer> {
        for _ in 0..600 {
            let answer = self.ask(id).await?;
            if answer.state == wanted {
                return Ok(answer);
            }
            if !matches!(
                answer.state,
                ItemState::Waiting | ItemState::Running | ItemState::Halted
            ) {
                bail!(
                    "{id} is {:?}, not {wanted:?}: {}",
                    answer.state,
                    answer.message
                );
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        bail!("{id} did not become {wanted:?} within a minute")
    }
}
