//! 4.12: the dry run is attached, and says so where a limit is near.

use super::super::case::{Case, Found};
use super::blast_radius::{self, Measure};

/// Begins the list of limits that are near.
pub(in crate::assessment) const NEAR: &str = "within 10 % of a limit: ";

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let near: Vec<String> = blast_radius::measures(case)
        .into_iter()
        .filter(Measure::is_near)
        .map(|measure| format!("{} of {} {}", measure.value, measure.limit, measure.what))
        .collect();
    if near.is_empty() {
        Found::pass("the modelled impact is attached")
    } else {
        Found::pass(format!(
            "{NEAR}{}; look at the modelled impact",
            near.join(", ")
        ))
    }
}
