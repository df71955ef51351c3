//! Rolling origins that every choice about a group is judged on: which maps, whether the network, how wide.

use std::ops::Range;

use ndarray::{Array2, ArrayView2, Axis, s};
use rayon::prelude::*;

use crate::model::baseline;
use crate::model::ensemble::Ensemble;
use crate::model::exam::{Accuracy, Exam, Terms};
use crate::model::group::Group;
use crate::model::holdout;
use crate::model::plan::Rolling;
use crate::model::spec::ModelSpec;
use crate::model::work::{Space, WorkSeries};
use crate::series::{Covariate, Series};

/// Origins before the tail that is kept for the score, the latest first. A window is one origin of one series; windows
/// are counted origin by origin.
pub struct Validation {
    folds: Vec<Exam>,
    /// Series index of each window.
    series: Vec<usize>,
    /// First target step of each window.
    origins: Vec<usize>,
    /// Accuracy of seasonal naive, mean over the folds: a fold on which it happens to be right must not outweigh all
    /// others, as its own ratio would.
    naive: Accuracy,
}

impl Validation {
    /// Folds of the series; a series takes part where `history_min` values lie before the earliest origin.
    pub fn new(
        series: &[&Series],
        rolling: Rolling,
        tail: usize,
        history_min: usize,
        terms: Terms,
    ) -> Validation {
        // The same series in every fold: those that training sees something of.
        let chosen = sample(long_enough(series, tail + rolling.span(terms.horizon) + history_min));
        let folds: Vec<Exam> = (0..rolling.origins)
            .map(|fold| tail + terms.horizon + fold * rolling.stride)
            .map(|back| Exam::new(series, &chosen, back, terms))
            .filter(Exam::has_actuals)
            .collect();
        let mean =
            |of: fn(&Accuracy) -> f64| mean(&folds.iter().map(|exam| of(&exam.naive)).collect::<Vec<_>>());
        let naive = Accuracy {
            mase: mean(|naive| naive.mase),
            smape: mean(|naive| naive.smape),
            mse: mean(|naive| naive.mse),
        };
        let series = folds.iter().flat_map(|exam| exam.series.iter().copied()).collect();
        let origins = folds.iter().flat_map(|exam| exam.origins.iter().copied()).collect();
        Validation { folds, series, origins, naive }
    }

    /// Whether there is nothing to judge by.
    pub fn is_empty(&self) -> bool {
        self.folds.is_empty()
    }

    /// Series index and first target step of every window.
    pub fn indices(&self) -> impl Iterator<Item = (usize, usize)> {
        self.series.iter().copied().zip(self.origins.iter().copied())
    }

    /// Series and first target step of every window.
    pub fn windows<'a>(&self, work: &'a [WorkSeries]) -> (Vec<&'a WorkSeries>, &[usize]) {
        (self.series.iter().map(|&index| &work[index]).collect(), &self.origins)
    }

    /// Error relative to that of seasonal naive over all folds, one figure per fold; a mean below 1 is better than
    /// seasonal naive.
    pub fn relative(&self, ensemble: &Ensemble, work: &[WorkSeries]) -> Vec<f64> {
        if self.is_empty() {
            return Vec::new();
        }
        let (series, origins) = self.windows(work);
        self.relative_points(ensemble.point(&series, origins).view())
    }

    /// The same of point forecasts (windows, T) in units of the target.
    pub fn relative_points(&self, points: ArrayView2<f64>) -> Vec<f64> {
        self.rows().map(|(exam, rows)| exam.relative(points.slice(s![rows, ..]), self.naive)).collect()
    }

    /// Mean error relative to seasonal naive of point forecasts (windows, T) in work space.
    pub fn error_of(&self, points: ArrayView2<f32>, space: Space, work: &[WorkSeries]) -> f64 {
        let in_units = Array2::from_shape_fn(points.dim(), |(row, step)| {
            work[self.series[row]].in_units(space, f64::from(points[[row, step]]))
        });
        mean(&self.relative_points(in_units.view()))
    }

    /// Pinball loss of whole forecasts, intervals included, over that of seasonal naive with its own: both in units of the
    /// in-sample error of each series, mean over levels, steps and windows. `all` are the series as they are. `None` where
    /// there is nothing to judge by.
    pub fn relative_loss(&self, ensemble: &Ensemble, work: &[WorkSeries], all: &[&Series]) -> Option<f64> {
        let (series, origins) = self.windows(work);
        let own = ensemble.forecast(&series, origins).quantiles;
        let (levels, Terms { horizon, season, .. }) = (&ensemble.levels, ensemble.terms);
        let losses = |(fold, row, window): (&Exam, usize, usize)| {
            let history = &all[self.series[window]].values[..self.origins[window]];
            let naive = baseline::seasonal_naive(history, season, horizon, levels);
            let loss = |quantiles: ArrayView2<f64>| fold.loss(row, quantiles, levels);
            (loss(own.index_axis(Axis(0), window)), loss(naive.view()))
        };
        let windows: Vec<(&Exam, usize, usize)> = self
            .rows()
            .flat_map(|(fold, rows)| rows.clone().map(move |window| (fold, window - rows.start, window)))
            .collect();
        let losses: Vec<(f64, f64)> = windows.into_par_iter().map(losses).collect();
        let (own, naive) = losses.iter().fold((0.0, 0.0), |sum, loss| (sum.0 + loss.0, sum.1 + loss.1));
        (naive > 0.0).then(|| own / naive)
    }

    /// Pinball loss of what a group forecasts at the origins, in units of the in-sample error of each series, bounds and
    /// fallbacks included: mean over levels, steps and windows. `all` are the series as they are.
    pub fn loss(&self, spec: &ModelSpec, group: &Group, all: &[&Series], covariates: &[Covariate]) -> f64 {
        let levels = spec.quantile_levels();
        let (mut sum, mut count) = (0.0, 0usize);
        for exam in &self.folds {
            let quantiles = holdout::published(spec, group, all, covariates, exam, &|| {}).quantiles;
            for (row, quantiles) in quantiles.outer_iter().enumerate() {
                sum += exam.loss(row, quantiles, levels);
            }
            count += exam.actual.iter().filter(|actual| !actual.is_nan()).count() * levels.len();
        }
        sum / count.max(1) as f64
    }

    /// Every fold and the windows that are its.
    fn rows(&self) -> impl Iterator<Item = (&Exam, Range<usize>)> {
        let mut start = 0;
        self.folds.iter().map(move |exam| {
            let rows = start..start + exam.series.len();
            start = rows.end;
            (exam, rows)
        })
    }
}

/// Series that a fold judges by at most; more would cost time and change no choice.
pub(super) const SERIES_MAX: usize = 1_000;

/// Evenly spaced ones of too many.
pub fn sample(indices: Vec<usize>) -> Vec<usize> {
    let stride = indices.len().div_ceil(SERIES_MAX).max(1);
    indices.into_iter().step_by(stride).collect()
}

/// Mean of fold figures; infinite where there is none.
pub fn mean(folds: &[f64]) -> f64 {
    if folds.is_empty() { f64::INFINITY } else { folds.iter().sum::<f64>() / folds.len() as f64 }
}

/// Indices of the series with at least that many steps.
pub fn long_enough(series: &[&Series], steps: usize) -> Vec<usize> {
    (0..series.len()).filter(|&index| series[index].values.len() >= steps).collect()
}
