//! One daemon per state directory.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

/// Name of the lock file in the state directory.
const FILE: &str = "lock";

/// The lock of a state directory; it is free again when this value or the process ends, however it ends.
#[derive(Debug)]
pub struct StateLock {
    _file: File,
}

/// Why the state directory cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Another process has it.
    #[error("{state} is in use by {holder}; stop that process, or give this one another state directory")]
    Held {
        /// The state directory.
        state: PathBuf,
        /// Who holds it.
        holder: String,
    },
    /// It cannot be created or written.
    #[error("cannot use the state directory {state}: {reason}; create it, or make it writable")]
    Unusable {
        /// The state directory.
        state: PathBuf,
        /// The operating system's words.
        reason: std::io::Error,
    },
}

impl StateLock {
    /// Creates the state directory if need be and locks it.
    ///
    /// # Errors
    /// If another process holds it, or if it cannot be written.
    pub fn take(state: &Path) -> Result<StateLock, LockError> {
        let unusable = |reason| LockError::Unusable { state: state.into(), reason };
        std::fs::create_dir_all(state).map_err(unusable)?;
        let mut options = OpenOptions::new();
        options.create(true).read(true).write(true).truncate(false);
        let mut file = options.open(state.join(FILE)).map_err(unusable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who holds it is a courtesy; that it is held is what counts.
                let _ = file.take(200).read_to_string(&mut holder);
                let holder = match holder.trim() {
                    "" => "another process".to_owned(),
                    known => known.to_owned(),
                };
                return Err(LockError::Held { state: state.into(), holder });
            }
            Err(TryLockError::Error(reason)) => return Err(unusable(reason)),
        }
        let note = format!("process {}\n", std::process::id());
        file.set_len(0).and_then(|()| file.rewind()).map_err(unusable)?;
        file.write_all(note.as_bytes()).map_err(unusable)?;
        Ok(StateLock { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_the_other_learns_who() {
        let folder = tempfile::tempdir().expect("folder");
        let state = folder.path().join("new/state");
        let lock = StateLock::take(&state).expect("free");
        let error = StateLock::take(&state).expect_err("held").to_string();
        assert!(error.contains(&format!("process {}", std::process::id())), "{error}");
        drop(lock);
        StateLock::take(&state).expect("free again");
    }

    #[test]
    fn a_file_is_no_state_directory() {
        let file = tempfile::NamedTempFile::new().expect("file");
        assert!(matches!(StateLock::take(file.path()), Err(LockError::Unusable { .. })));
    }
}
