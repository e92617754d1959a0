//! Documents: what is accepted, what is refused and where, and what does not change a digest.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test's helpers fail the test; garbage must be refused soon, which takes a clock"
)]

use std::fmt::Write as _;

use countersign_core::diagnostic::{Checked, Diagnostic, DocumentError, Level};
use countersign_core::{canonical, document};

const ENVELOPE: &str = include_str!("examples/envelope.yaml");
const TOPOLOGY: &str = include_str!("examples/topology.yaml");
const HISTORY: &str = include_str!("examples/history.json");
const FIREWALL: &str = include_str!("examples/proposal-firewall.json");
const PATCH: &str = include_str!("examples/proposal-patch.json");
const ROTATION: &str = include_str!("examples/proposal-rotation.json");

#[path = "documents/bad.rs"]
mod bad;
#[path = "documents/form.rs"]
mod form;
#[path = "documents/garbage.rs"]
mod garbage;
#[path = "documents/warnings.rs"]
mod warnings;

/// `line:column code message` of each diagnostic of `level`.
fn listed(diagnostics: &[Diagnostic], level: Level) -> String {
    let mut text = String::new();
    for d in diagnostics.iter().filter(|d| d.level == level) {
        writeln!(
            text,
            "{}:{} {} | {} | {}",
            d.line, d.column, d.code, d.message, d.mend
        )
        .unwrap();
    }
    text
}

fn errors<T: std::fmt::Debug>(result: Result<Checked<T>, DocumentError>) -> String {
    listed(&result.unwrap_err().diagnostics, Level::Error)
}

fn digest<T: serde::Serialize>(result: Result<Checked<T>, DocumentError>) -> String {
    let checked = result.unwrap_or_else(|error| panic!("{error}"));
    canonical::digest(&checked.document).unwrap().to_string()
}

#[test]
fn the_examples_are_read() {
    let envelope = document::envelope(ENVELOPE).unwrap();
    assert_eq!(envelope.document.rules.len(), 2);
    assert_eq!(
        listed(&envelope.warnings, Level::Warning),
        "38:3 unused | no rule uses the check `error-rate` | name it in a rule, or remove it\n"
    );
    let topology = document::topology(TOPOLOGY).unwrap();
    assert_eq!(topology.document.systems.len(), 11);
    let warnings = listed(&topology.warnings, Level::Warning);
    let codes: Vec<&str> = warnings
        .lines()
        .filter_map(|l| l.split(' ').nth(1))
        .collect();
    assert_eq!(
        codes,
        [
            "segment-below-inside",
            "segment-below-inside",
            "group-never-healthy"
        ]
    );
    for proposal in [FIREWALL, PATCH, ROTATION] {
        assert_eq!(document::proposal(proposal).unwrap().warnings, []);
    }
    let history = document::history(HISTORY).unwrap();
    assert_eq!(history.document.detections.unwrap().len(), 3);
}
