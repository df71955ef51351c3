//! Adding, finding, loading and promoting versions.

use crate::model::artifact::sha256;
use crate::model::forecaster::{Forecaster, Unseen};
use crate::registry::birth::{Birth, UnseenFile};
use crate::registry::champion::{Champion, Event, Promotion};
use crate::registry::copy;
use crate::registry::error::RegistryError;
use crate::registry::folder::{self, Lock};
use crate::registry::key::{Keys, PublicKey};
use crate::registry::manifest::{self, Manifest};
use crate::registry::shelf::{Shelf, weights_name};
use crate::registry::signature;
use std::path::{Path, PathBuf};

/// Name of the weights in a version's folder.
pub(super) const WEIGHTS: &str = "weights.safetensors";

/// Name of the weights that the next training may start from.
pub(super) const UNSEEN: &str = "unseen.safetensors";

/// Largest weights file that is read.
pub(super) const WEIGHTS_MAX: u64 = 4 << 30;

/// The models of all jobs; cheap to clone, and safe to use from several processes at once.
#[derive(Clone, Debug)]
pub struct Registry {
    root: PathBuf,
    /// The store that the folder is a copy of, if it is one.
    pub(super) shelf: Option<Shelf>,
    /// What signs versions, and whose signatures are asked for.
    pub(super) keys: Keys,
}

/// A version as it is listed.
#[derive(Debug)]
pub struct Version {
    /// Of the version.
    pub job: String,
    /// Its number.
    pub version: u32,
    /// What is known of it, or why that cannot be read.
    pub manifest: Result<Manifest, RegistryError>,
    /// Whether it serves.
    pub is_champion: bool,
    /// Whether it is pinned.
    pub is_pinned: bool,
    /// Whether it runs in shadow.
    pub is_shadow: bool,
    /// The key that signed it, if one did and the signature holds.
    pub signed_by: Option<PublicKey>,
    /// What is wrong with its signature: it does not hold, or it is of nobody who is trusted.
    pub signature_problem: Option<String>,
}

/// What is decided about the versions of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The version that serves.
    pub champion: Option<u32>,
    /// Versions that are kept and alone may serve, ascending.
    pub pinned: Vec<u32>,
    /// The version that forecasts beside the one that serves.
    pub shadow: Option<u32>,
    /// Changes of the serving version, oldest first.
    pub history: Vec<Event>,
}

impl Registry {
    /// The registry in a folder, usually `STATE/models`; it is created with the first version.
    pub fn at(root: PathBuf) -> Registry {
        Registry { root, shelf: None, keys: Keys::default() }
    }

    /// With what signs new versions, and the keys of which one has to have signed what is loaded, promoted or served.
    #[must_use]
    pub fn with_keys(self, keys: Keys) -> Registry {
        Registry { keys, ..self }
    }

    /// Adds a forecaster as the next version of a job. It does not serve yet. Beside it is kept how it was before it saw the
    /// end of its data, if that has networks: without, there is nothing to start from.
    ///
    /// # Errors
    /// If it cannot be written, or is not the same when it is read back; no version appears then.
    pub fn add(
        &self,
        job: &str,
        forecaster: &Forecaster,
        unseen: Option<&Unseen>,
        birth: &Birth,
    ) -> Result<Manifest, RegistryError> {
        folder::check_job(job)?;
        let folder = self.folder(job);
        std::fs::create_dir_all(&folder).map_err(RegistryError::io(&folder))?;
        let mut lock = Lock::of(&folder)?;
        let weights = forecaster.to_bytes();
        let unseen = unseen.filter(|unseen| unseen.forecaster.has_network());
        let unseen_weights = unseen.map(|unseen| unseen.forecaster.to_bytes());
        let described = unseen.zip(unseen_weights.as_deref()).map(|(unseen, bytes)| UnseenFile {
            sha256: sha256(bytes),
            bytes: bytes.len() as u64,
            extents: unseen.extents.clone(),
        });
        let hash = (sha256(&weights), weights.len() as u64);
        let mut manifest = Manifest::new((job, 0), forecaster, birth, hash, described);
        manifest.version = match &self.shelf {
            None => numbers(&folder)?.last().map_or(1, |last| last.saturating_add(1)),
            Some(shelf) => {
                let inventory = shelf.inventory(job)?;
                lock = self.take_in(shelf, job, &inventory, lock)?;
                // What was here only is there by now.
                let inventory = shelf.inventory(job)?;
                let files = copy::files(&manifest, &weights, unseen_weights.as_deref());
                let numbered = |version| self.seal(Manifest { version, ..manifest.clone() }.to_bytes());
                shelf.add(job, &inventory, &files, &folder, numbered)?
            }
        };
        let version = manifest.version;
        let sealed = self.seal(manifest.to_bytes());
        let mut files = vec![(WEIGHTS, weights.as_slice()), (manifest::FILE, sealed.manifest.as_slice())];
        files.extend(unseen_weights.as_deref().map(|bytes| (UNSEEN, bytes)));
        files.extend(sealed.signature.as_deref().map(|bytes| (signature::FILE, bytes)));
        folder::create(&folder, &version.to_string(), &files, |partial| {
            let written = Manifest::read(partial, job, version)?;
            unseen_of(partial, &written)?;
            weights_of(partial, &written).map(drop)
        })?;
        drop(lock);
        Ok(manifest)
    }

    /// The version that serves, if any does.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn champion(&self, job: &str) -> Result<Option<Manifest>, RegistryError> {
        folder::check_job(job)?;
        let folder = self.folder(job);
        let mut current = Champion::read(&folder)?.current;
        // Between reading the name and the version, two promotions and a collection may have removed it.
        loop {
            let Some(version) = current else { return Ok(None) };
            let outcome = self.manifest(job, version);
            if matches!(outcome, Err(RegistryError::UnknownVersion { .. })) {
                let now = Champion::read(&folder)?.current;
                if now != current {
                    current = now;
                    continue;
                }
            }
            return outcome.map(Some);
        }
    }

    /// What is known of a version.
    ///
    /// # Errors
    /// If there is none, or its manifest cannot be read.
    pub fn manifest(&self, job: &str, version: u32) -> Result<Manifest, RegistryError> {
        self.manifest_signed(job, version, &[])
    }

    /// The same; where keys are trusted, one of them signed it.
    fn manifest_signed(
        &self,
        job: &str,
        version: u32,
        trusted: &[PublicKey],
    ) -> Result<Manifest, RegistryError> {
        folder::check_job(job)?;
        let folder = self.folder(job);
        let path = folder::version(&folder, version);
        if path.is_dir() {
            return Manifest::read_signed(&path, job, version, trusted);
        }
        match numbers(&folder)? {
            known if known.is_empty() => {
                Err(RegistryError::UnknownJob { job: job.into(), known: self.jobs()? })
            }
            known => Err(RegistryError::UnknownVersion { job: job.into(), version, known }),
        }
    }

    /// A version, ready to forecast; the hash of its weights is checked, and where keys are trusted that one of them signed it.
    ///
    /// # Errors
    /// If there is none, it is damaged, or of nobody who is trusted.
    pub fn load(&self, job: &str, version: u32) -> Result<(Forecaster, Manifest), RegistryError> {
        let manifest = self.manifest_signed(job, version, &self.keys.trusted)?;
        let forecaster = weights_of(&folder::version(&self.folder(job), version), &manifest)?;
        Ok((forecaster, manifest))
    }

    /// A version as it was before it saw the end of its data, for the next training to start from; `None` where it has no
    /// network. It is checked as [`Registry::load`] does.
    ///
    /// # Errors
    /// If there is no such version, or what was kept is damaged or of nobody who is trusted.
    pub fn load_unseen(&self, job: &str, version: u32) -> Result<Option<Unseen>, RegistryError> {
        let manifest = self.manifest_signed(job, version, &self.keys.trusted)?;
        unseen_of(&folder::version(&self.folder(job), version), &manifest)
    }

    /// The version that a training run made at an instant (microseconds UTC) or later, the first one if there are several:
    /// after a crash, whether that run was done.
    ///
    /// # Errors
    /// If the folder cannot be read; versions that cannot be are passed over.
    pub fn find_slot(&self, job: &str, run_id: &str, since: i64) -> Result<Option<Manifest>, RegistryError> {
        folder::check_job(job)?;
        let numbers = numbers(&self.folder(job))?;
        let mut manifests = numbers.iter().filter_map(|&version| self.manifest(job, version).ok());
        Ok(manifests.find(|manifest| manifest.run_id == run_id && manifest.created_at >= since))
    }

    /// Lets a version serve, whatever its age: whether it deserves to is the caller's to judge.
    ///
    /// # Errors
    /// If there is none, it is damaged, of nobody who is trusted, or others are pinned.
    pub fn promote(
        &self,
        job: &str,
        version: u32,
        at: i64,
        reason: &str,
    ) -> Result<Promotion, RegistryError> {
        let ((), previous) = self.change(job, |champion| {
            self.load(job, version)?;
            if champion.current != Some(version) {
                check_pins(job, champion, version)?;
                champion.serve(Event { version, at, is_rollback: false, reason: reason.into() });
            }
            Ok(())
        })?;
        Ok(Promotion { job: job.into(), version, previous, is_change: previous != Some(version) })
    }

    /// Lets the version serve that served before; done twice, the one before that.
    ///
    /// # Errors
    /// If there is none that is still there, whole, and signed where keys are trusted, or others are pinned.
    pub fn rollback(&self, job: &str, at: i64) -> Result<Promotion, RegistryError> {
        let (version, previous) = self.change(job, |champion| {
            let version = self.first_sound(job, champion.earlier())?;
            check_pins(job, champion, version)?;
            let from = champion.current.map_or(String::new(), |current| format!(" from version {current}"));
            champion.serve(Event { version, at, is_rollback: true, reason: format!("rollback{from}") });
            Ok(version)
        })?;
        Ok(Promotion { job: job.into(), version, previous, is_change: true })
    }

    /// Pins a version: it is kept, and no version that is not pinned may be promoted until it is unpinned. Which one
    /// serves does not change.
    ///
    /// # Errors
    /// If there is none.
    pub fn pin(&self, job: &str, version: u32) -> Result<(), RegistryError> {
        self.change(job, |champion| {
            self.manifest(job, version)?;
            champion.pinned.insert(version);
            Ok(())
        })?;
        Ok(())
    }

    /// Takes a pin away, if there is one.
    ///
    /// # Errors
    /// If there is neither such a pin nor such a version.
    pub fn unpin(&self, job: &str, version: u32) -> Result<(), RegistryError> {
        self.change(job, |champion| match champion.pinned.remove(&version) {
            true => Ok(()),
            false => self.manifest(job, version).map(drop),
        })?;
        Ok(())
    }

    /// Lets a version forecast in shadow, beside the one that serves, in place of another one that may do so. Returns that.
    ///
    /// # Errors
    /// If there is no such version, it is damaged or of nobody who is trusted, or it serves.
    pub fn run_in_shadow(&self, job: &str, version: u32) -> Result<Option<u32>, RegistryError> {
        let (before, _) = self.change(job, |champion| {
            self.load(job, version)?;
            match champion.current == Some(version) {
                true => Err(RegistryError::Serves { job: job.into(), version }),
                false => Ok(champion.shadow.replace(version)),
            }
        })?;
        Ok(before.filter(|before| *before != version))
    }

    /// Ends the shadow of a job; returns which version it was.
    ///
    /// # Errors
    /// If the job has no versions.
    pub fn end_shadow(&self, job: &str) -> Result<Option<u32>, RegistryError> {
        Ok(self.change(job, |champion| Ok(champion.shadow.take()))?.0)
    }

    /// The version that runs in shadow, if any does.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn shadow(&self, job: &str) -> Result<Option<Manifest>, RegistryError> {
        folder::check_job(job)?;
        let shadow = Champion::read(&self.folder(job))?.shadow;
        shadow.map(|version| self.manifest(job, version)).transpose()
    }

    /// All versions of a job, or of all jobs: ascending by job, then by number. What cannot be read at all is logged
    /// and left out.
    pub fn versions(&self, job: Option<&str>) -> Vec<Version> {
        let only = |job: &str| folder::check_job(job).map(|()| vec![job.to_owned()]);
        let jobs = job.map_or_else(|| self.jobs(), only);
        let mut versions = Vec::new();
        for job in logged(jobs) {
            let folder = self.folder(&job);
            let champion = Champion::read(&folder);
            if let Err(error) = &champion {
                tracing::warn!(%error, "no version of job '{job}' can serve");
            }
            for version in logged(numbers(&folder)) {
                let (signed_by, signature_problem) = self.signature(&job, version);
                let is = |of: &dyn Fn(&Champion) -> bool| champion.as_ref().is_ok_and(of);
                versions.push(Version {
                    manifest: self.manifest(&job, version),
                    is_champion: is(&|champion| champion.current == Some(version)),
                    is_pinned: is(&|champion| champion.pinned.contains(&version)),
                    is_shadow: is(&|champion| champion.shadow == Some(version)),
                    signed_by,
                    signature_problem,
                    job: job.clone(),
                    version,
                });
            }
        }
        versions
    }

    /// What is decided about the versions of a job; nothing where it has none.
    ///
    /// # Errors
    /// If that cannot be read.
    pub fn standing(&self, job: &str) -> Result<Standing, RegistryError> {
        folder::check_job(job)?;
        let champion = Champion::read(&self.folder(job))?;
        Ok(Standing {
            champion: champion.current,
            pinned: champion.pinned.into_iter().collect(),
            shadow: champion.shadow,
            history: champion.history,
        })
    }

    /// Changes of the serving version of a job, oldest first.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn history(&self, job: &str) -> Result<Vec<Event>, RegistryError> {
        Ok(Champion::read(&self.known(job)?)?.history)
    }

    /// Names of the jobs that have versions, ascending.
    ///
    /// # Errors
    /// If the registry cannot be read.
    pub fn jobs(&self) -> Result<Vec<String>, RegistryError> {
        let mut jobs = self.folders()?;
        jobs.retain(|job| numbers(&self.folder(job)).is_ok_and(|numbers| !numbers.is_empty()));
        Ok(jobs)
    }

    /// Whether a job has versions.
    ///
    /// # Errors
    /// If it has none.
    pub fn check(&self, job: &str) -> Result<(), RegistryError> {
        self.known(job).map(drop)
    }

    /// The first of some versions that may serve.
    fn first_sound(&self, job: &str, versions: Vec<u32>) -> Result<u32, RegistryError> {
        let mut refused = None;
        for version in versions {
            match self.load(job, version) {
                Ok(_) => return Ok(version),
                Err(error @ RegistryError::Untrusted { .. }) => drop(refused.get_or_insert(error)),
                Err(_) => {}
            }
        }
        Err(refused.unwrap_or_else(|| RegistryError::NothingBefore(job.into())))
    }

    /// Names of the jobs that have a folder, ascending.
    pub(super) fn folders(&self) -> Result<Vec<String>, RegistryError> {
        let mut names = folder::names(&self.root)?;
        names.retain(|name| folder::check_job(name).is_ok());
        Ok(names)
    }

    /// The folder of all jobs.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The folder of a job.
    pub(super) fn folder(&self, job: &str) -> PathBuf {
        self.root.join(job)
    }

    /// The folder of a job that has versions.
    pub(super) fn known(&self, job: &str) -> Result<PathBuf, RegistryError> {
        folder::check_job(job)?;
        let folder = self.folder(job);
        match numbers(&folder)?.is_empty() {
            true => Err(RegistryError::UnknownJob { job: job.into(), known: self.jobs()? }),
            false => Ok(folder),
        }
    }

    /// Changes the champion file under the lock; nothing is written where nothing changed. Where another program decided
    /// meanwhile, by way of the store, the change is made again on what that one left. Also returns the version that served before.
    fn change<T>(
        &self,
        job: &str,
        change: impl Fn(&mut Champion) -> Result<T, RegistryError>,
    ) -> Result<(T, Option<u32>), RegistryError> {
        loop {
            self.refresh(job)?;
            let folder = self.known(job)?;
            let _lock = Lock::of(&folder)?;
            let before = Champion::read(&folder)?;
            let mut champion = before.clone();
            let value = change(&mut champion)?;
            let is_done = match &self.shelf {
                _ if champion == before => true,
                None => champion.write(&folder).map(|()| true)?,
                Some(shelf) => self.decide(shelf, job, &before, &champion)?,
            };
            if is_done {
                return Ok((value, before.current));
            }
        }
    }
}

fn check_pins(job: &str, champion: &Champion, version: u32) -> Result<(), RegistryError> {
    match champion.forbids(version) {
        Some(pinned) => Err(RegistryError::Pinned { job: job.into(), version, pinned }),
        None => Ok(()),
    }
}

/// Numbers of the versions in a job's folder, ascending.
pub(super) fn numbers(folder: &Path) -> Result<Vec<u32>, RegistryError> {
    let number = |name: &String| name.parse().ok().filter(|number: &u32| number.to_string() == *name);
    let mut numbers: Vec<u32> = folder::names(folder)?.iter().filter_map(number).collect();
    numbers.sort_unstable();
    Ok(numbers)
}

/// The forecaster in a version's folder, if it is what the manifest says.
pub(super) fn weights_of(folder: &Path, manifest: &Manifest) -> Result<Forecaster, RegistryError> {
    // A folder that was copied out of a store has the name there.
    let there = folder.join(weights_name("weights", &manifest.weights_sha256));
    let path = if there.exists() { there } else { folder.join(WEIGHTS) };
    read_weights(&path, manifest.weights_bytes, &manifest.weights_sha256)
}

/// The forecaster before it saw the end of its data, if one is kept and it is what the manifest says.
pub(super) fn unseen_of(folder: &Path, manifest: &Manifest) -> Result<Option<Unseen>, RegistryError> {
    let Some(file) = &manifest.unseen else { return Ok(None) };
    let forecaster = read_weights(&folder.join(UNSEEN), file.bytes, &file.sha256)?;
    Ok(Some(Unseen { forecaster, extents: file.extents.clone() }))
}

fn read_weights(path: &Path, bytes: u64, wanted: &str) -> Result<Forecaster, RegistryError> {
    let broken = |reason: String| RegistryError::broken(path, reason);
    let bytes = folder::read_part(path, bytes.min(WEIGHTS_MAX))?;
    let found = sha256(&bytes);
    if found != wanted {
        return Err(broken(format!("its SHA-256 is {found}, the manifest says {wanted}")));
    }
    Forecaster::from_bytes(&bytes).map_err(|error| broken(error.to_string()))
}

/// The values, or none and a line in the log.
fn logged<T>(values: Result<Vec<T>, RegistryError>) -> Vec<T> {
    values.unwrap_or_else(|error| {
        tracing::warn!(%error, "models are left out of the list");
        Vec::new()
    })
}
