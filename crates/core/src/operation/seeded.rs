//! Bugs sown on purpose, so that a test can show that the simulator finds them. None is ever in a
//! program: they exist only with the feature `seeded-bugs`, and only where a test asks for one.

use super::Operation;

/// A bug, each against one invariant of [`super`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SeededBug {
    /// After a trip, gates that were asked still open.
    DispatchesAfterTrip,
    /// One system more than the concurrency is in flight.
    OneTooMany,
    /// After a restart an apply that was in flight is sent again.
    RunsTwice,
    /// The apply follows the baseline without a gate of its own.
    SkipsTheGate,
    /// Systems of which nobody knows the result are not rolled back.
    ForgetsTheUnknown,
    /// An answer counts each time it comes.
    CountsDuplicates,
}

#[cfg(feature = "seeded-bugs")]
impl SeededBug {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::DispatchesAfterTrip,
        Self::OneTooMany,
        Self::RunsTwice,
        Self::SkipsTheGate,
        Self::ForgetsTheUnknown,
        Self::CountsDuplicates,
    ];
}

#[cfg(feature = "seeded-bugs")]
impl Operation {
    /// Sows a bug, or none. It is not stored with the operation.
    pub const fn sow(&mut self, bug: Option<SeededBug>) {
        self.bug = bug;
    }

    pub(super) fn has(&self, bug: SeededBug) -> bool {
        self.bug == Some(bug)
    }
}

#[cfg(not(feature = "seeded-bugs"))]
impl Operation {
    #[expect(clippy::unused_self, reason = "with the feature it looks")]
    pub(super) const fn has(&self, _: SeededBug) -> bool {
        false
    }
}
