//! Recurrence rules of iCalendar, expanded by the `rrule` crate.
//!
//! The crate is given wall-clock times as if they were UTC, so that every occurrence keeps its time of day, and which instant
//! that is remains with the zone rules of this program. COUNT and UNTIL are applied here: UNTIL also ends every rule with the
//! days that are asked for, so that no rule runs on. `chrono`, which `rrule` brings, comes with the readers of Parquet anyway.

use crate::calendar::moment::{Moment, Zones};
use crate::series::civil::{DAY, SECOND, date_from_days};
use rrule::RRuleSet;

/// Most occurrences of one rule, from its first on.
pub(super) const OCCURRENCES_MAX: usize = 100_000;

/// Largest interval of a rule.
const INTERVAL_MAX: i64 = 10_000;

/// Rules that can be asked for: the parts that make days. The others make times of the day.
const PARTS: [&str; 8] =
    ["INTERVAL", "BYDAY", "BYMONTH", "BYMONTHDAY", "BYSETPOS", "BYYEARDAY", "BYWEEKNO", "WKST"];

/// How often.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Day,
    Week,
    Month,
    Year,
}

/// A rule as written, without its end.
#[derive(Clone, Debug)]
pub(super) struct Recurrence {
    rule: String,
    unit: Unit,
    interval: i64,
    count: Option<usize>,
    until: Option<Moment>,
}

impl Recurrence {
    /// Reads the value of an RRULE.
    pub(super) fn parse(value: &str, zones: &mut Zones) -> Result<Recurrence, String> {
        let (mut unit, mut count, mut until, mut interval) = (None, None, None, 1);
        let mut rule = Vec::new();
        for part in value.split(';').filter(|part| !part.trim().is_empty()) {
            let (name, text) = part.split_once('=').ok_or_else(|| format!("{part:?} is no NAME=VALUE"))?;
            let (name, text) = (name.trim().to_ascii_uppercase(), text.trim().to_ascii_uppercase());
            let whole = || text.parse::<u32>().ok().filter(|&n| n > 0 && n <= 1_000_000);
            let positive = || whole().ok_or_else(|| format!("{name} {text:?} is no positive number"));
            match name.as_str() {
                "FREQ" => unit = Some(parse_unit(&text)?),
                "COUNT" => count = Some(usize::try_from(positive()?).unwrap_or(usize::MAX)),
                "UNTIL" => {
                    until = Some(zones.ical(&text, None).map_err(|problem| format!("UNTIL {problem}"))?)
                }
                known if PARTS.contains(&known) => {
                    if name == "INTERVAL" {
                        interval = i64::from(positive()?);
                        if interval > INTERVAL_MAX {
                            return Err(format!("INTERVAL {interval} is more than {INTERVAL_MAX}"));
                        }
                        rule.push(format!("INTERVAL={interval}"));
                    } else {
                        // The crate cuts days in two by bytes, and panics within a character.
                        let is_list = |byte: u8| byte.is_ascii_alphanumeric() || b",+-".contains(&byte);
                        if !text.bytes().all(is_list) {
                            return Err(format!(
                                "{name} {text:?} is no list of numbers or days, such as MO,-1FR"
                            ));
                        }
                        rule.push(format!("{name}={text}"));
                    }
                }
                _ => {
                    return Err(format!(
                        "{name} cannot be read; known are FREQ, COUNT, UNTIL, {}",
                        PARTS.join(", ")
                    ));
                }
            }
        }
        let unit = unit.ok_or("has no FREQ; write FREQ=YEARLY, MONTHLY, WEEKLY or DAILY")?;
        if count.is_some() && until.is_some() {
            return Err("has both COUNT and UNTIL; keep one".to_string());
        }
        let freq = match unit {
            Unit::Day => "FREQ=DAILY",
            Unit::Week => "FREQ=WEEKLY",
            Unit::Month => "FREQ=MONTHLY",
            Unit::Year => "FREQ=YEARLY",
        };
        rule.insert(0, freq.to_string());
        Ok(Recurrence { rule: rule.join(";"), unit, interval, count, until })
    }

    /// About what the rule costs to expand up to a wall time: the number of its periods, of which longer ones cost more.
    pub(super) fn cost(&self, start: i64, last: i64) -> u64 {
        let (days, weight) = match self.unit {
            Unit::Day => (1, 1),
            Unit::Week => (7, 2),
            Unit::Month => (28, 5),
            Unit::Year => (365, 20),
        };
        let periods = last.saturating_sub(start).max(0) / DAY / days / self.interval + 1;
        u64::try_from(periods * weight).unwrap_or(u64::MAX)
    }

    /// Wall times of its occurrences from `start` up to `last`, ascending.
    pub(super) fn walls(&self, start: &Moment, last: i64) -> Result<Vec<i64>, String> {
        let end = match &self.until {
            // A date means the whole of that day.
            Some(until) if until.clock.is_date() => until.wall + DAY - SECOND,
            Some(until) => until.wall_on(&start.clock),
            None => i64::MAX,
        };
        if end < start.wall {
            return Err("ends before the event begins; UNTIL has to be at or after DTSTART".to_string());
        }
        let end = end.min(last);
        if end < start.wall {
            return Ok(Vec::new());
        }
        let text = format!("DTSTART:{}\nRRULE:{};UNTIL={}", stamp(start.wall), self.rule, stamp(end));
        let set: RRuleSet = text.parse().map_err(|error| format!("cannot be followed: {error}"))?;
        let limit = self.count.unwrap_or(OCCURRENCES_MAX + 1).min(OCCURRENCES_MAX + 1);
        let set = set.limit();
        let walls: Vec<i64> =
            set.into_iter().take(limit).map(|time| time.timestamp().saturating_mul(SECOND)).collect();
        if walls.len() > OCCURRENCES_MAX {
            return Err(format!("recurs more than {OCCURRENCES_MAX} times; let the event begin later"));
        }
        Ok(walls)
    }
}

fn parse_unit(text: &str) -> Result<Unit, String> {
    match text {
        "DAILY" => Ok(Unit::Day),
        "WEEKLY" => Ok(Unit::Week),
        "MONTHLY" => Ok(Unit::Month),
        "YEARLY" => Ok(Unit::Year),
        _ => Err(format!("FREQ {text:?} cannot be read; write YEARLY, MONTHLY, WEEKLY or DAILY")),
    }
}

/// A wall time as if it were UTC.
fn stamp(wall: i64) -> String {
    let (year, month, day) = date_from_days(wall.div_euclid(DAY));
    let second = wall.rem_euclid(DAY) / SECOND;
    format!("{year:04}{month:02}{day:02}T{:02}{:02}{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::days_from_date;

    fn dates(start: &str, rule: &str, last: (i64, i64, i64)) -> Result<Vec<(i64, i64, i64)>, String> {
        let mut zones = Zones::default();
        let recurrence = Recurrence::parse(rule, &mut zones)?;
        let walls =
            recurrence.walls(&zones.ical(start, None)?, days_from_date(last.0, last.1, last.2) * DAY)?;
        Ok(walls.into_iter().map(|wall| date_from_days(wall.div_euclid(DAY))).collect())
    }

    #[test]
    fn rules_of_every_frequency() {
        let last = (2026, 1, 1);
        assert_eq!(dates("20240229", "FREQ=YEARLY", (2029, 1, 1)).unwrap(), [(2024, 2, 29), (2028, 2, 29)]);
        let fridays = dates("20241129", "FREQ=YEARLY;BYMONTH=11;BYDAY=4FR;COUNT=2", (2030, 1, 1));
        assert_eq!(fridays.unwrap(), [(2025, 11, 28), (2026, 11, 27)]);
        let ends = dates("20240131", "FREQ=MONTHLY;BYMONTHDAY=-1;UNTIL=20240430", last);
        assert_eq!(ends.unwrap(), [(2024, 1, 31), (2024, 2, 29), (2024, 3, 31), (2024, 4, 30)]);
        let weeks = dates("20240101", "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,WE;COUNT=4", last);
        assert_eq!(weeks.unwrap(), [(2024, 1, 1), (2024, 1, 3), (2024, 1, 15), (2024, 1, 17)]);
        assert_eq!(dates("20250101", "FREQ=DAILY", last).unwrap().len(), 366);
        let workdays = dates("20240131", "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", last);
        assert_eq!(workdays.unwrap(), [(2024, 1, 31), (2024, 2, 29)]);
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        for (rule, problem) in [
            ("FREQ=HOURLY", "\"HOURLY\" cannot be read"),
            ("INTERVAL=2", "no FREQ"),
            ("FREQ=DAILY;BYHOUR=3", "BYHOUR cannot be read"),
            ("FREQ=DAILY;COUNT=2;UNTIL=20250101", "both COUNT and UNTIL"),
            ("FREQ=DAILY;COUNT=0", "no positive number"),
            ("FREQ=DAILY;UNTIL=20200101", "ends before the event begins"),
            ("FREQ=DAILY;UNTIL=tomorrow", "UNTIL is no time"),
            ("FREQ=YEARLY;BYMONTH=13", "cannot be followed"),
            ("FREQ=WEEKLY;BYDAY=XX", "cannot be followed"),
            ("FREQ=WEEKLY;BYDAY=W\u{fffd}E", "is no list of numbers or days"),
            ("FREQ=WEEKLY;INTERVAL=10001", "INTERVAL 10001 is more than 10000"),
            ("DAILY", "no NAME=VALUE"),
        ] {
            let error = dates("20240101", rule, (2025, 1, 1)).unwrap_err();
            assert!(error.contains(problem), "{rule}: {error}");
        }
        let error = dates("19000101", "FREQ=DAILY", (2200, 1, 1)).unwrap_err();
        assert!(error.contains("more than 100000 times"), "{error}");
    }

    #[test]
    fn a_rule_that_is_never_met_ends() {
        for unit in ["DAILY", "MONTHLY", "YEARLY"] {
            let rule = format!("FREQ={unit};BYMONTH=2;BYMONTHDAY=30");
            assert!(dates("20240101", &rule, (2200, 1, 1)).unwrap().is_empty());
        }
    }
}
