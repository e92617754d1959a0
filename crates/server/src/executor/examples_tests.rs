//! The worked examples of docs/operations.md, run as the backend runs them. (The one of `ansible` is
//! run by laboratory A.)

use std::collections::BTreeSet;
use std::io::BufRead as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};

use countersign_core::identifier::Digest;
use countersign_core::operation::Sequence;
use serde_json::{Value, json};

use super::*;

/// The folder of the examples.
fn examples() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../executors/examples")
}

fn executors(executor: &Value) -> Executors {
    let config: Config = serde_json::from_value(json!({ "executors": [executor] })).unwrap();
    Executors::new(&config.checked().unwrap()).unwrap()
}

/// Plans, applies and reverts an action on `web-1`; the snapshots before, between and after.
async fn there_and_back(executors: &Executors, action: &Value) -> (Plan, [String; 3]) {
    let action: Action = serde_json::from_value(action.clone()).unwrap();
    let systems = BTreeSet::from(["web-1".parse().unwrap()]);
    let plan = executors
        .plan(&"item-1".parse().unwrap(), &action, &systems)
        .await;
    let executor = executors.of(action.kind()).unwrap();
    let mut sequence = 0;
    let mut ask = async |verb: Verb| {
        sequence += 1;
        let call = Call {
            verb,
            operation: "op-1".parse().unwrap(),
            sequence: Sequence::new(sequence),
            attempt: 1,
            system: "web-1".parse().unwrap(),
            action: action.clone(),
            evidence: BTreeSet::new(),
            permit: None,
        };
        let answer = executor.call(&call).await.unwrap();
        String::from_utf8(answer.snapshot.unwrap_or_default()).unwrap()
    };
    let before = ask(Verb::Snapshot).await;
    ask(Verb::Apply).await;
    let between = ask(Verb::Snapshot).await;
    let snapshot = Some(serde_json::from_str(&before).unwrap());
    ask(Verb::Revert { snapshot }).await;
    let after = ask(Verb::Snapshot).await;
    (plan, [before, between, after])
}

#[tokio::test]
async fn a_command() {
    let folder = tempfile::tempdir().unwrap();
    let (systems, content) = (folder.path().join("systems"), folder.path().join("content"));
    std::fs::create_dir_all(systems.join("web-1")).unwrap();
    std::fs::create_dir_all(&content).unwrap();
    std::fs::write(systems.join("web-1/motd"), "hello\n").unwrap();
    let digest = Digest::of(b"maintenance\n").to_string();
    std::fs::write(content.join(&digest), "maintenance\n").unwrap();
    let executors = executors(&json!({
        "name": "motd", "actions": ["config-change"], "timeout": "30s", "honesty": "declared",
        "command": ["python3", examples().join("command/motd.py")],
        "environment": { "MOTD_SYSTEMS": systems, "MOTD_CONTENT": content },
        "limits": { "open_files": 64, "cpu_seconds": 10 },
    }));
    let action = json!({"type": "config-change", "parameters": {"path": "motd", "digest": digest}});
    let (plan, states) = there_and_back(&executors, &action).await;
    assert_eq!(plan.steps, ["web-1: write 12 bytes to motd"]);
    assert_eq!(
        states,
        [
            r#"{"content":"hello\n"}"#,
            r#"{"content":"maintenance\n"}"#,
            r#"{"content":"hello\n"}"#
        ]
    );
}

/// The receiver; killed with it.
struct Receiver(Child);

impl Drop for Receiver {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[tokio::test]
async fn a_webhook() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(
        path("server.pem"),
        format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem()),
    )
    .unwrap();
    std::fs::write(path("authority.pem"), made.cert.pem()).unwrap();
    let key = ed25519_dalek::SigningKey::from_bytes(&[5; 32]);
    std::fs::write(path("key"), hex::encode(key.to_bytes())).unwrap();
    // The public key as openssl reads it: a constant header before its 32 bytes (RFC 8410).
    let mut der = hex::decode("302a300506032b6570032100").unwrap();
    der.extend_from_slice(key.verifying_key().as_bytes());
    let base64 = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, der);
    std::fs::write(
        path("public.pem"),
        format!("-----BEGIN PUBLIC KEY-----\n{base64}\n-----END PUBLIC KEY-----\n"),
    )
    .unwrap();
    let mut child = std::process::Command::new("python3")
        .arg(examples().join("webhook/receiver.py"))
        .args(["0".into(), path("server.pem"), path("public.pem")])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut port = String::new();
    std::io::BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut port)
        .unwrap();
    let _receiver = Receiver(child);
    let executor = |key: &str| {
        json!({
            "name": "switch", "actions": ["service-restart"], "timeout": "30s", "honesty": "declared",
            "webhook": {
                "url": format!("https://127.0.0.1:{}/countersign", port.trim()),
                "key": path(key), "key_id": "countersign-1", "authorities": path("authority.pem"),
                "idempotent": true,
            },
        })
    };
    let action = json!({"type": "service-restart", "parameters": {"service": "x"}});
    let (plan, states) = there_and_back(&executors(&executor("key")), &action).await;
    assert_eq!(plan.steps, ["web-1: switch it over"]);
    assert_eq!(
        states,
        [
            r#"{"state":"old"}"#,
            r#"{"state":"new"}"#,
            r#"{"state":"old"}"#
        ]
    );
    std::fs::write(path("other"), hex::encode([6; 32])).unwrap();
    let other = executors(&executor("other"));
    let plan = other
        .plan(
            &"item-2".parse().unwrap(),
            &serde_json::from_value(action).unwrap(),
            &BTreeSet::from(["web-1".parse().unwrap()]),
        )
        .await;
    assert_eq!(
        plan.steps,
        ["the executor made no plan: the receiver answered 401 Unauthorized: wrong signature"]
    );
}
