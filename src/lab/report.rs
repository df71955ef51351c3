//! What a benchmark found.

use crate::evaluation::score::Scores;
use crate::lab::evaluate::Evaluation;
use crate::lab::spec::{Metric, Naive2};
use crate::model::report::FitReport;
use crate::publish::Published;

/// What one forecaster reached over some windows.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Its scores.
    pub scores: Scores,
    /// Overall weighted average; `None` without figures of Naive2.
    pub owa: Option<f64>,
}

impl Figures {
    /// With OWA where the benchmark has figures of Naive2: ½ (sMAPE / sMAPE of Naive2 + MASE / MASE of Naive2).
    pub(super) fn new(scores: &Scores, naive2: Option<Naive2>) -> Figures {
        let owa = |naive2: Naive2| Some(0.5 * (scores.smape? / naive2.smape + scores.mase? / naive2.mase));
        Figures { scores: scores.clone(), owa: naive2.and_then(owa) }
    }

    /// The figure that the benchmark is about.
    pub fn main(&self, metric: Metric) -> Option<f64> {
        match metric {
            Metric::Mse => self.scores.mse,
            Metric::Mase => self.scores.mase,
            Metric::Owa => self.owa,
        }
    }
}

/// One horizon.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Steps of a forecast.
    pub horizon: usize,
    /// Origins forecast from.
    pub origins: usize,
    /// The model.
    pub model: Figures,
    /// Seasonal naive.
    pub seasonal_naive: Figures,
    /// The last value, repeated.
    pub naive: Figures,
    /// Mean absolute error relative to that of naive with the reference season, where the benchmark has one.
    pub rmae: Option<f64>,
    /// Scores of each series, ascending by id, with the relative error as above.
    pub by_series: Vec<(String, Scores, Option<f64>)>,
    /// How the groups were trained.
    pub fits: Vec<FitReport>,
    /// What came with the scores.
    pub evaluation: Evaluation,
    /// Seconds spent on training.
    pub fit_seconds: f64,
    /// Hash of the trained weights.
    pub weights_sha256: String,
    /// The forecasts, where they were asked for, and whether their quantiles are among them.
    pub saved: Option<(Published, bool)>,
}

/// All of it.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files read.
    pub files: Vec<String>,
    /// Rows read.
    pub rows: usize,
    /// Series.
    pub series: usize,
    /// SHA-256 over the series.
    pub fingerprint: String,
    /// Seconds spent on reading.
    pub read_seconds: f64,
    /// One per horizon, in the order asked for.
    pub outcomes: Vec<Outcome>,
}

impl Report {
    /// Plain mean over the horizons of a figure; `None` if it is not defined somewhere.
    pub fn mean(&self, figure: impl Fn(&Outcome) -> Option<f64>) -> Option<f64> {
        let figures: Vec<f64> = self.outcomes.iter().map(figure).collect::<Option<_>>()?;
        (!figures.is_empty()).then(|| figures.iter().sum::<f64>() / figures.len() as f64)
    }
}

/// Mean absolute error relative to another's.
pub(super) fn relative(own: &Scores, reference: &Scores) -> Option<f64> {
    Some(own.mae? / reference.mae?).filter(|ratio| ratio.is_finite())
}
