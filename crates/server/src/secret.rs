//! Secrets of programs: 256 random bits, kept only as SHA-256, compared in constant time.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::TryRngCore as _;
use rand::rngs::OsRng;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

/// Whose secret it is; the first letters say so, so that a secret in the wrong place is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// The local operator.
    Operator,
    /// A person who signed in.
    Session,
    /// An agent.
    Agent,
    /// A source of signals.
    Source,
}

impl Holder {
    const fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "cso_",
            Self::Session => "css_",
            Self::Agent => "csa_",
            Self::Source => "csr_",
        }
    }

    /// Whose secret `token` says to be. The operator's may be of any form.
    #[must_use]
    pub fn of(token: &str) -> Self {
        [Self::Session, Self::Agent, Self::Source]
            .into_iter()
            .find(|holder| token.starts_with(holder.prefix()))
            .unwrap_or(Self::Operator)
    }
}

/// The SHA-256 of a secret.
#[derive(Clone, Copy)]
pub struct SecretHash([u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(…)")
    }
}

impl SecretHash {
    /// Of this secret.
    #[must_use]
    pub fn of(token: &str) -> Self {
        Self(Sha256::digest(token.as_bytes()).into())
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Whether `stored` is this hash, in constant time.
    #[must_use]
    pub fn is(&self, stored: &[u8]) -> bool {
        self.0.as_slice().ct_eq(stored).into()
    }
}

/// The operating system gave no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gives no random bytes")]
pub struct NoRandomness;

/// 32 random bytes of the operating system.
///
/// # Errors
/// [`NoRandomness`].
pub fn random() -> Result<[u8; 32], NoRandomness> {
    let mut bytes = [0; 32];
    OsRng.try_fill_bytes(&mut bytes).map_err(|_| NoRandomness)?;
    Ok(bytes)
}

/// A new secret.
///
/// # Errors
/// [`NoRandomness`].
pub fn generate(holder: Holder) -> Result<String, NoRandomness> {
    Ok(format!(
        "{}{}",
        holder.prefix(),
        URL_SAFE_NO_PAD.encode(random()?)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_says_whose_it_is_and_only_its_own_hash_fits() {
        for holder in [
            Holder::Operator,
            Holder::Session,
            Holder::Agent,
            Holder::Source,
        ] {
            let secret = generate(holder).unwrap();
            assert_eq!(Holder::of(&secret), holder);
            assert_eq!(secret.len(), 4 + 43);
            assert!(SecretHash::of(&secret).is(SecretHash::of(&secret).as_bytes()));
            assert!(!SecretHash::of(&secret).is(SecretHash::of("other").as_bytes()));
            assert!(!SecretHash::of(&secret).is(b"short"));
        }
    }
}
