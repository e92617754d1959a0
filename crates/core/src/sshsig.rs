//! A decision as an SSH signature that stock `ssh-keygen -Y verify` checks.
//!
//! Sources: OpenSSH PROTOCOL.sshsig (the envelope), PROTOCOL.u2f (`webauthn-sk-ecdsa-sha2-nistp256`),
//! ssh-keygen(1) «ALLOWED SIGNERS». What it proves is that the credential in `allowed_signers` signed
//! these bytes in this namespace; that the key verified its user, for this deployment, and that its
//! holder was eligible is for [`crate::evidence`].

use base64::{Engine as _, engine::general_purpose::STANDARD};
use p256::ecdsa::Signature;
use thiserror::Error;

use crate::identifier::ApproverId;
use crate::statement;
use crate::webauthn::{self, Assertion, PublicKey};

const KEY_TYPE: &str = "sk-ecdsa-sha2-nistp256@openssh.com";
const SIGNATURE_TYPE: &str = "webauthn-sk-ecdsa-sha2-nistp256@openssh.com";
const CURVE: &str = "nistp256";
/// ssh-keygen itself breaks the armour at 70 characters.
const ARMOUR_COLUMNS: usize = 70;
/// Bit 7 of the flags: extension data follow the counter.
const EXTENSION_DATA: u8 = 0x80;
/// Bit 6 of the flags: credential data follow the counter, which no assertion has.
const CREDENTIAL_DATA: u8 = 0x40;

/// The two files that `ssh-keygen -Y verify` takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshSignature {
    /// `decision.sig`: the armoured signature.
    pub signature: String,
    /// `allowed_signers`: one line, the approver's credential and the namespace it counts in.
    pub allowed_signers: String,
}

/// Why an assertion cannot be written as an SSH signature.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SshsigError {
    /// The approver's id means something else in an `allowed_signers` file.
    #[error(
        "approver `{0}` cannot be named in an allowed_signers file; use letters, digits and `. _ @ + -`"
    )]
    Principal(ApproverId),
    /// The public key is not an uncompressed P-256 point.
    #[error("the credential's public key is not an uncompressed P-256 point")]
    PublicKey,
    /// The authenticator data are cut short, or hold other data than the flags announce.
    #[error("the authenticator data are malformed")]
    AuthenticatorData,
    /// The signature is not a DER ECDSA signature.
    #[error("the signature is not a DER ECDSA signature")]
    Signature,
    /// The client data do not begin as OpenSSH expects: type, challenge, origin.
    #[error("the client data are of another statement, or in a form that OpenSSH does not verify")]
    ClientData,
}

/// Whether `id` names exactly one signer in an `allowed_signers` file and is no option on a command line.
///
/// Patterns, lists, quotes and comments of that file's grammar are out, as is a leading `-`.
#[must_use]
pub fn is_principal(id: &ApproverId) -> bool {
    let id = id.as_str();
    !id.starts_with('-')
        && id.bytes().all(|byte| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'@' | b'-' | b'+')
        })
}

/// Writes the assertion of `approver` over `statement` as an SSH signature in `namespace`.
///
/// The same arguments give the same bytes, so that a verifier rebuilds and compares them.
///
/// # Errors
/// [`SshsigError`] where `ssh-keygen` could not verify the result.
pub fn export(
    statement: &[u8],
    namespace: &str,
    approver: &ApproverId,
    assertion: &Assertion,
    public_key: &PublicKey,
    rp_id: &str,
) -> Result<SshSignature, SshsigError> {
    if !is_principal(approver) {
        return Err(SshsigError::Principal(approver.clone()));
    }
    let key = public_key_blob(public_key, rp_id)?;
    let mut blob = b"SSHSIG".to_vec();
    blob.extend_from_slice(&1_u32.to_be_bytes());
    for part in [
        key.as_slice(),
        namespace.as_bytes(),
        b"",
        b"sha512",
        &signature_blob(statement, namespace, assertion, rp_id)?,
    ] {
        put(&mut blob, part);
    }
    Ok(SshSignature {
        signature: armour(&blob),
        allowed_signers: format!(
            "{approver} namespaces=\"{namespace}\" {KEY_TYPE} {}\n",
            STANDARD.encode(&key)
        ),
    })
}

/// PROTOCOL.u2f, «SSH U2F key formats»: type, curve, point, application.
fn public_key_blob(public_key: &PublicKey, rp_id: &str) -> Result<Vec<u8>, SshsigError> {
    let point = &public_key.0.0;
    if point.len() != 65 || point.first() != Some(&0x04) {
        return Err(SshsigError::PublicKey);
    }
    let mut blob = Vec::new();
    for part in [
        KEY_TYPE.as_bytes(),
        CURVE.as_bytes(),
        point,
        rp_id.as_bytes(),
    ] {
        put(&mut blob, part);
    }
    Ok(blob)
}

/// PROTOCOL.u2f, «webauthn signatures»: type, r and s, flags, counter, origin, client data, extensions.
fn signature_blob(
    statement: &[u8],
    namespace: &str,
    assertion: &Assertion,
    rp_id: &str,
) -> Result<Vec<u8>, SshsigError> {
    let client_data = &assertion.client_data_json.0;
    let origin = origin_of(
        client_data,
        &statement::challenge(namespace, statement),
        rp_id,
    )?;
    let data = assertion.authenticator_data.0.as_slice();
    let (flags_and_counter, extensions) = data
        .get(32..)
        .and_then(|rest| rest.split_at_checked(5))
        .ok_or(SshsigError::AuthenticatorData)?;
    let flags = flags_and_counter.first().copied().unwrap_or_default();
    let announced = flags & EXTENSION_DATA != 0;
    if flags & CREDENTIAL_DATA != 0 || announced == extensions.is_empty() {
        return Err(SshsigError::AuthenticatorData);
    }
    let signature =
        Signature::from_der(&assertion.signature.0).map_err(|_| SshsigError::Signature)?;
    let (r, s) = signature.split_bytes();
    let mut pair = Vec::new();
    put(&mut pair, &positive_integer(&r));
    put(&mut pair, &positive_integer(&s));

    let mut blob = Vec::new();
    put(&mut blob, SIGNATURE_TYPE.as_bytes());
    put(&mut blob, &pair);
    blob.extend_from_slice(flags_and_counter);
    for part in [origin.as_bytes(), client_data, extensions] {
        put(&mut blob, part);
    }
    Ok(blob)
}

/// The origin as the client data spell it. OpenSSH compares the client data, byte for byte, with a
/// preamble that it builds from challenge and origin; further members may follow.
fn origin_of(client_data: &[u8], challenge: &[u8], rp_id: &str) -> Result<String, SshsigError> {
    let ours = webauthn::origin(rp_id);
    // A platform's own client may add a trailing slash.
    for origin in [format!("{ours}/"), ours] {
        let expected = webauthn::client_data_json(webauthn::Ceremony::Get, challenge, rp_id);
        let preamble = String::from_utf8_lossy(&expected);
        let Some((preamble, _)) = preamble.split_once(r#","origin":"#) else {
            return Err(SshsigError::ClientData);
        };
        let preamble = format!(r#"{preamble},"origin":"{origin}""#);
        if client_data.starts_with(preamble.as_bytes()) {
            return Ok(origin);
        }
    }
    Err(SshsigError::ClientData)
}

/// RFC 4251 §5 `mpint` of a positive big-endian integer: no leading zeros, but one before a set top bit.
fn positive_integer(bytes: &[u8]) -> Vec<u8> {
    let mut integer: Vec<u8> = bytes
        .iter()
        .copied()
        .skip_while(|byte| *byte == 0)
        .collect();
    if integer.first().is_some_and(|byte| byte & 0x80 != 0) {
        integer.insert(0, 0);
    }
    integer
}

/// RFC 4251 §5 `string`: a 32-bit length and the bytes.
fn put(blob: &mut Vec<u8>, part: &[u8]) {
    // INVARIANT: every part is far below 2^32 bytes: keys, digests, client data of one assertion.
    blob.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
    blob.extend_from_slice(part);
}

fn armour(blob: &[u8]) -> String {
    let mut text = "-----BEGIN SSH SIGNATURE-----\n".to_owned();
    for (index, character) in STANDARD.encode(blob).chars().enumerate() {
        if index > 0 && index.is_multiple_of(ARMOUR_COLUMNS) {
            text.push('\n');
        }
        text.push(character);
    }
    text.push_str("\n-----END SSH SIGNATURE-----\n");
    text
}

#[cfg(test)]
#[path = "sshsig_tests.rs"]
mod tests;
