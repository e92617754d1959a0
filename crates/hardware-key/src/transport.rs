//! How a key is reached.

use std::fmt;

/// How a key is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Transport {
    /// CTAPHID over USB.
    Usb,
    /// A smart-card reader (PC/SC), contactless or not.
    Nfc,
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Usb => "USB",
            Self::Nfc => "smart-card reader",
        })
    }
}
