//! What must hold within a proposal, and its one form.

use serde::Deserialize;

use crate::document::limits::{
    CLAIMED_SIGNALS_MAX, IDEMPOTENCY_KEY_CHARS_MAX, RATIONALE_CHARS_MAX, TARGETS_MAX,
    TITLE_CHARS_MAX, UPDATED_DEPENDENTS_MAX,
};
use crate::document::read::read;
use crate::document::text::{canonical_range, check_labels, check_length, check_text};
use crate::document::tree::{Found, Node};
use crate::proposal::{
    AccountDisableParameters, AclChangeParameters, Action, ActionKind, ConfigChangeParameters,
    CredentialRotateParameters, Detection, FileQuarantineParameters, FirewallRuleParameters,
    PatchParameters, ProcessKillParameters, Proposal, ServiceRestartParameters, Targets,
};

/// An action with parameters of whatever kind.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ActionForm {
    r#type: ActionKind,
    #[serde(default, rename = "parameters")]
    _parameters: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoParameters {}

/// Looks for errors of form in every part. The parameters of an action are read by its kind here,
/// because only then an error in them has a place.
pub(crate) fn check_parts(root: &Node<'_>, found: &mut Found) {
    if let Some(detection) = root.get("detection") {
        let _: Option<Detection> = read(detection, found);
    }
    if let Some(targets) = root.get("targets") {
        let _: Option<Targets> = read(targets, found);
    }
    if let Some(action) = root.get("action") {
        check_action(action, found);
    }
}

/// Reads an action for its errors alone; whether it has any.
fn check_action(action: &Node<'_>, found: &mut Found) {
    let Some(form) = read::<ActionForm>(action, found) else {
        return;
    };
    let nothing = Node {
        place: action.place,
        value: crate::document::tree::Value::Null,
    };
    let parameters = action.get("parameters").unwrap_or(&nothing);
    fn check<T: serde::de::DeserializeOwned>(parameters: &Node<'_>, found: &mut Found) {
        let _: Option<T> = read(parameters, found);
    }
    match form.r#type {
        ActionKind::Patch => check::<PatchParameters>(parameters, found),
        ActionKind::ConfigChange => check::<ConfigChangeParameters>(parameters, found),
        ActionKind::ServiceRestart => check::<ServiceRestartParameters>(parameters, found),
        ActionKind::ProcessKill => check::<ProcessKillParameters>(parameters, found),
        ActionKind::FirewallRule => check::<FirewallRuleParameters>(parameters, found),
        ActionKind::NetworkIsolate | ActionKind::HostIsolate => {
            check::<NoParameters>(parameters, found);
        }
        ActionKind::CredentialRotate => check::<CredentialRotateParameters>(parameters, found),
        ActionKind::AccountDisable => check::<AccountDisableParameters>(parameters, found),
        ActionKind::AclChange => check::<AclChangeParameters>(parameters, found),
        ActionKind::FileQuarantine => check::<FileQuarantineParameters>(parameters, found),
    }
}

/// Checks a proposal and brings it to its one form.
pub(crate) fn check(proposal: &mut Proposal, root: &Node<'_>, found: &mut Found) {
    check_text(
        &proposal.idempotency_key,
        "idempotency_key",
        IDEMPOTENCY_KEY_CHARS_MAX,
        root.place_of(&["idempotency_key"]),
        found,
    );
    if let Some(rationale) = &proposal.rationale {
        check_long(rationale, "rationale", RATIONALE_CHARS_MAX, root, found);
    }
    check_detection(&proposal.detection, root, found);
    check_parameters(&mut proposal.action, root, found);
    check_targets(&proposal.targets, root, found);
}

/// A text that may be empty.
fn check_long(text: &str, name: &str, chars_max: usize, node: &Node<'_>, found: &mut Found) {
    if !text.trim().is_empty() {
        check_text(text, name, chars_max, node.place_of(&[name]), found);
    }
}

fn check_detection(detection: &Detection, root: &Node<'_>, found: &mut Found) {
    for (name, text) in [("id", &detection.id), ("title", &detection.title)] {
        check_text(
            text,
            name,
            TITLE_CHARS_MAX,
            root.place_of(&["detection", name]),
            found,
        );
    }
    let place = root.place_of(&["detection", "signals"]);
    check_length(
        detection.signals.len(),
        "signals",
        CLAIMED_SIGNALS_MAX,
        place,
        found,
    );
    let nodes = root
        .get("detection")
        .and_then(|d| d.get("signals"))
        .map(Node::items)
        .unwrap_or_default();
    for (signal, node) in detection.signals.iter().zip(nodes) {
        check_long(&signal.kind, "kind", TITLE_CHARS_MAX, node, found);
        check_long(&signal.summary, "summary", TITLE_CHARS_MAX, node, found);
    }
}

fn check_parameters(action: &mut Action, root: &Node<'_>, found: &mut Found) {
    let place = |name: &str| root.place_of(&["action", "parameters", name]);
    let texts: &[(&str, &str)] = match action {
        Action::Patch(p) => &[("package", &p.package), ("to_version", &p.to_version)],
        Action::ConfigChange(p) => &[("path", &p.path), ("digest", &p.digest)],
        Action::ServiceRestart(p) => &[("service", &p.service)],
        Action::ProcessKill(p) => &[("process", &p.process)],
        Action::FirewallRule(p) => {
            p.from = canonical_range(p.from, place("from"), found);
            p.to = canonical_range(p.to, place("to"), found);
            // To say that it cuts both ways is to say nothing more.
            p.direction = p.direction.filter(|_| p.is_one_way());
            &[("service", &p.service)]
        }
        Action::CredentialRotate(p) => {
            check_length(
                p.updates_dependents.len(),
                "updates_dependents",
                UPDATED_DEPENDENTS_MAX,
                place("updates_dependents"),
                found,
            );
            &[]
        }
        Action::AclChange(p) => &[("resource", &p.resource), ("change", &p.change)],
        Action::FileQuarantine(p) => &[("path", &p.path), ("digest", &p.digest)],
        Action::NetworkIsolate | Action::HostIsolate | Action::AccountDisable(_) => &[],
    };
    for (name, text) in texts {
        check_text(text, name, TITLE_CHARS_MAX, place(name), found);
    }
}

fn check_targets(targets: &Targets, root: &Node<'_>, found: &mut Found) {
    match targets {
        Targets::Systems(systems) => {
            let place = root.place_of(&["targets", "systems"]);
            if systems.is_empty() {
                found.error(
                    place,
                    "no-target",
                    "the proposal names no system",
                    "name the systems to act on",
                );
            }
            check_length(systems.len(), "systems", TARGETS_MAX, place, found);
        }
        Targets::Selector(selector) => {
            let place = root.place_of(&["targets", "selector"]);
            if selector.class.is_none() && selector.tier.is_none() && selector.labels.is_empty() {
                found.error(
                    place,
                    "empty-selector",
                    "the selector has no criterion and would mean every system",
                    "give at least one of `class`, `tier` and `labels`",
                );
            }
            check_labels(
                &selector.labels,
                root.get("targets")
                    .and_then(|t| t.get("selector"))
                    .and_then(|s| s.get("labels")),
                found,
            );
        }
    }
}
