//! Work space: what the models see of a series, and the way back to its units.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::model::events::Events;
use crate::model::features::Features;
use crate::model::past::{Past, Sums};
use crate::series::Series;

/// In which space the models work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Logarithm of a positive target: errors are relative.
    Log,
    /// Target divided by the series' own mean absolute seasonal difference.
    Scaled,
    /// Target divided by the series' own standard deviation: squared errors of all series then weigh alike.
    Standard,
}

impl Space {
    /// Target to work space; `unit` is the series' [`WorkSeries::unit`].
    pub fn apply(self, y: f64, unit: f64) -> f64 {
        match self {
            Space::Log => y.ln(),
            Space::Scaled | Space::Standard => y / unit,
        }
    }

    /// Work space to target. Log values are capped where `exp` would overflow.
    fn invert(self, work: f64, unit: f64) -> f64 {
        match self {
            Space::Log => work.min(700.0).exp(),
            Space::Scaled | Space::Standard => (work * unit).clamp(-f64::MAX, f64::MAX),
        }
    }
}

/// One series in work space, as far as it is visible.
pub struct WorkSeries {
    /// Inputs: missing values filled from the past only (one season earlier, else the last observed).
    pub filled: Vec<f32>,
    /// Targets: `NaN` where nothing was observed.
    pub target: Vec<f32>,
    /// Mean absolute seasonal difference in work space, positive: the noise level of the series.
    pub noise: f64,
    /// Target units per unit of work space (1 in log space).
    pub unit: f64,
    /// First observed value in work space, which all others are measured from: single precision is then spent on how
    /// the series moves and not on how high it stands.
    pub level: f64,
    /// Encoded covariates, from the first visible step on and beyond the last one; without columns where there are none.
    pub features: Arc<Features>,
    /// Raw observations from the first visible step on, those of later steps included; none where the series has a grid of its
    /// own.
    pub events: Events,
}

impl WorkSeries {
    /// The first `visible` values of a series in work space; nothing after them is looked at. Unit and noise come from
    /// the first `known` of them, so that values held back for validation do not set the scale.
    pub fn new(series: &Series, visible: usize, known: usize, space: Space, season: usize) -> WorkSeries {
        let values = &series.values[..visible];
        let known = &values[..known];
        let first = values.iter().copied().find(|y| !y.is_nan());
        let sums = Sums { first, ..Sums::of(known, space, season) };
        let past = Past { sums, before: Cow::Borrowed(&[]), tail: values };
        let mut work = WorkSeries::of(&past, known, space, season).observed(series, 0, space);
        // A guess is looked back on, and not learnt from.
        let guesses = series.filled.iter().take_while(|step| **step < visible);
        guesses.for_each(|&step| work.target[step] = f32::NAN);
        work
    }

    /// A series as far as a forecast looks at it, in work space; `known` are values that its spread may be taken from.
    pub fn of(past: &Past<'_>, known: &[f64], space: Space, season: usize) -> WorkSeries {
        let logs = || known.iter().map(|y| y.ln()).collect();
        let (unit, noise) = match space {
            Space::Log => (1.0, past.sums.noise(logs)),
            Space::Scaled => (past.sums.noise(|| known.to_vec()), 1.0),
            Space::Standard => (past.sums.deviation(), 1.0),
        };
        let level = past.sums.first.map_or(0.0, |first| space.apply(first, unit));
        let work = |y: &f64| (space.apply(*y, unit) - level) as f32;
        let filled: Vec<f32> = match past.sums.first {
            Some(_) => past.filled(season).iter().map(work).collect(),
            None => vec![0.0; past.tail.len()],
        };
        let seen = |(y, &work): (&f64, &f32)| if y.is_nan() { f32::NAN } else { work };
        let target = past.tail.iter().zip(&filled).map(seen).collect();
        WorkSeries {
            filled,
            target,
            noise,
            unit,
            level,
            features: Arc::default(),
            events: Default::default(),
        }
    }

    /// The same with covariates, aligned with its first visible step.
    pub fn with(self, features: Arc<Features>) -> WorkSeries {
        WorkSeries { features, ..self }
    }

    /// The same with the observations of its series, whose first `skipped` steps are not visible here.
    pub fn observed(self, series: &Series, skipped: usize, space: Space) -> WorkSeries {
        let events = Events::of(series, skipped, space, self.unit, self.level);
        WorkSeries { events, ..self }
    }

    /// A forecast in work space, in units of the target.
    pub fn in_units(&self, space: Space, work: f64) -> f64 {
        space.invert(work + self.level, self.unit)
    }

    /// Visible steps, of which a [`Past`] keeps the last.
    pub fn steps(&self) -> usize {
        self.filled.len()
    }

    /// Share of missing values among the `lookback` inputs before `origin`.
    pub fn missing_share(&self, origin: usize, lookback: usize) -> f64 {
        let inputs = &self.target[origin.saturating_sub(lookback)..origin];
        inputs.iter().filter(|value| value.is_nan()).count() as f64 / inputs.len().max(1) as f64
    }

    /// Writes the `out.len()` inputs before `origin` (exclusive), repeating the first value to the left of the start.
    pub fn input(&self, origin: usize, out: &mut [f32]) {
        let padding = out.len().saturating_sub(origin);
        let first = self.filled.first().copied().unwrap_or(0.0);
        out[..padding].fill(first);
        let taken = out.len() - padding;
        out[padding..].copy_from_slice(&self.filled[origin - taken..origin]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::Frequency;

    fn series(values: &[f64]) -> Series {
        Series {
            unique_id: "a".into(),
            keys: vec![],
            frequency: Frequency::Fixed { micros: 1 },
            times: (0..values.len() as i64).collect(),
            values: values.to_vec(),
            covariates: Vec::new(),
            observations: None,
            filled: Vec::new(),
        }
    }

    #[test]
    fn missing_values_come_from_one_season_earlier_never_from_later() {
        let work = WorkSeries::new(&series(&[1.0, 2.0, f64::NAN, 4.0, f64::NAN]), 5, 5, Space::Log, 2);
        let back: Vec<f64> =
            work.filled.iter().map(|&w| work.in_units(Space::Log, f64::from(w)).round()).collect();
        assert_eq!(back, [1.0, 2.0, 1.0, 4.0, 1.0]);
        assert!(work.target[2].is_nan() && work.target[4].is_nan());
    }

    #[test]
    fn a_guess_is_an_input_and_no_target() {
        let filled = Series { filled: vec![1, 3], ..series(&[1.0, 2.0, 3.0, 9.0]) };
        let work = WorkSeries::new(&filled, 3, 3, Space::Scaled, 1);
        let plain = WorkSeries::new(&series(&[1.0, 2.0, 3.0, 9.0]), 3, 3, Space::Scaled, 1);
        assert_eq!((&work.filled, work.unit), (&plain.filled, plain.unit));
        assert!(work.target[1].is_nan() && work.target[2] == plain.target[2]);
    }

    #[test]
    fn what_lies_behind_the_visible_part_changes_nothing() {
        let a = WorkSeries::new(&series(&[1.0, 2.0, 3.0, 4.0]), 3, 3, Space::Scaled, 1);
        let b = WorkSeries::new(&series(&[1.0, 2.0, 3.0, 1e9]), 3, 3, Space::Scaled, 1);
        assert_eq!((a.filled, a.unit), (b.filled, b.unit));
    }

    #[test]
    fn inputs_before_the_start_repeat_the_first_value() {
        let work = WorkSeries::new(&series(&[2.0, 3.0, 5.0]), 3, 3, Space::Scaled, 1);
        let mut out = [0.0; 4];
        work.input(2, &mut out);
        assert_eq!(out.map(|w| work.in_units(Space::Scaled, f64::from(w)).round()), [2.0, 2.0, 2.0, 3.0]);
    }

    #[test]
    fn a_high_level_costs_no_precision() {
        let values: Vec<f64> = (0..40).map(|t| [1.0, 2.0, 4.0][t % 3]).collect();
        let high: Vec<f64> = values.iter().map(|y| y + 1e9).collect();
        let low = WorkSeries::new(&series(&values), 40, 40, Space::Scaled, 1);
        assert_eq!(WorkSeries::new(&series(&high), 40, 40, Space::Scaled, 1).filled, low.filled);
    }
}
