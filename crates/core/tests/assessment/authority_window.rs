//! 4.10: the envelope is in force, authorised by a full quorum, and autonomy is not suspended.

use serde_json::json;

use crate::world::{Case, case, rule};

fn of(why: &'static str) -> Case {
    case("4.10", why)
}

fn expires(why: &'static str, at: &str) -> Case {
    of(why).set("envelope/authority/expires", json!(at))
}

fn effective(why: &'static str, at: &str) -> Case {
    of(why).set("envelope/authority/effective", json!(at))
}

fn suspended(why: &'static str, suspends: serde_json::Value) -> Case {
    let by = json!([{"suspends": suspends, "by": "cat", "since": "2026-11-24T02:00:00Z"}]);
    of(why).set("history/suspensions", by)
}

pub(crate) fn cases() -> Vec<Case> {
    vec![
        expires("the last second", "2026-11-24T02:20:01Z"),
        expires(
            "the last fraction of a second",
            "2026-11-24T02:20:00.000000001Z",
        ),
        expires("expired", "2026-11-24T02:20:00Z").blocks("4.10"),
        expires(
            "expired long ago; its approval rules apply",
            "2026-11-02T00:00:00Z",
        )
        .blocks("4.10")
        .quorum(1, &["oncall"]),
        effective("from now on", "2026-11-24T02:20:00Z"),
        effective("not yet", "2026-11-24T02:20:01Z").blocks("4.10"),
        effective("the longest window", "2026-10-30T00:00:00Z")
            .set("envelope/authority/expires", json!("2027-01-30T00:00:00Z")),
        of("not authorised: two approvers")
            .set("history/envelope_authorised", json!(false))
            .blocks("4.10")
            .quorum(2, &[]),
        of("nobody knows whether it is authorised")
            .remove("history/envelope_authorised")
            .blocks("4.10?"),
        of("suspended")
            .set("history/autonomy_suspended", json!(true))
            .blocks("4.10"),
        of("nobody knows whether it is suspended")
            .remove("history/autonomy_suspended")
            .blocks("4.10?"),
        of("suspended, and nobody knows the rest")
            .remove("history/envelope_authorised")
            .set("history/autonomy_suspended", json!(true))
            .blocks("4.10"),
        of("not authorised, and nobody knows the rest")
            .set("history/envelope_authorised", json!(false))
            .remove("history/autonomy_suspended")
            .blocks("4.10"),
        suspended("everything is suspended, and by whom", json!("backend"))
            .blocks("4.10")
            .says(
                "4.10",
                "cat suspended everything that runs alone at 2026-11-24T02:00:00Z",
            ),
        suspended("its agent is suspended", json!({"agent": "soc-agent"}))
            .blocks("4.10")
            .says("4.10", "cat suspended the agent soc-agent at"),
        suspended("another agent is suspended", json!({"agent": "other"})),
        suspended(
            "its rule is suspended",
            json!({"rule": {"envelope": "test", "rule": "routine"}}),
        )
        .blocks("4.10")
        .says(
            "4.10",
            "cat suspended the rule routine of the envelope test at",
        ),
        suspended(
            "its rule is suspended, and another one grants it",
            json!({"rule": {"envelope": "test", "rule": "routine"}}),
        )
        .set("envelope/rules/-", {
            let mut second = rule();
            second["id"] = json!("second");
            second
        })
        .rule("second"),
        suspended(
            "another rule is suspended",
            json!({"rule": {"envelope": "test", "rule": "urgent"}}),
        ),
        suspended(
            "the rule of another envelope is suspended",
            json!({"rule": {"envelope": "other", "rule": "routine"}}),
        ),
        suspended(
            "suspended by somebody, and nobody knows the rest",
            json!("backend"),
        )
        .remove("history/envelope_authorised")
        .blocks("4.10"),
        of("no envelope ever: two approvers")
            .without_envelope()
            .blocks("4.1 4.4? 4.5? 4.6? 4.9? 4.10")
            .no_rule()
            .quorum(2, &[]),
    ]
}
