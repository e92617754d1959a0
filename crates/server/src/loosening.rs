//! Whether a topology loosens what the one before it held (DESIGN §4, topology is power).
//!
//! The topology decides tiers. One that lowers a tier, changes a class, removes something, or lets a
//! group bear more, counts only after a signed `accept_topology`; one that adds or tightens counts at once.

use std::collections::{BTreeMap, BTreeSet};

use countersign_core::identifier::GroupId;
use countersign_core::topology::{Dependency, DependencyKind, Strength, System, Topology};

/// Most reasons that are given.
const REASONS_MAX: usize = 20;

/// What `new` loosens of what `old` held, a line each; empty where it only adds or tightens.
#[must_use]
pub fn loosened(old: &Topology, new: &Topology) -> Vec<String> {
    let mut reasons = Vec::new();
    let systems: BTreeMap<_, &System> = new
        .systems
        .iter()
        .map(|system| (&system.id, system))
        .collect();
    for system in &old.systems {
        match systems.get(&system.id) {
            None => reasons.push(format!("the system `{}` is gone", system.id)),
            Some(now) => of_system(system, now, &mut reasons),
        }
    }
    let services: BTreeMap<_, _> = new
        .services
        .iter()
        .map(|service| (&service.id, service))
        .collect();
    for service in &old.services {
        match services.get(&service.id) {
            None => reasons.push(format!("the service `{}` is gone", service.id)),
            Some(now) if now.effective_tier() < service.effective_tier() => reasons.push(format!(
                "the service `{}` is {} now, it was {}",
                service.id,
                now.effective_tier(),
                service.effective_tier()
            )),
            Some(_) => {}
        }
    }
    of_dependencies(&old.dependencies, &new.dependencies, &mut reasons);
    of_groups(old, new, &mut reasons);
    let more = reasons.len().saturating_sub(REASONS_MAX);
    reasons.truncate(REASONS_MAX);
    if more > 0 {
        reasons.push(format!("and {more} more"));
    }
    reasons
}

fn of_system(was: &System, now: &System, reasons: &mut Vec<String>) {
    let id = &was.id;
    if now.class != was.class {
        reasons.push(format!(
            "the class of `{id}` is `{}` now, it was `{}`",
            now.class, was.class
        ));
    }
    if now.effective_tier() < was.effective_tier() {
        reasons.push(format!(
            "`{id}` is {} now, it was {}",
            now.effective_tier(),
            was.effective_tier()
        ));
    }
    if !was.addresses.is_subset(&now.addresses) {
        reasons.push(format!("`{id}` lost an address"));
    }
    let covered = match (was.cidr, now.cidr) {
        (None, _) => true,
        (Some(was), Some(now)) => now.contains(&was),
        (Some(_), None) => false,
    };
    if !covered {
        reasons.push(format!("the range of `{id}` no longer covers what it did"));
    }
    if was.service.is_some() && was.service != now.service {
        reasons.push(format!("`{id}` no longer carries its service"));
    }
    if let Some(redundancy) = &now.redundancy {
        let tightened = was.redundancy.as_ref().is_some_and(|was| {
            was.group == redundancy.group && was.min_healthy <= redundancy.min_healthy
        });
        if !tightened {
            reasons.push(format!(
                "the redundancy of `{id}` in `{}` bears more than before",
                redundancy.group
            ));
        }
    }
}

fn of_dependencies(old: &[Dependency], new: &[Dependency], reasons: &mut Vec<String>) {
    type Key<'a> = (&'a str, &'a str, DependencyKind, Option<&'a str>);
    fn key(dependency: &Dependency) -> Key<'_> {
        (
            &dependency.from,
            &dependency.to,
            dependency.kind,
            dependency.credential.as_ref().map(AsRef::as_ref),
        )
    }
    // By what of `to` is used: one that does not say is cut by more than one that does.
    let mut hardest: BTreeMap<Key<'_>, BTreeMap<Option<&str>, Strength>> = BTreeMap::new();
    for dependency in new {
        let strength = hardest
            .entry(key(dependency))
            .or_default()
            .entry(dependency.service.as_deref())
            .or_insert(dependency.strength);
        *strength = (*strength).max(dependency.strength);
    }
    for dependency in old {
        let known = hardest.get(&key(dependency));
        let as_wide = known.and_then(|known| {
            let services = [None, dependency.service.as_deref()];
            services.iter().filter_map(|s| known.get(s)).max().copied()
        });
        let what = match (known, as_wide) {
            (None, _) => "is gone",
            (Some(_), None) => "is of another service now",
            (Some(_), Some(strength)) if strength < dependency.strength => "is soft now",
            (Some(_), Some(_)) => continue,
        };
        reasons.push(format!(
            "the {} dependency of `{}` on `{}` {what}",
            dependency.kind.as_str(),
            dependency.from,
            dependency.to
        ));
    }
}

/// A group with new members bears the loss of more of the old ones.
fn of_groups(old: &Topology, new: &Topology, reasons: &mut Vec<String>) {
    let known: BTreeSet<_> = old.systems.iter().map(|system| &system.id).collect();
    let groups: BTreeSet<&GroupId> = old
        .systems
        .iter()
        .filter_map(|system| system.redundancy.as_ref())
        .map(|r| &r.group)
        .collect();
    for system in &new.systems {
        if let Some(redundancy) = &system.redundancy
            && groups.contains(&redundancy.group)
            && !known.contains(&system.id)
        {
            reasons.push(format!(
                "`{}` joins the group `{}`, which then bears more",
                system.id, redundancy.group
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: &str = r#"{"schema":"countersign/topology/v1","observed_at":"2026-11-22T00:00:00Z","source":"cmdb",
      "services":[{"id":"pay","tier":"production-critical"}],
      "systems":[
        {"id":"a","class":"linux-server","tier":"production-critical","service":"pay","addresses":["10.0.0.1"],
         "redundancy":{"group":"g","min_healthy":2}},
        {"id":"seg","class":"network-segment","tier":"non-critical","cidr":"10.0.0.0/16"}],
      "dependencies":[{"from":"pay","to":"a","kind":"runtime","strength":"hard"}]}"#;

    fn check(from: &str, to: &str, expected: &str) {
        let old: Topology = serde_json::from_str(BASE).unwrap();
        let changed = BASE.replace(from, to);
        assert!(
            from.is_empty() || changed != BASE,
            "{from} is not in the base"
        );
        let new: Topology = serde_json::from_str(&changed).unwrap();
        let found = loosened(&old, &new).join("; ");
        if expected.is_empty() {
            assert_eq!(found, "", "{from} -> {to}");
        } else {
            assert!(found.contains(expected), "{from} -> {to}: {found}");
        }
    }

    #[test]
    fn what_loosens_and_what_does_not() {
        check("", "", "");
        check("2026-11-22T00", "2026-11-23T00", "");
        check(r#""min_healthy":2"#, r#""min_healthy":3"#, "");
        check(r#""cidr":"10.0.0.0/16""#, r#""cidr":"10.0.0.0/8""#, "");
        check(
            r#""tier":"non-critical""#,
            r#""tier":"safety-critical""#,
            "",
        );
        check(r#""min_healthy":2"#, r#""min_healthy":1"#, "bears more");
        check(r#""group":"g""#, r#""group":"h""#, "bears more");
        check(
            r#"class":"linux-server""#,
            r#"class":"workstation""#,
            "the class of `a`",
        );
        check(
            r#""a","class":"linux-server","tier":"production-critical""#,
            r#""a","class":"linux-server","tier":"non-critical""#,
            "`a` is non-critical now",
        );
        check(
            r#""pay","tier":"production-critical""#,
            r#""pay","tier":"non-critical""#,
            "the service `pay`",
        );
        check(
            r#""addresses":["10.0.0.1"]"#,
            r#""addresses":["10.0.0.2"]"#,
            "lost an address",
        );
        check(
            r#""cidr":"10.0.0.0/16""#,
            r#""cidr":"10.0.0.0/24""#,
            "no longer covers",
        );
        check(r#""service":"pay","#, "", "no longer carries");
        check(
            r#""strength":"hard""#,
            r#""strength":"soft""#,
            "is soft now",
        );
        check(
            r#"{"from":"pay","to":"a","kind":"runtime","strength":"hard"}"#,
            "",
            "is gone",
        );
        check(
            r#""strength":"hard""#,
            r#""strength":"hard","service":"tcp/443""#,
            "is of another service now",
        );
        check(
            r#""strength":"hard""#,
            r#""strength":"hard","source":"scanner","observed_at":"2026-11-21T00:00:00Z""#,
            "",
        );
        check(
            r#"{"from":"pay""#,
            r#"{"from":"pay","to":"a","kind":"runtime","strength":"hard","service":"tcp/443"},{"from":"pay""#,
            "",
        );
        check(
            r#""id":"seg""#,
            r#""id":"seg2""#,
            "the system `seg` is gone",
        );
        check(
            r#"{"id":"seg""#,
            r#"{"id":"b","class":"linux-server","tier":"production-critical","redundancy":{"group":"g","min_healthy":2}},{"id":"seg""#,
            "`b` joins the group",
        );
    }
}
