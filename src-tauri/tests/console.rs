//! The commands of the console, without a display: against the real backend, with keys of the real
//! firmware.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test says what must hold by failing where it does not"
)]

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use countersign::console::keeping::MemoryOnly;
use countersign::console::keys::Demonstration;
use countersign::console::{BackendChoice, Console, Event, Home, Parts, Sink};
use countersign_core::genesis::AttestationRoot;
use countersign_core::identifier::Digest;
use countersign_hardware_key::{HardwareKey as _, Interaction, PinPrompt, RegisterRequest};
use countersign_virtual_key::{AAGUID, KeyRing};
use countersign_wire::client::Client;
use countersign_wire::deployment::{BeginGenesis, BeginRegistration};
use countersign_wire::registry::RegisterAgent;
use countersign_wire::view::{KeyStage, WitnessView};
use serde_json::{Value, json};
use tauri::ipc::{CallbackFn, InvokeBody};
use tauri::test::{
    INVOKE_KEY, MockRuntime, get_ipc_response, mock_builder, mock_context, noop_assets,
};
use tauri::webview::InvokeRequest;
use tauri::{Manager as _, WebviewWindow, WebviewWindowBuilder};

const PIN: &str = "246810";
const OPERATOR: &str = "operator-0123456789abcdef0123456789abcdef";
const PEOPLE: [(&str, &[&str]); 3] = [
    ("ana", &["administrator", "on-call-engineer"]),
    ("olu", &["administrator", "ot-safety-officer"]),
    ("sam", &["soc-lead"]),
];

/// A running `countersignd`; it ends when its standard input closes.
struct Backend {
    child: Child,
    stdin: Option<ChildStdin>,
    url: String,
}

impl Backend {
    fn start(data: &Path) -> Self {
        let programs = std::env::current_exe().unwrap();
        let program = programs
            .parent()
            .unwrap()
            .parent()
            .unwrap()
            .join("countersignd");
        assert!(
            program.is_file(),
            "{} is missing; `cargo xtask build` makes it",
            program.display()
        );
        let mut child = Command::new(program)
            .args([
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--token-stdin",
                "--exit-with-stdin",
                "--data",
            ])
            .arg(data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        writeln!(stdin, "{OPERATOR}").unwrap();
        stdin.flush().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap())
            .read_line(&mut line)
            .unwrap();
        let said: Value = serde_json::from_str(&line).unwrap();
        Self {
            child,
            stdin: Some(stdin),
            url: said["listening"].as_str().unwrap().to_owned(),
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stdin.take());
        let _ = self.child.wait();
    }
}

#[derive(Debug)]
struct Willing;

impl Interaction for Willing {
    fn pin(&self, _: PinPrompt) -> Option<String> {
        Some(PIN.to_owned())
    }
    fn touch(&self) {}
    fn processing(&self) {}
    fn cancelled(&self) -> bool {
        false
    }
}

/// Enrols everybody, imports the topology, and has an agent propose the rotation of a credential.
async fn set_up(url: &str, keys: &KeyRing) -> Digest {
    let client = Client::new(url).unwrap();
    let operator = client.with_bearer(OPERATOR).unwrap();
    let attestation = AttestationRoot {
        model: "demonstration key".to_owned(),
        aaguid: uuid(AAGUID),
        root: String::from_utf8(keys.attestation_root_pem().unwrap()).unwrap(),
    };
    operator
        .begin_genesis(&BeginGenesis {
            name: "Northwind".to_owned(),
            demonstration: true,
            attestation: vec![attestation],
        })
        .await
        .unwrap();
    for (id, roles) in PEOPLE {
        let begin = BeginRegistration {
            approver: id.parse().unwrap(),
            name: id.to_uppercase(),
            roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        };
        let options = operator.begin_registration(&begin).await.unwrap();
        let key = keys.key(id).unwrap();
        let request = RegisterRequest {
            rp_id: options.rp_id,
            challenge: options.challenge.0,
            user_id: options.user_id.0,
            exclude: options.exclude,
            user_name: id.to_owned(),
            user_display_name: id.to_owned(),
            timeout: Duration::from_secs(30),
        };
        let registration =
            tauri::async_runtime::spawn_blocking(move || key.register(&request, &Willing).unwrap())
                .await
                .unwrap();
        operator
            .finish_registration(&begin.approver, &registration)
            .await
            .unwrap();
    }
    let genesis = operator.seal_genesis().await.unwrap().genesis;
    let example = |name: &str| {
        std::fs::read(format!(
            "{}/crates/core/tests/examples/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .unwrap()
    };
    operator
        .import_topology(&example("topology.yaml"))
        .await
        .unwrap();
    let secret = operator
        .register_agent(&RegisterAgent {
            agent: "soc-agent".parse().unwrap(),
            operated_by: std::collections::BTreeSet::new(),
        })
        .await
        .unwrap()
        .secret;
    let mut proposal: Value = serde_json::from_slice(&example("proposal-rotation.json")).unwrap();
    proposal["expires_at"] = json!("2099-01-01T00:00:00Z");
    let agent = client.with_bearer(&secret).unwrap();
    agent
        .propose(proposal.to_string().as_bytes())
        .await
        .unwrap();
    genesis
}

fn uuid(bytes: [u8; 16]) -> String {
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    )
}

struct Told(Mutex<Sender<Event>>);

impl Sink for Told {
    fn tell(&self, event: Event) {
        let _ = self.0.lock().unwrap().send(event);
    }
}

/// A console in an application without a window system.
struct Shell {
    window: WebviewWindow<MockRuntime>,
    told: Mutex<Receiver<Event>>,
    _app: tauri::App<MockRuntime>,
}

impl Shell {
    fn open(home: &Path, ring: &KeyRing, backend: Option<BackendChoice>) -> Self {
        let (send, told) = channel();
        let app = countersign::builder(mock_builder())
            .build(mock_context(noop_assets()))
            .unwrap();
        app.manage(Console::new(Parts {
            home: Home::new(home.to_owned()),
            keeper: Box::new(MemoryOnly {
                reason: "a test".to_owned(),
            }),
            keys: Arc::new(Demonstration::new(ring, None)),
            sink: Arc::new(Told(Mutex::new(send))),
            backend,
        }));
        let window = WebviewWindowBuilder::new(&app, "main", tauri::WebviewUrl::default())
            .build()
            .unwrap();
        Self {
            window,
            told: Mutex::new(told),
            _app: app,
        }
    }

    fn call(&self, command: &str, body: Value) -> Result<Value, Value> {
        call(&self.window, command, body)
    }

    /// Calls a command that asks the key, answering each stage: with the PINs in turn, and a touch.
    fn call_with_key(
        &self,
        command: &str,
        body: Value,
        pins: &[&str],
    ) -> (Result<Value, Value>, Vec<KeyStage>) {
        let (window, name) = (self.window.clone(), command.to_owned());
        let calling = std::thread::spawn(move || call(&window, &name, body));
        let (mut stages, mut pins) = (Vec::new(), pins.iter());
        let told = self.told.lock().unwrap();
        let deadline = Instant::now() + Duration::from_secs(60);
        while !calling.is_finished() && Instant::now() < deadline {
            let Ok(Event::Key(stage)) = told.recv_timeout(Duration::from_millis(20)) else {
                continue;
            };
            match &stage {
                KeyStage::Pin { .. } => match pins.next() {
                    Some(pin) => drop(self.call("give_pin", json!({ "pin": pin })).unwrap()),
                    None => drop(self.call("cancel_key", json!({})).unwrap()),
                },
                KeyStage::Touch { demonstration } => {
                    assert!(demonstration);
                    self.call("touch_demonstration_key", json!({})).unwrap();
                }
                KeyStage::Insert | KeyStage::Working | KeyStage::Sending => {}
            }
            stages.push(stage);
        }
        (calling.join().unwrap(), stages)
    }

    /// Waits until the log was followed.
    fn witnessed(&self) -> WitnessView {
        let told = self.told.lock().unwrap();
        loop {
            if let Event::Witness(view) = told.recv_timeout(Duration::from_secs(30)).unwrap() {
                return view;
            }
        }
    }
}

fn call(window: &WebviewWindow<MockRuntime>, command: &str, body: Value) -> Result<Value, Value> {
    let request = InvokeRequest {
        cmd: command.to_owned(),
        callback: CallbackFn(0),
        error: CallbackFn(1),
        url: "tauri://localhost".parse().unwrap(),
        body: InvokeBody::Json(body),
        headers: tauri::http::HeaderMap::new(),
        invoke_key: INVOKE_KEY.to_owned(),
    };
    get_ipc_response(window, request).map(|body| body.deserialize().unwrap())
}

#[test]
fn from_sign_in_to_a_signed_rejection() {
    let folder = tempfile::tempdir().unwrap();
    let keys_folder = folder.path().join("keys");
    let keys = KeyRing::create(&keys_folder, &["ana", "olu", "sam"], PIN).unwrap();
    let backend = Backend::start(&folder.path().join("backend"));
    let genesis = tauri::async_runtime::block_on(set_up(&backend.url, &keys));
    let home = folder.path().join("home");
    let chosen = BackendChoice {
        url: backend.url.clone(),
        genesis: Some(genesis),
    };
    let shell = Shell::open(&home, &KeyRing::open(&keys_folder).unwrap(), Some(chosen));

    // Who it is, before anybody signs in.
    let frame = shell.call("frame", json!({})).unwrap();
    assert_eq!(frame["backend"]["name"], "Northwind");
    assert_eq!(frame["backend"]["connection"]["state"], "live", "{frame}");
    assert_eq!(frame["approvers"].as_array().unwrap().len(), 3);
    assert_eq!(
        shell.call("queue", json!({})).unwrap_err()["code"],
        "signed_out"
    );
    let present = shell.call("keys", json!({})).unwrap();
    assert_eq!(
        present[2],
        json!({"id": "demonstration:sam", "label": "demonstration key sam", "demonstration": true})
    );

    // Cancelled, another's key, a wrong PIN; then signed in.
    let sign_in = |key: &str| json!({"approver": "sam", "key": format!("demonstration:{key}")});
    assert_eq!(
        shell
            .call_with_key("sign_in", sign_in("sam"), &[])
            .0
            .unwrap_err()["code"],
        "cancelled"
    );
    assert_eq!(
        shell
            .call_with_key("sign_in", sign_in("olu"), &[PIN])
            .0
            .unwrap_err()["code"],
        "not_enrolled"
    );
    let (signed_in, stages) = shell.call_with_key("sign_in", sign_in("sam"), &["000000", PIN]);
    assert_eq!(signed_in.unwrap()["session"]["roles"], json!(["soc-lead"]));
    let pins: Vec<_> = stages
        .iter()
        .filter(|stage| matches!(stage, KeyStage::Pin { .. }))
        .collect();
    assert!(
        matches!(
            pins[..],
            [
                KeyStage::Pin { message: None, .. },
                KeyStage::Pin {
                    retries: Some(7),
                    message: Some(_)
                }
            ]
        ),
        "{pins:?}"
    );
    assert!(stages.contains(&KeyStage::Touch {
        demonstration: true
    }));
    assert!(matches!(shell.witnessed(), WitnessView::Consistent { .. }));

    // The queue and the briefing, in the console's own words.
    let queue = shell.call("queue", json!({})).unwrap();
    let row = &queue["open"][0];
    assert_eq!(row["title"], "Rotate svc_ehr on ehr-db-1", "{queue}");
    assert_eq!(row["consequence"], "3 application servers lose access");
    let id = row["id"].as_str().unwrap();
    let briefing = shell.call("briefing", json!({ "id": id })).unwrap();
    assert_eq!(
        briefing["agreement"],
        json!({
            "agrees": true, "differences": [],
            "logged": { "state": "proved", "index": briefing["agreement"]["logged"]["index"] },
        })
    );
    assert!(briefing["agreement"]["logged"]["index"].is_u64());
    assert!(
        briefing["digests"]
            .as_array()
            .unwrap()
            .iter()
            .all(|row| row["recomputed"] == true)
    );
    assert_eq!(
        (
            &briefing["may_approve"]["may"],
            &briefing["may_reject"]["may"]
        ),
        (&json!(true), &json!(true)),
        "{briefing}"
    );
    let shown = briefing["digests"][0]["sha256"].as_str().unwrap();

    // What blocks it must be acknowledged by who approves.
    let blocking: Vec<&str> = briefing["blocking"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["clause"].as_str().unwrap())
        .collect();

    // What was not on the screen is not signed, and no key is asked.
    let request = |kind: &str, shown: &str, rationale: &str| {
        json!({"request": {
            "id": id, "kind": kind, "shown": shown, "risk_level": "severe", "rationale": rationale,
            "acknowledged": [], "narrowed_to": null, "key": "demonstration:sam",
        }})
    };
    let other = Digest::of(b"another").to_string();
    for (body, code) in [
        (request("reject", &other, "no"), "not_what_was_shown"),
        (request("reject", shown, "  "), "rationale_missing"),
        (request("erase", shown, "no"), "kind_not_supported"),
    ] {
        let (refused, stages) = shell.call_with_key("decide", body, &[PIN]);
        assert_eq!(refused.unwrap_err()["code"], code);
        assert!(stages.is_empty());
    }

    // One approval is not enough for two; a rejection stops it.
    let mut approve = request("approve", shown, "the attack is real");
    let (refused, stages) = shell.call_with_key("decide", approve.clone(), &[PIN]);
    assert_eq!(
        (refused.unwrap_err()["code"].clone(), stages.len()),
        (json!("acknowledgement_missing"), 0)
    );
    approve["request"]["acknowledged"] = json!(blocking);
    let preview = shell.call("preview_decision", approve.clone()).unwrap();
    assert_eq!(
        preview["sentence"],
        "You approve «Rotate svc_ehr on ehr-db-1» at Northwind, as proposed."
    );
    let (approved, _) = shell.call_with_key("decide", approve.clone(), &[PIN]);
    let approved = approved.unwrap();
    assert_eq!(
        (&approved["complete"], approved["missing"].is_string()),
        (&json!(false), true),
        "{approved}"
    );
    let (again, stages) = shell.call_with_key("decide", approve, &[PIN]);
    assert_eq!(
        (again.unwrap_err()["code"].clone(), stages.len()),
        (json!("may_not"), 0)
    );
    let (rejected, _) = shell.call_with_key(
        "decide",
        request("reject", shown, "it forgets the dependents"),
        &[PIN],
    );
    assert_eq!(rejected.unwrap()["complete"], true);
    let closed = shell.call("queue", json!({})).unwrap();
    assert_eq!(
        (&closed["open"], &closed["closed"][0]["state"]),
        (&json!([]), &json!("rejected"))
    );
    assert_eq!(shell.call("operations", json!({})).unwrap(), json!([]));

    let out = shell.call("sign_out", json!({})).unwrap();
    assert_eq!(out["session"], Value::Null);

    // The next start knows the backend by what was pinned; another genesis is not connected.
    drop(shell);
    let again = Shell::open(&home, &KeyRing::open(&keys_folder).unwrap(), None);
    assert_eq!(
        again.call("frame", json!({})).unwrap()["backend"]["name"],
        "Northwind"
    );
    let wrong = json!({"url": backend.url, "genesis": other});
    assert_eq!(
        again.call("connect", wrong).unwrap_err()["code"],
        "other_genesis"
    );
    drop(backend);
    drop(again);
    let offline = Shell::open(&home, &KeyRing::open(&keys_folder).unwrap(), None);
    let frame = offline.call("frame", json!({})).unwrap();
    assert_eq!(frame["backend"]["connection"]["state"], "lost");
    assert_eq!(frame["approvers"].as_array().unwrap().len(), 3);
    assert_eq!(frame["backend"]["witness"]["state"], "consistent");
}
