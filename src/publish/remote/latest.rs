//! `latest` in the store: the newest run as one file, and as a pointer to its parts.
//!
//! Both are put after the run is committed, and after every put one looks again: whoever puts last puts the newest. A file that
//! several programs put is made from the one that stands there, so that readers that open it twice find the pages that they
//! look for (see `publish::splice`).

use super::Mirror;
use super::listing::Listing;
use super::record::{here, there};
use crate::publish::commit::{Commit, part_name};
use crate::publish::parts;
use crate::publish::splice::Reach;
use crate::publish::{Format, PublishError, latest, layout, store};
use crate::series::civil::shown;
use crate::series::version::{self, Unread};
use serde::{Deserialize, Serialize};

/// Name of the pointer.
const POINTER: &str = "_latest.json";

/// Version of its form.
const POINTER_VERSION: u32 = 1;

/// The largest pointer that is read: some thousand parts.
const POINTER_MAX: u64 = 64 << 20;

/// Where the file that stands there is copied to.
const BASE: &str = ".s4cast-latest.partial";

/// Times that a newer run may come while one is put.
const TURNS: usize = 20;

/// Which run is the newest. Keys are only ever added; unknown ones are passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Pointer {
    version: u32,
    job: String,
    run_id: String,
    issued_at: String,
    /// Folder of the run, below the address of the sink.
    folder: String,
    /// Its part files.
    files: Vec<String>,
    rows: usize,
    bytes: u64,
}

impl Mirror<'_> {
    /// Lets `latest` show the newest run that is committed, here and there; the lock is held.
    pub(in crate::publish) fn update_latest(&self) -> Result<(), PublishError> {
        self.show_newest().map(drop)
    }

    /// As [`Mirror::update_latest`]; also returns what is there afterwards.
    pub(super) fn show_newest(&self) -> Result<Listing, PublishError> {
        let (mut listing, _) = self.pull()?;
        for _ in 0..TURNS {
            let Some(newest) = self.newest(&listing)? else { break };
            match self.is_whole() {
                true => self.put_file(&newest)?,
                false => drop(latest::update(&self.folders)?),
            }
            self.put_pointer(&newest)?;
            (listing, _) = self.pull()?;
            if self.newest(&listing)?.is_none_or(|now| now.age() <= newest.age()) {
                break;
            }
        }
        Ok(listing)
    }

    /// The newest run here that is committed there.
    fn newest(&self, listing: &Listing) -> Result<Option<Commit>, PublishError> {
        for day in self.folders.days()?.iter().rev() {
            let runs = layout::commits(day)?.into_iter().filter(|run| listing.has(&self.name(&run.folder)));
            let newest = runs.max_by(|a, b| a.age().cmp(&b.age()));
            if newest.is_some() {
                return Ok(newest);
            }
        }
        Ok(None)
    }

    /// Lets the file show the run, here and there.
    fn put_file(&self, newest: &Commit) -> Result<(), PublishError> {
        let path = self.folders.latest.join(part_name(newest.format));
        let name = self.name(&path);
        store::create_folder(&self.folders.latest)?;
        let stands = self.store.head(&name)?;
        let mut record = self.record();
        let is_alike = stands.as_ref().zip(record.objects.get(&name)).is_some_and(|(entry, seen)| {
            seen.there == there(entry) && here(&path).is_some_and(|here| here == seen.here)
        });
        if !(is_alike && latest::shows(&path, newest)) {
            let base = self.folders.latest.join(BASE);
            // What readers may be in the middle of is what stands there, whoever has put it.
            let is_elsewhere = !is_alike
                && newest.format == Format::Parquet
                && stands.is_some()
                && self.store.download(&name, &base)?.is_some();
            if is_elsewhere && latest::shows(&base, newest) {
                std::fs::rename(&base, &path).map_err(|error| store::sort_out(&path, &error))?;
            } else {
                let old = if is_elsewhere { &base } else { &path };
                let placed = latest::place(&path, newest, old, Reach::Size);
                let _ = std::fs::remove_file(&base);
                placed?;
                self.store.upload(&name, &path)?;
            }
            if let Some(entry) = self.store.head(&name)? {
                record.alike(&name, &entry, &path);
                record.write(&self.record_path())?;
            }
        }
        latest::remove_other_formats(&self.folders.latest, newest.format);
        self.put_others_away(newest)
    }

    /// Removes the files of formats that an earlier config asked for.
    fn put_others_away(&self, newest: &Commit) -> Result<(), PublishError> {
        for other in Format::ALL.into_iter().filter(|format| *format != newest.format) {
            let name = self.name(&self.folders.latest.join(part_name(other)));
            let mut record = self.record();
            if record.objects.remove(&name).is_some() {
                self.store.delete(&name)?;
                record.write(&self.record_path())?;
            }
        }
        Ok(())
    }

    fn put_pointer(&self, newest: &Commit) -> Result<(), PublishError> {
        let folder = self.name(&newest.folder);
        let name = format!("{}/{POINTER}", self.name(&self.folders.latest));
        let text = self.store.get(&name, POINTER_MAX)?;
        let stands = text.map(|text| version::from_json::<Pointer>(&text, POINTER_VERSION));
        match stands {
            Some(Ok(stands)) if stands.folder == folder => return Ok(()),
            Some(Err(newer @ Unread::Version(_))) => {
                let path = self.store.address().join(&name);
                return Err(PublishError::unread(path.as_str(), newer));
            }
            _ => {}
        }
        let Some(commit) = parts::committed(&self.store, &folder)? else { return Ok(()) };
        let pointer = Pointer {
            version: POINTER_VERSION,
            job: commit.job,
            run_id: commit.run_id,
            issued_at: shown(commit.issued_at),
            folder,
            files: commit.parts.into_iter().map(|part| part.name).collect(),
            rows: commit.rows,
            bytes: commit.bytes,
        };
        let text = serde_json::to_vec_pretty(&pointer).expect("texts and numbers are JSON");
        Ok(self.store.put(&name, &text)?)
    }
}
