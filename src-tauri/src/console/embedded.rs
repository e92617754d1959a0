//! The embedded backend: `countersignd` beside this program, a child that ends with it.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

/// Longest wait for it to listen.
const START_LIMIT: Duration = Duration::from_secs(30);
/// The longest line it says, bytes.
const LINE_BYTES_MAX: u64 = 4_096;

/// A running embedded backend.
#[derive(Debug)]
pub struct Embedded {
    /// Its address.
    pub url: String,
    /// Killed where it does not end by itself.
    _child: Child,
    /// It ends when this closes.
    _stdin: ChildStdin,
}

/// Why there is no embedded backend.
#[derive(Debug, Error)]
pub enum EmbeddedError {
    /// There is none beside this program.
    #[error("there is no countersignd beside this program; connect to a backend")]
    Absent,
    /// It does not start or say where it listens.
    #[error("the embedded backend does not start: {0}")]
    Start(String),
}

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

impl Embedded {
    /// Starts it on the data in `data`, with `token` for its operator.
    ///
    /// # Errors
    /// [`EmbeddedError`].
    pub async fn start(data: &Path, token: &str) -> Result<Self, EmbeddedError> {
        let start = |error: &dyn std::fmt::Display| EmbeddedError::Start(error.to_string());
        let own = std::env::current_exe().map_err(|error| start(&error))?;
        let program = own.with_file_name(format!("countersignd{}", std::env::consts::EXE_SUFFIX));
        if !program.is_file() {
            return Err(EmbeddedError::Absent);
        }
        std::fs::create_dir_all(data).map_err(|error| start(&error))?;
        let mut child = Command::new(program)
            .arg("serve")
            .arg("--data")
            .arg(data)
            .args([
                "--listen",
                "127.0.0.1:0",
                "--token-stdin",
                "--exit-with-stdin",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| start(&error))?;
        let (Some(mut stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(start(&"it has no standard input or output"));
        };
        stdin
            .write_all(format!("{token}\n").as_bytes())
            .await
            .map_err(|error| start(&error))?;
        stdin.flush().await.map_err(|error| start(&error))?;
        let mut line = String::new();
        let mut stdout = BufReader::new(stdout.take(LINE_BYTES_MAX));
        tokio::time::timeout(START_LIMIT, stdout.read_line(&mut line))
            .await
            .map_err(|_| start(&"it said nothing within 30 s"))?
            .map_err(|error| start(&error))?;
        let said: Listening = serde_json::from_str(&line)
            .map_err(|_| start(&format!("it said `{}`", line.trim_end())))?;
        Ok(Self {
            url: said.listening,
            _child: child,
            _stdin: stdin,
        })
    }
}
