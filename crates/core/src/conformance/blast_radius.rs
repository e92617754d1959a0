//! Test 8.5: at each limit it passes, one above it fails, also added up over the period (4.5).
//!
//! Limits are tried on generated topologies, each limit by itself: an organisation need not have 200
//! systems for its limit of 200 to be tried.

use std::collections::BTreeSet;

use chrono::{DateTime, Duration, Utc};

use super::TrialOutcome::{Fails, NotShown, Weak};
use super::sample;
use super::{Engine, Inputs, Trial, Trying, trial};
use crate::assessment::{Clause, Outcome};
use crate::envelope::{Autonomy, BlastRadius, Envelope, Rule};
use crate::history::{History, InFlight, Recent};
use crate::identifier::{IdentifierError, OperationId, ServiceId, SystemId};
use crate::proposal::{ActionKind, Severity, Targets};
use crate::scope::Graph;
use crate::topology::{SCHEMA, Service, System, Tier, Topology};

/// Systems in a generated topology.
const SYSTEMS_MAX: u64 = 20_000;

/// The class size on which a share is tried.
const CLASS_SIZE: u64 = 1_000;

const AUTONOMOUS_TIERS: [Tier; 2] = [Tier::ProductionCritical, Tier::NonCritical];

pub(super) fn check(inputs: &Inputs<'_>, now: DateTime<Utc>, engine: Engine<'_>) -> Vec<Trial> {
    let mut trials = vec![limited(inputs.envelope), proportionate(inputs.envelope)];
    for tier in AUTONOMOUS_TIERS {
        let Some(radius) = limits(inputs.envelope, tier) else {
            continue;
        };
        let Some(rule) = inputs
            .envelope
            .rules
            .iter()
            .find(|rule| rule.targets.tiers.contains(&tier))
        else {
            continue;
        };
        for limit in [
            Dimension::Systems,
            Dimension::Services,
            Dimension::Segments,
            Dimension::Fraction,
        ] {
            trials.extend(dimension(inputs, tier, radius, rule, limit, now, engine));
        }
    }
    trials
}

fn limits(envelope: &Envelope, tier: Tier) -> Option<&BlastRadius> {
    envelope.tiers.get(&tier)?.blast_radius.as_ref()
}

fn limited(envelope: &Envelope) -> Trial {
    let mut limited =
        Trying::new("every tier with autonomy limits the systems of an operation (4.5)");
    for (tier, rule) in &envelope.tiers {
        if rule.autonomy == Autonomy::Bounded {
            limited.one(match &rule.blast_radius {
                None => Some(format!("{tier} has no blast radius")),
                Some(radius) if radius.systems.is_none() => {
                    Some(format!("{tier} has no limit of systems"))
                }
                Some(_) => None,
            });
        }
    }
    limited.end(Fails, "each does")
}

/// «proportionate to the risk tier of the target systems».
fn proportionate(envelope: &Envelope) -> Trial {
    let what = "no limit is wider on production-critical than on non-critical systems (4.5)";
    let (Some(critical), Some(other)) = (
        limits(envelope, Tier::ProductionCritical),
        limits(envelope, Tier::NonCritical),
    ) else {
        return trial(what, NotShown, "the two tiers do not both have limits");
    };
    let wider = |critical: Option<u64>, other: Option<u64>| match (critical, other) {
        (None, Some(_)) => true,
        (Some(critical), Some(other)) => critical > other,
        (_, None) => false,
    };
    let mut compared = Trying::new(what);
    for (name, critical, other) in [
        ("systems", critical.systems, other.systems),
        ("services", critical.services, other.services),
        ("segments", critical.segments, other.segments),
    ] {
        compared.one(wider(critical, other).then(|| format!("the limit of {name} is")));
    }
    let share = match (critical.fraction_of_class, other.fraction_of_class) {
        (None, Some(_)) => true,
        (Some(critical), Some(other)) => critical > other,
        (_, None) => false,
    };
    compared.one(share.then(|| "the share of a class is".to_owned()));
    compared.end(Fails, "none is")
}

/// A limit of a blast radius.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dimension {
    Systems,
    Services,
    Segments,
    Fraction,
}

impl Dimension {
    const fn name(self) -> &'static str {
        match self {
            Self::Systems => "systems",
            Self::Services => "services",
            Self::Segments => "segments",
            Self::Fraction => "share of a class",
        }
    }

    /// The limit by itself, with the largest number of systems that it admits.
    fn alone(self, radius: &BlastRadius) -> Option<(BlastRadius, u64)> {
        let none = BlastRadius {
            systems: None,
            services: None,
            segments: None,
            fraction_of_class: None,
            per: radius.per,
        };
        Some(match self {
            Self::Systems => {
                let systems = radius.systems?;
                (
                    BlastRadius {
                        systems: Some(systems),
                        ..none
                    },
                    systems,
                )
            }
            Self::Services => {
                let services = radius.services?;
                (
                    BlastRadius {
                        services: Some(services),
                        ..none
                    },
                    services,
                )
            }
            Self::Segments => {
                let segments = radius.segments?;
                (
                    BlastRadius {
                        segments: Some(segments),
                        ..none
                    },
                    segments,
                )
            }
            Self::Fraction => {
                let share = radius.fraction_of_class?;
                let admitted = (0..=CLASS_SIZE)
                    .rev()
                    .find(|n| share.admits(*n, CLASS_SIZE))?;
                (
                    BlastRadius {
                        fraction_of_class: Some(share),
                        ..none
                    },
                    admitted,
                )
            }
        })
    }
}

fn dimension(
    inputs: &Inputs<'_>,
    tier: Tier,
    radius: &BlastRadius,
    rule: &Rule,
    limit: Dimension,
    now: DateTime<Utc>,
    engine: Engine<'_>,
) -> Option<Trial> {
    let (alone, admitted) = limit.alone(radius)?;
    let name = limit.name();
    let what = format!(
        "{tier}, {name}: {admitted} pass and one more fails, at once, in flight and within the period (4.5)"
    );
    if limit == Dimension::Fraction && admitted >= CLASS_SIZE {
        return Some(trial(what, Weak, "a share of the whole class never binds"));
    }
    if admitted >= SYSTEMS_MAX {
        return Some(trial(
            what,
            NotShown,
            format!("more than {SYSTEMS_MAX} are not tried"),
        ));
    }
    let mut envelope = inputs.envelope.clone();
    if let Some(rule) = envelope.tiers.get_mut(&tier) {
        rule.blast_radius = Some(alone);
    }
    let lab = Lab {
        inputs,
        envelope,
        tier,
        rule,
        limit,
        period: radius.per.duration(),
        now,
    };
    let mut tried = Trying::new(what);
    for split in [Split::AtOnce, Split::InFlight, Split::Finished] {
        for (number, passes) in [(admitted, true), (admitted.saturating_add(1), false)] {
            // Nothing at all is no operation; and a part needs a whole of two.
            if number == 0 || (split != Split::AtOnce && number < 2) {
                continue;
            }
            tried.one(match lab.outcome(number, split, engine) {
                Ok(found) if (found == Some(Outcome::Pass)) == passes => None,
                Ok(_) => Some(format!(
                    "{number} {} {}",
                    split.words(),
                    if passes { "do not pass" } else { "pass" }
                )),
                Err(error) => Some(error.to_string()),
            });
        }
    }
    // What ended a second before the period no longer counts.
    if admitted >= 1 {
        let found = lab.outcome(admitted.saturating_add(1), Split::LongAgo, engine);
        tried.one(
            (!matches!(found, Ok(Some(Outcome::Pass))))
                .then(|| "what ended before the period still counts".to_owned()),
        );
    }
    Some(tried.end(Fails, "each limit binds exactly where it stands"))
}

/// How a number of systems comes together.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Split {
    AtOnce,
    InFlight,
    Finished,
    LongAgo,
}

impl Split {
    const fn words(self) -> &'static str {
        match self {
            Self::AtOnce => "at once",
            Self::InFlight => "with one of them proposed and the others in flight",
            Self::Finished => "with one of them proposed and the others finished within the period",
            Self::LongAgo => "with one of them proposed and the others finished before the period",
        }
    }
}

struct Lab<'a> {
    inputs: &'a Inputs<'a>,
    envelope: Envelope,
    tier: Tier,
    rule: &'a Rule,
    limit: Dimension,
    period: Duration,
    now: DateTime<Utc>,
}

impl Lab<'_> {
    /// What 4.5 says of `number` systems that come together so.
    fn outcome(
        &self,
        number: u64,
        split: Split,
        engine: Engine<'_>,
    ) -> Result<Option<Outcome>, IdentifierError> {
        let topology = self.topology(number)?;
        let graph = Graph::new(&topology);
        let all: Vec<SystemId> = topology
            .systems
            .iter()
            .take(usize::try_from(number).unwrap_or(usize::MAX))
            .map(|system| system.id.clone())
            .collect();
        let proposed = match split {
            Split::AtOnce => all.len(),
            Split::InFlight | Split::Finished | Split::LongAgo => 1,
        };
        let targets: BTreeSet<SystemId> = all.iter().take(proposed).cloned().collect();
        let others: BTreeSet<SystemId> = all.iter().skip(proposed).cloned().collect();
        let Some((first, agent)) = all.first().zip(self.envelope.agents.first()) else {
            return Ok(None);
        };
        let Some(system) = graph.system(first.as_str()) else {
            return Ok(None);
        };
        let kind = ActionKind::Patch;
        let severity = Severity::Medium;
        let action = sample::action(kind, system, &graph)?;
        let mut proposal = sample::proposal(action, first, agent, severity, self.now)?;
        proposal.targets = Targets::Systems(targets);
        let drilled = [(kind, system.class.clone())];
        let mut history = sample::history(self.inputs, &drilled, first, severity, 1, self.now)?;
        self.put(&mut history, others, split)?;
        let found = (engine.assess)(&self.envelope, &graph, &proposal, Some(&history), self.now);
        Ok(found
            .findings
            .iter()
            .find(|finding| finding.clause == Clause::C4_5)
            .map(|finding| finding.outcome))
    }

    fn put(
        &self,
        history: &mut History,
        systems: BTreeSet<SystemId>,
        split: Split,
    ) -> Result<(), IdentifierError> {
        let operation = OperationId::new("conformance")?;
        let finished_at = match split {
            Split::AtOnce => return Ok(()),
            Split::InFlight => {
                history.in_flight = Some(vec![InFlight { operation, systems }]);
                return Ok(());
            }
            Split::Finished => self.now - self.period,
            Split::LongAgo => self.now - self.period - Duration::seconds(1),
        };
        history.recent = Some(vec![Recent {
            operation,
            systems,
            finished_at,
        }]);
        Ok(())
    }

    /// Systems that the rule grants on this tier, and nothing that depends on them.
    fn topology(&self, number: u64) -> Result<Topology, IdentifierError> {
        let systems = match self.limit {
            Dimension::Fraction => CLASS_SIZE,
            Dimension::Systems | Dimension::Services | Dimension::Segments => number,
        };
        let mut topology = Topology {
            schema: SCHEMA.to_owned(),
            observed_at: self.now,
            source: "generated by the conformance test".to_owned(),
            services: Vec::new(),
            systems: Vec::new(),
            dependencies: Vec::new(),
        };
        let Some(class) = self.rule.targets.classes.first() else {
            return Ok(topology);
        };
        for index in 1..=systems {
            let mut system = System {
                id: SystemId::new(format!("conformance-{index:05}"))?,
                title: None,
                class: class.clone(),
                tier: Some(self.tier),
                service: None,
                addresses: BTreeSet::new(),
                cidr: None,
                labels: self.rule.targets.labels.clone(),
                redundancy: None,
                source: None,
                observed_at: None,
                site: self.rule.targets.sites.first().cloned(),
                exposure: self.rule.targets.exposure.first().copied(),
            };
            match self.limit {
                Dimension::Systems | Dimension::Fraction => {}
                Dimension::Services => {
                    let id = ServiceId::new(format!("conformance-service-{index:05}"))?;
                    system.service = Some(id.clone());
                    topology.services.push(Service {
                        id,
                        title: None,
                        tier: Some(self.tier),
                        source: None,
                        observed_at: None,
                    });
                }
                Dimension::Segments => {
                    // INVARIANT: at most 20,000, so that each has a /24 of its own below 10.0.0.0/8.
                    let [.., high, low] = index.to_be_bytes();
                    let address = std::net::Ipv4Addr::new(10, high, low, 0);
                    system.cidr = ipnet::Ipv4Net::new(address, 24).ok().map(ipnet::IpNet::V4);
                }
            }
            topology.systems.push(system);
        }
        Ok(topology)
    }
}
