//! How an assessment is made: the rule is chosen, every check is run, the verdict follows.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::case::Case;
use super::checks;
use super::checks::conditions::latest_budget;
use super::rules::grants;
use super::{Assessment, Finding, Outcome, QuorumRule, ScopeCounts, Verdict};
use crate::envelope::{Envelope, Rule};
use crate::history::{Drill, History, RegisteredDetection, StagingRun};
use crate::identifier::{ClassId, RuleId, ServiceId, SystemId};
use crate::impact::{self, Circumstances, Reach};
use crate::proposal::Proposal;
use crate::scope::{self, Graph, ResolvedTargets};
use crate::suspension::Suspended;
use crate::topology::Tier;

/// Approvers asked for where no envelope says how many (DESIGN §5, verdict).
const QUORUM_WITHOUT_ENVELOPE: u32 = 2;

/// Assesses a proposal: a pure, total function of its arguments.
///
/// `envelope` is the one in force, or the last authorised one; `history` holds the facts that the
/// backend knows, and an absent fact is `not_evaluable`. Every check runs and none hides another.
///
/// Source: AG-706 4.1–4.12 as DESIGN §5 reads them.
#[must_use]
pub fn assess(
    envelope: Option<&Envelope>,
    graph: &Graph,
    proposal: &Proposal,
    history: Option<&History>,
    now: DateTime<Utc>,
) -> Assessment {
    evaluate(envelope, graph, proposal, history, now).assessment
}

/// An assessment and what it was made of.
#[derive(Debug, Clone)]
pub struct Evaluation<'t> {
    /// The assessment.
    pub assessment: Assessment,
    /// The targets.
    pub targets: ResolvedTargets,
    /// What the action reaches.
    pub reach: Reach<'t>,
}

/// As [`assess`], and hands out what it was made of.
#[must_use]
pub fn evaluate<'t>(
    envelope: Option<&Envelope>,
    graph: &'t Graph,
    proposal: &Proposal,
    history: Option<&History>,
    now: DateTime<Utc>,
) -> Evaluation<'t> {
    let targets = scope::resolve(graph, &proposal.targets);
    let run = |rule: Option<&Rule>| {
        let reach = impact::reach(
            graph,
            &proposal.action,
            &targets.systems,
            Circumstances {
                concurrency: rule.and_then(|rule| rule.rollout.concurrency),
                history,
            },
        );
        let findings = checks::run(&Case {
            envelope,
            rule,
            graph,
            proposal,
            targets: &targets,
            reach: &reach,
            history,
            now,
        });
        (reach, findings)
    };
    // Of the rules that grant it, the one with the fewest failures; of those, the first in the document.
    let best = envelope
        .into_iter()
        .flat_map(|envelope| {
            envelope
                .rules
                .iter()
                .filter(|rule| grants(envelope, rule, graph, proposal, &targets))
        })
        .map(|rule| (rule, run(Some(rule))))
        .min_by_key(|(_, (_, findings))| blocking(findings).count());
    let (rule, (reach, findings)) = match best {
        Some((rule, result)) => (Some(rule.id.clone()), result),
        None => (None, run(None)),
    };
    let refusal = refusal(proposal, &targets, graph, now);
    let tier = if targets.unknown.is_empty() {
        reach.tier
    } else {
        Tier::SafetyCritical
    };
    let verdict = if refusal.is_some() {
        Verdict::Refused
    } else if rule.is_some() && blocking(&findings).next().is_none() {
        Verdict::Autonomous
    } else {
        Verdict::NeedsApproval
    };
    let quorum = match verdict {
        Verdict::NeedsApproval => Some(quorum(envelope, history, tier)),
        Verdict::Autonomous | Verdict::Refused => None,
    };
    let assessment = Assessment {
        verdict,
        rule,
        scope: ScopeCounts {
            systems: reach.systems(graph).count() as u64,
            services: reach.services.len() as u64,
            segments: reach.segments.len() as u64,
            tier,
        },
        impact: reach.entries(graph),
        findings,
        quorum,
        refusal,
    };
    Evaluation {
        assessment,
        targets,
        reach,
    }
}

/// The findings that block autonomy.
pub fn blocking(findings: &[Finding]) -> impl Iterator<Item = &Finding> {
    findings.iter().filter(|finding| match finding.outcome {
        Outcome::Pass => false,
        Outcome::Fail | Outcome::NotEvaluable => true,
    })
}

fn refusal(
    proposal: &Proposal,
    targets: &ResolvedTargets,
    graph: &Graph,
    now: DateTime<Utc>,
) -> Option<String> {
    if now >= proposal.expires_at {
        return Some(format!(
            "the proposal expired at {}; propose again",
            proposal
                .expires_at
                .to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
        ));
    }
    let mut unknown: BTreeSet<&str> = targets.unknown.iter().map(SystemId::as_str).collect();
    if let crate::proposal::Action::CredentialRotate(parameters) = &proposal.action {
        unknown.extend(
            parameters
                .updates_dependents
                .iter()
                .map(SystemId::as_str)
                .filter(|id| graph.find(id).is_none()),
        );
    }
    if !unknown.is_empty() {
        let shown: Vec<_> = unknown.iter().take(5).copied().collect();
        let more = unknown.len().saturating_sub(shown.len());
        let rest = if more == 0 {
            String::new()
        } else {
            format!(" and {more} more")
        };
        return Some(format!(
            "the topology knows no system {}{rest}; import it or correct the name",
            shown.join(", ")
        ));
    }
    targets
        .systems
        .is_empty()
        .then(|| "no system matches the targets; correct the selector".to_owned())
}

fn quorum(envelope: Option<&Envelope>, history: Option<&History>, tier: Tier) -> QuorumRule {
    let authorised = history.and_then(|history| history.envelope_authorised);
    envelope
        .filter(|_| authorised != Some(false))
        .and_then(|envelope| envelope.tiers.get(&tier))
        .map(|tier| QuorumRule {
            needed: tier.approval.quorum.max(1),
            roles: tier.approval.roles.clone(),
        })
        .unwrap_or(QuorumRule {
            needed: QUORUM_WITHOUT_ENVELOPE,
            roles: BTreeSet::new(),
        })
}

/// The part of `history` that an assessment rests on: assessing the slice gives what assessing the
/// whole gives. It is what a briefing carries (DESIGN §6.1).
#[must_use]
pub fn history_slice(
    envelope: Option<&Envelope>,
    graph: &Graph,
    proposal: &Proposal,
    history: &History,
    now: DateTime<Utc>,
) -> History {
    let targets = scope::resolve(graph, &proposal.targets);
    let reach = impact::reach(
        graph,
        &proposal.action,
        &targets.systems,
        Circumstances {
            concurrency: None,
            history: None,
        },
    );
    let about: BTreeSet<&str> = reach
        .targets
        .union(&reach.inside)
        .filter_map(|index| graph.node(*index))
        .map(|node| node.id())
        .collect();
    let classes: BTreeSet<&ClassId> = targets
        .systems
        .iter()
        .filter_map(|id| graph.system(id.as_str()))
        .map(|system| &system.class)
        .collect();
    let longest = envelope
        .into_iter()
        .flat_map(|envelope| envelope.tiers.values())
        .filter_map(|tier| tier.blast_radius.as_ref())
        .map(|radius| radius.per.duration())
        .max();
    let kind = proposal.action.kind();
    History {
        envelope_authorised: history.envelope_authorised,
        autonomy_suspended: history.autonomy_suspended,
        suspensions: suspensions(envelope, graph, proposal, &targets, history),
        drills: history.drills.as_ref().map(|drills| {
            latest_drills(drills, |drill| {
                drill.action == kind && classes.contains(&drill.class) && drill.succeeded_at <= now
            })
        }),
        detections: history.detections.as_ref().map(|detections| {
            let mut kept: Vec<RegisteredDetection> = detections
                .iter()
                .filter(|d| {
                    d.rule == proposal.detection.rule && d.source == proposal.detection.source
                })
                .cloned()
                .collect();
            kept.sort();
            kept
        }),
        signals: history.signals.as_ref().map(|signals| {
            let mut kept: Vec<_> = signals
                .iter()
                .filter(|signal| {
                    signal
                        .systems
                        .iter()
                        .any(|system| about.contains(system.as_str()))
                })
                .cloned()
                .map(|mut signal| {
                    signal
                        .systems
                        .retain(|system| about.contains(system.as_str()));
                    signal
                })
                .collect();
            kept.sort();
            kept
        }),
        in_flight: history.in_flight.as_ref().map(|operations| {
            let mut kept = operations.clone();
            kept.sort();
            kept
        }),
        recent: history.recent.as_ref().map(|operations| {
            let mut kept: Vec<_> = operations
                .iter()
                .filter(|operation| {
                    longest.is_some_and(|longest| now - operation.finished_at <= longest)
                })
                .cloned()
                .collect();
            kept.sort();
            kept
        }),
        error_budgets: history.error_budgets.as_ref().and_then(|_| {
            let services = services_with_budget(envelope?, graph, proposal, &targets, history)?;
            Some(
                services
                    .into_iter()
                    .filter_map(|service| latest_budget(history, service, now))
                    .cloned()
                    .collect(),
            )
        }),
        staging: history.staging.as_ref().and_then(|runs| {
            envelope?
                .rules
                .iter()
                .any(|rule| rule.conditions.validated_in_staging.is_some())
                .then(|| latest_runs(runs, proposal, &classes, now))
        }),
        irreversible: history
            .irreversible
            .iter()
            .copied()
            .filter(|action| *action == kind)
            .collect(),
    }
}

/// The suspensions that stop this proposal under any of the rules that grant it.
fn suspensions(
    envelope: Option<&Envelope>,
    graph: &Graph,
    proposal: &Proposal,
    targets: &ResolvedTargets,
    history: &History,
) -> BTreeSet<Suspended> {
    let granting: Vec<(&str, &RuleId)> = envelope
        .into_iter()
        .flat_map(|envelope| {
            envelope
                .rules
                .iter()
                .filter(|rule| grants(envelope, rule, graph, proposal, targets))
                .map(|rule| (envelope.name.as_str(), &rule.id))
        })
        .collect();
    history
        .suspensions
        .iter()
        .filter(|suspended| {
            let covers = |rule| suspended.suspends.covers(&proposal.agent, rule);
            covers(None) || granting.iter().any(|rule| covers(Some(*rule)))
        })
        .cloned()
        .collect()
}

/// The services in scope under the rules that grant it and ask for error budgets; `None` where none asks.
fn services_with_budget<'t>(
    envelope: &Envelope,
    graph: &'t Graph,
    proposal: &Proposal,
    targets: &ResolvedTargets,
    history: &History,
) -> Option<BTreeSet<&'t ServiceId>> {
    let mut services: Option<BTreeSet<&ServiceId>> = None;
    for rule in envelope.rules.iter().filter(|rule| {
        rule.conditions.error_budget.is_some() && grants(envelope, rule, graph, proposal, targets)
    }) {
        let reach = impact::reach(
            graph,
            &proposal.action,
            &targets.systems,
            Circumstances {
                concurrency: rule.rollout.concurrency,
                history: Some(history),
            },
        );
        services
            .get_or_insert_default()
            .extend(reach.services.iter().copied());
    }
    services
}

fn latest_runs(
    runs: &[StagingRun],
    proposal: &Proposal,
    classes: &BTreeSet<&ClassId>,
    now: DateTime<Utc>,
) -> Vec<StagingRun> {
    let digest = proposal.action.digest().ok();
    let mut latest: BTreeMap<&ClassId, &StagingRun> = BTreeMap::new();
    for run in runs.iter().filter(|run| {
        Some(run.action_digest) == digest && classes.contains(&run.class) && run.succeeded_at <= now
    }) {
        let known = latest.entry(&run.class).or_insert(run);
        if run.succeeded_at > known.succeeded_at {
            *known = run;
        }
    }
    latest.into_values().cloned().collect()
}

fn latest_drills(drills: &[Drill], wanted: impl Fn(&Drill) -> bool) -> Vec<Drill> {
    let mut latest: BTreeMap<&ClassId, &Drill> = BTreeMap::new();
    for drill in drills.iter().filter(|drill| wanted(drill)) {
        let known = latest.entry(&drill.class).or_insert(drill);
        let order = |drill: &Drill| (drill.succeeded_at, drill.failed_since());
        if order(drill) > order(known) {
            *known = drill;
        }
    }
    latest.into_values().cloned().collect()
}
