//! What is known of objects that are alike here and there: what tells that one of both has changed since.

use crate::publish::{PublishError, write_bytes};
use crate::series::version;
use crate::store::Entry;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::UNIX_EPOCH;

/// Folder of the records below the copy.
pub(super) const FOLDER: &str = ".mirror";

/// Version of a record.
const VERSION: u32 = 1;

fn first() -> u32 {
    1
}

/// The record of a job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Version of this form; not in the files of early programs.
    #[serde(default = "first")]
    version: u32,
    /// Address of the store.
    pub(super) of: String,
    /// By name in the store.
    pub(super) objects: BTreeMap<String, Seen>,
}

/// An object as it was when both sides were alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    /// There.
    pub(super) there: String,
    /// Here.
    pub(super) here: String,
}

impl Record {
    pub(super) fn new(of: &str) -> Record {
        Record { version: VERSION, of: of.into(), objects: BTreeMap::new() }
    }

    /// One that cannot be read, or is of a newer program, is of nothing: everything is compared anew.
    pub(super) fn read(path: &Path) -> Record {
        let text = std::fs::read(path).unwrap_or_default();
        version::from_json(&text, VERSION).unwrap_or_else(|_| Record::new(""))
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), PublishError> {
        let text = serde_json::to_vec_pretty(self).expect("texts are JSON");
        write_bytes(path, &text).map(drop)
    }

    /// Remembers that a file is what an object is.
    pub(super) fn alike(&mut self, name: &str, entry: &Entry, file: &Path) {
        match here(file) {
            Some(here) => {
                self.objects.insert(name.into(), Seen { there: there(entry), here });
            }
            None => drop(self.objects.remove(name)),
        }
    }
}

/// What changes with an object.
pub(super) fn there(entry: &Entry) -> String {
    let tag = entry.etag.clone().unwrap_or_else(|| entry.modified.to_string());
    format!("{} {tag}", entry.bytes)
}

/// What changes with a file; `None` where there is none.
pub(super) fn here(file: &Path) -> Option<String> {
    let found = file.metadata().ok()?;
    let modified = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{} {}", found.len(), modified.as_nanos()))
}
