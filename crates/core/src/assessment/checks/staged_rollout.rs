//! 4.9: over ten systems a canary and waves are declared.

use super::super::case::{Case, Found, count};

/// Systems above which AG-706 4.9 asks for a canary.
const SYSTEMS_WITHOUT_CANARY_MAX: u64 = 10;

pub(super) fn check(case: &Case<'_, '_>) -> Found {
    let Some(rule) = case.rule else {
        return Found::unknown("no rule grants this, so no canary or wave is declared for it");
    };
    let systems = case.reach.systems(case.graph).count() as u64;
    if systems <= SYSTEMS_WITHOUT_CANARY_MAX {
        return Found::pass(format!(
            "{}; up to {SYSTEMS_WITHOUT_CANARY_MAX} need no canary",
            count(systems, "system")
        ))
        .against(systems, SYSTEMS_WITHOUT_CANARY_MAX);
    }
    let canary = rule.rollout.canary.unwrap_or(0);
    match (canary, rule.rollout.waves.is_empty()) {
        (0, true) => Found::fail(format!(
            "{} and rule {} declares neither canary nor waves",
            count(systems, "system"),
            rule.id
        )),
        (0, false) => Found::fail(format!(
            "{} and rule {} declares no canary",
            count(systems, "system"),
            rule.id
        )),
        (_, true) => Found::fail(format!(
            "{} and rule {} declares no waves",
            count(systems, "system"),
            rule.id
        )),
        (canary, false) => Found::pass(format!(
            "a canary of {canary}, then {} of {}",
            count(rule.rollout.waves.len() as u64, "wave"),
            count(systems, "system")
        )),
    }
    .against(systems, SYSTEMS_WITHOUT_CANARY_MAX)
}
