//! What agents, consoles and auditors rely on besides decisions.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::Digest;
use countersign_core::log::{
    Checkpoint, EntryKind, leaf_hash, verify_consistency, verify_inclusion,
};
use countersign_wire::client::{Client, Notice, QueueState};
use countersign_wire::deployment::{BeginGenesis, BeginRegistration};
use countersign_wire::proposal::ItemState;
use countersign_wire::registry::{EnvelopeState, SendSignal};
use ed25519_dalek::VerifyingKey;
use futures::StreamExt as _;
use serde_json::json;

use crate::world::{PEOPLE, World, attestation, register, start, word};

fn checkpoint(world: &World, note: &[u8]) -> Checkpoint {
    let key: [u8; 32] = world.genesis.log_key.0.clone().try_into().unwrap();
    let deployment = DeploymentId::of_log_key(&key);
    Checkpoint::verify(
        std::str::from_utf8(note).unwrap(),
        &deployment,
        &VerifyingKey::from_bytes(&key).unwrap(),
    )
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_proposal_repeats_the_answer() {
    let world = World::ready().await;
    let proposal = world.proposal("same", &["pay-1"]);
    let first = world.propose(&proposal).await.unwrap();
    let logged = world.log().await.len();
    assert_eq!(world.propose(&proposal).await.unwrap(), first);
    assert_eq!(world.log().await.len(), logged);
    let mut other = proposal.clone();
    other["targets"] = json!({"systems": ["web-1"]});
    assert_eq!(
        world.propose(&other).await.unwrap_err().code(),
        "idempotency_key_reused"
    );
    assert_eq!(
        world.log().await.last().unwrap().kind,
        EntryKind::ProposalRefused
    );
    // Of another agent.
    let mallory = world.register_agent("mallory").await;
    let stolen = mallory
        .propose(world.proposal("new", &["web-1"]).to_string().as_bytes())
        .await;
    assert_eq!(stolen.unwrap_err().code(), "agent_mismatch");
    assert_eq!(
        mallory
            .proposal(first.id.as_ref().unwrap())
            .await
            .unwrap_err()
            .code(),
        "not_found"
    );
    let mut superseding = world.proposal("new", &["pay-1"]);
    superseding["agent"] = json!("mallory");
    superseding["supersedes"] = json!(first.id);
    let refused = mallory.propose(superseding.to_string().as_bytes()).await;
    assert_eq!(refused.unwrap_err().code(), "supersedes_unknown");
    // Its own agent may replace it.
    let mut superseding = world.proposal("newer", &["pay-1"]);
    superseding["supersedes"] = json!(first.id);
    let second = world.propose(&superseding).await.unwrap();
    assert_eq!(second.state, ItemState::Waiting);
    assert_eq!(
        world
            .agent
            .proposal(first.id.as_ref().unwrap())
            .await
            .unwrap()
            .state,
        ItemState::Superseded
    );
    // Only assessed.
    let logged = world.log().await.len();
    let assessed = world
        .agent
        .assess_only(world.proposal("never", &["web-1"]).to_string().as_bytes())
        .await
        .unwrap();
    assert!(assessed.id.is_none());
    assert_eq!(word(&assessed.assessment.verdict), "autonomous");
    assert_eq!(world.log().await.len(), logged);
    // Void from the start.
    let refused = world
        .propose(&world.proposal("unknown", &["nowhere"]))
        .await
        .unwrap();
    assert_eq!(refused.state, ItemState::Refused);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_has_pages_and_briefings_have_tags() {
    let world = World::ready().await;
    for n in 0..5 {
        world.waiting(&format!("item-{n}")).await;
    }
    let cat = world.person("cat").await;
    let page = cat.client.queue_page(QueueState::Open, None).await.unwrap();
    assert_eq!(page.items.len(), 5);
    assert!(page.items.is_sorted_by_key(|item| item.expires_at));
    let item = &page.items[0];
    assert_eq!(item.title, "patch openssl to 3 on pay-1");
    assert_eq!(item.quorum.as_ref().unwrap().needed, 1);
    assert!(!item.why.is_empty());
    let http = reqwest::Client::new();
    let token = session_token(&world).await;
    let get = |path: String, tag: Option<String>| {
        let request = http
            .get(format!("{}{path}", world.url()))
            .bearer_auth(&token);
        match tag {
            Some(tag) => request.header("if-none-match", tag).send(),
            None => request.send(),
        }
    };
    let mut seen = BTreeSet::new();
    let mut cursor = String::new();
    for _ in 0..4 {
        let page: serde_json::Value = get(format!("/v1/queue?state=open&limit=2{cursor}"), None)
            .await
            .unwrap()
            .json()
            .await
            .unwrap();
        for item in page["items"].as_array().unwrap() {
            assert!(seen.insert(item["id"].as_str().unwrap().to_owned()));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(seen.len(), 5);
    let response = get(format!("/v1/briefings/{}", item.id), None)
        .await
        .unwrap();
    let tag = response.headers()["etag"].to_str().unwrap().to_owned();
    let bytes = response.bytes().await.unwrap();
    assert_eq!(tag, format!("\"{}\"", Digest::of(&bytes)));
    assert_eq!(item.briefing, Digest::of(&bytes));
    let again = get(format!("/v1/briefings/{}", item.id), Some(tag))
        .await
        .unwrap();
    assert_eq!(again.status().as_u16(), 304);
    assert_eq!(
        get("/v1/queue?state=all".to_owned(), None)
            .await
            .unwrap()
            .status()
            .as_u16(),
        400
    );
}

async fn session_token(world: &World) -> String {
    // The client keeps its token to itself; a session of our own does as well.
    use countersign_core::canonical;
    use countersign_core::statement::{SESSION_NAMESPACE, SessionPredicate, SessionStatement};
    use countersign_core::webauthn::Bytes;
    let person = world.person("dan").await;
    let nonce = world
        .client
        .begin_session(&countersign_wire::session::BeginSession {
            approver: person.id.clone(),
        })
        .await
        .unwrap()
        .nonce;
    let bytes = canonical::to_bytes(&SessionStatement::new(SessionPredicate {
        audience: crate::person::audience(world),
        approver: person.id.clone(),
        credential: person.credential(),
        at: world.now(),
        nonce,
    }))
    .unwrap();
    let assertion = person.sign(SESSION_NAMESPACE, &bytes).await;
    let open = countersign_wire::session::OpenSession {
        statement: Bytes(bytes),
        assertion,
    };
    world.client.open_session(&open).await.unwrap().token
}

#[tokio::test(flavor = "multi_thread")]
async fn live_events_forget_nothing() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let from = checkpoint(&world, &world.client.checkpoint().await.unwrap()).size - 1;
    let mut live = cat.client.events(None);
    assert!(matches!(live.next().await, Some(Notice::Connected)));
    let id = world.waiting("seen").await;
    let soon = Duration::from_secs(10);
    let Some(Notice::Changed(changed)) = tokio::time::timeout(soon, live.next()).await.unwrap()
    else {
        panic!()
    };
    assert_eq!(
        (changed.kind.as_str(), changed.item.as_deref()),
        ("proposal_assessed", Some(id.as_str()))
    );
    drop(live);
    cat.reject(&id).await.unwrap();
    // From the last one seen on, everything in order.
    let mut again = cat.client.events(Some(from));
    assert!(matches!(again.next().await, Some(Notice::Connected)));
    let mut kinds = Vec::new();
    for index in from + 1..from + 4 {
        let Some(Notice::Changed(changed)) =
            tokio::time::timeout(soon, again.next()).await.unwrap()
        else {
            panic!()
        };
        assert_eq!(changed.index, index);
        kinds.push(changed.kind);
    }
    assert_eq!(
        kinds,
        ["proposal_assessed", "decision_recorded", "item_closed"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_proves_itself() {
    let mut world = World::ready().await;
    let old = checkpoint(&world, &world.client.checkpoint().await.unwrap());
    world.waiting("more").await;
    let new = checkpoint(&world, &world.client.checkpoint().await.unwrap());
    assert!(new.size > old.size);
    let proof = world
        .client
        .consistency_proof(old.size, new.size)
        .await
        .unwrap();
    verify_consistency(old.size, old.root, new.size, new.root, &proof).unwrap();
    for index in [0, 1, old.size - 1, new.size - 1] {
        let entry = world.operator.log_entry(index).await.unwrap();
        let proof = world.client.inclusion_proof(index, new.size).await.unwrap();
        verify_inclusion(leaf_hash(&entry), index, new.size, &proof, new.root).unwrap();
    }
    assert_eq!(
        world.client.log_entry(0).await.unwrap_err().code(),
        "unauthenticated"
    );
    let entries = world.log().await;
    assert_eq!(entries[0].kind, EntryKind::Genesis);
    assert_eq!(entries[1].kind, EntryKind::BackendStarted);
    // The same log after a restart.
    world.restart().await;
    let after = checkpoint(&world, &world.client.checkpoint().await.unwrap());
    let proof = world
        .client
        .consistency_proof(new.size, after.size)
        .await
        .unwrap();
    verify_consistency(new.size, new.root, after.size, after.root, &proof).unwrap();
    assert_eq!(
        world.log().await.last().unwrap().kind,
        EntryKind::BackendStarted
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_are_counted_not_recorded_one_by_one() {
    let world = World::ready().await;
    let logged = world.log().await.len();
    for _ in 0..3 {
        assert_eq!(
            world
                .client
                .with_bearer("csa_x")
                .unwrap()
                .propose(b"{}")
                .await
                .unwrap_err()
                .code(),
            "unauthenticated"
        );
    }
    assert_eq!(world.log().await.len(), logged);
    let mut world = world;
    world.restart().await;
    let aggregated = world
        .log()
        .await
        .into_iter()
        .find(|entry| entry.kind == EntryKind::RefusalsAggregated)
        .unwrap();
    assert_eq!(
        (&aggregated.body["code"], &aggregated.body["count"]),
        (&json!("unauthenticated"), &json!(3))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn topologies_only_tighten_and_envelopes_only_advance() {
    let world = World::ready().await;
    let loose = world.topology().replace(
        r#""id":"ehr-1","tier":"safety-critical""#,
        r#""id":"ehr-1","tier":"non-critical""#,
    );
    assert_ne!(loose, world.topology());
    let refused = world
        .operator
        .import_topology(loose.as_bytes())
        .await
        .unwrap_err();
    assert_eq!(refused.code(), "topology_loosening_needs_acceptance");
    let tight = world.topology().replace(
        r#""id":"web-3","tier":"non-critical""#,
        r#""id":"web-3","tier":"safety-critical""#,
    );
    assert!(
        world
            .operator
            .import_topology(tight.as_bytes())
            .await
            .unwrap()
            .created
    );
    let answer = world
        .propose(&world.proposal("tight", &["web-3"]))
        .await
        .unwrap();
    assert_eq!(word(&answer.assessment.scope.tier), "safety-critical");

    assert_eq!(
        world
            .operator
            .import_envelope(world.envelope(1).as_bytes())
            .await
            .unwrap_err()
            .code(),
        "envelope_version_not_higher"
    );
    let renamed = world
        .envelope(2)
        .replace(r#""name":"small""#, r#""name":"large""#);
    assert_eq!(
        world
            .operator
            .import_envelope(renamed.as_bytes())
            .await
            .unwrap_err()
            .code(),
        "envelope_name_differs"
    );
    let second = world
        .operator
        .import_envelope(world.envelope(2).as_bytes())
        .await
        .unwrap();
    let ann = world.person("ann").await;
    let first = ann.authorise(&second.digest).await.unwrap();
    assert!(!first.complete);
    assert_eq!(
        ann.authorise(&second.digest).await.unwrap_err().code(),
        "already_decided"
    );
    assert_eq!(
        world
            .person("cat")
            .await
            .authorise(&second.digest)
            .await
            .unwrap_err()
            .code(),
        "not_eligible"
    );
    let states: Vec<_> = world
        .operator
        .envelopes()
        .await
        .unwrap()
        .into_iter()
        .map(|e| (e.version, e.state, e.signed))
        .collect();
    assert_eq!(
        states,
        [
            (2, EnvelopeState::Draft, 1),
            (1, EnvelopeState::Authorised, 2)
        ]
    );
    assert!(
        world
            .person("ben")
            .await
            .authorise(&second.digest)
            .await
            .unwrap()
            .complete
    );
    let states: Vec<_> = world
        .operator
        .envelopes()
        .await
        .unwrap()
        .into_iter()
        .map(|e| (e.version, e.state))
        .collect();
    assert_eq!(
        states,
        [(2, EnvelopeState::Authorised), (1, EnvelopeState::Replaced)]
    );
    assert_eq!(
        ann.authorise(&second.digest).await.unwrap_err().code(),
        "envelope_not_draft"
    );
    let files = ann
        .client
        .evidence(&second.digest.to_string())
        .await
        .unwrap();
    let files = files
        .into_iter()
        .map(|(path, bytes)| (path, bytes.0))
        .collect();
    let report = countersign_core::evidence::verify(&files, None);
    assert!(
        report.holds(),
        "{:#?}",
        report.failures().collect::<Vec<_>>()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signals_are_those_of_their_source() {
    let world = World::new().await;
    let signal = SendSignal {
        systems: BTreeSet::from(["web-1".parse().unwrap()]),
        kind: "inventory".to_owned(),
        summary: "openssl 2".to_owned(),
        observed_at: world.now(),
    };
    assert_eq!(
        world.agent.send_signal(&signal).await.unwrap_err().code(),
        "forbidden"
    );
    let late = SendSignal {
        observed_at: world.now() + TimeDelta::hours(1),
        ..signal.clone()
    };
    let secret = world
        .operator
        .register_source(&countersign_wire::registry::RegisterSource {
            source: "inventory".parse().unwrap(),
            upstream: "own".parse().unwrap(),
        })
        .await
        .unwrap();
    let source = world.client.with_bearer(&secret.secret).unwrap();
    assert_eq!(
        source.send_signal(&late).await.unwrap_err().code(),
        "signal_invalid"
    );
    source.send_signal(&signal).await.unwrap();
    assert_eq!(
        world.log().await.last().unwrap().kind,
        EntryKind::SignalReceived
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genesis_is_sealed_once_by_two_administrators_with_keys_that_count() {
    let world = World::new().await;
    let begin = |demonstration| BeginGenesis {
        name: "Another".to_owned(),
        demonstration,
        attestation: vec![attestation(&world.keys)],
    };
    assert_eq!(
        world
            .operator
            .begin_genesis(&begin(true))
            .await
            .unwrap_err()
            .code(),
        "genesis_sealed"
    );
    assert_eq!(
        world
            .client
            .begin_genesis(&begin(true))
            .await
            .unwrap_err()
            .code(),
        "unauthenticated"
    );

    // A fresh backend.
    let folder = tempfile::tempdir().unwrap();
    let running = start(folder.path(), world.config.clone(), world.clock.clone()).await;
    let client = Client::new(&format!("http://{}", running.address)).unwrap();
    let operator = client.with_bearer(crate::world::OPERATOR).unwrap();
    assert_eq!(client.genesis().await.unwrap_err().code(), "no_genesis");
    assert_eq!(
        operator.import_topology(b"{}").await.unwrap_err().code(),
        "document_invalid"
    );
    assert_eq!(
        operator
            .import_topology(world.topology().as_bytes())
            .await
            .unwrap_err()
            .code(),
        "no_genesis"
    );
    assert_eq!(
        operator.seal_genesis().await.unwrap_err().code(),
        "genesis_not_begun"
    );
    // No demonstration key outside of a demonstration.
    assert_eq!(
        operator
            .begin_genesis(&begin(false))
            .await
            .unwrap_err()
            .code(),
        "demonstration_key_refused"
    );
    operator.begin_genesis(&begin(true)).await.unwrap();
    let (first, roles) = PEOPLE[0];
    register(&operator, &world.keys, first, first, roles)
        .await
        .unwrap();
    assert_eq!(
        operator.seal_genesis().await.unwrap_err().code(),
        "administrators_missing"
    );
    // One key for two people: it is told what it holds already, and makes no second credential.
    let second = BeginRegistration {
        approver: "second".parse().unwrap(),
        name: "The second".to_owned(),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
    };
    let options = operator.begin_registration(&second).await.unwrap();
    assert_eq!(options.exclude.len(), 1);
    // A key without attestation of the list is refused.
    let other = {
        let folder = folder.path().join("other-keys");
        tokio::task::spawn_blocking(move || {
            countersign_virtual_key::KeyRing::create(&folder, &["eve"], crate::world::PIN)
        })
        .await
        .unwrap()
        .unwrap()
    };
    let refused = register(&operator, &other, "eve", "eve", roles).await;
    assert_eq!(refused.unwrap_err().code(), "registration_refused");
    assert_eq!(
        operator.seal_genesis().await.unwrap_err().code(),
        "registration_unfinished"
    );
    operator.begin_genesis(&begin(true)).await.unwrap();
    for (id, roles) in PEOPLE {
        register(&operator, &world.keys, id, id, roles)
            .await
            .unwrap();
    }
    let sealed = operator.seal_genesis().await.unwrap();
    let bytes = client.genesis().await.unwrap();
    assert_eq!(Digest::of(&bytes), sealed.genesis);
    assert_eq!(
        client.deployment().await.unwrap().genesis,
        Some(sealed.genesis)
    );
    assert!(
        !String::from_utf8(bytes).unwrap().contains("the person"),
        "names are salted payloads"
    );
    running.stop().await.unwrap();
}
