//! Calendars: local half-open stretches, minus the calendars that they except.

use countersign_core::assessment::calendar;
use countersign_core::document;
use countersign_core::identifier::CalendarId;
use serde_json::{Value, json};

use crate::world::world;

/// Whether each instant lies in the calendar `asked`.
fn check(calendars: Value, cases: &[(&str, bool)]) {
    let mut world = world();
    let asked = CalendarId::new("asked").unwrap();
    world.set("envelope", "/calendars", calendars);
    world.set(
        "envelope",
        "/rules/0/conditions",
        json!({"outside": ["asked"]}),
    );
    let envelope = document::envelope(world.envelope.to_string())
        .unwrap_or_else(|error| panic!("{error}"))
        .document;
    for (now, expected) in cases {
        assert_eq!(
            calendar::contains(&envelope.calendars, &asked, now.parse().unwrap()),
            Some(*expected),
            "{now}"
        );
    }
}

#[test]
fn an_exception_is_taken_out_and_its_own_exception_put_back() {
    check(
        json!({
            "asked": {"zone": "Europe/London", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "08:00", "to": "16:30", "except": ["holidays"]},
            "holidays": {"zone": "Europe/London", "dates": {"from": "2026-12-21", "to": "2027-01-03"}, "except": ["between-the-years"]},
            "between-the-years": {"zone": "Europe/London", "dates": {"from": "2026-12-29", "to": "2026-12-30"}},
        }),
        &[
            ("2026-12-18T12:00:00Z", true),
            ("2026-12-21T12:00:00Z", false),
            ("2026-12-28T12:00:00Z", false),
            ("2026-12-29T12:00:00Z", true),
            ("2026-12-29T16:30:00Z", false),
            ("2026-12-31T12:00:00Z", false),
            ("2027-01-04T08:00:00Z", true),
        ],
    );
}

#[test]
fn the_edges_of_an_exception_are_half_open_in_its_own_zone() {
    check(
        json!({
            "asked": {"zone": "UTC", "days": ["tue"], "except": ["lunch"]},
            "lunch": {"zone": "America/New_York", "from": "12:00", "to": "13:00"},
        }),
        &[
            ("2026-11-24T16:59:59Z", true),
            ("2026-11-24T17:00:00Z", false),
            ("2026-11-24T17:59:59Z", false),
            ("2026-11-24T18:00:00Z", true),
        ],
    );
}

#[test]
fn daylight_saving_in_london() {
    let calendars = || json!({"asked": {"zone": "Europe/London", "from": "01:30", "to": "02:30"}});
    // On 29 March 2026 the clocks go from 01:00 to 02:00: the stretch begins at 02:00.
    check(
        calendars(),
        &[
            ("2026-03-29T00:59:59Z", false),
            ("2026-03-29T01:00:00Z", true),
            ("2026-03-29T01:29:59Z", true),
            ("2026-03-29T01:30:00Z", false),
        ],
    );
    // On 25 October they go from 02:00 back to 01:00: both 01:30 are in it, and the 01:00 between them is not.
    check(
        calendars(),
        &[
            ("2026-10-25T00:29:59Z", false),
            ("2026-10-25T00:30:00Z", true),
            ("2026-10-25T00:59:59Z", true),
            ("2026-10-25T01:00:00Z", false),
            ("2026-10-25T01:30:00Z", true),
            ("2026-10-25T02:29:59Z", true),
            ("2026-10-25T02:30:00Z", false),
        ],
    );
}

#[test]
fn daylight_saving_in_new_york() {
    let market = || {
        json!({
            "asked": {"zone": "America/New_York", "days": ["mon", "tue", "wed", "thu", "fri"], "from": "09:30", "to": "16:00", "except": ["thanksgiving"]},
            "thanksgiving": {"zone": "America/New_York", "dates": {"from": "2026-11-26", "to": "2026-11-26"}},
        })
    };
    check(
        market(),
        &[
            ("2026-03-06T14:30:00Z", true), // Friday, standard time
            ("2026-03-06T14:29:59Z", false),
            ("2026-03-09T13:30:00Z", true), // Monday, daylight saving
            ("2026-03-09T20:00:00Z", false),
            ("2026-10-30T19:59:59Z", true),  // Friday, daylight saving
            ("2026-11-02T14:29:59Z", false), // Monday, standard time
            ("2026-11-26T16:00:00Z", false),
            ("2026-11-27T16:00:00Z", true),
        ],
    );
    // On 8 March 2026 02:00 becomes 03:00: a stretch within the lost hour does not happen.
    check(
        json!({"asked": {"zone": "America/New_York", "from": "02:15", "to": "02:45"}}),
        &[
            ("2026-03-08T06:59:59Z", false),
            ("2026-03-08T07:00:00Z", false),
            ("2026-03-09T06:30:00Z", true),
        ],
    );
}

#[test]
fn a_day_that_begins_at_one_o_clock() {
    // In Santiago the clocks go from 24:00 on 5 September 2026 to 01:00: that Sunday has no midnight.
    let sunday = || json!({"asked": {"zone": "America/Santiago", "days": ["sun"]}});
    check(
        sunday(),
        &[
            ("2026-09-06T03:59:59Z", false), // Saturday 23:59:59
            ("2026-09-06T04:00:00Z", true),  // Sunday 01:00
            ("2026-09-07T02:59:59Z", true),
            ("2026-09-07T03:00:00Z", false),
        ],
    );
    // A stretch over that midnight loses its first hour of Sunday and nothing else.
    check(
        json!({"asked": {"zone": "America/Santiago", "days": ["sat"], "from": "23:00", "to": "02:00"}}),
        &[
            ("2026-09-06T02:59:59Z", false),
            ("2026-09-06T03:00:00Z", true),  // Saturday 23:00
            ("2026-09-06T04:59:59Z", true),  // Sunday 01:59:59
            ("2026-09-06T05:00:00Z", false), // Sunday 02:00
        ],
    );
    // In April the hour before midnight happens twice, and both are Saturday.
    check(
        json!({"asked": {"zone": "America/Santiago", "days": ["sat"], "from": "23:00"}}),
        &[
            ("2026-04-05T01:59:59Z", false),
            ("2026-04-05T02:00:00Z", true),
            ("2026-04-05T03:00:00Z", true),
            ("2026-04-05T03:59:59Z", true),
            ("2026-04-05T04:00:00Z", false),
        ],
    );
}

/// The codes and places of the errors in these calendars, one line each.
fn errors(calendars: &str) -> Vec<String> {
    let text = format!(
        "schema: countersign/envelope/v1\nname: n\nversion: 1\nauthority: {{board: b, quorum: 1, effective: 2026-11-01T00:00:00Z, expires: 2026-12-01T00:00:00Z}}\nagents: [a]\ntiers: {{}}\ncalendars:\n{calendars}"
    );
    let error = document::envelope(text).unwrap_err();
    error
        .diagnostics
        .iter()
        .map(|d| format!("{}:{} {}", d.line, d.column, d.code))
        .collect()
}

#[test]
fn unknown_names_and_circles_are_errors() {
    assert_eq!(
        errors("  a: { zone: UTC, except: [b] }\n"),
        ["8:28 dangling-reference"]
    );
    assert_eq!(
        errors("  a: { zone: UTC, except: [a] }\n"),
        ["8:28 calendar-circle"]
    );
    assert_eq!(
        errors(
            "  a: { zone: UTC, except: [d, b] }\n  b: { zone: UTC, except: [c] }\n  c: { zone: UTC, except: [b] }\n  d: { zone: UTC }\n"
        ),
        [
            "8:31 calendar-circle",
            "9:28 calendar-circle",
            "10:28 calendar-circle"
        ]
    );
}

#[test]
fn many_ways_to_one_calendar_are_no_more_work() {
    // Sixty layers of two, each of which excepts both of the layer below: 2^60 ways.
    let mut calendars = serde_json::Map::new();
    for layer in 0..60 {
        for name in ["l", "r"] {
            let below = if layer == 0 {
                json!([])
            } else {
                json!([format!("l{}", layer - 1), format!("r{}", layer - 1)])
            };
            calendars.insert(
                format!("{name}{layer}"),
                json!({"zone": "UTC", "except": below}),
            );
        }
    }
    calendars.insert("asked".into(), json!({"zone": "UTC", "except": ["l59"]}));
    check(calendars.into(), &[("2026-11-24T00:00:00Z", true)]);
}
