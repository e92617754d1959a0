//! What must hold within a topology, and its one form.

use std::collections::BTreeMap;

use crate::document::limits::{ADDRESSES_MAX, TITLE_CHARS_MAX};
use crate::document::lint;
use crate::document::read::check_each;
use crate::document::text::{
    canonical_address, canonical_range, check_labels, check_length, check_schema, check_text,
};
use crate::document::tree::{Found, Node, Place};
use crate::topology::{
    Dependency, DependencyKind, SAFETY_CRITICAL_CLASSES, SCHEMA, SEGMENT_CLASS, Service, System,
    Tier, Topology,
};

/// Whether an id of the one namespace is a service or a system.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Named {
    Service,
    System,
}

/// Looks for errors of form in every member of the lists.
pub(crate) fn check_parts(root: &Node<'_>, found: &mut Found) {
    check_each::<Service>(root.get("services"), found);
    check_each::<System>(root.get("systems"), found);
    check_each::<Dependency>(root.get("dependencies"), found);
}

/// Checks a topology and brings it to its one form.
pub(crate) fn check(topology: &mut Topology, root: &Node<'_>, found: &mut Found) {
    check_schema(&topology.schema, SCHEMA, root, found);
    check_text(
        &topology.source,
        "source",
        TITLE_CHARS_MAX,
        root.place_of(&["source"]),
        found,
    );
    let services = members(root, "services");
    let systems = members(root, "systems");
    for (system, node) in topology.systems.iter_mut().zip(systems) {
        check_system(system, node, found);
    }
    for (service, node) in topology.services.iter().zip(services) {
        check_source(service.source.as_deref(), node, found);
        if let Some(title) = &service.title {
            check_text(
                title,
                "title",
                TITLE_CHARS_MAX,
                node.place_of(&["title"]),
                found,
            );
        }
    }
    let names = check_names(topology, services, systems, found);
    for (system, node) in topology.systems.iter().zip(systems) {
        if let Some(service) = &system.service
            && names.get(service.as_str()) != Some(&Named::Service)
        {
            dangling(
                service.as_str(),
                "service",
                node.place_of(&["service"]),
                found,
            );
        }
    }
    let dependencies = members(root, "dependencies");
    for (dependency, node) in topology.dependencies.iter().zip(dependencies) {
        check_dependency(dependency, node, &names, found);
    }
    check_repeated_dependencies(&topology.dependencies, dependencies, found);
    if !found.refuses() {
        lint::topology(topology, systems, dependencies, found);
    }
    topology.services.sort();
    topology.systems.sort_by(|a, b| a.id.cmp(&b.id));
    topology.dependencies.sort();
    topology.dependencies.dedup();
}

fn members<'n, 't>(root: &'n Node<'t>, name: &str) -> &'n [Node<'t>] {
    root.get(name).map(Node::items).unwrap_or_default()
}

fn check_source(source: Option<&str>, node: &Node<'_>, found: &mut Found) {
    if let Some(source) = source {
        let place = node.place_of(&["source"]);
        check_text(source, "source", TITLE_CHARS_MAX, place, found);
    }
}

fn check_system(system: &mut System, node: &Node<'_>, found: &mut Found) {
    check_source(system.source.as_deref(), node, found);
    if let Some(title) = &system.title {
        check_text(
            title,
            "title",
            TITLE_CHARS_MAX,
            node.place_of(&["title"]),
            found,
        );
    }
    check_labels(&system.labels, node.get("labels"), found);
    check_length(
        system.addresses.len(),
        "addresses",
        ADDRESSES_MAX,
        node.place_of(&["addresses"]),
        found,
    );
    if let Some(tier) = system.tier
        && tier < Tier::SafetyCritical
        && SAFETY_CRITICAL_CLASSES.contains(&system.class.as_str())
    {
        found.error(
            node.place_of(&["tier"]),
            "class-is-safety-critical",
            format!(
                "a `{}` is always safety-critical, not `{tier}`",
                system.class
            ),
            "write `safety-critical`, or correct the class",
        );
    }
    let is_segment = system.class.as_str() == SEGMENT_CLASS;
    match system.cidr {
        Some(range) => {
            let place = node.place_of(&["cidr"]);
            system.cidr = Some(canonical_range(range, place, found));
            if !is_segment {
                found.error(
                    place,
                    "cidr-without-segment",
                    format!("`{}` has a `cidr` and is no `{SEGMENT_CLASS}`", system.id),
                    format!("remove `cidr`, or make its class `{SEGMENT_CLASS}`"),
                );
            }
        }
        None if is_segment => found.error(
            node.place_of(&["class"]),
            "segment-without-cidr",
            format!("`{}` is a `{SEGMENT_CLASS}` without `cidr`", system.id),
            "add its address range, such as `cidr: 10.4.0.0/16`",
        ),
        None => {}
    }
    system.addresses = std::mem::take(&mut system.addresses)
        .into_iter()
        .map(canonical_address)
        .collect();
}

/// Every id and what it names; systems and services share one namespace.
fn check_names<'d>(
    topology: &'d Topology,
    services: &[Node<'_>],
    systems: &[Node<'_>],
    found: &mut Found,
) -> BTreeMap<&'d str, Named> {
    let named = topology
        .services
        .iter()
        .map(|s| (s.id.as_str(), Named::Service))
        .zip(services)
        .chain(
            topology
                .systems
                .iter()
                .map(|s| (s.id.as_str(), Named::System))
                .zip(systems),
        );
    let mut places: BTreeMap<&str, (Named, Place)> = BTreeMap::new();
    for ((id, named), node) in named {
        let place = node.place_of(&["id"]);
        if let Some((_, first)) = places.get(id) {
            found.error(
                place,
                "duplicate-id",
                format!("`{id}` is already the name on line {}", first.line),
                "give each system and each service a name of its own",
            );
        } else {
            places.insert(id, (named, place));
        }
    }
    places
        .into_iter()
        .map(|(id, (named, _))| (id, named))
        .collect()
}

fn check_dependency(
    dependency: &Dependency,
    node: &Node<'_>,
    names: &BTreeMap<&str, Named>,
    found: &mut Found,
) {
    check_source(dependency.source.as_deref(), node, found);
    if let Some(service) = &dependency.service {
        let place = node.place_of(&["service"]);
        check_text(service, "service", TITLE_CHARS_MAX, place, found);
    }
    if !names.contains_key(dependency.from.as_str()) {
        dangling(
            &dependency.from,
            "system or service",
            node.place_of(&["from"]),
            found,
        );
    }
    let to = names.get(dependency.to.as_str());
    if to.is_none() {
        dangling(
            &dependency.to,
            "system or service",
            node.place_of(&["to"]),
            found,
        );
    }
    match (dependency.kind, &dependency.credential) {
        (DependencyKind::Credential, None) => found.error(
            node.place_of(&["kind"]),
            "credential-missing",
            "a `credential` dependency does not say which credential",
            "add `credential`, the name of the account on the `to` system",
        ),
        (DependencyKind::Credential, Some(_)) => {
            if to == Some(&Named::Service) {
                found.error(
                    node.place_of(&["to"]),
                    "credential-of-service",
                    format!(
                        "`{}` is a service; only a system owns credentials",
                        dependency.to
                    ),
                    "write the system that checks the credential",
                );
            }
        }
        (
            DependencyKind::Runtime | DependencyKind::Data | DependencyKind::Control,
            Some(credential),
        ) => found.error(
            node.place_of(&["credential"]),
            "credential-unexpected",
            format!(
                "a `{}` dependency names the credential `{credential}`",
                dependency.kind.as_str()
            ),
            "remove `credential`, or make the kind `credential`",
        ),
        (DependencyKind::Runtime | DependencyKind::Data | DependencyKind::Control, None) => {}
    }
}

fn check_repeated_dependencies(dependencies: &[Dependency], nodes: &[Node<'_>], found: &mut Found) {
    let mut order: Vec<(&Dependency, &Node<'_>)> = dependencies.iter().zip(nodes).collect();
    order.sort_by(|(a, m), (b, n)| a.cmp(b).then(m.place.cmp(&n.place)));
    for pair in order.windows(2) {
        if let [(first, at), (second, node)] = pair
            && first.same(second)
        {
            found.warning(
                node.place,
                "duplicate-dependency",
                format!("the same dependency stands on line {}", at.place.line),
                "remove one of them",
            );
        }
    }
}

fn dangling(name: &str, what: &str, place: Place, found: &mut Found) {
    found.error(
        place,
        "dangling-reference",
        format!(
            "there is no {what} `{}`",
            crate::document::tree::shortened(name)
        ),
        format!("correct the name, or add the {what}"),
    );
}
