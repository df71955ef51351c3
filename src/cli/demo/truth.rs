//! The demo series: the truth without noise as pure functions of time, and the files made from it.

use crate::cli::demo::noise;
use jiff::civil::{Date, Weekday, date};
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};
use std::f64::consts::TAU;
use std::fmt::Write;

/// Streams of noise, one per series.
const LOAD: u64 = 1;
const SHIFT: u64 = 2;
const PARTS: u64 = 100;
const GAPS: u64 = 200;

/// Days of the three files of daily series.
const DAYS: i64 = 360;

/// First day of the daily series.
const START: Date = date(2024, 1, 1);

/// Weekday factors of everything daily, Monday first.
const WEEK: [f64; 7] = [1.1, 1.0, 1.0, 1.05, 1.25, 0.9, 0.4];

fn day_of(step: i64) -> Date {
    START.saturating_add(step.days())
}

fn week_factor(day: Date) -> f64 {
    WEEK[usize::try_from(day.weekday().to_monday_zero_offset()).unwrap_or(0)]
}

/// Load in MW without noise, as a function of the clock on the wall: a day that peaks at 18 h and one at 8 h, 20 MW
/// less on weekends, 12 MW more in the depth of winter.
pub(super) fn load(local: &Zoned) -> f64 {
    let hour = f64::from(local.hour());
    let weekend = matches!(local.weekday(), Weekday::Saturday | Weekday::Sunday);
    let year = libm::cos(TAU * f64::from(local.day_of_year() - 15) / 365.0);
    let day = 18.0 * libm::cos(TAU * (hour - 18.0) / 24.0) + 7.0 * libm::cos(TAU * (hour - 8.0) / 12.0);
    120.0 + day + 12.0 * year - if weekend { 20.0 } else { 0.0 }
}

/// Hourly from 2023-03-05 to 2023-11-05 in Berlin, written in UTC; noise of 2 MW.
pub(super) fn hourly_load() -> String {
    let mut text = String::from("ds,load_mw\n");
    let Ok(zone) = TimeZone::get("Europe/Berlin") else {
        return text;
    };
    let hours = date(2023, 3, 5).to_zoned(zone).into_iter().flat_map(|start| {
        (0..24 * 245_i64).map(move |step| (step as u64, start.saturating_add(step.hours())))
    });
    for (step, local) in hours {
        let value = load(&local) + 2.0 * noise::normal(LOAD, step);
        line(&mut text, &format!("{},{value:.1}", local.timestamp()));
    }
    text
}

/// Expected sales of a part on a day: parts 1 to 8 sell 0.1 to 0.8 a day, times the weekday.
pub(super) fn sales_rate(part: u64, day: Date) -> f64 {
    0.1 * part as f64 * week_factor(day)
}

/// Eight parts, Poisson counts around [`sales_rate`].
pub(super) fn intermittent_counts() -> String {
    let mut text = String::from("unique_id,ds,y\n");
    for part in 1..=8 {
        for step in 0..DAYS {
            let day = day_of(step);
            let count = noise::poisson(PARTS + part, step as u64, sales_rate(part, day));
            line(&mut text, &format!("part_{part},{day},{count}"));
        }
    }
    text
}

/// A level of 100, from 2024-09-01 on of 140, with 10 more or less by weekday.
pub(super) fn shifted(day: Date) -> f64 {
    let level = if day < date(2024, 9, 1) { 100.0 } else { 140.0 };
    level + 10.0 * (week_factor(day) - 1.0)
}

/// [`shifted`] with noise of 3.
pub(super) fn level_shift() -> String {
    let mut text = String::from("unique_id,ds,y\n");
    for step in 0..DAYS {
        let day = day_of(step);
        let value = shifted(day) + 3.0 * noise::normal(SHIFT, step as u64);
        line(&mut text, &format!("sensor,{day},{value:.2}"));
    }
    text
}

/// A trend of 0.1 a day and a weekly wave of 15, shifted by two days from meter to meter.
pub(super) fn metered(meter: u64, step: i64) -> f64 {
    let phase = step as f64 - 2.0 * meter as f64;
    50.0 + 0.1 * step as f64 + 15.0 * libm::sin(TAU * phase / 7.0)
}

/// Whether a meter sent no row on a step, or a row without a value.
pub(super) fn hole(meter: u64, step: i64) -> Option<Hole> {
    let offset = step - 40 * meter as i64;
    match offset {
        60..75 => Some(Hole::NoRow),
        150..157 => Some(Hole::NoValue),
        _ if noise::uniform(GAPS + 10 + meter, step as u64) < 0.02 && step < DAYS - 1 => Some(Hole::NoValue),
        _ => None,
    }
}

/// What is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// The whole row.
    NoRow,
    /// The value.
    NoValue,
}

/// Three meters around [`metered`] with noise of 2: a fortnight of absent rows, a week of empty values, and 2 % empty
/// values here and there.
pub(super) fn missing_stretches() -> String {
    let mut text = String::from("unique_id,ds,y\n");
    for meter in 0..3 {
        for step in 0..DAYS {
            let day = day_of(step);
            let value = metered(meter, step) + 2.0 * noise::normal(GAPS + meter, step as u64);
            match hole(meter, step) {
                Some(Hole::NoRow) => {}
                Some(Hole::NoValue) => line(&mut text, &format!("meter_{meter},{day},")),
                None => line(&mut text, &format!("meter_{meter},{day},{value:.2}")),
            }
        }
    }
    text
}

fn line(text: &mut String, line: &str) {
    // Writing to a string cannot fail.
    let _ = writeln!(text, "{line}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(text: &str) -> Vec<Option<f64>> {
        text.lines().skip(1).map(|line| line.rsplit(',').next()?.parse().ok()).collect()
    }

    fn mean_error(text: &str, truth: impl Fn(usize) -> f64) -> f64 {
        let errors: Vec<f64> = values(text)
            .into_iter()
            .enumerate()
            .filter_map(|(row, value)| value.map(|value| value - truth(row)))
            .collect();
        errors.iter().sum::<f64>() / errors.len() as f64
    }

    #[test]
    fn the_load_follows_the_wall_clock_across_both_changes() {
        let text = hourly_load();
        let rows: Vec<&str> = text.lines().skip(1).collect();
        assert_eq!(rows.len(), 24 * 245);
        assert!(rows[0].starts_with("2023-03-04T23:00:00Z,"), "{}", rows[0]);
        assert!(text.contains("2023-03-26T01:00:00Z,") && text.contains("2023-10-29T01:00:00Z,"));
        let zone = TimeZone::get("Europe/Berlin").expect("known");
        let local = |row: usize| {
            let stamp: jiff::Timestamp = rows[row].split(',').next().expect("time").parse().expect("time");
            stamp.to_zoned(zone.clone())
        };
        // The noise has deviation 2, so 0.15 is more than five standard errors of 5880 rows.
        assert!(mean_error(&text, |row| load(&local(row))).abs() < 0.15);
        let noon = |month, day| date(2023, month, day).at(12, 0, 0, 0).to_zoned(zone.clone()).expect("noon");
        assert!((load(&noon(3, 24)) - load(&noon(3, 27))).abs() < 1.0);
    }

    #[test]
    fn noise_scatters_around_the_truth() {
        // Deviation 3 over 360 rows, deviation 2 over 1000 rows: five standard errors are 0.8 and 0.3.
        assert!(mean_error(&level_shift(), |row| shifted(day_of(row as i64))).abs() < 0.8);
        let counts = intermittent_counts();
        let rate = |row: usize| sales_rate(1 + row as u64 / DAYS as u64, day_of(row as i64 % DAYS));
        assert!(mean_error(&counts, rate).abs() < 0.07);
        let zeros = values(&counts).iter().filter(|value| **value == Some(0.0)).count();
        assert!(zeros > 8 * DAYS as usize / 2, "{zeros}");
    }

    #[test]
    fn holes_are_where_the_truth_says() {
        let text = missing_stretches();
        assert_eq!(text.lines().count(), 1 + 3 * (DAYS as usize - 15));
        let day = |step: i64| day_of(step).to_string();
        assert!(!text.contains(&format!("meter_1,{},", day(100))));
        assert!(text.contains(&format!("meter_1,{},\n", day(190))));
        assert_eq!(hole(0, DAYS - 1), None);
        let full: Vec<f64> = (0..3)
            .flat_map(|meter| {
                let rows = (0..DAYS).filter(move |step| hole(meter, *step) != Some(Hole::NoRow));
                rows.map(move |step| metered(meter, step))
            })
            .collect();
        assert!(mean_error(&text, |row| full[row]).abs() < 0.3);
    }
}
