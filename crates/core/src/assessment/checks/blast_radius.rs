//! 4.5: what this and everything of the period reaches stays within the tier's limits.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;

use super::super::case::{Case, Found, count};
use crate::decimal::Decimal;
use crate::envelope::BlastRadius;
use crate::identifier::{ClassId, ServiceId, SystemId};
use crate::topology::Tier;

/// A counted value and its limit.
pub(super) struct Measure {
    pub(super) what: &'static str,
    pub(super) value: u64,
    pub(super) limit: u64,
}

impl Measure {
    /// Whether it is within its limit and within 10 % of it.
    pub(super) fn is_near(&self) -> bool {
        self.limit > 0
            && self.value <= self.limit
            && u128::from(self.value) * 10 >= u128::from(self.limit) * 9
    }
}

/// What counts towards the limits: this scope, and what is in flight or finished within the period
/// on systems of the scope's tier or higher.
struct Counted<'a> {
    /// Systems in scope.
    in_scope: u64,
    /// Systems outside the scope.
    besides: BTreeSet<&'a SystemId>,
    services: BTreeSet<&'a ServiceId>,
    segments: BTreeSet<IpNet>,
    complete: bool,
}

impl Counted<'_> {
    fn systems(&self) -> u64 {
        self.in_scope.saturating_add(self.besides.len() as u64)
    }
}

fn limits<'a>(case: &Case<'a, '_>) -> Option<&'a BlastRadius> {
    case.envelope?
        .tiers
        .get(&case.reach.tier)?
        .blast_radius
        .as_ref()
}

fn counted<'a, 't: 'a>(case: &Case<'a, 't>, radius: &BlastRadius) -> Counted<'a> {
    let mut counted = Counted {
        in_scope: case.reach.systems(case.graph).count() as u64,
        besides: BTreeSet::new(),
        services: case
            .reach
            .services
            .iter()
            .map(|id| *id as &ServiceId)
            .collect(),
        segments: case.reach.segments.clone(),
        complete: true,
    };
    let in_flight = case.history.and_then(|history| history.in_flight.as_ref());
    let recent = case.history.and_then(|history| history.recent.as_ref());
    counted.complete = in_flight.is_some() && recent.is_some();
    let running = in_flight
        .into_iter()
        .flatten()
        .flat_map(|operation| &operation.systems);
    let finished = recent
        .into_iter()
        .flatten()
        .filter(|operation| case.now - operation.finished_at <= radius.per.duration())
        .flat_map(|operation| &operation.systems);
    for id in running.chain(finished) {
        let index = case.graph.find(id.as_str());
        let node = index.and_then(|index| case.graph.node(index));
        let system = node.and_then(|node| node.system());
        // A system that the topology lacks counts as safety-critical, so it always counts here.
        let tier = system.map_or(Tier::SafetyCritical, |system| system.effective_tier());
        if tier < case.reach.tier {
            continue;
        }
        if system.is_none() || !index.is_some_and(|index| case.reach.scope.contains(&index)) {
            counted.besides.insert(id);
        }
        if let Some(system) = system {
            counted.services.extend(system.service.as_ref());
            counted.segments.extend(system.cidr);
        }
    }
    counted
}

/// The counted values with their limits; empty where no limits are set.
pub(super) fn measures(case: &Case<'_, '_>) -> Vec<Measure> {
    limits(case).map_or_else(Vec::new, |radius| measured(&counted(case, radius), radius))
}

fn measured(counted: &Counted<'_>, radius: &BlastRadius) -> Vec<Measure> {
    [
        ("systems", counted.systems(), radius.systems),
        ("services", counted.services.len() as u64, radius.services),
        ("segments", counted.segments.len() as u64, radius.segments),
    ]
    .into_iter()
    .filter_map(|(what, value, limit)| {
        Some(Measure {
            what,
            value,
            limit: limit?,
        })
    })
    .collect()
}

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let tier = case.reach.tier;
    let Some(radius) = limits(case) else {
        return Found::unknown(format!("no blast radius is set for {tier} systems")).measured(
            count(case.reach.systems(case.graph).count() as u64, "system"),
        );
    };
    let counted = counted(case, radius);
    let mut over: Vec<(String, String, String)> = measured(&counted, radius)
        .iter()
        .filter(|measure| measure.value > measure.limit)
        .map(|measure| {
            let one = measure.what.strip_suffix('s').unwrap_or(measure.what);
            (
                count(measure.value, one),
                measure.limit.to_string(),
                format!(
                    "{}; the limit is {}",
                    count(measure.value, one),
                    measure.limit
                ),
            )
        })
        .collect();
    if let Some(limit) = &radius.fraction_of_class {
        over.extend(classes_over(case, &counted, *limit));
    }
    if let Some((measured, limit, _)) = over.first() {
        let messages: Vec<&str> = over
            .iter()
            .map(|(_, _, message)| message.as_str())
            .collect();
        return Found::fail(format!(
            "{} ({tier}, per {})",
            messages.join("; and "),
            radius.per
        ))
        .against(measured, limit);
    }
    if !counted.complete {
        return Found::unknown("nobody can say what else is in flight or ran within the period")
            .measured(count(counted.systems(), "system"));
    }
    let found = Found::pass(format!(
        "{} within {}, and every other limit holds",
        count(counted.systems(), "system"),
        radius.per
    ));
    match radius.systems {
        Some(limit) => found.against(count(counted.systems(), "system"), limit),
        None => found.measured(count(counted.systems(), "system")),
    }
}

/// The classes in scope of which a larger share than `limit` would be touched.
fn classes_over(
    case: &Case<'_, '_>,
    counted: &Counted<'_>,
    limit: Decimal,
) -> Vec<(String, String, String)> {
    let mut by_class: BTreeMap<&ClassId, u64> = BTreeMap::new();
    for system in case.reach.systems(case.graph) {
        *by_class.entry(&system.class).or_default() += 1;
    }
    for id in &counted.besides {
        if let Some(system) = case.graph.system(id.as_str())
            && let Some(number) = by_class.get_mut(&system.class)
        {
            *number += 1;
        }
    }
    by_class
        .into_iter()
        .filter_map(|(class, number)| {
            let all = case.graph.class_size(class);
            (!limit.admits(number, all)).then(|| {
                let measured = format!("{number} of {all} {class}");
                let message = format!("{measured}; the limit is {limit} of the class");
                (measured, limit.to_string(), message)
            })
        })
        .collect()
}
