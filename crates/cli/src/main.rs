//! countersignctl: propose, decide, import, assess and verify from a terminal.
//!
//! One module a command. A command returns its exit code: 0 where it did what was asked, 2 where
//! what it was given is not valid (as clap's own usage errors).

mod assess;
mod backtest;
mod conformance;
mod envelope;
mod impact;
mod lint;
mod online;
mod output;
mod read;
mod report;
mod schema;
mod topology;
mod verify;
mod verify_permit;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The command line of Countersign.
#[derive(Debug, Parser)]
#[command(name = "countersignctl", version, about, propagate_version = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Assess(assess::Arguments),
    Backtest(backtest::Arguments),
    Conformance(conformance::Arguments),
    Envelope(envelope::Arguments),
    Impact(impact::Arguments),
    Lint(lint::Arguments),
    Schema(schema::Arguments),
    Topology(topology::Arguments),
    Verify(verify::Arguments),
    VerifyPermit(verify_permit::Arguments),
    #[command(flatten)]
    Online(online::Command),
}

fn main() -> ExitCode {
    let done = match Arguments::parse().command {
        Command::Assess(arguments) => assess::run(&arguments),
        Command::Backtest(arguments) => backtest::run(&arguments),
        Command::Conformance(arguments) => conformance::run(&arguments),
        Command::Envelope(arguments) => envelope::run(&arguments),
        Command::Impact(arguments) => impact::run(&arguments),
        Command::Lint(arguments) => lint::run(&arguments),
        Command::Schema(arguments) => schema::run(&arguments),
        Command::Topology(arguments) => topology::run(&arguments),
        Command::Verify(arguments) => verify::run(&arguments),
        Command::VerifyPermit(arguments) => verify_permit::run(&arguments),
        Command::Online(command) => online::run(&command),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&failure.to_string());
            ExitCode::from(failure.exit_code())
        }
    }
}
