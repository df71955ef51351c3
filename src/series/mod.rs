//! Values that every layer above shares: series on a regular time grid, their frequency, quality and forecasts.
//!
//! No IO, no clock, no frames: a [`Panel`] is what ingestion produces and what models, baselines and publication read.
//! Timestamps are microseconds since the Unix epoch, UTC. A missing value is `NaN`.

pub mod civil;
pub mod covariate;
pub mod ends;
pub mod forecast;
pub mod frequency;
pub mod infer;
pub mod metric;
pub mod observations;
pub mod progress;
pub mod quality;
pub mod shard;
pub mod spelling;
pub mod version;

pub use covariate::{Covariate, Known};
pub use ends::Ends;
pub use forecast::{Forecasts, ScenarioForecasts, SeriesForecast, Status};
pub use frequency::{Frequency, SEASON_MAX};
pub use observations::Observations;
pub use quality::{Note, Quality, Verdict};
pub use shard::{Shard, ShardError};

use jiff::tz::TimeZone;
use std::collections::BTreeMap;

/// One series on a complete regular grid.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Composed id: the values of the id columns joined by `/`; `series` where the input has no id column.
    pub unique_id: String,
    /// Values of the id columns, in the order of [`Panel::id_columns`].
    pub keys: Vec<String>,
    /// Step of the grid.
    pub frequency: Frequency,
    /// Grid timestamps, ascending, one per step without holes; the last one holds an observed value.
    pub times: Vec<i64>,
    /// Target, one per grid timestamp; `NaN` where nothing was observed.
    pub values: Vec<f64>,
    /// One row for each of [`Panel::covariates`].
    pub covariates: Vec<covariate::Row>,
    /// What was observed and when, where that is not the grid: the values are then the means of the observations within
    /// each step. `None` for a series that was read as regular.
    pub observations: Option<Observations>,
    /// Steps, ascending, whose value is a guess in place of a missing one: looked back on like others, but no actuals.
    pub filled: Vec<usize>,
}

impl Series {
    /// Timestamp of the last grid step, or `None` for an empty series.
    pub fn cutoff(&self) -> Option<i64> {
        self.times.last().copied()
    }

    /// Number of observed (not missing) values.
    pub fn observed(&self) -> usize {
        self.values.iter().filter(|y| !y.is_nan()).count() - self.filled.len()
    }

    /// The observed value of a step; `NaN` where there is none, though a guess may stand for it.
    pub fn actual(&self, step: usize) -> f64 {
        if self.filled.binary_search(&step).is_ok() { f64::NAN } else { self.values[step] }
    }

    /// Number of the first `steps` steps up to the last one that was observed.
    pub fn observed_until(&self, steps: usize) -> usize {
        (0..steps.min(self.values.len()))
            .rev()
            .find(|step| !self.actual(*step).is_nan())
            .map_or(0, |last| last + 1)
    }
}

/// All usable series of one source.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Names of the id columns in the input; empty where the input has none (one series, or wide input).
    pub id_columns: Vec<String>,
    /// What comes with the target, in the order of each series' rows.
    pub covariates: Vec<Covariate>,
    /// Series, ascending by `unique_id`.
    pub series: Vec<Series>,
    /// Zone in which civil time (days, months, calendar features) is read.
    pub zone: TimeZone,
    /// Status that the data gives the forecast of a series, by `unique_id`: `Fallback` is forecast by seasonal naive,
    /// whatever the model; `Stale` as usual. Their history is trained on like any other: a global model should not
    /// change for all because one meter froze.
    pub marks: BTreeMap<String, Status>,
}
