//! Back-test: what past proposals would have got under a draft envelope (AG-706 section 6: «outcome
//! data feeds back into authority envelope refinement»).
//!
//! Every past case is assessed again, at its own instant, with the facts of that time. Two things
//! are assumed: that the draft was authorised, and that its authority window was open. What was recorded may lack
//! facts that the draft asks for; then the case is not evaluable and counts as waiting.

mod record;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use chrono::{DateTime, Duration, Utc};
pub use record::{Covers, Outcome, Record, Recorded, from_evidence, parse};
use serde::Serialize;

use crate::assessment::{self, Assessment, Clause, Verdict, blocking};
use crate::canonical::{self, CanonicalError};
use crate::envelope::Envelope;
use crate::history::History;
use crate::identifier::{AgentId, Digest, RuleId};
use crate::proposal::ActionKind;
use crate::scope::Graph;

/// The `schema` member of a report.
pub const SCHEMA: &str = "countersign/backtest/v1";

/// The JSON Schema (2020-12) of one line of a history for back-tests, a [`Record`].
#[must_use]
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(Record)
}

/// A past proposal and the topology of its time, where it is known.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a, 't> {
    /// What was recorded.
    pub record: &'a Record,
    /// The topology with the digest that the record names.
    pub graph: Option<&'t Graph>,
}

/// What a draft would have changed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Digest of the draft.
    pub draft: Digest,
    /// Digest of the envelope it is compared with; absent where it is what really happened.
    pub before: Option<Digest>,
    /// Number of cases.
    pub cases: u64,
    /// What the draft lets run alone and what, in truth, tripped, was rolled back, rejected or a false
    /// positive: look at these first.
    pub dangerous: Vec<Judged>,
    /// What would newly run alone.
    pub newly_alone: Vec<Judged>,
    /// What would newly wait.
    pub newly_waits: Vec<Judged>,
    /// What nobody can say; counts as waiting.
    pub not_evaluable: Vec<Judged>,
    /// Cases of which nothing changes.
    pub unchanged: u64,
    /// Totals of each rule of the draft that lets something run alone.
    pub rules: BTreeMap<RuleId, Totals>,
}

/// A past proposal under the draft.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// Its item.
    pub item: String,
    /// When it was assessed.
    pub now: DateTime<Utc>,
    /// Who proposed it.
    pub agent: AgentId,
    /// What.
    pub action: ActionKind,
    /// In the detection's words.
    pub title: String,
    /// How the verdict changes.
    pub change: Change,
    /// The rule of the draft that grants it.
    pub rule: Option<RuleId>,
    /// Why it waits under the draft, a sentence a reason.
    pub because: Vec<String>,
    /// What really became of it.
    pub outcome: Outcome,
}

/// How the verdict changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It would newly run alone.
    NewlyAlone,
    /// It would newly wait.
    NewlyWaits,
    /// It runs alone under both.
    StillAlone,
    /// It waits, or is void, under both.
    StillWaits,
    /// The facts recorded do not say; counts as waiting.
    NotEvaluable,
}

/// What would have run alone by a rule, by what really became of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// All of it.
    pub alone: u64,
    /// Newly.
    pub newly: u64,
    /// That succeeded.
    pub succeeded: u64,
    /// That tripped the breaker, or was rolled back or aborted.
    pub tripped: u64,
    /// That people rejected.
    pub rejected: u64,
    /// That was a false positive.
    pub false_positive: u64,
    /// That expired, or of which nothing is known.
    pub other: u64,
}

/// Assesses every case under `draft` and compares: with `before` where it is given, else with the
/// verdict recorded. Deterministic; the order of `cases` is the order within each list.
///
/// # Errors
/// [`CanonicalError`] where an envelope has no digest.
pub fn backtest(
    draft: &Envelope,
    before: Option<&Envelope>,
    cases: &[Case<'_, '_>],
) -> Result<Report, CanonicalError> {
    let mut report = Report {
        schema: SCHEMA,
        draft: canonical::digest(draft)?,
        before: before.map(canonical::digest).transpose()?,
        cases: u64::try_from(cases.len()).unwrap_or(u64::MAX),
        dangerous: Vec::new(),
        newly_alone: Vec::new(),
        newly_waits: Vec::new(),
        not_evaluable: Vec::new(),
        unchanged: 0,
        rules: BTreeMap::new(),
    };
    for case in cases {
        let judged = judge(draft, before, case);
        let alone = matches!(judged.change, Change::NewlyAlone | Change::StillAlone);
        if alone && let Some(rule) = &judged.rule {
            report
                .rules
                .entry(rule.clone())
                .or_default()
                .count(&judged.outcome, judged.change == Change::NewlyAlone);
        }
        if alone && judged.outcome.is_bad() {
            report.dangerous.push(judged.clone());
        }
        match judged.change {
            Change::NewlyAlone => report.newly_alone.push(judged),
            Change::NewlyWaits => report.newly_waits.push(judged),
            Change::NotEvaluable => report.not_evaluable.push(judged),
            Change::StillAlone | Change::StillWaits => {
                report.unchanged = report.unchanged.saturating_add(1);
            }
        }
    }
    Ok(report)
}

impl Totals {
    fn count(&mut self, outcome: &Outcome, newly: bool) {
        let one = |number: &mut u64| *number = number.saturating_add(1);
        one(&mut self.alone);
        if newly {
            one(&mut self.newly);
        }
        one(match outcome {
            Outcome::Succeeded => &mut self.succeeded,
            Outcome::Tripped | Outcome::RolledBack | Outcome::Aborted => &mut self.tripped,
            Outcome::Rejected { .. } => &mut self.rejected,
            Outcome::FalsePositive => &mut self.false_positive,
            Outcome::Expired | Outcome::Open => &mut self.other,
        });
    }
}

/// What an envelope makes of a case.
struct Under {
    alone: bool,
    rule: Option<RuleId>,
    because: Vec<String>,
    /// Facts that the envelope asks for and the record lacks.
    lacking: Vec<String>,
}

fn judge(draft: &Envelope, before: Option<&Envelope>, case: &Case<'_, '_>) -> Judged {
    let record = case.record;
    let after = under(draft, case);
    let was_alone = match before {
        Some(before) => {
            let under = under(before, case);
            under.alone && under.lacking.is_empty()
        }
        None => record.recorded.verdict == Verdict::Autonomous,
    };
    let change = match (was_alone, after.alone) {
        _ if !after.lacking.is_empty() => Change::NotEvaluable,
        (false, true) => Change::NewlyAlone,
        (true, false) => Change::NewlyWaits,
        (true, true) => Change::StillAlone,
        (false, false) => Change::StillWaits,
    };
    Judged {
        item: record.item.clone(),
        now: record.now,
        agent: record.proposal.agent.clone(),
        action: record.proposal.action.kind(),
        title: record.proposal.detection.title.clone(),
        change,
        rule: after.rule,
        because: if after.lacking.is_empty() {
            after.because
        } else {
            after.lacking
        },
        outcome: record.outcome.clone(),
    }
}

fn under(envelope: &Envelope, case: &Case<'_, '_>) -> Under {
    let record = case.record;
    let Some(graph) = case.graph else {
        return Under {
            alone: false,
            rule: None,
            because: Vec::new(),
            lacking: vec![format!("the topology {} was not given", record.topology)],
        };
    };
    let envelope = in_force(envelope, record.now);
    let history = History {
        envelope_authorised: Some(true),
        ..record.history.clone()
    };
    let found = assessment::assess(
        Some(&envelope),
        graph,
        &record.proposal,
        Some(&history),
        record.now,
    );
    let alone = found.verdict == Verdict::Autonomous;
    // Where something else makes it wait, more facts would not change that.
    let decisive = alone
        || blocking(&found.findings)
            .all(|finding| matches!(finding.clause, Clause::C4_5 | Clause::C4_11));
    let lacking = if decisive && found.verdict != Verdict::Refused {
        lacking(&envelope, &found, &record.covers)
    } else {
        Vec::new()
    };
    Under {
        alone,
        because: blocking(&found.findings)
            .map(|finding| finding.message.clone())
            .chain(found.refusal)
            .collect(),
        rule: found.rule,
        lacking,
    }
}

/// The envelope as if its window, as long as it is, had been open at `now`.
fn in_force(envelope: &Envelope, now: DateTime<Utc>) -> Envelope {
    let mut envelope = envelope.clone();
    let length = envelope.authority.expires - envelope.authority.effective;
    envelope.authority.effective = now;
    envelope.authority.expires = now
        .checked_add_signed(length.max(Duration::zero()))
        .unwrap_or(DateTime::<Utc>::MAX_UTC);
    envelope
}

/// The facts that the rule and tier rest on, and that reach further back than was recorded.
fn lacking(envelope: &Envelope, found: &Assessment, covers: &Covers) -> Vec<String> {
    let mut lacking = Vec::new();
    let per = envelope
        .tiers
        .get(&found.scope.tier)
        .and_then(|tier| tier.blast_radius.as_ref())
        .map(|radius| radius.per);
    if let Some(per) = per
        && covers.recent.is_none_or(|known| known < per)
    {
        lacking.push(format!("what ran within {per} was not recorded"));
    }
    let rule = found
        .rule
        .as_ref()
        .and_then(|id| envelope.rules.iter().find(|rule| rule.id == *id));
    let Some(conditions) = rule.map(|rule| &rule.conditions) else {
        return lacking;
    };
    if let Some(wanted) = &conditions.corroboration
        && covers.signals.is_none_or(|known| known < wanted.within)
    {
        lacking.push(format!(
            "signals within {} of the detection were not recorded",
            wanted.within
        ));
    }
    if let Some(wanted) = &conditions.false_positive_rate
        && covers.outcomes != Some(wanted.over)
    {
        lacking.push(format!("outcomes over {} were not recorded", wanted.over));
    }
    lacking
}
