//! From a panel to a trained forecaster and its forecasts.

pub mod report;
pub mod forecaster;
pub mod ridge;
pub mod season;
pub mod spec;
pub mod windows;
pub mod work;
