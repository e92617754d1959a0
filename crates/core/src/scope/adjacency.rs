//! Who depends on whom, as compressed rows of numbers with the few rows that changed beside them.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Marks, in an end, a dependency that is soft.
const SOFT: u32 = 1 << 31;

/// A dependency seen from one of its ends: the node at the other end, how strong, and its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) other: u32,
    pub(super) is_hard: bool,
    pub(super) position: u32,
}

/// One row, in the order of the document.
#[derive(Debug, Clone, Default)]
struct Row {
    ends: Vec<u32>,
    positions: Vec<u32>,
}

#[derive(Debug)]
struct Rows {
    starts: Vec<u32>,
    ends: Vec<u32>,
    positions: Vec<u32>,
}

/// Rows of links by node. Cloning shares all that did not change.
#[derive(Debug, Clone)]
pub(super) struct Adjacency {
    rows: Arc<Rows>,
    changed: BTreeMap<u32, Arc<Row>>,
}

impl Adjacency {
    /// Rows for `nodes` nodes from `(node, other, is_hard)`, positions counted in that order.
    pub(super) fn new(nodes: usize, links: impl Iterator<Item = (u32, u32, bool)> + Clone) -> Self {
        let mut starts = vec![0_u32; nodes + 1];
        let mut number = 0;
        for (node, _, _) in links.clone() {
            if let Some(start) = starts.get_mut(node as usize + 1) {
                *start += 1;
            }
            number += 1;
        }
        let mut sum = 0;
        for start in &mut starts {
            sum += *start;
            *start = sum;
        }
        let mut next = starts.clone();
        let mut ends = vec![0; number];
        let mut positions = vec![0; number];
        for (position, (node, other, is_hard)) in (0..).zip(links) {
            if let Some(place) = next.get_mut(node as usize) {
                if let (Some(end), Some(slot)) = (
                    ends.get_mut(*place as usize),
                    positions.get_mut(*place as usize),
                ) {
                    *end = packed(other, is_hard);
                    *slot = position;
                }
                *place += 1;
            }
        }
        Self {
            rows: Arc::new(Rows {
                starts,
                ends,
                positions,
            }),
            changed: BTreeMap::new(),
        }
    }

    /// The row of `node`: ends and positions.
    fn row(&self, node: u32) -> (&[u32], &[u32]) {
        if !self.changed.is_empty()
            && let Some(row) = self.changed.get(&node)
        {
            return (&row.ends, &row.positions);
        }
        let Rows {
            starts,
            ends,
            positions,
        } = &*self.rows;
        let node = node as usize;
        match (starts.get(node), starts.get(node + 1)) {
            (Some(from), Some(to)) => {
                let range = *from as usize..*to as usize;
                (
                    ends.get(range.clone()).unwrap_or_default(),
                    positions.get(range).unwrap_or_default(),
                )
            }
            (_, _) => (&[], &[]),
        }
    }

    /// The links of `node`, in the order of the document.
    pub(super) fn links(&self, node: u32) -> impl ExactSizeIterator<Item = Link> + '_ {
        let (ends, positions) = self.row(node);
        ends.iter().zip(positions).map(|(end, position)| Link {
            other: end & !SOFT,
            is_hard: end & SOFT == 0,
            position: *position,
        })
    }

    /// The nodes at the other ends of the hard links of `node`.
    pub(super) fn hard(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let (ends, _) = self.row(node);
        ends.iter().copied().filter(|end| end & SOFT == 0)
    }

    /// The nodes at the other ends of the soft links of `node`.
    pub(super) fn soft(&self, node: u32) -> impl Iterator<Item = u32> + '_ {
        let (ends, _) = self.row(node);
        ends.iter()
            .filter(|end| *end & SOFT != 0)
            .map(|end| end & !SOFT)
    }

    /// Where in the row of `node` a link belongs: after those that come `before` it.
    pub(super) fn place(&self, node: u32, before: impl Fn(u32) -> bool) -> usize {
        let (_, positions) = self.row(node);
        positions.partition_point(|position| before(*position))
    }

    /// Puts a link into the row of `node`.
    pub(super) fn insert(&mut self, node: u32, place: usize, link: Link) {
        let row = self.edit(node);
        row.ends.insert(place, packed(link.other, link.is_hard));
        row.positions.insert(place, link.position);
    }

    /// Empties the row of `node`.
    pub(super) fn clear(&mut self, node: u32) {
        self.changed.insert(node, Arc::default());
    }

    /// Takes the link at `position` out of the row of `node`.
    pub(super) fn remove(&mut self, node: u32, position: u32) {
        let row = self.edit(node);
        if let Some(place) = row.positions.iter().position(|p| *p == position) {
            row.ends.remove(place);
            row.positions.remove(place);
        }
    }

    fn edit(&mut self, node: u32) -> &mut Row {
        if !self.changed.contains_key(&node) {
            let (ends, positions) = self.row(node);
            let row = Row {
                ends: ends.to_vec(),
                positions: positions.to_vec(),
            };
            self.changed.insert(node, Arc::new(row));
        }
        Arc::make_mut(self.changed.entry(node).or_default())
    }
}

const fn packed(other: u32, is_hard: bool) -> u32 {
    if is_hard { other } else { other | SOFT }
}
