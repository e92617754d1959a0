//! AG-706 4.1, environmental conditions: sites, exposure, error budgets, validation in staging.

use countersign_core::assessment::Verdict;
use countersign_core::{canonical, document};
use serde_json::{Value, json};

use crate::world::{grant, world};

type Change = (&'static str, &'static str, Value);

/// After `changes`, the check of 4.1 says `expected`, and nothing else blocks.
fn check(why: &str, changes: &[Change], expected: &str) {
    let mut world = world();
    for (document, pointer, value) in changes {
        world.set(document, pointer, value.clone());
    }
    let assessment = world.assess();
    assert_eq!(grant(&assessment), expected, "{why}");
    assert_eq!(
        assessment.verdict == Verdict::Autonomous,
        expected.starts_with("pass"),
        "{why}: {assessment:#?}"
    );
}

const GRANTED: &str = "pass: rule routine grants it";

#[test]
fn clause_4_1_sites_and_exposure_of_each_target() {
    let sites = |sites: Value| ("envelope", "/rules/0/targets/sites", sites);
    let exposure = |exposure: Value| ("envelope", "/rules/0/targets/exposure", exposure);
    let third = ("proposal", "/targets/systems", json!(["web-1", "web-3"]));
    check(
        "no list asks nothing",
        std::slice::from_ref(&third),
        GRANTED,
    );
    check(
        "an empty list asks nothing",
        &[sites(json!([])), exposure(json!([])), third.clone()],
        GRANTED,
    );
    check(
        "each on one of the sites",
        &[sites(json!(["leeds", "london"]))],
        GRANTED,
    );
    check(
        "one on another site",
        &[sites(json!(["london"]))],
        "fail: rule routine grants patch, but not on 1 target: web-2 (web-2 is linux-server, non-critical, at leeds)",
    );
    check(
        "an unknown site never matches",
        &[sites(json!(["leeds", "london"])), third.clone()],
        "fail: rule routine grants patch, but not on 1 target: web-3 (web-3 is linux-server, non-critical, at a site that nobody knows)",
    );
    check(
        "either exposure",
        &[exposure(json!(["internal", "public"]))],
        GRANTED,
    );
    check(
        "a public target",
        &[exposure(json!(["internal"]))],
        "fail: rule routine grants patch, but not on 1 target: web-2 (web-2 is linux-server, non-critical, public)",
    );
    check(
        "an unknown exposure never matches, even where both are asked for",
        &[exposure(json!(["internal", "public"])), third],
        "fail: rule routine grants patch, but not on 1 target: web-3 (web-3 is linux-server, non-critical, of an exposure that nobody knows)",
    );
}

#[test]
fn clause_4_1_error_budgets_of_every_service_in_scope() {
    let wanted = |budget: Value| ("envelope", "/rules/0/conditions/error_budget", budget);
    let quarter = || wanted(json!({"min_remaining": "0.25"}));
    let known = |budgets: Value| ("history", "/error_budgets", budgets);
    let budget = |service: &str, remaining: &str, at: &str| json!({"service": service, "remaining": remaining, "at": at});
    let (early, late) = ("2026-11-23T00:00:00Z", "2026-11-24T00:00:00Z");
    let both = ("proposal", "/targets/systems", json!(["web-1", "db-1"]));
    check(
        "nobody measures",
        &[quarter()],
        "not evaluable: rule routine grants it, but nobody can say what is left of any error budget",
    );
    check(
        "not this service",
        &[quarter(), known(json!([budget("shop", "1", late)]))],
        "not evaluable: rule routine grants it, but nobody can say what is left of the error budget of intranet",
    );
    check(
        "equal to the limit",
        &[quarter(), known(json!([budget("intranet", "0.250", late)]))],
        GRANTED,
    );
    check(
        "just below it",
        &[
            quarter(),
            known(json!([budget("intranet", "0.2499", late)])),
        ],
        "fail: rule routine grants it, but intranet has 0.2499 of its error budget left; at least 0.25 is asked for [0.2499 against 0.25]",
    );
    check(
        "the latest counts, and what is measured after now does not",
        &[
            quarter(),
            known(json!([
                budget("intranet", "0.9", early),
                budget("intranet", "0.1", late),
                budget("intranet", "0.9", "2026-11-24T02:20:01Z")
            ])),
        ],
        "fail: rule routine grants it, but intranet has 0.1 of its error budget left; at least 0.25 is asked for [0.1 against 0.25]",
    );
    check(
        "every service in scope",
        &[
            quarter(),
            both.clone(),
            known(json!([
                budget("intranet", "0.9", late),
                budget("shop", "0", late)
            ])),
        ],
        "fail: rule routine grants it, but shop has 0 of its error budget left; at least 0.25 is asked for [0 against 0.25]",
    );
    check(
        "a failure is told before what is unknown",
        &[
            quarter(),
            both.clone(),
            known(json!([budget("shop", "0", late)])),
        ],
        "fail: rule routine grants it, but shop has 0 of its error budget left; at least 0.25 is asked for [0 against 0.25]",
    );
    check(
        "only the services asked about",
        &[
            wanted(json!({"services": ["intranet"], "min_remaining": "0.25"})),
            both,
            known(json!([budget("intranet", "0.9", late)])),
        ],
        GRANTED,
    );
    check(
        "a service outside the scope is not asked about",
        &[
            wanted(json!({"services": ["shop"], "min_remaining": "0.25"})),
            known(json!([])),
        ],
        GRANTED,
    );
    let fresh = || wanted(json!({"min_remaining": "0.25", "within": "140m"}));
    check(
        "measured as long ago as it may be",
        &[fresh(), known(json!([budget("intranet", "0.9", late)]))],
        GRANTED,
    );
    check(
        "measured too long ago",
        &[
            fresh(),
            known(json!([budget("intranet", "0.9", "2026-11-23T23:59:59Z")])),
        ],
        "not evaluable: rule routine grants it, but the error budget of intranet was measured 2 hours ago; the limit is 140m [2 hours against 140m]",
    );
}

#[test]
fn clause_4_1_the_same_action_succeeded_in_staging() {
    let mut base = world();
    base.set("proposal", "/targets/systems", json!(["web-1", "db-1"]));
    let proposal = document::proposal(base.proposal.to_string())
        .unwrap()
        .document;
    let digest = proposal.action.digest().unwrap().to_string();
    let mut other = base.clone();
    other.set("proposal", "/action/parameters/to_version", json!("4"));
    let other = document::proposal(other.proposal.to_string())
        .unwrap()
        .document;
    let other = other.action.digest().unwrap().to_string();
    let run = |digest: &str, class: &str, at: &str| json!({"action_digest": digest, "class": class, "succeeded_at": at});
    let in_time = "2026-10-25T02:20:00Z";
    let asked = (
        "envelope",
        "/rules/0/conditions/validated_in_staging",
        json!({"within": "30d"}),
    );
    let targets = ("proposal", "/targets/systems", json!(["web-1", "db-1"]));
    let check = |why: &str, runs: Option<Value>, expected: &str| {
        let mut changes = vec![asked.clone(), targets.clone()];
        changes.extend(runs.map(|runs| ("history", "/staging", runs)));
        check(why, &changes, expected);
    };
    check(
        "nobody knows",
        None,
        "not evaluable: rule routine grants it, but nobody can say whether this succeeded in staging",
    );
    check(
        "never",
        Some(json!([])),
        "fail: rule routine grants it, but this patch never succeeded in staging on database [never against 30d]",
    );
    check(
        "on every class, as long ago as it may be",
        Some(json!([
            run(&digest, "linux-server", in_time),
            run(&digest, "database", in_time)
        ])),
        GRANTED,
    );
    check(
        "the latest counts, wherever it stands",
        Some(json!([
            run(&digest, "database", in_time),
            run(&digest, "linux-server", "2026-11-20T02:20:00Z"),
            run(&digest, "linux-server", "2026-09-01T02:20:00Z"),
            run(&digest, "linux-server", in_time)
        ])),
        GRANTED,
    );
    check(
        "what succeeded later is another version, another class, or not yet true",
        Some(json!([
            run(&digest, "database", in_time),
            run(&digest, "linux-server", in_time),
            run(&other, "linux-server", "2026-11-20T02:20:00Z"),
            run(&digest, "workstation", "2026-11-20T02:20:00Z"),
            run(&digest, "linux-server", "2026-11-24T02:20:01Z")
        ])),
        GRANTED,
    );
    check(
        "on one class only",
        Some(json!([run(&digest, "database", in_time)])),
        "fail: rule routine grants it, but this patch never succeeded in staging on linux-server [never against 30d]",
    );
    check(
        "another version",
        Some(json!([
            run(&other, "linux-server", in_time),
            run(&digest, "database", in_time)
        ])),
        "fail: rule routine grants it, but this patch never succeeded in staging on linux-server [never against 30d]",
    );
    check(
        "too long ago",
        Some(json!([
            run(&digest, "linux-server", "2026-10-25T02:19:59Z"),
            run(&digest, "database", in_time)
        ])),
        "fail: rule routine grants it, but this patch last succeeded in staging on linux-server 30 days ago; the limit is 30d [30 days against 30d]",
    );
    check(
        "after now",
        Some(json!([
            run(&digest, "linux-server", "2026-11-24T02:20:01Z"),
            run(&digest, "database", in_time)
        ])),
        "fail: rule routine grants it, but this patch never succeeded in staging on linux-server [never against 30d]",
    );
}

#[test]
fn what_is_empty_has_the_digest_of_what_is_absent() {
    let mut empty = world();
    for list in ["sites", "exposure"] {
        empty.set("envelope", &format!("/rules/0/targets/{list}"), json!([]));
    }
    empty.set("envelope", "/calendars/market/except", json!([]));
    let digest = |envelope: &Value| {
        canonical::digest(&document::envelope(envelope.to_string()).unwrap().document).unwrap()
    };
    assert_eq!(digest(&empty.envelope), digest(&world().envelope));
}

#[test]
fn a_share_above_one_is_refused() {
    let mut world = world();
    world.set(
        "envelope",
        "/rules/0/conditions/error_budget",
        json!({"min_remaining": "1.01"}),
    );
    world.set(
        "history",
        "/error_budgets",
        json!([{"service": "shop", "remaining": "25", "at": "2026-11-24T00:00:00Z"}]),
    );
    let envelope = document::envelope(world.envelope.to_string())
        .unwrap_err()
        .to_string();
    assert!(
        envelope.contains("`min_remaining` is 1.01; a share is at most 1"),
        "{envelope}"
    );
    let history = document::history(world.history.to_string())
        .unwrap_err()
        .to_string();
    assert!(
        history.contains("`remaining` is 25; a share is at most 1"),
        "{history}"
    );
}
