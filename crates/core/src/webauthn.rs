//! A FIDO2 assertion and its check, without a library of ceremonies: what an auditor re-checks offline.
//!
//! Source: W3C Web Authentication Level 3 §6.1 (authenticator data), §7.2 (verifying an assertion).

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use p256::ecdsa::{Signature, VerifyingKey, signature::Verifier as _};
use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Bytes that travel as unpadded base64url, as WebAuthn's own JSON does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Bytes(pub Vec<u8>);

impl std::fmt::Display for Bytes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(&self.0))
    }
}

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        URL_SAFE_NO_PAD
            .decode(text)
            .map(Bytes)
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Bytes {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Bytes".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[A-Za-z0-9_-]*$"})
    }
}

/// What a key returns when it signs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Assertion {
    /// Which credential signed.
    pub credential_id: Bytes,
    /// Authenticator data: SHA-256 of the RP id, flags, counter.
    pub authenticator_data: Bytes,
    /// The exact client data that was signed.
    pub client_data_json: Bytes,
    /// ASN.1 DER ECDSA signature over `authenticator_data ‖ SHA-256(client_data_json)`.
    pub signature: Bytes,
}

/// What a key returns when it makes a credential.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The new credential.
    pub credential_id: Bytes,
    /// The CBOR attestation object.
    pub attestation_object: Bytes,
    /// The exact client data that was attested.
    pub client_data_json: Bytes,
}

/// A P-256 public key as an uncompressed SEC1 point, 65 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct PublicKey(pub Bytes);

/// The origin of every credential of the relying party `rp_id` (DESIGN §6.3).
#[must_use]
pub fn origin(rp_id: &str) -> String {
    format!("https://{rp_id}")
}

/// Client data exactly as our consoles build it: members type, challenge, origin, crossOrigin, in this order.
#[must_use]
pub fn client_data_json(ceremony: Ceremony, challenge: &[u8], rp_id: &str) -> Vec<u8> {
    format!(
        r#"{{"type":"{}","challenge":"{}","origin":"{}","crossOrigin":false}}"#,
        ceremony.as_str(),
        URL_SAFE_NO_PAD.encode(challenge),
        origin(rp_id)
    )
    .into_bytes()
}

/// What a key is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ceremony {
    /// Make a credential.
    Create,
    /// Sign with one.
    Get,
}

impl Ceremony {
    /// The `type` member of client data.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Create => "webauthn.create",
            Self::Get => "webauthn.get",
        }
    }
}

/// What a verified assertion says besides its challenge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct VerifiedAssertion {
    /// The key's signature counter.
    pub counter: u32,
    /// The flags octet, in which user presence (bit 0) and user verification (bit 2) are set.
    pub flags: u8,
}

/// Why an assertion does not hold.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AssertionError {
    /// Authenticator data is shorter than 37 bytes.
    #[error("the authenticator data is cut short")]
    AuthenticatorData,
    /// The assertion is for another relying party.
    #[error("the key signed for another deployment")]
    RelyingParty,
    /// Nobody touched the key.
    #[error("the key was not touched")]
    UserPresence,
    /// No PIN or fingerprint was given.
    #[error("the key did not verify its user; a PIN or fingerprint is required")]
    UserVerification,
    /// Client data is not JSON or lacks a member.
    #[error("the client data is malformed")]
    ClientData,
    /// Client data is of another ceremony.
    #[error("the client data is of another ceremony than `webauthn.get`")]
    Ceremony,
    /// The key signed another challenge.
    #[error("the key signed another statement")]
    Challenge,
    /// Client data names another origin.
    #[error("the client data names another origin")]
    Origin,
    /// The public key is not a P-256 point.
    #[error("the credential's public key is malformed")]
    PublicKey,
    /// The signature does not verify.
    #[error("the signature does not verify under the credential's public key")]
    Signature,
}

#[derive(Deserialize)]
struct ClientData {
    #[serde(rename = "type")]
    ceremony: String,
    challenge: String,
    origin: String,
    #[serde(rename = "crossOrigin", default)]
    cross_origin: bool,
}

/// Checks an ES256 assertion over `challenge` for the relying party `rp_id`: relying party, user
/// presence, user verification, ceremony, challenge, origin and signature.
///
/// # Errors
/// [`AssertionError`] names the first of these that fails.
pub fn verify_assertion(
    assertion: &Assertion,
    public_key: &PublicKey,
    rp_id: &str,
    challenge: &[u8],
) -> Result<VerifiedAssertion, AssertionError> {
    let data = &assertion.authenticator_data.0;
    let rp_id_hash = data.get(..32).ok_or(AssertionError::AuthenticatorData)?;
    let flags = *data.get(32).ok_or(AssertionError::AuthenticatorData)?;
    let counter = data
        .get(33..37)
        .and_then(|b| <[u8; 4]>::try_from(b).ok())
        .map(u32::from_be_bytes)
        .ok_or(AssertionError::AuthenticatorData)?;
    if rp_id_hash != Sha256::digest(rp_id.as_bytes()).as_slice() {
        return Err(AssertionError::RelyingParty);
    }
    if flags & 0b001 == 0 {
        return Err(AssertionError::UserPresence);
    }
    if flags & 0b100 == 0 {
        return Err(AssertionError::UserVerification);
    }
    let client: ClientData = serde_json::from_slice(&assertion.client_data_json.0)
        .map_err(|_| AssertionError::ClientData)?;
    if client.ceremony != Ceremony::Get.as_str() {
        return Err(AssertionError::Ceremony);
    }
    if client.challenge != URL_SAFE_NO_PAD.encode(challenge) {
        return Err(AssertionError::Challenge);
    }
    // A platform's own client (Windows Hello) may add members or a trailing slash; never another origin.
    if client.cross_origin || client.origin.trim_end_matches('/') != origin(rp_id) {
        return Err(AssertionError::Origin);
    }
    let key =
        VerifyingKey::from_sec1_bytes(&public_key.0.0).map_err(|_| AssertionError::PublicKey)?;
    let signature =
        Signature::from_der(&assertion.signature.0).map_err(|_| AssertionError::Signature)?;
    let mut signed = data.clone();
    signed.extend_from_slice(&Sha256::digest(&assertion.client_data_json.0));
    key.verify(&signed, &signature)
        .map_err(|_| AssertionError::Signature)?;
    Ok(VerifiedAssertion { counter, flags })
}
