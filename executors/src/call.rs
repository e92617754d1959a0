//! Reading the call and writing the answer.

use std::io::{Read as _, Write as _};
use std::path::Path;
use std::process::ExitCode;

use countersign_core::identifier::{OperationId, SystemId};
use countersign_core::permit::{CallVerb, ExecutorCall};
use countersign_core::proposal::Action;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Failure;

/// Largest call, bytes: a snapshot is in it, and a permit may be.
const CALL_BYTES_MAX: u64 = 64 << 20;

/// What is answered where it was done.
#[derive(Debug, Default, Serialize)]
pub struct Answer {
    ok: bool,
    /// The state of the system, for `snapshot`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub snapshot: Option<serde_json::Value>,
    /// What would be done, a line a step, for `plan`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

impl Answer {
    /// It was done.
    #[must_use]
    pub fn done() -> Self {
        Self {
            ok: true,
            ..Self::default()
        }
    }
}

/// One system and what is asked about it.
#[derive(Debug)]
pub struct Order<'a> {
    /// The operation.
    pub operation: &'a OperationId,
    /// The effect's number in it.
    pub sequence: u64,
    /// The system.
    pub system: &'a SystemId,
    /// The action.
    pub action: &'a Action,
}

/// What the four verbs do.
pub trait Executor {
    /// What would be done about the systems.
    ///
    /// # Errors
    /// [`Failure`].
    fn plan(&self, call: &ExecutorCall) -> Result<Vec<String>, Failure>;
    /// The state of the system, as far as the action changes it; the same for the same state.
    ///
    /// # Errors
    /// [`Failure`].
    fn snapshot(&self, order: &Order<'_>) -> Result<serde_json::Value, Failure>;
    /// Does it, once.
    ///
    /// # Errors
    /// [`Failure`].
    fn apply(&self, order: &Order<'_>) -> Result<(), Failure>;
    /// Undoes it: back to the state of `snapshot`.
    ///
    /// # Errors
    /// [`Failure`].
    fn revert(&self, order: &Order<'_>, snapshot: &serde_json::Value) -> Result<(), Failure>;
}

/// Serves the one call of this process: its one argument is the configuration file.
pub fn serve<E: Executor>(new: impl FnOnce(&Path) -> Result<E, Failure>) -> ExitCode {
    let answered = configuration()
        .and_then(|path| new(Path::new(&path)))
        .and_then(|executor| read().and_then(|call| answer(&executor, &call)));
    let (answer, code) = match answered {
        Ok(answer) => (answer, ExitCode::SUCCESS),
        Err(failure) => (
            Answer {
                ok: false,
                message: Some(failure.to_string()),
                ..Answer::default()
            },
            ExitCode::FAILURE,
        ),
    };
    let mut out = std::io::stdout().lock();
    let written = serde_json::to_writer(&mut out, &answer)
        .map_err(std::io::Error::from)
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush());
    match written {
        Ok(()) => code,
        // Nobody is there to be told.
        Err(_) => ExitCode::FAILURE,
    }
}

fn configuration() -> Result<String, Failure> {
    let mut arguments = std::env::args().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(path), None) => Ok(path),
        (_, _) => Err(Failure::new(
            "the one argument is the configuration file; docs/operations.md describes it",
        )),
    }
}

fn read() -> Result<ExecutorCall, Failure> {
    let mut text = Vec::new();
    std::io::stdin()
        .take(CALL_BYTES_MAX)
        .read_to_end(&mut text)
        .map_err(Failure::of("the call cannot be read"))?;
    serde_json::from_slice(&text).map_err(Failure::of("the call is malformed"))
}

fn answer(executor: &impl Executor, call: &ExecutorCall) -> Result<Answer, Failure> {
    if call.verb == CallVerb::Plan {
        return Ok(Answer {
            steps: executor.plan(call)?,
            ..Answer::done()
        });
    }
    let (Some(operation), Some(sequence), Some(system)) =
        (&call.operation, call.sequence, &call.system)
    else {
        return Err(Failure::new(
            "the call names no operation, sequence or system",
        ));
    };
    let order = Order {
        operation,
        sequence,
        system,
        action: &call.action,
    };
    match call.verb {
        CallVerb::Plan => Ok(Answer::done()),
        CallVerb::Snapshot => Ok(Answer {
            snapshot: Some(executor.snapshot(&order)?),
            ..Answer::done()
        }),
        CallVerb::Apply => executor.apply(&order).map(|()| Answer::done()),
        CallVerb::Revert => {
            let snapshot = call
                .snapshot
                .as_ref()
                .ok_or_else(|| Failure::new("there is no snapshot to go back to"))?;
            executor.revert(&order, snapshot).map(|()| Answer::done())
        }
    }
}

/// The configuration in a JSON file.
///
/// # Errors
/// [`Failure`] where it is none.
pub fn config<T: DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let text = std::fs::read(path).map_err(Failure::of(&format!(
        "the configuration `{}` cannot be read",
        path.display()
    )))?;
    serde_json::from_slice(&text).map_err(Failure::of(&format!(
        "the configuration `{}` is not valid",
        path.display()
    )))
}
