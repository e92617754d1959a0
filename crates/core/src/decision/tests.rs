mod suspension;

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::fixture::{Fixture, NOW, Person, at};
use super::*;
use crate::assessment::{Clause, Verdict};
use crate::briefing::{Narrowing, SubjectDigests};
use crate::identifier::SystemId;
use crate::statement::{SESSION_NAMESPACE, SessionPredicate, SessionStatement};
use crate::webauthn::Bytes;

fn verify(
    fixture: &Fixture,
    decision: UnverifiedDecision,
) -> Result<VerifiedDecision, &'static str> {
    decision
        .verify(&fixture.roster)
        .map_err(|error| error.code())
}

fn narrowed(targets: &[&str]) -> ItemChoice {
    let targets = targets
        .iter()
        .map(|id| SystemId::new(*id).unwrap())
        .collect();
    ItemChoice::Approve {
        narrowing: Some(Narrowing { targets }),
    }
}

#[test]
fn the_fixture_asks_for_the_quorum_of_safety_critical_systems() {
    let fixture = Fixture::new();
    let rule = item_rule(&fixture.briefing, DecisionKind::Approve).unwrap();
    assert_eq!((rule.needed, rule.roles.len()), (2, 2));
}

#[test]
fn a_statement_has_these_bytes() {
    let mut fixture = Fixture::new();
    // Only what is this module's is fixed here, not what an assessment says.
    let any = Digest::of(b"a document");
    fixture.digest = any;
    fixture.briefing.digests = SubjectDigests {
        proposal: any,
        targets: any,
        envelope: Some(any),
        topology: any,
        neighbourhood: any,
        history: any,
        plan: any,
    };
    let mut statement = fixture.item(&fixture.soc, &narrowed(&["web-3", "web-2"]));
    statement.predicate.core_version = "0.1.0".to_owned();
    insta::assert_snapshot!(String::from_utf8(statement.to_bytes().unwrap()).unwrap());
}

#[test]
fn a_decision_verifies_and_is_about_its_item_only() {
    let fixture = Fixture::new();
    for choice in [
        ItemChoice::Reject,
        ItemChoice::Approve { narrowing: None },
        narrowed(&["web-2"]),
    ] {
        let decision = verify(
            &fixture,
            fixture.soc.sign(&fixture.item(&fixture.soc, &choice)),
        )
        .unwrap();
        assert_eq!(decision.counter(), 7);
        let offer = decision.claimed_offer();
        decision
            .confirm_item(&fixture.briefing, fixture.digest, &offer)
            .unwrap();

        let code = |briefing: &Briefing, digest, offer: &Offer| {
            decision
                .confirm_item(briefing, digest, offer)
                .unwrap_err()
                .code()
        };
        assert_eq!(
            code(&fixture.briefing, Digest::of(b"x"), &offer),
            "wrong_subjects"
        );
        let mut other = fixture.briefing.clone();
        other.digests.plan = Digest::of(b"x");
        assert_eq!(code(&other, fixture.digest, &offer), "wrong_subjects");
        let mut without = fixture.briefing.clone();
        without.digests.envelope = None;
        assert_eq!(code(&without, fixture.digest, &offer), "wrong_subjects");
        let nonce = Offer {
            nonce: Bytes(vec![0; 32]),
            ..offer.clone()
        };
        assert_eq!(
            code(&fixture.briefing, fixture.digest, &nonce),
            "wrong_nonce"
        );
        let longer = Offer {
            not_after: at("2026-11-24T13:00:00Z"),
            ..offer.clone()
        };
        assert_eq!(
            code(&fixture.briefing, fixture.digest, &longer),
            "wrong_not_after"
        );
        let mut sooner = fixture.briefing.clone();
        sooner.expires_at = at("2026-11-24T11:59:59Z");
        assert_eq!(code(&sooner, fixture.digest, &offer), "not_after_too_late");
        let mut autonomous = fixture.briefing.clone();
        autonomous.assessment.verdict = Verdict::Autonomous;
        assert_eq!(code(&autonomous, fixture.digest, &offer), "not_decidable");
    }
}

#[test]
fn refusals_have_codes_of_their_own() {
    let fixture = Fixture::new();
    let good = fixture.approve(&fixture.soc);
    let check = |change: &dyn Fn(&mut Statement), expected: &str| {
        let mut statement = good.clone();
        change(&mut statement);
        let result = verify(&fixture, fixture.soc.sign(&statement))
            .err()
            .unwrap_or("accepted");
        assert_eq!(result, expected);
    };
    check(&|_| {}, "accepted");
    check(
        &|s| s.statement_type = "x".to_owned(),
        "wrong_statement_type",
    );
    check(
        &|s| s.predicate_type = "urn:countersign:session:v1".to_owned(),
        "wrong_statement_type",
    );
    check(
        &|s| s.predicate.kind = DecisionKind::BreakGlass,
        "kind_not_supported",
    );
    check(
        &|s| s.predicate.kind = DecisionKind::RollBack,
        "malformed_subjects",
    );
    check(
        &|s| s.predicate.approver = ApproverId::new("eve").unwrap(),
        "unknown_approver",
    );
    check(
        &|s| s.predicate.approver = fixture.ot.id.clone(),
        "unknown_credential",
    );
    check(
        &|s| s.predicate.credential = fixture.ot.credential(),
        "unknown_credential",
    );
    check(
        &|s| s.predicate.nonce = Bytes(vec![1; 31]),
        "malformed_statement",
    );
    check(&|s| s.predicate.checkpoint.size = 0, "malformed_statement");
    check(
        &|s| s.predicate.core_version = "x".repeat(65),
        "malformed_statement",
    );
    check(&|s| s.predicate.not_after = at(NOW), "expired");
    check(&|s| s.subject.swap(0, 1), "malformed_subjects");
    check(
        &|s| s.subject.push(s.subject[0].clone()),
        "malformed_subjects",
    );
    check(&|s| s.subject.truncate(3), "malformed_subjects");
    check(&|s| s.subject.clear(), "malformed_subjects");
    let narrowing = || {
        Some(Narrowing {
            targets: BTreeSet::from([SystemId::new("web-1").unwrap()]),
        })
    };
    check(
        &|s| s.predicate.narrowing = narrowing(),
        "malformed_subjects",
    );
    check(
        &|s| {
            s.predicate.kind = DecisionKind::Reject;
            s.predicate.narrowing = narrowing();
        },
        "narrowing_not_allowed",
    );
    check(
        &|s| {
            s.predicate.narrowing = narrowing();
            s.subject
                .push(Subject::new(SubjectName::NarrowedTargets, Digest::of(b"x")));
        },
        "malformed_subjects",
    );

    let elsewhere = crate::genesis::DeploymentId::of_log_key(&[0; 32]);
    check(
        &|s| s.predicate.audience = elsewhere.clone(),
        "wrong_audience",
    );
}

#[test]
fn the_key_must_have_signed_these_bytes_here_touched_and_with_its_pin() {
    let fixture = Fixture::new();
    let bytes = fixture.approve(&fixture.soc).to_bytes().unwrap();
    let rp_id = fixture.roster.deployment().rp_id();
    let check = |assertion: Assertion, statement: Vec<u8>| {
        verify(
            &fixture,
            UnverifiedDecision {
                statement,
                assertion,
            },
        )
        .err()
        .unwrap_or("accepted")
    };
    let sign = |flags| {
        fixture
            .soc
            .assertion(DECISION_NAMESPACE, &bytes, &rp_id, flags)
    };
    assert_eq!(check(sign(0x05), bytes.clone()), "accepted");
    assert_eq!(check(sign(0x01), bytes.clone()), "user_not_verified");
    assert_eq!(check(sign(0x04), bytes.clone()), "user_not_present");
    let session = fixture
        .soc
        .assertion(SESSION_NAMESPACE, &bytes, &rp_id, 0x05);
    assert_eq!(check(session, bytes.clone()), "wrong_challenge");
    let elsewhere = fixture
        .soc
        .assertion(DECISION_NAMESPACE, &bytes, "example.com", 0x05);
    assert_eq!(check(elsewhere, bytes.clone()), "wrong_relying_party");
    let credential_data = sign(0x45);
    assert_eq!(check(credential_data, bytes.clone()), "not_exportable");
    let mut thief = Person::new("sam", 99, &[]).assertion(DECISION_NAMESPACE, &bytes, &rp_id, 0x05);
    thief.credential_id = fixture.soc.credential();
    assert_eq!(check(thief, bytes.clone()), "signature_invalid");
    let other = fixture
        .ot
        .assertion(DECISION_NAMESPACE, &bytes, &rp_id, 0x05);
    assert_eq!(check(other, bytes.clone()), "unknown_credential");

    // Every single changed byte is refused, by whatever check meets it first.
    for place in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[place] ^= 1;
        assert_ne!(check(sign(0x05), changed), "accepted", "byte {place}");
    }
}

#[test]
fn other_spellings_of_a_statement_are_refused() {
    let fixture = Fixture::new();
    let text = String::from_utf8(fixture.approve(&fixture.soc).to_bytes().unwrap()).unwrap();
    let rp_id = fixture.roster.deployment().rp_id();
    let check = |from: &str, to: &str, expected: &str| {
        let changed = text.replacen(from, to, 1).into_bytes();
        assert_ne!(changed, text.as_bytes());
        let assertion = fixture
            .soc
            .assertion(DECISION_NAMESPACE, &changed, &rp_id, 0x05);
        let result = verify(
            &fixture,
            UnverifiedDecision {
                statement: changed,
                assertion,
            },
        );
        assert_eq!(result.err().unwrap_or("accepted"), expected, "{to}");
    };
    check("{", "{ ", "not_canonical");
    check(
        "\"acknowledged\":[]",
        "\"acknowledged\":[\"4.1\",\"4.1\"]",
        "not_canonical",
    );
    check(
        "\"acknowledged\":[]",
        "\"acknowledged\":[\"4.10\",\"4.2\"]",
        "not_canonical",
    );
    check(
        "\"acknowledged\":[]",
        "\"acknowledged\":[\"4.13\"]",
        "malformed_statement",
    );
    check("02:20:00Z", "02:20:00.000Z", "not_canonical");
    check("02:20:00Z", "03:20:00+01:00", "not_canonical");
    check("\"kind\":", "\"extra\":1,\"kind\":", "malformed_statement");
    check(
        "\"kind\":",
        "\"kind\":\"reject\",\"kind\":",
        "malformed_statement",
    );
    check(
        "\"nonce\":",
        "\"narrowing\":null,\"nonce\":",
        "not_canonical",
    );
}

#[test]
fn builders_refuse_what_could_never_count() {
    let fixture = Fixture::new();
    let build = |choice: &ItemChoice, judgement: &Judgement, attempt: &Attempt| {
        for_item(
            &fixture.briefing,
            fixture.digest,
            choice,
            judgement,
            attempt,
        )
        .unwrap_err()
        .code()
    };
    let (judgement, attempt) = (fixture.judgement(), fixture.attempt(&fixture.soc));
    for targets in [
        &[][..],
        &["web-1", "web-2", "web-3"],
        &["web-1", "scada-1"],
        &["unknown"],
    ] {
        assert_eq!(
            build(&narrowed(targets), &judgement, &attempt),
            "narrowing_not_subset"
        );
    }
    let elsewhere = crate::genesis::DeploymentId::of_log_key(&[0; 32]);
    let away = Attempt {
        audience: elsewhere,
        ..attempt.clone()
    };
    assert_eq!(
        build(&ItemChoice::Reject, &judgement, &away),
        "wrong_audience"
    );
    let mut unknown = fixture.briefing.clone();
    unknown
        .assessment
        .findings
        .retain(|finding| finding.clause != Clause::C4_3);
    let seen = Judgement {
        acknowledged: BTreeSet::from([Clause::C4_3]),
        ..judgement
    };
    let error = for_item(
        &unknown,
        fixture.digest,
        &ItemChoice::Reject,
        &seen,
        &attempt,
    )
    .unwrap_err();
    assert_eq!(error.code(), "acknowledged_unknown");
    for_item(
        &fixture.briefing,
        fixture.digest,
        &ItemChoice::Reject,
        &seen,
        &attempt,
    )
    .unwrap();
}

#[test]
fn decisions_about_operations_and_envelopes_confirm_theirs_only() {
    let fixture = Fixture::new();
    let systems = |ids: &[&str]| ids.iter().map(|id| SystemId::new(*id).unwrap()).collect();
    let subjects = OperationSubjects {
        operation: Digest::of(b"operation"),
        trip: Some(Digest::of(b"trip")),
        touched: systems(&["web-1"]),
        remaining: systems(&["web-2", "web-3"]),
    };
    let attempt = fixture.attempt(&fixture.soc);
    let statement = for_operation(
        &OperationChoice::RollBack,
        &subjects,
        &fixture.judgement(),
        &attempt,
    )
    .unwrap();
    let decision = verify(&fixture, fixture.soc.sign(&statement)).unwrap();
    decision
        .confirm_operation(&subjects, &attempt.offer)
        .unwrap();
    let later = OperationSubjects {
        touched: systems(&["web-1", "web-2"]),
        ..subjects.clone()
    };
    assert!(matches!(
        decision.confirm_operation(&later, &attempt.offer),
        Err(DecisionError::WrongSubject(SubjectName::Touched))
    ));
    let untripped = OperationSubjects {
        trip: None,
        ..subjects
    };
    assert!(matches!(
        decision.confirm_operation(&untripped, &attempt.offer),
        Err(DecisionError::WrongSubject(SubjectName::Trip))
    ));
    let about_item = decision.confirm_item(&fixture.briefing, fixture.digest, &attempt.offer);
    assert_eq!(about_item.unwrap_err().code(), "malformed_subjects");

    let mut next = fixture.envelope.clone();
    next.version = 2;
    let subjects = EnvelopeSubjects::new(Some(&fixture.envelope), &next).unwrap();
    let member = &fixture.board[0];
    let statement =
        for_envelope(&subjects, &fixture.judgement(), &fixture.attempt(member)).unwrap();
    let decision = verify(&fixture, member.sign(&statement)).unwrap();
    decision
        .confirm_envelope(&subjects, &decision.claimed_offer())
        .unwrap();
    let first = EnvelopeSubjects::new(None, &next).unwrap();
    assert!(
        decision
            .confirm_envelope(&first, &decision.claimed_offer())
            .is_err()
    );
}

#[test]
fn a_board_cannot_be_replaced_by_the_draft_it_authorises() {
    let fixture = Fixture::new();
    let mut draft = fixture.envelope.clone();
    draft.authority.board = crate::identifier::Role::new("soc-lead").unwrap();
    draft.authority.quorum = 1;
    let rule = envelope_rule(Some(&fixture.envelope), &draft);
    assert_eq!(
        (rule.needed, rule.roles.first().unwrap().as_str()),
        (2, "governance-board")
    );
    assert_eq!(envelope_rule(None, &draft).needed, 1);
}

#[test]
fn times_are_checked_against_the_callers_clock() {
    let fixture = Fixture::new();
    let decision = verify(&fixture, fixture.soc.sign(&fixture.approve(&fixture.soc))).unwrap();
    let check = |now: &str| decision.check_submitted_at(at(now)).map_err(|e| e.code());
    assert_eq!(check(NOW), Ok(()));
    assert_eq!(check("2026-11-24T02:21:00Z"), Ok(()));
    assert_eq!(check("2026-11-24T02:21:01Z"), Err("clock_skew"));
    assert_eq!(check("2026-11-24T02:18:59Z"), Err("clock_skew"));
    assert_eq!(check("2026-11-24T12:00:00Z"), Err("expired"));
    assert!(decision.check_valid_at(at("2026-11-24T11:59:59Z")).is_ok());
}

#[test]
fn a_quorum_counts_equal_decisions_of_eligible_people_once() {
    let fixture = Fixture::new();
    let rule = item_rule(&fixture.briefing, DecisionKind::Approve).unwrap();
    let excluded = proposers(&fixture.briefing.proposal);
    let decide = |person: &Person, choice: &ItemChoice| {
        verify(&fixture, person.sign(&fixture.item(person, choice))).unwrap()
    };
    let whole = ItemChoice::Approve { narrowing: None };
    let canary = narrowed(&["web-2"]);
    let form = |decisions: &[VerifiedDecision], now: &str| {
        Quorum::form(decisions, &rule, &excluded, at(now)).map_err(|error| {
            (
                error.missing.approvers,
                error
                    .left_out
                    .into_iter()
                    .map(|(_, why)| why)
                    .collect::<Vec<_>>(),
            )
        })
    };
    let (soc, ot) = (&fixture.soc, &fixture.ot);
    assert_eq!(form(&[], NOW), Err((2, vec![])));
    assert_eq!(form(&[decide(soc, &whole)], NOW), Err((1, vec![])));
    let twice = [decide(soc, &whole), decide(soc, &whole)];
    assert_eq!(form(&twice, NOW), Err((1, vec![LeftOut::CountedAlready])));
    let differing = [decide(soc, &whole), decide(ot, &canary)];
    assert_eq!(form(&differing, NOW), Err((1, vec![LeftOut::Different])));
    // Of two agreements as near, the first is told; of one that is nearer, what it lacks.
    let nearest = Quorum::form(&differing, &rule, &excluded, at(NOW)).unwrap_err();
    assert_eq!(nearest.left_out[0].0, differing[1].approver().id);
    let agent = decide(&fixture.agent, &canary);
    for decisions in [
        [agent.clone(), decide(soc, &whole)],
        [decide(soc, &whole), agent],
    ] {
        assert_eq!(form(&decisions, NOW), Err((1, vec![LeftOut::Different])));
    }
    let with_agent = [decide(soc, &whole), decide(&fixture.agent, &whole)];
    assert_eq!(form(&with_agent, NOW), Err((1, vec![LeftOut::OwnProposal])));
    let with_board = [decide(soc, &whole), decide(&fixture.board[0], &whole)];
    assert_eq!(form(&with_board, NOW), Err((1, vec![LeftOut::NotEligible])));
    let both = [decide(soc, &whole), decide(ot, &whole)];
    assert_eq!(
        form(&both, "2026-11-24T12:00:00Z"),
        Err((2, vec![LeftOut::Expired, LeftOut::Expired]))
    );

    let quorum = form(
        &[
            decide(soc, &whole),
            decide(soc, &canary),
            decide(ot, &canary),
        ],
        NOW,
    )
    .unwrap();
    assert_eq!(
        (quorum.kind(), quorum.decisions().len()),
        (DecisionKind::Approve, 2)
    );
    assert_eq!(quorum.narrowing().unwrap().targets.len(), 1);
    assert_eq!(quorum.digests().len(), 2);
}

#[test]
fn eligibility_has_codes() {
    let fixture = Fixture::new();
    let rule = item_rule(&fixture.briefing, DecisionKind::Reject).unwrap();
    assert_eq!(rule.needed, 1);
    let excluded = proposers(&fixture.briefing.proposal);
    let check = |person: &Person| {
        let decision = verify(&fixture, person.sign(&fixture.approve(person))).unwrap();
        decision
            .check_eligible(&rule, &excluded)
            .map_err(|error| error.code())
    };
    assert_eq!(check(&fixture.soc), Ok(()));
    assert_eq!(check(&fixture.board[0]), Err("not_eligible"));
    assert_eq!(check(&fixture.agent), Err("own_proposal"));
}

#[test]
fn a_roster_refuses_a_genesis_that_one_person_could_bend() {
    let fixture = Fixture::new();
    let check = |change: &dyn Fn(&mut crate::genesis::Genesis)| {
        let mut genesis = fixture.genesis.clone();
        change(&mut genesis);
        Roster::from_genesis(&genesis).unwrap_err()
    };
    assert!(matches!(
        check(&|g| g.schema = "x".to_owned()),
        RosterError::Schema
    ));
    assert!(matches!(
        check(&|g| g.log_key = Bytes(vec![0; 31])),
        RosterError::LogKey
    ));
    assert!(matches!(
        check(&|g| g.approvers[0].roles.clear()),
        RosterError::Administrators(1)
    ));
    let mine = fixture.genesis.approvers[0].clone();
    assert!(matches!(
        check(&|g| g.approvers[1].credential.public_key = mine.credential.public_key.clone()),
        RosterError::CredentialTwice(_)
    ));
    assert!(matches!(
        check(&|g| g.approvers[1].id = mine.id.clone()),
        RosterError::ApproverTwice(_)
    ));
    assert!(matches!(
        check(&|g| g.approvers[1].id = ApproverId::new("*").unwrap()),
        RosterError::Principal(_)
    ));
}

#[test]
fn a_sign_in_is_no_decision_nor_the_reverse() {
    let fixture = Fixture::new();
    let nonce = Bytes(vec![4; 32]);
    let bytes = SessionStatement::new(SessionPredicate {
        audience: fixture.roster.deployment().clone(),
        approver: fixture.soc.id.clone(),
        credential: fixture.soc.credential(),
        at: at(NOW),
        nonce: nonce.clone(),
    })
    .to_bytes()
    .unwrap();
    let rp_id = fixture.roster.deployment().rp_id();
    let assertion = fixture
        .soc
        .assertion(SESSION_NAMESPACE, &bytes, &rp_id, 0x05);
    let session = UnverifiedSession {
        statement: bytes.clone(),
        assertion: assertion.clone(),
    };
    let check = |session: &UnverifiedSession, nonce: &Bytes, now: &str| {
        session
            .verify(&fixture.roster, nonce, at(now))
            .map(|_| ())
            .map_err(|error| error.code())
    };
    assert_eq!(check(&session, &nonce, NOW), Ok(()));
    assert_eq!(
        check(&session, &Bytes(vec![5; 32]), NOW),
        Err("wrong_nonce")
    );
    assert_eq!(
        check(&session, &nonce, "2026-11-24T02:22:00Z"),
        Err("clock_skew")
    );
    let as_decision = UnverifiedDecision {
        statement: bytes,
        assertion,
    };
    assert_eq!(
        verify(&fixture, as_decision).err(),
        Some("malformed_statement")
    );
    let decision = fixture.soc.sign(&fixture.approve(&fixture.soc));
    let as_session = UnverifiedSession {
        statement: decision.statement,
        assertion: decision.assertion,
    };
    assert_eq!(check(&as_session, &nonce, NOW), Err("malformed_statement"));
}

#[test]
fn every_refusal_has_a_code_of_its_own() {
    let codes = [
        DecisionError::MalformedStatement(String::new()),
        DecisionError::NotCanonical,
        DecisionError::WrongStatementType,
        DecisionError::WrongAudience,
        DecisionError::WrongNonce,
        DecisionError::Expired,
        DecisionError::ClockSkew,
    ]
    .map(|error| error.code());
    assert_eq!(codes.iter().collect::<BTreeSet<_>>().len(), codes.len());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(parse(&bytes).is_err());
    }
}
