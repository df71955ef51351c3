//! Series of steps below a day as the wall clock has them, where a clock changes within what a forecast looks at.
//!
//! ```text
//! instants, UTC     … 22 23 | 00 01 02 03 …       the clock goes from 02:00 to 03:00 at 01:00
//! wall clock        … 23 00 | 01 03 04 05 …
//! as it is read     … 23 00   01 __ 03 04 05 …    what stood before the change moves by what the clock moved
//! ```
//!
//! What follows people's days repeats itself by the wall clock, so after a change every value comes an hour earlier or later than
//! the steps before tell. A map of the last weeks would be off by that hour until the change has left them. So values before a
//! change are read as if the clock had always stood as it does at the cutoff, and forecasts beyond a change in the horizon
//! are moved alike. What the clock skips is missing; of what it shows twice, one stays. Series on whole days are civil anyway.
//!
//! What follows the sun knows no clock. Whoever's weeks after earlier changes were nearer to the weeks before by the time that has
//! passed than by the clock is left as it is.

use std::borrow::Cow;

use jiff::tz::TimeZone;
use ndarray::Array2;
use rayon::prelude::*;

use crate::model::predict::Made;
use crate::series::civil::{DAY, Instants, LocalClock};
use crate::series::covariate::Row;
use crate::series::{Frequency, Known, Panel, Series};

/// How one series is read by the wall clock.
pub(super) struct Wall {
    /// Microseconds.
    step: i64,
    /// First and last time of the series, microseconds UTC.
    first: i64,
    last: i64,
    /// What the clock is ahead of UTC at the last time, microseconds.
    offset: i64,
    /// Steps from which on it is read in another way.
    from: usize,
    clock: LocalClock,
}

/// Whether a clock may change between the first of the last `reach` steps before `cutoff`, or `start` if that is later, and the
/// end of the horizon. Never where steps are civil days.
pub(super) fn changes(
    zone: &TimeZone,
    frequency: Frequency,
    (start, cutoff): (i64, i64),
    reach: usize,
    horizon: usize,
) -> bool {
    let Frequency::Fixed { micros } = frequency else { return false };
    clock(zone, micros, (start, cutoff), reach, horizon).fixed_offset().is_none()
}

fn clock(
    zone: &TimeZone,
    step: i64,
    (start, cutoff): (i64, i64),
    reach: usize,
    horizon: usize,
) -> LocalClock {
    let long = |steps: usize| step.saturating_mul(i64::try_from(steps).unwrap_or(i64::MAX));
    LocalClock::new(zone, cutoff.saturating_sub(long(reach)).max(start), cutoff.saturating_add(long(horizon)))
}

/// A panel whose series are read by the wall clock from their beginning on, as what learns from them wants it: no window
/// of the history lies across a change. Times and lengths stay what they are.
pub(super) fn read(panel: &Panel, horizon: usize) -> Cow<'_, Panel> {
    let wall = |one: &Series| Wall::of(one, one.values.len(), horizon, &panel.zone);
    let walls: Vec<Option<Wall>> = panel.series.par_iter().map(wall).collect();
    if walls.iter().all(Option::is_none) {
        return Cow::Borrowed(panel);
    }
    let read = |(one, wall): (&Series, &Option<Wall>)| {
        wall.as_ref().map_or_else(|| one.clone(), |wall| wall.read(one))
    };
    let series = panel.series.par_iter().zip(&walls).map(read).collect();
    Cow::Owned(Panel {
        id_columns: panel.id_columns.clone(),
        covariates: panel.covariates.clone(),
        series,
        zone: panel.zone.clone(),
        marks: panel.marks.clone(),
    })
}

impl Wall {
    /// Of a series that ends at its last time; `None` where no clock changes within its last `reach` steps and the horizon.
    pub(super) fn of(series: &Series, reach: usize, horizon: usize, zone: &TimeZone) -> Option<Wall> {
        let Frequency::Fixed { micros: step } = series.frequency else { return None };
        // A network on raw observations has no steps to read in another way.
        if series.observations.is_some() {
            return None;
        }
        let (first, last) = (*series.times.first()?, series.cutoff()?);
        let clock = clock(zone, step, (first, last), reach, horizon);
        if clock.fixed_offset().is_some() || !follows(series, step, zone) {
            return None;
        }
        let from = series.values.len().saturating_sub(reach);
        Some(Wall { step, first, last, offset: clock.local(last) - last, from, clock })
    }

    /// The series as it is read, covariates included.
    pub(super) fn read(&self, series: &Series) -> Series {
        let steps = series.values.len();
        let mut read = series.clone();
        for at in self.from..steps {
            read.values[at] = self.value(&series.values, at, false);
        }
        for row in read.covariates.iter_mut().filter(|row| row.known() != Known::Static) {
            let own = row.values().to_vec();
            let moved = |at| if at < self.from { own[at] } else { self.value(&own, at, true) };
            *row = Row::new(row.known(), (0..own.len()).map(moved).collect());
        }
        read
    }

    /// What stands at a step; between two where the clock changes by a part of a step, or the earlier of them.
    fn value(&self, values: &[f64], at: usize, is_earlier: bool) -> f64 {
        let own = self.first.saturating_add(self.step.saturating_mul(at as i64));
        let instant = match self.clock.instants(own.saturating_add(self.offset)) {
            Instants::One(instant) => instant,
            Instants::Two(earlier, later) => {
                if own == later {
                    later
                } else {
                    earlier
                }
            }
            Instants::Gap(_) => return f64::NAN,
        };
        let apart = instant.saturating_sub(self.first);
        let of = |place: i64| {
            usize::try_from(place).ok().and_then(|place| values.get(place)).copied().unwrap_or(f64::NAN)
        };
        let (place, rest) = (apart.div_euclid(self.step), apart.rem_euclid(self.step));
        if rest == 0 || is_earlier { of(place) } else { between(of(place), of(place + 1), rest, self.step) }
    }

    /// A forecast of the series as it was read, at the instants that follow it.
    pub(super) fn back(&self, made: Made) -> Made {
        let horizon = made.point.len();
        let day = if DAY % self.step == 0 { DAY / self.step } else { 0 };
        let inside = |step: i64| {
            let step = match step {
                // The hour that comes again, and the one behind the end: what was forecast of the same time of another day.
                step if step < 1 => step + day,
                step if step > horizon as i64 => step - day,
                step => step,
            };
            usize::try_from(step.clamp(1, horizon as i64) - 1).unwrap_or_default()
        };
        let places: Vec<(usize, usize, i64)> = (1..=horizon as i64)
            .map(|step| {
                let instant = self.last.saturating_add(self.step.saturating_mul(step));
                let apart = self.clock.local(instant) - self.offset - self.last;
                let place = apart.div_euclid(self.step);
                (inside(place), inside(place + 1), apart.rem_euclid(self.step))
            })
            .collect();
        let at = |(one, two, rest): (usize, usize, i64), of: &dyn Fn(usize) -> f64| match rest {
            0 => of(one),
            rest => between(of(one), of(two), rest, self.step),
        };
        let levels = made.quantiles.ncols();
        let quantiles = Array2::from_shape_fn((horizon, levels), |(step, level)| {
            at(places[step], &|place| made.quantiles[(place, level)])
        });
        let point = places.iter().map(|&place| at(place, &|place| made.point[place])).collect();
        Made { point, quantiles, ..made }
    }
}

/// A week: what a value is compared with, so that days of the week do not count.
const WEEK: i64 = 7 * DAY;

/// Last changes of the clock that are looked at: two years of them.
const CHANGES: usize = 4;

/// Whether values after changes of the clock were no further from those of a week before by the clock than from those by the
/// time that has passed; where less than a day of them tells, it is taken for granted.
fn follows(series: &Series, step: i64, zone: &TimeZone) -> bool {
    let (Some(&first), Some(last)) = (series.times.first(), series.cutoff()) else { return true };
    let at = |instant: i64| {
        let place = usize::try_from(instant.saturating_sub(first).div_euclid(step)).ok()?;
        series.values.get(place).copied().filter(|value| !value.is_nan())
    };
    let (mut by_clock, mut by_time, mut days) = (0.0, 0.0, 0.0);
    let clock = LocalClock::new(zone, first, last);
    for (change, forward) in clock.changes().filter(|(change, _)| *change < last).rev().take(CHANGES) {
        // From there on, what lies a week back by the clock is after the change, too.
        let end = last.min(change.saturating_add(WEEK - forward.abs()));
        let begin = first.saturating_add((change - first).div_euclid(step).saturating_add(1) * step);
        for instant in (begin..=end).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
            let before = instant - WEEK;
            if let (Some(y), Some(clock), Some(time)) = (at(instant), at(before + forward), at(before)) {
                by_clock += (y - clock).abs();
                by_time += (y - time).abs();
                days += step as f64 / DAY as f64;
            }
        }
    }
    days < 1.0 || by_clock <= by_time
}

/// A part of the way from one value to the next.
fn between(one: f64, two: f64, part: i64, whole: i64) -> f64 {
    one + (two - one) * (part as f64 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Status;
    use crate::series::civil::{HOUR, MINUTE};

    /// The time of the day that a zone's clock shows, in steps.
    fn time_of_day(zone: &TimeZone, instant: i64, step: i64) -> f64 {
        let clock = LocalClock::new(zone, instant, instant);
        (clock.local(instant).rem_euclid(DAY) as f64) / step as f64
    }

    /// Sixty days of a series that shows the time of day, up to some hours around a change.
    fn series(zone: &TimeZone, change: &str, hours: i64, step: i64) -> Series {
        let change = change.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let last = change + hours * HOUR;
        let times: Vec<i64> = (0..60 * DAY / step).rev().map(|back| last - back * step).collect();
        let values: Vec<f64> = times.iter().map(|&time| time_of_day(zone, time, step)).collect();
        let row = Row::new(Known::Future, values.clone());
        let frequency = Frequency::Fixed { micros: step };
        Series {
            unique_id: "a".into(),
            keys: Vec::new(),
            frequency,
            times,
            values,
            covariates: vec![row],
            observations: None,
            filled: Vec::new(),
        }
    }

    #[test]
    fn days_repeat_themselves_across_a_change_and_forecasts_stand_at_its_times() {
        let cases = [
            ("Europe/Berlin", "2024-03-31T01:00:00Z", HOUR),
            ("Europe/Berlin", "2024-10-27T01:00:00Z", 15 * MINUTE),
            ("America/New_York", "2024-11-03T06:00:00Z", HOUR),
            ("Australia/Lord_Howe", "2024-04-06T15:00:00Z", 30 * MINUTE),
            ("Australia/Lord_Howe", "2024-10-05T15:30:00Z", 15 * MINUTE),
        ];
        for (name, change, step) in cases {
            let zone = TimeZone::get(name).unwrap();
            let (day, horizon) = ((DAY / step) as usize, (2 * DAY / step) as usize);
            for hours in [-30, -5, 0, 1, 2, 20, 100] {
                let series = series(&zone, change, hours, step);
                let wall = Wall::of(&series, 21 * day, horizon, &zone).unwrap();
                let read = wall.read(&series);
                let tail = &read.values[read.values.len() - 20 * day..];
                let is_same = |(one, two): (&f64, &f64)| one.is_nan() || two.is_nan() || one == two;
                assert!(tail.iter().zip(&tail[day..]).all(is_same), "{name} {hours}");
                let missing = tail.iter().filter(|value| value.is_nan()).count();
                assert!(missing as i64 <= HOUR / step, "{name} {hours}: {missing} missing");
                let same_row = read.covariates[0].values().iter().zip(&read.values);
                assert!(same_row.clone().all(|(a, b)| a == b || a.is_nan() && b.is_nan()), "{name} {hours}");
                // A forecast that repeats the day is right at every instant but those that have no yesterday.
                let point: Vec<f64> =
                    (0..horizon).map(|at| (tail[tail.len() - 1] + 1.0 + at as f64) % day as f64).collect();
                let quantiles = Array2::from_shape_fn((horizon, 1), |(at, _)| point[at]);
                let (status, model_id) = (Status::Ok, "naive");
                let made =
                    wall.back(Made { point, quantiles, reach: 1.0, status, model_id, weights: vec![] });
                let last = series.cutoff().unwrap();
                for (at, value) in made.point.iter().enumerate() {
                    let expected = time_of_day(&zone, last + (at as i64 + 1) * step, step);
                    assert_eq!(*value, expected, "{name} {hours}: step {}", at + 1);
                    assert_eq!(made.quantiles[(at, 0)], expected);
                }
            }
        }
    }

    #[test]
    fn nothing_is_read_in_another_way_where_no_clock_changes() {
        let berlin = TimeZone::get("Europe/Berlin").unwrap();
        let far = series(&berlin, "2024-03-31T01:00:00Z", 40 * 24, HOUR);
        assert!(Wall::of(&far, 100, 24, &berlin).is_none());
        let (first, last) = (far.times[0], far.times[far.times.len() - 1]);
        assert!(!changes(&berlin, far.frequency, (first, last), 100, 24));
        assert!(changes(&berlin, far.frequency, (first, last), 1000, 24));
        assert!(!changes(&berlin, Frequency::Days { days: 1 }, (first, last), 1000, 24));
        let kathmandu = TimeZone::get("Asia/Kathmandu").unwrap();
        assert!(
            Wall::of(&series(&kathmandu, "2024-03-31T01:00:00Z", 5, HOUR), 1000, 24, &kathmandu).is_none()
        );
    }

    #[test]
    fn what_learns_sees_no_change_anywhere_in_a_history() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let people = series(&zone, "2024-03-31T01:00:00Z", 20 * 24, HOUR);
        let panel = |zone: TimeZone| Panel {
            id_columns: Vec::new(),
            covariates: Vec::new(),
            series: vec![Series { covariates: Vec::new(), ..people.clone() }],
            zone,
            marks: std::collections::BTreeMap::new(),
        };
        let own = panel(zone);
        let seen = read(&own, 24);
        let (values, times) = (&seen.series[0].values, &seen.series[0].times);
        assert_eq!((values.len(), times), (people.values.len(), &people.times));
        let days = values.iter().zip(&values[24..]);
        assert!(days.clone().all(|(one, two)| one.is_nan() || two.is_nan() || one == two));
        assert!(people.values.iter().zip(&people.values[24..]).any(|(one, two)| one != two));
        assert!(matches!(read(&panel(TimeZone::UTC), 24), Cow::Borrowed(_)));
    }

    #[test]
    fn what_follows_the_sun_is_left_as_it_is_once_a_change_has_shown_it() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        for hours in [30, 100, 10 * 24] {
            let people = series(&zone, "2024-03-31T01:00:00Z", hours, HOUR);
            let noon =
                |time: &i64| ((time.rem_euclid(DAY) as f64 / DAY as f64) * std::f64::consts::TAU).sin();
            let sun = Series { values: people.times.iter().map(noon).collect(), ..people.clone() };
            assert!(Wall::of(&people, 500, 24, &zone).is_some(), "{hours}");
            assert!(Wall::of(&sun, 500, 24, &zone).is_none(), "{hours}");
        }
        let early = series(&zone, "2024-03-31T01:00:00Z", 5, HOUR);
        assert!(Wall::of(&early, 500, 24, &zone).is_some(), "five hours tell nothing");
    }

    #[test]
    fn a_change_by_half_a_step_takes_what_lies_between() {
        let zone = TimeZone::get("Australia/Lord_Howe").unwrap();
        let series = series(&zone, "2024-04-06T15:00:00Z", 10, HOUR);
        let wall = Wall::of(&series, 200, 24, &zone).unwrap();
        let read = wall.read(&series);
        let at = read.values.len() - 20;
        assert!((read.values[at] - (series.values[at - 1] + series.values[at]) / 2.0).abs() < 1e-12);
    }
}
