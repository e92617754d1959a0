//! `backtest`: what past proposals would have got under a draft envelope.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Duration, Utc};
use clap::Args;
use countersign_core::backtest::{self, Case, Judged, Outcome, Record, Report};
use countersign_core::canonical;
use countersign_core::document::{self, Kind};
use countersign_core::identifier::Digest;
use countersign_core::scope::Graph;
use countersign_core::topology::Topology;

use crate::output::{Failure, plain, print};
use crate::{assess, read, verify};

/// Bytes of one file of records.
const BYTES_MAX: u64 = 512 << 20;

/// Cases listed of each kind; of more, the number is told. `--json` lists them all.
const LISTED_MAX: usize = 50;

/// Back-test a draft envelope: what would newly run alone, what would newly wait, and what became of it
///
/// A history is a file of records, one JSON object a line (`countersignctl schema backtest`), or a
/// folder of `evidence export`, or a folder of such folders. Facts that were not recorded make a case
/// not evaluable, which counts as waiting. Exits with 0 whenever a report was made, and with 2 where
/// a document is not valid.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The draft (YAML)
    #[arg(long, value_name = "FILE")]
    envelope: PathBuf,
    /// The envelope to compare with (YAML); without it, what really happened
    #[arg(long, value_name = "FILE")]
    before: Option<PathBuf>,
    /// Past cases: a file of records, or exported evidence; give as many as you have
    #[arg(long, value_name = "PATH", required = true)]
    against: Vec<PathBuf>,
    /// A topology that records name by digest (YAML or JSON); give as many as they name
    #[arg(long, value_name = "FILE")]
    topology: Vec<PathBuf>,
    /// How many days back from `--now` cases count
    #[arg(long, default_value_t = 90)]
    days: u16,
    /// The end of those days, such as 2026-11-24T02:20:00Z
    #[arg(long, value_name = "RFC3339", value_parser = assess::instant)]
    now: DateTime<Utc>,
    /// Digest of the genesis that you pinned; without it each folder's own is believed
    #[arg(long, value_name = "DIGEST", env = "COUNTERSIGN_GENESIS")]
    genesis: Option<Digest>,
    /// Print the report as one JSON object
    #[arg(long)]
    json: bool,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where something cannot be read or is not valid, or the output is not taken.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let envelope = |path: &PathBuf| read::document(Kind::Envelope, path, |b| document::envelope(b));
    let draft = envelope(&arguments.envelope)?;
    let before = arguments.before.as_ref().map(envelope).transpose()?;
    let mut past = Past::default();
    for path in &arguments.topology {
        let topology = read::document(Kind::Topology, path, |b| document::topology(b))?;
        let digest = canonical::digest(&topology).map_err(invalid)?;
        past.topologies.insert(digest, topology);
    }
    for path in &arguments.against {
        past.read(path, arguments.genesis)?;
    }
    let from = arguments.now - Duration::days(i64::from(arguments.days));
    past.records
        .retain(|record| from <= record.now && record.now <= arguments.now);
    past.records
        .sort_by(|a, b| (a.now, &a.item).cmp(&(b.now, &b.item)));
    let graphs: BTreeMap<Digest, Graph> = past
        .topologies
        .iter()
        .map(|(digest, topology)| (*digest, Graph::new(topology)))
        .collect();
    let cases: Vec<Case<'_, '_>> = past
        .records
        .iter()
        .map(|record| Case {
            record,
            graph: graphs.get(&record.topology),
        })
        .collect();
    let report = backtest::backtest(&draft, before.as_ref(), &cases).map_err(invalid)?;
    if arguments.json {
        let json =
            serde_json::to_string_pretty(&report).map_err(|error| Failure::Output(error.into()))?;
        print(&json)
    } else {
        let mut text = String::new();
        let _ = write(&mut text, &report, arguments.days);
        print(&text)
    }
}

fn invalid(error: impl ToString) -> Failure {
    Failure::Invalid(error.to_string())
}

/// The cases and the topologies of their times.
#[derive(Default)]
struct Past {
    records: Vec<Record>,
    topologies: BTreeMap<Digest, Topology>,
}

impl Past {
    fn read(&mut self, path: &Path, genesis: Option<Digest>) -> Result<(), Failure> {
        let name = plain(&path.display().to_string());
        let unreadable = |cause| Failure::Unreadable {
            path: name.clone(),
            cause,
        };
        let metadata = fs::metadata(path).map_err(unreadable)?;
        if metadata.is_dir() {
            if path.join("log").is_dir() {
                return self.folder(path, genesis);
            }
            let mut folders: Vec<PathBuf> = fs::read_dir(path)
                .map_err(unreadable)?
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.join("log").is_dir())
                .collect();
            folders.sort();
            if folders.is_empty() {
                return Err(invalid(format!(
                    "`{name}` holds no evidence folder; name one of `countersignctl evidence export`"
                )));
            }
            return folders
                .iter()
                .try_for_each(|folder| self.folder(folder, genesis));
        }
        if metadata.len() > BYTES_MAX {
            return Err(invalid(format!(
                "`{name}` is larger than {BYTES_MAX} bytes; split it"
            )));
        }
        let text = fs::read_to_string(path).map_err(unreadable)?;
        for (number, line) in (1..).zip(text.lines()) {
            if !line.trim().is_empty() {
                let record = backtest::parse(line)
                    .map_err(|error| invalid(plain(&format!("{name}:{number}: {error}"))))?;
                self.records.push(record);
            }
        }
        Ok(())
    }

    fn folder(&mut self, path: &Path, genesis: Option<Digest>) -> Result<(), Failure> {
        let case = backtest::from_evidence(&verify::folder(path)?, genesis)
            .map_err(|error| invalid(plain(&format!("{}: {error}", path.display()))))?;
        if let Some((record, topology)) = case {
            self.topologies.insert(record.topology, topology);
            self.records.push(record);
        }
        Ok(())
    }
}

fn write(text: &mut String, report: &Report, days: u16) -> std::fmt::Result {
    writeln!(
        text,
        "{} cases of {days} days: {} would newly run alone, {} newly wait, {} not evaluable (they wait), {} unchanged",
        report.cases,
        report.newly_alone.len(),
        report.newly_waits.len(),
        report.not_evaluable.len(),
        report.unchanged
    )?;
    for (title, list) in [
        (
            "DANGEROUS: the draft lets run alone what went wrong or people rejected",
            &report.dangerous,
        ),
        ("Would newly run alone", &report.newly_alone),
        ("Would newly wait", &report.newly_waits),
        ("Not evaluable", &report.not_evaluable),
    ] {
        if list.is_empty() {
            continue;
        }
        writeln!(text, "\n{title}:")?;
        for judged in list.iter().take(LISTED_MAX) {
            one(text, judged)?;
        }
        if let Some(more) = list.len().checked_sub(LISTED_MAX).filter(|more| *more > 0) {
            writeln!(text, "  {more} more; `--json` lists them all")?;
        }
    }
    if !report.rules.is_empty() {
        writeln!(
            text,
            "\nWhat would have run alone, by rule and by what really became of it:"
        )?;
    }
    for (rule, totals) in &report.rules {
        writeln!(
            text,
            "  {rule}: {} ({} newly); {} succeeded, {} tripped or undone, {} rejected, {} false positives, {} other",
            totals.alone,
            totals.newly,
            totals.succeeded,
            totals.tripped,
            totals.rejected,
            totals.false_positive,
            totals.other
        )?;
    }
    Ok(())
}

fn one(text: &mut String, judged: &Judged) -> std::fmt::Result {
    writeln!(
        text,
        "  {}  {}  {} by {}: {}; really {}",
        judged
            .now
            .to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
        plain(&judged.item),
        judged.action.as_str(),
        judged.agent,
        plain(&judged.title),
        outcome(&judged.outcome)
    )?;
    for reason in &judged.because {
        writeln!(text, "      {}", plain(reason))?;
    }
    Ok(())
}

fn outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Tripped => "tripped".to_owned(),
        Outcome::RolledBack => "rolled back".to_owned(),
        Outcome::Aborted => "aborted".to_owned(),
        Outcome::Rejected { reason: None } => "rejected".to_owned(),
        Outcome::Rejected {
            reason: Some(reason),
        } => format!("rejected: \"{}\"", plain(reason)),
        Outcome::FalsePositive => "a false positive".to_owned(),
        Outcome::Expired => "expired".to_owned(),
        Outcome::Open => "not known".to_owned(),
    }
}
