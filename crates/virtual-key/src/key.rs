//! A demonstration key that is used like any other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use countersign_core::webauthn::{Assertion, Registration};
use countersign_hardware_key::{
    Attempt, HardwareKey, Interaction, KeyError, RegisterRequest, SignRequest, register_with,
    sign_with,
};

use crate::control::{Control, Presence};
use crate::power::{Powered, lock};

/// A demonstration key of a [`crate::KeyRing`]. Clones are the same key under the same finger.
///
/// It is powered for each operation and only then, so its PIN counter for wrong PINs in a row since
/// power-on starts anew each time; the one for all wrong PINs does not.
#[derive(Debug, Clone)]
pub struct VirtualKey {
    name: String,
    id: String,
    label: String,
    pub(crate) files: Files,
    pub(crate) control: Arc<Control>,
}

/// The files of one key.
#[derive(Debug, Clone)]
pub(crate) struct Files {
    /// The firmware's flash.
    pub(crate) flash: PathBuf,
    /// Whose lock allows to power the key.
    pub(crate) lock: PathBuf,
}

impl Files {
    /// Takes the lock, and checks that there is a key.
    pub(crate) fn lock(&self, given_up: impl Fn() -> bool) -> Result<std::fs::File, KeyError> {
        let held = lock(&self.lock, given_up)?;
        // The firmware's storage would make a new, empty one.
        if self.flash.is_file() {
            Ok(held)
        } else {
            Err(KeyError::Removed)
        }
    }
}

impl VirtualKey {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: format!("demonstration:{name}"),
            label: format!("demonstration key {name}"),
            files: Files {
                flash: folder.join(format!("{name}.key")),
                lock: folder.join(format!("{name}.lock")),
            },
            control: Arc::new(Control::new()),
        }
    }

    /// Its name in the ring.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How touches are given from now on, also to a wait that has begun. At first: at once.
    pub fn set_presence(&self, presence: Presence) {
        self.control.set_presence(presence);
    }

    /// Touches the key, for [`Presence::Manual`]. Answers whether it was waiting for a touch; a touch
    /// before that does not count, as with a real key.
    pub fn touch(&self) -> bool {
        self.control.touch()
    }

    /// Whether the key waits for a touch in this process now.
    #[must_use]
    pub fn waiting(&self) -> bool {
        self.control.waiting()
    }

    fn open(&self) -> impl FnOnce(&Attempt) -> Result<Powered, KeyError> + Send + use<> {
        let (files, control) = (self.files.clone(), self.control.clone());
        move |attempt: &Attempt| {
            let held = files.lock(|| attempt.stopped())?;
            Powered::on(&files.flash, held, &control, None)
        }
    }
}

impl HardwareKey for VirtualKey {
    fn id(&self) -> &str {
        &self.id
    }
    fn label(&self) -> &str {
        &self.label
    }
    fn demonstration(&self) -> bool {
        true
    }
    fn register(
        &self,
        request: &RegisterRequest,
        interaction: &dyn Interaction,
    ) -> Result<Registration, KeyError> {
        register_with(self.open(), request, interaction)
    }
    fn sign(
        &self,
        request: &SignRequest,
        interaction: &dyn Interaction,
    ) -> Result<Assertion, KeyError> {
        sign_with(self.open(), request, interaction)
    }
}
