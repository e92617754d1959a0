//! 4.6: rollback declared, and drilled for this action kind and each class of targets.

use serde_json::{Value, json};

use crate::world::{Case, case};

fn drilled(why: &'static str, at: &str) -> Case {
    case("4.6", why).set("history/drills/0/succeeded_at", json!(at))
}

/// A workstation as a fourth target, granted and seen.
fn two_classes(why: &'static str) -> Case {
    let targets = json!(["web-01", "ws-1"]);
    case("4.6", why)
        .set(
            "envelope/rules/0/targets/classes",
            json!(["linux-server", "workstation"]),
        )
        .set("proposal/targets/systems", targets.clone())
        .set("history/signals/0/systems", targets)
}

fn drill(action: &str, class: &str, at: &str) -> Value {
    json!({"action": action, "class": class, "succeeded_at": at})
}

pub(crate) fn cases() -> Vec<Case> {
    let of = |why| case("4.6", why);
    const LATELY: &str = "2026-11-20T10:00:00Z";
    const LONG_AGO: &str = "2026-01-20T10:00:00Z";
    vec![
        of("none declared")
            .remove("envelope/rules/0/rollback")
            .blocks("4.6"),
        of("an empty one is none")
            .set("envelope/rules/0/rollback", json!({}))
            .blocks("4.6"),
        of("only its time is declared, drilled within the quarter")
            .set("envelope/rules/0/rollback", json!({"within": "15m"}))
            .set(
                "history/drills/0/succeeded_at",
                json!("2026-08-24T02:20:00Z"),
            ),
        of("only its time is declared, drilled before the quarter")
            .set("envelope/rules/0/rollback", json!({"within": "15m"}))
            .set(
                "history/drills/0/succeeded_at",
                json!("2026-08-24T02:19:59Z"),
            )
            .blocks("4.6"),
        of("only the drill is declared").set(
            "envelope/rules/0/rollback",
            json!({"drilled_within": "92d"}),
        ),
        of("never drilled")
            .set("history/drills", json!([]))
            .blocks("4.6"),
        of("drilled on another class")
            .set("history/drills/0/class", json!("database"))
            .blocks("4.6"),
        of("drilled for another action")
            .set("history/drills/0/action", json!("config-change"))
            .blocks("4.6"),
        drilled(
            "drilled exactly as long ago as it may be",
            "2026-08-24T02:20:00Z",
        ),
        drilled("drilled a second longer ago", "2026-08-24T02:19:59Z").blocks("4.6"),
        drilled("drilled now", "2026-11-24T02:20:00Z"),
        drilled("drilled a second from now", "2026-11-24T02:20:01Z").blocks("4.6"),
        drilled("a tighter limit at its edge", "2026-11-23T02:20:00Z")
            .set("envelope/rules/0/rollback/drilled_within", json!("1d")),
        drilled("a tighter limit exceeded", "2026-11-23T02:19:59Z")
            .set("envelope/rules/0/rollback/drilled_within", json!("1d"))
            .blocks("4.6"),
        of("the latest drill counts").set(
            "history/drills",
            json!([
                drill("patch", "linux-server", LONG_AGO),
                drill("patch", "linux-server", LATELY)
            ]),
        ),
        of("a drill from the future does not hide the latest").set(
            "history/drills",
            json!([
                drill("patch", "linux-server", "2026-12-20T10:00:00Z"),
                drill("patch", "linux-server", LATELY)
            ]),
        ),
        of("a later one failed")
            .set("history/drills/0/failed_at", json!("2026-11-21T10:00:00Z"))
            .blocks("4.6"),
        of("one failed before the latest succeeded").set(
            "history/drills/0/failed_at",
            json!("2026-01-20T10:00:00Z"),
        ),
        of("one failed that succeeded at the same instant")
            .set(
                "history/drills",
                json!([
                    drill("patch", "linux-server", LATELY),
                    {"action": "patch", "class": "linux-server", "succeeded_at": LATELY, "failed_at": LATELY}
                ]),
            )
            .blocks("4.6"),
        two_classes("one of two classes was drilled").blocks("4.6"),
        two_classes("both classes were drilled").set(
            "history/drills",
            json!([
                drill("patch", "linux-server", LATELY),
                drill("patch", "workstation", LATELY)
            ]),
        ),
        two_classes("one of two classes was drilled too long ago")
            .set(
                "history/drills",
                json!([
                    drill("patch", "linux-server", LATELY),
                    drill("patch", "workstation", LONG_AGO)
                ]),
            )
            .blocks("4.6"),
        of("nobody knows").remove("history/drills").blocks("4.6?"),
        of("the executor cannot undo it")
            .set("history/irreversible", json!(["patch"]))
            .blocks("4.6"),
        of("the executor cannot undo something else")
            .set("history/irreversible", json!(["config-change"])),
        of("a kill is never undone")
            .does("process-kill", json!({"process": "x"}))
            .blocks("4.6"),
        of("what cannot be undone outweighs what nobody knows")
            .does("process-kill", json!({"process": "x"}))
            .remove("history/drills")
            .blocks("4.6"),
    ]
}
