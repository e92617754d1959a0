//! A good organisation reaches its level, and for each test a bad one is caught.

use chrono::{DateTime, Utc};

use super::*;
use crate::assessment::Verdict;
use crate::briefing::Narrowing;
use crate::decision::ItemChoice;
use crate::decision::fixture::{Fixture, NOW, at};
use crate::document;
use crate::evidence::tests::Story;
use crate::identifier::SystemId;
use crate::operation::{Authority, Autonomous, CheckResult, EventKind};

const ENVELOPE: &str = r#"
schema: countersign/envelope/v1
name: good
version: 1
authority: { board: governance-board, quorum: 2, effective: 2026-11-01T00:00:00Z, expires: 2027-01-30T00:00:00Z }
agents: [soc-agent]
tiers:
  safety-critical:
    autonomy: prohibited
    approval: { quorum: 2, roles: [ot-safety-officer, soc-lead] }
  production-critical:
    autonomy: bounded
    approval: { quorum: 1, roles: [soc-lead] }
    blast_radius: { systems: 5, services: 1, segments: 0, fraction_of_class: "0.05", per: 24h }
  non-critical:
    autonomy: bounded
    approval: { quorum: 1, roles: [soc-lead] }
    blast_radius: { systems: 20, services: 2, segments: 1, fraction_of_class: "0.25", per: 24h }
calendars:
  market: { zone: Europe/London, days: [mon, tue, wed, thu, fri], from: "08:00", to: "16:30" }
checks:
  up: { kind: http, path: /healthz, expect: 200, timeout: 2s }
rules:
  - id: patch
    actions: [patch]
    targets: { classes: [linux-server], tiers: [non-critical, production-critical] }
    severity: { min: low, max: high }
    conditions:
      outside: [market]
      corroboration: { independent_sources: 2, within: 15m }
      false_positive_rate: { max: "0.05", over: 90d }
      topology_age: { max: 24h }
      validated_in_staging: { within: 7d }
      error_budget: { min_remaining: "0.2" }
      concurrent_operations: { max: 3 }
    rollout: { canary: 2, waves: ["25%", "100%"], soak: 2m, concurrency: 2, health: [up], breaker: { failures: 0, attempts_per_system: 2 } }
    rollback: { within: 15m, drilled_within: 92d }
"#;

fn topology() -> String {
    let hosts: String = (11..=50)
        .map(|n| format!("  - {{ id: web-{n}, class: linux-server, tier: non-critical }}\n"))
        .collect();
    format!(
        r"
schema: countersign/topology/v1
observed_at: 2026-11-24T02:00:00Z
source: test
services:
  - {{ id: water, tier: safety-critical }}
  - {{ id: shop, tier: production-critical }}
systems:
  - {{ id: scada-1, class: scada-server, tier: safety-critical, service: water, addresses: [10.0.0.1] }}
  - {{ id: web-1, class: linux-server, tier: safety-critical }}
  - {{ id: web-2, class: linux-server, tier: safety-critical }}
  - {{ id: shop-1, class: linux-server, tier: production-critical, service: shop }}
  - {{ id: db-1, class: database, tier: production-critical }}
{hosts}dependencies:
  - {{ from: scada-1, to: web-1, kind: runtime, strength: hard }}
  - {{ from: shop-1, to: db-1, kind: credential, credential: svc, strength: hard }}
  - {{ from: shop, to: shop-1, kind: runtime, strength: soft }}
"
    )
}

fn proposal(target: &str) -> String {
    format!(
        r#"{{
  "idempotency_key": "k", "agent": "soc-agent",
  "detection": {{ "id": "d", "rule": "r", "source": "s", "title": "t", "severity": "high", "detected_at": "2026-11-24T02:10:00Z" }},
  "action": {{ "type": "patch", "parameters": {{ "package": "openssl", "to_version": "3" }} }},
  "targets": {{ "systems": [{target}] }},
  "expires_at": "2026-11-25T00:00:00Z"
}}"#
    )
}

fn history() -> History {
    let signal = |n| serde_json::json!({"source": format!("s{n}"), "upstream": format!("u{n}"), "systems": ["web-11"], "observed_at": "2026-11-24T02:09:00Z"});
    let patch = document::proposal(proposal(r#""web-11""#))
        .unwrap()
        .document
        .action
        .digest()
        .unwrap();
    let history = serde_json::json!({
        "envelope_authorised": true, "autonomy_suspended": false,
        "drills": [{"action": "patch", "class": "linux-server", "succeeded_at": "2026-10-20T10:00:00Z"}],
        "detections": [{"rule": "r", "source": "s", "upstream": "x", "agents": ["soc-agent"], "severity": "medium", "assessed": 100, "false_positives": 2}],
        "error_budgets": [], "staging": [{"action_digest": patch, "class": "linux-server", "succeeded_at": "2026-11-23T10:00:00Z"}],
        "signals": [signal(1), signal(2)], "in_flight": [], "recent": []
    });
    document::history(history.to_string()).unwrap().document
}

/// Documents as text, so that every bad organisation is a good one with one thing changed.
struct Organisation {
    envelope: String,
    topology: String,
    history: Option<History>,
    evidence: Vec<Folder>,
    genesis: Option<Digest>,
    now: DateTime<Utc>,
}

fn settled(mut story: Story, authority: &Authority, systems: &[&str], touched: &str) -> Story {
    let (operation, _) = story.operate_by(authority.clone(), systems, touched);
    story.settle(&operation, touched);
    story
}

/// Two people approve; it runs on what they approved.
fn approved() -> Story {
    let fixture = Fixture::of(
        ENVELOPE,
        &topology(),
        &proposal(r#""web-1", "web-2""#),
        &history(),
    );
    let mut story = Story::of(fixture);
    story.assess();
    let web_1 = || Narrowing {
        targets: [SystemId::new("web-1").unwrap()].into(),
    };
    let canary = || ItemChoice::Approve {
        narrowing: Some(web_1()),
    };
    let decisions = [
        story.choose(|f| &f.soc, &canary()),
        story.choose(|f| &f.ot, &canary()),
    ];
    let (operation, _) = story.operate(&decisions, &["web-1"], "web-1");
    story.settle(&operation, "web-1");
    story
}

/// It runs alone.
fn alone() -> Story {
    let fixture = Fixture::of(ENVELOPE, &topology(), &proposal(r#""web-11""#), &history());
    let mut story = Story::of(fixture);
    story.assess();
    let briefing = &story.fixture.briefing;
    assert_eq!(briefing.assessment.verdict, Verdict::Autonomous);
    let grant = Autonomous::new(&briefing.assessment, briefing.digests.envelope.unwrap()).unwrap();
    settled(story, &Authority::Autonomous(grant), &["web-11"], "web-11")
}

fn good() -> Organisation {
    let folders = [
        ("approved", approved().export()),
        ("alone", alone().export()),
    ];
    Organisation {
        envelope: ENVELOPE.to_owned(),
        topology: topology(),
        history: Some(history()),
        genesis: folders.first().map(|(_, folder)| folder.genesis),
        evidence: folders
            .into_iter()
            .map(|(name, folder)| Folder {
                name: name.to_owned(),
                files: folder.files,
            })
            .collect(),
        now: at(NOW),
    }
}

/// Without evidence, which most bad ones do not need.
fn plain() -> Organisation {
    Organisation {
        envelope: ENVELOPE.to_owned(),
        topology: topology(),
        history: Some(history()),
        evidence: Vec::new(),
        genesis: None,
        now: at(NOW),
    }
}

impl Organisation {
    fn report_with(&self, engine: Option<Engine<'_>>) -> Report {
        let envelope = document::envelope(&self.envelope).unwrap().document;
        let topology = document::topology(&self.topology).unwrap().document;
        let inputs = Inputs {
            envelope: &envelope,
            topology: &topology,
            history: self.history.as_ref(),
            evidence: &self.evidence,
            genesis: self.genesis,
            now: self.now,
        };
        match engine {
            Some(engine) => check_with(&inputs, engine).unwrap(),
            None => check(&inputs).unwrap(),
        }
    }

    fn report(&self) -> Report {
        self.report_with(None)
    }

    fn with(mut self, from: &str, to: &str) -> Self {
        let before = (self.envelope.clone(), self.topology.clone());
        self.envelope = self.envelope.replace(from, to);
        self.topology = self.topology.replace(from, to);
        assert_ne!(
            before,
            (self.envelope.clone(), self.topology.clone()),
            "{from}"
        );
        self
    }
}

fn result_of(report: &Report, id: &str) -> TestResult {
    report
        .tests
        .iter()
        .find(|test| test.id == id)
        .unwrap()
        .result
}

/// `id` is not conformant, and a failed trial says `why`.
#[track_caller]
fn caught(report: &Report, id: &str, why: &str) {
    let test = report.tests.iter().find(|test| test.id == id).unwrap();
    assert_eq!(test.result, TestResult::NotConformant, "{test:#?}");
    let failed: Vec<&str> = test
        .trials
        .iter()
        .filter(|trial| trial.outcome == TrialOutcome::Fails)
        .map(|trial| trial.seen.as_str())
        .collect();
    assert!(
        failed.iter().any(|seen| seen.contains(why)),
        "{why}: {failed:#?}"
    );
}

#[test]
fn a_good_organisation_reaches_intermediate() {
    let report = good().report();
    let open: Vec<&Trial> = report
        .tests
        .iter()
        .flat_map(|test| &test.trials)
        .filter(|trial| trial.outcome != TrialOutcome::Holds)
        .collect();
    assert_eq!(
        open.iter().map(|trial| trial.outcome).collect::<Vec<_>>(),
        [TrialOutcome::Weak],
        "{open:#?}"
    );
    assert!(
        open[0].what.contains("authorised it"),
        "only the board's signatures are not shown"
    );
    assert_eq!(report.score.points, 15);
    assert_eq!(report.score.of, 16);
    assert_eq!(
        report.maturity.level,
        Level::Intermediate,
        "{:#?}",
        report.maturity
    );
    assert_eq!(report.maturity.missing_for_next.len(), 4);
    let tried: u64 = report
        .tests
        .iter()
        .flat_map(|t| &t.trials)
        .map(|t| t.tried)
        .sum();
    assert!(tried > 200, "{tried} things were tried");
    assert_eq!(
        report,
        good().report(),
        "the same documents give the same report"
    );
}

#[test]
fn what_is_not_given_is_not_tested() {
    let mut organisation = plain();
    organisation.history = None;
    let report = organisation.report();
    assert_eq!(result_of(&report, "8.8"), TestResult::NotTested);
    assert_eq!(result_of(&report, "8.2"), TestResult::Partial);
    assert_eq!(result_of(&report, "8.6"), TestResult::Partial);
    assert_eq!(report.maturity.level, Level::None, "nothing shows a log");
    assert_eq!(report.score.not_tested, 1);
}

#[test]
fn test_8_1_catches() {
    let mut late = plain();
    late.now = at("2027-01-30T00:00:00Z");
    caught(&late.report(), "8.1", "2027-01-30");
    caught(
        &plain().with("agents: [soc-agent]", "agents: []").report(),
        "8.1",
        "0 agents",
    );
    let mut unauthorised = plain();
    unauthorised.history = Some(History {
        envelope_authorised: Some(false),
        ..history()
    });
    caught(&unauthorised.report(), "8.1", "not authorised");
    let any = plain().with("    severity: { min: low, max: high }\n", "");
    assert_eq!(result_of(&any.report(), "8.1"), TestResult::Partial);
}

/// An engine that waves through what the real one holds.
fn lax(
    envelope: &Envelope,
    graph: &Graph,
    proposal: &Proposal,
    history: Option<&History>,
    now: DateTime<Utc>,
) -> Assessment {
    let mut found = assess(envelope, graph, proposal, history, now);
    found.verdict = Verdict::Autonomous;
    for finding in &mut found.findings {
        finding.outcome = assessment::Outcome::Pass;
    }
    found
}

/// A state machine to which every health check passes.
fn blind(operation: &mut Operation, mut event: Event) -> Result<Vec<Effect>, StepError> {
    if let EventKind::HealthChecked { results, .. } = &mut event.kind {
        for result in results.values_mut() {
            *result = CheckResult::Pass {
                measured: "fine".to_owned(),
            };
        }
    }
    operation::step(operation, event)
}

#[test]
fn a_broken_engine_is_caught_by_every_test_that_drives_it() {
    let broken = Engine {
        assess: &lax,
        step: &blind,
    };
    let report = plain().report_with(Some(broken));
    caught(&report, "8.2", "runs alone");
    caught(&report, "8.3", "passes 4.3");
    caught(&report, "8.4", "goes on");
    caught(&report, "8.5", "at once pass");
    caught(&report, "8.7", "runs alone");
}

#[test]
fn test_8_2_catches_a_forged_approval_and_an_unreachable_rule() {
    let mut story = approved();
    story.choose(|f| &f.soc, &ItemChoice::Reject);
    let mut forged = good();
    forged.evidence.truncate(1);
    let files = &mut forged.evidence[0].files;
    files.remove("decisions/2/statement.json");
    caught(&forged.report(), "8.2", "statement.json");
    let nothing = plain().with("classes: [linux-server]", "classes: [mainframe]");
    let report = nothing.report();
    let control = &report.tests[1].trials[0];
    assert_eq!(control.outcome, TrialOutcome::Weak);
    assert!(
        control.seen.contains("grants no system"),
        "{}",
        control.seen
    );
}

#[test]
fn test_8_3_catches_a_map_without_dependencies_and_an_old_one() {
    let mut bare = plain();
    let cut = bare.topology.find("dependencies:").unwrap();
    bare.topology.truncate(cut);
    caught(&bare.report(), "8.3", "0 dependencies");
    let mut old = plain();
    old.now = at("2026-12-24T02:20:00Z");
    assert_eq!(result_of(&old.report(), "8.3"), TestResult::Partial);
}

#[test]
fn test_8_4_catches_breakers_that_do_not_break() {
    for (from, to, why) in [
        (
            ", breaker: { failures: 0, attempts_per_system: 2 }",
            "",
            "declares no breaker",
        ),
        ("health: [up], ", "", "declares no health check"),
        (
            "failures: 0,",
            "failures: 2,",
            "a canary of 2 can fail whole",
        ),
        ("failures: 0,", "failures: 100,", "which is every system"),
    ] {
        caught(&plain().with(from, to).report(), "8.4", why);
    }
}

#[test]
fn test_8_5_catches_limits_that_are_missing_or_upside_down() {
    caught(
        &plain().with("systems: 5, ", "").report(),
        "8.5",
        "no limit of systems",
    );
    caught(
        &plain().with("systems: 5, ", "systems: 50, ").report(),
        "8.5",
        "the limit of systems",
    );
}

#[test]
fn test_8_6_catches_rollbacks_missing_or_not_rehearsed() {
    let none = plain().with("    rollback: { within: 15m, drilled_within: 92d }\n", "");
    caught(&none.report(), "8.6", "declares none");
    let lost = plain().with("actions: [patch]", "actions: [patch, process-kill]");
    caught(&lost.report(), "8.6", "cannot be undone");
    let undrilled = plain().with("actions: [patch]", "actions: [patch, config-change]");
    caught(&undrilled.report(), "8.6", "never rehearsed");
    let mut stale = plain();
    stale.now = at("2027-01-25T02:20:00Z");
    caught(&stale.report(), "8.6", "was last rehearsed");
    let mut failed = plain();
    for drill in failed
        .history
        .iter_mut()
        .flat_map(|history| history.drills.iter_mut().flatten())
    {
        drill.failed_at = Some(at("2026-10-21T10:00:00Z"));
    }
    caught(&failed.report(), "8.6", "failed when it was last rehearsed");
}

#[test]
fn test_8_7_tells_what_is_not_classified() {
    let report = plain()
        .with(
            "id: web-50, class: linux-server, tier: non-critical",
            "id: web-50, class: linux-server",
        )
        .report();
    assert_eq!(result_of(&report, "8.7"), TestResult::Partial);
    let trial = &report.tests[6].trials[0];
    assert!(trial.seen.contains("web-50"), "{}", trial.seen);
}

#[test]
fn test_8_8_catches_missing_facts_and_tampering() {
    // An operation whose health and rollback status nobody recorded.
    let fixture = Fixture::of(ENVELOPE, &topology(), &proposal(r#""web-11""#), &history());
    let mut story = Story::of(fixture);
    story.assess();
    let briefing = &story.fixture.briefing;
    let grant = Autonomous::new(&briefing.assessment, briefing.digests.envelope.unwrap()).unwrap();
    story.operate_by(Authority::Autonomous(grant), &["web-11"], "web-11");
    let mut silent = plain();
    silent.evidence = vec![Folder {
        name: "silent".to_owned(),
        files: story.export().files,
    }];
    caught(
        &silent.report(),
        "8.8",
        "the health check result, the rollback status missing",
    );

    let mut tampered = good();
    let entry = tampered.evidence[1]
        .files
        .get_mut("log/entries/2.json")
        .unwrap();
    let middle = entry.len() / 2;
    entry[middle] ^= 1;
    caught(&tampered.report(), "8.8", "alone: log/entries/2.json");

    let mut other = good();
    other.genesis = Some(Digest::of(b"another"));
    caught(&other.report(), "8.8", "not the pinned");
}

#[test]
fn the_provisions_are_those_of_section_9() {
    let rows: Vec<(&str, &str, &str)> = provisions::TABLE
        .iter()
        .map(|(regulation, provision, relationship, _)| {
            (*regulation, *provision, relationship.as_str())
        })
        .collect();
    assert_eq!(
        rows,
        [
            (
                "EU AI Act",
                "Article 14 (Human Oversight)",
                "Direct requirement"
            ),
            (
                "EU AI Act",
                "Article 9 (Risk Management System)",
                "Supports compliance"
            ),
            (
                "DORA",
                "Article 9 (ICT Change Management)",
                "Direct requirement"
            ),
            (
                "DORA",
                "Article 5 (ICT Risk Management Governance)",
                "Supports compliance"
            ),
            (
                "NIS2 Directive",
                "Article 21 (Cybersecurity Risk Management Measures)",
                "Supports compliance"
            ),
            (
                "ISO 42001",
                "Clause 6.1.3 (AI Risk Treatment)",
                "Supports compliance"
            ),
            (
                "NIST AI RMF",
                "GOVERN 1.4 (Organizational Structures), MAP 3.5",
                "Supports compliance"
            ),
            (
                "NIST CSF",
                "PR.IP (Information Protection Processes and Procedures)",
                "Supports compliance"
            ),
            (
                "IEC 62443",
                "SR 3.4 (Software and Information Integrity)",
                "Supports compliance"
            ),
            (
                "PCI DSS",
                "Requirement 6.5.3 (Change Management)",
                "Supports compliance"
            ),
        ]
    );
    for test in ["8.1", "8.2", "8.3", "8.4", "8.5", "8.6", "8.7", "8.8"] {
        assert!(!provisions::of(test).is_empty(), "{test}");
    }
}
