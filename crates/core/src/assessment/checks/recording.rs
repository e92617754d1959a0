//! 4.2 and 4.8: enforced by decision and log, so that their findings always pass here.

use super::super::case::{Case, Found};

pub(super) fn human_approval(_: &Case<'_, '_>) -> Found {
    Found::pass("what does not run alone needs a decision signed with a hardware key")
}

pub(super) fn audit_log(_: &Case<'_, '_>) -> Found {
    Found::pass(
        "this assessment and every step after it is written to the log in the same transaction",
    )
}
