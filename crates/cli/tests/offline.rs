//! `countersignctl` offline: what it prints, where it complains and how it exits.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const NOW: &str = "2026-11-24T02:20:00Z";

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../core/tests/examples")
        .join(name)
}

fn run<S: AsRef<std::ffi::OsStr>>(arguments: &[S]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_countersignctl"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .output()
        .unwrap()
}

/// Assesses the patch of the examples, with `topology` and `now` instead of their own.
fn assess(topology: &Path, now: &str, more: &[&str]) -> Output {
    let path = |path: &Path| path.display().to_string();
    let mut arguments = vec![
        "assess".to_owned(),
        "--envelope".to_owned(),
        path(&example("envelope.yaml")),
        "--topology".to_owned(),
        path(topology),
        "--proposal".to_owned(),
        path(&example("proposal-patch.json")),
        "--now".to_owned(),
        now.to_owned(),
    ];
    arguments.extend(more.iter().map(|&a| a.to_owned()));
    run(&arguments)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn json_is_exactly_one_object_on_the_standard_output() {
    let output = assess(&example("topology.yaml"), NOW, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let assessment: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(assessment["verdict"], "needs_approval");
    assert_eq!(assessment["rule"], "routine-patch");
    assert_eq!(assessment["scope"]["systems"], 3);
    assert_eq!(assessment["findings"].as_array().unwrap().len(), 12);
    assert!(text(&output.stderr).contains("topology.yaml:20:52: warning[segment-below-inside]"));
}

#[test]
fn a_refusal_is_an_assessment_too() {
    let output = assess(
        &example("topology.yaml"),
        "2026-12-24T00:00:00Z",
        &["--json"],
    );
    assert_eq!(output.status.code(), Some(0));
    let assessment: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(assessment["verdict"], "refused");
}

#[test]
fn without_json_a_person_reads_the_verdict_first() {
    let output = assess(&example("topology.yaml"), NOW, &[]);
    assert_eq!(output.status.code(), Some(0));
    let report = text(&output.stdout);
    assert!(report.starts_with("NEEDS APPROVAL"), "{report}");
    for part in [
        "quorum: 1 approver",
        "Why it does not run alone:",
        "Findings:",
        "Impact",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
}

#[test]
fn an_invalid_document_is_shown_with_its_line_and_nothing_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("topology.yaml");
    let valid = fs::read_to_string(example("topology.yaml")).unwrap();
    fs::write(&path, valid.replace("to: scada-1,", "to: scada-9,")).unwrap();
    for more in [&["--json"][..], &[]] {
        let output = assess(&path, NOW, more);
        assert_eq!(output.status.code(), Some(2));
        assert_eq!(text(&output.stdout), "");
        let complaint = text(&output.stderr);
        for part in [
            "dangling-reference",
            "there is no system or service `scada-9`",
            "topology.yaml:33:28]",
            "{ from: plc-1,     to: scada-9,",
            "help: correct the name",
        ] {
            assert!(complaint.contains(part), "`{part}` in\n{complaint}");
        }
    }
}

#[test]
fn what_cannot_be_read_exits_with_2() {
    for (output, part) in [
        (
            assess(Path::new("no-such-file.yaml"), NOW, &["--json"]),
            "`no-such-file.yaml` cannot be read",
        ),
        (
            assess(&example("topology.yaml"), "yesterday", &["--json"]),
            "2026-11-24T02:20:00Z",
        ),
        (run(&["assess"]), "--envelope"),
        (run(&["no-such-command"]), "no-such-command"),
    ] {
        assert_eq!(output.status.code(), Some(2), "{part}");
        assert_eq!(text(&output.stdout), "");
        assert!(
            text(&output.stderr).contains(part),
            "{part}: {}",
            text(&output.stderr)
        );
    }
}

#[test]
fn ten_megabytes_of_garbage_are_refused_as_every_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("garbage");
    fs::write(&path, vec![0xff_u8; 10 << 20]).unwrap();
    let path = path.to_str().unwrap();
    let refused = |arguments: &[&str], mend: &str| {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stderr.len() < 10_000, "{arguments:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.contains(&format!("{path}:1:1")), "{told}");
        assert!(told.contains(mend), "{told}");
    };
    for (kind, mend) in [
        ("envelope", "make the document smaller"),
        ("topology", "save the document as UTF-8"),
        ("proposal", "make the document smaller"),
        ("history", "save the document as UTF-8"),
    ] {
        refused(&["lint", "--kind", kind, path], mend);
    }
    refused(
        &["propose", "--agent-secret", "x", path],
        "make the document smaller",
    );
}

#[test]
fn every_kind_has_a_schema() {
    for kind in ["envelope", "topology", "proposal", "history", "backtest"] {
        let output = run(&["schema", kind]);
        assert_eq!(output.status.code(), Some(0), "{kind}");
        let schema: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(schema["type"], "object", "{kind}");
    }
}

#[test]
fn conformance_reports_whatever_it_finds() {
    let path = |name: &str| example(name).display().to_string();
    let (envelope, topology, history) = (
        path("envelope.yaml"),
        path("topology.yaml"),
        path("history.json"),
    );
    let mut arguments = vec![
        "conformance",
        "--envelope",
        &envelope,
        "--topology",
        &topology,
    ];
    arguments.extend(["--history", &history, "--now", NOW]);
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    for part in [
        "8.1  Remediation",
        "8.8  Immutable",
        "Maturity level: none",
        "DORA Article 9",
    ] {
        assert!(report.contains(part), "{part} in {report}");
    }
    arguments.push("--json");
    let report: Value = serde_json::from_slice(&run(&arguments).stdout).unwrap();
    assert_eq!(report["tests"].as_array().unwrap().len(), 8);
    // Nobody rehearsed the file quarantine that the second rule grants; nothing shows a log.
    assert_eq!(report["tests"][5]["result"], "not_conformant");
    assert_eq!(report["tests"][7]["result"], "not_tested");
    arguments[2] = &topology;
    assert_eq!(run(&arguments).status.code(), Some(2));
}

#[test]
fn a_back_test_tells_what_a_draft_would_change() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let read = |name: &str| fs::read_to_string(example(name)).unwrap();
    let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
    let record = serde_json::json!({
        "item": "a", "now": NOW, "proposal": json(&read("proposal-patch.json")),
        "history": json(&read("history.json")), "topology": "0".repeat(64),
        "recorded": {"verdict": "autonomous"}, "outcome": {"result": "tripped"},
    });
    fs::write(path("past.jsonl"), format!("{record}\n\n")).unwrap();
    let envelope = example("envelope.yaml").display().to_string();
    let past = path("past.jsonl");
    let mut arguments = vec![
        "backtest",
        "--envelope",
        &envelope,
        "--against",
        &past,
        "--now",
        NOW,
    ];
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let report = text(&output.stdout);
    assert!(
        report.starts_with("1 cases of 90 days: 0 would newly run alone"),
        "{report}"
    );
    assert!(report.contains("was not given"), "{report}");
    arguments.push("--json");
    let report: Value = serde_json::from_slice(&run(&arguments).stdout).unwrap();
    assert_eq!(report["not_evaluable"][0]["outcome"]["result"], "tripped");
    fs::write(path("past.jsonl"), "{}").unwrap();
    let output = run(&arguments);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("past.jsonl:1:"),
        "{}",
        text(&output.stderr)
    );
}

#[test]
fn an_envelope_is_compared_in_sentences() {
    let folder = tempfile::tempdir().unwrap();
    let wider = folder.path().join("wider.yaml");
    let text = fs::read_to_string(example("envelope.yaml")).unwrap();
    fs::write(&wider, text.replace("systems: 200", "systems: 500")).unwrap();
    let diff = |more: &[&str]| {
        let mut arguments = vec!["envelope".to_owned(), "diff".to_owned()];
        arguments
            .extend([example("envelope.yaml"), wider.clone()].map(|p| p.display().to_string()));
        arguments.extend(more.iter().map(|&a| a.to_owned()));
        run(&arguments)
    };
    let said = "rules contain-workstation, routine-patch may now touch 500 systems of tier non-critical in 1d, was 200";
    assert_eq!(text_of(&diff(&[])), format!("widens   {said}\n"));
    let json: Value = serde_json::from_str(&text_of(&diff(&["--json"]))).unwrap();
    assert_eq!(json[0]["sentence"], said);
    assert_eq!(json[0]["direction"], "widens");
}

#[test]
fn an_envelope_is_held_against_a_topology() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("envelope.yaml");
    let envelope = fs::read_to_string(example("envelope.yaml")).unwrap();
    fs::write(&file, envelope.replace("[linux-server]", "[mainframe]")).unwrap();
    let path = |path: &Path| path.display().to_string();
    let output = run(&[
        "lint".to_owned(),
        "--envelope".to_owned(),
        path(&file),
        "--topology".to_owned(),
        path(&example("topology.yaml")),
    ]);
    let told = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{told}");
    assert!(
        told.contains("envelope.yaml:43:26: warning[unknown-name]"),
        "{told}"
    );
}

/// What a command that succeeded printed.
fn text_of(output: &Output) -> String {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn an_envelope_is_exported_to_cedar_and_nothing_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let into = folder.path().join("new").join("cedar");
    let envelope = example("envelope.yaml");
    let export = || {
        run(&[
            "envelope".as_ref(),
            "export".as_ref(),
            "--cedar".as_ref(),
            envelope.as_os_str(),
            into.as_os_str(),
        ])
    };
    let output = export();
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let policies = fs::read_to_string(into.join("policies.cedar")).unwrap();
    assert!(policies.contains("@rule(\"routine-patch\")"), "{policies}");
    let schema = fs::read_to_string(into.join("schema.cedarschema")).unwrap();
    assert!(schema.contains("namespace Countersign"), "{schema}");

    fs::write(into.join("policies.cedar"), "mine").unwrap();
    fs::remove_file(into.join("schema.cedarschema")).unwrap();
    let output = export();
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("policies.cedar is there already"));
    let kept = fs::read_to_string(into.join("policies.cedar")).unwrap();
    assert_eq!(kept, "mine");
    assert!(!into.join("schema.cedarschema").exists());
}

#[test]
fn an_export_names_its_language() {
    let envelope = example("envelope.yaml");
    let output = run(&[
        "envelope".as_ref(),
        "export".as_ref(),
        envelope.as_os_str(),
        "out".as_ref(),
    ]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("--cedar"));
}
