//! What suffers after the first hop: of little, with every reason at once; of much, who suffers
//! first and the reasons when somebody asks.

use std::sync::OnceLock;

use super::{Cause, Effect, Effects};
use crate::assessment::ImpactState;
use crate::scope::{Graph, NodeIndex, NodeRanks, NodeSet};
use crate::topology::Strength;

/// Effects up to which reasons are told at once. Beyond, who suffers is found first: an operation
/// that asks again before every dispatch needs no reasons.
const LITTLE_MAX: usize = 16_384;

/// What suffers, and why.
#[derive(Debug, Clone)]
pub(super) struct Spread<'t> {
    graph: &'t Graph,
    /// At first hand.
    first: Ledger<'t>,
    /// Everything, with its reasons.
    all: OnceLock<Effects<'t>>,
    /// Everything, where it is much.
    much: Option<Much>,
}

#[derive(Debug, Clone)]
struct Much {
    hard: NodeSet,
    degraded: NodeSet,
}

/// Effects in the order in which they are met; of one node, each worse than the one before.
#[derive(Debug, Clone)]
struct Ledger<'t> {
    ranks: NodeRanks,
    entries: Vec<(NodeIndex, Effect<'t>)>,
    /// Nodes that suffer.
    nodes: usize,
}

/// How bad: down outweighs degraded; what makes it a hard dependent outweighs the work on itself.
const fn rank(effect: &Effect<'_>) -> u8 {
    match (effect.state, effect.hard_dependent) {
        (ImpactState::Degraded, _) => 1,
        (ImpactState::Down, false) => 2,
        (ImpactState::Down, true) => 3,
    }
}

impl<'t> Ledger<'t> {
    fn new(graph: &Graph) -> Self {
        Self {
            ranks: graph.unranked(),
            entries: Vec::new(),
            nodes: 0,
        }
    }

    /// Records that `index` suffers, unless it already suffers as badly: otherwise the first cause
    /// stays. Whether it was recorded.
    fn suffer(&mut self, index: NodeIndex, effect: Effect<'t>) -> bool {
        let Some(before) = self.ranks.raise(index, rank(&effect)) else {
            return false;
        };
        self.nodes += usize::from(before == 0);
        self.entries.push((index, effect));
        true
    }

    /// The worst effect on each node, by node.
    fn effects(&self) -> Effects<'t> {
        self.clone().into_effects()
    }

    /// As [`Self::effects`].
    fn into_effects(self) -> Effects<'t> {
        let mut list = self.entries;
        // A stable sort: of one node, the worst comes last.
        list.sort_by_key(|(index, _)| *index);
        list.dedup_by(|later, earlier| {
            let same = later.0 == earlier.0;
            if same {
                earlier.1 = later.1;
            }
            same
        });
        Effects { list }
    }
}

impl<'t> Spread<'t> {
    /// Nothing suffers yet.
    pub(super) fn new(graph: &'t Graph) -> Self {
        Self {
            graph,
            first: Ledger::new(graph),
            all: OnceLock::new(),
            much: None,
        }
    }

    /// Records that `index` suffers at first hand.
    pub(super) fn suffer(
        &mut self,
        index: NodeIndex,
        state: ImpactState,
        cause: Cause<'t>,
        hard_dependent: bool,
    ) {
        let effect = Effect {
            state,
            cause,
            hard_dependent,
        };
        self.first.suffer(index, effect);
    }

    /// After the first hop every hard dependency propagates, and redundancy no longer saves anything.
    /// Soft dependents of what is down are degraded, and go no further.
    pub(super) fn propagate(&mut self) {
        self.propagate_beyond(LITTLE_MAX);
    }

    /// As [`Self::propagate`], with more than `little_max` effects as much.
    fn propagate_beyond(&mut self, little_max: usize) {
        let graph = self.graph;
        if let Some(all) = spread(graph, &self.first, little_max) {
            self.all = OnceLock::from(all);
            return;
        }
        let hard = graph.hard_closure(hard_of(&self.first.effects()));
        self.much = Some(Much {
            degraded: graph.soft_dependents(&hard),
            hard,
        });
    }

    pub(super) fn all(&self) -> &Effects<'t> {
        self.all
            .get_or_init(|| spread(self.graph, &self.first, usize::MAX).unwrap_or_default())
    }

    pub(super) fn hard_dependents(&self) -> Vec<NodeIndex> {
        match (&self.much, self.all.get()) {
            (Some(much), _) => much.hard.iter().collect(),
            (None, Some(all)) => hard_of(all).collect(),
            (None, None) => hard_of(&self.first.effects()).collect(),
        }
    }

    pub(super) fn degraded(&self) -> Vec<NodeIndex> {
        let of = |effects: &Effects<'t>| -> Vec<NodeIndex> {
            effects
                .iter()
                .filter(|(_, effect)| effect.state == ImpactState::Degraded)
                .map(|(index, _)| *index)
                .collect()
        };
        match (&self.much, self.all.get()) {
            (Some(much), _) => {
                let first = self.first.effects();
                let mut degraded: Vec<NodeIndex> = much
                    .degraded
                    .iter()
                    .filter(|index| first.get(*index).is_none())
                    .chain(
                        of(&first)
                            .into_iter()
                            .filter(|index| !much.hard.contains(*index)),
                    )
                    .collect();
                degraded.sort_unstable();
                degraded
            }
            (None, Some(all)) => of(all),
            (None, None) => of(&self.first.effects()),
        }
    }
}

fn hard_of(effects: &Effects<'_>) -> impl Iterator<Item = NodeIndex> {
    effects
        .iter()
        .filter(|(_, effect)| effect.hard_dependent)
        .map(|(index, _)| *index)
}

/// Everything that suffers, nearest first and each by the first cause met; `None` where it is more
/// than `max`.
fn spread<'t>(graph: &'t Graph, first: &Ledger<'t>, max: usize) -> Option<Effects<'t>> {
    if first.nodes > max {
        return None;
    }
    // A node becomes a hard dependent once at most.
    let hard = first.entries.iter().filter(|(_, e)| e.hard_dependent);
    let mut queue: Vec<NodeIndex> = graph.in_order(hard.map(|(index, _)| *index));
    let mut ledger = first.clone();
    let mut next = 0;
    // Bounded: a node enters the queue once, where it becomes a hard dependent.
    while let Some(down) = queue.get(next).copied() {
        next += 1;
        for edge in graph.dependents(down) {
            let (state, is_hard) = match edge.strength() {
                Strength::Hard => (ImpactState::Down, true),
                Strength::Soft => (ImpactState::Degraded, false),
            };
            let effect = Effect {
                state,
                cause: Cause::NeedsDown(edge),
                hard_dependent: is_hard,
            };
            if ledger.suffer(edge.from, effect) {
                if is_hard {
                    queue.push(edge.from);
                }
                if ledger.nodes > max {
                    return None;
                }
            }
        }
    }
    Some(ledger.into_effects())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::scope::tests::{topologies, topology};

    proptest! {
        /// Much is found as little is, by another search; the reasons are the same.
        #[test]
        fn much_and_little_agree(parts in topologies(), starts in prop::collection::vec((0..12_usize, 0..3_u8), 1..4)) {
            let graph = Graph::new(topology(&parts));
            let mut little = Spread::new(&graph);
            for (system, how) in starts {
                let Some(index) = graph.find(&format!("s{system:02}")) else { continue };
                let (state, hard) = [
                    (ImpactState::Down, true),
                    (ImpactState::Down, false),
                    (ImpactState::Degraded, false),
                ][usize::from(how)];
                little.suffer(index, state, Cause::WorkedOn, hard);
            }
            let mut much = little.clone();
            little.propagate_beyond(usize::MAX);
            much.propagate_beyond(0);
            prop_assert_eq!(much.hard_dependents(), little.hard_dependents());
            prop_assert_eq!(much.degraded(), little.degraded());
            prop_assert_eq!(format!("{:?}", much.all()), format!("{:?}", little.all()));
        }
    }
}
