//! Envelopes: a few rules each, with every condition there is.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use countersign_core::envelope::{
    Approval, Authority, Autonomy, BlastRadius, Breaker, Calendar, ConcurrentOperations,
    Conditions, Corroboration, DateRange, Envelope, ErrorBudget, FalsePositiveRate, HealthCheck,
    Rollback, Rollout, Rule, SCHEMA, SeverityBounds, TargetGrant, TierRule, TopologyAge,
    ValidatedInStaging, WINDOW_DAYS_MAX, WaveSize,
};
use countersign_core::proposal::{ActionKind, Severity};
use countersign_core::topology::{Exposure, Tier};

use super::{AGENTS, CLASSES, Drafted, ENVELOPE_FAULTS, KINDS, LABELS, SITES, read};
use crate::random::Random;

/// An envelope; one in four has a fault of its own.
pub fn envelope(random: &mut Random) -> Drafted {
    let effective = read::<chrono::DateTime<chrono::Utc>>("2026-11-02T06:00:00Z");
    let agents = 1 + random.below(3) as usize;
    let rules = 1 + random.below(4);
    let mut envelope = Envelope {
        schema: SCHEMA.to_owned(),
        name: random.word(&["soc", "\"\n}", "*/ envelope"]).to_string(),
        version: 1,
        description: None,
        authority: Authority {
            board: read("board"),
            quorum: 3,
            effective,
            expires: effective + TimeDelta::days(random.within(20, WINDOW_DAYS_MAX)),
        },
        agents: AGENTS.iter().take(agents).copied().map(read).collect(),
        tiers: [
            Tier::NonCritical,
            Tier::ProductionCritical,
            Tier::SafetyCritical,
        ]
        .into_iter()
        .map(|tier| (tier, tier_rule(random, tier)))
        .collect(),
        calendars: calendars(),
        checks: BTreeMap::from([(
            read("up"),
            HealthCheck::Tcp {
                port: 1,
                timeout: read("2s"),
            },
        )]),
        rules: (0..rules).map(|number| rule(random, number)).collect(),
    };
    let fault = random.one_in(4).then(|| spoil(random, &mut envelope));
    Drafted { envelope, fault }
}

fn tier_rule(random: &mut Random, tier: Tier) -> TierRule {
    let radius = BlastRadius {
        systems: (!random.one_in(5)).then(|| 8 + random.below(12)),
        services: (!random.one_in(3)).then(|| 3 + random.below(4)),
        segments: (!random.one_in(3)).then(|| 2 + random.below(3)),
        fraction_of_class: (!random.one_in(3))
            .then(|| read(random.word(&["0.75", "0.8571428571", "0.9", "1", "3.5"]))),
        per: read(random.word(&["1h", "24h", "90m"])),
    };
    let safety = tier == Tier::SafetyCritical;
    TierRule {
        autonomy: if safety {
            Autonomy::Prohibited
        } else {
            Autonomy::Bounded
        },
        approval: Approval {
            quorum: 1,
            roles: BTreeSet::from([read("lead")]),
        },
        blast_radius: Some(radius),
    }
}

/// By day, by night, at weekends, in a freeze and never; two of which nobody can say.
fn calendars() -> BTreeMap<countersign_core::identifier::CalendarId, Calendar> {
    let calendar = |zone: &str| Calendar {
        zone: zone.to_owned(),
        days: None,
        from: None,
        to: None,
        dates: None,
        except: BTreeSet::new(),
    };
    let by_day = Calendar {
        from: Some(read("08:00")),
        to: Some(read("16:30")),
        ..calendar("Europe/London")
    };
    let by_night = Calendar {
        from: Some(read("22:00")),
        to: Some(read("06:00")),
        ..calendar("America/New_York")
    };
    let workdays = Calendar {
        except: BTreeSet::from([read("freeze\"")]),
        ..calendar("Asia/Tokyo")
    };
    let freeze = Calendar {
        dates: Some(DateRange {
            from: read("2026-11-10"),
            to: read("2026-11-12"),
        }),
        ..calendar("UTC")
    };
    let circular = Calendar {
        except: BTreeSet::from([read("circular")]),
        ..calendar("UTC")
    };
    [
        ("day", by_day),
        ("night", by_night),
        ("workdays", workdays),
        ("freeze\"", freeze),
        ("always", calendar("UTC")),
        ("circular", circular),
        ("nowhere", calendar("Nowhere/At-All")),
    ]
    .into_iter()
    .map(|(name, calendar)| (read(name), calendar))
    .collect()
}

fn some<T: Copy>(random: &mut Random, all: &[T]) -> Vec<T> {
    let mut kept: Vec<T> = all.iter().copied().filter(|_| random.one_in(2)).collect();
    if kept.is_empty() {
        kept.push(*random.of(all));
    }
    kept
}

fn rule(random: &mut Random, number: u64) -> Rule {
    let name = random.word(&["rule", "\"]has\"", "__entity", "r\u{fc}le\\"]);
    let kinds = if random.one_in(3) {
        some(random, &KINDS)
    } else {
        KINDS.to_vec()
    };
    let tiers = [Tier::NonCritical, Tier::ProductionCritical];
    let tiers = if random.one_in(2) {
        tiers.to_vec()
    } else {
        some(random, &tiers)
    };
    let labels = some(random, &LABELS);
    let labels = if random.one_in(2) { labels } else { Vec::new() };
    let sites = some(random, &SITES);
    let exposures = some(random, &[Exposure::Internal, Exposure::Public]);
    Rule {
        id: read(&format!("{name}{number}")),
        actions: kinds.into_iter().collect(),
        targets: TargetGrant {
            classes: some(random, &CLASSES).into_iter().map(read).collect(),
            tiers: tiers.into_iter().collect(),
            labels: labels
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            sites: if random.one_in(2) {
                sites.into_iter().map(read).collect()
            } else {
                BTreeSet::new()
            },
            exposure: if random.one_in(2) {
                exposures.into_iter().collect()
            } else {
                BTreeSet::new()
            },
        },
        severity: SeverityBounds {
            min: (!random.one_in(3)).then_some(*random.of(&[Severity::Medium, Severity::High])),
            max: (!random.one_in(3)).then_some(*random.of(&[
                Severity::High,
                Severity::High,
                Severity::Critical,
            ])),
        },
        conditions: conditions(random),
        rollout: Rollout {
            canary: (!random.one_in(3)).then_some(1),
            waves: if random.one_in(6) {
                Vec::new()
            } else {
                vec![WaveSize::Percent(100)]
            },
            concurrency: *random.of(&[None, Some(1), Some(5)]),
            health: BTreeSet::from([read("up")]),
            breaker: Some(Breaker {
                failures: Some(0),
                attempts_per_system: Some(1),
                ..Breaker::default()
            }),
            ..Rollout::default()
        },
        rollback: Rollback {
            within: Some(read("15m")),
            drilled_within: (!random.one_in(3)).then(|| read("30d")),
        },
    }
}

fn conditions(random: &mut Random) -> Conditions {
    let outside = some(random, &["day", "night", "freeze\""]);
    let inside = some(random, &["day", "night", "workdays", "always", "circular"]);
    Conditions {
        outside: if random.one_in(3) {
            outside.into_iter().take(2).map(read).collect()
        } else {
            BTreeSet::new()
        },
        inside: if random.one_in(4) {
            inside.into_iter().map(read).collect()
        } else {
            BTreeSet::new()
        },
        corroboration: random.one_in(2).then(|| Corroboration {
            independent_sources: 1 + random.below(3) as u32,
            within: read(random.word(&["10m", "900s"])),
        }),
        false_positive_rate: random.one_in(2).then(|| FalsePositiveRate {
            max: read(random.word(&["0.05", "0.1", "0.123456789", "0.3"])),
            over: read("90d"),
        }),
        topology_age: random.one_in(2).then(|| TopologyAge { max: read("24h") }),
        concurrent_operations: random.one_in(2).then(|| ConcurrentOperations {
            max: 1 + random.below(3) as u32,
        }),
        error_budget: random.one_in(2).then(|| ErrorBudget {
            services: if random.one_in(3) {
                BTreeSet::from([read("v0")])
            } else {
                BTreeSet::new()
            },
            min_remaining: read(random.word(&["0", "0.25", "0.333333333"])),
            within: random.one_in(2).then(|| read("1h")),
        }),
        validated_in_staging: random
            .one_in(2)
            .then(|| ValidatedInStaging { within: read("7d") }),
    }
}

/// Makes one fault, in the whole envelope or in one rule.
fn spoil(random: &mut Random, envelope: &mut Envelope) -> (&'static str, Option<usize>) {
    let fault = *random.of(&ENVELOPE_FAULTS);
    let place = random.below(envelope.rules.len() as u64) as usize;
    let rule = &mut envelope.rules[place];
    match fault {
        "no health check" => rule.rollout.health.clear(),
        "a health check that is not declared" => {
            rule.rollout.health.insert(read("down"));
        }
        "no breaker" => rule.rollout.breaker = None,
        "no rollback" => rule.rollback = Rollback::default(),
        "nothing can be undone" => rule.actions = BTreeSet::from([ActionKind::ProcessKill]),
        "only safety-critical is granted" => {
            rule.targets.tiers = BTreeSet::from([Tier::SafetyCritical])
        }
        "always inside a calendar" => {
            rule.conditions.outside.insert(read("always"));
        }
        "a calendar that nobody can evaluate" => {
            let calendar = read(random.word(&["circular", "nowhere"]));
            if random.one_in(2) {
                rule.conditions.outside.insert(calendar);
            } else {
                rule.conditions.inside = BTreeSet::from([calendar]);
            }
        }
        whole => {
            match whole {
                "no agent" => envelope.agents.clear(),
                "no tier is spoken of" => envelope.tiers.clear(),
                "too long a window" => {
                    envelope.authority.expires = envelope.authority.effective
                        + TimeDelta::days(WINDOW_DAYS_MAX)
                        + TimeDelta::seconds(1);
                }
                "no tier has autonomy" => {
                    for tier in envelope.tiers.values_mut() {
                        tier.autonomy = Autonomy::Prohibited;
                    }
                }
                "no tier has a blast radius" => {
                    for tier in envelope.tiers.values_mut() {
                        tier.blast_radius = None;
                    }
                }
                unknown => panic!("there is no fault `{unknown}`"),
            }
            return (whole, None);
        }
    }
    (fault, Some(place))
}
