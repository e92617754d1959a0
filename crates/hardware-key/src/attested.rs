//! The credential id inside an attestation object.
//!
//! Source: WebAuthn Level 3 §6.5, attested credential data.

use std::collections::BTreeMap;

use serde_cbor_2::Value;

/// Offset of the credential id's length: RP id hash 32, flags 1, counter 4, AAGUID 16.
const LENGTH_OFFSET: usize = 53;
/// Offset of the credential id.
const ID_OFFSET: usize = LENGTH_OFFSET + 2;

/// The credential id in the CBOR `attestation_object`, if it is one.
pub(crate) fn credential_id(attestation_object: &[u8]) -> Option<Vec<u8>> {
    let members: BTreeMap<String, Value> = serde_cbor_2::from_slice(attestation_object).ok()?;
    let Some(Value::Bytes(data)) = members.get("authData") else {
        return None;
    };
    let length: [u8; 2] = data.get(LENGTH_OFFSET..ID_OFFSET)?.try_into().ok()?;
    let id = data
        .get(ID_OFFSET..)?
        .get(..usize::from(u16::from_be_bytes(length)))?;
    (!id.is_empty()).then(|| id.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(data: Vec<u8>) -> Vec<u8> {
        serde_cbor_2::to_vec(&BTreeMap::from([("authData", Value::Bytes(data))])).unwrap()
    }

    #[test]
    fn the_id_is_what_its_length_says() {
        let mut data = vec![0; LENGTH_OFFSET];
        data.extend([0, 3, 7, 8, 9, 0xa5, 0xa5]);
        assert_eq!(credential_id(&object(data)), Some(vec![7, 8, 9]));
    }

    #[test]
    fn what_is_cut_short_has_no_id() {
        let mut data = vec![0; LENGTH_OFFSET];
        assert_eq!(credential_id(&object(data.clone())), None);
        data.extend([0, 3, 7, 8]);
        assert_eq!(credential_id(&object(data)), None);
        assert_eq!(credential_id(b"not cbor"), None);
    }
}
