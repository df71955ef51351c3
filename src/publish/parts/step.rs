//! Delivery as steps of one operation of the store each, so that tests can run those of several processes in any order and
//! end them anywhere.

use super::agreement::{differences, refuse, same_run};
use super::record::{RECORD_BYTES_MAX, is_part, record_name};
use super::{Delivery, Part, committed, no_good, unread, within};
use crate::publish::PublishError;
use crate::publish::commit::{COMMIT_FILE, Commit};
use crate::series::Shard;
use crate::series::version::Unread;
use crate::store::{Created, Entry, Store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// One process at work on the run of a folder.
pub(super) struct Delivering<'a> {
    store: &'a Store,
    folder: &'a str,
    /// What it delivers; nothing where it only completes.
    own: Option<(&'a Part, &'a Path)>,
    count: u32,
    next: Step,
}

/// What is done next.
enum Step {
    /// Is the run committed already?
    Ask,
    Put,
    Record,
    /// Which parts are there?
    Look,
    Commit(Box<Commit>),
    /// Remove what the commit does not name.
    Clear(Box<Commit>),
    Done(Delivery),
}

impl<'a> Delivering<'a> {
    /// Delivers a part.
    pub(super) fn new(
        store: &'a Store,
        folder: &'a str,
        part: &'a Part,
        file: &'a Path,
    ) -> Result<Delivering<'a>, PublishError> {
        let expected = Part::file_name(part.shard, &part.sha256, part.format);
        let bytes = file.metadata().map_err(|error| PublishError::read(file, &error))?.len();
        let problem = match () {
            () if part.file != expected => format!("the part is named {}, not {expected}", part.file),
            () if part.bytes != bytes => format!("it has {bytes} bytes, not {}", part.bytes),
            () => {
                let (own, count) = (Some((part, file)), part.shard.count());
                return Ok(Delivering { store, folder, own, count, next: Step::Ask });
            }
        };
        Err(PublishError::Verify { path: file.into(), reason: problem })
    }

    /// Completes a run of parts that others deliver.
    pub(super) fn completing(store: &'a Store, folder: &'a str, count: u32) -> Delivering<'a> {
        Delivering { store, folder, own: None, count, next: Step::Ask }
    }

    /// All steps.
    pub(super) fn run(mut self) -> Result<Delivery, PublishError> {
        loop {
            if let Some(delivery) = self.step()? {
                return Ok(delivery);
            }
        }
    }

    /// The next step; how far the run is, once there is none.
    pub(super) fn step(&mut self) -> Result<Option<Delivery>, PublishError> {
        self.next = match std::mem::replace(&mut self.next, Step::Ask) {
            Step::Ask => match committed(self.store, self.folder)? {
                Some(commit) => self.accept(commit)?,
                None if self.own.is_some() => Step::Put,
                None => Step::Look,
            },
            Step::Put => {
                if let Some((part, file)) = self.own {
                    self.store.upload(&within(self.folder, &part.file), file)?;
                }
                Step::Record
            }
            Step::Record => {
                if let Some((part, _)) = self.own {
                    self.record(part)?;
                }
                Step::Look
            }
            Step::Look => self.look()?,
            Step::Commit(commit) => self.commit(*commit)?,
            Step::Clear(commit) => {
                self.clear(&commit);
                Step::Done(Delivery::Committed)
            }
            Step::Done(delivery) => Step::Done(delivery),
        };
        match &self.next {
            Step::Done(delivery) => Ok(Some(delivery.clone())),
            _ => Ok(None),
        }
    }

    /// A commit that stands, of this run.
    fn accept(&self, commit: Commit) -> Result<Step, PublishError> {
        if let Some((part, _)) = self.own {
            same_run(self.store, self.folder, part, &commit.run_id)?;
        }
        Ok(Step::Clear(Box::new(commit)))
    }

    /// Says that the part is its shard's, unless another one is.
    fn record(&self, part: &Part) -> Result<(), PublishError> {
        let name = within(self.folder, &record_name(part.shard));
        let text = part.to_json().map_err(|reason| no_good(self.store, &name, &reason))?;
        let Created::Exists(found) = self.store.create(&name, &text)? else { return Ok(()) };
        let stands = Part::from_json(&found).map_err(|why| unread(self.store, &name, why))?;
        same_run(self.store, self.folder, part, &stands.run_id)
    }

    /// Looks which parts are there.
    fn look(&self) -> Result<Step, PublishError> {
        let entries = self.store.list(self.folder)?;
        let names: BTreeSet<&str> = entries.iter().filter_map(|entry| self.name(entry)).collect();
        if names.contains(COMMIT_FILE)
            && let Some(commit) = committed(self.store, self.folder)?
        {
            return self.accept(commit);
        }
        let shards: Vec<Shard> = (0..self.count).filter_map(|i| Shard::new(i, self.count).ok()).collect();
        let without: Vec<u32> = shards
            .iter()
            .filter(|shard| !names.contains(record_name(**shard).as_str()))
            .map(|shard| shard.index())
            .collect();
        if !without.is_empty() {
            return Ok(Step::Done(Delivery::Waiting { missing: without }));
        }
        let mut parts = Vec::with_capacity(shards.len());
        for shard in shards {
            match self.read(shard)? {
                Some(part) => parts.push(part),
                None => return Ok(waiting(vec![shard.index()])),
            }
        }
        refuse(self.store, self.folder, differences(&parts))?;
        let mut gone = Vec::new();
        for part in &parts {
            if !self.is_there(part, &entries)? {
                gone.push(part.shard.index());
            }
        }
        match gone.is_empty() {
            true => Ok(Step::Commit(Box::new(Commit::of_parts(&parts, PathBuf::from(self.folder))))),
            false => Ok(waiting(gone)),
        }
    }

    fn read(&self, shard: Shard) -> Result<Option<Part>, PublishError> {
        let name = within(self.folder, &record_name(shard));
        let Some(text) = self.store.get(&name, RECORD_BYTES_MAX)? else { return Ok(None) };
        let part = Part::from_json(&text).and_then(|part| match part.shard == shard {
            true => Ok(part),
            false => Err(Unread::Damaged(format!("it is the record of shard {}", part.shard))),
        });
        part.map(Some).map_err(|why| unread(self.store, &name, why))
    }

    /// Whether a part that is recorded stands, whole. A list may have been begun before it was put.
    fn is_there(&self, part: &Part, entries: &[Entry]) -> Result<bool, PublishError> {
        let listed = entries.iter().find(|entry| self.name(entry) == Some(&part.file));
        if let Some(entry) = listed {
            return Ok(entry.bytes == part.bytes);
        }
        let found = self.store.head(&within(self.folder, &part.file))?;
        Ok(found.is_some_and(|entry| entry.bytes == part.bytes))
    }

    fn commit(&self, commit: Commit) -> Result<Step, PublishError> {
        let name = within(self.folder, COMMIT_FILE);
        let text = commit.to_json().map_err(|reason| no_good(self.store, &name, &reason))?;
        match self.store.create(&name, &text)? {
            Created::Now => Ok(Step::Clear(Box::new(commit))),
            Created::Exists(found) => {
                let stands = Commit::from_json(&found, Path::new(self.folder))
                    .map_err(|why| unread(self.store, &name, why))?;
                self.accept(stands)
            }
        }
    }

    /// Removes parts that the commit does not name. The run is committed: a failure leaves them for the next who looks.
    fn clear(&self, commit: &Commit) {
        let removed = self.store.list(self.folder).and_then(|entries| {
            let names = entries.iter().filter_map(|entry| self.name(entry));
            let stray = |name: &&str| is_part(name) && !commit.parts.iter().any(|part| part.name == **name);
            names.filter(stray).try_for_each(|name| self.store.delete(&within(self.folder, name)))
        });
        if let Err(error) = removed {
            tracing::warn!(folder = self.folder, %error, "parts that no commit names stay");
        }
    }

    /// The name of something that stands in the folder itself.
    fn name<'e>(&self, entry: &'e Entry) -> Option<&'e str> {
        let name = match self.folder {
            "" => Some(entry.name.as_str()),
            folder => entry.name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
        };
        name.filter(|name| !name.contains('/'))
    }
}

fn waiting(missing: Vec<u32>) -> Step {
    Step::Done(Delivery::Waiting { missing })
}
