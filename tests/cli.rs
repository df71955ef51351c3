//! The program as a person or a scheduler calls it: files, exit codes, stdout, stderr.

mod broken;
mod config;
mod daemon_config;
mod forecast;
mod models;
mod outputs;
mod program;
mod refusals;
mod service;
mod train;
