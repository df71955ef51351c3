//! Benchmark protocols: `s4cast train pipeline=… model=…`.
//!
//! A [`Pipeline`] says which files a benchmark has, where its training part ends, from which origins forecasts are scored
//! and by what. Everything goes through the [`Forecaster`](crate::model::forecaster::Forecaster), as in production: fit on
//! the training part, predict from panels that end at their origin.
//!
//! ```text
//! Pipeline, data folder ─▶ data: files ─▶ Task: panel, training part, origins ─▶ fit, evaluate ─▶ Outcome per horizon
//! ```

mod check;
mod data;
mod evaluate;
mod missing;
mod report;
mod run;
mod spec;
mod split;
mod task;

pub use evaluate::{Evaluation, NaiveScores};
pub use missing::MissingFile;
pub use report::{Figures, Outcome, Report};
pub use run::{Experiment, LabError, run};
pub use spec::{Align, Data, FitOn, Kind, Metric, Naive2, Pipeline, PipelineProblem, RawPipeline};
pub use split::{Split, SplitError};
