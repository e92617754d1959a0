//! 4.9: over ten systems a canary and waves are declared.

use serde_json::{Value, json};

use crate::world::{Case, case};

fn on(why: &'static str, number: u32) -> Case {
    case("4.9", why).on_webs(1, number)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        on("ten need no canary", 10).remove("envelope/rules/0/rollout/canary"),
        on("ten need no waves", 10).remove("envelope/rules/0/rollout/waves"),
        on("eleven with both", 11),
        on("eleven need a canary", 11)
            .remove("envelope/rules/0/rollout/canary")
            .blocks("4.9"),
        on("a canary of none is none", 11)
            .set("envelope/rules/0/rollout/canary", json!(0))
            .blocks("4.9"),
        on("eleven need waves", 11)
            .set("envelope/rules/0/rollout/waves", json!([]))
            .blocks("4.9"),
        on("eleven need both", 11)
            .remove("envelope/rules/0/rollout/canary")
            .remove("envelope/rules/0/rollout/waves")
            .blocks("4.9"),
        on("a canary of one and one wave are enough", 11)
            .set("envelope/rules/0/rollout/canary", json!(1))
            .set("envelope/rules/0/rollout/waves", json!(["100%"])),
        on("dependents count", 10)
            .remove("envelope/rules/0/rollout/canary")
            .depends("ws-1", "web-01", "runtime", "hard")
            .blocks("4.3 4.9"),
        on("services are no systems", 10)
            .remove("envelope/rules/0/rollout/canary")
            .depends("shop", "web-01", "runtime", "hard")
            .blocks("4.3"),
        on("what is only degraded does not count", 10)
            .remove("envelope/rules/0/rollout/canary")
            .depends("ws-1", "web-01", "runtime", "soft"),
        case("4.9", "what is inside a segment counts")
            .any_share()
            .does("network-isolate", Value::Null)
            .set("topology/systems/35/cidr", json!("10.31.0.0/28"))
            .on("network-segment", &["seg-a"])
            .remove("envelope/rules/0/rollout/canary")
            .blocks("4.9")
            .scope(16, 0, 1),
    ]
}
