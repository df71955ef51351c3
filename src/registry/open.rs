//! A model by its path, outside of any registry: a file of weights, or the folder of a version.

use crate::model::artifact::sha256;
use crate::model::forecaster::Forecaster;
use crate::registry::error::RegistryError;
use crate::registry::folder;
use crate::registry::key::PublicKey;
use crate::registry::manifest::{FILE as MANIFEST, Manifest};
use crate::registry::shelf::weights_name;
use crate::registry::signature;
use crate::registry::versions::{WEIGHTS, WEIGHTS_MAX, weights_of};
use crate::store::{Address, Scratch, Store, StoreError, scratch_parent};
use std::fs;
use std::path::{Path, PathBuf};

/// A model that was opened by its path.
pub struct Opened {
    /// Ready to predict.
    pub forecaster: Forecaster,
    /// The file of its weights, by path or address.
    pub file: PathBuf,
    /// SHA-256 of that file, lower-case hex.
    pub weights_sha256: String,
    /// What else is known of it, where it is a version of a registry.
    pub manifest: Option<Manifest>,
}

/// Opens a file that `forecast --save-model` wrote, or the folder of a version (`STATE/models/JOB/7`), whose weights have to
/// be those of its manifest. Where keys are trusted, only a version that one of them signed is opened.
///
/// # Errors
/// If it cannot be read, is no model, or is of nobody who is trusted.
pub fn open(path: &Path, trusted: &[PublicKey]) -> Result<Opened, RegistryError> {
    if fs::metadata(path).map_err(RegistryError::io(path))?.is_dir() {
        let manifest = Manifest::in_folder(path, trusted)?;
        let forecaster = weights_of(path, &manifest)?;
        let weights_sha256 = manifest.weights_sha256.clone();
        return Ok(Opened { forecaster, file: path.join(WEIGHTS), weights_sha256, manifest: Some(manifest) });
    }
    if !trusted.is_empty() {
        let reason = "only versions can be signed, and this is a file of weights alone".into();
        return Err(RegistryError::Untrusted { path: path.into(), reason });
    }
    let bytes = folder::read(path, WEIGHTS_MAX)?;
    let forecaster = Forecaster::from_bytes(&bytes).map_err(|error| RegistryError::broken(path, error))?;
    Ok(Opened { forecaster, file: path.into(), weights_sha256: sha256(&bytes), manifest: None })
}

/// As [`open`], by address.
///
/// # Errors
/// As [`open`]; if the store fails, or has nothing there.
pub fn open_remote(address: &Address, trusted: &[PublicKey]) -> Result<Opened, RegistryError> {
    let scratch = Scratch::begin().map_err(RegistryError::io(&scratch_parent()))?;
    let store = Store::open(&address.parent())?;
    let file = scratch.path().join(WEIGHTS);
    let copied = match fetch(&store, address.name(), &file)? {
        true => file,
        false => {
            let folder = store.below(address.name());
            let missing = |name: &str| {
                let reason = format!("neither a model nor the folder of a version, which has a {name}");
                StoreError::Missing { at: address.clone(), reason }
            };
            if !fetch(&folder, MANIFEST, &scratch.path().join(MANIFEST))? {
                return Err(missing(MANIFEST).into());
            }
            // A registry in a store names its weights by their hash, a folder that was copied there does not.
            let manifest =
                Manifest::in_folder(scratch.path(), &[]).map_err(|error| of_object(error, address))?;
            if !trusted.is_empty() {
                let (own, to) = (Manifest::bytes_in(scratch.path())?, scratch.path().join(signature::FILE));
                let _ = fetch(&folder, &signature::name_in_store(&own), &to)?
                    || fetch(&folder, signature::FILE, &to)?;
            }
            let own = weights_name("weights", &manifest.weights_sha256);
            if !fetch(&folder, &own, &file)? && !fetch(&folder, WEIGHTS, &file)? {
                return Err(missing(WEIGHTS).into());
            }
            scratch.path().to_owned()
        }
    };
    let opened = open(&copied, trusted).map_err(|error| of_object(error, address))?;
    let file = if opened.manifest.is_some() { address.join(WEIGHTS) } else { address.clone() };
    Ok(Opened { file: file.as_str().into(), ..opened })
}

/// What is wrong with a copy is wrong with the object.
fn of_object(error: RegistryError, address: &Address) -> RegistryError {
    match error {
        RegistryError::Broken { reason, .. } => {
            RegistryError::Broken { path: address.as_str().into(), reason }
        }
        RegistryError::Newer { reason, .. } => RegistryError::Newer { path: address.as_str().into(), reason },
        RegistryError::Untrusted { reason, .. } => {
            RegistryError::Untrusted { path: address.as_str().into(), reason }
        }
        error => error,
    }
}

/// Copies an object that may be a part of a model; false where there is none.
fn fetch(store: &Store, name: &str, to: &Path) -> Result<bool, RegistryError> {
    // The root of a store is no object.
    if name.is_empty() {
        return Ok(false);
    }
    match store.head(name)? {
        Some(entry) if entry.bytes > WEIGHTS_MAX => {
            let at = store.address().join(name);
            Err(StoreError::TooLarge { at, bytes: entry.bytes, bytes_max: WEIGHTS_MAX }.into())
        }
        Some(_) => Ok(store.download(name, to)?.is_some()),
        None => Ok(false),
    }
}
