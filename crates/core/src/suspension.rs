//! The suspension of autonomy: a person with a key stops everything that runs alone, or one agent, or
//! one rule (DESIGN §5 4.10, §6.2). It says what is stopped from when on; what approvers decided goes on.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::assessment::QuorumRule;
use crate::canonical::{self, CanonicalError};
use crate::genesis::DeploymentId;
use crate::identifier::{AgentId, ApproverId, Digest, IdentifierError, Role, RuleId};
use crate::quorum::Mixture;
use crate::quote;
use crate::statement::DecisionKind;

/// The `schema` member of a suspension.
pub const SCHEMA: &str = "countersign/suspension/v1";

/// The roles of those who suspend and resume autonomy (DESIGN §6.2). Like
/// [`ADMINISTRATOR`](crate::genesis::ADMINISTRATOR) they are names of this program: no envelope can
/// give them to others, and none is asked when everything has to stop.
pub const ROLES: [&str; 2] = ["on-call-engineer", "soc-lead"];

/// How many resume it.
const RESUMED_BY: u32 = 2;

/// What a person suspends. Its digest is the subject `suspension` of `suspend_autonomy` and
/// `resume_autonomy`; who and when make each suspension another document, so that no decision about
/// one counts for a later one of the same extent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suspension {
    /// [`SCHEMA`].
    pub schema: String,
    /// The deployment it is meant for.
    pub audience: DeploymentId,
    /// What is suspended.
    pub suspends: Extent,
    /// Who suspends it.
    pub asked_by: ApproverId,
    /// When, by that person's clock.
    pub asked_at: DateTime<Utc>,
}

/// How far a suspension reaches: `"backend"`, `{"agent": …}` or `{"rule": {"envelope": …, "rule": …}}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Extent {
    /// Everything that would run alone.
    Backend,
    /// What one agent proposes.
    Agent(AgentId),
    /// What one rule would let run.
    Rule(RuleOfEnvelope),
}

/// A rule in every version of an envelope: another version does not lift a suspension.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleOfEnvelope {
    /// The envelope's name, the same through all its versions.
    pub envelope: String,
    /// The rule in it.
    pub rule: RuleId,
}

/// A suspension in force, as assessments see it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Suspended {
    /// What is suspended.
    pub suspends: Extent,
    /// Who suspended it.
    pub by: ApproverId,
    /// Since when, by the backend's clock.
    pub since: DateTime<Utc>,
}

/// Why bytes are not a suspension.
#[derive(Debug, Error)]
pub enum SuspensionError {
    /// They are not of this form.
    #[error("the suspension is malformed: {0}")]
    Malformed(String),
    /// They are another spelling of it than RFC 8785's.
    #[error("the suspension is not in canonical form (RFC 8785)")]
    NotCanonical,
    /// It has no canonical form.
    #[error(transparent)]
    Canonical(#[from] CanonicalError),
}

impl Suspension {
    /// A suspension that `asked_by` asks for at `asked_at`.
    #[must_use]
    pub fn new(
        audience: DeploymentId,
        suspends: Extent,
        asked_by: ApproverId,
        asked_at: DateTime<Utc>,
    ) -> Self {
        Self {
            schema: SCHEMA.to_owned(),
            audience,
            suspends,
            asked_by,
            asked_at,
        }
    }

    /// Reads the exact bytes of a suspension.
    ///
    /// # Errors
    /// [`SuspensionError`], also where they are another spelling of one.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SuspensionError> {
        let suspension: Self = serde_json::from_slice(bytes)
            .map_err(|error| SuspensionError::Malformed(error.to_string()))?;
        if suspension.schema != SCHEMA {
            return Err(SuspensionError::Malformed(format!(
                "its schema is not `{SCHEMA}`"
            )));
        }
        if suspension.to_bytes()? != bytes {
            return Err(SuspensionError::NotCanonical);
        }
        Ok(suspension)
    }

    /// Its exact bytes (RFC 8785).
    ///
    /// # Errors
    /// Never for this type; [`CanonicalError`] otherwise.
    pub fn to_bytes(&self) -> Result<Vec<u8>, CanonicalError> {
        canonical::to_bytes(self)
    }

    /// The digest of its exact bytes.
    ///
    /// # Errors
    /// Never for this type; [`CanonicalError`] otherwise.
    pub fn digest(&self) -> Result<Digest, CanonicalError> {
        canonical::digest(self)
    }
}

impl Extent {
    /// Whether this stops what `agent` proposes and `rule` of the envelope with this name would let run.
    #[must_use]
    pub fn covers(&self, agent: &AgentId, rule: Option<(&str, &RuleId)>) -> bool {
        match self {
            Self::Backend => true,
            Self::Agent(suspended) => suspended == agent,
            Self::Rule(suspended) => rule.is_some_and(|(envelope, rule)| {
                suspended.envelope == envelope && suspended.rule == *rule
            }),
        }
    }
}

impl std::fmt::Display for Extent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Backend => f.write_str("everything that runs alone"),
            Self::Agent(agent) => write!(f, "the agent {}", quote::name(agent.as_str())),
            Self::Rule(RuleOfEnvelope { envelope, rule }) => write!(
                f,
                "the rule {} of the envelope {}",
                quote::name(rule.as_str()),
                quote::name(envelope)
            ),
        }
    }
}

impl std::fmt::Display for Suspended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} suspended {} at {}",
            quote::name(self.by.as_str()),
            self.suspends,
            self.since
                .to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
        )
    }
}

/// The first of `suspensions` that stops what `agent` proposes and this rule would let run.
#[must_use]
pub fn covering<'s>(
    suspensions: impl IntoIterator<Item = &'s Suspended>,
    agent: &AgentId,
    rule: Option<(&str, &RuleId)>,
) -> Option<&'s Suspended> {
    suspensions
        .into_iter()
        .find(|suspended| suspended.suspends.covers(agent, rule))
}

/// Who must sign a decision of `kind` about a suspension, and how their roles count: one on-call
/// engineer or SOC lead suspends, any two of them resume; none for other kinds.
///
/// Two on-call engineers are two people who were woken; to ask for one of each role would keep
/// autonomy stopped until a particular person is found, and would make nobody safer.
#[must_use]
pub fn rule(kind: DecisionKind) -> Option<(QuorumRule, Mixture)> {
    let needed = if kind == DecisionKind::SuspendAutonomy {
        1
    } else if kind == DecisionKind::ResumeAutonomy {
        RESUMED_BY
    } else {
        return None;
    };
    // INVARIANT: the constants are identifiers; were they none, nobody would be eligible.
    let roles = ROLES
        .iter()
        .map(|role| Role::new(*role))
        .collect::<Result<BTreeSet<_>, IdentifierError>>()
        .ok()?;
    Some((QuorumRule { needed, roles }, Mixture::Any))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent(id: &str) -> AgentId {
        AgentId::new(id).unwrap()
    }

    #[test]
    fn a_suspension_has_one_spelling() {
        let suspension = Suspension::new(
            DeploymentId::of_log_key(&[9; 32]),
            Extent::Rule(RuleOfEnvelope {
                envelope: "small".to_owned(),
                rule: RuleId::new("routine").unwrap(),
            }),
            ApproverId::new("cat").unwrap(),
            "2026-11-24T03:00:00Z".parse().unwrap(),
        );
        let bytes = suspension.to_bytes().unwrap();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert_eq!(
            text.replace(suspension.audience.as_str(), "…"),
            r#"{"asked_at":"2026-11-24T03:00:00Z","asked_by":"cat","audience":"…","schema":"countersign/suspension/v1","suspends":{"rule":{"envelope":"small","rule":"routine"}}}"#
        );
        assert_eq!(Suspension::from_bytes(&bytes).unwrap(), suspension);
        let refused = |text: String| Suspension::from_bytes(text.as_bytes()).unwrap_err();
        assert!(matches!(
            refused(format!("{text} ")),
            SuspensionError::NotCanonical
        ));
        for malformed in [
            text.replace("suspension/v1", "suspension/v2"),
            text.replace(r#""asked_by":"cat","#, ""),
            text.replace(r#"{"asked_at""#, r#"{"also":1,"asked_at""#),
            text.replace(r#""rule":"routine""#, r#""rule":"routine","tier":"x""#),
            text.replace(
                r#"{"rule":{"envelope":"small","rule":"routine"}}"#,
                r#""all""#,
            ),
        ] {
            assert!(
                matches!(refused(malformed.clone()), SuspensionError::Malformed(_)),
                "{malformed}"
            );
        }
    }

    #[test]
    fn extents() {
        let (soc, other) = (agent("soc-agent"), agent("other"));
        let (routine, urgent) = (
            RuleId::new("routine").unwrap(),
            RuleId::new("urgent").unwrap(),
        );
        let of = |envelope: &str, rule: &RuleId| {
            Extent::Rule(RuleOfEnvelope {
                envelope: envelope.to_owned(),
                rule: rule.clone(),
            })
        };
        for (extent, agent, rule, covers) in [
            (Extent::Backend, &soc, None, true),
            (Extent::Agent(soc.clone()), &soc, None, true),
            (
                Extent::Agent(soc.clone()),
                &soc,
                Some(("small", &routine)),
                true,
            ),
            (
                Extent::Agent(soc.clone()),
                &other,
                Some(("small", &routine)),
                false,
            ),
            (of("small", &routine), &soc, Some(("small", &routine)), true),
            (
                of("small", &routine),
                &other,
                Some(("small", &routine)),
                true,
            ),
            (of("small", &routine), &soc, Some(("small", &urgent)), false),
            (
                of("small", &routine),
                &soc,
                Some(("large", &routine)),
                false,
            ),
            (of("small", &routine), &soc, None, false),
        ] {
            assert_eq!(
                extent.covers(agent, rule),
                covers,
                "{extent} {agent} {rule:?}"
            );
        }
    }
}
