//! Signing in as a person of Northwind, with that person's demonstration key.

use std::time::Duration;

use anyhow::Context as _;
use chrono::{SubsecRound as _, Utc};
use countersign_core::canonical;
use countersign_core::genesis::{DeploymentId, Genesis};
use countersign_core::identifier::ApproverId;
use countersign_core::statement::{self, SESSION_NAMESPACE, SessionPredicate, SessionStatement};
use countersign_core::webauthn::Bytes;
use countersign_hardware_key::{HardwareKey as _, Interaction, PinPrompt, SignRequest};
use countersign_virtual_key::{KeyRing, Presence};
use countersign_wire::client::Client;
use countersign_wire::session::{BeginSession, OpenSession};

/// A person who knows the PIN and touches at once.
#[derive(Debug)]
pub struct Willing;

impl Interaction for Willing {
    fn pin(&self, _: PinPrompt) -> Option<String> {
        Some(crate::people::PIN.to_owned())
    }
    fn touch(&self) {}
    fn processing(&self) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Signs in, and gives a client that carries the session.
///
/// # Errors
/// Where the key or the backend refuses.
pub async fn sign_in(client: &Client, keys: &KeyRing, person: &str) -> anyhow::Result<Client> {
    let genesis: Genesis = serde_json::from_slice(&client.genesis().await?)?;
    let log_key = <[u8; 32]>::try_from(genesis.log_key.0.as_slice())
        .context("the log key is not 32 bytes")?;
    let audience = DeploymentId::of_log_key(&log_key);
    let approver = ApproverId::new(person)?;
    let credential = genesis
        .approver(&approver)
        .context("no such approver")?
        .credential
        .id
        .clone();
    let nonce = client
        .begin_session(&BeginSession {
            approver: approver.clone(),
        })
        .await?
        .nonce;
    let rp_id = audience.rp_id();
    let bytes = canonical::to_bytes(&SessionStatement::new(SessionPredicate {
        audience,
        approver,
        credential: credential.clone(),
        at: Utc::now().trunc_subsecs(0),
        nonce,
    }))?;
    let key = keys.key(person)?;
    key.set_presence(Presence::Approve);
    let request = SignRequest {
        rp_id,
        credential_ids: vec![credential],
        challenge: statement::challenge(SESSION_NAMESPACE, &bytes),
        timeout: Duration::from_secs(30),
    };
    let assertion = tokio::task::spawn_blocking(move || key.sign(&request, &Willing)).await??;
    let session = client
        .open_session(&OpenSession {
            statement: Bytes(bytes),
            assertion,
        })
        .await?;
    Ok(client.with_bearer(&session.token)?)
}
