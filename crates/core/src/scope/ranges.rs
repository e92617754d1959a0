//! What is inside an address range, and which ranges are around an address. Ranges nest or are
//! apart, so that sorted by first address they are a prefix tree: each knows the one around it.

use std::net::IpAddr;

use ipnet::IpNet;

/// No range around this one.
const NONE: u32 = u32::MAX;

/// Addresses of one family, sorted, with the nodes that have them.
#[derive(Debug)]
struct Addresses<K> {
    keys: Vec<K>,
    nodes: Vec<u32>,
}

impl<K: Copy + Ord> Addresses<K> {
    fn new(mut pairs: Vec<(K, u32)>) -> Self {
        pairs.sort_unstable();
        let (keys, nodes) = pairs.into_iter().unzip();
        Self { keys, nodes }
    }

    fn within(&self, first: K, last: K) -> &[u32] {
        let from = self.keys.partition_point(|key| *key < first);
        let to = self.keys.partition_point(|key| *key <= last);
        self.nodes.get(from..to).unwrap_or_default()
    }
}

/// A range of a segment.
#[derive(Debug, Clone, Copy)]
struct Range<K> {
    first: K,
    last: K,
    node: u32,
    /// The innermost range around this one.
    around: u32,
}

/// Ranges of one family, by first address, the wider before the narrower.
#[derive(Debug)]
struct Ranges<K> {
    ranges: Vec<Range<K>>,
}

impl<K: Copy + Ord> Ranges<K> {
    fn new(mut list: Vec<(K, K, u32)>) -> Self {
        list.sort_unstable_by(|a, b| (a.0, b.1, a.2).cmp(&(b.0, a.1, b.2)));
        let mut ranges: Vec<Range<K>> = Vec::with_capacity(list.len());
        let mut open: Vec<u32> = Vec::new();
        for (place, (first, last, node)) in (0..).zip(list) {
            while let Some(top) = open.last()
                && ranges.get(*top as usize).is_some_and(|r| r.last < last)
            {
                open.pop();
            }
            ranges.push(Range {
                first,
                last,
                node,
                around: open.last().copied().unwrap_or(NONE),
            });
            open.push(place);
        }
        Self { ranges }
    }

    /// Nodes of the ranges that are part of this one.
    fn within(&self, first: K, last: K) -> impl Iterator<Item = u32> + '_ {
        let from = self.ranges.partition_point(|range| range.first < first);
        self.ranges
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(move |range| range.first <= last)
            .filter(move |range| range.last <= last)
            .map(|range| range.node)
    }

    /// Nodes of the ranges of which this one is part.
    fn around(&self, first: K, last: K) -> impl Iterator<Item = u32> + '_ {
        let after = self.ranges.partition_point(|range| {
            range.first < first || (range.first == first && range.last >= last)
        });
        let mut next = after
            .checked_sub(1)
            .and_then(|place| self.ranges.get(place));
        std::iter::from_fn(move || {
            let range = next?;
            next = self.ranges.get(range.around as usize);
            Some(range)
        })
        .filter(move |range| range.first <= first && last <= range.last)
        .map(|range| range.node)
    }
}

/// Addresses and ranges of systems.
#[derive(Debug)]
pub(super) struct Network {
    v4: Addresses<u32>,
    v6: Addresses<u128>,
    ranges_v4: Ranges<u32>,
    ranges_v6: Ranges<u128>,
}

impl Network {
    pub(super) fn new<'t>(
        systems: impl Iterator<Item = (u32, &'t crate::topology::System)>,
    ) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let (mut ranges_v4, mut ranges_v6) = (Vec::new(), Vec::new());
        for (node, system) in systems {
            for address in &system.addresses {
                match address {
                    IpAddr::V4(address) => v4.push((u32::from(*address), node)),
                    IpAddr::V6(address) => v6.push((u128::from(*address), node)),
                }
            }
            match system.cidr {
                Some(IpNet::V4(net)) => {
                    ranges_v4.push((net.network().into(), net.broadcast().into(), node));
                }
                Some(IpNet::V6(net)) => {
                    ranges_v6.push((net.network().into(), net.broadcast().into(), node));
                }
                None => {}
            }
        }
        Self {
            v4: Addresses::new(v4),
            v6: Addresses::new(v6),
            ranges_v4: Ranges::new(ranges_v4),
            ranges_v6: Ranges::new(ranges_v6),
        }
    }

    /// How many addresses are inside a range.
    pub(super) fn addresses_within(&self, range: &IpNet) -> usize {
        self.addresses(range).len()
    }

    fn addresses(&self, range: &IpNet) -> &[u32] {
        match range {
            IpNet::V4(net) => self.v4.within(net.network().into(), net.broadcast().into()),
            IpNet::V6(net) => self.v6.within(net.network().into(), net.broadcast().into()),
        }
    }

    /// Nodes with an address in a range, or whose own range is part of it; with repeats.
    pub(super) fn within(&self, range: &IpNet) -> Vec<u32> {
        let mut nodes = self.addresses(range).to_vec();
        match range {
            IpNet::V4(net) => nodes.extend(
                self.ranges_v4
                    .within(net.network().into(), net.broadcast().into()),
            ),
            IpNet::V6(net) => nodes.extend(
                self.ranges_v6
                    .within(net.network().into(), net.broadcast().into()),
            ),
        }
        nodes
    }

    /// Nodes whose range holds an address.
    pub(super) fn around_address(&self, address: IpAddr) -> Vec<u32> {
        self.around(&IpNet::from(address))
    }

    /// Nodes whose range holds a range.
    pub(super) fn around(&self, range: &IpNet) -> Vec<u32> {
        match range {
            IpNet::V4(net) => self
                .ranges_v4
                .around(net.network().into(), net.broadcast().into())
                .collect(),
            IpNet::V6(net) => self
                .ranges_v6
                .around(net.network().into(), net.broadcast().into())
                .collect(),
        }
    }
}
