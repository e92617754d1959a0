//! How many independent sources saw the same (4.11): a maximum matching of sources with upstreams.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Duration;

use super::super::case::Case;
use crate::history::{RegisteredDetection, VerifiedSignal};
use crate::identifier::{SourceId, UpstreamId};
use crate::scope::system_is_inside;

/// The target with the fewest independent sources, and their number; `None` where nobody knows the
/// signals or there is no target. Sources and upstreams differ from the detection's and from each other.
pub(super) fn independent_sources<'a>(
    case: &Case<'a, '_>,
    registered: &RegisteredDetection,
    within: Duration,
) -> Option<(&'a str, u64)> {
    let signals = case.history?.signals.as_ref()?;
    let detected_at = case.proposal.detection.detected_at;
    let counting: Vec<&VerifiedSignal> = signals
        .iter()
        .filter(|signal| {
            signal.source != registered.source
                && signal.upstream != registered.upstream
                && signal.observed_at <= case.now
                && (signal.observed_at - detected_at).abs() <= within
        })
        .collect();
    case.targets
        .systems
        .iter()
        .map(|target| {
            let range = case
                .graph
                .system(target.as_str())
                .and_then(|system| system.cidr);
            let about = |signal: &VerifiedSignal| {
                signal.systems.contains(target)
                    || range.is_some_and(|range| {
                        signal
                            .systems
                            .iter()
                            .filter_map(|id| case.graph.system(id.as_str()))
                            .any(|system| system_is_inside(system, &range))
                    })
            };
            let pairs = counting
                .iter()
                .filter(|signal| about(signal))
                .map(|signal| (&signal.source, &signal.upstream));
            (target.as_str(), maximum_matching(pairs))
        })
        .min_by_key(|(_, sources)| *sources)
}

/// The size of a maximum matching between sources and upstreams (Kuhn's augmenting paths).
fn maximum_matching<'s>(pairs: impl Iterator<Item = (&'s SourceId, &'s UpstreamId)>) -> u64 {
    let mut upstreams: BTreeMap<&SourceId, BTreeSet<&UpstreamId>> = BTreeMap::new();
    for (source, upstream) in pairs {
        upstreams.entry(source).or_default().insert(upstream);
    }
    let mut taken: BTreeMap<&UpstreamId, &SourceId> = BTreeMap::new();
    let sources: Vec<&SourceId> = upstreams.keys().copied().collect();
    let mut size = 0;
    for source in sources {
        if augment(source, &upstreams, &mut taken, &mut BTreeSet::new()) {
            size += 1;
        }
    }
    size
}

fn augment<'s>(
    source: &'s SourceId,
    upstreams: &BTreeMap<&'s SourceId, BTreeSet<&'s UpstreamId>>,
    taken: &mut BTreeMap<&'s UpstreamId, &'s SourceId>,
    visited: &mut BTreeSet<&'s UpstreamId>,
) -> bool {
    // INVARIANT: each upstream is visited once per search, so the depth is at most their number.
    for upstream in upstreams.get(source).into_iter().flatten() {
        if !visited.insert(upstream) {
            continue;
        }
        let free = match taken.get(upstream).copied() {
            None => true,
            Some(holder) => augment(holder, upstreams, taken, visited),
        };
        if free {
            taken.insert(upstream, source);
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_matching_is_maximum_and_not_greedy() {
        let id = |text: &str| SourceId::new(text).unwrap();
        let up = |text: &str| UpstreamId::new(text).unwrap();
        let (a, b, c) = (id("a"), id("b"), id("c"));
        let (x, y) = (up("x"), up("y"));
        for (pairs, expected) in [
            (vec![], 0),
            (vec![(&a, &x), (&b, &x)], 1),
            // Greedy would give `a` the upstream that only it shares with `b`.
            (vec![(&a, &x), (&a, &y), (&b, &x)], 2),
            (vec![(&a, &x), (&b, &x), (&c, &x), (&c, &y)], 2),
        ] {
            assert_eq!(maximum_matching(pairs.into_iter()), expected);
        }
    }
}
