//! Where the runs of a job go, fully checked.

use jiff::SignedDuration;
use std::path::PathBuf;

/// File format of the part files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Parquet: typed, compressed, with provenance in its metadata.
    #[default]
    Parquet,
    /// CSV with a header line, RFC 4180; times as ISO 8601 UTC.
    Csv,
}

/// Names of the columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// Schema v1: `yhat`, `yhat_lower`, `p10`, …
    #[default]
    V1,
    /// As Nixtla's libraries write them: `unique_id, ds, s4cast, s4cast-lo-80, s4cast-hi-80, …`
    Nixtla,
}

/// A folder that runs are published to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinkSpec {
    /// Name in the config.
    pub name: String,
    /// Root: runs go to `job=J/issued_date=D/run_id=R/` below it, the newest one also to `latest/job=J/`.
    pub path: PathBuf,
    /// File format.
    pub format: Format,
    /// Names of the columns.
    pub naming: Naming,
    /// Age (since `issued_at`) from which on runs are removed; `None` keeps all.
    pub retention: Option<SignedDuration>,
    /// How long a run that is to be removed stays readable after it was superseded.
    pub grace: SignedDuration,
}
