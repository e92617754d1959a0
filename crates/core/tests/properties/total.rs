//! Total on hostile numbers and instants: an answer, and never a permission.

use chrono::{DateTime, Utc};
use countersign_core::assessment::{self, Verdict};
use countersign_core::scope::Graph;
use proptest::prelude::*;
use proptest::sample::select;

use crate::worlds::worlds;

fn instants() -> impl Strategy<Value = DateTime<Utc>> {
    let written = [
        "0000-01-01T00:00:00Z",
        "1970-01-01T00:00:00Z",
        "2026-11-24T02:20:00Z",
        "2026-11-24T02:20:00.999999999Z",
        "9999-12-31T23:59:59.999999999Z",
    ];
    let mut all: Vec<DateTime<Utc>> = written.map(|text| text.parse().unwrap()).to_vec();
    all.extend([DateTime::<Utc>::MIN_UTC, DateTime::<Utc>::MAX_UTC]);
    select(all)
}

fn numbers() -> impl Strategy<Value = u64> {
    select(vec![0, 1, u64::from(u32::MAX), u64::MAX - 1, u64::MAX])
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn whatever_the_numbers_there_is_an_answer(
        world in worlds(),
        instants in prop::collection::vec(instants(), 9),
        numbers in prop::collection::vec(numbers(), 8),
        small in select(vec![0, 1, u32::MAX]),
    ) {
        let mut read = world.read();
        let authority = &mut read.envelope.authority;
        authority.effective = instants[0];
        authority.expires = instants[1];
        for tier in read.envelope.tiers.values_mut() {
            tier.approval.quorum = small;
            if let Some(radius) = &mut tier.blast_radius {
                radius.systems = Some(numbers[0]);
                radius.services = Some(numbers[1]);
                radius.segments = Some(numbers[2]);
                radius.fraction_of_class = Some("79228162514264337593543950335".parse().unwrap());
            }
        }
        for rule in &mut read.envelope.rules {
            rule.rollout.concurrency = Some(small);
            rule.rollout.canary = Some(small);
            if let Some(limit) = &mut rule.conditions.concurrent_operations {
                limit.max = small;
            }
            if let Some(wanted) = &mut rule.conditions.corroboration {
                wanted.independent_sources = small;
            }
        }
        for system in &mut read.topology.systems {
            if let Some(redundancy) = &mut system.redundancy {
                redundancy.min_healthy = numbers[3];
            }
        }
        read.topology.observed_at = instants[2];
        read.proposal.detection.detected_at = instants[3];
        read.proposal.expires_at = instants[4];
        for detection in read.history.detections.iter_mut().flatten() {
            detection.assessed = numbers[4];
            detection.false_positives = numbers[5];
        }
        for drill in read.history.drills.iter_mut().flatten() {
            drill.succeeded_at = instants[5];
        }
        for operation in read.history.recent.iter_mut().flatten() {
            operation.finished_at = instants[6];
        }
        for signal in read.history.signals.iter_mut().flatten() {
            signal.observed_at = instants[7];
        }
        let now = instants[8];
        let graph = Graph::new(&read.topology);
        let of = |history| assessment::assess(Some(&read.envelope), &graph, &read.proposal, history, now);
        let assessment = of(Some(&read.history));
        prop_assert_eq!(assessment.findings.len(), 12);
        prop_assert_eq!(assessment.verdict == Verdict::Refused, assessment.refusal.is_some());
        let in_force = read.envelope.authority.effective <= now && now < read.envelope.authority.expires;
        prop_assert!(in_force || assessment.verdict != Verdict::Autonomous);
        if let Some(quorum) = &assessment.quorum {
            prop_assert!(quorum.needed >= 1);
        }
        let slice = assessment::history_slice(Some(&read.envelope), &graph, &read.proposal, &read.history, now);
        prop_assert_eq!(of(Some(&slice)), assessment.clone());
        prop_assert!(!assessment::explain(&assessment, &graph, &read.proposal, Some(&read.history)).is_empty());
    }
}
