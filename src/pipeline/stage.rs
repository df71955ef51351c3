//! What the stages of a daemon's job share: where things are, what went wrong.

use crate::ingest::{FileStamp, IngestError, IngestErrorKind};
use crate::model::forecaster::ModelError;
use crate::model::report::Progress;
use crate::pipeline::{Moment, Sources};
use crate::publish::PublishError;
use crate::registry::{Registry, RegistryError};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

/// What a stage works with.
pub struct Context<'a> {
    /// The models.
    pub registry: &'a Registry,
    /// The sources, as far as they are kept.
    pub sources: &'a Sources,
    /// Folder for checkpoints and quality reports.
    pub state: &'a Path,
    /// Files of the source as they were seen before.
    pub known: &'a [FileStamp],
    /// When and as what it runs.
    pub moment: &'a Moment,
    /// Becomes true when the work is to stop soon.
    pub stop: &'a AtomicBool,
    /// Hears of the progress.
    pub watch: &'a (dyn Fn(Progress) + Sync),
    /// Whether the slot is still this process's to publish: where daemons share slots, another one may have taken it over.
    pub holds: &'a (dyn Fn() -> bool + Sync),
}

impl Context<'_> {
    /// Says what is being done.
    pub(super) fn tell(&self, what: &'static str) {
        (self.watch)(Progress::begun(what));
    }

    /// Asks before something is published that others see.
    pub(super) fn check_held(&self) -> Result<(), StageError> {
        match (self.holds)() {
            true => Ok(()),
            false => Err(StageError::Lost),
        }
    }
}

/// Why a stage gave no result.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The input cannot be used.
    #[error(transparent)]
    Ingest(#[from] IngestError),
    /// The model cannot be trained, or was told to stop.
    #[error(transparent)]
    Model(#[from] ModelError),
    /// The registry refuses.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The run cannot be written.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The state directory refuses a folder.
    #[error("cannot create {path}: {source}")]
    State {
        /// The folder.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// There is nothing to forecast with.
    #[error("no model serves and fallback = \"none\"; train the job first: s4cast run {0} --stage train")]
    NoModel(String),
    /// Somebody else works the slot now.
    #[error("another daemon has taken the slot over")]
    Lost,
}

impl StageError {
    /// Whether it may pass by itself: a source that is away, a disk that hiccups.
    pub fn is_retryable(&self) -> bool {
        match self {
            StageError::Ingest(error) => {
                matches!(
                    error.kind(),
                    IngestErrorKind::InputMissing | IngestErrorKind::Io | IngestErrorKind::Unavailable
                )
            }
            StageError::Publish(error) => error.is_retryable(),
            StageError::Registry(error) => error.is_retryable(),
            StageError::State { .. } => true,
            StageError::Model(_) | StageError::NoModel(_) | StageError::Lost => false,
        }
    }

    /// Whether the work stopped because it was told to.
    pub fn is_stop(&self) -> bool {
        match self {
            StageError::Ingest(error) => error.kind() == IngestErrorKind::Stopped,
            error => matches!(error, StageError::Model(ModelError::Stopped) | StageError::Lost),
        }
    }
}
