//! The path by which harm reaches a node, in words.

use super::{Cause, Effect, Effects, name};
use crate::identifier::CredentialId;
use crate::scope::Graph;

/// Steps of a path that are told; of a longer one, how many are left out.
const SHOWN_MAX: usize = 6;

/// Room to work in, so that many paths need one.
#[derive(Debug, Default)]
pub(super) struct Room<'g, 't> {
    path: Vec<Cause<'t>>,
    parts: Vec<&'g str>,
}

/// The path of `effect`: nearest first, the cause last.
pub(super) fn because<'g, 't: 'g>(
    graph: &'g Graph,
    effects: &Effects<'t>,
    effect: &Effect<'t>,
    room: &mut Room<'g, 't>,
) -> String {
    let Room { path, parts } = room;
    path.clear();
    parts.clear();
    let mut effect = Some(effect);
    // INVARIANT: causes form a forest rooted in first-hand causes; the bound only guards against a defect.
    for _ in 0..=effects.len() {
        let Some(Effect { cause, .. }) = effect else {
            break;
        };
        path.push(*cause);
        match cause {
            Cause::NeedsDown(edge) => effect = effects.get(edge.to),
            Cause::WorkedOn
            | Cause::RunsFrom(_)
            | Cause::NeedsTarget(_)
            | Cause::CutOff(_)
            | Cause::LosesCredential(_) => break,
        }
    }
    let left_out = path.len().saturating_sub(SHOWN_MAX);
    match path.as_slice() {
        [first @ .., last] if left_out > 0 => {
            tell_all(parts, graph, first.get(..SHOWN_MAX - 1).unwrap_or_default());
            let mut text = joined(parts);
            text.push_str(&format!(
                ", which and so on through {left_out} more, which "
            ));
            parts.clear();
            tell(parts, graph, last);
            text.push_str(&joined(parts));
            text
        }
        whole => {
            tell_all(parts, graph, whole);
            joined(parts)
        }
    }
}

/// The parts in one piece of memory of just their size.
fn joined(parts: &[&str]) -> String {
    let mut text = String::with_capacity(parts.iter().map(|part| part.len()).sum());
    for part in parts {
        text.push_str(part);
    }
    text
}

fn tell_all<'g, 't: 'g>(parts: &mut Vec<&'g str>, graph: &'g Graph, path: &[Cause<'t>]) {
    for (place, cause) in path.iter().enumerate() {
        if place > 0 {
            parts.push(", which ");
        }
        tell(parts, graph, cause);
    }
}

fn tell<'g, 't: 'g>(parts: &mut Vec<&'g str>, graph: &'g Graph, cause: &Cause<'t>) {
    match cause {
        Cause::NeedsDown(edge) => {
            let kind = edge.dependency.kind.as_str();
            parts.extend(["needs ", name(graph, edge.to), " (", kind, ")"]);
        }
        Cause::WorkedOn => parts.push("is worked on itself"),
        Cause::RunsFrom(system) => parts.extend(["runs from ", name(graph, *system)]),
        Cause::NeedsTarget(edge) => {
            let kind = edge.dependency.kind.as_str();
            let end = "), which is worked on";
            parts.extend(["needs ", name(graph, edge.to), " (", kind, end]);
        }
        Cause::CutOff(edge) => {
            let kind = edge.dependency.kind.as_str();
            parts.extend(["is cut off from ", name(graph, edge.to), " (", kind, ")"]);
        }
        Cause::LosesCredential(edge) => {
            let credential = edge.dependency.credential.as_ref();
            let credential = credential.map_or("a credential", CredentialId::as_str);
            let end = ", which changes and is not delivered to it";
            parts.extend(["uses ", credential, " of ", name(graph, edge.to), end]);
        }
    }
}
