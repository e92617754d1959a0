//! The checks, one file each, and the one table of them.

mod authority_window;
mod blast_radius;
mod breaker;
mod classification;
pub(super) mod conditions;
mod corroboration;
mod dependencies;
mod detection;
mod envelope_grant;
mod near_limit;
mod recording;
mod rollback;
mod staged_rollout;

pub(super) use detection::BENIGN;
pub(super) use near_limit::NEAR;

use super::case::{Case, Found};
use super::{Clause, Finding};

type Check = fn(&Case<'_, '_>) -> Found;

/// Name, clause of AG-706 section 4, and the check itself, in the order of the clauses.
const TABLE: [(&str, Clause, Check); 12] = [
    ("envelope_grant", Clause::C4_1, envelope_grant::check),
    ("human_approval", Clause::C4_2, recording::human_approval),
    ("dependencies", Clause::C4_3, dependencies::check),
    ("breaker", Clause::C4_4, breaker::check),
    ("blast_radius", Clause::C4_5, blast_radius::check),
    ("rollback", Clause::C4_6, rollback::check),
    ("classification", Clause::C4_7, classification::check),
    ("audit_log", Clause::C4_8, recording::audit_log),
    ("staged_rollout", Clause::C4_9, staged_rollout::check),
    ("authority_window", Clause::C4_10, authority_window::check),
    ("detection", Clause::C4_11, detection::check),
    ("dry_run", Clause::C4_12, near_limit::check),
];

/// Runs every check, always all of them.
pub(super) fn run(case: &Case<'_, '_>) -> Vec<Finding> {
    TABLE
        .iter()
        .map(|(name, clause, check)| check(case).of(name, *clause))
        .collect()
}
