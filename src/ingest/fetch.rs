//! The data of a source at one moment: its files as they are, or what its command has just printed.

use super::exec::{self, Output};
use super::inputs::{self, Found};
use super::stamp::{self, Change, ChangeKind, FileStamp, Stamps};
use super::{Guard, Ingested, SourceSpec, Watch, read_found};
use crate::ingest::IngestError;
use std::sync::atomic::AtomicBool;

/// The data of a source at one moment.
#[derive(Debug)]
pub struct Fetched {
    /// Its files, and how they differ from those of an earlier look.
    pub stamps: Stamps,
    output: Option<Output>,
    /// Copies of objects, where inputs are addresses: a later look might find other versions.
    copies: Option<Found>,
}

/// Looks at the files of a source, or runs its command until it has printed everything or `stop` becomes true; `known` are
/// the files as they were seen before. Objects are copied; `watch` hears how far that is.
///
/// # Errors
/// If an input names no file or one cannot be read; if the command gives no data.
pub fn fetch(
    spec: &SourceSpec,
    known: &[FileStamp],
    stop: &AtomicBool,
    watch: &Watch,
) -> Result<Fetched, IngestError> {
    let Some(command) = &spec.exec else {
        let (stamps, found) = stamp::stamp_found(spec, known, stop, watch)?;
        return Ok(Fetched { stamps, output: None, copies: spec.has_addresses().then_some(found) });
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
    let stamps = Stamps { bytes_hashed: now.size, files: vec![now], changes, skipped: Vec::new() };
    Ok(Fetched { stamps, output: Some(output), copies: None })
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
        self.read_guarded(spec, watch, &|_| Ok(()))
    }

    /// As [`Fetched::read_watched`]; `guard` is asked before the rows are read.
    ///
    /// # Errors
    /// See [`IngestError`]; what `guard` says.
    pub fn read_guarded(
        &self,
        spec: &SourceSpec,
        watch: &Watch,
        guard: &Guard,
    ) -> Result<Ingested, IngestError> {
        let found = match (&self.output, &self.copies) {
            (Some(output), _) => output.found()?,
            (None, Some(copies)) => copies.clone(),
            (None, None) => inputs::find(spec, &AtomicBool::new(false), watch)?,
        };
        read_found(spec, found, watch, guard)
    }
}
