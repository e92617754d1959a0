//! The simulator as a command: `cargo xtask simulate --seeds N --from SEED`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "a command reads a clock and prints"
)]

#[path = "../tests/simulation/simulator/mod.rs"]
mod simulator;

use std::process::ExitCode;
use std::time::Instant;

/// Stories between two lines of progress.
const TOLD_EVERY: u64 = 2_500;

fn main() -> ExitCode {
    let numbers: Vec<u64> = std::env::args()
        .skip(1)
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let [seeds, from] = numbers[..] else {
        // Cargo runs every bench on `cargo bench`.
        println!("nothing is simulated: write `cargo xtask simulate --seeds N --from SEED`");
        return ExitCode::SUCCESS;
    };
    println!("simulating {seeds} seeds from {from}");
    let began = Instant::now();
    let mut report = simulator::Report::default();
    for seed in (from..).take(usize::try_from(seeds).unwrap_or(usize::MAX)) {
        match simulator::run(seed, simulator::NO_BUG) {
            Ok(one) => report.add(one),
            Err(violation) => {
                eprintln!("seed {seed}: {}", violation.0);
                eprintln!("again: cargo xtask simulate --seeds 1 --from {seed}");
                return ExitCode::FAILURE;
            }
        }
        if report.seeds.is_multiple_of(TOLD_EVERY) {
            println!("{} seeds in {:.1?}", report.seeds, began.elapsed());
        }
    }
    println!(
        "{} seeds, {} steps, {} faults, {} invariant checks, no violation, in {:.1?}",
        report.seeds,
        report.steps,
        report.faults.values().sum::<u64>(),
        report.checks,
        began.elapsed()
    );
    for (name, times) in &report.faults {
        println!("  {times:>9} {name}");
    }
    for (ending, times) in &report.endings {
        println!("  {times:>9} ended {ending}");
    }
    ExitCode::SUCCESS
}
