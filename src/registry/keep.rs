//! What is kept, what goes, and whether all of it is as it was written.

use crate::registry::champion::{self, Champion};
use crate::registry::error::RegistryError;
use crate::registry::folder::{self, Lock};
use crate::registry::manifest::Manifest;
use crate::registry::versions::{Registry, numbers, weights_of};
use std::path::{Path, PathBuf};

/// Something in the registry that is not as it should be.
#[derive(Debug)]
pub struct Finding {
    /// Job that it belongs to.
    pub job: String,
    /// Version that it belongs to; none for the file that names the champion.
    pub version: Option<u32>,
    /// What is wrong.
    pub error: RegistryError,
}

/// A version that was removed, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// Of the version.
    pub job: String,
    /// Its number.
    pub version: u32,
    /// Size of its files.
    pub bytes: u64,
}

impl Registry {
    /// Reads every file of a job, or of all jobs, and checks manifests, hashes, weights and signatures: those that are there
    /// hold, and where keys are trusted every version has one of theirs.
    pub fn verify(&self, job: Option<&str>) -> Vec<Finding> {
        let mut findings = Vec::new();
        let mut last_job = None;
        for version in self.versions(job) {
            let (job, number) = (version.job, version.version);
            if last_job.as_ref() != Some(&job) {
                last_job = Some(job.clone());
                findings.extend(self.check_champion(&job));
            }
            let outcome = version.manifest.and_then(|_| {
                self.signed_by(&job, number)?;
                self.load(&job, number)?;
                self.load_unseen(&job, number)
            });
            if let Err(error) = outcome {
                findings.push(Finding { job, version: Some(number), error });
            }
        }
        findings
    }

    /// Whether the file that names the champion can be read and names one that exists.
    fn check_champion(&self, job: &str) -> Option<Finding> {
        let finding = |error| Finding { job: job.into(), version: None, error };
        let check = || {
            let folder = self.known(job)?;
            let named = Champion::read(&folder)?;
            let known = numbers(&folder)?;
            let all = named.current.iter().chain(&named.shadow).chain(&named.pinned);
            let lost = { all }.find(|version| !known.contains(version));
            match lost {
                Some(version) => {
                    let reason = format!("it names version {version}, which is not there");
                    Err(RegistryError::broken(&folder.join(champion::FILE), reason))
                }
                None => Ok(()),
            }
        };
        check().err().map(finding)
    }

    /// Removes the oldest versions of a job beyond the `keep` newest. The champion, its shadow, the version that a rollback
    /// leads to, and pinned ones stay and do not count; so does the newest, for numbers are never given twice.
    ///
    /// # Errors
    /// If the job has no versions, or the file that says what to keep cannot be read.
    pub fn gc(&self, job: &str, keep: usize, dry_run: bool) -> Result<Vec<Removed>, RegistryError> {
        self.refresh(job)?;
        let folder = self.known(job)?;
        let _lock = Lock::of(&folder)?;
        let shelf = match &self.shelf {
            Some(shelf) => Some((shelf, shelf.inventory(job)?)),
            None => None,
        };
        let champion = Champion::read(&folder)?;
        let is_whole = |version: &u32| {
            let path = folder::version(&folder, *version);
            Manifest::read(&path, job, *version).and_then(|manifest| weights_of(&path, &manifest)).is_ok()
        };
        let previous = champion.earlier().into_iter().find(is_whole);
        let stays = |version: u32| {
            Some(version) == champion.current
                || Some(version) == champion.shadow
                || Some(version) == previous
                || champion.pinned.contains(&version)
        };
        let mut versions = numbers(&folder)?;
        let newest = versions.last().copied();
        versions.retain(|&version| !stays(version));
        versions.truncate(versions.len().saturating_sub(keep));
        versions.retain(|version| Some(*version) != newest);
        let mut removed = Vec::new();
        for version in versions {
            let bytes = size(&folder::version(&folder, version));
            if !dry_run {
                if let Some((shelf, inventory)) = &shelf {
                    shelf.remove(job, version, inventory)?;
                }
                folder::discard(&folder, &version.to_string())?;
            }
            removed.push(Removed { job: job.into(), version, bytes });
        }
        if let Some((shelf, inventory)) = shelf.filter(|_| !dry_run) {
            shelf.sweep(&inventory)?;
        }
        Ok(removed)
    }

    /// Removes what killed processes left half made or half removed, in all jobs.
    ///
    /// # Errors
    /// If something cannot be removed.
    pub fn sweep(&self) -> Result<(), RegistryError> {
        for job in self.folders()? {
            let folder = self.folder(&job);
            let _lock = Lock::of(&folder)?;
            folder::sweep(&folder)?;
        }
        Ok(())
    }
}

/// Bytes of the files in a folder; what cannot be read counts nothing.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let files: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    files.iter().filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}
