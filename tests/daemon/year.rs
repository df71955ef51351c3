//! A year of hourly forecasts and nightly trainings in twenty time zones.

use super::support::*;
use jiff::civil::{Date, date};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan};
use s4cast::schedule::outcome::Outcome;
use s4cast::schedule::spec::{JobPlan, Stage};
use std::collections::BTreeMap;

const ZONES: [&str; 20] = [
    "Europe/Berlin",
    "Europe/London",
    "Europe/Moscow",
    "America/New_York",
    "America/Los_Angeles",
    "America/Sao_Paulo",
    "America/Santiago",
    "America/Havana",
    "America/St_Johns",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Asia/Tokyo",
    "Asia/Beirut",
    "Australia/Sydney",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
    "UTC",
];

/// The instants in (from, until] at which the clock of a zone shows a full hour, found minute by minute.
fn full_hours(zone: &TimeZone, from: i64, until: i64) -> Vec<i64> {
    let minute = 60_000_000;
    let shows_full_hour =
        |instant: &i64| zone.to_datetime(Timestamp::from_microsecond(*instant).unwrap()).minute() == 0;
    let mut instants: Vec<i64> = Vec::new();
    let mut instant = from + minute;
    while instant <= until {
        if shows_full_hour(&instant) {
            instants.push(instant);
        }
        instant += minute;
    }
    instants
}

/// The instant of half past two on a day: after the gap if it is skipped, the first time if it comes twice.
fn half_past_two(zone: &TimeZone, day: Date) -> i64 {
    let ambiguous = zone.to_ambiguous_zoned(day.at(2, 30, 0, 0));
    let zoned = match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().unwrap(),
        // The gap ends where the offset changes: at the next transition after an instant before the gap.
        AmbiguousOffset::Gap { .. } => {
            let before = ambiguous.earlier().unwrap().timestamp() - 3.hours();
            let end = zone.following(before).next().unwrap().timestamp();
            end.to_zoned(zone.clone())
        }
    };
    zoned.timestamp().as_microsecond()
}

#[test]
fn a_year_in_twenty_zones_loses_and_repeats_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (from, until) = (at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
    let jobs = ZONES.iter().map(|zone| {
        let name = zone.to_lowercase().replace('/', "-");
        let train = Some(cron("30 2 * * *", zone));
        JobPlan { train, ..job(&name, cron("0 * * * *", zone)) }
    });
    let rows = simulate(spec(folder.path(), jobs.collect()), from, until, done());

    let mut found: BTreeMap<(String, Stage), Vec<i64>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.trigger.as_str() == "schedule") {
        assert_eq!((row.outcome, row.attempts, row.is_late), (Some(Outcome::Ok), 1, false), "{row:?}");
        found.entry((row.job.clone(), row.stage)).or_default().push(row.slot);
    }
    for name in ZONES {
        let zone = TimeZone::get(name).unwrap();
        let job = name.to_lowercase().replace('/', "-");
        let hours = full_hours(&zone, from, until);
        assert_eq!(found[&(job.clone(), Stage::Forecast)], hours, "hourly in {name}");
        let days = date(2025, 12, 31).series(1.day()).take_while(|day| *day <= date(2027, 1, 1));
        let nights: Vec<i64> = days
            .map(|day| half_past_two(&zone, day))
            .filter(|slot| (from + 1..=until).contains(slot))
            .collect();
        assert_eq!(found[&(job, Stage::Train)], nights, "nightly in {name}");
    }
}

#[test]
fn both_changes_of_the_clocks_in_berlin() {
    let folder = tempfile::tempdir().unwrap();
    let nightly = |from: &str, until: &str| -> Vec<String> {
        let state = folder.path().join(from.replace(':', ""));
        std::fs::create_dir(&state).unwrap();
        let spec = spec(&state, vec![job("load", cron("30 2 * * *", "Europe/Berlin"))]);
        let rows = simulate(spec, at(from), at(until), done());
        rows.iter().map(|row| Timestamp::from_microsecond(row.slot).unwrap().to_string()).collect()
    };
    // 02:30 does not exist on 29 March: the slot runs at 03:00 summer time, the first instant after the gap.
    let spring = nightly("2026-03-27T12:00:00Z", "2026-03-30T12:00:00Z");
    assert_eq!(spring, ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]);
    // 02:30 comes twice on 25 October: the slot runs the first time.
    let autumn = nightly("2026-10-23T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(autumn, ["2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}
