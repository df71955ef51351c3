//! How good forecasts are: scores of windows whose actuals are known, backtests over rolling origins, comparisons, trials of candidates.

pub mod spec;
pub mod score;
mod sums;
mod cutoffs;
pub mod backtest;
mod student;
pub mod compare;
pub mod trial;

#[cfg(test)]
mod compare_tests;
#[cfg(test)]
mod score_tests;
#[cfg(test)]
mod test_data;
