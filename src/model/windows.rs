//! Training windows: where they start, how they are drawn, and their anchored form.

use std::ops::Range;

use rand::{Rng, RngExt};
use serde::{Deserialize, Serialize};

use crate::model::work::WorkSeries;

/// What a window's values are measured from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Anchor {
    /// Inputs and targets from the mean of this many last inputs.
    Mean(usize),
    /// Inputs from the mean of the last season of this length, targets each from the value one season (or as many as
    /// needed) earlier: a map of zeros is then seasonal naive.
    Season(usize),
}

impl Anchor {
    /// Inputs that it is made of.
    pub fn inputs(self) -> usize {
        match self {
            Anchor::Mean(len) | Anchor::Season(len) => len,
        }
    }
}

/// Geometry of the windows of one ensemble member.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Geometry {
    /// Inputs (L).
    pub lookback: usize,
    /// Targets (T).
    pub horizon: usize,
    /// What the values are measured from.
    pub anchor: Anchor,
}

/// One anchored window.
pub struct Window {
    /// Inputs minus the mean of the last of them (L).
    pub input: Vec<f32>,
    /// What each target is measured from (T), in work space.
    pub base: Vec<f32>,
    /// Standard deviation of the inputs inside the series, in work space, positive.
    pub spread: f32,
}

/// Added to the variance of a window, as in instance normalisation.
const VARIANCE_FLOOR: f32 = 1e-5;

impl Geometry {
    /// The inputs of a series before `origin`.
    pub fn window(&self, series: &WorkSeries, origin: usize) -> Window {
        let mut input = vec![0.0; self.lookback];
        series.input(origin, &mut input);
        let last = &input[self.lookback - self.anchor.inputs()..];
        let level = last.iter().sum::<f32>() / last.len() as f32;
        let base = match self.anchor {
            Anchor::Mean(_) => vec![level; self.horizon],
            Anchor::Season(season) => (0..self.horizon).map(|step| last[step % season]).collect(),
        };
        input.iter_mut().for_each(|value| *value -= level);
        // Padding repeats one value; counted in, it would make a young series look calm.
        let real = &input[self.lookback - self.lookback.min(origin.max(1))..];
        let count = real.len() as f32;
        let mean = real.iter().sum::<f32>() / count;
        let variance = real.iter().map(|value| (value - mean).powi(2)).sum::<f32>() / count;
        Window { input, base, spread: (variance + VARIANCE_FLOOR).sqrt() }
    }

    /// First origin worth a window: a third of the lookback, and the season that targets are measured from, is real.
    pub fn first_origin(&self) -> usize {
        let season = if let Anchor::Season(season) = self.anchor { season } else { 1 };
        (self.lookback / 3).max(season)
    }
}

/// One of some equal stretches of every series.
#[derive(Clone, Copy, Debug)]
pub struct Fold {
    /// Which one, counted from 0.
    pub index: usize,
    /// How many there are.
    pub of: usize,
}

impl Fold {
    /// Its steps in a series of that many.
    pub fn range(self, steps: usize) -> Range<usize> {
        steps * self.index / self.of..steps * (self.index + 1) / self.of
    }
}

/// All training origins of a group: per series a contiguous range, or two around a fold that is left out.
pub struct Origins {
    /// (series index, first origin, one past the last), ascending, empty ranges left out.
    ranges: Vec<(usize, usize, usize)>,
}

impl Origins {
    /// Origins whose targets lie inside each series, the last `held` steps left out.
    pub fn new(series: &[WorkSeries], geometry: &Geometry, held: usize) -> Origins {
        let range = |(index, series): (usize, &WorkSeries)| {
            let end = (series.steps() + 1).checked_sub(geometry.horizon + held)?;
            let start = geometry.first_origin();
            (start < end).then_some((index, start, end))
        };
        Origins { ranges: series.iter().enumerate().filter_map(range).collect() }
    }

    /// Those whose targets lie outside a fold; the last `held` steps of a series belong to none.
    pub fn without(self, fold: Fold, series: &[WorkSeries], horizon: usize, held: usize) -> Origins {
        let around = |(index, start, end): (usize, usize, usize)| {
            let hole = fold.range(series[index].steps().saturating_sub(held));
            let before = (index, start, end.min((hole.start + 1).saturating_sub(horizon)));
            let after = (index, start.max(hole.end), end);
            [before, after].into_iter().filter(|(_, start, end)| start < end)
        };
        Origins { ranges: self.ranges.into_iter().flat_map(around).collect() }
    }

    /// Number of windows.
    pub fn count(&self) -> usize {
        self.ranges.iter().map(|(_, start, end)| end - start).sum()
    }

    /// Number of windows of each range and the series that it is of.
    pub fn per_series(&self) -> impl Iterator<Item = (usize, usize)> {
        self.ranges.iter().map(|(index, start, end)| (*index, end - start))
    }

    /// Draws a series uniformly, then one of its origins uniformly.
    ///
    /// # Panics
    /// If there is no window: callers check [`Origins::count`] first.
    pub fn draw(&self, rng: &mut impl Rng) -> (usize, usize) {
        let (index, start, end) = self.ranges[rng.random_range(0..self.ranges.len())];
        (index, rng.random_range(start..end))
    }

    /// At most `count_max` windows, evenly spaced over all of them from a random offset on, in order.
    pub fn sample(&self, count_max: usize, rng: &mut impl Rng) -> Vec<(usize, usize)> {
        let all = self.ranges.iter().flat_map(|&(index, start, end)| (start..end).map(move |o| (index, o)));
        let total = self.count();
        if total <= count_max {
            return all.collect();
        }
        let step = total as f64 / count_max as f64;
        let offset = rng.random_range(0.0..step);
        let mut taken = 0;
        all.enumerate()
            .filter(|(position, _)| {
                let is_next = *position == (offset + taken as f64 * step) as usize;
                taken += usize::from(is_next);
                is_next
            })
            .map(|(_, window)| window)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_length(steps: usize) -> WorkSeries {
        WorkSeries {
            filled: vec![0.0; steps],
            target: vec![0.0; steps],
            noise: 1.0,
            unit: 1.0,
            level: 0.0,
            features: Default::default(),
            events: Default::default(),
        }
    }

    #[test]
    fn folds_share_every_series_out_and_no_target_of_a_window_around_one_lies_in_it() {
        let series = [of_length(43), of_length(20), of_length(3)];
        let geometry = Geometry { lookback: 6, horizon: 4, anchor: Anchor::Mean(1) };
        let held = 3;
        for of in [1, 4] {
            let covered: usize = (0..of).map(|index| Fold { index, of }.range(40).len()).sum();
            assert_eq!(covered, 40);
            for index in 0..of {
                let fold = Fold { index, of };
                let all = Origins::new(&series, &geometry, held);
                let kept = Origins::new(&series, &geometry, held).without(fold, &series, 4, held);
                let windows = |origins: &Origins| -> Vec<(usize, usize)> {
                    let ranges = origins.ranges.iter();
                    ranges.flat_map(|&(series, start, end)| (start..end).map(move |o| (series, o))).collect()
                };
                let touches = |&(index, origin): &(usize, usize)| {
                    let hole = fold.range(series[index].steps() - held);
                    origin < hole.end && hole.start < origin + 4
                };
                let (all, kept) = (windows(&all), windows(&kept));
                let expected: Vec<_> = all.into_iter().filter(|window| !touches(window)).collect();
                assert_eq!(kept, expected, "fold {index} of {of}");
            }
        }
    }
}
