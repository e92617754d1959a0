//! 4.3: no hard dependent is disrupted, as far as a fresh enough topology tells.

use serde_json::json;

use crate::world::{Case, case};

fn of(why: &'static str) -> Case {
    case("4.3", why)
}

/// `from` depends on `web-01`, which is patched.
fn needs(why: &'static str, from: &str, kind: &str, strength: &str) -> Case {
    of(why).depends(from, "web-01", kind, strength)
}

/// The topology is two days old, and these of its parts are of an hour ago.
fn seen_since(why: &'static str, parts: &[&str]) -> Case {
    parts.iter().fold(
        of(why).set("topology/observed_at", json!("2026-11-22T01:30:00Z")),
        |case, part| {
            case.set(
                &format!("{part}/observed_at"),
                json!("2026-11-24T01:20:00Z"),
            )
        },
    )
}

const TARGETS: [&str; 3] = [
    "topology/systems/0",
    "topology/systems/1",
    "topology/systems/2",
];

pub(crate) fn cases() -> Vec<Case> {
    vec![
        seen_since("parts of the neighbourhood that were seen since", &TARGETS),
        seen_since("one part that was not", &TARGETS[..2])
            .blocks("4.3?")
            .says("4.3", "the topology is 2 days old; the limit is 1d"),
        of("one part that is older than the rest")
            .set("topology/systems/1/observed_at", json!("2026-11-22T01:30:00Z"))
            .blocks("4.3?")
            .says("4.3", "what is known of web-02 is 2 days old; the limit is 1d"),
        of("an old part elsewhere").set("topology/systems/9/observed_at", json!("2026-11-01T00:00:00Z")),
        of("a part from the future")
            .set("topology/systems/1/observed_at", json!("2026-11-24T02:20:01Z"))
            .blocks("4.3?")
            .says("4.3", "what is known of web-02 is from the future"),
        of("a part from the future elsewhere")
            .set("topology/systems/9/observed_at", json!("2026-11-24T02:20:01Z")),
        seen_since("an old dependency of a target", &TARGETS)
            .set(
                "topology/dependencies/-",
                json!({"from": "ws-1", "to": "web-01", "kind": "credential", "credential": "c", "strength": "soft",
                       "observed_at": "2026-11-20T00:00:00Z"}),
            )
            .blocks("4.3?")
            .says("4.3", "what is known of ws-1 needing web-01 is 4 days old"),
        seen_since("an old segment around a target", &TARGETS)
            .set(
                "topology/systems/-",
                json!({"id": "seg-w", "class": "network-segment", "tier": "non-critical", "cidr": "10.31.0.0/24",
                       "observed_at": "2026-11-20T00:00:00Z"}),
            )
            .blocks("4.3?"),
        seen_since("an old member of a target's group", &TARGETS)
            .set("topology/systems/0/redundancy", json!({"group": "g", "min_healthy": 0}))
            .set("topology/systems/9/redundancy", json!({"group": "g", "min_healthy": 0}))
            .blocks("4.3?"),
        needs("a hard dependent to run", "ws-1", "runtime", "hard")
            .blocks("4.3")
            .scope(4, 0, 0),
        needs("a hard dependent for data", "ws-1", "data", "hard").blocks("4.3"),
        needs("a hard dependent for control", "ws-1", "control", "hard").blocks("4.3"),
        of("who only authenticates is not disrupted by a patch")
            .uses("ws-1", "web-01", "c", "hard")
            .scope(3, 0, 0)
            .impact(&["web-01", "web-02", "web-03"], &[]),
        needs(
            "a soft dependent is only degraded",
            "ws-1",
            "runtime",
            "soft",
        )
        .scope(3, 0, 0)
        .impact(&["web-01", "web-02", "web-03"], &["ws-1"]),
        needs(
            "a soft dependent does not raise the tier",
            "db-1",
            "data",
            "soft",
        )
        .scope(3, 0, 0)
        .tier("non-critical")
        .impact(&["web-01", "web-02", "web-03"], &["db-1"]),
        needs(
            "what depends on the degraded is not reached",
            "ws-1",
            "runtime",
            "soft",
        )
        .depends("ws-2", "ws-1", "runtime", "hard")
        .impact(&["web-01", "web-02", "web-03"], &["ws-1"]),
        needs(
            "a dependent that is a target is worked on in its turn",
            "web-02",
            "runtime",
            "hard",
        ),
        needs(
            "who authenticates to a target that is a dependent loses it",
            "web-02",
            "runtime",
            "hard",
        )
        .uses("ws-1", "web-02", "c", "hard")
        .blocks("4.3")
        .impact(&["web-01", "web-02", "web-03", "ws-1"], &[]),
        needs("a degraded PLC", "plc-1", "runtime", "soft").blocks("4.3"),
        needs(
            "a degraded system without a tier is safety-critical",
            "ws-1",
            "data",
            "soft",
        )
        .remove("topology/systems/33/tier")
        .blocks("4.3"),
        needs(
            "a degraded production system is none",
            "app-1",
            "data",
            "soft",
        ),
        needs("a PLC far behind", "ws-1", "runtime", "hard")
            .depends("plc-1", "ws-1", "control", "hard")
            .blocks("4.3 4.5? 4.7")
            .tier("safety-critical")
            .quorum(2, &["lead", "ot"]),
        needs(
            "after the first hop a credential propagates too",
            "ws-1",
            "runtime",
            "hard",
        )
        .uses("ws-2", "ws-1", "c", "hard")
        .any_share()
        .blocks("4.3")
        .impact(&["web-01", "web-02", "web-03", "ws-1", "ws-2"], &[]),
        needs(
            "a soft dependent of a dependent is degraded",
            "ws-1",
            "runtime",
            "hard",
        )
        .depends("ws-2", "ws-1", "data", "soft")
        .blocks("4.3")
        .impact(&["web-01", "web-02", "web-03", "ws-1"], &["ws-2"]),
        needs("down outweighs degraded", "ws-1", "runtime", "hard")
            .depends("ws-1", "web-02", "data", "soft")
            .blocks("4.3")
            .impact(&["web-01", "web-02", "web-03", "ws-1"], &[]),
        needs("a service is a dependent", "shop", "runtime", "hard")
            .blocks("4.3")
            .scope(3, 1, 0)
            .tier("production-critical")
            .impact(&["shop", "web-01", "web-02", "web-03"], &[]),
        needs("a service that is only degraded", "shop", "runtime", "soft")
            .scope(3, 0, 0)
            .impact(&["web-01", "web-02", "web-03"], &["shop"]),
        needs("through a service to a system", "shop", "runtime", "hard")
            .depends("ws-1", "shop", "runtime", "hard")
            .blocks("4.3")
            .impact(&["shop", "web-01", "web-02", "web-03", "ws-1"], &[]),
        needs("a ring of dependencies ends", "ws-1", "runtime", "hard")
            .depends("app-1", "ws-1", "runtime", "hard")
            .depends("web-01", "app-1", "runtime", "hard")
            .blocks("4.3")
            .scope(5, 1, 0)
            .impact(&["app-1", "web-01", "web-02", "web-03", "ws-1"], &[]),
        needs(
            "targets that need each other in a ring are excused",
            "web-02",
            "runtime",
            "hard",
        )
        .depends("web-02", "web-03", "runtime", "hard")
        .depends("web-03", "web-01", "runtime", "hard")
        .depends("web-01", "web-02", "runtime", "hard"),
        of("a target that needs what is not touched")
            .depends("web-01", "db-1", "data", "hard")
            .scope(3, 0, 0),
        far_behind(),
        of("a topology as old as it may be")
            .set("topology/observed_at", json!("2026-11-23T02:20:00Z")),
        of("a topology a second older")
            .set("topology/observed_at", json!("2026-11-23T02:19:59Z"))
            .blocks("4.3?"),
        of("a topology of now").set("topology/observed_at", json!("2026-11-24T02:20:00Z")),
        of("a topology from the future")
            .set("topology/observed_at", json!("2026-11-24T02:20:01Z"))
            .blocks("4.3?"),
        of("an old topology where no age is asked for")
            .remove("envelope/rules/0/conditions/topology_age")
            .set("topology/observed_at", json!("2025-11-23T02:19:59Z")),
        of("one from the future even where no age is asked for")
            .remove("envelope/rules/0/conditions/topology_age")
            .set("topology/observed_at", json!("2026-11-24T02:20:01Z"))
            .blocks("4.3?"),
        needs(
            "a disrupted dependent outweighs an old topology",
            "ws-1",
            "runtime",
            "hard",
        )
        .set("topology/observed_at", json!("2026-11-23T02:19:59Z"))
        .blocks("4.3"),
    ]
}

/// A chain of 27 systems behind `web-01`, and a PLC at its end.
fn far_behind() -> Case {
    let mut case = needs("no depth limit", "web-30", "runtime", "hard");
    for n in 5..=30 {
        let (from, to) = (format!("web-{:02}", n - 1), format!("web-{n:02}"));
        case = case.depends(&from, &to, "data", "hard");
    }
    case.depends("plc-1", "web-04", "control", "hard")
        .any_share()
        .blocks("4.3 4.5? 4.7")
        .scope(31, 0, 0)
}
