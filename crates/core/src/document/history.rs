//! What must hold within a history, and its one form.

use std::collections::BTreeMap;

use crate::document::limits::{ENVELOPE_LIST_MAX, TITLE_CHARS_MAX};
use crate::document::read::check_each;
use crate::document::text::{check_length, check_share, check_text};
use crate::document::tree::{Found, Node, Place};
use crate::history::{
    Drill, History, InFlight, Recent, RegisteredDetection, RemainingBudget, StagingRun,
    VerifiedSignal,
};
use crate::suspension::Suspended;

/// Looks for errors of form in every member of the lists.
pub(crate) fn check_parts(root: &Node<'_>, found: &mut Found) {
    check_each::<Suspended>(root.get("suspensions"), found);
    check_each::<Drill>(root.get("drills"), found);
    check_each::<RegisteredDetection>(root.get("detections"), found);
    check_each::<VerifiedSignal>(root.get("signals"), found);
    check_each::<InFlight>(root.get("in_flight"), found);
    check_each::<Recent>(root.get("recent"), found);
    check_each::<RemainingBudget>(root.get("error_budgets"), found);
    check_each::<StagingRun>(root.get("staging"), found);
}

/// Checks a history and brings it to its one form.
pub(crate) fn check(history: &mut History, root: &Node<'_>, found: &mut Found) {
    let nodes = root.get("detections").map(Node::items).unwrap_or_default();
    let detections = history.detections.as_deref().unwrap_or_default();
    let mut registered: BTreeMap<(&str, &str), Place> = BTreeMap::new();
    for (detection, node) in detections.iter().zip(nodes) {
        check_detection(detection, node, found);
        let key = (detection.rule.as_str(), detection.source.as_str());
        if let Some(first) = registered.get(&key) {
            found.error(
                node.place_of(&["rule"]),
                "duplicate-id",
                format!(
                    "`{}` of `{}` is already registered on line {}",
                    detection.rule, detection.source, first.line
                ),
                "register each detection rule once for each source",
            );
        } else {
            registered.insert(key, node.place_of(&["rule"]));
        }
    }
    check_budgets(
        history.error_budgets.as_deref().unwrap_or_default(),
        root,
        found,
    );
    sort(&mut history.drills);
    sort(&mut history.detections);
    sort(&mut history.signals);
    sort(&mut history.in_flight);
    sort(&mut history.recent);
    sort(&mut history.error_budgets);
    sort(&mut history.staging);
}

fn check_detection(detection: &RegisteredDetection, node: &Node<'_>, found: &mut Found) {
    if detection.false_positives > detection.assessed {
        found.error(
            node.place_of(&["false_positives"]),
            "impossible-count",
            format!(
                "{} of {} assessed outcomes cannot be false",
                detection.false_positives, detection.assessed
            ),
            "correct one of the two numbers",
        );
    }
    check_length(
        detection.benign_patterns.len(),
        "benign_patterns",
        ENVELOPE_LIST_MAX,
        node.place_of(&["benign_patterns"]),
        found,
    );
    for pattern in &detection.benign_patterns {
        check_text(
            pattern,
            "benign_patterns",
            TITLE_CHARS_MAX,
            node.place_of_member(&["benign_patterns"], pattern),
            found,
        );
    }
}

fn check_budgets(budgets: &[RemainingBudget], root: &Node<'_>, found: &mut Found) {
    let nodes = root
        .get("error_budgets")
        .map(Node::items)
        .unwrap_or_default();
    for (budget, node) in budgets.iter().zip(nodes) {
        check_share(
            budget.remaining,
            "remaining",
            node.place_of(&["remaining"]),
            found,
        );
    }
}

/// Facts are a set: neither their order nor repeating one changes anything.
fn sort<T: Ord>(list: &mut Option<Vec<T>>) {
    if let Some(list) = list {
        list.sort();
        list.dedup();
    }
}
