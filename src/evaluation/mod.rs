//! How good forecasts are: scores of windows whose actuals are known, backtests over rolling origins, comparisons.

pub mod score;
mod sums;

#[cfg(test)]
mod score_tests;
