//! Proposals that run alone under the envelope: one inside each rule, under the best of circumstances.
//!
//! They are the control of every other test: a check that nothing passes says nothing.

use chrono::{DateTime, Duration, Utc};
use std::collections::{BTreeMap, BTreeSet};

use super::{Engine, Inputs, spread};
use crate::assessment::{self, Assessment, Verdict, blocking, calendar};
use crate::envelope::{Envelope, Rule};
use crate::history::{
    Drill, History, RegisteredDetection, RemainingBudget, StagingRun, VerifiedSignal,
};
use crate::identifier::{
    AgentId, ClassId, CredentialId, DetectionRuleId, IdentifierError, SourceId, SystemId,
    UpstreamId,
};
use crate::proposal::{
    AccountDisableParameters, AclChangeParameters, Action, ActionKind, ConfigChangeParameters,
    CredentialRotateParameters, Detection, FileQuarantineParameters, FirewallRuleParameters,
    FirewallVerdict, PatchParameters, ProcessKillParameters, Proposal, ServiceRestartParameters,
    Severity, Targets,
};
use crate::scope::Graph;
use crate::topology::{DependencyKind, System, Topology};

/// Targets tried for one action kind of one rule.
const TARGETS_TRIED_MAX: usize = 48;

/// Rules tried of one envelope.
const RULES_TRIED_MAX: usize = 200;

/// Instants tried within an authority window: every half an hour of 92 days.
const INSTANTS_TRIED_MAX: i32 = 4_416;

/// Signals made up for one condition.
const SIGNALS_MAX: u32 = 200;

/// Every action kind.
pub(super) const KINDS: [ActionKind; 11] = [
    ActionKind::Patch,
    ActionKind::ConfigChange,
    ActionKind::ServiceRestart,
    ActionKind::ProcessKill,
    ActionKind::FirewallRule,
    ActionKind::NetworkIsolate,
    ActionKind::HostIsolate,
    ActionKind::CredentialRotate,
    ActionKind::AccountDisable,
    ActionKind::AclChange,
    ActionKind::FileQuarantine,
];

/// Every severity.
pub(super) const SEVERITIES: [Severity; 4] = [
    Severity::Low,
    Severity::Medium,
    Severity::High,
    Severity::Critical,
];

/// A rule, an instant at which its calendars let it run, and what runs alone by it.
pub(super) struct Sample<'e> {
    pub(super) rule: &'e Rule,
    pub(super) found: Result<Inside, String>,
}

/// Something that runs alone.
pub(super) struct Inside {
    pub(super) now: DateTime<Utc>,
    pub(super) agent: AgentId,
    pub(super) target: SystemId,
    pub(super) proposal: Proposal,
    pub(super) history: History,
    pub(super) assessment: Assessment,
}

/// The organisation's topology as if it had just been observed at `now`.
pub(super) fn observed(topology: &Topology, now: DateTime<Utc>) -> Topology {
    let mut topology = topology.clone();
    topology.observed_at = now;
    for system in &mut topology.systems {
        system.observed_at = None;
    }
    for service in &mut topology.services {
        service.observed_at = None;
    }
    for dependency in &mut topology.dependencies {
        dependency.observed_at = None;
    }
    topology
}

/// An instant within the authority window that fulfils `wanted`: the check's own if it does.
pub(super) fn instant(
    envelope: &Envelope,
    preferred: DateTime<Utc>,
    wanted: impl Fn(DateTime<Utc>) -> bool,
) -> Option<DateTime<Utc>> {
    let authority = &envelope.authority;
    let within = |at: &DateTime<Utc>| authority.effective <= *at && *at < authority.expires;
    std::iter::once(preferred)
        .chain((0..INSTANTS_TRIED_MAX).filter_map(|step| {
            authority
                .effective
                .checked_add_signed(Duration::minutes(30).checked_mul(step)?)
        }))
        .filter(within)
        .find(|at| wanted(*at))
}

/// Whether a rule's calendars let it run at `at`.
pub(super) fn is_open(envelope: &Envelope, rule: &Rule, at: DateTime<Utc>) -> bool {
    let contains = |name| calendar::contains(&envelope.calendars, name, at);
    let conditions = &rule.conditions;
    conditions
        .outside
        .iter()
        .all(|name| contains(name) == Some(false))
        && (conditions.inside.is_empty()
            || conditions
                .inside
                .iter()
                .any(|name| contains(name) == Some(true)))
}

/// Tries to find something that runs alone by each rule.
pub(super) fn each_rule<'e>(inputs: &Inputs<'e>, engine: Engine<'_>) -> Vec<Sample<'e>> {
    let envelope = inputs.envelope;
    let mut topologies: BTreeMap<DateTime<Utc>, Topology> = BTreeMap::new();
    let rules: Vec<(&Rule, Option<DateTime<Utc>>)> =
        spread(envelope.rules.iter().collect(), RULES_TRIED_MAX)
            .into_iter()
            .map(|rule| {
                // An instant that suits an earlier rule saves another look at the whole topology.
                let known = topologies
                    .keys()
                    .copied()
                    .find(|at| is_open(envelope, rule, *at));
                let at = known
                    .or_else(|| instant(envelope, inputs.now, |at| is_open(envelope, rule, at)));
                if let Some(at) = at {
                    topologies
                        .entry(at)
                        .or_insert_with(|| observed(inputs.topology, at));
                }
                (rule, at)
            })
            .collect();
    let graphs: BTreeMap<DateTime<Utc>, Graph> = topologies
        .iter()
        .map(|(at, topology)| (*at, Graph::new(topology)))
        .collect();
    rules
        .into_iter()
        .map(|(rule, at)| Sample {
            rule,
            found: at
                .and_then(|at| Some((at, graphs.get(&at)?)))
                .ok_or_else(|| "its calendars leave no moment of the authority window".to_owned())
                .and_then(|(at, graph)| inside(inputs, rule, graph, at, engine)),
        })
        .collect()
}

fn inside(
    inputs: &Inputs<'_>,
    rule: &Rule,
    graph: &Graph,
    now: DateTime<Utc>,
    engine: Engine<'_>,
) -> Result<Inside, String> {
    let envelope = inputs.envelope;
    let Some(agent) = envelope.agents.first() else {
        return Err("the envelope names no agent".to_owned());
    };
    let granted: Vec<&System> = graph
        .topology()
        .systems
        .iter()
        .filter(|system| assessment::grants_system(rule, system))
        .collect();
    if granted.is_empty() {
        return Err("it grants no system of this topology".to_owned());
    }
    let mut nearest: Option<(usize, String)> = None;
    for kind in &rule.actions {
        for system in candidates(graph, *kind, &granted) {
            let Ok(case) = Circumstances::new(inputs, rule, *kind, system, graph, now, agent)
            else {
                continue;
            };
            let assessment =
                (engine.assess)(envelope, graph, &case.proposal, Some(&case.history), now);
            if assessment.verdict == Verdict::Autonomous
                && assessment.rule.as_ref() == Some(&rule.id)
            {
                return Ok(Inside {
                    now,
                    agent: agent.clone(),
                    target: system.id.clone(),
                    proposal: case.proposal,
                    history: case.history,
                    assessment,
                });
            }
            let number = blocking(&assessment.findings).count();
            if nearest.as_ref().is_none_or(|(known, _)| number < *known) {
                let why = match blocking(&assessment.findings).next() {
                    Some(finding) => finding.message.clone(),
                    None => "another rule grants it first".to_owned(),
                };
                nearest = Some((number, format!("{} on {}: {why}", kind.as_str(), system.id)));
            }
        }
    }
    Err(nearest.map_or_else(
        || "no system is fit for its actions".to_owned(),
        |(_, why)| why,
    ))
}

/// The systems tried for a kind: those that fewest depend on, then some of all others.
fn candidates<'t>(graph: &'t Graph, kind: ActionKind, granted: &[&'t System]) -> Vec<&'t System> {
    let mut fit: Vec<(usize, &System)> = granted
        .iter()
        .filter(|system| !is_about_credential(kind) || credential_of(graph, system).is_some())
        .map(|system| {
            let dependents = graph
                .find(system.id.as_str())
                .map_or(0, |index| graph.dependents(index).count());
            (dependents, *system)
        })
        .collect();
    fit.sort_by_key(|(dependents, _)| *dependents);
    let mut fit: Vec<&System> = fit.into_iter().map(|(_, system)| system).collect();
    let others = fit.split_off(fit.len().min(TARGETS_TRIED_MAX / 2));
    fit.extend(spread(others, TARGETS_TRIED_MAX / 2));
    fit
}

const fn is_about_credential(kind: ActionKind) -> bool {
    match kind {
        ActionKind::CredentialRotate | ActionKind::AccountDisable | ActionKind::AclChange => true,
        ActionKind::Patch
        | ActionKind::ConfigChange
        | ActionKind::ServiceRestart
        | ActionKind::ProcessKill
        | ActionKind::FirewallRule
        | ActionKind::NetworkIsolate
        | ActionKind::HostIsolate
        | ActionKind::FileQuarantine => false,
    }
}

/// The first credential of a system that a dependency names.
pub(super) fn credential_of<'t>(graph: &'t Graph, system: &System) -> Option<&'t CredentialId> {
    graph
        .dependents(graph.find(system.id.as_str())?)
        .filter(|edge| edge.dependency.kind == DependencyKind::Credential)
        .find_map(|edge| edge.dependency.credential.as_ref())
}

/// A proposal and the best of facts for it.
pub(super) struct Circumstances {
    pub(super) proposal: Proposal,
    pub(super) history: History,
}

impl Circumstances {
    /// The best for `rule`: authorised, drilled a moment ago, registered, never wrong, confirmed by as
    /// many sources as asked, nothing else under way.
    pub(super) fn new(
        inputs: &Inputs<'_>,
        rule: &Rule,
        kind: ActionKind,
        system: &System,
        graph: &Graph,
        now: DateTime<Utc>,
        agent: &AgentId,
    ) -> Result<Self, IdentifierError> {
        let severity = rule.severity.min.unwrap_or_else(|| {
            rule.severity
                .max
                .map_or(Severity::Medium, |max| max.min(Severity::Medium))
        });
        let sources = rule
            .conditions
            .corroboration
            .as_ref()
            .map_or(1, |corroboration| corroboration.independent_sources)
            .min(SIGNALS_MAX);
        let drilled = [(kind, system.class.clone())];
        let action = action(kind, system, graph)?;
        let mut history = history(inputs, &drilled, &system.id, severity, sources, now)?;
        if rule.conditions.validated_in_staging.is_some()
            && let Ok(action_digest) = action.digest()
        {
            history.staging = Some(vec![StagingRun {
                action_digest,
                class: system.class.clone(),
                succeeded_at: now,
            }]);
        }
        if let Some(wanted) = &rule.conditions.error_budget {
            history.error_budgets = Some(
                graph
                    .topology()
                    .services
                    .iter()
                    .map(|service| RemainingBudget {
                        service: service.id.clone(),
                        remaining: wanted.min_remaining,
                        at: now,
                    })
                    .collect(),
            );
        }
        Ok(Self {
            proposal: proposal(action, &system.id, agent, severity, now)?,
            history,
        })
    }
}

/// A proposal of `action` on `target`, detected now.
pub(super) fn proposal(
    action: Action,
    target: &SystemId,
    agent: &AgentId,
    severity: Severity,
    now: DateTime<Utc>,
) -> Result<Proposal, IdentifierError> {
    Ok(Proposal {
        idempotency_key: "conformance".to_owned(),
        agent: agent.clone(),
        detection: Detection {
            id: "conformance".to_owned(),
            rule: DetectionRuleId::new("conformance")?,
            source: SourceId::new("conformance-detector")?,
            title: "a detection made up by the conformance test".to_owned(),
            severity,
            detected_at: now,
            signals: Vec::new(),
        },
        action,
        targets: Targets::Systems(BTreeSet::from([target.clone()])),
        rationale: None,
        expires_at: now + Duration::hours(1),
        supersedes: None,
    })
}

/// Facts under which nothing but the envelope and the topology speaks against a proposal.
pub(super) fn history(
    inputs: &Inputs<'_>,
    drilled: &[(ActionKind, ClassId)],
    about: &SystemId,
    severity: Severity,
    sources: u32,
    now: DateTime<Utc>,
) -> Result<History, IdentifierError> {
    Ok(History {
        envelope_authorised: Some(true),
        autonomy_suspended: Some(false),
        suspensions: BTreeSet::new(),
        drills: Some(
            drilled
                .iter()
                .map(|(action, class)| Drill {
                    action: *action,
                    class: class.clone(),
                    succeeded_at: now,
                    failed_at: None,
                })
                .collect(),
        ),
        detections: Some(vec![RegisteredDetection {
            rule: DetectionRuleId::new("conformance")?,
            source: SourceId::new("conformance-detector")?,
            upstream: UpstreamId::new("conformance-detector")?,
            agents: inputs.envelope.agents.clone(),
            severity,
            assessed: 1_000,
            false_positives: 0,
            benign_patterns: BTreeSet::new(),
        }]),
        signals: Some(
            (1..=sources)
                .map(|number| {
                    Ok(VerifiedSignal {
                        source: SourceId::new(format!("conformance-{number}"))?,
                        upstream: UpstreamId::new(format!("conformance-{number}"))?,
                        systems: BTreeSet::from([about.clone()]),
                        observed_at: now,
                    })
                })
                .collect::<Result<_, IdentifierError>>()?,
        ),
        in_flight: Some(Vec::new()),
        recent: Some(Vec::new()),
        irreversible: inputs
            .history
            .map(|history| history.irreversible.clone())
            .unwrap_or_default(),
        ..History::default()
    })
}

/// An action of this kind on `system`; one about a credential names one that the system has, and
/// updates all that use it.
pub(super) fn action(
    kind: ActionKind,
    system: &System,
    graph: &Graph,
) -> Result<Action, IdentifierError> {
    let text = || "conformance".to_owned();
    let credential = || match credential_of(graph, system) {
        Some(credential) => Ok(credential.clone()),
        None => CredentialId::new("conformance"),
    };
    Ok(match kind {
        ActionKind::Patch => Action::Patch(PatchParameters {
            package: text(),
            to_version: "1".to_owned(),
        }),
        ActionKind::ConfigChange => Action::ConfigChange(ConfigChangeParameters {
            path: "/etc/conformance".to_owned(),
            digest: "0".repeat(64),
        }),
        ActionKind::ServiceRestart => {
            Action::ServiceRestart(ServiceRestartParameters { service: text() })
        }
        ActionKind::ProcessKill => Action::ProcessKill(ProcessKillParameters { process: text() }),
        ActionKind::FirewallRule => {
            let range = own_range(system);
            Action::FirewallRule(FirewallRuleParameters {
                verdict: FirewallVerdict::Drop,
                from: range,
                to: range,
                service: "any".to_owned(),
                direction: None,
            })
        }
        ActionKind::NetworkIsolate => Action::NetworkIsolate,
        ActionKind::HostIsolate => Action::HostIsolate,
        ActionKind::CredentialRotate => {
            let credential = credential()?;
            Action::CredentialRotate(CredentialRotateParameters {
                updates_dependents: users_of(graph, system, &credential),
                credential,
            })
        }
        ActionKind::AccountDisable => Action::AccountDisable(AccountDisableParameters {
            account: credential()?,
        }),
        ActionKind::AclChange => Action::AclChange(AclChangeParameters {
            resource: text(),
            principal: credential()?,
            change: text(),
        }),
        ActionKind::FileQuarantine => Action::FileQuarantine(FileQuarantineParameters {
            path: "/tmp/conformance".to_owned(),
            digest: "0".repeat(64),
        }),
    })
}

/// The range of a segment, the address of a host, or one that nobody has (RFC 5737).
fn own_range(system: &System) -> ipnet::IpNet {
    system
        .cidr
        .or_else(|| system.addresses.first().copied().map(ipnet::IpNet::from))
        .unwrap_or_else(|| ipnet::IpNet::from(std::net::IpAddr::from([192, 0, 2, 1])))
}

fn users_of(graph: &Graph, system: &System, credential: &CredentialId) -> BTreeSet<SystemId> {
    graph
        .find(system.id.as_str())
        .into_iter()
        .flat_map(|index| graph.dependents(index))
        .filter(|edge| edge.dependency.credential.as_ref() == Some(credential))
        .filter_map(|edge| graph.node(edge.from)?.system().map(|user| user.id.clone()))
        .collect()
}
