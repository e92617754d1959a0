//! FIDO2 keys over USB HID and NFC (PC/SC): one trait, real transports.
//!
//! A key makes a credential ([`HardwareKey::register`]) and signs a challenge with it
//! ([`HardwareKey::sign`]). The client data is always ours, byte for byte
//! ([`countersign_core::webauthn::client_data_json`]), user verification and touch are always
//! required, and ES256 is the only algorithm.
//!
//! What this crate must not contain: a decision about who may sign what, a network, a store, a
//! window. It blocks; call it from a thread that may wait (`tokio::task::spawn_blocking`).
//!
//! Windows Hello is left out: Windows builds the client data itself, so the members are not ours.
//! On Windows only an administrator's process reaches USB and NFC keys.

mod attested;
mod ceremony;
mod error;
mod nfc;
mod present;
mod transport;
mod usb;
mod watched;

use std::fmt::Debug;
use std::time::Duration;

use countersign_core::webauthn::{Assertion, Bytes, Registration};

pub use ceremony::{Attempt, register_with, sign_with};
pub use error::KeyError;
pub use present::{PresentKeys, TransportProblem, present_keys};
pub use transport::Transport;

/// A security key that is present now.
pub trait HardwareKey: Send + Sync + Debug {
    /// Which key this is; the same for as long as it stays inserted or on the reader.
    fn id(&self) -> &str;

    /// What a person calls it, for a list to choose from.
    fn label(&self) -> &str;

    /// Whether this is a demonstration key, which a real deployment refuses.
    fn demonstration(&self) -> bool;

    /// Makes a credential. Blocks until the key has answered, the person has cancelled or the
    /// request's time is over.
    ///
    /// # Errors
    /// [`KeyError`], in words for the person at the key.
    fn register(
        &self,
        request: &RegisterRequest,
        interaction: &dyn Interaction,
    ) -> Result<Registration, KeyError>;

    /// Signs a challenge. Blocks as [`HardwareKey::register`] does.
    ///
    /// # Errors
    /// [`KeyError`], in words for the person at the key.
    fn sign(
        &self,
        request: &SignRequest,
        interaction: &dyn Interaction,
    ) -> Result<Assertion, KeyError>;
}

/// What the person at the key is asked for and told. Called on the thread that called the key.
pub trait Interaction: Send + Sync + Debug {
    /// Asks for the PIN and waits for it; `None` when the person cancels. Called at most once for
    /// each `register` or `sign`: after a wrong PIN, call the key again.
    fn pin(&self, prompt: PinPrompt) -> Option<String>;

    /// The key waits to be touched, or to be held on the reader. Called at least once, possibly often.
    fn touch(&self);

    /// The key is working. May be called often or never.
    fn processing(&self);

    /// Whether the person has given up. Asked about 50 times a second while the key is awaited.
    fn cancelled(&self) -> bool;
}

/// What is known when the PIN is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PinPrompt {
    /// How many wrong PINs in a row the key still takes before it blocks itself, where it says so.
    pub retries_left: Option<u8>,
}

/// What to sign, with which credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignRequest {
    /// The relying party of the credentials, DESIGN §6.3.
    pub rp_id: String,
    /// The credentials that may sign; the key picks the one it holds.
    pub credential_ids: Vec<Bytes>,
    /// What is signed, through the client data.
    pub challenge: Vec<u8>,
    /// Longest wait for the key, counted anew once the PIN is given.
    pub timeout: Duration,
}

/// Whom to make a credential for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegisterRequest {
    /// The relying party of the credential, DESIGN §6.3.
    pub rp_id: String,
    /// What the backend challenges the enrolment with.
    pub challenge: Vec<u8>,
    /// The user handle, 1 to 64 bytes, without anything personal in it.
    pub user_id: Vec<u8>,
    /// Credentials of others; a key that holds one of them refuses, so that it cannot stand for two people.
    pub exclude: Vec<Bytes>,
    /// The user's account name.
    pub user_name: String,
    /// The user's name for display.
    pub user_display_name: String,
    /// Longest wait for the key, counted anew once the PIN is given.
    pub timeout: Duration,
}
