//! How an operation is rolled out: canary, waves, health checks and breaker (AG-706 4.4, 4.5, 4.9).

use std::collections::BTreeSet;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identifier::CheckId;
use crate::span::Span;

/// How an operation is rolled out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rollout {
    /// Systems in the canary; absent or 0 means none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<u32>,
    /// Waves after the canary, each a share of all targets reached by its end: `"5%"`, or a count.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waves: Vec<WaveSize>,
    /// Time between waves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<Span>,
    /// Time that the work on one system is expected to take, its health checks included. Told to
    /// people (AG-706 4.12); it decides nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_system: Option<Span>,
    /// Systems worked on at once; absent means all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub concurrency: Option<u32>,
    /// Names of the health checks run before the first touch of each system and after it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub health: BTreeSet<CheckId>,
    /// Time between the touch of a system and the first look at its health.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settle: Option<Span>,
    /// How often in a row every check must pass after the touch of a system; absent means once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub successes: Option<u32>,
    /// Time between two of those looks, up to a fifth less or more by chance, so that not everything
    /// is asked at one instant. Absent means [`INTERVAL_SECONDS`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Span>,
    /// Names of the health checks run, before and after each system, on every system that the impact
    /// names as down or degraded and that is no target.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub dependents: BTreeSet<CheckId>,
    /// Names of `prometheus` checks about the whole rather than one system, asked over and over while
    /// the operation runs, so that no dispatch rests on an answer older than a second. Whatever does
    /// not pass halts it (AG-706 4.4).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub alerts: BTreeSet<CheckId>,
    /// How long the answer to one step on one system is awaited; then nobody knows what it did.
    /// Absent means an hour.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer_within: Option<Span>,
    /// How long the whole operation may take, people's decisions apart; then it halts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within: Option<Span>,
    /// When to halt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub breaker: Option<Breaker>,
}

/// Time between two looks at the health of a system where a rollout does not say, seconds.
pub const INTERVAL_SECONDS: u32 = 5;

/// The share of an interval by which chance shortens or lengthens it, per cent.
pub const JITTER_PERCENT: u32 = 20;

impl Rollout {
    /// How often in a row every check must pass.
    #[must_use]
    pub fn looks(&self) -> u32 {
        self.successes.unwrap_or(1).max(1)
    }

    /// Time between two looks, before chance has its share, in seconds.
    #[must_use]
    pub fn interval_seconds(&self) -> u32 {
        self.interval.map_or(INTERVAL_SECONDS, Span::seconds)
    }

    /// The longest that looking at a healthy system takes by intent, in seconds: it settles, and every
    /// interval is as long as chance can make it.
    #[must_use]
    pub fn longest_look_seconds(&self) -> u64 {
        let between = u64::from(self.looks().saturating_sub(1))
            .saturating_mul(u64::from(self.interval_seconds()))
            .saturating_mul(u64::from(JITTER_PERCENT.saturating_add(100)))
            .div_ceil(100);
        between.saturating_add(u64::from(self.settle.map_or(0, Span::seconds)))
    }

    /// Whether nothing is set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How far a wave reaches: a share of all targets, or a number of systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WaveSize {
    /// Per cent of all targets reached by the end of the wave, 1 to 100, rounded up.
    Percent(u8),
    /// Systems in the wave.
    Systems(u32),
}

impl std::str::FromStr for WaveSize {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || {
            format!(
                "`{}` is not a wave such as \"5%\" or \"50\"",
                text.chars().take(20).collect::<String>()
            )
        };
        if !text.bytes().all(|b| b.is_ascii_digit() || b == b'%') {
            return Err(error());
        }
        match text.strip_suffix('%') {
            Some(percent) => match percent.parse() {
                Ok(percent @ 1..=100) => Ok(Self::Percent(percent)),
                Ok(_) | Err(_) => Err(error()),
            },
            None => match text.parse() {
                Ok(systems) if systems > 0 => Ok(Self::Systems(systems)),
                Ok(_) | Err(_) => Err(error()),
            },
        }
    }
}

impl std::fmt::Display for WaveSize {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Systems(systems) => write!(f, "{systems}"),
        }
    }
}

impl Serialize for WaveSize {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for WaveSize {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for WaveSize {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WaveSize".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9]+%?$"})
    }
}

/// When a rollout halts by itself (AG-706 4.4).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Breaker {
    /// Failed systems tolerated in the whole operation; the first beyond trips. Absent means 0, or,
    /// with `failures_percent`, that only the share counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures: Option<u32>,
    /// Per cent of the systems of a wave whose failure is tolerated, 0 to 99: exactly this share
    /// passes, the first system beyond trips. With both, whichever trips first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures_percent: Option<u8>,
    /// The pause between a `continue` after a trip and the next dispatch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cool_down: Option<Span>,
    /// Attempts on one system; absent means 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempts_per_system: Option<u32>,
}

impl Breaker {
    /// Failed systems tolerated in the whole operation; none where only the share of a wave counts.
    #[must_use]
    pub const fn tolerated(&self) -> Option<u32> {
        match (self.failures, self.failures_percent) {
            (None, None) => Some(0),
            (failures, _) => failures,
        }
    }
}
