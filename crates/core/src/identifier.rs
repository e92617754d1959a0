//! Identifiers and digests as types of their own, so that none can stand in for another.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest as _, Sha256};
use thiserror::Error;

/// Longest identifier accepted, in bytes of UTF-8.
pub const IDENTIFIER_BYTES_MAX: usize = 128;

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IdentifierError {
    /// The text is empty.
    #[error("an identifier is empty; give it at least one character")]
    Empty,
    /// The text is longer than [`IDENTIFIER_BYTES_MAX`].
    #[error("an identifier of {0} bytes is too long; the limit is {IDENTIFIER_BYTES_MAX}")]
    TooLong(usize),
    /// The text holds a control, format or white-space character.
    #[error("identifier `{0}` holds a control, invisible or white-space character; remove it")]
    Character(String),
}

fn check(text: &str) -> Result<(), IdentifierError> {
    if text.is_empty() {
        return Err(IdentifierError::Empty);
    }
    if text.len() > IDENTIFIER_BYTES_MAX {
        return Err(IdentifierError::TooLong(text.len()));
    }
    if text
        .chars()
        .any(|c| c.is_control() || c.is_whitespace() || is_invisible(c))
    {
        return Err(IdentifierError::Character(text.escape_debug().to_string()));
    }
    Ok(())
}

/// Zero-width and direction-changing characters, with which one name can pose as another.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}' | '\u{61c}')
}

macro_rules! identifiers {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Checks that `text` is an identifier: 1 to 128 bytes, no control, invisible or
            /// white-space character.
            ///
            /// # Errors
            /// [`IdentifierError`] says which of these it breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdentifierError> {
                let text = text.into();
                check(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = IdentifierError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::new(text)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                Self::new(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

identifiers! {
    /// A system: a host, database, segment, PLC; what is acted on.
    SystemId;
    /// A service that systems carry.
    ServiceId;
    /// An autonomous remediation agent.
    AgentId;
    /// A rule of an envelope.
    RuleId;
    /// A class of systems, such as `linux-server` or `plc`.
    ClassId;
    /// A health check that an envelope declares.
    CheckId;
    /// A calendar that an envelope declares.
    CalendarId;
    /// A site: where systems stand, such as a data centre, plant or hospital.
    SiteId;
    /// A redundancy group of systems.
    GroupId;
    /// A credential that a system (the dependency's `to`) owns.
    CredentialId;
    /// A source of detections or signals.
    SourceId;
    /// What a source gets its knowledge from; two sources of one upstream are not independent.
    UpstreamId;
    /// A registered detection rule.
    DetectionRuleId;
    /// A person who may decide.
    ApproverId;
    /// A role that a quorum asks for, such as `soc-lead`.
    Role;
    /// An accepted proposal, as the backend names it.
    ProposalId;
    /// An operation, as the backend names it.
    OperationId;
}

/// A SHA-256 digest, the identity of a document (RFC 8785 bytes) or of any bytes.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of `bytes`.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// A digest from its 32 bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The 32 bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// A text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a SHA-256 digest; 64 lower-case hexadecimal digits are expected")]
pub struct DigestError(String);

impl std::str::FromStr for Digest {
    type Err = DigestError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let error = || DigestError(text.chars().take(80).collect());
        if text.bytes().any(|b| b.is_ascii_uppercase()) {
            return Err(error());
        }
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| error())?;
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for Digest {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digest".into()
    }
    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({"type": "string", "pattern": "^[0-9a-f]{64}$"})
    }
}
