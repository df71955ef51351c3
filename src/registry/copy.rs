//! The folder of a registry that stands in a store: a copy, brought up to date before it is relied on.
//!
//! Readers read the copy and ask the store nothing, so that forecasts go on while it is away. `copy.json` says of which store it
//! is one, and `JOB/copy.json` which champion file of the job it has.

use crate::model::artifact::sha256;
use crate::publish;
use crate::registry::champion::Champion;
use crate::registry::error::RegistryError;
use crate::registry::folder::{self, Lock};
use crate::registry::manifest::{self, Manifest};
use crate::registry::shelf::{Decision, Inventory, Sealed, Shelf, weights_name};
use crate::registry::signature;
use crate::registry::versions::{Registry, UNSEEN, WEIGHTS, WEIGHTS_MAX, numbers};
use crate::series::version::{self, Unread};
use crate::store::{Address, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Name of the file in a job's folder.
const FILE: &str = "copy.json";

/// Version of its form.
const VERSION: u32 = 1;

fn first() -> u32 {
    1
}

/// What a folder is a copy of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Copy {
    /// Version of this form; not in the files of early programs.
    #[serde(default = "first")]
    version: u32,
    /// Address of the store.
    of: String,
    /// Number of the champion file; 0 where there is none.
    champion: u64,
    /// Which signatures are here, by version; not in the files of early programs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    signatures: BTreeMap<u32, String>,
}

impl Copy {
    /// That of a store of which nothing is here yet.
    fn begun(of: &str) -> Copy {
        Copy { version: VERSION, of: of.into(), ..Copy::default() }
    }

    /// That of a folder; of nothing, where it is none, or a damaged one.
    fn read(folder: &Path) -> Result<Copy, RegistryError> {
        let path = folder.join(FILE);
        let text = std::fs::read(&path).unwrap_or_default();
        match version::from_json(&text, VERSION) {
            Ok(copy) => Ok(copy),
            Err(Unread::Damaged(_)) => Ok(Copy::begun("")),
            Err(Unread::Version(reason)) => Err(RegistryError::Newer { path, reason }),
        }
    }

    fn write(&self, folder: &Path) -> Result<(), RegistryError> {
        publish::write_bytes(&folder.join(FILE), &folder::pretty(self))?;
        Ok(())
    }
}

impl Registry {
    /// The registry at an address; `root` is the folder of its copy, which remembers that it is one. Nothing is asked of the
    /// store yet.
    ///
    /// # Errors
    /// If the folder cannot be written, or the settings of the store make no sense.
    pub fn copy_of(root: PathBuf, at: &Address) -> Result<Registry, RegistryError> {
        let mark = Copy::begun(at.as_str());
        let mut registry = Registry::at(root);
        registry.shelf = Some(Shelf::new(Store::open(at)?));
        if Copy::read(registry.root())? != mark {
            std::fs::create_dir_all(registry.root()).map_err(RegistryError::io(registry.root()))?;
            mark.write(registry.root())?;
        }
        Ok(registry)
    }

    /// The registry in a folder that a daemon has used: in a store, if the folder is a copy of one.
    ///
    /// # Errors
    /// See [`Registry::copy_of`].
    pub fn found(root: PathBuf) -> Result<Registry, RegistryError> {
        match Address::parse(&Copy::read(&root)?.of) {
            None => Ok(Registry::at(root)),
            Some(at) => Registry::copy_of(root, &at?),
        }
    }

    /// The registry in a folder, which is no copy from now on, if it was one.
    ///
    /// # Errors
    /// If the folder cannot be written.
    pub fn alone(root: PathBuf) -> Result<Registry, RegistryError> {
        let registry = Registry::at(root);
        let folders = registry.folders()?.into_iter().map(|job| registry.folder(&job));
        for mark in folders.chain([registry.root().to_path_buf()]).map(|folder| folder.join(FILE)) {
            match std::fs::remove_file(&mark) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(RegistryError::io(&mark)(error));
                }
                _ => {}
            }
        }
        Ok(registry)
    }

    /// Whether it stands in a store.
    pub fn is_remote(&self) -> bool {
        self.shelf.is_some()
    }

    /// Brings the copy of a job up to date; one list where nothing has changed, and nothing at all for a registry that is a
    /// folder.
    ///
    /// # Errors
    /// If the store cannot be read or the copy not be written; what was there serves on.
    pub fn refresh(&self, job: &str) -> Result<(), RegistryError> {
        folder::check_job(job)?;
        let Some(shelf) = &self.shelf else { return Ok(()) };
        let inventory = shelf.inventory(job)?;
        let folder = self.folder(job);
        if inventory.is_empty() && !folder.is_dir() {
            return Ok(());
        }
        std::fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
        let lock = Lock::of(&folder)?;
        self.take_in(shelf, job, &inventory, lock).map(drop)
    }

    /// As [`Registry::refresh`], for a forecast: what cannot be refreshed serves as it is.
    pub fn refresh_or_warn(&self, job: &str) {
        if let Err(error) = self.refresh(job) {
            tracing::warn!(job, %error, "the models cannot be brought up to date; those here serve on");
        }
    }

    /// Brings the copies of all jobs up to date.
    ///
    /// # Errors
    /// See [`Registry::refresh`].
    pub fn refresh_all(&self) -> Result<(), RegistryError> {
        let Some(shelf) = &self.shelf else { return Ok(()) };
        let mut jobs = shelf.jobs()?;
        jobs.extend(self.folders()?);
        jobs.sort();
        jobs.dedup();
        jobs.iter().filter(|job| folder::check_job(job).is_ok()).try_for_each(|job| self.refresh(job))
    }

    /// Makes the copy of a job what the store has; the lock is held, and given back.
    pub(super) fn take_in(
        &self,
        shelf: &Shelf,
        job: &str,
        inventory: &Inventory,
        mut lock: Lock,
    ) -> Result<Lock, RegistryError> {
        let folder = self.folder(job);
        let mut copy = Copy::read(&folder)?;
        if copy.of != shelf.address() {
            if self.begin(shelf, job)? {
                let inventory = shelf.inventory(job)?;
                copy = Copy::begun(shelf.address());
                copy.write(&folder)?;
                return self.take_in(shelf, job, &inventory, lock);
            }
            set_aside(&folder)?;
            std::fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
            lock = Lock::of(&folder)?;
            copy = Copy::begun(shelf.address());
            copy.write(&folder)?;
        }
        let here = numbers(&folder)?;
        for version in inventory.versions.keys().filter(|version| !here.contains(version)) {
            fetch(shelf, job, *version, &folder)?;
        }
        self.take_signatures(shelf, job, inventory, &mut copy)?;
        // A champion is named once its version is here, and a version goes once no champion names it.
        let newest = inventory.champions.last().copied().unwrap_or(0);
        if newest != copy.champion
            && let Some(bytes) = shelf.champion(job, newest)?
        {
            Champion::parse(&folder, &bytes)?.write(&folder)?;
            copy.champion = newest;
            copy.write(&folder)?;
        }
        for version in here.iter().filter(|version| !inventory.versions.contains_key(version)) {
            folder::discard(&folder, &version.to_string())?;
        }
        Ok(lock)
    }

    /// Copies the signatures that are new or others than those here; a version is signed before anything names it.
    fn take_signatures(
        &self,
        shelf: &Shelf,
        job: &str,
        inventory: &Inventory,
        copy: &mut Copy,
    ) -> Result<(), RegistryError> {
        let folder = self.folder(job);
        let before = copy.clone();
        copy.signatures.retain(|version, _| inventory.versions.contains_key(version));
        for (&version, mark) in &inventory.signatures {
            let path = folder::version(&folder, version);
            // What is damaged in the store is not here.
            if copy.signatures.get(&version) == Some(mark) || !path.is_dir() {
                continue;
            }
            let name = signature::name_in_store(&Manifest::bytes_in(&path)?);
            if let Some(bytes) = shelf.file(job, version, &name, signature::BYTES_MAX)? {
                publish::write_bytes(&path.join(signature::FILE), &bytes)?;
            }
            copy.signatures.insert(version, mark.clone());
        }
        match *copy == before {
            true => Ok(()),
            false => copy.write(&folder),
        }
    }

    /// Puts what a folder has that was no copy yet into the store; false if that has others of the same numbers.
    fn begin(&self, shelf: &Shelf, job: &str) -> Result<bool, RegistryError> {
        let folder = self.folder(job);
        let inventory = shelf.inventory(job)?;
        let mut missing = Vec::new();
        for version in numbers(&folder)? {
            let path = folder::version(&folder, version);
            // What is damaged is nothing to pass on.
            let Ok(manifest) = Manifest::read(&path, job, version) else { continue };
            match inventory.versions.contains_key(&version) {
                true => {
                    // Early programs put what they had read, and not the bytes that they had read it from.
                    let own = [Manifest::bytes_in(&path)?, manifest.to_bytes()];
                    if shelf.manifest(job, version)?.is_none_or(|there| !own.contains(&there)) {
                        return Ok(false);
                    }
                }
                false => missing.push((path, manifest)),
            }
        }
        for (path, manifest) in missing {
            let weights = folder::read_part(&path.join(WEIGHTS), WEIGHTS_MAX)?;
            let unseen = manifest.unseen.as_ref().map(|_| folder::read_part(&path.join(UNSEEN), WEIGHTS_MAX));
            let unseen = unseen.transpose()?;
            let files = files(&manifest, &weights, unseen.as_deref());
            let sealed = Sealed {
                signature: folder::read(&path.join(signature::FILE), signature::BYTES_MAX).ok(),
                manifest: Manifest::bytes_in(&path)?,
            };
            shelf.put_version(job, manifest.version, &files, &folder, &sealed)?;
            tracing::info!(
                job,
                version = manifest.version,
                store = shelf.address(),
                "put a version that was here"
            );
        }
        let champion = Champion::read(&folder)?;
        if inventory.champions.is_empty() && champion.current.is_some() {
            shelf.decide(job, 0, &folder::pretty(&champion))?;
        }
        Ok(true)
    }

    /// Puts a changed champion file into the store and then here; false if another one was faster, which is here now.
    pub(super) fn decide(
        &self,
        shelf: &Shelf,
        job: &str,
        before: &Champion,
        champion: &Champion,
    ) -> Result<bool, RegistryError> {
        let folder = self.folder(job);
        let mut copy = Copy::read(&folder)?;
        let inventory = match shelf.decide(job, copy.champion, &folder::pretty(champion))? {
            Decision::Taken(inventory) => inventory,
            Decision::Late => return Ok(false),
        };
        copy.champion += 1;
        let is_lost = |(inventory, version): &(&Inventory, u32)| !inventory.versions.contains_key(version);
        if let Some((inventory, lost)) = inventory.as_ref().zip(champion.current).filter(is_lost) {
            // It was removed elsewhere between the look and the decision, which is taken back.
            shelf.decide(job, copy.champion, &folder::pretty(before))?;
            let known = inventory.versions.keys().copied().collect();
            return Err(RegistryError::UnknownVersion { job: job.into(), version: lost, known });
        }
        champion.write(&folder)?;
        copy.write(&folder)?;
        Ok(true)
    }
}

/// The files of a version as the store names them.
pub(super) fn files<'a>(
    manifest: &Manifest,
    weights: &'a [u8],
    unseen: Option<&'a [u8]>,
) -> Vec<(String, &'a [u8])> {
    let mut files = vec![(weights_name("weights", &manifest.weights_sha256), weights)];
    let unseen = manifest.unseen.as_ref().zip(unseen);
    files.extend(unseen.map(|(file, bytes)| (weights_name("unseen", &file.sha256), bytes)));
    files
}

/// Copies a version here. One that is damaged in the store, or of a newer program, is left there.
fn fetch(shelf: &Shelf, job: &str, version: u32, folder: &Path) -> Result<(), RegistryError> {
    let at = PathBuf::from(format!("{}/{job}/{version}", shelf.address()));
    let Some(text) = shelf.manifest(job, version)? else { return Ok(()) };
    let outcome = Manifest::parse(&at.join(manifest::FILE), &text).and_then(|manifest| {
        let file = |stem: &str, hash: &str, bytes: u64| {
            let name = weights_name(stem, hash);
            let found = shelf.file(job, version, &name, bytes.min(WEIGHTS_MAX))?;
            match found.filter(|found| sha256(found) == *hash) {
                Some(found) => Ok(found),
                None => Err(RegistryError::broken(&at.join(name), "it is missing, or not as it was written")),
            }
        };
        let weights = file("weights", &manifest.weights_sha256, manifest.weights_bytes)?;
        let unseen =
            manifest.unseen.as_ref().map(|one| file("unseen", &one.sha256, one.bytes)).transpose()?;
        let mut files = vec![(WEIGHTS, weights.as_slice()), (manifest::FILE, text.as_slice())];
        files.extend(unseen.as_deref().map(|bytes| (UNSEEN, bytes)));
        folder::create(folder, &version.to_string(), &files, |partial| {
            Manifest::read(partial, job, version).map(drop)
        })
    });
    match outcome {
        Err(error @ (RegistryError::Broken { .. } | RegistryError::Newer { .. })) => {
            tracing::warn!(job, version, %error, "a version stays in the store");
            Ok(())
        }
        outcome => outcome,
    }
}

/// Renames the folder of a job that is no copy of the store, out of the way.
fn set_aside(folder: &Path) -> Result<(), RegistryError> {
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let free = (1..).map(|number| folder.with_file_name(format!(".before-{name}-{number}")));
    let Some(aside) = free.into_iter().find(|path| !path.exists()) else { return Ok(()) };
    std::fs::rename(folder, &aside).map_err(RegistryError::io(folder))?;
    tracing::warn!(
        folder = %folder.display(), aside = %aside.display(),
        "these models are others than those of the store, and were set aside"
    );
    Ok(())
}
