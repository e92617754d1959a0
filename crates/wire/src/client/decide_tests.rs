//! Deciding, end to end against a backend of core's own functions, with a key made of software.

use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Json, Router};
use chrono::{DateTime, Utc};
use countersign_core::briefing::{self, Narrowing, Plan};
use countersign_core::canonical;
use countersign_core::decision::{ItemChoice, Offer, Receipt, Roster, UnverifiedDecision};
use countersign_core::document;
use countersign_core::genesis::{Approver, Credential, DeploymentId, Genesis};
use countersign_core::history::History;
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::log::body::ProposalAssessed;
use countersign_core::log::tree::node_hash;
use countersign_core::log::{Checkpoint, Entry, EntryKind, leaf_hash};
use countersign_core::scope::Graph;
use countersign_core::statement::{CheckpointReference, RiskLevel};
use countersign_core::webauthn::{
    Assertion, Bytes, Ceremony, PublicKey, Registration, client_data_json,
};
use ed25519_dalek::SigningKey as LogKey;
use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use serde_json::json;

use super::Client;
use super::decide::{Challenge, DecideError, Decider, Prepared, Reasons};
use super::review::Reviewed;
use super::trust::{TrustError, Trusted, WitnessError, follow_log};
use crate::decision::SubmitDecision;
use crate::problem::Problem;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../core/tests/examples");

fn example(name: &str) -> Vec<u8> {
    std::fs::read(format!("{EXAMPLES}/{name}")).unwrap()
}

pub(super) fn now() -> DateTime<Utc> {
    "2026-11-24T14:25:00Z".parse().unwrap()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_slice(&[n; 32]).unwrap()
}

fn log_key() -> LogKey {
    LogKey::from_bytes(&[9; 32])
}

/// Signs as a security key does, for the credential id `[n]`.
fn sign(n: u8, challenge: &Challenge) -> Assertion {
    let client_data = client_data_json(Ceremony::Get, &challenge.challenge, &challenge.rp_id);
    let mut data = Digest::of(challenge.rp_id.as_bytes()).as_bytes().to_vec();
    data.extend([0b101, 0, 0, 0, 7]);
    let signed = [&data[..], Digest::of(&client_data).as_bytes()].concat();
    let signature: Signature = key(n).sign(&signed);
    Assertion {
        credential_id: Bytes(vec![n]),
        authenticator_data: Bytes(data),
        client_data_json: Bytes(client_data),
        signature: Bytes(signature.to_der().as_bytes().to_vec()),
    }
}

pub(super) fn genesis() -> Genesis {
    let approver = |n: u8, id: &str, roles: &[&str]| Approver {
        id: id.parse().unwrap(),
        name_commitment: Digest::of(b"name"),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        credential: Credential {
            id: Bytes(vec![n]),
            public_key: PublicKey(Bytes(
                key(n)
                    .verifying_key()
                    .to_sec1_point(false)
                    .as_bytes()
                    .to_vec(),
            )),
            aaguid: String::new(),
            registration: Registration {
                credential_id: Bytes(vec![n]),
                attestation_object: Bytes(Vec::new()),
                client_data_json: Bytes(Vec::new()),
            },
            challenge: Bytes(Vec::new()),
        },
    };
    Genesis {
        schema: countersign_core::genesis::SCHEMA.to_owned(),
        name: "Northwind".to_owned(),
        log_key: Bytes(log_key().verifying_key().as_bytes().to_vec()),
        demonstration: true,
        attestation: Vec::new(),
        approvers: vec![
            approver(1, "ana", &["administrator", "soc-lead"]),
            approver(2, "olu", &["administrator", "ot-safety-officer"]),
        ],
        created_at: now(),
    }
}

struct Backend {
    genesis: Vec<u8>,
    topology: Vec<u8>,
    envelope: Vec<u8>,
    briefing: Vec<u8>,
    /// The entry that records the assessment.
    entry: Vec<u8>,
    /// Leaves of the log.
    leaves: Vec<Digest>,
    received: Vec<SubmitDecision>,
    receipts_lie: bool,
}

type Shared = Arc<Mutex<Backend>>;

impl Backend {
    fn new() -> Self {
        let topology = document::topology(example("topology.yaml"))
            .unwrap()
            .document;
        let envelope = document::envelope(example("envelope.yaml"))
            .unwrap()
            .document;
        let history = document::history(example("history.json")).unwrap().document;
        let proposal = document::proposal(example("proposal-rotation.json"))
            .unwrap()
            .document;
        let graph = Graph::new(&topology);
        let briefing = briefing::compose(briefing::Inputs {
            audience: deployment(),
            item: "p-1".parse().unwrap(),
            proposal: &proposal,
            envelope: Some(&envelope),
            graph: &graph,
            history: &history,
            plan: Plan::none(),
            now: now(),
        })
        .unwrap()
        .briefing;
        let bytes = canonical::to_bytes(&briefing).unwrap();
        let assessed = ProposalAssessed::of(&briefing, Digest::of(&bytes));
        Self {
            entry: Entry::of(now(), &assessed).unwrap().to_bytes().unwrap(),
            genesis: canonical::to_bytes(&genesis()).unwrap(),
            topology: canonical::to_bytes(&topology).unwrap(),
            envelope: canonical::to_bytes(&envelope).unwrap(),
            briefing: bytes,
            leaves: vec![leaf_hash(b"genesis")],
            received: Vec::new(),
            receipts_lie: false,
        }
    }

    fn checkpoint(&self) -> String {
        let root = match self.leaves.as_slice() {
            [one] => *one,
            [a, b] => node_hash(a, b),
            other => panic!("{} leaves", other.len()),
        };
        Checkpoint::new(&deployment(), self.leaves.len() as u64, root).sign(&log_key())
    }

    fn decide(&mut self, submit: SubmitDecision) -> Result<serde_json::Value, Box<Problem>> {
        let refuse = |code: &str| Box::new(Problem::new(code, 422, "refused", ""));
        let roster = Roster::from_genesis(&genesis()).unwrap();
        let decision = UnverifiedDecision {
            statement: submit.statement.0.clone(),
            assertion: submit.assertion.clone(),
        }
        .verify(&roster)
        .map_err(|error| refuse(error.code()))?;
        let briefing: briefing::Briefing = serde_json::from_slice(&self.briefing).unwrap();
        let offer = Offer {
            nonce: Bytes(vec![5; 32]),
            not_after: briefing.expires_at,
        };
        decision
            .confirm_item(&briefing, Digest::of(&self.briefing), &offer)
            .map_err(|error| refuse(error.code()))?;
        self.received.push(submit);
        let of = if self.receipts_lie {
            Digest::of(b"another")
        } else {
            decision.digest()
        };
        let (receipt, signature) = Receipt::new(of, deployment(), now())
            .sign(&log_key())
            .unwrap();
        Ok(json!({
            "receipt": Bytes(receipt), "receipt_signature": signature, "decision": decision.digest(), "index": 1,
            "complete": false, "missing": "one more", "operation": null, "received_at": now(),
        }))
    }
}

fn deployment() -> DeploymentId {
    DeploymentId::of_log_key(log_key().verifying_key().as_bytes())
}

async fn serve(backend: Backend) -> (Client, Shared) {
    let bytes = |read: fn(&Backend) -> Vec<u8>| {
        get(move |State(backend): State<Shared>| async move { read(&backend.lock().unwrap()) })
    };
    let shared = Arc::new(Mutex::new(backend));
    let router = Router::new()
        .route(
            "/v1/deployment",
            get(|State(backend): State<Shared>| async move {
                Json(json!({
                    "deployment": deployment(), "rp_id": deployment().rp_id(),
                    "log_key": Bytes(log_key().verifying_key().as_bytes().to_vec()),
                    "genesis": Digest::of(&backend.lock().unwrap().genesis), "name": "Northwind",
                    "demonstration": true, "version": "0",
                }))
            }),
        )
        .route("/v1/genesis", bytes(|backend| backend.genesis.clone()))
        .route(
            "/v1/briefings/p-1",
            bytes(|backend| backend.briefing.clone()),
        )
        .route(
            "/v1/briefings/p-2",
            bytes(|backend| backend.briefing.clone()),
        )
        .route(
            "/v1/topology/{digest}",
            bytes(|backend| backend.topology.clone()),
        )
        .route(
            "/v1/envelopes/{digest}",
            bytes(|backend| backend.envelope.clone()),
        )
        .route(
            "/log/checkpoint",
            bytes(|backend| backend.checkpoint().into_bytes()),
        )
        .route("/log/entries/1", bytes(|backend| backend.entry.clone()))
        .route(
            "/log/proof/inclusion",
            get(|| async { Json(json!({ "hashes": [leaf_hash(b"genesis")] })) }),
        )
        .route(
            "/log/proof/consistency",
            get(|State(backend): State<Shared>| async move {
                Json(json!({ "hashes": [backend.lock().unwrap().leaves[1]] }))
            }),
        )
        .route(
            "/v1/nonces",
            post(|| async { Json(json!({ "nonce": Bytes(vec![5; 32]), "expires_at": now() })) }),
        )
        .route(
            "/v1/decisions",
            post(
                |State(backend): State<Shared>, Json(submit): Json<SubmitDecision>| async move {
                    match backend.lock().unwrap().decide(submit) {
                        Ok(accepted) => Json(accepted).into_response(),
                        Err(problem) => {
                            (StatusCode::UNPROCESSABLE_ENTITY, Json(problem)).into_response()
                        }
                    }
                },
            ),
        )
        .with_state(shared.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (Client::new(&format!("http://{address}")).unwrap(), shared)
}

fn reasons() -> Reasons {
    Reasons {
        risk_level: RiskLevel::Severe,
        acknowledged: [countersign_core::assessment::Clause::C4_3].into(),
        rationale: "it forgets the dependents".to_owned(),
        salt: [3; 32],
    }
}

fn decider(id: &str) -> Decider {
    Decider {
        approver: ApproverId::new(id).unwrap(),
        checkpoint: CheckpointReference {
            size: 1,
            root: leaf_hash(b"genesis"),
        },
    }
}

/// The log whose second and last entry is `entry`.
fn log_of(entry: &[u8]) -> CheckpointReference {
    CheckpointReference {
        size: 2,
        root: node_hash(&leaf_hash(b"genesis"), &leaf_hash(entry)),
    }
}

async fn prepared(
    client: &Client,
    trusted: &Trusted,
    choice: ItemChoice,
) -> Result<Prepared, DecideError> {
    let reviewed = Reviewed::fetch(client, trusted, &"p-1".parse().unwrap())
        .await
        .unwrap()
        .find_in_log(client, 1, log_of(&Backend::new().entry))
        .await;
    Prepared::for_item(client, reviewed, choice, reasons(), decider("ana")).await
}

#[tokio::test]
async fn a_decision_is_built_signed_checked_and_sent() {
    let (client, backend) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let prepared = prepared(&client, &trusted, ItemChoice::Reject)
        .await
        .unwrap();
    let unsigned = prepared.statement(&trusted, now()).unwrap();
    let assertion = sign(1, unsigned.challenge());
    let signed = unsigned.signed(&trusted, assertion).unwrap();
    let accepted = signed.submit(&client, &trusted).await.unwrap();
    assert_eq!(accepted.decision, signed.digest());
    let received = backend.lock().unwrap().received.pop().unwrap();
    assert_eq!(received.rationale.text, "it forgets the dependents");
}

#[tokio::test]
async fn another_key_than_the_approver_s_is_noticed_before_anything_is_sent() {
    let (client, backend) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let choice = ItemChoice::Approve { narrowing: None };
    let prepared = prepared(&client, &trusted, choice).await.unwrap();
    let unsigned = prepared.statement(&trusted, now()).unwrap();
    let mut assertion = sign(2, unsigned.challenge());
    assert!(matches!(
        unsigned.clone().signed(&trusted, assertion.clone()),
        Err(DecideError::Decision(_))
    ));
    assertion.credential_id = Bytes(vec![1]);
    assert!(matches!(
        unsigned.signed(&trusted, assertion),
        Err(DecideError::Decision(_))
    ));
    assert!(backend.lock().unwrap().received.is_empty());
}

#[tokio::test]
async fn narrowing_must_leave_some_of_the_targets() {
    let (client, _) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let narrowing = Some(Narrowing {
        targets: ["ehr-db-1".parse().unwrap()].into(),
    });
    let prepared = prepared(&client, &trusted, ItemChoice::Approve { narrowing })
        .await
        .unwrap();
    let error = prepared.statement(&trusted, now()).unwrap_err();
    assert_eq!(Problem::from(error).code, "narrowing_not_subset");
}

#[tokio::test]
async fn a_backend_that_assesses_otherwise_gets_no_signature() {
    let mut backend = Backend::new();
    let mut briefing: serde_json::Value = serde_json::from_slice(&backend.briefing).unwrap();
    briefing["assessment"]["impact"]
        .as_array_mut()
        .unwrap()
        .clear();
    backend.briefing = canonical::to_bytes(&briefing).unwrap();
    let (client, _) = serve(backend).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let error = prepared(&client, &trusted, ItemChoice::Reject)
        .await
        .unwrap_err();
    assert!(
        matches!(&error, DecideError::Disagreement(differences) if differences.len() == 1),
        "{error:?}"
    );
}

#[tokio::test]
async fn history_that_was_tampered_with_is_another_digest() {
    let mut backend = Backend::new();
    let mut briefing: briefing::Briefing = serde_json::from_slice(&backend.briefing).unwrap();
    briefing.history = History::default();
    backend.briefing = canonical::to_bytes(&briefing).unwrap();
    let (client, _) = serve(backend).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    assert!(matches!(
        prepared(&client, &trusted, ItemChoice::Reject).await,
        Err(DecideError::Disagreement(_))
    ));
}

#[tokio::test]
async fn what_the_log_does_not_record_is_not_approved_and_may_be_rejected() {
    let honest = Backend::new().entry;
    let entry = |change: fn(&mut ProposalAssessed)| {
        let mut entry = Entry::from_bytes(&honest).unwrap();
        let mut body: ProposalAssessed = entry.body().unwrap();
        change(&mut body);
        entry.body = serde_json::to_value(&body).unwrap();
        entry.to_bytes().unwrap()
    };
    let other_topology = entry(|body| body.topology = Digest::of(b"another"));
    let other_briefing = entry(|body| body.briefing = Digest::of(b"another"));
    let drill = Entry::new(EntryKind::DrillRecorded, now(), json!({}));
    let drill = drill.to_bytes().unwrap();
    // What the backend sends, what the log was verified to be, and what is then said.
    let cases: [(&[u8], CheckpointReference, &str); 6] = [
        (&honest, log_of(b"another"), "is not in the verified log"),
        (b"{}", log_of(&honest), "is not in the verified log"),
        (&other_topology, log_of(&other_topology), "says otherwise"),
        (&other_briefing, log_of(&other_briefing), "says otherwise"),
        (&drill, log_of(&drill), "entry 1 of the log: "),
        (
            &honest,
            CheckpointReference {
                size: 1,
                root: leaf_hash(b"genesis"),
            },
            "the log was verified up to 1",
        ),
    ];
    for (sent, checkpoint, expected) in cases {
        let (client, _) = serve(Backend {
            entry: sent.to_vec(),
            ..Backend::new()
        })
        .await;
        let trusted = Trusted::fetch(&client, None).await.unwrap();
        let reviewed = Reviewed::fetch(&client, &trusted, &"p-1".parse().unwrap())
            .await
            .unwrap()
            .find_in_log(&client, 1, checkpoint)
            .await;
        let choose = |choice| {
            Prepared::for_item(&client, reviewed.clone(), choice, reasons(), decider("ana"))
        };
        let error = choose(ItemChoice::Approve { narrowing: None })
            .await
            .unwrap_err();
        assert!(
            matches!(&error, DecideError::NotLogged(reason) if reason.contains(expected)),
            "{error}: {expected}"
        );
        assert!(choose(ItemChoice::Reject).await.is_ok(), "{expected}");
    }
}

#[tokio::test]
async fn the_briefing_of_another_item_is_refused() {
    let (client, _) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let error = Reviewed::fetch(&client, &trusted, &"p-2".parse().unwrap())
        .await
        .unwrap_err();
    assert_eq!(Problem::from(error).code, "other_item");
}

#[tokio::test]
async fn a_receipt_for_something_else_is_told() {
    let (client, _) = serve(Backend {
        receipts_lie: true,
        ..Backend::new()
    })
    .await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let unsigned = prepared(&client, &trusted, ItemChoice::Reject)
        .await
        .unwrap()
        .statement(&trusted, now())
        .unwrap();
    let assertion = sign(1, unsigned.challenge());
    let signed = unsigned.signed(&trusted, assertion).unwrap();
    assert!(matches!(
        signed.submit(&client, &trusted).await,
        Err(DecideError::Receipt(_))
    ));
}

#[tokio::test]
async fn only_the_pinned_genesis_is_trusted() {
    let (client, _) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    assert!(
        Trusted::fetch(&client, Some(trusted.digest()))
            .await
            .is_ok()
    );
    assert!(matches!(
        Trusted::fetch(&client, Some(Digest::of(b"another"))).await,
        Err(TrustError::OtherGenesis { .. })
    ));
}

#[tokio::test]
async fn the_log_may_grow_and_do_nothing_else() {
    let (client, backend) = serve(Backend::new()).await;
    let trusted = Trusted::fetch(&client, None).await.unwrap();
    let first = follow_log(&client, &trusted, None).await.unwrap();
    assert_eq!(
        follow_log(&client, &trusted, Some(first)).await.unwrap(),
        first
    );
    backend.lock().unwrap().leaves.push(leaf_hash(b"more"));
    let second = follow_log(&client, &trusted, Some(first)).await.unwrap();
    assert_eq!(second.size, 2);
    // Rolled back.
    backend.lock().unwrap().leaves.pop();
    assert!(matches!(
        follow_log(&client, &trusted, Some(second)).await,
        Err(WitnessError::Alarm(_))
    ));
    // Another history of the same length, and another that goes on.
    backend.lock().unwrap().leaves = vec![leaf_hash(b"forked")];
    assert!(matches!(
        follow_log(&client, &trusted, Some(first)).await,
        Err(WitnessError::Alarm(_))
    ));
    backend.lock().unwrap().leaves.push(leaf_hash(b"more"));
    assert!(matches!(
        follow_log(&client, &trusted, Some(first)).await,
        Err(WitnessError::Alarm(_))
    ));
}
