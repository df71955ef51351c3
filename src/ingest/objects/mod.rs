//! Inputs by address: objects are found in their store, copied into a folder, and read from there like any file.
//!
//! ```text
//! address ─▶ listing: which objects, by one list or one question ─▶ transfer: those without a copy, several at a time
//!                                                                        └▶ copies: one file a version, FOLDER/OBJECT-VERSION
//! ```
//!
//! A copy is known by address, tag, size and time, so a second look costs a list and no download. Copies of older versions are
//! removed an hour after their last use, all others after a month.

mod copies;
mod listing;
mod transfer;

pub(super) use listing::{Found, find};

use super::Watch;
use super::seen::Seen;
use super::spec::{IngestError, IngestErrorKind};
use crate::store::{self, Address, Entry, Scratch, Store, StoreError};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// Where objects are copied to; a clone is the same.
///
/// The default is a folder of this process in `TMPDIR`, which begins with the first object and goes with the last clone.
#[derive(Clone, Default)]
pub struct Objects {
    kept: Option<PathBuf>,
    temporary: Arc<Mutex<Option<Scratch>>>,
}

/// One of many is like the other: what is read does not depend on it.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Objects")
    }
}

/// An object that was found.
#[derive(Clone, Debug)]
pub(super) struct Object {
    pub(super) address: Address,
    pub(super) store: Store,
    pub(super) entry: Entry,
    /// The path whose folders and extension count: below the input, or as it is written.
    pub(super) spelt: PathBuf,
    /// Named by the user, so that it must be readable.
    pub(super) named: bool,
}

/// The copy of an object.
#[derive(Clone, Debug)]
pub(super) struct Copied {
    pub(super) path: PathBuf,
    pub(super) seen: Seen,
}

impl Objects {
    /// Copies that outlive this process, in a folder; it is created with the first one.
    pub fn kept(folder: PathBuf) -> Objects {
        Objects { kept: Some(folder), ..Objects::default() }
    }

    /// Where a file is on this machine that a path or an address names.
    ///
    /// # Errors
    /// If it is an address and cannot be had.
    pub fn local(&self, named: &Path) -> Result<PathBuf, IngestError> {
        match named.to_str().and_then(Address::parse).transpose().map_err(refused)? {
            None => Ok(named.into()),
            Some(address) => address.local().map_or_else(|| self.copy(&address), Ok),
        }
    }

    /// The copy of one object, which goes with this value unless it is kept.
    ///
    /// # Errors
    /// If there is none, or it cannot be had.
    pub fn copy(&self, address: &Address) -> Result<PathBuf, IngestError> {
        let object = listing::named(address)?;
        let copied = self.bring(std::slice::from_ref(&object), &AtomicBool::new(false), &|_| {})?;
        match copied.into_iter().next().flatten() {
            Some(copied) => Ok(copied.path),
            None => Err(listing::missing(&object.store, address)),
        }
    }

    /// Copies of these objects, in their order; `None` stands for one that is gone by now.
    pub(super) fn bring(
        &self,
        objects: &[Object],
        stop: &AtomicBool,
        watch: &Watch,
    ) -> Result<Vec<Option<Copied>>, IngestError> {
        if objects.is_empty() {
            return Ok(Vec::new());
        }
        let folder = self.folder()?;
        let now = copies::now(&folder)?;
        let mut copied: Vec<Option<Copied>> =
            objects.iter().map(|object| copies::at_hand(&folder, object, now)).collect();
        let wanted: Vec<usize> = (0..objects.len()).filter(|&place| copied[place].is_none()).collect();
        if wanted.is_empty() {
            return Ok(copied);
        }
        copies::check_room(&folder, wanted.iter().map(|&place| objects[place].entry.bytes).sum())?;
        for (place, one) in transfer::download(&folder, objects, &wanted, stop, watch)? {
            copied[place] = one;
        }
        if self.kept.is_some() {
            copies::sweep(&folder, copies::now(&folder)?);
        }
        Ok(copied)
    }

    /// The copy of an object that was made before, without asking anybody.
    pub(super) fn at_hand(&self, object: &Object) -> Option<Copied> {
        let temporary = || Some(self.temporary().as_ref()?.path().to_owned());
        let folder = self.kept.clone().or_else(temporary)?;
        copies::found(&folder, object)
    }

    fn folder(&self) -> Result<PathBuf, IngestError> {
        if let Some(folder) = &self.kept {
            std::fs::create_dir_all(folder).map_err(|error| copies::unusable(folder, &error))?;
            return Ok(folder.clone());
        }
        let mut held = self.temporary();
        if let Some(temporary) = held.as_ref() {
            return Ok(temporary.path().to_owned());
        }
        let new = Scratch::begin().map_err(|error| copies::unusable(&store::scratch_parent(), &error))?;
        let path = new.path().to_owned();
        *held = Some(new);
        Ok(path)
    }

    fn temporary(&self) -> std::sync::MutexGuard<'_, Option<Scratch>> {
        self.temporary.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The refusal that a failure of a store deserves.
pub(super) fn refused(error: StoreError) -> IngestError {
    let kind = match &error {
        StoreError::Address { .. } | StoreError::Unsupported { .. } => IngestErrorKind::Usage,
        StoreError::Missing { .. } => IngestErrorKind::InputMissing,
        StoreError::Denied { .. } => IngestErrorKind::Permission,
        StoreError::Unavailable { .. } => IngestErrorKind::Unavailable,
        StoreError::TooLarge { .. } => IngestErrorKind::Data,
        StoreError::Local { .. } => IngestErrorKind::Io,
    };
    let remedy = match &error {
        StoreError::Local { .. } => "; make room there, or set TMPDIR",
        _ => "",
    };
    IngestError::new(kind, vec![format!("{error}{remedy}")])
}

#[cfg(test)]
mod tests;
