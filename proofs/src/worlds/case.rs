//! A topology, a proposal, a history and an instant that a rule of an envelope was written for, but for
//! the faults that are made.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use countersign_core::assessment::calendar;
use countersign_core::envelope::{Envelope, Rule};
use countersign_core::identifier::{ClassId, SystemId};
use countersign_core::proposal::{
    AccountDisableParameters, AclChangeParameters, Action, ActionKind, ConfigChangeParameters,
    CredentialRotateParameters, Detection, FileQuarantineParameters, FirewallRuleParameters,
    FirewallVerdict, PatchParameters, ProcessKillParameters, Proposal, Selector,
    ServiceRestartParameters, Severity, Targets,
};
use countersign_core::scope::Graph;
use countersign_core::topology::{
    Dependency, DependencyKind, Exposure, Redundancy, Service, Strength, System, Tier, Topology,
};

use super::history::history;
use super::{CLASSES, Faults, KINDS, LABELS, SITES, World, at_most, beyond, read};
use crate::random::Random;

/// Systems besides the targets.
pub(super) const BYSTANDERS: u64 = 14;

/// A case for one rule of an envelope.
pub fn world(random: &mut Random, envelope: &Envelope, aim: usize) -> World {
    let rule = &envelope.rules[aim];
    let mut faults = Faults::drawn(random);
    let now = instant(random, &mut faults, envelope, rule);
    let kind = kind(random, &mut faults, rule);
    let topology = topology(random, &mut faults, rule, kind, now);
    let proposal = proposal(random, &mut faults, envelope, rule, &topology, kind, now);
    let history = history(
        random,
        &mut faults,
        envelope,
        rule,
        &topology,
        &proposal,
        now,
    );
    World {
        graph: Graph::new(topology),
        proposal,
        history,
        now,
        faults: faults.made,
    }
}

/// An instant within the window, its first often enough, and in the rule's calendars.
fn instant(
    random: &mut Random,
    faults: &mut Faults,
    envelope: &Envelope,
    rule: &Rule,
) -> DateTime<Utc> {
    let authority = &envelope.authority;
    if faults.make("before the window", true) {
        return authority.effective - beyond(random, 0);
    }
    if faults.make("after the window", true) {
        let late = beyond(random, 0);
        return if random.one_in(3) {
            authority.expires
        } else {
            authority.expires + late
        };
    }
    let conditions = &rule.conditions;
    let bound = !conditions.outside.is_empty() || !conditions.inside.is_empty();
    let outside = faults.make("a calendar", bound);
    let whole = authority.expires - authority.effective;
    let mut now = authority.effective;
    for attempt in 0..40 {
        if attempt > 0 || !random.one_in(20) {
            let into = random.below(whole.num_milliseconds() as u64);
            now = authority.effective + TimeDelta::milliseconds(into as i64);
        }
        let contains = |name| calendar::contains(&envelope.calendars, name, now);
        let open = conditions
            .outside
            .iter()
            .all(|name| contains(name) == Some(false))
            && (conditions.inside.is_empty()
                || conditions
                    .inside
                    .iter()
                    .any(|name| contains(name) == Some(true)));
        if open != outside {
            break;
        }
    }
    now
}

fn kind(random: &mut Random, faults: &mut Faults, rule: &Rule) -> ActionKind {
    let granted: Vec<ActionKind> = rule.actions.iter().copied().collect();
    let others: Vec<ActionKind> = KINDS
        .into_iter()
        .filter(|kind| !rule.actions.contains(kind) && *kind != ActionKind::ProcessKill)
        .collect();
    if faults.make("another action", !others.is_empty()) {
        return *random.of(&others);
    }
    *random.of(&granted)
}

fn uses_credential(kind: ActionKind) -> bool {
    use ActionKind::{AccountDisable, AclChange, CredentialRotate};
    [CredentialRotate, AccountDisable, AclChange].contains(&kind)
}

fn topology(
    random: &mut Random,
    faults: &mut Faults,
    rule: &Rule,
    kind: ActionKind,
    now: DateTime<Utc>,
) -> Topology {
    let staged = rule.rollout.canary.is_some() && !rule.rollout.waves.is_empty();
    let eleven = faults.make("eleven targets", !staged);
    let number = if eleven || random.one_in(20) {
        11
    } else {
        1 + random.below(3)
    };
    let mut systems: Vec<System> = (0..number).map(|n| target(random, rule, kind, n)).collect();
    let odd = random.below(number) as usize;
    spoil(random, faults, rule, &mut systems[odd]);
    stamp(random, faults, rule, &mut systems[odd], now);
    let classes: Vec<ClassId> = systems.iter().map(|system| system.class.clone()).collect();
    systems.extend((0..BYSTANDERS).map(|n| {
        System {
            class: if random.one_in(3) {
                read(random.word(&CLASSES))
            } else {
                random.of(&classes).clone()
            },
            tier: Some(Tier::NonCritical),
            service: (kind != ActionKind::FileQuarantine && random.one_in(4))
                .then(|| read(random.word(&["v0", "v1"]))),
            ..plain(&format!("b{n}"), read("other"))
        }
    }));
    let mut dependencies = dependencies(random, faults, kind, number);
    if random.one_in(4) {
        grouped(
            random,
            kind,
            number as usize,
            &mut systems,
            &mut dependencies,
        );
    }
    let age = match &rule.conditions.topology_age {
        Some(limit) if faults.make("an old topology", true) => beyond(random, limit.max.seconds()),
        Some(limit) => at_most(random, limit.max.seconds()),
        None => at_most(random, 900_000),
    };
    let age = if faults.make("a topology from the future", true) {
        -beyond(random, 0)
    } else {
        age
    };
    let service = |id: &str| Service {
        id: read(id),
        title: None,
        tier: Some(Tier::NonCritical),
        source: None,
        observed_at: None,
    };
    Topology {
        schema: countersign_core::topology::SCHEMA.to_owned(),
        observed_at: now - age,
        source: "cmdb".to_owned(),
        services: vec![service("v0"), service("v1")],
        systems,
        dependencies,
    }
}

/// When a target itself was seen; mostly it does not say.
fn stamp(
    random: &mut Random,
    faults: &mut Faults,
    rule: &Rule,
    system: &mut System,
    now: DateTime<Utc>,
) {
    let limit = rule.conditions.topology_age.as_ref();
    if faults.make("a part of the topology from the future", true) {
        system.observed_at = Some(now + beyond(random, 0));
    } else if let Some(limit) = limit
        && faults.make("an old part of the topology", true)
    {
        system.observed_at = Some(now - beyond(random, limit.max.seconds()));
    } else if random.one_in(5) {
        let most = limit.map_or(900_000, |limit| limit.max.seconds());
        system.observed_at = Some(now - at_most(random, most));
    }
}

fn plain(id: &str, class: ClassId) -> System {
    System {
        id: read(id),
        title: None,
        class,
        tier: None,
        service: None,
        site: None,
        exposure: None,
        addresses: BTreeSet::new(),
        cidr: None,
        labels: BTreeMap::new(),
        redundancy: None,
        source: None,
        observed_at: None,
    }
}

/// A system that the rule grants.
fn target(random: &mut Random, rule: &Rule, kind: ActionKind, number: u64) -> System {
    let granted = &rule.targets;
    let classes: Vec<&ClassId> = granted.classes.iter().collect();
    let tiers: Vec<Tier> = granted.tiers.iter().copied().collect();
    let mut system = plain(&format!("t{number}"), (*random.of(&classes)).clone());
    system.tier = Some(*random.of(&tiers));
    system.labels = granted.labels.clone();
    if random.one_in(3) {
        let (name, value) = random.of(&LABELS);
        system
            .labels
            .entry((*name).to_owned())
            .or_insert((*value).to_owned());
    }
    let sites: Vec<_> = granted.sites.iter().cloned().collect();
    system.site = match sites.as_slice() {
        [] => random.one_in(2).then(|| read(random.word(&SITES))),
        sites => Some(random.of(sites).clone()),
    };
    let exposures: Vec<Exposure> = granted.exposure.iter().copied().collect();
    system.exposure = match exposures.as_slice() {
        [] => random.one_in(2).then_some(Exposure::Public),
        exposures => Some(*random.of(exposures)),
    };
    if kind != ActionKind::FileQuarantine && random.one_in(2) {
        system.service = Some(read(random.word(&["v0", "v0", "v1"])));
    }
    system
}

/// Makes a target one that the rule does not grant.
fn spoil(random: &mut Random, faults: &mut Faults, rule: &Rule, system: &mut System) {
    let granted = &rule.targets;
    if faults.make("a target of another class", true) {
        system.class = read("another");
    }
    if faults.make("a target of another tier", granted.tiers.len() == 1) {
        let other = [Tier::NonCritical, Tier::ProductionCritical]
            .into_iter()
            .find(|tier| !granted.tiers.contains(tier));
        system.tier = other;
    }
    if faults.make("a safety-critical target", true) {
        system.tier = random.one_in(2).then_some(Tier::SafetyCritical);
    }
    if let Some(name) = granted.labels.keys().next() {
        if faults.make("a label is missing", true) {
            system.labels.remove(name);
        }
        if faults.make("a label has another value", true) {
            system.labels.insert(name.clone(), "staging".to_owned());
        }
    }
    if faults.make("a target at another site", !granted.sites.is_empty()) {
        system.site = Some(read("elsewhere"));
    }
    if faults.make("a target at an unknown site", !granted.sites.is_empty()) {
        system.site = None;
    }
    if faults.make("a target of another exposure", granted.exposure.len() == 1) {
        let other = [Exposure::Internal, Exposure::Public]
            .into_iter()
            .find(|exposure| !granted.exposure.contains(exposure));
        system.exposure = other;
    }
    if faults.make("a target of unknown exposure", !granted.exposure.is_empty()) {
        system.exposure = None;
    }
}

fn dependency(from: &str, to: &str, kind: DependencyKind, strength: Strength) -> Dependency {
    Dependency {
        from: from.to_owned(),
        to: to.to_owned(),
        kind,
        credential: (kind == DependencyKind::Credential).then(|| read("svc")),
        strength,
        service: None,
        source: None,
        observed_at: None,
    }
}

fn dependencies(
    random: &mut Random,
    faults: &mut Faults,
    kind: ActionKind,
    targets: u64,
) -> Vec<Dependency> {
    let mut all = Vec::new();
    let how = if uses_credential(kind) {
        DependencyKind::Credential
    } else {
        DependencyKind::Runtime
    };
    let one = format!("t{}", random.below(targets));
    if uses_credential(kind) && !faults.make("nobody names the credential", true) {
        for number in 0..targets {
            all.push(dependency("b0", &format!("t{number}"), how, Strength::Soft));
        }
    }
    if random.one_in(3) {
        all.push(dependency("b1", &one, DependencyKind::Data, Strength::Soft));
    }
    if random.one_in(4) {
        all.push(dependency(
            "b2",
            "b3",
            DependencyKind::Runtime,
            Strength::Hard,
        ));
    }
    if faults.make("a hard dependent", true) {
        all.push(dependency("b4", &one, how, Strength::Hard));
    }
    if faults.make("a safety-critical soft dependent", true) {
        // Nothing describes it, so it is safety-critical.
        all.push(dependency("nobody", &one, how, Strength::Soft));
    }
    all
}

/// The targets and two more are one redundancy group that somebody needs: it holds or not with the
/// rollout's concurrency.
fn grouped(
    random: &mut Random,
    kind: ActionKind,
    targets: usize,
    systems: &mut [System],
    dependencies: &mut Vec<Dependency>,
) {
    if uses_credential(kind) {
        return;
    }
    let members = targets + 2;
    let min_healthy = members as u64 - 1 - random.below(3).min(members as u64 - 1);
    for system in systems.iter_mut().take(members) {
        system.redundancy = Some(Redundancy {
            group: read("group"),
            min_healthy,
        });
        let needs = dependency(
            "b9",
            system.id.as_str(),
            DependencyKind::Runtime,
            Strength::Hard,
        );
        dependencies.push(needs);
    }
}

fn action(random: &mut Random, faults: &mut Faults, kind: ActionKind) -> Action {
    let digest = "00".repeat(32);
    match kind {
        ActionKind::Patch => Action::Patch(PatchParameters {
            package: "p".to_owned(),
            to_version: "1".to_owned(),
        }),
        ActionKind::ConfigChange => Action::ConfigChange(ConfigChangeParameters {
            path: "/x".to_owned(),
            digest,
        }),
        ActionKind::ServiceRestart => Action::ServiceRestart(ServiceRestartParameters {
            service: "u".to_owned(),
        }),
        ActionKind::ProcessKill => Action::ProcessKill(ProcessKillParameters {
            process: "x".to_owned(),
        }),
        ActionKind::FirewallRule => Action::FirewallRule(FirewallRuleParameters {
            verdict: FirewallVerdict::Drop,
            from: read("192.0.2.0/25"),
            to: read("192.0.2.128/25"),
            service: "any".to_owned(),
            direction: None,
        }),
        ActionKind::NetworkIsolate => Action::NetworkIsolate,
        ActionKind::HostIsolate => Action::HostIsolate,
        ActionKind::CredentialRotate => {
            let mut updates_dependents: BTreeSet<SystemId> = BTreeSet::new();
            if random.one_in(2) {
                updates_dependents.insert(read("b0"));
            }
            if faults.make("an unknown dependent", true) {
                updates_dependents.insert(read("stranger"));
            }
            Action::CredentialRotate(CredentialRotateParameters {
                credential: read("svc"),
                updates_dependents,
            })
        }
        ActionKind::AccountDisable => Action::AccountDisable(AccountDisableParameters {
            account: read("svc"),
        }),
        ActionKind::AclChange => Action::AclChange(AclChangeParameters {
            resource: "r".to_owned(),
            principal: read("svc"),
            change: "deny".to_owned(),
        }),
        ActionKind::FileQuarantine => Action::FileQuarantine(FileQuarantineParameters {
            path: "/x".to_owned(),
            digest,
        }),
    }
}

fn proposal(
    random: &mut Random,
    faults: &mut Faults,
    envelope: &Envelope,
    rule: &Rule,
    topology: &Topology,
    kind: ActionKind,
    now: DateTime<Utc>,
) -> Proposal {
    let agents: Vec<_> = envelope.agents.iter().cloned().collect();
    let agent = match agents.as_slice() {
        [] => read("stranger"),
        _ if faults.make("another agent", true) => read("stranger"),
        agents => random.of(agents).clone(),
    };
    let mut named: BTreeSet<SystemId> = topology
        .systems
        .iter()
        .map(|system| &system.id)
        .filter(|id| id.as_str().starts_with('t'))
        .cloned()
        .collect();
    if faults.make("an unknown target", true) {
        named.insert(read("nowhere"));
    }
    let targets = if faults.make("no target", true) {
        Targets::Selector(Selector {
            class: Some(read("no-such-class")),
            ..Selector::default()
        })
    } else {
        Targets::Systems(named)
    };
    let age = match &rule.conditions.corroboration {
        Some(wanted) if faults.make("detected long ago", true) => {
            beyond(random, wanted.within.seconds())
        }
        Some(wanted) => at_most(random, wanted.within.seconds()),
        None => at_most(random, 7_200),
    };
    let age = if faults.make("detected in the future", true) {
        -beyond(random, 0)
    } else {
        age
    };
    let expires_at = if faults.make("expired", true) {
        now - at_most(random, 60)
    } else {
        now + beyond(random, 0)
    };
    Proposal {
        idempotency_key: "k".to_owned(),
        agent,
        detection: Detection {
            id: "d".to_owned(),
            rule: read("r"),
            source: read("scanner"),
            title: "t".to_owned(),
            severity: severity(random, faults, rule),
            detected_at: now - age,
            signals: Vec::new(),
        },
        action: action(random, faults, kind),
        targets,
        rationale: None,
        expires_at,
        supersedes: None,
    }
}

/// A severity within the rule's bounds, or beyond them.
fn severity(random: &mut Random, faults: &mut Faults, rule: &Rule) -> Severity {
    let all = [
        Severity::Low,
        Severity::Medium,
        Severity::High,
        Severity::Critical,
    ];
    let (min, max) = (rule.severity.min, rule.severity.max);
    let low = |severity: &Severity| min.is_some_and(|min| *severity < min);
    let high = |severity: &Severity| max.is_some_and(|max| *severity > max);
    let pick = |random: &mut Random, wanted: &dyn Fn(&Severity) -> bool| {
        let fitting: Vec<Severity> = all
            .into_iter()
            .filter(|severity| wanted(severity))
            .collect();
        *random.of(&fitting)
    };
    if faults.make("too low a severity", all.iter().any(low)) {
        pick(random, &low)
    } else if faults.make("too high a severity", all.iter().any(high)) {
        pick(random, &high)
    } else {
        pick(random, &|severity| !low(severity) && !high(severity))
    }
}
