//! Suspended autonomy (AG-706 4.10): one person stops what runs alone, two let it go on.

use std::collections::BTreeSet;
use std::time::Duration;

use chrono::TimeDelta;
use countersign_core::assessment::Clause;
use countersign_core::decision::{SuspensionSubjects, for_suspension};
use countersign_core::evidence;
use countersign_core::identifier::{Digest, OperationId};
use countersign_core::log::EntryKind;
use countersign_core::log::body::OperationRecorded;
use countersign_core::operation::Record;
use countersign_core::statement::{CheckpointReference, DecisionKind};
use countersign_core::suspension::{Extent, RuleOfEnvelope, Suspension};
use countersign_core::webauthn::Bytes;
use countersign_wire::client::{Client, ClientError, Notice};
use countersign_wire::decision::{About, DecisionAccepted, SubmitDecision};
use countersign_wire::operation::{OperationState, SystemPhase};
use countersign_wire::proposal::{ItemState, ProposalAnswer};
use countersign_wire::registry::RegisterDetection;
use countersign_wire::suspension::SuspendAutonomy;
use futures::StreamExt as _;
use serde_json::{Value, json};

use crate::person::{Person, audience, judgement};
use crate::recovery::program;
use crate::world::World;

/// Rounds of the measurement.
const ROUNDS: usize = 5;
/// Hosts that it is made on; the blast radius allows 50 systems.
const HOSTS: usize = 40;

impl Person<'_> {
    fn suspension(&self, suspends: Extent) -> Suspension {
        let world = self.world;
        Suspension::new(audience(world), suspends, self.id.clone(), world.now())
    }

    async fn signs(&self, subjects: &SuspensionSubjects) -> SubmitDecision {
        self.signs_having_seen(subjects, |_| ()).await
    }

    async fn signs_having_seen(
        &self,
        subjects: &SuspensionSubjects,
        another_log: impl FnOnce(&mut CheckpointReference),
    ) -> SubmitDecision {
        let about = About::Suspension(subjects.suspension());
        let nonce = self.nonce(&about, subjects.kind()).await;
        let until = self.world.now() + TimeDelta::minutes(5);
        let mut attempt = self.attempt(nonce, until).await;
        another_log(&mut attempt.checkpoint);
        let statement = for_suspension(subjects, &judgement(BTreeSet::new()), &attempt).unwrap();
        self.signed(about, &statement).await
    }

    async fn submits(&self, suspension: &Suspension) -> SuspendAutonomy {
        SuspendAutonomy {
            document: Bytes(suspension.to_bytes().unwrap()),
            decision: self
                .signs(&SuspensionSubjects::of(suspension).unwrap())
                .await,
        }
    }

    pub async fn suspend(
        &self,
        suspends: Extent,
    ) -> Result<(Digest, DecisionAccepted), ClientError> {
        let suspension = self.suspension(suspends);
        let submit = self.submits(&suspension).await;
        let accepted = self.client.suspend_autonomy(&submit).await?;
        Ok((suspension.digest().unwrap(), accepted))
    }

    /// What a decision to resume this suspension is about.
    async fn resumption(&self, suspension: &Digest) -> SuspensionSubjects {
        let in_force = self.client.suspensions().await.unwrap().suspensions;
        let shown = in_force.iter().find(|s| s.digest == *suspension).unwrap();
        assert_eq!(Digest::of(&shown.document.0), *suspension);
        SuspensionSubjects::Resume {
            suspension: *suspension,
            entry: Digest::of(&shown.entry.0),
        }
    }

    async fn resume(&self, suspension: &Digest) -> Result<DecisionAccepted, ClientError> {
        let subjects = self.resumption(suspension).await;
        let submit = self.signs(&subjects).await;
        self.client.submit_decision(&submit).await
    }
}

fn agent(name: &str) -> Extent {
    Extent::Agent(name.parse().unwrap())
}

fn rule(name: &str) -> Extent {
    Extent::Rule(RuleOfEnvelope {
        envelope: "small".to_owned(),
        rule: name.parse().unwrap(),
    })
}

/// What 4.10 says of it.
fn why(answer: &ProposalAnswer) -> &str {
    let findings = &answer.assessment.findings;
    let finding = findings.iter().find(|f| f.clause == Clause::C4_10).unwrap();
    &finding.message
}

async fn waits(world: &World, key: &str, systems: &[&str], because: &str) {
    let answer = world.propose(&world.proposal(key, systems)).await.unwrap();
    assert_eq!(answer.state, ItemState::Waiting, "{key}");
    assert!(why(&answer).contains(because), "{key}: {}", why(&answer));
}

async fn begins(world: &World, key: &str, systems: &[&str]) -> OperationId {
    let answer = world.propose(&world.proposal(key, systems)).await.unwrap();
    assert_eq!(answer.state, ItemState::Running, "{}", why(&answer));
    answer.operation.unwrap()
}

async fn in_force(world: &World) -> usize {
    world
        .operator
        .suspensions()
        .await
        .unwrap()
        .suspensions
        .len()
}

async fn phases(world: &World, id: &OperationId) -> Vec<SystemPhase> {
    let operation = world.operator.operation(id).await.unwrap();
    operation
        .systems
        .iter()
        .map(|system| system.phase)
        .collect()
}

async fn check_evidence(world: &World, id: &str) {
    let files = world.operator.evidence(id).await.unwrap();
    let files = files
        .into_iter()
        .map(|(path, bytes)| (path, bytes.0))
        .collect();
    let pinned = countersign_core::canonical::digest(&world.genesis).unwrap();
    let report = evidence::verify(&files, Some(pinned));
    assert!(
        report.holds(),
        "{:#?}",
        report.failures().collect::<Vec<_>>()
    );
}

/// When the systems of an operation were dispatched, by the numbers of their entries.
async fn dispatches(
    world: &World,
    id: &OperationId,
) -> Vec<(usize, chrono::DateTime<chrono::Utc>)> {
    let mut found = Vec::new();
    for (index, entry) in world.log().await.into_iter().enumerate() {
        let Ok(body) = entry.body::<OperationRecorded>() else {
            continue;
        };
        if body.operation == *id && matches!(body.record, Record::Touched { .. }) {
            found.push((index, entry.at));
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn one_on_call_engineer_stops_what_runs_alone_and_not_what_was_approved() {
    let world = World::ready().await;
    world.mark("hang-web-1");
    let alone = begins(&world, "alone", &["web-1", "web-2", "web-3"]).await;
    world.called("apply web-1").await;
    // Approved, and not dispatched yet either.
    world.mark("holds-pay-1");
    let id = world
        .propose(&world.proposal("approved", &["pay-1"]))
        .await
        .unwrap()
        .id
        .unwrap();
    let cat = world.person("cat").await;
    let approved = cat.approve(&id).await.unwrap().operation.unwrap();

    let (suspension, accepted) = cat.suspend(Extent::Backend).await.unwrap();
    assert!(accepted.complete);
    world.wait_for(&alone, OperationState::Held).await;
    // What is in flight is awaited and recorded; nothing else begins.
    world.unmark("hang-web-1");
    world.unmark("holds-pay-1");
    world.wait_for(&approved, OperationState::Completed).await;
    assert_eq!(world.system("pay-1"), "new");
    let [(index, _)] = dispatches(&world, &approved).await[..] else {
        panic!("it has one system")
    };
    assert!(
        u64::try_from(index).unwrap() > accepted.index,
        "it was dispatched before"
    );
    while phases(&world, &alone).await[0] != SystemPhase::Healthy {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(
        phases(&world, &alone).await,
        [
            SystemPhase::Healthy,
            SystemPhase::Pending,
            SystemPhase::Pending
        ]
    );
    waits(
        &world,
        "new",
        &["web-3"],
        "cat suspended everything that runs alone at ",
    )
    .await;
    let dispatched = dispatches(&world, &alone).await;
    let [(index, _)] = dispatched.as_slice() else {
        panic!("{dispatched:?}")
    };
    assert!(u64::try_from(*index).unwrap() < accepted.index);
    let calls = world.calls();
    assert!(!calls.iter().any(|call| call == "apply web-2"), "{calls:?}");

    // Two people let it go on, through its gate; nothing is done twice.
    world.person("dan").await.resume(&suspension).await.unwrap();
    assert_eq!(in_force(&world).await, 1);
    let accepted = world.person("ann").await.resume(&suspension).await.unwrap();
    assert!(accepted.complete);
    world.wait_for(&alone, OperationState::Completed).await;
    for system in ["web-1", "web-2", "web-3"] {
        let call = format!("apply {system}");
        assert_eq!(
            world.calls().iter().filter(|c| **c == call).count(),
            1,
            "{call}"
        );
    }
    begins(&world, "again", &["web-3"]).await;
    check_evidence(&world, &suspension.to_string()).await;
    check_evidence(&world, alone.as_str()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dispatch_stops_within_a_second_of_the_decision() {
    let world = World::ready().await;
    let names: Vec<String> = (1..=HOSTS).map(|n| format!("host-{n:02}")).collect();
    let mut topology: Value = serde_json::from_str(&world.topology()).unwrap();
    for name in &names {
        std::fs::write(world.folder.path().join("systems").join(name), "old").unwrap();
        topology["systems"]
            .as_array_mut()
            .unwrap()
            .push(json!({"id": name, "class": "linux-server", "tier": "non-critical"}));
    }
    let topology = topology.to_string();
    world
        .operator
        .import_topology(topology.as_bytes())
        .await
        .unwrap();
    let mut envelope: Value = serde_json::from_str(&world.envelope(2)).unwrap();
    envelope["rules"][0]["rollout"]["canary"] = json!(1);
    envelope["rules"][0]["rollout"]["waves"] = json!(["100%"]);
    world.authorise_text(&envelope.to_string()).await;
    let systems: Vec<&str> = names.iter().map(String::as_str).collect();
    let operation = begins(&world, "many", &systems).await;
    let (cat, dan) = (world.person("cat").await, world.person("dan").await);
    for round in 1..=ROUNDS {
        world.called(&format!("apply host-{:02}", round * 6)).await;
        let (suspension, accepted) = cat.suspend(Extent::Backend).await.unwrap();
        world.wait_for(&operation, OperationState::Held).await;
        let settled = async || {
            let phases = phases(&world, &operation).await;
            !phases.contains(&SystemPhase::InFlight)
        };
        while !settled().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        let calls = world.calls().len();
        let all = dispatches(&world, &operation).await;
        let (last, at) = *all.last().unwrap();
        println!(
            "round {round}: {} of {HOSTS} systems dispatched; the last {} ms after the decision was accepted (entry {last}, decision {})",
            all.len(),
            (at - accepted.received_at).num_milliseconds(),
            accepted.index,
        );
        // Not one dispatch is in the log after the decision, and so none is a second late.
        assert!(
            u64::try_from(last).unwrap() < accepted.index,
            "round {round}"
        );
        assert!(all.len() < HOSTS, "nothing was left to stop");
        // Every system that was dispatched was called once, and no other one.
        assert_eq!(world.calls().len(), calls);
        let applied = world
            .calls()
            .iter()
            .filter(|c| c.starts_with("apply host"))
            .count();
        assert_eq!(applied, all.len());
        cat.resume(&suspension).await.unwrap();
        assert!(dan.resume(&suspension).await.unwrap().complete);
    }
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(dispatches(&world, &operation).await.len(), HOSTS);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_different_people_resume_and_nobody_alone() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let mut live = cat.client.events(None);
    assert!(matches!(live.next().await, Some(Notice::Connected)));
    let (first, _) = cat.suspend(Extent::Backend).await.unwrap();
    let mut kinds = Vec::new();
    while kinds.len() < 2 {
        let soon = tokio::time::timeout(Duration::from_secs(10), live.next());
        if let Some(Notice::Changed(changed)) = soon.await.unwrap() {
            kinds.push(changed.kind);
        }
    }
    assert_eq!(kinds, ["decision_recorded", "autonomy_suspended"]);

    // A second one, by somebody else: each is resumed by itself.
    let dan = world.person("dan").await;
    let (second, _) = dan.suspend(Extent::Backend).await.unwrap();
    let accepted = cat.resume(&first).await.unwrap();
    assert_eq!(
        accepted.missing.as_deref(),
        Some("1 more approver; one of these roles: on-call-engineer, soc-lead")
    );
    let again = cat.resume(&first).await.unwrap_err();
    assert_eq!(again.code(), "already_decided");
    let ben = world.person("ben").await;
    assert_eq!(ben.resume(&first).await.unwrap_err().code(), "not_eligible");
    let shown = world.operator.suspensions().await.unwrap().suspensions;
    let resumed_by: Vec<Vec<&str>> = shown
        .iter()
        .map(|s| s.resumed_by.iter().map(|id| id.as_str()).collect())
        .collect();
    assert_eq!(resumed_by, [vec!["cat"], vec![]]);

    // What the second of them signs about the other suspension does not count for this one.
    dan.resume(&second).await.unwrap();
    assert_eq!(in_force(&world).await, 2);
    let over = dan.resumption(&first).await;
    assert!(dan.resume(&first).await.unwrap().complete);
    assert_eq!(in_force(&world).await, 1);
    waits(&world, "still", &["web-1"], "dan suspended everything").await;
    // It is over: nobody resumes it again, and no nonce is given for it.
    let about = About::Suspension(over.suspension());
    let begin = countersign_wire::decision::BeginDecision {
        about,
        kind: DecisionKind::ResumeAutonomy,
    };
    let error = cat.client.begin_decision(&begin).await.unwrap_err();
    assert_eq!(error.code(), "not_found");
    assert!(
        world
            .person("ann")
            .await
            .resume(&second)
            .await
            .unwrap()
            .complete
    );
    assert_eq!(in_force(&world).await, 0);
    begins(&world, "alone", &["web-1"]).await;
    let kinds = world.kinds().await;
    assert_eq!(
        (kinds["autonomy_suspended"], kinds["autonomy_resumed"]),
        (2, 2)
    );
    for suspension in [first, second] {
        check_evidence(&world, &suspension.to_string()).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_wrong_suspension_has_its_own_code_and_stops_nothing() {
    let world = World::ready().await;
    let (cat, ben) = (world.person("cat").await, world.person("ben").await);
    let check = async |person: &Person<'_>, submit: &SuspendAutonomy, code: &str| {
        let error = person.client.suspend_autonomy(submit).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert_eq!(in_force(&world).await, 0, "{code}");
    };
    // The board decides about envelopes, not about this.
    let of_ben = ben.submits(&ben.suspension(Extent::Backend)).await;
    check(&ben, &of_ben, "not_eligible").await;
    check(&cat, &of_ben, "another_approver").await;
    // What does not exist.
    for extent in [agent("nobody"), rule("nothing")] {
        let submit = cat.submits(&cat.suspension(extent)).await;
        check(&cat, &submit, "suspension_of_nothing").await;
    }
    // Another document than was signed for; one of somebody else, or of another time; none that is one.
    let mut submit = cat.submits(&cat.suspension(Extent::Backend)).await;
    submit.document = Bytes(cat.suspension(agent("soc-agent")).to_bytes().unwrap());
    check(&cat, &submit, "statement_mismatch").await;
    check(
        &cat,
        &cat.submits(&ben.suspension(Extent::Backend)).await,
        "suspension_invalid",
    )
    .await;
    let mut old = cat.suspension(Extent::Backend);
    old.asked_at -= TimeDelta::hours(1);
    check(&cat, &cat.submits(&old).await, "suspension_invalid").await;
    let mut submit = cat.submits(&cat.suspension(Extent::Backend)).await;
    submit.document.0.push(b' ');
    check(&cat, &submit, "suspension_invalid").await;
    // Without the document it is no suspension.
    let submit = cat.submits(&cat.suspension(Extent::Backend)).await;
    let error = cat
        .client
        .submit_decision(&submit.decision)
        .await
        .unwrap_err();
    assert_eq!(error.code(), "suspension_invalid");
    // Unsigned.
    let mut unsigned = submit.clone();
    unsigned.decision.assertion.signature = cat
        .submits(&cat.suspension(Extent::Backend))
        .await
        .decision
        .assertion
        .signature;
    check(&cat, &unsigned, "signature_invalid").await;
    let stranger = world.client.suspend_autonomy(&submit).await.unwrap_err();
    assert_eq!(stranger.code(), "unauthenticated");
    let kinds = world.kinds().await;
    assert_eq!(kinds["decision_refused"], 10, "every refusal is logged");

    // It was good all along. Once.
    cat.client.suspend_autonomy(&submit).await.unwrap();
    assert_eq!(in_force(&world).await, 1);
    let again = cat.client.suspend_autonomy(&submit).await.unwrap_err();
    assert_eq!(again.code(), "nonce_used");
    // Signed anew, the same suspension is recorded already.
    let same = Suspension::from_bytes(&submit.document.0).unwrap();
    let again = cat.client.suspend_autonomy(&cat.submits(&same).await).await;
    assert_eq!(again.unwrap_err().code(), "already_decided");
    assert_eq!(in_force(&world).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_not_the_one_seen_stops_resuming_and_never_suspending() {
    let world = World::ready().await;
    let cat = world.person("cat").await;
    let another = |checkpoint: &mut CheckpointReference| checkpoint.root = Digest::of(b"another");
    let suspension = cat.suspension(Extent::Backend);
    let subjects = SuspensionSubjects::of(&suspension).unwrap();
    let submit = SuspendAutonomy {
        document: Bytes(suspension.to_bytes().unwrap()),
        decision: cat.signs_having_seen(&subjects, another).await,
    };
    cat.client.suspend_autonomy(&submit).await.unwrap();
    assert_eq!(in_force(&world).await, 1);
    let subjects = cat.resumption(&subjects.suspension()).await;
    let submit = cat.signs_having_seen(&subjects, another).await;
    let error = cat.client.submit_decision(&submit).await.unwrap_err();
    assert_eq!(error.code(), "checkpoint_unknown");
    // An auditor is told of it.
    let files = cat
        .client
        .evidence(&subjects.suspension().to_string())
        .await
        .unwrap();
    let files = files
        .into_iter()
        .map(|(path, bytes)| (path, bytes.0))
        .collect();
    let report = evidence::verify(&files, None);
    let told: Vec<&str> = report
        .failures()
        .map(|check| check.sentence.as_str())
        .collect();
    assert!(told.iter().any(|told| told.contains("root")), "{told:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_suspension_survives_a_kill() {
    let mut world = World::ready().await;
    world.running.take().unwrap().stop().await.unwrap();
    let config = world.folder.path().join("config.json");
    std::fs::write(&config, serde_json::to_vec(&world.config).unwrap()).unwrap();
    let data = world.folder.path().join("data");
    let mut first = program(&data, Some(&config)).await;
    world.connect(&first.url);
    world.mark("hang-web-1");
    let operation = begins(&world, "killed", &["web-1", "web-2"]).await;
    world.called("apply web-1").await;
    let suspension = {
        let cat = world.person("cat").await;
        cat.suspend(Extent::Backend).await.unwrap().0
    };
    world.unmark("hang-web-1");
    world.wait_for(&operation, OperationState::Held).await;
    while phases(&world, &operation).await[0] != SystemPhase::Healthy {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    first.child.kill().await.unwrap();

    let mut again = program(&data, Some(&config)).await;
    world.connect(&again.url);
    assert_eq!(in_force(&world).await, 1);
    waits(&world, "after", &["web-3"], "cat suspended everything").await;
    // Nothing was dispatched by the new life either, however often it looked.
    let looked = tokio::time::Instant::now();
    while looked.elapsed() < Duration::from_secs(3) {
        assert_eq!(
            phases(&world, &operation).await,
            [SystemPhase::Healthy, SystemPhase::Pending]
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.system("web-2"), "old");
    // One signature before another kill, and one after it.
    world.person("cat").await.resume(&suspension).await.unwrap();
    again.child.kill().await.unwrap();
    let last = program(&data, Some(&config)).await;
    world.connect(&last.url);
    assert_eq!(in_force(&world).await, 1);
    assert!(
        world
            .person("dan")
            .await
            .resume(&suspension)
            .await
            .unwrap()
            .complete
    );
    world.wait_for(&operation, OperationState::Completed).await;
    assert_eq!(
        world.calls().iter().filter(|c| *c == "apply web-1").count(),
        1
    );
}

/// Two rules, for drill systems and for the others, and a second agent.
async fn two_of_each() -> (World, Client) {
    let world = World::new().await;
    let mut topology: Value = serde_json::from_str(&world.topology()).unwrap();
    for system in topology["systems"].as_array_mut().unwrap() {
        let env = if system["id"] == "drill-1" {
            "test"
        } else {
            "live"
        };
        system["labels"] = json!({"env": env});
    }
    let topology = topology.to_string();
    world
        .operator
        .import_topology(topology.as_bytes())
        .await
        .unwrap();
    world.authorise_text(&envelope(&world, 1)).await;
    world.rehearse().await;
    let other = world.register_agent("other-agent").await;
    world
        .operator
        .register_detection(&RegisterDetection {
            rule: "vulnerability-2".parse().unwrap(),
            source: "scanner".parse().unwrap(),
            agents: BTreeSet::from(["other-agent".parse().unwrap()]),
            severity: countersign_core::proposal::Severity::Medium,
            benign_patterns: BTreeSet::new(),
        })
        .await
        .unwrap();
    (world, other)
}

fn envelope(world: &World, version: u32) -> String {
    let mut envelope: Value = serde_json::from_str(&world.envelope(version)).unwrap();
    envelope["agents"] = json!(["other-agent", "soc-agent"]);
    let rules = envelope["rules"].as_array_mut().unwrap();
    let mut test = rules[0].clone();
    rules[0]["targets"]["labels"] = json!({"env": "live"});
    test["id"] = json!("test");
    test["targets"]["labels"] = json!({"env": "test"});
    rules.push(test);
    envelope.to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_rule_is_suspended_in_every_version_and_the_others_are_not() {
    let (world, _) = two_of_each().await;
    world.mark("hang-web-1");
    world.mark("hang-drill-1");
    let live = begins(&world, "live", &["web-1", "web-2"]).await;
    world.called("apply web-1").await;
    let test = begins(&world, "test", &["drill-1"]).await;
    let dan = world.person("dan").await;
    let (suspension, _) = dan.suspend(rule("routine")).await.unwrap();
    world.wait_for(&live, OperationState::Held).await;
    world.unmark("hang-web-1");
    world.unmark("hang-drill-1");
    world.wait_for(&test, OperationState::Completed).await;
    let because = "dan suspended the rule routine of the envelope small at ";
    waits(&world, "waits", &["web-3"], because).await;
    begins(&world, "runs", &["drill-1"]).await;
    assert_eq!(world.system("web-2"), "old");

    // Another version of the envelope does not lift it.
    world.authorise_text(&envelope(&world, 2)).await;
    waits(&world, "newer", &["web-3"], because).await;
    dan.resume(&suspension).await.unwrap();
    world.person("cat").await.resume(&suspension).await.unwrap();
    begins(&world, "resumed", &["web-3"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_agent_is_suspended_and_another_is_not() {
    let (world, other) = two_of_each().await;
    let of_other = |key: &str, system: &str| {
        let mut proposal = world.proposal(key, &[system]);
        proposal["agent"] = json!("other-agent");
        proposal["detection"]["rule"] = json!("vulnerability-2");
        proposal.to_string()
    };
    world.mark("hang-web-1");
    let held = begins(&world, "held", &["web-1", "web-2"]).await;
    world.called("apply web-1").await;
    let ann = world.person("ann").await;
    ann.suspend(agent("soc-agent")).await.unwrap();
    world.wait_for(&held, OperationState::Held).await;
    world.unmark("hang-web-1");
    waits(
        &world,
        "waits",
        &["web-3"],
        "ann suspended the agent soc-agent at ",
    )
    .await;
    let answer = other
        .propose(of_other("runs", "drill-1").as_bytes())
        .await
        .unwrap();
    assert_eq!(answer.state, ItemState::Running, "{}", why(&answer));
    let ran = answer.operation.unwrap();
    world.wait_for(&ran, OperationState::Completed).await;
    assert_eq!(world.system("web-2"), "old");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resumption_whose_signatures_do_not_hold_resumes_nothing() {
    let mut world = World::ready().await;
    {
        let (cat, dan) = (world.person("cat").await, world.person("dan").await);
        let (suspension, _) = cat.suspend(Extent::Backend).await.unwrap();
        cat.resume(&suspension).await.unwrap();
        assert!(dan.resume(&suspension).await.unwrap().complete);
        begins(&world, "resumed", &["web-1"]).await;
    }
    world.running.take().unwrap().stop().await.unwrap();
    let forged = "UPDATE decision SET assertion = (SELECT assertion FROM decision WHERE kind = 'suspend_autonomy')
         WHERE kind = 'resume_autonomy' AND approver = 'dan'";
    assert_eq!(world.tamper(forged).await, 1);
    world.start_again().await;
    assert_eq!(in_force(&world).await, 1);
    waits(&world, "forged", &["web-2"], "cat suspended everything").await;
    let suspended = world
        .log()
        .await
        .iter()
        .filter(|entry| entry.kind == EntryKind::AutonomySuspended)
        .count();
    assert_eq!(suspended, 1);
}
