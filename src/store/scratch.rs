//! What this process has on disks for a while, and how it goes whatever happens.
//!
//! ```text
//! TMPDIR/s4cast-PID-RANDOM/     one folder for a process, of a daemon below STATE/tmp; locked while it lives
//!     .tmpXXXXXX/               a Scratch each: copies of objects, what is on its way to a store, output of a command
//! FOLDER/.s4cast-XXXX.partial   neighbours of files that are written atomically: a Hidden each
//! ```
//!
//! Values remove what is theirs when they are dropped, a panic included. A process that is told to end removes all that is left
//! with [`remove_scratch`]. What a killed one left is found by its lock, which nobody holds any more: by [`sweep`] at the next start, and
//! by whoever writes into the same folder next.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tempfile::{NamedTempFile, TempDir};

/// How the names of such folders begin; the number of the process follows.
const PREFIX: &str = "s4cast-";

/// What this process has.
#[derive(Default)]
struct Own {
    /// Where its folder is, if not in `TMPDIR`.
    parent: Option<PathBuf>,
    /// Its folder, as long as any [`Scratch`] lives, and how many do.
    home: Option<(TempDir, Option<File>)>,
    live: usize,
    /// Hidden files beside those that are being written.
    hidden: Vec<PathBuf>,
}

static OWN: Mutex<Own> = Mutex::new(Own { parent: None, home: None, live: 0, hidden: Vec::new() });

fn own() -> MutexGuard<'static, Own> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A folder below that of this process, which goes with this value.
#[derive(Debug)]
pub struct Scratch {
    folder: Option<TempDir>,
}

impl Scratch {
    /// An empty one.
    ///
    /// # Errors
    /// If no folder can be created in [`scratch_parent`].
    pub fn begin() -> io::Result<Scratch> {
        let parent = scratch_parent();
        let mut own = own();
        if own.home.is_none() {
            own.home = Some(home(&parent)?);
        }
        let folder = own.home.as_ref().map(|(home, _)| tempfile::tempdir_in(home.path())).transpose()?;
        own.live += 1;
        Ok(Scratch { folder })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// An empty file in it.
    ///
    /// # Errors
    /// If it cannot be created.
    pub fn file(&self) -> io::Result<NamedTempFile> {
        NamedTempFile::new_in(self.path())
    }
}

/// Whether a path lies in what this process has for a while.
pub(super) fn is_own(path: &Path) -> bool {
    let has_up = path.components().any(|part| part == std::path::Component::ParentDir);
    !has_up && own().home.as_ref().is_some_and(|(home, _)| path.starts_with(home.path()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        self.folder.take();
        let mut own = own();
        own.live = own.live.saturating_sub(1);
        if own.live == 0 {
            own.home.take();
        }
    }
}

/// A folder for this process, locked.
fn home(parent: &Path) -> io::Result<(TempDir, Option<File>)> {
    std::fs::create_dir_all(parent)?;
    sweep_in(parent);
    loop {
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir_in(parent)?;
        // Where folders have no locks, what a killed process leaves stays.
        let lock = File::open(folder.path()).ok().filter(|lock| lock.try_lock().is_ok());
        // Another process may have taken it for a leftover before it was locked.
        if folder.path().exists() {
            return Ok((folder, lock));
        }
    }
}

/// A hidden file beside one that is being written: removed if this process is told to end before this value is dropped.
#[derive(Debug)]
pub struct Hidden(PathBuf);

impl Hidden {
    /// Takes note of one.
    pub fn new(path: &Path) -> Hidden {
        own().hidden.push(path.into());
        Hidden(path.into())
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        let mut own = own();
        if let Some(place) = own.hidden.iter().position(|path| *path == self.0) {
            own.hidden.swap_remove(place);
        }
    }
}

/// Where the folder of this process is, or would be.
pub fn scratch_parent() -> PathBuf {
    own().parent.clone().unwrap_or_else(std::env::temp_dir)
}

/// From here on the folder of this process is below another one than `TMPDIR`.
pub fn scratch_below(parent: PathBuf) {
    own().parent = Some(parent);
}

/// Removes all that this process has: it is about to end without another chance.
pub fn remove_scratch() {
    let mut own = own();
    // What cannot be removed, the next process tries again.
    for path in own.hidden.drain(..) {
        let _ = std::fs::remove_file(path);
    }
    if let Some((home, _)) = own.home.take() {
        let _ = home.close();
    }
}

/// Removes the folders of processes that were killed.
pub fn sweep() {
    sweep_in(&scratch_parent());
}

fn sweep_in(parent: &Path) {
    for entry in std::fs::read_dir(parent).into_iter().flatten().flatten() {
        let is_left = is_home(&entry.file_name().to_string_lossy())
            && entry.file_type().is_ok_and(|kind| kind.is_dir())
            && File::open(entry.path()).is_ok_and(|folder| folder.try_lock().is_ok());
        if is_left && std::fs::remove_dir_all(entry.path()).is_ok() {
            tracing::info!(folder = %entry.path().display(), "removed what a killed run left");
        }
    }
}

/// Whether a folder of that name is one of a process of this program.
fn is_home(name: &str) -> bool {
    let number = name.strip_prefix(PREFIX).and_then(|rest| rest.split_once('-')).map(|(number, _)| number);
    number.is_some_and(|number| !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_removed_and_what_is_held_is_not() {
        let held = Scratch::begin().expect("begun");
        let (file, home) = (held.file().expect("a file"), held.path().parent().expect("below").to_owned());
        assert!(is_home(&home.file_name().expect("a name").to_string_lossy()));
        let left = scratch_parent().join(format!("{PREFIX}4194304-left"));
        std::fs::create_dir_all(left.join("below")).expect("created");
        let other = Scratch::begin().expect("begun");
        sweep();
        assert!(file.path().exists() && other.path().exists() && !left.exists());
        let path = other.path().to_owned();
        assert!(path.starts_with(&home));
        drop(other);
        assert!(!path.exists() && home.exists());
    }

    #[test]
    fn folders_of_others_are_no_leftovers() {
        assert!(is_home("s4cast-17-a8Xz"));
        for name in ["s4cast-store", "s4cast-", "s4cast-x-1", "s4cast--1", "other-1-2"] {
            assert!(!is_home(name), "{name}");
        }
    }
}
