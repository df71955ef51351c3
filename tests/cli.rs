//! The program as a person or a scheduler calls it: files, exit codes, stdout, stderr.

mod ablations;
mod backtest;
mod broken;
mod clock_changes;
mod compare;
mod config;
mod covariates;
mod daemon_config;
mod exec;
mod forecast;
mod hierarchy;
mod intermittent;
mod live;
mod load;
mod models;
mod outputs;
mod program;
mod quality;
mod refusals;
mod scenario;
mod sequence;
mod service;
mod top;
mod train;
