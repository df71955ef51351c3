//! s4cast: time-series forecasting in one binary.
//!
//! ```text
//!  CSV / Parquet ──ingest──▶ Panel ──model──▶ Forecasts ──publish──▶ Parquet
//!   (polars)                   │   ridge base + S4D network (engine)
//! ```
//!
//! The modules below are layers, lowest first; a layer imports only from those above it in this list.

/// SHA-256 of the source code that this program was built from, lower-case hex.
pub const CODE_SHA256: &str = env!("S4CAST_CODE_SHA256");

pub mod machine;
pub mod series;
pub mod calendar;
pub mod hierarchy;
pub mod engine;
pub mod model;
pub mod evaluation;
pub mod store;
pub mod ingest;
pub mod publish;
pub mod registry;
pub mod live;
pub mod pipeline;
pub mod plot;
pub mod lab;
pub mod sequence;
pub mod schedule;
pub mod serve;
pub mod config;
pub mod cli;
