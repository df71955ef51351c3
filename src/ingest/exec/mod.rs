//! A command whose output is the data: CSV, Parquet or Arrow IPC, told by its first bytes.
//!
//! The command runs without a shell, in a process group of its own, with the environment as it is and nothing on its
//! standard input. What it prints goes to a temporary file, which is then read like any other; messages name it `exec`.

mod child;
pub(super) mod form;

pub use child::end_commands;

use super::files::{self, Format, SourceFile, data};
use super::inputs::Found;
use super::secrets;
use super::seen::Seen;
use super::spec::{IngestError, IngestErrorKind};
use crate::store::{self, Scratch};
use sha2::{Digest, Sha256};
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::time::Duration;
use tempfile::TempPath;

/// What messages and records call the output.
pub(super) const NAME: &str = "exec";

/// A command whose output is the data.
#[derive(Clone, PartialEq, Eq)]
pub struct ExecSpec {
    /// The program and its arguments; never empty.
    pub command: Vec<String>,
    /// Where it runs; empty is where this program runs. A program that is a relative path starts there, too.
    pub folder: PathBuf,
    /// How long it may take.
    pub timeout: Duration,
    /// How many bytes it may print.
    pub max_bytes: u64,
}

impl ExecSpec {
    /// How long a command may take where nothing is said.
    pub const TIMEOUT: Duration = Duration::from_secs(300);

    /// How many bytes a command may print where nothing is said.
    pub const MAX_BYTES: u64 = 4 << 30;

    /// A command with the usual limits that runs where this program does.
    pub fn new(command: Vec<String>) -> ExecSpec {
        ExecSpec {
            command,
            folder: PathBuf::new(),
            timeout: ExecSpec::TIMEOUT,
            max_bytes: ExecSpec::MAX_BYTES,
        }
    }

    /// The command as people may see it: in one line, secrets masked.
    pub fn shown(&self) -> String {
        secrets::shown(&self.command)
    }

    /// The program, from the folder where it is a relative path.
    pub fn program(&self) -> PathBuf {
        let program = PathBuf::from(self.command.first().map_or("", String::as_str));
        let is_path = program.components().count() > 1;
        if is_path && program.is_relative() { self.folder.join(program) } else { program }
    }
}

/// Secrets stay out of whatever this is written to; commands that differ look different all the same.
impl fmt::Debug for ExecSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hash = Sha256::digest(self.command.join("\0"));
        f.debug_struct("ExecSpec")
            .field("command", &self.shown())
            .field("sha256", &format_args!("{hash:x}"))
            .field("folder", &self.folder)
            .field("timeout", &self.timeout)
            .field("max_bytes", &self.max_bytes)
            .finish()
    }
}

/// What a command has printed, in a file that goes with it.
#[derive(Debug)]
pub(super) struct Output {
    path: TempPath,
    /// Its folder.
    _scratch: Scratch,
    format: Format,
    /// Bytes that were printed.
    pub(super) bytes: u64,
    /// SHA-256 of them, lower-case hex.
    pub(super) sha256: String,
}

/// Runs a command until it has printed everything, or `stop` becomes true.
///
/// # Errors
/// If there is no such program (input missing), it may not be run (permission), it fails, takes or prints too much
/// (reading failed), it was stopped, or it printed nothing that can be read (data).
pub(super) fn run(spec: &ExecSpec, stop: &AtomicBool) -> Result<Output, IngestError> {
    if !store::fence().allows_exec() {
        let problem = format!("{NAME}: a command can reach anything, and may not be a source here");
        return Err(IngestError::new(IngestErrorKind::Permission, vec![problem]));
    }
    let io = |error: std::io::Error| {
        let problem = format!(
            "{NAME}: the output cannot be kept in {}: {error}; make room, or set TMPDIR",
            store::scratch_parent().display()
        );
        IngestError::new(IngestErrorKind::Io, vec![problem])
    };
    let scratch = Scratch::begin().map_err(io)?;
    let raw = scratch.file().map_err(io)?;
    tracing::debug!(command = spec.shown(), "the command starts");
    let printed =
        child::run(spec, stop, raw.reopen().map_err(io)?).map_err(|failure| failure.refusal(spec))?;
    if printed.bytes == 0 {
        return Err(data(format!(
            "{NAME}: the command printed nothing; it has to print CSV with a header line, Parquet or Arrow IPC"
        )));
    }
    let form = form::of(raw.as_file()).map_err(io)?.map_err(|reason| data(format!("{NAME}: {reason}")))?;
    let (path, format) = match form {
        form::Form::Csv => (raw.into_temp_path(), Format::Csv(None)),
        form::Form::Parquet => (raw.into_temp_path(), Format::Parquet),
        form::Form::Arrow(layout) => {
            let whole = scratch.file().map_err(io)?;
            let target = whole.reopen().map_err(io)?;
            let converted = form::to_parquet(raw.reopen().map_err(io)?, layout, target);
            converted.map_err(|reason| data(format!("{NAME}: {reason}")))?;
            (whole.into_temp_path(), Format::Parquet)
        }
    };
    Ok(Output { path, _scratch: scratch, format, bytes: printed.bytes, sha256: printed.sha256 })
}

impl Output {
    /// As the one file of a source.
    pub(super) fn found(&self) -> Result<Found, IngestError> {
        let metadata = std::fs::metadata(&self.path).map_err(|error| files::io_error(&self.path, &error))?;
        let file = SourceFile {
            path: self.path.to_path_buf(),
            name: NAME.into(),
            format: self.format,
            hive: Vec::new(),
            named: true,
            seen: Seen::of(&metadata),
        };
        if self.format == Format::Parquet && !files::has_footer(&self.path).is_ok_and(|whole| whole) {
            let problem = "no Parquet footer: half printed or damaged; let the command print all of it";
            return Err(data(format!("{NAME}: {problem}")));
        }
        Ok(Found { files: vec![file], skipped: Vec::new() })
    }
}

#[cfg(all(test, unix))]
mod tests;
