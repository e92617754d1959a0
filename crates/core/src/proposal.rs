//! What an agent asks for: a detection and the action it wants to take.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canonical::{self, CanonicalError};
use crate::identifier::{
    AgentId, ClassId, CredentialId, DetectionRuleId, Digest, ProposalId, SourceId, SystemId,
};
use crate::topology::Tier;

/// Severity of a detection, least severe first.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the names are the whole meaning")]
pub enum Severity {
    Low,
    Medium,
    High,
    Critical,
}

impl Severity {
    /// The severity as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// The kinds of remediation action (AG-706 section 4, scope).
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "kebab-case")]
#[expect(
    missing_docs,
    reason = "the names are the whole meaning; DESIGN §4 tables what each disrupts"
)]
pub enum ActionKind {
    Patch,
    ConfigChange,
    ServiceRestart,
    ProcessKill,
    FirewallRule,
    NetworkIsolate,
    HostIsolate,
    CredentialRotate,
    AccountDisable,
    AclChange,
    FileQuarantine,
}

impl ActionKind {
    /// The kind as documents write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Patch => "patch",
            Self::ConfigChange => "config-change",
            Self::ServiceRestart => "service-restart",
            Self::ProcessKill => "process-kill",
            Self::FirewallRule => "firewall-rule",
            Self::NetworkIsolate => "network-isolate",
            Self::HostIsolate => "host-isolate",
            Self::CredentialRotate => "credential-rotate",
            Self::AccountDisable => "account-disable",
            Self::AclChange => "acl-change",
            Self::FileQuarantine => "file-quarantine",
        }
    }

    /// Whether nothing can undo it, whatever an executor says (DESIGN §5, 4.6).
    #[must_use]
    pub const fn is_irreversible(self) -> bool {
        matches!(self, Self::ProcessKill)
    }
}

/// A proposal. Everything in it is the agent's claim until something else says so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Proposal {
    /// Repeating a proposal with this key repeats the answer, not the proposal.
    pub idempotency_key: String,
    /// Who proposes.
    pub agent: AgentId,
    /// Why.
    pub detection: Detection,
    /// What.
    pub action: Action,
    /// On what.
    pub targets: Targets,
    /// The agent's reasons, quoted to the approver and never trusted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rationale: Option<String>,
    /// First instant at which it is void.
    pub expires_at: DateTime<Utc>,
    /// An earlier proposal that this one replaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supersedes: Option<ProposalId>,
}

/// What was detected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Detection {
    /// Its name at the source.
    pub id: String,
    /// The detection rule that fired.
    pub rule: DetectionRuleId,
    /// Who detected it.
    pub source: SourceId,
    /// In a sentence.
    pub title: String,
    /// As the agent claims it; a registered detection rule overrides it.
    pub severity: Severity,
    /// When.
    pub detected_at: DateTime<Utc>,
    /// What the agent says it saw; never counts as corroboration.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signals: Vec<ClaimedSignal>,
}

/// A signal as the agent claims it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClaimedSignal {
    /// Who saw it, says the agent.
    pub source: SourceId,
    /// What kind of signal.
    pub kind: String,
    /// When.
    pub observed_at: DateTime<Utc>,
    /// In a sentence.
    pub summary: String,
}

/// The systems acted on: named, or selected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Targets {
    /// By name; repeats are dropped.
    Systems(BTreeSet<SystemId>),
    /// By class, tier and labels.
    Selector(Selector),
}

/// Every system that matches all that is given; at least one of them must be.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Selector {
    /// Its class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ClassId>,
    /// Its tier.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<Tier>,
    /// Its labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// An action: `type` and its `parameters`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "RawAction", into = "RawAction")]
#[schemars(with = "RawAction")]
#[expect(
    missing_docs,
    reason = "ActionKind and DESIGN §4 name the variants; the parameters are documented"
)]
pub enum Action {
    Patch(PatchParameters),
    ConfigChange(ConfigChangeParameters),
    ServiceRestart(ServiceRestartParameters),
    ProcessKill(ProcessKillParameters),
    FirewallRule(FirewallRuleParameters),
    NetworkIsolate,
    HostIsolate,
    CredentialRotate(CredentialRotateParameters),
    AccountDisable(AccountDisableParameters),
    AclChange(AclChangeParameters),
    FileQuarantine(FileQuarantineParameters),
}

impl Action {
    /// The digest of kind and parameters, by which the same action is known elsewhere.
    ///
    /// # Errors
    /// [`CanonicalError`] where it has no canonical form; one that was read always has.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }

    /// Its kind.
    #[must_use]
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Patch(_) => ActionKind::Patch,
            Self::ConfigChange(_) => ActionKind::ConfigChange,
            Self::ServiceRestart(_) => ActionKind::ServiceRestart,
            Self::ProcessKill(_) => ActionKind::ProcessKill,
            Self::FirewallRule(_) => ActionKind::FirewallRule,
            Self::NetworkIsolate => ActionKind::NetworkIsolate,
            Self::HostIsolate => ActionKind::HostIsolate,
            Self::CredentialRotate(_) => ActionKind::CredentialRotate,
            Self::AccountDisable(_) => ActionKind::AccountDisable,
            Self::AclChange(_) => ActionKind::AclChange,
            Self::FileQuarantine(_) => ActionKind::FileQuarantine,
        }
    }
}

/// An action as documents write it.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawAction {
    r#type: ActionKind,
    #[serde(default)]
    #[schemars(with = "Parameters")]
    parameters: serde_json::Map<String, serde_json::Value>,
}

/// The parameters of each kind of action, for the schema.
#[derive(JsonSchema)]
#[schemars(untagged)]
#[expect(dead_code, reason = "it has a schema and no values")]
enum Parameters {
    None(NoParameters),
    Patch(PatchParameters),
    ConfigChange(ConfigChangeParameters),
    ServiceRestart(ServiceRestartParameters),
    ProcessKill(ProcessKillParameters),
    FirewallRule(FirewallRuleParameters),
    CredentialRotate(CredentialRotateParameters),
    AccountDisable(AccountDisableParameters),
    AclChange(AclChangeParameters),
    FileQuarantine(FileQuarantineParameters),
}

impl TryFrom<RawAction> for Action {
    type Error = String;
    fn try_from(raw: RawAction) -> Result<Self, Self::Error> {
        fn read<T: serde::de::DeserializeOwned>(raw: RawAction) -> Result<T, String> {
            serde_json::from_value(serde_json::Value::Object(raw.parameters))
                .map_err(|error| format!("parameters of `{}`: {error}", raw.r#type.as_str()))
        }
        Ok(match raw.r#type {
            ActionKind::Patch => Self::Patch(read(raw)?),
            ActionKind::ConfigChange => Self::ConfigChange(read(raw)?),
            ActionKind::ServiceRestart => Self::ServiceRestart(read(raw)?),
            ActionKind::ProcessKill => Self::ProcessKill(read(raw)?),
            ActionKind::FirewallRule => Self::FirewallRule(read(raw)?),
            ActionKind::NetworkIsolate => {
                read::<NoParameters>(raw).map(|NoParameters {}| Self::NetworkIsolate)?
            }
            ActionKind::HostIsolate => {
                read::<NoParameters>(raw).map(|NoParameters {}| Self::HostIsolate)?
            }
            ActionKind::CredentialRotate => Self::CredentialRotate(read(raw)?),
            ActionKind::AccountDisable => Self::AccountDisable(read(raw)?),
            ActionKind::AclChange => Self::AclChange(read(raw)?),
            ActionKind::FileQuarantine => Self::FileQuarantine(read(raw)?),
        })
    }
}

impl From<Action> for RawAction {
    fn from(action: Action) -> Self {
        fn write<T: Serialize>(parameters: &T) -> serde_json::Map<String, serde_json::Value> {
            match serde_json::to_value(parameters) {
                Ok(serde_json::Value::Object(map)) => map,
                // INVARIANT: every parameter type is a struct of strings and sets of strings.
                Ok(_) | Err(_) => serde_json::Map::new(),
            }
        }
        let r#type = action.kind();
        let parameters = match &action {
            Action::Patch(p) => write(p),
            Action::ConfigChange(p) => write(p),
            Action::ServiceRestart(p) => write(p),
            Action::ProcessKill(p) => write(p),
            Action::FirewallRule(p) => write(p),
            Action::NetworkIsolate | Action::HostIsolate => serde_json::Map::new(),
            Action::CredentialRotate(p) => write(p),
            Action::AccountDisable(p) => write(p),
            Action::AclChange(p) => write(p),
            Action::FileQuarantine(p) => write(p),
        };
        Self { r#type, parameters }
    }
}

/// `network-isolate` and `host-isolate` have none.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// Parameters of `patch`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PatchParameters {
    /// The package.
    pub package: String,
    /// The version it shall have.
    pub to_version: String,
}

/// Parameters of `config-change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ConfigChangeParameters {
    /// The file.
    pub path: String,
    /// SHA-256 of its new content.
    pub digest: String,
}

/// Parameters of `service-restart`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRestartParameters {
    /// The unit restarted.
    pub service: String,
}

/// Parameters of `process-kill`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ProcessKillParameters {
    /// The process killed.
    pub process: String,
}

/// Parameters of `firewall-rule`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FirewallRuleParameters {
    /// What happens to the traffic.
    pub verdict: FirewallVerdict,
    /// One side, a CIDR range.
    #[schemars(with = "String")]
    pub from: ipnet::IpNet,
    /// The other side, a CIDR range.
    #[schemars(with = "String")]
    pub to: ipnet::IpNet,
    /// The traffic meant, `any` or such as `tcp/445`. What is not one exact port counts as any.
    pub service: String,
    /// Which connections it cuts; absent means those opened from either side.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<FirewallDirection>,
}

/// Which connections a firewall rule cuts, by the side that opens them; answers to those that it
/// leaves alone pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallDirection {
    /// Those opened from either side.
    Both,
    /// Those opened from the side `from` only.
    OneWay,
}

impl FirewallRuleParameters {
    /// Whether it cuts only what the side `from` opens.
    #[must_use]
    pub const fn is_one_way(&self) -> bool {
        match self.direction {
            Some(FirewallDirection::OneWay) => true,
            Some(FirewallDirection::Both) | None => false,
        }
    }
}

/// What a firewall rule does to traffic; each of them separates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FirewallVerdict {
    /// Silently.
    Drop,
    /// With an answer.
    Reject,
    /// Either.
    Deny,
}

/// Parameters of `credential-rotate`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CredentialRotateParameters {
    /// The credential, which belongs to the target.
    pub credential: CredentialId,
    /// The dependents that are given the new one in the same step.
    #[serde(default)]
    pub updates_dependents: BTreeSet<SystemId>,
}

/// Parameters of `account-disable`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AccountDisableParameters {
    /// The account, which belongs to the target.
    pub account: CredentialId,
}

/// Parameters of `acl-change`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AclChangeParameters {
    /// The resource.
    pub resource: String,
    /// Whose access changes.
    pub principal: CredentialId,
    /// How.
    pub change: String,
}

/// Parameters of `file-quarantine`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FileQuarantineParameters {
    /// The file.
    pub path: String,
    /// Its SHA-256.
    pub digest: String,
}
