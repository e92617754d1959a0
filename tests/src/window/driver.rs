//! `tauri-driver`, which passes WebDriver commands on to the engine's own driver and starts the console.

use std::ffi::OsString;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder};
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::LIMIT;

/// A running driver. It leads a process group of its own, in which the engine's driver and the
/// console stay: one signal ends them all, however this process ends its test.
#[derive(Debug)]
pub(super) struct Driver {
    child: Child,
    port: u16,
    log: PathBuf,
}

impl Driver {
    /// Starts it, so that the consoles it opens have `environment`; all their output goes to `log`.
    pub(super) async fn start(
        environment: impl IntoIterator<Item = (&'static str, OsString)>,
        log: &Path,
    ) -> anyhow::Result<Self> {
        ensure!(
            cfg!(not(target_os = "linux"))
                || std::env::var_os("DISPLAY").is_some()
                || std::env::var_os("WAYLAND_DISPLAY").is_some(),
            "there is no display for the window: `cargo xtask test --only end-to-end` and \
             `cargo xtask desktop PROGRAM` bring one"
        );
        let program =
            std::env::var_os("COUNTERSIGN_TAURI_DRIVER").unwrap_or_else(|| "tauri-driver".into());
        let (port, native_port) = (free_port()?, free_port()?);
        let output = File::create(log)?;
        let mut command = Command::new(&program);
        command
            .args(["--port", &port.to_string()])
            .args(["--native-port", &native_port.to_string()])
            .envs(environment)
            .stdin(Stdio::null())
            .stdout(output.try_clone()?)
            .stderr(output);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().with_context(|| {
            format!(
                "`{}` does not start; `cargo xtask test` and `cargo xtask demo` build it",
                program.display()
            )
        })?;
        let mut driver = Self {
            child,
            port,
            log: log.to_owned(),
        };
        // It listens before the engine's driver does, and drops what comes in between.
        for port in [port, native_port] {
            driver.wait_for_port(port).await?;
        }
        Ok(driver)
    }

    async fn wait_for_port(&mut self, port: u16) -> anyhow::Result<()> {
        let since = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port))
            .await
            .is_err()
        {
            if let Some(status) = self.child.try_wait()? {
                bail!("tauri-driver ended with {status}: {}", self.log());
            }
            ensure!(
                since.elapsed() < LIMIT,
                "tauri-driver does not listen on port {port}: {}",
                self.log()
            );
            sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Opens a window of `application`.
    pub(super) async fn session(&self, application: &Path) -> anyhow::Result<Client> {
        let mut capabilities = Capabilities::new();
        capabilities.insert(
            "tauri:options".to_owned(),
            json!({ "application": application }),
        );
        let mut builder =
            ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new());
        builder.capabilities(capabilities);
        let address = format!("http://127.0.0.1:{}", self.port);
        timeout(LIMIT, builder.connect(&address))
            .await
            .with_context(|| format!("no window came up: {}", self.log()))?
            .with_context(|| format!("no window came up: {}", self.log()))
    }

    /// The end of what driver and console said.
    pub(super) fn log(&self) -> String {
        let text = std::fs::read(&self.log).unwrap_or_default();
        let from = text.len().saturating_sub(4_000);
        String::from_utf8_lossy(text.get(from..).unwrap_or_default()).into_owned()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        #[cfg(unix)]
        let _ = Command::new("kill")
            .args(["-KILL", "--", &format!("-{}", self.child.id())])
            .stderr(Stdio::null())
            .status();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok(listener.local_addr()?.port())
}
