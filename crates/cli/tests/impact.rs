//! `countersignctl impact` and `countersignctl topology merge`: what they print and how they exit.

#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

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

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn impact(proposal: &Path, more: &[&str]) -> Output {
    let mut arguments = vec![
        "impact".to_owned(),
        "--topology".to_owned(),
        example("topology.yaml").display().to_string(),
        "--proposal".to_owned(),
        proposal.display().to_string(),
        "--now".to_owned(),
        "2026-11-24T02:20:00Z".to_owned(),
    ];
    arguments.extend(more.iter().map(|&a| a.to_owned()));
    run(&arguments)
}

fn says(output: &Output, parts: &[&str]) {
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let told = text(&output.stdout);
    for part in parts {
        assert!(told.contains(part), "`{part}` in\n{told}");
    }
}

#[test]
fn a_rotation_tells_whom_it_leaves_behind() {
    says(
        &impact(&example("proposal-rotation.json"), &[]),
        &[
            "DRY RUN: rotate svc_ehr on ehr-db-1",
            "nothing was touched",
            "3 down, 1 degraded, until it is undone",
            "safety-critical: 3 down, 1 degraded",
            "patient-records: 3 down, 1 degraded",
            "no known site",
            "Credential svc_ehr: 0 given the new one, 3 not",
            "ehr-app-1 on ehr-db-1 (hard)",
            "Duration (no rule grants it, so one at a time; 1 wave, 1 at once): unknown",
            "Plan: none: no executor has looked at the systems",
        ],
    );
}

#[test]
fn a_patch_tells_which_group_breaks_and_how_long_it_takes() {
    let folder = tempfile::tempdir().unwrap();
    let envelope = folder.path().join("envelope.yaml");
    let rules = fs::read_to_string(example("envelope.yaml")).unwrap();
    fs::write(
        &envelope,
        rules.replace("      soak: 2m\n", "      soak: 2m\n      per_system: 3m\n"),
    )
    .unwrap();
    let plan = folder.path().join("plan.json");
    fs::write(
        &plan,
        r#"{"grade":"declared","executor":"ansible","steps":["openssl 3.0.9 -> 3.0.15-1"]}"#,
    )
    .unwrap();
    let more = [
        "--envelope",
        envelope.to_str().unwrap(),
        "--plan",
        plan.to_str().unwrap(),
    ];
    let proposal = example("proposal-patch.json");
    says(
        &impact(&proposal, &more),
        &[
            "DRY RUN: patch openssl to 3.0.15-1",
            "each while it is worked on",
            "BREAKS pay-ldn: 0 of 1 stay up at the worst moment, 300 must",
            "nobody knows what is in flight",
            "Duration (rule routine-patch; 1 wave, 5 at once): 3 min expected",
            "Plan: declared: its executor says that it wrote nothing",
            "by ansible",
            "openssl 3.0.9 -> 3.0.15-1",
        ],
    );
    let output = impact(&proposal, &[&more[..], &["--json"]].concat());
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["plan"]["grade"], "declared");
    assert_eq!(json["duration"]["total_s"], 180);
    assert_eq!(json["groups"][0]["group"], "pay-ldn");
    assert_eq!(
        json["total"]["down"],
        json["impact"].as_array().unwrap().len()
    );
}

#[test]
fn a_rule_that_cuts_one_way_tells_what_it_leaves_alone() {
    let folder = tempfile::tempdir().unwrap();
    let one_way = folder.path().join("proposal.json");
    let rule = fs::read_to_string(example("proposal-firewall.json")).unwrap();
    says(
        &impact(&example("proposal-firewall.json"), &[]),
        &[
            "Cut: all traffic in both directions; 1 known need across it",
            "plc-1 needs scada-1 (control, hard)",
        ],
    );
    fs::write(
        &one_way,
        rule.replace("\"any\"", "\"tcp/445\", \"direction\": \"one-way\""),
    )
    .unwrap();
    says(
        &impact(&one_way, &[]),
        &[
            "block 10.4.0.0/16 → 10.8.0.0/16 for tcp/445",
            "Cut: tcp/445 one way; 1 known need across it",
        ],
    );
}

#[test]
fn a_plan_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let plan = folder.path().join("plan.json");
    fs::write(&plan, r#"{"grade":"certain"}"#).unwrap();
    let output = impact(
        &example("proposal-patch.json"),
        &["--plan", plan.to_str().unwrap()],
    );
    assert_eq!(output.status.code(), Some(2));
    let complaint = text(&output.stderr);
    assert!(
        complaint.contains("is not a valid plan") && complaint.contains("`certain`"),
        "{complaint}"
    );
}

#[test]
fn sources_become_one_and_every_conflict_is_printed() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let cmdb = fs::read_to_string(example("topology.yaml")).unwrap();
    let other = cmdb
        .replace("source: northwind-cmdb", "source: scanner")
        .replace("2026-11-24T01:30:00Z", "2026-11-24T01:50:00Z")
        .replace(
            "tier: non-critical, addresses: [10.31.0.17]",
            "tier: production-critical, addresses: [10.31.0.99]",
        )
        .replace("min_healthy: 300", "min_healthy: 310");
    fs::write(path("other.yaml"), other).unwrap();
    let out = path("merged.yaml");
    let sources = [
        example("topology.yaml").display().to_string(),
        path("other.yaml"),
    ];
    let merge = ["topology", "merge", &out, &sources[0], &sources[1]];
    let output = run(&merge);
    says(
        &output,
        &[
            "3 conflicts; the stricter reading counts",
            "web-017: tier is non-critical (northwind-cmdb), production-critical (scanner); production-critical counts",
            "web-017: addresses is 10.31.0.17 (northwind-cmdb), 10.31.0.99 (scanner); 10.31.0.17 10.31.0.99 counts",
            "pay-0001: redundancy is pay-ldn, of which 300 must stay up",
        ],
    );
    let lint = run(&["lint", "--kind", "topology", &out]);
    assert_eq!(lint.status.code(), Some(0), "{}", text(&lint.stderr));
    // It is never written over.
    let again = run(&merge);
    assert_eq!(again.status.code(), Some(2));
    assert!(text(&again.stderr).contains("cannot be written"));
    let (agreed, json) = (path("agreed.yaml"), path("json.yaml"));
    says(
        &run(&["topology", "merge", &agreed, &sources[0], &sources[0]]),
        &["no conflicts"],
    );
    let output = run(&[
        "topology",
        "merge",
        "--json",
        &json,
        &sources[0],
        &sources[1],
    ]);
    let conflicts: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(conflicts.as_array().unwrap().len(), 3);
}

#[test]
fn the_schemas_know_the_new_members() {
    for (kind, members) in [
        ("topology", &["observed_at", "\"source\"", "tcp/5432"][..]),
        ("proposal", &["direction", "one-way"]),
        ("envelope", &["per_system"]),
    ] {
        let output = run(&["schema", kind]);
        says(&output, members);
    }
}
