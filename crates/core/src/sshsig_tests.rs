#![expect(
    clippy::disallowed_methods,
    reason = "the oracle is the real ssh-keygen, which is a process with files"
)]

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest as _, Sha256};

use super::*;
use crate::statement::{DECISION_NAMESPACE, challenge};
use crate::webauthn::{Bytes, Ceremony, client_data_json};

const RP_ID: &str = "0123456789abcdef0123456789abcdef.countersign.invalid";
const STATEMENT: &[u8] = br#"{"_type":"https://in-toto.io/Statement/v1"}"#;

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path =
            std::env::temp_dir().join(format!("countersign-sshsig-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn assertion(client_data: Vec<u8>, extensions: &[u8]) -> (Assertion, PublicKey) {
    let key = SigningKey::from_slice(&[0x51; 32]).unwrap();
    let mut data = Sha256::digest(RP_ID).to_vec();
    data.push(if extensions.is_empty() { 0x05 } else { 0x85 });
    data.extend_from_slice(&9_u32.to_be_bytes());
    data.extend_from_slice(extensions);
    let mut signed = data.clone();
    signed.extend_from_slice(&Sha256::digest(&client_data));
    let signature: Signature = key.sign(&signed);
    let assertion = Assertion {
        credential_id: Bytes(vec![1; 16]),
        authenticator_data: Bytes(data),
        client_data_json: Bytes(client_data),
        signature: Bytes(signature.to_der().as_bytes().to_vec()),
    };
    let point = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
    (assertion, PublicKey(Bytes(point)))
}

fn ours() -> Vec<u8> {
    client_data_json(
        Ceremony::Get,
        &challenge(DECISION_NAMESPACE, STATEMENT),
        RP_ID,
    )
}

fn write(files: &SshSignature, name: &str) -> Folder {
    let folder = Folder::new(name);
    std::fs::write(folder.0.join("decision.sig"), &files.signature).unwrap();
    std::fs::write(folder.0.join("allowed_signers"), &files.allowed_signers).unwrap();
    folder
}

fn ssh_keygen_accepts(folder: &Folder, approver: &str, namespace: &str, statement: &[u8]) -> bool {
    let mut child = Command::new("ssh-keygen")
        .args([
            "-Y",
            "verify",
            "-f",
            "allowed_signers",
            "-I",
            approver,
            "-n",
            namespace,
            "-s",
            "decision.sig",
        ])
        .current_dir(&folder.0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(statement).unwrap();
    child.wait().unwrap().success()
}

fn mia() -> ApproverId {
    ApproverId::new("mia").unwrap()
}

#[test]
fn stock_ssh_keygen_verifies_it_and_nothing_else() {
    let (assertion, key) = assertion(ours(), &[]);
    let files = export(
        STATEMENT,
        DECISION_NAMESPACE,
        &mia(),
        &assertion,
        &key,
        RP_ID,
    )
    .unwrap();
    let folder = write(&files, "stock");
    assert!(ssh_keygen_accepts(
        &folder,
        "mia",
        DECISION_NAMESPACE,
        STATEMENT
    ));
    assert!(!ssh_keygen_accepts(
        &folder,
        "eve",
        DECISION_NAMESPACE,
        STATEMENT
    ));
    assert!(!ssh_keygen_accepts(
        &folder,
        "mia",
        "countersign-session",
        STATEMENT
    ));
    for place in 0..STATEMENT.len() {
        let mut changed = STATEMENT.to_vec();
        changed[place] ^= 1;
        if place % 7 == 0 {
            assert!(
                !ssh_keygen_accepts(&folder, "mia", DECISION_NAMESPACE, &changed),
                "byte {place}"
            );
        }
    }
}

#[test]
fn further_client_data_members_a_trailing_slash_and_extensions_verify() {
    let slash = String::from_utf8(ours())
        .unwrap()
        .replace("invalid\"", "invalid/\"");
    let members = String::from_utf8(ours())
        .unwrap()
        .replace("false}", "false,\"other\":1}");
    for (name, client_data, extensions) in [
        ("slash", slash, &[][..]),
        ("members", members, &[]),
        (
            "extensions",
            String::from_utf8(ours()).unwrap(),
            &[0xa1, 0x61, b'x', 0xf5],
        ),
    ] {
        let (assertion, key) = assertion(client_data.into_bytes(), extensions);
        let files = export(
            STATEMENT,
            DECISION_NAMESPACE,
            &mia(),
            &assertion,
            &key,
            RP_ID,
        )
        .unwrap();
        assert!(
            ssh_keygen_accepts(&write(&files, name), "mia", DECISION_NAMESPACE, STATEMENT),
            "{name}"
        );
    }
}

#[test]
fn what_ssh_keygen_could_not_verify_is_not_written() {
    let (good, key) = assertion(ours(), &[]);
    let export = |id: &str, assertion: &Assertion, key: &PublicKey| {
        export(
            STATEMENT,
            DECISION_NAMESPACE,
            &ApproverId::new(id).unwrap(),
            assertion,
            key,
            RP_ID,
        )
        .err()
    };
    for id in ["*", "a,b", "!mia", "mi?", "\"mia\"", "#mia", "-f", "mïa"] {
        assert!(
            matches!(export(id, &good, &key), Some(SshsigError::Principal(_))),
            "{id}"
        );
    }
    let swapped = String::from_utf8(ours())
        .unwrap()
        .replace("{\"type\":\"webauthn.get\",", "{\"x\":1,");
    let other = Assertion {
        client_data_json: Bytes(swapped.into_bytes()),
        ..good.clone()
    };
    assert_eq!(export("mia", &other, &key), Some(SshsigError::ClientData));
    let short = Assertion {
        authenticator_data: Bytes(vec![0; 36]),
        ..good.clone()
    };
    assert_eq!(
        export("mia", &short, &key),
        Some(SshsigError::AuthenticatorData)
    );
    let cut = Assertion {
        signature: Bytes(vec![0x30]),
        ..good.clone()
    };
    assert_eq!(export("mia", &cut, &key), Some(SshsigError::Signature));
    assert_eq!(
        export("mia", &good, &PublicKey(Bytes(vec![4; 64]))),
        Some(SshsigError::PublicKey)
    );
}

#[test]
fn integers_are_written_as_rfc_4251_asks() {
    for (bytes, expected) in [
        (&[0, 0, 1][..], &[1][..]),
        (&[0x80, 0], &[0, 0x80, 0]),
        (&[0, 0xff], &[0, 0xff]),
        (&[0x7f], &[0x7f]),
        (&[0, 0], &[]),
    ] {
        assert_eq!(positive_integer(bytes), expected);
    }
}
