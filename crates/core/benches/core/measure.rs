//! How a figure is measured and printed.

use std::hint::black_box;
use std::time::{Duration, Instant};

use serde_json::json;

/// Fewest runs of which a median is taken.
pub const RUNS_MIN: usize = 30;

/// What a figure is held against.
#[derive(Debug, Clone, Copy)]
pub enum Against<'a> {
    /// The most it may be.
    Limit(f64),
    /// Another program's figure for the same work.
    Peer(&'a str, f64),
    /// Nothing: it is told for itself.
    Nothing,
}

/// The figures that were asked for.
#[derive(Debug)]
pub struct Figures {
    prefixes: Vec<String>,
}

impl Figures {
    /// From the command line: all, or those whose names begin with one of the arguments.
    pub fn wanted(arguments: impl Iterator<Item = String>) -> Self {
        Self {
            // Cargo itself passes `--bench`.
            prefixes: arguments.filter(|a| !a.starts_with("--")).collect(),
        }
    }

    /// Whether any of these is asked for.
    pub fn want(&self, names: &[&str]) -> bool {
        self.prefixes.is_empty()
            || names
                .iter()
                .any(|name| self.prefixes.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// Prints a figure of which less is better, if it is asked for.
    pub fn print(&self, name: &str, value: f64, unit: &str, against: Against<'_>) {
        if !self.want(&[name]) {
            return;
        }
        let (against, against_value) = match against {
            Against::Limit(limit) => (Some("limit"), Some(limit)),
            Against::Peer(peer, value) => (Some(peer), Some(value)),
            Against::Nothing => (None, None),
        };
        let ratio = against_value.map(|other| (other / value * 100.0).round() / 100.0);
        println!(
            "{}",
            json!({"name": name, "value": round(value), "unit": unit, "against": against,
                   "against_value": against_value.map(round), "ratio": ratio})
        );
    }
}

fn round(value: f64) -> f64 {
    (value * 1_000.0).round() / 1_000.0
}

/// The time of one run.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    black_box(work());
    started.elapsed()
}

/// The times of `runs` runs after a tenth as many for warming up, in ascending order.
pub fn times(runs: usize, mut work: impl FnMut(usize) -> Duration) -> Vec<Duration> {
    for run in 0..runs.div_ceil(10) {
        work(run);
    }
    let mut times: Vec<Duration> = (0..runs).map(work).collect();
    times.sort();
    times
}

/// The median of sorted times, in nanoseconds.
pub fn median_ns(sorted: &[Duration]) -> f64 {
    sorted[sorted.len() / 2].as_nanos() as f64
}

/// The 99th percentile of sorted times, in nanoseconds.
pub fn p99_ns(sorted: &[Duration]) -> f64 {
    sorted[(sorted.len() * 99).div_ceil(100) - 1].as_nanos() as f64
}
