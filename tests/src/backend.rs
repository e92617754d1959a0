//! The real programs as children: `countersignd`, and `countersignctl` for what people do at a terminal.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::people::PIN;

/// The folder with the programs of this build: where this test or program itself lies.
///
/// # Errors
/// Where the running program has no path.
pub fn programs() -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe()?;
    let folder = own.parent().context("this program lies in no folder")?;
    // A test's own program lies in `deps`, one below the others.
    Ok(if folder.ends_with("deps") {
        folder.parent().unwrap_or(folder).to_owned()
    } else {
        folder.to_owned()
    })
}

/// A program of this build.
///
/// # Errors
/// Where it was not built: cargo builds only what a test's own package needs.
pub fn program(folder: &Path, name: &str) -> anyhow::Result<PathBuf> {
    let program = folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX));
    ensure!(
        program.is_file(),
        "`{}` is not there: `cargo xtask build` makes it, `cargo xtask test --only end-to-end` both \
         makes it and tests it",
        program.display()
    );
    Ok(program)
}

/// A running backend; killed when dropped.
pub struct Backend {
    child: Child,
    /// Its address.
    pub url: String,
    /// The operator's token.
    pub operator_token: String,
    /// Its data folder.
    pub data: PathBuf,
}

impl Backend {
    /// Starts `countersignd serve` on `data` with the demonstration's executor and health checks.
    ///
    /// # Errors
    /// Where it does not come up within half a minute; its log is in `data/countersignd.log`.
    pub async fn start(data: &Path, systems: &str) -> anyhow::Result<Self> {
        Self::configured(data, &configuration(&programs()?, systems)?).await
    }

    /// Starts `countersignd serve` on `data` with this configuration.
    ///
    /// # Errors
    /// As [`Backend::start`].
    pub async fn configured(data: &Path, configuration: &Value) -> anyhow::Result<Self> {
        std::fs::create_dir_all(data)?;
        let programs = programs()?;
        let config = data.join("config.json");
        std::fs::write(&config, configuration.to_string())?;
        let log = std::fs::File::create(data.join("countersignd.log"))?;
        let operator_token = format!("operator-{:032x}", rand::random::<u128>());
        let mut child = Command::new(program(&programs, "countersignd")?)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--token-stdin",
                "--exit-with-stdin",
            ])
            .arg("--data")
            .arg(data)
            .arg("--config")
            .arg(&config)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("countersignd does not start")?;
        let stdin = child
            .stdin
            .as_mut()
            .context("countersignd has no standard input")?;
        stdin
            .write_all(format!("{operator_token}\n").as_bytes())
            .await?;
        stdin.flush().await?;
        let stdout = child
            .stdout
            .take()
            .context("countersignd has no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let line = tokio::time::timeout(std::time::Duration::from_secs(30), lines.next_line())
            .await
            .context("countersignd said nothing within 30 s")??
            .with_context(|| {
                format!(
                    "countersignd ended; see {}",
                    data.join("countersignd.log").display()
                )
            })?;
        let ready: Value =
            serde_json::from_str(&line).with_context(|| format!("countersignd said `{line}`"))?;
        let url = ready
            .get("listening")
            .and_then(Value::as_str)
            .context("countersignd gave no address")?
            .to_owned();
        Ok(Self {
            child,
            url,
            operator_token,
            data: data.to_owned(),
        })
    }

    /// Ends it as the console does: its standard input closes.
    ///
    /// # Errors
    /// Where it does not end.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        drop(self.child.stdin.take());
        self.child.wait().await?;
        Ok(())
    }

    /// Kills it without warning (SIGKILL), as a power cut would.
    ///
    /// # Errors
    /// Where it cannot be killed.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }
}

fn configuration(programs: &Path, systems: &str) -> anyhow::Result<Value> {
    let executor = program(programs, "countersign-demonstration")?;
    Ok(json!({
        "executors": [{
            "name": "northwind",
            "actions": ["patch", "credential-rotate"],
            "command": [executor, "executor", "--systems", systems],
            "timeout": "30s",
            "honesty": "declared",
            "irreversible": false,
        }],
        "health": { "base": format!("{systems}/{{system}}") },
    }))
}

/// `countersignctl` as one person runs it.
#[derive(Debug, Clone)]
pub struct Terminal {
    /// Folder of the demonstration keys.
    pub keys: PathBuf,
    /// Folder in which the person's pinned records and session lie.
    pub home: PathBuf,
    /// The backend's address.
    pub url: String,
}

impl Terminal {
    /// Runs `countersignctl` with these arguments, the PIN on its standard input, and gives what it
    /// printed on standard output.
    ///
    /// # Errors
    /// Where it exits with anything but 0; the error holds what it said.
    pub async fn run(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let output = self.output(arguments).await?;
        if !output.status.success() {
            bail!(
                "countersignctl {} exited with {}: {}{}",
                arguments.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        Ok(String::from_utf8(output.stdout)?)
    }

    /// As [`Terminal::run`], whatever the exit status.
    ///
    /// # Errors
    /// Where it does not start.
    pub async fn output(&self, arguments: &[&str]) -> anyhow::Result<std::process::Output> {
        let mut child = Command::new(program(&programs()?, "countersignctl")?)
            .args(arguments)
            .env("COUNTERSIGN_BACKEND", &self.url)
            .env("COUNTERSIGN_HOME", &self.home)
            .env("COUNTERSIGN_DEMONSTRATION_KEYS", &self.keys)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("countersignctl does not start")?;
        if let Some(mut stdin) = child.stdin.take() {
            stdin.write_all(format!("{PIN}\n").as_bytes()).await.ok();
        }
        Ok(child.wait_with_output().await?)
    }
}
