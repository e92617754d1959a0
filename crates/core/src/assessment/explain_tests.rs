use super::*;
use crate::document;
use crate::envelope::Envelope;
use crate::topology::Topology;

const NOW: &str = "2026-11-24T02:20:00Z";

fn envelope() -> Envelope {
    let text = include_str!("../../tests/examples/envelope.yaml");
    document::envelope(text).unwrap().document
}

fn topology() -> Topology {
    let text = include_str!("../../tests/examples/topology.yaml");
    document::topology(text).unwrap().document
}

fn history() -> History {
    let text = include_str!("../../tests/examples/history.json");
    document::history(text).unwrap().document
}

fn told(proposal: &str, history: Option<&History>) -> String {
    let (envelope, topology) = (envelope(), topology());
    let proposal = document::proposal(proposal).unwrap().document;
    let graph = Graph::new(&topology);
    let now = NOW.parse().unwrap();
    let assessment = crate::assessment::assess(Some(&envelope), &graph, &proposal, history, now);
    let told = explain(&assessment, &graph, &proposal, history);
    assert_eq!(told, explain(&assessment, &graph, &proposal, history));
    told
}

const PATCH: &str = include_str!("../../tests/examples/proposal-patch.json");
const FIREWALL: &str = include_str!("../../tests/examples/proposal-firewall.json");
const ROTATION: &str = include_str!("../../tests/examples/proposal-rotation.json");

#[test]
fn the_samples_read_as_a_person_would_say_it() {
    let history = history();
    for (name, proposal) in [
        ("patch", PATCH),
        ("firewall", FIREWALL),
        ("rotation", ROTATION),
    ] {
        let told = told(proposal, Some(&history));
        let words = told.split_whitespace().count();
        assert!(words <= 120, "{words} words: {told}");
        insta::assert_snapshot!(name, told);
    }
}

#[test]
fn what_is_hostile_is_quoted_cut_and_made_visible() {
    let mut proposal: serde_json::Value = serde_json::from_str(PATCH).unwrap();
    let hostile = format!("x” on nothing.\u{202e} All is well. {}", "a".repeat(100));
    proposal["action"]["parameters"]["package"] = "openssl".into();
    let mut read = document::proposal(proposal.to_string()).unwrap().document;
    if let Action::Patch(parameters) = &mut read.action {
        parameters.package = hostile;
    }
    let said = action(&read.action, "it");
    assert!(
        said.starts_with("patch “x\" on nothing.\u{fffd} All is well. aaa"),
        "{said}"
    );
    assert!(said.contains("a…” to “"), "{said}");
    assert!(!said.contains('\u{202e}'));
}

#[test]
fn benign_patterns_are_named_whoever_acts() {
    let mut history = history();
    let proposal = document::proposal(PATCH).unwrap().document;
    for detection in history.detections.iter_mut().flatten() {
        detection.benign_patterns = ["a", "b", "c", "d", "e"].map(str::to_owned).into();
        detection.agents.clear();
    }
    let told = benign(&proposal, Some(&history)).unwrap();
    assert_eq!(
        told,
        "What was detected is often harmless: “a”, “b”, “c” and 2 more."
    );
    // Another rule of the same source, the same rule of another source: not what was detected.
    for (rule, source) in [(true, false), (false, true)] {
        let mut others = history.clone();
        for detection in others.detections.iter_mut().flatten() {
            let name = |same: bool| if same { "" } else { "-other" };
            detection.rule = format!("{}{}", detection.rule, name(rule)).parse().unwrap();
            detection.source = format!("{}{}", detection.source, name(source))
                .parse()
                .unwrap();
        }
        assert_eq!(benign(&proposal, Some(&others)), None, "{rule} {source}");
    }
    history.detections = Some(Vec::new());
    assert_eq!(benign(&proposal, Some(&history)), None);
}

#[test]
fn only_what_is_too_long_is_cut() {
    let whole = "a".repeat(QUOTED_CHARS_MAX);
    assert_eq!(quoted(&whole), format!("“{whole}”"));
    assert_eq!(quoted(&format!("{whole}a")), format!("“{whole}…”"));
    let whole = "a".repeat(FINDING_CHARS_MAX);
    assert_eq!(plain(&whole), whole);
    assert_eq!(plain(&format!("{whole}a")), format!("{whole}…"));
}

#[test]
fn only_the_detection_s_finding_is_told_without_its_benign_patterns() {
    let finding = |clause| Finding {
        check: String::new(),
        clause,
        outcome: Outcome::Fail,
        measured: None,
        limit: None,
        message: format!("it is so{BENIGN}backup"),
    };
    let told = |clause| {
        let graph = Graph::new(topology());
        let proposal = document::proposal(PATCH).unwrap().document;
        let mut assessment =
            crate::assessment::assess(None, &graph, &proposal, None, NOW.parse().unwrap());
        assessment.findings = vec![finding(clause)];
        reasons(&assessment)
    };
    assert_eq!(told(Clause::C4_11), "it is so (4.11)");
    assert_eq!(told(Clause::C4_5), format!("it is so{BENIGN}backup (4.5)"));
}

#[test]
fn who_decides() {
    let rule = |needed, roles: &[&str]| QuorumRule {
        needed,
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
    };
    for (rule, expected) in [
        (
            rule(1, &["lead", "oncall"]),
            "One person decides: “lead” or “oncall”.",
        ),
        (
            rule(2, &["lead", "ot"]),
            "2 people decide, at least one of each: “lead” and “ot”.",
        ),
        (
            rule(2, &["lead", "oncall", "ot"]),
            "2 people decide, each “lead”, “oncall” or “ot”.",
        ),
        (rule(2, &[]), "2 people decide, of any role."),
        (rule(1, &["ot"]), "One person decides: “ot”."),
    ] {
        assert_eq!(quorum(&rule), expected);
    }
}
