//! AG-706 tests 8.1–8.8 as executable checks on an organisation's own documents and evidence.
//!
//! The specification gives these tests, their scoring and the artefacts as headings only. The steps,
//! the results and the score here are our definition ([`DEFINITION`]); requirements, maturity criteria and
//! provisions are the specification's own words.
//!
//! A test tries things and writes down what came of each ([`Trial`]). What was not given is not
//! shown, and what is not shown never counts as conformant.

mod approval;
mod blast_radius;
mod breaker;
mod dependencies;
mod envelope;
mod exclusion;
mod log;
mod maturity;
mod provisions;
mod rollback;
mod sample;

#[cfg(test)]
mod tests;

use chrono::{DateTime, Utc};
use serde::Serialize;

pub use maturity::{Criterion, Level, Maturity, Met};
pub use provisions::{Provision, Relationship};

use crate::assessment::{self, Assessment, Clause};
use crate::canonical::{self, CanonicalError};
use crate::envelope::Envelope;
use crate::evidence::Files;
use crate::history::History;
use crate::identifier::Digest;
use crate::operation::{self, Effect, Event, Operation, StepError};
use crate::proposal::Proposal;
use crate::scope::Graph;
use crate::statement::CORE_VERSION;
use crate::topology::Topology;

/// The `schema` member of a report.
pub const SCHEMA: &str = "countersign/conformance/v1";

/// What of a report is ours.
pub const DEFINITION: &str = "AG-706 gives tests 8.1 to 8.8, conformance scoring and evidence artefacts as headings only: \
the steps, results and score of this report are Countersign's definition";

/// What is checked.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a> {
    /// The envelope.
    pub envelope: &'a Envelope,
    /// The topology.
    pub topology: &'a Topology,
    /// What the backend knows; absent means that what rests on it is not shown.
    pub history: Option<&'a History>,
    /// Exported evidence folders.
    pub evidence: &'a [Folder],
    /// The digest of the genesis that the reader trusts; absent means that each folder's own is believed.
    pub genesis: Option<Digest>,
    /// The instant of the check.
    pub now: DateTime<Utc>,
}

/// An evidence folder and its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Folder {
    /// As the report calls it.
    pub name: String,
    /// Its files.
    pub files: Files,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What it is held against.
    pub specification: &'static str,
    /// [`DEFINITION`].
    pub definition: &'static str,
    /// The version of the core that checked.
    pub core_version: &'static str,
    /// The instant of the check.
    pub now: DateTime<Utc>,
    /// What was checked.
    pub documents: Documents,
    /// Tests 8.1 to 8.8, in this order.
    pub tests: Vec<Test>,
    /// The score, by our definition.
    pub score: Score,
    /// The maturity level of section 6.
    pub maturity: Maturity,
}

/// Digests of what was checked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Documents {
    /// Of the envelope.
    pub envelope: Digest,
    /// Of the topology.
    pub topology: Digest,
    /// Of the history.
    pub history: Option<Digest>,
    /// Names of the evidence folders with the digest of their genesis, where it can be read.
    pub evidence: Vec<EvidenceDigest>,
}

/// An evidence folder in a report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceDigest {
    /// Its name.
    pub name: String,
    /// The digest of its genesis.
    pub genesis: Option<Digest>,
    /// The digest of the array of its paths and the digests of their bytes.
    pub content: Digest,
}

/// One of the tests of section 8.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Test {
    /// Its number, such as `8.1`.
    pub id: &'static str,
    /// Its heading in the specification.
    pub title: &'static str,
    /// What follows from its trials.
    pub result: TestResult,
    /// The requirements that it tests.
    pub clauses: Vec<Clause>,
    /// The provisions of section 9 that it supports.
    pub provisions: Vec<Provision>,
    /// What was tried.
    pub trials: Vec<Trial>,
}

/// The result of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TestResult {
    /// Everything tried holds, and nothing is left to show.
    Conformant,
    /// Nothing failed, and something is weak or not shown.
    Partial,
    /// Something failed.
    NotConformant,
    /// Nothing was given that could show it.
    NotTested,
}

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// What was tried, in a sentence.
    pub what: String,
    /// How many times.
    pub tried: u64,
    /// What came of it.
    pub outcome: TrialOutcome,
    /// What was seen: the first of what is wrong, or what holds.
    pub seen: String,
}

/// What came of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrialOutcome {
    /// It holds.
    Holds,
    /// It holds as far as it goes, and that is less than the requirement asks.
    Weak,
    /// It does not hold.
    Fails,
    /// Nothing was given that could show it.
    NotShown,
}

/// The score: 2 points for each conformant test, 1 for each partial one. Our definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Score {
    /// Points reached.
    pub points: u32,
    /// Points that there are.
    pub of: u32,
    /// Tests that are conformant.
    pub conformant: u32,
    /// Tests that are partial.
    pub partial: u32,
    /// Tests that are not conformant.
    pub not_conformant: u32,
    /// Tests for which nothing was given.
    pub not_tested: u32,
}

/// What is driven by the tests; a test of a test puts a broken one in.
#[derive(Clone, Copy)]
struct Engine<'e> {
    assess: &'e Assess,
    step: &'e Step,
}

type Assess = dyn Fn(&Envelope, &Graph, &Proposal, Option<&History>, DateTime<Utc>) -> Assessment;
type Step = dyn Fn(&mut Operation, Event) -> Result<Vec<Effect>, StepError>;

fn assess(
    envelope: &Envelope,
    graph: &Graph,
    proposal: &Proposal,
    history: Option<&History>,
    now: DateTime<Utc>,
) -> Assessment {
    assessment::assess(Some(envelope), graph, proposal, history, now)
}

/// Checks everything and reports. Deterministic, and bounded whatever the size of the documents.
///
/// # Errors
/// [`CanonicalError`] where a document has no digest.
pub fn check(inputs: &Inputs<'_>) -> Result<Report, CanonicalError> {
    let engine = Engine {
        assess: &assess,
        step: &operation::step,
    };
    check_with(inputs, engine)
}

fn check_with(inputs: &Inputs<'_>, engine: Engine<'_>) -> Result<Report, CanonicalError> {
    let folders = log::read(inputs.evidence, inputs.genesis);
    let documents = documents(inputs, &folders)?;
    let envelope_digest = documents.envelope;
    // Within the authority window, where it has one, and of a topology that is fresh.
    let now = sample::instant(inputs.envelope, inputs.now, |_| true).unwrap_or(inputs.now);
    let topology = sample::observed(inputs.topology, now);
    let graph = Graph::new(&topology);
    let samples = sample::each_rule(inputs, engine);
    let tests: Vec<Test> = [
        (
            "8.1",
            "Remediation Authority Envelope Existence and Completeness",
            vec![Clause::C4_1, Clause::C4_10],
            envelope::check(inputs, envelope_digest, &folders),
        ),
        (
            "8.2",
            "Human Approval Enforcement for Out-of-Envelope Actions",
            vec![Clause::C4_1, Clause::C4_2, Clause::C4_10, Clause::C4_11],
            approval::check(inputs, &samples, &folders, engine),
        ),
        (
            "8.3",
            "Pre-Execution Dependency Analysis Enforcement",
            vec![Clause::C4_3, Clause::C4_12],
            dependencies::check(inputs, &graph, now, engine),
        ),
        (
            "8.4",
            "Circuit Breaker Activation on Health Check Failure",
            vec![Clause::C4_4, Clause::C4_9],
            breaker::check(inputs, &samples, envelope_digest, engine),
        ),
        (
            "8.5",
            "Blast-Radius Constraint Enforcement",
            vec![Clause::C4_5],
            blast_radius::check(inputs, now, engine),
        ),
        (
            "8.6",
            "Rollback Capability Verification",
            vec![Clause::C4_6],
            rollback::check(inputs),
        ),
        (
            "8.7",
            "Safety-Critical System Exclusion",
            vec![Clause::C4_7],
            exclusion::check(inputs, &graph, now, engine),
        ),
        (
            "8.8",
            "Immutable Audit Logging of Autonomous Remediation Actions",
            vec![Clause::C4_8],
            log::check(inputs, &folders),
        ),
    ]
    .into_iter()
    .map(|(id, title, clauses, trials)| Test {
        id,
        title,
        result: result(&trials),
        clauses,
        provisions: provisions::of(id),
        trials,
    })
    .collect();
    let maturity = maturity::reached(inputs, &tests, &folders, envelope_digest);
    Ok(Report {
        schema: SCHEMA,
        specification: "AG-706 Autonomous Remediation Approval Governance, AGS v2.1, April 2026",
        definition: DEFINITION,
        core_version: CORE_VERSION,
        now: inputs.now,
        documents,
        score: score(&tests),
        tests,
        maturity,
    })
}

fn documents(inputs: &Inputs<'_>, read: &[log::Read]) -> Result<Documents, CanonicalError> {
    Ok(Documents {
        envelope: canonical::digest(inputs.envelope)?,
        topology: canonical::digest(inputs.topology)?,
        history: inputs.history.map(canonical::digest).transpose()?,
        evidence: inputs
            .evidence
            .iter()
            .zip(read)
            .map(|(folder, read)| {
                let content: Vec<(&String, Digest)> = folder
                    .files
                    .iter()
                    .map(|(path, bytes)| (path, Digest::of(bytes)))
                    .collect();
                Ok(EvidenceDigest {
                    name: folder.name.clone(),
                    genesis: read.genesis,
                    content: canonical::digest(&content)?,
                })
            })
            .collect::<Result<_, CanonicalError>>()?,
    })
}

fn result(trials: &[Trial]) -> TestResult {
    let some = |outcome| trials.iter().any(|trial| trial.outcome == outcome);
    if some(TrialOutcome::Fails) {
        TestResult::NotConformant
    } else if !some(TrialOutcome::Holds) && !some(TrialOutcome::Weak) {
        TestResult::NotTested
    } else if some(TrialOutcome::Weak) || some(TrialOutcome::NotShown) {
        TestResult::Partial
    } else {
        TestResult::Conformant
    }
}

fn score(tests: &[Test]) -> Score {
    let count = |wanted| {
        let number = tests.iter().filter(|test| test.result == wanted).count();
        u32::try_from(number).unwrap_or(u32::MAX)
    };
    let (conformant, partial) = (count(TestResult::Conformant), count(TestResult::Partial));
    Score {
        points: conformant.saturating_mul(2).saturating_add(partial),
        of: u32::try_from(tests.len())
            .unwrap_or(u32::MAX)
            .saturating_mul(2),
        conformant,
        partial,
        not_conformant: count(TestResult::NotConformant),
        not_tested: count(TestResult::NotTested),
    }
}

/// A trial that counts what it tries and keeps the first of what is wrong.
struct Trying {
    what: String,
    tried: u64,
    wrong: u64,
    first: Option<String>,
}

impl Trying {
    fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            tried: 0,
            wrong: 0,
            first: None,
        }
    }

    /// One try; `wrong` says what is wrong with it, if anything is.
    fn one(&mut self, wrong: Option<String>) {
        self.tried = self.tried.saturating_add(1);
        if let Some(wrong) = wrong {
            self.wrong = self.wrong.saturating_add(1);
            self.first.get_or_insert(wrong);
        }
    }

    /// The trial: `bad` where anything was wrong, not shown where nothing was tried.
    fn end(self, bad: TrialOutcome, holds: &str) -> Trial {
        let (outcome, seen) = match self.first {
            Some(first) if self.wrong > 1 => (
                bad,
                format!("{first}; and {} more", self.wrong.saturating_sub(1)),
            ),
            Some(first) => (bad, first),
            None if self.tried == 0 => (
                TrialOutcome::NotShown,
                "there is nothing to try it on".to_owned(),
            ),
            None => (TrialOutcome::Holds, holds.to_owned()),
        };
        Trial {
            what: self.what,
            tried: self.tried,
            outcome,
            seen,
        }
    }
}

/// A trial of one thing.
fn trial(what: impl Into<String>, outcome: TrialOutcome, seen: impl Into<String>) -> Trial {
    Trial {
        what: what.into(),
        tried: u64::from(outcome != TrialOutcome::NotShown),
        outcome,
        seen: seen.into(),
    }
}

/// At most `most` of `items`, spread evenly over them, in their order.
fn spread<T>(items: Vec<T>, most: usize) -> Vec<T> {
    let total = items.len();
    if total <= most {
        return items;
    }
    items
        .into_iter()
        .enumerate()
        // INVARIANT: `most` is a small constant, so that the product stays far below 2^64.
        .filter(|(index, _)| (index * most) / total != ((index + 1) * most) / total)
        .map(|(_, item)| item)
        .collect()
}
