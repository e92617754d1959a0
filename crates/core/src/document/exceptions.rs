//! Calendars that except others: the names exist, and nothing excepts itself on the way round.

use std::collections::{BTreeMap, BTreeSet};

use crate::document::tree::{Found, Node};
use crate::envelope::Calendar;
use crate::identifier::CalendarId;

type Calendars = BTreeMap<CalendarId, Calendar>;

/// Looks for unknown names and for circles among `except`.
pub(crate) fn check(calendars: &Calendars, root: &Node<'_>, found: &mut Found) {
    let settled = settled(calendars);
    for (id, calendar) in calendars {
        let place = |excepted: &CalendarId| {
            root.get("calendars")
                .and_then(|group| group.get(id.as_str()))
                .map_or(root.place, |node| {
                    node.place_of_member(&["except"], excepted.as_str())
                })
        };
        for excepted in &calendar.except {
            if !calendars.contains_key(excepted) {
                found.error(
                    place(excepted),
                    "dangling-reference",
                    format!("there is no calendar `{excepted}`"),
                    "correct the name, or add it under `calendars`",
                );
            } else if !settled.contains(id) && !settled.contains(excepted) {
                found.error(
                    place(excepted),
                    "calendar-circle",
                    format!("calendar `{id}` excepts `{excepted}`, which comes back to itself"),
                    "remove one of the exceptions on the way round",
                );
            }
        }
    }
}

/// The calendars that are not on a circle of exceptions and do not lead to one.
fn settled(calendars: &Calendars) -> BTreeSet<&CalendarId> {
    let mut settled: BTreeSet<&CalendarId> = BTreeSet::new();
    // Each round settles at least one calendar, or nothing more can be settled.
    for _ in calendars {
        let before = settled.len();
        for (id, calendar) in calendars {
            if calendar
                .except
                .iter()
                .all(|excepted| !calendars.contains_key(excepted) || settled.contains(excepted))
            {
                settled.insert(id);
            }
        }
        if settled.len() == before {
            break;
        }
    }
    settled
}
