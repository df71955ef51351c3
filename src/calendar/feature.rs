//! Where an instant stands in the cycles of the calendar, as sine and cosine.
//!
//! | feature    | cycle         | moves with     | harmonics | why so many |
//! |------------|---------------|----------------|-----------|-------------|
//! | `minute`   | hour          | time           | 2         | what starts on the hour and the half hour |
//! | `hour`     | day           | time           | 4         | a morning and an evening peak; the order that Prophet takes |
//! | `weekday`  | week          | whole days     | 3         | seven days have no more: any weekly profile is a sum of these |
//! | `monthday` | month         | whole days     | 4         | pay days and month ends, about a week wide |
//! | `month`    | year          | whole months   | 6         | twelve months have no more; the sixth sine is zero and left out |
//! | `week`     | ISO week year | whole weeks    | 10        | as `year` |
//! | `year`     | year          | time           | 10        | five weeks wide; the order that Prophet takes |
//!
//! No harmonic is shorter than two steps of the grid, since the grid cannot tell it from a longer one. On business days,
//! `weekday` has 2: five days have no more. Column k of feature f is `f_sin_k` = sin(2 pi k p) or `f_cos_k`, k from 1, with
//! p in [0, 1) the part of the cycle that is over; years, months and ISO years of every length are cycles of their own.
//! Source of the orders: Taylor and Letham, "Forecasting at scale" (2018).

use crate::calendar::error::CalendarError;
use crate::series::Frequency;
use crate::series::civil::{DAY, HOUR, date_from_days, days_from_date, days_in_month, weekday};
use std::f64::consts::TAU;
use std::str::FromStr;

/// Mean length of a month, microseconds; twelve are a year of 365.25 days.
const MONTH: i64 = 2_629_800_000_000;

/// A cycle of the calendar.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Feature {
    /// Minute of the hour.
    Minute,
    /// Time of day.
    Hour,
    /// Day of the week.
    Weekday,
    /// Day of the month.
    MonthDay,
    /// Month of the year.
    Month,
    /// ISO 8601 week of its year.
    Week,
    /// Time of the year.
    Year,
}

impl Feature {
    /// Every feature, the shortest cycle first.
    pub const ALL: [Feature; 7] = [
        Feature::Minute,
        Feature::Hour,
        Feature::Weekday,
        Feature::MonthDay,
        Feature::Month,
        Feature::Week,
        Feature::Year,
    ];

    /// The word for it, which its columns start with.
    pub fn name(self) -> &'static str {
        match self {
            Feature::Minute => "minute",
            Feature::Hour => "hour",
            Feature::Weekday => "weekday",
            Feature::MonthDay => "monthday",
            Feature::Month => "month",
            Feature::Week => "week",
            Feature::Year => "year",
        }
    }

    /// What suits a step and a history of `span` microseconds: time of day, weekday and time of the year as far as the step
    /// is fine enough, `month` instead of the year for steps of months. A cycle must have been seen twice: a year in less
    /// than two cannot be told from a trend.
    pub fn auto(frequency: Frequency, span: i64) -> Vec<Feature> {
        let cycles: &[Feature] = match frequency {
            Frequency::Months { .. } => &[Feature::Month],
            _ => &[Feature::Hour, Feature::Weekday, Feature::Year],
        };
        let suits = |feature: &&Feature| {
            feature.harmonics(frequency) > 0 && feature.cycle().saturating_mul(2) <= span
        };
        cycles.iter().filter(suits).copied().collect()
    }

    /// How many harmonics a grid of that step can carry; 0 where the cycle is shorter than two steps.
    pub fn harmonics(self, frequency: Frequency) -> i64 {
        let own = match (self, frequency) {
            (Feature::Minute, _) => 2,
            (Feature::Weekday, Frequency::BusinessDays) => 2,
            (Feature::Weekday, _) => 3,
            (Feature::Hour | Feature::MonthDay, _) => 4,
            (Feature::Month, _) => 6,
            (Feature::Week | Feature::Year, _) => 10,
        };
        own.min(self.cycle() / step(frequency).saturating_mul(2).max(1))
    }

    /// Names of its columns on a grid of that step.
    ///
    /// # Errors
    /// Where the step is too coarse for the cycle.
    pub fn columns(self, frequency: Frequency) -> Result<Vec<String>, CalendarError> {
        if self.harmonics(frequency) == 0 {
            return Err(CalendarError::TooFine { feature: self.name() });
        }
        let name = |(k, wave): (i64, Wave)| {
            format!("{}_{}_{k}", self.name(), if wave == Wave::Sine { "sin" } else { "cos" })
        };
        Ok(self.waves(frequency).map(name).collect())
    }

    /// Its values, in the order of [`Feature::columns`], at a wall-clock time (microseconds).
    pub(super) fn values(self, frequency: Frequency, wall: i64) -> impl Iterator<Item = f32> {
        let turn = TAU * self.phase(wall);
        self.waves(frequency).map(move |(k, wave)| {
            let angle = turn * k as f64;
            (if wave == Wave::Sine { libm::sin(angle) } else { libm::cos(angle) }) as f32
        })
    }

    fn waves(self, frequency: Frequency) -> impl Iterator<Item = (i64, Wave)> {
        let waves = (1..=self.harmonics(frequency)).flat_map(|k| [(k, Wave::Sine), (k, Wave::Cosine)]);
        waves.filter(move |&wave| self != Feature::Month || wave != (6, Wave::Sine))
    }

    /// Length of the cycle, microseconds; months and years at their mean.
    fn cycle(self) -> i64 {
        match self {
            Feature::Minute => HOUR,
            Feature::Hour => DAY,
            Feature::Weekday => 7 * DAY,
            Feature::MonthDay => MONTH,
            Feature::Month | Feature::Week | Feature::Year => 12 * MONTH,
        }
    }

    /// The part of the cycle that is over, in [0, 1).
    fn phase(self, wall: i64) -> f64 {
        let (day, time) = (wall.div_euclid(DAY), wall.rem_euclid(DAY));
        let (year, month, of_month) = date_from_days(day);
        let part = |done: i64, whole: i64| done as f64 / whole as f64;
        match self {
            Feature::Minute => part(time % HOUR, HOUR),
            Feature::Hour => part(time, DAY),
            Feature::Weekday => part(weekday(day), 7),
            Feature::MonthDay => part(of_month - 1, days_in_month(year, month)),
            Feature::Month => part(month - 1, 12),
            Feature::Week => {
                // The week belongs to the year of its Thursday.
                let thursday = day - weekday(day) + 3;
                let (year, _, _) = date_from_days(thursday);
                let week = (thursday - days_from_date(year, 1, 1)) / 7;
                part(week, if iso_start(year + 1) - iso_start(year) > 364 { 53 } else { 52 })
            }
            Feature::Year => {
                let first = days_from_date(year, 1, 1);
                let length = days_from_date(year + 1, 1, 1) - first;
                (part(time, DAY) + (day - first) as f64) / length as f64
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Wave {
    Sine,
    Cosine,
}

/// The Monday of the first ISO week of a year, which has the fourth of January in it.
fn iso_start(year: i64) -> i64 {
    let fourth = days_from_date(year, 1, 4);
    fourth - weekday(fourth)
}

/// About how long a step lasts, microseconds.
fn step(frequency: Frequency) -> i64 {
    match frequency {
        Frequency::Fixed { micros } => micros,
        Frequency::Days { days } => days.saturating_mul(DAY),
        Frequency::BusinessDays => DAY,
        Frequency::Months { months, .. } => months.saturating_mul(MONTH),
    }
}

impl FromStr for Feature {
    type Err = CalendarError;

    fn from_str(name: &str) -> Result<Feature, CalendarError> {
        let found = Feature::ALL.into_iter().find(|feature| feature.name() == name.trim());
        found.ok_or_else(|| CalendarError::UnknownFeature(name.to_string()))
    }
}

/// The words that are known, for messages.
pub(super) fn known() -> String {
    Feature::ALL.map(Feature::name).join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const YEAR: i64 = 12 * MONTH;

    fn auto(step: &str, span: i64) -> Vec<&'static str> {
        Feature::auto(step.parse().unwrap(), span).into_iter().map(Feature::name).collect()
    }

    #[test]
    fn auto_takes_what_the_step_can_show_and_the_history_has_seen_twice() {
        assert_eq!(auto("1h", 2 * YEAR), ["hour", "weekday", "year"]);
        assert_eq!(auto("1h", 2 * YEAR - 1), ["hour", "weekday"]);
        assert_eq!(auto("15m", 2 * DAY), ["hour"]);
        assert_eq!(auto("1d", 3 * YEAR), ["weekday", "year"]);
        assert_eq!(auto("24h", 3 * YEAR), ["weekday", "year"]);
        assert_eq!(auto("1w", 3 * YEAR), ["year"]);
        assert_eq!(auto("MS", 3 * YEAR), ["month"]);
        assert_eq!(auto("QS", 3 * YEAR), ["month"]);
        assert_eq!(auto("YE", 30 * YEAR), [""; 0]);
    }

    #[test]
    fn columns_are_named_by_feature_wave_and_harmonic() {
        let columns =
            |name: &str, step: &str| name.parse::<Feature>().unwrap().columns(step.parse().unwrap());
        assert_eq!(columns("hour", "12h").unwrap(), ["hour_sin_1", "hour_cos_1"]);
        assert_eq!(columns("weekday", "1d").unwrap().len(), 6);
        assert_eq!(columns("weekday", "B").unwrap().len(), 4);
        assert_eq!(columns("month", "MS").unwrap().len(), 11);
        assert_eq!(columns("month", "QS").unwrap().len(), 4);
        assert_eq!(columns("year", "1h").unwrap().len(), 20);
        let error = columns("hour", "1d").unwrap_err().to_string();
        assert!(error.contains("hour is finer than the step"), "{error}");
        let error = "hours".parse::<Feature>().unwrap_err().to_string();
        assert!(error.contains("\"hours\"; known are auto, minute, hour"), "{error}");
    }

    #[test]
    fn phases_of_known_days() {
        let at = |year, month, day, hour| days_from_date(year, month, day) * DAY + hour * HOUR;
        assert_eq!(Feature::Hour.phase(at(2024, 5, 1, 6)), 0.25);
        assert_eq!(Feature::Weekday.phase(at(2024, 5, 1, 6)), 2.0 / 7.0);
        assert_eq!(Feature::MonthDay.phase(at(2024, 2, 29, 6)), 28.0 / 29.0);
        assert_eq!(Feature::Month.phase(at(2024, 12, 31, 6)), 11.0 / 12.0);
        assert_eq!(Feature::Week.phase(at(2020, 12, 31, 0)), 52.0 / 53.0);
        assert_eq!(Feature::Week.phase(at(2021, 1, 3, 0)), 52.0 / 53.0);
        assert_eq!(Feature::Week.phase(at(2021, 1, 4, 0)), 0.0);
        assert_eq!(Feature::Year.phase(at(2024, 7, 2, 0)), 0.5);
    }

    proptest! {
        #[test]
        fn phases_lie_in_their_cycle_at_any_time(wall in any::<i64>()) {
            for feature in Feature::ALL {
                let phase = feature.phase(wall);
                prop_assert!((0.0..1.0).contains(&phase), "{} {phase}", feature.name());
            }
        }
    }
}
