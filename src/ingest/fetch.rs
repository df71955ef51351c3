//! The data of a source at one moment: its files as they are, or what its command has just printed.

use super::exec::{self, Output};
use super::stamp::{self, Change, ChangeKind, FileStamp, Stamps};
use super::{Ingested, SourceSpec, Watch, files, read_found};
use crate::ingest::IngestError;
use std::sync::atomic::AtomicBool;

/// The data of a source at one moment.
#[derive(Debug)]
pub struct Fetched {
    /// Its files, and how they differ from those of an earlier look.
    pub stamps: Stamps,
    output: Option<Output>,
}

/// Looks at the files of a source, or runs its command until it has printed everything or `stop` becomes true; `known` are
/// the files as they were seen before.
///
/// # Errors
/// If an input names no file or one cannot be read; if the command gives no data.
pub fn fetch(spec: &SourceSpec, known: &[FileStamp], stop: &AtomicBool) -> Result<Fetched, IngestError> {
    let Some(command) = &spec.exec else {
        return Ok(Fetched { stamps: stamp::stamp(spec, known)?, output: None });
    };
    let output = exec::run(command, stop)?;
    // Of what a command prints nothing but the content counts.
    let now = FileStamp {
        path: exec::NAME.into(),
        size: output.bytes,
        modified_ns: 0,
        changed_ns: 0,
        inode: 0,
        sha256: output.sha256.clone(),
    };
    let kind = match known.iter().find(|file| file.path == now.path) {
        None => Some(ChangeKind::New),
        Some(before) if *before == now => None,
        Some(_) => Some(ChangeKind::Revised),
    };
    let changes = kind.map(|kind| Change { path: now.path.clone(), kind }).into_iter().collect();
    let stamps = Stamps { bytes_hashed: now.size, files: vec![now], changes };
    Ok(Fetched { stamps, output: Some(output) })
}

impl Fetched {
    /// Reads it, as [`super::read`] does.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn read(&self, spec: &SourceSpec) -> Result<Ingested, IngestError> {
        self.read_watched(spec, &|_| {})
    }

    /// As [`Fetched::read`]; `watch` hears how far it is.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn read_watched(&self, spec: &SourceSpec, watch: &Watch) -> Result<Ingested, IngestError> {
        match &self.output {
            Some(output) => read_found(spec, output.found()?, watch),
            None => read_found(spec, files::find(&spec.inputs)?, watch),
        }
    }
}
