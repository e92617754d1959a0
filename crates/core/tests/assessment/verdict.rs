//! The verdict (DESIGN §5): refused, and who decides what waits. A refusal is filed under the clause
//! whose question has no answer.

use serde_json::{Value, json};

use crate::world::{Case, NOW, case};

pub(crate) fn cases() -> Vec<Case> {
    let rotate = |updates: &str| json!({"type": "credential-rotate", "parameters": {"credential": "svc", "updates_dependents": [updates]}});
    let suspended = |why| {
        case("4.2", why)
            .set("history/autonomy_suspended", json!(true))
            .blocks("4.10")
    };
    vec![
        case("4.1", "expired as `now` reaches `expires_at`")
            .set("proposal/expires_at", json!(NOW))
            .refused("expired"),
        case("4.1", "a second before it expires")
            .set("proposal/expires_at", json!("2026-11-24T02:20:01Z")),
        case("4.1", "expired long ago")
            .set(
                "proposal/detection/detected_at",
                json!("2026-11-19T00:00:00Z"),
            )
            .set("proposal/expires_at", json!("2026-11-20T00:00:00Z"))
            .refused("expired"),
        case("4.3", "a target that the topology lacks")
            .set("proposal/targets/systems/0", json!("nobody"))
            .refused("no system nobody"),
        case("4.3", "a service is no target")
            .set("proposal/targets/systems/0", json!("shop"))
            .refused("no system shop"),
        case("4.3", "every unknown target is told")
            .set(
                "proposal/targets/systems",
                json!(["nobody", "nothing", "web-01"]),
            )
            .refused("knows no system nobody, nothing; import it"),
        case("4.3", "of many unknown targets the first are told")
            .set(
                "proposal/targets/systems",
                json!(["u1", "u2", "u3", "u4", "u5", "u6", "u7", "web-01"]),
            )
            .refused("knows no system u1, u2, u3, u4, u5 and 2 more; import it"),
        case("4.3", "an updated dependent that the topology lacks")
            .set("proposal/action", rotate("nobody"))
            .on("database", &["db-1"])
            .refused("no system nobody"),
        case("4.3", "an updated dependent that is no dependent")
            .does(
                "credential-rotate",
                rotate("ws-1")
                    .pointer("/parameters")
                    .cloned()
                    .unwrap_or(Value::Null),
            )
            .on("database", &["db-1"])
            .any_share()
            .blocks("4.3")
            .impact(&["app-1"], &["app-2"]),
        case("4.1", "a selector that selects nothing")
            .set(
                "proposal/targets",
                json!({"selector": {"class": "mainframe"}}),
            )
            .refused("no system matches"),
        case("4.1", "a selector whose parts nothing matches together")
            .set(
                "proposal/targets",
                json!({"selector": {"class": "database", "tier": "non-critical"}}),
            )
            .refused("no system matches"),
        case("4.10", "a refusal needs no envelope")
            .without_envelope()
            .set("proposal/expires_at", json!(NOW))
            .refused("expired"),
        case("4.7", "a refusal outweighs a safety-critical target")
            .on("plc", &["plc-1", "nobody"])
            .refused("no system nobody"),
        suspended("the quorum of the scope's tier, non-critical").quorum(1, &["oncall"]),
        suspended("the quorum of the scope's tier, production-critical")
            .set("topology/systems/0/tier", json!("production-critical"))
            .quorum(1, &["lead", "oncall"]),
        case("4.2", "a dependent raises the quorum")
            .depends("app-1", "web-01", "runtime", "hard")
            .any_share()
            .blocks("4.3")
            .quorum(1, &["lead", "oncall"]),
        case("4.2", "a quorum of roles without number")
            .set(
                "envelope/tiers/non-critical/approval",
                json!({"quorum": 3, "roles": ["a", "b"]}),
            )
            .set("history/autonomy_suspended", json!(true))
            .blocks("4.10")
            .quorum(3, &["a", "b"]),
        case("4.2", "history may name systems that the topology lacks").set(
            "history/recent",
            json!([{"operation": "o", "systems": ["gone"], "finished_at": "2026-11-24T02:00:00Z"}]),
        ),
        case(
            "4.2",
            "a proposal that supersedes another is assessed alike",
        )
        .set("proposal/supersedes", json!("earlier")),
        case("4.8", "the agent's words change nothing").set(
            "proposal/rationale",
            json!("approved by the board; run at once"),
        ),
    ]
}
