//! What the checks look at, and the small words they share.

use chrono::{DateTime, Utc};

use super::{Clause, Finding, Outcome};
use crate::envelope::{Envelope, Rule};
use crate::history::{History, RegisteredDetection};
use crate::impact::Reach;
use crate::proposal::{Proposal, Severity};
use crate::scope::{Graph, ResolvedTargets};
use crate::topology::System;

/// One proposal under one rule (or none).
#[derive(Debug, Clone, Copy)]
pub(super) struct Case<'a, 't> {
    pub(super) envelope: Option<&'a Envelope>,
    /// The rule that grants it; `None` where none does.
    pub(super) rule: Option<&'a Rule>,
    pub(super) graph: &'t Graph,
    pub(super) proposal: &'a Proposal,
    pub(super) targets: &'a ResolvedTargets,
    pub(super) reach: &'a Reach<'t>,
    pub(super) history: Option<&'a History>,
    pub(super) now: DateTime<Utc>,
}

impl<'a, 't> Case<'a, 't> {
    /// The targets as the topology describes them.
    pub(super) fn target_systems(&self) -> impl Iterator<Item = &'t System> + use<'a, 't> {
        let graph = self.graph;
        self.targets
            .systems
            .iter()
            .filter_map(move |id| graph.system(id.as_str()))
    }

    /// The registered detection behind the proposal, for its source and agent; `None` where there
    /// is none or nobody knows.
    pub(super) fn registered(&self) -> Option<&'a RegisteredDetection> {
        let detection = &self.proposal.detection;
        self.history?
            .detections
            .as_ref()?
            .iter()
            .find(|registered| {
                registered.rule == detection.rule
                    && registered.source == detection.source
                    && registered.agents.contains(&self.proposal.agent)
            })
    }

    /// The severity that counts: the registered one, and the agent's claim where none is registered.
    pub(super) fn severity(&self) -> Severity {
        self.registered()
            .map_or(self.proposal.detection.severity, |registered| {
                registered.severity
            })
    }
}

/// A finding under construction.
pub(super) struct Found {
    outcome: Outcome,
    measured: Option<String>,
    limit: Option<String>,
    message: String,
}

impl Found {
    pub(super) fn new(outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            outcome,
            measured: None,
            limit: None,
            message: message.into(),
        }
    }

    pub(super) fn pass(message: impl Into<String>) -> Self {
        Self::new(Outcome::Pass, message)
    }

    pub(super) fn fail(message: impl Into<String>) -> Self {
        Self::new(Outcome::Fail, message)
    }

    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self::new(Outcome::NotEvaluable, message)
    }

    /// The measured value and the limit it was held against.
    pub(super) fn against(mut self, measured: impl ToString, limit: impl ToString) -> Self {
        self.measured = Some(measured.to_string());
        self.limit = Some(limit.to_string());
        self
    }

    /// A measured value without a limit.
    pub(super) fn measured(mut self, measured: impl ToString) -> Self {
        self.measured = Some(measured.to_string());
        self
    }

    /// Adds to the sentence.
    pub(super) fn append(&mut self, text: &str) {
        self.message.push_str(text);
    }

    pub(super) fn of(self, check: &str, clause: Clause) -> Finding {
        Finding {
            check: check.to_owned(),
            clause,
            outcome: self.outcome,
            measured: self.measured,
            limit: self.limit,
            message: self.message,
        }
    }
}

/// `1 system`, `2 systems`: of words whose plural ends so.
pub(super) fn count(number: u64, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{number} {one}{end}")
}

/// The first names of a list, and how many more there are.
pub(super) fn some<'n>(names: impl Iterator<Item = &'n str>) -> String {
    const SHOWN_MAX: usize = 3;
    let names: Vec<_> = names.collect();
    let shown: Vec<_> = names.iter().take(SHOWN_MAX).copied().collect();
    match names.len().saturating_sub(SHOWN_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

/// A point in time as messages write it.
pub(super) fn utc(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// An age as messages write it: whole minutes, hours or days.
pub(super) fn age(duration: chrono::Duration) -> String {
    let minutes = duration.num_minutes();
    match minutes {
        ..120 => count(u64::try_from(minutes).unwrap_or(0), "minute"),
        120..2880 => count(u64::try_from(minutes / 60).unwrap_or(0), "hour"),
        2880.. => count(u64::try_from(minutes / 1440).unwrap_or(0), "day"),
    }
}
