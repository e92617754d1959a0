//! The path by which harm reaches a node, in words.

use super::{Cause, Effect, Effects};
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
            text.push_str(&format!(", and so on through {left_out} more, which "));
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
            parts.extend(["needs ", graph.name(edge.to), " (", kind, ")"]);
        }
        Cause::WorkedOn => parts.push("is worked on itself"),
        Cause::RunsFrom(system) => parts.extend(["runs from ", graph.name(*system)]),
        Cause::NeedsTarget(edge) => {
            let kind = edge.dependency.kind.as_str();
            let end = "), which is worked on";
            parts.extend(["needs ", graph.name(edge.to), " (", kind, end]);
        }
        Cause::CutOff(edge) => {
            let kind = edge.dependency.kind.as_str();
            parts.extend(["is cut off from ", graph.name(edge.to), " (", kind, ")"]);
        }
        Cause::LosesCredential(edge) => {
            let credential = edge.dependency.credential.as_ref();
            let credential = credential.map_or("a credential", CredentialId::as_str);
            let end = ", which changes and is not delivered to it";
            parts.extend(["uses ", credential, " of ", graph.name(edge.to), end]);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::document;
    use crate::impact::{Circumstances, reach};
    use crate::proposal::Action;
    use crate::scope::Graph;

    /// `s1` needs `s0`, `s2` needs `s1` and so on; why the last of `number` goes down when `s0` is patched.
    fn because(number: usize) -> String {
        let systems: Vec<_> = (0..number)
            .map(
                |n| json!({"id": format!("s{n}"), "class": "linux-server", "tier": "non-critical"}),
            )
            .collect();
        let dependencies: Vec<_> = (1..number)
            .map(|n| json!({"from": format!("s{n}"), "to": format!("s{}", n - 1), "kind": "runtime", "strength": "hard"}))
            .collect();
        let topology = json!({"schema": "countersign/topology/v1", "observed_at": "2026-11-24T01:30:00Z",
            "source": "cmdb", "services": [], "systems": systems, "dependencies": dependencies});
        let graph = Graph::new(document::topology(topology.to_string()).unwrap().document);
        let action: Action = serde_json::from_value(
            json!({"type": "patch", "parameters": {"package": "p", "to_version": "1"}}),
        )
        .unwrap();
        let circumstances = Circumstances {
            concurrency: None,
            history: None,
        };
        let reach = reach(
            &graph,
            &action,
            &["s0".parse().unwrap()].into(),
            circumstances,
        );
        let last = format!("s{}", number - 1);
        let entries = reach.entries(&graph);
        entries
            .into_iter()
            .find(|entry| entry.id == last)
            .unwrap()
            .because
    }

    #[test]
    fn the_way_of_the_harm_is_told_nearest_first() {
        assert_eq!(because(1), "is worked on itself");
        assert_eq!(because(2), "needs s0 (runtime), which is worked on");
        assert_eq!(
            because(4),
            "needs s2 (runtime), which needs s1 (runtime), which needs s0 (runtime), which is worked on"
        );
    }

    #[test]
    fn of_a_long_way_the_ends_are_told() {
        let six = "needs s5 (runtime), which needs s4 (runtime), which needs s3 (runtime), which needs s2 \
                   (runtime), which needs s1 (runtime), which needs s0 (runtime), which is worked on";
        assert_eq!(because(7), six);
        assert_eq!(
            because(9),
            "needs s7 (runtime), which needs s6 (runtime), which needs s5 (runtime), which needs s4 (runtime), \
             which needs s3 (runtime), and so on through 2 more, which needs s0 (runtime), which is worked on"
        );
    }
}
