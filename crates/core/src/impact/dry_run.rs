//! The dry run (AG-706 4.12): a modelled impact added up by service, site and tier, what it leaves
//! of each redundancy group, whom a changed credential leaves behind, what a cut spares, and how long
//! it takes, beside the executor's own plan.
//!
//! It decides nothing and is no part of a briefing: it is made again from the documents behind one.

mod group;

use std::collections::BTreeMap;

use serde::Serialize;

use super::first_hop::{self, Passes};
use super::{Circumstances, Reach};
use crate::assessment::{ImpactEntry, ImpactState};
use crate::briefing::Plan;
use crate::envelope::Rollout;
use crate::identifier::{CredentialId, ServiceId, SiteId, SystemId};
use crate::operation;
use crate::proposal::{Action, ActionKind, FirewallDirection};
use crate::scope::{Edge, Graph, Node};
use crate::topology::{DependencyKind, Strength, Tier};
pub use group::{BreaksAt, GroupMargin};

/// What would come of an action, as far as the topology tells, and what its executor says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DryRun {
    /// Everything that suffers.
    pub total: Suffering,
    /// By service: a system counts to the one it carries, a service to itself.
    pub by_service: Vec<Share<Option<ServiceId>>>,
    /// By site; none where nobody knows it, and for services.
    pub by_site: Vec<Share<Option<SiteId>>>,
    /// By tier, the most critical first.
    pub by_tier: Vec<Share<Tier>>,
    /// What goes down or is degraded, and by which path.
    pub impact: Vec<ImpactEntry>,
    /// How long what is down stays down.
    pub lasting: Lasting,
    /// Each redundancy group that it touches.
    pub groups: Vec<GroupMargin>,
    /// Who uses the credential that changes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialUsers>,
    /// What is cut off from what.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// How long the rollout takes.
    pub duration: ExpectedDuration,
    /// The executor's own plan, with its honesty grade.
    pub plan: Plan,
}

/// How many suffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Suffering {
    /// Systems and services that do not work.
    pub down: u64,
    /// Systems and services that work worse.
    pub degraded: u64,
}

impl Suffering {
    const fn add(&mut self, state: ImpactState) {
        match state {
            ImpactState::Down => self.down = self.down.saturating_add(1),
            ImpactState::Degraded => self.degraded = self.degraded.saturating_add(1),
        }
    }
}

/// The part of the impact that falls to one service, site or tier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Share<K> {
    /// To which.
    pub of: K,
    /// How many.
    #[serde(flatten)]
    pub suffering: Suffering,
}

/// How long what goes down stays down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Lasting {
    /// While a system is worked on.
    WhileWorkedOn,
    /// Until the action is undone or its dependents are changed.
    UntilUndone,
}

/// Who authenticates to the targets with the credential that changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CredentialUsers {
    /// The credential, account or principal.
    pub credential: CredentialId,
    /// Those that are given the new one in the same step.
    pub covered: Vec<CredentialUser>,
    /// Those that are not: they lose access.
    pub uncovered: Vec<CredentialUser>,
    /// Systems that are given it though no dependency says that they use it on a target.
    pub needless: Vec<SystemId>,
    /// Targets of which no dependency names it: nobody can say who uses it there.
    pub unnamed: Vec<String>,
}

/// A system or service that uses a credential.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct CredentialUser {
    /// Who.
    pub id: String,
    /// On which target.
    pub on: String,
    /// Whether it fails without.
    pub strength: Strength,
}

/// What an action cuts off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// Which connections.
    pub direction: FirewallDirection,
    /// Of which traffic; none means any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Dependencies that are cut.
    pub broken: Vec<CutDependency>,
    /// Dependencies between the two ranges that are left alone.
    pub spared: Vec<Spared>,
}

/// A dependency across a cut.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CutDependency {
    /// Who needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// How.
    pub kind: DependencyKind,
    /// Whether `from` fails without.
    pub strength: Strength,
}

/// A dependency that a firewall rule leaves alone, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Spared {
    /// The dependency.
    #[serde(flatten)]
    pub dependency: CutDependency,
    /// Why.
    pub because: Passes,
}

/// How long a rollout takes, where the documents tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ExpectedDuration {
    /// Waves, the canary among them.
    pub waves: u64,
    /// Systems worked on at once; none means all of a wave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Waiting between waves, in seconds.
    pub soak_s: u64,
    /// Work on the systems in seconds, by the rule's `per_system`; none means that nobody knows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub work_s: Option<u64>,
    /// Both in seconds; none means that nobody knows, and then it is at least the soak.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_s: Option<u64>,
}

/// What a dry run is made of.
#[derive(Debug, Clone, Copy)]
pub struct Inputs<'a, 't> {
    /// The topology.
    pub graph: &'t Graph,
    /// What is done.
    pub action: &'a Action,
    /// What it reaches.
    pub reach: &'a Reach<'t>,
    /// The facts that the reach rests on.
    pub circumstances: Circumstances<'a>,
    /// How it is rolled out.
    pub rollout: &'a Rollout,
    /// The executor's plan.
    pub plan: &'a Plan,
}

/// Adds up what an action reaches. Total, and linear in the reach and the groups that it touches.
#[must_use]
pub fn dry_run(inputs: Inputs<'_, '_>) -> DryRun {
    let Inputs {
        graph,
        action,
        reach,
        rollout,
        plan,
        ..
    } = inputs;
    let targets = targets(graph, reach);
    let waves = operation::waves(&targets, rollout);
    let mut dry_run = DryRun {
        total: Suffering::default(),
        by_service: Vec::new(),
        by_site: Vec::new(),
        by_tier: Vec::new(),
        impact: reach.entries(graph),
        lasting: lasting(action.kind()),
        groups: group::margins(&inputs, &waves),
        credential: credential(graph, action, reach),
        cut: cut(graph, action, reach),
        duration: duration(&waves, rollout),
        plan: plan.clone(),
    };
    add_up(graph, reach, &mut dry_run);
    dry_run
}

/// The targets by name.
fn targets(graph: &Graph, reach: &Reach<'_>) -> std::collections::BTreeSet<SystemId> {
    let systems = reach
        .targets
        .iter()
        .filter_map(|i| graph.node(*i)?.system());
    systems.map(|system| system.id.clone()).collect()
}

fn add_up(graph: &Graph, reach: &Reach<'_>, dry_run: &mut DryRun) {
    let mut by_service: BTreeMap<Option<&ServiceId>, Suffering> = BTreeMap::new();
    let mut by_site: BTreeMap<Option<&SiteId>, Suffering> = BTreeMap::new();
    let mut by_tier: BTreeMap<Tier, Suffering> = BTreeMap::new();
    for (index, effect) in reach.effects() {
        let Some(node) = graph.node(*index) else {
            continue;
        };
        let (service, site) = match node {
            Node::System(system) => (system.service.as_ref(), system.site.as_ref()),
            Node::Service(service) => (Some(&service.id), None),
            Node::Unknown(_) => (None, None),
        };
        dry_run.total.add(effect.state);
        by_service.entry(service).or_default().add(effect.state);
        by_site.entry(site).or_default().add(effect.state);
        by_tier.entry(node.tier()).or_default().add(effect.state);
    }
    dry_run.by_service = shares(by_service, Option::<&ServiceId>::cloned);
    dry_run.by_site = shares(by_site, Option::<&SiteId>::cloned);
    dry_run.by_tier = shares(by_tier, |tier| tier);
    dry_run.by_tier.reverse();
}

fn shares<K, O>(map: BTreeMap<K, Suffering>, owned: impl Fn(K) -> O) -> Vec<Share<O>> {
    map.into_iter()
        .map(|(of, suffering)| Share {
            of: owned(of),
            suffering,
        })
        .collect()
}

const fn lasting(kind: ActionKind) -> Lasting {
    match kind {
        ActionKind::Patch
        | ActionKind::ConfigChange
        | ActionKind::ServiceRestart
        | ActionKind::ProcessKill => Lasting::WhileWorkedOn,
        ActionKind::FirewallRule
        | ActionKind::NetworkIsolate
        | ActionKind::HostIsolate
        | ActionKind::CredentialRotate
        | ActionKind::AccountDisable
        | ActionKind::AclChange
        | ActionKind::FileQuarantine => Lasting::UntilUndone,
    }
}

fn credential(graph: &Graph, action: &Action, reach: &Reach<'_>) -> Option<CredentialUsers> {
    let none = std::collections::BTreeSet::new();
    let (credential, updated) = match action {
        Action::CredentialRotate(p) => (&p.credential, &p.updates_dependents),
        Action::AccountDisable(p) => (&p.account, &none),
        Action::AclChange(p) => (&p.principal, &none),
        Action::Patch(_)
        | Action::ConfigChange(_)
        | Action::ServiceRestart(_)
        | Action::ProcessKill(_)
        | Action::FirewallRule(_)
        | Action::NetworkIsolate
        | Action::HostIsolate
        | Action::FileQuarantine(_) => return None,
    };
    let mut users = CredentialUsers {
        credential: credential.clone(),
        covered: Vec::new(),
        uncovered: Vec::new(),
        needless: Vec::new(),
        unnamed: graph
            .in_order(reach.unnamed_credential.iter().copied())
            .into_iter()
            .filter_map(|index| Some(graph.node(index)?.id().to_owned()))
            .collect(),
    };
    let mut known = std::collections::BTreeSet::new();
    for target in graph.in_order(reach.targets.iter().copied()) {
        for edge in graph.dependents(target) {
            let dependency = edge.dependency;
            if dependency.kind != DependencyKind::Credential
                || dependency.credential.as_ref() != Some(credential)
            {
                continue;
            }
            known.insert(dependency.from.as_str());
            let user = CredentialUser {
                id: dependency.from.clone(),
                on: dependency.to.clone(),
                strength: dependency.strength,
            };
            if updated.contains(dependency.from.as_str()) {
                users.covered.push(user);
            } else {
                users.uncovered.push(user);
            }
        }
    }
    // One dependency may be told by two sources.
    users.covered.sort();
    users.covered.dedup();
    users.uncovered.sort();
    users.uncovered.dedup();
    users.needless = updated
        .iter()
        .filter(|id| !known.contains(id.as_str()))
        .cloned()
        .collect();
    Some(users)
}

fn cut(graph: &Graph, action: &Action, reach: &Reach<'_>) -> Option<Cut> {
    let (direction, service, spared) = match action {
        Action::FirewallRule(rule) => {
            let spared = first_hop::separated(graph, &rule.from.trunc(), &rule.to.trunc())
                .into_iter()
                .filter_map(|edge| {
                    Some(Spared {
                        because: first_hop::passes(graph, rule, &edge)?,
                        dependency: cut_dependency(&edge),
                    })
                })
                .collect();
            (
                rule.direction.unwrap_or(FirewallDirection::Both),
                (rule.service != "any").then(|| rule.service.clone()),
                spared,
            )
        }
        Action::NetworkIsolate | Action::HostIsolate => (FirewallDirection::Both, None, Vec::new()),
        Action::Patch(_)
        | Action::ConfigChange(_)
        | Action::ServiceRestart(_)
        | Action::ProcessKill(_)
        | Action::CredentialRotate(_)
        | Action::AccountDisable(_)
        | Action::AclChange(_)
        | Action::FileQuarantine(_) => return None,
    };
    // Two targets that need each other meet one dependency twice.
    let mut broken: Vec<&Edge<'_>> = reach.broken.iter().collect();
    broken.sort_by(|a, b| a.dependency.cmp(b.dependency));
    broken.dedup_by(|a, b| a.dependency == b.dependency);
    Some(Cut {
        direction,
        service,
        broken: broken.into_iter().map(cut_dependency).collect(),
        spared,
    })
}

fn cut_dependency(edge: &Edge<'_>) -> CutDependency {
    CutDependency {
        from: edge.dependency.from.clone(),
        to: edge.dependency.to.clone(),
        kind: edge.dependency.kind,
        strength: edge.dependency.strength,
    }
}

/// Waves one after the other, each in rounds of as many systems as are worked on at once, with a soak
/// between waves.
fn duration(waves: &[Vec<SystemId>], rollout: &Rollout) -> ExpectedDuration {
    let soaks = (waves.len() as u64).saturating_sub(1);
    let soak_s = rollout
        .soak
        .map_or(0, |soak| soaks.saturating_mul(u64::from(soak.seconds())));
    let work_s = rollout.per_system.map(|each| {
        let rounds: u64 = waves
            .iter()
            .map(|wave| {
                let systems = wave.len() as u64;
                let at_once = rollout.concurrency.map_or(systems, u64::from);
                systems.div_ceil(at_once.max(1))
            })
            .fold(0, u64::saturating_add);
        rounds.saturating_mul(u64::from(each.seconds()))
    });
    ExpectedDuration {
        waves: waves.len() as u64,
        concurrency: rollout.concurrency,
        soak_s,
        work_s,
        total_s: work_s.map(|work| work.saturating_add(soak_s)),
    }
}
