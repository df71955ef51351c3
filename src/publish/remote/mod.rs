//! A sink in an object store, and the folder that is this machine's copy of it.
//!
//! ```text
//! AT/job=J/issued_date=D/run_id=R/part-0-SHA12.parquet    forecasts; the name says what is in it
//!                                 _part-0-of-1.json       whose part it is
//!                                 _commit.json            put where there was none: what makes the run count
//!                                 _correction-SHA12.json  what its quantiles were corrected by, if anything
//! AT/latest/job=J/part-0.parquet                          the newest run, whole, at any instant
//!                 _latest.json                            which run that is, and where its files are
//! AT/scores/job=J/…, anomalies/…, backtests/…, shadow/…   as in a folder
//! ```
//!
//! The store is the truth. A run counts here once it is committed there, and whatever is committed there comes here before it is
//! relied on (`pull`). Whoever reads, reads the copy; what is written goes there first where it decides something, and here first
//! where it can be computed again.
//!
//! With shards, the copy has the part of its own shard alone, as if that were the run; there is no file in `latest` then, for it
//! would have to be all parts in one.

mod deliver;
mod latest;
mod listing;
mod pull;
mod record;
mod side;
mod sweep;

pub(super) use deliver::Delivered;
pub use deliver::{complete_run, wait_step};
pub use pull::pull;
pub use side::sync_files;

use crate::publish::layout::JobFolders;
use crate::publish::{PublishError, RemoteSink, SinkSpec, store};
use crate::store::Store;
use record::Record;
use std::path::{Path, PathBuf};

/// Asks the store of a sink whether it answers; a sink that is a folder needs none.
///
/// # Errors
/// [`PublishError::Store`], with what to do.
pub fn probe_store(sink: &SinkSpec) -> Result<(), PublishError> {
    let Some(remote) = &sink.remote else { return Ok(()) };
    Store::open(&remote.address)?.head("latest/_probe")?;
    Ok(())
}

/// The store of a sink, as far as it concerns one job.
pub(super) struct Mirror<'a> {
    sink: &'a SinkSpec,
    remote: &'a RemoteSink,
    job: &'a str,
    store: Store,
    folders: JobFolders,
}

impl<'a> Mirror<'a> {
    /// `None` for a sink that is a folder. What is here of another store goes.
    pub(super) fn of(sink: &'a SinkSpec, job: &'a str) -> Result<Option<Mirror<'a>>, PublishError> {
        let folders = JobFolders::of(&sink.path, job)?;
        let Some(remote) = &sink.remote else { return Ok(None) };
        let mirror = Mirror { sink, remote, job, store: Store::open(&remote.address)?, folders };
        if !mirror.record_path().exists() {
            store::create_folder(&sink.path.join(record::FOLDER))?;
            Record::new(remote.address.as_str()).write(&mirror.record_path())?;
        }
        let record = mirror.record();
        if record.of != remote.address.as_str() {
            mirror.begin_anew(&record.of)?;
        }
        Ok(Some(mirror))
    }

    fn record_path(&self) -> PathBuf {
        self.sink.path.join(record::FOLDER).join(format!("{}.json", self.job))
    }

    fn record(&self) -> Record {
        Record::read(&self.record_path())
    }

    /// Whether a run has one part.
    fn is_whole(&self) -> bool {
        self.remote.shard.is_whole()
    }

    /// The name in the store of something that stands here.
    fn name(&self, path: &Path) -> String {
        let below = path.strip_prefix(&self.sink.path).unwrap_or(path);
        let parts: Vec<_> = below.components().map(|part| part.as_os_str().to_string_lossy()).collect();
        parts.join("/")
    }

    /// Removes a copy of another store.
    fn begin_anew(&self, other: &str) -> Result<(), PublishError> {
        tracing::warn!(
            job = self.job,
            before = other,
            now = self.remote.address.as_str(),
            "the sink is at another address now; the copy of the one before is removed"
        );
        let side = side::FOLDERS.map(|folder| self.sink.path.join(folder).join(format!("job={}", self.job)));
        for folder in [&self.folders.history, &self.folders.latest].into_iter().chain(&side) {
            match std::fs::remove_dir_all(folder) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(store::sort_out(folder, &error));
                }
                _ => {}
            }
        }
        Record::new(self.remote.address.as_str()).write(&self.record_path())
    }
}
