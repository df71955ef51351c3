//! What the time column of all files together means: one kind of time, one order of day and month, one epoch unit.

use super::time::{Cell, date, parse};
use crate::series::civil::{DAY, HOUR, SECOND};

/// Marks a row whose time could not be read; no valid time is that early.
pub(super) const NO_TIME: i64 = i64::MIN;

/// 0001-01-01 and the end of 9999-12-31, microseconds.
const YEARS: std::ops::Range<i64> = -62_135_596_800 * SECOND..253_402_300_800 * SECOND;

/// 2200-01-01: a whole number beyond it was hardly written in the unit that its size suggests.
const EPOCH_END: i64 = 7_258_118_400 * SECOND;

/// What is wrong with a time, and how to repair it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    pub(super) what: String,
    pub(super) remedy: &'static str,
}

/// The kind that all cells must share.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Local,
    Instant,
    Slash,
    Integer,
}

impl Kind {
    fn words(self) -> &'static str {
        match self {
            Kind::Local => "a time without offset",
            Kind::Instant => "a time with offset",
            Kind::Slash => "a date with slashes",
            Kind::Integer => "a number",
        }
    }
}

/// Collects time cells as raw integers and decodes them once all are known.
#[derive(Clone, Debug, Default)]
pub(super) struct Timeline {
    kind: Option<(Kind, String)>,
    day_first: Option<String>,
    month_first: Option<String>,
    some_slash: Option<String>,
    integers: Option<Integers>,
}

/// What the integers of a column have in common.
#[derive(Clone, Debug)]
struct Integers {
    smallest: i64,
    largest: i64,
    years: bool,
    days: bool,
    months: bool,
}

/// How raw integers become microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Micros,
    Slash { day_first: bool },
    Year,
    Day,
    Month,
    Epoch { multiplier: i64, divisor: i64 },
}

/// A decided column.
#[derive(Clone, Copy, Debug)]
pub(super) struct Decoded {
    unit: Unit,
    /// Whether the decoded times are wall-clock times that still need a zone.
    pub(super) local: bool,
}

impl Timeline {
    /// The raw form of a text cell; `place` tells where it stands. The error says what is wrong with the cell.
    pub(super) fn text(&mut self, text: &str, place: impl Fn() -> String) -> Result<i64, Unfit> {
        match parse(text) {
            None => Err(unfit("is no time", "write it as 2024-01-31 or 2024-01-31T23:00:00")),
            Some(Cell::Local(micros)) => self.local(micros, || format!("'{text}' ({})", place())),
            Some(Cell::Instant(micros)) => self.instant(micros, || format!("'{text}' ({})", place())),
            Some(Cell::Integer(value)) => self.integer(value, place),
            Some(Cell::Slash { first, second, year, time_of_day }) => {
                self.expect(Kind::Slash, || format!("'{text}' ({})", place()))?;
                let evidence = || Some(format!("'{text}' ({})", place()));
                match (first > 12, second > 12) {
                    (true, _) if self.day_first.is_none() => self.day_first = evidence(),
                    (_, true) if self.month_first.is_none() => self.month_first = evidence(),
                    _ if self.some_slash.is_none() => self.some_slash = evidence(),
                    _ => {}
                }
                Ok(((year * 32 + first) * 32 + second) * 2 * DAY + time_of_day)
            }
        }
    }

    /// The raw form of a wall-clock time.
    pub(super) fn local(&mut self, micros: i64, example: impl Fn() -> String) -> Result<i64, Unfit> {
        self.expect(Kind::Local, example)?;
        in_years(micros)
    }

    /// Whether a wall-clock time can be nothing but what the column has held so far, and is its own raw form.
    pub(super) fn goes_on(&self, micros: i64) -> bool {
        matches!(self.kind, Some((Kind::Local, _))) && Timeline::is_calendar(micros)
    }

    /// Whether a time lies in the years that are read.
    pub(super) fn is_calendar(micros: i64) -> bool {
        // An offset may push a local time a little over the edge of the calendar.
        (YEARS.start + 26 * HOUR..YEARS.end - 26 * HOUR).contains(&micros)
    }

    /// The raw form of an instant.
    pub(super) fn instant(&mut self, micros: i64, example: impl Fn() -> String) -> Result<i64, Unfit> {
        self.expect(Kind::Instant, example)?;
        in_years(micros)
    }

    /// The raw form of a whole number.
    pub(super) fn integer(&mut self, value: i64, place: impl Fn() -> String) -> Result<i64, Unfit> {
        self.expect(Kind::Integer, || format!("{value} ({})", place()))?;
        if value == NO_TIME {
            return Err(unfit("is no time", "write whole numbers, or 2024-01-31T23:00:00"));
        }
        let seen = self.integers.get_or_insert(Integers {
            smallest: value,
            largest: value,
            years: true,
            days: true,
            months: true,
        });
        seen.smallest = seen.smallest.min(value);
        seen.largest = seen.largest.max(value);
        seen.years &= (1000..3000).contains(&value);
        seen.days = seen.days && as_day(value).is_some();
        seen.months = seen.months && as_month(value).is_some();
        Ok(value)
    }

    fn expect(&mut self, kind: Kind, example: impl Fn() -> String) -> Result<(), Unfit> {
        match &self.kind {
            Some((known, _)) if *known == kind => Ok(()),
            None => {
                self.kind = Some((kind, example()));
                Ok(())
            }
            Some((known, first)) => Err(unfit(
                &format!("is {}, but {first} is {}", kind.words(), known.words()),
                "write all times in one form",
            )),
        }
    }

    /// Decides what the column means; the error is a problem of the whole column.
    pub(super) fn decide(&self) -> Result<Decoded, String> {
        let Some((kind, _)) = self.kind else { return Ok(Decoded { unit: Unit::Micros, local: true }) };
        let (unit, local) = match kind {
            Kind::Local => (Unit::Micros, true),
            Kind::Instant => (Unit::Micros, false),
            Kind::Slash => (Unit::Slash { day_first: self.day_comes_first()? }, true),
            Kind::Integer => match self.integers.as_ref().map(Integers::unit).transpose()? {
                Some(unit @ Unit::Epoch { .. }) => (unit, false),
                Some(unit) => (unit, true),
                None => (Unit::Micros, true),
            },
        };
        Ok(Decoded { unit, local })
    }

    fn day_comes_first(&self) -> Result<bool, String> {
        match (&self.day_first, &self.month_first, &self.some_slash) {
            (Some(_), None, _) => Ok(true),
            (None, Some(_), _) => Ok(false),
            (Some(day), Some(month), _) => {
                Err(format!("{day} has the day first, {month} the month; write dates as 2024-01-31"))
            }
            (None, None, example) => Err(format!(
                "{} may be day/month or month/day, and no row tells; write dates as 2024-01-31",
                example.as_deref().unwrap_or("a date")
            )),
        }
    }
}

impl Integers {
    fn unit(&self) -> Result<Unit, String> {
        let magnitude = self.largest.unsigned_abs().max(self.smallest.unsigned_abs());
        let (multiplier, divisor) = match magnitude {
            _ if self.years => return Ok(Unit::Year),
            _ if self.days => return Ok(Unit::Day),
            _ if self.months => return Ok(Unit::Month),
            0..100_000_000 => {
                return Err(format!(
                    "whole numbers from {} to {} are neither years nor seconds since 1970; write times as \
                     2024-01-31T23:00:00",
                    self.smallest, self.largest
                ));
            }
            100_000_000..100_000_000_000 => (SECOND, 1),
            100_000_000_000..100_000_000_000_000 => (1000, 1),
            100_000_000_000_000..100_000_000_000_000_000 => (1, 1),
            _ => (1, 1000),
        };
        let decoded = Decoded { unit: Unit::Epoch { multiplier, divisor }, local: false };
        if decoded.micros(self.largest) >= EPOCH_END {
            return Err(format!(
                "{} would lie beyond the year 2200 in {}; correct it, or write times as 2024-01-31T23:00:00",
                self.largest,
                decoded.epoch_words().unwrap_or_default()
            ));
        }
        Ok(decoded.unit)
    }
}

impl Decoded {
    /// The unit in which whole numbers count from 1970; `None` for other times.
    pub(super) fn epoch_words(&self) -> Option<&'static str> {
        match self.unit {
            Unit::Epoch { multiplier: SECOND, .. } => Some("seconds since 1970"),
            Unit::Epoch { multiplier: 1000, .. } => Some("milliseconds since 1970"),
            Unit::Epoch { divisor: 1, .. } => Some("microseconds since 1970"),
            Unit::Epoch { .. } => Some("nanoseconds since 1970"),
            _ => None,
        }
    }

    /// Makes raw times what [`Decoded::micros`] says.
    pub(super) fn decode(&self, times: &mut [i64]) {
        if self.unit != Unit::Micros {
            times.iter_mut().for_each(|time| *time = self.micros(*time));
        }
    }

    /// The first and the last of the times that are there, microseconds; the largest and the smallest number if none is.
    pub(super) fn span(&self, times: &[i64]) -> (i64, i64) {
        // A missing time is the smallest number, so that only the first has to look out for it.
        let wider = |(first, last): (i64, i64), time: i64| {
            (first.min(if time == NO_TIME { i64::MAX } else { time }), last.max(time))
        };
        match self.unit {
            Unit::Micros => times.iter().copied().fold((i64::MAX, i64::MIN), wider),
            _ => times.iter().map(|&raw| self.micros(raw)).fold((i64::MAX, i64::MIN), wider),
        }
    }

    /// Microseconds of a raw time: local or UTC, as [`Decoded::local`] says. [`NO_TIME`] where there is none.
    pub(super) fn micros(&self, raw: i64) -> i64 {
        if raw == NO_TIME {
            return NO_TIME;
        }
        match self.unit {
            Unit::Micros => raw,
            Unit::Epoch { multiplier, divisor } => raw.saturating_mul(multiplier).div_euclid(divisor),
            Unit::Year => date(raw, 1, 1).unwrap_or(NO_TIME),
            Unit::Day => as_day(raw).unwrap_or(NO_TIME),
            Unit::Month => as_month(raw).unwrap_or(NO_TIME),
            Unit::Slash { day_first } => {
                let (packed, time_of_day) = (raw.div_euclid(2 * DAY), raw.rem_euclid(2 * DAY));
                let (year, first, second) = (packed / 1024, packed / 32 % 32, packed % 32);
                let (day, month) = if day_first { (first, second) } else { (second, first) };
                date(year, month, day).map_or(NO_TIME, |midnight| midnight + time_of_day)
            }
        }
    }
}

/// A date written as 20240131.
fn as_day(value: i64) -> Option<i64> {
    (value >= 10_000_101).then(|| date(value / 10_000, value / 100 % 100, value % 100)).flatten()
}

/// A month written as 202401.
fn as_month(value: i64) -> Option<i64> {
    (value >= 100_001).then(|| date(value / 100, value % 100, 1)).flatten()
}

fn in_years(micros: i64) -> Result<i64, Unfit> {
    if Timeline::is_calendar(micros) {
        Ok(micros)
    } else {
        Err(unfit("lies outside the years 1 to 9999, or at their very ends", "correct it"))
    }
}

fn unfit(what: &str, remedy: &'static str) -> Unfit {
    Unfit { what: what.to_owned(), remedy }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(cells: &[&str]) -> Result<Vec<i64>, String> {
        let mut timeline = Timeline::default();
        let raw: Vec<i64> = cells
            .iter()
            .map(|cell| timeline.text(cell, || "a.csv: line 2".into()).map_err(|unfit| unfit.what))
            .collect::<Result<_, _>>()?;
        let decoded = timeline.decide()?;
        Ok(raw.into_iter().map(|raw| decoded.micros(raw)).collect())
    }

    fn wall(text: &str) -> i64 {
        format!("{text}Z").parse::<jiff::Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn slashes_are_decided_by_any_row() {
        let day_first = decode(&["03/04/2021", "14/04/2021 06:00"]).unwrap();
        assert_eq!(day_first, [wall("2021-04-03T00:00:00"), wall("2021-04-14T06:00:00")]);
        let month_first = decode(&["03/04/2021", "04/14/2021"]).unwrap();
        assert_eq!(month_first[0], wall("2021-03-04T00:00:00"));
        assert!(decode(&["03/04/2021"]).unwrap_err().contains("2024-01-31"));
        let both = decode(&["13/04/2021", "04/14/2021"]).unwrap_err();
        assert!(both.contains("13/04/2021") && both.contains("04/14/2021"));
    }

    #[test]
    fn integers_are_read_by_their_size() {
        let expected = wall("2023-11-14T22:13:20");
        for epoch in ["1700000000", "1700000000000", "1700000000000000", "1700000000000000000"] {
            assert_eq!(decode(&["0", epoch]).unwrap()[1], expected, "{epoch}");
        }
        assert_eq!(decode(&["1999", "2000"]).unwrap()[1], wall("2000-01-01T00:00:00"));
        assert_eq!(decode(&["20231114"]).unwrap()[0], wall("2023-11-14T00:00:00"));
        assert_eq!(decode(&["202311"]).unwrap()[0], wall("2023-11-01T00:00:00"));
        let beyond = decode(&["1700000000", "9999999999"]).unwrap_err();
        assert!(beyond.contains("9999999999") && beyond.contains("2200 in seconds"), "{beyond}");
        assert!(decode(&["0", "1", "2"]).unwrap_err().contains("0 to 2"));
    }

    #[test]
    fn kinds_do_not_mix() {
        let error = decode(&["2021-01-01T00:00Z", "2021-01-01T01:00"]).unwrap_err();
        assert!(error.contains("without offset") && error.contains("a.csv: line 2"), "{error}");
        assert!(decode(&["2021-01-01", "7"]).unwrap_err().contains("a number"));
    }

    #[test]
    fn the_calendar_has_edges() {
        assert!(decode(&["9999-12-31"]).unwrap_err().contains("9999"));
        assert!(decode(&["9999-12-30"]).is_ok());
    }
}
