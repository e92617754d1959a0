//! The Remediation Authority Envelope (AG-706 4.1): what an agent may do without asking.

pub mod cedar;
pub mod diff;
mod rollout;

pub use rollout::{Breaker, INTERVAL_SECONDS, JITTER_PERCENT, Rollout, WaveSize};

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, NaiveDate, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    decimal::Decimal,
    identifier::{AgentId, CalendarId, CheckId, ClassId, Role, RuleId, ServiceId, SiteId},
    proposal::{ActionKind, Severity},
    span::Span,
    topology::{Exposure, Tier},
};

/// The `schema` member of an envelope.
pub const SCHEMA: &str = "countersign/envelope/v1";

/// Longest authority window (AG-706 4.10: reviewed at least quarterly).
pub const WINDOW_DAYS_MAX: i64 = 92;

/// A Remediation Authority Envelope. Everything that it does not allow needs a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Envelope {
    /// [`SCHEMA`].
    pub schema: String,
    /// Name of the envelope, the same through all its versions.
    pub name: String,
    /// Version; each authorised one is higher than the one before.
    pub version: u32,
    /// What it is for, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Who authorises it, and for how long.
    pub authority: Authority,
    /// The agents it speaks of.
    pub agents: BTreeSet<AgentId>,
    /// Approval and blast radius of each criticality tier.
    pub tiers: BTreeMap<Tier, TierRule>,
    /// Calendars by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calendars: BTreeMap<CalendarId, Calendar>,
    /// Health checks by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub checks: BTreeMap<CheckId, HealthCheck>,
    /// The grants, in the document's order.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// The board that authorises an envelope, its quorum and the authority window (AG-706 4.10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Authority {
    /// The role whose holders authorise this document.
    pub board: Role,
    /// How many of them, at least one.
    pub quorum: u32,
    /// First instant of the window.
    pub effective: DateTime<Utc>,
    /// First instant after it; at most [`WINDOW_DAYS_MAX`] after `effective`.
    pub expires: DateTime<Utc>,
}

/// What a tier allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TierRule {
    /// Whether rules may grant anything on this tier.
    pub autonomy: Autonomy,
    /// Who approves what waits.
    pub approval: Approval,
    /// Largest reach of what runs alone within a period; absent means no autonomy can be evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blast_radius: Option<BlastRadius>,
}

/// Whether a tier knows autonomy at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Autonomy {
    /// Never (the only value that safety-critical systems may have, AG-706 4.7).
    Prohibited,
    /// Within the rules and the blast radius.
    Bounded,
}

/// A quorum: how many approvers, of which roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Approval {
    /// How many approvers, at least one.
    pub quorum: u32,
    /// Roles of which each approver holds one; with `quorum` ≥ their number each must be represented.
    pub roles: BTreeSet<Role>,
}

/// Limits on what one period may reach (AG-706 4.5). An absent limit does not bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct BlastRadius {
    /// Systems in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub systems: Option<u64>,
    /// Services in scope.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub services: Option<u64>,
    /// Network segments targeted or cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub segments: Option<u64>,
    /// Share of all systems of any one class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fraction_of_class: Option<Decimal>,
    /// The period over which operations add up.
    pub per: Span,
}

/// A recurring or dated stretch of local time: half-open in the day, dates inclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Calendar {
    /// IANA zone, such as `Europe/London`.
    pub zone: String,
    /// Weekdays; absent means every day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub days: Option<BTreeSet<Day>>,
    /// First minute of the day, `"08:00"`; absent means midnight.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<ClockTime>,
    /// First minute after it; absent means the next midnight. Before `from`, the stretch runs into the next day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<ClockTime>,
    /// Range of dates; absent means always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dates: Option<DateRange>,
    /// Calendars taken out of it, such as the holidays of a market.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub except: BTreeSet<CalendarId>,
}

/// First and last local date.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DateRange {
    /// First date.
    pub from: NaiveDate,
    /// Last date, inclusive.
    pub to: NaiveDate,
}

/// A weekday.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum Day {
    Mon,
    Tue,
    Wed,
    Thu,
    Fri,
    Sat,
    Sun,
}

impl Day {
    /// The day as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Mon => "mon",
            Self::Tue => "tue",
            Self::Wed => "wed",
            Self::Thu => "thu",
            Self::Fri => "fri",
            Self::Sat => "sat",
            Self::Sun => "sun",
        }
    }
}

/// A minute of the local day, `"00:00"` to `"24:00"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClockTime {
    minute: u16,
}

impl ClockTime {
    /// Minutes since midnight, 0 to 1440.
    #[must_use]
    pub const fn minute(self) -> u16 {
        self.minute
    }
}

impl std::str::FromStr for ClockTime {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || {
            format!(
                "`{}` is not a time of day such as \"08:00\"",
                text.chars().take(20).collect::<String>()
            )
        };
        let (hour, minute) = text.split_once(':').ok_or_else(error)?;
        if hour.len() != 2
            || minute.len() != 2
            || !text.bytes().all(|b| b.is_ascii_digit() || b == b':')
        {
            return Err(error());
        }
        let (hour, minute): (u16, u16) = (
            hour.parse().map_err(|_| error())?,
            minute.parse().map_err(|_| error())?,
        );
        let total = hour * 60 + minute;
        if minute > 59 || total > 1440 {
            return Err(error());
        }
        Ok(Self { minute: total })
    }
}

impl std::fmt::Display for ClockTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}", self.minute / 60, self.minute % 60)
    }
}

impl Serialize for ClockTime {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ClockTime {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for ClockTime {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ClockTime".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-2][0-9]:[0-5][0-9]$"})
    }
}

/// A health check that a rule can name (AG-706 4.4). `document` reads it, so that errors point at fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
pub enum HealthCheck {
    /// An HTTP request that expects a status.
    Http {
        /// Path below the system's base address.
        path: String,
        /// Expected status code.
        #[serde(default = "status_ok")]
        expect: u16,
        /// How long an answer may take.
        timeout: Span,
    },
    /// A TCP connection.
    Tcp {
        /// Port.
        port: u16,
        /// How long the connection may take.
        timeout: Span,
    },
    /// A TLS handshake.
    Tls {
        /// Port.
        port: u16,
        /// How long the handshake may take.
        timeout: Span,
    },
    /// A program that exits with 0 when healthy.
    Command {
        /// Program and arguments.
        command: Vec<String>,
        /// How long it may take.
        timeout: Span,
    },
    /// A Prometheus query that must not exceed a value.
    Prometheus {
        /// PromQL; `$system` stands for the system's id.
        query: String,
        /// Largest healthy value.
        max: Decimal,
    },
}

/// What stands for a system in the query of a `prometheus` check.
pub const SYSTEM_IN_QUERY: &str = "$system";

impl HealthCheck {
    /// Whether it asks about no system in particular, so that it can be an alert.
    #[must_use]
    pub fn is_about_the_whole(&self) -> bool {
        match self {
            Self::Prometheus { query, .. } => !query.contains(SYSTEM_IN_QUERY),
            Self::Http { .. } | Self::Tcp { .. } | Self::Tls { .. } | Self::Command { .. } => false,
        }
    }
}

pub(crate) const fn status_ok() -> u16 {
    200
}

/// One grant: these actions, on these targets, under these conditions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name.
    pub id: RuleId,
    /// The action kinds it grants.
    pub actions: BTreeSet<ActionKind>,
    /// The targets it grants them on.
    pub targets: TargetGrant,
    /// Severity bounds, inclusive.
    #[serde(default, skip_serializing_if = "SeverityBounds::is_empty")]
    pub severity: SeverityBounds,
    /// Conditions, each of which must hold.
    #[serde(default, skip_serializing_if = "Conditions::is_empty")]
    pub conditions: Conditions,
    /// How it is rolled out (AG-706 4.4, 4.9).
    #[serde(default, skip_serializing_if = "Rollout::is_empty")]
    pub rollout: Rollout,
    /// How it is undone (AG-706 4.6).
    #[serde(default, skip_serializing_if = "Rollback::is_empty")]
    pub rollback: Rollback,
}

/// Which systems a rule grants: every target must match each list that is not empty.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TargetGrant {
    /// Classes, at least one.
    pub classes: BTreeSet<ClassId>,
    /// Tiers, at least one, never safety-critical.
    pub tiers: BTreeSet<Tier>,
    /// Labels that every target must carry.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Sites on one of which every target stands; a target whose site is unknown never matches.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub sites: BTreeSet<SiteId>,
    /// Exposures of which every target has one; a target whose exposure is unknown never matches.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub exposure: BTreeSet<Exposure>,
}

/// Severity bounds, inclusive; an absent one does not bind.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SeverityBounds {
    /// Lowest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<Severity>,
    /// Highest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<Severity>,
}

impl SeverityBounds {
    /// Whether neither bound is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.min.is_none() && self.max.is_none()
    }
}

/// What must hold besides; an absent condition constrains nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conditions {
    /// Calendars outside of which `now` must be.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub outside: BTreeSet<CalendarId>,
    /// Calendars inside one of which `now` must be.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub inside: BTreeSet<CalendarId>,
    /// Independent signals for every target (AG-706 4.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub corroboration: Option<Corroboration>,
    /// How often the detection rule was wrong (AG-706 4.11).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub false_positive_rate: Option<FalsePositiveRate>,
    /// How old the topology may be (AG-706 4.3).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topology_age: Option<TopologyAge>,
    /// How many operations may be under way, this one included.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrent_operations: Option<ConcurrentOperations>,
    /// How much of their error budget the services in scope must have left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_budget: Option<ErrorBudget>,
    /// How lately the same action must have succeeded in staging.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validated_in_staging: Option<ValidatedInStaging>,
}

impl Conditions {
    /// Whether none is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many independent sources must have seen it, and how near in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Corroboration {
    /// Sources besides the detection's own.
    pub independent_sources: u32,
    /// Largest distance from `detected_at`.
    pub within: Span,
}

/// Largest share of recorded outcomes that were false positives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FalsePositiveRate {
    /// Largest share.
    pub max: Decimal,
    /// The period that the outcomes are taken from.
    pub over: Span,
}

/// Largest age of the topology.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TopologyAge {
    /// Largest age.
    pub max: Span,
}

/// Largest number of operations under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConcurrentOperations {
    /// Largest number, this one included.
    pub max: u32,
}

/// Smallest share of an error budget that must be left, for every service in the scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ErrorBudget {
    /// The services that it asks about where they are in the scope; empty means every service there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub services: BTreeSet<ServiceId>,
    /// Smallest remaining share, 0 to 1.
    pub min_remaining: Decimal,
    /// How old the measurement may be; absent means any age.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
}

/// The same action, kind and parameters, has succeeded in staging on each target's class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ValidatedInStaging {
    /// How long ago, at most.
    pub within: Span,
}

/// How an action is undone (AG-706 4.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollback {
    /// The time a rollback may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// How long ago it was last rehearsed, at most; absent means 92 days.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drilled_within: Option<Span>,
}

impl Rollback {
    /// Whether nothing is set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.within.is_none() && self.drilled_within.is_none()
    }
}
