//! Published forecasts and the models behind them, held against what came.
//!
//! ```text
//! runs + panel ─▶ truth ─▶ review   scores of every run, by horizon band and segment
//!                      └─▶ anomaly  values that were not to be expected
//!                      └─▶ adaptive correction of the next run's quantiles
//!                      └─▶ shadow   a version beside the champion on the same rows
//! candidate + champion ─▶ gate      whether it may serve          (damage: data that nothing should be learnt from)
//! scores + champion ────▶ drift     whether a training is due
//! ```

pub mod truth;
pub mod review;
pub mod shadow;
pub mod anomaly;
pub mod adaptive;
mod damage;
pub mod gate;
pub mod drift;

#[cfg(test)]
mod review_tests;
