//! TOML files and command-line flags to checked specs; no layer below sees TOML.
//!
//! There are two kinds of file: one-shot, for `s4cast forecast`, and daemon, whose tables have names. Flags and both kinds
//! spell the same [`Settings`]: text per [`Key`], with where it was written. A check then turns the text into specs and
//! reports every problem at once, each at its place in the file.
//!
//! ```text
//! describe (what is said about every key) ─▶ reader ─▶ Settings ─▶ check ─▶ specs
//!                     └─▶ schema, render (JSON Schema; comments of `s4cast init`)
//! ```

mod allow;
mod almanac;
mod backtest;
mod check;
mod covariates;
mod daemon;
mod describe;
mod document;
mod environment;
mod exec;
mod expand;
mod file;
mod fleet;
mod http;
mod key;
mod live;
mod lab;
mod model;
mod one_shot;
mod paths;
mod plan;
mod problem;
mod reader;
mod redact;
mod render;
mod scenarios;
mod schedule;
mod schema;
mod secret;
mod settings;
mod shards;
mod signing;
mod source;
mod validate;
mod values;
mod words;
mod worker;

pub use backtest::{BacktestLaunch, RawBacktest, backtest};
pub use daemon::{Daemon, daemon};
pub use file::Env;
pub use key::{FileKind, Key, Table};
pub use lab::{BenchmarkTrain, SequenceTrain, Train, train};
pub use one_shot::{Launch, SourceLaunch, job, source};
pub use problem::{Place, Problem, Problems};
pub use reader::relative_to;
pub use render::{quoted, table};
pub use schema::schema;
pub use settings::Settings;
pub use shards::{RawRun, RunLaunch, run};
pub use validate::{Verdict, validate};
pub use values::{duration, instant, sha256, zone};
pub use words::nearest;
pub use worker::{RawWorker, WorkerLaunch, worker};

#[cfg(test)]
mod daemon_tests;
#[cfg(test)]
mod tests;
