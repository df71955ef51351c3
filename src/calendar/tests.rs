//! Columns as a whole: the wall clock across changes of the clock, holidays and events with their windows.

use super::*;
use crate::series::civil::{HOUR, MINUTE, SECOND, days_from_date};
use proptest::prelude::*;

fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

fn zone(name: &str) -> TimeZone {
    TimeZone::get(name).unwrap()
}

fn frequency(word: &str) -> Frequency {
    word.parse().unwrap()
}

fn features(features: &[Feature]) -> CalendarSpec {
    CalendarSpec { features: features.to_vec(), ..CalendarSpec::default() }
}

fn column(columns: &Columns, name: &str) -> Vec<f32> {
    let at = columns.names.iter().position(|own| own == name);
    columns.values.column(at.unwrap_or_else(|| panic!("{name} of {:?}", columns.names))).to_vec()
}

/// The wall clock as jiff shows it: time of day and weekday (0 is Monday).
fn jiff_wall(zone: &TimeZone, stamp: i64) -> (i64, i64) {
    let shown = zone.to_datetime(jiff::Timestamp::from_microsecond(stamp).unwrap());
    let seconds = i64::from(shown.hour()) * 3600 + i64::from(shown.minute()) * 60 + i64::from(shown.second());
    (seconds * SECOND, i64::from(shown.weekday().to_monday_zero_offset()))
}

/// Ten years at fifteen minutes: every row of one wall time has the same hour columns, and of one weekday the same weekday
/// columns, bit by bit, on both sides of every change of the clock.
#[test]
fn features_follow_the_wall_clock_for_ten_years() {
    let spec = features(&[Feature::Hour, Feature::Weekday]);
    for name in ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"] {
        let zone = zone(name);
        let (first, last) = (at("2015-01-01T00:00:00Z"), at("2025-01-01T00:00:00Z"));
        let times = frequency("15m").grid(first, last, &zone);
        assert_eq!(times.len(), 350_689);
        let columns = columns(&spec, &zone, frequency("15m"), &times).unwrap();
        let mut by_time = std::collections::HashMap::new();
        let mut by_weekday = std::collections::HashMap::new();
        for (row, &stamp) in columns.values.outer_iter().zip(&times) {
            let (time, weekday) = jiff_wall(&zone, stamp);
            let bits = |from: usize, to: usize| (from..to).map(|at| row[at].to_bits()).collect::<Vec<_>>();
            assert_eq!(by_time.entry(time).or_insert_with(|| bits(0, 8)), &bits(0, 8), "{name} {stamp}");
            assert_eq!(
                by_weekday.entry(weekday).or_insert_with(|| bits(8, 14)),
                &bits(8, 14),
                "{name} {stamp}"
            );
        }
        assert_eq!((by_time.len(), by_weekday.len()), (96, 7), "{name}");
        let distinct: std::collections::HashSet<_> = by_time.values().collect();
        assert_eq!(distinct.len(), 96, "{name}");
    }
}

proptest! {
    #[test]
    fn eight_o_clock_is_the_same_hour_before_and_after_the_clock_changes(
        zone_at in 0usize..4, minute in 0i64..1440, day in 0i64..3650, later in 1i64..3650,
    ) {
        let zone = zone(["Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"][zone_at]);
        let start = days_from_date(2015, 1, 1);
        let walls = [start + day, start + day + later].map(|day| day * DAY + minute * MINUTE);
        let clock = LocalClock::new(&zone, walls[0], walls[1]);
        let times = walls.map(|wall| clock.first_instant(wall));
        // A time that the clock skips is never shown.
        prop_assume!(clock.local(times[0]) == walls[0] && clock.local(times[1]) == walls[1]);
        let columns = columns(&features(&[Feature::Hour]), &zone, frequency("15m"), &times).unwrap();
        prop_assert_eq!(columns.values.row(0), columns.values.row(1));
        let angle = std::f64::consts::TAU * minute as f64 / 1440.0;
        prop_assert!((f64::from(columns.values[[0, 0]]) - angle.sin()).abs() < 1e-6);
    }

    #[test]
    fn any_times_and_steps_give_finite_columns(
        times in prop::collection::vec(any::<i64>(), 0..8),
        frequency in crate::series::frequency::tests::any_frequency(),
        start in any::<i64>(), length in any::<i64>(), window in 0u32..4,
    ) {
        let occurrence = |span| Occurrence { span, before: window, after: window };
        let spans = [Span::Wall { start, end: length }, Span::Absolute { start, end: length }];
        let event = Event { name: "any".into(), occurrences: spans.map(occurrence).to_vec() };
        let features = Feature::ALL.into_iter().filter(|feature| feature.harmonics(frequency) > 0).collect();
        let spec = CalendarSpec { features, events: vec![event], ..CalendarSpec::default() };
        let columns = columns(&spec, &zone("Europe/Berlin"), frequency, &times).unwrap();
        prop_assert_eq!(columns.values.dim(), (times.len(), columns.names.len()));
        prop_assert!(columns.values.iter().all(|value| value.is_finite()));
        prop_assert_eq!(columns.names, column_names(&spec, frequency).unwrap());
    }
}

fn holidays(code: &str, before: u32, after: u32, by_name: bool) -> CalendarSpec {
    let holidays = vec![HolidaySpec { country: code.parse().unwrap(), before, after, by_name }];
    CalendarSpec { holidays, ..CalendarSpec::default() }
}

#[test]
fn a_holiday_is_the_civil_day_with_its_windows() {
    let berlin = zone("Europe/Berlin");
    let times = frequency("1h").grid(at("2024-12-23T22:00:00Z"), at("2024-12-28T22:00:00Z"), &berlin);
    let columns = columns(&holidays("DE", 1, 2, true), &berlin, frequency("1h"), &times).unwrap();
    let sum = |name: &str| column(&columns, name).iter().sum::<f32>();
    assert_eq!(sum("holiday_de_christmas_day"), 24.0);
    let christmas = column(&columns, "holiday_de_christmas_day");
    assert_eq!(christmas.iter().position(|&value| value == 1.0), Some(25));
    assert_eq!(column(&columns, "holiday_de_christmas_day_before_1")[1..25], [1.0; 24]);
    assert_eq!(sum("holiday_de_second_day_of_christmas_after_2"), 24.0);
    assert_eq!(columns.indicators, 0);
}

#[test]
fn a_week_counts_its_holidays() {
    let times = frequency("1w").grid(at("2024-12-23T00:00:00Z"), at("2025-01-06T00:00:00Z"), &TimeZone::UTC);
    let columns = columns(&holidays("GB-ENG", 0, 0, false), &TimeZone::UTC, frequency("1w"), &times).unwrap();
    assert_eq!(column(&columns, "holiday_gb_eng"), [2.0, 1.0, 0.0]);
}

#[test]
fn years_without_rules_are_refused_but_windows_beyond_them_are_not() {
    let day = at("2026-12-31T00:00:00Z");
    let columns = |days: i64| {
        columns(&holidays("CN", 3, 3, false), &TimeZone::UTC, frequency("1d"), &[day + days * DAY])
    };
    assert!(columns(0).is_ok());
    assert!(columns(1).unwrap_err().to_string().contains("not for 2027"));
}

#[test]
fn events_reach_as_far_as_their_own_windows() {
    let day = days_from_date(2024, 5, 1);
    let occurrence =
        |from: i64, before| Occurrence { span: Span::days(day + from, day + from), before, after: 1 };
    let event = Event { name: "sale".into(), occurrences: vec![occurrence(2, 1), occurrence(5, 0)] };
    let spec = CalendarSpec { events: vec![event], ..features(&[Feature::Weekday, Feature::Weekday]) };
    let times: Vec<i64> = (0..8).map(|step| (day + step) * DAY).collect();
    let columns = columns(&spec, &TimeZone::UTC, frequency("1d"), &times).unwrap();
    assert_eq!(
        columns.names[5..],
        ["weekday_cos_3", "event_sale", "event_sale_before_1", "event_sale_after_1"]
    );
    assert_eq!(column(&columns, "event_sale"), [0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0]);
    assert_eq!(column(&columns, "event_sale_before_1"), [0.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    assert_eq!(column(&columns, "event_sale_after_1"), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0]);
    assert_eq!(columns.rare(8), [("event_sale_before_1", 1)]);
    assert_eq!(columns.rare(4).len(), 3);
}

#[test]
fn an_absolute_event_lasts_as_long_where_the_clock_is_set_back() {
    let berlin = zone("Europe/Berlin");
    let start = at("2024-10-27T00:30:00Z");
    let span = Span::Absolute { start, end: start + HOUR };
    let event = Event { name: "outage".into(), occurrences: vec![Occurrence { span, before: 0, after: 0 }] };
    let spec = CalendarSpec { events: vec![event], ..CalendarSpec::default() };
    let times = frequency("30m").grid(start - HOUR, start + 3 * HOUR, &berlin);
    let columns = columns(&spec, &berlin, frequency("30m"), &times).unwrap();
    assert_eq!(column(&columns, "event_outage"), [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
}

#[test]
fn a_holiday_on_the_day_of_a_clock_change_has_the_hours_of_that_day() {
    // Easter Sunday 2024 in Berlin was the day of 23 hours.
    let berlin = zone("Europe/Berlin");
    let times = frequency("1h").grid(at("2024-03-29T00:00:00Z"), at("2024-04-02T00:00:00Z"), &berlin);
    let columns = columns(&holidays("BE", 1, 0, true), &berlin, frequency("1h"), &times).unwrap();
    assert_eq!(column(&columns, "holiday_be_easter_sunday").iter().sum::<f32>(), 23.0);
    assert_eq!(column(&columns, "holiday_be_easter_sunday_before_1").iter().sum::<f32>(), 24.0);
    assert_eq!(column(&columns, "holiday_be_easter_monday_before_1").iter().sum::<f32>(), 23.0);
}

#[test]
fn too_many_columns_are_refused() {
    let event = |n: usize| Event { name: format!("e{n}"), occurrences: vec![] };
    let spec = CalendarSpec { events: (0..1001).map(event).collect(), ..CalendarSpec::default() };
    let error = column_names(&spec, frequency("1d")).unwrap_err().to_string();
    assert!(error.contains("1001 columns"), "{error}");
}
