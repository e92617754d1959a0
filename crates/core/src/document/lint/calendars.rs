//! Lints on calendars: those that cover all of the authority window, or nothing in it.

use std::collections::BTreeSet;

use chrono::{DateTime, Days, NaiveDate, TimeDelta, TimeZone as _, Utc};
use chrono_tz::Tz;

use crate::assessment::calendar;
use crate::document::tree::{Found, Node};
use crate::envelope::{Calendar, ClockTime, Envelope};
use crate::identifier::CalendarId;

/// Calendars of an envelope above which this lint is silent: it looks at every edge of each.
const CALENDARS_MAX: usize = 100;

/// Edges looked at for one calendar.
const EDGES_MAX: usize = 20_000;

/// Warns of calendars that never change anything while the envelope is in force.
pub(crate) fn calendars(envelope: &Envelope, root: &Node<'_>, found: &mut Found) {
    if envelope.calendars.len() > CALENDARS_MAX {
        return;
    }
    for (id, calendar) in &envelope.calendars {
        let Some(edges) = edges(envelope, id) else {
            continue;
        };
        let (mut inside, mut outside) = (false, false);
        for edge in edges {
            match calendar::contains(&envelope.calendars, id, edge) {
                Some(true) => inside = true,
                Some(false) => outside = true,
                None => return,
            }
        }
        let place = root.place_of(&["calendars", id.as_str()]);
        if !outside {
            let what = if is_endless(calendar) {
                "all time"
            } else {
                "the whole authority window"
            };
            found.warning(
                place,
                "endless-calendar",
                format!("calendar `{id}` covers {what}"),
                "give it days, times or dates",
            );
        } else if !inside {
            let over = calendar
                .dates
                .as_ref()
                .is_some_and(|dates| dates.to < envelope.authority.effective.date_naive());
            let why = if over {
                "is over before the authority window begins"
            } else {
                "covers nothing of the authority window"
            };
            found.warning(
                place,
                "calendar-never-applies",
                format!("calendar `{id}` {why}"),
                "correct its days, dates or exceptions, or remove it",
            );
        }
    }
}

fn is_endless(calendar: &Calendar) -> bool {
    calendar.days.is_none()
        && calendar.from.is_none()
        && calendar.to.is_none()
        && calendar.dates.is_none()
        && calendar.except.is_empty()
}

/// Every instant of the authority window at which the answer for a calendar can change, the first
/// one included; `None` where there are too many, or a zone is unknown.
fn edges(envelope: &Envelope, id: &CalendarId) -> Option<BTreeSet<DateTime<Utc>>> {
    let (start, end) = (envelope.authority.effective, envelope.authority.expires);
    let mut edges = BTreeSet::from([start]);
    let mut waiting = vec![id];
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if !seen.insert(id) {
            continue;
        }
        let calendar = envelope.calendars.get(id)?;
        waiting.extend(&calendar.except);
        let zone: Tz = calendar.zone.parse().ok()?;
        let minutes = BTreeSet::from([
            0,
            calendar.from.map_or(0, ClockTime::minute),
            calendar.to.map_or(0, ClockTime::minute),
        ]);
        let mut date = start.with_timezone(&zone).date_naive();
        let last = end.with_timezone(&zone).date_naive();
        while date <= last {
            for minute in &minutes {
                edges.extend(
                    instants(zone, date, *minute)?
                        .into_iter()
                        .filter(|at| start <= *at && *at < end),
                );
            }
            if edges.len() > EDGES_MAX {
                return None;
            }
            date = date.checked_add_days(Days::new(1))?;
        }
    }
    Some(edges)
}

/// When the clocks of `zone` show this minute of this date. Where they skip it, every half hour
/// around it, because clocks are set at such instants.
fn instants(zone: Tz, date: NaiveDate, minute: u16) -> Option<Vec<DateTime<Utc>>> {
    let local = date.and_hms_opt(0, 0, 0)? + TimeDelta::minutes(minute.into());
    let found: Vec<DateTime<Utc>> = match zone.from_local_datetime(&local) {
        chrono::LocalResult::Single(at) => vec![at.to_utc()],
        chrono::LocalResult::Ambiguous(first, second) => vec![first.to_utc(), second.to_utc()],
        chrono::LocalResult::None => {
            let later = local + TimeDelta::hours(6);
            let after = zone.from_local_datetime(&later).latest()?.to_utc();
            let on_the_hour = after - TimeDelta::seconds(after.timestamp().rem_euclid(1800));
            (0..24)
                .map(|half_hours| on_the_hour - TimeDelta::minutes(30 * half_hours))
                .collect()
        }
    };
    Some(found)
}
