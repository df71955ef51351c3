//! A named job of the daemon, fully checked.

use crate::ingest::SourceSpec;
use crate::live::anomaly::AnomalySpec;
use crate::live::drift::RetrainSpec;
use crate::model::spec::ModelSpec;
use crate::pipeline::Scenario;
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

/// Which new versions may serve.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Promotion {
    /// One that is no worse than the champion and seasonal naive on values that it has not seen.
    #[default]
    Gate,
    /// Every one.
    Always,
    /// None by itself once one serves: a person promotes it.
    Manual,
    /// One that passes the gate and then, in shadow beside the champion, does no worse on what comes.
    Shadow,
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
    /// What is forecast beside the plan, with every run.
    pub scenarios: Vec<Scenario>,
    /// Where the runs go.
    pub sink: SinkSpec,
    /// What stands in for a model.
    pub fallback: Fallback,
    /// Versions to keep in the registry beside the champion and the pinned ones; at least one.
    pub keep_versions: usize,
    /// Which new versions may serve.
    pub promotion: Promotion,
    /// Runs of a version in shadow that have to come true before it is decided on; at least one.
    pub shadow_runs: usize,
    /// Whether intervals are corrected by what those of past runs missed.
    pub is_adaptive: bool,
    /// Whether training starts from the networks of the version that serves.
    pub is_warm: bool,
    /// What makes a training due beside its schedule; nothing if `None`.
    pub retrain: Option<RetrainSpec>,
    /// Which values that come are anomalies; nobody looks if `None`.
    pub anomaly: Option<AnomalySpec>,
    /// Id column by whose values runs are scored as well.
    pub segment: Option<String>,
    /// SHA-256 of the settings that decide the forecasts, lower-case hex.
    pub config_sha256: String,
}
