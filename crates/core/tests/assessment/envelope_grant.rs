//! 4.1: one rule grants agent, action and all targets, and its own bounds hold.

use serde_json::json;

use crate::world::{Case, case, rule, webs};

const NONE: &str = "4.1 4.4? 4.6? 4.9?";

fn of(why: &'static str) -> Case {
    case("4.1", why)
}

/// Operations under way, each on another workstation.
fn under_way(number: usize) -> serde_json::Value {
    (0..number)
        .map(|n| json!({"operation": format!("op-{n}"), "systems": ["ws-1"]}))
        .collect()
}

fn severity(why: &'static str, registered: &str, claimed: &str) -> Case {
    of(why)
        .set("history/detections/0/severity", json!(registered))
        .set("proposal/detection/severity", json!(claimed))
}

/// A rule for two sites, and the sites of the three targets.
fn at_sites(why: &'static str, sites: [&str; 3]) -> Case {
    let rule = of(why).set("envelope/rules/0/targets/sites", json!(["london", "leeds"]));
    sites.iter().enumerate().fold(rule, |case, (number, site)| {
        case.set(&format!("topology/systems/{number}/site"), json!(site))
    })
}

pub(crate) fn cases() -> Vec<Case> {
    let renamed = |id: &str| {
        let mut rule = rule();
        rule["id"] = json!(id);
        rule
    };
    let mut two_failures = renamed("two-failures");
    two_failures["rollback"] = json!({});
    two_failures["severity"] = json!({"max": "low"});
    let mut one_failure = renamed("one-failure");
    one_failure["rollback"] = json!({});
    let mut one_unknown = renamed("one-unknown");
    one_unknown["conditions"]["topology_age"] = json!({"max": "1m"});
    let mut for_hosts = renamed("for-hosts");
    for_hosts["targets"]["classes"] = json!(["linux-server"]);
    let mut for_desks = renamed("for-desks");
    for_desks["targets"]["classes"] = json!(["workstation"]);

    vec![
        of("nothing changed: a small patch runs alone")
            .rule("routine")
            .scope(3, 0, 0)
            .tier("non-critical")
            .impact(&["web-01", "web-02", "web-03"], &[]),
        of("another agent")
            .set("envelope/agents", json!(["other"]))
            .blocks(NONE)
            .no_rule(),
        of("one of two agents").set("envelope/agents", json!(["other", "soc-agent"])),
        of("another action")
            .set("envelope/rules/0/actions", json!(["config-change"]))
            .blocks(NONE)
            .no_rule(),
        at_sites(
            "every target at a site of the rule",
            ["london", "leeds", "london"],
        ),
        at_sites("one target at another site", ["london", "leeds", "paris"])
            .blocks(NONE)
            .no_rule(),
        at_sites(
            "one target at a site that nobody knows",
            ["london", "leeds", "london"],
        )
        .remove("topology/systems/2/site")
        .blocks(NONE)
        .no_rule(),
        of("every target is exposed as the rule asks")
            .set("envelope/rules/0/targets/exposure", json!(["internal"]))
            .set("topology/systems/0/exposure", json!("internal"))
            .set("topology/systems/1/exposure", json!("internal"))
            .set("topology/systems/2/exposure", json!("internal")),
        of("one target is public")
            .set("envelope/rules/0/targets/exposure", json!(["internal"]))
            .set("topology/systems/0/exposure", json!("internal"))
            .set("topology/systems/1/exposure", json!("internal"))
            .set("topology/systems/2/exposure", json!("public"))
            .blocks(NONE)
            .no_rule(),
        of("one target of another class")
            .set("proposal/targets/systems/2", json!("ws-1"))
            .blocks(NONE)
            .says("4.1", "ws-1"),
        of("another tier")
            .set(
                "envelope/rules/0/targets/tiers",
                json!(["production-critical"]),
            )
            .blocks(NONE),
        of("one target of another tier")
            .set("topology/systems/2/tier", json!("production-critical"))
            .set("envelope/rules/0/targets/tiers", json!(["non-critical"]))
            .blocks(NONE),
        of("targets of two tiers, both granted")
            .set("topology/systems/2/tier", json!("production-critical"))
            .tier("production-critical"),
        of("a label of another value")
            .set("envelope/rules/0/targets/labels", json!({"env": "test"}))
            .blocks(NONE),
        of("the label is there").set("envelope/rules/0/targets/labels", json!({"env": "prod"})),
        of("one of two labels is missing")
            .set(
                "envelope/rules/0/targets/labels",
                json!({"env": "prod", "site": "a"}),
            )
            .blocks(NONE),
        of("one target without the label")
            .set("envelope/rules/0/targets/labels", json!({"env": "prod"}))
            .remove("topology/systems/2/labels")
            .blocks(NONE),
        of("no rules")
            .set("envelope/rules", json!([]))
            .blocks(NONE)
            .no_rule(),
        of("two rules that grant half of the targets each grant none")
            .set("proposal/targets/systems/2", json!("ws-1"))
            .set("envelope/rules", json!([for_hosts, for_desks]))
            .blocks(NONE)
            .no_rule(),
        of("a dependent needs no grant, only targets do")
            .depends("ws-1", "web-01", "runtime", "hard")
            .blocks("4.3")
            .rule("routine"),
        severity("severity at the highest", "high", "medium"),
        severity("severity above the highest", "critical", "medium").blocks("4.1"),
        severity(
            "a claim above the highest does not count",
            "medium",
            "critical",
        ),
        severity("a claim within does not rescue", "critical", "low").blocks("4.1"),
        severity("severity at the lowest", "medium", "low")
            .set("envelope/rules/0/severity", json!({"min": "medium"})),
        severity("severity below the lowest", "low", "medium")
            .set("envelope/rules/0/severity", json!({"min": "medium"}))
            .blocks("4.1"),
        severity("without bounds any severity passes", "critical", "critical")
            .remove("envelope/rules/0/severity"),
        severity("empty bounds are none", "critical", "critical")
            .set("envelope/rules/0/severity", json!({})),
        of("unregistered, the claim is all there is")
            .set("history/detections", json!([]))
            .set("proposal/detection/severity", json!("critical"))
            .blocks("4.1 4.11"),
        of("this one and two under way are within three").set("history/in_flight", under_way(2)),
        of("this one and three under way are not")
            .set("history/in_flight", under_way(3))
            .blocks("4.1")
            .says("4.1", "4 operations; the limit is 3"),
        of("one at a time, and none under way").set(
            "envelope/rules/0/conditions/concurrent_operations/max",
            json!(1),
        ),
        of("nobody knows what is under way")
            .remove("history/in_flight")
            .blocks("4.1? 4.5?"),
        of("nobody knows, and no condition asks")
            .remove("history/in_flight")
            .remove("envelope/rules/0/conditions/concurrent_operations")
            .blocks("4.5?"),
        of("what fails outweighs what nobody knows")
            .remove("history/in_flight")
            .set("history/detections/0/severity", json!("critical"))
            .blocks("4.1 4.5?"),
        of("without conditions none constrains")
            .remove("envelope/rules/0/conditions")
            .set("history/signals", json!([]))
            .set("history/detections/0/assessed", json!(0))
            .set("history/detections/0/false_positives", json!(0))
            .set("topology/observed_at", json!("2020-01-01T00:00:00Z"))
            .set("history/in_flight", under_way(9)),
        of("the second of two rules fits")
            .set("envelope/rules", json!([two_failures.clone(), rule()]))
            .rule("routine"),
        of("of two that fit, the first in the document")
            .set("envelope/rules", json!([renamed("twin"), rule()]))
            .rule("twin"),
        of("of three that fail, the one with the fewest failures")
            .set(
                "envelope/rules",
                json!([two_failures.clone(), one_failure.clone()]),
            )
            .blocks("4.6")
            .rule("one-failure"),
        of("of equally many failures, the first in the document")
            .set(
                "envelope/rules",
                json!([two_failures, one_unknown.clone(), one_failure.clone()]),
            )
            .blocks("4.3?")
            .rule("one-unknown"),
        of("what cannot be evaluated counts as a failure")
            .set("envelope/rules", json!([one_failure, one_unknown]))
            .blocks("4.6")
            .rule("one-failure"),
        of("repeated targets are one")
            .set(
                "proposal/targets",
                json!({"systems": ["web-01", "web-01", "web-02"]}),
            )
            .scope(2, 0, 0),
        of("a selector of class and label")
            .set(
                "proposal/targets",
                json!({"selector": {"class": "linux-server", "labels": {"pick": "me"}}}),
            )
            .set("topology/systems/4/labels", json!({"pick": "me"}))
            .set("topology/systems/5/labels", json!({"pick": "me"}))
            .set("history/signals/0/systems", json!(webs(5, 6)))
            .impact(&["web-05", "web-06"], &[]),
        of("a selector of tier selects what has no tier as safety-critical")
            .set(
                "proposal/targets",
                json!({"selector": {"tier": "safety-critical"}}),
            )
            .remove("topology/systems/8/tier")
            .blocks("4.1 4.4? 4.5? 4.6? 4.7 4.9?")
            .impact(&["plc-1", "web-09"], &[]),
    ]
}
