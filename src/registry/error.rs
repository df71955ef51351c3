//! What can go wrong with the models on disk.

use crate::publish::PublishError;
use crate::store::StoreError;
use std::io;
use std::path::{Path, PathBuf};

/// Why the registry did not do what was asked for; nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// A name that would not do as a folder.
    #[error("'{0}' is no name of a job; use a to z, 0 to 9, _ and -, at most 64 characters")]
    JobName(String),
    /// The job has no models.
    #[error("no models of job '{job}'")]
    UnknownJob {
        /// As asked for.
        job: String,
        /// Jobs that have some, ascending.
        known: Vec<String>,
    },
    /// There is no such version.
    #[error("job '{job}' has no version {version}")]
    UnknownVersion {
        /// Of the version.
        job: String,
        /// As asked for.
        version: u32,
        /// Those that exist, ascending.
        known: Vec<u32>,
    },
    /// Nothing served before.
    #[error("no earlier version of job '{0}' served that is still there; promote one by its number")]
    NothingBefore(String),
    /// What serves cannot run beside itself.
    #[error("version {version} of job '{job}' serves; another one may run in shadow beside it")]
    Serves {
        /// Of the versions.
        job: String,
        /// As asked for.
        version: u32,
    },
    /// A pin is in the way.
    #[error("job '{job}' is pinned to version {pinned}, so version {version} cannot serve; unpin it first")]
    Pinned {
        /// Of the versions.
        job: String,
        /// To be promoted.
        version: u32,
        /// The pinned one, the newest of several.
        pinned: u32,
    },
    /// A file is not as it was written.
    #[error("{path} is damaged: {reason}")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is of a program that is newer than this one.
    #[error("{path} cannot be read: {reason}")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version, and what to do.
        reason: String,
    },
    /// Keys are trusted, and none of them signed a version.
    #[error(
        "{path} is not used: {reason}; add its key to trusted_keys, or look at it and sign it: s4cast models sign"
    )]
    Untrusted {
        /// Folder of the version, or its file.
        path: PathBuf,
        /// What is wrong with the signature.
        reason: String,
    },
    /// A file cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The store of the registry does not do what it should.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Reading or writing failed.
    #[error("{path}: {source}")]
    Io {
        /// File or folder.
        path: PathBuf,
        /// The operating system's words.
        source: io::Error,
    },
}

impl RegistryError {
    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
        let path = path.to_path_buf();
        |source| RegistryError::Io { path, source }
    }

    pub(super) fn broken(path: &Path, reason: impl ToString) -> RegistryError {
        RegistryError::Broken { path: path.into(), reason: reason.to_string() }
    }
}

impl RegistryError {
    /// Whether it may pass by itself.
    pub fn is_retryable(&self) -> bool {
        match self {
            RegistryError::Io { .. } => true,
            RegistryError::Publish(error) => error.is_retryable(),
            RegistryError::Store(error) => error.is_retryable(),
            _ => false,
        }
    }
}
