//! The one test through the real PC/SC: `pcscd`, its virtual reader `vpcd`, the NFC transport.
//!
//! PC/SC is one service for the whole machine, so nothing else may use it (nextest's test group).

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::support::{PIN, Person, enrol, finish, request, sign, verify};
use countersign_hardware_key::{HardwareKey, KeyError, present_keys};
use countersign_virtual_key::KeyRing;

const INSTALL: &str =
    "this test needs PC/SC and its virtual reader: apt-get install pcscd vsmartcard-vpcd";
const DRIVER: &str = "/usr/lib/pcsc/drivers/serial/libifdvpcd.so";
const SOCKET: &str = "/run/pcscd/pcscd.comm";
const PID_FILE: &str = "/run/pcscd/pcscd.pid";
/// Where the packaged virtual reader of a service that already runs listens.
const PACKAGED_READER: &str = "127.0.0.1:35963";
/// A service that is not there by then has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// The smart-card service, started by us or found running.
struct Service {
    _ours: Option<Pcscd>,
    /// The virtual reader's end of the wire to the card.
    reader: TcpStream,
}

/// A `pcscd` of ours, which ends with the test, however that ends.
struct Pcscd {
    process: Child,
    _configuration: tempfile::TempDir,
}

impl Drop for Pcscd {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        // Killed, it leaves these, and the next one would not start.
        for file in [SOCKET, PID_FILE] {
            let _ = std::fs::remove_file(file);
        }
    }
}

impl Service {
    fn new() -> Self {
        if UnixStream::connect(SOCKET).is_ok() {
            let reader = TcpStream::connect(PACKAGED_READER).unwrap_or_else(|error| {
                panic!(
                    "pcscd runs without a virtual reader on {PACKAGED_READER} ({error}); {INSTALL}"
                )
            });
            return Self {
                _ours: None,
                reader,
            };
        }
        assert!(Path::new(DRIVER).exists(), "{DRIVER} is missing; {INSTALL}");
        for file in [SOCKET, PID_FILE] {
            match std::fs::remove_file(file) {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                Err(error) => {
                    panic!("{file} was left by a dead pcscd and cannot be removed: {error}")
                }
            }
        }
        // The reader takes this port and the next. It listens on every interface: its mode that would
        // connect to us instead dies of a buffer check in libifdvpcd 0.8.
        let port = free_port();
        let reader = format!(
            "FRIENDLYNAME \"Countersign test reader\"\nDEVICENAME /dev/null:{port:#06x}\nLIBPATH {DRIVER}\n\
             CHANNELID {port:#06x}\n"
        );
        let configuration = tempfile::tempdir().unwrap();
        let file = configuration.path().join("reader.conf");
        std::fs::write(&file, reader).unwrap();
        let process = Command::new("pcscd")
            .arg("--foreground")
            .arg("--config")
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("pcscd does not start ({error}); {INSTALL}"));
        let mut ours = Pcscd {
            process,
            _configuration: configuration,
        };
        let reader = until("the virtual reader listens", || {
            assert_eq!(
                ours.process.try_wait().unwrap(),
                None,
                "pcscd ended at once; it needs root"
            );
            TcpStream::connect(("127.0.0.1", port)).map_err(|error| error.to_string())
        });
        Self {
            _ours: Some(ours),
            reader,
        }
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// Waits for a condition of another process, which tells nobody when it comes true.
fn until<T>(what: &str, mut condition: impl FnMut() -> Result<T, String>) -> T {
    let began = Instant::now();
    loop {
        match condition() {
            Ok(value) => return value,
            Err(why) => assert!(
                began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}: {why}"
            ),
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The key on the virtual reader, once the service has noticed the card.
fn key_on_reader() -> Box<dyn HardwareKey> {
    until("a key is on the reader", || {
        let present = present_keys();
        let why = format!("{:?}", present.problems);
        present
            .keys
            .into_iter()
            .find(|key| key.id().starts_with("nfc:"))
            .ok_or(why)
    })
}

#[test]
fn a_key_on_a_reader_registers_and_signs() {
    let folder = tempfile::tempdir().unwrap();
    let ring = KeyRing::create(folder.path(), &["alice"], PIN).unwrap();
    let service = Service::new();
    let card = ring
        .key("alice")
        .unwrap()
        .lay_on_reader(service.reader.try_clone().unwrap())
        .unwrap();

    let key = key_on_reader();
    assert!(
        !key.demonstration(),
        "the transport cannot know; the attestation does"
    );
    assert!(
        key.label().starts_with("security key on "),
        "{}",
        key.label()
    );
    let person = Person::knowing(PIN);
    let (_, finished) = enrol(&*key, &person, &ring.attestation_root_pem().unwrap());
    let credential = finished.unwrap();
    let signed = sign(&*key, &credential, &person, b"statement").unwrap();
    verify(&credential, &signed, b"statement").unwrap();
    finish(&credential, &signed, b"statement").unwrap();
    assert_eq!(person.asked_to_touch.load(Ordering::SeqCst), 2);

    let wrong = sign(&*key, &credential, &Person::knowing("000000"), b"statement");
    assert_eq!(
        wrong,
        Err(KeyError::WrongPin {
            retries_left: Some(7)
        })
    );

    // While the card lies there, nobody else powers the key.
    let mut impatient = request(&credential, b"statement");
    impatient.timeout = Duration::from_millis(50);
    assert_eq!(
        ring.key("alice").unwrap().sign(&impatient, &person),
        Err(KeyError::InUse)
    );

    drop(card);
    let taken_away = sign(&*key, &credential, &person, b"statement").unwrap_err();
    assert!(
        matches!(taken_away, KeyError::Removed | KeyError::Transport(_)),
        "{taken_away:?}"
    );
}
