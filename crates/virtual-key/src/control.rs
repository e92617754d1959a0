//! The finger on the key, and the plug.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use trussed_core::InterruptFlag;

/// How the touch is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Presence {
    /// At once, whenever the key asks.
    #[default]
    Approve,
    /// Never.
    Never,
    /// So long after the key asks.
    After(Duration),
    /// When [`crate::VirtualKey::touch`] is called while the key asks.
    Manual,
}

/// What is shared between a key's owner and its firmware.
#[derive(Debug)]
pub(crate) struct Control {
    presence: Mutex<Presence>,
    waiting: AtomicBool,
    touched: AtomicBool,
    unplugged: AtomicBool,
    interrupt: &'static InterruptFlag,
}

impl Control {
    pub(crate) fn new() -> Self {
        Self {
            presence: Mutex::default(),
            waiting: AtomicBool::new(false),
            touched: AtomicBool::new(false),
            unplugged: AtomicBool::new(false),
            // The firmware is written for one that lives as long as the device: a byte a key.
            interrupt: Box::leak(Box::new(InterruptFlag::new())),
        }
    }

    pub(crate) fn interrupt(&self) -> &'static InterruptFlag {
        self.interrupt
    }

    pub(crate) fn set_presence(&self, presence: Presence) {
        *self.presence.lock().unwrap_or_else(PoisonError::into_inner) = presence;
    }

    /// A touch by hand; whether the key was waiting for one.
    pub(crate) fn touch(&self) -> bool {
        let waiting = self.waiting();
        if waiting {
            self.touched.store(true, Ordering::SeqCst);
        }
        waiting
    }

    pub(crate) fn waiting(&self) -> bool {
        self.waiting.load(Ordering::SeqCst)
    }

    /// The firmware begins or ends to wait. A touch before it began does not count.
    pub(crate) fn set_waiting(&self, waiting: Waiting) {
        self.touched.store(false, Ordering::SeqCst);
        self.waiting
            .store(waiting == Waiting::Yes, Ordering::SeqCst);
    }

    /// Whether the firmware, waiting for `elapsed`, finds itself touched.
    pub(crate) fn touched_after(&self, elapsed: Duration) -> bool {
        match *self.presence.lock().unwrap_or_else(PoisonError::into_inner) {
            Presence::Approve => true,
            Presence::Never => false,
            Presence::After(wait) => elapsed >= wait,
            Presence::Manual => self.touched.swap(false, Ordering::SeqCst),
        }
    }

    pub(crate) fn plug_in(&self) {
        self.unplugged.store(false, Ordering::SeqCst);
        self.set_waiting(Waiting::No);
    }

    /// Stops whatever the firmware waits for, now and until it is plugged in again.
    pub(crate) fn unplug(&self) {
        self.unplugged.store(true, Ordering::SeqCst);
        self.interrupt.interrupt();
    }

    /// Called by the waiting firmware. An interrupt sent before its command began is lost with the
    /// flag's state, so it is repeated here.
    pub(crate) fn keep_interrupting(&self) {
        if self.unplugged.load(Ordering::SeqCst) {
            self.interrupt.interrupt();
        }
    }
}

/// Whether the firmware waits for a touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Waiting {
    Yes,
    No,
}
