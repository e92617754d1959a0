//! 4.3: a redundancy group saves the first hop while it keeps `min_healthy` members.

use serde_json::{Value, json};

use crate::world::{Case, case};

/// `web-01` to `web-04` are a group of which `min` must stay; `ws-1` needs `web-01`. Three of them
/// are patched, two at once.
fn group(why: &'static str, min: u64) -> Case {
    let mut case = case("4.3", why).depends("ws-1", "web-01", "runtime", "hard");
    for position in 0..4 {
        case = case.set(
            &format!("topology/systems/{position}/redundancy"),
            json!({"group": "g", "min_healthy": min}),
        );
    }
    case
}

fn at_once(case: Case, number: u32) -> Case {
    case.set("envelope/rules/0/rollout/concurrency", json!(number))
}

fn in_flight(case: Case, systems: &[&str]) -> Case {
    case.set(
        "history/in_flight",
        json!([{"operation": "o", "systems": systems}]),
    )
}

pub(crate) fn cases() -> Vec<Case> {
    let saved: (&[&str], &[&str]) = (&["web-01", "web-02", "web-03"], &[]);
    vec![
        group("exactly as many as must stay", 2).impact(saved.0, saved.1),
        group("one fewer than must stay", 3)
            .blocks("4.3")
            .impact(&["web-01", "web-02", "web-03", "ws-1"], &[]),
        at_once(group("one at a time", 3), 1),
        at_once(group("one at a time, and all must stay", 4), 1).blocks("4.3"),
        at_once(group("more at once than are targeted", 1), 9),
        at_once(group("more at once than are targeted, one fewer than must stay", 2), 9).blocks("4.3"),
        group("all at once where nothing limits them", 1).remove("envelope/rules/0/rollout/concurrency"),
        group("all at once, one fewer than must stay", 2)
            .remove("envelope/rules/0/rollout/concurrency")
            .blocks("4.3"),
        in_flight(group("a member in flight", 2), &["web-04"]).blocks("4.3"),
        in_flight(group("a member in flight, and still as many as must stay", 1), &["web-04"]),
        in_flight(group("another system in flight", 2), &["web-05"]),
        group("a member twice in flight is one", 1).set(
            "history/in_flight",
            json!([{"operation": "o", "systems": ["web-04"]}, {"operation": "p", "systems": ["web-04"]}]),
        ),
        at_once(group("nobody knows what is in flight", 3), 1)
            .remove("history/in_flight")
            .blocks("4.1? 4.3? 4.5?"),
        group("where members differ the largest counts", 2)
            .set("topology/systems/3/redundancy/min_healthy", json!(3))
            .blocks("4.3"),
        group("more must stay than there are", 9).blocks("4.3"),
        group("none must stay", 0),
        group("the group of another target", 2)
            .depends("ws-2", "web-05", "runtime", "hard")
            .set("proposal/targets/systems/2", json!("web-05"))
            .set("history/signals/0/systems", json!(["web-01", "web-02", "web-05"]))
            .blocks("4.3")
            .impact(&["web-01", "web-02", "web-05", "ws-2"], &[]),
        group("a soft dependent of a group that holds is not degraded", 2)
            .depends("ws-2", "web-02", "data", "soft")
            .impact(saved.0, saved.1),
        group("the second hop is not saved", 2)
            .set("topology/systems/33/redundancy", json!({"group": "desks", "min_healthy": 1}))
            .set("topology/systems/34/redundancy", json!({"group": "desks", "min_healthy": 1}))
            .set("proposal/targets/systems/2", json!("web-05"))
            .set("history/signals/0/systems", json!(["web-01", "web-02", "web-05"]))
            .depends("ws-1", "web-05", "runtime", "hard")
            .depends("app-1", "ws-1", "runtime", "hard")
            .blocks("4.3")
            .impact(&["app-1", "web-01", "web-02", "web-05", "ws-1"], &[]),
        group("redundancy does not save from isolation", 1)
            .does("host-isolate", Value::Null)
            .on("linux-server", &["web-01"])
            .blocks("4.3")
            .impact(&["ws-1"], &[]),
    ]
}
