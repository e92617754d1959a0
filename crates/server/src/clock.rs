//! The backend's one clock.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// Where `now` comes from. Instants are whole milliseconds, as the store keeps them. The store is in
/// this process, so this is also the time of the database, which decides expiry (DESIGN §6.4).
#[derive(Debug, Clone, Default)]
pub struct Clock {
    ahead_ms: Arc<AtomicI64>,
}

impl Clock {
    /// The system's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// Moves this clock and its clones ahead of the system's, so that a test need not wait.
    pub fn advance(&self, by: TimeDelta) {
        self.ahead_ms
            .fetch_add(by.num_milliseconds(), Ordering::SeqCst);
    }

    /// This instant.
    #[must_use]
    pub fn now(&self) -> DateTime<Utc> {
        let system = Utc::now().timestamp_millis();
        instant(system.saturating_add(self.ahead_ms.load(Ordering::SeqCst)))
    }
}

/// The instant that is `ms` milliseconds after 1970 began.
#[must_use]
pub fn instant(ms: i64) -> DateTime<Utc> {
    // INVARIANT: stored instants came from a `DateTime`, so this is within its range.
    DateTime::from_timestamp_millis(ms).unwrap_or(DateTime::<Utc>::MAX_UTC)
}
