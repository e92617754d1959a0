//! Systems, services and what depends on what (AG-706 4.3, 4.7).

pub mod merge;

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

/// The class of what has a CIDR range, and of nothing else.
pub const SEGMENT_CLASS: &str = "network-segment";

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
    /// Which source says so; absent means the document's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was seen to be so; absent means the document's own instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
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
    /// Which source says so; absent means the document's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was seen to be so; absent means the document's own instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
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
    /// What of `to` it connects to: a port such as `tcp/5432`, or a name. Absent means that nobody
    /// knows, so that whatever cuts traffic between the two cuts it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Which source says so; absent means the document's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// When it was seen to be so; absent means the document's own instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<DateTime<Utc>>,
}

impl Dependency {
    /// Whether it is the same dependency as `other`, whoever says so and whenever.
    #[must_use]
    pub fn same(&self, other: &Self) -> bool {
        let Self {
            from,
            to,
            kind,
            credential,
            strength,
            service,
            source: _,
            observed_at: _,
        } = other;
        (&self.from, &self.to, self.kind, &self.credential) == (from, to, *kind, credential)
            && (self.strength, &self.service) == (*strength, service)
    }

    /// Whether traffic of `service` (as a firewall rule writes it) is surely not its own: both are
    /// exact ports, and they differ. Names tell nothing: two names may mean one port.
    #[must_use]
    pub fn surely_not_of(&self, service: &str) -> bool {
        let own = self.service.as_deref().and_then(exact_port);
        matches!((own, exact_port(service)), (Some(own), Some(other)) if own != other)
    }
}

/// `tcp/445` as protocol and port; `None` for everything else, such as names, ranges and `any`.
fn exact_port(text: &str) -> Option<(&str, u16)> {
    let (protocol, port) = text.split_once('/')?;
    let exact = ["tcp", "udp", "sctp"].contains(&protocol)
        && port.bytes().all(|b| b.is_ascii_digit())
        && !port.starts_with('0');
    Some((protocol, port.parse().ok().filter(|_| exact)?))
}

/// A level of the Purdue model, as the label `purdue` of a system writes it (AG-706, manufacturing and
/// industrial control systems).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purdue {
    /// 0: the physical process.
    Process,
    /// 1: sensors, actuators and what steers them.
    BasicControl,
    /// 2: supervision.
    Supervision,
    /// 3: operations of a site.
    Operations,
    /// 3.5: the zone between the plant and the enterprise.
    Between,
    /// 4: a site's business systems.
    Business,
    /// 5: the enterprise.
    Enterprise,
}

impl Purdue {
    /// Whether it is above the zone between.
    #[must_use]
    pub const fn is_enterprise(self) -> bool {
        matches!(self, Self::Business | Self::Enterprise)
    }

    /// Whether it steers the process or is it.
    #[must_use]
    pub const fn is_control(self) -> bool {
        matches!(self, Self::Process | Self::BasicControl | Self::Supervision)
    }

    /// The level as labels write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Process => "0",
            Self::BasicControl => "1",
            Self::Supervision => "2",
            Self::Operations => "3",
            Self::Between => "3.5",
            Self::Business => "4",
            Self::Enterprise => "5",
        }
    }
}

impl std::str::FromStr for Purdue {
    type Err = ();
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Process,
            Self::BasicControl,
            Self::Supervision,
            Self::Operations,
            Self::Between,
            Self::Business,
            Self::Enterprise,
        ]
        .into_iter()
        .find(|level| level.as_str() == text)
        .ok_or(())
    }
}

impl std::fmt::Display for Purdue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
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

impl Strength {
    /// The strength as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Soft => "soft",
            Self::Hard => "hard",
        }
    }
}
