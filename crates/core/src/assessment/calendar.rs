//! Whether an instant lies in a calendar: local time, half-open in the day, dates inclusive.

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Days, NaiveDate, Offset, TimeZone, Timelike, Utc, Weekday};

use crate::envelope::{Calendar, Day};
use crate::identifier::CalendarId;

/// Whether `now` lies in the calendar `name`, and in none that it excepts; `None` where that cannot
/// be said: an unknown name or zone, or calendars that except one another in a circle.
#[must_use]
pub fn contains(
    calendars: &BTreeMap<CalendarId, Calendar>,
    name: &CalendarId,
    now: DateTime<Utc>,
) -> Option<bool> {
    let calendar = calendars.get(name)?;
    if calendar.except.is_empty() {
        return covers(calendar, now);
    }
    contains_once(calendars, name, now, &mut BTreeMap::new())
}

/// INVARIANT: each calendar is looked at once, so that time and depth are at most their number;
/// one that is still being looked at counts as unknown.
fn contains_once<'c>(
    calendars: &'c BTreeMap<CalendarId, Calendar>,
    name: &'c CalendarId,
    now: DateTime<Utc>,
    known: &mut BTreeMap<&'c CalendarId, Option<bool>>,
) -> Option<bool> {
    if let Some(answer) = known.get(name) {
        return *answer;
    }
    known.insert(name, None);
    let calendar = calendars.get(name)?;
    let mut answer = covers(calendar, now);
    for excepted in &calendar.except {
        let excepted = contains_once(calendars, excepted, now, known);
        answer = match (answer, excepted) {
            (Some(false), _) | (_, Some(true)) => Some(false),
            (Some(true), Some(false)) => Some(true),
            (None, _) | (_, None) => None,
        };
    }
    known.insert(name, answer);
    answer
}

/// Whether `now` lies in the stretches of `calendar` itself.
fn covers(calendar: &Calendar, now: DateTime<Utc>) -> Option<bool> {
    let zone: chrono_tz::Tz = calendar.zone.parse().ok()?;
    // Unlike `naive_local`, which panics where the local time is beyond what can be written down.
    let offset = zone.offset_from_utc_datetime(&now.naive_utc()).fix();
    let local = now.naive_utc().checked_add_offset(offset)?;
    let minute = u16::try_from(local.hour() * 60 + local.minute()).ok()?;
    let from = calendar.from.map_or(0, |time| time.minute());
    let to = calendar.to.map_or(1440, |time| time.minute());
    let starts_on = |date: NaiveDate| {
        calendar
            .days
            .as_ref()
            .is_none_or(|days| days.contains(&day(date.weekday())))
            && calendar
                .dates
                .as_ref()
                .is_none_or(|range| range.from <= date && date <= range.to)
    };
    let today = local.date();
    if from < to {
        return Some(starts_on(today) && from <= minute && minute < to);
    }
    // The stretch runs over midnight and belongs to the day it starts on.
    let since_yesterday =
        minute < to && today.checked_sub_days(Days::new(1)).is_some_and(&starts_on);
    Some((minute >= from && starts_on(today)) || since_yesterday)
}

const fn day(weekday: Weekday) -> Day {
    match weekday {
        Weekday::Mon => Day::Mon,
        Weekday::Tue => Day::Tue,
        Weekday::Wed => Day::Wed,
        Weekday::Thu => Day::Thu,
        Weekday::Fri => Day::Fri,
        Weekday::Sat => Day::Sat,
        Weekday::Sun => Day::Sun,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(calendar: &str, now: &str, expected: bool) {
        let calendar: Calendar = serde_json::from_str(calendar).unwrap();
        assert_eq!(
            covers(&calendar, now.parse().unwrap()),
            Some(expected),
            "{calendar:?} at {now}"
        );
    }

    #[test]
    fn local_time_half_open_across_daylight_saving() {
        let market = r#"{"zone":"Europe/London","days":["mon","tue","wed","thu","fri"],"from":"08:00","to":"16:30"}"#;
        check(market, "2026-11-24T08:00:00Z", true);
        check(market, "2026-11-24T07:59:59Z", false);
        check(market, "2026-11-24T16:29:59Z", true);
        check(market, "2026-11-24T16:30:00Z", false);
        check(market, "2026-07-01T07:00:00Z", true); // British Summer Time
        check(market, "2026-07-01T15:30:00Z", false);
        check(market, "2026-11-22T12:00:00Z", false); // a Sunday
    }

    #[test]
    fn dates_are_inclusive_and_local() {
        let freeze = r#"{"zone":"Europe/London","dates":{"from":"2026-12-18","to":"2027-01-04"}}"#;
        check(freeze, "2026-12-17T23:59:59Z", false);
        check(freeze, "2026-12-18T00:00:00Z", true);
        check(freeze, "2027-01-04T23:59:59Z", true);
        check(freeze, "2027-01-05T00:00:00Z", false);
    }

    #[test]
    fn a_stretch_over_midnight_belongs_to_the_day_it_starts_on() {
        let night = r#"{"zone":"Europe/Berlin","days":["fri"],"from":"22:00","to":"06:00"}"#;
        check(night, "2026-11-20T21:00:00Z", true); // Friday 22:00
        check(night, "2026-11-21T04:59:00Z", true); // Saturday 05:59
        check(night, "2026-11-21T05:00:00Z", false);
        check(night, "2026-11-20T04:00:00Z", false); // Friday 05:00 belongs to Thursday
    }
}
