//! `verify-permit` as a guarded executor's command line. What it admits and refuses of real signatures is
//! tested in the core, and end to end in laboratory C.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

fn guard() -> Value {
    json!({
        "schema": "countersign/guard/v1", "genesis": "00".repeat(32),
        "guarded": { "only": { "systems": ["plc-1"] } },
        "quorum": { "needed": 2, "roles": ["soc-lead"] }, "order_life": "2m", "clock_skew": "5s",
    })
}

fn call(system: &str) -> Value {
    json!({
        "verb": "apply", "operation": "op-1", "sequence": 1, "attempt": 1, "system": system,
        "action": { "type": "host-isolate", "parameters": {} }, "evidence": [],
    })
}

/// Asks with this guard; exit code, answer, and what the executor read.
fn ask(guard: &str, call: &str, script: &str) -> (Option<i32>, Value, String) {
    let folder = TempDir::new().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("guard.json"), guard).unwrap();
    let read = path("read");
    let script = format!("cat > '{}'; {script}", read.display());
    let mut child = Command::new(env!("CARGO_BIN_EXE_countersignctl"))
        .args([
            Path::new("verify-permit"),
            Path::new("--guard"),
            &path("guard.json"),
            Path::new("--store"),
            &path("store"),
        ])
        .args(["--", "sh", "-c", &script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let sent = child.stdin.take().unwrap().write_all(call.as_bytes());
    drop(sent);
    let output = child.wait_with_output().unwrap();
    (
        output.status.code(),
        serde_json::from_slice(&output.stdout).unwrap(),
        std::fs::read_to_string(read).unwrap_or_default(),
    )
}

#[test]
fn what_is_not_guarded_passes_through() {
    let (code, answer, read) = ask(
        &guard().to_string(),
        &call("lamp-1").to_string(),
        r#"echo '{"ok":true}'"#,
    );
    assert_eq!((code, answer), (Some(0), json!({"ok": true})));
    assert_eq!(
        serde_json::from_str::<Value>(&read).unwrap(),
        call("lamp-1")
    );
    // An executor that fails says so, through the guard as without it.
    let (code, answer, _) = ask(
        &guard().to_string(),
        &call("lamp-1").to_string(),
        r#"echo '{"ok":false,"message":"no relay"}'; exit 1"#,
    );
    assert_eq!(code, Some(1));
    assert_eq!(answer["ok"], json!(false));
    assert!(
        answer["message"].as_str().unwrap().contains("no relay"),
        "{answer}"
    );
}

#[test]
fn what_is_guarded_reaches_no_executor_without_a_permit() {
    let twice = call("lamp-1").to_string().replace(
        r#""system":"lamp-1""#,
        r#""system":"lamp-1","system":"plc-1""#,
    );
    let bad_guard = guard().to_string().replace("order_life", "life");
    for (guard, call, expected) in [
        (guard().to_string(), call("plc-1").to_string(), "no_permit"),
        (guard().to_string(), twice, "call_malformed"),
        (guard().to_string(), "nonsense".to_owned(), "call_malformed"),
        (bad_guard, call("lamp-1").to_string(), "is no guard"),
    ] {
        let (code, answer, read) = ask(&guard, &call, r#"echo '{"ok":true}'"#);
        assert_ne!(code, Some(0), "{call}");
        assert_eq!(answer["ok"], json!(false), "{call}");
        let message = answer["message"].as_str().unwrap();
        assert!(message.contains(expected), "{call}: {message}");
        assert_eq!(read, "", "the executor was called");
    }
}
