//! What is taken away in the store: what crashes left, and runs that are old enough.

use super::Mirror;
use super::listing::{Listing, day};
use crate::publish::commit::{COMMIT_FILE, Commit};
use crate::publish::layout::date_name;
use crate::publish::parts::{self, is_part};
use crate::publish::{PublishError, store};
use std::path::Path;

/// How long a run may lie without a commit, by the store's own clock, microseconds: others may still be at work on it.
const UNCOMMITTED_AGE: i64 = 24 * 3_600 * 1_000_000;

impl Mirror<'_> {
    /// Completes what a crash left: runs that are committed come here, `latest` shows the newest, what never will be a run goes.
    pub(in crate::publish) fn recover(&self) -> Result<(), PublishError> {
        store::create_folder(&self.folders.history)?;
        let _lock = self.folders.lock();
        let listing = self.show_newest()?;
        self.sweep(&listing)?;
        self.sync_side().map(drop)
    }

    /// Removes parts that no commit names, and runs that nobody has worked on for a day.
    fn sweep(&self, listing: &Listing) -> Result<(), PublishError> {
        let oldest = listing.now.saturating_sub(UNCOMMITTED_AGE);
        for (name, run) in &listing.runs {
            if run.has_strays()
                && let Some(commit) = parts::committed(&self.store, name)?
            {
                let is_named = |file: &str| commit.parts.iter().any(|part| part.name == file);
                let file = |name: &'_ String| name.rsplit('/').next().unwrap_or_default().to_owned();
                for stray in run.names.iter().filter(|name| is_part(&file(name)) && !is_named(&file(name))) {
                    self.store.delete(stray)?;
                    tracing::info!(object = stray, "removed a part that no commit names");
                }
            }
            if !run.is_committed && run.modified < oldest {
                run.names.iter().try_for_each(|name| self.store.delete(name))?;
                tracing::info!(run = name, "removed what never became a run");
            }
        }
        Ok(())
    }

    /// Removes a run from the store: it counts no more from the first moment on.
    pub(in crate::publish) fn remove_there(&self, folder: &Path) -> Result<(), PublishError> {
        self.remove_named(&self.name(folder))
    }

    fn remove_named(&self, name: &str) -> Result<(), PublishError> {
        let commit = format!("{name}/{COMMIT_FILE}");
        self.store.delete(&commit)?;
        for entry in self.store.list(name)?.iter().filter(|entry| entry.name != commit) {
            self.store.delete(&entry.name)?;
        }
        Ok(())
    }

    /// Removes runs that were too old to come here: those issued before `oldest` and written before `superseded`, both in
    /// microseconds UTC. Those that are here go as they do in a folder.
    pub(in crate::publish) fn prune_unseen(&self, oldest: i64, superseded: i64) -> Result<(), PublishError> {
        let Some(last) = date_name(oldest) else { return Ok(()) };
        let listing = Listing::of(self.store.list(&self.name(&self.folders.history))?);
        let committed = listing.runs.iter().filter(|(_, run)| run.is_committed).map(|(name, _)| name);
        let newest = committed.clone().next_back();
        let old = committed.filter(|name| day(name) < last.as_str() && Some(*name) != newest);
        for name in old {
            if Commit::read(&self.sink.path.join(name))?.is_some() {
                continue;
            }
            let commit = parts::committed(&self.store, name)?;
            if commit.is_some_and(|commit| commit.issued_at < oldest && commit.created_at <= superseded) {
                self.remove_named(name)?;
                tracing::info!(run = name, "removed a run from the store");
            }
        }
        Ok(())
    }
}
