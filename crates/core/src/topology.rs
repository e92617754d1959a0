//! Systems, services and what depends on what (AG-706 4.3, 4.7).

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::identifier::{ClassId, CredentialId, GroupId, ServiceId, SiteId, SystemId};

/// The `schema` member of a topology.
pub const SCHEMA: &str = "countersign/topology/v1";

/// Classes that are safety-critical whatever anybody says (DESIGN §4; AG-706 industry notes).
pub const SAFETY_CRITICAL_CLASSES: [&str; 9] = [
    "plc",
    "rtu",
    "dcs",
    "hmi",
    "scada-server",
    "historian",
    "safety-system",
    "medical-device",
    "clinical-system",
];

/// Criticality tier (AG-706 4.7), least critical first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Tier {
    /// Its loss is bearable.
    NonCritical,
    /// Its loss stops a service that matters.
    ProductionCritical,
    /// Its loss can hurt people or the environment.
    SafetyCritical,
}

impl Tier {
    /// The tier as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::NonCritical => "non-critical",
            Self::ProductionCritical => "production-critical",
            Self::SafetyCritical => "safety-critical",
        }
    }
}

impl std::fmt::Display for Tier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A topology document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// [`SCHEMA`].
    pub schema: String,
    /// When it was true.
    pub observed_at: DateTime<Utc>,
    /// Where it comes from.
    pub source: String,
    /// Services.
    #[serde(default)]
    pub services: Vec<Service>,
    /// Systems.
    #[serde(default)]
    pub systems: Vec<System>,
    /// `from` depends on `to`.
    #[serde(default)]
    pub dependencies: Vec<Dependency>,
}

/// What systems carry and people use.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Its name; shares one namespace with systems.
    pub id: ServiceId,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its tier; absent counts as safety-critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
}

impl Service {
    /// The tier that counts.
    #[must_use]
    pub fn effective_tier(&self) -> Tier {
        self.tier.unwrap_or(Tier::SafetyCritical)
    }
}

/// What is acted on: a host, database, segment, PLC.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct System {
    /// Its name.
    pub id: SystemId,
    /// Its name for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// Its class.
    pub class: ClassId,
    /// Its tier; absent counts as safety-critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// The service it carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceId>,
    /// Where it stands; absent means that nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub site: Option<SiteId>,
    /// Whom it answers; absent means that nobody knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<Exposure>,
    /// Its addresses.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    #[schemars(with = "Vec<String>")]
    pub addresses: BTreeSet<IpAddr>,
    /// The range of a network segment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cidr: Option<IpNet>,
    /// Labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The redundancy group it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub redundancy: Option<Redundancy>,
}

impl System {
    /// The tier that counts: an absent one, and every class of [`SAFETY_CRITICAL_CLASSES`], is safety-critical.
    #[must_use]
    pub fn effective_tier(&self) -> Tier {
        if SAFETY_CRITICAL_CLASSES.contains(&self.class.as_str()) {
            return Tier::SafetyCritical;
        }
        self.tier.unwrap_or(Tier::SafetyCritical)
    }
}

/// Whom a system answers (AG-706 section 4, public-facing services).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Exposure {
    /// Only the organisation's own networks.
    Internal,
    /// Anybody, such as customers or citizens.
    Public,
}

impl Exposure {
    /// The exposure as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Internal => "internal",
            Self::Public => "public",
        }
    }
}

impl std::fmt::Display for Exposure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Membership of a group that bears the loss of some members.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Redundancy {
    /// The group.
    pub group: GroupId,
    /// Members that must stay up; where members differ, the largest counts.
    pub min_healthy: u64,
}

/// `from` (a system or service) depends on `to` (a system or service).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dependency {
    /// Who needs.
    pub from: String,
    /// What is needed.
    pub to: String,
    /// How.
    pub kind: DependencyKind,
    /// The credential of `to` that `from` uses; given exactly where the kind is `credential`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<CredentialId>,
    /// Whether `from` fails without it.
    pub strength: Strength,
}

/// How one thing depends on another.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum DependencyKind {
    /// Needs it to run.
    Runtime,
    /// Needs its data.
    Data,
    /// Is controlled by it.
    Control,
    /// Authenticates to it.
    Credential,
}

impl DependencyKind {
    /// The kind as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Runtime => "runtime",
            Self::Data => "data",
            Self::Control => "control",
            Self::Credential => "credential",
        }
    }
}

/// How much a dependent suffers.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Strength {
    /// Worse without it.
    Soft,
    /// Down without it.
    Hard,
}
