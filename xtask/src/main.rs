//! Builds, demonstrates and tests Countersign. Needs Rust and Node; installs the rest.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line tool speaks on the terminal"
)]

mod arrows;
mod build;
mod cedar;
mod checks;
mod demo;
mod desktop;
mod fuzz;
mod generate;
mod kill;
mod process;
mod setup;
mod simulate;
mod tools;
mod ui;
mod workspace;

use std::env;
use std::path::{PathBuf, absolute};
use std::process::ExitCode;

use demo::Audience;
use desktop::Desktop;
use generate::Drift;
use process::{Failure, Outcome, run};
use setup::{Consent, Purpose};
use workspace::Workspace;

const USAGE: &str = "\
cargo xtask demo [--headless] [--data DIR] [--yes]   build everything, run the story, open the console
cargo xtask test [--only STEP]... [--yes]            every check and test, or the steps named
cargo xtask build [--yes]                            build every program
cargo xtask lab a|b|c [--yes]                        one of AG-706's scenarios against real parts, ungoverned and governed
cargo xtask bench core|operations [NAME]...          figures, a line of JSON each; all, or those whose names begin so
cargo xtask simulate [--seeds N] [--from SEED]       operations under crashes, lost answers and decisions at once
cargo xtask kill [--times N]                         kill the real backend in the middle of operations, 300 times or N
cargo xtask generate [--check]                       make the generated files anew, or only compare
cargo xtask setup [--yes]                            install what building, demonstrating and testing need
cargo xtask desktop PROGRAM [ARGUMENT]...            run a program on a desktop without a display
cargo xtask help

--yes      install missing system packages without asking
--headless without a display; implied where there is none
--seeds    how many stories, 10000 where nothing is said
--from     the first seed; where nothing is said, one that was never tried
--data     where the demonstration's backend keeps its store, to be opened again

The steps of `test`, in order:";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match dispatch(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nerror: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(arguments: &[String]) -> Outcome {
    let (subcommand, rest) = match arguments.split_first() {
        Some((subcommand, rest)) => (subcommand.as_str(), rest),
        None => ("help", arguments),
    };
    let workspace = Workspace::find()?;
    if subcommand == "desktop" {
        return on_desktop(&workspace, rest);
    }
    if subcommand == "bench" {
        return bench(&workspace, rest);
    }
    if subcommand == "lab" {
        return lab(&workspace, rest);
    }
    let allowed: &[&str] = match subcommand {
        "demo" => &["--headless", "--data", "--yes"],
        "test" => &["--only", "--yes"],
        "build" | "setup" => &["--yes"],
        "simulate" => &["--seeds", "--from"],
        "kill" => &["--times"],
        "generate" => &["--check"],
        _ => &[],
    };
    let options = Options::read(rest, allowed)?;
    match subcommand {
        "demo" => {
            let audience = if options.headless {
                Audience::Driver
            } else {
                Audience::here()
            };
            demo::demo(&workspace, audience, options.data, options.consent)
        }
        "test" => {
            setup::ensure(Purpose::Test, options.consent)?;
            checks::test(&workspace, &options.only)
        }
        "build" => {
            setup::ensure(Purpose::Build, options.consent)?;
            build::everything(&workspace)
        }
        "generate" => generate::bindings(&workspace, options.drift),
        "kill" => kill::kill(&workspace, options.times.unwrap_or(kill::TIMES)),
        "simulate" => simulate::simulate(
            &workspace,
            options.seeds.unwrap_or(simulate::SEEDS_BY_COMMAND),
            options.from.unwrap_or_else(simulate::fresh),
        ),
        "setup" => set_up(options.consent),
        "help" | "--help" | "-h" => {
            println!("{USAGE}");
            for step in checks::STEPS {
                println!("  {:<14} {}", step.name, step.about);
            }
            Ok(())
        }
        unknown => Err(Failure::new(format!(
            "there is no `cargo xtask {unknown}`; see `cargo xtask help`"
        ))),
    }
}

fn set_up(consent: Consent) -> Outcome {
    setup::ensure(Purpose::Test, consent)?;
    match setup::instructions() {
        None => println!("Everything that building, demonstrating and testing need is here."),
        Some(instructions) => println!(
            "Rust and Node are here. The system packages are yours to install:\n{instructions}"
        ),
    }
    Ok(())
}

fn on_desktop(workspace: &Workspace, command: &[String]) -> Outcome {
    let Some((program, arguments)) = command.split_first() else {
        return Err(Failure::new(
            "which program? `cargo xtask desktop PROGRAM [ARGUMENT]...`",
        ));
    };
    setup::ensure(Purpose::Headless, Consent::Ask)?;
    let desktop = Desktop::start()?;
    run(desktop.command(workspace, program).args(arguments))
}

fn bench(workspace: &Workspace, arguments: &[String]) -> Outcome {
    let Some((what, names)) = arguments.split_first() else {
        return Err(Failure::new(
            "which figures? `cargo xtask bench core` or `cargo xtask bench operations`",
        ));
    };
    if !["core", "operations"].contains(&what.as_str()) {
        return Err(Failure::new(format!(
            "there are no figures of `{what}`; write `cargo xtask bench core` or `operations`"
        )));
    }
    // Each target prints those of its figures that are asked for.
    let target = |package: &str, name: &str| {
        run(workspace
            .cargo("bench")
            .args(["--locked", "--package", package, "--bench", name, "--"])
            .args(names))
    };
    if what == "core" {
        if !cedar::is_all(names) {
            target("countersign-core", "core")?;
        }
        if cedar::is_wanted(names) {
            cedar::bench(workspace, names)?;
        }
        return Ok(());
    }
    let is_stored = |name: &String| name.starts_with("operations.stored");
    if names.is_empty() || !names.iter().all(is_stored) {
        target("countersign-core", "operations")?;
    }
    if names.is_empty() || names.iter().any(is_stored) {
        target("countersign-server", "stored")?;
    }
    Ok(())
}

fn lab(workspace: &Workspace, arguments: &[String]) -> Outcome {
    let (which, rest) = match arguments.split_first() {
        Some((which, rest)) if ["a", "b", "c"].contains(&which.as_str()) => (which, rest),
        Some(_) | None => return Err(Failure::new("which laboratory? `cargo xtask lab a|b|c`")),
    };
    let options = Options::read(rest, &["--yes"])?;
    setup::ensure(Purpose::Test, options.consent)?;
    build::everything(workspace)?;
    run(workspace
        .command(workspace.binary("countersign-demonstration"))
        .args(["lab", which]))
}

fn number(option: &str, text: &str) -> Outcome<u64> {
    text.parse()
        .map_err(|_| Failure::new(format!("`{option}` needs a number, not `{text}`")))
}

struct Options {
    headless: bool,
    data: Option<PathBuf>,
    only: Vec<String>,
    seeds: Option<u64>,
    from: Option<u64>,
    times: Option<u64>,
    drift: Drift,
    consent: Consent,
}

impl Options {
    fn read(arguments: &[String], allowed: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            headless: false,
            data: None,
            only: Vec::new(),
            seeds: None,
            from: None,
            times: None,
            drift: Drift::Mend,
            consent: Consent::Ask,
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            if !allowed.contains(&argument.as_str()) {
                return Err(Failure::new(format!(
                    "`{argument}` means nothing here; see `cargo xtask help`"
                )));
            }
            let mut value = || {
                let value = arguments.next();
                value.ok_or_else(|| {
                    Failure::new(format!(
                        "`{argument}` needs a value; see `cargo xtask help`"
                    ))
                })
            };
            match argument.as_str() {
                "--headless" => options.headless = true,
                "--data" => {
                    let folder = value()?;
                    let folder = absolute(folder)
                        .map_err(Failure::of(format!("cannot use folder `{folder}`")))?;
                    options.data = Some(folder);
                }
                "--only" => options.only.push(value()?.clone()),
                "--seeds" => options.seeds = Some(number(argument, value()?)?),
                "--times" => options.times = Some(number(argument, value()?)?),
                "--from" => options.from = Some(number(argument, value()?)?),
                "--check" => options.drift = Drift::Refuse,
                _ => options.consent = Consent::Given,
            }
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(arguments: &[&str], allowed: &[&str]) -> Result<Options, String> {
        let arguments: Vec<String> = arguments.iter().map(ToString::to_string).collect();
        Options::read(&arguments, allowed).map_err(|failure| failure.to_string())
    }

    #[test]
    fn options_are_read() {
        let options = read(
            &["--only", "ui", "--yes", "--only", "unit"],
            &["--only", "--yes"],
        )
        .unwrap();
        assert_eq!(options.only, ["ui", "unit"]);
        assert!(options.consent == Consent::Given);
    }

    #[test]
    fn what_means_nothing_is_refused() {
        for (arguments, expected) in [
            (
                ["--data"].as_slice(),
                "`--data` needs a value; see `cargo xtask help`",
            ),
            (
                ["--only"].as_slice(),
                "`--only` means nothing here; see `cargo xtask help`",
            ),
        ] {
            assert_eq!(
                read(arguments, &["--data"]).err().as_deref(),
                Some(expected)
            );
        }
    }
}
