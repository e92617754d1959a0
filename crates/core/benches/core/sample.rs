//! Organisations made from a seed: layered services, a few things that everything needs, segments
//! by site, redundancy groups.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::history::History;
use countersign_core::identifier::{ClassId, CredentialId, GroupId, ServiceId, SystemId};
use countersign_core::proposal::Proposal;
use countersign_core::topology::{
    Dependency, DependencyKind, Redundancy, SCHEMA, Service, Strength, System, Tier, Topology,
};
use serde_json::{Value, json};

/// The instant of every assessment here.
pub const NOW: &str = "2026-11-24T02:20:00Z";

/// A small generator of reproducible numbers (SplitMix64).
#[derive(Debug, Clone)]
pub struct Seed(pub u64);

impl Seed {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`.
    pub fn below(&mut self, end: usize) -> usize {
        (self.next() % end.max(1) as u64) as usize
    }

    /// A number below `end`, small ones far more often: a power law.
    pub fn low(&mut self, end: usize) -> usize {
        let share = (self.next() >> 11) as f64 / (1_u64 << 53) as f64;
        ((share.powi(3) * end as f64) as usize).min(end.saturating_sub(1))
    }
}

/// Systems of one service: two databases, eight application servers, thirty hosts in front.
const SERVICE_SYSTEMS: usize = 40;
const DATABASES: usize = 2;
const APP_SERVERS: usize = 8;
/// Hosts of one /24 segment.
const SEGMENT_HOSTS: usize = 200;

/// A topology of about `systems` systems with `per_system` dependencies each.
pub fn organisation(systems: usize, per_system: usize, seed: u64) -> Topology {
    let mut seed = Seed(seed);
    let segments = systems / SEGMENT_HOSTS;
    let shared = (systems / 500).max(4);
    let services = (systems - segments - shared) / SERVICE_SYSTEMS;
    let mut all: Vec<System> = Vec::with_capacity(systems);
    let address = |host: usize| {
        let host = u32::try_from(host / SEGMENT_HOSTS * 256 + host % SEGMENT_HOSTS + 1).unwrap();
        IpAddr::V4(Ipv4Addr::from(0x0a00_0000 + host))
    };
    let mut host = 0;
    let mut add = |id: String,
                   class: &str,
                   tier: Tier,
                   service: Option<String>,
                   group: Option<(String, u64)>| {
        all.push(System {
            addresses: BTreeSet::from([address(host)]),
            labels: BTreeMap::from([
                ("env".to_owned(), "prod".to_owned()),
                ("rack".to_owned(), format!("r{:04}", host / 40)),
            ]),
            redundancy: group.map(|(group, min_healthy)| Redundancy {
                group: GroupId::new(group).unwrap(),
                min_healthy,
            }),
            ..system(id, class, tier, service)
        });
        host += 1;
    };
    for n in 0..shared {
        add(
            format!("shared-{n:05}"),
            "directory",
            Tier::ProductionCritical,
            None,
            None,
        );
    }
    for service in 0..services {
        let tier = if service % 3 == 0 {
            Tier::ProductionCritical
        } else {
            Tier::NonCritical
        };
        for n in 0..SERVICE_SYSTEMS {
            let name = Some(format!("svc-{service:05}"));
            let (id, class, group) = role(service, n);
            add(id, class, tier, name, group);
        }
    }
    for n in 0..systems - segments - shared - services * SERVICE_SYSTEMS {
        add(
            format!("spare-{n:07}"),
            "workstation",
            Tier::NonCritical,
            None,
            None,
        );
    }
    for n in 0..segments {
        let network = Ipv4Addr::from(0x0a00_0000 + u32::try_from(n * 256).unwrap());
        all.push(System {
            cidr: Some(format!("{network}/24").parse().unwrap()),
            ..system(
                format!("seg-{n:05}"),
                "network-segment",
                Tier::NonCritical,
                None,
            )
        });
    }
    let mut dependencies = dependencies(services, shared, systems * per_system, &mut seed);
    dependencies.sort();
    dependencies.dedup();
    all.sort_by(|a, b| a.id.cmp(&b.id));
    Topology {
        schema: SCHEMA.to_owned(),
        observed_at: "2026-11-24T01:40:00Z".parse().unwrap(),
        source: "bench".to_owned(),
        services: (0..services)
            .map(|n| Service {
                id: ServiceId::new(format!("svc-{n:05}")).unwrap(),
                title: None,
                source: None,
                observed_at: None,
                tier: Some(if n % 3 == 0 {
                    Tier::ProductionCritical
                } else {
                    Tier::NonCritical
                }),
            })
            .collect(),
        systems: all,
        dependencies,
    }
}

fn system(id: String, class: &str, tier: Tier, service: Option<String>) -> System {
    // Read as a document is, so that a new optional field needs no change here.
    let mut value = json!({"id": id, "class": class, "tier": tier});
    if let Some(service) = service {
        value["service"] = json!(service);
    }
    serde_json::from_value(value).unwrap()
}

fn role(service: usize, n: usize) -> (String, &'static str, Option<(String, u64)>) {
    let group =
        |number: usize, min_healthy| Some((format!("g-{service:05}-{number}"), min_healthy));
    if n < DATABASES {
        (format!("db-{service:05}-{n}"), "database", None)
    } else if n < DATABASES + APP_SERVERS {
        (
            format!("app-{service:05}-{n:02}"),
            "app-server",
            group(0, 5),
        )
    } else {
        (
            format!("web-{service:05}-{n:02}"),
            "linux-server",
            group(1 + n % 3, 4),
        )
    }
}

fn dependencies(services: usize, shared: usize, wanted: usize, seed: &mut Seed) -> Vec<Dependency> {
    let mut all = Vec::with_capacity(wanted + services);
    let id = |service: usize, n: usize| role(service, n).0;
    for service in 0..services {
        all.push(depends(
            format!("svc-{service:05}"),
            id(service, DATABASES),
            DependencyKind::Runtime,
            Strength::Soft,
        ));
        for n in 0..SERVICE_SYSTEMS {
            if n >= DATABASES + APP_SERVERS {
                let app = DATABASES + seed.below(APP_SERVERS);
                all.push(depends(
                    id(service, n),
                    id(service, app),
                    DependencyKind::Runtime,
                    Strength::Hard,
                ));
            } else if n >= DATABASES {
                let mut credential = depends(
                    id(service, n),
                    id(service, n % DATABASES),
                    DependencyKind::Credential,
                    Strength::Hard,
                );
                credential.credential = Some(CredentialId::new(format!("svc_{service}")).unwrap());
                all.push(credential);
                all.push(depends(
                    id(service, n),
                    id(service, n % DATABASES),
                    DependencyKind::Data,
                    Strength::Hard,
                ));
            }
            all.push(depends(
                id(service, n),
                format!("shared-{:05}", seed.low(shared)),
                DependencyKind::Runtime,
                Strength::Hard,
            ));
        }
    }
    // The rest: applications that call the application servers of older services, softly.
    while all.len() < wanted {
        let service = 1 + seed.below(services - 1);
        let from = id(service, DATABASES + seed.below(SERVICE_SYSTEMS - DATABASES));
        let to = id(seed.low(service), DATABASES + seed.below(APP_SERVERS));
        let kind = if seed.below(2) == 0 {
            DependencyKind::Runtime
        } else {
            DependencyKind::Data
        };
        all.push(depends(from, to, kind, Strength::Soft));
    }
    all
}

/// A dependency.
pub fn depends(from: String, to: String, kind: DependencyKind, strength: Strength) -> Dependency {
    serde_json::from_value(json!({"from": from, "to": to, "kind": kind, "strength": strength}))
        .unwrap()
}

/// Systems that all need the first one, by `per_system` hard dependencies each on earlier ones:
/// the first is `deepest`. Names do not tell the layer.
pub fn pyramid(systems: usize, per_system: usize, seed: u64) -> (Topology, SystemId) {
    let mut seed = Seed(seed);
    let mut names: Vec<usize> = (0..systems).collect();
    for n in (1..systems).rev() {
        names.swap(n, seed.below(n + 1));
    }
    let id = |name: usize| format!("s{name:07}");
    let mut places = vec![0; systems];
    for (place, name) in names.iter().enumerate() {
        places[*name] = place;
    }
    let template = depends(
        "a".into(),
        "b".into(),
        DependencyKind::Runtime,
        Strength::Hard,
    );
    let mut dependencies = Vec::with_capacity(systems * per_system);
    for (name, place) in places.iter().enumerate() {
        let mut needed: Vec<usize> = (0..per_system.min(*place))
            .map(|_| names[seed.low(*place)])
            .collect();
        needed.sort_unstable();
        needed.dedup();
        dependencies.extend(needed.into_iter().map(|to| Dependency {
            from: id(name),
            to: id(to),
            ..template.clone()
        }));
    }
    let class = ClassId::new("linux-server").unwrap();
    let template = system("a".into(), "linux-server", Tier::NonCritical, None);
    let topology = Topology {
        schema: SCHEMA.to_owned(),
        observed_at: "2026-11-24T01:40:00Z".parse().unwrap(),
        source: "bench".to_owned(),
        services: Vec::new(),
        systems: (0..systems)
            .map(|name| System {
                id: SystemId::new(id(name)).unwrap(),
                class: class.clone(),
                ..template.clone()
            })
            .collect(),
        dependencies,
    };
    (topology, SystemId::new(id(names[0])).unwrap())
}

/// The sample organisation's shape: 1,240 Linux hosts, 640 of them payments in three groups.
pub fn northwind() -> Topology {
    let mut systems: Vec<Value> = Vec::new();
    for n in 1..=640 {
        systems.push(json!({"id": format!("pay-{n:04}"), "class": "linux-server", "tier": "production-critical",
            "service": "payments", "addresses": [format!("10.3{}.{}.{}", n % 3, n / 250, n % 250 + 1)],
            "labels": {"env": "prod"}, "redundancy": {"group": format!("pay-{}", n % 3), "min_healthy": 150}}));
    }
    for n in 1..=600 {
        systems.push(json!({"id": format!("web-{n:04}"), "class": "linux-server", "tier": "non-critical",
            "addresses": [format!("10.41.{}.{}", n / 250, n % 250 + 1)], "labels": {"env": "prod"}}));
    }
    systems.push(json!({"id": "seg-web", "class": "network-segment", "tier": "non-critical", "cidr": "10.41.0.0/16"}));
    let text = json!({"schema": SCHEMA, "observed_at": "2026-11-24T01:40:00Z", "source": "bench",
        "services": [{"id": "payments", "tier": "production-critical"}], "systems": systems,
        "dependencies": [{"from": "payments", "to": "pay-0001", "kind": "runtime", "strength": "soft"}]});
    document::topology(text.to_string()).unwrap().document
}

/// The topology as people write it.
pub fn yaml(topology: &Topology) -> String {
    let mut text = format!(
        "schema: {SCHEMA}\nobserved_at: 2026-11-24T01:40:00Z\nsource: bench\n\nservices:\n"
    );
    for service in &topology.services {
        writeln!(text, "  - {}", serde_json::to_string(service).unwrap()).unwrap();
    }
    text.push_str("\nsystems:\n");
    for system in &topology.systems {
        writeln!(text, "  - {}", serde_json::to_string(system).unwrap()).unwrap();
    }
    text.push_str("\ndependencies:\n");
    for dependency in &topology.dependencies {
        writeln!(
            text,
            "  - {{ from: {}, to: {}, kind: {}, {}strength: {} }}",
            dependency.from,
            dependency.to,
            dependency.kind.as_str(),
            dependency
                .credential
                .as_ref()
                .map_or(String::new(), |c| format!("credential: {c}, ")),
            if dependency.strength == Strength::Hard {
                "hard"
            } else {
                "soft"
            },
        )
        .unwrap();
    }
    text
}

/// An envelope with a rule for every kind of action.
pub fn envelope() -> Envelope {
    let rule = |id: &str, actions: Value| {
        json!({"id": id, "actions": actions,
            "targets": {"classes": ["linux-server", "app-server", "database", "network-segment", "workstation"],
                        "tiers": ["non-critical", "production-critical"]},
            "conditions": {"topology_age": {"max": "24h"}, "concurrent_operations": {"max": 3}},
            "rollout": {"canary": 2, "waves": ["50%"], "concurrency": 2, "health": ["up"], "breaker": {"failures": 0}},
            "rollback": {"within": "15m", "drilled_within": "92d"}})
    };
    let limits = |systems: u32| json!({"systems": systems, "services": 5, "segments": 2, "fraction_of_class": "0.25", "per": "24h"});
    let text = json!({
        "schema": "countersign/envelope/v1", "name": "bench", "version": 1,
        "authority": {"board": "board", "quorum": 3, "effective": "2026-11-01T00:00:00Z", "expires": "2027-01-30T00:00:00Z"},
        "agents": ["soc-agent"],
        "tiers": {
            "safety-critical": {"autonomy": "prohibited", "approval": {"quorum": 2, "roles": ["ot", "lead"]}},
            "production-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["lead"]}, "blast_radius": limits(10)},
            "non-critical": {"autonomy": "bounded", "approval": {"quorum": 1, "roles": ["lead"]}, "blast_radius": limits(200)}
        },
        "checks": {"up": {"kind": "http", "path": "/healthz", "expect": 200, "timeout": "2s"}},
        "rules": [
            rule("work", json!(["patch", "config-change", "service-restart", "process-kill"])),
            rule("network", json!(["firewall-rule", "network-isolate", "host-isolate"])),
            rule("access", json!(["credential-rotate", "account-disable", "acl-change", "file-quarantine"])),
        ]
    });
    document::envelope(text.to_string()).unwrap().document
}

/// Facts with which most checks pass.
pub fn history() -> History {
    let drills: Vec<Value> = ["patch", "host-isolate", "credential-rotate"]
        .into_iter()
        .flat_map(|action| {
            ["linux-server", "app-server", "database"].map(|class| {
                json!({"action": action, "class": class, "succeeded_at": "2026-10-20T10:00:00Z"})
            })
        })
        .collect();
    let text = json!({"envelope_authorised": true, "autonomy_suspended": false, "drills": drills,
        "detections": [{"rule": "vuln", "source": "scanner", "upstream": "x", "agents": ["soc-agent"],
                        "severity": "medium", "assessed": 100, "false_positives": 2}],
        "signals": [], "in_flight": [{"operation": "op-1", "systems": ["web-00007-20"]}], "recent": []});
    document::history(text.to_string()).unwrap().document
}

/// A proposal for `action` on `targets`.
pub fn proposal(action: Value, targets: Value) -> Proposal {
    let text = json!({
        "idempotency_key": "k", "agent": "soc-agent",
        "detection": {"id": "d", "rule": "vuln", "source": "scanner", "title": "t", "severity": "medium", "detected_at": "2026-11-24T02:14:00Z"},
        "action": action, "targets": targets, "expires_at": "2026-11-25T02:14:00Z"
    });
    document::proposal(text.to_string()).unwrap().document
}

/// Proposals of every kind of action on at most 50 targets of an [`organisation`].
pub fn local_proposals(topology: &Topology, number: usize, seed: u64) -> Vec<Proposal> {
    let mut seed = Seed(seed);
    let services = topology.services.len();
    let segments = topology.systems.iter().filter(|s| s.cidr.is_some()).count();
    (0..number)
        .map(|n| {
            let service = seed.below(services);
            let webs = |seed: &mut Seed| {
                let first = seed.below(services - 2);
                let number = 1 + seed.below(50);
                let ids: Vec<String> = (0..number)
                    .map(|k| role(first + k / 30, DATABASES + APP_SERVERS + k % 30).0)
                    .collect();
                json!({"systems": ids})
            };
            let database = json!({"systems": [role(service, 0).0]});
            let segment = format!("seg-{:05}", seed.below(segments));
            let range = |n: usize| format!("10.{}.{}.0/24", n / 256, n % 256);
            let credential = format!("svc_{service}");
            match n % 12 {
                0 => proposal(json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}}), webs(&mut seed)),
                1 => proposal(json!({"type": "config-change", "parameters": {"path": "/etc/x", "digest": "0".repeat(64)}}), webs(&mut seed)),
                2 => proposal(json!({"type": "service-restart", "parameters": {"service": "x"}}), json!({"systems": [role(service, DATABASES).0]})),
                3 => proposal(json!({"type": "process-kill", "parameters": {"process": "x"}}), webs(&mut seed)),
                4 => proposal(
                    json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": range(seed.below(segments)), "to": range(seed.below(segments)), "service": "any"}}),
                    json!({"systems": [segment]}),
                ),
                5 => proposal(json!({"type": "network-isolate"}), json!({"systems": [segment]})),
                6 => proposal(json!({"type": "host-isolate"}), webs(&mut seed)),
                7 => proposal(json!({"type": "credential-rotate", "parameters": {"credential": credential}}), database),
                8 => proposal(json!({"type": "account-disable", "parameters": {"account": credential}}), database),
                9 => proposal(json!({"type": "acl-change", "parameters": {"resource": "x", "principal": credential, "change": "deny"}}), database),
                10 => proposal(json!({"type": "file-quarantine", "parameters": {"path": "/tmp/x", "digest": "0".repeat(64)}}), webs(&mut seed)),
                _ => proposal(
                    json!({"type": "patch", "parameters": {"package": "openssl", "to_version": "3"}}),
                    json!({"selector": {"class": "linux-server", "labels": {"rack": format!("r{:04}", seed.below(topology.systems.len() / 50))}}}),
                ),
            }
        })
        .collect()
}
