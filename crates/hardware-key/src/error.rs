//! What can go wrong at a key, in words for a tired person, each with a stable code.

use thiserror::Error;
use webauthn_authenticator_rs::error::{CtapError, WebauthnCError};

/// Why a key did not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum KeyError {
    /// No key is present.
    #[error("no security key was found; insert one or hold it on the reader")]
    NoKey,
    /// More than one key is present and none was chosen.
    #[error("more than one security key is present; leave one, or choose one")]
    SeveralKeys,
    /// Another program holds the key.
    #[error("another program is using the key; wait for it or close it, then try again")]
    InUse,
    /// The PIN is wrong.
    #[error("wrong PIN{}", retries_sentence(*.retries_left))]
    WrongPin {
        /// How many wrong PINs in a row the key still takes, where it said so.
        retries_left: Option<u8>,
    },
    /// Several wrong PINs in a row since the key was powered.
    #[error("too many wrong PINs in a row; take the key out, put it back and try again")]
    PinPaused,
    /// The PIN is blocked for good.
    #[error(
        "the key's PIN is blocked; the key must be reset and enrolled again, so use another one"
    )]
    PinBlocked,
    /// The key has no PIN.
    #[error(
        "the key has no PIN yet; set one with your system's security-key settings, then try again"
    )]
    PinNotSet,
    /// The fingerprint was not recognised.
    #[error("the key did not recognise the fingerprint; try again")]
    FingerprintNotRecognised,
    /// Nobody touched the key in time.
    #[error("the key was not touched in time; nothing was signed, try again")]
    NoTouch,
    /// The key holds none of the credentials.
    #[error("this key is not enrolled here; use the one that is, or have this one enrolled")]
    NotEnrolled,
    /// The key holds a credential of somebody else here.
    #[error(
        "this key is enrolled for somebody else here; one key cannot stand for two people, use another"
    )]
    AlreadyEnrolled,
    /// The person cancelled, at the screen or at the key.
    #[error("cancelled; nothing was signed")]
    Cancelled,
    /// The key went away.
    #[error(
        "the key was removed too early; leave it in place until it has finished, then try again"
    )]
    Removed,
    /// The key cannot do what is needed.
    #[error("this key cannot do FIDO2 with a PIN and ES256; use another one")]
    Unsupported,
    /// The key is full.
    #[error("the key has no room for another credential; use another one")]
    Full,
    /// The connection to the key failed.
    #[error("the connection to the key failed ({0}); take it out, put it back and try again")]
    Transport(String),
}

fn retries_sentence(retries_left: Option<u8>) -> String {
    match retries_left {
        Some(0) => "; the key is now blocked".to_owned(),
        Some(1) => "; one more wrong PIN blocks the key for good".to_owned(),
        Some(n) => format!("; {n} attempts are left before the key blocks itself"),
        None => "; try again, but not often: the key blocks itself".to_owned(),
    }
}

impl KeyError {
    /// The stable code that a user interface branches on.
    #[must_use]
    pub const fn code(&self) -> &'static str {
        match self {
            Self::NoKey => "no_key",
            Self::SeveralKeys => "several_keys",
            Self::InUse => "key_in_use",
            Self::WrongPin { .. } => "wrong_pin",
            Self::PinPaused => "pin_paused",
            Self::PinBlocked => "pin_blocked",
            Self::PinNotSet => "pin_not_set",
            Self::FingerprintNotRecognised => "fingerprint_not_recognised",
            Self::NoTouch => "no_touch",
            Self::NotEnrolled => "not_enrolled",
            Self::AlreadyEnrolled => "already_enrolled",
            Self::Cancelled => "cancelled",
            Self::Removed => "key_removed",
            Self::Unsupported => "key_unsupported",
            Self::Full => "key_full",
            Self::Transport(_) => "key_transport",
        }
    }

    /// A failure of the connection, in the words of `cause`.
    pub fn transport(cause: impl std::fmt::Display) -> Self {
        Self::Transport(cause.to_string())
    }

    /// What `error` of the CTAP library means, `retries_before` being what the key said just before
    /// the PIN was tried.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the library's 50 other errors all mean a failed connection"
    )]
    pub(crate) fn of(error: &WebauthnCError, retries_before: Option<u8>) -> Self {
        match error {
            WebauthnCError::Ctap(status) => Self::of_status(status, retries_before),
            WebauthnCError::Cancelled => Self::Cancelled,
            WebauthnCError::UserVerificationRequired => Self::PinNotSet,
            WebauthnCError::NotSupported
            | WebauthnCError::StorageCard
            | WebauthnCError::InvalidAlgorithm => Self::Unsupported,
            WebauthnCError::PinTooShort
            | WebauthnCError::PinTooLong
            | WebauthnCError::PinContainsNull => Self::WrongPin {
                retries_left: retries_before,
            },
            WebauthnCError::PcscError(cause) => Self::of_reader(*cause),
            WebauthnCError::NoHidDevices | WebauthnCError::NoSelectedToken => Self::NoKey,
            // A hidraw read fails with EIO or ENODEV once the key is gone.
            WebauthnCError::HidError(fido_hid_rs::HidError::IoError(_)) => Self::Removed,
            other => Self::transport(other),
        }
    }

    /// What a PC/SC error means.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "PC/SC's other errors all mean a failed connection"
    )]
    pub(crate) fn of_reader(cause: pcsc::Error) -> Self {
        match cause {
            pcsc::Error::SharingViolation => Self::InUse,
            pcsc::Error::RemovedCard
            | pcsc::Error::NoSmartcard
            | pcsc::Error::ResetCard
            | pcsc::Error::UnpoweredCard
            | pcsc::Error::ReaderUnavailable
            | pcsc::Error::UnknownReader => Self::Removed,
            other => Self::transport(other),
        }
    }

    /// What a CTAP status means.
    ///
    /// Source: CTAP 2.1 §8.2, status codes.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "CTAP's other statuses all mean that the request failed"
    )]
    fn of_status(status: &CtapError, retries_before: Option<u8>) -> Self {
        match status {
            CtapError::Ctap2PinInvalid => Self::WrongPin {
                retries_left: retries_before.map(|n| n.saturating_sub(1)),
            },
            CtapError::Ctap2CredentialExcluded => Self::AlreadyEnrolled,
            CtapError::Ctap2PinAuthBlocked => Self::PinPaused,
            CtapError::Ctap2PinBlocked | CtapError::Ctap2UserVerificationBlocked => {
                Self::PinBlocked
            }
            CtapError::Ctap2PinNotSet | CtapError::Ctap2PUATRequired => Self::PinNotSet,
            CtapError::Ctap2UserVerificationInvalid => Self::FingerprintNotRecognised,
            CtapError::Ctap2UserActionTimeout
            | CtapError::Ctap2ActionTimeout
            | CtapError::Ctap2UserPresenceRequired
            | CtapError::Ctap1Timeout => Self::NoTouch,
            CtapError::Ctap2NoCredentials | CtapError::Ctap2InvalidCredential => Self::NotEnrolled,
            CtapError::Ctap2KeepAliveCancel | CtapError::Ctap2OperationDenied => Self::Cancelled,
            CtapError::Ctap2UnsupportedAlgorithm
            | CtapError::Ctap2UnsupportedOption
            | CtapError::Ctap1InvalidCommand => Self::Unsupported,
            CtapError::Ctap2KeyStoreFull => Self::Full,
            CtapError::Ctap1ChannelBusy => Self::InUse,
            other => Self::transport(format!("the key answered {other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_become_what_the_person_must_do() {
        let table = [
            (CtapError::Ctap2PinInvalid, "wrong_pin"),
            (CtapError::Ctap2PinAuthBlocked, "pin_paused"),
            (CtapError::Ctap2PinBlocked, "pin_blocked"),
            (CtapError::Ctap2PinNotSet, "pin_not_set"),
            (CtapError::Ctap2UserActionTimeout, "no_touch"),
            (CtapError::Ctap2ActionTimeout, "no_touch"),
            (CtapError::Ctap2NoCredentials, "not_enrolled"),
            (CtapError::Ctap2KeepAliveCancel, "cancelled"),
            (CtapError::Ctap2UnsupportedAlgorithm, "key_unsupported"),
            (CtapError::Ctap2KeyStoreFull, "key_full"),
            (CtapError::Ctap2InvalidCBOR, "key_transport"),
        ];
        for (status, code) in table {
            let error = WebauthnCError::Ctap(status);
            assert_eq!(KeyError::of(&error, None).code(), code, "{error:?}");
        }
    }

    #[test]
    fn the_library_s_own_errors_are_mapped() {
        let table = [
            (WebauthnCError::Cancelled, "cancelled"),
            (WebauthnCError::UserVerificationRequired, "pin_not_set"),
            (WebauthnCError::NotSupported, "key_unsupported"),
            (
                WebauthnCError::PcscError(pcsc::Error::SharingViolation),
                "key_in_use",
            ),
            (
                WebauthnCError::PcscError(pcsc::Error::RemovedCard),
                "key_removed",
            ),
            (
                WebauthnCError::HidError(fido_hid_rs::HidError::IoError("EIO".into())),
                "key_removed",
            ),
            (WebauthnCError::ApduTransmission, "key_transport"),
        ];
        for (error, code) in table {
            assert_eq!(KeyError::of(&error, None).code(), code, "{error:?}");
        }
    }

    #[test]
    fn a_wrong_pin_says_how_many_attempts_are_left() {
        let wrong =
            |before| KeyError::of(&WebauthnCError::Ctap(CtapError::Ctap2PinInvalid), before);
        assert_eq!(
            wrong(Some(8)),
            KeyError::WrongPin {
                retries_left: Some(7)
            }
        );
        assert_eq!(wrong(None), KeyError::WrongPin { retries_left: None });
        assert_eq!(
            wrong(Some(2)).to_string(),
            "wrong PIN; one more wrong PIN blocks the key for good"
        );
        // A PIN that the library refuses never reached the key.
        let short = KeyError::of(&WebauthnCError::PinTooShort, Some(8));
        assert_eq!(
            short,
            KeyError::WrongPin {
                retries_left: Some(8)
            }
        );
    }
}
