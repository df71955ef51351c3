//! What can go wrong with a store, in words that say what to do.

use super::address::Address;
use object_store::Error;
use std::path::PathBuf;

/// Why a store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The address cannot be understood (usage).
    #[error("{text}: {reason}")]
    Address {
        /// As it was written, without a password.
        text: String,
        /// What is wrong with it, and how it is written.
        reason: String,
    },
    /// There is no such object, bucket or server.
    #[error("{at}: there is nothing; check the address ({reason})")]
    Missing {
        /// What was looked for.
        at: Address,
        /// The store's words.
        reason: String,
    },
    /// Not allowed, or not known to the store.
    #[error(
        "{at}: access is denied; check the credentials in the environment and the permissions of the bucket ({reason})"
    )]
    Denied {
        /// What was asked for.
        at: Address,
        /// The store's words.
        reason: String,
    },
    /// It did not answer, or with errors, until the time was up; later it may work.
    #[error("{at}: the store fails: {reason}; tried again for up to {limit_s} s (S4CAST_STORE_TIMEOUT)")]
    Unavailable {
        /// What was asked for.
        at: Address,
        /// The store's words.
        reason: String,
        /// How long one operation may take, seconds.
        limit_s: u64,
    },
    /// The store has no such operation.
    #[error("{at}: {reason}; use a store that can do it, for example s3:// or a shared folder by file://")]
    Unsupported {
        /// What was asked for.
        at: Address,
        /// The store's words.
        reason: String,
    },
    /// An object is larger than it may be.
    #[error("{at}: {bytes} bytes, at most {bytes_max} are read; is this the right object?")]
    TooLarge {
        /// The object.
        at: Address,
        /// Its size.
        bytes: u64,
        /// The limit.
        bytes_max: u64,
    },
    /// The file on this side cannot be read or written.
    #[error("{path}: {source}")]
    Local {
        /// The file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
}

impl StoreError {
    /// Whether the same call may succeed later, with nobody doing anything about it.
    pub fn is_retryable(&self) -> bool {
        matches!(self, StoreError::Unavailable { .. } | StoreError::Local { .. })
    }
}

/// Whether an error may pass by itself.
pub(super) fn passes(error: &Error) -> bool {
    match error {
        Error::Generic { .. } => !matches!(refusal(error), Some(401 | 403 | 404)),
        Error::JoinError { .. } | Error::AlreadyExists { .. } | Error::Precondition { .. } => true,
        _ => false,
    }
}

/// The status by which a server refused, where an error has it in words alone: those of lists do.
fn refusal(error: &Error) -> Option<u16> {
    let Error::Generic { source, .. } = error else { return None };
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(source.as_ref());
    while let Some(error) = next {
        if let Some((_, rest)) = error.to_string().split_once("non-2xx status code: ") {
            return rest.get(..3)?.parse().ok();
        }
        next = error.source();
    }
    None
}

/// The failure that an error of the crate is.
pub(super) fn of(at: Address, error: Error) -> StoreError {
    let reason = root_cause(&error);
    match refusal(&error) {
        Some(401 | 403) => return StoreError::Denied { at, reason },
        Some(404) => return StoreError::Missing { at, reason },
        _ => {}
    }
    match error {
        Error::NotFound { .. } => StoreError::Missing { at, reason },
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => StoreError::Denied { at, reason },
        Error::InvalidPath { .. } | Error::UnknownConfigurationKey { .. } => {
            StoreError::Address { text: at.as_str().into(), reason }
        }
        Error::NotImplemented { .. } | Error::NotSupported { .. } => StoreError::Unsupported { at, reason },
        // Without credentials, those of the machine are asked for, which has none.
        _ if reason.contains("169.254.169.254") || reason.contains("metadata.google") => StoreError::Denied {
            at,
            reason: "no credentials in the environment, and this machine has none of its own".into(),
        },
        _ => StoreError::Unavailable { at, reason, limit_s: super::time_limit().as_secs() },
    }
}

/// The innermost message, in one line.
fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut last = error;
    let mut words = vec![last.to_string()];
    while let Some(source) = last.source() {
        last = source;
        words.push(last.to_string());
    }
    // What wraps says the same again; the request's own words are the innermost two.
    let mut inner: Vec<String> = words.into_iter().rev().take(2).collect();
    inner.reverse();
    inner.dedup_by(|b, a| a.contains(b.as_str()));
    let text = inner.join(": ").split_whitespace().collect::<Vec<_>>().join(" ");
    let mut short: String = text.chars().take(400).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}
