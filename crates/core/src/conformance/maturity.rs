//! The maturity model of AG-706 section 6: each criterion in the specification's own sentence.

use serde::Serialize;

use super::log::Read;
use super::{Inputs, Test, TestResult, Trial, TrialOutcome, breaker, rollback};
use crate::identifier::Digest;

/// A maturity level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Not even basic.
    None,
    /// «Basic Implementation».
    Basic,
    /// «Intermediate Implementation».
    Intermediate,
    /// «Advanced Implementation».
    Advanced,
}

impl Level {
    /// The level as a report writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Basic => "basic",
            Self::Intermediate => "intermediate",
            Self::Advanced => "advanced",
        }
    }
}

/// Whether a criterion is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Met {
    /// It is.
    Met,
    /// It is not.
    Missing,
    /// Documents and evidence given cannot show it.
    NotShown,
}

/// A criterion of a level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Criterion {
    /// The level that asks for it.
    pub level: Level,
    /// The specification's sentence.
    pub sentence: &'static str,
    /// Whether it is met.
    pub met: Met,
    /// By what, or what is missing.
    pub because: String,
}

/// The level reached, and what is missing for the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Maturity {
    /// The highest level of which, and of all below, every criterion is met.
    pub level: Level,
    /// The level after it; absent where there is none.
    pub next: Option<Level>,
    /// What is missing for that one, as «sentence: why».
    pub missing_for_next: Vec<String>,
    /// Every criterion.
    pub criteria: Vec<Criterion>,
}

pub(super) fn reached(
    inputs: &Inputs<'_>,
    tests: &[Test],
    folders: &[Read],
    envelope: Digest,
) -> Maturity {
    let mut criteria = basic(inputs, tests);
    criteria.extend(intermediate(inputs, tests, folders, envelope));
    criteria.extend(advanced(folders, envelope));
    let whole = |level| {
        criteria
            .iter()
            .filter(|criterion| criterion.level == level)
            .all(|criterion| criterion.met == Met::Met)
    };
    let (level, next) = match (
        whole(Level::Basic),
        whole(Level::Intermediate),
        whole(Level::Advanced),
    ) {
        (false, ..) => (Level::None, Some(Level::Basic)),
        (true, false, _) => (Level::Basic, Some(Level::Intermediate)),
        (true, true, false) => (Level::Intermediate, Some(Level::Advanced)),
        (true, true, true) => (Level::Advanced, None),
    };
    Maturity {
        level,
        next,
        missing_for_next: criteria
            .iter()
            .filter(|criterion| Some(criterion.level) == next && criterion.met != Met::Met)
            .map(|criterion| format!("«{}»: {}", criterion.sentence, criterion.because))
            .collect(),
        criteria,
    }
}

/// A criterion that a test shows: met where nothing in the test failed.
fn by_test(level: Level, sentence: &'static str, tests: &[Test], id: &str) -> Criterion {
    let result = tests
        .iter()
        .find(|test| test.id == id)
        .map(|test| test.result);
    let (met, because) = match result {
        Some(TestResult::Conformant) => (Met::Met, format!("test {id} is conformant")),
        Some(TestResult::Partial) => (
            Met::Met,
            format!("test {id} is partial: see what it leaves open"),
        ),
        Some(TestResult::NotConformant) => (Met::Missing, format!("test {id} is not conformant")),
        Some(TestResult::NotTested) | None => {
            (Met::NotShown, format!("nothing was given for test {id}"))
        }
    };
    Criterion {
        level,
        sentence,
        met,
        because,
    }
}

fn by_trial(level: Level, sentence: &'static str, trial: &Trial) -> Criterion {
    Criterion {
        level,
        sentence,
        met: match trial.outcome {
            TrialOutcome::Holds => Met::Met,
            TrialOutcome::Weak | TrialOutcome::Fails => Met::Missing,
            TrialOutcome::NotShown => Met::NotShown,
        },
        because: trial.seen.clone(),
    }
}

/// The trial of a test whose description begins so.
fn find<'t>(tests: &'t [Test], id: &str, begins: &str) -> Option<&'t Trial> {
    tests
        .iter()
        .find(|test| test.id == id)?
        .trials
        .iter()
        .find(|trial| trial.what.starts_with(begins))
}

fn basic(inputs: &Inputs<'_>, tests: &[Test]) -> Vec<Criterion> {
    let of = |sentence, id| by_test(Level::Basic, sentence, tests, id);
    vec![
        of(
            "The organisation has documented a Remediation Authority Envelope that specifies which actions the agent may execute autonomously and which require human approval.",
            "8.1",
        ),
        of(
            "Safety-critical and OT systems are excluded from autonomous remediation.",
            "8.7",
        ),
        of(
            "Every autonomous remediation action is logged with the triggering event, action taken, and post-action result.",
            "8.8",
        ),
        by_trial(
            Level::Basic,
            "Rollback capability exists for all autonomous action types but may be manually executed.",
            &rollback::declared(inputs),
        ),
        of(
            "Human approval is required for any action outside the envelope.",
            "8.2",
        ),
    ]
}

fn intermediate(
    inputs: &Inputs<'_>,
    tests: &[Test],
    folders: &[Read],
    envelope: Digest,
) -> Vec<Criterion> {
    let level = Level::Intermediate;
    let consumed = folders.iter().find(|folder| {
        folder
            .briefing
            .as_ref()
            .is_some_and(|briefing| briefing.digests.envelope == Some(envelope))
    });
    let window = find(tests, "8.1", "its authority window");
    let uncorroborated = inputs.envelope.rules.iter().find(|rule| {
        rule.conditions
            .corroboration
            .as_ref()
            .is_none_or(|corroboration| corroboration.independent_sources == 0)
    });
    let drilled = find(tests, "8.6", "the rollback of every action");
    let mut criteria = vec![
        by_test(
            level,
            "circuit breakers halt batch remediation when health checks detect degradation.",
            tests,
            "8.4",
        ),
        by_trial(
            level,
            "Progressive rollout (canary deployment) is used for fleet-wide remediation actions.",
            &not_needed(breaker::canaries(inputs)),
        ),
        Criterion {
            level,
            sentence: "The authority envelope is machine-readable and consumed by the remediation engine at runtime.",
            met: if consumed.is_some() {
                Met::Met
            } else {
                Met::NotShown
            },
            because: consumed.map_or_else(
                || "no evidence shows an assessment under the envelope of this digest".to_owned(),
                |folder| format!("the briefing of {} was made under it", folder.name),
            ),
        },
        Criterion {
            level,
            sentence: "False-positive validation correlates triggering detections with at least one independent signal source before autonomous execution.",
            met: if uncorroborated.is_some() {
                Met::Missing
            } else {
                Met::Met
            },
            because: uncorroborated.map_or_else(
                || "every rule asks for corroboration".to_owned(),
                |rule| format!("rule {} asks for no corroboration", rule.id),
            ),
        },
    ];
    let map = find(tests, "8.3", "there is a dependency map");
    criteria.extend(map.map(|trial| {
        by_trial(
            level,
            "Pre-execution dependency analysis queries a maintained dependency map.",
            trial,
        )
    }));
    criteria.extend(drilled.map(|trial| {
        by_trial(
            level,
            "Rollback procedures are tested quarterly.",
            &not_needed(trial.clone()),
        )
    }));
    criteria.extend(window.map(|trial| {
        by_trial(
            level,
            "Time-bounded authority windows require periodic re-authorisation of autonomous remediation capabilities.",
            trial,
        )
    }));
    criteria
}

/// A trial without anything to try: no rule asks for what the criterion is about.
fn not_needed(trial: Trial) -> Trial {
    if trial.outcome == TrialOutcome::NotShown && trial.seen.starts_with("there is nothing") {
        return Trial {
            outcome: TrialOutcome::Holds,
            seen: "no rule needs it".to_owned(),
            ..trial
        };
    }
    trial
}

fn advanced(folders: &[Read], envelope: Digest) -> Vec<Criterion> {
    let level = Level::Advanced;
    let shown = |sentence, seen: Option<String>, open: &str| Criterion {
        level,
        sentence,
        met: if seen.is_some() {
            Met::Met
        } else {
            Met::NotShown
        },
        because: seen.unwrap_or_else(|| open.to_owned()),
    };
    let modelled = folders.iter().find(|folder| {
        folder
            .briefing
            .as_ref()
            .is_some_and(|briefing| !briefing.assessment.impact.is_empty())
    });
    let versioned = folders
        .iter()
        .find(|folder| folder.authorised.contains(&envelope));
    let process = "documents and evidence cannot show it; an auditor looks at the process";
    vec![
        shown(
            "dry-run modelling predicts remediation impact before execution and presents the model to operators for edge cases.",
            modelled.map(|folder| {
                format!(
                    "the briefing of {} carries the modelled impact",
                    folder.name
                )
            }),
            "no evidence holds a briefing with a modelled impact",
        ),
        shown(
            "Real-time dashboards track autonomous remediation success rates, false-positive-driven remediation rates, and circuit breaker activation frequency.",
            None,
            process,
        ),
        shown(
            "The authority envelope is version-controlled with full change history and integrated into the organisation's change advisory board process.",
            None,
            if versioned.is_some() {
                "its authorisation is signed and logged; that it is part of the change advisory board's process an auditor must see"
            } else {
                process
            },
        ),
        shown(
            "Independent audits validate the authority envelope's alignment with the current environment topology, criticality classifications, and dependency maps.",
            None,
            process,
        ),
        shown(
            "Remediation outcome data feeds back into authority envelope refinement, progressively expanding autonomous authority for well-validated action types and contracting it where failure rates exceed thresholds.",
            None,
            process,
        ),
    ]
}
