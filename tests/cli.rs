//! The program as a person or a scheduler calls it: files, exit codes, stdout, stderr.

mod ablations;
mod backtest;
mod broken;
mod clock_changes;
mod compare;
mod config;
mod covariates;
mod daemon_config;
mod forecast;
mod hierarchy;
mod live;
mod models;
mod outputs;
mod program;
mod refusals;
mod sequence;
mod service;
mod train;
