//! One topology from several sources: where they differ the stricter reading counts, and every
//! difference is told (AG-706 4.3, 4.7; DESIGN §4, topology is power).
//!
//! What a source does not list it says nothing about. What it lists and leaves open it reads as
//! everywhere else: a system without a tier is safety-critical, one without a group has none, and a
//! label that only some of them know is nobody's to rely on.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use serde::Serialize;
use thiserror::Error;

use crate::identifier::ClassId;
use crate::topology::{
    Dependency, Redundancy, SAFETY_CRITICAL_CLASSES, SCHEMA, SEGMENT_CLASS, Service, System, Tier,
    Topology,
};

/// What joins the names of sources.
const AND: &str = " + ";

/// A merged topology, and what its sources do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// The topology, in its one form.
    pub topology: Topology,
    /// By part and member.
    pub conflicts: Vec<Conflict>,
}

/// Something that sources do not agree about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Conflict {
    /// The system, service or dependency.
    pub part: String,
    /// What of it, such as `tier`.
    pub member: String,
    /// What is said, and by which sources.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// What counts.
    pub taken: String,
}

impl std::fmt::Display for Conflict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {} is ", self.part, self.member)?;
        for (place, (claim, sources)) in self.claims.iter().enumerate() {
            let sources: Vec<&str> = sources.iter().map(String::as_str).collect();
            let comma = if place > 0 { ", " } else { "" };
            write!(f, "{comma}{claim} ({})", sources.join(", "))?;
        }
        write!(f, "; {} counts", self.taken)
    }
}

/// Why topologies cannot be one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MergeError {
    /// There is none.
    #[error("there is no topology to merge; name at least one")]
    Nothing,
    /// One name, two things.
    #[error("`{0}` is a system in one source and a service in another; rename one of them")]
    NameTaken(String),
}

/// Merges topologies. Systems, services, dependencies and addresses are united; of what they know
/// in common the higher tier, the wider range, the harder dependency and the larger `min_healthy`
/// count. A group, label, site or exposure counts where every source that lists the system says the
/// same. A system of which they do not agree what it is (class) or what it carries (service) is
/// safety-critical. Each part keeps its sources and the oldest of their instants; the newest instant
/// is the topology's, so that one from the future is noticed.
///
/// The order and grouping of sources do not matter, nor does naming one twice.
///
/// # Errors
/// [`MergeError`] where there is no source, or a name means two things.
pub fn merge(sources: &[Topology]) -> Result<Merged, MergeError> {
    let Some(observed_at) = sources.iter().map(|source| source.observed_at).max() else {
        return Err(MergeError::Nothing);
    };
    let names: BTreeSet<&str> = sources.iter().flat_map(|s| split(&s.source)).collect();
    let whole = Stamp {
        sources: names,
        observed_at,
    };
    let mut systems: BTreeMap<&str, Vec<Claim<'_, System>>> = BTreeMap::new();
    let mut services: BTreeMap<&str, Vec<Claim<'_, Service>>> = BTreeMap::new();
    let mut dependencies: BTreeMap<Key<'_>, Vec<Claim<'_, Dependency>>> = BTreeMap::new();
    for source in sources {
        for system in &source.systems {
            let stamp = Stamp::of(source, system.source.as_deref(), system.observed_at);
            let claims = systems.entry(system.id.as_str()).or_default();
            claims.push((system, stamp));
        }
        for service in &source.services {
            let stamp = Stamp::of(source, service.source.as_deref(), service.observed_at);
            let claims = services.entry(service.id.as_str()).or_default();
            claims.push((service, stamp));
        }
        for dependency in &source.dependencies {
            let own = dependency.source.as_deref();
            let stamp = Stamp::of(source, own, dependency.observed_at);
            let claims = dependencies.entry(key(dependency)).or_default();
            claims.push((dependency, stamp));
        }
    }
    if let Some(name) = services.keys().find(|id| systems.contains_key(*id)) {
        return Err(MergeError::NameTaken((*name).to_owned()));
    }
    let mut conflicts = Vec::new();
    let topology = Topology {
        schema: SCHEMA.to_owned(),
        observed_at,
        source: whole.name(),
        services: services
            .values()
            .filter_map(|claims| merge_services(claims, &whole, &mut conflicts))
            .collect(),
        systems: systems
            .values()
            .filter_map(|claims| merge_systems(claims, &whole, &mut conflicts))
            .collect(),
        dependencies: dependencies
            .values()
            .filter_map(|claims| merge_dependencies(claims, &whole, &mut conflicts))
            .collect(),
    };
    conflicts.sort();
    Ok(Merged {
        topology,
        conflicts,
    })
}

/// Who says so, and when it was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stamp<'s> {
    sources: BTreeSet<&'s str>,
    observed_at: DateTime<Utc>,
}

fn split(source: &str) -> impl Iterator<Item = &str> {
    source.split(AND)
}

impl<'s> Stamp<'s> {
    fn of(topology: &'s Topology, source: Option<&'s str>, at: Option<DateTime<Utc>>) -> Self {
        Self {
            sources: split(source.unwrap_or(&topology.source)).collect(),
            observed_at: at.unwrap_or(topology.observed_at),
        }
    }

    fn name(&self) -> String {
        let names: Vec<&str> = self.sources.iter().copied().collect();
        names.join(AND)
    }

    /// What a part says that all of these speak of, where it differs from what the whole says.
    fn told<'c, T: 'c>(
        claims: &'c [Claim<'s, T>],
        whole: &Self,
    ) -> (Option<String>, Option<DateTime<Utc>>) {
        let sources = claims.iter().flat_map(|(_, stamp)| &stamp.sources).copied();
        let oldest = claims.iter().map(|(_, stamp)| stamp.observed_at).min();
        let own = Self {
            sources: sources.collect(),
            observed_at: oldest.unwrap_or(whole.observed_at),
        };
        (
            (own.sources != whole.sources).then(|| own.name()),
            (own.observed_at != whole.observed_at).then_some(own.observed_at),
        )
    }
}

/// A part as one source knows it.
type Claim<'s, T> = (&'s T, Stamp<'s>);

/// What makes two dependencies one.
type Key<'s> = (
    &'s str,
    &'s str,
    crate::topology::DependencyKind,
    Option<&'s str>,
    Option<&'s str>,
);

fn key(dependency: &Dependency) -> Key<'_> {
    (
        &dependency.from,
        &dependency.to,
        dependency.kind,
        dependency.credential.as_ref().map(AsRef::as_ref),
        dependency.service.as_deref(),
    )
}

/// Tells where claims differ. `said` is a claim in words.
fn tell<T>(
    claims: &[Claim<'_, T>],
    part: &str,
    member: &str,
    said: impl Fn(&T) -> Option<String>,
    taken: Option<String>,
    conflicts: &mut Vec<Conflict>,
) {
    let or_nothing = |words: Option<String>| words.unwrap_or_else(|| "nothing".to_owned());
    let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (claim, stamp) in claims {
        told.entry(or_nothing(said(claim)))
            .or_default()
            .extend(stamp.sources.iter().map(|name| (*name).to_owned()));
    }
    if told.len() > 1 {
        conflicts.push(Conflict {
            part: part.to_owned(),
            member: member.to_owned(),
            claims: told,
            taken: or_nothing(taken),
        });
    }
}

/// What every claim says; `None` where one says nothing or something else.
fn agreed<'c, T, V: PartialEq + ?Sized>(
    claims: &'c [Claim<'_, T>],
    value: impl Fn(&'c T) -> Option<&'c V>,
) -> Option<&'c V> {
    let mut values = claims.iter().map(|(claim, _)| value(claim));
    let first = values.next()??;
    values.all(|other| other == Some(first)).then_some(first)
}

/// Whether two claims name different values; silence is none.
fn contradict<'c, T, V: PartialEq + ?Sized + 'c>(
    claims: &'c [Claim<'_, T>],
    value: impl Fn(&'c T) -> Option<&'c V>,
) -> bool {
    let mut values = claims.iter().filter_map(|(claim, _)| value(claim));
    values
        .next()
        .is_some_and(|first| values.any(|other| other != first))
}

/// The higher tier. An absent one is safety-critical, and one that says so outright says more.
fn higher(tiers: impl Iterator<Item = Option<Tier>>) -> Option<Tier> {
    tiers
        .max_by_key(|tier| match tier {
            Some(Tier::NonCritical) => 0,
            Some(Tier::ProductionCritical) => 1,
            None => 2,
            Some(Tier::SafetyCritical) => 3,
        })
        .flatten()
}

fn tier_words(tier: Option<Tier>) -> Option<String> {
    tier.map(|tier| tier.to_string())
}

fn merge_services(
    claims: &[Claim<'_, Service>],
    whole: &Stamp<'_>,
    conflicts: &mut Vec<Conflict>,
) -> Option<Service> {
    let (first, _) = claims.first()?;
    let id = first.id.as_str();
    let tier = higher(claims.iter().map(|(service, _)| service.tier));
    let tier_of = |service: &Service| tier_words(service.tier);
    tell(claims, id, "tier", tier_of, tier_words(tier), conflicts);
    let title = claims.iter().filter_map(|(s, _)| s.title.as_ref()).min();
    let title_of = |service: &Service| service.title.clone();
    tell(claims, id, "title", title_of, title.cloned(), conflicts);
    let (source, observed_at) = Stamp::told(claims, whole);
    Some(Service {
        id: first.id.clone(),
        title: title.cloned(),
        tier,
        source,
        observed_at,
    })
}

fn merge_dependencies(
    claims: &[Claim<'_, Dependency>],
    whole: &Stamp<'_>,
    conflicts: &mut Vec<Conflict>,
) -> Option<Dependency> {
    let (first, _) = claims.first()?;
    let strength = claims.iter().map(|(d, _)| d.strength).max()?;
    let part = format!(
        "{} needing {} ({})",
        first.from,
        first.to,
        first.kind.as_str()
    );
    let words = |strength: crate::topology::Strength| Some(strength.as_str().to_owned());
    let strength_of = |dependency: &Dependency| words(dependency.strength);
    let taken = words(strength);
    tell(claims, &part, "strength", strength_of, taken, conflicts);
    let (source, observed_at) = Stamp::told(claims, whole);
    Some(Dependency {
        strength,
        source,
        observed_at,
        ..(*first).clone()
    })
}

fn merge_systems(
    claims: &[Claim<'_, System>],
    whole: &Stamp<'_>,
    conflicts: &mut Vec<Conflict>,
) -> Option<System> {
    let (first, _) = claims.first()?;
    let id = first.id.as_str();
    let systems = || claims.iter().map(|(system, _)| *system);
    let class = systems().map(|s| &s.class).min_by_key(|c| of_class(c))?;
    let class_of = |s: &System| Some(s.class.to_string());
    let taken = Some(class.to_string());
    tell(claims, id, "class", class_of, taken, conflicts);
    let service = systems().filter_map(|s| s.service.as_ref()).min();
    let service_of = |s: &System| s.service.as_ref().map(ToString::to_string);
    let taken = service.map(ToString::to_string);
    tell(claims, id, "service", service_of, taken, conflicts);
    let ranges: Vec<IpNet> = systems().filter_map(|s| s.cidr).collect();
    let cidr = around(&ranges);
    let cidr_of = |s: &System| s.cidr.map(|range| range.to_string());
    let taken = cidr.map(|range| range.to_string());
    tell(claims, id, "cidr", cidr_of, taken, conflicts);
    // What it is, or what it carries, nobody can rely on then.
    let unclear = contradict(claims, |s| Some(&s.class))
        || contradict(claims, |s| s.service.as_ref())
        || ranges
            .iter()
            .any(|range| !cidr.is_some_and(|c| c.contains(range)));
    let forced = unclear.then_some(Some(Tier::SafetyCritical));
    let tier = higher(systems().map(|s| s.tier).chain(forced));
    let tier_of = |s: &System| tier_words(s.tier);
    tell(claims, id, "tier", tier_of, tier_words(tier), conflicts);
    let title = systems().filter_map(|s| s.title.as_ref()).min();
    let title_of = |s: &System| s.title.clone();
    tell(claims, id, "title", title_of, title.cloned(), conflicts);
    let site = agreed(claims, |s| s.site.as_ref());
    let site_of = |s: &System| s.site.as_ref().map(ToString::to_string);
    let taken = site.map(ToString::to_string);
    tell(claims, id, "site", site_of, taken, conflicts);
    let exposure = agreed(claims, |s| s.exposure.as_ref());
    let exposure_of = |s: &System| s.exposure.map(|exposure| exposure.to_string());
    let taken = exposure.map(ToString::to_string);
    tell(claims, id, "exposure", exposure_of, taken, conflicts);
    let addresses: BTreeSet<_> = systems().flat_map(|s| &s.addresses).copied().collect();
    let listed = |all: &BTreeSet<std::net::IpAddr>| {
        let all: Vec<String> = all.iter().map(ToString::to_string).collect();
        (!all.is_empty()).then(|| all.join(" "))
    };
    let addresses_of = |s: &System| listed(&s.addresses);
    let taken = listed(&addresses);
    tell(claims, id, "addresses", addresses_of, taken, conflicts);
    let names: BTreeSet<&String> = systems().flat_map(|s| s.labels.keys()).collect();
    let mut labels = BTreeMap::new();
    for name in names {
        let value = agreed(claims, |s| s.labels.get(name));
        let label_of = |s: &System| s.labels.get(name).cloned();
        let member = format!("label {name}");
        tell(claims, id, &member, label_of, value.cloned(), conflicts);
        labels.extend(value.map(|value| (name.clone(), value.clone())));
    }
    let redundancy = merge_redundancy(claims, conflicts);
    let (source, observed_at) = Stamp::told(claims, whole);
    Some(System {
        id: first.id.clone(),
        title: title.cloned(),
        class: class.clone(),
        tier,
        service: service.cloned(),
        site: site.cloned(),
        exposure: exposure.copied(),
        addresses,
        cidr,
        labels,
        redundancy,
        source,
        observed_at,
    })
}

/// A group bears losses, so that it counts where all of them name it; then the larger `min_healthy`.
fn merge_redundancy(
    claims: &[Claim<'_, System>],
    conflicts: &mut Vec<Conflict>,
) -> Option<Redundancy> {
    let group = agreed(claims, |s| s.redundancy.as_ref().map(|r| &r.group));
    let min_healthy = claims
        .iter()
        .filter_map(|(system, _)| Some(system.redundancy.as_ref()?.min_healthy))
        .max();
    let redundancy = group
        .zip(min_healthy)
        .map(|(group, min_healthy)| Redundancy {
            group: group.clone(),
            min_healthy,
        });
    let words = |redundancy: Option<&Redundancy>| {
        redundancy.map(|r| format!("{}, of which {} must stay up", r.group, r.min_healthy))
    };
    let id = claims.first().map_or("", |(system, _)| system.id.as_str());
    let redundancy_of = |s: &System| words(s.redundancy.as_ref());
    let taken = words(redundancy.as_ref());
    tell(claims, id, "redundancy", redundancy_of, taken, conflicts);
    redundancy
}

/// Of several classes: a segment's first, since only a segment has a range; then one that is
/// safety-critical whatever anybody says; then by name.
fn of_class(class: &ClassId) -> (bool, bool, &str) {
    let name = class.as_str();
    (
        name != SEGMENT_CLASS,
        !SAFETY_CRITICAL_CLASSES.contains(&name),
        name,
    )
}

/// The narrowest range around all of these of one family, IPv4 where there are both.
fn around(ranges: &[IpNet]) -> Option<IpNet> {
    let is_v4 = |range: &IpNet| matches!(range, IpNet::V4(_));
    let v4 = ranges.iter().any(is_v4);
    let mut of_family = ranges.iter().filter(|range| is_v4(range) == v4).copied();
    let mut around = of_family.next()?.trunc();
    for range in of_family {
        // Bounded by the length of a prefix.
        while !around.contains(&range) {
            around = around.supernet()?;
        }
    }
    Some(around)
}
