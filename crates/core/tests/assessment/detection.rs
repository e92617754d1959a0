//! 4.11: the detection is registered, fresh, rarely false, and independent sources saw it too.

use serde_json::{Value, json};

use crate::world::{Case, case, webs};

fn of(why: &'static str) -> Case {
    case("4.11", why)
}

/// A signal about all three targets within the time asked for.
fn signal(source: &str, upstream: &str) -> Value {
    json!({"source": source, "upstream": upstream, "systems": webs(1, 3), "observed_at": "2026-11-24T02:05:00Z"})
}

fn about(source: &str, upstream: &str, systems: &[&str]) -> Value {
    json!({"source": source, "upstream": upstream, "systems": systems, "observed_at": "2026-11-24T02:05:00Z"})
}

/// `wanted` independent sources, and these signals.
fn wanted(why: &'static str, number: u32, signals: Value) -> Case {
    of(why)
        .set(
            "envelope/rules/0/conditions/corroboration/independent_sources",
            json!(number),
        )
        .set("history/signals", signals)
}

fn observed(why: &'static str, at: &str) -> Case {
    of(why).set("history/signals/0/observed_at", json!(at))
}

fn detected(why: &'static str, at: &str) -> Case {
    of(why).set("proposal/detection/detected_at", json!(at))
}

fn outcomes(why: &'static str, assessed: u64, false_positives: u64) -> Case {
    of(why)
        .set("history/detections/0/assessed", json!(assessed))
        .set(
            "history/detections/0/false_positives",
            json!(false_positives),
        )
}

/// A segment is isolated; the signal is about these systems.
fn segment(why: &'static str, seen: &[&str]) -> Case {
    of(why)
        .any_share()
        .does("network-isolate", Value::Null)
        .set("topology/systems/35/cidr", json!("10.50.0.0/31"))
        .set(
            "topology/systems/34/addresses",
            json!(["10.50.0.2", "2001:db8::2"]),
        )
        .on("network-segment", &["seg-a"])
        .set("history/signals/0/systems", json!(seen))
}

pub(crate) fn cases() -> Vec<Case> {
    let without_corroboration =
        |case: Case| case.remove("envelope/rules/0/conditions/corroboration");
    let benign = |case: Case| {
        case.set(
            "history/detections/0/benign_patterns",
            json!(["nightly scan", "backup"]),
        )
    };
    vec![
        of("not registered").set("history/detections", json!([])).blocks("4.11"),
        of("registered for another agent")
            .set("history/detections/0/agents", json!(["other"]))
            .blocks("4.11"),
        of("registered for one of two agents")
            .set("history/detections/0/agents", json!(["other", "soc-agent"])),
        of("registered for another source")
            .set("history/detections/0/source", json!("other"))
            .blocks("4.11"),
        of("another rule of the source")
            .set("history/detections/0/rule", json!("other"))
            .blocks("4.11"),
        of("nobody knows what is registered").remove("history/detections").blocks("4.11?"),
        without_corroboration(of("registered even where no corroboration is asked for"))
            .set("history/detections", json!([]))
            .blocks("4.11"),
        without_corroboration(of("without the condition no signal is needed"))
            .set("history/signals", json!([])),
        without_corroboration(of("without the condition unknown signals do not matter"))
            .remove("history/signals"),
        of("no signals known").remove("history/signals").blocks("4.11?"),
        of("no signals").set("history/signals", json!([])).blocks("4.11"),
        of("one target without a signal")
            .set("history/signals/0/systems", json!(["web-01", "web-02"]))
            .blocks("4.11")
            .says("4.11", "web-03"),
        of("each target by a source of its own").set(
            "history/signals",
            json!([about("sbom", "own", &["web-01"]), about("edr", "kernel", &["web-02"]), about("ids", "tap", &["web-03"])]),
        ),
        of("the agent's own signals do not count")
            .set("history/signals", json!([]))
            .set(
                "proposal/detection/signals",
                json!([{"source": "sbom", "kind": "k", "observed_at": "2026-11-24T02:05:00Z", "summary": "s"}]),
            )
            .blocks("4.11"),
        of("the detection's own source")
            .set("history/signals/0/source", json!("scanner"))
            .blocks("4.11"),
        of("the detection's own upstream")
            .set("history/signals/0/upstream", json!("x"))
            .blocks("4.11"),
        observed("a signal exactly as long before", "2026-11-24T01:59:00Z"),
        observed("a signal a second longer before", "2026-11-24T01:58:59Z").blocks("4.11"),
        observed("a signal after the detection", "2026-11-24T02:19:00Z"),
        observed("a signal of now", "2026-11-24T02:20:00Z"),
        observed("a signal after now", "2026-11-24T02:20:01Z").blocks("4.11"),
        observed("a signal exactly as long after", "2026-11-24T02:15:00Z")
            .set("envelope/rules/0/conditions/corroboration/within", json!("6m"))
            .set("proposal/detection/detected_at", json!("2026-11-24T02:14:00Z"))
            .set("history/signals/0/observed_at", json!("2026-11-24T02:20:00Z")),
        detected("a detection of now", "2026-11-24T02:20:00Z"),
        detected("a detection from the future", "2026-11-24T02:20:01Z").blocks("4.11"),
        without_corroboration(detected("one from the future where no corroboration is asked for", "2026-11-24T02:20:01Z"))
            .blocks("4.11"),
        detected("a detection exactly as old as it may be", "2026-11-24T02:05:00Z"),
        detected("a detection a second older", "2026-11-24T02:04:59Z").blocks("4.11"),
        without_corroboration(detected("an old one where no corroboration is asked for", "2026-11-01T02:04:59Z")),
        wanted("two sources of one upstream are one", 2, json!([signal("a", "own"), signal("b", "own")])).blocks("4.11"),
        wanted("one source of two upstreams is one", 2, json!([signal("a", "own"), signal("a", "else")])).blocks("4.11"),
        wanted("two sources of two upstreams are two", 2, json!([signal("a", "own"), signal("b", "else")])),
        wanted("one that repeats itself is one", 2, json!([signal("a", "own"), about("a", "own", &["web-01", "web-02", "web-03", "ws-1"])])).blocks("4.11"),
        wanted(
            "a maximum matching, not a greedy one",
            2,
            json!([signal("a", "p"), signal("a", "q"), signal("b", "p")]),
        ),
        wanted(
            "a chain of three that greed would break",
            3,
            json!([signal("a", "p"), signal("a", "q"), signal("b", "p"), signal("b", "r"), signal("c", "p")]),
        ),
        wanted(
            "three sources share two upstreams",
            3,
            json!([signal("a", "p"), signal("b", "p"), signal("b", "q"), signal("c", "p"), signal("c", "q")]),
        )
        .blocks("4.11"),
        wanted("two sources, but not about each target", 2, json!([signal("a", "p"), about("b", "q", &["web-01", "web-02"])])).blocks("4.11"),
        outcomes("five of a hundred are within", 100, 5),
        outcomes("six are not", 100, 6).blocks("4.11"),
        outcomes("one of twenty is exactly a twentieth", 20, 1),
        outcomes("two of twenty are not", 20, 2).blocks("4.11"),
        outcomes("nineteen outcomes say nothing", 19, 0).blocks("4.11?"),
        outcomes("nineteen outcomes, all false, say nothing either", 19, 19).blocks("4.11?"),
        outcomes("none recorded", 0, 0).blocks("4.11?"),
        outcomes("few outcomes where no rate is asked for", 0, 0)
            .remove("envelope/rules/0/conditions/false_positive_rate"),
        outcomes("too many where no rate is asked for", 100, 100)
            .remove("envelope/rules/0/conditions/false_positive_rate"),
        outcomes("a rate that fails outweighs unknown signals", 100, 6)
            .remove("history/signals")
            .blocks("4.11"),
        outcomes("a missing source outweighs too few outcomes", 19, 0)
            .set("history/signals", json!([]))
            .blocks("4.11"),
        segment("a signal about a system inside the segment", &["ws-1"]),
        segment("a signal about the segment itself", &["seg-a"]),
        segment("a signal about a system beside the segment", &["ws-2"]).blocks("4.11"),
        segment("a signal about a system that the topology lacks", &["gone"]).blocks("4.11"),
        segment("a system inside an IPv6 segment by its second address", &["ws-2"])
            .set("topology/systems/35/cidr", json!("2001:db8::/64")),
        benign(of("benign patterns are listed where it passes"))
            .says("4.11", "\"nightly scan\"")
            .says("4.11", "\"backup\""),
        benign(of("and where it fails, and change nothing"))
            .set("history/signals", json!([]))
            .blocks("4.11")
            .says("4.11", "\"nightly scan\""),
        benign(outcomes("and where it cannot be evaluated", 19, 0))
            .blocks("4.11?")
            .says("4.11", "\"nightly scan\""),
        benign(detected("and where the detection is from the future", "2026-11-24T02:20:01Z"))
            .blocks("4.11")
            .says("4.11", "\"nightly scan\""),
        benign(of("and where people must decide for another reason"))
            .set("envelope/rules", json!([]))
            .blocks("4.1 4.4? 4.6? 4.9?")
            .says("4.11", "\"nightly scan\""),
        of("without any, none are listed").never_says("4.11", "benign"),
    ]
}
