//! What suffers after the first hop: of little, with every reason at once; of much, who suffers
//! first and the reasons when somebody asks.

use std::collections::{BTreeMap, VecDeque};
use std::sync::OnceLock;

use super::{Cause, Effect};
use crate::assessment::ImpactState;
use crate::scope::{Graph, NodeIndex, NodeSet};
use crate::topology::Strength;

/// Effects up to which reasons are told at once.
const LITTLE_MAX: usize = 1_024;

/// What suffers, and why.
#[derive(Debug, Clone)]
pub(super) struct Effects<'t> {
    graph: &'t Graph,
    /// At first hand.
    first: BTreeMap<NodeIndex, Effect<'t>>,
    /// Everything, with its reasons.
    all: OnceLock<BTreeMap<NodeIndex, Effect<'t>>>,
    /// Everything, where it is much.
    much: Option<Much>,
}

#[derive(Debug, Clone)]
struct Much {
    hard: NodeSet,
    degraded: NodeSet,
}

impl<'t> Effects<'t> {
    /// Nothing suffers yet.
    pub(super) const fn new(graph: &'t Graph) -> Self {
        Self {
            graph,
            first: BTreeMap::new(),
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
        suffer(
            &mut self.first,
            index,
            Effect {
                state,
                cause,
                hard_dependent,
            },
        );
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
        let hard = graph.hard_closure(hard_of(&self.first));
        self.much = Some(Much {
            degraded: graph.soft_dependents(&hard),
            hard,
        });
    }

    pub(super) fn all(&self) -> &BTreeMap<NodeIndex, Effect<'t>> {
        self.all
            .get_or_init(|| spread(self.graph, &self.first, usize::MAX).unwrap_or_default())
    }

    pub(super) fn hard_dependents(&self) -> Vec<NodeIndex> {
        match (&self.much, self.all.get()) {
            (Some(much), _) => much.hard.iter().collect(),
            (None, Some(all)) => hard_of(all).collect(),
            (None, None) => hard_of(&self.first).collect(),
        }
    }

    pub(super) fn degraded(&self) -> Vec<NodeIndex> {
        let of = |effects: &BTreeMap<NodeIndex, Effect<'t>>| -> Vec<NodeIndex> {
            effects
                .iter()
                .filter(|(_, effect)| effect.state == ImpactState::Degraded)
                .map(|(index, _)| *index)
                .collect()
        };
        match (&self.much, self.all.get()) {
            (Some(much), _) => {
                let mut degraded: Vec<NodeIndex> = much
                    .degraded
                    .iter()
                    .filter(|index| !self.first.contains_key(index))
                    .chain(
                        of(&self.first)
                            .into_iter()
                            .filter(|index| !much.hard.contains(*index)),
                    )
                    .collect();
                degraded.sort_unstable();
                degraded
            }
            (None, Some(all)) => of(all),
            (None, None) => of(&self.first),
        }
    }
}

fn hard_of(effects: &BTreeMap<NodeIndex, Effect<'_>>) -> impl Iterator<Item = NodeIndex> {
    effects
        .iter()
        .filter(|(_, effect)| effect.hard_dependent)
        .map(|(index, _)| *index)
}

/// Records that `index` suffers; whether that makes it a hard dependent. Down outweighs degraded;
/// what makes it a hard dependent outweighs the work on itself; otherwise the first cause stays.
fn suffer<'t>(
    effects: &mut BTreeMap<NodeIndex, Effect<'t>>,
    index: NodeIndex,
    effect: Effect<'t>,
) -> bool {
    match effects.get_mut(&index) {
        None => {
            effects.insert(index, effect);
            effect.hard_dependent
        }
        Some(known)
            if (effect.state, effect.hard_dependent) > (known.state, known.hard_dependent) =>
        {
            let newly = effect.hard_dependent && !known.hard_dependent;
            *known = effect;
            newly
        }
        Some(_) => false,
    }
}

/// Everything that suffers, nearest first and each by the first cause met; `None` where it is more
/// than `max`.
fn spread<'t>(
    graph: &'t Graph,
    first: &BTreeMap<NodeIndex, Effect<'t>>,
    max: usize,
) -> Option<BTreeMap<NodeIndex, Effect<'t>>> {
    if first.len() > max {
        return None;
    }
    let mut effects = first.clone();
    let mut queue: VecDeque<NodeIndex> = graph.in_order(hard_of(first)).into();
    while let Some(down) = queue.pop_front() {
        for edge in graph.dependents(down) {
            let (state, is_hard) = match edge.dependency.strength {
                Strength::Hard => (ImpactState::Down, true),
                Strength::Soft => (ImpactState::Degraded, false),
            };
            let effect = Effect {
                state,
                cause: Cause::NeedsDown(edge),
                hard_dependent: is_hard,
            };
            if suffer(&mut effects, edge.from, effect) {
                queue.push_back(edge.from);
            }
            if effects.len() > max {
                return None;
            }
        }
    }
    Some(effects)
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
            let mut little = Effects::new(&graph);
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
