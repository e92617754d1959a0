//! The scenarios of AG-706 section 3 as past cases.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::document;
use crate::topology::Topology;

/// The envelope in force; `routine-patch` grants patches on linux servers that are not critical.
const BEFORE: &str = include_str!("../../tests/examples/envelope.yaml");

fn envelope(text: &str) -> Envelope {
    document::envelope(text).unwrap().document
}

/// The draft: the one before with some words changed.
fn draft(changes: &[(&str, &str)]) -> Envelope {
    let mut text = BEFORE.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    envelope(&text)
}

fn topology() -> Topology {
    let example = include_str!("../../tests/examples/topology.yaml");
    let mut topology = document::topology(example).unwrap().document;
    let host = topology
        .systems
        .iter()
        .find(|s| s.id.as_str() == "web-017")
        .unwrap()
        .clone();
    for n in 100..140 {
        let mut more = host.clone();
        more.id = format!("web-{n}").parse().unwrap();
        more.addresses.clear();
        topology.systems.push(more);
    }
    topology
}

/// A line of the history, as text.
fn line(
    item: &str,
    proposal: &str,
    targets: Option<&[&str]>,
    verdict: &str,
    outcome: serde_json::Value,
) -> String {
    let mut proposal: serde_json::Value = serde_json::from_str(proposal).unwrap();
    if let Some(targets) = targets {
        proposal["targets"] = serde_json::json!({ "systems": targets });
    }
    let mut history: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/examples/history.json")).unwrap();
    history["in_flight"] = serde_json::json!([]);
    if let Some(targets) = targets {
        history["signals"][0]["systems"] = serde_json::json!(targets);
    }
    let now = proposal["detection"]["detected_at"]
        .as_str()
        .unwrap()
        .replace(":00Z", ":45Z");
    serde_json::json!({
        "item": item, "now": now, "proposal": proposal, "history": history,
        "covers": {"recent": "24h", "signals": "15m", "outcomes": "90d"},
        "topology": canonical::digest(&topology()).unwrap(),
        "recorded": {"verdict": verdict}, "outcome": outcome,
    })
    .to_string()
}

const PATCH: &str = include_str!("../../tests/examples/proposal-patch.json");
const ROTATION: &str = include_str!("../../tests/examples/proposal-rotation.json");
const FIREWALL: &str = include_str!("../../tests/examples/proposal-firewall.json");

/// Scenario A tripped, B and C were rejected, and one small patch ran alone and was fine.
fn past() -> Vec<Record> {
    let rejected =
        serde_json::json!({"result": "rejected", "reason": "fourteen servers lose the database"});
    [
        line(
            "a",
            PATCH,
            Some(&["web-100", "web-101"]),
            "needs_approval",
            serde_json::json!({"result": "tripped"}),
        ),
        line("b", ROTATION, None, "needs_approval", rejected),
        line(
            "c",
            FIREWALL,
            None,
            "needs_approval",
            serde_json::json!({"result": "false_positive"}),
        ),
        line(
            "d",
            PATCH,
            Some(&["web-102"]),
            "autonomous",
            serde_json::json!({"result": "succeeded"}),
        ),
    ]
    .iter()
    .map(|line| parse(line).unwrap())
    .collect()
}

fn run(draft: &Envelope, before: Option<&Envelope>, records: &[Record]) -> Report {
    let topology = topology();
    let given = canonical::digest(&topology).unwrap();
    let graph = Graph::new(&topology);
    let cases: Vec<Case<'_, '_>> = records
        .iter()
        .map(|record| Case {
            record,
            graph: (record.topology == given).then_some(&graph),
        })
        .collect();
    backtest(draft, before, &cases).unwrap()
}

fn items(list: &[Judged]) -> Vec<&str> {
    list.iter().map(|judged| judged.item.as_str()).collect()
}

#[test]
fn a_draft_that_narrows_makes_wait_what_ran() {
    let before = envelope(BEFORE);
    let narrow = draft(&[(
        "severity: { min: low, max: high }",
        "severity: { min: low, max: low }",
    )]);
    let report = run(&narrow, Some(&before), &past());
    assert_eq!(items(&report.newly_waits), ["a", "d"], "{report:#?}");
    assert!(report.newly_waits[0].because[0].contains("severity medium is above"));
    assert!(report.dangerous.is_empty() && report.rules.is_empty());
}

#[test]
fn what_tripped_is_named_first_where_a_draft_lets_it_run() {
    let narrow = draft(&[(
        "severity: { min: low, max: high }",
        "severity: { min: low, max: low }",
    )]);
    let wide = draft(&[("    severity: { min: low, max: high }\n", "")]);
    let report = run(&wide, Some(&narrow), &past());
    assert_eq!(items(&report.newly_alone), ["a", "d"]);
    assert_eq!(items(&report.dangerous), ["a"]);
    let totals = report.rules.values().next().unwrap();
    assert_eq!(
        (totals.alone, totals.newly, totals.tripped, totals.succeeded),
        (2, 2, 1, 1)
    );
}

#[test]
fn without_an_envelope_before_it_is_compared_with_what_happened() {
    let report = run(&envelope(BEFORE), None, &past());
    assert_eq!(
        items(&report.newly_alone),
        ["a"],
        "it waited for another reason then"
    );
    assert_eq!(report.unchanged, 3);
}

/// Scenarios B and C wait under any draft: even one that grants their very action and asks nothing.
#[test]
fn scenarios_b_and_c_wait_under_the_widest_draft() {
    let wide = draft(&[
        (
            "actions: [patch]",
            "actions: [patch, credential-rotate, firewall-rule]",
        ),
        (
            "classes: [linux-server]",
            "classes: [linux-server, database, network-segment]",
        ),
        ("    severity: { min: low, max: high }\n", ""),
        (
            "      outside: [london-market-hours, year-end-freeze]\n",
            "",
        ),
        ("segments: 1, fraction", "segments: 9, fraction"),
    ]);
    let report = run(&wide, None, &past());
    assert_eq!(items(&report.newly_alone), ["a"]);
}

#[test]
fn what_was_not_recorded_is_not_evaluable_and_never_permissive() {
    let before = envelope(BEFORE);
    for (from, to, missing) in [
        ("per: 24h", "per: 48h", "what ran within 2d"),
        (
            "within: 15m }     #",
            "within: 30m }     #",
            "signals within 30m",
        ),
        ("over: 90d", "over: 60d", "outcomes over 60d"),
    ] {
        let report = run(&draft(&[(from, to)]), Some(&before), &past());
        assert_eq!(items(&report.not_evaluable), ["a", "d"], "{from}");
        assert!(
            report.not_evaluable[0].because[0].contains(missing),
            "{:?}",
            report.not_evaluable[0]
        );
        assert!(report.newly_alone.is_empty() && report.rules.is_empty());
    }
    let mut elsewhere = past();
    elsewhere[3].topology = Digest::of(b"another");
    let report = run(&before, Some(&before), &elsewhere);
    assert_eq!(items(&report.not_evaluable), ["d"]);
    let mut unknown = past();
    unknown[3].covers = Covers::default();
    assert_eq!(items(&run(&before, None, &unknown).not_evaluable), ["d"]);
}

#[test]
fn the_window_of_the_draft_does_not_matter() {
    let later = draft(&[
        (
            "effective: 2026-11-01T00:00:00Z",
            "effective: 2027-02-01T00:00:00Z",
        ),
        (
            "expires: 2027-01-30T00:00:00Z",
            "expires: 2027-04-30T00:00:00Z",
        ),
    ]);
    let report = run(&later, Some(&envelope(BEFORE)), &past());
    assert_eq!(report.unchanged, 4, "{report:#?}");
}

#[test]
fn a_malformed_line_is_told() {
    assert!(
        parse("{}")
            .unwrap_err()
            .contains("countersignctl schema backtest")
    );
    let wrong = line(
        "a",
        PATCH,
        None,
        "autonomous",
        serde_json::json!({"result": "fine"}),
    );
    assert!(parse(&wrong).unwrap_err().contains("fine"));
    let same = serde_json::to_string(&past()[0]).unwrap();
    assert_eq!(parse(&same).unwrap(), past()[0]);
}

#[test]
fn an_evidence_folder_is_a_case() {
    let fixture = crate::decision::fixture::Fixture::new();
    let mut story = crate::evidence::tests::Story::of(fixture);
    story.assess();
    story.choose(|f| &f.soc, &crate::decision::ItemChoice::Reject);
    let folder = story.export();
    let (record, topology) = from_evidence(&folder.files, Some(folder.genesis))
        .unwrap()
        .unwrap();
    assert_eq!(
        record.outcome,
        Outcome::Rejected {
            reason: Some("because".to_owned())
        }
    );
    assert_eq!(record.recorded.verdict, Verdict::NeedsApproval);
    assert_eq!(canonical::digest(&topology).unwrap(), record.topology);
    let mut broken = folder.files;
    broken.remove("briefing.json");
    assert!(from_evidence(&broken, Some(folder.genesis)).is_err());
}

/// Read once: the topology is large.
static PAST: LazyLock<Vec<Record>> = LazyLock::new(past);

proptest! {
    /// The same envelope twice changes nothing, whatever happened and whatever was recorded.
    #[test]
    fn a_draft_that_is_the_one_before_changes_nothing(
        picks in proptest::collection::vec((0_usize..4, 1_u32..100, any::<bool>()), 0..12),
        systems in 1_u64..12,
    ) {
        let all = &*PAST;
        let records: Vec<Record> = picks
            .iter()
            .map(|(pick, hours, verdict)| {
                let mut record = all[*pick].clone();
                record.covers.recent = format!("{hours}h").parse().ok();
                record.recorded.verdict = if *verdict { Verdict::Autonomous } else { Verdict::NeedsApproval };
                record
            })
            .collect();
        let same = draft(&[("systems: 200", &format!("systems: {systems}"))]);
        let report = run(&same, Some(&same), &records);
        prop_assert!(report.newly_alone.is_empty() && report.newly_waits.is_empty());
        let counted = report.unchanged + u64::try_from(report.not_evaluable.len()).unwrap();
        prop_assert_eq!(counted, report.cases);
    }
}
