//! Running other programs: their output goes straight through, with a sign of life on long ones.

use std::fmt;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

/// How long a program may be at work before its elapsed time is printed, and then again each time.
const SIGN_OF_LIFE: Duration = Duration::from_secs(60);

/// Why a command of this tool ended early: what failed, and what to do next.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }

    /// Puts what was attempted in front of an error of the system.
    pub(crate) fn of<E: fmt::Display>(attempt: impl fmt::Display) -> impl FnOnce(E) -> Self {
        move |error| Self(format!("{attempt}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

pub(crate) type Outcome<T = ()> = Result<T, Failure>;

/// Runs a program to its end, its output shown as it comes, and fails where it fails.
pub(crate) fn run(command: &mut Command) -> Outcome {
    let line = shown(command);
    println!("  $ {line}");
    let mut child = command
        .spawn()
        .map_err(Failure::of(format!("could not start `{line}`")))?;
    let (done, waiting) = mpsc::channel::<()>();
    let watched = line.clone();
    let sign = thread::spawn(move || {
        let started = Instant::now();
        while waiting.recv_timeout(SIGN_OF_LIFE) == Err(RecvTimeoutError::Timeout) {
            println!("  … {} so far: {watched}", elapsed(started.elapsed()));
        }
    });
    let status = child.wait();
    drop(done);
    // The thread only prints: its end can carry no news.
    let _ = sign.join();
    let status = status.map_err(Failure::of(format!("could not wait for `{line}`")))?;
    if status.success() {
        Ok(())
    } else {
        Err(Failure::new(format!("`{line}` failed ({status})")))
    }
}

/// Runs a program quietly and returns what it printed.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let line = shown(command);
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(Failure::of(format!("could not start `{line}`")))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let complaint = String::from_utf8_lossy(&output.stderr);
        Err(Failure::new(format!(
            "`{line}` failed ({}): {}",
            output.status,
            complaint.trim()
        )))
    }
}

/// A duration as people say it: `4.2 s`, `3 min 07 s`.
pub(crate) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

fn shown(command: &Command) -> String {
    let program = std::path::Path::new(command.get_program());
    let mut line = program
        .file_name()
        .unwrap_or(program.as_os_str())
        .to_string_lossy()
        .into_owned();
    for argument in command.get_args() {
        line.push(' ');
        line.push_str(&argument.to_string_lossy());
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elapsed_times_read_well() {
        for (milliseconds, expected) in [
            (4_240, "4.2 s"),
            (60_000, "1 min 00 s"),
            (187_000, "3 min 07 s"),
        ] {
            assert_eq!(elapsed(Duration::from_millis(milliseconds)), expected);
        }
    }

    #[test]
    fn a_failing_program_is_named_with_its_arguments() {
        let failure = run(Command::new("cargo")
            .arg("--no-such-option")
            .stderr(Stdio::null()));
        let message = failure
            .err()
            .map(|failure| failure.to_string())
            .unwrap_or_default();
        assert!(
            message.starts_with("`cargo --no-such-option` failed"),
            "{message}"
        );
    }
}
