//! A token that can be stopped, and that remembers what the CTAP library throws away: how many PIN
//! retries the key has left, and why a connection failed.

use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::{Either, select};
use tokio::sync::watch;
use webauthn_authenticator_rs::ctap2::commands::{CBORResponse, ClientPinResponse};
use webauthn_authenticator_rs::error::WebauthnCError;
use webauthn_authenticator_rs::transport::Token;
use webauthn_authenticator_rs::ui::UiCallback;
use webauthn_rs_proto::AuthenticatorTransport;

use crate::error::KeyError;

/// CTAP 2.1 §6: `authenticatorMakeCredential`.
const MAKE_CREDENTIAL: u8 = 0x01;
/// CTAP 2.1 §6: `authenticatorGetAssertion`.
const GET_ASSERTION: u8 = 0x02;
/// CTAP 2.1 §6: `authenticatorClientPIN`.
const CLIENT_PIN: u8 = 0x06;

/// One use of a key that is under way. Clones are the same use.
#[derive(Debug, Clone)]
pub struct Attempt {
    stop: Arc<watch::Sender<bool>>,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug, Default)]
struct Seen {
    retries: Option<u8>,
    failure: Option<KeyError>,
}

impl Attempt {
    pub(crate) fn new() -> Self {
        Self {
            stop: Arc::new(watch::Sender::new(false)),
            seen: Arc::default(),
        }
    }

    /// Whether the person has given up or the time is over. Whoever opens a key and has to wait for
    /// it asks this, and returns once it is so.
    #[must_use]
    pub fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }

    async fn until_stopped(&self) {
        // It fails only once the sender is gone, and `self` holds it.
        let _ = self.stop.subscribe().wait_for(|stopped| *stopped).await;
    }

    pub(crate) fn retries(&self) -> Option<u8> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retries
    }

    pub(crate) fn fail(&self, failure: KeyError) {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failure = Some(failure);
    }

    pub(crate) fn failure(&self) -> Option<KeyError> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .failure
            .take()
    }

    fn note<T>(&self, answer: &Result<T, WebauthnCError>) {
        if let Err(error) = answer {
            self.fail(KeyError::of(error, self.retries()));
        }
    }

    fn note_retries(&self, answer: &[u8]) {
        let response = <ClientPinResponse as CBORResponse>::try_from(answer).ok();
        if let Some(retries) = response.and_then(|r| r.pin_retries) {
            self.seen
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .retries = Some(u8::try_from(retries).unwrap_or(u8::MAX));
        }
    }
}

/// `inner`, stopped when its [`Attempt`] is.
#[derive(Debug)]
pub(crate) struct Watched<T> {
    inner: T,
    attempt: Attempt,
}

impl<T> Watched<T> {
    pub(crate) fn new(inner: T, attempt: Attempt) -> Self {
        Self { inner, attempt }
    }
}

#[async_trait]
impl<T: Token> Token for Watched<T> {
    type Id = T::Id;

    fn has_button(&self) -> bool {
        self.inner.has_button()
    }

    fn get_transport(&self) -> AuthenticatorTransport {
        self.inner.get_transport()
    }

    async fn transmit_raw<U: UiCallback>(
        &mut self,
        cbor: &[u8],
        ui: &U,
    ) -> Result<Vec<u8>, WebauthnCError> {
        let command = cbor.first().copied();
        // A reader sends no keep-alives: holding the key on it is the touch.
        if !self.inner.has_button() && matches!(command, Some(MAKE_CREDENTIAL | GET_ASSERTION)) {
            ui.request_touch();
        }
        let answer = {
            let stopped = pin!(self.attempt.until_stopped());
            let sending = pin!(self.inner.transmit_raw(cbor, ui));
            match select(stopped, sending).await {
                Either::Left(_) => None,
                Either::Right((answer, _)) => Some(answer),
            }
        };
        let Some(answer) = answer else {
            if let Err(error) = self.inner.cancel().await {
                tracing::debug!(?error, "the key could not be told to cancel");
            }
            return Err(WebauthnCError::Cancelled);
        };
        self.attempt.note(&answer);
        if let (Some(CLIENT_PIN), Ok(answer)) = (command, &answer) {
            self.attempt.note_retries(answer);
        }
        answer
    }

    async fn cancel(&mut self) -> Result<(), WebauthnCError> {
        self.inner.cancel().await
    }

    async fn init(&mut self) -> Result<(), WebauthnCError> {
        let answer = self.inner.init().await;
        self.attempt.note(&answer);
        answer
    }

    async fn close(&mut self) -> Result<(), WebauthnCError> {
        self.inner.close().await
    }
}
