//! `conformance`: AG-706 tests 8.1 to 8.8 on an organisation's own documents and evidence.

use std::fmt::Write as _;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use clap::Args;
use countersign_core::conformance::{self, Folder, Inputs, Met, Report, TestResult, TrialOutcome};
use countersign_core::document::{self, Kind};
use countersign_core::identifier::Digest;

use crate::output::{Failure, plain, print};
use crate::{assess, read, verify};

/// Run AG-706 tests 8.1 to 8.8 on your own documents: results, provisions, score and maturity level
///
/// Exits with 0 whenever a report was made, whatever it says, and with 2 where a document is not
/// valid. What is not given is not tested, and never counts as conformant.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The Remediation Authority Envelope in force (YAML)
    #[arg(long, value_name = "FILE")]
    envelope: PathBuf,
    /// The topology (YAML)
    #[arg(long, value_name = "FILE")]
    topology: PathBuf,
    /// What the backend knows besides (JSON): authorisation and drills rest on it
    #[arg(long, value_name = "FILE")]
    history: Option<PathBuf>,
    /// A folder of `countersignctl evidence export`; give as many as you have
    #[arg(long, value_name = "FOLDER")]
    evidence: Vec<PathBuf>,
    /// Digest of the genesis that you pinned; without it each folder's own is believed, and said so
    #[arg(long, value_name = "DIGEST", env = "COUNTERSIGN_GENESIS")]
    genesis: Option<Digest>,
    /// The instant of the check, such as 2026-11-24T02:20:00Z
    #[arg(long, value_name = "RFC3339", value_parser = assess::instant)]
    now: DateTime<Utc>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where a file cannot be read, a document is not valid or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let envelope = read::document(Kind::Envelope, &arguments.envelope, |b| {
        document::envelope(b)
    })?;
    let topology = read::document(Kind::Topology, &arguments.topology, |b| {
        document::topology(b)
    })?;
    let history = arguments
        .history
        .as_ref()
        .map(|path| read::document(Kind::History, path, |b| document::history(b)))
        .transpose()?;
    let evidence = arguments
        .evidence
        .iter()
        .map(|path| {
            Ok(Folder {
                name: path.display().to_string(),
                files: verify::folder(path)?,
            })
        })
        .collect::<Result<Vec<_>, Failure>>()?;
    let report = conformance::check(&Inputs {
        envelope: &envelope,
        topology: &topology,
        history: history.as_ref(),
        evidence: &evidence,
        genesis: arguments.genesis,
        now: arguments.now,
    })
    .map_err(|error| Failure::Invalid(error.to_string()))?;
    if arguments.json {
        let json =
            serde_json::to_string_pretty(&report).map_err(|error| Failure::Output(error.into()))?;
        print(&json)
    } else {
        let mut text = String::new();
        let _ = write(&mut text, &report);
        print(&text)
    }
}

fn write(text: &mut String, report: &Report) -> std::fmt::Result {
    let score = &report.score;
    writeln!(
        text,
        "AG-706 conformance: {} of {} points; maturity level {}",
        score.points,
        score.of,
        report.maturity.level.as_str()
    )?;
    writeln!(text, "  {}", report.definition)?;
    writeln!(text, "  envelope {}", report.documents.envelope)?;
    writeln!(text, "  topology {}", report.documents.topology)?;
    if let Some(history) = report.documents.history {
        writeln!(text, "  history  {history}")?;
    }
    for evidence in &report.documents.evidence {
        writeln!(
            text,
            "  evidence {} {}",
            evidence.content,
            plain(&evidence.name)
        )?;
    }
    for test in &report.tests {
        writeln!(
            text,
            "\n{}  {}: {}",
            test.id,
            test.title,
            result(test.result)
        )?;
        for trial in &test.trials {
            writeln!(
                text,
                "  {:<9}  {} ({} tried)",
                outcome(trial.outcome),
                plain(&trial.what),
                trial.tried
            )?;
            writeln!(text, "             {}", plain(&trial.seen))?;
        }
        let provisions: Vec<String> = test
            .provisions
            .iter()
            .map(|provision| format!("{} {}", provision.regulation, provision.provision))
            .collect();
        writeln!(text, "  supports   {}", provisions.join("; "))?;
    }
    maturity(text, report)
}

fn maturity(text: &mut String, report: &Report) -> std::fmt::Result {
    writeln!(text, "\nMaturity level: {}", report.maturity.level.as_str())?;
    for criterion in &report.maturity.criteria {
        let met = match criterion.met {
            Met::Met => "met",
            Met::Missing => "MISSING",
            Met::NotShown => "NOT SHOWN",
        };
        writeln!(
            text,
            "  {:<12}  {met:<9}  {}",
            criterion.level.as_str(),
            criterion.sentence
        )?;
        writeln!(
            text,
            "                           {}",
            plain(&criterion.because)
        )?;
    }
    match report.maturity.next {
        Some(next) => {
            writeln!(text, "\nMissing for {}:", next.as_str())?;
            for missing in &report.maturity.missing_for_next {
                writeln!(text, "  {}", plain(missing))?;
            }
            Ok(())
        }
        None => Ok(()),
    }
}

const fn result(result: TestResult) -> &'static str {
    match result {
        TestResult::Conformant => "conformant",
        TestResult::Partial => "PARTIAL",
        TestResult::NotConformant => "NOT CONFORMANT",
        TestResult::NotTested => "NOT TESTED",
    }
}

const fn outcome(outcome: TrialOutcome) -> &'static str {
    match outcome {
        TrialOutcome::Holds => "holds",
        TrialOutcome::Weak => "WEAK",
        TrialOutcome::Fails => "FAILS",
        TrialOutcome::NotShown => "NOT SHOWN",
    }
}
