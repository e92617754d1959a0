//! Which keys are present now, and why some transport may show none.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use crate::error::KeyError;
use crate::{HardwareKey, Transport, nfc, usb};

/// Longest wait for the transports; one that does not answer is a problem of that transport.
const PRESENT_LIMIT: Duration = Duration::from_secs(5);

/// The keys that are present, and what kept others from being seen.
#[derive(Debug, Default)]
pub struct PresentKeys {
    /// The keys, those on USB first.
    pub keys: Vec<Box<dyn HardwareKey>>,
    /// Why a transport or a device could not be used. Not an error: tell the person when the key they
    /// look for is missing.
    pub problems: Vec<TransportProblem>,
}

/// Why a transport or a device could not be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransportProblem {
    /// Which transport.
    pub transport: Transport,
    /// The reason and the mend, in words for a person.
    pub reason: String,
}

impl std::fmt::Display for TransportProblem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.transport, self.reason)
    }
}

impl PresentKeys {
    /// The one key that is present.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] and [`KeyError::SeveralKeys`].
    pub fn only(mut self) -> Result<Box<dyn HardwareKey>, KeyError> {
        match (self.keys.pop(), self.keys.is_empty()) {
            (Some(key), true) => Ok(key),
            (Some(_), false) => Err(KeyError::SeveralKeys),
            (None, _) => Err(KeyError::NoKey),
        }
    }

    /// The key whose id is `id`.
    ///
    /// # Errors
    /// [`KeyError::NoKey`] when it is no longer there.
    pub fn by_id(self, id: &str) -> Result<Box<dyn HardwareKey>, KeyError> {
        self.keys
            .into_iter()
            .find(|key| key.id() == id)
            .ok_or(KeyError::NoKey)
    }
}

/// Looks for keys on USB and on smart-card readers. Blocks for up to 5 s, half a second being usual
/// for each card on a reader; asks nothing of a person.
#[must_use]
pub fn present_keys() -> PresentKeys {
    let transports: [(Transport, Look); 2] = [
        (Transport::Usb, usb::present),
        (Transport::Nfc, nfc::present),
    ];
    // All start before any is awaited, so that they share one limit.
    let looking = transports.map(|(transport, look)| (transport, start(look)));
    let deadline = Instant::now() + PRESENT_LIMIT;
    let mut present = PresentKeys::default();
    for (transport, answer) in looking {
        let left = deadline.saturating_duration_since(Instant::now());
        let reason = match answer.recv_timeout(left) {
            Ok((found, Ok(()))) => {
                present.keys.extend(found.keys);
                present.problems.extend(found.problems);
                continue;
            }
            Ok((_, Err(error))) => error.to_string(),
            Err(_) => {
                "it did not answer; restart it or take the keys out and put them back".to_owned()
            }
        };
        present
            .problems
            .push(TransportProblem { transport, reason });
    }
    present
}

type Look = fn(&mut Vec<Box<dyn HardwareKey>>, &mut Vec<TransportProblem>) -> Result<(), KeyError>;
type Found = (PresentKeys, Result<(), KeyError>);

/// Looks on a thread of its own, which may hang in a driver without harm.
fn start(look: Look) -> std::sync::mpsc::Receiver<Found> {
    let (send, answer) = channel();
    // If the thread cannot start, `answer` is closed, which is reported as no answer.
    let _ = thread::Builder::new()
        .name("present-keys".to_owned())
        .spawn(move || {
            let mut found = PresentKeys::default();
            let runtime = tokio::runtime::Builder::new_multi_thread()
                .worker_threads(1)
                .enable_all()
                .build();
            let result = match runtime {
                Ok(runtime) => {
                    let _context = runtime.enter();
                    look(&mut found.keys, &mut found.problems)
                }
                Err(error) => Err(KeyError::transport(error)),
            };
            let _ = send.send((found, result));
        });
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_is_not_several() {
        assert_eq!(PresentKeys::default().only().unwrap_err(), KeyError::NoKey);
        assert_eq!(
            PresentKeys::default().by_id("nfc:x").unwrap_err(),
            KeyError::NoKey
        );
    }
}
