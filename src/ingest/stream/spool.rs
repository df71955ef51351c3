//! A stream that is kept as a file, for whoever has to read all of it, more than once.

use super::messages::Messages;
use super::{NAME, assigned, frames};
use crate::ingest::exec::form;
use crate::ingest::files::{self, Format, SourceFile, data};
use crate::ingest::inputs::Found;
use crate::ingest::seen::Seen;
use crate::ingest::source::Source;
use crate::ingest::spec::{IngestError, IngestErrorKind, SourceSpec};
use crate::store::{self, Scratch};
use arrow_schema::{ArrowError, SchemaRef};
use std::io::Read;
use tempfile::TempPath;

/// A stream that was read to its end. Its file goes with it.
#[derive(Debug)]
pub struct Spooled {
    path: TempPath,
    /// Its folder.
    _scratch: Scratch,
    schema: SchemaRef,
    rows: usize,
}

/// Reads a stream to its end and keeps it as Parquet in the folder of this process below `TMPDIR`.
///
/// # Errors
/// If it is no Arrow IPC stream, cannot be read, or there is no room for it.
pub fn spool(input: impl Read) -> Result<Spooled, IngestError> {
    let kept = |error: &dyn std::fmt::Display| {
        let folder = store::scratch_parent();
        let problem =
            format!("{NAME}: it cannot be kept in {}: {error}; make room, or set TMPDIR", folder.display());
        IngestError::new(IngestErrorKind::Io, vec![problem])
    };
    let scratch = Scratch::begin().map_err(|error| kept(&error))?;
    let file = scratch.file().map_err(|error| kept(&error))?;
    let target = file.reopen().map_err(|error| kept(&error))?;
    let mut messages = Messages::open(input)?;
    let schema = messages.schema().clone();
    let mut failure = None;
    let batches = std::iter::from_fn(|| match messages.next_batch() {
        Ok(batch) => batch.map(Ok),
        Err(error) => {
            failure = Some(error);
            Some(Err(ArrowError::IpcError("the stream failed".into())))
        }
    });
    let copied = form::copy(&schema, batches, target);
    if let Some(failure) = failure {
        return Err(failure);
    }
    let rows = copied.map_err(|error| kept(&error))?;
    Ok(Spooled { path: file.into_temp_path(), _scratch: scratch, schema, rows })
}

impl Spooled {
    /// Rows of the stream.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The id columns, as far as names, types and flags tell: for a stream without rows.
    ///
    /// # Errors
    /// If a flag names a column that is not there.
    pub fn id_columns(&self, spec: &SourceSpec) -> Result<Vec<String>, IngestError> {
        let fields = self.schema.fields().iter();
        let columns = fields.map(|field| (field.name().clone(), frames::column_type(field))).collect();
        Ok(assigned(&Source::of_frames(NAME, columns, Vec::new(), 0), spec)?.roles.id)
    }

    /// As the one file of a source.
    pub(in crate::ingest) fn found(&self) -> Result<Found, IngestError> {
        if self.rows == 0 {
            return Err(data(format!("{NAME}: columns but no rows; write at least one row")));
        }
        let metadata = std::fs::metadata(&self.path).map_err(|error| files::io_error(&self.path, &error))?;
        let file = SourceFile {
            path: self.path.to_path_buf(),
            name: NAME.into(),
            format: Format::Parquet,
            hive: Vec::new(),
            named: true,
            seen: Seen::of(&metadata),
        };
        Ok(Found { files: vec![file], skipped: Vec::new() })
    }
}
