//! A person at the key and a server that checks what the key made, for the tests of this crate.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use countersign_core::webauthn::{
    Assertion, AssertionError, Bytes, PublicKey, Registration, VerifiedAssertion, verify_assertion,
};
use countersign_hardware_key::{
    HardwareKey, Interaction, KeyError, PinPrompt, RegisterRequest, SignRequest,
};
use countersign_virtual_key::{AAGUID, VirtualKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use webauthn_attestation_ca::AttestationCaListBuilder;
use webauthn_rs::prelude::{
    AttestedPasskey, AuthenticationResult, AuthenticatorAttachment, COSEKeyType, Credential,
    PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder,
    WebauthnError,
};

pub(crate) const RP_ID: &str = "00112233445566778899aabbccddeeff.countersign.invalid";
pub(crate) const PIN: &str = "271828";
/// Longer than any test: a test that waits for it fails by nextest's own limit.
pub(crate) const LONG: Duration = Duration::from_secs(600);

/// Somebody who knows a PIN.
#[derive(Debug, Default)]
pub(crate) struct Person {
    pub(crate) pin: Option<String>,
    pub(crate) gives_up_at_touch: bool,
    pub(crate) touches_by_hand: Option<VirtualKey>,
    pub(crate) asked_to_touch: AtomicU32,
    pub(crate) prompts: Mutex<Vec<PinPrompt>>,
    pub(crate) gave_up: AtomicBool,
}

impl Person {
    pub(crate) fn knowing(pin: &str) -> Self {
        Self {
            pin: Some(pin.to_owned()),
            ..Self::default()
        }
    }
}

impl Interaction for Person {
    fn pin(&self, prompt: PinPrompt) -> Option<String> {
        self.prompts.lock().unwrap().push(prompt);
        self.pin.clone()
    }
    fn touch(&self) {
        self.asked_to_touch.fetch_add(1, Ordering::SeqCst);
        if let Some(key) = &self.touches_by_hand {
            assert!(key.touch(), "the key waits when it asks for a touch");
        }
        self.gave_up.store(self.gives_up_at_touch, Ordering::SeqCst);
    }
    fn processing(&self) {}
    fn cancelled(&self) -> bool {
        self.gave_up.load(Ordering::SeqCst)
    }
}

pub(crate) fn server() -> Webauthn {
    let origin = Url::parse(&format!("https://{RP_ID}")).unwrap();
    WebauthnBuilder::new(RP_ID, &origin)
        .unwrap()
        .build()
        .unwrap()
}

/// Registers `key` for `name`, as a server that trusts `root_pem`.
pub(crate) fn enrol(
    key: &dyn HardwareKey,
    person: &Person,
    root_pem: &[u8],
) -> (Registration, Result<AttestedPasskey, WebauthnError>) {
    let mut list = AttestationCaListBuilder::new();
    list.insert_device_pem(
        root_pem,
        Uuid::from_bytes(AAGUID),
        "demonstration key".into(),
        Default::default(),
    )
    .unwrap();
    let server = server();
    let (options, state) = server
        .start_attested_passkey_registration(
            Uuid::new_v4(),
            "alice",
            "Alice",
            None,
            list.build(),
            Some(AuthenticatorAttachment::CrossPlatform),
        )
        .unwrap();
    let request = RegisterRequest {
        rp_id: RP_ID.to_owned(),
        challenge: options.public_key.challenge.to_vec(),
        user_id: options.public_key.user.id.to_vec(),
        exclude: Vec::new(),
        user_name: "alice".to_owned(),
        user_display_name: "Alice".to_owned(),
        timeout: LONG,
    };
    let made = key.register(&request, person).unwrap();
    let sent: RegisterPublicKeyCredential = serde_json::from_value(json!({
        "id": made.credential_id,
        "rawId": made.credential_id,
        "type": "public-key",
        "response": {
            "attestationObject": made.attestation_object,
            "clientDataJSON": made.client_data_json,
        },
    }))
    .unwrap();
    let finished = server.finish_attested_passkey_registration(&sent, &state);
    (made, finished)
}

/// Registers `key` where that must succeed.
pub(crate) fn enrolled(key: &dyn HardwareKey, root_pem: &[u8]) -> AttestedPasskey {
    enrol(key, &Person::knowing(PIN), root_pem).1.unwrap()
}

pub(crate) fn request(credential: &AttestedPasskey, challenge: &[u8]) -> SignRequest {
    SignRequest {
        rp_id: RP_ID.to_owned(),
        credential_ids: vec![Bytes(credential.cred_id().to_vec())],
        challenge: challenge.to_vec(),
        timeout: LONG,
    }
}

pub(crate) fn sign(
    key: &dyn HardwareKey,
    credential: &AttestedPasskey,
    person: &Person,
    challenge: &[u8],
) -> Result<Assertion, KeyError> {
    key.sign(&request(credential, challenge), person)
}

fn edited<S: Serialize + DeserializeOwned>(state: S, challenge: &[u8]) -> S {
    let mut state = serde_json::to_value(state).unwrap();
    state["ast"]["challenge"] = json!(URL_SAFE_NO_PAD.encode(challenge));
    serde_json::from_value(state).unwrap()
}

/// What webauthn-rs says of an assertion over `challenge`.
pub(crate) fn finish(
    credential: &AttestedPasskey,
    assertion: &Assertion,
    challenge: &[u8],
) -> Result<AuthenticationResult, WebauthnError> {
    let server = server();
    let (_, state) = server
        .start_attested_passkey_authentication(std::slice::from_ref(credential))
        .unwrap();
    let sent: PublicKeyCredential = serde_json::from_value(json!({
        "id": assertion.credential_id,
        "rawId": assertion.credential_id,
        "type": "public-key",
        "response": {
            "authenticatorData": assertion.authenticator_data,
            "clientDataJSON": assertion.client_data_json,
            "signature": assertion.signature,
        },
    }))
    .unwrap();
    server.finish_attested_passkey_authentication(&sent, &edited(state, challenge))
}

/// What our own check says of it.
pub(crate) fn verify(
    credential: &AttestedPasskey,
    assertion: &Assertion,
    challenge: &[u8],
) -> Result<VerifiedAssertion, AssertionError> {
    verify_assertion(assertion, &public_key(credential), RP_ID, challenge)
}

fn public_key(credential: &AttestedPasskey) -> PublicKey {
    let credential: Credential = credential.clone().into();
    let COSEKeyType::EC_EC2(point) = credential.cred.key else {
        unreachable!("ES256 only")
    };
    PublicKey(Bytes(
        [&[0x04], point.x.as_slice(), point.y.as_slice()].concat(),
    ))
}
