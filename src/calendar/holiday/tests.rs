//! The rules against dates that were computed by the Python package `holidays` (`tests/calendar/check_holidays.py`).

use super::*;
use crate::series::civil::{date_from_days, days_from_date};
use std::collections::{BTreeMap, BTreeSet};

/// Country -> year -> days of the golden file, whose lines are `country,date date date …`.
fn golden() -> BTreeMap<String, BTreeMap<i64, BTreeSet<i64>>> {
    let text = include_str!("../../../tests/golden/holidays.csv");
    let mut golden: BTreeMap<String, BTreeMap<i64, BTreeSet<i64>>> = BTreeMap::new();
    for line in text.lines().skip(1) {
        let (country, date) = line.split_once(',').unwrap();
        let parts: Vec<i64> = date.split('-').map(|part| part.parse().unwrap()).collect();
        let days = golden.entry(country.to_string()).or_default().entry(parts[0]).or_default();
        days.insert(days_from_date(parts[0], parts[1], parts[2]));
    }
    golden
}

#[test]
fn every_country_has_the_holidays_of_the_golden_file() {
    let golden = golden();
    let listed: Vec<_> = golden.keys().map(String::as_str).collect();
    assert_eq!(listed, Country::all().map(Country::code).collect::<Vec<_>>());
    for (code, years) in golden {
        let country: Country = code.parse().unwrap();
        for (year, expected) in years {
            let found: BTreeSet<i64> =
                country.holidays(year, year).unwrap().iter().map(|holiday| holiday.day).collect();
            let differing: Vec<_> =
                found.symmetric_difference(&expected).map(|&day| date_from_days(day)).collect();
            assert!(differing.is_empty(), "{code} {year}: {differing:?}");
        }
    }
}

#[test]
fn substitutes_cross_the_turn_of_the_year() {
    let country: Country = "us".parse().unwrap();
    let last = country.holidays(2021, 2021).unwrap().pop().unwrap();
    assert_eq!((date_from_days(last.day), last.name), ((2021, 12, 31), "new_years_day"));
}

#[test]
fn every_name_is_listed_and_is_a_word() {
    for country in Country::all() {
        let names = country.names();
        assert!(names.iter().all(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_')));
        let (first, last) = country.years();
        for holiday in country.holidays(first, last).unwrap() {
            assert!(names.contains(&holiday.name), "{}: {}", country.code(), holiday.name);
        }
    }
}

#[test]
fn what_is_not_known_is_said() {
    let error = "XX".parse::<Country>().unwrap_err().to_string();
    assert!(error.contains("\"XX\"") && error.contains("AT, AU, BE"), "{error}");
    let error = "CN".parse::<Country>().unwrap().holidays(2026, 2027).unwrap_err().to_string();
    assert!(error.contains("CN are known from 2010 to 2026, not for 2027"), "{error}");
    assert_eq!("uk".parse::<Country>().unwrap().code(), "GB");
}
