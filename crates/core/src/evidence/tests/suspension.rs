//! Evidence of a suspension: who suspended it, and who resumed it.

use super::*;
use crate::decision::{SuspensionSubjects, for_suspension};
use crate::log::body::{AutonomyResumed, AutonomySuspended};
use crate::suspension::{Extent, Suspension};

type Who = fn(&Fixture) -> &Person;

/// A suspension by `who`, in force; the digests of the document and of its entry.
fn suspend(story: &mut Story, who: Who) -> (Digest, Digest) {
    let person = who(&story.fixture).id.clone();
    let suspension = Suspension::new(
        story.fixture.roster.deployment().clone(),
        Extent::Backend,
        person.clone(),
        at(NOW),
    );
    let digest = suspension.digest().unwrap();
    story.inputs.documents.push(suspension.to_bytes().unwrap());
    let subjects = SuspensionSubjects::of(&suspension).unwrap();
    let decision = sign(story, who, &subjects);
    let body = AutonomySuspended {
        suspension: digest,
        suspends: suspension.suspends,
        approver: person,
        decision,
    };
    story.log(&Entry::of(at(NOW), &body).unwrap());
    (digest, Digest::of(story.entries.last().unwrap()))
}

fn sign(story: &mut Story, who: Who, subjects: &SuspensionSubjects) -> Digest {
    let mut attempt = story.attempt(who);
    // Another nonce each time, so that nobody's second decision is the first again.
    attempt.offer.nonce = Bytes(vec![story.entries.len() as u8; 32]);
    let statement = for_suspension(subjects, &story.fixture.judgement(), &attempt).unwrap();
    story.decide(who, &statement)
}

/// Resumed by these people, as the log says.
fn resume(story: &mut Story, (suspension, entry): (Digest, Digest), people: &[Who]) {
    let subjects = SuspensionSubjects::Resume { suspension, entry };
    let decisions = people
        .iter()
        .map(|who| sign(story, *who, &subjects))
        .collect();
    let body = AutonomyResumed {
        suspension,
        entry,
        decisions,
    };
    story.log(&Entry::of(at(NOW), &body).unwrap());
}

fn failures(folder: &Folder) -> Vec<String> {
    verify(&folder.files, Some(folder.genesis))
        .failures()
        .map(|check| check.sentence.clone())
        .collect()
}

const SOC: Who = |f| &f.soc;
/// The agent's owner holds the role of a SOC lead as well.
const SECOND: Who = |f| &f.agent;
const BOARD: Who = |f| &f.board[0];

#[test]
fn one_suspends_and_two_resume() {
    let mut story = Story::new();
    suspend(&mut story, SOC);
    assert_eq!(failures(&story.export()), [] as [&str; 0]);

    let mut story = Story::new();
    let suspended = suspend(&mut story, SOC);
    resume(&mut story, suspended, &[SECOND, SOC]);
    let folder = story.export();
    let report = verify(&folder.files, Some(folder.genesis));
    assert!(
        report.holds(),
        "{:#?}",
        report.failures().collect::<Vec<_>>()
    );
    let said: Vec<&str> = report.checks.iter().map(|c| c.sentence.as_str()).collect();
    for expected in [
        "sam, who may do so alone, suspended everything that runs alone; in force with entry 2 of the log",
        "2 people who agree resumed it, with entry 5 of the log",
    ] {
        assert!(said.contains(&expected), "{said:#?}");
    }
}

#[test]
fn what_rests_on_too_few_or_others_fails() {
    let told = |people: &[Who]| {
        let mut story = Story::new();
        let suspended = suspend(&mut story, SOC);
        resume(&mut story, suspended, people);
        failures(&story.export()).join("; ")
    };
    for people in [&[SOC] as &[Who], &[SOC, SOC], &[SOC, BOARD]] {
        let told = told(people);
        assert!(
            told.contains("the quorum is not complete: 1 more approver"),
            "{told}"
        );
    }

    let mut story = Story::new();
    suspend(&mut story, BOARD);
    let told = failures(&story.export()).join("; ");
    assert!(told.contains("not_eligible"), "{told}");

    // A resumption about another entry than the one by which it came into force.
    let mut story = Story::new();
    let (suspension, _) = suspend(&mut story, SOC);
    resume(
        &mut story,
        (suspension, Digest::of(b"another")),
        &[SOC, SECOND],
    );
    let told = failures(&story.export()).join("; ");
    assert!(told.contains("wrong_subjects"), "{told}");

    // Nothing of it may be missing.
    let mut story = Story::new();
    let (suspension, _) = suspend(&mut story, SOC);
    let mut folder = story.export();
    folder.files.remove(&payload_path(suspension)).unwrap();
    assert!(!failures(&folder).is_empty());
}
