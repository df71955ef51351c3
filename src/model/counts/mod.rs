//! Count forecasts of many series: one zero-inflated negative binomial head, learnt over all of them.
//!
//! ```text
//! history ─▶ rates: features, start ─▶ regression: outputs = start + features · W ─▶ distribution ─▶ quantiles, whole numbers
//! ```
//!
//! Quantiles are corrected on the scale of levels, where a shift of values would leave the whole numbers: a quantile of level τ is
//! asked for at the level below which a share τ of unseen values came. Source: Kuleshov, Fenner and Ermon (2018, arXiv
//! 1807.00263), with the non-randomised probability integral transform of counts by Czado, Gneiting and Held (2009).

pub mod rates;
pub mod regression;

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use crate::engine::likelihood::{self, Likelihood};
use crate::engine::negative_binomial::Counts;
use crate::model::counts::regression::Window;
use crate::model::features::{Features, TERMS};

/// Windows that a head learns from, at most, and the last steps of each series that they lie in.
pub(super) const WINDOWS: usize = 6_000;
const SPAN: usize = 730;

/// Windows below which nothing is learnt.
const WINDOWS_MIN: usize = 30;

/// Values that levels are corrected by at least.
const VALUES_MIN: usize = 1_000;

/// A trained head.
#[derive(Clone, Debug, PartialEq)]
pub struct CountHead {
    /// What features add to the outputs, W (F, 3), in single precision as files keep it.
    pub weights: Array2<f64>,
    /// The level that each quantile (Q) is asked for at, ascending.
    pub levels: Vec<f64>,
    /// Encoded covariates (K) of its series.
    pub columns: usize,
}

/// The series that heads learn from and forecast, as far as they see them.
pub struct Panel<'a> {
    /// Values of each series, `NaN` where nothing was observed.
    pub values: Vec<&'a [f64]>,
    /// Encoded covariates of each, from its first step on.
    pub features: &'a [Arc<Features>],
    /// Encoded covariates (K).
    pub columns: usize,
    /// Season length, 1 for none.
    pub season: usize,
    /// Steps to forecast (T).
    pub horizon: usize,
}

/// Quantiles and mean of one series.
pub struct Forecast {
    /// Means (T).
    pub mean: Vec<f64>,
    /// Quantiles (T, Q), whole numbers, never decreasing along Q.
    pub quantiles: Array2<f64>,
}

/// Whether values are counts, missing ones aside: whole numbers from 0 on.
pub fn are_whole(values: &[f64]) -> bool {
    values.iter().all(|y| y.is_nan() || (*y >= 0.0 && *y == y.round() && *y < WHOLE_MAX))
}

/// Numbers beyond that are no counts.
pub const WHOLE_MAX: f64 = 1e9;

impl Panel<'_> {
    /// Inputs at an origin of a series.
    fn read(&self, likelihood: Likelihood, index: usize, origin: usize) -> Option<rates::Inputs> {
        let features = self.features.get(index);
        let extras = extras(features.map(|features| &**features), self.columns, origin, self.horizon);
        rates::read(likelihood, &self.values[index][..origin], self.season, extras.view())
    }

    /// Weights (F, P) learnt from all but the last `held` steps of each series; `None` where there is too little to learn from,
    /// or `is_over` says so before the end.
    pub fn learn(
        &self,
        likelihood: Likelihood,
        held: usize,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Option<Array2<f64>> {
        let read = |(index, origin): (usize, usize)| {
            let inputs = self.read(likelihood, index, origin)?;
            let target = self.values[index][origin..origin + self.horizon].to_vec();
            Some(Window { inputs, target })
        };
        let windows: Vec<Window> = self.origins(held).into_par_iter().filter_map(read).collect();
        if windows.len() < WINDOWS_MIN {
            return None;
        }
        let weights = regression::fit(likelihood, &windows, is_over)?;
        (!is_over()).then(|| weights.mapv(|weight| f64::from(weight as f32)))
    }

    /// Windows (series, origin) of the counts among the series: evenly spread over their last steps, those of one series apart
    /// in the list.
    fn origins(&self, held: usize) -> Vec<(usize, usize)> {
        let able: Vec<(usize, usize, usize)> = (0..self.values.len())
            .filter_map(|index| {
                let visible = self.values[index].len().checked_sub(held)?;
                if !are_whole(&self.values[index][..visible]) {
                    return None;
                }
                let last = self.values[index].len().checked_sub(held + self.horizon)?;
                let span = last.checked_sub(rates::VALUES_MIN)?.min(SPAN.max(4 * rates::reach(self.season)));
                (span > 0).then_some((index, last, span))
            })
            .collect();
        let stride = able.len().div_ceil(WINDOWS).max(1);
        let each = WINDOWS.div_ceil(able.len().max(1));
        let origin = |turn: usize, (index, last, span): (usize, usize, usize)| {
            let each = each.min(span);
            // Another place in every series, so that no day of the week or year is preferred.
            let shift = (index as f64 * GOLDEN).fract();
            (turn < each)
                .then(|| (index, last - ((turn as f64 + shift) * span as f64 / each as f64) as usize))
        };
        (0..each)
            .flat_map(|turn| able.iter().step_by(stride).filter_map(move |one| origin(turn, *one)))
            .collect()
    }

    /// The head of these weights with its levels corrected by what came at some origins that they had not seen.
    pub fn head(
        &self,
        weights: Array2<f64>,
        levels: &[f64],
        windows: &[(usize, usize)],
    ) -> (CountHead, usize) {
        let transforms = |&(index, origin): &(usize, usize)| -> Vec<(f64, f64)> {
            let Some(inputs) = self.read(Likelihood::Counts, index, origin) else { return Vec::new() };
            let future = self.values[index][origin..].iter().take(self.horizon);
            let steps = distributions(&inputs, weights.view()).into_iter().zip(future);
            let seen = steps.filter(|(_, y)| **y >= 0.0);
            seen.map(|(counts, y)| (counts.cdf(y - 1.0), counts.cdf(*y))).collect()
        };
        let known: Vec<(f64, f64)> =
            windows.par_iter().map(transforms).collect::<Vec<_>>().into_iter().flatten().collect();
        let levels = corrected(levels, &known);
        (CountHead { weights, levels, columns: self.columns }, known.len())
    }
}

/// Fraction of the golden ratio.
const GOLDEN: f64 = 0.618_033_988_749_895;

impl CountHead {
    /// The forecast at the end of a history, `NaN` where nothing was observed; covariates are aligned with its first step.
    /// `None` where values are no counts, or too few.
    pub fn forecast(
        &self,
        history: &[f64],
        features: &Features,
        season: usize,
        horizon: usize,
    ) -> Option<Forecast> {
        let end = &history[history.len().saturating_sub(rates::reach(season))..];
        if !are_whole(end) {
            return None;
        }
        let extras = extras(Some(features), self.columns, history.len(), horizon);
        let inputs = rates::read(Likelihood::Counts, end, season, extras.view())?;
        let steps = distributions(&inputs, self.weights.view());
        let mean = steps.iter().map(Counts::total_mean).collect();
        let mut quantiles = Array2::zeros((horizon, self.levels.len()));
        for (mut row, counts) in quantiles.outer_iter_mut().zip(&steps) {
            row.iter_mut().zip(counts.quantiles(&self.levels)).for_each(|(to, from)| *to = from);
        }
        quantiles
            .iter()
            .chain(&mean)
            .all(|value: &f64| value.is_finite())
            .then_some(Forecast { mean, quantiles })
    }
}

/// What covariates say of every step from an origin (T, E).
fn extras(features: Option<&Features>, columns: usize, origin: usize, horizon: usize) -> Array2<f32> {
    let mut extras = Array2::zeros((horizon, TERMS * columns));
    if let Some(features) = features.filter(|features| columns > 0 && features.width() == columns) {
        features.read(origin, extras.view_mut());
    }
    extras
}

/// The distribution of every step.
fn distributions(inputs: &rates::Inputs, weights: ArrayView2<f64>) -> Vec<Counts> {
    let outputs = regression::outputs(inputs, weights);
    outputs.outer_iter().map(|row| likelihood::counts([row[0], row[1], row[2]])).collect()
}

/// Levels, each moved to the one below which its share of some values came. `known` are the distribution function below and at
/// each of them: between the two, a value is spread evenly.
fn corrected(levels: &[f64], known: &[(f64, f64)]) -> Vec<f64> {
    if known.len() < VALUES_MIN {
        return levels.to_vec();
    }
    let share = |level: f64| {
        let below = |&(low, high): &(f64, f64)| ((level - low) / (high - low).max(1e-12)).clamp(0.0, 1.0);
        known.iter().map(below).sum::<f64>() / known.len() as f64
    };
    let mut least = 0.0;
    let correct = |&level: &f64| {
        let (mut low, mut high) = (least, 1.0);
        for _ in 0..BISECTIONS {
            let middle = 0.5 * (low + high);
            *(if share(middle) < level { &mut low } else { &mut high }) = middle;
        }
        least = 0.5 * (low + high);
        least
    };
    levels.iter().map(correct).collect()
}

/// Halvings of the search for a level: to 1e-6.
const BISECTIONS: usize = 20;

#[cfg(test)]
mod tests;
