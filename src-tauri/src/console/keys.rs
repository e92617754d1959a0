//! The keys that are present.

use std::fmt::Debug;
use std::sync::Arc;

use countersign_hardware_key::HardwareKey;
use countersign_wire::view::KeyView;

/// Where keys come from. Calls may block for some seconds.
pub trait KeySource: Send + Sync + Debug + 'static {
    /// The keys present now.
    fn present(&self) -> Vec<Arc<dyn HardwareKey>>;

    /// The key with this id, where it is present now.
    fn find(&self, id: &str) -> Option<Arc<dyn HardwareKey>> {
        self.present().into_iter().find(|key| key.id() == id)
    }

    /// Touches a demonstration key; whether it waited for that.
    fn touch(&self, id: &str) -> bool;
}

/// A key for a list to choose from.
#[must_use]
pub fn view(key: &dyn HardwareKey) -> KeyView {
    KeyView {
        id: key.id().to_owned(),
        label: key.label().to_owned(),
        demonstration: key.demonstration(),
    }
}

/// Keys on USB and on smart-card readers.
#[derive(Debug, Default)]
pub struct Hardware;

impl KeySource for Hardware {
    fn present(&self) -> Vec<Arc<dyn HardwareKey>> {
        let present = countersign_hardware_key::present_keys();
        for problem in &present.problems {
            tracing::debug!(%problem, "some keys may not be seen");
        }
        present.keys.into_iter().map(Arc::from).collect()
    }

    fn touch(&self, _: &str) -> bool {
        false
    }
}

/// Demonstration keys, and real ones besides.
#[cfg(feature = "demonstration-key")]
#[derive(Debug)]
pub struct Demonstration {
    keys: Vec<countersign_virtual_key::VirtualKey>,
    hardware: Option<Hardware>,
}

#[cfg(feature = "demonstration-key")]
impl Demonstration {
    /// The keys of a folder, each touched only by [`KeySource::touch`]; `hardware` where real keys
    /// are looked for too.
    #[must_use]
    pub fn new(ring: &countersign_virtual_key::KeyRing, hardware: Option<Hardware>) -> Self {
        let keys = ring.keys();
        for key in &keys {
            key.set_presence(countersign_virtual_key::Presence::Manual);
        }
        Self { keys, hardware }
    }
}

#[cfg(feature = "demonstration-key")]
impl KeySource for Demonstration {
    fn present(&self) -> Vec<Arc<dyn HardwareKey>> {
        let mut present: Vec<Arc<dyn HardwareKey>> = self
            .keys
            .iter()
            .map(|key| Arc::new(key.clone()) as Arc<dyn HardwareKey>)
            .collect();
        present.extend(self.hardware.iter().flat_map(KeySource::present));
        present
    }

    fn find(&self, id: &str) -> Option<Arc<dyn HardwareKey>> {
        match self.keys.iter().find(|key| key.id() == id) {
            Some(key) => Some(Arc::new(key.clone())),
            None => self
                .hardware
                .as_ref()
                .and_then(|hardware| hardware.find(id)),
        }
    }

    fn touch(&self, id: &str) -> bool {
        self.keys.iter().any(|key| key.id() == id && key.touch())
    }
}
