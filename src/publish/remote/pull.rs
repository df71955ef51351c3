//! What the store has and the copy has not, and the other way round.

use super::Mirror;
use super::listing::{Listing, day};
use crate::publish::commit::{COMMIT_FILE, Commit, PartFile};
use crate::publish::layout::{self, date_name};
use crate::publish::parts::{self, Part};
use crate::publish::{PublishError, SinkSpec, correction, latest, store};
use crate::series::civil::micros;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// Brings the copy of a job's runs up to date: what others have committed comes, what they have removed goes; returns how many
/// runs did either. One list where nothing has changed, and nothing for a sink that is a folder.
///
/// Runs that are older than the newest by more than the sink keeps stay where they are.
///
/// # Errors
/// If the store cannot be read or the copy not be written.
pub fn pull(sink: &SinkSpec, job: &str) -> Result<usize, PublishError> {
    let Some(mirror) = Mirror::of(sink, job)? else { return Ok(0) };
    let _lock = mirror.folders.lock();
    let (_, changed) = mirror.pull()?;
    if changed > 0 {
        latest::update(&mirror.folders)?;
    }
    Ok(changed)
}

impl Mirror<'_> {
    /// Makes the runs here those of the store; the lock is held. Also returns how many changed.
    pub(super) fn pull(&self) -> Result<(Listing, usize), PublishError> {
        let listing = Listing::of(self.store.list(&self.name(&self.folders.history))?);
        let mut here = BTreeSet::new();
        let mut changed = 0;
        for folder in self.run_folders()? {
            let name = self.name(&folder);
            // A part that waits for those of other shards is not committed there.
            let waits = !self.is_whole() && listing.runs.contains_key(&name);
            if Commit::read(&folder)?.is_none() {
                continue;
            }
            if listing.has(&name) || waits {
                here.insert(name);
                continue;
            }
            tracing::info!(folder = %folder.display(), "the run is gone from the store");
            self.remove_here(&folder)?;
            changed += 1;
        }
        let committed = listing.runs.iter().filter(|(_, run)| run.is_committed).map(|(name, _)| name);
        let oldest = committed.clone().next_back().and_then(|newest| self.oldest(newest));
        let is_kept = |name: &str| oldest.as_ref().is_none_or(|oldest| day(name) >= oldest.as_str());
        let new = committed.filter(|name| !here.contains(*name) && is_kept(name));
        // The newest first: that is what a forecast needs if the rest has to wait.
        for name in new.rev() {
            changed += usize::from(self.fetch(name)?.is_some());
        }
        Ok((listing, changed))
    }

    /// The name of the oldest day that the sink keeps, if `newest` is its newest run; `None` where it keeps all.
    fn oldest(&self, newest: &str) -> Option<String> {
        let newest: jiff::civil::Date = day(newest).strip_prefix("issued_date=")?.parse().ok()?;
        let newest = newest.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_microsecond();
        date_name(newest.saturating_sub(micros(self.sink.retention?)))
    }

    /// The folders of all runs here.
    fn run_folders(&self) -> Result<Vec<std::path::PathBuf>, PublishError> {
        let mut all = Vec::new();
        for day in self.folders.days()? {
            all.extend(layout::run_folders(&day)?);
        }
        Ok(all)
    }

    /// Removes a run from the copy: it counts no more from the first moment on.
    pub(super) fn remove_here(&self, folder: &Path) -> Result<(), PublishError> {
        match std::fs::remove_file(folder.join(COMMIT_FILE)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(store::sort_out(folder, &error));
            }
            _ => {}
        }
        std::fs::remove_dir_all(folder).map_err(|error| store::sort_out(folder, &error))?;
        layout::remove_empty(folder.parent().unwrap_or(folder), &self.folders.history);
        Ok(())
    }

    /// Copies a committed run here, as far as it is this shard's; `None` where it is gone, or of other shards.
    fn fetch(&self, name: &str) -> Result<Option<Commit>, PublishError> {
        let commit = match parts::committed(&self.store, name) {
            Err(PublishError::Read { path, reason }) => {
                tracing::warn!(commit = %path.display(), reason, "this is no commit, and stays in the store");
                return Ok(None);
            }
            commit => commit?,
        };
        let Some(commit) = commit else { return Ok(None) };
        self.fetch_own(name, &commit)
    }

    /// The own part of a committed run, here.
    pub(super) fn fetch_own(&self, name: &str, commit: &Commit) -> Result<Option<Commit>, PublishError> {
        let Some(own) = self.own(commit) else {
            tracing::debug!(run = name, "the run is of other shards, and stays in the store");
            return Ok(None);
        };
        match parts::standing(&self.store, name, self.remote.shard)? {
            Some(part) if part.sha256 == own.sha256 => self.fetch_part(name, &part),
            _ => Ok(None),
        }
    }

    /// The part of this shard among those of a commit.
    pub(super) fn own<'c>(&self, commit: &'c Commit) -> Option<&'c PartFile> {
        let shard = self.remote.shard.to_string();
        commit.parts.iter().find(|part| part.shard == shard)
    }

    /// Copies a part here as if it were the run; the commit appears last. `None` where it is gone.
    pub(super) fn fetch_part(&self, name: &str, part: &Part) -> Result<Option<Commit>, PublishError> {
        let folder = self.sink.path.join(name);
        store::create_folder(&folder)?;
        let commit = of_part(part, &folder);
        if let Some(hash) = part.metadata.get(correction::SHA256)
            && let Some(text) =
                self.store.get(&format!("{name}/{}", correction::stored_name(hash)), correction::BYTES_MAX)?
        {
            correction::write(&folder, &String::from_utf8_lossy(&text))?;
        }
        let path = commit.path();
        if self.store.download(&format!("{name}/{}", part.file), &path)?.is_none() {
            layout::remove_empty(&folder, &self.folders.history);
            return Ok(None);
        }
        let found = File::open(&path).and_then(latest::sha256);
        let found = found.map_err(|error| PublishError::read(&path, &error))?;
        if found != part.sha256 {
            let reason = format!("its SHA-256 in the store is {found}, its record says {}", part.sha256);
            // What it was before it was overwritten is of no use either.
            let _ = std::fs::remove_file(&path);
            return Err(PublishError::Read { path: self.store.address().join(name).as_str().into(), reason });
        }
        let target = folder.join(COMMIT_FILE);
        let text =
            commit.to_json().map_err(|reason| PublishError::Verify { path: target.clone(), reason })?;
        store::publish(&target, |mut file| Ok(file.write_all(&text)?), |_| Ok(()))?;
        latest::remove_other_formats(&folder, part.format);
        Ok(Some(commit))
    }
}

/// The commit of a part as if it were the run.
pub(super) fn of_part(part: &Part, folder: &Path) -> Commit {
    Commit { parts: Vec::new(), ..Commit::of_parts(std::slice::from_ref(part), folder.into()) }
}
