//! Intervals that hold what they promise: every quantile is moved by what was missing on forecasts of unseen values.
//!
//! With q_τ(h) the forecast of level τ at step h, w(h) its distance from the 10 % to the 90 % quantile, and y(h) what came,
//! the correction of a level is the empirical τ-quantile of the scores
//!
//! ```text
//! e = (y(h) − q_τ(h)) / w(h)        q'_τ(h) = q_τ(h) + w(h) · Q_τ(e)
//! ```
//!
//! over validation windows, so that a share τ of them ends below q'_τ. The model says how uncertain one forecast is
//! against another, the corrections say how far off it is on the whole. Of one that states next to no width, w is a small
//! share of what others state: in units of nothing, its misses would move the rare levels of all without end. They are conformalised quantiles, one-sided,
//! with the finite-sample level τ (n + 1) / n (Romano, Patterson and Candès 2019, eq. 6), scores scaled by width
//! (Sesia and Candès 2020). Steps share their scores with their neighbours where a step alone has too few.

use ndarray::{Array2, Array3, ArrayView1, Axis, s};

use crate::model::artifact::Weights;
use crate::model::baseline::quantile;

/// Scores that a correction is taken from, where there are that many.
const SCORES: usize = 400;

/// Scores without which nothing is corrected.
const SCORES_MIN: usize = 20;

/// Width below which a forecast says nothing about its uncertainty, relative to the largest one.
const WIDTH_MIN: f64 = 1e-9;

/// The least width of a forecast that states one, as a share of the median of all.
const FLOOR: f64 = 0.05;

/// Whether the two sides of the median are corrected by their own misses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sides {
    /// Each by its own.
    Apart,
    /// Each by its own, but only away from the median: windows that something was chosen on look better than others.
    Outwards,
    /// Both alike, by the misses of both: windows of few series tell how far forecasts miss but hardly where to, for a
    /// drift in one window is a drift in all that overlap it.
    Together,
}

/// Forecasts of values that the forecaster had not seen.
pub struct Evidence {
    /// Forecasts (windows, T, Q), ascending along Q.
    pub forecasts: Array3<f64>,
    /// What came (windows, T), `NaN` where nothing was observed.
    pub actual: Array2<f64>,
    /// What it is evidence of.
    pub sides: Sides,
}

/// Windows of a tail from which on they are more than an accident.
const TAIL_MIN: usize = 40;

impl Evidence {
    /// This and more of the same.
    pub fn and(mut self, more: Evidence) -> Evidence {
        self.forecasts.append(Axis(0), more.forecasts.view()).expect("of the same steps and levels");
        self.actual.append(Axis(0), more.actual.view()).expect("of the same steps");
        self
    }

    /// This and the tail that nothing was chosen by. A tail of many series counts as much as all else: what was chosen on
    /// the other windows looks better there than it is.
    pub fn with_tail(self, tail: Evidence) -> Evidence {
        let windows = tail.actual.nrows();
        let is_many = self.sides == Sides::Apart && windows >= TAIL_MIN;
        let times = if is_many { (self.actual.nrows() / windows).max(1) } else { 1 };
        let repeated: Vec<usize> = (0..times).flat_map(|_| 0..windows).collect();
        let forecasts = tail.forecasts.select(Axis(0), &repeated);
        let actual = tail.actual.select(Axis(0), &repeated);
        self.and(Evidence { forecasts, actual, ..tail })
    }
}

/// Corrections of every step and level.
#[derive(Clone, Debug, PartialEq)]
pub struct Conformal {
    /// Shifts (T, Q) in units of a forecast's width.
    pub shifts: Array2<f64>,
    /// The least width of a forecast that states one, in work space; 0 in files that do not hold it.
    pub floor: f64,
}

/// Whether that many scores can tell where so rare a level lies.
pub fn is_enough_for(scores: usize, level: f64) -> bool {
    scores as f64 * level.min(1.0 - level) >= 1.0
}

impl Conformal {
    /// Corrections, and the least number of scores behind one. `None` where there are too few at some step.
    pub fn fit(evidence: &Evidence, levels: &[f64]) -> Option<(Conformal, usize)> {
        let Evidence { forecasts, actual, sides } = evidence;
        let (windows, horizon, _) = forecasts.dim();
        let widths = Array2::from_shape_fn((windows, horizon), |(window, step)| {
            width(forecasts.slice(s![window, step, ..]), levels)
        });
        let widest = widths.iter().copied().fold(0.0, f64::max);
        let is_usable = |window: usize, step: usize| {
            widths[[window, step]] > WIDTH_MIN * widest && actual[[window, step]].is_finite()
        };
        let mut stated: Vec<f64> =
            widths.iter().copied().filter(|width| *width > WIDTH_MIN * widest).collect();
        stated.sort_by(f64::total_cmp);
        let floor = FLOOR * quantile(&stated, 0.5);
        let per_step: Vec<Vec<usize>> = (0..horizon)
            .map(|step| (0..windows).filter(|&window| is_usable(window, step)).collect())
            .collect();
        let mut shifts = Array2::zeros((horizon, levels.len()));
        let mut least = usize::MAX;
        for step in 0..horizon {
            let steps = neighbours(step, &per_step);
            let count: usize = steps.clone().map(|step| per_step[step].len()).sum();
            least = least.min(count);
            if count < SCORES_MIN {
                return None;
            }
            for (index, &level) in levels.iter().enumerate() {
                let miss = |(window, step): (usize, usize), level: usize| {
                    (actual[[window, step]] - forecasts[[window, step, level]])
                        / widths[[window, step]].max(floor)
                };
                let windows =
                    steps.clone().flat_map(|step| per_step[step].iter().map(move |&window| (window, step)));
                let mut scores: Vec<f64> = windows.clone().map(|window| miss(window, index)).collect();
                if *sides == Sides::Together {
                    scores.extend(windows.map(|window| -miss(window, levels.len() - 1 - index)));
                }
                scores.sort_by(f64::total_cmp);
                // A level too rare for the sample moves as far as the rarest one that is not.
                let rarest = 1.0 / count as f64;
                let level = level.clamp(rarest, 1.0 - rarest);
                let shift = quantile(&scores, finite_sample(level, count));
                let shift = match sides {
                    Sides::Outwards if level < 0.5 => shift.min(0.0),
                    Sides::Outwards if level > 0.5 => shift.max(0.0),
                    _ => shift,
                };
                // In single precision, as files keep it: a loaded model forecasts the same.
                shifts[[step, index]] = f64::from(shift as f32);
            }
        }
        Some((Conformal { shifts, floor }, least))
    }

    /// The shifts as a tensor, its name after `prefix`.
    pub fn weights(&self, prefix: &str) -> Weights {
        let values = self.shifts.iter().map(|shift| *shift as f32).collect();
        Weights { name: format!("{prefix}conformal"), shape: self.shifts.shape().to_vec(), values }
    }

    /// Corrects the quantiles of one step, ascending before and after. With `keeps_median` the middle stays where it is
    /// and the others on their side of it.
    pub fn apply(&self, step: usize, row: &mut [f64], levels: &[f64], median: usize, keeps_median: bool) {
        let stated = width(ArrayView1::from(&*row), levels);
        let width = if stated > 0.0 { stated.max(self.floor) } else { stated };
        let middle = row[median];
        for (value, shift) in row.iter_mut().zip(self.shifts.row(step)) {
            *value += width * shift;
        }
        if keeps_median {
            row[median] = middle;
        }
        let middle = row[median];
        row[..median].iter_mut().for_each(|value| *value = value.min(middle));
        row[median + 1..].iter_mut().for_each(|value| *value = value.max(middle));
        row.sort_by(f64::total_cmp);
    }
}

/// Distance between the outermost deciles.
fn width(row: ArrayView1<f64>, levels: &[f64]) -> f64 {
    let at = |wanted: f64| levels.iter().position(|level| *level == wanted);
    match (at(0.1), at(0.9)) {
        (Some(lower), Some(upper)) => row[upper] - row[lower],
        _ => row[row.len() - 1] - row[0],
    }
}

/// The step and as many on both sides of it as it takes to have enough scores.
fn neighbours(step: usize, per_step: &[Vec<usize>]) -> std::ops::Range<usize> {
    let range = |reach: usize| step.saturating_sub(reach)..(step + reach + 1).min(per_step.len());
    let count = |range: std::ops::Range<usize>| per_step[range].iter().map(Vec::len).sum::<usize>();
    (0..per_step.len()).map(range).find(|range| count(range.clone()) >= SCORES).unwrap_or(0..per_step.len())
}

/// The level whose empirical quantile covers the next value with the probability asked for.
fn finite_sample(level: f64, count: usize) -> f64 {
    let wider = |level: f64| (level * (count + 1) as f64 / count as f64).min(1.0);
    if level >= 0.5 { wider(level) } else { 1.0 - wider(1.0 - level) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array3;

    const LEVELS: [f64; 5] = [0.05, 0.1, 0.5, 0.9, 0.95];

    /// Deterministic, even on 0..1.
    fn even(index: usize) -> f64 {
        (index as f64 * 0.618_033_988_749_895).fract()
    }

    /// Forecasts half as wide as they should be at the first step, twice at the second; values are even on 0..1.
    fn sample(windows: usize) -> Evidence {
        let factor = [0.5, 2.0];
        let forecasts = Array3::from_shape_fn((windows, 2, 5), |(_, step, level)| {
            0.5 + factor[step] * (LEVELS[level] - 0.5)
        });
        let actual = Array2::from_shape_fn((windows, 2), |(window, step)| even(window + 7 * step));
        Evidence { forecasts, actual, sides: Sides::Apart }
    }

    #[test]
    fn a_share_of_unseen_values_ends_below_every_level_at_every_step() {
        let evidence = sample(2_000);
        let (conformal, scores) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        assert_eq!(scores, 2_000);
        for step in 0..2 {
            let mut row: Vec<f64> = evidence.forecasts.slice(s![0, step, ..]).to_vec();
            conformal.apply(step, &mut row, &LEVELS, 2, false);
            for (value, level) in row.iter().zip(LEVELS) {
                let share = (5_000..9_000).filter(|&index| even(index) <= *value).count() as f64 / 4_000.0;
                assert!((share - level).abs() < 0.005, "step {step} level {level}: {share}");
            }
        }
    }

    #[test]
    fn forecasts_that_state_hardly_any_width_do_not_move_those_that_do() {
        let mut evidence = sample(2_000);
        // One in ten is as good as sure, and wrong.
        for mut window in evidence.forecasts.axis_chunks_iter_mut(Axis(0), 10) {
            window.index_axis_mut(Axis(0), 0).mapv_inplace(|value| 0.5 + 1e-6 * (value - 0.5));
        }
        let (conformal, _) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        let mut row: Vec<f64> = evidence.forecasts.slice(s![1, 0, ..]).to_vec();
        conformal.apply(0, &mut row, &LEVELS, 2, false);
        assert!(row[0] > -4.0 && row[4] < 5.0, "{row:?}");
        let mut sure: Vec<f64> = evidence.forecasts.slice(s![0, 0, ..]).to_vec();
        conformal.apply(0, &mut sure, &LEVELS, 2, false);
        assert!(sure[4] - sure[0] > 0.02, "{sure:?}");
    }

    #[test]
    fn quantiles_that_may_only_move_outwards_widen_where_they_are_too_narrow_and_nowhere_shrink() {
        let mut evidence = sample(2_000);
        let (free, _) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        evidence.sides = Sides::Outwards;
        let (outwards, _) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        assert_eq!(free.shifts.row(0), outwards.shifts.row(0));
        assert!(free.shifts[[1, 4]] < 0.0);
        assert_eq!([outwards.shifts[[1, 0]], outwards.shifts[[1, 4]]], [0.0, 0.0]);
    }

    #[test]
    fn a_drift_widens_both_sides_alike_where_they_are_corrected_together() {
        let mut evidence = sample(2_000);
        evidence.actual += 0.4;
        let (apart, _) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        evidence.sides = Sides::Together;
        let (together, _) = Conformal::fit(&evidence, &LEVELS).expect("enough windows");
        assert!(apart.shifts[[0, 0]] > 0.0 && apart.shifts[[0, 2]] > 0.1);
        let [lower, middle, upper] = [0, 2, 4].map(|level| together.shifts[[0, level]]);
        assert!(
            lower < 0.0 && middle.abs() < 0.02 && (lower + upper).abs() < 0.02,
            "{lower} {middle} {upper}"
        );
    }

    #[test]
    fn levels_beyond_the_sample_are_known_and_the_median_stays_where_it_is_asked_to() {
        let (conformal, scores) = Conformal::fit(&sample(30), &LEVELS).expect("enough");
        assert!(is_enough_for(scores, 0.1) && !is_enough_for(scores, 0.001));
        let mut row = [0.0, 1.0, 1.1, 2.0, 3.0];
        conformal.apply(0, &mut row, &LEVELS, 2, true);
        assert_eq!(row[2], 1.1);
        assert!(row.windows(2).all(|pair| pair[0] <= pair[1]));
    }

    #[test]
    fn a_handful_of_windows_or_forecasts_without_width_correct_nothing() {
        let few = sample(5);
        assert!(Conformal::fit(&few, &LEVELS).is_none());
        let flat = Evidence { forecasts: Array3::zeros((100, 1, 5)), actual: Array2::zeros((100, 1)), ..few };
        assert!(Conformal::fit(&flat, &LEVELS).is_none());
    }
}
