//! What an action leaves of each redundancy group, and which system of the rollout breaks one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Inputs, Lasting, lasting};
use crate::assessment::ImpactState;
use crate::identifier::{GroupId, SystemId};
use crate::scope::{Graph, Group, NodeIndex};

/// What is left of a redundancy group when most of it is down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GroupMargin {
    /// The group.
    pub group: GroupId,
    /// Its members.
    pub members: u64,
    /// Members that must stay up.
    pub min_healthy: u64,
    /// Members that are targets.
    pub targeted: u64,
    /// Members down at once through the work on them: the targeted, and no more than the rollout's
    /// concurrency.
    pub at_once: u64,
    /// Members that go down for another reason.
    pub lost: u64,
    /// Members that another operation is working on; none where nobody knows what is in flight.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub in_flight: Option<u64>,
    /// Members that stay up at the worst moment.
    pub left: u64,
    /// Whether that is enough.
    pub holds: bool,
    /// Whether it would be enough if every wave found all members of those before it up again. The
    /// check of 4.3 does not count on that.
    pub holds_by_waves: bool,
    /// The first target with whose turn too few stay up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub breaks_at: Option<BreaksAt>,
}

/// A target's place in the rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BreaksAt {
    /// The target.
    pub system: SystemId,
    /// Its wave, from 1; the canary is a wave.
    pub wave: u64,
    /// Its place in the whole rollout, from 1.
    pub position: u64,
}

/// Every group of which a member is a target or goes down.
pub(super) fn margins(inputs: &Inputs<'_, '_>, waves: &[Vec<SystemId>]) -> Vec<GroupMargin> {
    let graph = inputs.graph;
    let mut touched: BTreeSet<&GroupId> = BTreeSet::new();
    let mut down: BTreeMap<&GroupId, BTreeSet<&SystemId>> = BTreeMap::new();
    let group_of = |index: NodeIndex| {
        let system = graph.node(index)?.system()?;
        Some((&system.redundancy.as_ref()?.group, &system.id))
    };
    for index in &inputs.reach.targets {
        touched.extend(group_of(*index).map(|(group, _)| group));
    }
    for (index, effect) in inputs.reach.effects() {
        if effect.state == ImpactState::Down
            && let Some((group, id)) = group_of(*index)
        {
            touched.insert(group);
            down.entry(group).or_default().insert(id);
        }
    }
    let turns = turns(graph, waves);
    let (no_turns, nothing) = (Vec::new(), BTreeSet::new());
    touched
        .into_iter()
        .filter_map(|id| {
            let group = graph.group(id)?;
            let turns = turns.get(id).unwrap_or(&no_turns);
            let down = down.get(id).unwrap_or(&nothing);
            Some(margin(inputs, id, &group, turns, down))
        })
        .collect()
}

/// A member's turn in the rollout.
struct Turn<'w> {
    system: &'w SystemId,
    wave: u64,
    position: u64,
}

/// The members of each group among the targets, in the order of the rollout.
fn turns<'w>(graph: &'w Graph, waves: &'w [Vec<SystemId>]) -> BTreeMap<&'w GroupId, Vec<Turn<'w>>> {
    let mut turns: BTreeMap<&GroupId, Vec<Turn<'_>>> = BTreeMap::new();
    let in_waves = (1..)
        .zip(waves)
        .flat_map(|(wave, systems)| systems.iter().map(move |system| (wave, system)));
    for (position, (wave, system)) in (1..).zip(in_waves) {
        let known = graph.system(system.as_str());
        if let Some(redundancy) = known.and_then(|known| known.redundancy.as_ref()) {
            turns.entry(&redundancy.group).or_default().push(Turn {
                system,
                wave,
                position,
            });
        }
    }
    turns
}

fn margin(
    inputs: &Inputs<'_, '_>,
    id: &GroupId,
    group: &Group<'_>,
    turns: &[Turn<'_>],
    down: &BTreeSet<&SystemId>,
) -> GroupMargin {
    let members = group.members.len() as u64;
    let mine: BTreeSet<&SystemId> = turns.iter().map(|turn| turn.system).collect();
    let in_flight = inputs.circumstances.history.and_then(|history| {
        let operations = history.in_flight.as_ref()?;
        let systems = operations.iter().flat_map(|operation| &operation.systems);
        let members: BTreeSet<&SystemId> = systems.filter(|s| group.members.contains(s)).collect();
        Some(members)
    });
    let others = in_flight.as_ref().map_or(0, |systems| systems.len() as u64);
    let targeted = mine.len() as u64;
    let (at_once, lost, stays_down) = match lasting(inputs.action.kind()) {
        Lasting::WhileWorkedOn => {
            let limit = inputs.circumstances.concurrency.map_or(targeted, u64::from);
            let lost = down.iter().filter(|system| !mine.contains(*system)).count();
            (targeted.min(limit), lost as u64, false)
        }
        // Who goes down in its turn stays down; a target that does not go down costs nothing.
        Lasting::UntilUndone => {
            let falls = mine.iter().filter(|system| down.contains(*system)).count();
            let lost = down.len().saturating_sub(falls);
            (falls as u64, lost as u64, true)
        }
    };
    let always = lost.saturating_add(others);
    let left_with = |at_once: u64| members.saturating_sub(always.saturating_add(at_once));
    let falls = |turn: &Turn<'_>| !stays_down || down.contains(turn.system);
    let mut gone = 0_u64;
    let breaks_at = turns
        .iter()
        .filter(|turn| falls(turn))
        .find(|_| {
            gone = gone.saturating_add(1).min(at_once);
            left_with(gone) < group.min_healthy
        })
        .filter(|_| left_with(0) >= group.min_healthy)
        .map(|turn| BreaksAt {
            system: turn.system.clone(),
            wave: turn.wave,
            position: turn.position,
        });
    let mut by_wave: BTreeMap<u64, u64> = BTreeMap::new();
    for turn in turns {
        *by_wave.entry(turn.wave).or_default() += 1;
    }
    let of_widest_wave = by_wave.values().copied().max().unwrap_or(0);
    let by_waves = if stays_down {
        at_once
    } else {
        at_once.min(of_widest_wave)
    };
    GroupMargin {
        group: id.clone(),
        members,
        min_healthy: group.min_healthy,
        targeted,
        at_once,
        lost,
        in_flight: in_flight.map(|systems| systems.len() as u64),
        left: left_with(at_once),
        holds: left_with(at_once) >= group.min_healthy,
        holds_by_waves: left_with(by_waves) >= group.min_healthy,
        breaks_at,
    }
}
