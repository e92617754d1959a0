//! Test 8.4: a failing health check halts a rollout, wherever it happens (4.4).

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::TrialOutcome::{Fails, Weak};
use super::sample::Sample;
use super::{Engine, Inputs, Trial, Trying};
use crate::envelope::Rule;
use crate::identifier::{Digest, OperationId, SystemId};
use crate::operation::{
    Authority, Autonomous, CheckResult, Effect, EffectKind, Event, EventKind, Operation, Phase,
    Rehearsal,
};

/// Systems in a rollout that is tried.
const SYSTEMS: usize = 24;

/// Answers given before a rollout counts as one that never ends.
const ANSWERS_MAX: usize = 20_000;

/// Systems above which AG-706 4.9 asks for a canary.
const SYSTEMS_WITHOUT_CANARY_MAX: u64 = 10;

pub(super) fn check(
    inputs: &Inputs<'_>,
    samples: &[Sample<'_>],
    envelope: Digest,
    engine: Engine<'_>,
) -> Vec<Trial> {
    let mut declared = Trying::new("every rule declares health checks and a breaker (4.4)");
    let mut control = Trying::new(
        "control: a healthy rollout of each rule runs to its end and reaches every system",
    );
    let mut halts = Trying::new(format!(
        "failing or missing health at each position of a rollout of {SYSTEMS} systems halts it, and nothing more is dispatched until a person decides (4.4)"
    ));
    for sample in samples {
        let rule = sample.rule;
        declared.one(undeclared(rule));
        if rule.rollout.health.is_empty() {
            continue;
        }
        let authority = sample
            .found
            .as_ref()
            .ok()
            .and_then(|inside| Autonomous::new(&inside.assessment, envelope).ok())
            .map(Authority::Autonomous)
            .or_else(|| rehearsal(rule));
        let Some(authority) = authority else { continue };
        control.one(
            Rollout::run(rule, &authority, inputs.now, engine, &Sick::Nobody).and_then(|ran| {
                (ran.applied.len() != SYSTEMS).then(|| {
                    format!(
                        "rule {}: {} of {SYSTEMS} were reached",
                        rule.id,
                        ran.applied.len()
                    )
                })
            }),
        );
        for position in 0..SYSTEMS {
            for sick in [Sick::From(position), Sick::Silent(position)] {
                halts.one(not_halted(rule, &authority, inputs, engine, &sick));
            }
        }
    }
    vec![
        declared.end(Fails, "each does"),
        control.end(Fails, "each does"),
        halts.end(Fails, "each of them halts"),
        canaries(inputs),
    ]
}

fn rehearsal(rule: &Rule) -> Option<Authority> {
    let (action, class) = (rule.actions.first()?, rule.targets.classes.first()?);
    Some(Authority::Drill(Rehearsal::new(*action, class.clone())))
}

fn undeclared(rule: &Rule) -> Option<String> {
    if rule.rollout.health.is_empty() {
        return Some(format!("rule {} declares no health check", rule.id));
    }
    let Some(breaker) = &rule.rollout.breaker else {
        return Some(format!("rule {} declares no breaker", rule.id));
    };
    let tolerated = breaker.failures.unwrap_or(0);
    let canary = rule.rollout.canary.unwrap_or(0);
    (canary > 0 && tolerated >= canary).then(|| {
        format!(
            "rule {}: the breaker tolerates {tolerated} failures, so that a canary of {canary} can fail whole",
            rule.id
        )
    })
}

/// «Progressive rollout (canary deployment)»: rules that may reach more than ten systems (4.9).
pub(super) fn canaries(inputs: &Inputs<'_>) -> Trial {
    let mut canaries =
        Trying::new("every rule that may reach more than 10 systems has a canary and waves (4.9)");
    for rule in &inputs.envelope.rules {
        let widest = rule
            .targets
            .tiers
            .iter()
            .filter_map(|tier| inputs.envelope.tiers.get(tier))
            .filter_map(|tier| tier.blast_radius.as_ref())
            .map(|radius| radius.systems.unwrap_or(u64::MAX))
            .max();
        if widest.is_some_and(|widest| widest > SYSTEMS_WITHOUT_CANARY_MAX) {
            let staged = rule.rollout.canary.unwrap_or(0) > 0 && !rule.rollout.waves.is_empty();
            canaries
                .one((!staged).then(|| {
                    format!("rule {} has none, and so never runs alone on more", rule.id)
                }));
        }
    }
    canaries.end(Weak, "each has")
}

/// Whose health is bad.
enum Sick {
    Nobody,
    /// The system at this position of the rollout, and each after it.
    From(usize),
    /// The system at this position: its checks have no data.
    Silent(usize),
}

/// What a rollout did.
#[derive(Default)]
struct Ran {
    applied: BTreeSet<SystemId>,
    after_trip: Option<String>,
    halted: bool,
    /// Systems recorded as failed when it halted: more than the tolerated is a late trip.
    failed: usize,
}

struct Rollout;

impl Rollout {
    /// Runs a rollout to its end or its halt; `None` where it cannot be built or never ends.
    fn run(
        rule: &Rule,
        authority: &Authority,
        now: DateTime<Utc>,
        engine: Engine<'_>,
        sick: &Sick,
    ) -> Option<Ran> {
        let targets: BTreeSet<SystemId> = (1..=SYSTEMS)
            .filter_map(|number| SystemId::new(format!("conformance-{number:02}")).ok())
            .collect();
        let id = OperationId::new("conformance").ok()?;
        let mut operation = Operation::new(id, authority.clone(), &targets, &rule.rollout).ok()?;
        let positions: BTreeMap<SystemId, usize> = operation
            .systems()
            .iter()
            .enumerate()
            .map(|(position, system)| (system.id().clone(), position))
            .collect();
        let mut ran = Ran::default();
        let mut at = now;
        let mut open: std::collections::VecDeque<Effect> = (engine.step)(
            &mut operation,
            Event {
                at,
                kind: EventKind::Start,
            },
        )
        .ok()?
        .into();
        let mut failed = BTreeSet::new();
        for _ in 0..ANSWERS_MAX {
            let Some(effect) = open.pop_front() else {
                ran.halted = *operation.phase() == Phase::Halted;
                ran.failed = failed.len();
                return Some(ran);
            };
            let was_halted = *operation.phase() == Phase::Halted;
            let Some(kind) = answer(
                &effect,
                rule,
                sick,
                &positions,
                &mut at,
                &mut ran,
                &mut failed,
            ) else {
                continue;
            };
            let effects = (engine.step)(&mut operation, Event { at, kind }).ok()?;
            if was_halted && let Some(system) = effects.iter().find_map(dispatched) {
                ran.after_trip = Some(system.to_string());
            }
            // A drill that ran through is rolled back by itself: that is another test.
            if matches!(operation.phase(), Phase::RollingBack { .. }) {
                return Some(ran);
            }
            open.extend(effects);
        }
        None
    }
}

/// The system that an effect dispatches anew.
fn dispatched(effect: &Effect) -> Option<&SystemId> {
    match &effect.kind {
        EffectKind::Gate { system, .. }
        | EffectKind::Snapshot { system, .. }
        | EffectKind::Apply { system, .. } => Some(system),
        EffectKind::Record { .. }
        | EffectKind::Baseline { .. }
        | EffectKind::Health { .. }
        | EffectKind::Revert { .. }
        | EffectKind::VerifyReverted { .. }
        | EffectKind::StartSoak { .. }
        | EffectKind::StartTimer { .. }
        | EffectKind::Finished { .. } => None,
    }
}

fn answer(
    effect: &Effect,
    rule: &Rule,
    sick: &Sick,
    positions: &BTreeMap<SystemId, usize>,
    at: &mut DateTime<Utc>,
    ran: &mut Ran,
    failed: &mut BTreeSet<SystemId>,
) -> Option<EventKind> {
    let sequence = effect.sequence;
    Some(match &effect.kind {
        EffectKind::Gate { .. } => EventKind::GateOpened { sequence },
        EffectKind::Snapshot { system, .. } | EffectKind::VerifyReverted { system } => {
            EventKind::SnapshotTaken {
                sequence,
                digest: Digest::of(system.as_str().as_bytes()),
            }
        }
        EffectKind::Apply { system, .. } => {
            ran.applied.insert(system.clone());
            EventKind::Applied { sequence }
        }
        // What breaks is well before it is touched.
        EffectKind::Baseline { checks, .. } => EventKind::HealthChecked {
            sequence,
            results: checks
                .iter()
                .map(|check| {
                    let measured = "made to pass".to_owned();
                    (check.clone(), CheckResult::Pass { measured })
                })
                .collect(),
            dependents: BTreeMap::new(),
        },
        EffectKind::Health { system, .. } => {
            let position = positions.get(system).copied().unwrap_or(0);
            let result = match sick {
                Sick::From(from) if position >= *from => {
                    failed.insert(system.clone());
                    CheckResult::Fail {
                        measured: "made to fail".to_owned(),
                    }
                }
                Sick::Silent(silent) if position == *silent => {
                    failed.insert(system.clone());
                    CheckResult::NoData {
                        reason: "made to have no data".to_owned(),
                    }
                }
                Sick::Nobody | Sick::From(_) | Sick::Silent(_) => CheckResult::Pass {
                    measured: "made to pass".to_owned(),
                },
            };
            EventKind::HealthChecked {
                sequence,
                results: rule
                    .rollout
                    .health
                    .iter()
                    .map(|check| (check.clone(), result.clone()))
                    .collect(),
                dependents: BTreeMap::new(),
            }
        }
        EffectKind::Revert { .. } => EventKind::Reverted { sequence },
        EffectKind::StartSoak { until } => {
            *at = (*at).max(*until);
            EventKind::SoakEnded { sequence }
        }
        EffectKind::Record { .. } | EffectKind::StartTimer { .. } | EffectKind::Finished { .. } => {
            return None;
        }
    })
}

/// The most systems of a whole sick tail that a rule tolerates: the number it names, or, where it
/// names a share of each wave only, the sum of those shares.
fn tolerated(rule: &Rule) -> usize {
    let breaker = rule.rollout.breaker.clone().unwrap_or_default();
    match breaker.tolerated() {
        Some(failures) => usize::try_from(failures).unwrap_or(usize::MAX),
        None => {
            let percent = usize::from(breaker.failures_percent.unwrap_or(0));
            SYSTEMS.saturating_mul(percent) / 100
        }
    }
}

/// What is wrong with how a sick rollout ended.
fn not_halted(
    rule: &Rule,
    authority: &Authority,
    inputs: &Inputs<'_>,
    engine: Engine<'_>,
    sick: &Sick,
) -> Option<String> {
    let tolerated = tolerated(rule);
    let (position, can_trip) = match sick {
        Sick::Nobody => return None,
        // So near the end fewer systems fail than are tolerated.
        Sick::From(from) => (*from, SYSTEMS.saturating_sub(*from) > tolerated),
        Sick::Silent(silent) => (*silent, true),
    };
    let place = format!(
        "rule {}, from system {} on",
        rule.id,
        position.saturating_add(1)
    );
    let Some(ran) = Rollout::run(rule, authority, inputs.now, engine, sick) else {
        return Some(format!("{place}: it never ends"));
    };
    if let Some(system) = ran.after_trip {
        return Some(format!("{place}: {system} was dispatched after the halt"));
    }
    if ran.halted {
        return None;
    }
    if can_trip {
        return Some(format!(
            "{place}: {} systems fail and it goes on",
            ran.failed
        ));
    }
    // What is tolerated is the envelope's own word, unless it tolerates whole rollouts.
    (tolerated >= SYSTEMS)
        .then(|| format!("{place}: {tolerated} failures are tolerated, which is every system"))
}
