//! The demonstration: Northwind in a folder, and its story in the real window or at the terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use countersign_tests::demonstration::{self, Audience};

#[derive(Parser)]
#[command(about = "Demonstrates Countersign on a sample organisation")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Where screenshots and evidence go.
    #[arg(long, default_value = "target/demo")]
    out: PathBuf,
    /// Where the backend keeps its store; a fresh folder that is removed where not given.
    #[arg(long)]
    data: Option<PathBuf>,
    /// Walk through the story instead of leaving the window to a person.
    #[arg(long)]
    headless: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Carry out one request of the backend (JSON on standard input).
    Executor {
        /// Address of the systems.
        #[arg(long)]
        systems: String,
    },
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Executor { systems }) => countersign_tests::executor::run(&systems).await,
        None => {
            let audience = if arguments.headless {
                Audience::Driver
            } else {
                Audience::Person
            };
            demonstration::run(&arguments.out, arguments.data.as_deref(), audience).await
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            use std::io::Write as _;
            let _ = writeln!(std::io::stderr(), "{error:#}");
            ExitCode::FAILURE
        }
    }
}
