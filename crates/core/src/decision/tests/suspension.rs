//! Who suspends and resumes autonomy: one on-call engineer or SOC lead, any two of them.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::super::fixture::{Fixture, NOW, Person, at};
use super::super::*;
use crate::identifier::Role;
use crate::suspension::{Extent, ROLES, Suspension, rule};

const ENTRY: &[u8] = b"the entry by which it came into force";

fn suspension(fixture: &Fixture, by: &Person) -> Suspension {
    let audience = fixture.roster.deployment().clone();
    Suspension::new(audience, Extent::Backend, by.id.clone(), at(NOW))
}

fn signed(fixture: &Fixture, person: &Person, subjects: &SuspensionSubjects) -> UnverifiedDecision {
    let statement =
        for_suspension(subjects, &fixture.judgement(), &fixture.attempt(person)).unwrap();
    person.sign(&statement)
}

fn resume(suspension: &Suspension, entry: &[u8]) -> SuspensionSubjects {
    SuspensionSubjects::Resume {
        suspension: suspension.digest().unwrap(),
        entry: Digest::of(entry),
    }
}

#[test]
fn a_statement_about_a_suspension_has_its_subjects_and_no_others() {
    let fixture = Fixture::new();
    let other = suspension(&fixture, &fixture.ot);
    let suspension = suspension(&fixture, &fixture.soc);
    let suspend = SuspensionSubjects::of(&suspension).unwrap();
    let resume_it = resume(&suspension, ENTRY);
    for (subjects, names) in [
        (suspend, &["suspension"] as &[&str]),
        (resume_it, &["suspension", "entry"]),
    ] {
        let decision = signed(&fixture, &fixture.soc, &subjects)
            .verify(&fixture.roster)
            .unwrap();
        let listed: Vec<&str> = decision
            .statement()
            .subject
            .iter()
            .map(|subject| subject.name.as_str())
            .collect();
        assert_eq!(listed, names);
        let offer = decision.claimed_offer();
        decision.confirm_suspension(&subjects, &offer).unwrap();
        let code = |subjects: &SuspensionSubjects| {
            decision
                .confirm_suspension(subjects, &offer)
                .map_err(|error| error.code())
        };
        for (about, expected) in [
            (SuspensionSubjects::of(&other).unwrap(), "wrong_subjects"),
            (resume(&other, ENTRY), "wrong_subjects"),
            (resume(&suspension, b"another entry"), "wrong_subjects"),
        ] {
            let expected = if about.kind() == subjects.kind() {
                expected
            } else {
                "malformed_subjects"
            };
            assert_eq!(code(&about), Err(expected), "{subjects:?} {about:?}");
        }
        let mut narrowed = decision.statement().clone();
        narrowed.predicate.narrowing = Some(crate::briefing::Narrowing {
            targets: BTreeSet::new(),
        });
        let error = parse(&narrowed.to_bytes().unwrap()).unwrap_err();
        assert_eq!(error.code(), "narrowing_not_allowed");
        let mut bare = decision.statement().clone();
        bare.subject.clear();
        let error = parse(&bare.to_bytes().unwrap()).unwrap_err();
        assert_eq!(error.code(), "malformed_subjects");
    }
}

#[test]
fn one_may_suspend_and_a_stranger_may_not() {
    let fixture = Fixture::new();
    let (by, _) = rule(DecisionKind::SuspendAutonomy).unwrap();
    for (person, expected) in [
        (&fixture.soc, Ok(())),
        (&fixture.ot, Err("not_eligible")),
        (&fixture.board[0], Err("not_eligible")),
    ] {
        let subjects = SuspensionSubjects::of(&suspension(&fixture, person)).unwrap();
        let decision = signed(&fixture, person, &subjects)
            .verify(&fixture.roster)
            .unwrap();
        let eligible = decision
            .check_eligible(&by, &BTreeSet::new())
            .map_err(|error| error.code());
        assert_eq!(eligible, expected, "{}", person.id);
    }
    for kind in [
        DecisionKind::Approve,
        DecisionKind::Abort,
        DecisionKind::AuthoriseEnvelope,
    ] {
        assert_eq!(rule(kind), None);
    }
}

/// Roles that a person may hold: none, either, both, and one that does not count.
fn held() -> impl Strategy<Value = BTreeSet<Role>> {
    let names = [ROLES[0], ROLES[1], "governance-board"];
    proptest::sample::subsequence(names.to_vec(), 0..=names.len()).prop_map(|held| {
        held.into_iter()
            .map(|role| Role::new(role).unwrap())
            .collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whoever signs, however often and in whatever order: two different people who hold one of the
    /// two roles and agree, in any mixture of them, and nothing less.
    #[test]
    fn two_different_people_resume_and_nobody_alone(
        roles in proptest::collection::vec(held(), 5),
        signatures in proptest::collection::vec((0_usize..5, any::<bool>()), 0..5),
    ) {
        let mut fixture = Fixture::new();
        for (approver, held) in fixture.genesis.approvers.iter_mut().zip(&roles) {
            approver.roles.retain(|role| role.as_str() == "administrator");
            approver.roles.extend(held.iter().cloned());
        }
        fixture.roster = Roster::from_genesis(&fixture.genesis).unwrap();
        let people = [&fixture.soc, &fixture.ot, &fixture.board[0], &fixture.board[1], &fixture.agent];
        let suspension = suspension(&fixture, &fixture.soc);
        let decisions: Vec<VerifiedDecision> = signatures
            .iter()
            .map(|(person, this)| {
                let entry = if *this { ENTRY } else { b"another entry" };
                signed(&fixture, people[*person], &resume(&suspension, entry)).verify(&fixture.roster).unwrap()
            })
            .collect();
        let counts = |person: &usize| ROLES.iter().any(|role| roles[*person].iter().any(|held| held.as_str() == *role));
        let agreed = |this: bool| -> usize {
            let people: BTreeSet<usize> =
                signatures.iter().filter(|(_, about)| *about == this).map(|(person, _)| *person).filter(counts).collect();
            people.len()
        };
        let (by, mixture) = rule(DecisionKind::ResumeAutonomy).unwrap();
        let quorum = Quorum::form_mixed(&decisions, &by, mixture, &BTreeSet::new(), at(NOW));
        prop_assert_eq!(quorum.is_ok(), agreed(true) >= 2 || agreed(false) >= 2, "{:?}", quorum.err());
    }
}
