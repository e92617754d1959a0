//! What is inside an address range, and which ranges are around an address. Ranges nest or are
//! apart, so that sorted by first address they are a prefix tree: each knows the one around it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::topology::System;

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
    net: IpNet,
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
    fn new(mut list: Vec<(K, K, IpNet, u32)>) -> Self {
        list.sort_unstable_by(|a, b| (a.0, b.1, a.3).cmp(&(b.0, a.1, b.3)));
        let mut ranges: Vec<Range<K>> = Vec::with_capacity(list.len());
        let mut open: Vec<u32> = Vec::new();
        for (place, (first, last, net, node)) in (0..).zip(list) {
            while let Some(top) = open.last()
                && ranges.get(*top as usize).is_some_and(|r| r.last < last)
            {
                open.pop();
            }
            ranges.push(Range {
                first,
                last,
                net,
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

    /// The innermost range of which this one is part.
    fn innermost(&self, first: K, last: K) -> Option<u32> {
        let after = self.ranges.partition_point(|range| {
            range.first < first || (range.first == first && range.last >= last)
        });
        let before = u32::try_from(after.checked_sub(1)?).ok()?;
        self.places_outwards(before)
            .find(|(_, range)| range.first <= first && last <= range.last)
            .map(|(place, _)| place)
    }

    fn places_outwards(&self, from: u32) -> impl Iterator<Item = (u32, &Range<K>)> {
        let mut next = from;
        std::iter::from_fn(move || {
            let place = next;
            let range = self.ranges.get(place as usize)?;
            next = range.around;
            Some((place, range))
        })
    }

    /// The range at a place and those around it, the innermost first.
    fn outwards(&self, from: u32) -> impl Iterator<Item = &Range<K>> {
        self.places_outwards(from).map(|(_, range)| range)
    }

    /// The ranges of which this one is part.
    fn around(&self, first: K, last: K) -> impl Iterator<Item = &Range<K>> {
        self.innermost(first, last)
            .into_iter()
            .flat_map(|place| self.outwards(place))
    }
}

/// A range, by its place among those of its family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Home {
    V4(u32),
    V6(u32),
}

/// The innermost ranges around one system.
#[derive(Debug, Clone, Copy)]
enum Homes {
    None,
    One(Home),
    /// A place in `several`.
    Several(u32),
}

/// Addresses and ranges of systems.
#[derive(Debug)]
pub(super) struct Network {
    /// By system, in the order of the document.
    homes: Vec<Homes>,
    several: Vec<Vec<Home>>,
    v4: Addresses<u32>,
    v6: Addresses<u128>,
    ranges_v4: Ranges<u32>,
    ranges_v6: Ranges<u128>,
}

impl Network {
    /// Indexes systems, numbered in the order of the document.
    pub(super) fn new(systems: &[System]) -> Self {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        let (mut ranges_v4, mut ranges_v6) = (Vec::new(), Vec::new());
        for (node, system) in (0..).zip(systems) {
            for address in &system.addresses {
                match address {
                    IpAddr::V4(address) => v4.push((u32::from(*address), node)),
                    IpAddr::V6(address) => v6.push((u128::from(*address), node)),
                }
            }
            match system.cidr {
                Some(IpNet::V4(net)) => {
                    let (first, last) = (net.network().into(), net.broadcast().into());
                    ranges_v4.push((first, last, IpNet::V4(net), node));
                }
                Some(IpNet::V6(net)) => {
                    let (first, last) = (net.network().into(), net.broadcast().into());
                    ranges_v6.push((first, last, IpNet::V6(net), node));
                }
                None => {}
            }
        }
        Self {
            v4: Addresses::new(v4),
            v6: Addresses::new(v6),
            ranges_v4: Ranges::new(ranges_v4),
            ranges_v6: Ranges::new(ranges_v6),
            homes: Vec::new(),
            several: Vec::new(),
        }
        .with_homes(systems.iter())
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
                .map(|range| range.node)
                .collect(),
            IpNet::V6(net) => self
                .ranges_v6
                .around(net.network().into(), net.broadcast().into())
                .map(|range| range.node)
                .collect(),
        }
    }

    /// Adds the innermost ranges around the addresses and the own range of a system of the document.
    pub(super) fn add_homes(&self, system: u32, homes: &mut Vec<Home>) {
        match self.homes.get(system as usize) {
            Some(Homes::One(home)) => homes.push(*home),
            Some(Homes::Several(place)) => {
                homes.extend(self.several.get(*place as usize).into_iter().flatten());
            }
            Some(Homes::None) | None => {}
        }
    }

    /// Adds these ranges, and those around them.
    pub(super) fn add_ranges(&self, homes: &[Home], ranges: &mut BTreeSet<IpNet>) {
        for home in homes {
            match home {
                Home::V4(place) => ranges.extend(self.ranges_v4.outwards(*place).map(|r| r.net)),
                Home::V6(place) => ranges.extend(self.ranges_v6.outwards(*place).map(|r| r.net)),
            }
        }
    }

    /// The innermost range around this one, itself included.
    fn home(&self, range: &IpNet) -> Option<Home> {
        match range {
            IpNet::V4(net) => {
                let (first, last) = (net.network().into(), net.broadcast().into());
                self.ranges_v4.innermost(first, last).map(Home::V4)
            }
            IpNet::V6(net) => {
                let (first, last) = (net.network().into(), net.broadcast().into());
                self.ranges_v6.innermost(first, last).map(Home::V6)
            }
        }
    }

    fn with_homes<'t>(mut self, systems: impl Iterator<Item = &'t System>) -> Self {
        let mut homes = Vec::with_capacity(systems.size_hint().0);
        for system in systems {
            let own = system.cidr.iter().copied();
            let addresses = system.addresses.iter().copied().map(IpNet::from);
            let mut around: Vec<Home> = own
                .chain(addresses)
                .filter_map(|range| self.home(&range))
                .collect();
            around.sort_unstable();
            around.dedup();
            homes.push(match around.as_slice() {
                [] => Homes::None,
                [home] => Homes::One(*home),
                [_, ..] => {
                    // INVARIANT: documents are bounded far below 2^32 systems.
                    let place = u32::try_from(self.several.len()).unwrap_or(u32::MAX);
                    self.several.push(around);
                    Homes::Several(place)
                }
            });
        }
        self.homes = homes;
        self
    }
}
