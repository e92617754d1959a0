//! RFC 8785 test vectors of cyberphone/json-canonicalization against the canonicaliser that core uses.

#![expect(clippy::disallowed_methods, reason = "the vectors are files")]

use std::fs;
use std::path::Path;

#[test]
fn the_canonicaliser_agrees_with_the_vectors() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors/jcs");
    let mut count = 0;
    for entry in fs::read_dir(folder.join("input")).unwrap() {
        let input = entry.unwrap().path();
        let output = folder.join("output").join(input.file_name().unwrap());
        let value: serde_json::Value = serde_json::from_slice(&fs::read(&input).unwrap()).unwrap();
        let expected = fs::read(output).unwrap();
        let expected = expected.strip_suffix(b"\n").unwrap_or(&expected);
        assert_eq!(
            String::from_utf8(serde_json_canonicalizer::to_vec(&value).unwrap()).unwrap(),
            String::from_utf8(expected.to_vec()).unwrap(),
            "{}",
            input.display()
        );
        count += 1;
    }
    assert_eq!(count, 6);
}

#[test]
fn signed_documents_hold_no_floats() {
    let text = include_str!("vectors/jcs/input/values.json");
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    let error = countersign_core::canonical::to_bytes(&value).unwrap_err();
    assert!(error.to_string().contains("2^53"), "{error}");
}
