//! A powered key: its firmware on a thread, its flash under a lock, its token for the CTAP library.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use countersign_hardware_key::KeyError;
use futures::StreamExt as _;
use futures::channel::mpsc::{UnboundedSender, unbounded};
use webauthn_authenticator_rs::error::{CtapError, WebauthnCError};
use webauthn_authenticator_rs::transport::Token;
use webauthn_authenticator_rs::ui::UiCallback;
use webauthn_rs_proto::AuthenticatorTransport;

use crate::authority::Identity;
use crate::control::{Control, Waiting};
use crate::firmware::{self, Wire};

/// Longest wait for another process that is using the key.
const LOCK_LIMIT: Duration = Duration::from_secs(10);
/// How often the lock is tried: the system has no wait with a limit.
const LOCK_POLL: Duration = Duration::from_millis(5);
/// The firmware was made to have a big stack.
pub(crate) const STACK_BYTES: usize = 8 << 20;

/// Takes the lock of a key that one process at a time may power. It is let go when the file is
/// dropped, or by the system when the process dies.
pub(crate) fn lock(path: &Path, given_up: impl Fn() -> bool) -> Result<File, KeyError> {
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .map_err(KeyError::transport)?;
    let deadline = Instant::now() + LOCK_LIMIT;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if given_up() || Instant::now() >= deadline => {
                return Err(KeyError::InUse);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_POLL),
            Err(TryLockError::Error(error)) => return Err(KeyError::transport(error)),
        }
    }
}

/// What the firmware says while it works on a message.
enum Event {
    Touch,
    Answer(Vec<u8>),
}

struct Message {
    bytes: Vec<u8>,
    events: UnboundedSender<Event>,
}

/// A powered key. Dropping it interrupts the firmware, waits for it to stop and lets the lock go.
pub(crate) struct Powered {
    control: Arc<Control>,
    messages: Option<Sender<Message>>,
    thread: Option<JoinHandle<()>>,
}

impl std::fmt::Debug for Powered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Powered")
    }
}

impl Powered {
    /// Powers the firmware on `flash`; `lock` is held until it has stopped. With an `identity` the
    /// key is new.
    pub(crate) fn on(
        flash: &Path,
        lock: File,
        control: &Arc<Control>,
        identity: Option<Identity>,
    ) -> Result<Self, KeyError> {
        control.plug_in();
        let (messages, inbox) = channel::<Message>();
        let (flash, firmware_control) = (flash.to_owned(), control.clone());
        let thread = Builder::new()
            .name("firmware".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _lock = lock;
                let listener: Mutex<Option<UnboundedSender<Event>>> = Mutex::default();
                let listener = || listener.lock().unwrap_or_else(PoisonError::into_inner);
                // Nobody listens any more once a message is abandoned; so for every event.
                let light = || {
                    let _ = listener()
                        .as_ref()
                        .map(|events| events.unbounded_send(Event::Touch));
                };
                let control = &firmware_control;
                firmware::run(
                    flash,
                    identity.as_ref(),
                    control,
                    Wire::Messages,
                    light,
                    |running| {
                        for message in inbox {
                            *listener() = Some(message.events.clone());
                            control.interrupt().set_working();
                            let answer = running.answer(&message.bytes);
                            control.interrupt().set_idle();
                            control.set_waiting(Waiting::No);
                            *listener() = None;
                            let _ = message.events.unbounded_send(Event::Answer(answer));
                        }
                    },
                );
            })
            .map_err(KeyError::transport)?;
        Ok(Self {
            control: control.clone(),
            messages: Some(messages),
            thread: Some(thread),
        })
    }
}

impl Drop for Powered {
    fn drop(&mut self) {
        self.control.unplug();
        drop(self.messages.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the firmware was already answered as a closed connection.
            let _ = thread.join();
        }
    }
}

#[async_trait]
impl Token for Powered {
    type Id = ();

    fn get_transport(&self) -> AuthenticatorTransport {
        AuthenticatorTransport::Usb
    }

    async fn transmit_raw<U: UiCallback>(
        &mut self,
        cbor: &[u8],
        ui: &U,
    ) -> Result<Vec<u8>, WebauthnCError> {
        let (events, mut inbox) = unbounded();
        let messages = self.messages.as_ref().ok_or(WebauthnCError::Closed)?;
        messages
            .send(Message {
                bytes: cbor.to_vec(),
                events,
            })
            .map_err(|_| WebauthnCError::Closed)?;
        while let Some(event) = inbox.next().await {
            match event {
                Event::Touch => ui.request_touch(),
                Event::Answer(answer) => {
                    let (status, data) = answer
                        .split_first()
                        .ok_or(WebauthnCError::MessageTooShort)?;
                    let status = CtapError::from(*status);
                    return if status.is_ok() {
                        Ok(data.to_vec())
                    } else {
                        Err(status.into())
                    };
                }
            }
        }
        Err(WebauthnCError::Closed)
    }

    async fn cancel(&mut self) -> Result<(), WebauthnCError> {
        self.control.unplug();
        Ok(())
    }

    async fn init(&mut self) -> Result<(), WebauthnCError> {
        Ok(())
    }

    async fn close(&mut self) -> Result<(), WebauthnCError> {
        Ok(())
    }
}
