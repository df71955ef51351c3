//! Integration tests: one binary, so that the heavy dependencies are linked once.

#![allow(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod allocations;
mod artifact;
mod cli;
mod closed_loop;
mod components;
mod daemon;
mod deploy;
mod engine_docs;
mod ensemble;
mod forecaster;
mod formats;
mod golden;
mod golden_dplr;
mod golden_sashimi;
mod golden_training;
mod gradients;
mod gradients_dplr;
mod gradients_sashimi;
mod ingest;
mod intermittent;
mod irregular;
mod irregular_engine;
mod layering;
mod leases;
mod memory;
mod mirror;
mod properties;
mod properties_dplr;
mod properties_sashimi;
mod publish;
mod publish_look;
mod registry;
mod remote;
mod resume;
mod sampling;
mod scenarios;
mod serve;
mod shadow;
mod signing;
mod support;
mod unseen;
mod warm;
mod warm_loop;
mod worker;
