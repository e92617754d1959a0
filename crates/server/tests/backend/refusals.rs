//! What is refused, with a code of its own, changing nothing, and in the log (issue 2, «it must show» 2).

use std::collections::BTreeSet;

use chrono::TimeDelta;
use countersign_core::briefing::Narrowing;
use countersign_core::decision::ItemChoice;
use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::{Digest, ProposalId};
use countersign_core::log::EntryKind;
use countersign_core::statement::{CheckpointReference, DecisionKind, Statement};
use countersign_core::webauthn::Bytes;
use countersign_wire::client::{Client, ClientError};
use countersign_wire::decision::{About, BeginDecision, DecisionAccepted, SubmitDecision};
use countersign_wire::proposal::ItemState;
use countersign_wire::registry::RegisterAgent;
use countersign_wire::session::{BeginSession, OpenSession};
use serde_json::json;

use crate::person::{Person, SALT, rationale};
use crate::world::{OPERATOR, World};

const APPROVE: ItemChoice = ItemChoice::Approve { narrowing: None };

fn about(id: &ProposalId) -> About {
    About::Item(id.clone())
}

fn code(result: Result<DecisionAccepted, ClientError>) -> String {
    match result {
        Ok(accepted) => panic!("it was accepted: {accepted:?}"),
        Err(error) => error.code().to_owned(),
    }
}

/// Submits, and checks that the refusal has this code, changed nothing and is in the log.
async fn check(person: &Person<'_>, id: &ProposalId, submit: &SubmitDecision, expected: &str) {
    check_about(&person.world.agent, person, id, submit, expected).await;
}

/// As [`check`], about an item of this agent.
async fn check_about(
    agent: &Client,
    person: &Person<'_>,
    id: &ProposalId,
    submit: &SubmitDecision,
    expected: &str,
) {
    let world = person.world;
    let before = agent.proposal(id).await.unwrap();
    let decisions = person.client.queue_item(id).await.unwrap().decisions;
    let logged = world.log().await.len();

    assert_eq!(code(person.client.submit_decision(submit).await), expected);

    assert_eq!(
        agent.proposal(id).await.unwrap(),
        before,
        "{expected} changed the item"
    );
    assert_eq!(
        person.client.queue_item(id).await.unwrap().decisions,
        decisions,
        "{expected}"
    );
    let entries = world.log().await;
    assert_eq!(entries.len(), logged + 1, "{expected} is one entry");
    let entry = entries.last().unwrap();
    assert_eq!(entry.kind, EntryKind::DecisionRefused, "{expected}");
    assert_eq!(entry.body["code"], json!(expected));
    assert_eq!(entry.body["approver"], json!(person.id));
    assert_eq!(
        entry.body["statement"],
        json!(Digest::of(&submit.statement.0))
    );
}

/// A correctly signed statement that `change` made say something else.
async fn changed(
    person: &Person<'_>,
    id: &ProposalId,
    change: impl FnOnce(&mut Statement),
) -> SubmitDecision {
    let mut statement = person.statement(id, &APPROVE).await;
    change(&mut statement);
    person.signed(about(id), &statement).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_decision_has_its_own_code() {
    let world = World::ready().await;
    let (cat, ann) = (world.person("cat").await, world.person("ann").await);
    let id = world.waiting("first").await;
    let other = world.waiting("second").await;

    // For another item: the nonce was given for the first.
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.about = about(&other);
    check(&cat, &other, &submit, "nonce_of_another").await;
    // For another item: the subjects are those of the first.
    let mut statement = cat.statement(&id, &APPROVE).await;
    statement.predicate.nonce = cat.nonce(&about(&other), DecisionKind::Approve).await;
    check(
        &cat,
        &other,
        &cat.signed(about(&other), &statement).await,
        "statement_mismatch",
    )
    .await;
    // Of another kind than the nonce.
    let mut statement = cat.statement(&id, &ItemChoice::Reject).await;
    statement.predicate.nonce = cat.nonce(&about(&id), DecisionKind::Approve).await;
    check(
        &cat,
        &id,
        &cat.signed(about(&id), &statement).await,
        "nonce_of_another",
    )
    .await;
    // For another backend.
    let stranger = DeploymentId::of_log_key(&[9; 32]);
    let submit = changed(&cat, &id, |statement| {
        statement.predicate.audience = stranger
    })
    .await;
    check(&cat, &id, &submit, "wrong_audience").await;
    // By a key that is not enrolled: the key of another person, with this one's credential id.
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.assertion.credential_id = ann.credential();
    check(&cat, &id, &submit, "credential_not_enrolled").await;
    let mut statement = cat.statement(&id, &APPROVE).await;
    statement.predicate.credential = ann.credential();
    let as_ann = Person {
        world: &world,
        id: ann.id.clone(),
        client: cat.client.clone(),
        key: "ann".to_owned(),
        token: cat.token.clone(),
    };
    let bytes = statement.to_bytes().unwrap();
    check(
        &cat,
        &id,
        &as_ann.signed_bytes(about(&id), bytes).await,
        "credential_not_enrolled",
    )
    .await;
    // By somebody who is not enrolled at all.
    let submit = changed(&cat, &id, |statement| {
        statement.predicate.approver = "eve".parse().unwrap()
    })
    .await;
    check(&cat, &id, &submit, "unknown_approver").await;
    // Without a PIN: what the key signs for whoever holds it, and a flag that is taken away after.
    let bytes = cat.statement(&id, &APPROVE).await.to_bytes().unwrap();
    let submit = SubmitDecision {
        about: about(&id),
        assertion: cat.sign_without_pin(&bytes).await,
        statement: Bytes(bytes),
        rationale: rationale(),
    };
    check(&cat, &id, &submit, "user_not_verified").await;
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.assertion.authenticator_data.0[32] &= !0b100;
    check(&cat, &id, &submit, "user_not_verified").await;
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.assertion.authenticator_data.0[32] &= !0b001;
    check(&cat, &id, &submit, "user_not_present").await;
    // A counter that a copy made up: the signature covers it.
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.assertion.authenticator_data.0[36] ^= 1;
    check(&cat, &id, &submit, "signature_invalid").await;
    // In another spelling.
    let mut bytes = cat.statement(&id, &APPROVE).await.to_bytes().unwrap();
    bytes.push(b'\n');
    check(
        &cat,
        &id,
        &cat.signed_bytes(about(&id), bytes).await,
        "not_canonical",
    )
    .await;
    check(
        &cat,
        &id,
        &cat.signed_bytes(about(&id), b"{}".to_vec()).await,
        "statement_malformed",
    )
    .await;
    // The session of another person.
    let submit = ann
        .signed(about(&id), &ann.statement(&id, &APPROVE).await)
        .await;
    check(&cat, &id, &submit, "another_approver").await;
    // Without the role.
    let submit = ann
        .signed(about(&id), &ann.statement(&id, &APPROVE).await)
        .await;
    check(&ann, &id, &submit, "not_eligible").await;
    // Another clock.
    let submit = changed(&cat, &id, |s| {
        s.predicate.decided_at -= TimeDelta::minutes(2)
    })
    .await;
    check(&cat, &id, &submit, "clock_skew").await;
    // Another log.
    let submit = changed(&cat, &id, |s| {
        s.predicate.checkpoint = CheckpointReference {
            root: Digest::of(b"x"),
            ..s.predicate.checkpoint
        };
    })
    .await;
    check(&cat, &id, &submit, "checkpoint_unknown").await;
    let submit = changed(&cat, &id, |s| s.predicate.checkpoint.size += 1_000).await;
    check(&cat, &id, &submit, "checkpoint_unknown").await;
    // Wider than proposed, or valid for longer.
    let submit = changed(&cat, &id, |s| s.predicate.not_after += TimeDelta::days(1)).await;
    check(&cat, &id, &submit, "statement_mismatch").await;
    let submit = changed(&cat, &id, |s| {
        s.predicate.narrowing = Some(Narrowing {
            targets: BTreeSet::from(["ehr-1".parse().unwrap()]),
        });
    })
    .await;
    check(&cat, &id, &submit, "statement_mismatch").await;
    // Nothing seen.
    let submit = changed(&cat, &id, |s| s.predicate.acknowledged.clear()).await;
    check(&cat, &id, &submit, "acknowledgement_missing").await;
    // Another rationale.
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.rationale.text = "Something else.".to_owned();
    check(&cat, &id, &submit, "rationale_mismatch").await;
    let submit = changed(&cat, &id, |s| {
        s.predicate.rationale = countersign_core::statement::commitment(&SALT, " ");
    })
    .await;
    let submit = SubmitDecision {
        rationale: countersign_wire::decision::RationalePayload {
            text: " ".to_owned(),
            ..submit.rationale
        },
        ..submit
    };
    check(&cat, &id, &submit, "rationale_missing").await;
    // A nonce that was never given.
    let submit = changed(&cat, &id, |s| s.predicate.nonce = Bytes(vec![1; 32])).await;
    check(&cat, &id, &submit, "nonce_unknown").await;
    // A kind that comes later, and one that is not decided about items.
    let submit = changed(&cat, &id, |s| s.predicate.kind = DecisionKind::BreakGlass).await;
    check(&cat, &id, &submit, "kind_not_supported").await;
    // Too late for its nonce.
    let submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    world.clock.advance(TimeDelta::minutes(6));
    check(&cat, &id, &submit, "nonce_expired").await;

    // Nothing of all that used anything up: the real decision still counts, once.
    let accepted = cat.approve(&id).await.unwrap();
    assert!(accepted.complete);
    assert!(world.system("web-1") == "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_changed_byte_anywhere_in_the_statement_is_refused() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let id = world.waiting("bytes").await;
    let statement = cat.statement(&id, &APPROVE).await;
    let submit = cat.signed(about(&id), &statement).await;
    let mut codes = BTreeSet::new();
    for place in (0..submit.statement.0.len()).step_by(7) {
        let mut submit = submit.clone();
        submit.statement.0[place] ^= 1;
        codes.insert(code(cat.client.submit_decision(&submit).await));
    }
    assert!(codes.contains("signature_invalid"), "{codes:?}");
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Waiting
    );
    cat.client.submit_decision(&submit).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_counts_once() {
    let world = World::ready().await;
    let id = {
        let answer = world
            .propose(&world.proposal("two", &["ehr-1"]))
            .await
            .unwrap();
        answer.id.unwrap()
    };
    let ann = world.person("ann").await;
    let statement = ann.statement(&id, &APPROVE).await;
    let submit = ann.signed(about(&id), &statement).await;
    assert!(!ann.client.submit_decision(&submit).await.unwrap().complete);
    check(&ann, &id, &submit, "nonce_used").await;
    // Signed again, properly.
    let submit = ann
        .signed(about(&id), &ann.statement(&id, &APPROVE).await)
        .await;
    check(&ann, &id, &submit, "already_decided").await;
    // An earlier signature of the same key, under a later one.
    let early = ann
        .signed(about(&id), &ann.statement(&id, &ItemChoice::Reject).await)
        .await;
    let other = world.waiting("other").await;
    let late = ann.statement(&other, &ItemChoice::Reject).await;
    ann.client
        .submit_decision(&ann.signed(about(&other), &late).await)
        .await
        .unwrap();
    check(&ann, &id, &early, "counter_not_advanced").await;
    // One eligible rejection closes it, whoever approved.
    let ben = world.person("ben").await;
    assert!(ben.reject(&id).await.unwrap().complete);
    assert_eq!(
        world.agent.proposal(&id).await.unwrap().state,
        ItemState::Rejected
    );
    let submit = ben
        .signed(about(&id), &ben.statement(&id, &APPROVE).await)
        .await;
    check(&ben, &id, &submit, "item_closed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_decides_late_or_about_their_own_proposal() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let id = world.waiting("late").await;
    let statement = cat.statement(&id, &APPROVE).await;
    let submit = cat.signed(about(&id), &statement).await;
    world.clock.advance(TimeDelta::minutes(61));
    world.wait_for_item(&id, ItemState::Expired).await;
    let late = cat
        .client
        .begin_decision(&BeginDecision {
            about: about(&id),
            kind: DecisionKind::Approve,
        })
        .await;
    let mut again = statement.clone();
    again.predicate.nonce = late.unwrap().nonce;
    again.predicate.decided_at = statement.predicate.not_after - TimeDelta::seconds(1);
    let again = cat.signed(about(&id), &again).await;
    check(&cat, &id, &again, "item_expired").await;
    check(&cat, &id, &submit, "nonce_expired").await;

    // An agent of the approver's own name.
    let agent = world.register_agent("cat").await;
    let mut proposal = world.proposal("own", &["pay-1"]);
    proposal["agent"] = json!("cat");
    let answer = agent
        .propose(proposal.to_string().as_bytes())
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    check_about(&agent, &cat, &id, &submit, "own_proposal").await;
    assert_eq!(agent.proposal(&id).await.unwrap().state, ItemState::Waiting);
    let dan = world.person("dan").await;
    assert!(dan.reject(&id).await.unwrap().complete);

    // An agent of another name that the approver operates.
    let nobody = RegisterAgent {
        agent: "stray".parse().unwrap(),
        operated_by: ["nobody".parse().unwrap()].into(),
    };
    let refused = world.operator.register_agent(&nobody).await.unwrap_err();
    assert_eq!(refused.code(), "unknown_approver");
    let agent = world.register_agent_of("cats-agent", &["cat"]).await;
    let registered = world.log().await.pop().unwrap();
    assert_eq!(registered.kind, EntryKind::AgentRegistered);
    assert_eq!(registered.body["operated_by"], json!(["cat"]));
    let mut proposal = world.proposal("operated", &["pay-1"]);
    proposal["agent"] = json!("cats-agent");
    let answer = agent
        .propose(proposal.to_string().as_bytes())
        .await
        .unwrap();
    let id = answer.id.unwrap();
    let item = cat.client.queue_item(&id).await.unwrap();
    assert_eq!(item.operated_by, ["cat".parse().unwrap()].into());
    let submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    assert_eq!(
        code(cat.client.submit_decision(&submit).await),
        "own_proposal"
    );
    assert!(dan.reject(&id).await.unwrap().complete);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operators_token_and_a_session_decide_nothing() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let id = world.waiting("who").await;
    let submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    assert_eq!(
        code(world.operator.submit_decision(&submit).await),
        "forbidden"
    );
    assert_eq!(
        code(world.agent.submit_decision(&submit).await),
        "forbidden"
    );
    assert_eq!(
        code(world.client.submit_decision(&submit).await),
        "unauthenticated"
    );
    assert_eq!(
        cat.client.import_envelope(b"{}").await.unwrap_err().code(),
        "forbidden"
    );
    assert_eq!(
        world.operator.briefing(&id).await.unwrap_err().code(),
        "forbidden"
    );
    let stranger = world.client.with_bearer("css_nobody").unwrap();
    assert_eq!(
        stranger.briefing(&id).await.unwrap_err().code(),
        "unauthenticated"
    );
    cat.client.close_session().await.unwrap();
    assert_eq!(
        cat.client.briefing(&id).await.unwrap_err().code(),
        "unauthenticated"
    );
    let dan = world.person("dan").await;
    world.clock.advance(TimeDelta::hours(13));
    assert_eq!(
        dan.client.briefing(&id).await.unwrap_err().code(),
        "session_expired"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_in_is_refused_like_deciding() {
    let world = World::new().await;
    let unknown = world
        .client
        .begin_session(&BeginSession {
            approver: "eve".parse().unwrap(),
        })
        .await;
    assert_eq!(unknown.unwrap_err().code(), "unknown_approver");
    // A decision is no sign-in, whatever its bytes.
    let open = OpenSession {
        statement: Bytes(b"{}".to_vec()),
        assertion: countersign_core::webauthn::Assertion {
            credential_id: Bytes(vec![]),
            authenticator_data: Bytes(vec![]),
            client_data_json: Bytes(vec![]),
            signature: Bytes(vec![]),
        },
    };
    assert_eq!(
        world.client.open_session(&open).await.unwrap_err().code(),
        "statement_malformed"
    );
    // Another person's key.
    let cat = Person::sign_in(&world, "cat").await.unwrap();
    assert_eq!(
        cat.client
            .queue_page(countersign_wire::client::QueueState::Open, None)
            .await
            .unwrap()
            .items
            .len(),
        0
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_as_a_decision_is_counted() {
    let mut world = World::ready().await;
    let token = {
        let cat = world.person("cat").await;
        cat.token.clone()
    };
    let http = reqwest::Client::new();
    let url = format!("{}/v1/decisions", world.url());
    for (bearer, body, status) in [
        (token.as_str(), "{", 400),
        (token.as_str(), r#"{"statement":"*"}"#, 422),
        (OPERATOR, "{}", 403),
        ("css_nobody", "{}", 401),
    ] {
        let response = http
            .post(&url)
            .bearer_auth(bearer)
            .header("content-type", "application/json")
            .body(body)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{body}");
    }
    world.restart().await;
    let counted: BTreeSet<String> = world
        .log()
        .await
        .iter()
        .filter(|entry| entry.kind == EntryKind::RefusalsAggregated)
        .map(|entry| entry.body["code"].as_str().unwrap().to_owned())
        .collect();
    for code in [
        "json_malformed",
        "json_invalid",
        "forbidden",
        "unauthenticated",
    ] {
        assert!(counted.contains(code), "{code}: {counted:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_in_the_log_though_nobody_waits_for_it() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let id = world.waiting("dropped").await;
    let mut submit = cat
        .signed(about(&id), &cat.statement(&id, &APPROVE).await)
        .await;
    submit.rationale.text = "Something else.".to_owned();
    // While somebody else writes, the request waits for the writer, and its sender leaves.
    let mut other = world.database().await;
    sqlx::query("BEGIN IMMEDIATE")
        .execute(&mut other)
        .await
        .unwrap();
    let left = tokio::time::timeout(
        std::time::Duration::from_millis(500),
        cat.client.submit_decision(&submit),
    )
    .await;
    assert!(left.is_err());
    tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    for _ in 0..100 {
        if world.kinds().await.contains_key("decision_refused") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", world.kinds().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_made_up_token_asks_no_more_often_than_none() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let stranger = world.client.with_bearer("css_nobody").unwrap();
    let mut codes = BTreeSet::new();
    for _ in 0..500 {
        match stranger.operations().await {
            Ok(_) => panic!(),
            Err(error) => codes.insert(error.code().to_owned()),
        };
    }
    assert!(codes.contains("too_many_requests"), "{codes:?}");
    // Whoever is known is not kept waiting by strangers of the same address.
    for _ in 0..20 {
        let _refused = stranger.operations().await;
        cat.client.operations().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_stream_ends_with_its_session() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let mut response = reqwest::Client::new()
        .get(format!("{}/v1/events", world.url()))
        .bearer_auth(&cat.token)
        .send()
        .await
        .unwrap();
    assert_eq!(response.status().as_u16(), 200);
    cat.client.close_session().await.unwrap();
    let soon = std::time::Duration::from_secs(10);
    let ended = tokio::time::timeout(soon, async {
        while response.chunk().await.unwrap().is_some() {}
    });
    ended.await.unwrap();
}
