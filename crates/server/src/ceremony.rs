//! The two ceremonies with a hardware key: enrolment, and an assertion over a challenge of our own.
//!
//! `webauthn-rs` applies its policy for attested keys (attestation list, user verification, counter,
//! backup flags). It makes up its own challenges, but a decision's challenge is the statement itself
//! (DESIGN §6.3); so the challenge is put into the serialised state of the ceremony, here and nowhere
//! else (`with_challenge`).

use std::collections::BTreeMap;

use countersign_core::genesis::{AttestationRoot, Credential, DEMONSTRATION_AAGUID, DeploymentId};
use countersign_core::webauthn::{Assertion, Bytes, PublicKey, Registration, origin};
use serde::Serialize;
use serde::de::DeserializeOwned;
use thiserror::Error;
use url::Url;
use uuid::Uuid;
use webauthn_rs::prelude::{
    AttestationCaList, AttestationCaListBuilder, AttestationMetadata, AttestedPasskey,
    AttestedPasskeyAuthentication, AttestedPasskeyRegistration, AuthenticationResult,
    AuthenticatorAttachment, COSEAlgorithm, COSEKeyType, PublicKeyCredential,
    RegisterPublicKeyCredential, Webauthn, WebauthnBuilder, WebauthnError,
};
use webauthn_rs_proto::{AuthenticatorAssertionResponseRaw, AuthenticatorAttestationResponseRaw};

/// Why a ceremony failed.
#[derive(Debug, Error)]
pub enum CeremonyError {
    /// The attestation list is not one.
    #[error("{0}")]
    Attestation(String),
    /// The list or the key is the demonstration's, and this is none.
    #[error("the demonstration key `{0}` is for demonstrations only; enrol a real security key")]
    DemonstrationKey(String),
    /// The library refused.
    #[error("{0}")]
    Refused(#[from] WebauthnError),
    /// The credential uses another algorithm.
    #[error("the key made a credential that is not ES256; use a key that can")]
    Algorithm,
    /// The ceremony's state does not serialise as it did when this was written.
    #[error("the state of the ceremony has another form than expected: {0}")]
    State(String),
}

/// The ceremonies of one deployment.
#[derive(Debug)]
pub struct Ceremonies {
    webauthn: Webauthn,
}

/// A registration under way.
#[derive(Debug)]
pub struct Begun {
    /// The challenge for the key.
    pub challenge: Vec<u8>,
    /// The user handle: random, nothing personal.
    pub user_id: Vec<u8>,
    /// What must be kept until the key has answered.
    pub state: String,
}

/// A key that was enrolled.
#[derive(Debug)]
pub struct Enrolled {
    /// What genesis says of it.
    pub credential: Credential,
    /// What the library says of it, serialised.
    pub passkey: String,
}

impl Ceremonies {
    /// Those of this deployment.
    ///
    /// # Errors
    /// [`CeremonyError`], never for a deployment id.
    pub fn new(deployment: &DeploymentId) -> Result<Self, CeremonyError> {
        let rp_id = deployment.rp_id();
        let url =
            Url::parse(&origin(&rp_id)).map_err(|error| CeremonyError::State(error.to_string()))?;
        let webauthn = WebauthnBuilder::new(&rp_id, &url)?
            .rp_name("Countersign")
            .build()?;
        Ok(Self { webauthn })
    }

    /// Begins an enrolment.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn begin_registration(
        &self,
        approver: &str,
        roots: &[AttestationRoot],
        demonstration: Demonstration,
    ) -> Result<Begun, CeremonyError> {
        let list = attestation_list(roots, demonstration)?;
        let user = Uuid::new_v4();
        let (options, state) = self.webauthn.start_attested_passkey_registration(
            user,
            approver,
            approver,
            None,
            list,
            Some(AuthenticatorAttachment::CrossPlatform),
        )?;
        Ok(Begun {
            challenge: options.public_key.challenge,
            user_id: options.public_key.user.id,
            state: to_text(&state)?,
        })
    }

    /// Ends an enrolment with the key's answer to `challenge`.
    ///
    /// # Errors
    /// [`CeremonyError`].
    pub fn finish_registration(
        &self,
        state: &str,
        challenge: Vec<u8>,
        registration: Registration,
        demonstration: Demonstration,
    ) -> Result<Enrolled, CeremonyError> {
        let state: AttestedPasskeyRegistration = from_text(state)?;
        let answer = RegisterPublicKeyCredential {
            id: registration.credential_id.to_string(),
            raw_id: registration.credential_id.0.clone(),
            response: AuthenticatorAttestationResponseRaw {
                attestation_object: registration.attestation_object.0.clone(),
                client_data_json: registration.client_data_json.0.clone(),
                transports: None,
            },
            type_: "public-key".to_owned(),
            extensions: Default::default(),
        };
        let passkey = self
            .webauthn
            .finish_attested_passkey_registration(&answer, &state)?;
        let AttestationMetadata::Packed { aaguid } = passkey.attestation().metadata.clone() else {
            return Err(CeremonyError::Attestation(
                "the key's attestation names no model; use a key with packed attestation"
                    .to_owned(),
            ));
        };
        demonstration.check(aaguid)?;
        let kept = to_text(&passkey)?;
        let id = Bytes(passkey.cred_id().as_slice().to_vec());
        if id != registration.credential_id {
            return Err(CeremonyError::Attestation(
                "the credential id is not the one attested".to_owned(),
            ));
        }
        let credential: webauthn_rs::prelude::Credential = passkey.into();
        Ok(Enrolled {
            credential: Credential {
                id,
                public_key: public_key(&credential.cred.type_, &credential.cred.key)?,
                aaguid: aaguid.to_string(),
                registration,
                challenge: Bytes(challenge),
            },
            passkey: kept,
        })
    }

    /// Applies the library's policy to an assertion over `challenge`; what it says, and the passkey
    /// with its counter moved on.
    ///
    /// # Errors
    /// [`CeremonyError::Refused`]: user verification, counter, backup flags, signature.
    pub fn authenticate(
        &self,
        passkey: &str,
        assertion: &Assertion,
        challenge: &[u8],
    ) -> Result<(AuthenticationResult, String), CeremonyError> {
        let mut passkey: AttestedPasskey = from_text(passkey)?;
        let (_, state) = self
            .webauthn
            .start_attested_passkey_authentication(std::slice::from_ref(&passkey))?;
        let state = with_challenge(state, challenge)?;
        let answer = PublicKeyCredential {
            id: assertion.credential_id.to_string(),
            raw_id: assertion.credential_id.0.clone(),
            response: AuthenticatorAssertionResponseRaw {
                authenticator_data: assertion.authenticator_data.0.clone(),
                client_data_json: assertion.client_data_json.0.clone(),
                signature: assertion.signature.0.clone(),
                user_handle: None,
            },
            extensions: Default::default(),
            type_: "public-key".to_owned(),
        };
        let result = self
            .webauthn
            .finish_attested_passkey_authentication(&answer, &state)?;
        passkey.update_credential(&result);
        let kept = to_text(&passkey)?;
        Ok((result, kept))
    }
}

/// Whether demonstration keys count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demonstration {
    /// This is a demonstration.
    Yes,
    /// This is none: they are refused.
    No,
}

impl Demonstration {
    /// As genesis says it.
    #[must_use]
    pub const fn of(demonstration: bool) -> Self {
        if demonstration { Self::Yes } else { Self::No }
    }

    fn check(self, aaguid: Uuid) -> Result<(), CeremonyError> {
        match self {
            Self::No if aaguid.as_bytes() == &DEMONSTRATION_AAGUID => {
                Err(CeremonyError::DemonstrationKey(aaguid.to_string()))
            }
            Self::Yes | Self::No => Ok(()),
        }
    }
}

/// The list of key models that may be enrolled.
///
/// # Errors
/// [`CeremonyError`] says which entry is wrong.
pub fn attestation_list(
    roots: &[AttestationRoot],
    demonstration: Demonstration,
) -> Result<AttestationCaList, CeremonyError> {
    let mut list = AttestationCaListBuilder::new();
    for root in roots {
        let aaguid: Uuid = root.aaguid.parse().map_err(|_| {
            CeremonyError::Attestation(format!(
                "`{}` is not a model id; write the AAGUID as a UUID",
                root.aaguid
            ))
        })?;
        if aaguid.is_nil() {
            return Err(CeremonyError::Attestation(
                "the model id of all zeros stands for any key; name a model".to_owned(),
            ));
        }
        demonstration.check(aaguid)?;
        list.insert_device_pem(
            root.root.as_bytes(),
            aaguid,
            root.model.clone(),
            BTreeMap::new(),
        )
        .map_err(|_| {
            CeremonyError::Attestation(format!(
                "the root of `{}` is not a certificate; give it as PEM",
                root.model
            ))
        })?;
    }
    let list = list.build();
    if list.is_empty() {
        return Err(CeremonyError::Attestation(
            "no key model is allowed; name at least one".to_owned(),
        ));
    }
    Ok(list)
}

/// The counter that a key had when it was enrolled, from which later ones must rise.
///
/// # Errors
/// [`CeremonyError::State`].
pub fn registration_counter(passkey: &str) -> Result<u32, CeremonyError> {
    let passkey: AttestedPasskey = from_text(passkey)?;
    Ok(webauthn_rs::prelude::Credential::from(passkey).counter)
}

fn public_key(algorithm: &COSEAlgorithm, key: &COSEKeyType) -> Result<PublicKey, CeremonyError> {
    match (algorithm, key) {
        (COSEAlgorithm::ES256, COSEKeyType::EC_EC2(point))
            if point.x.len() == 32 && point.y.len() == 32 =>
        {
            let mut sec1 = vec![0x04];
            sec1.extend_from_slice(&point.x);
            sec1.extend_from_slice(&point.y);
            Ok(PublicKey(Bytes(sec1)))
        }
        (_, COSEKeyType::EC_EC2(_) | COSEKeyType::EC_OKP(_) | COSEKeyType::RSA(_)) => {
            Err(CeremonyError::Algorithm)
        }
    }
}

/// The dangerous door: the same ceremony, waiting for `challenge`.
fn with_challenge(
    state: AttestedPasskeyAuthentication,
    challenge: &[u8],
) -> Result<AttestedPasskeyAuthentication, CeremonyError> {
    let form = |error: serde_json::Error| CeremonyError::State(error.to_string());
    let mut value = serde_json::to_value(state).map_err(form)?;
    let place = value
        .pointer_mut("/ast/challenge")
        .filter(|place| place.is_string())
        .ok_or_else(|| CeremonyError::State("it has no `ast.challenge`".to_owned()))?;
    *place = serde_json::Value::String(Bytes(challenge.to_vec()).to_string());
    serde_json::from_value(value).map_err(form)
}

fn to_text<T: Serialize>(value: &T) -> Result<String, CeremonyError> {
    serde_json::to_string(value).map_err(|error| CeremonyError::State(error.to_string()))
}

fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, CeremonyError> {
    serde_json::from_str(text).map_err(|error| CeremonyError::State(error.to_string()))
}
