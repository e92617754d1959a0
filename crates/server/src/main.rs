//! countersignd, the remediation backend.

use std::io::{BufRead as _, Read as _, Write as _};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use countersign_server::clock::Clock;
use countersign_server::config::{Config, ConfigError};
use countersign_server::serve::{self, Options, ServeError};
use thiserror::Error;
use tokio::sync::oneshot;
use tracing_subscriber::EnvFilter;

/// The remediation backend of Countersign.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until told to stop.
    Serve(Serve),
}

#[derive(Debug, clap::Args)]
struct Serve {
    /// The data folder; made where it is missing.
    #[arg(long)]
    data: PathBuf,
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// The configuration file (JSON): executors and health checks.
    #[arg(long)]
    config: Option<PathBuf>,
    /// Read the operator's token from the first line of standard input, instead of the data folder.
    #[arg(long)]
    token_stdin: bool,
    /// Stop when standard input closes, as it does when the parent ends.
    #[arg(long)]
    exit_with_stdin: bool,
}

#[derive(Debug, Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Serve(#[from] ServeError),
    #[error("no operator token came on standard input: {0}")]
    Token(std::io::Error),
    #[error("the runtime does not start: {0}")]
    Runtime(std::io::Error),
    #[error("the address could not be printed: {0}")]
    Announce(std::io::Error),
}

fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(
            EnvFilter::try_from_default_env()
                .unwrap_or_else(|_| EnvFilter::new("info,webauthn_rs=off,webauthn_rs_core=off")),
        )
        .init();
    let Command::Serve(serve) = Arguments::parse().command;
    match run(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(error = %failure, "countersignd does not serve");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Serve) -> Result<(), Failure> {
    let config = arguments
        .config
        .as_deref()
        .map(Config::read)
        .transpose()?
        .unwrap_or_default();
    let operator_token = if arguments.token_stdin {
        Some(token_of_stdin()?)
    } else {
        None
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    let result = runtime.block_on(serve(arguments, config, operator_token));
    // The thread that waits for standard input cannot be interrupted.
    runtime.shutdown_background();
    result
}

async fn serve(
    arguments: Serve,
    config: Config,
    operator_token: Option<String>,
) -> Result<(), Failure> {
    let closed = arguments.exit_with_stdin.then(stdin_closed);
    let running = serve::start(Options {
        data: arguments.data,
        listen: arguments.listen,
        config,
        operator_token,
        clock: Clock::system(),
    })
    .await?;
    announce(running.address).map_err(Failure::Announce)?;
    tokio::select! {
        () = told_to_stop() => tracing::info!("told to stop"),
        () = async {
            match closed {
                // An error means that the reading thread is gone, which is as good as closed.
                Some(closed) => drop(closed.await),
                None => std::future::pending().await,
            }
        } => tracing::info!("standard input closed"),
    }
    running.stop().await?;
    Ok(())
}

/// One line of JSON on standard output: ready, and where.
fn announce(address: SocketAddr) -> std::io::Result<()> {
    let mut stdout = std::io::stdout().lock();
    writeln!(
        stdout,
        "{}",
        serde_json::json!({"listening": format!("http://{address}")})
    )?;
    stdout.flush()
}

fn token_of_stdin() -> Result<String, Failure> {
    let mut line = String::new();
    // Bounded: whoever starts us may be wrong about what it sends.
    std::io::stdin()
        .lock()
        .take(4096)
        .read_line(&mut line)
        .map_err(Failure::Token)?;
    Ok(line)
}

/// Told when standard input closes.
fn stdin_closed() -> oneshot::Receiver<()> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut sink = [0; 4096];
        let mut stdin = std::io::stdin().lock();
        while matches!(stdin.read(&mut sink), Ok(read) if read > 0) {}
        // Nobody may be listening any more.
        let _told = sender.send(());
    });
    receiver
}

#[cfg(unix)]
async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}

#[cfg(not(unix))]
async fn told_to_stop() {
    if tokio::signal::ctrl_c().await.is_err() {
        std::future::pending::<()>().await;
    }
}
