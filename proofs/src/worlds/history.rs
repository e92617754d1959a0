//! What the backend knows: what a rule asks for, but for the faults that are made.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use countersign_core::envelope::{Envelope, Rule};
use countersign_core::history::{
    Drill, History, InFlight, Recent, RegisteredDetection, RemainingBudget, StagingRun,
    VerifiedSignal,
};
use countersign_core::identifier::{ClassId, SystemId};
use countersign_core::proposal::Proposal;
use countersign_core::topology::Topology;

use super::case::BYSTANDERS;
use super::{Faults, at_most, beyond, read};
use crate::random::Random;

/// The history of a case.
pub(super) fn history(
    random: &mut Random,
    faults: &mut Faults,
    envelope: &Envelope,
    rule: &Rule,
    topology: &Topology,
    proposal: &Proposal,
    now: DateTime<Utc>,
) -> History {
    let kind = proposal.action.kind();
    let conditions = &rule.conditions;
    let classes: BTreeSet<&ClassId> = topology
        .systems
        .iter()
        .map(|system| &system.class)
        .collect();
    let drilled_within = rule
        .rollback
        .drilled_within
        .map_or(92 * 86_400, |span| span.seconds());
    let authorised =
        (!faults.make("authorisation unknown", true)).then(|| !faults.make("not authorised", true));
    let suspended =
        (!faults.make("suspension unknown", true)).then(|| faults.make("suspended", true));
    let (never_drilled, drilled_late, failed_since) = (
        faults.make("never drilled", true),
        faults.make("drilled long ago", true),
        faults.make("failed when last drilled", true),
    );
    let drills = classes
        .iter()
        .filter(|_| !never_drilled)
        .map(|class| Drill {
            action: kind,
            class: (*class).clone(),
            succeeded_at: now
                - if drilled_late {
                    beyond(random, drilled_within)
                } else {
                    at_most(random, drilled_within)
                },
            failed_at: failed_since.then_some(now),
        });
    let drills: Vec<Drill> = drills.collect();
    let staging = conditions.validated_in_staging.as_ref().map(|wanted| {
        let never = faults.make("never in staging", true);
        let late = faults.make("in staging long ago", true);
        let within = wanted.within.seconds();
        let runs = classes.iter().filter(|_| !never).map(|class| StagingRun {
            action_digest: proposal.action.digest().expect("it has a canonical form"),
            class: (*class).clone(),
            succeeded_at: now
                - if late {
                    beyond(random, within)
                } else {
                    at_most(random, within)
                },
        });
        runs.collect::<Vec<_>>()
    });
    let asks_staging = staging.is_some();
    let in_flight = in_flight(random, faults, rule);
    History {
        envelope_authorised: authorised,
        autonomy_suspended: suspended,
        suspensions: BTreeSet::new(),
        drills: (!faults.make("drills unknown", true)).then_some(drills),
        detections: detections(random, faults, rule, proposal),
        signals: signals(random, faults, rule, topology, proposal, now),
        in_flight: (!faults.make("operations in flight unknown", true)).then_some(in_flight),
        recent: (!faults.make("what ran lately unknown", true))
            .then(|| recent(random, faults, envelope, now)),
        error_budgets: error_budgets(random, faults, rule, now),
        staging: if faults.make("staging unknown", asks_staging) {
            None
        } else {
            staging
        },
        irreversible: if faults.make("declared irreversible", true) {
            BTreeSet::from([kind])
        } else {
            BTreeSet::new()
        },
    }
}

fn detections(
    random: &mut Random,
    faults: &mut Faults,
    rule: &Rule,
    proposal: &Proposal,
) -> Option<Vec<RegisteredDetection>> {
    let unregistered = faults.make("not registered", true);
    if unregistered && random.one_in(3) {
        return None;
    }
    let assessed = 20 + random.below(80);
    let wanted = rule.conditions.false_positive_rate.as_ref();
    let (assessed, false_positives) = match wanted {
        Some(limit) => {
            let most = (0..=assessed)
                .rev()
                .find(|number| limit.max.admits(*number, assessed))
                .unwrap_or(0);
            if !faults.make("false positives", true) {
                (
                    assessed,
                    if random.one_in(2) {
                        most
                    } else {
                        random.below(most + 1)
                    },
                )
            } else if random.one_in(2) {
                (assessed, most + 1)
            } else {
                (19, 0)
            }
        }
        None => (random.below(50), 0),
    };
    let agents = if unregistered {
        read("somebody")
    } else {
        proposal.agent.clone()
    };
    Some(vec![RegisteredDetection {
        rule: proposal.detection.rule.clone(),
        source: proposal.detection.source.clone(),
        upstream: read("own"),
        agents: BTreeSet::from([agents]),
        severity: proposal.detection.severity,
        assessed,
        false_positives,
        benign_patterns: BTreeSet::new(),
    }])
}

fn signals(
    random: &mut Random,
    faults: &mut Faults,
    rule: &Rule,
    topology: &Topology,
    proposal: &Proposal,
    now: DateTime<Utc>,
) -> Option<Vec<VerifiedSignal>> {
    let systems: BTreeSet<SystemId> = topology
        .systems
        .iter()
        .map(|system| system.id.clone())
        .collect();
    let Some(wanted) = &rule.conditions.corroboration else {
        return random.one_in(2).then(Vec::new);
    };
    if faults.make("signals unknown", true) {
        return None;
    }
    let few = faults.make("too few sources", true);
    let mut number = u64::from(wanted.independent_sources) + random.below(2);
    let mut all = Vec::new();
    if few {
        number = u64::from(wanted.independent_sources) - 1;
        // What does not count: its own source, its own upstream, a known upstream again.
        for (source, upstream) in [("scanner", "elsewhere"), ("sister", "own"), ("s0", "u0")] {
            all.push((source.to_owned(), upstream.to_owned()));
        }
        if number == 0 {
            all.pop();
        }
    }
    for n in 0..number {
        all.push((format!("s{n}"), format!("u{n}")));
    }
    let detected_at = proposal.detection.detected_at;
    let signals = all.into_iter().map(|(source, upstream)| {
        let before = detected_at - at_most(random, wanted.within.seconds());
        VerifiedSignal {
            source: read(&source),
            upstream: read(&upstream),
            systems: systems.clone(),
            observed_at: if random.one_in(2) {
                before
            } else {
                detected_at.min(now)
            },
        }
    });
    Some(signals.collect())
}

fn in_flight(random: &mut Random, faults: &mut Faults, rule: &Rule) -> Vec<InFlight> {
    let number = match &rule.conditions.concurrent_operations {
        Some(limit) if faults.make("too many operations", true) => u64::from(limit.max),
        Some(limit) => random.below(u64::from(limit.max)),
        None => random.below(3),
    };
    (0..number)
        .map(|n| InFlight {
            operation: read(&format!("f{n}")),
            systems: BTreeSet::from([read(&format!("b{}", random.below(BYSTANDERS)))]),
        })
        .collect()
}

fn recent(
    random: &mut Random,
    faults: &mut Faults,
    envelope: &Envelope,
    now: DateTime<Utc>,
) -> Vec<Recent> {
    let radii = envelope
        .tiers
        .values()
        .filter_map(|tier| tier.blast_radius.as_ref());
    let longest = radii.map(|radius| radius.per.seconds()).max().unwrap_or(60);
    let mut all: Vec<Recent> = (0..random.below(3))
        .map(|n| Recent {
            operation: read(&format!("r{n}")),
            systems: BTreeSet::from([read(&format!("b{}", random.below(BYSTANDERS)))]),
            finished_at: now
                - if random.one_in(2) {
                    at_most(random, longest)
                } else {
                    beyond(random, longest)
                },
        })
        .collect();
    if faults.make("much ran lately", true) {
        all.push(Recent {
            operation: read("crowd"),
            systems: (0..30).map(|n| read(&format!("gone{n}"))).collect(),
            finished_at: now - at_most(random, 60),
        });
    }
    all
}

fn error_budgets(
    random: &mut Random,
    faults: &mut Faults,
    rule: &Rule,
    now: DateTime<Utc>,
) -> Option<Vec<RemainingBudget>> {
    let Some(wanted) = &rule.conditions.error_budget else {
        return random.one_in(2).then(Vec::new);
    };
    if faults.make("error budgets unknown", true) {
        return None;
    }
    let spent = faults.make("an error budget spent", wanted.min_remaining > read("0"));
    let late = faults.make("an error budget measured long ago", wanted.within.is_some());
    let unmeasured = faults.make("an error budget unmeasured", true);
    let within = wanted.within.map_or(86_400, |span| span.seconds());
    let budgets = ["v0", "v1"]
        .into_iter()
        .filter(|_| !unmeasured)
        .map(|service| RemainingBudget {
            service: read(service),
            remaining: if spent {
                read("0.2")
            } else if random.one_in(2) {
                wanted.min_remaining
            } else {
                read("0.9")
            },
            at: now
                - if late {
                    beyond(random, within)
                } else {
                    at_most(random, within)
                },
        });
    Some(budgets.collect())
}
