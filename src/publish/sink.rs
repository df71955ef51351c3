//! Where the runs of a job go, fully checked.

use crate::series::shard::Shard;
use crate::store::Address;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};

/// File format of the part files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Parquet: typed, compressed, with provenance in its metadata.
    #[default]
    Parquet,
    /// CSV with a header line, RFC 4180; times as ISO 8601 UTC.
    Csv,
}

impl Format {
    /// All formats.
    pub const ALL: [Format; 2] = [Format::Parquet, Format::Csv];

    /// Name in the config and in commits; also how the names of its files end.
    pub fn as_str(self) -> &'static str {
        match self {
            Format::Parquet => "parquet",
            Format::Csv => "csv",
        }
    }

    /// The format of that name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.as_str() == name)
    }
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

impl Naming {
    /// Name in the config and in commits.
    pub fn as_str(self) -> &'static str {
        match self {
            Naming::V1 => "v1",
            Naming::Nixtla => "nixtla",
        }
    }

    /// The naming of that name.
    pub fn from_name(name: &str) -> Option<Naming> {
        [Naming::V1, Naming::Nixtla].into_iter().find(|naming| naming.as_str() == name)
    }
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
    /// The store that readers look at; `path` is then this machine's copy of it.
    pub remote: Option<RemoteSink>,
}

/// A sink in an object store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteSink {
    /// Root of the sink.
    pub address: Address,
    /// Which part of every run is this publisher's; the run counts once it has all of them.
    pub shard: Shard,
    /// How long to wait for the others.
    pub shard_timeout: SignedDuration,
}

impl SinkSpec {
    /// Where the runs of models in shadow go: the same below `shadow/`, and nothing of it is in this sink's own `latest/`.
    pub fn shadow(&self) -> SinkSpec {
        let below =
            |remote: &RemoteSink| RemoteSink { address: remote.address.join(SHADOW), ..remote.clone() };
        SinkSpec { path: shadow_root(&self.path), remote: self.remote.as_ref().map(below), ..self.clone() }
    }
}

/// Name of the folder of the runs of models in shadow.
const SHADOW: &str = "shadow";

/// The root of the runs of models in shadow, below that of a sink.
pub fn shadow_root(sink: &Path) -> PathBuf {
    sink.join(SHADOW)
}
