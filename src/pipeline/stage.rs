//! What the stages of a daemon's job share: where things are, what went wrong.

use crate::ingest::{Dimensions, Ingested};
use crate::ingest::{FileStamp, IngestError, IngestErrorKind};
use crate::model::forecaster::ModelError;
use crate::model::report::Progress;
use crate::model::spec::ModelSpec;
use crate::pipeline::memory_plan::{self, Demand, MemoryError, MemoryPlan};
use crate::pipeline::{Budget, JobSpec, Moment, Share, Sources, check_room};
use crate::publish::PublishError;
use crate::registry::{Registry, RegistryError};
use crate::store::scratch_parent;
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
    /// What it may take of the machine.
    pub budget: &'a Budget,
    /// When and as what it runs.
    pub moment: &'a Moment,
    /// Since when the slot is asked for, microseconds UTC, if a person did: what it made before came of no attempt of that.
    /// [`i64::MIN`] for a slot of a schedule.
    pub asked_at: i64,
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

    /// Whether every disk that the work of a job writes to has the room that is to stay free.
    ///
    /// # Errors
    /// [`PublishError::NoRoom`].
    pub fn check_room(&self, sink: &Path) -> Result<(), StageError> {
        Ok(check_room(&[self.state.into(), sink.into(), scratch_parent()], self.budget.limits().min_free)?)
    }

    /// What a stage with a model asks of memory.
    pub(super) fn demand<'b>(&self, job: &JobSpec, spec: &'b ModelSpec, is_fitted: bool) -> Demand<'b> {
        Demand {
            models: vec![spec],
            is_fitted,
            rows: spec.horizon(),
            scenarios: job.scenarios.len(),
            copies: 0,
            shards: job.source.shard.map_or(1, |shard| u64::from(shard.count())),
            parts: 1,
            passes: 1,
            made: 0,
            threads: rayon::current_num_threads(),
        }
    }

    /// Whether the source of a job may be read.
    ///
    /// # Errors
    /// If that alone takes more memory than there may be.
    pub(super) fn guard(&self, dimensions: &Dimensions, demand: &Demand<'_>) -> Result<(), IngestError> {
        memory_plan::guard(dimensions, demand, memory_plan::limit(self.budget.limits().max_memory))
    }

    /// Takes the memory of a stage whose source has been read.
    ///
    /// # Errors
    /// If it is more than there may be.
    pub(super) fn take_memory(
        &self,
        job: &JobSpec,
        ingested: &Ingested,
        demand: &Demand<'_>,
    ) -> Result<Share<'_>, StageError> {
        let plan = MemoryPlan::of(ingested, demand);
        tracing::debug!(bytes = plan.bytes(), parts = plan.in_words(), "memory planned");
        let held = self.sources.held_bytes(&job.source_name);
        Ok(self.budget.take(&job.name, &plan, held, self.stop)?)
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
    /// It would take more memory than it may.
    #[error(transparent)]
    Memory(#[from] MemoryError),
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
    /// Whether it may pass by itself: a source that is away or being written, a disk that hiccups.
    pub fn is_retryable(&self) -> bool {
        match self {
            StageError::Ingest(error) => {
                error.is_unfinished()
                    || matches!(
                        error.kind(),
                        IngestErrorKind::InputMissing | IngestErrorKind::Io | IngestErrorKind::Unavailable
                    )
            }
            StageError::Publish(error) => error.is_retryable(),
            StageError::Registry(error) => error.is_retryable(),
            StageError::State { .. } => true,
            StageError::Model(_) | StageError::NoModel(_) | StageError::Memory(_) | StageError::Lost => false,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ingest::{SourceSpec, read};

    #[test]
    fn a_file_that_ends_in_the_middle_is_tried_again_and_a_broken_one_is_not() {
        let folder = tempfile::tempdir().expect("folder");
        let retried = |name: &str, content: &[u8]| {
            let file = folder.path().join(name);
            std::fs::write(&file, content).expect("written");
            let error = read(&SourceSpec::new(vec![file.display().to_string()])).expect_err("refused");
            assert_eq!(error.kind(), IngestErrorKind::Data);
            StageError::from(error).is_retryable()
        };
        assert!(retried("a.csv", b"ds,y\n1970-01-01,1\n1970-01-02,2\n1970-01-03"));
        assert!(!retried("a.csv", b"ds,y\n1970-01-01,1\n1970-01-02,2\n1970-01-03\n"), "this is a line");
        assert!(!retried("a.csv", b"ds,y\n1970-01-01\n1970-01-02"), "so is the first of these");
        assert!(retried("a.csv", b""));
        assert!(retried("a.parquet", b"PAR1 and so on"));
        assert!(!retried("a.csv", b"ds,y\n1970-01-01,one\n"));
    }
}
