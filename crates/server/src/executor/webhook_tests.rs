//! Against a real HTTPS server with a certificate of an authority of the test.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use countersign_core::operation::Sequence;
use countersign_core::proposal::Action;
use ed25519_dalek::{Signature, VerifyingKey};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::executor::{Call, Verb};

/// One request, as the receiver saw it.
#[derive(Debug, Clone)]
struct Seen {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: String,
}

impl Seen {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(other, _)| other == name)
            .map_or("", |(_, value)| value)
    }

    /// Checks the signature from nothing but the request and the public key, as a receiver does.
    fn is_signed(&self, base: &str, key: &VerifyingKey) -> bool {
        let digest = format!("sha-256=:{}:", STANDARD.encode(Sha256::digest(&self.body)));
        let Some(parameters) = self.header("signature-input").strip_prefix("countersign=") else {
            return false;
        };
        let text = format!(
            "\"@method\": {}\n\"@target-uri\": {base}{}\n\"content-digest\": {}\n\"idempotency-key\": {}\n\
             \"countersign-operation\": {}\n\"countersign-fencing-token\": {}\n\"@signature-params\": {parameters}",
            self.method,
            self.path,
            self.header("content-digest"),
            self.header("idempotency-key"),
            self.header("countersign-operation"),
            self.header("countersign-fencing-token"),
        );
        let signature = self
            .header("signature")
            .strip_prefix("countersign=:")
            .and_then(|text| text.strip_suffix(':'))
            .and_then(|text| STANDARD.decode(text).ok())
            .and_then(|bytes| Signature::from_slice(&bytes).ok());
        digest == self.header("content-digest")
            && signature.is_some_and(|s| key.verify_strict(text.as_bytes(), &s).is_ok())
    }
}

/// What the receiver does with each request: bytes to answer, or none to hang up.
type Answers = dyn Fn(usize, &Seen) -> Option<String> + Send + Sync;

struct Receiver {
    base: String,
    seen: Arc<Mutex<Vec<Seen>>>,
    folder: tempfile::TempDir,
    public: VerifyingKey,
}

fn said(status: &str, headers: &str, body: &str) -> Option<String> {
    Some(format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    ))
}

impl Receiver {
    async fn start(answers: Arc<Answers>) -> Self {
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let mut authority = rcgen::CertificateParams::new(Vec::new()).unwrap();
        authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let authority_key = rcgen::KeyPair::generate().unwrap();
        let certificate = authority.self_signed(&authority_key).unwrap();
        let issuer = rcgen::Issuer::new(authority, authority_key);
        let key = rcgen::KeyPair::generate().unwrap();
        let leaf = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()])
            .unwrap()
            .signed_by(&key, &issuer)
            .unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let seed = [7_u8; 32];
        std::fs::write(folder.path().join("key"), hex::encode(seed)).unwrap();
        let tls = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                rustls::pki_types::PrivateKeyDer::try_from(key.serialize_der()).unwrap(),
            )
            .unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&seen);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    continue;
                };
                let Some(request) = read(&mut stream).await else {
                    continue;
                };
                let number = {
                    let mut seen = record.lock().unwrap();
                    seen.push(request.clone());
                    seen.len()
                };
                if let Some(text) = answers(number, &request) {
                    let _ = stream.write_all(text.as_bytes()).await;
                    let _ = stream.shutdown().await;
                }
            }
        });
        Self {
            base,
            seen,
            folder,
            public: SigningKey::from_bytes(&seed).verifying_key(),
        }
    }

    fn remote(&self, change: impl FnOnce(&mut WebhookConfig)) -> Remote {
        let mut config = WebhookConfig {
            url: format!("{}/remedy", self.base),
            key: self.folder.path().join("key"),
            key_id: "backend-1".to_owned(),
            authorities: Some(self.folder.path().join("ca.pem")),
            idempotent: false,
            development: false,
        };
        change(&mut config);
        Remote::new(&config, "5s".parse().unwrap()).unwrap()
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let mut lines = head.lines();
            let mut first = lines.next()?.split(' ');
            let headers: Vec<(String, String)> = lines
                .filter_map(|line| line.split_once(": "))
                .map(|(name, value)| (name.to_lowercase(), value.to_owned()))
                .collect();
            let seen = Seen {
                method: first.next()?.to_owned(),
                path: first.next()?.to_owned(),
                headers,
                body: body.to_owned(),
            };
            let length = seen.header("content-length").parse().unwrap_or(0);
            if body.len() >= length {
                return Some(seen);
            }
        }
        match stream.read(&mut chunk).await {
            Ok(0) | Err(_) => return None,
            Ok(read) => bytes.extend_from_slice(&chunk[..read]),
        }
    }
}

async fn ask(remote: &Remote, verb: Verb) -> String {
    let call = Call {
        verb,
        operation: "op-ü".parse().unwrap(),
        sequence: Sequence::new(7),
        attempt: 1,
        system: "web-1".parse().unwrap(),
        action: Action::HostIsolate,
        evidence: BTreeSet::new(),
        permit: None,
    };
    match remote.run(&Input::call(&call)).await {
        Ok(answer) => format!(
            "ok {}",
            String::from_utf8(answer.snapshot.unwrap_or_default()).unwrap()
        ),
        Err(ExecutorError::Failed(reason)) => format!("failed {reason}"),
        Err(ExecutorError::Unknown(reason)) => format!("unknown {reason}"),
    }
}

#[tokio::test]
async fn requests_are_signed_and_named() {
    let receiver = Receiver::start(Arc::new(|_, _| said("200 OK", "", r#"{"ok":true}"#))).await;
    let remote = receiver.remote(|_| ());
    let before = chrono::Utc::now().timestamp();
    assert_eq!(ask(&remote, Verb::Apply).await, "ok ");
    let seen = receiver.seen();
    let request = &seen[0];
    assert!(
        request.is_signed(&receiver.base, &receiver.public),
        "{request:?}"
    );
    assert_eq!(request.header("countersign-fencing-token"), "7");
    assert_eq!(request.header("countersign-operation"), hex::encode("op-ü"));
    assert!(request.header("idempotency-key").ends_with("-7-apply\""));
    let created: i64 = request
        .header("signature-input")
        .split("created=")
        .nth(1)
        .and_then(|rest| rest.split(';').next())
        .and_then(|text| text.parse().ok())
        .unwrap();
    assert!((before..=before + 5).contains(&created), "{created}");
    // A receiver that checks sees every change, and another key.
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert!(!request.is_signed(&receiver.base, &other));
    let mut changed = request.clone();
    changed.body = changed.body.replace("web-1", "web-2");
    assert!(!changed.is_signed(&receiver.base, &receiver.public));
    for name in [
        "idempotency-key",
        "countersign-operation",
        "countersign-fencing-token",
        "signature-input",
    ] {
        let mut changed = request.clone();
        for header in &mut changed.headers {
            if header.0 == name {
                header.1 = header.1.replace(['7', '1'], "9");
            }
        }
        assert!(
            changed.header(name) == request.header(name)
                || !changed.is_signed(&receiver.base, &receiver.public),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_receiver_that_refuses_the_signature_is_a_failure() {
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    let base = Arc::new(Mutex::new(String::new()));
    let known = Arc::clone(&base);
    let receiver = Receiver::start(Arc::new(move |_, seen| {
        if seen.is_signed(&known.lock().unwrap(), &other) {
            said("200 OK", "", r#"{"ok":true}"#)
        } else {
            said(
                "401 Unauthorized",
                "",
                r#"{"ok":false,"message":"wrong signature"}"#,
            )
        }
    }))
    .await;
    base.lock().unwrap().clone_from(&receiver.base);
    assert_eq!(
        ask(&receiver.remote(|_| ()), Verb::Apply).await,
        "failed the receiver answered 401 Unauthorized: wrong signature"
    );
    std::fs::write(receiver.folder.path().join("key"), hex::encode([8; 32])).unwrap();
    assert_eq!(ask(&receiver.remote(|_| ()), Verb::Apply).await, "ok ");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_only_where_that_is_safe() {
    // The first answer is lost after the receiver did what it was asked.
    let lossy: Arc<Answers> = Arc::new(|number, _| {
        (number > 1)
            .then(|| said("200 OK", "", r#"{"ok":true,"snapshot":1}"#))
            .flatten()
    });
    for (idempotent, verb, expected, requests) in [
        (false, Verb::Snapshot, "ok 1", 2),
        (true, Verb::Apply, "ok 1", 2),
        (
            false,
            Verb::Apply,
            "unknown the receiver's answer was lost",
            1,
        ),
        (
            false,
            Verb::Revert { snapshot: None },
            "unknown the receiver's answer was lost",
            1,
        ),
    ] {
        let receiver = Receiver::start(Arc::clone(&lossy)).await;
        let remote = receiver.remote(|config| config.idempotent = idempotent);
        let found = ask(&remote, verb.clone()).await;
        assert!(found.starts_with(expected), "{verb:?}: {found}");
        let seen = receiver.seen();
        assert_eq!(seen.len(), requests, "{verb:?}");
        let keys: BTreeSet<&str> = seen
            .iter()
            .map(|seen| seen.header("idempotency-key"))
            .collect();
        assert_eq!(keys.len(), 1, "a repeated request has another key");
    }
}

#[tokio::test]
async fn long_work_is_asked_for() {
    let receiver = Receiver::start(Arc::new(|number, seen| {
        match (seen.method.as_str(), number) {
            ("POST", _) => said(
                "202 Accepted",
                "location: /work/1\r\nretry-after: 0\r\n",
                "",
            ),
            ("GET", 2) => said("202 Accepted", "retry-after: 0\r\n", ""),
            ("GET", 3) => None,
            _ => said("200 OK", "", r#"{"ok":true,"snapshot":"x"}"#),
        }
    }))
    .await;
    let found = ask(&receiver.remote(|_| ()), Verb::Apply).await;
    assert_eq!(found, r#"ok "x""#);
    let seen = receiver.seen();
    assert_eq!(seen.iter().filter(|seen| seen.method == "POST").count(), 1);
    assert!(
        seen.iter()
            .all(|seen| seen.is_signed(&receiver.base, &receiver.public))
    );
    assert_eq!(seen[1].path, "/work/1");
}

#[tokio::test]
async fn what_is_no_answer() {
    for (text, verb, expected) in [
        (
            said("200 OK", "", "nonsense"),
            Verb::Apply,
            "failed the receiver answered 200 OK and no message",
        ),
        (
            said("200 OK", "", r#"{"ok":false,"message":"no disk"}"#),
            Verb::Apply,
            "failed no disk",
        ),
        (
            said(
                "409 Conflict",
                "",
                r#"{"ok":false,"message":"an older fencing token"}"#,
            ),
            Verb::Apply,
            "failed the receiver answered 409 Conflict: an older",
        ),
        (
            said(
                "307 Temporary Redirect",
                "location: https://127.0.0.1:1/\r\n",
                "",
            ),
            Verb::Apply,
            "failed the receiver answered 307",
        ),
        (
            said("500 Internal Server Error", "", ""),
            Verb::Apply,
            "unknown the receiver failed with 500",
        ),
        (
            said("503 Service Unavailable", "", ""),
            Verb::Apply,
            "unknown the receiver answered 503",
        ),
        (
            said("202 Accepted", "", ""),
            Verb::Apply,
            "unknown the receiver works on it and names no",
        ),
        (
            said("202 Accepted", "location: https://127.0.0.1:1/x\r\n", ""),
            Verb::Apply,
            "unknown the receiver's `Location` is none of its own",
        ),
        (
            said("500 Internal Server Error", "", ""),
            Verb::Snapshot,
            "failed the receiver failed with 500",
        ),
    ] {
        let receiver = Receiver::start(Arc::new(move |_, _| text.clone())).await;
        let found = ask(&receiver.remote(|_| ()), verb).await;
        assert!(found.starts_with(expected), "{expected}: {found}");
    }
}

#[tokio::test]
async fn nobody_else_is_believed() {
    let receiver = Receiver::start(Arc::new(|_, _| said("200 OK", "", r#"{"ok":true}"#))).await;
    let stranger = Receiver::start(Arc::new(|_, _| said("200 OK", "", r#"{"ok":true}"#))).await;
    let remote = receiver.remote(|config| {
        config.authorities = Some(stranger.folder.path().join("ca.pem"));
    });
    let found = ask(&remote, Verb::Apply).await;
    assert!(
        found.starts_with("failed no connection to the receiver"),
        "{found}"
    );
    assert!(receiver.seen().is_empty());
    let gone = receiver.remote(|config| config.url = "https://127.0.0.1:1/".to_owned());
    let found = ask(&gone, Verb::Apply).await;
    assert!(
        found.starts_with("failed no connection to the receiver"),
        "{found}"
    );
    // With `development` alone plain http is spoken.
    let plain = receiver.remote(|config| config.url = config.url.replace("https", "http"));
    let found = ask(&plain, Verb::Apply).await;
    assert!(!found.starts_with("ok"), "{found}");
}
