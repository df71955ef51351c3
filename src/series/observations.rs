//! Raw observations of a series whose time stamps stand on no grid, and the grid values that they give.

use std::ops::Range;
use std::sync::Arc;

use jiff::tz::TimeZone;

use crate::series::Frequency;
use crate::series::civil::{DAY, LocalClock};

/// What was observed and when, beside the grid of a series. Cutting a series copies none.
#[derive(Clone, Debug)]
pub struct Observations {
    times: Arc<[i64]>,
    values: Arc<[f64]>,
    /// Its part of them.
    range: Range<usize>,
}

impl PartialEq for Observations {
    fn eq(&self, other: &Observations) -> bool {
        self.times() == other.times() && self.values() == other.values()
    }
}

impl Observations {
    /// Observations at ascending times, microseconds UTC, each with a value.
    ///
    /// # Panics
    /// If there are not as many values as times.
    pub fn new(times: Vec<i64>, values: Vec<f64>) -> Observations {
        assert_eq!(times.len(), values.len(), "times and values");
        let range = 0..times.len();
        Observations { times: times.into(), values: values.into(), range }
    }

    /// When, microseconds UTC.
    pub fn times(&self) -> &[i64] {
        &self.times[self.range.clone()]
    }

    /// What.
    pub fn values(&self) -> &[f64] {
        &self.values[self.range.clone()]
    }

    /// Those from one instant on and before another; without the latter, up to the last.
    pub fn between(&self, from: i64, until: Option<i64>) -> Observations {
        let times = self.times();
        let start = self.range.start + times.partition_point(|time| *time < from);
        let end = until.map_or(times.len(), |until| times.partition_point(|time| *time < until));
        let end = (self.range.start + end).max(start);
        Observations { range: start..end, ..self.clone() }
    }

    /// Those outside of some steps, ascending, of a grid.
    pub fn without(&self, steps: &[usize], grid: &[i64]) -> Observations {
        let positions = self.positions(grid);
        let is_left = |position: &f64| steps.binary_search(&(position.floor() as usize)).is_err();
        let rows = positions.iter().zip(self.times().iter().zip(self.values()));
        let left = rows.filter(|(position, _)| is_left(position)).map(|(_, (time, value))| (*time, *value));
        let (times, values) = left.unzip();
        Observations::new(times, values)
    }

    /// The grid of steps that hold the observations, and the mean of those within each: `NaN` where there are none. A grid
    /// of fixed steps stands on whole steps since 1970 UTC, one of days on midnight in `zone`, one of weeks on Mondays.
    /// `None` for steps of other kinds, and without observations.
    pub fn on_grid(&self, frequency: Frequency, zone: &TimeZone) -> Option<(Vec<i64>, Vec<f64>)> {
        let (first, last) = (*self.times().first()?, *self.times().last()?);
        let grid = frequency.grid(start_of_step(frequency, first, zone)?, last, zone);
        let mut values = Vec::with_capacity(grid.len());
        let mut at = 0;
        for step in 0..grid.len() {
            let rest = &self.times()[at..];
            let count = grid.get(step + 1).map_or(rest.len(), |end| rest.partition_point(|time| time < end));
            let sum: f64 = self.values()[at..at + count].iter().sum();
            values.push(if count == 0 { f64::NAN } else { sum / count as f64 });
            at += count;
        }
        Some((grid, values))
    }

    /// Where each observation stands on a grid of ascending times, in steps from its start: 2.5 is the middle of the third
    /// step. The last step is as long as the one before it.
    pub fn positions(&self, grid: &[i64]) -> Vec<f64> {
        let [.., before_last, last] = grid else { return vec![0.0; self.range.len()] };
        let length = last - before_last;
        let mut step = 0;
        let position = |&time: &i64| {
            while step + 1 < grid.len() && grid[step + 1] <= time {
                step += 1;
            }
            let length = grid.get(step + 1).map_or(length, |next| next - grid[step]);
            step as f64 + (time - grid[step]) as f64 / length.max(1) as f64
        };
        self.times().iter().map(position).collect()
    }
}

/// Start of the step that holds an instant.
fn start_of_step(frequency: Frequency, time: i64, zone: &TimeZone) -> Option<i64> {
    match frequency {
        Frequency::Fixed { micros } if micros > 0 => Some(time.div_euclid(micros) * micros),
        Frequency::Days { days } if days > 0 => {
            let clock = LocalClock::new(zone, time, time);
            let day = clock.civil(time).div_euclid(DAY);
            // Day 0 was a Thursday: weeks begin on Mondays.
            let day = if days % 7 == 0 { (day + 3).div_euclid(7) * 7 - 3 } else { day };
            Some(clock.first_instant(day * DAY))
        }
        _ => None,
    }
}

/// The usual step next to the median gap: what a grid for observations at any times stands on where none is declared.
/// `None` where there are not two times.
pub fn usual_step(times: &[i64]) -> Option<Frequency> {
    let mut gaps: Vec<i64> = times.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0).collect();
    if gaps.is_empty() {
        return None;
    }
    let middle = gaps.len() / 2;
    let median = *gaps.select_nth_unstable(middle).1 as f64;
    let distance = |micros: i64| (micros as f64 / median).ln().abs();
    let micros = USUAL_S.map(|seconds| seconds * 1_000_000).into_iter();
    let micros = micros.min_by(|a, b| distance(*a).total_cmp(&distance(*b)))?;
    Some(if micros % DAY == 0 { Frequency::Days { days: micros / DAY } } else { Frequency::Fixed { micros } })
}

/// Usual steps, seconds.
const USUAL_S: [i64; 20] = [
    1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 14_400, 21_600, 43_200, 86_400,
    604_800,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::civil::{HOUR, MINUTE};

    fn observations() -> Observations {
        Observations::new(vec![10, 12, 19, 40, 45], vec![1.0, 3.0, 5.0, 7.0, 9.0])
    }

    #[test]
    fn a_step_holds_the_mean_of_its_observations_and_may_be_empty() {
        let (grid, values) = observations().on_grid(Frequency::Fixed { micros: 10 }, &TimeZone::UTC).unwrap();
        assert_eq!(grid, [10, 20, 30, 40]);
        assert_eq!((values[0], values[3]), (3.0, 8.0));
        assert!(values[1].is_nan() && values[2].is_nan());
        assert_eq!(observations().positions(&grid), [0.0, 0.2, 0.9, 3.0, 3.5]);
        assert_eq!(observations().on_grid(Frequency::BusinessDays, &TimeZone::UTC), None);
        assert_eq!(observations().without(&[0, 1], &grid).positions(&grid), [3.0, 3.5]);
    }

    #[test]
    fn a_part_begins_at_an_instant_and_ends_before_another() {
        let part = observations().between(12, Some(45));
        assert_eq!((part.times(), part.values()), (&[12, 19, 40][..], &[3.0, 5.0, 7.0][..]));
        assert_eq!(part.between(13, None).times(), [19, 40]);
        assert!(part.between(90, Some(95)).times().is_empty());
    }

    #[test]
    fn days_begin_at_midnight_and_weeks_on_monday() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
        let noon = at("2024-10-27T11:00:00Z");
        assert_eq!(start_of_step(Frequency::Days { days: 1 }, noon, &zone), Some(at("2024-10-26T22:00:00Z")));
        assert_eq!(start_of_step(Frequency::Days { days: 7 }, noon, &zone), Some(at("2024-10-20T22:00:00Z")));
    }

    #[test]
    fn the_usual_step_is_the_one_next_to_the_median_gap() {
        let times: Vec<i64> = (0..50).map(|k| k * 5 * MINUTE + (k % 3) * 40_000_000).collect();
        assert_eq!(usual_step(&times), Some(Frequency::Fixed { micros: 5 * MINUTE }));
        assert_eq!(usual_step(&[0, 26 * HOUR, 50 * HOUR]), Some(Frequency::Days { days: 1 }));
        assert_eq!(usual_step(&[7, 7]), None);
    }
}
