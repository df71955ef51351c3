//! The runs of a job as the store lists them.

use crate::publish::commit::COMMIT_FILE;
use crate::publish::parts::is_part;
use crate::store::Entry;
use std::collections::BTreeMap;

/// What a store has of the runs of a job, by the name of their folder, which begins with the day: ascending.
#[derive(Debug, Default)]
pub(super) struct Listing {
    pub(super) runs: BTreeMap<String, RunThere>,
    /// The store's clock, as far as its objects tell it, microseconds UTC.
    pub(super) now: i64,
}

/// What stands in the folder of a run.
#[derive(Debug, Default)]
pub(super) struct RunThere {
    /// Whether it counts.
    pub(super) is_committed: bool,
    /// Names of everything, in the store.
    pub(super) names: Vec<String>,
    /// Parts, and records of parts.
    parts: usize,
    records: usize,
    /// When the last of it was written, microseconds UTC by the store's clock.
    pub(super) modified: i64,
}

impl Listing {
    pub(super) fn of(entries: Vec<Entry>) -> Listing {
        let mut listing = Listing::default();
        for entry in entries {
            listing.now = listing.now.max(entry.modified);
            let Some((folder, file)) = entry.name.rsplit_once('/') else { continue };
            // job=J/issued_date=D/run_id=R, and nothing that somebody else put elsewhere.
            let mut parts = folder.split('/').skip(1);
            let is_run = parts.next().is_some_and(|day| day.starts_with("issued_date="))
                && parts.next().is_some_and(|run| run.starts_with("run_id="))
                && parts.next().is_none();
            if !is_run {
                continue;
            }
            let run = listing.runs.entry(folder.into()).or_default();
            run.is_committed |= file == COMMIT_FILE;
            run.parts += usize::from(is_part(file));
            run.records += usize::from(file.starts_with("_part-"));
            run.modified = run.modified.max(entry.modified);
            run.names.push(entry.name.clone());
        }
        listing
    }

    /// Whether a run counts.
    pub(super) fn has(&self, folder: &str) -> bool {
        self.runs.get(folder).is_some_and(|run| run.is_committed)
    }
}

impl RunThere {
    /// Whether parts may be left that no commit names.
    pub(super) fn has_strays(&self) -> bool {
        self.is_committed && self.parts > self.records
    }
}

/// The name of the day in the name of a folder.
pub(super) fn day(folder: &str) -> &str {
    folder.split('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_told_from_what_else_lies_there() {
        let entry = |name: &str, modified| Entry { name: name.into(), bytes: 1, modified, etag: None };
        let run = "job=load/issued_date=2026-01-02/run_id=r";
        let listing = Listing::of(vec![
            entry("job=load/notes.txt", 9),
            entry(&format!("{run}/_commit.json"), 3),
            entry(&format!("{run}/_part-0-of-1.json"), 2),
            entry(&format!("{run}/part-0-0123456789ab.parquet"), 1),
            entry(&format!("{run}/part-0-ba9876543210.parquet"), 1),
            entry(&format!("{run}/deeper/_commit.json"), 3),
            entry("job=load/issued_date=2026-01-03/run_id=s/part-0-0123456789ab.parquet", 1),
        ]);
        assert_eq!((listing.runs.len(), listing.now, day(run)), (2, 9, "issued_date=2026-01-02"));
        assert!(listing.has(run) && listing.runs[run].has_strays() && listing.runs[run].modified == 3);
        assert!(!listing.has("job=load/issued_date=2026-01-03/run_id=s"));
    }
}
