//! The configuration file: executors, how health is asked, and scheduled drills.

mod drill;
mod executor;

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use countersign_core::briefing::HonestyGrade;
use countersign_core::canonical;
use countersign_core::drill::Pair;
use countersign_core::identifier::Digest;
use countersign_core::proposal::ActionKind;
use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use drill::DrillConfig;
pub use executor::{
    AnsibleConfig, ExecutorConfig, MeansConfig, PlaybooksConfig, ResourceLimits, WebhookConfig,
};

/// What the configuration file says. Everything in it is optional; what no executor carries out can
/// be assessed and decided, and is held when it should run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Who carries actions out.
    #[serde(default)]
    pub executors: Vec<ExecutorConfig>,
    /// How the health of systems is asked.
    #[serde(default)]
    pub health: Option<HealthConfig>,
    /// The drills that begin by themselves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drills: Vec<DrillConfig>,
}

/// Where health checks are sent. A kind of check whose place is missing here has no data.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// Base address of `http` checks with `{system}` or `{address}` in it; the check's path is appended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Host of `tcp` and `tls` checks, from `{system}` or `{address}`; absent means `{address}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// PEM file of the authorities that `tls` checks trust; absent means the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// The programs that `command` checks may run, as the checks write them: absolute.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub programs: BTreeSet<PathBuf>,
    /// Base address of the Prometheus that `prometheus` checks ask.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prometheus: Option<String>,
}

/// Why a configuration does not count.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("the configuration `{path}` cannot be read: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// It is not what is asked for.
    #[error("the configuration `{path}` is not valid: {error}")]
    Json {
        /// The file.
        path: PathBuf,
        /// What is wrong, with line and column.
        error: serde_json::Error,
    },
    /// Two executors have one name.
    #[error("two executors are called `{0}`; give each a name of its own")]
    SameName(String),
    /// Two executors would carry out one action.
    #[error("`{action}` belongs to the executors `{one}` and `{other}`; leave it to one of them")]
    SameAction {
        /// The action.
        action: &'static str,
        /// An executor.
        one: String,
        /// Another.
        other: String,
    },
    /// An executor is incomplete, or contradicts itself.
    #[error("the executor `{executor}` {reason}")]
    Executor {
        /// Which.
        executor: String,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// An executor has no action.
    #[error("the executor `{0}` has no action; name one")]
    NoAction(String),
    /// An executor says it plans, but nothing it can do is a plan.
    #[error("the executor `{0}` cannot be `modelled`; write `enforced`, `declared` or `none`")]
    Honesty(String),
    /// The base address of health checks is not one.
    #[error(
        "the base address `{0}` of health checks is not an http(s) address with `{{system}}` or `{{address}}` in it"
    )]
    Base(String),
    /// Every system would have the same host.
    #[error("the host `{0}` of health checks has neither `{{system}}` nor `{{address}}` in it")]
    Host(String),
    /// A program that depends on where the backend was started.
    #[error("the program `{0}` of health checks is not an absolute path; write it out")]
    Program(PathBuf),
    /// A scheduled drill is incomplete, or contradicts the rest.
    #[error("the drill `drills[{index}]`, {pair}, {reason}")]
    Drill {
        /// Which, from 0.
        index: usize,
        /// Of what.
        pair: Pair,
        /// What is wrong and how to mend it.
        reason: String,
    },
    /// The address of Prometheus is not one.
    #[error("the address `{0}` of Prometheus is not an http(s) address")]
    Prometheus(String),
}

impl Config {
    /// Reads the file.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read(path).map_err(|error| ConfigError::File {
            path: path.to_owned(),
            error,
        })?;
        let config: Self = serde_json::from_slice(&text).map_err(|error| ConfigError::Json {
            path: path.to_owned(),
            error,
        })?;
        config.checked()
    }

    /// The configuration, where it makes sense.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn checked(self) -> Result<Self, ConfigError> {
        let mut names = BTreeSet::new();
        let mut actions: BTreeMap<ActionKind, &str> = BTreeMap::new();
        for executor in &self.executors {
            if !names.insert(&executor.name) {
                return Err(ConfigError::SameName(executor.name.clone()));
            }
            executor.check().map_err(|reason| ConfigError::Executor {
                executor: executor.name.clone(),
                reason,
            })?;
            if executor.actions.is_empty() {
                return Err(ConfigError::NoAction(executor.name.clone()));
            }
            if executor.honesty == HonestyGrade::Modelled {
                return Err(ConfigError::Honesty(executor.name.clone()));
            }
            for action in &executor.actions {
                if let Some(other) = actions.insert(*action, &executor.name) {
                    return Err(ConfigError::SameAction {
                        action: action.as_str(),
                        one: other.to_owned(),
                        other: executor.name.clone(),
                    });
                }
            }
        }
        if let Some(health) = &self.health {
            health.check()?;
        }
        let mut pairs = BTreeSet::new();
        for (index, drill) in self.drills.iter().enumerate() {
            let pair = drill.pair();
            let known = !pairs.insert(pair.clone());
            let checked = if known {
                Err("is scheduled twice; leave one of the two".to_owned())
            } else {
                drill.check(&self)
            };
            checked.map_err(|reason| ConfigError::Drill {
                index,
                pair,
                reason,
            })?;
        }
        Ok(self)
    }

    /// The executor of an action.
    #[must_use]
    pub fn executor(&self, action: ActionKind) -> Option<&ExecutorConfig> {
        self.executors
            .iter()
            .find(|executor| executor.actions.contains(&action))
    }

    /// The actions whose executor declares that it cannot undo them.
    #[must_use]
    pub fn irreversible(&self) -> BTreeSet<ActionKind> {
        self.executors
            .iter()
            .filter(|executor| executor.irreversible)
            .flat_map(|executor| executor.actions.iter().copied())
            .collect()
    }

    /// The digest that is logged at each start.
    ///
    /// # Errors
    /// Never for a configuration that was read.
    pub fn digest(&self) -> Result<Digest, canonical::CanonicalError> {
        canonical::digest(self)
    }
}

impl HealthConfig {
    fn check(&self) -> Result<(), ConfigError> {
        let is_template = |text: &str| text.contains("{system}") || text.contains("{address}");
        let is_url = |text: &str| {
            url::Url::parse(
                &text
                    .replace("{system}", "system")
                    .replace("{address}", "192.0.2.1"),
            )
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        };
        if let Some(base) = self.base.as_ref().filter(|b| !is_template(b) || !is_url(b)) {
            return Err(ConfigError::Base(base.clone()));
        }
        if let Some(host) = self.host.as_ref().filter(|host| !is_template(host)) {
            return Err(ConfigError::Host(host.clone()));
        }
        if let Some(program) = self.programs.iter().find(|program| !program.is_absolute()) {
            return Err(ConfigError::Program(program.clone()));
        }
        if let Some(address) = self.prometheus.as_ref().filter(|address| !is_url(address)) {
            return Err(ConfigError::Prometheus(address.clone()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let found = serde_json::from_str::<Config>(text)
            .map_err(|error| error.to_string())
            .and_then(|config| config.checked().map_err(|error| error.to_string()));
        match found {
            Ok(_) => assert_eq!(expected, "", "{text}"),
            Err(error) => assert!(
                !expected.is_empty() && error.contains(expected),
                "{text}: {error}"
            ),
        }
    }

    #[test]
    fn configurations() {
        check("{}", "");
        let executor = |name: &str, action: &str, rest: &str| {
            format!(
                r#"{{"name":"{name}","actions":["{action}"],"command":["true"],"timeout":"30s","honesty":"declared"{rest}}}"#
            )
        };
        let (one, two) = (
            executor("a", "patch", ""),
            executor("b", "process-kill", r#","irreversible":true"#),
        );
        check(
            &format!(
                r#"{{"executors":[{one},{two}],"health":{{"base":"http://127.0.0.1:1/systems/{{system}}"}}}}"#
            ),
            "",
        );
        check(
            &format!(r#"{{"executors":[{one},{one}]}}"#),
            "two executors are called `a`",
        );
        check(
            &format!(r#"{{"executors":[{one},{}]}}"#, executor("b", "patch", "")),
            "belongs to the executors",
        );
        check(
            &format!(
                r#"{{"executors":[{}]}}"#,
                executor("a", "patch", r#","shell":true"#)
            ),
            "unknown field `shell`",
        );
        check(
            &format!(r#"{{"executors":[{}]}}"#, executor("a", "destroy", "")),
            "unknown variant `destroy`",
        );
        check(
            &one.replace("declared", "modelled")
                .replace('{', r#"{"executors":[{"#)
                .replace('}', "}]}"),
            "cannot be `modelled`",
        );
        check(
            &format!(r#"{{"executors":[{}]}}"#, one.replace(r#"["true"]"#, "[]")),
            "has no means",
        );
        check(
            r#"{"health":{"base":"ftp://x/{system}"}}"#,
            "not an http(s) address",
        );
        check(
            r#"{"health":{"base":"http://x/"}}"#,
            "not an http(s) address",
        );
        check(r#"{"health":{"base":"https://{address}:8443"}}"#, "");
        check(
            r#"{"health":{"host":"localhost"}}"#,
            "neither `{system}` nor `{address}`",
        );
        check(
            r#"{"health":{"programs":["check"]}}"#,
            "not an absolute path",
        );
        check(
            r#"{"health":{"prometheus":"127.0.0.1:9090"}}"#,
            "not an http(s) address",
        );
        check(r#"{"ports":1}"#, "unknown field `ports`");
    }

    #[test]
    fn scheduled_drills() {
        let drill = |every: &str, systems: &str, checks: &str| {
            format!(
                r#"{{"action":{{"type":"patch","parameters":{{"package":"openssl","to_version":"3"}}}},"class":"linux-server",
                    "systems":[{systems}],"checks":[{checks}],"every":"{every}"}}"#
            )
        };
        let with = |irreversible: bool, drills: &str| {
            format!(
                r#"{{"executors":[{{"name":"a","actions":["patch"],"command":["true"],"timeout":"30s","honesty":"declared",
                    "irreversible":{irreversible}}}],"drills":[{drills}]}}"#
            )
        };
        let good = drill("92d", r#""drill-1""#, r#""up""#);
        check(&with(false, &good), "");
        check(
            &with(false, &format!("{good},{good}")),
            "the drill `drills[1]`, patch on linux-server, is scheduled twice",
        );
        check(
            &with(false, &drill("93d", r#""drill-1""#, r#""up""#)),
            "the drill `drills[0]`, patch on linux-server, is made every 93d; AG-706 4.6 asks for one at least quarterly",
        );
        check(&with(false, &drill("30d", "", r#""up""#)), "has no system");
        check(
            &with(false, &drill("30d", r#""drill-1""#, "")),
            "has no health check",
        );
        check(&with(true, &good), "nothing undoes");
        check(
            &format!(r#"{{"drills":[{good}]}}"#),
            "needs an executor that carries `patch` out",
        );
        check(
            &with(false, &good.replace("every", "often")),
            "unknown field `often`",
        );
    }
}
