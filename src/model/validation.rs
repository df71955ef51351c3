//! Rolling origins that every choice about a group is judged on: which map, whether the network, how wide.

use ndarray::Array3;

use crate::model::ensemble::Ensemble;
use crate::model::exam::{Accuracy, Exam};
use crate::model::work::WorkSeries;
use crate::series::Series;

/// Origins one horizon apart, earliest last, before the tail that is kept for the score.
pub struct Validation {
    folds: Vec<Exam>,
    /// Accuracy of seasonal naive, mean over the folds: a fold on which it happens to be right must not outweigh all
    /// others, as its own ratio would.
    naive: Accuracy,
}

impl Validation {
    /// `origins` folds of the series; a series takes part where `history_min` values lie before the origin.
    pub fn new(
        series: &[&Series],
        origins: usize,
        tail: usize,
        horizon: usize,
        season: usize,
        history_min: usize,
    ) -> Validation {
        // The same series in every fold: those that training sees something of.
        let chosen = sample(long_enough(series, tail + origins * horizon + history_min));
        let folds: Vec<Exam> = (1..=origins)
            .map(|fold| tail + fold * horizon)
            .map(|back| Exam::new(series, &chosen, back, horizon, season))
            .filter(Exam::has_actuals)
            .collect();
        let mean =
            |of: fn(&Accuracy) -> f64| mean(&folds.iter().map(|exam| of(&exam.naive)).collect::<Vec<_>>());
        let naive = Accuracy { mase: mean(|naive| naive.mase), smape: mean(|naive| naive.smape) };
        Validation { folds, naive }
    }

    /// Whether there is nothing to judge by.
    pub fn is_empty(&self) -> bool {
        self.folds.is_empty()
    }

    /// Error relative to that of seasonal naive over all folds, one figure per fold; a mean below 1 is better than
    /// seasonal naive.
    pub fn relative(&self, ensemble: &Ensemble, work: &[WorkSeries]) -> Vec<f64> {
        let point = |exam: &Exam| ensemble.point(&exam.pick(work), &exam.origins);
        self.folds.iter().map(|exam| exam.relative(point(exam).view(), self.naive)).collect()
    }

    /// The factor on interval widths with the smallest pinball loss over all folds.
    ///
    /// In-sample errors are smaller than those to come, so intervals made of them are too narrow; one factor, judged
    /// by a proper score, repairs most of that without moving the median. It is never below 1: a calm stretch before
    /// the end is no evidence against years of training errors.
    pub fn best_width(&self, ensemble: &Ensemble, work: &[WorkSeries]) -> f64 {
        let forecasts: Vec<Array3<f64>> =
            self.folds.iter().map(|exam| ensemble.work_forecast(&exam.pick(work), &exam.origins)).collect();
        let loss = |width: f64| -> f64 {
            let scaled = Ensemble { width, ..ensemble.clone() };
            let folds = self.folds.iter().zip(&forecasts);
            folds
                .map(|(exam, work_forecast)| {
                    exam.pinball(
                        scaled.quantiles(work_forecast.view(), &exam.pick(work)).view(),
                        &ensemble.levels,
                    )
                })
                .sum()
        };
        let candidates = (0..=16).map(|step| 1.1_f64.powi(step));
        let scored = candidates.map(|width| (width, loss(width)));
        scored.min_by(|a, b| a.1.total_cmp(&b.1)).map_or(1.0, |(width, _)| width)
    }
}

/// Series that a fold judges by at most; more would cost time and change no choice.
const SERIES_MAX: usize = 1_000;

/// Evenly spaced ones of too many.
fn sample(indices: Vec<usize>) -> Vec<usize> {
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
