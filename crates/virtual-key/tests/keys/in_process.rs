//! The firmware in this process, from a folder of keys: what a key does for a person, and refuses.

use std::collections::BTreeSet;
use std::fs::File;
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::{PIN, Person, RP_ID, enrol, enrolled, finish, request, sign, verify};
use countersign_core::webauthn::{Bytes, Ceremony, client_data_json};
use countersign_hardware_key::{HardwareKey as _, KeyError, PinPrompt, RegisterRequest};
use countersign_virtual_key::{KeyRing, Presence, RingError};
use tempfile::TempDir;
use webauthn_rs::prelude::AttestedPasskey;

fn ring(names: &[&str]) -> (TempDir, KeyRing) {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(folder.path(), names, PIN).unwrap();
    (folder, ring)
}

#[test]
fn what_a_key_makes_holds_for_webauthn_rs_and_for_our_own_check() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    assert!(key.demonstration());
    assert_eq!(
        (key.id(), key.label()),
        ("demonstration:alice", "demonstration key alice")
    );

    let person = Person::knowing(PIN);
    let (made, finished) = enrol(&key, &person, &ring.attestation_root_pem().unwrap());
    let credential = finished.unwrap();
    assert_eq!(made.credential_id.0, credential.cred_id().to_vec());
    assert_eq!(person.asked_to_touch.load(Ordering::SeqCst), 1);

    let challenge = b"SSHSIG and what follows";
    let signed = sign(&key, &credential, &person, challenge).unwrap();
    assert_eq!(
        signed.client_data_json.0,
        client_data_json(Ceremony::Get, challenge, RP_ID)
    );
    assert_eq!(signed.credential_id, made.credential_id);
    let ours = verify(&credential, &signed, challenge).unwrap();
    let theirs = finish(&credential, &signed, challenge).unwrap();
    assert!(theirs.user_verified());
    assert_eq!(ours.counter, theirs.counter());
    assert_eq!(
        *person.prompts.lock().unwrap(),
        [PinPrompt {
            retries_left: Some(8)
        }; 2]
    );

    // Nothing else was signed.
    assert!(verify(&credential, &signed, b"another statement").is_err());
    assert!(finish(&credential, &signed, b"another statement").is_err());
}

#[test]
fn the_client_data_of_a_registration_is_ours() {
    let (_folder, ring) = ring(&["alice"]);
    let (made, _) = enrol(
        &ring.key("alice").unwrap(),
        &Person::knowing(PIN),
        &ring.attestation_root_pem().unwrap(),
    );
    let text = String::from_utf8(made.client_data_json.0).unwrap();
    assert!(
        text.starts_with(r#"{"type":"webauthn.create","challenge":""#),
        "{text}"
    );
    assert!(
        text.ends_with(&format!(
            r#"","origin":"https://{RP_ID}","crossOrigin":false}}"#
        )),
        "{text}"
    );
}

#[test]
fn a_wrong_pin_counts_down_and_the_right_one_counts_up_again() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    let with = |pin: &str| sign(&key, &credential, &Person::knowing(pin), b"c").map(|_| ());
    assert_eq!(
        with("000000"),
        Err(KeyError::WrongPin {
            retries_left: Some(7)
        })
    );
    assert_eq!(
        with("000000"),
        Err(KeyError::WrongPin {
            retries_left: Some(6)
        })
    );
    // What cannot be a PIN never reaches the key.
    assert_eq!(
        with("123"),
        Err(KeyError::WrongPin {
            retries_left: Some(6)
        })
    );
    assert_eq!(with(PIN), Ok(()));
    assert_eq!(
        with("000000"),
        Err(KeyError::WrongPin {
            retries_left: Some(7)
        })
    );
}

#[test]
fn a_guessed_pin_blocks_the_key() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    let guess = || sign(&key, &credential, &Person::knowing("000000"), b"c").unwrap_err();
    for retries_left in (1..8).rev() {
        let wrong = KeyError::WrongPin {
            retries_left: Some(retries_left),
        };
        assert_eq!(guess(), wrong);
    }
    assert_eq!(guess(), KeyError::PinBlocked);
    assert_eq!(
        sign(&key, &credential, &Person::knowing(PIN), b"c"),
        Err(KeyError::PinBlocked)
    );
}

#[test]
fn without_a_touch_nothing_is_signed_and_the_key_is_free_at_once() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    key.set_presence(Presence::Never);
    let mut impatient = request(&credential, b"c");
    impatient.timeout = Duration::from_secs(3);
    let person = Person::knowing(PIN);
    assert_eq!(key.sign(&impatient, &person), Err(KeyError::NoTouch));
    assert_eq!(person.asked_to_touch.load(Ordering::SeqCst), 1);
    assert!(!key.waiting());
    key.set_presence(Presence::Approve);
    assert!(sign(&key, &credential, &Person::knowing(PIN), b"c").is_ok());
}

#[test]
fn a_person_may_give_up_at_the_touch() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    key.set_presence(Presence::Never);
    let person = Person {
        gives_up_at_touch: true,
        ..Person::knowing(PIN)
    };
    let began = Instant::now();
    assert_eq!(
        sign(&key, &credential, &person, b"c"),
        Err(KeyError::Cancelled)
    );
    // Far less than the firmware's own 30 s: the firmware was interrupted.
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
    key.set_presence(Presence::Approve);
    assert!(sign(&key, &credential, &Person::knowing(PIN), b"c").is_ok());
}

#[test]
fn a_person_may_give_up_at_the_pin() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    let person = Person::default();
    assert_eq!(
        sign(&key, &credential, &person, b"c"),
        Err(KeyError::Cancelled)
    );
    assert_eq!(person.asked_to_touch.load(Ordering::SeqCst), 0);
    // It cost no attempt.
    let person = Person::knowing(PIN);
    sign(&key, &credential, &person, b"c").unwrap();
    assert_eq!(
        *person.prompts.lock().unwrap(),
        [PinPrompt {
            retries_left: Some(8)
        }]
    );
}

#[test]
fn a_touch_by_hand_counts_only_while_the_key_waits() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    key.set_presence(Presence::Manual);
    assert!(!key.touch());
    let person = Person {
        touches_by_hand: Some(key.clone()),
        ..Person::knowing(PIN)
    };
    assert!(sign(&key, &credential, &person, b"c").is_ok());
    assert!(!key.waiting());
}

#[test]
fn a_late_touch_is_a_touch() {
    let (_folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    key.set_presence(Presence::After(Duration::from_millis(50)));
    assert!(sign(&key, &credential, &Person::knowing(PIN), b"c").is_ok());
}

#[test]
fn the_credential_of_another_key_is_not_this_key_s() {
    let (_folder, ring) = ring(&["alice", "bob"]);
    let credential = enrolled(
        &ring.key("alice").unwrap(),
        &ring.attestation_root_pem().unwrap(),
    );
    let bob = ring.key("bob").unwrap();
    assert_eq!(
        sign(&bob, &credential, &Person::knowing(PIN), b"c"),
        Err(KeyError::NotEnrolled)
    );
}

#[test]
fn a_key_that_is_enrolled_makes_no_credential_for_a_second_person() {
    let (_folder, ring) = ring(&["alice", "bob"]);
    let (alice, bob) = (ring.key("alice").unwrap(), ring.key("bob").unwrap());
    let credential = enrolled(&alice, &ring.attestation_root_pem().unwrap());
    let second = RegisterRequest {
        rp_id: RP_ID.to_owned(),
        challenge: vec![7; 32],
        user_id: vec![2; 16],
        exclude: vec![Bytes(credential.cred_id().to_vec())],
        user_name: "carol".to_owned(),
        user_display_name: "Carol".to_owned(),
        timeout: Duration::from_secs(30),
    };
    assert_eq!(
        alice.register(&second, &Person::knowing(PIN)),
        Err(KeyError::AlreadyEnrolled)
    );
    assert!(bob.register(&second, &Person::knowing(PIN)).is_ok());
}

#[test]
fn a_key_of_another_ring_is_not_attested_by_this_one() {
    let (_ours, ring_of_ours) = ring(&["alice"]);
    let (_theirs, ring_of_theirs) = ring(&["alice"]);
    let foreign = ring_of_theirs.key("alice").unwrap();
    let (_, finished) = enrol(
        &foreign,
        &Person::knowing(PIN),
        &ring_of_ours.attestation_root_pem().unwrap(),
    );
    assert!(finished.is_err());
}

#[test]
fn the_counter_rises_across_power_cycles_and_openings_of_the_folder() {
    let (folder, ring) = ring(&["alice"]);
    let root = ring.attestation_root_pem().unwrap();
    let mut credential = enrolled(&ring.key("alice").unwrap(), &root);
    drop(ring);
    let mut last = 0;
    for challenge in [b"1", b"2", b"3"] {
        let key = KeyRing::open(folder.path()).unwrap().key("alice").unwrap();
        let signed = sign(&key, &credential, &Person::knowing(PIN), challenge).unwrap();
        let counter = verify(&credential, &signed, challenge).unwrap().counter;
        assert!(counter > last, "{counter} after {last}");
        last = counter;
        // webauthn-rs refuses a counter that did not move on.
        let finished = finish(&credential, &signed, challenge).unwrap();
        assert_eq!(credential.update_credential(&finished), Some(true));
    }
}

/// Names the folder for the process that [`processes_take_turns_on_one_key`] starts of itself.
const FOLDER: &str = "COUNTERSIGN_TEST_RING";
const TURNS: usize = 5;

fn counters(folder: &std::path::Path, credential: &AttestedPasskey) -> Vec<u32> {
    let key = KeyRing::open(folder).unwrap().key("alice").unwrap();
    let counter = |_| {
        let signed = sign(&key, credential, &Person::knowing(PIN), b"c").unwrap();
        verify(credential, &signed, b"c").unwrap().counter
    };
    (0..TURNS).map(counter).collect()
}

#[test]
fn processes_take_turns_on_one_key() {
    if let Ok(folder) = std::env::var(FOLDER) {
        let folder = std::path::PathBuf::from(folder);
        let credential =
            serde_json::from_slice(&std::fs::read(folder.join("credential")).unwrap()).unwrap();
        let answer = serde_json::to_vec(&counters(&folder, &credential)).unwrap();
        std::fs::write(folder.join("counters"), answer).unwrap();
        return;
    }
    let (folder, ring) = ring(&["alice"]);
    let credential = enrolled(
        &ring.key("alice").unwrap(),
        &ring.attestation_root_pem().unwrap(),
    );
    std::fs::write(
        folder.path().join("credential"),
        serde_json::to_vec(&credential).unwrap(),
    )
    .unwrap();
    let mut other = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "in_process::processes_take_turns_on_one_key"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let ours = counters(folder.path(), &credential);
    assert!(other.wait().unwrap().success());
    let theirs: Vec<u32> =
        serde_json::from_slice(&std::fs::read(folder.path().join("counters")).unwrap()).unwrap();
    assert!(
        ours.is_sorted() && theirs.is_sorted(),
        "{ours:?} {theirs:?}"
    );
    // No state was used twice.
    let all: BTreeSet<u32> = ours.into_iter().chain(theirs).collect();
    assert_eq!(all.len(), 2 * TURNS);
}

#[test]
fn a_key_that_another_process_keeps_is_in_use() {
    let (folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    let held = File::options()
        .write(true)
        .open(folder.path().join("alice.lock"))
        .unwrap();
    held.lock().unwrap();
    let mut impatient = request(&credential, b"c");
    impatient.timeout = Duration::from_millis(50);
    assert_eq!(
        key.sign(&impatient, &Person::knowing(PIN)),
        Err(KeyError::InUse)
    );
    held.unlock().unwrap();
    assert!(sign(&key, &credential, &Person::knowing(PIN), b"c").is_ok());
}

#[test]
fn a_damaged_flash_is_a_failed_connection() {
    let (folder, ring) = ring(&["alice"]);
    let key = ring.key("alice").unwrap();
    let credential = enrolled(&key, &ring.attestation_root_pem().unwrap());
    std::fs::write(folder.path().join("alice.key"), b"not a flash").unwrap();
    let refused = sign(&key, &credential, &Person::knowing(PIN), b"c").unwrap_err();
    assert_eq!(refused.code(), "key_transport");
    std::fs::remove_file(folder.path().join("alice.key")).unwrap();
    assert_eq!(
        sign(&key, &credential, &Person::knowing(PIN), b"c"),
        Err(KeyError::Removed)
    );
}

#[test]
fn a_ring_is_made_once_and_whole() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(
        KeyRing::open(folder.path()),
        Err(RingError::Absent(_))
    ));
    for names in [vec!["../alice"], vec![""], vec!["alice", "alice"]] {
        assert!(
            matches!(
                KeyRing::create(folder.path(), &names, PIN),
                Err(RingError::Name(_))
            ),
            "{names:?}"
        );
    }
    assert!(matches!(
        KeyRing::create(folder.path(), &["alice"], "123"),
        Err(RingError::Pin)
    ));
    // What the refused attempt left does not count.
    assert!(matches!(
        KeyRing::open(folder.path()),
        Err(RingError::Absent(_))
    ));
    let ring = KeyRing::create(folder.path(), &["bob", "alice"], PIN).unwrap();
    let names: Vec<_> = ring
        .keys()
        .iter()
        .map(|key| key.name().to_owned())
        .collect();
    assert_eq!(names, ["alice", "bob"]);
    assert!(matches!(
        ring.key("mallory"),
        Err(RingError::UnknownKey { .. })
    ));
    assert!(matches!(
        KeyRing::create(folder.path(), &["carol"], PIN),
        Err(RingError::Exists(_))
    ));
}
