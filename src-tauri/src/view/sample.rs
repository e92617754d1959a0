//! Sample briefings for tests: the examples, and organisations at full size.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use countersign_core::briefing::{Inputs, Plan, compose};
use countersign_core::canonical;
use countersign_core::document;
use countersign_core::genesis::{Approver, Credential, DeploymentId, Genesis};
use countersign_core::identifier::Digest;
use countersign_core::log::body::ProposalAssessed;
use countersign_core::log::{Entry, leaf_hash};
use countersign_core::proposal::Proposal;
use countersign_core::scope::Graph;
use countersign_core::statement::CheckpointReference;
use countersign_core::topology::Topology;
use countersign_core::webauthn::{Bytes, PublicKey, Registration};
use countersign_wire::client::review::Reviewed;
use countersign_wire::client::trust::Trusted;
use countersign_wire::queue::QueueItem;
use serde_json::json;

const EXAMPLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/crates/core/tests/examples");
/// The Ed25519 base point, compressed: a valid log key for which nobody here needs the private half.
const LOG_KEY: [u8; 32] = {
    let mut key = [0x66; 32];
    key[0] = 0x58;
    key
};

pub(crate) fn example(name: &str) -> String {
    std::fs::read_to_string(format!("{EXAMPLES}/{name}")).unwrap()
}

pub(crate) fn now() -> DateTime<Utc> {
    "2026-11-24T02:20:00Z".parse().unwrap()
}

/// A deployment with the roles of the sample.
pub(crate) fn trusted() -> Trusted {
    let approver = |n: u8, id: &str, roles: &[&str]| Approver {
        id: id.parse().unwrap(),
        name_commitment: Digest::of(b"name"),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        credential: Credential {
            id: Bytes(vec![n]),
            public_key: PublicKey(Bytes(vec![n, n])),
            aaguid: String::new(),
            registration: Registration {
                credential_id: Bytes(vec![n]),
                attestation_object: Bytes(Vec::new()),
                client_data_json: Bytes(Vec::new()),
            },
            challenge: Bytes(Vec::new()),
        },
    };
    let genesis = Genesis {
        schema: countersign_core::genesis::SCHEMA.to_owned(),
        name: "Northwind".to_owned(),
        log_key: Bytes(LOG_KEY.to_vec()),
        demonstration: true,
        attestation: Vec::new(),
        approvers: vec![
            approver(1, "ana", &["administrator", "on-call-engineer"]),
            approver(2, "olu", &["administrator", "ot-safety-officer"]),
            approver(3, "sam", &["soc-lead"]),
            approver(4, "bea", &["governance-board"]),
        ],
        created_at: now(),
    };
    let bytes = canonical::to_bytes(&genesis).unwrap();
    Trusted::from_genesis(&bytes, Digest::of(&bytes)).unwrap()
}

pub(crate) fn proposal(name: &str) -> Proposal {
    let mut proposal = document::proposal(example(name)).unwrap().document;
    proposal.expires_at = now() + chrono::Duration::hours(1);
    proposal.detection.detected_at = now();
    proposal
}

/// The briefing of `proposal` on `topology`, as an honest backend makes it.
pub(crate) fn reviewed(topology: &Topology, proposal: &Proposal) -> Reviewed {
    let envelope = document::envelope(example("envelope.yaml"))
        .unwrap()
        .document;
    let history = document::history(example("history.json")).unwrap().document;
    let graph = Graph::new(topology);
    let briefing = compose(Inputs {
        audience: DeploymentId::of_log_key(&LOG_KEY),
        item: "p-1".parse().unwrap(),
        proposal,
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
    let entry = Entry::of(now(), &assessed).unwrap().to_bytes().unwrap();
    let log = CheckpointReference {
        size: 1,
        root: leaf_hash(&entry),
    };
    Reviewed::of(
        &trusted(),
        bytes,
        &canonical::to_bytes(topology).unwrap(),
        Some(&canonical::to_bytes(&envelope).unwrap()),
    )
    .unwrap()
    .held_against(&entry, 0, &[], log)
}

/// The item of a briefing that waits, with these approvals.
pub(crate) fn item(reviewed: &Reviewed, approvals: &[&str]) -> QueueItem {
    let briefing = reviewed.briefing();
    let decisions: Vec<_> = approvals
        .iter()
        .map(|who| {
            json!({"decision": Digest::of(who.as_bytes()), "kind": "approve", "approver": who, "name": who,
                   "decided_at": now(), "narrowed": false})
        })
        .collect();
    serde_json::from_value(json!({
        "id": "p-1", "title": "as the backend calls it", "action": briefing.proposal.action.kind(),
        "agent": briefing.proposal.agent, "state": "waiting", "scope": briefing.assessment.scope, "targets": 1,
        "down": 0, "why": [], "quorum": briefing.assessment.quorum, "decisions": decisions,
        "briefing": reviewed.digest(), "assessed_in": 0, "received_at": now(), "expires_at": briefing.expires_at,
        "supersedes": null, "operation": null,
    }))
    .unwrap()
}

pub(crate) fn topology(yaml: &str) -> Topology {
    document::topology(yaml)
        .unwrap_or_else(|error| panic!("{error}"))
        .document
}

const HEAD: &str =
    "schema: countersign/topology/v1\nobserved_at: 2026-11-24T01:30:00Z\nsource: cmdb\n";

/// Scenario B at full size: a database with fourteen application servers, hospitals and clinics behind them.
pub(crate) fn hospital() -> Topology {
    let mut yaml = format!(
        "{HEAD}services:\n  - {{ id: patient-records, title: Electronic health records, tier: safety-critical }}\nsystems:\n  - {{ id: ehr-db-1, class: database, tier: safety-critical, service: patient-records }}\n"
    );
    let mut dependencies = String::from("dependencies:\n");
    for n in 1..=14 {
        writeln!(yaml, "  - {{ id: ehr-app-{n}, class: app-server, tier: safety-critical, service: patient-records }}").unwrap();
        writeln!(dependencies, "  - {{ from: ehr-app-{n}, to: ehr-db-1, kind: credential, credential: svc_ehr, strength: hard }}").unwrap();
    }
    for n in 1..=3 {
        writeln!(
            yaml,
            "  - {{ id: hospital-{n}, class: hospital, tier: safety-critical }}"
        )
        .unwrap();
        writeln!(
            dependencies,
            "  - {{ from: hospital-{n}, to: ehr-app-{n}, kind: runtime, strength: hard }}"
        )
        .unwrap();
    }
    for n in 1..=26 {
        writeln!(
            yaml,
            "  - {{ id: clinic-{n}, class: clinic, tier: production-critical }}"
        )
        .unwrap();
        writeln!(
            dependencies,
            "  - {{ from: clinic-{n}, to: ehr-app-{}, kind: runtime, strength: soft }}",
            n % 14 + 1
        )
        .unwrap();
    }
    topology(&(yaml + &dependencies))
}

/// Scenario C: a SCADA server and twelve PLCs inside segments that are labelled harmless.
pub(crate) fn plant() -> Topology {
    let mut yaml = format!(
        "{HEAD}systems:\n  - {{ id: seg-corp, class: network-segment, tier: non-critical, cidr: 10.4.0.0/16 }}\n  - {{ id: seg-plant, class: network-segment, tier: non-critical, cidr: 10.8.0.0/16 }}\n  - {{ id: scada-1, class: scada-server, tier: safety-critical, addresses: [10.4.3.9] }}\n"
    );
    let mut dependencies = String::from("dependencies:\n");
    for n in 1..=12 {
        writeln!(
            yaml,
            "  - {{ id: plc-{n}, class: plc, tier: safety-critical, addresses: [10.8.7.{n}] }}"
        )
        .unwrap();
        writeln!(
            dependencies,
            "  - {{ from: plc-{n}, to: scada-1, kind: control, strength: hard }}"
        )
        .unwrap();
    }
    topology(&(yaml + &dependencies))
}

/// Scenario A: 1,240 Linux hosts, 640 of them payments in one redundancy group, each with an agent
/// of its own, so that no two have the same neighbours.
pub(crate) fn hosts() -> Topology {
    let mut yaml = format!(
        "{HEAD}services:\n  - {{ id: payments, title: Payment processing, tier: production-critical }}\nsystems:\n"
    );
    let mut dependencies = String::from("dependencies:\n");
    for n in 1..=1240 {
        let more = if n <= 640 {
            "tier: production-critical, service: payments, redundancy: { group: pay-ldn, min_healthy: 600 }"
        } else {
            "tier: non-critical"
        };
        writeln!(
            yaml,
            "  - {{ id: host-{n}, class: linux-server, labels: {{ env: prod }}, {more} }}"
        )
        .unwrap();
        writeln!(
            yaml,
            "  - {{ id: agent-{n}, class: monitor, tier: non-critical }}"
        )
        .unwrap();
        writeln!(
            dependencies,
            "  - {{ from: agent-{n}, to: host-{n}, kind: data, strength: soft }}"
        )
        .unwrap();
    }
    topology(&(yaml + &dependencies))
}
