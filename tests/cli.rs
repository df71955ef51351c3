//! The program as a person or a scheduler calls it: files, exit codes, stdout, stderr.

mod backtest;
mod broken;
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
mod quality;
mod refusals;
mod sequence;
mod service;
mod train;
