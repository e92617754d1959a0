//! Test 8.3: what others need is not touched alone (4.3).

use chrono::{DateTime, Utc};

use super::TrialOutcome::{Fails, Holds, NotShown, Weak};
use super::sample::{self};
use super::{Engine, Inputs, Trial, Trying, spread, trial};
use crate::assessment::{Clause, Outcome, Verdict};
use crate::proposal::{Action, ActionKind, Severity};
use crate::scope::Graph;
use crate::topology::{DependencyKind, Strength, System};

/// Systems tried.
const SYSTEMS_TRIED_MAX: usize = 1_000;

/// Age from which a map is no longer called maintained, in days. Our definition.
const MAINTAINED_DAYS_MAX: i64 = 7;

pub(super) fn check(
    inputs: &Inputs<'_>,
    graph: &Graph,
    now: DateTime<Utc>,
    engine: Engine<'_>,
) -> Vec<Trial> {
    vec![
        maintained(inputs),
        aged(inputs),
        disrupted(inputs, graph, now, engine),
    ]
}

fn maintained(inputs: &Inputs<'_>) -> Trial {
    let topology = inputs.topology;
    let what = format!(
        "there is a dependency map, and it is at most {MAINTAINED_DAYS_MAX} days old (4.3; the age is our definition)"
    );
    let age = inputs.now - topology.observed_at;
    let seen = format!(
        "{} dependencies among {} systems and {} services, observed {} by {}",
        topology.dependencies.len(),
        topology.systems.len(),
        topology.services.len(),
        topology.observed_at,
        topology.source
    );
    let fresh =
        age >= chrono::Duration::zero() && age <= chrono::Duration::days(MAINTAINED_DAYS_MAX);
    let outcome = match (topology.dependencies.is_empty(), fresh) {
        (true, _) => Fails,
        (false, false) => Weak,
        (false, true) => Holds,
    };
    trial(what, outcome, seen)
}

fn aged(inputs: &Inputs<'_>) -> Trial {
    let mut aged = Trying::new("every rule limits the age of the map that it rests on (4.3)");
    for rule in &inputs.envelope.rules {
        aged.one(rule.conditions.topology_age.is_none().then(|| {
            format!(
                "rule {} runs on a map of any age; give it `topology_age`",
                rule.id
            )
        }));
    }
    aged.end(Weak, "each does")
}

/// Every disruption of a hard dependent fails 4.3.
fn disrupted(inputs: &Inputs<'_>, graph: &Graph, now: DateTime<Utc>, engine: Engine<'_>) -> Trial {
    let what = format!(
        "on at most {SYSTEMS_TRIED_MAX} systems that others hard-depend on, what disrupts them fails 4.3"
    );
    let needed: Vec<(&System, Vec<ActionKind>)> = inputs
        .topology
        .systems
        .iter()
        .filter_map(|system| {
            let kinds = disrupting(graph, system);
            (!kinds.is_empty()).then_some((system, kinds))
        })
        .collect();
    if needed.is_empty() {
        return trial(what, NotShown, "no system has a hard dependent");
    }
    let Some(agent) = inputs.envelope.agents.first() else {
        return trial(what, NotShown, "the envelope names no agent");
    };
    let mut disrupted = Trying::new(what);
    for (system, kinds) in spread(needed, SYSTEMS_TRIED_MAX) {
        for kind in kinds {
            let Ok(mut action) = sample::action(kind, system, graph) else {
                continue;
            };
            if let Action::CredentialRotate(parameters) = &mut action {
                parameters.updates_dependents.clear();
            }
            let facts = sample::history(
                inputs,
                &[(kind, system.class.clone())],
                &system.id,
                Severity::Medium,
                0,
                now,
            );
            let proposal = sample::proposal(action, &system.id, agent, Severity::Medium, now);
            let (Ok(proposal), Ok(history)) = (proposal, facts) else {
                continue;
            };
            let found = (engine.assess)(inputs.envelope, graph, &proposal, Some(&history), now);
            let passes = found
                .findings
                .iter()
                .any(|f| f.clause == Clause::C4_3 && f.outcome == Outcome::Pass);
            disrupted.one(
                (passes || found.verdict == Verdict::Autonomous)
                    .then(|| format!("{} on {} passes 4.3", kind.as_str(), system.id)),
            );
        }
    }
    disrupted.end(Fails, "each of them fails 4.3, with the dependents named")
}

/// The kinds of action that certainly disrupt a hard dependent of a system.
fn disrupting(graph: &Graph, system: &System) -> Vec<ActionKind> {
    let Some(index) = graph.find(system.id.as_str()) else {
        return Vec::new();
    };
    let hard: Vec<DependencyKind> = graph
        .dependents(index)
        .filter(|edge| edge.dependency.strength == Strength::Hard && edge.from != index)
        .map(|edge| edge.dependency.kind)
        .collect();
    let mut kinds = Vec::new();
    if !hard.is_empty() {
        kinds.push(ActionKind::HostIsolate);
    }
    let works = |kind: &DependencyKind| match kind {
        DependencyKind::Runtime | DependencyKind::Data | DependencyKind::Control => true,
        DependencyKind::Credential => false,
    };
    if system.redundancy.is_none() && hard.iter().any(works) {
        kinds.push(ActionKind::Patch);
    }
    // The credential rotated is the first that is named; it counts where one that uses it is hard.
    let first = sample::credential_of(graph, system);
    let used = graph.dependents(index).any(|edge| {
        edge.dependency.strength == Strength::Hard
            && first.is_some()
            && edge.dependency.credential.as_ref() == first
    });
    if used {
        kinds.push(ActionKind::CredentialRotate);
    }
    kinds
}
