//! What the core decides and what Cedar decides of the same envelope are one, on 100,000 cases.

use std::collections::{BTreeMap, BTreeSet};
use std::thread;

use countersign_core::assessment::{self, Clause, Verdict};
use countersign_core::document;
use countersign_core::envelope::Envelope;
use countersign_core::envelope::cedar;
use countersign_proofs::facts;
use countersign_proofs::peer::Peer;
use countersign_proofs::random::Random;
use countersign_proofs::worlds::{self, ENVELOPE_FAULTS, FAULTS, VOID, World};

const ENVELOPES: u64 = 400;
const CASES_OF_EACH: u64 = 260;

/// One case in so many is checked against the schema before Cedar decides it; an error while it decides
/// fails the test in any case.
const CHECKED_ONE_IN: u64 = 8;

/// Cases of each kind without which nothing would be proved of that kind.
const OF_EACH_KIND_MIN: u64 = 60;

/// What was seen.
#[derive(Debug, Default)]
struct Seen {
    cases: u64,
    requests: u64,
    allowed: u64,
    /// Cases that void, by what made them so.
    refused: BTreeMap<&'static str, u64>,
    /// Cases denied with one fault, and by nothing else.
    denied: BTreeMap<&'static str, u64>,
    /// Cases denied by one clause alone.
    clauses: BTreeMap<&'static str, u64>,
    /// Cases allowed by more than one rule, or by the second.
    several: u64,
    /// Cases whose requests differ with the rollout's concurrency.
    by_concurrency: u64,
}

impl Seen {
    fn add(&mut self, other: Self) {
        fn sum(into: &mut BTreeMap<&'static str, u64>, from: BTreeMap<&'static str, u64>) {
            for (name, number) in from {
                *into.entry(name).or_default() += number;
            }
        }
        self.cases += other.cases;
        self.requests += other.requests;
        self.allowed += other.allowed;
        self.several += other.several;
        self.by_concurrency += other.by_concurrency;
        sum(&mut self.refused, other.refused);
        sum(&mut self.denied, other.denied);
        sum(&mut self.clauses, other.clauses);
    }
}

#[test]
fn cedar_and_the_core_decide_alike() {
    let threads = thread::available_parallelism().map_or(1, |number| number.get() as u64);
    let mut seen = Seen::default();
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| {
                scope.spawn(move || {
                    let mut seen = Seen::default();
                    for number in (first..ENVELOPES).step_by(threads as usize) {
                        try_envelope(number, &mut seen);
                    }
                    seen
                })
            })
            .collect();
        for part in running {
            seen.add(part.join().expect("a disagreement is printed above"));
        }
    });
    println!("{seen:#?}");
    assert!(seen.cases >= 100_000, "{} cases", seen.cases);
    assert!(seen.allowed * 5 >= seen.cases, "{} allowed", seen.allowed);
    assert!(seen.several >= 200, "{} allowed by several", seen.several);
    assert!(
        seen.by_concurrency >= 1_000,
        "{} by concurrency",
        seen.by_concurrency
    );
    let missing = |kinds: &[&'static str], found: &BTreeMap<&str, u64>| -> Vec<&'static str> {
        kinds
            .iter()
            .copied()
            .filter(|kind| found.get(kind).copied().unwrap_or(0) < OF_EACH_KIND_MIN)
            .collect()
    };
    assert_eq!(missing(&FAULTS, &seen.denied), [""; 0], "denied too seldom");
    assert_eq!(
        missing(&ENVELOPE_FAULTS, &seen.denied),
        [""; 0],
        "denied too seldom"
    );
    assert_eq!(missing(&VOID, &seen.refused), [""; 0], "refused too seldom");
    let clauses = [
        "4.1", "4.3", "4.4", "4.5", "4.6", "4.7", "4.9", "4.10", "4.11",
    ];
    assert_eq!(
        missing(&clauses, &seen.clauses),
        [""; 0],
        "alone too seldom"
    );
}

fn try_envelope(number: u64, seen: &mut Seen) {
    let mut random = Random::new(0x0706_0000 + number);
    let drafted = worlds::envelope(&mut random);
    let peer = Peer::new(&drafted.envelope);
    for case in 0..CASES_OF_EACH {
        let aim = random.below(drafted.envelope.rules.len() as u64) as usize;
        let world = worlds::world(&mut random, &drafted.envelope, aim);
        let of_envelope = drafted
            .fault
            .filter(|(_, place)| place.is_none_or(|place| place == aim))
            .map(|(fault, _)| fault);
        let mut faults = world.faults.clone();
        faults.extend(of_envelope);
        compare(&drafted.envelope, &peer, &world, &faults, seen, &|| {
            format!("envelope {number}, case {case}, faults {faults:?}")
        });
    }
}

fn compare(
    envelope: &Envelope,
    peer: &Peer,
    world: &World,
    faults: &[&'static str],
    seen: &mut Seen,
    which: &dyn Fn() -> String,
) {
    let case = world.under(envelope);
    let native = assessment::assess(
        Some(envelope),
        &world.graph,
        &world.proposal,
        Some(&world.history),
        world.now,
    );
    let blocking: BTreeSet<&'static str> = assessment::blocking(&native.findings)
        .map(|finding| finding.clause.as_str())
        .collect();
    let requests = facts::requests(case);
    let mut rules: BTreeSet<String> = BTreeSet::new();
    let mut allowed = 0;
    for request in &requests {
        let asked = if seen.cases.is_multiple_of(CHECKED_ONE_IN) {
            peer.read(request)
        } else {
            peer.read_unchecked(request)
        };
        // Cedar skips a policy that errs: a decision beside an error is worth nothing.
        let said = peer
            .ask(&asked)
            .unwrap_or_else(|errors| panic!("{}: policies erred: {errors:?}", which()));
        let typed: BTreeSet<String> = cedar::allowed_by(envelope, request)
            .map(|id| id.as_str().to_owned())
            .collect();
        assert_eq!(said.rules, typed, "{}: {request:#?}", which());
        assert_eq!(said.allowed, !typed.is_empty(), "{}: {request:#?}", which());
        let forbids = |clause: Clause| said.clauses.contains(clause.as_str());
        if blocking.contains("4.10") && native_window_short(envelope) {
            assert!(forbids(Clause::C4_10), "{}: {said:?}", which());
        }
        if requests.len() == 1
            && native.scope.tier == countersign_core::topology::Tier::SafetyCritical
        {
            assert!(forbids(Clause::C4_7), "{}: {said:?}", which());
        }
        assert!(
            !forbids(Clause::C4_10) || blocking.contains("4.10"),
            "{}: {said:?}",
            which()
        );
        allowed += u64::from(said.allowed);
        rules.extend(said.rules);
    }
    let autonomous = native.verdict == Verdict::Autonomous;
    assert_eq!(
        autonomous,
        allowed > 0,
        "{}: the core says {:?} because of {:#?}, Cedar allows by {rules:?}; {requests:#?}",
        which(),
        native.verdict,
        assessment::blocking(&native.findings).collect::<Vec<_>>()
    );
    if let Some(rule) = native.rule.as_ref().filter(|_| autonomous) {
        assert!(
            rules.contains(rule.as_str()),
            "{}: {rule} of {rules:?}",
            which()
        );
    }
    seen.cases += 1;
    seen.requests += requests.len() as u64;
    seen.allowed += u64::from(autonomous);
    seen.several += u64::from(rules.len() > 1);
    seen.by_concurrency += u64::from(0 < allowed && allowed < requests.len() as u64);
    count_denials(&native, &blocking, faults, seen);
}

/// Whether the window is one that 4.10 does not hold against the whole envelope.
fn native_window_short(envelope: &Envelope) -> bool {
    let window = envelope.authority.expires - envelope.authority.effective;
    window <= chrono::TimeDelta::days(countersign_core::envelope::WINDOW_DAYS_MAX)
}

/// Counts a denial under its fault, where it has one and nothing else denies.
fn count_denials(
    native: &assessment::Assessment,
    blocking: &BTreeSet<&'static str>,
    faults: &[&'static str],
    seen: &mut Seen,
) {
    if native.verdict == Verdict::Refused {
        if let [fault] = faults {
            *seen.refused.entry(fault).or_default() += 1;
        }
        return;
    }
    if native.verdict == Verdict::Autonomous {
        return;
    }
    // Without a rule, nothing is declared: 4.4, 4.6 and 4.9 say so too.
    let without_rule = BTreeSet::from(["4.1", "4.4", "4.6", "4.9"]);
    let one = match blocking.len() {
        1 => blocking.first().copied(),
        _ if native.rule.is_none() && *blocking == without_rule => Some("4.1"),
        _ => None,
    };
    if let Some(clause) = one {
        *seen.clauses.entry(clause).or_default() += 1;
    }
    // A target that is safety-critical is granted by nobody either; a tier of which the envelope says
    // nothing has neither autonomy nor limits.
    let nothing_else = one.is_some()
        || (native.rule.is_none() && blocking.len() == 5)
        || *blocking == BTreeSet::from(["4.5", "4.7"]);
    if let ([fault], true) = (faults, nothing_else) {
        *seen.denied.entry(fault).or_default() += 1;
    }
}

#[test]
fn the_example_and_the_profiles_are_taken_strictly() {
    for text in [
        include_str!("../../crates/core/tests/examples/envelope.yaml"),
        include_str!("../../profiles/financial.yaml"),
        include_str!("../../profiles/healthcare.yaml"),
        include_str!("../../profiles/manufacturing.yaml"),
        include_str!("../../profiles/public-sector.yaml"),
    ] {
        let envelope = document::envelope(text).expect("it is valid").document;
        let peer = Peer::new(&envelope);
        assert!(peer.policies.policies().count() > 5);
    }
}

/// The trap that the form of the policies is made for: without its schema, a request that lacks a fact
/// makes every `forbid` that reads it err, Cedar skips these, and only what the `permit`s repeat denies.
#[test]
fn a_forbid_that_errs_is_skipped_and_the_permits_still_deny() {
    let (envelope, request) = allowed_case();
    let peer = Peer::new(&envelope);
    assert!(
        peer.ask(&peer.read(&request))
            .expect("nothing errs")
            .allowed
    );
    let mut context = request.context();
    context
        .as_object_mut()
        .expect("a record")
        .remove("irreversible");
    let asked = peer.read_as(&request, context, None);
    let errors = peer.ask(&asked).expect_err("policies err");
    assert!(
        errors.iter().any(|error| error.contains("irreversible")),
        "{errors:?}"
    );
    assert!(
        !peer.decide(&asked),
        "a permit repeats what the forbid says"
    );
}

#[test]
#[should_panic(expected = "the request is refused")]
fn the_schema_refuses_a_request_that_lacks_a_fact() {
    let (envelope, request) = allowed_case();
    let peer = Peer::new(&envelope);
    let mut context = request.context();
    context
        .as_object_mut()
        .expect("a record")
        .remove("irreversible");
    peer.read_as(&request, context, Some(&peer.schema));
}

/// The first generated case that runs alone.
fn allowed_case() -> (Envelope, cedar::Request) {
    let mut random = Random::new(1);
    loop {
        let drafted = worlds::envelope(&mut random);
        for _ in 0..20 {
            let world = worlds::world(&mut random, &drafted.envelope, 0);
            let requests = facts::requests(world.under(&drafted.envelope));
            let found = requests.into_iter().find(|request| {
                cedar::allowed_by(&drafted.envelope, request)
                    .next()
                    .is_some()
            });
            if let Some(request) = found {
                return (drafted.envelope, request);
            }
        }
    }
}
