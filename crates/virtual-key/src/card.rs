//! A demonstration key as a smart card, for one test through the real PC/SC.

use std::net::{Shutdown, TcpStream};
use std::thread::{Builder, JoinHandle};

use apdu_dispatch::dispatch::ApduDispatch;
use apdu_dispatch::interchanges::{Channel, Data, Requester};
use countersign_hardware_key::KeyError;
use vpicc::{Connection, VSmartCard};

use crate::control::{Control, Waiting};
use crate::error::RingError;
use crate::firmware::{self, Running, Wire};
use crate::key::VirtualKey;
use crate::power::STACK_BYTES;

/// A contactless card without historical bytes. Source: PC/SC part 3 §3.1.3.2.3.
const CONTACTLESS_ATR: [u8; 5] = [0x3b, 0x80, 0x80, 0x01, 0x01];
/// ISO 7816-4 `6700`: wrong length.
const WRONG_LENGTH: [u8; 2] = [0x67, 0x00];
/// ISO 7816-4 `6F00`: no precise diagnosis.
const NO_DIAGNOSIS: [u8; 2] = [0x6f, 0x00];

/// A key that lies on a virtual reader. Dropping it takes the key away.
#[derive(Debug)]
pub struct VirtualCard {
    stream: TcpStream,
    key: VirtualKey,
    thread: Option<JoinHandle<()>>,
}

impl VirtualKey {
    /// Lays the key on the virtual reader at the other end of `stream`, which speaks the protocol of
    /// `vsmartcard`'s vpcd. The key is powered, and locked against other uses, for as long.
    ///
    /// # Errors
    /// [`RingError::Key`] where the key is in use or the thread does not start.
    pub fn lay_on_reader(&self, stream: TcpStream) -> Result<VirtualCard, RingError> {
        let held = self.files.lock(|| false)?;
        self.control.plug_in();
        let connection = Connection::from(stream.try_clone().map_err(KeyError::transport)?);
        let (flash, control) = (self.files.flash.clone(), self.control.clone());
        let thread = Builder::new()
            .name("smart-card".to_owned())
            .stack_size(STACK_BYTES)
            .spawn(move || {
                let _held = held;
                let (contact, contactless) = (Channel::new(), Channel::new());
                firmware::run(
                    flash,
                    None,
                    &control,
                    Wire::Card,
                    || {},
                    |running| {
                        let (_, contact) = contact.split()?;
                        let (requester, contactless) = contactless.split()?;
                        let dispatch = ApduDispatch::new(contact, contactless);
                        // It ends with an error when the stream is shut down: that is how the card goes.
                        connection
                            .run(&mut Card {
                                requester,
                                dispatch,
                                running,
                                control: &control,
                            })
                            .ok()
                    },
                );
            })
            .map_err(KeyError::transport)?;
        Ok(VirtualCard {
            stream,
            key: self.clone(),
            thread: Some(thread),
        })
    }
}

impl Drop for VirtualCard {
    fn drop(&mut self) {
        self.key.control.unplug();
        // It fails only where the reader has already gone.
        let _ = self.stream.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Card<'a> {
    requester: Requester<'a>,
    dispatch: ApduDispatch<'a>,
    running: &'a mut dyn Running,
    control: &'a Control,
}

impl Card<'_> {
    fn answer(&mut self, apdu: &[u8]) -> Option<Vec<u8>> {
        let Ok(request) = Data::from_slice(apdu) else {
            return Some(WRONG_LENGTH.to_vec());
        };
        self.requester.request(request).ok()?;
        self.control.interrupt().set_working();
        self.dispatch.poll(&mut [&mut *self.running]);
        self.control.interrupt().set_idle();
        self.control.set_waiting(Waiting::No);
        Some(self.requester.take_response()?.as_slice().to_vec())
    }
}

impl VSmartCard for Card<'_> {
    fn atr(&self) -> &[u8] {
        &CONTACTLESS_ATR
    }
    fn execute(&mut self, apdu: &[u8]) -> Vec<u8> {
        self.answer(apdu).unwrap_or_else(|| NO_DIAGNOSIS.to_vec())
    }
}
