//! From a panel to a trained forecaster and its forecasts.

pub mod report;
pub mod spec;
