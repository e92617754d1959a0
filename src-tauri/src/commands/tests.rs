//! The declared commands are those that are answered, permitted and known to the window.

use std::collections::BTreeSet;
use std::sync::Arc;

use countersign_hardware_key::HardwareKey;
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{INVOKE_KEY, get_ipc_response, mock_builder, mock_context, noop_assets};
use tauri::webview::InvokeRequest;
use tauri::{Manager as _, WebviewWindowBuilder};

use super::COMMANDS;
use crate::console::keeping::MemoryOnly;
use crate::console::keys::KeySource;
use crate::console::{Console, Event, Home, Parts, Sink};

#[derive(Debug)]
struct NoKeys;

impl KeySource for NoKeys {
    fn present(&self) -> Vec<Arc<dyn HardwareKey>> {
        Vec::new()
    }
    fn touch(&self, _: &str) -> bool {
        false
    }
}

struct Nobody;

impl Sink for Nobody {
    fn tell(&self, _: Event) {}
}

fn file(path: &str) -> String {
    std::fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_command_is_answered() {
    let home = tempfile::tempdir().unwrap();
    let app = crate::builder(mock_builder())
        .build(mock_context(noop_assets()))
        .unwrap();
    app.manage(Console::new(Parts {
        home: Home::new(home.path().to_owned()),
        keeper: Box::new(MemoryOnly {
            reason: "a test".to_owned(),
        }),
        keys: Arc::new(NoKeys),
        sink: Arc::new(Nobody),
        backend: None,
    }));
    let window = WebviewWindowBuilder::new(&app, "main", tauri::WebviewUrl::default())
        .build()
        .unwrap();
    let call = |command: &str, body: Value| {
        let request = InvokeRequest {
            cmd: command.to_owned(),
            callback: CallbackFn(0),
            error: CallbackFn(1),
            url: "tauri://localhost".parse().unwrap(),
            body: InvokeBody::Json(body),
            headers: tauri::http::HeaderMap::new(),
            invoke_key: INVOKE_KEY.to_owned(),
        };
        get_ipc_response(&window, request).map(|body| body.deserialize::<Value>().unwrap())
    };
    for command in COMMANDS {
        if let Err(error) = call(command, json!({})) {
            let text = error.to_string();
            assert!(
                !text.contains("not found"),
                "`{command}` is declared and not answered: {text}"
            );
        }
    }
    assert!(
        call("erase_everything", json!({}))
            .is_err_and(|error| error.to_string().contains("not found"))
    );
    // Without a backend: a clear state, and problems with codes.
    let frame = call("frame", json!({})).unwrap();
    assert_eq!(
        (&frame["backend"], &frame["session"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(call("queue", json!({})).unwrap_err()["code"], "no_backend");
    assert_eq!(
        call("give_pin", json!({"pin": "1234"})).unwrap_err()["code"],
        "no_pin_wanted"
    );
    assert_eq!(
        call("touch_demonstration_key", json!({})).unwrap_err()["code"],
        "no_touch_wanted"
    );
    let unsafe_backend = json!({"url": "http://countersign.example"});
    assert_eq!(
        call("connect", unsafe_backend).unwrap_err()["code"],
        "backend_address"
    );
    let unknown_backend = json!({"url": "https://countersign.example"});
    assert_eq!(
        call("connect", unknown_backend).unwrap_err()["code"],
        "genesis_needed"
    );
}

#[test]
fn exactly_the_declared_commands_are_permitted_to_the_one_window() {
    let capability: Value =
        serde_json::from_str(&file("src-tauri/capabilities/main.json")).unwrap();
    assert_eq!(capability["windows"], json!(["main"]));
    let permitted: BTreeSet<&str> = capability["permissions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|permission| permission.as_str().unwrap())
        .collect();
    let of_commands: BTreeSet<String> = COMMANDS
        .iter()
        .map(|name| format!("allow-{}", name.replace('_', "-")))
        .collect();
    let mut expected: BTreeSet<&str> = of_commands.iter().map(String::as_str).collect();
    expected.extend(["core:event:allow-listen", "core:event:allow-unlisten"]);
    assert_eq!(permitted, expected);
    let folder = std::fs::read_dir(format!(
        "{}/src-tauri/capabilities",
        env!("CARGO_MANIFEST_DIR")
    ))
    .unwrap();
    assert_eq!(folder.count(), 1, "one capability file");
}

#[test]
fn the_window_knows_exactly_the_declared_commands() {
    let text = file("ui/src/lib/backend/backend.ts");
    let map = text
        .split_once("export interface Commands {")
        .unwrap()
        .1
        .split_once("\n}")
        .unwrap()
        .0;
    let known: BTreeSet<&str> = map
        .lines()
        .filter_map(|line| {
            line.strip_prefix("  ")?
                .split_once(": { args:")
                .map(|(name, _)| name)
        })
        .collect();
    assert_eq!(known, COMMANDS.iter().copied().collect());
}
