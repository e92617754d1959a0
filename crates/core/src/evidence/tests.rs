mod suspension;

use std::collections::BTreeSet;

use super::*;
use crate::briefing::Narrowing;
use crate::canonical;
use crate::decision::fixture::{Fixture, NOW, Person, at};
use crate::decision::{
    Attempt, EnvelopeSubjects, ItemChoice, OperationChoice, OperationDocument, OperationSubjects,
    UnverifiedDecision, digest_of_systems, for_envelope, for_item, for_operation,
    subjects::OPERATION_SCHEMA,
};
use crate::identifier::{OperationId, SystemId};
use crate::log::body::{
    ApprovalVoided, DecisionRecorded, EnvelopeAuthorised, OperationRecorded, ProposalAssessed,
};
use crate::log::{Checkpoint, Entry, leaf_hash, tree};
use crate::operation::{Authority, Record};
use crate::statement::{Salted, Statement};
use crate::webauthn::Bytes;

/// A log and what is exported from it.
pub(crate) struct Story {
    pub(crate) fixture: Fixture,
    entries: Vec<Vec<u8>>,
    stored: Vec<Digest>,
    inputs: Inputs,
}

fn systems(ids: &[&str]) -> BTreeSet<SystemId> {
    ids.iter().map(|id| SystemId::new(*id).unwrap()).collect()
}

fn rationale() -> Salted {
    Salted {
        salt: Bytes(vec![2; 32]),
        text: "because".to_owned(),
    }
}

impl Story {
    fn new() -> Self {
        Self::of(Fixture::new())
    }

    pub(crate) fn of(fixture: Fixture) -> Self {
        let mut story = Self {
            fixture,
            entries: Vec::new(),
            stored: Vec::new(),
            inputs: Inputs::default(),
        };
        let genesis = story.fixture.genesis.clone();
        story.log(&Entry::of(genesis.created_at, &genesis).unwrap());
        story.inputs.salted.push(rationale());
        story
    }

    fn log(&mut self, entry: &Entry) -> u64 {
        let bytes = entry.to_bytes().unwrap();
        let index = self.entries.len() as u64;
        let new = tree::stored_hashes(index, leaf_hash(&bytes), &self.stored).unwrap();
        self.stored.extend(new.into_iter().map(|(_, hash)| hash));
        self.entries.push(bytes);
        index
    }

    fn pin(&mut self) -> CheckpointReference {
        let size = self.entries.len() as u64;
        let old = CheckpointReference {
            size,
            root: tree::tree_hash(size, &self.stored).unwrap(),
        };
        self.inputs.consistency.push(ConsistencyFile {
            old,
            proof: Vec::new(),
        });
        old
    }

    fn attempt(&mut self, person: fn(&Fixture) -> &Person) -> Attempt {
        let checkpoint = self.pin();
        Attempt {
            checkpoint,
            ..self.fixture.attempt(person(&self.fixture))
        }
    }

    fn decide(&mut self, person: fn(&Fixture) -> &Person, statement: &Statement) -> Digest {
        let decision = person(&self.fixture).sign(statement);
        self.record(decision, statement)
    }

    fn record(&mut self, decision: UnverifiedDecision, statement: &Statement) -> Digest {
        let digest = Digest::of(&decision.statement);
        let body = DecisionRecorded {
            decision: digest,
            assertion: canonical::digest(&decision.assertion).unwrap(),
            kind: statement.predicate.kind,
            approver: statement.predicate.approver.clone(),
            item: Some(self.fixture.briefing.item.clone()),
            operation: None,
            envelope: None,
            suspension: None,
        };
        self.log(&Entry::of(statement.predicate.decided_at, &body).unwrap());
        self.inputs.decisions.push(decision);
        digest
    }

    /// The item is assessed, with the documents behind it.
    pub(crate) fn assess(&mut self) {
        let briefing = &self.fixture.briefing;
        let body = ProposalAssessed::of(briefing, self.fixture.digest);
        let entry = Entry::of(briefing.assessed_at, &body).unwrap();
        self.inputs.briefing = Some(canonical::to_bytes(briefing).unwrap());
        self.inputs
            .documents
            .push(canonical::to_bytes(&self.fixture.envelope).unwrap());
        self.inputs
            .documents
            .push(canonical::to_bytes(&self.fixture.topology).unwrap());
        self.log(&entry);
    }

    pub(crate) fn choose(
        &mut self,
        person: fn(&Fixture) -> &Person,
        choice: &ItemChoice,
    ) -> Digest {
        let attempt = self.attempt(person);
        let fixture = &self.fixture;
        let statement = for_item(
            &fixture.briefing,
            fixture.digest,
            choice,
            &fixture.judgement(),
            &attempt,
        )
        .unwrap();
        self.decide(person, &statement)
    }

    /// An operation by these decisions on these systems, which touches `touched` and trips.
    pub(crate) fn operate(
        &mut self,
        decisions: &[Digest],
        waves: &[&str],
        touched: &str,
    ) -> (OperationDocument, Digest) {
        // What a dishonest backend could write: the type itself is built only from a quorum.
        let decisions: BTreeSet<Digest> = decisions.iter().copied().collect();
        let targets = digest_of_systems(&systems(waves)).unwrap();
        let authority =
            serde_json::json!({"kind": "decided", "decisions": decisions, "targets": targets});
        self.operate_by(serde_json::from_value(authority).unwrap(), waves, touched)
    }

    /// As [`Self::operate`], by any authority.
    pub(crate) fn operate_by(
        &mut self,
        authority: Authority,
        waves: &[&str],
        touched: &str,
    ) -> (OperationDocument, Digest) {
        let briefing = &self.fixture.briefing;
        let document = OperationDocument {
            schema: OPERATION_SCHEMA.to_owned(),
            audience: briefing.audience.clone(),
            operation: OperationId::new("op-1").unwrap(),
            item: Some(briefing.item.clone()),
            briefing: Some(self.fixture.digest),
            authority: authority.clone(),
            action: briefing.proposal.action.kind(),
            waves: waves
                .iter()
                .map(|id| systems(&[id]).into_iter().collect())
                .collect(),
            quorum: briefing.assessment.quorum.clone().unwrap_or_else(|| {
                crate::assessment::QuorumRule {
                    needed: 1,
                    roles: BTreeSet::new(),
                }
            }),
            started_at: at(NOW),
        };
        let bytes = canonical::to_bytes(&document).unwrap();
        let digest = Digest::of(&bytes);
        self.inputs.documents.push(bytes);
        let system = SystemId::new(touched).unwrap();
        let trip = serde_json::json!({
            "record": "tripped",
            "trip": {
                "system": touched, "wave": 0, "cause": "failures", "failed": 1, "limit": 0, "tally": {},
                "failure": { "during": "health", "measured": "503" }, "at": NOW,
            },
        });
        let trip: Record = serde_json::from_value(trip).unwrap();
        let records = [
            Record::Started {
                authority,
                systems: waves.len() as u64,
                waves: waves.len() as u64,
            },
            Record::Touched {
                system,
                attempt: 1,
                before: Some(Digest::of(b"before")),
            },
            trip,
        ];
        for record in records {
            let body = OperationRecorded::new(
                document.operation.clone(),
                document.item.clone(),
                digest,
                document.action,
                record,
            );
            self.log(&Entry::of(at(NOW), &body).unwrap());
        }
        let trip = Digest::of(self.entries.last().unwrap());
        (document, trip)
    }

    /// What became of the system that was touched.
    pub(crate) fn settle(&mut self, document: &OperationDocument, system: &str) {
        let record = serde_json::json!({
            "record": "system", "system": system, "outcome": "failed", "attempts": 1, "touched": true,
            "before": Digest::of(b"before"), "failure": { "during": "health", "measured": "503" },
            "checks": { "up": { "result": "fail", "measured": "503" } },
        });
        let body = OperationRecorded::new(
            document.operation.clone(),
            document.item.clone(),
            canonical::digest(document).unwrap(),
            document.action,
            serde_json::from_value(record).unwrap(),
        );
        self.log(&Entry::of(at(NOW), &body).unwrap());
    }

    /// A drill on one system.
    fn rehearse(&mut self) {
        let authority =
            serde_json::json!({"kind": "drill", "action": "patch", "class": "linux-server"});
        let authority: Authority = serde_json::from_value(authority).unwrap();
        let document = OperationDocument {
            schema: OPERATION_SCHEMA.to_owned(),
            audience: self.fixture.briefing.audience.clone(),
            operation: OperationId::new("op-2").unwrap(),
            item: None,
            briefing: None,
            authority: authority.clone(),
            action: self.fixture.briefing.proposal.action.kind(),
            waves: vec![systems(&["web-1"]).into_iter().collect()],
            quorum: self.fixture.briefing.assessment.quorum.clone().unwrap(),
            started_at: at(NOW),
        };
        let bytes = canonical::to_bytes(&document).unwrap();
        let body = OperationRecorded::new(
            document.operation.clone(),
            None,
            Digest::of(&bytes),
            document.action,
            Record::Started {
                authority,
                systems: 1,
                waves: 1,
            },
        );
        self.inputs.documents.push(bytes);
        self.log(&Entry::of(at(NOW), &body).unwrap());
    }

    fn roll_back(&mut self, document: &OperationDocument, trip: Digest, touched: &str) {
        let all: BTreeSet<SystemId> = document.waves.iter().flatten().cloned().collect();
        let touched = systems(&[touched]);
        let subjects = OperationSubjects {
            operation: canonical::digest(document).unwrap(),
            trip: Some(trip),
            remaining: all.difference(&touched).cloned().collect(),
            touched,
        };
        self.inputs
            .documents
            .push(canonical::to_bytes(&subjects.touched).unwrap());
        self.inputs
            .documents
            .push(canonical::to_bytes(&subjects.remaining).unwrap());
        let attempt = self.attempt(|f| &f.soc);
        let statement = for_operation(
            &OperationChoice::RollBack,
            &subjects,
            &self.fixture.judgement(),
            &attempt,
        )
        .unwrap();
        self.decide(|f| &f.soc, &statement);
    }

    /// Checkpoint and proofs, at the end of the story.
    pub(crate) fn export(mut self) -> Folder {
        let size = self.entries.len() as u64;
        let root = tree::tree_hash(size, &self.stored).unwrap();
        let deployment = self.fixture.roster.deployment();
        self.inputs.checkpoint =
            Checkpoint::new(deployment, size, root).sign(&self.fixture.log_key);
        for (index, bytes) in (0..).zip(&self.entries) {
            self.inputs.entries.push(LoggedEntry {
                index,
                bytes: bytes.clone(),
                proof: tree::inclusion_proof(index, size, &self.stored).unwrap(),
            });
        }
        self.inputs.consistency.retain(|file| file.old.size != size);
        for file in &mut self.inputs.consistency {
            file.proof = tree::consistency_proof(file.old.size, size, &self.stored).unwrap();
        }
        Folder {
            files: export(&self.inputs).unwrap(),
            genesis: canonical::digest(&self.fixture.genesis).unwrap(),
        }
    }
}

pub(crate) struct Folder {
    pub(crate) files: Files,
    pub(crate) genesis: Digest,
}

impl Folder {
    fn report(&self) -> Report {
        verify(&self.files, Some(self.genesis))
    }

    fn sentences(&self, outcome: Outcome) -> Vec<String> {
        let report = self.report();
        let checks = report
            .checks
            .iter()
            .filter(|check| check.outcome == outcome);
        checks
            .map(|check| format!("{}: {}", check.subject, check.sentence))
            .collect()
    }

    fn fails_with(&self, words: &str) {
        let failures = self.sentences(Outcome::Failed);
        assert!(
            failures.iter().any(|f| f.contains(words)),
            "{words}: {failures:#?}"
        );
    }

    fn holds(&self) {
        assert!(
            self.report().holds(),
            "{:#?}",
            self.sentences(Outcome::Failed)
        );
    }
}

fn canary() -> ItemChoice {
    ItemChoice::Approve {
        narrowing: Some(Narrowing {
            targets: systems(&["web-1", "web-2"]),
        }),
    }
}

/// Two approve narrowed, it runs, trips and is rolled back.
fn whole_story() -> Story {
    let mut story = Story::new();
    story.assess();
    let decisions = [
        story.choose(|f| &f.soc, &canary()),
        story.choose(|f| &f.ot, &canary()),
    ];
    let (document, trip) = story.operate(&decisions, &["web-1", "web-2"], "web-1");
    story.roll_back(&document, trip, "web-1");
    story
}

#[test]
fn a_whole_story_verifies() {
    let folder = whole_story().export();
    folder.holds();
    assert_eq!(folder.report().genesis, Some(folder.genesis));
    let notes = folder.sentences(Outcome::Noted);
    assert_eq!(
        notes,
        ["genesis: this is a demonstration: its keys protect nothing"]
    );
    let holds = folder.sentences(Outcome::Holds).join("\n");
    for words in [
        "the genesis is the pinned one",
        "sam signed approve",
        "olga signed approve",
        "sam signed roll_back",
        "made again from the documents and are the same",
        "sam, olga approved 2 of the proposed targets and no other; the quorum is complete",
        "the quorum was complete before it began",
        "1 systems touched and 1 not",
        "the log goes on from the 2 entries",
    ] {
        assert!(holds.contains(words), "{words}\n{holds}");
    }
}

#[test]
fn any_changed_byte_is_reported() {
    let folder = whole_story().export();
    for (path, bytes) in &folder.files {
        // Every byte of the short files, a sample of the long.
        let step = (bytes.len() / 12).max(1);
        for place in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let mut files = folder.files.clone();
            files.get_mut(path).unwrap()[place] ^= 1;
            assert!(
                !verify(&files, Some(folder.genesis)).holds(),
                "{path} byte {place}"
            );
        }
    }
}

#[test]
fn a_missing_or_extra_file_is_reported() {
    let folder = whole_story().export();
    let rationale = payload_path(rationale().commitment().unwrap());
    for path in folder.files.keys() {
        let mut files = folder.files.clone();
        files.remove(path);
        let report = verify(&files, Some(folder.genesis));
        if *path == rationale {
            assert!(report.holds(), "an erased rationale is no fault");
            assert!(
                report
                    .checks
                    .iter()
                    .any(|c| c.outcome == Outcome::Noted && c.sentence.contains("erased"))
            );
        } else {
            assert!(!report.holds(), "{path}");
        }
    }
    for path in [
        "note.txt",
        "decisions/01/statement.json",
        "log/entries/00.json",
        "payloads/x.json",
        "log/consistency/1.json",
    ] {
        let mut files = folder.files.clone();
        files.insert(path.to_owned(), b"{}".to_vec());
        assert!(!verify(&files, Some(folder.genesis)).holds(), "{path}");
    }
    assert!(!verify(&Files::new(), None).holds());
}

#[test]
fn files_of_another_decision_are_reported() {
    let folder = whole_story().export();
    for file in [
        "statement.json",
        "decision.sig",
        "allowed_signers",
        "webauthn.json",
    ] {
        let mut files = folder.files.clone();
        let other = files[&decision_path(2, file)].clone();
        files.insert(decision_path(1, file), other);
        assert!(!verify(&files, Some(folder.genesis)).holds(), "{file}");
    }
}

#[test]
fn the_genesis_is_believed_only_as_far_as_it_is_pinned() {
    let folder = whole_story().export();
    let report = verify(&folder.files, None);
    assert!(report.holds());
    assert!(
        report
            .checks
            .iter()
            .any(|c| c.outcome == Outcome::Noted && c.sentence.contains("nothing was pinned"))
    );
    let other = Folder {
        genesis: Digest::of(b"another"),
        ..folder
    };
    other.fails_with("not the pinned");
}

#[test]
fn a_rejection_proves_itself_and_stops_the_item() {
    let mut story = Story::new();
    story.assess();
    story.choose(|f| &f.soc, &ItemChoice::Reject);
    story.export().holds();

    let mut story = Story::new();
    story.assess();
    let whole = ItemChoice::Approve { narrowing: None };
    let decisions = [
        story.choose(|f| &f.soc, &whole),
        story.choose(|f| &f.ot, &whole),
    ];
    story.choose(|f| &f.soc, &ItemChoice::Reject);
    story.operate(&decisions, &["web-1", "web-2", "web-3"], "web-1");
    story.export().fails_with("had rejected it before it ran");
}

#[test]
fn a_voided_approval_lets_nothing_run() {
    let mut story = Story::new();
    story.assess();
    let decisions = [
        story.choose(|f| &f.soc, &canary()),
        story.choose(|f| &f.ot, &canary()),
    ];
    let voided = ApprovalVoided {
        item: story.fixture.briefing.item.clone(),
        operation: None,
        reason: "the scope is larger now".to_owned(),
    };
    story.log(&Entry::of(at(NOW), &voided).unwrap());
    story.operate(&decisions, &["web-1", "web-2"], "web-1");
    story.export().fails_with("had voided an approval");
}

#[test]
fn an_incomplete_quorum_is_noted_and_nothing_may_run_by_it() {
    let mut story = Story::new();
    story.assess();
    let decision = story.choose(|f| &f.soc, &canary());
    let folder = story.export();
    folder.holds();
    assert!(
        folder
            .sentences(Outcome::Noted)
            .iter()
            .any(|n| n.contains("1 more approver; not yet represented: ot-safety-officer"))
    );

    let mut story = Story::new();
    story.assess();
    assert_eq!(story.choose(|f| &f.soc, &canary()), decision);
    story.operate(&[decision], &["web-1", "web-2"], "web-1");
    story.export().fails_with("the quorum is not complete");
}

#[test]
fn what_ran_must_be_what_was_approved() {
    let run = |waves: &[&str], touched: &str| {
        let mut story = Story::new();
        story.assess();
        let decisions = [
            story.choose(|f| &f.soc, &canary()),
            story.choose(|f| &f.ot, &canary()),
        ];
        story.operate(&decisions, waves, touched);
        story.export()
    };
    run(&["web-1", "web-2"], "web-2").holds();
    run(&["web-1", "web-2", "web-3"], "web-2").fails_with("not those that were approved");
    run(&["web-1"], "web-1").fails_with("not those that were approved");
    run(&["web-1", "web-2"], "web-3").fails_with("`web-3`, which was not authorised");
}

#[test]
fn an_ineligible_approver_and_the_proposer_are_reported() {
    let mut story = Story::new();
    story.assess();
    story.choose(|f| &f.board[0], &ItemChoice::Reject);
    story.export().fails_with("(not_eligible)");
    let mut story = Story::new();
    story.assess();
    story.choose(|f| &f.agent, &ItemChoice::Reject);
    story.export().fails_with("(own_proposal)");
}

#[test]
fn an_assessment_that_does_not_follow_is_reported_though_people_signed_it() {
    let mut story = Story::new();
    story.fixture.briefing.assessment.scope.systems = 1;
    story.fixture.digest = canonical::digest(&story.fixture.briefing).unwrap();
    story.assess();
    story.choose(|f| &f.soc, &ItemChoice::Reject);
    story.export().fails_with("made again by core");
}

#[test]
fn a_decision_that_the_log_does_not_record_is_reported() {
    let mut story = Story::new();
    story.assess();
    let attempt = story.attempt(|f| &f.soc);
    let fixture = &story.fixture;
    let statement = for_item(
        &fixture.briefing,
        fixture.digest,
        &ItemChoice::Reject,
        &fixture.judgement(),
        &attempt,
    )
    .unwrap();
    let decision = fixture.soc.sign(&statement);
    story.inputs.decisions.push(decision);
    story.export().fails_with("no entry of the log records it");
}

#[test]
fn an_approver_who_saw_another_log_is_reported() {
    let mut story = Story::new();
    story.assess();
    let mut attempt = story.attempt(|f| &f.soc);
    attempt.checkpoint.root = Digest::of(b"a fork");
    story.inputs.consistency.last_mut().unwrap().old.root = attempt.checkpoint.root;
    let fixture = &story.fixture;
    let statement = for_item(
        &fixture.briefing,
        fixture.digest,
        &ItemChoice::Reject,
        &fixture.judgement(),
        &attempt,
    )
    .unwrap();
    story.decide(|f| &f.soc, &statement);
    story.export().fails_with("another root");
}

#[test]
fn an_authorised_envelope_proves_itself() {
    let authorise = |members: &[fn(&Fixture) -> &Person], in_force: bool| {
        let mut story = Story::new();
        let subjects = EnvelopeSubjects::new(None, &story.fixture.envelope).unwrap();
        story
            .inputs
            .documents
            .push(canonical::to_bytes(&story.fixture.envelope).unwrap());
        let mut decisions = BTreeSet::new();
        for member in members {
            let attempt = story.attempt(*member);
            let statement = for_envelope(&subjects, &story.fixture.judgement(), &attempt).unwrap();
            decisions.insert(story.decide(*member, &statement));
        }
        if in_force {
            let body = EnvelopeAuthorised {
                envelope: subjects.envelope,
                decisions,
            };
            story.log(&Entry::of(at(NOW), &body).unwrap());
        }
        story.export()
    };
    let folder = authorise(&[|f| &f.board[0], |f| &f.board[1]], true);
    folder.holds();
    assert!(
        folder
            .sentences(Outcome::Holds)
            .iter()
            .any(|s| s.contains("it came into force with entry 3"))
    );
    let alone = authorise(&[|f| &f.board[0]], false);
    alone.holds();
    assert!(
        alone
            .sentences(Outcome::Noted)
            .iter()
            .any(|s| s.contains("1 more approver"))
    );
    authorise(&[|f| &f.board[0]], true).fails_with("rests on too few decisions");
    authorise(&[|f| &f.board[0], |f| &f.soc], true).fails_with("rests on too few decisions");
}

#[test]
fn what_needed_no_decision_proves_itself_and_nothing_more() {
    // Nobody has decided: what is there is the assessment.
    let mut story = Story::new();
    story.assess();
    let folder = story.export();
    folder.holds();
    let notes = folder.sentences(Outcome::Noted).join("\n");
    assert!(notes.contains("nothing that ran"), "{notes}");

    // A drill.
    let mut story = Story::new();
    story.rehearse();
    let folder = story.export();
    folder.holds();
    let notes = folder.sentences(Outcome::Noted).join("\n");
    assert!(notes.contains("it was a drill"), "{notes}");

    // What rests on decisions fails without them, and so does a folder of nothing.
    let mut story = Story::new();
    story.assess();
    story.operate(&[Digest::of(b"none")], &["web-1"], "web-1");
    story
        .export()
        .fails_with("the log says that people decided");
    Story::new().export().fails_with("nothing else to check");
}

#[test]
fn a_folder_written_before_the_readme_grew_still_verifies() {
    let mut folder = whole_story().export();
    let readme = String::from_utf8(folder.files[README].clone()).unwrap();
    let start = readme.find("- That the envelope of the briefing").unwrap();
    let end = start + readme[start..].find("- The model").unwrap();
    let before = format!("{}{}", &readme[..start], &readme[end..]);
    folder.files.insert(README.to_owned(), before.into_bytes());
    folder.holds();
}

#[test]
fn the_readme_reads_like_this() {
    let folder = whole_story().export();
    let readme = String::from_utf8(folder.files[README].clone()).unwrap();
    // The statements' digests change with what assessments say; the text does not.
    let mut text = String::new();
    for word in readme.split_inclusive(['`', ' ', '\n']) {
        let hex = word.trim_end_matches(['`', ' ', '\n']);
        if hex.len() == 64 && hex.bytes().all(|b| b.is_ascii_hexdigit()) {
            text.push_str(&word.replace(hex, "[digest]"));
        } else {
            text.push_str(word);
        }
    }
    insta::assert_snapshot!(text);
}
