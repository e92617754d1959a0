//! A folder of demonstration keys, which several processes may use in turn.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_hardware_key::KeyError;
use futures::executor::block_on;
use webauthn_authenticator_rs::ctap2::CtapAuthenticator;
use webauthn_authenticator_rs::error::WebauthnCError;
use webauthn_authenticator_rs::types::{CableRequestType, CableState, EnrollSampleStatus};
use webauthn_authenticator_rs::ui::UiCallback;

use crate::authority::DemonstrationAuthority;
use crate::control::Control;
use crate::error::RingError;
use crate::key::VirtualKey;
use crate::power::{Powered, lock};

/// The file in the folder with the root certificate (PEM) that vouches for its keys.
pub const ATTESTATION_ROOT: &str = "attestation-root.pem";
/// The longest name of a key, bytes.
const NAME_BYTES_MAX: usize = 64;

/// The demonstration keys of one folder.
#[derive(Debug, Clone)]
pub struct KeyRing {
    folder: PathBuf,
    keys: Vec<VirtualKey>,
}

impl KeyRing {
    /// Makes a folder of new keys, all with the same `pin` and attested by a root of their own.
    ///
    /// The root certificate is written last, so a ring that was not finished does not open and is
    /// made anew by calling this again.
    ///
    /// # Errors
    /// [`RingError`]; [`RingError::Exists`] where there is a ring already.
    pub fn create(folder: &Path, names: &[&str], pin: &str) -> Result<Self, RingError> {
        let root = folder.join(ATTESTATION_ROOT);
        if root.exists() {
            return Err(RingError::Exists(folder.to_owned()));
        }
        let mut seen = BTreeSet::new();
        if let Some(name) = names
            .iter()
            .find(|name| !is_name(name) || !seen.insert(**name))
        {
            return Err(RingError::Name((*name).to_owned()));
        }
        fs::create_dir_all(folder).map_err(RingError::file(folder))?;
        let authority = DemonstrationAuthority::new()?;
        for name in names {
            make(&VirtualKey::new(folder, name), &authority, pin)?;
        }
        fs::write(&root, authority.root_pem()?).map_err(RingError::file(&root))?;
        Self::open(folder)
    }

    /// The ring that some process made in `folder`.
    ///
    /// # Errors
    /// [`RingError::Absent`] where there is none, [`RingError::File`] where it can't be read.
    pub fn open(folder: &Path) -> Result<Self, RingError> {
        if !folder.join(ATTESTATION_ROOT).is_file() {
            return Err(RingError::Absent(folder.to_owned()));
        }
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(folder).map_err(RingError::file(folder))? {
            let file = entry.map_err(RingError::file(folder))?.file_name();
            let name = file.to_str().and_then(|file| file.strip_suffix(".key"));
            names.extend(name.filter(|name| is_name(name)).map(str::to_owned));
        }
        let keys = names
            .iter()
            .map(|name| VirtualKey::new(folder, name))
            .collect();
        Ok(Self {
            folder: folder.to_owned(),
            keys,
        })
    }

    /// Its keys, by name.
    #[must_use]
    pub fn keys(&self) -> Vec<VirtualKey> {
        self.keys.clone()
    }

    /// The key `name`.
    ///
    /// # Errors
    /// [`RingError::UnknownKey`], with the names that there are.
    pub fn key(&self, name: &str) -> Result<VirtualKey, RingError> {
        self.keys
            .iter()
            .find(|key| key.name() == name)
            .cloned()
            .ok_or_else(|| RingError::UnknownKey {
                name: name.to_owned(),
                known: self.keys.iter().map(|key| key.name().to_owned()).collect(),
            })
    }

    /// The root certificate (PEM) that vouches for these keys, and for no others.
    ///
    /// # Errors
    /// [`RingError::File`].
    pub fn attestation_root_pem(&self) -> Result<Vec<u8>, RingError> {
        let path = self.folder.join(ATTESTATION_ROOT);
        fs::read(&path).map_err(RingError::file(&path))
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
}

/// Makes the key's flash, with its attestation and its PIN in it.
fn make(key: &VirtualKey, authority: &DemonstrationAuthority, pin: &str) -> Result<(), RingError> {
    let held = lock(&key.files.lock, || false)?;
    let flash = &key.files.flash;
    if flash.exists() {
        // Left by a ring that was not finished.
        fs::remove_file(flash).map_err(RingError::file(flash))?;
    }
    let identity = authority.identity(key.name())?;
    let powered = Powered::on(flash, held, &Arc::new(Control::new()), Some(identity))?;
    let mut authenticator = block_on(CtapAuthenticator::new(powered, &Nobody))
        .ok_or_else(|| KeyError::transport("the firmware does not start"))?;
    block_on(authenticator.set_new_pin(pin)).map_err(|error| {
        let refused = matches!(
            error,
            WebauthnCError::PinTooShort
                | WebauthnCError::PinTooLong
                | WebauthnCError::PinContainsNull
                | WebauthnCError::Ctap(_)
        );
        if refused {
            RingError::Pin
        } else {
            KeyError::transport(error).into()
        }
    })
}

/// Setting a PIN asks nobody anything.
#[derive(Debug)]
struct Nobody;

impl UiCallback for Nobody {
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
