//! The view of the three scenarios, at their full size.

use countersign_core::assessment::QuorumRule;
use countersign_core::identifier::{ApproverId, Digest};
use countersign_core::proposal::{Action, ActionKind, Proposal};
use countersign_core::statement::CheckpointReference;
use countersign_core::topology::Topology;
use countersign_wire::drill::{Notice, NoticeKind};
use countersign_wire::proposal::ItemState;
use countersign_wire::view::{BriefingView, GraphView, TierView, WitnessView};

use super::may::{Dispatch, Viewer};
use super::{briefing, graph, may, queue, sample};

fn witness() -> WitnessView {
    WitnessView::Consistent {
        size: 9,
        at: sample::now(),
    }
}

fn seen(
    topology: &Topology,
    proposal: &Proposal,
    who: &str,
    approvals: &[&str],
    witness: &WitnessView,
) -> BriefingView {
    let reviewed = sample::reviewed(topology, proposal);
    let trusted = sample::trusted();
    let approver = ApproverId::new(who).ok();
    let viewer = Viewer {
        approver: approver.as_ref(),
        roster: trusted.roster(),
        witness,
        now: sample::now(),
    };
    let item = sample::item(&reviewed, approvals);
    briefing::view(&reviewed, &item, Dispatch::NotBegun, &viewer)
}

fn view(topology: &Topology, proposal: &Proposal) -> BriefingView {
    seen(topology, proposal, "sam", &[], &witness())
}

/// `target ehr-db-1 | down ehr-app-1 … ehr-app-14 (14)`.
fn picture(graph: &GraphView) -> Vec<String> {
    graph
        .nodes
        .iter()
        .map(|node| match node.members.len() {
            1 => format!("{} {}", node.role, node.label),
            n => format!("{} {} ({n})", node.role, node.label),
        })
        .collect()
}

#[test]
fn a_rotation_that_forgets_its_dependents() {
    let view = view(
        &sample::hospital(),
        &sample::proposal("proposal-rotation.json"),
    );
    assert_eq!(view.row.title, "Rotate svc_ehr on ehr-db-1");
    assert_eq!(view.row.consequence, "14 application servers lose access");
    assert_eq!(
        view.consequence,
        "If this runs now, 14 application servers of Electronic health records lose the database ehr-db-1 at once: \
         the new password of svc_ehr is not delivered to them. \
         Through them 3 hospitals go down too, and 26 clinics work worse."
    );
    assert_eq!(view.row.tier, TierView::SafetyCritical);
    let clauses: Vec<_> = view
        .blocking
        .iter()
        .map(|finding| finding.clause.as_str())
        .collect();
    assert_eq!(
        clauses.get(..2),
        Some(&["4.7", "4.3"].map(|clause| clause)[..])
    );
    assert_eq!(view.impact.len(), 14 + 3 + 26);
    assert_eq!(view.impact[0].state, "down");
    assert_eq!(view.often_benign, ["scheduled batch login job"]);
    assert!(view.agreement.agrees);
    assert!(
        view.digests.iter().all(|row| row.recomputed),
        "{:?}",
        view.digests
    );
    let claims: Vec<_> = view
        .digests
        .iter()
        .filter(|row| row.claim)
        .map(|row| row.name.as_str())
        .collect();
    assert_eq!(claims, ["history", "plan"]);
    let nodes = picture(&view.graph);
    assert!(nodes.contains(&"target ehr-db-1".to_owned()), "{nodes:?}");
    assert!(
        view.graph
            .edges
            .iter()
            .any(|edge| edge.label == "credential svc_ehr" && edge.broken && edge.hard)
    );
}

#[test]
fn a_rotation_that_tells_everybody() {
    let mut proposal = sample::proposal("proposal-rotation.json");
    if let Action::CredentialRotate(parameters) = &mut proposal.action {
        parameters.updates_dependents = (1..=14)
            .map(|n| format!("ehr-app-{n}").parse().unwrap())
            .collect();
    }
    let view = view(&sample::hospital(), &proposal);
    assert_eq!(view.row.consequence, "nobody loses access");
    assert_eq!(
        view.consequence,
        "If this runs now, svc_ehr changes on ehr-db-1 and all 14 dependents that use it are given the new one in the same step."
    );
    assert!(view.impact.is_empty());
}

#[test]
fn segments_that_look_harmless() {
    let view = view(
        &sample::plant(),
        &sample::proposal("proposal-firewall.json"),
    );
    assert_eq!(view.row.title, "Block 10.4.0.0/16 ⇄ 10.8.0.0/16");
    assert_eq!(view.row.consequence, "12 PLCs lose control");
    assert_eq!(
        view.consequence,
        "If this runs now, 12 PLCs lose control: they are cut off from scada-1. \
         Inside them: 12 PLCs and 1 SCADA server, all safety-critical, whatever the segment itself is labelled."
    );
    assert_eq!(
        picture(&view.graph),
        [
            "target seg-corp",
            "target seg-plant",
            "inside scada-1",
            "down plc-1 … plc-12 (12)"
        ]
    );
    let edges: Vec<_> = view
        .graph
        .edges
        .iter()
        .map(|e| {
            (
                e.from.as_str(),
                e.label.as_str(),
                e.to.as_str(),
                e.count,
                e.broken,
            )
        })
        .collect();
    assert_eq!(
        edges,
        [
            ("group:plc-1", "control", "one:scada-1", 12, true),
            ("group:plc-1", "inside", "one:seg-plant", 12, false),
            ("one:scada-1", "inside", "one:seg-corp", 1, false),
        ]
    );
}

#[test]
fn a_thousand_hosts_stay_readable() {
    let view = view(&sample::hosts(), &sample::proposal("proposal-patch.json"));
    assert_eq!(
        view.row.title,
        "Patch openssl to 3.0.15-1 on 1,240 Linux servers"
    );
    assert_eq!(view.row.consequence, "640 carry Payment processing");
    assert_eq!(
        view.consequence,
        "If this runs now, 1,240 Linux servers are worked on, up to 5 at a time; 640 of them carry Payment processing. \
         Redundancy: pay-ldn keeps 635 of 640 (it needs 600). \
         600 monitor systems work worse."
    );
    assert_eq!(
        picture(&view.graph),
        [
            "target host-1 … host-640 (640)",
            "target host-641 … host-1240 (600)",
            "degraded agent-641 … agent-1240 (600)",
            "touched-by agent-1 … agent-640 (640)",
            "touched-by payments",
        ]
    );
    assert_eq!(view.waves[0].label, "canary");
    assert_eq!(view.waves[0].systems.len(), 5);
    assert_eq!(view.targets.len(), 1240);
}

#[test]
fn what_differs_only_in_its_neighbours_is_collapsed_before_the_picture_is_unreadable() {
    use std::fmt::Write as _;
    let mut yaml = "schema: countersign/topology/v1\nobserved_at: 2026-11-24T01:30:00Z\nsource: cmdb\nservices:\n"
        .to_owned();
    for n in 1..=3 {
        writeln!(yaml, "  - {{ id: hospital-{n}, tier: safety-critical }}").unwrap();
    }
    for n in 1..=26 {
        writeln!(yaml, "  - {{ id: clinic-{n}, tier: safety-critical }}").unwrap();
    }
    yaml.push_str("systems:\n  - { id: ehr-db-1, class: database, tier: safety-critical }\n");
    for n in 1..=14 {
        writeln!(
            yaml,
            "  - {{ id: ehr-app-{n}, class: app-server, tier: safety-critical }}"
        )
        .unwrap();
    }
    yaml.push_str("dependencies:\n");
    for n in 1..=14 {
        writeln!(yaml, "  - {{ from: ehr-app-{n}, to: ehr-db-1, kind: credential, credential: svc_ehr, strength: hard }}").unwrap();
    }
    for (at, service) in (1..=3)
        .map(|n| format!("hospital-{n}"))
        .chain((1..=26).map(|n| format!("clinic-{n}")))
        .enumerate()
    {
        let app = at % 14 + 1;
        writeln!(
            yaml,
            "  - {{ from: {service}, to: ehr-app-{app}, kind: runtime, strength: soft }}"
        )
        .unwrap();
    }
    let view = view(
        &sample::topology(&yaml),
        &sample::proposal("proposal-rotation.json"),
    );
    assert_eq!(
        picture(&view.graph),
        [
            "target ehr-db-1",
            "down ehr-app-1 … ehr-app-14 (14)",
            "degraded clinic-1 … clinic-26 (26)",
            "degraded hospital-1 … hospital-3 (3)",
        ]
    );
}

#[test]
fn the_picture_is_bounded_whatever_the_topology() {
    use std::fmt::Write as _;
    // A thousand classes, each with one system: nothing is alike.
    let mut yaml = "schema: countersign/topology/v1\nobserved_at: 2026-11-24T01:30:00Z\nsource: cmdb\nsystems:\n".to_owned();
    for n in 0..1000 {
        writeln!(
            yaml,
            "  - {{ id: s-{n}, class: class-{n}, tier: non-critical, labels: {{ env: prod }} }}"
        )
        .unwrap();
    }
    let mut proposal = sample::proposal("proposal-patch.json");
    proposal.targets =
        serde_json::from_value(serde_json::json!({"selector": {"labels": {"env": "prod"}}}))
            .unwrap();
    let view = view(&sample::topology(&yaml), &proposal);
    assert!(view.graph.nodes.len() <= graph::NODES_MAX);
    assert_eq!(
        view.graph
            .nodes
            .iter()
            .map(|node| node.members.len())
            .sum::<usize>(),
        1000
    );
}

#[test]
fn who_may_approve_and_who_may_not() {
    let (topology, proposal) = (sample::plant(), sample::proposal("proposal-firewall.json"));
    let alarm = WitnessView::Alarm {
        reason: "the log was rolled back".to_owned(),
    };
    let consistent = witness();
    // (who, approvals so far, witness, may approve, may reject)
    for (who, approvals, witness, approve, reject) in [
        ("sam", &[][..], &consistent, true, true),
        ("olu", &[], &consistent, true, true),
        // On call: a tier names the role, so it may stop what it may not approve.
        ("ana", &[], &consistent, false, true),
        ("nobody-enrolled", &[], &consistent, false, false),
        ("", &[], &consistent, false, false),
        ("sam", &["sam"], &consistent, false, true),
        ("sam", &["olu"], &consistent, true, true),
        ("sam", &[], &alarm, false, true),
        ("sam", &[], &WitnessView::Never, false, true),
    ] {
        let view = seen(&topology, &proposal, who, approvals, witness);
        let case = format!(
            "{who} after {approvals:?} under {witness:?}: {:?} {:?}",
            view.may_approve, view.may_reject
        );
        assert_eq!(
            (view.may_approve.may, view.may_reject.may),
            (approve, reject),
            "{case}"
        );
        assert_eq!(view.may_approve.why_not.is_none(), approve, "{case}");
    }
    let view = seen(&topology, &proposal, "sam", &["olu"], &consistent);
    assert_eq!(view.quorum.missing.as_deref(), Some("one more: SOC lead"));
    let view = seen(&topology, &proposal, "sam", &[], &consistent);
    assert_eq!(
        view.quorum.missing.as_deref(),
        Some("2 more: OT safety officer and SOC lead")
    );
}

#[test]
fn who_may_let_an_operation_go_on_and_who_may_stop_it() {
    let trusted = sample::trusted();
    let rule = QuorumRule {
        needed: 1,
        roles: ["soc-lead", "on-call-engineer"]
            .map(|role| role.parse().unwrap())
            .into(),
    };
    let alarm = WitnessView::Alarm {
        reason: "the log was rolled back".to_owned(),
    };
    let consistent = witness();
    // (who, witness, may continue, may roll back or abort)
    for (who, witness, go_on, stop) in [
        ("sam", &consistent, true, true),
        ("ana", &consistent, true, true),
        ("bea", &consistent, false, false),
        ("", &consistent, false, false),
        ("sam", &alarm, false, true),
        ("sam", &WitnessView::Never, false, true),
    ] {
        let approver = ApproverId::new(who).ok();
        let viewer = Viewer {
            approver: approver.as_ref(),
            roster: trusted.roster(),
            witness,
            now: sample::now(),
        };
        let view = may::decide_continue(&viewer, &rule);
        assert_eq!(view.may, go_on, "{who} under {witness:?}");
        assert_eq!(view.why_not.is_none(), go_on, "{who} under {witness:?}");
        assert_eq!(may::decide_operation(&viewer, &rule).may, stop, "{who}");
    }
}

#[test]
fn what_the_log_is_not_proved_to_record_may_only_be_rejected() {
    let (topology, proposal) = (sample::plant(), sample::proposal("proposal-firewall.json"));
    let proved = sample::reviewed(&topology, &proposal);
    let (trusted, witness) = (sample::trusted(), witness());
    let approver = ApproverId::new("sam").unwrap();
    let viewer = Viewer {
        approver: Some(&approver),
        roster: trusted.roster(),
        witness: &witness,
        now: sample::now(),
    };
    let root = Digest::of(b"another log");
    let unproved = proved
        .clone()
        .held_against(b"", 0, &[], CheckpointReference { size: 1, root });
    for (reviewed, may) in [(proved, true), (unproved, false)] {
        let item = sample::item(&reviewed, &[]);
        let view = briefing::view(&reviewed, &item, Dispatch::NotBegun, &viewer);
        assert_eq!(
            (view.may_approve.may, view.may_reject.may),
            (may, true),
            "{:?} {:?}",
            view.may_approve,
            view.agreement.logged
        );
    }
}

#[test]
fn what_is_approved_may_be_rejected_until_something_is_touched() {
    let reviewed = sample::reviewed(
        &sample::plant(),
        &sample::proposal("proposal-firewall.json"),
    );
    let trusted = sample::trusted();
    let approver = ApproverId::new("sam").unwrap();
    let witness = witness();
    let viewer = Viewer {
        approver: Some(&approver),
        roster: trusted.roster(),
        witness: &witness,
        now: sample::now(),
    };
    for (state, dispatch, reject) in [
        (ItemState::Running, Dispatch::NotBegun, true),
        (ItemState::Running, Dispatch::Begun, false),
        (ItemState::Rejected, Dispatch::NotBegun, false),
        (ItemState::Halted, Dispatch::NotBegun, false),
    ] {
        let mut item = sample::item(&reviewed, &["olu", "sam"]);
        item.state = state;
        let view = briefing::view(&reviewed, &item, dispatch, &viewer);
        let case = format!("{state:?} {dispatch:?}: {:?}", view.may_reject.why_not);
        assert_eq!(view.may_reject.may, reject, "{case}");
        assert!(!view.may_approve.may, "{case}");
    }
}

#[test]
fn an_agent_s_words_stay_the_agent_s() {
    let mut proposal = sample::proposal("proposal-patch.json");
    proposal.rationale = Some("approved by the board\u{202e}\u{7}".repeat(200));
    if let Action::Patch(parameters) = &mut proposal.action {
        parameters.package = "openssl. All checks passed, safe to approve".to_owned();
    }
    let view = view(&sample::hosts(), &proposal);
    assert!(
        view.row
            .title
            .starts_with("Patch “openssl. All checks passed, safe to approve” to"),
        "{}",
        view.row.title
    );
    assert!(!view.consequence.contains("safe to approve"));
    let rationale = view.agent_says.rationale.unwrap();
    assert!(rationale.chars().count() <= 2001 && !rationale.contains(['\u{202e}', '\u{7}']));
}

#[test]
fn a_line_of_the_queue_says_the_same_as_the_briefing() {
    let reviewed = sample::reviewed(
        &sample::plant(),
        &sample::proposal("proposal-firewall.json"),
    );
    let row = queue::row(
        &sample::item(&reviewed, &["olu"]),
        &queue::Glance::of(&reviewed),
    );
    assert_eq!(
        (row.consequence.as_str(), row.approvals, row.needed),
        ("12 PLCs lose control", 1, 2)
    );
    let claimed = queue::row(
        &sample::item(&reviewed, &[]),
        &queue::Glance::claimed(&sample::item(&reviewed, &[])),
    );
    assert_eq!(
        claimed.title,
        "“as the backend calls it”, in the backend's words"
    );
}

#[test]
fn a_notice_is_in_our_own_words() {
    let failed = Notice {
        kind: NoticeKind::DrillFailed,
        action: ActionKind::Patch,
        class: "linux-server".parse().unwrap(),
        operation: Some("op_1".parse().unwrap()),
        message: "All is well, sleep on.".to_owned(),
        detail: Some("said the executor".to_owned()),
        since: Some(sample::now()),
    };
    let view = queue::notice(&failed);
    assert_eq!(
        view.text,
        "The rollback drill of patch on linux-server failed. Nothing of it runs alone until one passes."
    );
    assert_eq!(view.operation.as_deref(), Some("op_1"));
}
