//! Forecasts and quality reports to files: schema v1, written atomically.
//!
//! Every file goes to a hidden temporary neighbour first, is synced, opened again and verified, and only then renamed
//! over its path. A reader sees the whole old file or the whole new one, and a failure leaves nothing behind.
//!
//! The runs of a job stand below a sink, one file each, and the newest one a second time at a fixed path:
//!
//! ```text
//! OUT/job=J/issued_date=2026-01-31/run_id=R/part-0.parquet     every run, until retention takes it
//!                                           _commit.json       what makes it count
//!                                           _correction.json   what its quantiles were corrected by, if anything
//! OUT/latest/job=J/part-0.parquet                              the newest run, whole, at any instant
//! OUT/scores/job=J/part-0.parquet                              every run beside what came
//! OUT/anomalies/job=J/part-0.parquet                           what came beside what was forecast
//! OUT/backtests/job=J/NAME.parquet                            what `s4cast backtest -o` put there; nothing here touches it
//! OUT/shadow/...                                               the same of models that run beside those that serve
//! ```

mod anomalies;
mod backtest;
mod bytes;
mod columns;
mod commit;
mod correction;
mod csv;
mod drawn;
mod forecasts;
mod latest;
mod layout;
mod names;
mod newest;
mod outcomes;
mod outlet;
pub mod parts;
mod paths;
mod quality;
mod ledger;
mod read;
mod remote;
mod replay;
mod retention;
mod rows;
mod runs;
mod schemas;
mod scores;
mod sink;
mod splice;
mod store;
mod stream;
mod table;
mod training;
mod verify;
mod vintage;
mod windows;

pub use anomalies::{AnomalyRow, anomalies_path, read_anomalies, write_anomalies};
pub use backtest::BacktestFile;
pub use bytes::write_bytes;
pub use columns::{RunColumns, read_columns};
pub use commit::{Commit, PartFile};
pub use correction::read_correction;
pub use drawn::{Drawn, read_drawn, series_of};
pub use forecasts::write_forecasts;
pub use latest::latest;
pub use layout::{RunKey, is_name, is_run_id};
pub use ledger::{RunRow, write_runs};
pub use names::{id_names, quantile_name};
pub use newest::{RunSeries, newest_runs, read_series};
pub use outcomes::{OutcomeColumns, read_outcomes};
pub use outlet::{Outlet, write_to};
pub use paths::{SeriesPaths, write_paths};
pub use quality::write_quality;
pub use read::{Filter, Which, read_run};
pub use remote::{complete_run, probe_store, pull, sync_files, wait_step};
pub use replay::{Replay, Replayed, backtest_files};
pub use retention::{Recovered, prune, recover, recover_copy};
pub use runs::{PublishedRun, find_run, publish_run, runs};
pub use scores::{ScoreRow, read_scores, scores_path, write_scores};
pub use sink::{Format, Naming, RemoteSink, SinkSpec, shadow_root};
pub use store::probe;
pub use stream::{ForecastBatches, ForecastStream};
pub use training::{TrainingRow, write_training};
pub use vintage::{Interval, Vintage, read_vintage};
pub use windows::{Window, WindowFile};

use crate::machine::Size;
use crate::series::version::Unread;
use crate::store::{Place, StoreError};
use std::path::{Path, PathBuf};

/// Version of the forecast schema, in the file's metadata as `s4cast.schema_version`.
pub const SCHEMA_VERSION: u32 = 1;

/// Where a forecast comes from: what every row and the file's metadata carry.
#[derive(Clone, Debug)]
pub struct Provenance {
    /// UUIDv7 of the run.
    pub run_id: String,
    /// Nominal instant of the forecast, microseconds UTC.
    pub issued_at: i64,
    /// Wall clock at writing, microseconds UTC.
    pub created_at: i64,
    /// Version of the model.
    pub model_version: i32,
    /// Coverage level in percent of `yhat_lower` and `yhat_upper`; both tails are among the quantile levels.
    pub primary_level: f64,
    /// All coverage levels in percent that were asked for, in that order; their tails are among the quantile levels.
    pub levels: Vec<f64>,
    /// What the quantiles were corrected by, as text; it is kept beside a run, and its hash is in the metadata.
    pub correction: Option<String>,
    /// Further metadata of the file: (key without the `s4cast.` prefix, value), for example config and data hashes.
    pub metadata: Vec<(String, String)>,
}

/// What was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// Rows in the file.
    pub rows: usize,
    /// Size of the file.
    pub bytes: u64,
    /// Where it is.
    pub path: Place,
}

/// Why nothing was written; an older file at the path is untouched.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The folder does not exist or the path cannot hold a file (73).
    #[error("cannot create {path}: {reason}")]
    CannotCreate {
        /// The path asked for.
        path: PathBuf,
        /// Why not, and what to do.
        reason: String,
    },
    /// Not allowed (77).
    #[error("no permission to write {path}: {reason}")]
    Permission {
        /// The path asked for.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// It lies where this process may not reach (77).
    #[error("{0}; name something below it, or let whoever runs this allow it")]
    Outside(#[from] crate::store::Outside),
    /// Writing failed, for example on a full disk (74).
    #[error(
        "writing {path} failed: {reason}; make room or choose another path: the earlier file, if any, is untouched"
    )]
    Io {
        /// The path asked for.
        path: PathBuf,
        /// The operating system's words.
        reason: String,
    },
    /// There is less space than the file would take (73).
    #[error(
        "{path}: {free} are free on that disk and about {needed} are needed; make room, or choose another path: nothing was written"
    )]
    NoRoom {
        /// What was to be written.
        path: PathBuf,
        /// Free space.
        free: Size,
        /// What the file takes, and what is to stay free.
        needed: Size,
    },
    /// The file read back differs from what was written (70).
    #[error("{path} failed verification: {reason}; it was not published")]
    Verify {
        /// The path asked for.
        path: PathBuf,
        /// What differs.
        reason: String,
    },
    /// Reading what is published failed (74).
    #[error("reading {path} failed: {reason}")]
    Read {
        /// What was read.
        path: PathBuf,
        /// The operating system's words, or what is wrong with the file.
        reason: String,
    },
    /// What is published is of a newer program (65).
    #[error("{path} cannot be read: {reason}")]
    Newer {
        /// What was read.
        path: PathBuf,
        /// Its version, and what to do.
        reason: String,
    },
    /// A store fails, or refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A folder of parts is that of another run (73).
    #[error(
        "{folder} holds run {stands}, and this is run {own}; name another folder, or remove this one if nobody needs its run"
    )]
    OtherRun {
        /// Address of the folder.
        folder: String,
        /// Id of its run.
        stands: String,
        /// Id of the run that was to be delivered.
        own: String,
    },
    /// Parts in one folder are not of one run (73).
    #[error(
        "{folder}: the parts do not belong to one run, and nothing is committed: {}; repeat those that are wrong in a new folder with \
         all others, or delete their records (_part-I-of-N.json) and repeat them alone",
        .problems.join("; ")
    )]
    Disagree {
        /// Address of the folder.
        folder: String,
        /// What differs, one line each.
        problems: Vec<String>,
    },
}

impl PublishError {
    /// Whether the same call may succeed later, with nobody doing anything about it.
    pub fn is_retryable(&self) -> bool {
        match self {
            PublishError::Io { .. } | PublishError::Read { .. } | PublishError::NoRoom { .. } => true,
            PublishError::Store(error) => error.is_retryable(),
            PublishError::CannotCreate { .. }
            | PublishError::Permission { .. }
            | PublishError::Outside(_)
            | PublishError::Verify { .. }
            | PublishError::Newer { .. }
            | PublishError::OtherRun { .. }
            | PublishError::Disagree { .. } => false,
        }
    }

    /// What stands at a path is no file of this program, or of none that it knows.
    fn unread(path: impl Into<PathBuf>, why: Unread) -> PublishError {
        match why {
            Unread::Version(reason) => PublishError::Newer { path: path.into(), reason },
            Unread::Damaged(reason) => PublishError::Read { path: path.into(), reason },
        }
    }

    fn read(path: &Path, error: &std::io::Error) -> PublishError {
        PublishError::Read { path: path.into(), reason: error.to_string() }
    }
}
