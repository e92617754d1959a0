//! Programs that the backend runs: bounded in time and output, and gone with all that they started
//! when nobody waits for them any more.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use crate::limits::{EXECUTOR_BYTES_MAX, EXECUTOR_ERROR_BYTES_MAX};

/// Characters of a line that are kept.
const LINE_CHARS_MAX: usize = 500;

/// How a program ended.
pub(crate) struct Ended {
    /// Its exit code; none where a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote.
    pub(crate) output: Vec<u8>,
    /// What it wrote to standard error, cut off where it is long.
    pub(crate) error: Vec<u8>,
}

/// Why nobody knows how a program ended.
pub(crate) enum Broken {
    /// It did not start, and so did nothing.
    NotStarted(std::io::Error),
    /// It did not end in time.
    Late,
    /// It wrote too much, or could not be heard.
    Unheard(std::io::Error),
}

/// A program with nothing of this process's environment but `PATH`, `HOME` and a language.
pub(crate) fn bare(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("LANG", "C.UTF-8").envs(
        ["PATH", "HOME"]
            .into_iter()
            .filter_map(|name| Some((name, std::env::var_os(name)?))),
    );
    command
}

/// Runs a program with `input` on its standard input.
pub(crate) async fn run(
    mut command: Command,
    input: &[u8],
    timeout: Duration,
) -> Result<Ended, Broken> {
    command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    // A group of its own, so that what it started ends with it.
    #[cfg(unix)]
    command.process_group(0);
    let mut child = Spawned(command.spawn().map_err(Broken::NotStarted)?);
    match tokio::time::timeout(timeout, talk(&mut child.0, input)).await {
        Ok(Ok(ended)) => Ok(ended),
        Ok(Err(error)) => {
            child.end().await;
            Err(Broken::Unheard(error))
        }
        Err(_) => {
            child.end().await;
            Err(Broken::Late)
        }
    }
}

async fn talk(child: &mut Child, input: &[u8]) -> std::io::Result<Ended> {
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let (Some(mut stdin), Some(stdout), Some(stderr)) = (stdin, stdout, stderr) else {
        return Err(std::io::Error::other("a pipe is missing"));
    };
    let mut output = Vec::new();
    let mut error = Vec::new();
    let say = async move {
        // A program that answers without reading is free to. The pipe closes as it is dropped here:
        // `shutdown` of a pipe only flushes.
        match stdin.write_all(input).await {
            Ok(()) => stdin.flush().await.or(Ok(())),
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
            Err(error) => Err(error),
        }
    };
    let hear = async {
        let limit = u64::try_from(EXECUTOR_BYTES_MAX)
            .unwrap_or(u64::MAX)
            .saturating_add(1);
        let mut capped = stdout.take(limit);
        capped.read_to_end(&mut output).await?;
        if output.len() > EXECUTOR_BYTES_MAX {
            return Err(std::io::Error::other(format!(
                "it wrote more than {EXECUTOR_BYTES_MAX} bytes"
            )));
        }
        Ok(())
    };
    let overhear = async {
        let mut stderr = stderr;
        let mut chunk = [0; 4096];
        loop {
            let read = stderr.read(&mut chunk).await?;
            if read == 0 {
                return Ok::<(), std::io::Error>(());
            }
            let room = EXECUTOR_ERROR_BYTES_MAX
                .saturating_sub(error.len())
                .min(read);
            error.extend_from_slice(chunk.get(..room).unwrap_or(&[]));
        }
    };
    let ((), (), ()) = tokio::try_join!(say, hear, overhear)?;
    let status = child.wait().await?;
    Ok(Ended {
        code: status.code(),
        output,
        error,
    })
}

/// A program under way, which ends with everything it started when nobody waits for it any more.
struct Spawned(Child);

impl Spawned {
    async fn end(&mut self) {
        self.kill_group();
        if let Err(error) = self.0.kill().await {
            tracing::warn!(%error, "a program could not be ended");
        }
    }

    fn kill_group(&self) {
        // None once it was waited for: its number may be another's by then.
        #[cfg(unix)]
        if let Some(group) = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(rustix::process::Pid::from_raw)
        {
            // The group may be gone already.
            let _gone = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        self.kill_group();
    }
}

/// One line of somebody else's text: no control or invisible characters, not too long.
pub(crate) fn line(text: &str) -> String {
    text.chars()
        .map(|c| {
            if c.is_control() || countersign_core::identifier::is_invisible(c) {
                ' '
            } else {
                c
            }
        })
        .take(LINE_CHARS_MAX)
        .collect()
}
