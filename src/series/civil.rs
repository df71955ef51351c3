//! Civil time as plain integers: dates as days since 1970-01-01, local time as microseconds of the wall clock.
//!
//! A [`LocalClock`] lists the offsets of a zone over a span once, so that millions of conversions are searches in a
//! short table. The zone rules themselves are jiff's.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// Microseconds per second.
pub const SECOND: i64 = 1_000_000;
/// Microseconds per minute.
pub const MINUTE: i64 = 60 * SECOND;
/// Microseconds per hour.
pub const HOUR: i64 = 60 * MINUTE;
/// Microseconds per day of 24 hours.
pub const DAY: i64 = 24 * HOUR;

/// No zone was ever further than this from UTC.
const OFFSET_MAX: i64 = 26 * HOUR;

/// Microseconds of a duration; the largest number where it is longer.
pub fn micros(duration: SignedDuration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// An instant (microseconds UTC) as people and JSON read it: ISO 8601, UTC.
pub fn shown(instant: i64) -> String {
    Timestamp::from_microsecond(instant).map_or_else(|_| format!("{instant} µs"), |stamp| stamp.to_string())
}

/// Days since 1970-01-01 of a proleptic Gregorian date. `month` is 1 to 12; `day` may overflow the month.
///
/// Source: Hinnant, "chrono-Compatible Low-Level Date Algorithms" (2013).
pub fn days_from_date(year: i64, month: i64, day: i64) -> i64 {
    // The year starts in March here, so that the leap day is its last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month (1 to 12) and day (1 to 31) of a number of days since 1970-01-01.
pub fn date_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Number of days of a month (1 to 12).
pub fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Day of the week of a number of days since 1970-01-01: 0 is Monday, 6 is Sunday.
pub fn weekday(days: i64) -> i64 {
    (days + 3).rem_euclid(7)
}

/// The instants at which a wall clock shows one local time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instants {
    /// The usual case.
    One(i64),
    /// The clock jumped over that time; the instant of the jump.
    Gap(i64),
    /// The clock was set back and showed that time twice: the earlier and the later instant.
    Two(i64, i64),
}

/// Offsets of a zone over a span of time.
#[derive(Clone, Debug)]
pub struct LocalClock {
    /// (first instant, offset), ascending, microseconds; the first entry reaches back for ever.
    offsets: Vec<(i64, i64)>,
}

impl LocalClock {
    /// Offsets of `zone` from `first` to `last` (microseconds UTC, or local: a margin covers the difference).
    pub fn new(zone: &TimeZone, first: i64, last: i64) -> LocalClock {
        let micros = |seconds: i32| i64::from(seconds) * SECOND;
        if let Ok(offset) = zone.to_fixed_offset() {
            return LocalClock { offsets: vec![(i64::MIN, micros(offset.seconds()))] };
        }
        let start = timestamp(first.saturating_sub(2 * OFFSET_MAX));
        let end = timestamp(last.saturating_add(2 * OFFSET_MAX));
        let mut offsets = vec![(i64::MIN, micros(zone.to_offset(start).seconds()))];
        for transition in zone.following(start).take_while(|transition| transition.timestamp() <= end) {
            let offset = micros(transition.offset().seconds());
            // A change of the zone's name alone moves no clock.
            if offsets.last().is_some_and(|&(_, before)| before != offset) {
                offsets.push((transition.timestamp().as_microsecond(), offset));
            }
        }
        LocalClock { offsets }
    }

    /// What the wall clock shows at an instant.
    pub fn local(&self, instant: i64) -> i64 {
        instant.saturating_add(self.offsets[self.index(instant)].1)
    }

    /// As [`LocalClock::local`], but the first instant after a skipped midnight counts as that midnight, so that a
    /// daily series keeps its time of day.
    pub fn civil(&self, instant: i64) -> i64 {
        let index = self.index(instant);
        let (start, offset) = self.offsets[index];
        if index > 0 && start == instant {
            let before = instant + self.offsets[index - 1].1;
            if before % DAY == 0 && offset > self.offsets[index - 1].1 {
                return before;
            }
        }
        instant.saturating_add(offset)
    }

    /// What the wall clock is ahead of UTC, microseconds, if it is never set.
    pub fn fixed_offset(&self) -> Option<i64> {
        if let [(_, offset)] = self.offsets[..] { Some(offset) } else { None }
    }

    /// When the wall clock is set, in order, and by how much it goes forward, microseconds.
    pub fn changes(&self) -> impl DoubleEndedIterator<Item = (i64, i64)> {
        self.offsets.windows(2).map(|pair| (pair[1].0, pair[1].1 - pair[0].1))
    }

    /// When the wall clock shows `local`.
    pub fn instants(&self, local: i64) -> Instants {
        if let Some(offset) = self.fixed_offset() {
            return Instants::One(local.saturating_sub(offset));
        }
        let from = self.index(local.saturating_sub(OFFSET_MAX));
        let to = self.index(local.saturating_add(OFFSET_MAX));
        let mut found = None;
        let mut jump = None;
        for index in from..=to {
            let (start, offset) = self.offsets[index];
            let end = self.offsets.get(index + 1).map_or(i64::MAX, |&(next, _)| next);
            let instant = local.saturating_sub(offset);
            if instant < start {
                jump = jump.or(Some(start));
            } else if instant < end {
                match found {
                    None => found = Some(instant),
                    Some(earlier) => return Instants::Two(earlier, instant),
                }
            }
        }
        match (found, jump) {
            (Some(instant), _) => Instants::One(instant),
            (None, Some(jump)) => Instants::Gap(jump),
            (None, None) => Instants::One(local.saturating_sub(self.offsets[to].1)),
        }
    }

    /// The first instant at which the wall clock shows `local`, or the end of the gap that skips it.
    pub fn first_instant(&self, local: i64) -> i64 {
        match self.instants(local) {
            Instants::One(instant) | Instants::Gap(instant) | Instants::Two(instant, _) => instant,
        }
    }

    fn index(&self, instant: i64) -> usize {
        self.offsets.partition_point(|&(start, _)| start <= instant).saturating_sub(1)
    }
}

/// The jiff timestamp of an instant, clipped to the years that jiff knows.
fn timestamp(micros: i64) -> Timestamp {
    Timestamp::from_microsecond(micros).unwrap_or(if micros < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn wall(text: &str) -> i64 {
        at(&format!("{text}Z"))
    }

    fn berlin() -> LocalClock {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        LocalClock::new(&zone, wall("2023-01-01T00:00:00"), wall("2025-01-01T00:00:00"))
    }

    #[test]
    fn known_dates() {
        assert_eq!(days_from_date(1970, 1, 1), 0);
        assert_eq!(days_from_date(2000, 3, 1), 11_017);
        assert_eq!(date_from_days(-1), (1969, 12, 31));
        assert_eq!(weekday(0), 3);
        assert_eq!(days_in_month(1900, 2), 28);
    }

    #[test]
    fn a_skipped_hour_is_the_instant_of_the_jump() {
        assert_eq!(berlin().instants(wall("2024-03-31T02:30:00")), Instants::Gap(at("2024-03-31T01:00:00Z")));
        assert_eq!(berlin().instants(wall("2024-03-31T03:00:00")), Instants::One(at("2024-03-31T01:00:00Z")));
    }

    #[test]
    fn a_repeated_hour_has_two_instants() {
        let (earlier, later) = (at("2024-10-27T00:30:00Z"), at("2024-10-27T01:30:00Z"));
        assert_eq!(berlin().instants(wall("2024-10-27T02:30:00")), Instants::Two(earlier, later));
        assert_eq!(berlin().local(later), wall("2024-10-27T02:30:00"));
    }

    #[test]
    fn a_skipped_midnight_stays_midnight() {
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let midnight = wall("2018-11-04T00:00:00");
        let clock = LocalClock::new(&zone, midnight, midnight);
        let instant = clock.first_instant(midnight);
        assert_eq!(instant, at("2018-11-04T03:00:00Z"));
        assert_eq!(clock.civil(instant), midnight);
        assert_eq!(clock.local(instant), wall("2018-11-04T01:00:00"));
    }

    proptest! {
        #[test]
        fn dates_round_trip(days in -719_162i64..2_932_896) {
            let (year, month, day) = date_from_days(days);
            prop_assert_eq!(days_from_date(year, month, day), days);
            let date = jiff::civil::date(1970, 1, 1).checked_add(jiff::Span::new().days(days)).unwrap();
            prop_assert_eq!((i64::from(date.year()), i64::from(date.month()), i64::from(date.day())), (year, month, day));
            prop_assert_eq!(i64::from(date.weekday().to_monday_zero_offset()), weekday(days));
        }

        #[test]
        fn every_instant_is_found_from_its_local_time(hours in 0i64..17_500) {
            let instant = at("2023-01-01T00:00:00Z") + hours * HOUR;
            let clock = berlin();
            match clock.instants(clock.local(instant)) {
                Instants::One(one) => prop_assert_eq!(one, instant),
                Instants::Two(earlier, later) => prop_assert!(earlier == instant || later == instant),
                Instants::Gap(_) => prop_assert!(false, "a shown time is not skipped"),
            }
        }
    }
}
