//! A named job of the daemon, fully checked.

use crate::ingest::SourceSpec;
use crate::model::spec::ModelSpec;
use crate::publish::SinkSpec;

/// What stands in where no trained model serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fallback {
    /// Seasonal naive, with status `fallback`.
    #[default]
    SeasonalNaive,
    /// Nothing: the slot fails.
    None,
}

/// A named job: what its stages read, fit and write.
#[derive(Clone, Debug)]
pub struct JobSpec {
    /// Name: a folder, a label and a part of URLs; of `[a-z0-9_-]`, at most 64 characters.
    pub name: String,
    /// Name of the source in the config.
    pub source_name: String,
    /// What to read.
    pub source: SourceSpec,
    /// Name of the model in the config.
    pub model_name: String,
    /// What to train.
    pub model: ModelSpec,
    /// Where the runs go.
    pub sink: SinkSpec,
    /// What stands in for a model.
    pub fallback: Fallback,
    /// Versions to keep in the registry beside the champion and the pinned ones; at least one.
    pub keep_versions: usize,
    /// SHA-256 of the settings that decide the forecasts, lower-case hex.
    pub config_sha256: String,
}
