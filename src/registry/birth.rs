//! How a model came about: what the caller of the registry knows, and its form in the manifest.

use crate::model::forecaster::Extent;
use crate::model::report::{FitReport, HoldoutScore};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a model came about.
#[derive(Clone, Debug)]
pub struct Birth {
    /// UUIDv7 of the training run.
    pub run_id: String,
    /// Nominal instant of the training, microseconds UTC.
    pub slot: i64,
    /// Wall clock at the end of training, microseconds UTC.
    pub created_at: i64,
    /// SHA-256 of the settings that decide the forecasts, lower-case hex.
    pub config_sha256: String,
    /// The settings themselves.
    pub config: serde_json::Value,
    /// SHA-256 over the series trained on, lower-case hex.
    pub data_fingerprint: String,
    /// Latest cutoff of the series trained on, microseconds UTC.
    pub cutoff: i64,
    /// How each group of series was trained.
    pub reports: Vec<FitReport>,
    /// Seconds that training took.
    pub seconds: f64,
    /// Series trained on.
    pub series: usize,
    /// Rows read.
    pub rows: usize,
    /// How it did beside the model that served.
    pub judgement: Judgement,
    /// The version whose networks its own started from, if any did.
    pub warm_from: Option<Ancestor>,
}

/// The version that another one was trained from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestor {
    /// Its number.
    pub version: u32,
    /// Trainings since the last one that began with fresh networks, this one included.
    pub generation: u32,
}

/// A forecaster before it saw the end of its data, as the manifest knows it: see [`crate::model::forecaster::Unseen`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnseenFile {
    /// SHA-256 of its weights file.
    pub sha256: String,
    /// Size of that file.
    pub bytes: u64,
    /// What it has seen of the series, by frequency.
    pub extents: BTreeMap<String, Extent>,
}

/// How a candidate did beside the champion and seasonal naive, on values that it had not seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Judgement {
    /// What speaks against letting it serve; empty if nothing does.
    pub reasons: Vec<String>,
    /// What could not be asked.
    pub notes: Vec<String>,
    /// The figures, one for each frequency; empty where there was nothing to compare.
    pub trials: Vec<TrialFigures>,
}

/// Figures of one trial.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrialFigures {
    /// Frequency of the series, as people write it (`1h`).
    pub frequency: String,
    /// Forecasts of series that were compared.
    pub windows: usize,
    /// Mean absolute scaled error of the candidate there.
    pub mase: Option<f64>,
    /// Of the champion; null where it could not be compared.
    pub mase_champion: Option<f64>,
    /// Of seasonal naive.
    pub mase_seasonal_naive: Option<f64>,
    /// Probability of such a difference between equals.
    pub p_value: Option<f64>,
}

/// How one group of series was trained: a [`FitReport`] in the manifest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Figures {
    /// Frequency of the group, as people write it (`1h`).
    pub frequency: String,
    /// Series in the group.
    pub series: usize,
    /// Season length in steps; 1 where none was found.
    pub season_length: usize,
    /// Forecaster that serves.
    pub model_id: String,
    /// Lookbacks of the ensemble members, in steps.
    pub lookbacks: Vec<usize>,
    /// Whether the model works on the logarithm of the target.
    pub log_space: bool,
    /// Trained parameters of all members, ridge included.
    pub parameters: usize,
    /// Optimizer steps of the served network, all members.
    pub steps: usize,
    /// Optimizer steps spent on networks, whether or not they serve.
    pub steps_tried: usize,
    /// Share of the networks in the forecast.
    pub gate: f64,
    /// What serves, with its mean weight over series; not in the manifests of earlier programs.
    #[serde(default)]
    pub weights: BTreeMap<String, f64>,
    /// Series that fell back to seasonal naive.
    pub fallbacks: usize,
    /// What went wrong on the way and was dealt with.
    pub notes: Vec<String>,
    /// Whether the wall-clock budget ended training early.
    pub budget_exhausted: bool,
    /// Score on the tail that was held back, where there is one.
    pub holdout: Option<Score>,
}

/// Scores on the tail that training did not see: a [`HoldoutScore`] in the manifest. A figure that is no number is
/// null.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Score {
    /// Series scored.
    pub series: usize,
    /// Steps of each forecast.
    pub horizon: usize,
    /// Forecasts scored per series.
    pub origins: usize,
    /// Mean absolute scaled error of the forecaster.
    pub mase: Option<f64>,
    /// The same of seasonal naive.
    pub mase_seasonal_naive: Option<f64>,
    /// Symmetric mean absolute percentage error, percent; null unless every value is positive.
    pub smape: Option<f64>,
    /// The same of seasonal naive.
    pub smape_seasonal_naive: Option<f64>,
    /// Share of actuals inside each central interval: (level in percent, share).
    pub coverage: Vec<(f64, Option<f64>)>,
}

impl From<&FitReport> for Figures {
    fn from(report: &FitReport) -> Figures {
        Figures {
            frequency: report.frequency.clone(),
            series: report.series,
            season_length: report.season_length,
            model_id: report.model_id.into(),
            lookbacks: report.lookbacks.clone(),
            log_space: report.log_space,
            parameters: report.parameters,
            steps: report.steps,
            steps_tried: report.steps_tried,
            gate: report.gate,
            weights: report.weights.iter().map(|(name, weight)| ((*name).to_owned(), *weight)).collect(),
            fallbacks: report.fallbacks,
            notes: report.notes.clone(),
            budget_exhausted: report.budget_exhausted,
            holdout: report.holdout.as_ref().map(Score::from),
        }
    }
}

impl From<&HoldoutScore> for Score {
    fn from(score: &HoldoutScore) -> Score {
        let finite = |figure: f64| Some(figure).filter(|figure| figure.is_finite());
        Score {
            series: score.series,
            horizon: score.horizon,
            origins: score.origins,
            mase: finite(score.mase),
            mase_seasonal_naive: finite(score.mase_seasonal_naive),
            smape: score.smape.and_then(finite),
            smape_seasonal_naive: score.smape_seasonal_naive.and_then(finite),
            coverage: score.coverage.iter().map(|&(level, share)| (level, finite(share))).collect(),
        }
    }
}
