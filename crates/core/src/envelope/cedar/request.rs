//! A request: what an agent asks for, with every fact that Cedar cannot work out by itself.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::severity;
use crate::identifier::{AgentId, CalendarId, ClassId, RuleId, SiteId};
use crate::proposal::{ActionKind, Severity};
use crate::topology::{Exposure, Tier};

/// A request under one envelope. Instants are microseconds since 1970, ages are seconds rounded up,
/// shares are parts per billion rounded up; an absent member is a fact that nobody knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// Who proposes: the principal.
    pub agent: AgentId,
    /// What: the action.
    pub action: ActionKind,
    /// Whom it reaches: the resource.
    pub scope: Scope,
    /// The instant of the decision.
    pub now: i64,
    /// The proposal's expiry.
    pub proposal_expires_at: i64,
    /// When it was detected.
    pub detected_at: i64,
    /// Age of the detection.
    pub detected_ago: i64,
    /// When the newest part of the topology in scope was true (4.3).
    pub topology_observed_at: i64,
    /// Age of the oldest part of the topology in scope (4.3).
    pub topology_age: i64,
    /// Whether the envelope was authorised by a full quorum (4.10).
    pub authorised: Option<bool>,
    /// Whether a person has suspended autonomy (4.10).
    pub suspended: Option<bool>,
    /// The registered severity, or else the claimed one (4.11).
    pub severity: Severity,
    /// Whether the detection rule is registered for this source and agent (4.11).
    pub registered: bool,
    /// Outcomes recorded of it.
    pub false_positives: Option<FalsePositives>,
    /// Whether its executor declares that the action cannot be undone (4.6).
    pub irreversible: bool,
    /// Age of the latest drill of this action, of the target class where it is oldest; absent where one
    /// failed since (4.6).
    pub drilled_ago: Option<i64>,
    /// Age of the latest success in staging, of the target class where it is oldest (4.1).
    pub staged_ago: Option<i64>,
    /// Operations under way besides this one (4.1).
    pub in_flight: Option<i64>,
    /// The calendars that `now` lies in (4.1).
    pub calendars: BTreeSet<CalendarId>,
    /// The calendars of which nobody can say.
    pub calendars_undecided: BTreeSet<CalendarId>,
    /// What single rules ask for.
    pub rules: BTreeMap<RuleId, RuleFacts>,
}

/// Whom an action reaches, modelled under one rollout concurrency (4.3, 4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    /// Systems worked on at once; `None` means all of them.
    pub concurrency: Option<u32>,
    /// Number of targets.
    pub targets: i64,
    /// Names that the topology does not know.
    pub unknown: i64,
    /// Classes of the targets.
    pub classes: BTreeSet<ClassId>,
    /// Tiers of the targets.
    pub tiers: BTreeSet<Tier>,
    /// Labels that every target carries.
    pub labels: BTreeMap<String, String>,
    /// Sites of the targets; `None` where one's is unknown.
    pub sites: Option<BTreeSet<SiteId>>,
    /// Exposures of the targets; `None` where one's is unknown.
    pub exposures: Option<BTreeSet<Exposure>>,
    /// The highest tier in scope.
    pub tier: Tier,
    /// Systems in scope.
    pub systems: i64,
    /// Hard dependents disrupted and not excused.
    pub disrupted: i64,
    /// Safety-critical systems and services degraded.
    pub degraded_safety_critical: i64,
    /// Whether it is known who uses the credential, and what else of a redundancy group is in flight.
    pub dependents_known: bool,
    /// What counts towards the limits.
    pub counted: Option<Counted>,
}

/// What this and everything of the period reaches (4.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The period, in seconds.
    pub per: i64,
    /// Systems.
    pub systems: i64,
    /// Services.
    pub services: i64,
    /// Segments.
    pub segments: i64,
    /// The largest share of all systems of any one class in scope, in parts per billion.
    pub largest_share: i64,
}

/// Outcomes that people recorded of a detection rule (4.11).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FalsePositives {
    /// Their number.
    pub assessed: i64,
    /// The share of them that were false, in parts per billion.
    pub share: i64,
}

/// Facts that a single rule asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RuleFacts {
    /// Independent sources about the target with the fewest, within the rule's span (4.11).
    pub independent_sources: Option<i64>,
    /// The error budgets of the services in scope that the rule asks about (4.1).
    pub error_budget: Option<ErrorBudgetFact>,
}

/// What is left of error budgets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorBudgetFact {
    /// The lowest remaining share, in parts per billion rounded down; the whole where no service is in scope.
    pub lowest: i64,
    /// Age of the oldest measurement; 0 where no service is in scope.
    pub oldest: i64,
}

impl Request {
    /// The resource's attributes in Cedar's JSON form.
    #[must_use]
    pub fn resource(&self) -> Value {
        let Scope {
            concurrency,
            targets,
            unknown,
            classes,
            tiers,
            labels,
            sites,
            exposures,
            tier,
            systems,
            disrupted,
            degraded_safety_critical,
            dependents_known,
            counted,
        } = &self.scope;
        let labels: Vec<Value> = labels
            .iter()
            .map(|(name, value)| json!({"name": name, "value": value}))
            .collect();
        let counted = counted.as_ref().map(|counted| {
            json!({"per": counted.per, "systems": counted.systems, "services": counted.services,
                   "segments": counted.segments, "largest_share": counted.largest_share})
        });
        record([
            ("concurrency", concurrency.map(Value::from)),
            ("targets", Some(json!(targets))),
            ("unknown", Some(json!(unknown))),
            ("classes", Some(json!(classes))),
            ("tiers", Some(json!(tiers))),
            ("labels", Some(Value::Array(labels))),
            ("sites", sites.as_ref().map(|sites| json!(sites))),
            (
                "exposures",
                exposures.as_ref().map(|exposures| json!(exposures)),
            ),
            ("tier", Some(json!(tier))),
            ("systems", Some(json!(systems))),
            ("disrupted", Some(json!(disrupted))),
            (
                "degraded_safety_critical",
                Some(json!(degraded_safety_critical)),
            ),
            ("dependents_known", Some(json!(dependents_known))),
            ("counted", counted),
        ])
    }

    /// The context in Cedar's JSON form.
    #[must_use]
    pub fn context(&self) -> Value {
        let Self {
            agent: _,
            action: _,
            scope: _,
            now,
            proposal_expires_at,
            detected_at,
            detected_ago,
            topology_observed_at,
            topology_age,
            authorised,
            suspended,
            severity: severe,
            registered,
            false_positives,
            irreversible,
            drilled_ago,
            staged_ago,
            in_flight,
            calendars,
            calendars_undecided,
            rules,
        } = self;
        let false_positives = false_positives
            .as_ref()
            .map(|of| json!({"assessed": of.assessed, "share": of.share}));
        let rules: Map<String, Value> = rules
            .iter()
            .map(|(id, facts)| (format!("rule:{id}"), facts.record()))
            .collect();
        record([
            ("now", Some(json!(now))),
            ("proposal_expires_at", Some(json!(proposal_expires_at))),
            ("detected_at", Some(json!(detected_at))),
            ("detected_ago", Some(json!(detected_ago))),
            ("topology_observed_at", Some(json!(topology_observed_at))),
            ("topology_age", Some(json!(topology_age))),
            ("authorised", authorised.map(Value::from)),
            ("suspended", suspended.map(Value::from)),
            ("severity", Some(json!(severity(*severe)))),
            ("registered", Some(json!(registered))),
            ("false_positives", false_positives),
            ("irreversible", Some(json!(irreversible))),
            ("drilled_ago", drilled_ago.map(Value::from)),
            ("staged_ago", staged_ago.map(Value::from)),
            ("in_flight", in_flight.map(Value::from)),
            ("calendars", Some(json!(calendars))),
            ("calendars_undecided", Some(json!(calendars_undecided))),
            ("rules", Some(Value::Object(rules))),
        ])
    }
}

impl RuleFacts {
    fn record(&self) -> Value {
        let budget = self
            .error_budget
            .as_ref()
            .map(|budget| json!({"lowest": budget.lowest, "oldest": budget.oldest}));
        record([
            (
                "independent_sources",
                self.independent_sources.map(Value::from),
            ),
            ("error_budget", budget),
        ])
    }
}

/// A record of what is known.
fn record<const N: usize>(members: [(&str, Option<Value>); N]) -> Value {
    members
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect::<Map<_, _>>()
        .into()
}
