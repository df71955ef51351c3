//! Work space: what the models see of a series, and the way back to its units.

use serde::{Deserialize, Serialize};

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
}

impl WorkSeries {
    /// The first `visible` values of a series in work space; nothing after them is looked at. Unit and noise come from
    /// the first `known` of them, so that values held back for validation do not set the scale.
    pub fn new(series: &Series, visible: usize, known: usize, space: Space, season: usize) -> WorkSeries {
        let values = &series.values[..visible];
        let unit = match space {
            Space::Log => 1.0,
            Space::Scaled => noise(&values[..known], season),
            Space::Standard => deviation(&values[..known]),
        };
        let mut target: Vec<f64> = values.iter().map(|&y| space.apply(y, unit)).collect();
        let noise = match space {
            Space::Log => noise(&target[..known], season),
            Space::Scaled | Space::Standard => 1.0,
        };
        let level = target.iter().copied().find(|y| y.is_finite()).unwrap_or(0.0);
        target.iter_mut().for_each(|y| *y -= level);
        let filled = fill(&target, season);
        WorkSeries {
            filled: filled.iter().map(|&y| y as f32).collect(),
            target: target.iter().map(|&y| y as f32).collect(),
            noise,
            unit,
            level,
        }
    }

    /// A forecast in work space, in units of the target.
    pub fn in_units(&self, space: Space, work: f64) -> f64 {
        space.invert(work + self.level, self.unit)
    }

    /// Visible steps.
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

/// Standard deviation of the observed values; that failing, their size, and 1 for a series of zeros.
pub fn deviation(values: &[f64]) -> f64 {
    let observed: Vec<f64> = values.iter().copied().filter(|y| !y.is_nan()).collect();
    let size = self::mean(&observed.iter().map(|y| y.abs()).collect::<Vec<_>>());
    let mean = self::mean(&observed);
    // In units of the size, so that gigantic values keep a finite square.
    let square = self::mean(&observed.iter().map(|y| ((y - mean) / size).powi(2)).collect::<Vec<_>>());
    let is_usable = |unit: &f64| unit.is_finite() && *unit > 1e-300;
    let deviation = Some(size * square.sqrt()).filter(|d| is_usable(d) && *d > size * 1e-9);
    deviation.or(Some(size).filter(is_usable)).unwrap_or(1.0)
}

/// Mean |y_t − y_{t−season}| over observed pairs; where that is zero or undefined, the spread or size of the values,
/// and 1 for a series of zeros: always positive and finite.
fn noise(values: &[f64], season: usize) -> f64 {
    let differences = values.iter().skip(season).zip(values).map(|(now, before)| (now - before).abs());
    let observed: Vec<f64> = values.iter().copied().filter(|y| !y.is_nan()).collect();
    let mean = mean(&observed);
    let spread: Vec<f64> = observed.iter().map(|y| (y - mean).abs()).collect();
    let size: Vec<f64> = observed.iter().map(|y| y.abs()).collect();
    let candidates = [
        self::mean(&differences.filter(|d| !d.is_nan()).collect::<Vec<_>>()),
        self::mean(&spread),
        self::mean(&size),
    ];
    // Below that, differences are the rounding of a constant.
    let floor = candidates[2] * 1e-9;
    candidates.into_iter().find(|c| c.is_finite() && *c > floor && *c > 1e-300).unwrap_or(1.0)
}

fn mean(values: &[f64]) -> f64 {
    // Dividing first keeps gigantic values finite.
    let count = values.len() as f64;
    values.iter().map(|value| value / count).sum()
}

/// Fills missing values from the past: one season earlier where known, else the last known value; before the first
/// observation, with that.
pub fn fill(values: &[f64], season: usize) -> Vec<f64> {
    let first = values.iter().copied().find(|y| !y.is_nan()).unwrap_or(0.0);
    let mut filled: Vec<f64> = Vec::with_capacity(values.len());
    for (t, &y) in values.iter().enumerate() {
        let guess = if t >= season { filled[t - season] } else { filled.last().copied().unwrap_or(first) };
        filled.push(if y.is_nan() { guess } else { y });
    }
    filled
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
    fn what_lies_behind_the_visible_part_changes_nothing() {
        let a = WorkSeries::new(&series(&[1.0, 2.0, 3.0, 4.0]), 3, 3, Space::Scaled, 1);
        let b = WorkSeries::new(&series(&[1.0, 2.0, 3.0, 1e9]), 3, 3, Space::Scaled, 1);
        assert_eq!((a.filled, a.unit), (b.filled, b.unit));
    }

    #[test]
    fn constant_and_zero_series_have_a_positive_unit() {
        assert_eq!(noise(&[5.0, 5.0, 5.0], 1), 5.0);
        assert_eq!(noise(&[0.0, 0.0], 1), 1.0);
        assert!(noise(&[1e300, -1e300, 1e300], 1).is_finite());
        assert_eq!((deviation(&[5.0, 5.0]), deviation(&[0.0, 0.0]), deviation(&[1.0, 3.0])), (5.0, 1.0, 1.0));
        assert!(deviation(&[1e300, -1e300, 1e300]).is_finite());
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
