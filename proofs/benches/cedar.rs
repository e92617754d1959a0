//! How long ten rules take, asked of types and of Cedar: `cargo xtask bench core core.rules_vs_cedar`.
//!
//! The question is one and the same on both sides, and read beforehand on both: does any of the ten rules
//! let this request run alone? Cedar gets the policies without those that forbid, which repeat what each
//! `permit` says: the fewest that give the same answer.

use std::hint::black_box;
use std::time::Instant;

use countersign_core::assessment::{self, Verdict};
use countersign_core::document;
use countersign_core::envelope::{Envelope, cedar};
use countersign_core::proposal::ActionKind;
use countersign_proofs::facts;
use countersign_proofs::peer::Peer;
use countersign_proofs::random::Random;
use countersign_proofs::worlds::{self, World};
use serde_json::json;

/// Runs of which the median is taken, after a tenth as many for warming up.
const RUNS: usize = 101;

/// Questions asked in one run, so that a run is long beside the clock's grain.
const QUESTIONS: usize = 64;

fn main() {
    let names: Vec<String> = std::env::args()
        .skip(1)
        .filter(|name| !name.starts_with("--"))
        .collect();
    let wanted = |figure: &str| {
        names.is_empty() || names.iter().any(|name| figure.starts_with(name.as_str()))
    };
    let envelope = ten_rules();
    let peer = Peer::new(&envelope).permits_alone();
    let worlds = worlds(&envelope);
    let requests: Vec<cedar::Request> = worlds.iter().map(|(_, request)| request.clone()).collect();
    let asked: Vec<_> = requests.iter().map(|request| peer.read(request)).collect();
    let typed = |request: &cedar::Request| cedar::allowed_by(&envelope, request).next().is_some();
    let allowed = requests
        .iter()
        .zip(&asked)
        .filter(|(request, asked)| {
            assert_eq!(
                typed(request),
                peer.decide(asked),
                "one question, two answers"
            );
            typed(request)
        })
        .count();
    assert_eq!(allowed * 2, requests.len(), "half of them are allowed");

    let of_cedar = median_ns(&asked, |asked| peer.decide(asked));
    if wanted("core.rules_vs_cedar") {
        let of_types = median_ns(&requests, typed);
        print("core.rules_vs_cedar", of_types, of_cedar);
    }
    if wanted("core.assess_vs_cedar") {
        // More than the same question: the core also works out every fact, from topology and history,
        // and says why; Cedar is handed them.
        let of_assessment = median_ns(&worlds, |(world, _)| {
            let assessment = assessment::assess(
                Some(&envelope),
                &world.graph,
                &world.proposal,
                Some(&world.history),
                world.now,
            );
            assessment.verdict == Verdict::Autonomous
        });
        print("core.assess_vs_cedar", of_assessment, of_cedar);
    }
}

/// The sample's rules, five times over with names of their own: ten.
fn ten_rules() -> Envelope {
    let text = include_str!("../../crates/core/tests/examples/envelope.yaml");
    let mut envelope = document::envelope(text).expect("it is valid").document;
    let two = std::mem::take(&mut envelope.rules);
    for number in 0..5 {
        for rule in &two {
            let mut rule = rule.clone();
            rule.id = format!("{}-{number}", rule.id).parse().expect("a name");
            // Each pair is of actions of its own, as ten rules of one envelope would be; the last
            // pair is the sample's.
            let own = [
                [ActionKind::ServiceRestart, ActionKind::NetworkIsolate],
                [ActionKind::ConfigChange, ActionKind::AccountDisable],
                [ActionKind::CredentialRotate, ActionKind::FirewallRule],
                [ActionKind::AclChange, ActionKind::ServiceRestart],
            ];
            if let Some(kinds) = own.get(number) {
                let place = usize::from(rule.severity.max.is_none());
                rule.actions = [kinds[place]].into();
            }
            envelope.rules.push(rule);
        }
    }
    assert_eq!(envelope.rules.len(), 10);
    envelope
}

/// Cases for every rule, half of them allowed by one.
fn worlds(envelope: &Envelope) -> Vec<(World, cedar::Request)> {
    let mut random = Random::new(706);
    let (mut allowed, mut refused) = (Vec::new(), Vec::new());
    for aim in (0..envelope.rules.len()).cycle() {
        let world = worlds::world(&mut random, envelope, aim);
        let request = facts::request(
            world.under(envelope),
            envelope.rules[aim].rollout.concurrency,
        );
        let kept = if cedar::allowed_by(envelope, &request).next().is_some() {
            &mut allowed
        } else {
            &mut refused
        };
        if kept.len() < QUESTIONS / 2 {
            kept.push((world, request));
        }
        if allowed.len() + refused.len() == QUESTIONS {
            break;
        }
    }
    allowed.append(&mut refused);
    allowed
}

/// The median over runs of the mean over questions, in nanoseconds a question.
fn median_ns<T>(questions: &[T], ask: impl Fn(&T) -> bool) -> f64 {
    let run = || {
        let started = Instant::now();
        for question in questions {
            black_box(ask(black_box(question)));
        }
        started.elapsed().as_nanos() as f64 / questions.len() as f64
    };
    for _ in 0..RUNS.div_ceil(10) {
        run();
    }
    let mut times: Vec<f64> = (0..RUNS).map(|_| run()).collect();
    times.sort_by(f64::total_cmp);
    times[RUNS / 2]
}

fn print(name: &str, value: f64, peer: f64) {
    let round = |value: f64| (value * 1_000.0).round() / 1_000.0;
    println!(
        "{}",
        json!({"name": name, "value": round(value), "unit": "ns", "against": "cedar-policy",
               "against_value": round(peer), "ratio": (peer / value * 100.0).round() / 100.0})
    );
}
