//! Every refusal of a guard, on real statements signed by keys.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::SigningKey;
use serde_json::json;

use super::guard::Guarded;
use super::memory::Use;
use super::*;
use crate::assessment::QuorumRule;
use crate::briefing::Narrowing;
use crate::canonical;
use crate::decision::fixture::{Fixture, NOW, Person, at};
use crate::decision::subjects::OPERATION_SCHEMA;
use crate::decision::{
    ItemChoice, OperationChoice, OperationDocument, OperationSubjects, Quorum, for_operation,
    item_rule, proposers,
};
use crate::identifier::ApproverId;
use crate::operation::{Authority, Decided};
use crate::statement::{CheckpointReference, DecisionKind, Statement};

fn system(id: &str) -> SystemId {
    SystemId::new(id).unwrap()
}

fn systems(ids: &[&str]) -> BTreeSet<SystemId> {
    ids.iter().map(|id| system(id)).collect()
}

/// A backend that assembles permits, and a guard that believes none of it.
struct World {
    fixture: Fixture,
    guard: Guard,
    memory: Memory,
    now: DateTime<Utc>,
    /// What the call asks for, and the order and permit with it.
    verb: CallVerb,
    system: SystemId,
    sequence: u64,
    choice: ItemChoice,
    snapshot: Option<serde_json::Value>,
}

impl World {
    fn new() -> Self {
        let fixture = Fixture::new();
        let guard = Guard {
            schema: GUARD_SCHEMA.to_owned(),
            genesis: canonical::digest(&fixture.genesis).unwrap(),
            guarded: Guarded::Only {
                systems: systems(&["web-1", "web-2", "web-3"]),
                networks: BTreeSet::from(["10.8.0.0/16".parse().unwrap()]),
            },
            quorum: QuorumRule {
                needed: 2,
                roles: ["soc-lead", "ot-safety-officer"]
                    .map(|role| role.parse().unwrap())
                    .into(),
            },
            suspended: BTreeSet::new(),
            order_life: "2m".parse().unwrap(),
            clock_skew: "5s".parse().unwrap(),
        };
        Self {
            fixture,
            guard,
            memory: Memory::default(),
            now: at(NOW),
            verb: CallVerb::Apply,
            system: system("web-1"),
            sequence: 7,
            choice: ItemChoice::Approve { narrowing: None },
            snapshot: None,
        }
    }

    fn order(&self) -> Order {
        let briefing = &self.fixture.briefing;
        Order {
            schema: "countersign/order/v1".to_owned(),
            audience: self.fixture.roster.deployment().clone(),
            operation: "op-1".parse().unwrap(),
            item: briefing.item.clone(),
            verb: self.verb,
            system: self.system.clone(),
            wave: 0,
            sequence: self.sequence,
            attempt: 1,
            action: briefing.proposal.action.digest().unwrap(),
            suspended: BTreeSet::new(),
            log: CheckpointReference {
                size: 40,
                root: Digest::of(b"root"),
            },
            issued_at: self.now,
            expires_at: self.now + TimeDelta::seconds(60),
        }
    }

    fn statement(&self, person: &Person) -> Statement {
        self.fixture.item(person, &self.choice)
    }

    fn permit(&self, order: &Order) -> Permit {
        let (text, signature) = order.sign(&self.fixture.log_key).unwrap();
        Permit {
            schema: SCHEMA.to_owned(),
            genesis: self.fixture.genesis.clone(),
            order: text,
            order_signature: signature,
            briefing: String::from_utf8(canonical::to_bytes(&self.fixture.briefing).unwrap())
                .unwrap(),
            decisions: [&self.fixture.soc, &self.fixture.ot]
                .map(|person| person.sign(&self.statement(person)).into())
                .into(),
            reversal: (self.verb == CallVerb::Revert).then(|| self.reversal(&["web-1"])),
        }
    }

    fn document(&self) -> OperationDocument {
        let fixture = &self.fixture;
        let rule = item_rule(&fixture.briefing, DecisionKind::Approve).unwrap();
        let decisions: Vec<_> = [&fixture.soc, &fixture.ot]
            .iter()
            .map(|person| {
                person
                    .sign(&self.statement(person))
                    .verify(&fixture.roster)
                    .unwrap()
            })
            .collect();
        let quorum = Quorum::form(
            &decisions,
            &rule,
            &proposers(&fixture.briefing.proposal),
            at(NOW),
        )
        .unwrap();
        OperationDocument {
            schema: OPERATION_SCHEMA.to_owned(),
            audience: fixture.roster.deployment().clone(),
            operation: "op-1".parse().unwrap(),
            item: Some(fixture.briefing.item.clone()),
            briefing: Some(fixture.digest),
            authority: Authority::Decided(Decided::new(&quorum).unwrap()),
            action: fixture.briefing.proposal.action.kind(),
            waves: fixture.briefing.waves.clone(),
            quorum: rule,
            started_at: at(NOW),
        }
    }

    fn reversal(&self, touched: &[&str]) -> Reversal {
        self.reversal_of(&self.document(), touched, &self.fixture.soc)
    }

    fn reversal_of(
        &self,
        document: &OperationDocument,
        touched: &[&str],
        person: &Person,
    ) -> Reversal {
        let bytes = canonical::to_bytes(document).unwrap();
        let touched = systems(touched);
        let remaining: BTreeSet<SystemId> = systems(&["web-1", "web-2", "web-3"])
            .difference(&touched)
            .cloned()
            .collect();
        let subjects = OperationSubjects {
            operation: Digest::of(&bytes),
            trip: None,
            touched: touched.clone(),
            remaining: remaining.clone(),
        };
        let statement = for_operation(
            &OperationChoice::RollBack,
            &subjects,
            &self.fixture.judgement(),
            &self.fixture.attempt(person),
        )
        .unwrap();
        Reversal {
            document: String::from_utf8(bytes).unwrap(),
            trip: None,
            touched,
            remaining,
            decision: person.sign(&statement).into(),
        }
    }

    fn call(&self, permit: Option<Permit>) -> ExecutorCall {
        ExecutorCall {
            verb: self.verb,
            operation: Some("op-1".parse().unwrap()),
            item: None,
            sequence: Some(self.sequence),
            attempt: Some(1),
            system: Some(self.system.clone()),
            systems: None,
            action: self.fixture.briefing.proposal.action.clone(),
            snapshot: self.snapshot.clone(),
            evidence: Vec::new(),
            permit: permit.map(Box::new),
        }
    }

    fn whole(&self) -> ExecutorCall {
        self.call(Some(self.permit(&self.order())))
    }

    /// Asks, remembers what it is told to, and gives a word for what came of it.
    fn ask(&mut self, call: &ExecutorCall) -> &'static str {
        let (word, remember) = match check(&self.guard, &self.memory, call, self.now) {
            Ok(Admission::Free) => return "free",
            Ok(Admission::Admitted { remember, .. }) => ("admitted", remember),
            Ok(Admission::NothingToUndo { remember }) => ("nothing to undo", remember),
            Err(refusal) => return refusal.code(),
        };
        for remembered in remember {
            // As it is read back from the store.
            let line = serde_json::to_string(&remembered).unwrap();
            self.memory.remember(serde_json::from_str(&line).unwrap());
        }
        word
    }

    /// The call with a change to its order.
    fn ordered(&mut self, change: impl FnOnce(&mut Order)) -> &'static str {
        let mut order = self.order();
        change(&mut order);
        let call = self.call(Some(self.permit(&order)));
        self.ask(&call)
    }

    /// The call with a change to its permit.
    fn permitted(&mut self, change: impl FnOnce(&Self, &mut Permit)) -> &'static str {
        let mut permit = self.permit(&self.order());
        change(self, &mut permit);
        let call = self.call(Some(permit));
        self.ask(&call)
    }

    /// The call with a change to itself.
    fn called(&mut self, change: impl FnOnce(&mut ExecutorCall)) -> &'static str {
        let mut call = self.whole();
        change(&mut call);
        self.ask(&call)
    }
}

#[test]
fn what_two_people_signed_is_admitted_once() {
    let mut world = World::new();
    let call = world.whole();
    assert_eq!(world.ask(&call), "admitted");
    assert_eq!(world.ask(&call), "replayed");
    world.sequence = 8;
    assert_eq!(world.called(|_| ()), "attempts_used_up");
    world.system = system("web-2");
    world.sequence = 9;
    assert_eq!(world.called(|_| ()), "admitted");
    // The same approval, carried out by a second operation.
    world.system = system("web-3");
    world.sequence = 10;
    let other: OperationId = "op-2".parse().unwrap();
    let mut order = world.order();
    order.operation = other.clone();
    let mut call = world.call(Some(world.permit(&order)));
    call.operation = Some(other);
    assert_eq!(world.ask(&call), "other_operation");
    // An effect of before on another system.
    world.sequence = 7;
    assert_eq!(world.called(|_| ()), "replayed");
}

#[test]
fn only_what_is_guarded_needs_a_permit() {
    let mut world = World::new();
    let bare = world.call(None);
    assert_eq!(world.ask(&bare), "no_permit");
    world.system = system("lamp-1");
    let bare = world.call(None);
    assert_eq!(world.ask(&bare), "free");
    for (action, expected) in [
        (
            json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.4.0.0/16", "to": "10.8.3.0/24", "service": "any"}}),
            "no_permit",
        ),
        (
            json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "0.0.0.0/0", "to": "10.5.0.0/16", "service": "any"}}),
            "no_permit",
        ),
        (
            json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "10.4.0.0/16", "to": "10.5.0.0/16", "service": "any"}}),
            "free",
        ),
        (
            json!({"type": "credential-rotate", "parameters": {"credential": "c", "updates_dependents": ["web-2"]}}),
            "no_permit",
        ),
    ] {
        let mut call = world.call(None);
        call.action = serde_json::from_value(action.clone()).unwrap();
        assert_eq!(world.ask(&call), expected, "{action}");
    }
    world.guard.guarded = Guarded::Everything;
    assert_eq!(world.ask(&bare), "no_permit");
    world.verb = CallVerb::Plan;
    let plan = world.call(None);
    assert_eq!(world.ask(&plan), "free");
    world.guard.schema = "countersign/guard/v2".to_owned();
    assert_eq!(world.ask(&bare), "guard_malformed");
}

#[test]
fn an_order_is_for_one_call() {
    let mut world = World::new();
    assert_eq!(world.ordered(|o| o.system = system("web-2")), "wrong_call");
    assert_eq!(
        world.ordered(|o| o.operation = "op-9".parse().unwrap()),
        "wrong_call"
    );
    assert_eq!(world.ordered(|o| o.verb = CallVerb::Revert), "wrong_call");
    assert_eq!(world.ordered(|o| o.sequence = 8), "wrong_call");
    assert_eq!(world.ordered(|o| o.attempt = 2), "wrong_call");
    assert_eq!(
        world.ordered(|o| o.action = Digest::of(b"other")),
        "wrong_call"
    );
    assert_eq!(
        world.ordered(|o| o.item = "item-2".parse().unwrap()),
        "wrong_briefing"
    );
    assert_eq!(world.ordered(|o| o.wave = 1), "wrong_wave");
    let other = DeploymentIdOf(8).id();
    assert_eq!(world.ordered(|o| o.audience = other), "wrong_audience");
    assert_eq!(world.called(|c| c.sequence = None), "call_incomplete");
    assert_eq!(world.called(|c| c.operation = None), "call_incomplete");
    assert_eq!(world.called(|c| c.system = None), "call_incomplete");
    // Other parameters than were signed for, with an order that fits them.
    let action: Action = serde_json::from_value(
        json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "4"}}),
    )
    .unwrap();
    let digest = action.digest().unwrap();
    let mut order = world.order();
    order.action = digest;
    let mut call = world.call(Some(world.permit(&order)));
    call.action = action;
    assert_eq!(world.ask(&call), "wrong_briefing");
    assert_eq!(
        world.called(|_| ()),
        "admitted",
        "nothing of this was used up"
    );
}

struct DeploymentIdOf(u8);

impl DeploymentIdOf {
    fn id(&self) -> crate::genesis::DeploymentId {
        crate::genesis::DeploymentId::of_log_key(&[self.0; 32])
    }
}

#[test]
fn an_order_lives_for_moments() {
    let mut world = World::new();
    let call = world.whole();
    world.now += TimeDelta::seconds(60);
    assert_eq!(world.ask(&call), "order_expired");
    world.now -= TimeDelta::seconds(66);
    assert_eq!(world.ask(&call), "order_from_the_future");
    world.now += TimeDelta::seconds(1);
    assert_eq!(world.ask(&call), "admitted");
    let mut world = World::new();
    assert_eq!(
        world.ordered(|o| o.expires_at = o.issued_at + TimeDelta::seconds(121)),
        "order_expired"
    );
    // The approval itself is over: no order makes it longer.
    world.now = at("2026-11-24T12:00:00Z");
    assert_eq!(world.called(|_| ()), "quorum_incomplete");
}

#[test]
fn the_backend_alone_is_nothing() {
    let mut world = World::new();
    assert_eq!(
        world.permitted(|_, p| p.decisions.clear()),
        "quorum_incomplete"
    );
    assert_eq!(
        world.permitted(|_, p| drop(p.decisions.pop())),
        "quorum_incomplete"
    );
    assert_eq!(
        world.permitted(|_, p| p.decisions[1] = p.decisions[0].clone()),
        "quorum_incomplete"
    );
    assert_eq!(
        world.permitted(|_, p| p.schema = "other".into()),
        "permit_malformed"
    );
    assert_eq!(
        world.permitted(|_, p| p.decisions = vec![p.decisions[0].clone(); DECISIONS_MAX + 1]),
        "permit_malformed"
    );
    // A genesis of the backend's own making, with people of its own.
    assert_eq!(
        world.permitted(|_, p| p.genesis.name = "mine".into()),
        "wrong_genesis"
    );
    assert_eq!(
        world.permitted(|_, p| p.genesis.log_key = Bytes(vec![1; 32])),
        "wrong_genesis"
    );
    // An order of another key, or changed after it was signed.
    assert_eq!(
        world.permitted(|w, p| {
            let (text, signature) = w.order().sign(&SigningKey::from_bytes(&[1; 32])).unwrap();
            (p.order, p.order_signature) = (text, signature);
        }),
        "order_invalid"
    );
    assert_eq!(
        world.permitted(|_, p| p.order = p.order.replace("\"wave\":0", "\"wave\":1")),
        "order_invalid"
    );
    assert_eq!(world.permitted(|_, p| p.order.push(' ')), "order_invalid");
    // A briefing that says otherwise than the one signed.
    assert_eq!(
        world.permitted(|_, p| p.briefing = p.briefing.replace("\"needed\":2", "\"needed\":1")),
        "wrong_subjects"
    );
    assert_eq!(
        world.permitted(|_, p| p.briefing.push(' ')),
        "briefing_malformed"
    );
    assert_eq!(
        world.permitted(|_, p| {
            let text = String::from_utf8(p.decisions[0].statement.0.clone()).unwrap();
            p.decisions[0].statement = Bytes(text.replace("web-1", "web-9").into_bytes());
            p.decisions[0].assertion.signature.0[8] ^= 1;
        }),
        "signature_invalid"
    );
    assert_eq!(world.called(|_| ()), "admitted");
}

#[test]
fn the_guards_own_quorum_stands() {
    let mut world = World::new();
    world.guard.quorum.needed = 3;
    assert_eq!(world.called(|_| ()), "quorum_incomplete");
    world.guard.quorum.needed = 2;
    world.guard.quorum.roles = BTreeSet::from(["plant-manager".parse().unwrap()]);
    assert_eq!(world.called(|_| ()), "quorum_incomplete");
}

#[test]
fn a_rejection_approves_nothing() {
    let mut world = World::new();
    world.choice = ItemChoice::Reject;
    let permit = {
        let order = world.order();
        let (text, signature) = order.sign(&world.fixture.log_key).unwrap();
        Permit {
            schema: SCHEMA.to_owned(),
            genesis: world.fixture.genesis.clone(),
            order: text,
            order_signature: signature,
            briefing: String::from_utf8(canonical::to_bytes(&world.fixture.briefing).unwrap())
                .unwrap(),
            decisions: [&world.fixture.soc, &world.fixture.ot]
                .map(|person| person.sign(&world.statement(person)).into())
                .into(),
            reversal: None,
        }
    };
    let call = world.call(Some(permit));
    assert_eq!(world.ask(&call), "not_an_approval");
}

#[test]
fn only_approved_systems_are_touched() {
    let mut world = World::new();
    world.choice = ItemChoice::Approve {
        narrowing: Some(Narrowing {
            targets: systems(&["web-1", "web-2"]),
        }),
    };
    world.system = system("web-3");
    assert_eq!(world.called(|_| ()), "wrong_system");
    world.system = system("web-2");
    assert_eq!(world.called(|_| ()), "admitted");
    world.guard.guarded = Guarded::Everything;
    world.system = system("scada-1");
    world.sequence = 8;
    assert_eq!(world.called(|_| ()), "wrong_system");
}

#[test]
fn a_suspended_key_decides_nothing() {
    let sam: ApproverId = "sam".parse().unwrap();
    let mut world = World::new();
    world.guard.suspended.insert(sam.clone());
    assert_eq!(world.called(|_| ()), "approver_suspended");
    let mut world = World::new();
    assert_eq!(
        world.ordered(|o| o.suspended = BTreeSet::from([sam.clone()])),
        "approver_suspended"
    );
    // Whoever was suspended once stays so here, whatever the backend says later.
    let mut world = World::new();
    world.system = system("web-2");
    world.memory.remember(Remembered::Roster {
        suspended: BTreeSet::from([sam]),
        log: world.order().log,
        at: world.now,
    });
    assert_eq!(world.called(|_| ()), "approver_suspended");
}

#[test]
fn the_log_goes_on() {
    let mut world = World::new();
    assert_eq!(world.called(|_| ()), "admitted");
    world.system = system("web-2");
    world.sequence = 8;
    assert_eq!(world.ordered(|o| o.log.size = 39), "log_went_back");
    assert_eq!(
        world.ordered(|o| o.log.root = Digest::of(b"fork")),
        "log_forked"
    );
    // An order made before, which was overtaken.
    assert_eq!(
        world.ordered(|o| {
            o.log.size = 39;
            o.issued_at -= TimeDelta::seconds(1);
        }),
        "admitted"
    );
}

#[test]
fn a_system_goes_back_to_a_state_that_the_guard_saw() {
    let before = json!({"version": "1"});
    let mut world = World::new();
    world.verb = CallVerb::Snapshot;
    assert_eq!(world.called(|_| ()), "admitted");
    world.memory.remember(Remembered::Snapshot {
        operation: "op-1".parse().unwrap(),
        system: system("web-1"),
        digest: canonical::digest(&before).unwrap(),
    });
    world.verb = CallVerb::Apply;
    assert_eq!(world.called(|_| ()), "admitted");
    world.verb = CallVerb::Revert;
    world.sequence = 8;
    world.snapshot = Some(json!({"version": "evil"}));
    assert_eq!(world.called(|_| ()), "wrong_snapshot");
    world.snapshot = None;
    assert_eq!(world.called(|_| ()), "wrong_snapshot");
    world.snapshot = Some(before);
    assert_eq!(world.permitted(|_, p| p.reversal = None), "no_reversal");
    assert_eq!(
        world.permitted(|w, p| p.reversal = Some(w.reversal(&["web-2"]))),
        "wrong_reversal"
    );
    assert_eq!(
        world.permitted(|w, p| {
            let mut document = w.document();
            document.operation = "op-2".parse().unwrap();
            p.reversal = Some(w.reversal_of(&document, &["web-1"], &w.fixture.soc));
        }),
        "wrong_reversal"
    );
    assert_eq!(
        world.permitted(|w, p| {
            let mut document = w.document();
            document
                .quorum
                .roles
                .insert("governance-board".parse().unwrap());
            p.reversal = Some(w.reversal_of(&document, &["web-1"], &w.fixture.board[0]));
        }),
        "wrong_reversal"
    );
    assert_eq!(
        world.permitted(|w, p| {
            p.reversal = Some(w.reversal_of(&w.document(), &["web-1"], &w.fixture.board[0]));
        }),
        "not_eligible"
    );
    assert_eq!(
        world.permitted(|_, p| {
            let reversal = p.reversal.as_mut().unwrap();
            reversal.touched.insert(system("web-2"));
        }),
        "wrong_subjects"
    );
    assert_eq!(
        world.permitted(|_, p| {
            let approval = p.decisions[0].clone();
            p.reversal.as_mut().unwrap().decision = approval;
        }),
        "no_reversal"
    );
    assert_eq!(world.called(|_| ()), "admitted");
    assert_eq!(world.called(|_| ()), "replayed");
    // The look at it afterwards, when the approval itself is long over.
    world.verb = CallVerb::Snapshot;
    world.now = at("2026-11-24T12:00:00Z");
    world.sequence = 9;
    assert_eq!(world.called(|_| ()), "admitted");
}

#[test]
fn a_rollback_that_began_may_end() {
    let late = at("2026-11-24T12:00:00Z");
    let mut world = World::new();
    world.verb = CallVerb::Revert;
    world.now = late;
    assert_eq!(world.called(|_| ()), "expired");
    // Begun while its decision was valid.
    world.now = at(NOW);
    assert_eq!(world.called(|_| ()), "nothing to undo");
    world.now = late;
    world.sequence = 8;
    assert_eq!(world.called(|_| ()), "nothing to undo");
    world.memory.remember(Remembered::Used {
        operation: "op-1".parse().unwrap(),
        system: system("web-1"),
        sequence: 5,
        what: Use::Apply {
            briefing: world.fixture.digest,
        },
        at: at(NOW),
    });
    world.sequence = 9;
    assert_eq!(world.called(|_| ()), "wrong_snapshot");
}
