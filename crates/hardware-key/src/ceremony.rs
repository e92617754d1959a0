//! One use of a key: a thread of its own talks to it, the caller's thread talks to the person.
//!
//! The CTAP library blocks, ignores its timeout and cannot be cancelled. So the key is driven on a
//! thread that outlives the call if it must, and the calling thread relays questions to the person,
//! watches the clock and gives up after [`GRACE`].

use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use countersign_core::webauthn::{Assertion, Bytes, Ceremony, Registration, client_data_json};
use futures::executor::block_on;
use sha2::{Digest as _, Sha256};
use unicode_normalization::UnicodeNormalization as _;
use webauthn_authenticator_rs::AuthenticatorBackendHashedClientData as Backend;
use webauthn_authenticator_rs::ctap2::CtapAuthenticator;
use webauthn_authenticator_rs::error::WebauthnCError;
use webauthn_authenticator_rs::transport::Token;
use webauthn_authenticator_rs::types::{CableRequestType, CableState, EnrollSampleStatus};
use webauthn_authenticator_rs::ui::UiCallback;
use webauthn_rs_proto::{
    AllowCredentials, AttestationConveyancePreference, AuthenticatorAttachment,
    AuthenticatorSelectionCriteria, PubKeyCredParams, PublicKeyCredentialCreationOptions,
    PublicKeyCredentialDescriptor, PublicKeyCredentialRequestOptions, RelyingParty,
    ResidentKeyRequirement, User, UserVerificationPolicy,
};

use crate::attested;
use crate::error::KeyError;
pub use crate::watched::Attempt;
use crate::watched::Watched;
use crate::{Interaction, PinPrompt, RegisterRequest, SignRequest};

/// How long a key may take to stop once it is told to. A key on a reader cannot be told at all: then
/// the call returns and the thread stays with the reader until the card answers.
const GRACE: Duration = Duration::from_secs(2);
/// How often the person's change of mind is looked for.
const LOOK: Duration = Duration::from_millis(20);
/// COSE's number for ECDSA with P-256 and SHA-256.
const ES256: i64 = -7;
/// CTAP 2.1 §6.5.1: a PIN has at least 4 code points and at most 63 bytes.
const PIN_CODE_POINTS_MIN: usize = 4;
/// See [`PIN_CODE_POINTS_MIN`].
const PIN_BYTES_MAX: usize = 63;

type Authenticator<'a, T> = CtapAuthenticator<'a, Watched<T>, Relay>;

/// Makes a credential on the key that `open` opens; [`crate::HardwareKey::register`] for any
/// transport. `open` runs on a thread of its own, inside a tokio runtime.
///
/// # Errors
/// [`KeyError`], in words for the person at the key.
pub fn register_with<T, Open>(
    open: Open,
    request: &RegisterRequest,
    interaction: &dyn Interaction,
) -> Result<Registration, KeyError>
where
    T: Token,
    Open: FnOnce(&Attempt) -> Result<T, KeyError> + Send + 'static,
{
    let client_data = client_data_json(Ceremony::Create, &request.challenge, &request.rp_id);
    let hash = Sha256::digest(&client_data).to_vec();
    let options = creation_options(request);
    let attestation_object = use_key(open, request.timeout, interaction, move |key| {
        Ok(Backend::perform_register(key, hash, options, 0)?
            .response
            .attestation_object)
    })?;
    let credential_id = attested::credential_id(&attestation_object)
        .ok_or_else(|| KeyError::transport("the key's attestation is malformed"))?;
    Ok(Registration {
        credential_id: Bytes(credential_id),
        attestation_object: Bytes(attestation_object),
        client_data_json: Bytes(client_data),
    })
}

/// Signs with the key that `open` opens; [`crate::HardwareKey::sign`] for any transport. `open`
/// runs on a thread of its own, inside a tokio runtime.
///
/// # Errors
/// [`KeyError`], in words for the person at the key.
pub fn sign_with<T, Open>(
    open: Open,
    request: &SignRequest,
    interaction: &dyn Interaction,
) -> Result<Assertion, KeyError>
where
    T: Token,
    Open: FnOnce(&Attempt) -> Result<T, KeyError> + Send + 'static,
{
    // Without a list a key would offer whatever resident credential it has.
    if request.credential_ids.is_empty() {
        return Err(KeyError::NotEnrolled);
    }
    let client_data = client_data_json(Ceremony::Get, &request.challenge, &request.rp_id);
    let hash = Sha256::digest(&client_data).to_vec();
    let options = request_options(request);
    let signed = use_key(open, request.timeout, interaction, move |key| {
        Backend::perform_auth(key, hash, options, 0)
    })?;
    let credential_id = Bytes(signed.raw_id);
    if !request.credential_ids.contains(&credential_id) {
        return Err(KeyError::transport(
            "the key signed with a credential that was not asked for",
        ));
    }
    Ok(Assertion {
        credential_id,
        authenticator_data: Bytes(signed.response.authenticator_data),
        client_data_json: Bytes(client_data),
        signature: Bytes(signed.response.signature),
    })
}

fn creation_options(request: &RegisterRequest) -> PublicKeyCredentialCreationOptions {
    PublicKeyCredentialCreationOptions {
        rp: RelyingParty {
            id: request.rp_id.clone(),
            name: "Countersign".to_owned(),
        },
        user: User {
            id: request.user_id.clone(),
            name: request.user_name.clone(),
            display_name: request.user_display_name.clone(),
        },
        // The backends of the library sign the hash they are given, not this.
        challenge: Vec::new(),
        pub_key_cred_params: vec![PubKeyCredParams {
            type_: "public-key".to_owned(),
            alg: ES256,
        }],
        timeout: None,
        exclude_credentials: Some(request.exclude.iter().map(descriptor).collect()),
        hints: None,
        attestation: Some(AttestationConveyancePreference::Direct),
        attestation_formats: None,
        authenticator_selection: Some(AuthenticatorSelectionCriteria {
            authenticator_attachment: Some(AuthenticatorAttachment::CrossPlatform),
            resident_key: Some(ResidentKeyRequirement::Discouraged),
            require_resident_key: false,
            user_verification: UserVerificationPolicy::Required,
        }),
        extensions: None,
    }
}

fn descriptor(id: &Bytes) -> PublicKeyCredentialDescriptor {
    PublicKeyCredentialDescriptor {
        type_: "public-key".to_owned(),
        id: id.0.clone(),
        transports: None,
    }
}

fn request_options(request: &SignRequest) -> PublicKeyCredentialRequestOptions {
    let allow = |id: &Bytes| AllowCredentials {
        type_: "public-key".to_owned(),
        id: id.0.clone(),
        transports: None,
    };
    PublicKeyCredentialRequestOptions {
        challenge: Vec::new(),
        timeout: None,
        rp_id: request.rp_id.clone(),
        allow_credentials: request.credential_ids.iter().map(allow).collect(),
        hints: None,
        user_verification: UserVerificationPolicy::Required,
        extensions: None,
    }
}

/// What the key's thread tells the caller's.
enum Event<R> {
    Pin(PinPrompt, Sender<Option<String>>),
    Touch,
    Processing,
    Done(Result<R, KeyError>),
}

/// Why the key was told to stop.
#[derive(Clone, Copy)]
enum Stop {
    Cancelled,
    TimedOut,
}

fn use_key<T, R, Open, Operate>(
    open: Open,
    timeout: Duration,
    interaction: &dyn Interaction,
    operate: Operate,
) -> Result<R, KeyError>
where
    T: Token,
    R: Send + 'static,
    Open: FnOnce(&Attempt) -> Result<T, KeyError> + Send + 'static,
    Operate: FnOnce(&mut Authenticator<'_, T>) -> Result<R, WebauthnCError> + Send + 'static,
{
    let attempt = Attempt::new();
    let (events, inbox) = channel();
    let (key_attempt, done) = (attempt.clone(), events.clone());
    thread::Builder::new()
        .name("hardware-key".to_owned())
        .spawn(move || {
            let relay = Relay {
                events: Box::new(move |q| forward(&events, q)),
                attempt: key_attempt.clone(),
            };
            let result = drive(open, &key_attempt, &relay, operate);
            // Nobody listens any more if the caller gave up.
            let _ = done.send(Event::Done(result));
        })
        .map_err(KeyError::transport)?;

    let mut deadline = Instant::now() + timeout;
    let mut stop: Option<Stop> = None;
    let mut touch_asked = false;
    loop {
        match inbox.recv_timeout(LOOK) {
            Ok(Event::Pin(prompt, reply)) => {
                let _ = reply.send(interaction.pin(prompt));
                deadline = Instant::now() + timeout;
            }
            Ok(Event::Touch) => {
                touch_asked = true;
                interaction.touch();
            }
            Ok(Event::Processing) => interaction.processing(),
            Ok(Event::Done(result)) => return conclude(result, stop, touch_asked),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => {
                return Err(KeyError::transport("its driver stopped unexpectedly"));
            }
        }
        let now = Instant::now();
        if stop.is_some() && now >= deadline {
            tracing::warn!("a key did not stop in time; its reader stays busy until it answers");
            return conclude(Err(KeyError::NoTouch), stop, touch_asked);
        }
        if stop.is_none() {
            stop = match (interaction.cancelled(), now >= deadline) {
                (true, _) => Some(Stop::Cancelled),
                (false, true) => Some(Stop::TimedOut),
                (false, false) => None,
            };
            if stop.is_some() {
                attempt.stop();
                deadline = now + GRACE;
            }
        }
    }
}

/// What the caller is told, given how the key ended and whether it was told to stop before.
fn conclude<R>(
    result: Result<R, KeyError>,
    stop: Option<Stop>,
    touch_asked: bool,
) -> Result<R, KeyError> {
    match (stop, result) {
        (None, result) => result,
        (Some(Stop::Cancelled), _) => Err(KeyError::Cancelled),
        // The signature came while the key was being stopped.
        (Some(Stop::TimedOut), Ok(value)) => Ok(value),
        (Some(Stop::TimedOut), Err(KeyError::InUse)) => Err(KeyError::InUse),
        (Some(Stop::TimedOut), Err(_)) if touch_asked => Err(KeyError::NoTouch),
        (Some(Stop::TimedOut), Err(_)) => Err(KeyError::transport("it did not answer in time")),
    }
}

/// On the key's thread: opens, operates, closes.
fn drive<T, R, Open, Operate>(
    open: Open,
    attempt: &Attempt,
    relay: &Relay,
    operate: Operate,
) -> Result<R, KeyError>
where
    T: Token,
    Open: FnOnce(&Attempt) -> Result<T, KeyError>,
    Operate: FnOnce(&mut Authenticator<'_, T>) -> Result<R, WebauthnCError>,
{
    // The library sleeps on tokio's clock but waits with another executor: a worker drives the clock.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(KeyError::transport)?;
    let _context = runtime.enter();
    let token = Watched::new(open(attempt)?, attempt.clone());
    let mut authenticator = block_on(CtapAuthenticator::new(token, relay))
        .ok_or_else(|| attempt.failure().unwrap_or(KeyError::Unsupported))?;
    operate(&mut authenticator).map_err(|error| {
        attempt
            .failure()
            .unwrap_or_else(|| KeyError::of(&error, attempt.retries()))
    })
}

/// What the library asks the person, without the type of what comes in the end.
enum Question {
    Pin(PinPrompt, Sender<Option<String>>),
    Touch,
    Processing,
}

fn forward<R>(events: &Sender<Event<R>>, question: Question) {
    // Nobody listens any more if the caller gave up; then the PIN's reply channel closes.
    let _ = events.send(match question {
        Question::Pin(prompt, reply) => Event::Pin(prompt, reply),
        Question::Touch => Event::Touch,
        Question::Processing => Event::Processing,
    });
}

/// The library's callbacks, sent to the caller's thread.
struct Relay {
    events: Box<dyn Fn(Question) + Send + Sync>,
    attempt: Attempt,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl UiCallback for Relay {
    fn request_pin(&self) -> Option<String> {
        let (reply, answer) = channel();
        let retries_left = self.attempt.retries();
        if retries_left == Some(0) {
            self.attempt.fail(KeyError::PinBlocked);
            return None;
        }
        (self.events)(Question::Pin(PinPrompt { retries_left }, reply));
        // CTAP 2.1 §6.5.5.5: the platform normalises to Unicode NFC.
        let pin: String = answer.recv().ok().flatten()?.nfc().collect();
        if pin.chars().count() < PIN_CODE_POINTS_MIN || pin.len() > PIN_BYTES_MAX {
            // It cannot be right, so it does not cost one of the key's attempts.
            self.attempt.fail(KeyError::WrongPin { retries_left });
            return None;
        }
        Some(pin)
    }
    fn request_touch(&self) {
        (self.events)(Question::Touch);
    }
    fn processing(&self) {
        (self.events)(Question::Processing);
    }
    fn fingerprint_enrollment_feedback(&self, _: u32, _: Option<EnrollSampleStatus>) {}
    fn cable_qr_code(&self, _: CableRequestType, _: String) {}
    fn dismiss_qr_code(&self) {}
    fn cable_status_update(&self, _: CableState) {}
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use webauthn_authenticator_rs::nfc::NFCCard;

    use super::*;

    #[derive(Debug, Default)]
    struct Person {
        gives_up: AtomicBool,
    }

    impl Interaction for Person {
        fn pin(&self, _: PinPrompt) -> Option<String> {
            None
        }
        fn touch(&self) {}
        fn processing(&self) {}
        fn cancelled(&self) -> bool {
            self.gives_up.load(Ordering::Relaxed)
        }
    }

    fn request(timeout: Duration) -> SignRequest {
        SignRequest {
            rp_id: "0.countersign.invalid".to_owned(),
            credential_ids: vec![Bytes(vec![1])],
            challenge: b"challenge".to_vec(),
            timeout,
        }
    }

    /// A key that nobody gets hold of until the attempt is stopped.
    fn busy(attempt: &Attempt) -> Result<NFCCard, KeyError> {
        while !attempt.stopped() {
            thread::yield_now();
        }
        Err(KeyError::InUse)
    }

    #[test]
    fn a_key_that_never_comes_ends_with_the_time() {
        let result = sign_with(
            busy,
            &request(Duration::from_millis(30)),
            &Person::default(),
        );
        assert_eq!(result, Err(KeyError::InUse));
    }

    #[test]
    fn a_person_who_gives_up_is_obeyed() {
        let person = Person {
            gives_up: true.into(),
        };
        let result = sign_with(busy, &request(Duration::from_secs(3600)), &person);
        assert_eq!(result, Err(KeyError::Cancelled));
    }

    #[test]
    fn a_driver_that_panics_is_a_failed_connection() {
        let open = |_: &Attempt| -> Result<NFCCard, KeyError> { panic!("a driver's bug") };
        let result = sign_with(
            open,
            &request(Duration::from_secs(3600)),
            &Person::default(),
        );
        assert_eq!(result.unwrap_err().code(), "key_transport");
    }

    #[test]
    fn without_credentials_no_key_is_asked() {
        let open = |_: &Attempt| -> Result<NFCCard, KeyError> { panic!("opened") };
        let request = SignRequest {
            credential_ids: Vec::new(),
            ..request(Duration::ZERO)
        };
        assert_eq!(
            sign_with(open, &request, &Person::default()),
            Err(KeyError::NotEnrolled)
        );
    }
}
