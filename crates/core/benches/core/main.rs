//! The core's figures: one line of JSON each, `cargo xtask bench core [NAME]...`.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a bench reads a clock, prints, and fails by panicking"
)]

mod graph;
mod measure;
mod sample;

use measure::Figures;
use peak_alloc::PeakAlloc;

/// Counts what is allocated.
#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;

fn main() {
    let figures = Figures::wanted(std::env::args().skip(1));
    graph::run(&figures);
}
