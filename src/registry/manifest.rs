//! What is known of a version without loading it.

use crate::model::forecaster::Forecaster;
use crate::registry::birth::{Ancestor, Birth, Figures, Judgement, UnseenFile};
use crate::registry::error::RegistryError;
use crate::registry::folder;
use crate::registry::key::PublicKey;
use crate::registry::signature;
use serde::{Deserialize, Serialize};
use std::path::Path;

/// Name of the file in a version's folder.
pub(super) const FILE: &str = "manifest.json";

/// Version of the manifest's own format.
const FORMAT: u32 = 1;

/// Largest manifest that is read.
const BYTES_MAX: u64 = 16 << 20;

/// What is known of a version without loading it. The file has these keys in this order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Job that the model belongs to.
    pub job: String,
    /// Number of the version, from 1.
    pub version: u32,
    /// UUIDv7 of the training run.
    pub run_id: String,
    /// Nominal instant of the training, microseconds UTC.
    pub slot: i64,
    /// Wall clock at the end of training, microseconds UTC.
    pub created_at: i64,
    /// Latest cutoff of the series trained on, microseconds UTC: no backfill may promote an older one.
    pub cutoff: i64,
    /// Kind of model asked for.
    pub kind: String,
    /// Steps forecast.
    pub horizon: usize,
    /// Central coverage levels in percent; the first is the primary one.
    pub levels: Vec<f64>,
    /// Quantile levels, ascending.
    pub quantile_levels: Vec<f64>,
    /// Seed of every random number.
    pub seed: u64,
    /// Series trained on.
    pub series: usize,
    /// Rows read.
    pub rows: usize,
    /// Seconds that training took.
    pub seconds: f64,
    /// How each group of series was trained, with its scores.
    pub fits: Vec<Figures>,
    /// How it did beside the model that served then; not in the manifests of early programs.
    #[serde(default)]
    pub judgement: Judgement,
    /// The version whose networks its own started from; null where they were fresh, or there are none.
    #[serde(default)]
    pub warm_from: Option<Ancestor>,
    /// SHA-256 over the series trained on.
    pub data_fingerprint: String,
    /// SHA-256 of the settings that decide the forecasts.
    pub config_sha256: String,
    /// The settings themselves.
    pub config: serde_json::Value,
    /// SHA-256 of the source code that trained.
    pub code_sha256: String,
    /// Version of the program that trained.
    pub s4cast: String,
    /// SHA-256 of the weights file.
    pub weights_sha256: String,
    /// Size of the weights file.
    pub weights_bytes: u64,
    /// The same forecaster before it saw the end of its data, where it has networks that the next one may start from.
    #[serde(default)]
    pub unseen: Option<UnseenFile>,
}

impl Manifest {
    /// The manifest of a new version; hash and size of its weights are those of the bytes to be written.
    pub(super) fn new(
        (job, version): (&str, u32),
        forecaster: &Forecaster,
        birth: &Birth,
        (weights_sha256, weights_bytes): (String, u64),
        unseen: Option<UnseenFile>,
    ) -> Manifest {
        let spec = forecaster.spec();
        Manifest {
            format: FORMAT,
            job: job.into(),
            version,
            run_id: birth.run_id.clone(),
            slot: birth.slot,
            created_at: birth.created_at,
            cutoff: birth.cutoff,
            kind: spec.kind().as_str().into(),
            horizon: spec.horizon(),
            levels: spec.levels().to_vec(),
            quantile_levels: spec.quantile_levels().to_vec(),
            seed: spec.seed(),
            series: birth.series,
            rows: birth.rows,
            seconds: birth.seconds,
            fits: birth.reports.iter().map(Figures::from).collect(),
            judgement: birth.judgement.clone(),
            warm_from: birth.warm_from,
            data_fingerprint: birth.data_fingerprint.clone(),
            config_sha256: birth.config_sha256.clone(),
            config: birth.config.clone(),
            code_sha256: crate::CODE_SHA256.into(),
            s4cast: env!("CARGO_PKG_VERSION").into(),
            weights_sha256,
            weights_bytes,
            unseen,
        }
    }

    /// The manifest in the folder of that version.
    pub(super) fn read(folder: &Path, job: &str, version: u32) -> Result<Manifest, RegistryError> {
        Manifest::read_signed(folder, job, version, &[])
    }

    /// As [`Manifest::read`]; where keys are trusted, one of them signed the very bytes that were read.
    pub(super) fn read_signed(
        folder: &Path,
        job: &str,
        version: u32,
        trusted: &[PublicKey],
    ) -> Result<Manifest, RegistryError> {
        let path = folder.join(FILE);
        let manifest = Manifest::in_folder(folder, trusted)?;
        if (manifest.job.as_str(), manifest.version) != (job, version) {
            let reason = format!("it is that of version {} of job '{}'", manifest.version, manifest.job);
            return Err(RegistryError::broken(&path, reason));
        }
        Ok(manifest)
    }

    /// The manifest in a folder, whatever version it is of; where keys are trusted, one of them signed it.
    pub(super) fn in_folder(folder: &Path, trusted: &[PublicKey]) -> Result<Manifest, RegistryError> {
        let bytes = Manifest::bytes_in(folder)?;
        signature::check(folder, &bytes, trusted)?;
        Manifest::parse(&folder.join(FILE), &bytes)
    }

    /// The bytes of the manifest in a folder.
    pub(super) fn bytes_in(folder: &Path) -> Result<Vec<u8>, RegistryError> {
        folder::read_part(&folder.join(FILE), BYTES_MAX)
    }

    /// The manifest that bytes of a file are.
    pub(super) fn parse(path: &Path, bytes: &[u8]) -> Result<Manifest, RegistryError> {
        folder::parse(path, bytes, FORMAT)
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        folder::pretty(self)
    }
}
