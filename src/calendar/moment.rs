//! Times as event files write them, each on the clock that it was written for.

use crate::series::civil::{DAY, HOUR, LocalClock, MINUTE, SECOND, days_from_date, days_in_month};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use std::collections::HashMap;
use std::rc::Rc;

/// First and last year that an event may lie in.
const YEARS: (i64, i64) = (1900, 2200);

/// Whose clock a time is read from.
#[derive(Clone, Debug)]
pub(super) enum Clock {
    /// A whole day of the source's zone.
    Date,
    /// The wall clock of the source's zone.
    Floating,
    /// A zone that the file names; UTC is one.
    Zone(Rc<LocalClock>),
}

impl Clock {
    pub(super) fn is_date(&self) -> bool {
        matches!(self, Clock::Date)
    }
}

/// A time and its clock.
#[derive(Clone, Debug)]
pub(super) struct Moment {
    /// Microseconds of that wall clock.
    pub wall: i64,
    pub clock: Clock,
}

impl Moment {
    /// The instant, if the file says it.
    pub(super) fn instant(&self) -> Option<i64> {
        match &self.clock {
            Clock::Zone(zone) => Some(zone.first_instant(self.wall)),
            _ => None,
        }
    }

    /// What another clock shows at that time; the same digits where one of the two names no zone.
    pub(super) fn wall_on(&self, clock: &Clock) -> i64 {
        match (self.instant(), clock) {
            (Some(instant), Clock::Zone(zone)) => zone.local(instant),
            _ => self.wall,
        }
    }
}

/// The zones of one file by IANA name, each tabulated once.
#[derive(Default)]
pub(super) struct Zones {
    known: HashMap<String, Rc<LocalClock>>,
}

impl Zones {
    /// The clock of a TZID: an IANA name, also behind a vendor's prefix (`/citadel.org/2024/Europe/Berlin`).
    pub(super) fn named(&mut self, tzid: &str) -> Option<Clock> {
        let parts: Vec<&str> = tzid.trim().split('/').filter(|part| !part.is_empty()).collect();
        let last = |count: usize| (parts.len() >= count).then(|| parts[parts.len() - count..].join("/"));
        let names = [Some(tzid.trim().to_string()), last(3), last(2)];
        let zone = names.into_iter().flatten().find_map(|name| TimeZone::get(&name).ok())?;
        let name = zone.iana_name().unwrap_or("UTC").to_string();
        Some(self.clock(name, &zone))
    }

    pub(super) fn utc(&mut self) -> Clock {
        self.clock("UTC".to_string(), &TimeZone::UTC)
    }

    fn clock(&mut self, name: String, zone: &TimeZone) -> Clock {
        let first = |year| days_from_date(year, 1, 1) * DAY;
        let tabulated = || Rc::new(LocalClock::new(zone, first(YEARS.0), first(YEARS.1 + 1)));
        Clock::Zone(Rc::clone(self.known.entry(name).or_insert_with(tabulated)))
    }

    /// `20241225`, `20241225T180000` or `20241225T180000Z` (RFC 5545, 3.3.4 and 3.3.5), the second in the zone of TZID.
    pub(super) fn ical(&mut self, text: &str, tzid: Option<&str>) -> Result<Moment, String> {
        let text = text.trim();
        let (digits, is_utc) = text.strip_suffix(['Z', 'z']).map_or((text, false), |digits| (digits, true));
        let (date, time) =
            digits.split_once(['T', 't']).map_or((digits, None), |(date, time)| (date, Some(time)));
        let shape = || "is no time; write 20241225, 20241225T180000 or 20241225T180000Z".to_string();
        let date = number(date, 8).ok_or_else(shape)?;
        let day = checked_day(date / 10_000, date / 100 % 100, date % 100)?;
        let Some(time) = time else {
            return if is_utc { Err(shape()) } else { Ok(Moment { wall: day * DAY, clock: Clock::Date }) };
        };
        let time = number(time, 6).ok_or_else(shape)?;
        let wall = day * DAY + checked_time(time / 10_000, time / 100 % 100, time % 100)?;
        let clock = match tzid {
            _ if is_utc => self.utc(),
            Some(tzid) => self.named(tzid).ok_or_else(|| {
                format!("TZID {tzid:?} is no zone of the IANA database; write one such as Europe/Berlin")
            })?,
            None => Clock::Floating,
        };
        Ok(Moment { wall, clock })
    }

    /// `2024-12-25`, `2024-12-25 18:00[:00]`, or the same with `Z` or an offset behind it.
    pub(super) fn iso(&mut self, text: &str) -> Result<Moment, String> {
        let text = text.trim();
        let shape = || "is no time; write 2024-12-25, 2024-12-25 18:00 or 2024-12-25T18:00:00Z".to_string();
        if text.len() == 10 {
            let date = text.parse::<jiff::civil::Date>().map_err(|_| shape())?;
            let day = checked_day(date.year().into(), date.month().into(), date.day().into())?;
            return Ok(Moment { wall: day * DAY, clock: Clock::Date });
        }
        let has_offset =
            text.ends_with(['Z', 'z']) || text.get(10..).is_some_and(|rest| rest.contains(['+', '-']));
        if has_offset {
            let stamp = text.parse::<Timestamp>().map_err(|_| shape())?;
            let wall = stamp.as_microsecond();
            let (year, ..) = crate::series::civil::date_from_days(wall.div_euclid(DAY));
            checked_day(year, 1, 1)?;
            return Ok(Moment { wall, clock: self.utc() });
        }
        let time = text.parse::<jiff::civil::DateTime>().map_err(|_| shape())?;
        let day = checked_day(time.year().into(), time.month().into(), time.day().into())?;
        let of_day = checked_time(time.hour().into(), time.minute().into(), time.second().into())?;
        Ok(Moment { wall: day * DAY + of_day, clock: Clock::Floating })
    }
}

/// So many digits as a number.
fn number(text: &str, digits: usize) -> Option<i64> {
    let is_plain = text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_plain { text.parse().ok() } else { None }
}

fn checked_day(year: i64, month: i64, day: i64) -> Result<i64, String> {
    if year < YEARS.0 || year > YEARS.1 {
        return Err(format!("lies in the year {year}; events may lie from {} to {}", YEARS.0, YEARS.1));
    }
    if !(1..=12).contains(&month) || day < 1 || day > days_in_month(year, month) {
        return Err("is no date of the calendar".to_string());
    }
    Ok(days_from_date(year, month, day))
}

/// Microseconds of the day; a leap second counts as the one before it.
fn checked_time(hour: i64, minute: i64, second: i64) -> Result<i64, String> {
    if hour > 23 || minute > 59 || second > 60 {
        return Err("is no time of the day".to_string());
    }
    Ok(hour * HOUR + minute * MINUTE + second.min(59) * SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instant(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    #[test]
    fn times_of_ical_on_their_clocks() {
        let mut zones = Zones::default();
        assert!(zones.ical("20240229", None).unwrap().clock.is_date());
        assert_eq!(zones.ical("20241225T180000", None).unwrap().instant(), None);
        let utc = zones.ical("20241225T180000Z", Some("Europe/Berlin")).unwrap();
        assert_eq!(utc.instant(), Some(instant("2024-12-25T18:00:00Z")));
        let berlin = zones.ical("20240701T180000", Some("/example.org/1/Europe/Berlin")).unwrap();
        assert_eq!(berlin.instant(), Some(instant("2024-07-01T16:00:00Z")));
        assert_eq!(utc.wall_on(&berlin.clock), instant("2024-12-25T19:00:00Z"));
        for (text, tzid, problem) in [
            ("20240230", None, "no date"),
            ("2024-12-25", None, "no time; write 20241225"),
            ("20241225T250000", None, "no time of the day"),
            ("18000101", None, "year 1800"),
            ("20241225Z", None, "no time"),
            ("20241225T180000", Some("Europe/Nowhere"), "\"Europe/Nowhere\" is no zone"),
        ] {
            let error = zones.ical(text, tzid).unwrap_err();
            assert!(error.contains(problem), "{text}: {error}");
        }
    }

    #[test]
    fn times_of_csv() {
        let mut zones = Zones::default();
        assert!(zones.iso("2024-12-25").unwrap().clock.is_date());
        assert_eq!(zones.iso("2024-12-25 18:00").unwrap().wall, instant("2024-12-25T18:00:00Z"));
        let offset = zones.iso("2024-12-25T18:00:00+01:00").unwrap();
        assert_eq!(offset.instant(), Some(instant("2024-12-25T17:00:00Z")));
        for text in ["", "yesterday", "2024-13-01", "25.12.2024", "2024-12-25T", "9999-12-31T23:59:59Z"] {
            assert!(zones.iso(text).is_err(), "{text}");
        }
    }
}
