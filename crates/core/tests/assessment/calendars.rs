//! 4.1: calendars at `now`: local, half-open in the day, dates inclusive, IANA zones.

use serde_json::{Value, json};

use crate::world::{Case, case};

/// The world at `now`, with a calendar that `now` must be outside of.
fn outside(why: &'static str, calendar: Value, now: &str) -> Case {
    case("4.1", why)
        .at(now)
        .set("envelope/calendars", json!({"closed": calendar}))
        .set("envelope/rules/0/conditions/outside", json!(["closed"]))
}

fn inside(why: &'static str, now: &str) -> Case {
    case("4.1", why)
        .at(now)
        .set(
            "envelope/calendars",
            json!({
                "market": {"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30"},
                "evening": {"zone": "Europe/London", "from": "20:00", "to": "24:00"},
            }),
        )
        .remove("envelope/rules/0/conditions/outside")
        .set("envelope/rules/0/conditions/inside", json!(["market", "evening"]))
}

fn market() -> Value {
    json!({"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30"})
}

fn freeze() -> Value {
    json!({"zone": "Europe/London", "dates": {"from": "2026-11-24", "to": "2026-11-25"}})
}

fn night(day: &str) -> Value {
    json!({"zone": "Europe/Berlin", "days": [day], "from": "22:00", "to": "06:00"})
}

/// The hour that does not exist in March and exists twice in October.
fn changing_hour() -> Value {
    json!({"zone": "Europe/London", "days": ["sun"], "from": "01:00", "to": "02:00"})
}

pub(crate) fn cases() -> Vec<Case> {
    let kolkata = || json!({"zone": "Asia/Kolkata", "from": "08:00", "to": "09:00"});
    let auckland = || json!({"zone": "Pacific/Auckland", "days": ["wed"]});
    vec![
        outside("a second before it opens", market(), "2026-11-24T07:59:59Z"),
        outside("as it opens", market(), "2026-11-24T08:00:00Z").blocks("4.1"),
        outside(
            "a second before it closes",
            market(),
            "2026-11-24T16:29:59Z",
        )
        .blocks("4.1"),
        outside("as it closes", market(), "2026-11-24T16:30:00Z"),
        outside("on another weekday", market(), "2026-11-25T12:00:00Z"),
        outside(
            "a second before, in summer time",
            market(),
            "2026-07-07T06:59:59Z",
        ),
        outside(
            "as it opens, in summer time",
            market(),
            "2026-07-07T07:00:00Z",
        )
        .blocks("4.1"),
        outside(
            "as it closes, in summer time",
            market(),
            "2026-07-07T15:30:00Z",
        ),
        outside(
            "the Tuesday before summer time ends",
            market(),
            "2026-10-20T07:00:00Z",
        )
        .blocks("4.1"),
        outside(
            "the Tuesday after summer time ended",
            market(),
            "2026-10-27T07:59:59Z",
        ),
        outside(
            "before the hour that does not exist",
            changing_hour(),
            "2026-03-29T00:59:59Z",
        ),
        outside(
            "after the hour that does not exist",
            changing_hour(),
            "2026-03-29T01:00:00Z",
        ),
        outside(
            "in the first of two equal hours",
            changing_hour(),
            "2026-10-25T00:00:00Z",
        )
        .blocks("4.1"),
        outside(
            "in the second of two equal hours",
            changing_hour(),
            "2026-10-25T01:59:59Z",
        )
        .blocks("4.1"),
        outside(
            "after two equal hours",
            changing_hour(),
            "2026-10-25T02:00:00Z",
        ),
        outside(
            "before the two equal hours",
            changing_hour(),
            "2026-10-24T23:59:59Z",
        ),
        outside(
            "a zone of half an hour, before",
            kolkata(),
            "2026-11-24T02:29:59Z",
        ),
        outside("a zone of half an hour", kolkata(), "2026-11-24T02:30:00Z").blocks("4.1"),
        outside(
            "the weekday is the local one, before",
            auckland(),
            "2026-11-24T10:59:59Z",
        ),
        outside(
            "the weekday is the local one",
            auckland(),
            "2026-11-24T11:00:00Z",
        )
        .blocks("4.1"),
        outside(
            "the day before the first date",
            freeze(),
            "2026-11-23T23:59:59Z",
        ),
        outside("the first date", freeze(), "2026-11-24T00:00:00Z").blocks("4.1"),
        outside(
            "the last date to its last second",
            freeze(),
            "2026-11-25T23:59:59Z",
        )
        .blocks("4.1"),
        outside(
            "the day after the last date",
            freeze(),
            "2026-11-26T00:00:00Z",
        ),
        outside(
            "the night belongs to the day it starts on",
            night("mon"),
            "2026-11-24T02:20:00Z",
        )
        .blocks("4.1"),
        outside(
            "and not to the day it ends on",
            night("tue"),
            "2026-11-24T02:20:00Z",
        ),
        outside(
            "the night to its last second",
            night("mon"),
            "2026-11-24T04:59:59Z",
        )
        .blocks("4.1"),
        outside("the night is over", night("mon"), "2026-11-24T05:00:00Z"),
        outside("the night begins", night("tue"), "2026-11-24T21:00:00Z").blocks("4.1"),
        inside("inside one of two is enough", "2026-11-24T12:00:00Z"),
        inside("inside the other is enough", "2026-11-24T23:59:59Z"),
        inside("inside neither", "2026-11-24T18:00:00Z").blocks("4.1"),
        inside(
            "inside one to which the day does not belong",
            "2026-11-25T12:00:00Z",
        )
        .blocks("4.1"),
        inside(
            "inside one and outside the other, both asked for",
            "2026-11-24T12:00:00Z",
        )
        .set("envelope/rules/0/conditions/inside", json!(["market"]))
        .set("envelope/rules/0/conditions/outside", json!(["evening"])),
        inside("inside what it must be outside of", "2026-11-24T12:00:00Z")
            .set("envelope/rules/0/conditions/inside", json!(["market"]))
            .set("envelope/rules/0/conditions/outside", json!(["market"]))
            .blocks("4.1"),
        excepting("a day taken out of it", "2026-11-24T12:00:00Z").blocks("4.1"),
        excepting("another day", "2026-12-01T12:00:00Z"),
        excepting("neither", "2026-12-01T20:00:00Z").blocks("4.1"),
        outside_but(
            "outside a stretch but for its exception",
            "2026-11-24T12:00:00Z",
        ),
        outside_but("inside it on another day", "2026-12-01T12:00:00Z").blocks("4.1"),
    ]
}

/// The world inside of the market's hours, but for one day.
fn excepting(why: &'static str, now: &str) -> Case {
    case("4.1", why)
        .at(now)
        .set("proposal/expires_at", json!("2027-01-01T00:00:00Z"))
        .set("proposal/detection/detected_at", json!(now))
        .set("history/signals/0/observed_at", json!(now))
        .set("topology/observed_at", json!(now))
        .set("envelope/calendars", market_but_one_day())
        .remove("envelope/rules/0/conditions/outside")
        .set("envelope/rules/0/conditions/inside", json!(["market"]))
}

/// The world outside of the market's hours, but for one day.
fn outside_but(why: &'static str, now: &str) -> Case {
    excepting(why, now)
        .remove("envelope/rules/0/conditions/inside")
        .set("envelope/rules/0/conditions/outside", json!(["market"]))
}

fn market_but_one_day() -> Value {
    json!({
        "market": {"zone": "Europe/London", "days": ["tue"], "from": "08:00", "to": "16:30", "except": ["holiday"]},
        "holiday": {"zone": "Europe/London", "dates": {"from": "2026-11-24", "to": "2026-11-24"}},
    })
}
