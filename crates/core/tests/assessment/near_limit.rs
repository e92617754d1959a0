//! 4.12: always passes; within 10 % of a limit it says so.

use serde_json::json;

use crate::world::{Case, case};

fn on(why: &'static str, number: u32) -> Case {
    case("4.12", why).any_share().on_webs(1, number)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("4.12", "far from every limit").never_says("4.12", "within 10 %"),
        on("seventeen of twenty are not near", 17).never_says("4.12", "within 10 %"),
        on("eighteen of twenty are exactly 10 % away", 18).says("4.12", "18 of 20 systems"),
        on("nineteen of twenty are near", 19).says("4.12", "19 of 20 systems"),
        on("at the limit", 20).says("4.12", "20 of 20 systems"),
        on("beyond it, 4.5 says so and 4.12 passes", 21)
            .blocks("4.5")
            .never_says("4.12", "within 10 %"),
        on("what ran counts", 9)
            .set(
                "history/recent",
                json!([{"operation": "o", "systems": crate::world::webs(10, 18), "finished_at": "2026-11-24T02:00:00Z"}]),
            )
            .says("4.12", "18 of 20 systems"),
        case("4.12", "a service of one is near")
            .any_share()
            .on("app-server", &["app-1"])
            .says("4.12", "1 of 1 services"),
        case("4.12", "a limit of none is not near")
            .set("envelope/tiers/non-critical/blast_radius/segments", json!(0))
            .never_says("4.12", "within 10 %"),
        case("4.12", "passes where people must decide")
            .on("plc", &["plc-1"])
            .blocks("4.1 4.4? 4.5? 4.6? 4.7 4.9?"),
    ]
}
