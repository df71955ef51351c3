//! How good forecasts are: scores of windows whose actuals are known, backtests over rolling origins, comparisons.
