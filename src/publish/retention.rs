//! What is taken away: what crashes left, and runs that are old enough.

use crate::publish::commit::{COMMIT_FILE, Commit};
use crate::publish::layout::{self, JobFolders};
use crate::publish::remote::Mirror;
use crate::publish::{PublishError, SinkSpec, latest, runs, store};
use crate::series::civil::micros;
use std::path::{Path, PathBuf};

/// What [`recover`] found to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Temporary files removed.
    pub leftovers: usize,
    /// Folders of runs that were never committed, removed.
    pub uncommitted: Vec<PathBuf>,
    /// Whether `latest` had to be moved to the newest run.
    pub moved_latest: bool,
}

/// Clears away what a crash left of a job, and completes its `latest`; to be called before its first run. Of a sink that is a
/// store, the copy is brought up to date, and what a crash left there is cleared away, too.
///
/// # Errors
/// See [`PublishError`].
pub fn recover(sink: &SinkSpec, job: &str) -> Result<Recovered, PublishError> {
    let recovered = recover_copy(sink, job)?;
    if let Some(mirror) = Mirror::of(sink, job)? {
        mirror.recover()?;
    }
    Ok(recovered)
}

/// As [`recover`], of what is on this machine alone: for a store that does not answer.
///
/// # Errors
/// See [`PublishError`].
pub fn recover_copy(sink: &SinkSpec, job: &str) -> Result<Recovered, PublishError> {
    let folders = JobFolders::of(&sink.path, job)?;
    let _lock = folders.lock();
    let mut recovered = Recovered::default();
    for day in folders.days()? {
        for folder in layout::run_folders(&day)? {
            recovered.leftovers += runs::settle(&folder)?;
            if !folder.join(COMMIT_FILE).exists() {
                remove(&folder)?;
                recovered.uncommitted.push(folder);
            }
        }
        layout::remove_empty(&day, &folders.history);
    }
    recovered.leftovers += store::remove_leftovers(&folders.latest);
    recovered.moved_latest = latest::update(&folders)?;
    Ok(recovered)
}

/// Removes the runs of a job that were issued longer ago than the sink keeps them, and returns their folders.
///
/// `now` is in microseconds UTC. The newest run stays whatever its age, and so does the one that `latest` shows; every
/// other one stays for the grace period after the next one, and it itself, were written.
///
/// # Errors
/// See [`PublishError`].
pub fn prune(sink: &SinkSpec, job: &str, now: i64) -> Result<Vec<PathBuf>, PublishError> {
    let Some(retention) = sink.retention else { return Ok(Vec::new()) };
    let folders = JobFolders::of(&sink.path, job)?;
    let _lock = folders.lock();
    let before = |span| now.saturating_sub(micros(span));
    let (oldest, superseded) = (before(retention), before(sink.grace));
    let shown = latest::latest(&sink.path, job)?;
    let mirror = Mirror::of(sink, job)?;
    let mut removed = Vec::new();
    if let Some(mirror) = &mirror {
        mirror.prune_unseen(oldest, superseded)?;
    }
    for (run, next) in with_next(&folders, oldest)? {
        let is_old = run.issued_at < oldest && run.created_at.max(next.created_at) <= superseded;
        if is_old && shown.as_ref().is_none_or(|shown| shown.folder != run.folder) {
            if let Some(mirror) = &mirror {
                mirror.remove_there(&run.folder)?;
            }
            // From here on it does not count, so a crash half-way leaves nothing that anybody takes for a run.
            let commit = run.folder.join(COMMIT_FILE);
            std::fs::remove_file(&commit).map_err(|error| store::sort_out(&commit, &error))?;
            remove(&run.folder)?;
            layout::remove_empty(run.folder.parent().unwrap_or(&run.folder), &folders.history);
            removed.push(run.folder);
        }
    }
    Ok(removed)
}

/// Runs with the one issued next, oldest first: all that were issued before `end`, and perhaps some more.
fn with_next(folders: &JobFolders, end: i64) -> Result<Vec<(Commit, Commit)>, PublishError> {
    let last = layout::date_name(end).unwrap_or_default();
    let mut oldest = Vec::new();
    for day in folders.days()? {
        let found = layout::commits(&day)?;
        let is_beyond = !found.is_empty() && day.file_name().is_some_and(|name| *name > *last);
        oldest.extend(found);
        if is_beyond {
            break;
        }
    }
    oldest.sort_by(|a, b| a.age().cmp(&b.age()));
    let next: Vec<Commit> = oldest.iter().skip(1).cloned().collect();
    Ok(oldest.into_iter().zip(next).collect())
}

fn remove(folder: &Path) -> Result<(), PublishError> {
    std::fs::remove_dir_all(folder).map_err(|error| store::sort_out(folder, &error))?;
    tracing::info!(folder = %folder.display(), "removed a run");
    Ok(())
}
