//! 4.5: scope, what is in flight and what ran within the period stay within the tier's limits.

use serde_json::{Value, json};

use crate::world::{Case, case, webs};

fn of(why: &'static str) -> Case {
    case("4.5", why)
}

fn ran(case: Case, systems: &[String], finished_at: &str) -> Case {
    case.set(
        "history/recent",
        json!([{"operation": "earlier", "systems": systems, "finished_at": finished_at}]),
    )
}

fn in_flight(case: Case, systems: &[String]) -> Case {
    case.set(
        "history/in_flight",
        json!([{"operation": "now", "systems": systems}]),
    )
}

fn names(stem: &str, number: u32) -> Vec<String> {
    (1..=number).map(|n| format!("{stem}-{n:02}")).collect()
}

/// A limit of the non-critical tier.
fn limit(case: Case, what: &str, value: Value) -> Case {
    case.set(
        &format!("envelope/tiers/non-critical/blast_radius/{what}"),
        value,
    )
}

/// A database and an application of two services as targets, in scope `production-critical`.
fn two_services(why: &'static str) -> Case {
    of(why)
        .any_share()
        .set(
            "topology/services/-",
            json!({"id": "billing", "tier": "production-critical"}),
        )
        .set("topology/systems/31/service", json!("billing"))
        .on("app-server", &["app-1", "app-2"])
}

const RECENTLY: &str = "2026-11-24T02:00:00Z";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        of("half of the class is within a half").on_webs(1, 15),
        of("one more than half is not")
            .on_webs(1, 16)
            .blocks("4.5")
            .says("4.5", "16 of 30 linux-server; the limit is 0.5"),
        limit(of("three of thirty are exactly a tenth"), "fraction_of_class", json!("0.1")),
        limit(of("compared exactly, not rounded"), "fraction_of_class", json!("0.0999999999999999999999999999"))
            .blocks("4.5"),
        limit(of("a third that no decimal holds"), "fraction_of_class", json!("0.3333333333333333333333333333"))
            .on_webs(1, 10)
            .blocks("4.5"),
        of("the whole class is within one")
            .set("envelope/tiers/production-critical/blast_radius/fraction_of_class", json!("1"))
            .on("database", &["db-1"]),
        of("a class of one is touched whole").on("database", &["db-1"]).blocks("4.5"),
        of("each class in scope is held to its share, dependents too")
            .depends("ws-1", "web-01", "runtime", "hard")
            .depends("ws-2", "web-01", "runtime", "hard")
            .blocks("4.3 4.5")
            .says("4.5", "2 of 2 workstation"),
        ran(of("what ran on a class outside the scope is not held to a share"), &names("ws", 2), RECENTLY),
        ran(of("what ran counts towards the share of its class"), &webs(4, 16), RECENTLY)
            .blocks("4.5")
            .says("4.5", "16 of 30 linux-server"),
        ran(of("what ran counts up to the share"), &webs(4, 15), RECENTLY),
        of("the class is counted over any tier")
            .set("topology/systems/29/tier", json!("production-critical"))
            .set("topology/systems/28/tier", json!("production-critical"))
            .on_webs(1, 15),
        of("twenty are within twenty").any_share().on_webs(1, 20).scope(20, 0, 0),
        of("twenty-one are not")
            .any_share()
            .on_webs(1, 21)
            .blocks("4.5")
            .says("4.5", "21 systems; the limit is 20"),
        limit(of("three within three"), "systems", json!(3)),
        limit(of("three are beyond two"), "systems", json!(2)).blocks("4.5"),
        limit(of("a limit of none"), "systems", json!(0)).blocks("4.5"),
        limit(of("an absent limit does not bind").any_share().on_webs(1, 30), "systems", Value::Null),
        ran(of("slices of the period count").any_share(), &webs(10, 30), "2026-11-23T02:20:00Z").blocks("4.5"),
        ran(of("those a second before the period do not").any_share(), &webs(10, 30), "2026-11-23T02:19:59Z"),
        ran(of("seventeen more within the period").any_share(), &webs(14, 30), RECENTLY),
        ran(of("eighteen more within the period").any_share(), &webs(13, 30), RECENTLY).blocks("4.5"),
        limit(ran(of("a shorter period forgets sooner").any_share(), &webs(10, 30), "2026-11-24T01:19:59Z"), "per", json!("1h")),
        in_flight(of("seventeen more in flight").any_share(), &webs(14, 30)),
        in_flight(of("eighteen more in flight").any_share(), &webs(13, 30)).blocks("4.5"),
        in_flight(ran(of("in flight and finished add up").any_share(), &webs(4, 12), RECENTLY), &webs(13, 21))
            .blocks("4.5")
            .says("4.5", "21 systems"),
        in_flight(ran(of("one system in flight and finished is one").any_share(), &webs(4, 20), RECENTLY), &webs(4, 20)),
        in_flight(of("a target in flight is one").any_share(), &webs(1, 20)),
        of("one system in two operations is one").any_share().set(
            "history/recent",
            json!([{"operation": "a", "systems": webs(4, 20), "finished_at": RECENTLY},
                   {"operation": "b", "systems": webs(4, 20), "finished_at": "2026-11-24T01:00:00Z"}]),
        ),
        in_flight(of("systems that the topology lacks count as critical").any_share(), &names("gone", 18)).blocks("4.5"),
        in_flight(of("and are counted to the limit").any_share(), &names("gone", 17)),
        in_flight(of("systems of a higher tier count").any_share(), &names("app", 2))
            .set("envelope/tiers/non-critical/blast_radius/systems", json!(4))
            .blocks("4.5"),
        in_flight(of("systems of a lower tier do not"), &webs(1, 20))
            .set("topology/systems/2/tier", json!("production-critical"))
            .on("linux-server", &["web-03"])
            .tier("production-critical"),
        of("the limits are those of the scope's tier")
            .set("topology/systems/0/tier", json!("production-critical"))
            .on_webs(1, 11)
            .blocks("4.5")
            .says("4.5", "11 systems; the limit is 10"),
        of("up to them it passes")
            .set("topology/systems/0/tier", json!("production-critical"))
            .on_webs(1, 10)
            .tier("production-critical"),
        of("a dependent that raises the tier brings its limits")
            .set("envelope/tiers/production-critical/blast_radius/systems", json!(3))
            .any_share()
            .depends("app-1", "web-01", "runtime", "hard")
            .blocks("4.3 4.5")
            .tier("production-critical"),
        two_services("two services are beyond one")
            .blocks("4.5")
            .scope(2, 2, 0)
            .says("4.5", "2 services; the limit is 1"),
        two_services("two services within two")
            .set("envelope/tiers/production-critical/blast_radius/services", json!(2)),
        two_services("two systems of one service are one")
            .set("topology/systems/31/service", json!("shop"))
            .scope(2, 1, 0),
        in_flight(two_services("a service in flight counts").on("app-server", &["app-1"]), &["app-2".to_owned()])
            .blocks("4.5")
            .says("4.5", "2 services"),
        of("a segment is beyond none")
            .any_share()
            .does("network-isolate", Value::Null)
            .on("network-segment", &["seg-a"])
            .set("topology/dependencies", json!([]))
            .blocks("4.5")
            .says("4.5", "1 segment; the limit is 0"),
        of("two empty segments within two")
            .any_share()
            .does("network-isolate", Value::Null)
            .set("topology/systems/35/cidr", json!("10.70.0.0/24"))
            .set("topology/systems/36/cidr", json!("10.71.0.0/24"))
            .on("network-segment", &["seg-a", "seg-b"])
            .scope(2, 0, 2),
        of("a segment that ran within the period counts")
            .any_share()
            .does("network-isolate", Value::Null)
            .set("topology/systems/35/cidr", json!("10.70.0.0/24"))
            .set("topology/systems/36/cidr", json!("10.71.0.0/24"))
            .on("network-segment", &["seg-a"])
            .set("envelope/tiers/non-critical/blast_radius/segments", json!(1))
            .set("history/recent", json!([{"operation": "o", "systems": ["seg-b"], "finished_at": RECENTLY}]))
            .blocks("4.5")
            .says("4.5", "2 segments; the limit is 1"),
        of("several limits exceeded are all told")
            .on_webs(1, 21)
            .blocks("4.5")
            .says("4.5", "21 systems")
            .says("4.5", "21 of 30 linux-server"),
        of("no limits for the tier")
            .remove("envelope/tiers/non-critical/blast_radius")
            .blocks("4.5?"),
        of("nobody knows what ran").remove("history/recent").blocks("4.5?"),
        of("nobody knows what ran, and it is too much already")
            .remove("history/recent")
            .on_webs(1, 16)
            .blocks("4.5"),
        of("nobody knows anything")
            .without_history()
            .blocks("4.1? 4.5? 4.6? 4.10? 4.11?"),
    ]
}
