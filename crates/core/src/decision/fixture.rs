//! A small deployment with people, software keys and one item: for tests of this crate.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use ed25519_dalek::SigningKey as LogKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::briefing::{Inputs, Plan, compose};
use crate::canonical;
use crate::document;
use crate::envelope::Envelope;
use crate::genesis::{self, Credential, Genesis};
use crate::history::History;
use crate::identifier::{ProposalId, Role};
use crate::proposal::Proposal;
use crate::scope::Graph;
use crate::statement::{CheckpointReference, RiskLevel, commitment};
use crate::topology::Topology;
use crate::webauthn::{Bytes, Ceremony, PublicKey, Registration, client_data_json};

pub(crate) const NOW: &str = "2026-11-24T02:20:00Z";

pub(crate) fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

/// A person with a software key.
pub(crate) struct Person {
    pub(crate) id: ApproverId,
    key: SigningKey,
    roles: BTreeSet<Role>,
}

impl Person {
    pub(crate) fn new(id: &str, seed: u8, roles: &[&str]) -> Self {
        Self {
            id: ApproverId::new(id).unwrap(),
            key: SigningKey::from_slice(&[seed; 32]).unwrap(),
            roles: roles.iter().map(|role| Role::new(*role).unwrap()).collect(),
        }
    }

    pub(crate) fn credential(&self) -> Bytes {
        Bytes(Sha256::digest(self.public_key().0.0).to_vec())
    }

    pub(crate) fn public_key(&self) -> PublicKey {
        let point = self.key.verifying_key().to_sec1_point(false);
        PublicKey(Bytes(point.as_bytes().to_vec()))
    }

    fn enrolled(&self) -> Approver {
        Approver {
            id: self.id.clone(),
            name_commitment: commitment(&[1; 32], self.id.as_str()),
            roles: self.roles.clone(),
            credential: Credential {
                id: self.credential(),
                public_key: self.public_key(),
                aaguid: "be772a5f-617e-5840-af9e-7e628f5141d2".to_owned(),
                registration: Registration {
                    credential_id: self.credential(),
                    attestation_object: Bytes::default(),
                    client_data_json: Bytes::default(),
                },
                challenge: Bytes::default(),
            },
        }
    }

    /// Signs with these flags for this relying party.
    pub(crate) fn assertion(
        &self,
        namespace: &str,
        bytes: &[u8],
        rp_id: &str,
        flags: u8,
    ) -> Assertion {
        let client_data = client_data_json(Ceremony::Get, &challenge(namespace, bytes), rp_id);
        let mut data = Sha256::digest(rp_id).to_vec();
        data.push(flags);
        data.extend_from_slice(&7_u32.to_be_bytes());
        let mut signed = data.clone();
        signed.extend_from_slice(&Sha256::digest(&client_data));
        let signature: Signature = self.key.sign(&signed);
        Assertion {
            credential_id: self.credential(),
            authenticator_data: Bytes(data),
            client_data_json: Bytes(client_data),
            signature: Bytes(signature.to_der().as_bytes().to_vec()),
        }
    }

    pub(crate) fn sign(&self, statement: &Statement) -> UnverifiedDecision {
        let bytes = statement.to_bytes().unwrap();
        let rp_id = statement.predicate.audience.rp_id();
        UnverifiedDecision {
            assertion: self.assertion(DECISION_NAMESPACE, &bytes, &rp_id, 0x05),
            statement: bytes,
        }
    }
}

/// The deployment.
pub(crate) struct Fixture {
    pub(crate) log_key: LogKey,
    pub(crate) genesis: Genesis,
    pub(crate) roster: Roster,
    pub(crate) soc: Person,
    pub(crate) ot: Person,
    pub(crate) board: Vec<Person>,
    pub(crate) agent: Person,
    pub(crate) envelope: Envelope,
    pub(crate) topology: Topology,
    pub(crate) briefing: Briefing,
    pub(crate) digest: Digest,
}

const TOPOLOGY: &str = r"
schema: countersign/topology/v1
observed_at: 2026-11-24T02:00:00Z
source: test
services:
  - { id: water, tier: safety-critical }
systems:
  - { id: scada-1, class: scada-server, tier: safety-critical, service: water }
  - { id: web-1, class: linux-server, tier: safety-critical }
  - { id: web-2, class: linux-server, tier: safety-critical }
  - { id: web-3, class: linux-server, tier: safety-critical }
dependencies:
  - { from: scada-1, to: web-1, kind: runtime, strength: hard }
";

const ENVELOPE: &str = r"
schema: countersign/envelope/v1
name: test
version: 1
authority: { board: governance-board, quorum: 2, effective: 2026-11-01T00:00:00Z, expires: 2027-01-30T00:00:00Z }
agents: [soc-agent]
tiers:
  safety-critical:
    autonomy: prohibited
    approval: { quorum: 2, roles: [ot-safety-officer, soc-lead] }
rules: []
";

const PROPOSAL: &str = r#"{
  "idempotency_key": "k", "agent": "soc-agent",
  "detection": { "id": "d", "rule": "r", "source": "s", "title": "t", "severity": "high", "detected_at": "2026-11-24T02:10:00Z" },
  "action": { "type": "patch", "parameters": { "package": "openssl", "to_version": "3" } },
  "targets": { "systems": ["web-1", "web-2", "web-3"] },
  "expires_at": "2026-11-25T00:00:00Z"
}"#;

impl Fixture {
    pub(crate) fn new() -> Self {
        let history = History {
            envelope_authorised: Some(true),
            ..History::default()
        };
        Self::of(ENVELOPE, TOPOLOGY, PROPOSAL, &history)
    }

    /// The same people with other documents.
    pub(crate) fn of(envelope: &str, topology: &str, proposal: &str, history: &History) -> Self {
        let log_key = LogKey::from_bytes(&[9; 32]);
        let soc = Person::new("sam", 11, &["soc-lead", "administrator"]);
        let ot = Person::new("olga", 12, &["ot-safety-officer", "administrator"]);
        let board = vec![
            Person::new("bea", 13, &["governance-board"]),
            Person::new("bob", 14, &["governance-board"]),
        ];
        // The agent's owner, enrolled under the agent's name and with every role.
        let agent = Person::new("soc-agent", 15, &["soc-lead", "ot-safety-officer"]);
        let genesis = Genesis {
            schema: genesis::SCHEMA.to_owned(),
            name: "test".to_owned(),
            log_key: Bytes(log_key.verifying_key().as_bytes().to_vec()),
            demonstration: true,
            attestation: Vec::new(),
            approvers: [&soc, &ot, &board[0], &board[1], &agent]
                .iter()
                .map(|person| person.enrolled())
                .collect(),
            created_at: at("2026-11-01T00:00:00Z"),
        };
        let roster = Roster::from_genesis(&genesis).unwrap();
        let envelope = document::envelope(envelope).unwrap().document;
        let topology = document::topology(topology).unwrap().document;
        let proposal: Proposal = document::proposal(proposal).unwrap().document;
        let briefing = compose(Inputs {
            audience: roster.deployment().clone(),
            item: ProposalId::new("item-1").unwrap(),
            proposal: &proposal,
            envelope: Some(&envelope),
            graph: &Graph::new(&topology),
            history,
            plan: Plan::none(),
            now: at("2026-11-24T02:15:00Z"),
        })
        .unwrap()
        .briefing;
        let digest = canonical::digest(&briefing).unwrap();
        Self {
            log_key,
            genesis,
            roster,
            soc,
            ot,
            board,
            agent,
            envelope,
            topology,
            briefing,
            digest,
        }
    }

    pub(crate) fn judgement(&self) -> Judgement {
        Judgement {
            risk_level: RiskLevel::High,
            acknowledged: BTreeSet::new(),
            rationale: commitment(&[2; 32], "because"),
        }
    }

    pub(crate) fn attempt(&self, person: &Person) -> Attempt {
        Attempt {
            audience: self.roster.deployment().clone(),
            approver: person.id.clone(),
            credential: person.credential(),
            checkpoint: CheckpointReference {
                size: 1,
                root: Digest::of(b"root"),
            },
            decided_at: at(NOW),
            offer: Offer {
                nonce: Bytes(vec![person.id.as_str().len() as u8; 32]),
                not_after: at("2026-11-24T12:00:00Z"),
            },
        }
    }

    pub(crate) fn item(&self, person: &Person, choice: &ItemChoice) -> Statement {
        for_item(
            &self.briefing,
            self.digest,
            choice,
            &self.judgement(),
            &self.attempt(person),
        )
        .unwrap()
    }

    pub(crate) fn approve(&self, person: &Person) -> Statement {
        self.item(person, &ItemChoice::Approve { narrowing: None })
    }
}
