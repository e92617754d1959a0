//! Canonical form (RFC 8785, JCS) and the digest that is a document's identity.

use serde::Serialize;
use thiserror::Error;

use crate::identifier::Digest;

/// A value that has no canonical form.
#[derive(Debug, Error)]
pub enum CanonicalError {
    /// The value does not serialise to JSON.
    #[error("the value has no JSON form: {0}")]
    Serialise(#[from] serde_json::Error),
    /// The value holds a floating-point number or an integer beyond 2^53.
    #[error(
        "`{place}` is {number}; signed documents hold only integers up to 2^53, write decimals as strings"
    )]
    Number {
        /// JSON pointer to the number.
        place: String,
        /// The number as written.
        number: String,
    },
}

/// Largest integer whose canonical form is exact.
const INTEGER_MAX: u64 = 1 << 53;

/// The RFC 8785 bytes of `value`.
///
/// # Errors
/// [`CanonicalError`] where the value does not serialise, or holds a float or an integer beyond 2^53.
pub fn to_bytes<T: Serialize + ?Sized>(value: &T) -> Result<Vec<u8>, CanonicalError> {
    let value = serde_json::to_value(value)?;
    check_numbers(&value, &mut String::new())?;
    Ok(serde_json_canonicalizer::to_vec(&value)?)
}

/// The digest of the RFC 8785 bytes of `value`.
///
/// # Errors
/// As [`to_bytes`].
pub fn digest<T: Serialize + ?Sized>(value: &T) -> Result<Digest, CanonicalError> {
    Ok(Digest::of(&to_bytes(value)?))
}

fn check_numbers(value: &serde_json::Value, place: &mut String) -> Result<(), CanonicalError> {
    match value {
        serde_json::Value::Number(number) => {
            let exact = number.as_u64().is_some_and(|n| n <= INTEGER_MAX)
                || number
                    .as_i64()
                    .is_some_and(|n| n.unsigned_abs() <= INTEGER_MAX);
            if !exact {
                return Err(CanonicalError::Number {
                    place: place.clone(),
                    number: number.to_string(),
                });
            }
        }
        serde_json::Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                let length = place.len();
                place.push_str(&format!("/{index}"));
                check_numbers(item, place)?;
                place.truncate(length);
            }
        }
        serde_json::Value::Object(members) => {
            for (name, item) in members {
                let length = place.len();
                place.push('/');
                place.push_str(name);
                check_numbers(item, place)?;
                place.truncate(length);
            }
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::String(_) => {}
    }
    Ok(())
}
