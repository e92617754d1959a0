//! Executor `command`: a program that reads one JSON object on standard input and writes one on
//! standard output. It runs in a process group of its own, which is killed as a whole when its time is
//! over, and within the resource limits of the configuration.

use std::collections::BTreeMap;
use std::time::Duration;

use countersign_core::span::Span;
use tokio::process::Command;

use super::call::{Answer, ExecutorError, Input, Output};
use crate::child::{self, Broken, line};
use crate::config::ResourceLimits;

/// A program and how it may run.
#[derive(Debug)]
pub struct Program {
    words: Vec<String>,
    environment: BTreeMap<String, String>,
    timeout: Span,
}

impl Program {
    /// A program with its arguments, what it finds in its environment, and its limits.
    #[must_use]
    pub fn new(
        command: &[String],
        environment: &BTreeMap<String, String>,
        limits: Option<&ResourceLimits>,
        timeout: Span,
    ) -> Self {
        Self {
            words: limits.map_or_else(|| command.to_vec(), |limits| limits.around(command)),
            environment: environment.clone(),
            timeout,
        }
    }

    /// Asks it.
    pub(super) async fn run(&self, input: &Input<'_>) -> Result<Answer, ExecutorError> {
        let timeout = Duration::from_secs(u64::from(self.timeout.seconds()));
        match child::run(self.command()?, &input.to_line()?, timeout).await {
            Ok(ended) => answer(ended.code, &ended.output, &ended.error),
            Err(Broken::NotStarted(error)) => Err(ExecutorError::Failed(format!(
                "the executor `{}` does not start: {error}",
                self.words.first().map_or("", String::as_str)
            ))),
            Err(broken) => Err(unknown(broken, self.timeout)),
        }
    }

    fn command(&self) -> Result<Command, ExecutorError> {
        let Some((program, arguments)) = self.words.split_first() else {
            return Err(ExecutorError::Failed(
                "the executor has no command".to_owned(),
            ));
        };
        let mut command = child::bare(program);
        command.args(arguments).envs(&self.environment);
        Ok(command)
    }
}

/// Why nobody knows what a program did.
pub(super) fn unknown(broken: Broken, timeout: Span) -> ExecutorError {
    match broken {
        Broken::NotStarted(error) => {
            ExecutorError::Failed(format!("the executor does not start: {error}"))
        }
        Broken::Late => {
            ExecutorError::Unknown(format!("the executor did not answer within {timeout}"))
        }
        Broken::Unheard(error) => {
            ExecutorError::Unknown(format!("the executor could not be heard: {error}"))
        }
    }
}

fn answer(code: Option<i32>, output: &[u8], error: &[u8]) -> Result<Answer, ExecutorError> {
    let because = |text: String| {
        let text = format!("{text} {}", last_line(error));
        text.trim_end().to_owned()
    };
    let Some(code) = code else {
        return Err(ExecutorError::Unknown(because(
            "the executor was ended by a signal".to_owned(),
        )));
    };
    let output: Output = serde_json::from_slice(output).map_err(|_| {
        ExecutorError::Failed(because(format!(
            "the executor ended with code {code} and no answer"
        )))
    })?;
    let no_message = || {
        ExecutorError::Failed(because(format!(
            "the executor ended with code {code} and no message"
        )))
    };
    match (output.into_answer(), code) {
        (Ok(answer), 0) => Ok(answer),
        (Err(Some(message)), _) => Err(ExecutorError::Failed(message)),
        (Ok(_) | Err(None), _) => Err(no_message()),
    }
}

/// The last line that says anything.
pub(super) fn last_line(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .lines()
        .rev()
        .find(|text| !text.trim().is_empty())
        .map(line)
        .unwrap_or_default()
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::collections::BTreeSet;

    use countersign_core::operation::Sequence;
    use countersign_core::proposal::Action;

    use super::*;
    use crate::executor::{Call, Verb};

    fn program(script: &str, limits: Option<&ResourceLimits>) -> Program {
        let command = ["sh", "-c", script].map(ToOwned::to_owned);
        let environment = BTreeMap::from([("EXTRA".to_owned(), "yes".to_owned())]);
        Program::new(&command, &environment, limits, "1s".parse().unwrap())
    }

    async fn told(program: &Program, verb: Verb) -> String {
        let call = Call {
            verb,
            operation: "op_1".parse().unwrap(),
            sequence: Sequence::new(7),
            attempt: 1,
            system: "web-1".parse().unwrap(),
            action: Action::HostIsolate,
            evidence: BTreeSet::new(),
            permit: None,
        };
        let found = match program.run(&Input::call(&call)).await {
            Ok(answer) => format!(
                "ok {}",
                String::from_utf8(answer.snapshot.unwrap_or_default()).unwrap()
            ),
            Err(ExecutorError::Failed(reason)) => format!("failed {reason}"),
            Err(ExecutorError::Unknown(reason)) => format!("unknown {reason}"),
        };
        found.trim().to_owned()
    }

    async fn check(script: &str, verb: Verb, expected: &str) {
        assert_eq!(
            told(&program(script, None), verb).await,
            expected,
            "{script}"
        );
    }

    #[tokio::test]
    async fn answers() {
        check(r#"echo '{"ok":true}'"#, Verb::Apply, "ok").await;
        check(
            r#"echo '{"ok":true,"snapshot":{"b":1,"a":"x"}}'"#,
            Verb::Snapshot,
            r#"ok {"a":"x","b":1}"#,
        )
        .await;
        check(
            r#"echo '{"ok":true,"snapshot":{"a":0.5}}'"#,
            Verb::Snapshot,
            "failed the executor's snapshot: `/a` is 0.5; signed documents hold only integers up to 2^53, write decimals as strings",
        )
        .await;
        check(
            r#"echo '{"ok":false,"message":"no\u0007 disk"}'"#,
            Verb::Apply,
            "failed no  disk",
        )
        .await;
        check(
            r#"echo '{"ok":true}'; exit 3"#,
            Verb::Apply,
            "failed the executor ended with code 3 and no message",
        )
        .await;
        check(
            "echo oops >&2; exit 1",
            Verb::Apply,
            "failed the executor ended with code 1 and no answer oops",
        )
        .await;
        check(
            "echo garbage",
            Verb::Apply,
            "failed the executor ended with code 0 and no answer",
        )
        .await;
        check(
            "kill -9 $$",
            Verb::Apply,
            "unknown the executor was ended by a signal",
        )
        .await;
        check(
            "sleep 60",
            Verb::Apply,
            "unknown the executor did not answer within 1s",
        )
        .await;
        check(
            "sleep 60 & echo '{\"ok\":true}'",
            Verb::Apply,
            "unknown the executor did not answer within 1s",
        )
        .await;
        check(
            "head -c 2000000 /dev/zero",
            Verb::Apply,
            "unknown the executor could not be heard: it wrote more than 1048576 bytes",
        )
        .await;
        check(
            r#"read -r input; case "$input" in *'"sequence":7'*'"system":"web-1"'*) echo "{\"ok\":true,\"snapshot\":\"$EXTRA$CARGO_PKG_NAME\"}";; esac"#,
            Verb::Snapshot,
            r#"ok "yes""#,
        )
        .await;
    }

    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn limits_hold_for_it_and_its_children() {
        let limits = ResourceLimits {
            memory: Some(256 << 20),
            file_size: Some(1 << 20),
            open_files: Some(32),
            processes: None,
            cpu_seconds: Some(5),
        };
        for (asked, expected) in [
            ("ulimit -v", "262144"),
            ("ulimit -n", "32"),
            ("ulimit -t", "5"),
            ("sh -c 'sh -c \"ulimit -n\"'", "32"),
        ] {
            let script = format!(r#"printf '{{"ok":true,"snapshot":"%s"}}' "$({asked})""#);
            let found = told(&program(&script, Some(&limits)), Verb::Snapshot).await;
            assert_eq!(found, format!("ok \"{expected}\""), "{asked}");
        }
        // What goes beyond them fails, or is ended: never taken for done.
        let file = tempfile::NamedTempFile::new().unwrap();
        let writes = format!(
            "head -c 3000000 /dev/zero > {} || exit 1; echo '{{\"ok\":true}}'",
            file.path().display()
        );
        let found = told(&program(&writes, Some(&limits)), Verb::Apply).await;
        assert!(
            found.starts_with("failed") || found.starts_with("unknown"),
            "{found}"
        );
        assert!(file.path().metadata().unwrap().len() <= 1 << 20);
    }
}
