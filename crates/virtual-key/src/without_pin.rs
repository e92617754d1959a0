//! What a thief of the key without its PIN can have: a signature without user verification.

use std::collections::BTreeMap;

use countersign_core::identifier::Digest;
use countersign_core::webauthn::{Assertion, Bytes, Ceremony, client_data_json};
use countersign_hardware_key::{KeyError, SignRequest};
use webauthn_authenticator_rs::ctap2::commands::GetAssertionRequest;
use webauthn_authenticator_rs::transport::Token as _;
use webauthn_authenticator_rs::types::{CableRequestType, CableState, EnrollSampleStatus};
use webauthn_authenticator_rs::ui::UiCallback;
use webauthn_rs_proto::AllowCredentials;

use crate::key::VirtualKey;
use crate::power::Powered;

impl VirtualKey {
    /// Signs without ever being told the PIN (CTAP 2.1 §6.2: no `pinUvAuthParam`, `uv` off). Our
    /// programs never ask a key for this; a backend must refuse what comes of it.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn sign_without_pin(&self, request: &SignRequest) -> Result<Assertion, KeyError> {
        let client_data = client_data_json(Ceremony::Get, &request.challenge, &request.rp_id);
        let allow = |id: &Bytes| AllowCredentials {
            type_: "public-key".to_owned(),
            id: id.0.clone(),
            transports: None,
        };
        let held = self.files.lock(|| false)?;
        let mut key = Powered::on(&self.files.flash, held, &self.control, None)?;
        let command = GetAssertionRequest {
            rp_id: request.rp_id.clone(),
            client_data_hash: Digest::of(&client_data).as_bytes().to_vec(),
            allow_list: request.credential_ids.iter().map(allow).collect(),
            options: Some(BTreeMap::from([("up".to_owned(), true)])),
            pin_uv_auth_param: None,
            pin_uv_auth_proto: None,
        };
        let signed = futures::executor::block_on(key.transmit(command, &Silent))
            .map_err(|error| KeyError::transport(format!("{error:?}")))?;
        let missing = || KeyError::transport("the key's answer lacks a part");
        Ok(Assertion {
            credential_id: Bytes(signed.credential.ok_or_else(missing)?.id),
            authenticator_data: Bytes(signed.auth_data.ok_or_else(missing)?),
            client_data_json: Bytes(client_data),
            signature: Bytes(signed.signature.ok_or_else(missing)?),
        })
    }
}

/// Nobody is asked for anything.
#[derive(Debug)]
struct Silent;

impl UiCallback for Silent {
    fn request_pin(&self) -> Option<String> {
        None
    }
    fn request_touch(&self) {}
    fn processing(&self) {}
    fn fingerprint_enrollment_feedback(&self, _: u32, _: Option<EnrollSampleStatus>) {}
    fn cable_qr_code(&self, _: CableRequestType, _: String) {}
    fn dismiss_qr_code(&self) {}
    fn cable_status_update(&self, _: CableState) {}
}
