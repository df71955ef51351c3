//! What stands beside the runs of a job, each a table that can be computed again: the same here and there.

use super::Mirror;
use super::record::{Record, here, there};
use crate::publish::{PublishError, SinkSpec, store};
use crate::store::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Folders of the sink that have such tables.
pub(super) const FOLDERS: [&str; 3] = ["scores", "anomalies", "backtests"];

/// Name of the one table of a job, where it has one.
const TABLE: &str = "part-0.parquet";

/// Makes scores, anomalies and backtests of a job the same in the store and in its copy: what has changed on one side since both
/// were alike goes to the other; what has on both comes from here. Returns how many files moved; none for a sink that is a folder.
///
/// With shards, the table of a job is there under the number of the shard (`scores/job=J/part-3.parquet`).
///
/// # Errors
/// If the store fails or the copy cannot be written; what was moved until then stays.
pub fn sync_files(sink: &SinkSpec, job: &str) -> Result<usize, PublishError> {
    let Some(mirror) = Mirror::of(sink, job)? else { return Ok(0) };
    let _lock = mirror.folders.lock();
    mirror.sync_side()
}

/// What becomes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    Up,
    Down,
    RemoveHere,
    Nothing,
}

impl Mirror<'_> {
    /// As [`sync_files`]; the lock is held, if the job has a folder.
    pub(super) fn sync_side(&self) -> Result<usize, PublishError> {
        let before = self.record();
        let mut record = before.clone();
        let mut moved = 0;
        for folder in FOLDERS {
            let outcome = self.sync_folder(&format!("{folder}/job={}", self.job), &mut record);
            if record != before {
                record.write(&self.record_path())?;
            }
            moved += outcome?;
        }
        Ok(moved)
    }

    fn sync_folder(&self, folder: &str, record: &mut Record) -> Result<usize, PublishError> {
        let at = self.sink.path.join(folder);
        let found: BTreeMap<String, Entry> =
            self.store.list(folder)?.into_iter().map(|entry| (entry.name.clone(), entry)).collect();
        let prefix = format!("{folder}/");
        let is_own = |name: &&String| !name[prefix.len()..].contains('/') && self.file(name).is_some();
        let known = record.objects.keys().filter(|name| name.starts_with(&prefix));
        let files = files(&at).into_iter().map(|file| format!("{prefix}{}", self.name_there(folder, &file)));
        let names: BTreeSet<String> = found
            .keys()
            .filter(is_own)
            .chain(known)
            .cloned()
            .collect::<BTreeSet<_>>()
            .into_iter()
            .chain(files)
            .collect();
        let mut moved = 0;
        for name in names {
            let Some(path) = self.file(&name) else { continue };
            let seen = record.objects.get(&name);
            let sides = (found.get(&name).map(there), here(&path));
            let (seen_there, seen_here) = (seen.map(|seen| &seen.there), seen.map(|seen| &seen.here));
            match what(sides.0.as_ref(), sides.1.as_ref(), seen_there, seen_here) {
                Move::Up => {
                    self.store.upload(&name, &path)?;
                    if let Some(entry) = self.store.head(&name)? {
                        record.alike(&name, &entry, &path);
                    }
                    moved += 1;
                }
                Move::Down => {
                    store::create_folder(&at)?;
                    if let Some(entry) = self.store.download(&name, &path)? {
                        record.alike(&name, &entry, &path);
                    }
                    moved += 1;
                }
                Move::RemoveHere => {
                    std::fs::remove_file(&path).map_err(|error| store::sort_out(&path, &error))?;
                    record.objects.remove(&name);
                    moved += 1;
                }
                Move::Nothing if sides.0.is_none() && sides.1.is_none() => drop(record.objects.remove(&name)),
                Move::Nothing => {}
            }
        }
        Ok(moved)
    }

    /// The name there of a file here.
    fn name_there(&self, folder: &str, file: &str) -> String {
        match !self.is_whole() && file == TABLE && !folder.starts_with("backtests") {
            true => format!("part-{}.parquet", self.remote.shard.index()),
            false => file.into(),
        }
    }

    /// The file here that a name there stands for; `None` for those of other shards.
    fn file(&self, name: &str) -> Option<PathBuf> {
        let (folder, file) = name.rsplit_once('/')?;
        if self.is_whole() || folder.starts_with("backtests") {
            return Some(self.sink.path.join(name));
        }
        (file == self.name_there(folder, TABLE)).then(|| self.sink.path.join(folder).join(TABLE))
    }
}

/// What becomes of a file, by what it is there and here, and by what it was when both were alike.
fn what(
    there: Option<&String>,
    here: Option<&String>,
    seen_there: Option<&String>,
    seen_here: Option<&String>,
) -> Move {
    match (there, here) {
        (None, None) => Move::Nothing,
        (Some(_), None) => Move::Down,
        // Both begin: the store is the truth.
        (Some(_), Some(_)) if seen_there.is_none() => Move::Down,
        (_, Some(_)) if here != seen_here => Move::Up,
        (Some(_), Some(_)) if there != seen_there => Move::Down,
        (None, Some(_)) => Move::RemoveHere,
        (Some(_), Some(_)) => Move::Nothing,
    }
}

/// Names of the files in a folder, hidden ones left out.
fn files(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries
        .filter(|entry| entry.path().is_file())
        .filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with('.')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_moves_to_the_other_side() {
        let what = |there: &str, here: &str, seen: &str| {
            let side = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            super::what(side(there).as_ref(), side(here).as_ref(), side(seen).as_ref(), side(seen).as_ref())
        };
        assert_eq!(what("", "", "a"), Move::Nothing);
        assert_eq!(what("a", "a", "a"), Move::Nothing);
        assert_eq!(
            (what("", "b", ""), what("a", "b", "a"), what("c", "b", "a")),
            (Move::Up, Move::Up, Move::Up)
        );
        assert_eq!(
            (what("b", "a", "a"), what("a", "", "a"), what("a", "b", "")),
            (Move::Down, Move::Down, Move::Down)
        );
        assert_eq!(what("", "a", "a"), Move::RemoveHere);
    }
}
