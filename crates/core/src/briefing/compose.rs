//! How a briefing is made, by the backend, and made again, by the console and every auditor.

use chrono::{DateTime, Duration, Utc};

use super::{Briefing, Plan, RollbackState, SCHEMA, SubjectDigests};
use crate::assessment::{self, Evaluation};
use crate::canonical::{self, CanonicalError};
use crate::envelope::{Breaker, Envelope, HealthCheck, Rollback, Rollout, Rule};
use crate::genesis::DeploymentId;
use crate::history::History;
use crate::identifier::ProposalId;
use crate::operation;
use crate::proposal::Proposal;
use crate::scope::{self, Graph};

/// Longest that an item waits for people, whatever the proposal says.
const WAITING_DAYS_MAX: i64 = 30;

/// What a briefing is made of.
#[derive(Debug, Clone)]
pub struct Inputs<'a, 't> {
    /// The deployment.
    pub audience: DeploymentId,
    /// The item.
    pub item: ProposalId,
    /// The proposal.
    pub proposal: &'a Proposal,
    /// The envelope in force, or the last authorised one.
    pub envelope: Option<&'a Envelope>,
    /// The topology in force.
    pub graph: &'t Graph,
    /// All facts that the backend knows; the briefing carries the slice that matters.
    pub history: &'a History,
    /// The executor's plan.
    pub plan: Plan,
    /// The `now` of the assessment.
    pub now: DateTime<Utc>,
}

/// A briefing and the evaluation behind it.
#[derive(Debug, Clone)]
pub struct Composed<'t> {
    /// The briefing.
    pub briefing: Briefing,
    /// What was evaluated.
    pub evaluation: Evaluation<'t>,
}

/// Makes a briefing. A pure function: the same inputs give the same bytes.
///
/// # Errors
/// [`CanonicalError`] where a document holds a number that cannot be signed.
pub fn compose<'t>(inputs: Inputs<'_, 't>) -> Result<Composed<'t>, CanonicalError> {
    let Inputs {
        audience,
        item,
        proposal,
        envelope,
        graph,
        history,
        plan,
        now,
    } = inputs;
    let history = assessment::history_slice(envelope, graph, proposal, history, now);
    let evaluation = assessment::evaluate(envelope, graph, proposal, Some(&history), now);
    let rule = evaluation
        .assessment
        .rule
        .as_ref()
        .and_then(|id| envelope?.rules.iter().find(|rule| rule.id == *id));
    let rollout = rollout(envelope, rule);
    let digests = SubjectDigests {
        proposal: canonical::digest(proposal)?,
        targets: scope::targets_digest(&evaluation.targets.systems)?,
        envelope: envelope.map(canonical::digest).transpose()?,
        topology: canonical::digest(graph.topology())?,
        neighbourhood: evaluation.reach.neighbourhood(graph).digest()?,
        history: canonical::digest(&history)?,
        plan: canonical::digest(&plan)?,
    };
    let briefing = Briefing {
        schema: SCHEMA.to_owned(),
        audience,
        item,
        proposal: proposal.clone(),
        assessed_at: now,
        assessment: evaluation.assessment.clone(),
        rollback: rollback(proposal, rule, graph, &evaluation, &history),
        history,
        plan,
        waves: operation::waves(&evaluation.targets.systems, &rollout),
        rollout,
        may_stop: envelope
            .into_iter()
            .flat_map(|envelope| envelope.tiers.values())
            .flat_map(|tier| tier.approval.roles.iter().cloned())
            .collect(),
        digests,
        expires_at: proposal.expires_at.min(
            now.checked_add_signed(Duration::days(WAITING_DAYS_MAX))
                .unwrap_or(proposal.expires_at),
        ),
    };
    Ok(Composed {
        briefing,
        evaluation,
    })
}

/// The rule's rollout. Where no rule grants the action: one system at a time, the first failure
/// halts, and every HTTP health check of the envelope is asked.
#[must_use]
pub fn rollout(envelope: Option<&Envelope>, rule: Option<&Rule>) -> Rollout {
    match rule {
        Some(rule) => rule.rollout.clone(),
        None => Rollout {
            concurrency: Some(1),
            breaker: Some(Breaker {
                failures: Some(0),
                attempts_per_system: Some(1),
                ..Breaker::default()
            }),
            health: envelope
                .into_iter()
                .flat_map(|envelope| &envelope.checks)
                .filter(|(_, check)| matches!(check, HealthCheck::Http { .. }))
                .map(|(name, _)| name.clone())
                .collect(),
            ..Rollout::default()
        },
    }
}

fn rollback(
    proposal: &Proposal,
    rule: Option<&Rule>,
    graph: &Graph,
    evaluation: &Evaluation<'_>,
    history: &History,
) -> RollbackState {
    let kind = proposal.action.kind();
    let last_drilled = evaluation
        .targets
        .systems
        .iter()
        .filter_map(|id| graph.system(id.as_str()))
        .map(|system| {
            history
                .drills
                .iter()
                .flatten()
                .filter(|drill| drill.action == kind && drill.class == system.class)
                .map(|drill| drill.succeeded_at)
                .max()
        })
        .min()
        .flatten();
    RollbackState {
        reversible: !kind.is_irreversible() && !history.irreversible.contains(&kind),
        promised: rule.map_or(
            Rollback {
                within: None,
                drilled_within: None,
            },
            |rule| rule.rollback.clone(),
        ),
        last_drilled,
    }
}

/// Makes the briefing again from its own claims (history slice, plan) and the documents behind it,
/// and says where it differs; empty where it does not. What a console does before it signs, and an
/// auditor after.
///
/// # Errors
/// As [`compose`].
pub fn recompute(
    briefing: &Briefing,
    envelope: Option<&Envelope>,
    graph: &Graph,
) -> Result<Vec<String>, CanonicalError> {
    let own = compose(Inputs {
        audience: briefing.audience.clone(),
        item: briefing.item.clone(),
        proposal: &briefing.proposal,
        envelope,
        graph,
        history: &briefing.history,
        plan: briefing.plan.clone(),
        now: briefing.assessed_at,
    })?
    .briefing;
    let theirs = serde_json::to_value(briefing)?;
    let ours = serde_json::to_value(&own)?;
    let mut differences = Vec::new();
    compare("", &theirs, &ours, &mut differences);
    Ok(differences)
}

/// Differences shown at most.
const DIFFERENCES_MAX: usize = 20;

fn compare(
    place: &str,
    theirs: &serde_json::Value,
    ours: &serde_json::Value,
    differences: &mut Vec<String>,
) {
    use serde_json::Value;
    if theirs == ours || differences.len() >= DIFFERENCES_MAX {
        return;
    }
    match (theirs, ours) {
        (Value::Object(theirs), Value::Object(ours)) => {
            for name in theirs
                .keys()
                .chain(ours.keys().filter(|name| !theirs.contains_key(*name)))
            {
                let place = format!("{place}/{name}");
                compare(
                    &place,
                    theirs.get(name).unwrap_or(&Value::Null),
                    ours.get(name).unwrap_or(&Value::Null),
                    differences,
                );
            }
        }
        (Value::Array(theirs), Value::Array(ours)) if theirs.len() == ours.len() => {
            for (index, (theirs, ours)) in theirs.iter().zip(ours).enumerate() {
                compare(&format!("{place}/{index}"), theirs, ours, differences);
            }
        }
        _ => differences.push(format!(
            "{place}: the backend says {}, this console {}",
            short(theirs),
            short(ours)
        )),
    }
}

fn short(value: &serde_json::Value) -> String {
    const CHARACTERS_MAX: usize = 120;
    let text = value.to_string();
    match text.char_indices().nth(CHARACTERS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
