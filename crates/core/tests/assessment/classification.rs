//! 4.7: a safety-critical scope is never autonomous.

use serde_json::{Value, json};

use crate::world::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let of = |why| case("4.7", why);
    let plc = "4.1 4.4? 4.5? 4.6? 4.7 4.9?";
    vec![
        of("a PLC as target")
            .on("database", &["plc-1"])
            .blocks(plc)
            .tier("safety-critical")
            .quorum(2, &["lead", "ot"]),
        of("a PLC whose tier nobody wrote")
            .remove("topology/systems/37/tier")
            .on("database", &["plc-1"])
            .blocks(plc),
        of("a target without a tier")
            .remove("topology/systems/0/tier")
            .blocks(plc),
        of("the lowest severity does not help")
            .set("history/detections/0/severity", json!("low"))
            .remove("topology/systems/0/tier")
            .blocks(plc),
        of("nor the highest")
            .set("history/detections/0/severity", json!("high"))
            .remove("topology/systems/0/tier")
            .blocks(plc),
        of("a PLC that needs a target")
            .depends("plc-1", "web-01", "control", "hard")
            .blocks("4.3 4.5? 4.7")
            .rule("routine"),
        of("a PLC that is worse without a target is no part of the scope")
            .depends("plc-1", "web-01", "control", "soft")
            .blocks("4.3")
            .tier("non-critical"),
        of("a service without a tier that needs a target")
            .set("topology/services/-", json!({"id": "plant"}))
            .depends("plant", "web-01", "runtime", "hard")
            .blocks("4.3 4.5? 4.7")
            .tier("safety-critical"),
        of("a PLC inside a targeted segment")
            .any_share()
            .set("topology/systems/37/addresses", json!(["10.40.0.9"]))
            .does("network-isolate", Value::Null)
            .on("network-segment", &["seg-a"])
            .set("topology/dependencies", json!([]))
            .blocks("4.5? 4.7")
            .rule("routine"),
        of("a PLC that nothing touches"),
        of("a tier that knows no autonomy")
            .set("envelope/tiers/non-critical/autonomy", json!("prohibited"))
            .blocks("4.7"),
        of("a tier that the envelope does not speak of")
            .remove("envelope/tiers/non-critical")
            .blocks("4.5? 4.7")
            .says("4.7", "the envelope says nothing of non-critical systems")
            .quorum(2, &[]),
        of("another tier that knows none").set(
            "envelope/tiers/production-critical/autonomy",
            json!("prohibited"),
        ),
    ]
}
