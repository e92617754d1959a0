//! What the configuration says of an executor: its kind and means.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use countersign_core::briefing::HonestyGrade;
use countersign_core::proposal::ActionKind;
use countersign_core::span::Span;
use serde::{Deserialize, Serialize};

/// What carries actions out: exactly one of `command`, `ansible` and `webhook`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExecutorConfig {
    /// Its name.
    pub name: String,
    /// The actions it carries out; each action has one executor.
    pub actions: BTreeSet<ActionKind>,
    /// Program and arguments, for an executor of the kind `command`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub command: Vec<String>,
    /// Playbooks, for one of the kind `ansible`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ansible: Option<AnsibleConfig>,
    /// An address, for one of the kind `webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub webhook: Option<WebhookConfig>,
    /// How long one call may take.
    pub timeout: Span,
    /// How far its plan can be believed.
    pub honesty: HonestyGrade,
    /// Whether it cannot undo what it does.
    #[serde(default)]
    pub irreversible: bool,
    /// Whether it checks permits itself (`countersignctl verify-permit`), so that each call carries
    /// the whole evidence.
    #[serde(default, skip_serializing_if = "is_false")]
    pub guarded: bool,
    /// Variables of its environment, which is otherwise only PATH, HOME and LANG.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    /// What a `command` may use up; absent means no limits but time and output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<ResourceLimits>,
}

// By reference, as serde passes fields.
const fn is_false(value: &bool) -> bool {
    !*value
}

/// The means of an executor, by its kind.
#[derive(Debug, Clone, Copy)]
pub enum MeansConfig<'a> {
    /// Program and arguments.
    Command(&'a [String]),
    /// Playbooks.
    Ansible(&'a AnsibleConfig),
    /// An address.
    Webhook(&'a WebhookConfig),
}

/// Playbooks in an operator's repository. Its `ansible.cfg` counts; secrets stay where that says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnsibleConfig {
    /// The repository's folder, absolute.
    pub repository: PathBuf,
    /// The inventory, a path in it. Hosts are called as systems are.
    pub inventory: PathBuf,
    /// The playbooks of each action.
    pub playbooks: BTreeMap<ActionKind, PlaybooksConfig>,
    /// The program; absent means `ansible-playbook` on the PATH.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub program: Option<PathBuf>,
}

/// The playbooks of one action, paths in the repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlaybooksConfig {
    /// Carries it out; with `--check --diff` it is the plan.
    pub apply: PathBuf,
    /// Sets the fact `countersign_snapshot` to the state of the host.
    pub snapshot: PathBuf,
    /// Undoes it, from `countersign.snapshot`.
    pub revert: PathBuf,
}

/// A receiver of signed requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WebhookConfig {
    /// Where requests are posted: https.
    pub url: String,
    /// File with the Ed25519 key that signs them: 64 hexadecimal digits.
    pub key: PathBuf,
    /// The name by which the receiver knows that key.
    pub key_id: String,
    /// PEM file of the authorities trusted; absent means the machine's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authorities: Option<PathBuf>,
    /// Whether the receiver does once what it is asked several times with one `Idempotency-Key`; only
    /// then is an `apply` or `revert` whose answer was lost asked again.
    #[serde(default)]
    pub idempotent: bool,
    /// Whether `http` on a loopback address will do. Never where anything matters.
    #[serde(default, skip_serializing_if = "is_false")]
    pub development: bool,
}

/// What a program and everything it starts may use up (setrlimit(2)); set by `prlimit` of util-linux.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ResourceLimits {
    /// Address space, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Largest file written, bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_size: Option<u64>,
    /// Files open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub open_files: Option<u64>,
    /// Processes of the user at once; does not bind root.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<u64>,
    /// Processor time, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_seconds: Option<u64>,
}

impl ExecutorConfig {
    /// What it acts by; none where nothing is named.
    #[must_use]
    pub fn means(&self) -> Option<MeansConfig<'_>> {
        match (&self.ansible, &self.webhook) {
            (Some(ansible), _) => Some(MeansConfig::Ansible(ansible)),
            (None, Some(webhook)) => Some(MeansConfig::Webhook(webhook)),
            (None, None) => self
                .command
                .first()
                .is_some_and(|program| !program.is_empty())
                .then_some(MeansConfig::Command(&self.command)),
        }
    }

    /// Whether it makes sense; otherwise what is wrong, as the end of a sentence.
    pub(super) fn check(&self) -> Result<(), String> {
        let named = [
            !self.command.is_empty(),
            self.ansible.is_some(),
            self.webhook.is_some(),
        ];
        if named.iter().filter(|named| **named).count() > 1 {
            return Err("has several of `command`, `ansible` and `webhook`; keep one".to_owned());
        }
        if self.limits.is_some() && self.command.is_empty() {
            return Err("has `limits`, which only a `command` has; remove them".to_owned());
        }
        match self.means() {
            None => Err("has no means; name a `command`, `ansible` or a `webhook`".to_owned()),
            Some(MeansConfig::Command(_)) => Ok(()),
            Some(MeansConfig::Ansible(ansible)) => ansible.check(&self.actions, self.honesty),
            Some(MeansConfig::Webhook(webhook)) => webhook.check(),
        }
    }
}

impl AnsibleConfig {
    fn check(&self, actions: &BTreeSet<ActionKind>, honesty: HonestyGrade) -> Result<(), String> {
        if !self.repository.is_absolute() {
            return Err(format!(
                "has the repository `{}`, which is not an absolute path; write it out",
                self.repository.display()
            ));
        }
        if honesty == HonestyGrade::Enforced {
            return Err(
                "cannot be `enforced`: a module may write in check mode; write `declared`"
                    .to_owned(),
            );
        }
        let within = |path: &Path| {
            path.components()
                .all(|part| matches!(part, Component::Normal(_)))
        };
        let paths = self
            .playbooks
            .values()
            .flat_map(|books| [&books.apply, &books.snapshot, &books.revert])
            .chain([&self.inventory]);
        for path in paths {
            // A leading dash would be an option.
            if !within(path) || path.to_string_lossy().starts_with('-') {
                return Err(format!(
                    "names `{}`, which is no path in its repository; write it relative to that",
                    path.display()
                ));
            }
        }
        match actions
            .iter()
            .find(|action| !self.playbooks.contains_key(action))
        {
            Some(action) => Err(format!(
                "has no playbooks for `{}`; name them or drop the action",
                action.as_str()
            )),
            None => Ok(()),
        }
    }
}

impl WebhookConfig {
    fn check(&self) -> Result<(), String> {
        let refused = |what: &str| Err(format!("has the address `{}`, {what}", self.url));
        let Ok(url) = url::Url::parse(&self.url) else {
            return refused("which is none; write an https address");
        };
        let loopback = match url.host() {
            Some(url::Host::Ipv4(address)) => address.is_loopback(),
            Some(url::Host::Ipv6(address)) => address.is_loopback(),
            Some(url::Host::Domain(_)) | None => false,
        };
        match url.scheme() {
            "https" if url.has_host() => Ok(()),
            "http" if self.development && loopback => Ok(()),
            "http" => refused(
                "which is not https; only with `development` may it be http on a loopback address",
            ),
            _ => refused("which is not https; write an https address"),
        }
    }
}

impl ResourceLimits {
    /// The command that runs `command` within these limits.
    #[must_use]
    pub fn around(&self, command: &[String]) -> Vec<String> {
        let limits = [
            ("as", self.memory),
            ("fsize", self.file_size),
            ("nofile", self.open_files),
            ("nproc", self.processes),
            ("cpu", self.cpu_seconds),
        ];
        let mut words = vec!["prlimit".to_owned()];
        words.extend(
            limits
                .iter()
                .filter_map(|(name, limit)| limit.map(|limit| format!("--{name}={limit}:{limit}"))),
        );
        words.push("--core=0:0".to_owned());
        words.push("--".to_owned());
        words.extend_from_slice(command);
        words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(members: &str, expected: &str) {
        let text = format!(
            r#"{{"name":"a","actions":["patch"],"timeout":"30s","honesty":"declared",{members}}}"#
        );
        let config: ExecutorConfig = serde_json::from_str(&text).unwrap();
        match config.check() {
            Ok(()) => assert_eq!(expected, "", "{text}"),
            Err(error) => assert!(
                !expected.is_empty() && error.contains(expected),
                "{text}: {error}"
            ),
        }
    }

    #[test]
    fn each_executor_has_one_means() {
        let ansible = |repository: &str, apply: &str, action: &str| {
            format!(
                r#""ansible":{{"repository":"{repository}","inventory":"hosts.ini","playbooks":{{"{action}":{{"apply":"{apply}","snapshot":"s.yml","revert":"r.yml"}}}}}}"#
            )
        };
        let webhook = |url: &str, rest: &str| {
            format!(r#""webhook":{{"url":"{url}","key":"/key","key_id":"k"{rest}}}"#)
        };
        check(r#""command":["true"]"#, "");
        check(r#""command":["true"],"limits":{"memory":1}"#, "");
        check(r#""command":[]"#, "no means");
        check(&ansible("/srv/books", "books/patch.yml", "patch"), "");
        check(
            &format!("{},{}", ansible("/srv", "a.yml", "patch"), r#""limits":{}"#),
            "only a `command`",
        );
        check(&ansible("srv", "a.yml", "patch"), "not an absolute path");
        check(
            &ansible("/srv", "../a.yml", "patch"),
            "no path in its repository",
        );
        check(
            &ansible("/srv", "/a.yml", "patch"),
            "no path in its repository",
        );
        check(
            &ansible("/srv", "--become", "patch"),
            "no path in its repository",
        );
        check(
            &ansible("/srv", "a.yml", "acl-change"),
            "no playbooks for `patch`",
        );
        check(&webhook("https://x.example/hook", ""), "");
        check(&webhook("http://127.0.0.1:1/", ""), "not https");
        check(
            &webhook("http://127.0.0.1:1/", r#","development":true"#),
            "",
        );
        check(
            &webhook("http://10.0.0.1:1/", r#","development":true"#),
            "not https",
        );
        check(&webhook("ftp://x", ""), "not https");
        check(
            &format!("{},{}", webhook("https://x", ""), r#""command":["true"]"#),
            "several",
        );
    }

    #[test]
    fn limits_come_before_the_program() {
        let limits = ResourceLimits {
            memory: Some(1),
            file_size: None,
            open_files: Some(2),
            processes: None,
            cpu_seconds: None,
        };
        assert_eq!(
            limits.around(&["a".to_owned(), "--b".to_owned()]),
            [
                "prlimit",
                "--as=1:1",
                "--nofile=2:2",
                "--core=0:0",
                "--",
                "a",
                "--b"
            ]
        );
    }
}
