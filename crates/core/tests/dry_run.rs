//! The dry run (AG-706 4.12): what each part of it says of small organisations.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use countersign_core::briefing::{HonestyGrade, Plan};
use countersign_core::document;
use countersign_core::envelope::Rollout;
use countersign_core::history::History;
use countersign_core::impact::dry_run::{CredentialUser, DryRun, Inputs, Lasting, dry_run};
use countersign_core::impact::{self, Circumstances, Passes};
use countersign_core::proposal::{Action, Targets};
use countersign_core::scope::{Graph, resolve};
use serde_json::{Value, json};

/// Six web servers in one group of which four must stay up, a database and who uses it.
fn organisation() -> Value {
    let mut systems: Vec<Value> = (1..=6)
        .map(|n| {
            json!({"id": format!("web-{n}"), "class": "linux-server", "tier": "non-critical", "service": "shop",
                "site": if n % 2 == 0 { "ldn" } else { "fra" }, "addresses": [format!("10.1.0.{n}")],
                "redundancy": {"group": "webs", "min_healthy": 4}})
        })
        .collect();
    systems.extend([
        json!({"id": "db", "class": "database", "tier": "production-critical", "site": "ldn", "addresses": ["10.2.0.1"]}),
        json!({"id": "lb", "class": "linux-server", "tier": "production-critical", "addresses": ["10.3.0.1"]}),
        json!({"id": "plc", "class": "plc", "addresses": ["10.4.0.1"]}),
    ]);
    json!({"schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z", "source": "cmdb",
    "services": [{"id": "shop", "tier": "production-critical"}], "systems": systems,
    "dependencies": [
        {"from": "web-1", "to": "db", "kind": "credential", "credential": "svc", "strength": "hard"},
        {"from": "web-2", "to": "db", "kind": "credential", "credential": "svc", "strength": "hard"},
        {"from": "web-3", "to": "db", "kind": "credential", "credential": "svc", "strength": "soft"},
        {"from": "web-4", "to": "db", "kind": "runtime", "strength": "hard", "service": "tcp/5432"},
        {"from": "lb", "to": "web-1", "kind": "runtime", "strength": "hard"},
        {"from": "shop", "to": "lb", "kind": "runtime", "strength": "soft"},
    ]})
}

fn run(action: Value, targets: &[&str], rollout: Value, history: Option<Value>) -> DryRun {
    let topology = document::topology(organisation().to_string()).unwrap();
    let graph = Graph::new(topology.document);
    let action: Action = serde_json::from_value(action).unwrap();
    let targets: Targets = serde_json::from_value(json!({"systems": targets})).unwrap();
    let targets = resolve(&graph, &targets);
    let rollout: Rollout = serde_json::from_value(rollout).unwrap();
    let history: Option<History> = history.map(|history| serde_json::from_value(history).unwrap());
    let circumstances = Circumstances {
        concurrency: rollout.concurrency,
        history: history.as_ref(),
    };
    let reach = impact::reach(&graph, &action, &targets.systems, circumstances);
    dry_run(Inputs {
        graph: &graph,
        action: &action,
        reach: &reach,
        circumstances,
        rollout: &rollout,
        plan: &Plan::none(),
    })
}

fn patch() -> Value {
    json!({"type": "patch", "parameters": {"package": "p", "to_version": "1"}})
}

const WEBS: [&str; 6] = ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6"];

fn quiet() -> Option<Value> {
    Some(json!({"in_flight": []}))
}

#[test]
fn the_system_that_breaks_a_group_is_named_with_its_wave() {
    // targets, rollout, in flight → at once, left, holds, holds by waves, who breaks it where
    type Breaks = Option<(&'static str, u64, u64)>;
    type Expected = (u64, u64, bool, bool, Breaks);
    let cases: [(&[&str], Value, &[&str], Expected); 8] = [
        (
            &WEBS,
            json!({"concurrency": 2}),
            &[],
            (2, 4, true, true, None),
        ),
        (
            &WEBS,
            json!({"concurrency": 3}),
            &[],
            (3, 3, false, false, Some(("web-3", 1, 3))),
        ),
        (
            &WEBS,
            json!({}),
            &[],
            (6, 0, false, false, Some(("web-3", 1, 3))),
        ),
        (&WEBS[..2], json!({}), &[], (2, 4, true, true, None)),
        // Waves of two would leave four, if those before are up again: 4.3 does not count on it.
        (
            &WEBS,
            json!({"canary": 2, "waves": ["2", "2"]}),
            &[],
            (6, 0, false, true, Some(("web-3", 2, 3))),
        ),
        (
            &WEBS,
            json!({"canary": 1, "waves": ["100%"], "concurrency": 3}),
            &[],
            (3, 3, false, false, Some(("web-3", 2, 3))),
        ),
        // Another operation has one of them.
        (
            &WEBS[..2],
            json!({}),
            &["web-6"],
            (2, 3, false, false, Some(("web-2", 1, 2))),
        ),
        // It is broken before this begins.
        (
            &WEBS[..1],
            json!({}),
            &["web-4", "web-5", "web-6"],
            (1, 2, false, false, None),
        ),
    ];
    for (targets, rollout, in_flight, (at_once, left, holds, by_waves, breaks)) in cases {
        let history = json!({"in_flight": [{"operation": "o", "systems": in_flight}]});
        let run = run(patch(), targets, rollout.clone(), Some(history));
        let [group] = run.groups.as_slice() else {
            unreachable!("{:?}", run.groups)
        };
        let found = group
            .breaks_at
            .as_ref()
            .map(|at| (at.system.as_str(), at.wave, at.position));
        let numbers = (group.at_once, group.left, group.holds, group.holds_by_waves);
        assert_eq!(
            numbers,
            (at_once, left, holds, by_waves),
            "{targets:?} {rollout}"
        );
        assert_eq!(found, breaks, "{targets:?} {rollout}");
        assert_eq!((group.members, group.min_healthy), (6, 4));
    }
}

#[test]
fn what_is_isolated_stays_down_whatever_the_concurrency() {
    let isolate = json!({"type": "host-isolate"});
    let run = run(isolate, &WEBS[..4], json!({"concurrency": 1}), None);
    assert_eq!(run.lasting, Lasting::UntilUndone);
    let group = run.groups.first().unwrap();
    // web-3 only has a soft need: it is degraded, not down.
    assert_eq!((group.targeted, group.at_once, group.left), (4, 3, 3));
    assert_eq!(group.breaks_at.as_ref().unwrap().system.as_str(), "web-4");
    assert_eq!(group.in_flight, None);
}

#[test]
fn a_partial_update_tells_whom_it_leaves_behind() {
    let rotate = json!({"type": "credential-rotate",
        "parameters": {"credential": "svc", "updates_dependents": ["web-1", "web-6"]}});
    let run = run(rotate, &["db", "lb"], json!({}), quiet());
    let users = run.credential.unwrap();
    let names = |users: &[CredentialUser]| -> Vec<String> {
        users.iter().map(|user| user.id.clone()).collect()
    };
    assert_eq!(names(&users.covered), ["web-1"]);
    assert_eq!(names(&users.uncovered), ["web-2", "web-3"]);
    assert_eq!(
        users
            .needless
            .iter()
            .map(AsRef::as_ref)
            .collect::<Vec<&str>>(),
        ["web-6"]
    );
    assert_eq!(users.unnamed, ["lb"]);
    assert_eq!((run.total.down, run.total.degraded), (1, 1));
    let disable = json!({"type": "account-disable", "parameters": {"account": "svc"}});
    let users = self::run(disable, &["db"], json!({}), quiet())
        .credential
        .unwrap();
    assert_eq!((users.covered.len(), users.uncovered.len()), (0, 3));
}

#[test]
fn a_cut_tells_what_it_spares_and_why() {
    let rule = |more: Value| {
        let mut parameters = json!({"verdict": "drop", "from": "10.2.0.0/16", "to": "10.1.0.0/16", "service": "any"});
        let members = parameters.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        json!({"type": "firewall-rule", "parameters": parameters})
    };
    for (more, broken, spared) in [
        (json!({}), 4, vec![]),
        (
            json!({"direction": "one-way"}),
            0,
            vec![Passes::OtherDirection; 4],
        ),
        (
            json!({"direction": "one-way", "from": "10.1.0.0/16", "to": "10.2.0.0/16"}),
            4,
            vec![],
        ),
        (json!({"service": "tcp/445"}), 3, vec![Passes::OtherService]),
        (json!({"service": "tcp/5432"}), 4, vec![]),
    ] {
        let cut = run(rule(more.clone()), &["db"], json!({}), quiet())
            .cut
            .unwrap();
        let service = more.get("service").and_then(Value::as_str);
        assert_eq!(cut.service.as_deref(), service, "{more}");
        let why: Vec<Passes> = cut.spared.iter().map(|spared| spared.because).collect();
        assert_eq!((cut.broken.len(), why), (broken, spared), "{more}");
    }
}

#[test]
fn harm_is_added_up_by_service_site_and_tier() {
    let run = run(patch(), &["web-1", "db"], json!({}), quiet());
    let by_service: Vec<_> = run
        .by_service
        .iter()
        .map(|s| {
            (
                s.of.as_ref().map(ToString::to_string),
                s.suffering.down,
                s.suffering.degraded,
            )
        })
        .collect();
    // web-4 needs db, which is worked on; the group keeps web-1's dependents up.
    assert_eq!(by_service, [(None, 1, 0), (Some("shop".to_owned()), 2, 0)]);
    let by_site: Vec<_> = run
        .by_site
        .iter()
        .map(|s| (s.of.as_ref().map(ToString::to_string), s.suffering.down))
        .collect();
    assert_eq!(
        by_site,
        [(Some("fra".to_owned()), 1), (Some("ldn".to_owned()), 2)]
    );
    let by_tier: Vec<_> = run
        .by_tier
        .iter()
        .map(|s| (s.of.as_str(), s.suffering.down))
        .collect();
    assert_eq!(by_tier, [("production-critical", 1), ("non-critical", 2)]);
    assert_eq!((run.total.down, run.total.degraded), (3, 0));
}

#[test]
fn a_duration_is_told_where_the_rule_tells_and_never_invented() {
    let of = |rollout: Value| {
        let duration = run(patch(), &WEBS, rollout, quiet()).duration;
        (
            duration.waves,
            duration.soak_s,
            duration.work_s,
            duration.total_s,
        )
    };
    assert_eq!(of(json!({})), (1, 0, None, None));
    assert_eq!(of(json!({"canary": 2, "soak": "2m"})), (2, 120, None, None));
    let rollout = json!({"canary": 1, "waves": ["50%", "100%"], "soak": "2m", "concurrency": 2, "per_system": "90s"});
    // Waves of 1, 2 and 3 systems, two at once: 1 + 1 + 2 rounds.
    assert_eq!(of(rollout), (3, 240, Some(360), Some(600)));
    assert_eq!(of(json!({"per_system": "1m"})), (1, 0, Some(60), Some(60)));
    assert_eq!(
        of(json!({"per_system": "1m", "concurrency": 0})),
        (1, 0, Some(360), Some(360))
    );
}

#[test]
fn the_plan_stands_beside_the_model_with_its_grade() {
    let plan = run(patch(), &["lb"], json!({}), quiet()).plan;
    assert_eq!(plan.grade, HonestyGrade::None);
}

/// Everything needs everything, in a circle and across it.
#[test]
fn circles_end() {
    let systems: Vec<Value> = (0..60)
        .map(|n| {
            json!({"id": format!("s{n:02}"), "class": "linux-server", "addresses": [format!("10.0.0.{n}")],
                "redundancy": {"group": format!("g{}", n % 3), "min_healthy": 9_007_199_254_740_992_u64}})
        })
        .collect();
    let dependencies: Vec<Value> = (0..60)
        .flat_map(|a| (0..60).map(move |b| (a, b)))
        .map(|(a, b)| json!({"from": format!("s{a:02}"), "to": format!("s{b:02}"), "kind": "data", "strength": "hard"}))
        .collect();
    let text = json!({"schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z", "source": "x",
        "systems": systems, "dependencies": dependencies});
    let graph = Graph::new(document::topology(text.to_string()).unwrap().document);
    let actions = [
        patch(),
        json!({"type": "host-isolate"}),
        json!({"type": "network-isolate"}),
        json!({"type": "firewall-rule", "parameters": {"verdict": "drop", "from": "0.0.0.0/0", "to": "10.0.0.0/8", "service": "any", "direction": "one-way"}}),
    ];
    for action in actions {
        let action: Action = serde_json::from_value(action).unwrap();
        let targets: Targets = serde_json::from_value(json!({"systems": ["s00", "s30"]})).unwrap();
        let circumstances = Circumstances {
            concurrency: Some(u32::MAX),
            history: None,
        };
        let reach = impact::reach(
            &graph,
            &action,
            &resolve(&graph, &targets).systems,
            circumstances,
        );
        let rollout: Rollout = serde_json::from_value(
            json!({"soak": "3650d", "per_system": "3650d", "waves": ["1%", "2%"], "concurrency": 4_294_967_295_u32}),
        )
        .unwrap();
        let run = dry_run(Inputs {
            graph: &graph,
            action: &action,
            reach: &reach,
            circumstances,
            rollout: &rollout,
            plan: &Plan::none(),
        });
        assert_eq!(run.total.down, 60);
        assert!(run.groups.iter().all(|group| !group.holds));
        assert!(serde_json::to_string(&run).is_ok());
    }
}
