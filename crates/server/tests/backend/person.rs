//! A person with a key: signs in, decides, and can be made to decide wrongly.

use std::collections::BTreeSet;
use std::time::Duration;

use countersign_core::assessment::Outcome;
use countersign_core::briefing::{Briefing, Narrowing};
use countersign_core::canonical;
use countersign_core::decision::{
    Attempt, EnvelopeSubjects, ItemChoice, Judgement, Offer, OperationChoice, OperationSubjects,
    for_envelope, for_item, for_operation,
};
use countersign_core::envelope::Envelope;
use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::{ApproverId, Digest, OperationId, ProposalId};
use countersign_core::log::Checkpoint;
use countersign_core::statement::{
    DECISION_NAMESPACE, DecisionKind, RiskLevel, SESSION_NAMESPACE, SessionPredicate,
    SessionStatement, Statement, challenge, commitment,
};
use countersign_core::webauthn::{Assertion, Bytes};
use countersign_hardware_key::{HardwareKey as _, SignRequest};
use countersign_wire::client::{Client, ClientError};
use countersign_wire::decision::{
    About, BeginDecision, DecisionAccepted, RationalePayload, SubmitDecision,
};
use countersign_wire::session::{BeginSession, OpenSession};
use ed25519_dalek::VerifyingKey;

use crate::world::{PIN, Willing, World};

pub const RATIONALE: &str = "Looked at it with the team.";
pub const SALT: [u8; 32] = [7; 32];

pub struct Person<'w> {
    pub world: &'w World,
    pub id: ApproverId,
    pub client: Client,
    /// The key in use; another one is a fault.
    pub key: String,
    /// The session's token.
    pub token: String,
}

impl<'w> Person<'w> {
    pub async fn sign_in(world: &'w World, name: &str) -> Result<Self, ClientError> {
        let id: ApproverId = name.parse().unwrap();
        let nonce = world
            .client
            .begin_session(&BeginSession {
                approver: id.clone(),
            })
            .await?
            .nonce;
        let credential = world.genesis.approver(&id).unwrap().credential.id.clone();
        let bytes = canonical::to_bytes(&SessionStatement::new(SessionPredicate {
            audience: audience(world),
            approver: id.clone(),
            credential,
            at: world.now(),
            nonce,
        }))
        .unwrap();
        let mut person = Self {
            world,
            id,
            client: world.client.clone(),
            key: name.to_owned(),
            token: String::new(),
        };
        let assertion = person.sign(SESSION_NAMESPACE, &bytes).await;
        let session = world
            .client
            .open_session(&OpenSession {
                statement: Bytes(bytes),
                assertion,
            })
            .await?;
        assert_eq!(session.name, format!("{name} the person"));
        person.client = world.client.with_bearer(&session.token)?;
        person.token = session.token;
        Ok(person)
    }

    pub fn credential(&self) -> Bytes {
        self.world
            .genesis
            .approver(&self.id)
            .unwrap()
            .credential
            .id
            .clone()
    }

    /// Has the key sign `bytes` in `namespace`.
    pub async fn sign(&self, namespace: &str, bytes: &[u8]) -> Assertion {
        let key = self.world.keys.key(&self.key).unwrap();
        let request = self.request(namespace, bytes);
        tokio::task::spawn_blocking(move || key.sign(&request, &Willing(PIN)))
            .await
            .unwrap()
            .unwrap()
    }

    /// Has the key sign a decision for somebody who holds it and does not know its PIN.
    pub async fn sign_without_pin(&self, bytes: &[u8]) -> Assertion {
        let key = self.world.keys.key(&self.key).unwrap();
        let request = self.request(DECISION_NAMESPACE, bytes);
        tokio::task::spawn_blocking(move || key.sign_without_pin(&request))
            .await
            .unwrap()
            .unwrap()
    }

    fn request(&self, namespace: &str, bytes: &[u8]) -> SignRequest {
        SignRequest {
            rp_id: audience(self.world).rp_id(),
            credential_ids: vec![self.credential()],
            challenge: challenge(namespace, bytes),
            timeout: Duration::from_secs(30),
        }
    }

    pub async fn nonce(&self, about: &About, kind: DecisionKind) -> Bytes {
        self.client
            .begin_decision(&BeginDecision {
                about: about.clone(),
                kind,
            })
            .await
            .unwrap()
            .nonce
    }

    pub async fn attempt(&self, nonce: Bytes, not_after: chrono::DateTime<chrono::Utc>) -> Attempt {
        let note = String::from_utf8(self.client.checkpoint().await.unwrap()).unwrap();
        let key =
            VerifyingKey::from_bytes(&self.world.genesis.log_key.0.clone().try_into().unwrap())
                .unwrap();
        let checkpoint = Checkpoint::verify(&note, &audience(self.world), &key).unwrap();
        Attempt {
            audience: audience(self.world),
            approver: self.id.clone(),
            credential: self.credential(),
            checkpoint: checkpoint.reference(),
            decided_at: self.world.now(),
            offer: Offer { nonce, not_after },
        }
    }

    pub async fn briefing(&self, id: &ProposalId) -> (Briefing, Digest) {
        let bytes = self.client.briefing(id).await.unwrap();
        (serde_json::from_slice(&bytes).unwrap(), Digest::of(&bytes))
    }

    /// The statement of a decision about an item, not yet signed.
    pub async fn statement(&self, id: &ProposalId, choice: &ItemChoice) -> Statement {
        let (briefing, digest) = self.briefing(id).await;
        let kind = match choice {
            ItemChoice::Approve { .. } => DecisionKind::Approve,
            ItemChoice::Reject => DecisionKind::Reject,
        };
        let nonce = self.nonce(&About::Item(id.clone()), kind).await;
        let attempt = self.attempt(nonce, briefing.expires_at).await;
        let acknowledged = briefing
            .assessment
            .findings
            .iter()
            .filter(|f| f.outcome != Outcome::Pass)
            .map(|f| f.clause)
            .collect();
        for_item(
            &briefing,
            digest,
            choice,
            &judgement(acknowledged),
            &attempt,
        )
        .unwrap()
    }

    /// Signs a statement as it is.
    pub async fn signed(&self, about: About, statement: &Statement) -> SubmitDecision {
        let bytes = statement.to_bytes().unwrap();
        self.signed_bytes(about, bytes).await
    }

    pub async fn signed_bytes(&self, about: About, bytes: Vec<u8>) -> SubmitDecision {
        let assertion = self.sign(DECISION_NAMESPACE, &bytes).await;
        SubmitDecision {
            about,
            statement: Bytes(bytes),
            assertion,
            rationale: rationale(),
        }
    }

    pub async fn decide(
        &self,
        id: &ProposalId,
        choice: &ItemChoice,
    ) -> Result<DecisionAccepted, ClientError> {
        let statement = self.statement(id, choice).await;
        let submit = self.signed(About::Item(id.clone()), &statement).await;
        self.client.submit_decision(&submit).await
    }

    pub async fn approve(&self, id: &ProposalId) -> Result<DecisionAccepted, ClientError> {
        self.decide(id, &ItemChoice::Approve { narrowing: None })
            .await
    }

    pub async fn approve_only(
        &self,
        id: &ProposalId,
        systems: &[&str],
    ) -> Result<DecisionAccepted, ClientError> {
        let targets = systems
            .iter()
            .map(|system| system.parse().unwrap())
            .collect();
        self.decide(
            id,
            &ItemChoice::Approve {
                narrowing: Some(Narrowing { targets }),
            },
        )
        .await
    }

    pub async fn reject(&self, id: &ProposalId) -> Result<DecisionAccepted, ClientError> {
        self.decide(id, &ItemChoice::Reject).await
    }

    pub async fn authorise(&self, digest: &Digest) -> Result<DecisionAccepted, ClientError> {
        let summary = self
            .client
            .envelopes()
            .await
            .unwrap()
            .into_iter()
            .find(|envelope| envelope.digest == *digest)
            .unwrap();
        let envelope: Envelope =
            serde_json::from_slice(&self.client.envelope(digest).await.unwrap()).unwrap();
        let before: Option<Envelope> = match summary.before {
            Some(before) => {
                Some(serde_json::from_slice(&self.client.envelope(&before).await.unwrap()).unwrap())
            }
            None => None,
        };
        let subjects = EnvelopeSubjects::new(before.as_ref(), &envelope).unwrap();
        assert_eq!(subjects.diff, summary.diff);
        let about = About::Envelope(*digest);
        let nonce = self.nonce(&about, DecisionKind::AuthoriseEnvelope).await;
        let attempt = self.attempt(nonce, envelope.authority.expires).await;
        let statement = for_envelope(&subjects, &judgement(BTreeSet::new()), &attempt).unwrap();
        let submit = self.signed(about, &statement).await;
        self.client.submit_decision(&submit).await
    }

    pub async fn about_operation(
        &self,
        id: &OperationId,
        choice: OperationChoice,
    ) -> Result<DecisionAccepted, ClientError> {
        let operation = self.client.operation(id).await.unwrap();
        let kind = choice.kind();
        let about = About::Operation(id.clone());
        let nonce = self.nonce(&about, kind).await;
        let attempt = self
            .attempt(nonce, self.world.now() + chrono::TimeDelta::minutes(5))
            .await;
        let subjects = OperationSubjects {
            operation: Digest::of(&operation.subjects.operation.0),
            trip: operation
                .subjects
                .trip
                .as_ref()
                .map(|trip| Digest::of(&trip.0)),
            touched: serde_json::from_slice(&operation.subjects.touched.0).unwrap(),
            remaining: serde_json::from_slice(&operation.subjects.remaining.0).unwrap(),
        };
        let statement =
            for_operation(&choice, &subjects, &judgement(BTreeSet::new()), &attempt).unwrap();
        let submit = self.signed(about, &statement).await;
        self.client.submit_decision(&submit).await
    }
}

pub fn audience(world: &World) -> DeploymentId {
    DeploymentId::of_log_key(&world.genesis.log_key.0.clone().try_into().unwrap())
}

pub fn rationale() -> RationalePayload {
    RationalePayload {
        salt: Bytes(SALT.to_vec()),
        text: RATIONALE.to_owned(),
    }
}

pub fn judgement(acknowledged: BTreeSet<countersign_core::assessment::Clause>) -> Judgement {
    Judgement {
        risk_level: RiskLevel::Moderate,
        acknowledged,
        rationale: commitment(&SALT, RATIONALE),
    }
}
