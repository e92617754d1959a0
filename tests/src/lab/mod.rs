//! Laboratories: AG-706's scenarios against real parts, once ungoverned and once through the backend.
//!
//! A needs Ansible and dpkg, B PostgreSQL, C network namespaces and nftables; each says which part it
//! lacks and fails there. Nothing is played but the plant, the clinic and the payments themselves.

pub mod a;
pub mod b;
pub mod c;
mod client;
mod modbus;
mod parts;
mod site;
mod tls_host;

use std::path::{Path, PathBuf};
use std::process::Output;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;
use tokio::process::Command;

pub use parts::Part;
pub use site::Site;

/// Longest wait for something that comes soon or never.
const SOON: Duration = Duration::from_secs(30);

/// What a laboratory tells: one line a thing that was seen, and at the end its figures.
pub type Tell<'a> = dyn Fn(&str) + Sync + 'a;

/// The figures of both runs.
#[derive(Debug, Default)]
pub struct Figures {
    rows: Vec<(String, String, String)>,
}

impl Figures {
    /// Adds a row: what was measured, ungoverned and governed.
    pub fn row(
        &mut self,
        what: &str,
        ungoverned: impl std::fmt::Display,
        governed: impl std::fmt::Display,
    ) {
        self.rows.push((
            what.to_owned(),
            ungoverned.to_string(),
            governed.to_string(),
        ));
    }

    /// Side by side.
    #[must_use]
    pub fn table(&self) -> String {
        let mut text = format!("{:<44} {:>12} {:>12}\n", "", "ungoverned", "governed");
        for (what, ungoverned, governed) in &self.rows {
            text.push_str(&format!("{what:<44} {ungoverned:>12} {governed:>12}\n"));
        }
        text
    }
}

/// Runs a laboratory in a folder of its own and prints what it tells.
///
/// # Errors
/// Where anything is not as the scenario says, or a part is missing.
pub async fn told<R>(run: impl FnOnce(PathBuf, &'static Tell<'static>) -> R) -> anyhow::Result<()>
where
    R: Future<Output = anyhow::Result<Figures>>,
{
    fn print(text: &str) {
        use std::io::Write as _;
        // Where nobody reads there is nobody to tell.
        let _ = writeln!(std::io::stdout(), "{text}");
    }
    let folder = tempfile::Builder::new()
        .prefix("countersign-lab-")
        .tempdir()?;
    let figures = run(folder.path().to_owned(), &print).await?;
    print("");
    print(figures.table().trim_end());
    Ok(())
}

/// Waits until `done` gives something.
///
/// # Errors
/// Where it does not within half a minute.
async fn until<T>(what: &str, mut done: impl FnMut() -> Option<T>) -> anyhow::Result<T> {
    let began = Instant::now();
    loop {
        if let Some(found) = done() {
            return Ok(found);
        }
        ensure!(began.elapsed() < SOON, "waited in vain until {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Runs a program and gives what it printed.
///
/// # Errors
/// Where it is missing or does not end well.
async fn run(words: &[&str]) -> anyhow::Result<String> {
    let output = output(words).await?;
    if !output.status.success() {
        bail!(
            "`{}` ended with {}: {}",
            words.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(String::from_utf8(output.stdout)?)
}

async fn output(words: &[&str]) -> anyhow::Result<Output> {
    let (program, arguments) = words.split_first().context("no program")?;
    Command::new(program)
        .args(arguments)
        .stdin(std::process::Stdio::null())
        .output()
        .await
        .with_context(|| {
            format!(
                "`{program}` does not start; `cargo xtask setup` installs what laboratories need"
            )
        })
}

/// A health check of the kind `command` in a laboratory's folder, and an envelope that asks it.
fn checked(folder: &Path, name: &str, script: &str) -> anyhow::Result<(PathBuf, String)> {
    let program = folder.join(name);
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n"))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
    }
    let envelope = crate::organisation::envelope(chrono::Utc::now()).replace(
        "service-up: { kind: http, path: /healthz, expect: 200, timeout: 5s }",
        &format!(
            "service-up: {{ kind: command, command: [\"{}\"], timeout: 5s }}",
            program.display()
        ),
    );
    Ok((program, envelope))
}

/// A document with these members in place of its own.
fn with<const N: usize>(mut document: Value, members: [(&str, Value); N]) -> Value {
    if let Some(own) = document.as_object_mut() {
        own.extend(members.map(|(name, value)| (name.to_owned(), value)));
    }
    document
}

/// A member of a document, or null.
fn member(document: &Value, name: &str) -> Value {
    document.get(name).cloned().unwrap_or_default()
}

/// Writes a file in one step, so that nobody reads half of it.
fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    let new = path.with_extension("new");
    std::fs::write(&new, text)?;
    std::fs::rename(&new, path)?;
    Ok(())
}

/// What a part reported last.
fn report<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}
