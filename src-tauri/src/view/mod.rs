//! What the window shows, computed from documents by this program itself. Pure: no network, no
//! clock, no window; what is needed of these comes as arguments.

pub mod briefing;
pub mod consequence;
pub mod graph;
pub mod impact;
pub mod may;
pub mod operation;
pub mod preview;
pub mod queue;
pub mod quote;
pub mod words;

use countersign_core::topology::Tier;
use countersign_wire::view::TierView;

/// A tier as the window takes it.
#[must_use]
pub const fn tier(tier: Tier) -> TierView {
    match tier {
        Tier::NonCritical => TierView::NonCritical,
        Tier::ProductionCritical => TierView::ProductionCritical,
        Tier::SafetyCritical => TierView::SafetyCritical,
    }
}

#[cfg(test)]
pub(crate) mod sample;
#[cfg(test)]
mod tests;
