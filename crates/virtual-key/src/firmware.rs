//! The firmware (`fido-authenticator` on `trussed`) on this machine's parts: a file for its flash,
//! the system's randomness, [`Control`] for its button.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use apdu_dispatch::App;
use ctaphid_app::Command;
use fido_authenticator::{Authenticator, Config, Conforming, FirmwareVersion};
use heapless_bytes::Bytes;
use littlefs2_core::{Path, path};
use rand_core::OsRng;
use trussed::ClientImplementation;
use trussed::backend::BackendId;
use trussed::pipe::{ServiceEndpoint, TrussedChannel};
use trussed::platform::{Platform, Syscall, UserInterface};
use trussed::service::Service;
use trussed::store::Store as _;
use trussed::types::CoreContext;
use trussed::types::ui::Status;
use trussed::virt::{StorageConfig, Store, StoreConfig};
use trussed_core::types::consent::Level;
use trussed_staging::virt::{BackendIds, Dispatcher};

use crate::authority::Identity;
use crate::control::{Control, Waiting};

/// Longest CTAP message, bytes; what the firmware says of itself.
const MESSAGE_BYTES_MAX: usize = 3072;
/// A poll of the button a little later than at once spares the processor.
const POLL: Duration = Duration::from_millis(2);
/// An immediate touch must not pay for [`POLL`].
const POLL_AFTER: Duration = Duration::from_micros(500);

/// What the firmware is reached by.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// CTAP messages, as USB HID carries them.
    Messages,
    /// APDUs, as a contactless card takes them.
    Card,
}

/// The running firmware.
pub(crate) trait Running: App {
    /// Answers one CTAP2 message (command byte and CBOR) with status byte and CBOR.
    fn answer(&mut self, message: &[u8]) -> Vec<u8>;
}

/// CTAP 2.1 §8.2 `CTAP1_ERR_OTHER`, for what the firmware answers with no status of its own.
const STATUS_OTHER: u8 = 0x7f;

impl<T: App + ctaphid_app::App<'static>> Running for T {
    fn answer(&mut self, message: &[u8]) -> Vec<u8> {
        let mut response = Bytes::<MESSAGE_BYTES_MAX>::new();
        match ctaphid_app::App::call(self, Command::Cbor, message, &mut response) {
            Ok(()) if !response.is_empty() => response.as_slice().to_vec(),
            Ok(()) | Err(_) => vec![STATUS_OTHER],
        }
    }
}

/// The button and the light. `light` is told each time the firmware begins to wait for a touch.
struct Button<Light> {
    control: Arc<Control>,
    powered: Instant,
    waiting_since: Option<Instant>,
    light: Light,
}

impl<Light: Fn()> Button<Light> {
    fn waited(&self) -> Duration {
        self.waiting_since
            .map(|since| since.elapsed())
            .unwrap_or_default()
    }
}

impl<Light: Fn()> UserInterface for Button<Light> {
    fn check_user_presence(&mut self) -> Level {
        if self.control.touched_after(self.waited()) {
            Level::Normal
        } else {
            Level::None
        }
    }
    fn set_status(&mut self, status: Status) {
        if matches!(status, Status::WaitingForUserPresence) {
            self.waiting_since = Some(Instant::now());
            self.control.set_waiting(Waiting::Yes);
            (self.light)();
        } else {
            self.waiting_since = None;
            self.control.set_waiting(Waiting::No);
        }
    }
    // Called in the busy loop that waits for a touch.
    fn refresh(&mut self) {
        self.control.keep_interrupting();
        if self.waited() > POLL_AFTER {
            std::thread::sleep(POLL);
        }
    }
    fn uptime(&mut self) -> Duration {
        self.powered.elapsed()
    }
}

struct Board<'a, Light> {
    random: OsRng,
    store: Store<'a>,
    button: Button<Light>,
}

// The firmware's stock virtual board seeds its randomness with a constant; this one does not.
impl<'a, Light: Fn()> Platform for Board<'a, Light> {
    type R = OsRng;
    type S = Store<'a>;
    type UI = Button<Light>;
    fn user_interface(&mut self) -> &mut Self::UI {
        &mut self.button
    }
    fn rng(&mut self) -> &mut OsRng {
        &mut self.random
    }
    fn store(&self) -> Store<'a> {
        self.store
    }
}

type Endpoints<'a> = [ServiceEndpoint<'a, BackendIds, trussed_staging::StagingContext>; 1];

/// A system call is a plain call: no second thread to poll.
struct Inline<'a, Light: Fn()>(Service<Board<'a, Light>, Dispatcher>, Endpoints<'a>);

impl<Light: Fn()> Syscall for Inline<'_, Light> {
    fn syscall(&mut self) {
        self.0.process(&mut self.1);
    }
}

/// Runs the firmware on the flash in `flash` for as long as `operate` does. With an `identity`, it
/// is written to the flash first, as the maker of a key does once.
///
/// Answers `None` when the flash is full or damaged beyond what the firmware's file system mends. A
/// flash that is not one of ours makes the firmware's board panic: run this on a thread of its own.
pub(crate) fn run<R>(
    flash: PathBuf,
    identity: Option<&Identity>,
    control: &Arc<Control>,
    wire: Wire,
    light: impl Fn(),
    operate: impl FnOnce(&mut dyn Running) -> R,
) -> Option<R> {
    let mut storage = StoreConfig {
        internal: StorageConfig::filesystem(flash),
        external: StorageConfig::ram(),
        volatile: StorageConfig::ram(),
    };
    storage.with_store(|store| {
        if let Some(identity) = identity {
            write(store, path!("fido/x5c/00"), &identity.certificate)?;
            write(store, path!("fido/sec/00"), &identity.key_file)?;
        }
        let button = Button {
            control: control.clone(),
            powered: Instant::now(),
            waiting_since: None,
            light,
        };
        let channel = TrussedChannel::new();
        let (requester, responder) = channel.split()?;
        let endpoint = ServiceEndpoint::new(
            responder,
            CoreContext::with_interrupt(path!("fido").into(), Some(control.interrupt())),
            &[
                BackendId::Custom(BackendIds::StagingBackend),
                BackendId::Core,
            ],
        );
        let board = Board {
            random: OsRng,
            store,
            button,
        };
        let service = Inline(
            Service::with_dispatch(board, Dispatcher::default()),
            [endpoint],
        );
        let client = ClientImplementation::<_, Dispatcher>::new(
            requester,
            service,
            Some(control.interrupt()),
        );
        let mut config = Config::new(MESSAGE_BYTES_MAX);
        config.max_resident_credential_count = Some(10);
        config.firmware_version = Some(FirmwareVersion::new(1));
        config.nfc_transport = wire == Wire::Card;
        let mut authenticator = Authenticator::new(client, Conforming {}, config);
        Some(operate(&mut authenticator))
    })
}

fn write(store: Store<'_>, file: &Path, content: &[u8]) -> Option<()> {
    store.ifs().create_dir_all(&file.parent()?).ok()?;
    store.ifs().write(file, content).ok()
}
