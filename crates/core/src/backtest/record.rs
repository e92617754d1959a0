//! A past case: a line of a file, or an exported evidence folder.

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::assessment::Verdict;
use crate::briefing::Briefing;
use crate::document;
use crate::envelope::Envelope;
use crate::evidence::{self, Files};
use crate::history::History;
use crate::identifier::{Digest, RuleId};
use crate::log::Entry;
use crate::log::body::OperationRecorded;
use crate::operation::{self, Ending};
use crate::proposal::Proposal;
use crate::span::Span;
use crate::statement::{DecisionKind, Salted, Statement};
use crate::topology::Topology;

/// One line of a history for back-tests: JSON, one record a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Its name.
    pub item: String,
    /// The `now` of the assessment.
    pub now: DateTime<Utc>,
    /// The proposal.
    pub proposal: Proposal,
    /// The facts of that time.
    pub history: History,
    /// How far back those facts reach.
    #[serde(default)]
    pub covers: Covers,
    /// Digest of the topology of that time.
    pub topology: Digest,
    /// The verdict of that time.
    pub recorded: Recorded,
    /// What became of it.
    pub outcome: Outcome,
}

/// How far back the facts of a record reach; absent means that nobody knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Covers {
    /// Operations that ended within this time are in `recent`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recent: Option<Span>,
    /// Signals this far from the detection are in `signals`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signals: Option<Span>,
    /// `assessed` and `false_positives` were counted over exactly this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcomes: Option<Span>,
}

impl Covers {
    /// What a slice of history taken under `envelope` certainly holds.
    #[must_use]
    pub fn of(envelope: &Envelope) -> Self {
        let conditions = || envelope.rules.iter().map(|rule| &rule.conditions);
        let mut overs = conditions()
            .filter_map(|conditions| conditions.false_positive_rate.as_ref())
            .map(|rate| rate.over);
        let over = overs.next();
        Self {
            recent: envelope
                .tiers
                .values()
                .filter_map(|tier| tier.blast_radius.as_ref())
                .map(|radius| radius.per)
                .max(),
            signals: conditions()
                .filter_map(|conditions| conditions.corroboration.as_ref())
                .map(|corroboration| corroboration.within)
                .max(),
            // Two periods and one pair of counts: nobody can say which of them it is.
            outcomes: over.filter(|over| overs.all(|other| other == *over)),
        }
    }
}

/// The verdict of that time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// What could happen.
    pub verdict: Verdict,
    /// The rule that granted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<RuleId>,
}

/// What became of a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "result", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outcome {
    /// It ran to its end.
    Succeeded,
    /// The breaker tripped.
    Tripped,
    /// It ran and was rolled back.
    RolledBack,
    /// It ran and was aborted.
    Aborted,
    /// People rejected it.
    Rejected {
        /// Why, in their words, where they were not erased.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<String>,
    },
    /// It was an answer to something that was not there.
    FalsePositive,
    /// Nobody decided in time.
    Expired,
    /// Nothing is known of its end.
    Open,
}

impl Outcome {
    /// Whether it should not have run alone, as seen afterwards.
    #[must_use]
    pub const fn is_bad(&self) -> bool {
        match self {
            Self::Tripped
            | Self::RolledBack
            | Self::Aborted
            | Self::Rejected { .. }
            | Self::FalsePositive => true,
            Self::Succeeded | Self::Expired | Self::Open => false,
        }
    }
}

/// Reads one line. Proposal and history go through their own readers, so that they are as strict here
/// as anywhere.
///
/// # Errors
/// What is wrong with it, and how to mend it.
pub fn parse(line: &str) -> Result<Record, String> {
    let mut record: Record = serde_json::from_str(line)
        .map_err(|error| format!("{error}; `countersignctl schema backtest` has the form"))?;
    let text = |value: Result<String, serde_json::Error>| value.map_err(|error| error.to_string());
    record.proposal = document::proposal(text(serde_json::to_string(&record.proposal))?)
        .map_err(|error| error.to_string())?
        .document;
    record.history = document::history(text(serde_json::to_string(&record.history))?)
        .map_err(|error| error.to_string())?
        .document;
    Ok(record)
}

/// The case in an evidence folder, with its topology; `None` where it is not about an item.
///
/// # Errors
/// Where the folder does not verify, or lacks a document.
pub fn from_evidence(
    files: &Files,
    genesis: Option<Digest>,
) -> Result<Option<(Record, Topology)>, String> {
    let report = evidence::verify(files, genesis);
    if !report.holds() {
        return Err(report
            .failures()
            .next()
            .map_or_else(|| "it proves nothing".to_owned(), ToString::to_string));
    }
    let Some(bytes) = files.get("briefing.json") else {
        return Ok(None);
    };
    let briefing: Briefing = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let topology: Topology = payload(files, briefing.digests.topology)?;
    let envelope: Option<Envelope> = briefing
        .digests
        .envelope
        .map(|digest| payload(files, digest))
        .transpose()?;
    Ok(Some((
        Record {
            item: briefing.item.to_string(),
            now: briefing.assessed_at,
            covers: envelope.as_ref().map(Covers::of).unwrap_or_default(),
            topology: briefing.digests.topology,
            recorded: Recorded {
                verdict: briefing.assessment.verdict,
                rule: briefing.assessment.rule.clone(),
            },
            outcome: outcome(files),
            history: briefing.history,
            proposal: briefing.proposal,
        },
        topology,
    )))
}

fn payload<T: serde::de::DeserializeOwned>(files: &Files, digest: Digest) -> Result<T, String> {
    let bytes = files
        .get(&format!("payloads/{digest}.json"))
        .ok_or_else(|| format!("the document {digest} is missing from payloads"))?;
    serde_json::from_slice(bytes).map_err(|error| error.to_string())
}

/// What became of the item, from the log and the decisions of a folder that verifies.
fn outcome(files: &Files) -> Outcome {
    let records: Vec<operation::Record> = files
        .iter()
        .filter(|(path, _)| path.starts_with("log/entries/"))
        .filter_map(|(_, bytes)| Entry::from_bytes(bytes).ok())
        .filter_map(|entry| entry.body::<OperationRecorded>().ok())
        .map(|body| body.record)
        .collect();
    let ended = |wanted: Ending| {
        records.iter().any(
            |record| matches!(record, operation::Record::Finished { ending, .. } if *ending == wanted),
        )
    };
    if ended(Ending::RolledBack) || ended(Ending::RollbackFailed) {
        return Outcome::RolledBack;
    }
    if ended(Ending::Aborted) {
        return Outcome::Aborted;
    }
    if records
        .iter()
        .any(|record| matches!(record, operation::Record::Tripped { .. }))
    {
        return Outcome::Tripped;
    }
    if ended(Ending::Completed) {
        return Outcome::Succeeded;
    }
    let rejection = files
        .iter()
        .filter(|(path, _)| path.ends_with("/statement.json"))
        .filter_map(|(_, bytes)| serde_json::from_slice::<Statement>(bytes).ok())
        .find(|statement| statement.predicate.kind == DecisionKind::Reject);
    rejection.map_or(Outcome::Open, |statement| Outcome::Rejected {
        reason: payload::<Salted>(files, statement.predicate.rationale)
            .ok()
            .map(|salted| salted.text),
    })
}
