//! What every fuzzing target demands: no panic, and what parses is written to something that parses
//! to the same value and digest. A target fails by panicking, which libFuzzer takes for a crash.

use std::collections::BTreeMap;
use std::fmt::Debug;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use countersign_core::assessment;
use countersign_core::canonical;
use countersign_core::decision;
use countersign_core::diagnostic::{Checked, DocumentError};
use countersign_core::evidence;
use countersign_core::genesis::DeploymentId;
use countersign_core::identifier::Digest;
use countersign_core::log::checkpoint::Checkpoint;
use countersign_core::log::entry::Entry;
use countersign_core::log::proof::InclusionProof;
use countersign_core::log::tile::{self, Tile};
use countersign_core::sshsig;
use countersign_core::webauthn::{self, Assertion, Bytes, Ceremony, PublicKey};
use ed25519_dalek::SigningKey;
use serde::Serialize;

/// A document in YAML or JSON: what its reader takes has one form, and that form is taken again.
pub fn document<T: Serialize + PartialEq + Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Checked<T>, DocumentError>,
) {
    let first = match read(bytes) {
        Ok(checked) => checked.document,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    let written = canonical::to_bytes(&first).expect("what is read has a canonical form");
    let again = read(&written).unwrap_or_else(|error| {
        panic!(
            "{} is refused: {error:?}",
            String::from_utf8_lossy(&written)
        )
    });
    assert_eq!(first, again.document);
    assert_eq!(
        canonical::digest(&first).ok(),
        canonical::digest(&again.document).ok()
    );
}

/// A signed statement, in its one spelling.
pub fn statement(bytes: &[u8]) {
    if let Ok(statement) = decision::parse(bytes) {
        assert_eq!(statement.to_bytes().expect("it was read"), bytes);
    }
}

/// A leaf of the log, in its one spelling.
pub fn log_entry(bytes: &[u8]) {
    if let Ok(entry) = Entry::from_bytes(bytes) {
        assert_eq!(entry.to_bytes().expect("it was read"), bytes);
    }
}

fn deployment() -> DeploymentId {
    DeploymentId::of_log_key(key().verifying_key().as_bytes())
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

/// A signed checkpoint. So that the fuzzer comes past the signature, whatever stands before the
/// blank line is also signed and read.
pub fn checkpoint(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let read = |note: &str| Checkpoint::verify(note, &deployment(), &key().verifying_key());
    let _ = read(&text);
    let mut lines = text.split('\n');
    let (Some(size), Some(root)) = (lines.next(), lines.next()) else {
        return;
    };
    let Ok(size) = size.parse() else { return };
    let root = Digest::of(root.as_bytes());
    let signed = Checkpoint::new(&deployment(), size, root);
    let note = signed.sign(&key());
    assert_eq!(read(&note), Ok(signed.clone()));
    // A cosignature of anybody else is passed over, or the note is malformed; it is never another checkpoint.
    let rest: String = lines.collect::<Vec<_>>().join("\n");
    if let Ok(read) = read(&format!("{note}{rest}")) {
        assert_eq!(read, signed);
    }
}

/// A tile's path, a bundle of entries, and an inclusion proof, each in its one spelling.
pub fn tile(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(tile) = Tile::parse(&text) {
        assert_eq!(tile.path(), text);
        let _ = tile.positions(u64::from(tile.width));
        let _ = tile.positions(u64::MAX);
    }
    if let Ok(entries) = tile::unbundle(bytes) {
        assert_eq!(tile::bundle(&entries).expect("they were read"), bytes);
    }
    if let Ok(proof) = InclusionProof::parse(&text) {
        assert_eq!(proof.to_string(), text);
        let verified = proof.verify(b"entry", &deployment(), &key().verifying_key());
        assert!(verified.is_err(), "a proof for an entry that is in no log");
    }
}

/// Lengths and parts: each part is as long as the byte before it says.
fn parts<const N: usize>(mut bytes: &[u8]) -> [Vec<u8>; N] {
    std::array::from_fn(|_| {
        let Some((length, rest)) = bytes.split_first() else {
            return Vec::new();
        };
        let (part, rest) = rest.split_at(usize::from(*length).min(rest.len()));
        bytes = rest;
        part.to_vec()
    })
}

const STATEMENT: &[u8] = b"statement";

/// An assertion of which the fuzzer writes every part; where it begins as ours does, ours is put in.
fn assertion(bytes: &[u8]) -> (Assertion, PublicKey) {
    let [data, client, signature, key] = parts::<4>(bytes);
    let rp_id = deployment().rp_id();
    let client = if client.first() == Some(&b'=') {
        let challenge = countersign_core::statement::challenge("countersign-decision", STATEMENT);
        let mut ours = webauthn::client_data_json(Ceremony::Get, &challenge, &rp_id);
        ours.truncate(ours.len().saturating_sub(client.len() - 1));
        ours.extend(&client[1..]);
        ours
    } else {
        client
    };
    let data = match data.strip_prefix(b"=") {
        Some(rest) => [Digest::of(rp_id.as_bytes()).as_bytes().as_slice(), rest].concat(),
        None => data,
    };
    let assertion = Assertion {
        credential_id: Bytes(vec![1]),
        authenticator_data: Bytes(data),
        client_data_json: Bytes(client),
        signature: Bytes(signature),
    };
    (assertion, PublicKey(Bytes(key)))
}

/// An SSH signature: what is written is armoured base64 of a blob that begins as it must.
pub fn ssh_signature(bytes: &[u8]) {
    let (assertion, key) = assertion(bytes);
    let approver = "mia".parse().expect("a name");
    let namespace = "countersign-decision";
    let rp_id = deployment().rp_id();
    let written = sshsig::export(STATEMENT, namespace, &approver, &assertion, &key, &rp_id);
    let Ok(written) = written else { return };
    let lines: Vec<&str> = written.signature.lines().collect();
    let [begin, armour @ .., end] = lines.as_slice() else {
        panic!("no armour: {}", written.signature);
    };
    assert_eq!(*begin, "-----BEGIN SSH SIGNATURE-----");
    assert_eq!(*end, "-----END SSH SIGNATURE-----");
    let blob = STANDARD.decode(armour.concat()).expect("base64");
    assert!(blob.starts_with(b"SSHSIG\0\0\0\x01"));
    assert_eq!(written.allowed_signers.lines().count(), 1);
}

/// Client data and authenticator data: no signature that nobody made verifies, and an assertion is
/// read again as it was written.
pub fn web_authn(bytes: &[u8]) {
    let (assertion, key) = assertion(bytes);
    let challenge = countersign_core::statement::challenge("countersign-decision", STATEMENT);
    let rp_id = deployment().rp_id();
    if let Ok(verified) = webauthn::verify_assertion(&assertion, &key, &rp_id, &challenge) {
        assert_eq!(verified.flags & 0b101, 0b101);
    }
    let written = serde_json::to_vec(&assertion).expect("it has a form");
    let again: Assertion = serde_json::from_slice(&written).expect("its own form");
    assert_eq!(again, assertion);
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let read: Bytes = serde_json::from_value(text.into()).expect("its own form");
    assert_eq!(read.0, bytes);
}

/// An evidence folder: `=== path` begins a file; in a payload's path, `@` stands for its digest.
/// Nobody signed anything, so that no folder holds.
pub fn evidence_folder(bytes: &[u8]) {
    let mut files: evidence::Files = BTreeMap::new();
    for part in String::from_utf8_lossy(bytes).split("=== ").skip(1) {
        let (path, content) = part.split_once('\n').unwrap_or((part, ""));
        let path = path.replace('@', &Digest::of(content.as_bytes()).to_string());
        files.insert(path, content.as_bytes().to_vec());
    }
    assert!(!evidence::verify(&files, Some(Digest::of(b"genesis"))).holds());
    let report = evidence::verify(&files, None);
    assert_eq!(report, evidence::verify(&files, None));
}

/// Four documents, a byte of 0xff between them: whatever is read can be assessed and explained.
pub fn assess(bytes: &[u8]) {
    use countersign_core::document;
    let parts: Vec<&[u8]> = bytes.split(|byte| *byte == 0xff).collect();
    let [envelope, topology, proposal, history] = parts.as_slice() else {
        return;
    };
    let envelope = document::envelope(envelope).map(|read| read.document);
    let history = document::history(history).map(|read| read.document);
    let (Ok(topology), Ok(proposal)) = (document::topology(topology), document::proposal(proposal))
    else {
        return;
    };
    let (envelope, history) = (envelope.as_ref().ok(), history.as_ref().ok());
    let (topology, proposal) = (topology.document, proposal.document);
    let graph = countersign_core::scope::Graph::new(&topology);
    let now = "2026-11-24T02:20:00Z".parse().expect("an instant");
    let assessment = assessment::assess(envelope, &graph, &proposal, history, now);
    assert_eq!(assessment.findings.len(), 12);
    if let Some(history) = history {
        let slice = assessment::history_slice(envelope, &graph, &proposal, history, now);
        let again = assessment::assess(envelope, &graph, &proposal, Some(&slice), now);
        assert_eq!(again, assessment);
    }
    assert!(!assessment::explain(&assessment, &graph, &proposal, history).is_empty());
}
