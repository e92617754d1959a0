//! Keys over USB HID.
//!
//! Can't be had: choosing a key by name. The library opens every key and tells none apart, so a key
//! is found again by its place in the same list of devices. Cancelling works with the next
//! keep-alive of the key, which come every 100 ms; a key that sends none is abandoned.

use countersign_core::webauthn::{Assertion, Registration};
use fido_hid_rs::{USBDeviceManager as _, USBDeviceManagerImpl};
use futures::executor::block_on;
use webauthn_authenticator_rs::transport::Transport as _;
use webauthn_authenticator_rs::usb::{USBToken, USBTransport};

use crate::error::KeyError;
use crate::present::TransportProblem;
use crate::{
    Attempt, HardwareKey, Interaction, RegisterRequest, SignRequest, Transport, register_with,
    sign_with,
};

/// A FIDO key on a USB port.
#[derive(Debug)]
struct UsbKey {
    device: String,
    id: String,
    label: String,
}

impl HardwareKey for UsbKey {
    fn id(&self) -> &str {
        &self.id
    }
    fn label(&self) -> &str {
        &self.label
    }
    fn demonstration(&self) -> bool {
        false
    }
    fn register(
        &self,
        request: &RegisterRequest,
        interaction: &dyn Interaction,
    ) -> Result<Registration, KeyError> {
        let device = self.device.clone();
        register_with(move |_: &Attempt| open(&device), request, interaction)
    }
    fn sign(
        &self,
        request: &SignRequest,
        interaction: &dyn Interaction,
    ) -> Result<Assertion, KeyError> {
        let device = self.device.clone();
        sign_with(move |_: &Attempt| open(&device), request, interaction)
    }
}

/// The FIDO devices, in the order in which the library opens them. What tells them apart (path,
/// vendor, product) is private to its type, but printed.
fn devices() -> Result<Vec<String>, KeyError> {
    let listed = block_on(async { USBDeviceManagerImpl::new().await?.get_devices().await });
    Ok(listed
        .map_err(KeyError::transport)?
        .iter()
        .map(|device| format!("{device:?}"))
        .collect())
}

fn open(device: &str) -> Result<USBToken, KeyError> {
    let before = devices()?;
    let index = before
        .iter()
        .position(|d| d == device)
        .ok_or(KeyError::Removed)?;
    let tokens = block_on(async { USBTransport::new().await?.tokens().await })
        .map_err(|error| KeyError::of(&error, None))?;
    // One that could not be opened, or a key put in or taken out meanwhile, would shift the places.
    if tokens.len() != before.len() || devices()? != before {
        return Err(KeyError::transport(
            "the keys on USB changed or one of them cannot be opened",
        ));
    }
    tokens.into_iter().nth(index).ok_or(KeyError::Removed)
}

/// The FIDO keys on USB now. Runs inside a tokio runtime.
pub(crate) fn present(
    keys: &mut Vec<Box<dyn HardwareKey>>,
    problems: &mut Vec<TransportProblem>,
) -> Result<(), KeyError> {
    for device in devices()? {
        let label = match linux::product(&device) {
            Some(product) => format!("{product} (USB)"),
            None => "security key (USB)".to_owned(),
        };
        keys.push(Box::new(UsbKey {
            id: format!("usb:{device}"),
            device,
            label,
        }));
    }
    problems.extend(linux::refused().into_iter().map(|(node, product)| TransportProblem {
        transport: Transport::Usb,
        reason: format!(
            "`{product}` is plugged in, but this account may not open `{node}`; install your system's udev \
             rules for security keys (package `libfido2-1` or `libu2f-udev`), then plug it in again"
        ),
    }));
    Ok(())
}

/// What Linux tells everyone about hidraw devices, whether or not they may be opened.
#[cfg(target_os = "linux")]
mod linux {
    use std::fs;
    use std::path::{Path, PathBuf};

    /// Where the kernel lists them.
    const CLASS: &str = "/sys/class/hidraw";
    /// HID report descriptor item: Usage Page (FIDO Alliance, 0xF1D0). Source: CTAP 2.1 §11.2.8.1.
    const FIDO_USAGE_PAGE: [u8; 3] = [0x06, 0xd0, 0xf1];

    fn product_of(node: &str) -> Option<String> {
        let uevent = fs::read_to_string(Path::new(CLASS).join(node).join("device/uevent")).ok()?;
        uevent
            .lines()
            .find_map(|line| line.strip_prefix("HID_NAME="))
            .map(str::to_owned)
    }

    /// The product name of the device that the library prints as `device`.
    pub(super) fn product(device: &str) -> Option<String> {
        let (_, rest) = device.split_once("/dev/")?;
        let (node, _) = rest.split_once('"')?;
        product_of(node)
    }

    /// Nodes and product names of FIDO keys that may not be opened.
    pub(super) fn refused() -> Vec<(String, String)> {
        let Ok(nodes) = fs::read_dir(CLASS) else {
            return Vec::new();
        };
        let is_fido = |node: &str| {
            fs::read(Path::new(CLASS).join(node).join("device/report_descriptor")).is_ok_and(|d| {
                d.windows(FIDO_USAGE_PAGE.len())
                    .any(|w| w == FIDO_USAGE_PAGE)
            })
        };
        let refused = |path: &PathBuf| {
            fs::OpenOptions::new()
                .read(true)
                .write(true)
                .open(path)
                .is_err_and(|e| e.kind() == std::io::ErrorKind::PermissionDenied)
        };
        nodes
            .flatten()
            .map(|entry| entry.file_name().to_string_lossy().into_owned())
            .filter(|node| is_fido(node))
            .map(|node| (Path::new("/dev").join(&node), node))
            .filter(|(path, _)| refused(path))
            .map(|(path, node)| {
                (
                    path.display().to_string(),
                    product_of(&node).unwrap_or_else(|| "a security key".into()),
                )
            })
            .collect()
    }
}

/// Other systems tell nothing about a device that may not be opened.
#[cfg(not(target_os = "linux"))]
mod linux {
    pub(super) fn product(_: &str) -> Option<String> {
        None
    }
    pub(super) fn refused() -> Vec<(String, String)> {
        Vec::new()
    }
}
