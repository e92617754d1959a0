//! Test 8.7: safety-critical systems are classified, and nothing touches them alone (4.7).

use chrono::{DateTime, Utc};

use super::TrialOutcome::{Fails, NotShown, Weak};
use super::sample::{self, KINDS, SEVERITIES};
use super::{Engine, Inputs, Trial, Trying, spread, trial};
use crate::assessment::Verdict;
use crate::scope::Graph;
use crate::topology::{System, Tier};

/// Systems tried; each under every kind of action and every severity.
const SYSTEMS_TRIED_MAX: usize = 250;

pub(super) fn check(
    inputs: &Inputs<'_>,
    graph: &Graph,
    now: DateTime<Utc>,
    engine: Engine<'_>,
) -> Vec<Trial> {
    let mut classified = Trying::new("every system and service has a criticality tier (4.7)");
    for system in &inputs.topology.systems {
        classified.one(system.tier.is_none().then(|| {
            format!(
                "{} has none and counts as safety-critical; classify it",
                system.id
            )
        }));
    }
    for service in &inputs.topology.services {
        classified.one(service.tier.is_none().then(|| {
            format!(
                "{} has none and counts as safety-critical; classify it",
                service.id
            )
        }));
    }
    vec![
        classified.end(Weak, "each has"),
        never_alone(inputs, graph, now, engine),
    ]
}

fn never_alone(
    inputs: &Inputs<'_>,
    graph: &Graph,
    now: DateTime<Utc>,
    engine: Engine<'_>,
) -> Trial {
    let what = format!(
        "on safety-critical systems (at most {SYSTEMS_TRIED_MAX}) no kind of action runs alone at any severity (4.7)"
    );
    let critical: Vec<&System> = inputs
        .topology
        .systems
        .iter()
        .filter(|system| system.effective_tier() == Tier::SafetyCritical)
        .collect();
    if critical.is_empty() {
        return trial(what, NotShown, "the topology has no safety-critical system");
    }
    let Some(agent) = inputs.envelope.agents.first() else {
        return trial(what, NotShown, "the envelope names no agent");
    };
    let mut alone = Trying::new(what);
    for system in spread(critical, SYSTEMS_TRIED_MAX) {
        for kind in KINDS {
            for severity in SEVERITIES {
                let drilled = [(kind, system.class.clone())];
                let proposal = sample::action(kind, system, graph)
                    .and_then(|action| sample::proposal(action, &system.id, agent, severity, now));
                let history = sample::history(inputs, &drilled, &system.id, severity, 8, now);
                let (Ok(proposal), Ok(history)) = (proposal, history) else {
                    continue;
                };
                let found = (engine.assess)(inputs.envelope, graph, &proposal, Some(&history), now);
                alone.one((found.verdict == Verdict::Autonomous).then(|| {
                    format!(
                        "{} on {} at severity {} runs alone",
                        kind.as_str(),
                        system.id,
                        severity.as_str()
                    )
                }));
            }
        }
    }
    alone.end(Fails, "each of them waits for people")
}
