//! `verify-permit`: what stands before a guarded executor. It reads a call from standard input, checks
//! the permit in it, remembers that it was used, and only then runs the executor with the same call.
//!
//! Nothing of a backend is believed here but what people's keys signed (countersign_core::permit).

mod artefact;
mod store;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use chrono::Utc;
use clap::Args;
use countersign_core::canonical;
use countersign_core::permit::{self, Admission, CallVerb, ExecutorCall, Guard, Remembered};
use serde_json::json;

use crate::output::{Failure, plain, print};
use store::Store;

/// Largest call, bytes: the briefing of a rollout on 100,000 systems is some 10 MB.
const CALL_BYTES_MAX: u64 = 64 << 20;
/// Largest answer of an executor, bytes; the backend reads no more.
const ANSWER_BYTES_MAX: u64 = 1 << 20;

/// Check the permit of a call on standard input, and run the guarded executor only where it holds
///
/// Put it before the executor's own command: `verify-permit --guard /etc/countersign/guard.json
/// --store /var/lib/countersign/guard -- PROGRAM …`. Without PROGRAM it answers the call itself, for an
/// executor that asks first. Each permit is used up by this. Exits with 1 where it refuses.
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The guard's own file: pinned genesis, guarded systems, the least quorum
    #[arg(long, value_name = "FILE")]
    guard: PathBuf,
    /// The folder in which used permits are remembered; nobody else may write it
    #[arg(long, value_name = "FOLDER")]
    store: PathBuf,
    /// The folder with files to be installed, each called as its SHA-256
    #[arg(long, value_name = "FOLDER")]
    artefacts: Option<PathBuf>,
    /// The executor and its arguments
    #[arg(last = true, value_name = "PROGRAM")]
    program: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// [`Failure`] where guard or store cannot be used, and where the permit does not hold. Each is answered
/// on standard output as well, so that the backend hears the reason.
pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let done = guarded(arguments);
    if let Err(failure) = &done {
        let answer = json!({"ok": false, "message": plain(&failure.to_string())});
        print(&answer.to_string())?;
    }
    done
}

fn guarded(arguments: &Arguments) -> Result<(), Failure> {
    let guard = read_guard(&arguments.guard)?;
    let mut text = Vec::new();
    std::io::stdin()
        .take(CALL_BYTES_MAX)
        .read_to_end(&mut text)?;
    let mut call: ExecutorCall = serde_json::from_slice(&text).map_err(|error| {
        Failure::refused(
            "call_malformed",
            format!("the call cannot be read: {error}"),
        )
    })?;
    let store = Store::open(&arguments.store)?;
    match admit(arguments, &guard, &store, &call)? {
        Admitted::Nothing => {
            let message = "nothing was ever applied here, so nothing is undone";
            return print(&json!({"ok": true, "message": message}).to_string());
        }
        Admitted::Act => {}
    }
    // The executor reads what was checked, and not another spelling of it.
    call.permit = None;
    if arguments.program.is_empty() {
        return print(&json!({"ok": true}).to_string());
    }
    let answer = execute(&arguments.program, &call)?;
    if call.verb == CallVerb::Snapshot {
        remember_snapshot(&store, &call, &answer)?;
    }
    let mut out = std::io::stdout().lock();
    out.write_all(&answer)?;
    Ok(out.flush()?)
}

/// What is to be done with an admitted call.
enum Admitted {
    /// It.
    Act,
    /// Nothing.
    Nothing,
}

/// Checks and remembers, in one go that no other call comes between.
fn admit(
    arguments: &Arguments,
    guard: &Guard,
    store: &Store,
    call: &ExecutorCall,
) -> Result<Admitted, Failure> {
    let mut locked = store.lock()?;
    let memory = locked.memory()?;
    let admission = permit::check(guard, &memory, call, Utc::now())
        .map_err(|refusal| Failure::refused(refusal.code(), format!("refused: {refusal}")))?;
    match admission {
        Admission::Free => Ok(Admitted::Act),
        Admission::Admitted { remember, artefact } => {
            if let Some(digest) = artefact {
                artefact::check(arguments.artefacts.as_deref(), &digest)?;
            }
            locked.remember(&remember)?;
            Ok(Admitted::Act)
        }
        Admission::NothingToUndo { remember } => {
            locked.remember(&remember)?;
            Ok(Admitted::Nothing)
        }
    }
}

fn read_guard(path: &Path) -> Result<Guard, Failure> {
    let text = std::fs::read(path).map_err(|cause| Failure::Unreadable {
        path: path.display().to_string(),
        cause,
    })?;
    serde_json::from_slice(&text).map_err(|error| {
        Failure::Invalid(format!(
            "`{}` is no guard: {error}; docs/operations.md shows one",
            path.display()
        ))
    })
}

/// Runs the executor and gives what it answered, where it ended well.
fn execute(program: &[String], call: &ExecutorCall) -> Result<Vec<u8>, Failure> {
    let Some((name, arguments)) = program.split_first() else {
        return Ok(Vec::new());
    };
    let failed = |what: String| Failure::refused("executor_failed", what);
    let mut child = Command::new(name)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed(format!("the executor `{name}` does not start: {error}")))?;
    let mut text = serde_json::to_vec(call).map_err(|error| failed(error.to_string()))?;
    text.push(b'\n');
    if let Some(mut stdin) = child.stdin.take() {
        // An executor that answers without reading is free to.
        match stdin.write_all(&text) {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                return Err(error.into());
            }
            Ok(()) | Err(_) => {}
        }
    }
    let mut answer = Vec::new();
    if let Some(stdout) = child.stdout.take() {
        stdout.take(ANSWER_BYTES_MAX).read_to_end(&mut answer)?;
    }
    let status = child.wait()?;
    if status.success() {
        return Ok(answer);
    }
    // What it says of its failure is worth more than that it failed.
    let said = serde_json::from_slice::<serde_json::Value>(&answer)
        .ok()
        .and_then(|answer| Some(answer.get("message")?.as_str()?.to_owned()));
    Err(failed(said.unwrap_or_else(|| {
        format!("the executor ended with {status} and no message")
    })))
}

/// A system can be put back only into a state that was seen here.
fn remember_snapshot(store: &Store, call: &ExecutorCall, answer: &[u8]) -> Result<(), Failure> {
    let (Some(operation), Some(system)) = (&call.operation, &call.system) else {
        return Ok(());
    };
    let answer: serde_json::Value = serde_json::from_slice(answer).map_err(|_| {
        Failure::refused(
            "executor_failed",
            "the executor gave no answer to a snapshot",
        )
    })?;
    let Some(snapshot) = answer.get("snapshot") else {
        return Ok(());
    };
    let digest = canonical::digest(snapshot)
        .map_err(|error| Failure::refused("executor_failed", format!("the snapshot: {error}")))?;
    store.lock()?.remember(&[Remembered::Snapshot {
        operation: operation.clone(),
        system: system.clone(),
        digest,
    }])
}
