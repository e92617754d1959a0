//! The semantic diff: every member is covered, equal meaning gives nothing, and directions hold
//! against assessments.

use std::sync::LazyLock;

use chrono::{DateTime, Utc};
use countersign_core::assessment::{self, Verdict};
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::envelope::diff::{Direction, diff};
use countersign_core::history::History;
use countersign_core::proposal::Proposal;
use countersign_core::scope::Graph;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::world::{World, world};

fn read(envelope: &Value) -> Option<Envelope> {
    document::envelope(envelope.to_string())
        .ok()
        .map(|checked| checked.document)
}

/// An envelope with every member that there is.
fn full() -> Value {
    let mut world = world();
    let rule = json!({
        "id": "routine", "actions": ["patch", "config-change"],
        "targets": {"classes": ["database", "linux-server"], "tiers": ["non-critical", "production-critical"],
                    "labels": {"env": "prod"}, "sites": ["leeds", "london"], "exposure": ["internal", "public"]},
        "severity": {"min": "medium", "max": "high"},
        "conditions": {
            "outside": ["market"], "inside": ["night", "weekend"],
            "corroboration": {"independent_sources": 2, "within": "15m"},
            "false_positive_rate": {"max": "0.05", "over": "90d"},
            "topology_age": {"max": "24h"},
            "concurrent_operations": {"max": 3},
            "error_budget": {"services": ["intranet", "shop"], "min_remaining": "0.25", "within": "1h"},
            "validated_in_staging": {"within": "30d"}
        },
        "rollout": {"canary": 2, "waves": ["50%", "100%"], "soak": "2m", "per_system": "2m", "concurrency": 2,
                    "health": ["port", "up"], "settle": "10s", "successes": 3, "interval": "7s",
                    "dependents": ["handshake", "up"], "alerts": ["errors"], "answer_within": "30m", "within": "4h",
                    "breaker": {"failures": 1, "failures_percent": 20, "cool_down": "5m", "attempts_per_system": 2}},
        "rollback": {"within": "15m", "drilled_within": "30d"}
    });
    let mut second = rule.clone();
    second["id"] = json!("second");
    world.set("envelope", "/rules", json!([rule, second]));
    world.set("envelope", "/description", json!("what it is for"));
    world.set("envelope", "/agents", json!(["other-agent", "soc-agent"]));
    for tier in ["production-critical", "non-critical"] {
        let radius = format!("/tiers/{tier}/blast_radius");
        world.set("envelope", &radius, json!({"systems": 10, "services": 4, "segments": 1, "fraction_of_class": "0.5", "per": "24h"}));
    }
    world.set("envelope", "/calendars", json!({
        "market": {"zone": "Europe/London", "days": ["fri", "tue"], "from": "08:00", "to": "16:30",
                   "dates": {"from": "2026-11-01", "to": "2026-12-20"}, "except": ["holiday"]},
        "night": {"zone": "Europe/London", "from": "22:00", "to": "06:00"},
        "weekend": {"zone": "Europe/London", "days": ["sat", "sun"]},
        "holiday": {"zone": "Europe/London", "dates": {"from": "2026-11-24", "to": "2026-11-24"}},
    }));
    world.set(
        "envelope",
        "/checks",
        json!({
            "up": {"kind": "http", "path": "/healthz", "expect": 204, "timeout": "2s"},
            "port": {"kind": "tcp", "port": 443, "timeout": "2s"},
            "handshake": {"kind": "tls", "port": 443, "timeout": "2s"},
            "agent": {"kind": "command", "command": ["agent", "--check"], "timeout": "2s"},
            "errors": {"kind": "prometheus", "query": "errors", "max": "0.02"},
        }),
    );
    world.envelope
}

/// The pointers of all values below `value`.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    if !at.is_empty() {
        found.push(at.to_owned());
    }
    if let Some(members) = value.as_object() {
        for (name, member) in members {
            pointers(member, &format!("{at}/{name}"), found);
        }
    } else if let Some(items) = value.as_array() {
        for (index, item) in items.iter().enumerate() {
            pointers(item, &format!("{at}/{index}"), found);
        }
    }
}

/// Values that may stand where `value` stands.
fn others(value: &Value) -> Vec<Value> {
    let texts = |texts: &[&str]| texts.iter().map(|text| json!(text)).collect();
    match value {
        Value::String(text) if text.starts_with("20") && text.contains('T') => {
            texts(&["2026-11-10T00:00:00Z", "2027-01-29T00:00:00Z"])
        }
        Value::String(text) if text.starts_with("20") => texts(&["2026-11-15", "2026-12-24"]),
        Value::String(text) if text.contains(':') => texts(&["03:00", "23:00"]),
        Value::String(text) if text.starts_with("0.") => texts(&["0.01", "0.9"]),
        Value::String(text) if text.ends_with('%') => texts(&["10%", "7"]),
        Value::String(text) if text.starts_with(|c: char| c.is_ascii_digit()) => {
            texts(&["1m", "400d"])
        }
        Value::String(_) => texts(&[
            "other",
            "/other",
            "prohibited",
            "critical",
            "low",
            "mon",
            "host-isolate",
            "non-critical",
            "Asia/Tokyo",
            "weekend",
        ]),
        Value::Number(number) => {
            let number = number.as_u64().unwrap();
            vec![
                json!(number + 1),
                json!(number.saturating_sub(1)),
                json!(100),
            ]
        }
        Value::Array(_) => vec![json!([])],
        Value::Object(_) => vec![json!({})],
        Value::Bool(_) | Value::Null => vec![],
    }
}

/// The envelope with the value at `pointer` changed in several ways, and without it; not all valid.
fn changed_at(envelope: &Value, pointer: &str) -> Vec<Value> {
    let mut candidates: Vec<Value> = others(envelope.pointer(pointer).unwrap())
        .into_iter()
        .map(|other| {
            let mut copy = envelope.clone();
            *copy.pointer_mut(pointer).unwrap() = other;
            copy
        })
        .collect();
    candidates.push(without(envelope, pointer));
    candidates
}

fn without(envelope: &Value, pointer: &str) -> Value {
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let mut copy = envelope.clone();
    match copy.pointer_mut(parent).unwrap() {
        Value::Object(members) => drop(members.remove(name)),
        Value::Array(items) => drop(items.remove(name.parse().unwrap())),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
    copy
}

/// As [`changed_at`], at every pointer.
fn changed(envelope: &Value) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    pointers(envelope, "", &mut all);
    all.into_iter()
        .flat_map(|pointer| {
            changed_at(envelope, &pointer)
                .into_iter()
                .map(move |candidate| (pointer.clone(), candidate))
        })
        .collect()
}

#[test]
fn every_member_is_covered_and_equal_meaning_gives_nothing() {
    let full = full();
    let before = read(&full).unwrap();
    assert_eq!(diff(Some(&before), &before), []);
    let mut covered = std::collections::BTreeSet::new();
    for (pointer, candidate) in changed(&full) {
        let Some(after) = read(&candidate) else {
            continue;
        };
        let (there, back) = (diff(Some(&before), &after), diff(Some(&after), &before));
        assert_eq!(there.is_empty(), before == after, "{pointer}: {candidate}");
        let count = |changes: &[countersign_core::envelope::diff::Change], direction| {
            changes
                .iter()
                .filter(|change| change.direction == direction)
                .count()
        };
        assert_eq!(
            count(&there, Direction::Widens),
            count(&back, Direction::Narrows),
            "{pointer}: {there:#?} {back:#?}"
        );
        if before != after {
            covered.insert(pointer);
        }
    }
    // Groups and lists are covered by their members. Of the rest, these have only one valid value here.
    let mut all = Vec::new();
    pointers(&full, "", &mut all);
    all.retain(|pointer| !covered.contains(pointer) && is_leaf(full.pointer(pointer).unwrap()));
    all.retain(|pointer| !pointer.ends_with("/kind"));
    assert_eq!(all, ["/schema", "/tiers/safety-critical/autonomy"]);
}

fn is_leaf(value: &Value) -> bool {
    !value.is_object() && !value.is_array()
}

/// `direction: sentence` of each change.
fn told(pointer: &str, value: Value) -> Vec<String> {
    let (mut after, before) = (world(), world());
    after.set("envelope", pointer, value);
    diff(
        Some(&read(&before.envelope).unwrap()),
        &read(&after.envelope).unwrap(),
    )
    .into_iter()
    .map(|change| {
        format!(
            "{} {}: {}",
            change.path,
            change.direction.as_str(),
            change.sentence
        )
    })
    .collect()
}

#[test]
fn in_sentences() {
    for (pointer, value, expected) in [
        (
            "/tiers/non-critical/blast_radius/systems",
            json!(50),
            vec![
                "/tiers/non-critical/blast_radius/systems widens: rule routine may now touch 50 systems of tier non-critical in 1d, was 20",
            ],
        ),
        (
            "/agents",
            json!(["new-agent"]),
            vec![
                "/agents/new-agent widens: the envelope now speaks of agent new-agent",
                "/agents/soc-agent narrows: the envelope no longer speaks of agent soc-agent",
            ],
        ),
        (
            "/calendars/market/to",
            json!("17:00"),
            vec![
                "/calendars/market narrows: calendar market is now tue 08:00 to 17:00 in Europe/London, was tue 08:00 to 16:30 in Europe/London",
            ],
        ),
        (
            "/rules/0/targets/sites",
            json!(["leeds"]),
            vec![
                "/rules/routine/targets/sites narrows: rule routine now grants targets at leeds site, was any",
            ],
        ),
        (
            "/rules/0/conditions/error_budget",
            json!({"min_remaining": "0.25"}),
            vec![
                "/rules/routine/conditions/error_budget narrows: rule routine now asks for error budgets",
            ],
        ),
        (
            "/authority/expires",
            json!("2027-01-20T00:00:00Z"),
            vec![
                "/authority/expires narrows: the authority window now ends at 2027-01-20 00:00:00 UTC, was 2027-01-30 00:00:00 UTC",
            ],
        ),
        (
            "/version",
            json!(2),
            vec!["/version neutral: the version is now 2, was 1"],
        ),
        (
            "/rules",
            json!([]),
            vec![
                "/rules/routine narrows: rule routine is gone: patch on database, linux-server of tier non-critical, production-critical",
            ],
        ),
    ] {
        assert_eq!(told(pointer, value), expected, "{pointer}");
    }
    let first = diff(None, &read(&world().envelope).unwrap());
    assert_eq!(
        first[0].sentence,
        "no envelope was in force before `test` version 1"
    );
    assert!(
        first
            .iter()
            .any(|change| change.path == "/rules/routine" && change.direction == Direction::Widens)
    );
}

/// A world in which everything that the full envelope asks for is there, and some in which one
/// thing is not.
fn cases() -> Vec<World> {
    let mut base = world();
    base.set("topology", "/systems", json!([
        {"id": "web-1", "class": "linux-server", "tier": "non-critical", "service": "intranet", "site": "london", "exposure": "internal", "labels": {"env": "prod"}},
        {"id": "web-2", "class": "linux-server", "tier": "non-critical", "service": "intranet", "site": "leeds", "exposure": "public", "labels": {"env": "prod"}, "redundancy": {"group": "g", "min_healthy": 1}},
        {"id": "web-3", "class": "linux-server", "tier": "non-critical", "labels": {"env": "prod"}, "site": "leeds", "exposure": "public", "redundancy": {"group": "g", "min_healthy": 1}},
        {"id": "db-1", "class": "database", "tier": "production-critical", "service": "shop", "site": "leeds", "exposure": "internal", "labels": {"env": "prod"}},
        {"id": "spare-1", "class": "database", "tier": "production-critical"},
        {"id": "spare-2", "class": "database", "tier": "non-critical", "labels": {"env": "other"}},
        {"id": "spare-3", "class": "other", "tier": "non-critical"},
    ]));
    let digest = document::proposal(base.proposal.to_string())
        .unwrap()
        .document
        .action
        .digest()
        .unwrap()
        .to_string();
    let at = "2026-11-24T02:00:00Z";
    base.set("history", "/error_budgets", json!([{"service": "intranet", "remaining": "0.3", "at": at}, {"service": "shop", "remaining": "0.8", "at": at}]));
    base.set("history", "/staging", json!([{"action_digest": digest, "class": "linux-server", "succeeded_at": at}, {"action_digest": digest, "class": "database", "succeeded_at": at}]));
    base.set("history", "/drills", json!([{"action": "patch", "class": "linux-server", "succeeded_at": at}, {"action": "patch", "class": "database", "succeeded_at": at}]));
    let signal = |source: &str, upstream: &str| json!({"source": source, "upstream": upstream, "systems": ["db-1", "web-1", "web-2", "web-3"], "observed_at": "2026-11-24T02:13:00Z"});
    base.set(
        "history",
        "/signals",
        json!([signal("a", "ua"), signal("b", "ub"), signal("c", "uc")]),
    );
    let mut found = vec![base.clone()];
    for (document, pointer, value) in [
        ("proposal", "/targets/systems", json!(["web-1"])),
        ("proposal", "/targets/systems", json!(["web-2"])),
        ("proposal", "/targets/systems", json!(["db-1"])),
        ("proposal", "/targets/systems", json!(["spare-1"])),
        ("proposal", "/targets/systems", json!(["spare-2"])),
        (
            "proposal",
            "/targets/systems",
            json!(["db-1", "web-1", "web-2", "web-3"]),
        ),
        ("proposal", "/agent", json!("other-agent")),
        ("proposal", "/action", json!({"type": "host-isolate"})),
        (
            "proposal",
            "/detection/detected_at",
            json!("2026-11-24T02:19:30Z"),
        ),
        (
            "proposal",
            "/detection/detected_at",
            json!("2026-11-24T01:30:00Z"),
        ),
        ("history", "/detections/0/severity", json!("critical")),
        ("history", "/detections/0/severity", json!("low")),
        ("history", "/detections/0/false_positives", json!(40)),
        ("history", "/detections/0/false_positives", json!(0)),
        ("history", "/signals", json!([signal("a", "ua")])),
        (
            "history",
            "/in_flight",
            json!([{"operation": "o1", "systems": ["web-3"]}]),
        ),
        (
            "history",
            "/in_flight",
            json!([{"operation": "o1", "systems": ["web-3"]}, {"operation": "o2", "systems": ["spare-1"]}, {"operation": "o3", "systems": []}]),
        ),
        (
            "history",
            "/recent",
            json!([{"operation": "o0", "systems": ["spare-1", "spare-2"], "finished_at": "2026-11-24T01:00:00Z"}]),
        ),
        (
            "history",
            "/error_budgets",
            json!([{"service": "intranet", "remaining": "0.05", "at": at}]),
        ),
        ("history", "/error_budgets", Value::Null),
        ("history", "/staging", json!([])),
        (
            "history",
            "/drills",
            json!([{"action": "patch", "class": "linux-server", "succeeded_at": "2026-10-01T00:00:00Z"}]),
        ),
        ("topology", "/observed_at", json!("2026-11-20T00:00:00Z")),
        (
            "topology",
            "/dependencies",
            json!([{"from": "spare-1", "to": "web-2", "kind": "runtime", "strength": "hard"}]),
        ),
    ] {
        let mut world = base.clone();
        world.set(document, pointer, value);
        found.push(world);
    }
    found
}

/// By night, within market hours, late in the evening, on a Saturday, near the window's end.
const INSTANTS: [&str; 5] = [
    "2026-11-24T02:20:00Z",
    "2026-11-24T10:00:00Z",
    "2026-11-24T23:30:00Z",
    "2026-11-28T12:00:00Z",
    "2027-01-29T12:00:00Z",
];

/// A case at an instant. The whole world moves along with it, so that only what the envelope says
/// of time differs.
struct Case {
    graph: Graph,
    proposal: Proposal,
    history: History,
    now: DateTime<Utc>,
}

impl Case {
    fn new(world: &World, instant: &str) -> Self {
        let origin: DateTime<Utc> = INSTANTS[0].parse().unwrap();
        let now: DateTime<Utc> = instant.parse().unwrap();
        let moved = now - origin;
        let mut topology = document::topology(world.topology.to_string())
            .unwrap()
            .document;
        let mut proposal = document::proposal(world.proposal.to_string())
            .unwrap()
            .document;
        let mut history = document::history(world.history.to_string())
            .unwrap()
            .document;
        topology.observed_at += moved;
        proposal.expires_at += moved;
        proposal.detection.detected_at += moved;
        history
            .signals
            .iter_mut()
            .flatten()
            .for_each(|signal| signal.observed_at += moved);
        history
            .drills
            .iter_mut()
            .flatten()
            .for_each(|drill| drill.succeeded_at += moved);
        history
            .recent
            .iter_mut()
            .flatten()
            .for_each(|recent| recent.finished_at += moved);
        history
            .staging
            .iter_mut()
            .flatten()
            .for_each(|run| run.succeeded_at += moved);
        history
            .error_budgets
            .iter_mut()
            .flatten()
            .for_each(|budget| budget.at += moved);
        Self {
            graph: Graph::new(topology),
            proposal,
            history,
            now,
        }
    }

    fn runs_alone(&self, envelope: &Envelope) -> bool {
        let assessment = assessment::assess(
            Some(envelope),
            &self.graph,
            &self.proposal,
            Some(&self.history),
            self.now,
        );
        assessment.verdict == Verdict::Autonomous
    }
}

/// Every case by night, and the first at each instant.
static CASES: LazyLock<Vec<Case>> = LazyLock::new(|| {
    let worlds = cases();
    let by_night = worlds.iter().map(|world| Case::new(world, INSTANTS[0]));
    let at_each = INSTANTS
        .iter()
        .map(|instant| Case::new(&worlds[0], instant));
    by_night.chain(at_each).collect()
});

fn run(envelope: &Envelope) -> Vec<bool> {
    CASES.iter().map(|case| case.runs_alone(envelope)).collect()
}

/// Full, and with one thing less at several places, so that much of it runs alone.
fn bases() -> Vec<Value> {
    let full = full();
    let mut bases = vec![full.clone()];
    for pointers in [
        &["/rules/1", "/rules/0/severity/min"][..],
        &[
            "/rules/1",
            "/rules/0/conditions/inside",
            "/rules/0/conditions/error_budget",
            "/rules/0/targets/sites",
        ],
        &[
            "/rules/1",
            "/rules/0/conditions",
            "/rules/0/targets/labels",
            "/rules/0/targets/exposure",
            "/rules/0/targets/sites",
        ],
    ] {
        let base = pointers
            .iter()
            .fold(full.clone(), |base, pointer| without(&base, pointer));
        bases.push(base);
    }
    bases
}

fn check((before, was): (&Envelope, &[bool]), (after, is): (&Envelope, &[bool])) -> [usize; 2] {
    let changes = diff(Some(before), after);
    let has = |direction| changes.iter().any(|change| change.direction == direction);
    let gained = was
        .iter()
        .zip(is)
        .filter(|(was, is)| !**was && **is)
        .count();
    let lost = was
        .iter()
        .zip(is)
        .filter(|(was, is)| **was && !**is)
        .count();
    assert!(
        gained == 0 || has(Direction::Widens),
        "{gained} now run alone, and nothing widens: {changes:#?}"
    );
    assert!(
        lost == 0 || has(Direction::Narrows),
        "{lost} now wait, and nothing narrows: {changes:#?}"
    );
    [gained, lost]
}

/// Every single change to two of the bases, there and back. Not one of them may move a verdict against its direction,
/// and many must move some, or this shows nothing.
#[test]
fn each_single_change_moves_verdicts_only_in_its_direction() {
    let (mut gaining, mut losing) = (0, 0);
    for base in bases().into_iter().skip(1).take(2) {
        let before = read(&base).unwrap();
        let was = run(&before);
        for (_, candidate) in changed(&base) {
            let Some(after) = read(&candidate).filter(|after| *after != before) else {
                continue;
            };
            let is = run(&after);
            for [gained, lost] in [
                check((&before, &was), (&after, &is)),
                check((&after, &is), (&before, &was)),
            ] {
                gaining += usize::from(gained > 0);
                losing += usize::from(lost > 0);
            }
        }
    }
    assert!(
        gaining >= 100 && losing >= 100,
        "only {gaining} gain and {losing} lose something"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, failure_persistence: None, ..ProptestConfig::default() })]

    /// Several changes at once, forwards and backwards.
    #[test]
    fn several_changes_move_verdicts_only_in_their_directions(
        base in 0_usize..4,
        choices in prop::collection::vec(any::<[prop::sample::Index; 2]>(), 1..8),
    ) {
        let start = bases()[base].clone();
        let mut end = start.clone();
        for [place, choice] in choices {
            let mut all = Vec::new();
            pointers(&end, "", &mut all);
            let candidates = changed_at(&end, &all[place.index(all.len())]);
            let candidate = &candidates[choice.index(candidates.len())];
            if read(candidate).is_some() {
                end = candidate.clone();
            }
        }
        let (before, after) = (read(&start).unwrap(), read(&end).unwrap());
        let (was, is) = (run(&before), run(&after));
        check((&before, &was), (&after, &is));
        check((&after, &is), (&before, &was));
    }
}
