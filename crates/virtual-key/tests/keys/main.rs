//! What a demonstration key does: in this process, and once through the real smart-card service.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod in_process;
mod smart_card;
mod support;
