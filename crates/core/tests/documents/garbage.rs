//! Garbage of every size and shape: an error, soon, and never a panic.

use std::time::{Duration, Instant};

use countersign_core::diagnostic::DocumentError;
use countersign_core::document;
use proptest::prelude::*;

use crate::{ENVELOPE, FIREWALL, HISTORY, TOPOLOGY};

type Reader = (&'static str, fn(&[u8]) -> Result<(), DocumentError>);

const READERS: [Reader; 4] = [
    ("envelope", |bytes| document::envelope(bytes).map(drop)),
    ("topology", |bytes| document::topology(bytes).map(drop)),
    ("proposal", |bytes| document::proposal(bytes).map(drop)),
    ("history", |bytes| document::history(bytes).map(drop)),
];

const SIZE: usize = 10 << 20;

/// Far above what an unoptimised build needs, far below what a quadratic reader would.
const SOON: Duration = Duration::from_secs(30);

fn refused_soon(shape: &str, bytes: &[u8]) {
    for (kind, read) in READERS {
        let start = Instant::now();
        let error = read(bytes).expect_err("garbage is no document");
        assert!(
            start.elapsed() < SOON,
            "{shape} as {kind}: {:?}",
            start.elapsed()
        );
        assert!(!error.diagnostics.is_empty());
        assert!(error.diagnostics.len() <= document::limits::DIAGNOSTICS_MAX + 1);
        for d in &error.diagnostics {
            assert!(d.line > 0 && d.column > 0 && !d.mend.is_empty(), "{d:?}");
            assert!(
                d.message.len() < 1_000,
                "{shape} as {kind}: {} bytes",
                d.message.len()
            );
        }
    }
}

#[test]
fn ten_megabytes_of_random_bytes() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    })
    .take(SIZE)
    .collect();
    refused_soon("random bytes", &bytes);
    let text: Vec<u8> = bytes.iter().map(|b| b' ' + b % 95).collect();
    refused_soon("random text", &text);
    let lines: Vec<u8> = bytes
        .iter()
        .map(|b| if *b < 8 { b'\n' } else { b' ' + b % 95 })
        .collect();
    refused_soon("random lines", &lines);
}

#[test]
fn ten_megabytes_of_one_thing() {
    for unit in [
        "[",
        "{",
        "]",
        "\"",
        "a: ",
        "a: \n",
        "- ",
        "- \n",
        "\n",
        " ",
        "\t",
        "#",
        "# \n",
        "a",
        "1",
        "&a ",
        "*a ",
        "!a ",
        "? ",
        ": ",
        "---\n",
        "%",
        "|\n",
        "'",
        "\\",
        "\u{feff}",
        "\0",
        "é",
        "{\"a\":",
        "[[],",
        "a: [b, c]\n",
        "a: &x [*x]\n",
        "[1,",
        "{a: b, ",
    ] {
        refused_soon(unit, unit.repeat(SIZE / unit.len()).as_bytes());
    }
}

#[test]
fn many_values_within_a_document() {
    let numbers = "{\"agent\": [".to_owned() + &"1,".repeat(SIZE / 2) + "1]}";
    refused_soon("a long list", numbers.as_bytes());
    let names: String = (0..SIZE / 16).map(|i| format!("\"n{i:08}\":0,")).collect();
    refused_soon("many fields", format!("{{{names}\"x\":0}}").as_bytes());
    let labels: String = (0..100_000).map(|i| format!("l{i}: x\n")).collect();
    refused_soon("many lines", labels.as_bytes());
    let wide = format!("a: {}", "x".repeat(SIZE));
    refused_soon("one long text", wide.as_bytes());
}

/// Optimised, the size of a real one; unoptimised, a tenth, which a quadratic reader would not
/// finish either.
const SYSTEMS: u64 = if cfg!(debug_assertions) {
    10_000
} else {
    100_000
};

#[test]
fn a_topology_of_real_size_is_read_soon() {
    let mut text = String::from(
        "schema: countersign/topology/v1\nobserved_at: 2026-11-24T01:30:00Z\nsource: cmdb\nsystems:\n",
    );
    for i in 0..SYSTEMS {
        let (a, b, c) = (i >> 16, (i >> 8) & 255, i & 255);
        text.push_str(&format!(
            "  - {{ id: host-{i}, class: linux-server, tier: non-critical, addresses: [10.{a}.{b}.{c}], labels: {{ env: prod }}, redundancy: {{ group: g{}, min_healthy: 1 }} }}\n",
            i / 10
        ));
    }
    for i in 0..SYSTEMS / 400 {
        let (a, b) = (i >> 8, i & 255);
        text.push_str(&format!(
            "  - {{ id: seg-{i}, class: network-segment, tier: non-critical, cidr: 10.{a}.{b}.0/24 }}\n"
        ));
    }
    text.push_str("dependencies:\n");
    for i in 0..SYSTEMS * 5 {
        let (from, to) = (i % SYSTEMS, (i * 7919 + i / SYSTEMS) % SYSTEMS);
        text.push_str(&format!(
            "  - {{ from: host-{from}, to: host-{to}, kind: runtime, strength: hard }}\n"
        ));
    }
    let start = Instant::now();
    let checked = document::topology(&text).unwrap();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    assert_eq!(checked.document.dependencies.len() as u64, SYSTEMS * 5);
}

#[test]
fn a_billion_laughs() {
    let mut text = String::from("a0: &a0 [lol, lol, lol]\n");
    for i in 1..30 {
        let list = vec![format!("*a{}", i - 1); 10].join(", ");
        text.push_str(&format!("a{i}: &a{i} [{list}]\n"));
    }
    refused_soon("a billion laughs", text.as_bytes());
    let errors = crate::errors(document::envelope(&text));
    assert!(errors.contains("anchor"), "{errors}");
}

#[test]
fn nothing_at_all() {
    for text in [
        "",
        " ",
        "\n\n",
        "# only a comment\n",
        "---\n",
        "null",
        "~",
        "[]",
        "7",
        "\"\"",
    ] {
        refused_soon(text, text.as_bytes());
    }
}

#[test]
fn a_document_cut_short_anywhere() {
    for (index, text) in [ENVELOPE, TOPOLOGY, FIREWALL, HISTORY]
        .into_iter()
        .enumerate()
    {
        let (_, read) = READERS[index];
        for end in 0..text.len() {
            if let Err(error) = read(&text.as_bytes()[..end]) {
                assert!(!error.diagnostics.is_empty());
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        for (_, read) in READERS {
            let _ = read(&bytes);
        }
    }

    #[test]
    fn any_text_of_their_characters(text in "[-\\[\\]{}:,'\"#&*!|>%@`~?\\\\ \n\tae0.é\u{202e}]{0,200}") {
        for (_, read) in READERS {
            let _ = read(text.as_bytes());
        }
    }

    #[test]
    fn any_change_of_an_example(which in 0_usize..4, at in any::<prop::sample::Index>(), length in 0_usize..40, with in "[-\\[\\]{}:,'\"#&*0-9a-z \n]{0,12}") {
        let text = [ENVELOPE, TOPOLOGY, FIREWALL, HISTORY][which];
        let mut bytes = text.as_bytes().to_vec();
        let start = at.index(bytes.len());
        let end = (start + length).min(bytes.len());
        bytes.splice(start..end, with.bytes());
        let (_, read) = READERS[which];
        if let Err(error) = read(&bytes) {
            for d in error.diagnostics {
                let line = bytes.split(|b| *b == b'\n').nth(usize::try_from(d.line).unwrap() - 1);
                prop_assert!(line.is_some(), "{d:?} points beyond the document");
                let columns = String::from_utf8_lossy(line.unwrap()).chars().count() as u64 + 1;
                prop_assert!(d.column <= columns, "{d:?} points beyond its line");
            }
        }
    }
}
