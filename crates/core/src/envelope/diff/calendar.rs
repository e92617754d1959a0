//! Changes of calendars: whether one now covers more time or less, and what that does to the rules
//! that name it. A calendar that grows narrows the rules outside of it and widens those inside.

use std::collections::{BTreeMap, BTreeSet};

use super::Direction;
use super::changes::{Changes, listed, pointer};
use crate::envelope::{Calendar, ClockTime, Envelope};
use crate::identifier::CalendarId;

pub(super) fn compare(before: &Envelope, after: &Envelope, changes: &mut Changes) {
    let uses = uses(before, after);
    let ids: BTreeSet<&CalendarId> = before
        .calendars
        .keys()
        .chain(after.calendars.keys())
        .collect();
    for id in ids {
        let path = pointer("/calendars", id.as_str());
        let (sentence, growths) = match (before.calendars.get(id), after.calendars.get(id)) {
            (Some(old), Some(new)) if old != new => (
                format!("calendar {id} is now {}, was {}", words(new), words(old)),
                growths(old, new),
            ),
            (Some(_), Some(_)) | (None, None) => continue,
            (None, Some(new)) => (
                format!("calendar {id} is new: {}", words(new)),
                BTreeSet::new(),
            ),
            (Some(old), None) => (
                format!("calendar {id} is gone: {}", words(old)),
                BTreeSet::new(),
            ),
        };
        let mut directions: BTreeSet<Direction> = BTreeSet::new();
        for when_it_grows in uses.get(id).into_iter().flatten() {
            directions.extend(growths.iter().map(|growth| match growth {
                Growth::Grows => *when_it_grows,
                Growth::Shrinks => when_it_grows.opposite(),
            }));
        }
        if directions.is_empty() {
            directions.insert(Direction::Neutral);
        }
        for direction in directions {
            changes.push(path.clone(), direction, sentence.clone());
        }
    }
}

/// What it does when a calendar grows, for each calendar that a rule of either version names, itself
/// or through exceptions.
fn uses<'e>(
    before: &'e Envelope,
    after: &'e Envelope,
) -> BTreeMap<&'e CalendarId, BTreeSet<Direction>> {
    let mut uses: BTreeMap<&CalendarId, BTreeSet<Direction>> = BTreeMap::new();
    let mut waiting: Vec<(&CalendarId, Direction)> = Vec::new();
    for rule in before.rules.iter().chain(&after.rules) {
        let conditions = &rule.conditions;
        waiting.extend(conditions.outside.iter().map(|id| (id, Direction::Narrows)));
        waiting.extend(conditions.inside.iter().map(|id| (id, Direction::Widens)));
    }
    while let Some((id, when_it_grows)) = waiting.pop() {
        if !uses.entry(id).or_default().insert(when_it_grows) {
            continue;
        }
        for envelope in [before, after] {
            if let Some(calendar) = envelope.calendars.get(id) {
                let when_excepted_grows = when_it_grows.opposite();
                waiting.extend(calendar.except.iter().map(|id| (id, when_excepted_grows)));
            }
        }
    }
    uses
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Growth {
    Grows,
    Shrinks,
}

/// The ways in which `new` may differ from `old`: no `Grows` means that it covers nothing that `old`
/// does not, and dually.
fn growths(old: &Calendar, new: &Calendar) -> BTreeSet<Growth> {
    let Calendar {
        zone,
        days,
        from: _,
        to: _,
        dates,
        except,
    } = new;
    let mut growths = BTreeSet::new();
    let mut differ = |covers_more: bool, covers_less: bool| {
        if covers_more {
            growths.insert(Growth::Grows);
        }
        if covers_less {
            growths.insert(Growth::Shrinks);
        }
    };
    if old.zone != *zone {
        differ(true, true);
    }
    match (&old.days, days) {
        (None, None) => {}
        (None, Some(_)) => differ(false, true),
        (Some(_), None) => differ(true, false),
        (Some(old), Some(new)) => differ(!new.is_subset(old), !old.is_subset(new)),
    }
    match (&old.dates, dates) {
        (None, None) => {}
        (None, Some(_)) => differ(false, true),
        (Some(_), None) => differ(true, false),
        (Some(old), Some(new)) => differ(
            new.from < old.from || new.to > old.to,
            new.from > old.from || new.to < old.to,
        ),
    }
    let ((old_from, old_to), (new_from, new_to)) = (stretch(old), stretch(new));
    differ(
        new_from < old_from || new_to > old_to,
        new_from > old_from || new_to < old_to,
    );
    differ(
        !old.except.is_subset(except),
        !except.is_subset(&old.except),
    );
    growths
}

/// First minute and first minute after, counted from the midnight of the day on which it starts.
fn stretch(calendar: &Calendar) -> (u16, u16) {
    const DAY: u16 = 24 * 60;
    let from = calendar.from.map_or(0, ClockTime::minute);
    let to = calendar.to.map_or(DAY, ClockTime::minute);
    if from < to {
        (from, to)
    } else {
        (from, to + DAY)
    }
}

fn words(calendar: &Calendar) -> String {
    let days = calendar.days.as_ref().map_or_else(
        || "every day".to_owned(),
        |days| listed(days.iter().map(|day| day.as_str())),
    );
    let from = calendar
        .from
        .map_or_else(|| "00:00".to_owned(), |t| t.to_string());
    let to = calendar
        .to
        .map_or_else(|| "24:00".to_owned(), |t| t.to_string());
    let mut text = format!("{days} {from} to {to} in {}", calendar.zone);
    if let Some(dates) = &calendar.dates {
        text.push_str(&format!(", {} to {}", dates.from, dates.to));
    }
    if !calendar.except.is_empty() {
        text.push_str(&format!(", except {}", listed(&calendar.except)));
    }
    text
}
