//! A run on its way into the store.

use super::Mirror;
use crate::publish::commit::Commit;
use crate::publish::layout::RunKey;
use crate::publish::parts::{self, Delivery, Part};
use crate::publish::store::Prepared;
use crate::publish::{PublishError, SinkSpec, correction, latest};
use std::path::Path;

/// Whether a run that waits for the parts of other shards is committed by now: the numbers of those that are missing, none where it is.
/// Whoever finds it complete commits it.
///
/// # Errors
/// See [`PublishError`].
pub fn wait_step(sink: &SinkSpec, key: &RunKey) -> Result<Vec<u32>, PublishError> {
    let Some(mirror) = Mirror::of(sink, &key.job)? else { return Ok(Vec::new()) };
    let name = mirror.name(&mirror.folders.run(key)?);
    match parts::complete(&mirror.store, &name, mirror.remote.shard.count())? {
        Delivery::Waiting { missing } => Ok(missing),
        Delivery::Committed => {
            let _lock = mirror.folders.lock();
            mirror.update_latest()?;
            Ok(Vec::new())
        }
    }
}

/// Brings to its end what an attempt has begun that was interrupted after the run stood here: its part is there, `latest` shows it.
/// Returns the shards whose parts are missing; nothing is to be done for a sink that is a folder.
///
/// # Errors
/// See [`PublishError`].
pub fn complete_run(sink: &SinkSpec, key: &RunKey) -> Result<Vec<u32>, PublishError> {
    let Some(mirror) = Mirror::of(sink, &key.job)? else { return Ok(Vec::new()) };
    let folder = mirror.folders.run(key)?;
    let _lock = mirror.folders.lock();
    let mut missing = Vec::new();
    if mirror.standing(&folder)?.is_none()
        && let Some(commit) = Commit::read(&folder)?
    {
        (_, missing) = mirror.again(&folder, commit)?;
    }
    mirror.update_latest()?;
    Ok(missing)
}

/// A run that stands here, and the shards whose parts are missing there.
pub(in crate::publish) type Delivered = (Commit, Vec<u32>);

impl Mirror<'_> {
    /// The run as it stands in the store, brought here; `None` if it is not committed. A run that is committed stays as it is,
    /// whoever has made it.
    pub(in crate::publish) fn standing(&self, folder: &Path) -> Result<Option<Commit>, PublishError> {
        match parts::committed(&self.store, &self.name(folder))? {
            Some(there) => self.adopt(folder, &there).map(Some),
            None => Ok(None),
        }
    }

    /// Delivers a part that stands here already, and waits for others or has lost its commit.
    pub(in crate::publish) fn again(&self, folder: &Path, commit: Commit) -> Result<Delivered, PublishError> {
        let part = self.part(&commit);
        self.correct(folder, &part)?;
        self.deliver(folder, &part, &commit.path(), || Ok(commit.clone()))
    }

    /// Delivers a part that is written and verified under a hidden name; here it takes its own once it counts there, or once its
    /// record does and the run waits for others.
    pub(in crate::publish) fn first(
        &self,
        folder: &Path,
        (file, committed): (Prepared, Prepared),
        commit: Commit,
    ) -> Result<Delivered, PublishError> {
        let part = self.part(&commit);
        self.correct(folder, &part)?;
        let path = file.path().to_path_buf();
        self.deliver(folder, &part, &path, || {
            file.persist()?;
            committed.persist()?;
            latest::remove_other_formats(folder, commit.format);
            Ok(commit)
        })
    }

    fn deliver(
        &self,
        folder: &Path,
        part: &Part,
        file: &Path,
        take: impl FnOnce() -> Result<Commit, PublishError>,
    ) -> Result<Delivered, PublishError> {
        let name = self.name(folder);
        match parts::deliver(&self.store, &name, part, file)? {
            Delivery::Committed => {
                let Some(there) = parts::committed(&self.store, &name)? else {
                    return Err(gone(&self.store.address().join(&name).to_string()));
                };
                match self.own(&there).is_some_and(|own| own.sha256 == part.sha256) {
                    true => Ok((take()?, Vec::new())),
                    false => Ok((self.adopt(folder, &there)?, Vec::new())),
                }
            }
            Delivery::Waiting { missing } => {
                let stands = parts::standing(&self.store, &name, self.remote.shard)?;
                match stands.filter(|stands| stands.sha256 != part.sha256) {
                    None => Ok((take()?, missing)),
                    Some(earlier) => match self.fetch_part(&name, &earlier)? {
                        Some(commit) => Ok((commit, missing)),
                        None => Err(gone(&self.store.address().join(&earlier.file).to_string())),
                    },
                }
            }
        }
    }

    /// The committed run, here: it may be that of an earlier attempt, or of another daemon.
    fn adopt(&self, folder: &Path, there: &Commit) -> Result<Commit, PublishError> {
        let name = self.name(folder);
        let is_here = |here: &Commit| self.own(there).is_some_and(|own| own.sha256 == here.sha256);
        if let Some(here) = Commit::read(folder)?.filter(is_here) {
            return Ok(here);
        }
        match self.fetch_own(&name, there)? {
            Some(commit) => Ok(commit),
            None => {
                let shards: Vec<&str> = there.parts.iter().map(|part| part.shard.as_str()).collect();
                let problem = format!(
                    "the run is committed with shards {}, this is {}",
                    shards.join(", "),
                    self.remote.shard
                );
                let folder = self.store.address().join(&name).to_string();
                Err(PublishError::Disagree { folder, problems: vec![problem] })
            }
        }
    }

    /// The part that a run is here.
    fn part(&self, commit: &Commit) -> Part {
        Part {
            shard: self.remote.shard,
            job: commit.job.clone(),
            run_id: commit.run_id.clone(),
            issued_at: commit.issued_at,
            created_at: commit.first_created_at,
            rows: commit.rows,
            bytes: commit.bytes,
            sha256: commit.sha256.clone(),
            schema_version: commit.schema_version,
            naming: commit.naming,
            format: commit.format,
            metadata: commit.metadata.clone(),
            file: Part::file_name(self.remote.shard, &commit.sha256, commit.format),
        }
    }

    /// Puts what a part was corrected by, before the part can count. Its name says what is in it: no other attempt replaces it.
    fn correct(&self, folder: &Path, part: &Part) -> Result<(), PublishError> {
        let Some(hash) = part.metadata.get(correction::SHA256) else { return Ok(()) };
        let path = folder.join(correction::FILE);
        let text = std::fs::read(&path).map_err(|error| PublishError::read(&path, &error))?;
        let name = format!("{}/{}", self.name(folder), correction::stored_name(hash));
        Ok(self.store.put(&name, &text)?)
    }
}

fn gone(what: &str) -> PublishError {
    let reason = "it was there a moment ago; somebody removes what is being published".into();
    PublishError::Read { path: what.into(), reason }
}
