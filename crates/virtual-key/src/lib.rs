//! Development only: the real Nitrokey/SoloKeys FIDO2 firmware as a virtual key.
//!
//! It has a PIN, a touch, attestation and a counter, all of the firmware's own making, so that the
//! demonstration and the tests use what people use. Nothing that ships is built with this crate, and
//! a backend whose genesis is not a demonstration refuses [`AAGUID`].
//!
//! A [`KeyRing`] is a folder of keys that several processes may use in turn: a key is powered for
//! one operation at a time, under a lock of the operating system.

mod authority;
mod card;
mod control;
mod error;
mod firmware;
mod key;
mod power;
mod ring;
mod without_pin;

pub use authority::DemonstrationAuthority;
pub use card::VirtualCard;
pub use control::Presence;
pub use countersign_core::genesis::DEMONSTRATION_AAGUID as AAGUID;
pub use error::RingError;
pub use key::VirtualKey;
pub use ring::{ATTESTATION_ROOT, KeyRing};
