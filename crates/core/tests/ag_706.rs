//! docs/ag-706.md names files, items and tests that exist, and leaves no clause out.
#![expect(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test reads the page and the sources it names, and fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn page() -> String {
    fs::read_to_string(root().join("docs/ag-706.md")).unwrap()
}

/// What stands between backticks, with the label in bold that it follows.
fn quoted(page: &str) -> Vec<(String, String)> {
    let mut label = String::new();
    let mut quoted = Vec::new();
    for line in page.lines() {
        if line.is_empty() || line.starts_with('#') {
            label.clear();
        }
        if let Some((name, _)) = line
            .strip_prefix("**")
            .and_then(|rest| rest.split_once(":**"))
        {
            name.clone_into(&mut label);
        }
        let spans = line.split('`').skip(1).step_by(2);
        quoted.extend(spans.map(|span| (label.clone(), span.to_owned())));
    }
    quoted
}

/// Whether `source` defines something named `name`, and whether that is a test.
fn definition(source: &str, name: &str) -> Option<bool> {
    let lines: Vec<&str> = source.lines().collect();
    let is_name = |rest: &str| {
        rest.strip_prefix(name)
            .is_some_and(|after| !after.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    let at = lines.iter().position(|line| {
        ["fn ", "struct ", "enum ", "const ", "type ", "trait "]
            .iter()
            .any(|word| {
                line.split_once(word)
                    .is_some_and(|(before, rest)| !before.contains("//") && is_name(rest))
            })
    })?;
    let above = lines.get(at.saturating_sub(3)..at).unwrap_or_default();
    let is_test = above
        .iter()
        .rev()
        .take_while(|line| !line.trim().is_empty() && line.trim() != "}")
        .any(|line| line.trim().starts_with("#[test]") || line.contains("tokio::test"));
    Some(is_test)
}

/// Why a quotation does not hold; `None` where it does or is no citation.
fn wrong(label: &str, span: &str) -> Option<String> {
    let (path, name) = match span.split_once("::") {
        Some((path, name)) if path.contains('/') => (path, Some(name)),
        Some(_) => return None,
        None => (span, None),
    };
    let known = [
        "crates/",
        "docs/",
        "tests/",
        "profiles/",
        "src-tauri/",
        "xtask/",
    ];
    if !known.iter().any(|prefix| path.starts_with(prefix)) {
        return None;
    }
    if !root().join(path).exists() {
        return Some(format!("there is no `{path}`"));
    }
    let name = name?;
    let source = fs::read_to_string(root().join(path)).unwrap_or_default();
    match definition(&source, name) {
        None => Some(format!("`{path}` defines no `{name}`")),
        Some(false) if label == "Shown by" => Some(format!("`{name}` in `{path}` is not a test")),
        Some(_) => None,
    }
}

#[test]
fn what_the_page_names_exists() {
    let quoted = quoted(&page());
    let wrong: Vec<String> = quoted
        .iter()
        .filter_map(|(label, span)| wrong(label, span))
        .collect();
    assert!(
        wrong.is_empty(),
        "docs/ag-706.md: {}; write what it is called now",
        wrong.join("; ")
    );
    let tests = quoted
        .iter()
        .filter(|(label, _)| label == "Shown by")
        .count();
    assert!(tests >= 12, "{tests} tests are cited");
}

#[test]
fn every_clause_has_a_whole_section() {
    let page = page();
    for clause in 1..=12 {
        let heading = format!("### 4.{clause} ");
        let Some((_, after)) = page.split_once(&heading) else {
            panic!("no section begins with `{heading}`");
        };
        let section = after.split("\n##").next().unwrap();
        for label in ["Asks", "Does", "Where", "Shown by", "Not there yet"] {
            assert!(
                section.contains(&format!("**{label}:**")),
                "4.{clause} lacks `{label}`"
            );
        }
    }
}

#[test]
fn a_citation_that_rots_is_noticed() {
    let here = "crates/core/tests/ag_706.rs";
    for (label, span, expected) in [
        ("Where", "crates/core/src/no_such_file.rs", "there is no"),
        (
            "Where",
            "crates/core/tests/ag_706.rs::no_such_item",
            "defines no",
        ),
        (
            "Shown by",
            "crates/core/tests/ag_706.rs::definition",
            "is not a test",
        ),
        (
            "Shown by",
            "crates/core/tests/ag_706.rs::what_the_page",
            "defines no",
        ),
    ] {
        let told = wrong(label, span).unwrap_or_default();
        assert!(told.contains(expected), "{span}: {told}");
    }
    for name in [
        "what_the_page_names_exists",
        "a_citation_that_rots_is_noticed",
    ] {
        assert_eq!(wrong("Shown by", &format!("{here}::{name}")), None);
    }
}
