//! What a verification found, in sentences.

use serde::Serialize;

use crate::identifier::Digest;

/// Everything that was checked. It holds where nothing failed and something was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// The digest of the genesis that all of it rests on.
    pub genesis: Option<Digest>,
    /// The checks, in the order they were made.
    pub checks: Vec<Check>,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// The file or matter it is about.
    pub subject: String,
    /// What came of it.
    pub outcome: Outcome,
    /// In a sentence.
    pub sentence: String,
}

/// What came of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It holds.
    Holds,
    /// Not a fault, and the reader must know it: something erased, incomplete or not pinned.
    Noted,
    /// It does not hold: the folder proves nothing.
    Failed,
}

impl Report {
    /// Whether something was checked and nothing failed.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.checks
            .iter()
            .any(|check| check.outcome == Outcome::Holds)
            && self.failures().next().is_none()
    }

    /// The checks that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Check> {
        self.checks
            .iter()
            .filter(|check| check.outcome == Outcome::Failed)
    }

    pub(super) fn say(&mut self, outcome: Outcome, subject: &str, sentence: impl Into<String>) {
        self.checks.push(Check {
            subject: subject.to_owned(),
            outcome,
            sentence: sentence.into(),
        });
    }

    pub(super) fn hold(&mut self, subject: &str, sentence: impl Into<String>) {
        self.say(Outcome::Holds, subject, sentence);
    }

    pub(super) fn note(&mut self, subject: &str, sentence: impl Into<String>) {
        self.say(Outcome::Noted, subject, sentence);
    }

    pub(super) fn fail(&mut self, subject: &str, sentence: impl Into<String>) {
        self.say(Outcome::Failed, subject, sentence);
    }
}

impl std::fmt::Display for Check {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let outcome = match self.outcome {
            Outcome::Holds => "ok",
            Outcome::Noted => "note",
            Outcome::Failed => "FAILED",
        };
        write!(f, "{outcome:>6}  {}: {}", self.subject, self.sentence)
    }
}
