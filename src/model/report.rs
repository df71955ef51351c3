//! What training tells the person who asked for it.

pub use crate::series::progress::{Counter, Progress, Unit};

/// Scores of a forecaster and of seasonal naive on the tail that training did not see.
#[derive(Clone, Debug)]
pub struct HoldoutScore {
    /// Series scored.
    pub series: usize,
    /// Steps of each forecast.
    pub horizon: usize,
    /// Forecasts scored per series, one horizon apart; all of them were held back.
    pub origins: usize,
    /// Mean absolute scaled error of the forecaster (scale: seasonal naive in sample), mean over series.
    pub mase: f64,
    /// The same of seasonal naive.
    pub mase_seasonal_naive: f64,
    /// Symmetric mean absolute percentage error of the forecaster, percent (0 to 200); `None` unless every value is
    /// positive.
    pub smape: Option<f64>,
    /// The same of seasonal naive.
    pub smape_seasonal_naive: Option<f64>,
    /// Share of actuals inside each central interval: (level in percent, share).
    pub coverage: Vec<(f64, f64)>,
}

/// How one group of series (all of one frequency) was trained.
#[derive(Clone, Debug)]
pub struct FitReport {
    /// Frequency of the group, as people write it (`1h`).
    pub frequency: String,
    /// Series in the group.
    pub series: usize,
    /// Season length in steps; 1 where none was found.
    pub season_length: usize,
    /// Forecaster that serves: `s4d`, `ridge`, `seasonal_naive`, `naive`, or another of the published names.
    pub model_id: &'static str,
    /// Lookbacks of the ensemble members, in steps; empty for the naive forecasters.
    pub lookbacks: Vec<usize>,
    /// Whether the model works on the logarithm of the target.
    pub log_space: bool,
    /// Trained parameters of all members, ridge included.
    pub parameters: usize,
    /// Optimizer steps of the served network, all members; 0 where no network serves.
    pub steps: usize,
    /// Optimizer steps spent on networks, whether or not they serve; 0 where none was tried.
    pub steps_tried: usize,
    /// Networks that started from those of a champion.
    pub warm: usize,
    /// Mean error on the validation origins relative to seasonal naive's, before intervals and refit; `None` where
    /// nothing was validated.
    pub validation_error: Option<f64>,
    /// Least number of unseen values behind the correction of a quantile; 0 where there were too few for any.
    pub interval_scores: usize,
    /// Share of the networks in the forecast, 0 where the gate let none through.
    pub gate: f64,
    /// What serves, with its mean weight over series; the weights add up to 1, the heaviest first.
    pub weights: Vec<(&'static str, f64)>,
    /// Series that fell back to seasonal naive.
    pub fallbacks: usize,
    /// What went wrong on the way and was dealt with, one line each.
    pub notes: Vec<String>,
    /// Whether the wall-clock budget ended training early.
    pub budget_exhausted: bool,
    /// Score on the held-back tail, where the series are long enough to hold one back.
    pub holdout: Option<HoldoutScore>,
}
