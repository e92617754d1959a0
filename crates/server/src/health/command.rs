//! `command`: a program that exits with 0 when healthy. Only the configuration lets a program run; an
//! envelope alone does not.

use std::path::Path;
use std::time::{Duration, Instant};

use countersign_core::operation::CheckResult;

use super::{Prober, Subject, late, no_data, took};
use crate::child::{self, Broken};

impl Prober {
    pub(super) async fn command(
        &self,
        command: &[String],
        timeout: Duration,
        subject: Subject<'_>,
    ) -> CheckResult {
        let Some((program, arguments)) = command.split_first() else {
            return no_data("the check names no program");
        };
        if !self.config.programs.contains(Path::new(program)) {
            return no_data("the configuration does not list the program under `programs`");
        }
        let mut child = child::bare(program);
        // No shell: the name stands for itself, whatever is in it.
        child.args(
            arguments
                .iter()
                .map(|argument| argument.replace("$system", subject.system.as_str())),
        );
        child.env("COUNTERSIGN_SYSTEM", subject.system.as_str());
        if let Some(address) = subject.addresses.first() {
            child.env("COUNTERSIGN_ADDRESS", address.to_string());
        }
        let began = Instant::now();
        match child::run(child, b"", timeout).await {
            Ok(ended) => match ended.code {
                Some(0) => CheckResult::Pass {
                    measured: took("exit 0", began),
                },
                Some(code) => CheckResult::Fail {
                    measured: format!("exit {code} {}", last_line(&ended.error))
                        .trim()
                        .to_owned(),
                },
                None => no_data("a signal ended it"),
            },
            Err(Broken::Late) => late(timeout),
            Err(Broken::NotStarted(error)) => no_data(&format!("it does not start: {error}")),
            Err(Broken::Unheard(error)) => no_data(&format!("it could not be heard: {error}")),
        }
    }
}

fn last_line(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map(child::line)
        .unwrap_or_default()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::config::HealthConfig;

    async fn check(command: &[&str], expected: &str) {
        let prober = Prober::new(Some(&HealthConfig {
            programs: BTreeSet::from(["/bin/sh".into(), "/no/such/program".into()]),
            ..HealthConfig::default()
        }))
        .unwrap();
        let command: Vec<String> = command.iter().map(|&word| word.to_owned()).collect();
        let system = "web-1;exit_3".parse().unwrap();
        let subject = Subject {
            system: &system,
            addresses: &BTreeSet::from(["10.0.0.1".parse().unwrap()]),
        };
        let found = match prober
            .command(&command, Duration::from_secs(1), subject)
            .await
        {
            CheckResult::Pass { .. } => "pass".to_owned(),
            CheckResult::Fail { measured } => format!("fail {measured}"),
            CheckResult::NoData { reason } => format!("no data {reason}"),
        };
        assert!(found.starts_with(expected), "{command:?}: {found}");
    }

    #[tokio::test]
    async fn programs() {
        check(&["/bin/sh", "-c", "exit 0"], "pass").await;
        check(
            &["/bin/sh", "-c", "echo 'disk full' >&2; exit 2"],
            "fail exit 2 disk full",
        )
        .await;
        check(&["/bin/sh", "-c", "kill -9 $$"], "no data a signal").await;
        check(
            &["/bin/sh", "-c", "sleep 60"],
            "no data no answer within 1 s",
        )
        .await;
        check(&["/no/such/program"], "no data it does not start").await;
        check(&["/bin/true"], "no data the configuration does not list").await;
        check(&[], "no data the check names no program").await;
        let told = r#"test "$1" = 'web-1;exit_3' && test "$COUNTERSIGN_ADDRESS" = 10.0.0.1"#;
        check(&["/bin/sh", "-c", told, "check", "$system"], "pass").await;
    }
}
