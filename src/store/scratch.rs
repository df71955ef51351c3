//! Folders of this process for what is on its way to or from a store.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::TempDir;

/// How the names of such folders begin.
const PREFIX: &str = "s4cast-store-";

/// A folder in `TMPDIR` that goes with this value, and is held locked until then. What a killed process left is removed by the
/// next one.
#[derive(Debug)]
pub struct Scratch {
    folder: TempDir,
    _lock: Option<File>,
}

/// Those of this process.
static LIVE: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// If no folder can be created in `TMPDIR`.
    pub fn begin() -> io::Result<Scratch> {
        let parent = std::env::temp_dir();
        remove_leftovers(&parent);
        loop {
            let folder = tempfile::Builder::new().prefix(PREFIX).tempdir_in(&parent)?;
            // Where folders have no locks, what a killed process leaves stays.
            let lock = File::open(folder.path()).ok().filter(|lock| lock.try_lock().is_ok());
            // Another process may have taken it for a leftover before it was locked.
            if folder.path().exists() {
                live().push(folder.path().into());
                return Ok(Scratch { folder, _lock: lock });
            }
        }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        live().retain(|path| path != self.folder.path());
    }
}

/// Removes all of this process: it is about to end without another chance.
pub fn remove_scratch() {
    for path in live().drain(..) {
        // The next process tries again.
        let _ = std::fs::remove_dir_all(path);
    }
}

fn live() -> MutexGuard<'static, Vec<PathBuf>> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn remove_leftovers(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_left = entry.file_name().to_string_lossy().starts_with(PREFIX)
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left && std::fs::remove_dir_all(entry.path()).is_ok() {
            tracing::info!(folder = %entry.path().display(), "removed what a killed run left");
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_removed_and_what_is_held_is_not() {
        let held = Scratch::begin().expect("begun");
        let left = std::env::temp_dir().join(format!("{PREFIX}left-{}", std::process::id()));
        std::fs::create_dir_all(left.join("below")).expect("created");
        let other = Scratch::begin().expect("begun");
        assert!(held.path().exists() && other.path().exists() && !left.exists());
        let path = other.path().to_owned();
        drop(other);
        assert!(!path.exists());
    }
}
