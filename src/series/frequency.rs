//! The step of a regular time grid.

use crate::series::civil::{
    DAY, HOUR, LocalClock, MINUTE, SECOND, date_from_days, days_from_date, days_in_month, weekday,
};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

pub use crate::series::infer::infer;
pub use crate::series::spelling::FrequencyError;

/// Longest season, steps: models hold arrays of whole seasons.
pub const SEASON_MAX: usize = 100_000;

/// Which day of the month a month-based grid stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MonthAnchor {
    /// That day (1 to 31), clipped to shorter months.
    Day(i8),
    /// The last day of the month.
    End,
}

/// Step of a regular grid: absolute below a day, civil from a day on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Frequency {
    /// A fixed number of microseconds of absolute time (sub-daily data).
    Fixed {
        /// Microseconds per step.
        micros: i64,
    },
    /// Civil days in the panel's zone; 7 is a week. A day may last 23 or 25 hours.
    Days {
        /// Days per step.
        days: i64,
    },
    /// Monday to Friday.
    BusinessDays,
    /// Civil months; 3 is a quarter, 12 a year.
    Months {
        /// Months per step.
        months: i64,
        /// Day of the month.
        anchor: MonthAnchor,
    },
}

impl Frequency {
    /// The `steps` grid timestamps that follow `last`, microseconds UTC.
    ///
    /// Steps below a day are absolute time. Days and months keep the civil time of day of `last` in `zone`; where the
    /// clock skips that time, the first instant after the gap stands in.
    pub fn after(self, last: i64, steps: usize, zone: &TimeZone) -> Vec<i64> {
        let steps = i64::try_from(steps).unwrap_or(i64::MAX);
        let reach = last.saturating_add(self.step_max().saturating_mul(steps.saturating_add(1)));
        let walk = Walk::new(self, last, zone, reach);
        (1..=steps).map(|step| walk.stamp(step)).collect()
    }

    /// When the period that a grid timestamp names is over, microseconds UTC.
    ///
    /// The timestamp is the period's start, and the next one its end. Two kinds of period last no longer than the day of
    /// their timestamp: a business day, also before a weekend, and the month that ends with a last day of the month.
    pub fn period_end(self, stamp: i64, zone: &TimeZone) -> i64 {
        let length = match self {
            Frequency::BusinessDays | Frequency::Months { anchor: MonthAnchor::End, .. } => {
                Frequency::Days { days: 1 }
            }
            own => own,
        };
        length.after(stamp, 1, zone)[0]
    }

    /// Every grid timestamp from `first` up to and including `last`, microseconds UTC.
    ///
    /// The grid stands where `first` puts it; a month-based grid whose anchor is another day than that of `first`
    /// starts on its own day of that month.
    pub fn grid(self, first: i64, last: i64, zone: &TimeZone) -> Vec<i64> {
        let walk = Walk::new(self, first, zone, last);
        (0..).map(|step| walk.stamp(step)).take_while(|&stamp| stamp <= last).collect()
    }

    /// About how many grid steps lie between two instants; exact for fixed steps.
    pub fn steps_between(self, first: i64, last: i64) -> i64 {
        let step = match self {
            Frequency::BusinessDays => DAY * 7 / 5,
            _ => self.step_max(),
        };
        last.saturating_sub(first) / step.max(1)
    }

    /// How many steps of another frequency one step lasts, as a fraction in lowest terms; `None` where that is no fixed
    /// number, as of days and months. A day counts as 24 hours.
    pub fn in_steps_of(self, other: Frequency) -> Option<(u64, u64)> {
        let micros = |frequency| match frequency {
            Frequency::Fixed { micros } => Some(micros),
            Frequency::Days { days } => days.checked_mul(DAY),
            Frequency::BusinessDays | Frequency::Months { .. } => None,
        };
        let (own, others) = match (self, other) {
            (Frequency::BusinessDays, Frequency::BusinessDays) => (1, 1),
            (Frequency::Months { months, .. }, Frequency::Months { months: others, .. }) => (months, others),
            _ => (micros(self)?, micros(other)?),
        };
        let (own, others) = (u64::try_from(own).ok()?, u64::try_from(others).ok()?);
        let divisor = gcd(own, others);
        (divisor > 0 && own > 0 && others > 0).then(|| (own / divisor, others / divisor))
    }

    /// Candidate season lengths in steps, at most [`SEASON_MAX`], the most usual first; empty where no season is usual.
    pub fn season_lengths(self) -> Vec<usize> {
        let lengths = match self {
            Frequency::Fixed { micros } => fixed_seasons(micros),
            Frequency::Days { days: 1 } => vec![7, 365],
            Frequency::Days { days } if days > 0 && days % 7 == 0 => vec![364 / days],
            Frequency::Days { .. } => Vec::new(),
            Frequency::BusinessDays => vec![5],
            Frequency::Months { months, .. } if months > 0 && 12 % months == 0 => vec![12 / months],
            Frequency::Months { .. } => Vec::new(),
        };
        lengths
            .into_iter()
            .filter_map(|length| usize::try_from(length).ok())
            .filter(|length| (2..=SEASON_MAX).contains(length))
            .collect()
    }

    /// The longest that one step can last, leap days and clock changes left aside.
    fn step_max(self) -> i64 {
        match self {
            Frequency::Fixed { micros } => micros,
            Frequency::Days { days } => days.saturating_mul(DAY),
            Frequency::BusinessDays => 3 * DAY,
            Frequency::Months { months, .. } => months.saturating_mul(31 * DAY),
        }
    }
}

/// Greatest common divisor.
fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn fixed_seasons(micros: i64) -> Vec<i64> {
    let steps = |period: i64| (micros > 0 && period % micros == 0).then(|| period / micros);
    let periods = match micros {
        SECOND => [MINUTE, HOUR],
        MINUTE => return vec![1440],
        DAY => return vec![7, 365],
        micros if micros < MINUTE => [HOUR, DAY],
        _ => [DAY, 7 * DAY],
    };
    periods.into_iter().filter_map(steps).collect()
}

/// A grid through an origin, step by step; every stamp is computed from the origin, so that nothing drifts.
struct Walk {
    frequency: Frequency,
    origin: i64,
    clock: LocalClock,
    day: i64,
    time_of_day: i64,
}

impl Walk {
    fn new(frequency: Frequency, origin: i64, zone: &TimeZone, reach: i64) -> Walk {
        let clock = LocalClock::new(zone, origin, reach);
        let civil = clock.civil(origin);
        Walk { frequency, origin, day: civil.div_euclid(DAY), time_of_day: civil.rem_euclid(DAY), clock }
    }

    fn stamp(&self, step: i64) -> i64 {
        let day = match self.frequency {
            Frequency::Fixed { micros } => return self.origin.saturating_add(step.saturating_mul(micros)),
            Frequency::Days { days } => self.day.saturating_add(step.saturating_mul(days)),
            Frequency::BusinessDays => {
                // A weekend counts as its Friday, so that the next step is Monday.
                let weekday = weekday(self.day);
                let ordinal = weekday.min(4).saturating_add(step);
                (self.day - weekday)
                    .saturating_add((ordinal / 5).saturating_mul(7))
                    .saturating_add(ordinal % 5)
            }
            Frequency::Months { months, anchor } => {
                let (year, month, _) = date_from_days(self.day);
                anchored_day((year * 12 + month - 1).saturating_add(step.saturating_mul(months)), anchor)
            }
        };
        self.clock.first_instant(day.saturating_mul(DAY).saturating_add(self.time_of_day))
    }
}

/// The anchor's day in a month that is counted from year 0.
pub(super) fn anchored_day(month_index: i64, anchor: MonthAnchor) -> i64 {
    // Years beyond any calendar are clipped, so that no caller can overflow the arithmetic of dates.
    let month_index = month_index.clamp(-12_000_000, 12_000_000);
    let (year, month) = (month_index.div_euclid(12), month_index.rem_euclid(12) + 1);
    let length = days_in_month(year, month);
    let day = match anchor {
        MonthAnchor::Day(day) => i64::from(day).clamp(1, length),
        MonthAnchor::End => length,
    };
    days_from_date(year, month, day)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use jiff::Timestamp;
    use proptest::prelude::*;

    fn at(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().as_microsecond()
    }

    fn show(times: &[i64]) -> Vec<String> {
        times.iter().map(|&t| Timestamp::from_microsecond(t).unwrap().to_string()).collect()
    }

    fn berlin() -> TimeZone {
        TimeZone::get("Europe/Berlin").unwrap()
    }

    fn frequency(text: &str) -> Frequency {
        text.parse().unwrap()
    }

    #[test]
    fn hours_are_absolute_and_days_are_civil() {
        let last = at("2024-10-26T22:00:00Z");
        let hours = frequency("1h").after(last, 4, &berlin());
        assert_eq!(hours[3] - last, 4 * HOUR);
        let days = frequency("1d").after(last, 2, &berlin());
        assert_eq!(show(&days), ["2024-10-27T23:00:00Z", "2024-10-28T23:00:00Z"]);
        let spring = frequency("1d").after(at("2024-03-30T23:00:00Z"), 1, &berlin());
        assert_eq!(show(&spring), ["2024-03-31T22:00:00Z"]);
    }

    #[test]
    fn a_skipped_time_goes_to_the_first_valid_instant_and_comes_back() {
        let days = frequency("1d").after(at("2024-03-30T01:30:00Z"), 2, &berlin());
        assert_eq!(show(&days), ["2024-03-31T01:00:00Z", "2024-04-01T00:30:00Z"]);
        let zone = TimeZone::get("America/Sao_Paulo").unwrap();
        let days = frequency("1d").after(at("2018-11-04T03:00:00Z"), 1, &zone);
        assert_eq!(show(&days), ["2018-11-05T02:00:00Z"]);
    }

    #[test]
    fn month_ends_starts_and_clipped_days() {
        let ends = frequency("ME").after(at("2024-01-31T00:00:00Z"), 3, &TimeZone::UTC);
        assert_eq!(show(&ends), ["2024-02-29T00:00:00Z", "2024-03-31T00:00:00Z", "2024-04-30T00:00:00Z"]);
        let quarters = frequency("QS").after(at("2023-10-01T00:00:00Z"), 2, &TimeZone::UTC);
        assert_eq!(show(&quarters), ["2024-01-01T00:00:00Z", "2024-04-01T00:00:00Z"]);
        let thirtieth = frequency("MS@30").after(at("2024-02-29T12:00:00Z"), 1, &TimeZone::UTC);
        assert_eq!(show(&thirtieth), ["2024-03-30T12:00:00Z"]);
    }

    #[test]
    fn business_days_skip_the_weekend_even_from_within() {
        let after = |text| show(&Frequency::BusinessDays.after(at(text), 2, &TimeZone::UTC));
        assert_eq!(after("2024-03-01T00:00:00Z"), ["2024-03-04T00:00:00Z", "2024-03-05T00:00:00Z"]);
        assert_eq!(after("2024-03-03T00:00:00Z"), ["2024-03-04T00:00:00Z", "2024-03-05T00:00:00Z"]);
    }

    #[test]
    fn periods_end_with_the_next_step_or_with_their_day() {
        let end = |word: &str, stamp: &str| show(&[frequency(word).period_end(at(stamp), &berlin())]);
        assert_eq!(end("1h", "2024-10-27T00:00:00Z"), ["2024-10-27T01:00:00Z"]);
        // The day on which the clocks go back has 25 hours.
        assert_eq!(end("1d", "2024-10-26T22:00:00Z"), ["2024-10-27T23:00:00Z"]);
        assert_eq!(end("MS", "2024-01-31T23:00:00Z"), ["2024-02-29T23:00:00Z"]);
        assert_eq!(end("ME", "2024-01-30T23:00:00Z"), ["2024-01-31T23:00:00Z"]);
        assert_eq!(end("B", "2024-02-29T23:00:00Z"), ["2024-03-01T23:00:00Z"]);
    }

    #[test]
    fn season_lengths_per_step() {
        let seasons = [
            ("1h", vec![24, 168]),
            ("15m", vec![96, 672]),
            ("30m", vec![48, 336]),
            ("5m", vec![288, 2016]),
            ("1m", vec![1440]),
            ("1d", vec![7, 365]),
            ("B", vec![5]),
            ("1w", vec![52]),
            ("MS", vec![12]),
            ("QE", vec![4]),
            ("YE", vec![]),
            ("1s", vec![60, 3600]),
            ("7h", vec![24]),
            ("24h", vec![7, 365]),
            ("10d", vec![]),
            ("2w", vec![26]),
            ("10s", vec![360, 8640]),
            ("100ms", vec![36_000]),
            ("1ms", vec![]),
        ];
        for (word, lengths) in seasons {
            assert_eq!(frequency(word).season_lengths(), lengths, "{word}");
        }
    }

    #[test]
    fn steps_are_counted_in_those_of_others() {
        let of = |one: &str, other: &str| frequency(one).in_steps_of(frequency(other));
        assert_eq!(
            (of("15m", "1h"), of("1h", "15m"), of("1h", "1h")),
            (Some((1, 4)), Some((4, 1)), Some((1, 1)))
        );
        assert_eq!(
            (of("6h", "1d"), of("1d", "1w"), of("10m", "15m")),
            (Some((1, 4)), Some((1, 7)), Some((2, 3)))
        );
        assert_eq!(
            (of("MS", "QE"), of("YE", "MS"), of("B", "B")),
            (Some((1, 3)), Some((12, 1)), Some((1, 1)))
        );
        assert_eq!((of("1d", "MS"), of("B", "1w"), of("MS", "1h")), (None, None, None));
    }

    pub(crate) fn any_frequency() -> impl Strategy<Value = Frequency> {
        let anchor = prop_oneof![Just(MonthAnchor::End), (1i8..=31).prop_map(MonthAnchor::Day)];
        prop_oneof![
            (1i64..10_000_000_000_000).prop_map(|micros| Frequency::Fixed { micros }),
            (1i64..1000).prop_map(|n| Frequency::Fixed { micros: n * MINUTE }),
            (1i64..1000).prop_map(|days| Frequency::Days { days }),
            Just(Frequency::BusinessDays),
            (1i64..100, anchor).prop_map(|(months, anchor)| Frequency::Months { months, anchor }),
        ]
    }

    proptest! {
        #[test]
        fn steps_ascend_and_continue(frequency in any_frequency(), last in 0i64..2_000_000_000_000_000) {
            let zone = berlin();
            let all = frequency.after(last, 6, &zone);
            prop_assert!(all[0] > last);
            prop_assert!(all.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert_eq!(&frequency.grid(last, all[5], &zone)[1..], &all[..]);
            // A stamp that stands in for a time which the clock skips would start a grid at another time of day.
            let clock = LocalClock::new(&zone, last, all[5]);
            let is_same_time = clock.civil(all[0]).rem_euclid(DAY) == clock.civil(last).rem_euclid(DAY);
            if is_same_time || matches!(frequency, Frequency::Fixed { .. }) {
                prop_assert_eq!(frequency.grid(all[0], all[5], &zone).len(), 6);
            }
        }

        #[test]
        fn no_step_overflows(frequency in any_frequency(), last in any::<i64>()) {
            frequency.after(last, 3, &TimeZone::UTC);
        }
    }
}
