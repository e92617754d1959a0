//! Asking the key: one signing at a time, the PIN first, then the statement, then the touch.
//!
//! The PIN is asked for before the statement is made, so that the time in the statement is the time
//! of the touch; after a wrong PIN a new statement is made. A PIN lives for one attempt, in memory
//! that is wiped, and is told to nobody but the key.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, SubsecRound as _, Utc};
use countersign_core::webauthn::Assertion;
use countersign_hardware_key::{HardwareKey, Interaction, KeyError, PinPrompt, SignRequest};
use countersign_wire::client::decide::Challenge;
use countersign_wire::problem::Problem;
use countersign_wire::view::KeyStage;
use tokio::sync::{Notify, oneshot};
use zeroize::Zeroizing;

use super::{Console, Event, problem};

/// Longest wait for the key to be inserted.
const INSERT_LIMIT: Duration = Duration::from_secs(120);
/// How often it is looked for.
const INSERT_EVERY: Duration = Duration::from_millis(500);
/// Longest wait for the PIN.
const PIN_LIMIT: Duration = Duration::from_secs(180);
/// Longest wait for the touch; shorter than the backend's patience with the time in the statement.
const TOUCH_LIMIT: Duration = Duration::from_secs(45);
/// How long a finger rests on a demonstration key: it says that it waits a moment before it does.
const FINGER_LIMIT: Duration = Duration::from_secs(1);
/// How often the key is touched meanwhile.
const FINGER_EVERY: Duration = Duration::from_millis(10);
/// Attempts at the PIN; keys block themselves after eight.
const ATTEMPTS_MAX: u32 = 8;

/// What is being signed, if anything is.
#[derive(Default)]
pub(super) struct Signing {
    active: Mutex<Option<Active>>,
}

struct Active {
    key: String,
    pin: Option<oneshot::Sender<Zeroizing<String>>>,
    cancel: Arc<Cancel>,
}

#[derive(Debug, Default)]
struct Cancel {
    asked: AtomicBool,
    wake: Notify,
}

impl Cancel {
    fn is_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// Until it is asked for.
    async fn asked(&self) {
        let woken = self.wake.notified();
        tokio::pin!(woken);
        woken.as_mut().enable();
        if !self.is_asked() {
            woken.await;
        }
    }
}

/// Ends the signing when it goes.
struct Turn<'a> {
    signing: &'a Signing,
    cancel: Arc<Cancel>,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        *self.signing.active() = None;
        // Where the caller went away, the key must not go on waiting for a touch.
        self.cancel.asked.store(true, Ordering::SeqCst);
    }
}

impl Signing {
    fn active(&self) -> MutexGuard<'_, Option<Active>> {
        self.active.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, key: &str) -> Result<Turn<'_>, Problem> {
        let mut active = self.active();
        if active.is_some() {
            return Err(problem(
                "key_busy",
                "already signing",
                "finish or cancel the signature under way first",
            ));
        }
        let cancel = Arc::new(Cancel::default());
        *active = Some(Active {
            key: key.to_owned(),
            pin: None,
            cancel: cancel.clone(),
        });
        Ok(Turn {
            signing: self,
            cancel,
        })
    }
}

impl Console {
    /// Asks the key to sign what `make` makes of the current time. What `make` made comes back with
    /// the assertion over it.
    pub(super) async fn ask_key<T>(
        &self,
        key: &str,
        make: impl Fn(DateTime<Utc>) -> Result<(T, Challenge), Problem> + Send + Sync,
    ) -> Result<(T, Assertion), Problem> {
        let turn = self.inner.signing.begin(key)?;
        let key = self.find_key(key, &turn.cancel).await?;
        let mut prompt = KeyStage::Pin {
            retries: None,
            message: None,
        };
        for _ in 0..ATTEMPTS_MAX {
            let pin = self.wait_for_pin(prompt, &turn.cancel).await?;
            self.tell(Event::Key(KeyStage::Working));
            let (made, challenge) = make(Utc::now().trunc_subsecs(3))?;
            match self
                .sign(key.clone(), challenge, pin, turn.cancel.clone())
                .await
            {
                Ok(assertion) => {
                    self.tell(Event::Key(KeyStage::Sending));
                    return Ok((made, assertion));
                }
                Err(error @ KeyError::WrongPin { retries_left }) if retries_left != Some(0) => {
                    prompt = KeyStage::Pin {
                        retries: retries_left,
                        message: Some(error.to_string()),
                    };
                }
                Err(error) => return Err(key_problem(&error)),
            }
        }
        Err(key_problem(&KeyError::PinPaused))
    }

    async fn find_key(&self, id: &str, cancel: &Cancel) -> Result<Arc<dyn HardwareKey>, Problem> {
        let deadline = tokio::time::Instant::now() + INSERT_LIMIT;
        let mut told = false;
        loop {
            let (keys, wanted) = (self.inner.parts.keys.clone(), id.to_owned());
            let found = tokio::task::spawn_blocking(move || keys.find(&wanted))
                .await
                .map_err(|error| key_problem(&KeyError::transport(error)))?;
            if let Some(key) = found {
                return Ok(key);
            }
            if cancel.is_asked() {
                return Err(key_problem(&KeyError::Cancelled));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(key_problem(&KeyError::NoKey));
            }
            if !std::mem::replace(&mut told, true) {
                self.tell(Event::Key(KeyStage::Insert));
            }
            tokio::select! {
                () = tokio::time::sleep(INSERT_EVERY) => {}
                () = cancel.asked() => return Err(key_problem(&KeyError::Cancelled)),
            }
        }
    }

    /// The keys that are present.
    pub(super) async fn present(&self) -> Result<Vec<Arc<dyn HardwareKey>>, Problem> {
        let keys = self.inner.parts.keys.clone();
        tokio::task::spawn_blocking(move || keys.present())
            .await
            .map_err(|error| key_problem(&KeyError::transport(error)))
    }

    async fn wait_for_pin(
        &self,
        prompt: KeyStage,
        cancel: &Cancel,
    ) -> Result<Zeroizing<String>, Problem> {
        let (send, pin) = oneshot::channel();
        if let Some(active) = self.inner.signing.active().as_mut() {
            active.pin = Some(send);
        }
        // Only now: the answer may come at once.
        self.tell(Event::Key(prompt));
        tokio::select! {
            pin = pin => pin.map_err(|_| key_problem(&KeyError::Cancelled)),
            () = cancel.asked() => Err(key_problem(&KeyError::Cancelled)),
            () = tokio::time::sleep(PIN_LIMIT) => {
                Err(problem("no_pin", "no PIN was given", "no PIN was given in time; nothing was signed, try again"))
            }
        }
    }

    async fn sign(
        &self,
        key: Arc<dyn HardwareKey>,
        challenge: Challenge,
        pin: Zeroizing<String>,
        cancel: Arc<Cancel>,
    ) -> Result<Assertion, KeyError> {
        let person = Person {
            console: self.clone(),
            demonstration: key.demonstration(),
            pin: Mutex::new(Some(pin)),
            cancel,
            touch_asked: AtomicBool::new(false),
        };
        let request = SignRequest {
            rp_id: challenge.rp_id,
            credential_ids: vec![challenge.credential],
            challenge: challenge.challenge,
            timeout: TOUCH_LIMIT,
        };
        tokio::task::spawn_blocking(move || key.sign(&request, &person))
            .await
            .map_err(KeyError::transport)?
    }

    /// Gives the PIN that the key waits for.
    ///
    /// # Errors
    /// Where no key waits for one.
    pub fn give_pin(&self, pin: Zeroizing<String>) -> Result<(), Problem> {
        let waiting = self
            .inner
            .signing
            .active()
            .as_mut()
            .and_then(|active| active.pin.take());
        waiting
            .and_then(|waiting| waiting.send(pin).ok())
            .ok_or_else(|| {
                problem(
                    "no_pin_wanted",
                    "no PIN is wanted",
                    "no key waits for a PIN",
                )
            })
    }

    /// Cancels the signature under way, if there is one.
    pub fn cancel_key(&self) {
        if let Some(active) = self.inner.signing.active().as_ref() {
            active.cancel.asked.store(true, Ordering::SeqCst);
            active.cancel.wake.notify_waiters();
        }
    }

    /// Touches the demonstration key that waits for it.
    ///
    /// # Errors
    /// Where none does.
    pub async fn touch_demonstration_key(&self) -> Result<(), Problem> {
        let deadline = tokio::time::Instant::now() + FINGER_LIMIT;
        loop {
            let key = self
                .inner
                .signing
                .active()
                .as_ref()
                .map(|active| active.key.clone());
            let Some(key) = key else { break };
            if self.inner.parts.keys.touch(&key) {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                break;
            }
            tokio::time::sleep(FINGER_EVERY).await;
        }
        Err(problem(
            "no_touch_wanted",
            "no touch is wanted",
            "no demonstration key waits for a touch",
        ))
    }
}

/// The person at the key, as the key sees them.
struct Person {
    console: Console,
    demonstration: bool,
    pin: Mutex<Option<Zeroizing<String>>>,
    cancel: Arc<Cancel>,
    touch_asked: AtomicBool,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Person")
    }
}

impl Interaction for Person {
    fn pin(&self, _: PinPrompt) -> Option<String> {
        let pin = self
            .pin
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()?;
        Some(pin.as_str().to_owned())
    }

    fn touch(&self) {
        if !self.touch_asked.swap(true, Ordering::SeqCst) {
            self.console.tell(Event::Key(KeyStage::Touch {
                demonstration: self.demonstration,
            }));
        }
    }

    fn processing(&self) {}

    fn cancelled(&self) -> bool {
        self.cancel.is_asked()
    }
}

fn key_problem(error: &KeyError) -> Problem {
    problem(error.code(), "the key did not sign", error.to_string())
}
