//! The facts of a request, worked out anew: written from DESIGN §4 and §5 and from the documents, so
//! that a defect of the assessment's counting is no defect of these. Only reach, targets, calendars and
//! the age of the topology's parts are the core's own.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, Utc};
use countersign_core::assessment::calendar;
use countersign_core::decimal::Decimal;
use countersign_core::envelope::cedar::{
    Counted, ErrorBudgetFact, FalsePositives, Request, RuleFacts, Scope,
};
use countersign_core::envelope::{Corroboration, Envelope, ErrorBudget, Rule};
use countersign_core::history::{History, RegisteredDetection};
use countersign_core::identifier::{ServiceId, SystemId};
use countersign_core::impact::{self, Circumstances, Reach};
use countersign_core::proposal::{Action, ActionKind, Proposal};
use countersign_core::scope::{self, Graph, system_is_inside};
use countersign_core::suspension::covering;
use countersign_core::topology::{System, Tier};

const BILLION: u128 = 1_000_000_000;

/// Everything that an assessment is made of.
#[derive(Clone, Copy)]
pub struct Case<'a> {
    /// The envelope.
    pub envelope: &'a Envelope,
    /// The topology.
    pub graph: &'a Graph,
    /// What is asked.
    pub proposal: &'a Proposal,
    /// What is known besides.
    pub history: &'a History,
    /// The instant.
    pub now: DateTime<Utc>,
}

/// One request for each rollout concurrency that a rule of the envelope names.
pub fn requests(case: Case<'_>) -> Vec<Request> {
    let concurrencies: BTreeSet<Option<u32>> = case
        .envelope
        .rules
        .iter()
        .map(|rule| rule.rollout.concurrency)
        .collect();
    concurrencies
        .into_iter()
        .map(|concurrency| request(case, concurrency))
        .collect()
}

/// The request under one rollout concurrency.
pub fn request(case: Case<'_>, concurrency: Option<u32>) -> Request {
    let Case {
        envelope,
        graph,
        proposal,
        history,
        now,
    } = case;
    let resolved = scope::resolve(graph, &proposal.targets);
    let targets: Vec<&System> = resolved
        .systems
        .iter()
        .map(|id| graph.system(id.as_str()).expect("it was resolved"))
        .collect();
    let reach = impact::reach(
        graph,
        &proposal.action,
        &resolved.systems,
        Circumstances {
            concurrency,
            history: Some(history),
        },
    );
    let seen = graph.observed(&reach.scope);
    let newest = seen.newest.at.max(graph.topology().observed_at);
    let registered = registered(case);
    let kind = proposal.action.kind();
    let in_calendar = |inside: Option<bool>| {
        envelope
            .calendars
            .keys()
            .filter(|name| calendar::contains(&envelope.calendars, name, now) == inside)
            .cloned()
            .collect()
    };
    Request {
        agent: proposal.agent.clone(),
        action: kind,
        now: now.timestamp_micros(),
        proposal_expires_at: proposal.expires_at.timestamp_micros(),
        detected_at: proposal.detection.detected_at.timestamp_micros(),
        detected_ago: seconds(now - proposal.detection.detected_at),
        topology_observed_at: newest.timestamp_micros(),
        topology_age: seconds(now - seen.oldest.at),
        authorised: history.envelope_authorised,
        suspended: if covering(&history.suspensions, &proposal.agent, None).is_some() {
            Some(true)
        } else {
            history.autonomy_suspended
        },
        severity: registered.map_or(proposal.detection.severity, |of| of.severity),
        registered: registered.is_some(),
        false_positives: registered.map(|of| FalsePositives {
            assessed: long(of.assessed),
            share: share(of.false_positives, of.assessed),
        }),
        irreversible: history.irreversible.contains(&kind),
        drilled_ago: oldest(&targets, |system| {
            let drills = history.drills.iter().flatten();
            drills
                .filter(|drill| drill.action == kind && drill.class == system.class)
                .filter(|drill| drill.succeeded_at <= now)
                .max_by_key(|drill| (drill.succeeded_at, drill.failed_since()))
                .filter(|drill| drill.failed_since().is_none())
                .map(|drill| seconds(now - drill.succeeded_at))
        }),
        staged_ago: oldest(&targets, |system| {
            let digest = proposal.action.digest().expect("it has a canonical form");
            let runs = history.staging.iter().flatten();
            runs.filter(|run| run.action_digest == digest && run.class == system.class)
                .map(|run| run.succeeded_at)
                .filter(|at| *at <= now)
                .max()
                .map(|at| seconds(now - at))
        }),
        in_flight: history
            .in_flight
            .as_ref()
            .map(|flying| long(flying.len() as u64)),
        calendars: in_calendar(Some(true)),
        calendars_undecided: in_calendar(None),
        rules: envelope
            .rules
            .iter()
            .filter_map(|rule| Some((rule.id.clone(), rule_facts(case, rule, &targets, &reach)?)))
            .collect(),
        scope: scope_facts(case, concurrency, &targets, &resolved.unknown, &reach),
    }
}

/// The age of what is oldest among the targets; `None` where it is missing for one, or there is none.
fn oldest(targets: &[&System], age: impl Fn(&System) -> Option<i64>) -> Option<i64> {
    let ages: Option<Vec<i64>> = targets.iter().map(|system| age(system)).collect();
    ages?.into_iter().max()
}

fn registered<'a>(case: Case<'a>) -> Option<&'a RegisteredDetection> {
    let detection = &case.proposal.detection;
    case.history.detections.iter().flatten().find(|known| {
        known.rule == detection.rule
            && known.source == detection.source
            && known.agents.contains(&case.proposal.agent)
    })
}

fn scope_facts(
    case: Case<'_>,
    concurrency: Option<u32>,
    targets: &[&System],
    unknown: &BTreeSet<SystemId>,
    reach: &Reach<'_>,
) -> Scope {
    let graph = case.graph;
    let kind = case.proposal.action.kind();
    let mut labels: Option<BTreeMap<String, String>> = None;
    for system in targets {
        match &mut labels {
            None => labels = Some(system.labels.clone()),
            Some(common) => common.retain(|name, value| system.labels.get(name) == Some(value)),
        }
    }
    let mut strangers: BTreeSet<&str> = unknown.iter().map(SystemId::as_str).collect();
    if let Action::CredentialRotate(parameters) = &case.proposal.action {
        let told = parameters.updates_dependents.iter().map(SystemId::as_str);
        strangers.extend(told.filter(|id| graph.find(id).is_none()));
    }
    let disrupted = reach
        .hard_dependents()
        .into_iter()
        .filter(|index| !(works_on_targets(kind) && reach.targets.contains(index)))
        .count();
    let degraded = reach
        .degraded()
        .into_iter()
        .filter(|index| graph.tier(*index) == Tier::SafetyCritical)
        .count();
    Scope {
        concurrency,
        targets: targets.len() as i64,
        unknown: strangers.len() as i64,
        classes: targets.iter().map(|system| system.class.clone()).collect(),
        tiers: targets
            .iter()
            .map(|system| system.effective_tier())
            .collect(),
        labels: labels.unwrap_or_default(),
        sites: targets.iter().map(|system| system.site.clone()).collect(),
        exposures: targets.iter().map(|system| system.exposure).collect(),
        tier: if unknown.is_empty() {
            reach.tier
        } else {
            Tier::SafetyCritical
        },
        systems: reach.systems(graph).count() as i64,
        disrupted: disrupted as i64,
        degraded_safety_critical: degraded as i64,
        dependents_known: reach.unnamed_credential.is_empty() && !reach.rests_on_unknown_in_flight,
        counted: counted(case, reach),
    }
}

/// The first row of DESIGN §4's table.
fn works_on_targets(kind: ActionKind) -> bool {
    use ActionKind::{ConfigChange, Patch, ProcessKill, ServiceRestart};
    [Patch, ConfigChange, ServiceRestart, ProcessKill].contains(&kind)
}

/// DESIGN §5, 4.5: the whole scope, and what is in flight or finished within the period on the scope's
/// tier or higher.
fn counted(case: Case<'_>, reach: &Reach<'_>) -> Option<Counted> {
    let graph = case.graph;
    let radius = case
        .envelope
        .tiers
        .get(&reach.tier)?
        .blast_radius
        .as_ref()?;
    let flying = case.history.in_flight.as_ref()?;
    let finished = case.history.recent.as_ref()?;
    let lately = finished
        .iter()
        .filter(|operation| case.now <= operation.finished_at + radius.per.duration())
        .map(|operation| &operation.systems);
    let touched: BTreeSet<&SystemId> = flying
        .iter()
        .map(|operation| &operation.systems)
        .chain(lately)
        .flatten()
        .filter(|id| {
            // A system that the topology lacks is safety-critical, and so never below.
            let tier = graph.system(id.as_str()).map(System::effective_tier);
            tier.unwrap_or(Tier::SafetyCritical) >= reach.tier
        })
        .collect();
    let in_scope: Vec<&System> = reach.systems(graph).collect();
    let systems: BTreeSet<&str> = in_scope
        .iter()
        .map(|system| system.id.as_str())
        .chain(touched.iter().map(|id| id.as_str()))
        .collect();
    let known = || systems.iter().filter_map(|id| graph.system(id));
    let besides = || touched.iter().filter_map(|id| graph.system(id.as_str()));
    let services: BTreeSet<&ServiceId> = reach
        .services
        .iter()
        .copied()
        .chain(besides().filter_map(|system| system.service.as_ref()))
        .collect();
    let segments: BTreeSet<ipnet::IpNet> = reach
        .segments
        .iter()
        .copied()
        .chain(besides().filter_map(|system| system.cidr))
        .collect();
    let classes: BTreeSet<&str> = in_scope
        .iter()
        .map(|system| system.class.as_str())
        .collect();
    let of_class = |class: &str| {
        known()
            .filter(|system| system.class.as_str() == class)
            .count()
    };
    let all = |class: &str| {
        let systems = &graph.topology().systems;
        systems
            .iter()
            .filter(|system| system.class.as_str() == class)
            .count()
    };
    Some(Counted {
        per: i64::from(radius.per.seconds()),
        systems: systems.len() as i64,
        services: services.len() as i64,
        segments: segments.len() as i64,
        largest_share: classes
            .into_iter()
            .map(|class| share(of_class(class) as u64, all(class) as u64))
            .max()
            .unwrap_or(0),
    })
}

fn rule_facts(
    case: Case<'_>,
    rule: &Rule,
    targets: &[&System],
    reach: &Reach<'_>,
) -> Option<RuleFacts> {
    let conditions = &rule.conditions;
    (conditions.corroboration.is_some() || conditions.error_budget.is_some()).then(|| RuleFacts {
        independent_sources: conditions
            .corroboration
            .as_ref()
            .and_then(|wanted| independent_sources(case, wanted, targets)),
        error_budget: conditions
            .error_budget
            .as_ref()
            .and_then(|wanted| error_budget(case, wanted, reach)),
    })
}

/// DESIGN §5, 4.11: sources and upstreams that differ from the detection's and from each other; of the
/// target with the fewest. Tried out, not matched: the signals of a world are few.
fn independent_sources(case: Case<'_>, wanted: &Corroboration, targets: &[&System]) -> Option<i64> {
    let signals = case.history.signals.as_ref()?;
    let own = registered(case)?;
    let detected_at = case.proposal.detection.detected_at;
    let within = wanted.within.duration();
    targets
        .iter()
        .map(|target| {
            let about = |id: &SystemId| {
                *id == target.id
                    || target.cidr.is_some_and(|range| {
                        let system = case.graph.system(id.as_str());
                        system.is_some_and(|system| system_is_inside(system, &range))
                    })
            };
            let pairs: Vec<(&str, &str)> = signals
                .iter()
                .filter(|signal| signal.systems.iter().any(about))
                .filter(|signal| signal.observed_at <= case.now)
                .filter(|signal| signal.observed_at >= detected_at - within)
                .filter(|signal| signal.observed_at <= detected_at + within)
                .filter(|signal| signal.source != own.source && signal.upstream != own.upstream)
                .map(|signal| (signal.source.as_str(), signal.upstream.as_str()))
                .collect();
            most_different(&pairs, &mut Vec::new())
        })
        .min()
}

fn most_different<'a>(pairs: &[(&'a str, &'a str)], taken: &mut Vec<(&'a str, &'a str)>) -> i64 {
    let Some((first, rest)) = pairs.split_first() else {
        return taken.len() as i64;
    };
    let without = most_different(rest, taken);
    if taken
        .iter()
        .any(|other| other.0 == first.0 || other.1 == first.1)
    {
        return without;
    }
    taken.push(*first);
    let with = most_different(rest, taken);
    taken.pop();
    with.max(without)
}

/// DESIGN §5, 4.1: every service in scope that the rule asks about, by its latest measurement.
fn error_budget(
    case: Case<'_>,
    wanted: &ErrorBudget,
    reach: &Reach<'_>,
) -> Option<ErrorBudgetFact> {
    let measured = case.history.error_budgets.as_ref()?;
    let mut fact = ErrorBudgetFact {
        lowest: BILLION as i64,
        oldest: 0,
    };
    for service in &reach.services {
        if !wanted.services.is_empty() && !wanted.services.contains(*service) {
            continue;
        }
        let known = measured
            .iter()
            .filter(|of| of.service == **service && of.at <= case.now);
        let latest = known.clone().map(|of| of.at).max()?;
        let lowest: Decimal = known
            .filter(|of| of.at == latest)
            .map(|of| of.remaining)
            .min()?;
        fact.lowest = fact.lowest.min(lowest.parts_per_billion_floor());
        fact.oldest = fact.oldest.max(seconds(case.now - latest));
    }
    Some(fact)
}

/// Whole seconds, rounded up.
fn seconds(age: Duration) -> i64 {
    age.num_seconds() + i64::from(age.subsec_nanos() > 0)
}

fn long(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Parts per billion, rounded up; the most there is where nothing can be divided.
fn share(part: u64, whole: u64) -> i64 {
    if whole == 0 {
        return i64::MAX;
    }
    i64::try_from((u128::from(part) * BILLION).div_ceil(u128::from(whole))).unwrap_or(i64::MAX)
}
