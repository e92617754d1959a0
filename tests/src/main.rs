//! The demonstration: Northwind in a folder, and its story in the real window or at the terminal.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use countersign_tests::demonstration::{self, Audience};
use countersign_tests::lab;

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
    /// Run one of AG-706's scenarios against real parts.
    #[command(subcommand)]
    Lab(Lab),
    /// Play a part in a laboratory; it starts these itself.
    #[command(subcommand, hide = true)]
    LabPart(lab::Part),
}

#[derive(Subcommand)]
enum Lab {
    /// Scenario A: a package that breaks hosts, by Ansible.
    A,
    /// Scenario B: a password that 14 servers use, in PostgreSQL.
    B,
    /// Scenario C: two networks around 12 controllers, on nftables.
    C,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        Some(Command::Executor { systems }) => countersign_tests::executor::run(&systems).await,
        Some(Command::Lab(Lab::A)) => lab::told(lab::a::run).await,
        Some(Command::Lab(Lab::B)) => lab::told(lab::b::run).await,
        Some(Command::Lab(Lab::C)) => lab::told(lab::c::run).await,
        Some(Command::LabPart(part)) => part.play().await,
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
