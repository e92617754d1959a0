//! What suffers, as a table.

use countersign_core::assessment::ImpactState;
use countersign_core::impact::Reach;
use countersign_core::scope::{Graph, Node};
use countersign_wire::view::ImpactRow;

use super::{graph::natural, quote, tier};

/// What goes down or is degraded: down first, then the higher tier, then by name.
#[must_use]
pub fn rows(graph: &Graph, reach: &Reach<'_>) -> Vec<ImpactRow> {
    let mut rows: Vec<(ImpactState, ImpactRow)> = reach
        .entries(graph)
        .into_iter()
        .map(|entry| {
            let node = graph.find(&entry.id).and_then(|index| graph.node(index));
            let (title, what) = match node {
                Some(Node::System(system)) => (system.title.as_deref(), "system"),
                Some(Node::Service(service)) => (service.title.as_deref(), "service"),
                Some(Node::Unknown(_)) | None => (None, "system"),
            };
            let row = ImpactRow {
                title: title.map(quote::title),
                what: what.to_owned(),
                tier: tier(
                    node.map_or(countersign_core::topology::Tier::SafetyCritical, |node| {
                        node.tier()
                    }),
                ),
                state: state(entry.state).to_owned(),
                because: entry.because,
                id: entry.id,
            };
            (entry.state, row)
        })
        .collect();
    rows.sort_by(|(a_state, a), (b_state, b)| {
        (b_state, b.tier)
            .cmp(&(a_state, a.tier))
            .then_with(|| natural(&a.id).cmp(&natural(&b.id)))
    });
    rows.into_iter().map(|(_, row)| row).collect()
}

const fn state(state: ImpactState) -> &'static str {
    match state {
        ImpactState::Degraded => "degraded",
        ImpactState::Down => "down",
    }
}
