//! How far harm spreads along hard dependencies: a direction-optimising search over bits (Beamer,
//! Asanović, Patterson 2012). It tells who is reached; by which path is asked later, of few.

use super::NodeIndex;
use super::graph::Graph;

/// A frontier of more than one in this many nodes is followed from the other side.
const WIDE: usize = 32;

/// A set of nodes of one graph, a bit each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeSet {
    words: Vec<u64>,
}

impl NodeSet {
    /// An empty set for nodes `0..nodes`.
    pub(super) fn empty(nodes: usize) -> Self {
        Self {
            words: vec![0; nodes.div_ceil(64)],
        }
    }

    /// Whether a node is in it.
    #[must_use]
    pub fn contains(&self, node: NodeIndex) -> bool {
        self.has(node.0)
    }

    fn has(&self, node: u32) -> bool {
        self.words
            .get(node as usize / 64)
            .is_some_and(|word| word >> (node % 64) & 1 == 1)
    }

    /// Puts a node in; whether it was not there.
    fn insert(&mut self, node: u32) -> bool {
        let Some(word) = self.words.get_mut(node as usize / 64) else {
            return false;
        };
        let before = *word;
        *word |= 1 << (node % 64);
        *word != before
    }

    /// Its nodes, in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = NodeIndex> + '_ {
        (0..).zip(&self.words).flat_map(|(place, word)| {
            let mut rest = *word;
            std::iter::from_fn(move || {
                if rest == 0 {
                    return None;
                }
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                Some(NodeIndex(place * 64 + bit))
            })
        })
    }

    /// How many nodes are in it.
    #[must_use]
    pub fn len(&self) -> usize {
        self.words
            .iter()
            .map(|word| word.count_ones() as usize)
            .sum()
    }

    /// Whether none is in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }
}

/// Up to three marks for each node of one graph, two bits each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NodeRanks {
    words: Vec<u64>,
}

impl NodeRanks {
    /// Raises the rank of a node to `rank` (1 to 3); the rank before (0 at first), `None` where it was
    /// that high already.
    pub(crate) fn raise(&mut self, node: NodeIndex, rank: u8) -> Option<u8> {
        let word = self.words.get_mut(node.0 as usize / 32)?;
        let shift = node.0 % 32 * 2;
        let before = u8::try_from(*word >> shift & 3).unwrap_or(3);
        if before >= rank {
            return None;
        }
        *word = *word & !(3 << shift) | u64::from(rank & 3) << shift;
        Some(before)
    }
}

impl Graph {
    /// No node has a rank yet.
    pub(crate) fn unranked(&self) -> NodeRanks {
        NodeRanks {
            words: vec![0; self.len().div_ceil(32)],
        }
    }

    /// These nodes as a set.
    pub(crate) fn node_set(&self, nodes: impl IntoIterator<Item = NodeIndex>) -> NodeSet {
        let mut set = NodeSet::empty(self.len());
        for node in nodes {
            set.insert(node.0);
        }
        set
    }

    /// `starts` and everything that needs one of them by hard dependencies, transitively and without
    /// depth limit. Linear in nodes and dependencies; cycles are met once.
    #[must_use]
    pub fn hard_closure(&self, starts: impl IntoIterator<Item = NodeIndex>) -> NodeSet {
        let nodes = self.len();
        let mut reached = NodeSet::empty(nodes);
        let mut frontier: Vec<u32> = starts
            .into_iter()
            .map(|start| start.0)
            .filter(|start| reached.insert(*start))
            .collect();
        let mut next = Vec::new();
        // Bounded: each turn but the last reaches a further node.
        while !frontier.is_empty() {
            if frontier.len() * WIDE > nodes {
                self.sweep(&mut reached, &mut next);
            } else {
                for node in &frontier {
                    for dependent in self.dependents.hard(*node) {
                        if reached.insert(dependent) {
                            next.push(dependent);
                        }
                    }
                }
            }
            frontier.clear();
            std::mem::swap(&mut frontier, &mut next);
        }
        reached
    }

    /// Asks everything not yet reached whether it needs something that is.
    fn sweep(&self, reached: &mut NodeSet, next: &mut Vec<u32>) {
        let nodes = self.len();
        for place in 0..reached.words.len() {
            let mut rest = reached.words.get(place).map_or(0, |word| !word);
            while rest != 0 {
                let bit = rest.trailing_zeros();
                rest &= rest - 1;
                let node = place * 64 + bit as usize;
                if node >= nodes {
                    return;
                }
                // INVARIANT: documents are bounded far below 2^32 systems.
                let node = u32::try_from(node).unwrap_or(u32::MAX);
                if self
                    .dependencies
                    .hard(node)
                    .any(|needed| reached.has(needed))
                {
                    reached.insert(node);
                    next.push(node);
                }
            }
        }
    }

    /// Everything outside `down` that needs a node of it by a soft dependency.
    #[must_use]
    pub fn soft_dependents(&self, down: &NodeSet) -> NodeSet {
        let mut degraded = NodeSet::empty(self.len());
        if !self.has_soft {
            return degraded;
        }
        for node in 0..u32::try_from(self.len()).unwrap_or(u32::MAX) {
            if !down.has(node) && self.dependencies.soft(node).any(|needed| down.has(needed)) {
                degraded.insert(node);
            }
        }
        degraded
    }
}
