//! 4.2 and 4.8: enforced by decision and log; their findings always pass.

use serde_json::json;

use crate::world::{Case, case};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for clause in ["4.2", "4.8"] {
        cases.extend([
            case(clause, "passes where it runs alone"),
            case(clause, "passes where people must decide")
                .on("plc", &["plc-1"])
                .blocks("4.1 4.4? 4.5? 4.6? 4.7 4.9?")
                .no_rule(),
            case(clause, "passes without any fact")
                .without_history()
                .blocks("4.1? 4.5? 4.6? 4.10? 4.11?"),
        ]);
    }
    cases.push(
        case(
            "4.8",
            "a finding for each clause, though all that can fail does",
        )
        .set("topology/observed_at", json!("2026-12-01T00:00:00Z"))
        .set("history/envelope_authorised", json!(false))
        .set("history/detections", json!([]))
        .on("plc", &["plc-1"])
        .blocks("4.1 4.3? 4.4? 4.5? 4.6? 4.7 4.9? 4.10 4.11"),
    );
    cases
}
