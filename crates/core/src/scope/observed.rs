//! How old what is known of a scope is (AG-706 4.3).

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::{Graph, Node, NodeIndex};
use crate::identifier::GroupId;

/// When the parts of a neighbourhood were seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The oldest of them.
    pub oldest: Seen,
    /// The newest of them.
    pub newest: Seen,
}

/// When something was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The instant.
    pub at: DateTime<Utc>,
    /// The part that says so itself; `None` where it is the whole topology's instant.
    pub part: Option<String>,
}

impl Graph {
    /// When the systems and services of `scope`, the dependencies that touch them, the members of
    /// their groups and the segments around them were seen. A part that does not say was seen when the
    /// topology was.
    #[must_use]
    pub fn observed(&self, scope: &BTreeSet<NodeIndex>) -> Observed {
        let whole = Seen {
            at: self.observed_at(),
            part: None,
        };
        let mut seen: Option<Observed> = None;
        if self.has_stamps {
            let mut groups: BTreeSet<&GroupId> = BTreeSet::new();
            let mut look = |at: Option<DateTime<Utc>>, part: &dyn Fn() -> String| {
                let at_or_whole = at.unwrap_or(whole.at);
                let told = || Seen {
                    at: at_or_whole,
                    part: at.map(|_| part()),
                };
                let known = seen.get_or_insert_with(|| Observed {
                    oldest: told(),
                    newest: told(),
                });
                if at_or_whole < known.oldest.at {
                    known.oldest = told();
                }
                if at_or_whole > known.newest.at {
                    known.newest = told();
                }
            };
            for index in scope {
                match self.node(*index) {
                    Some(Node::System(system)) => {
                        look(system.observed_at, &|| system.id.to_string());
                        for segment in self.segments_around_system(system) {
                            look(segment.observed_at, &|| segment.id.to_string());
                        }
                        if let Some(redundancy) = &system.redundancy
                            && groups.insert(&redundancy.group)
                        {
                            for member in self.group_members(&redundancy.group) {
                                if let Some(member) = self.node(member).and_then(|n| n.system()) {
                                    look(member.observed_at, &|| member.id.to_string());
                                }
                            }
                        }
                    }
                    Some(Node::Service(service)) => {
                        look(service.observed_at, &|| service.id.to_string());
                    }
                    Some(Node::Unknown(_)) | None => {}
                }
                for edge in self.dependents(*index).chain(self.dependencies(*index)) {
                    let dependency = edge.dependency;
                    look(dependency.observed_at, &|| {
                        format!("{} needing {}", dependency.from, dependency.to)
                    });
                }
            }
        }
        seen.unwrap_or_else(|| Observed {
            oldest: whole.clone(),
            newest: whole,
        })
    }
}
