//! A model by its path, outside of any registry: a file of weights, or the folder of a version.

use crate::model::artifact::sha256;
use crate::model::forecaster::Forecaster;
use crate::registry::error::RegistryError;
use crate::registry::folder;
use crate::registry::manifest::Manifest;
use crate::registry::versions::{WEIGHTS, WEIGHTS_MAX, weights_of};
use std::fs;
use std::path::{Path, PathBuf};

/// A model that was opened by its path.
pub struct Opened {
    /// Ready to predict.
    pub forecaster: Forecaster,
    /// The file of its weights.
    pub file: PathBuf,
    /// SHA-256 of that file, lower-case hex.
    pub weights_sha256: String,
    /// What else is known of it, where it is a version of a registry.
    pub manifest: Option<Manifest>,
}

/// Opens a file that `forecast --save-model` wrote, or the folder of a version (`STATE/models/JOB/7`), whose weights have to
/// be those of its manifest.
///
/// # Errors
/// If it cannot be read or is no model.
pub fn open(path: &Path) -> Result<Opened, RegistryError> {
    if fs::metadata(path).map_err(RegistryError::io(path))?.is_dir() {
        let manifest = Manifest::in_folder(path)?;
        let forecaster = weights_of(path, &manifest)?;
        let weights_sha256 = manifest.weights_sha256.clone();
        return Ok(Opened { forecaster, file: path.join(WEIGHTS), weights_sha256, manifest: Some(manifest) });
    }
    let bytes = folder::read(path, WEIGHTS_MAX)?;
    let forecaster = Forecaster::from_bytes(&bytes).map_err(|error| RegistryError::broken(path, error))?;
    Ok(Opened { forecaster, file: path.into(), weights_sha256: sha256(&bytes), manifest: None })
}
