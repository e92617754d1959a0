//! 4.3 and 4.5, what the kinds of action that separate networks disrupt and cut (DESIGN §4).

use serde_json::{Value, json};

use crate::world::{Case, case};

fn granted(case: Case, class: &str, targets: &[&str]) -> Case {
    case.on(class, targets)
        .any_share()
        .set(
            "envelope/tiers/production-critical/blast_radius/segments",
            json!(9),
        )
        .set(
            "envelope/tiers/production-critical/blast_radius/services",
            json!(9),
        )
        .set(
            "envelope/tiers/non-critical/blast_radius/segments",
            json!(9),
        )
        .set(
            "envelope/tiers/non-critical/blast_radius/services",
            json!(9),
        )
        .set(
            "envelope/tiers/production-critical/blast_radius/systems",
            json!(99),
        )
        .set(
            "envelope/tiers/non-critical/blast_radius/systems",
            json!(99),
        )
}

/// A drop between two ranges, aimed at segments.
fn block(why: &'static str, from: &str, to: &str, targets: &[&str]) -> Case {
    granted(case("4.3", why), "network-segment", targets).does(
        "firewall-rule",
        json!({"verdict": "drop", "from": from, "to": to, "service": "any"}),
    )
}

fn isolate_network(why: &'static str, targets: &[&str]) -> Case {
    granted(case("4.3", why), "network-segment", targets).does("network-isolate", Value::Null)
}

fn isolate_host(why: &'static str, class: &str, target: &str) -> Case {
    granted(case("4.3", why), class, &[target]).does("host-isolate", Value::Null)
}

fn segment(case: Case, id: &str, range: &str) -> Case {
    case.set(
        "topology/systems/-",
        json!({"id": id, "class": "network-segment", "tier": "non-critical", "cidr": range}),
    )
}

const A: &str = "10.40.0.0/24";
const B: &str = "10.40.1.0/24";

/// The applications stop needing the database.
fn apart(case: Case) -> Case {
    case.set("topology/dependencies", json!([]))
}

/// A drop of what `from` opens, aimed at both segments.
fn one_way(why: &'static str, from: &str, to: &str) -> Case {
    block(why, from, to, &["seg-a", "seg-b"])
        .set("proposal/action/parameters/direction", json!("one-way"))
}

/// A drop of `rule` where `app-1` needs `dependency` of `db-1`.
fn of_service(why: &'static str, rule: &str, dependency: &str) -> Case {
    apart(block(why, A, B, &["seg-a", "seg-b"]))
        .set("proposal/action/parameters/service", json!(rule))
        .set(
            "topology/dependencies/-",
            json!({"from": "app-1", "to": "db-1", "kind": "runtime", "strength": "hard", "service": dependency}),
        )
}

pub(crate) fn cases() -> Vec<Case> {
    let other_kind =
        |verdict: &str| json!({"verdict": verdict, "from": A, "to": B, "service": "tcp/5432"});
    vec![
        block(
            "a rule between who needs and what is needed",
            A,
            B,
            &["seg-a", "seg-b"],
        )
        .blocks("4.3")
        .scope(5, 1, 2)
        .tier("production-critical")
        .impact(&["app-1"], &["app-2"]),
        block("it separates in both directions", B, A, &["seg-a", "seg-b"])
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        block("a reject separates too", A, B, &["seg-a"])
            .set("proposal/action/parameters", other_kind("reject"))
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        block("a denied service separates too", A, B, &["seg-a"])
            .set("proposal/action/parameters", other_kind("deny"))
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        block(
            "`from` and `to` count as targeted segments",
            A,
            B,
            &["seg-a"],
        )
        .blocks("4.3")
        .scope(5, 1, 2),
        one_way(
            "connections that the database's side opens are not those of its users",
            A,
            B,
        )
        .scope(5, 1, 2)
        .impact(&[], &[]),
        one_way("connections that the users' side opens are", B, A)
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        one_way("who stands on both sides opens them from its own", A, B)
            .set(
                "topology/systems/31/addresses",
                json!(["10.40.0.9", "10.40.1.1"]),
            )
            .impact(&[], &[]),
        apart(one_way("data may be sent by who has them", A, B))
            .depends("app-1", "db-1", "data", "hard")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        apart(one_way("or fetched from a port of its own", A, B))
            .set(
                "topology/dependencies/-",
                json!({"from": "app-1", "to": "db-1", "kind": "data", "strength": "hard", "service": "tcp/5432"}),
            )
            .impact(&[], &[]),
        apart(one_way("control may begin on either side", A, B))
            .set(
                "topology/dependencies/-",
                json!({"from": "app-1", "to": "db-1", "kind": "control", "strength": "hard", "service": "tcp/502"}),
            )
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("a rule for another port leaves it alone", "tcp/445", "tcp/5432")
            .impact(&[], &[]),
        of_service("a rule for its port cuts it", "tcp/5432", "tcp/5432")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("a rule for the other protocol leaves it alone", "udp/5432", "tcp/5432")
            .impact(&[], &[]),
        of_service("a rule for any traffic cuts every port", "any", "tcp/5432")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("a name may mean its port", "postgresql", "tcp/5432")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("its name may mean the rule's port", "tcp/445", "smb")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("two names may mean one port", "microsoft-ds", "smb")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("a range of ports is no exact port", "tcp/1-9999", "tcp/5432")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        of_service("nor is one with a leading zero", "tcp/0445", "tcp/5432")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        apart(block(
            "what nobody needs may be cut",
            A,
            B,
            &["seg-a", "seg-b"],
        ))
        .scope(5, 1, 2)
        .impact(&[], &[]),
        apart(block(
            "what is inside is in scope, on both sides",
            B,
            "10.31.0.0/24",
            &["seg-b"],
        ))
        .blocks("4.9")
        .remove("envelope/rules/0/rollout/canary")
        .scope(33, 1, 2),
        apart(block(
            "a single address on one side",
            "10.40.0.1/32",
            "10.40.1.1/32",
            &["seg-a"],
        ))
        .scope(3, 1, 3),
        block(
            "a single address that one of two needs it from",
            "10.40.0.1/32",
            "10.40.1.2/32",
            &["seg-a"],
        )
        .scope(3, 1, 4)
        .impact(&[], &["app-2"]),
        apart(block(
            "a PLC inside, whatever the label of the segment",
            A,
            "10.60.0.0/16",
            &["seg-a"],
        ))
        .blocks("4.5? 4.7")
        .tier("safety-critical")
        .quorum(2, &["lead", "ot"]),
        apart(block(
            "a PLC one address beside the range",
            A,
            "10.60.0.2/31",
            &["seg-a"],
        )),
        apart(block(
            "a system of two addresses is inside by the second",
            A,
            "10.99.0.0/24",
            &["seg-a"],
        ))
        .set(
            "topology/systems/37/addresses",
            json!(["10.60.0.1", "10.99.0.7"]),
        )
        .blocks("4.5? 4.7"),
        apart(block("IPv6", A, "2001:db8:1::/48", &["seg-a"]))
            .set("topology/systems/37/addresses", json!(["2001:db8:1::7"]))
            .blocks("4.5? 4.7"),
        apart(block(
            "IPv6 beside the range",
            A,
            "2001:db8:1::/48",
            &["seg-a"],
        ))
        .set("topology/systems/37/addresses", json!(["2001:db8:2::7"])),
        block(
            "IPv6 dependencies are separated",
            "2001:db8:a::/48",
            "2001:db8:b::/48",
            &["seg-a"],
        )
        .set("topology/systems/30/addresses", json!(["2001:db8:a::1"]))
        .set("topology/systems/31/addresses", json!(["2001:db8:b::1"]))
        .blocks("4.3")
        .impact(&["app-1"], &[]),
        isolate_network("an isolated segment loses who needs it outside", &["seg-a"])
            .blocks("4.3")
            .scope(3, 1, 2)
            .impact(&["app-1"], &["app-2"]),
        isolate_network(
            "an isolated segment loses what it needs outside",
            &["seg-b"],
        )
        .blocks("4.3")
        .scope(3, 1, 2)
        .impact(&["app-1"], &["app-2"]),
        segment(
            isolate_network("what stays inside is not cut", &["wide"]),
            "wide",
            "10.40.0.0/16",
        )
        .scope(6, 1, 1)
        .impact(&[], &[]),
        segment(
            isolate_network("segments inside a segment are in scope", &["wide"]),
            "wide",
            "10.40.0.0/16",
        )
        .set("topology/systems/35/tier", json!("production-critical"))
        .scope(6, 1, 1)
        .tier("production-critical"),
        segment(
            isolate_network(
                "each of two targeted segments is cut from the other",
                &["wide", "seg-a"],
            ),
            "wide",
            "10.40.0.0/16",
        )
        .blocks("4.3")
        .impact(&["app-1"], &["app-2"]),
        isolate_network(
            "a service on both sides of the cut is disrupted",
            &["seg-a"],
        )
        .set("topology/dependencies", json!([]))
        .depends("ws-1", "shop", "runtime", "hard")
        .blocks("4.3")
        .impact(&["ws-1"], &[]),
        apart(isolate_network(
            "a segment that nobody needs anything of",
            &["seg-a"],
        ))
        .scope(2, 1, 1)
        .impact(&[], &[]),
        isolate_host("a host that others need", "database", "db-1")
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        isolate_host("a host that needs others", "app-server", "app-1")
            .blocks("4.3")
            .impact(&["app-1"], &[]),
        isolate_host("a host that is worse without others", "app-server", "app-2")
            .impact(&[], &["app-2"]),
        isolate_host("a host that nobody needs", "workstation", "ws-1")
            .scope(1, 0, 0)
            .impact(&[], &[]),
        isolate_host(
            "the segments at both ends of what is cut",
            "app-server",
            "app-2",
        )
        .scope(1, 1, 2),
    ]
}
