//! A backend, people with keys and an agent around the systems of a laboratory.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use countersign_core::identifier::OperationId;
use countersign_virtual_key::KeyRing;
use countersign_wire::client::Client;
use countersign_wire::operation::{Operation, OperationState};
use serde_json::Value;

use crate::agent::Agent;
use crate::backend::{Backend, Terminal};
use crate::people::{BOARD, PEOPLE, PIN, SOC_LEAD};
use crate::session::sign_in;
use crate::{setup, story};

/// A laboratory's organisation.
pub struct Site {
    /// Its backend.
    pub backend: Backend,
    /// Its agent.
    pub agent: Agent,
    /// Where its people decide.
    pub terminal: Terminal,
    /// The digest of its genesis.
    pub genesis: String,
    keys: KeyRing,
    client: Client,
    /// Where its files lie.
    pub folder: PathBuf,
}

/// A site before its backend runs: what the backend's configuration may name is known.
pub struct Ground {
    folder: PathBuf,
    keys: KeyRing,
}

impl Ground {
    /// Makes the keys of the people.
    ///
    /// # Errors
    /// Where they cannot be written.
    pub fn new(folder: &Path) -> anyhow::Result<Self> {
        let names: Vec<&str> = PEOPLE.iter().map(|person| person.id).collect();
        Ok(Self {
            keys: KeyRing::create(&folder.join("demonstration-keys"), &names, PIN)?,
            folder: folder.to_owned(),
        })
    }
}

impl Site {
    /// Starts the backend with this configuration, enrols everybody, imports envelope and topology,
    /// and has the board put the envelope in force.
    ///
    /// # Errors
    /// Where any of it fails.
    pub async fn start(
        ground: Ground,
        configuration: &Value,
        envelope: String,
        topology: String,
    ) -> anyhow::Result<Self> {
        let Ground { folder, keys } = ground;
        let backend = Backend::configured(&folder.join("backend"), configuration).await?;
        let terminal = Terminal {
            keys: folder.join("demonstration-keys"),
            home: folder.join("terminal"),
            url: backend.url.clone(),
        };
        let client = Client::new(&backend.url)?;
        let operator = client.with_bearer(&backend.operator_token)?;
        let genesis = setup::enrol(&folder, &terminal, &backend, &keys).await?;
        let documents = (envelope, topology);
        let digest = setup::import(&folder, &terminal, &backend, &documents).await?;
        let secret = setup::register(&client, &operator, &keys).await?;
        for person in BOARD {
            terminal
                .authorise_envelope(person, &digest, "For the laboratory.")
                .await?;
        }
        Ok(Self {
            agent: Agent::new(client.with_bearer(&secret)?),
            backend,
            terminal,
            genesis,
            keys,
            client,
            folder,
        })
    }

    /// The operation that carries an item out.
    ///
    /// # Errors
    /// Where there is none.
    pub async fn operation_of(
        &self,
        item: &countersign_core::identifier::ProposalId,
    ) -> anyhow::Result<OperationId> {
        self.agent
            .ask(item)
            .await?
            .operation
            .with_context(|| format!("no operation carries {item} out"))
    }

    /// Waits until an operation stands as `wanted`.
    ///
    /// # Errors
    /// Where it does not.
    pub async fn wait_for(
        &self,
        id: &OperationId,
        wanted: OperationState,
    ) -> anyhow::Result<Operation> {
        let reader = sign_in(&self.client, &self.keys, SOC_LEAD).await?;
        story::wait_until(&reader, id, wanted).await
    }
}
