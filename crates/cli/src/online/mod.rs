//! The commands that speak with a backend. Each signs in with a key where it must, decides only
//! what it was told in so many words, and says what came of it.

mod backend;
mod decide;
mod evidence;
mod genesis;
mod import;
mod key;
mod operate;
mod propose;
mod read;
mod register;
mod suspend;

use clap::Subcommand;

use crate::output::Failure;

/// Commands that speak with a backend.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Genesis(genesis::Arguments),
    Import(import::Arguments),
    Register(register::Arguments),
    Drill(operate::Drill),
    Drills(operate::Drills),
    Propose(propose::Arguments),
    Queue(read::Queue),
    Show(read::Show),
    Operations(read::Operations),
    Operation(read::Operation),
    Approve(decide::Approve),
    Reject(decide::Reject),
    Continue(decide::Continue),
    RollBack(decide::RollBack),
    Abort(decide::Abort),
    AuthoriseEnvelope(decide::AuthoriseEnvelope),
    SuspendAutonomy(suspend::Suspend),
    ResumeAutonomy(suspend::Resume),
    Evidence(evidence::Arguments),
}

/// Runs one of them.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(command: &Command) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::refused("no_runtime", &error))?;
    runtime.block_on(async {
        match command {
            Command::Genesis(arguments) => genesis::run(arguments).await,
            Command::Import(arguments) => import::run(arguments).await,
            Command::Register(arguments) => register::run(arguments).await,
            Command::Drill(arguments) => operate::drill(arguments).await,
            Command::Drills(arguments) => operate::drills(arguments).await,
            Command::Propose(arguments) => propose::run(arguments).await,
            Command::Queue(arguments) => read::queue(arguments).await,
            Command::Show(arguments) => read::show(arguments).await,
            Command::Operations(arguments) => read::operations(arguments).await,
            Command::Operation(arguments) => read::operation(arguments).await,
            Command::Approve(arguments) => decide::approve(arguments).await,
            Command::Reject(arguments) => decide::reject(arguments).await,
            Command::Continue(arguments) => decide::go_on(arguments).await,
            Command::RollBack(arguments) => decide::roll_back(arguments).await,
            Command::Abort(arguments) => decide::abort(arguments).await,
            Command::AuthoriseEnvelope(arguments) => decide::authorise_envelope(arguments).await,
            Command::SuspendAutonomy(arguments) => suspend::suspend(arguments).await,
            Command::ResumeAutonomy(arguments) => suspend::resume(arguments).await,
            Command::Evidence(arguments) => evidence::run(arguments).await,
        }
    })
}

/// A value as one JSON object.
fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map_err(|error| Failure::Output(error.into()))
}
