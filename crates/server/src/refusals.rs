//! Strangers: how often they may ask, and what of their refusals goes into the log.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use crate::limits;

/// Unauthenticated refusals by code, until they are logged as one entry (DESIGN §7).
#[derive(Debug, Default)]
pub struct Refusals {
    counts: Mutex<BTreeMap<String, u64>>,
    total: std::sync::atomic::AtomicU64,
}

impl Refusals {
    /// Counts one.
    pub fn count(&self, code: &str) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(code.to_owned()).or_default();
        *count = count.saturating_add(1);
        self.total
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }

    /// Takes what was counted.
    #[must_use]
    pub fn take(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts back what could not be logged.
    pub fn put_back(&self, counted: BTreeMap<String, u64>) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        for (code, more) in counted {
            let count = counts.entry(code).or_default();
            *count = count.saturating_add(more);
        }
    }

    /// All since the start.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total.load(std::sync::atomic::Ordering::Relaxed)
    }
}

/// A bucket of requests for each address.
#[derive(Debug, Default)]
pub struct Limiter {
    buckets: Mutex<HashMap<IpAddr, Bucket>>,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    left: f64,
    at: Instant,
}

impl Limiter {
    /// Whether `address` may ask once more at `now`.
    pub fn admits(&self, address: IpAddr, now: Instant) -> bool {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= limits::ADDRESSES_MAX && !buckets.contains_key(&address) {
            // A full bucket says nothing that a missing one does not.
            buckets.retain(|_, bucket| refilled(*bucket, now) < limits::UNAUTHENTICATED_BURST);
            if buckets.len() >= limits::ADDRESSES_MAX {
                return false;
            }
        }
        let bucket = buckets.entry(address).or_insert(Bucket {
            left: limits::UNAUTHENTICATED_BURST,
            at: now,
        });
        let left = refilled(*bucket, now);
        let admitted = left >= 1.0;
        *bucket = Bucket {
            left: if admitted { left - 1.0 } else { left },
            at: now,
        };
        admitted
    }
}

impl Limiter {
    /// Whether `address` has used up what it may ask at `now`.
    pub fn is_exhausted(&self, address: IpAddr, now: Instant) -> bool {
        let buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        match buckets.get(&address) {
            Some(bucket) => refilled(*bucket, now) < 1.0,
            None => buckets.len() >= limits::ADDRESSES_MAX,
        }
    }
}

fn refilled(bucket: Bucket, now: Instant) -> f64 {
    let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
    passed
        .mul_add(limits::UNAUTHENTICATED_PER_SECOND, bucket.left)
        .min(limits::UNAUTHENTICATED_BURST)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_only_the_rate() {
        let (limiter, start) = (Limiter::default(), Instant::now());
        let address = IpAddr::from([127, 0, 0, 1]);
        let burst = (0..1_000)
            .filter(|_| limiter.admits(address, start))
            .count();
        assert_eq!(burst, limits::UNAUTHENTICATED_BURST as usize);
        assert!(limiter.is_exhausted(address, start));
        let later = start + Duration::from_secs(1);
        assert!(!limiter.is_exhausted(address, later));
        let more = (0..1_000)
            .filter(|_| limiter.admits(address, later))
            .count();
        assert_eq!(more, limits::UNAUTHENTICATED_PER_SECOND as usize);
        assert!(limiter.admits(IpAddr::from([127, 0, 0, 2]), later));
    }

    #[test]
    fn refusals_are_counted_by_code_and_taken_once() {
        let refusals = Refusals::default();
        for code in ["a", "b", "a"] {
            refusals.count(code);
        }
        let taken = refusals.take();
        assert_eq!(
            taken,
            BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 1)])
        );
        assert!(refusals.take().is_empty());
        refusals.put_back(taken);
        assert_eq!(refusals.take().len(), 2);
        assert_eq!(refusals.total(), 3);
    }
}
