//! The folder of a job: its name, its lock, whole folders that appear at once, files that are read with a limit.

use crate::publish;
use crate::registry::error::RegistryError;
use crate::series::version::refusal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// How the names of folders begin that are on their way in or out.
const HIDDEN: &str = ".partial-";

/// Name of the lock file.
const LOCK: &str = ".lock";

/// Whether a name is safe as a folder, a label and a part of a URL.
pub(super) fn check_job(job: &str) -> Result<(), RegistryError> {
    match publish::is_name(job) {
        true => Ok(()),
        false => Err(RegistryError::JobName(job.into())),
    }
}

/// Holds the lock of a job until it is dropped.
pub(super) struct Lock {
    _file: Option<File>,
}

impl Lock {
    /// Waits for the lock of an existing folder.
    pub fn of(folder: &Path) -> Result<Lock, RegistryError> {
        let path = folder.join(LOCK);
        let open = File::options().create(true).truncate(false).write(true).open(&path);
        let file = open.map_err(RegistryError::io(&path))?;
        // Some file systems have no locks; there the one daemon that works on them is the only one to write.
        match file.lock() {
            Ok(()) => Ok(Lock { _file: Some(file) }),
            Err(error) => {
                tracing::warn!(file = %path.display(), %error, "changes go on without a lock");
                Ok(Lock { _file: None })
            }
        }
    }
}

/// Creates a folder with these files, whole and durable or not at all; the lock is held. `verify` sees the folder under
/// its hidden name, with everything written.
pub(super) fn create(
    parent: &Path,
    name: &str,
    files: &[(&str, &[u8])],
    verify: impl FnOnce(&Path) -> Result<(), RegistryError>,
) -> Result<(), RegistryError> {
    let partial = parent.join(format!("{HIDDEN}{name}"));
    remove(&partial)?;
    let fill = || {
        fs::create_dir(&partial).map_err(RegistryError::io(&partial))?;
        for (file, bytes) in files {
            let path = partial.join(file);
            write(&path, bytes).map_err(RegistryError::io(&path))?;
        }
        sync(&partial);
        verify(&partial)?;
        let target = parent.join(name);
        fs::rename(&partial, &target).map_err(RegistryError::io(&target))
    };
    let outcome = fill();
    if outcome.is_err() {
        // The error that is reported is the first one.
        let _ = fs::remove_dir_all(&partial);
    }
    sync(parent);
    outcome
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

/// Removes a folder: it disappears at once, its content a little later; the lock is held.
pub(super) fn discard(parent: &Path, name: &str) -> Result<(), RegistryError> {
    let (folder, hidden) = (parent.join(name), parent.join(format!("{HIDDEN}{name}")));
    remove(&hidden)?;
    fs::rename(&folder, &hidden).map_err(RegistryError::io(&folder))?;
    sync(parent);
    remove(&hidden)
}

/// Removes what a killed process left half made or half removed; the lock is held.
pub(super) fn sweep(parent: &Path) -> Result<(), RegistryError> {
    for name in names(parent)?.iter().filter(|name| name.starts_with(HIDDEN)) {
        remove(&parent.join(name))?;
        tracing::info!(folder = %parent.join(name).display(), "removed what a killed run left");
    }
    Ok(())
}

fn remove(folder: &Path) -> Result<(), RegistryError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(RegistryError::io(folder)(error)),
        _ => Ok(()),
    }
}

/// Makes renames durable. A file system that cannot sync folders keeps them all the same, so this only warns.
fn sync(folder: &Path) {
    if cfg!(unix)
        && let Err(error) = File::open(folder).and_then(|folder| folder.sync_all())
    {
        tracing::warn!(folder = %folder.display(), %error, "the folder could not be synced");
    }
}

/// Names of the folders in a folder, ascending; none where it does not exist.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, RegistryError> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(RegistryError::io(folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(RegistryError::io(folder))?;
        if entry.path().is_dir()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// The content of a file of at most that many bytes.
pub(super) fn read(path: &Path, bytes_max: u64) -> Result<Vec<u8>, RegistryError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(RegistryError::io(path))?;
    file.take(bytes_max.saturating_add(1)).read_to_end(&mut bytes).map_err(RegistryError::io(path))?;
    match bytes.len() as u64 > bytes_max {
        true => Err(RegistryError::broken(path, format!("it is larger than {bytes_max} bytes"))),
        false => Ok(bytes),
    }
}

/// The content of a file that has to be there.
pub(super) fn read_part(path: &Path, bytes_max: u64) -> Result<Vec<u8>, RegistryError> {
    match read(path, bytes_max) {
        Err(RegistryError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            Err(RegistryError::broken(path, "it is missing"))
        }
        bytes => bytes,
    }
}

/// A JSON file of that format, strictly.
pub(super) fn parse<T: DeserializeOwned>(path: &Path, bytes: &[u8], format: u32) -> Result<T, RegistryError> {
    #[derive(Deserialize)]
    struct Version {
        format: u32,
    }
    let damaged = |error: serde_json::Error| RegistryError::broken(path, error);
    let found = serde_json::from_slice::<Version>(bytes).map_err(damaged)?.format;
    match refusal(found.into(), 1..=format.into()) {
        Some(reason) => Err(RegistryError::Newer { path: path.into(), reason }),
        None => serde_json::from_slice(bytes).map_err(damaged),
    }
}

/// JSON for people, keys in the order of the type.
pub(super) fn pretty<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = serde_json::to_vec_pretty(value).expect("all keys are text");
    bytes.push(b'\n');
    bytes
}

/// Path of a version.
pub(super) fn version(folder: &Path, version: u32) -> PathBuf {
    folder.join(version.to_string())
}
