//! Sources that are read again and again: what has not changed is not read twice.

use crate::ingest::{self, Fetched, FileStamp, Guard, IngestError, Ingested, SourceSpec, Stamps, Watch};
use crate::pipeline::memory_plan;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// For so long after a reading whoever only looks takes it for the newest, microseconds.
const FRESH: i64 = 60_000_000;

/// What the stages of the jobs have read last, by source; a clone has the same.
#[derive(Clone, Default)]
pub struct Sources {
    last: Arc<Mutex<HashMap<String, Kept>>>,
    /// Held by whoever reads only to look: of several, one reads.
    looking: Arc<Mutex<()>>,
}

/// Why nobody can look at a source.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// It is read for a slot, and not to be looked at.
    #[error(
        "no slot has read the source yet, and its {bytes} bytes are more than the {bytes_max} that are read just to look"
    )]
    TooLarge {
        /// Bytes of its files.
        bytes: u64,
        /// Bytes that are read.
        bytes_max: u64,
    },
    /// It runs for a slot, and not to be looked at.
    #[error("no slot has run the command of the source yet, and it is not run just to look")]
    Command,
    /// It cannot be read.
    #[error(transparent)]
    Ingest(#[from] IngestError),
}

/// A source as it was read.
#[derive(Clone)]
struct Kept {
    /// Settings but for `as_of`, in words.
    settings: String,
    as_of: i64,
    files: Vec<FileStamp>,
    /// Files that were left out, with the reason.
    skipped: Vec<String>,
    ingested: Arc<Ingested>,
}

/// A source as a stage gets it.
pub struct Reading {
    /// Series and quality.
    pub ingested: Arc<Ingested>,
    /// Its files, and how they differ from those of an earlier look.
    pub stamps: Stamps,
    /// Bytes of data read; 0 where nothing had changed.
    pub bytes_read: u64,
}

impl Sources {
    /// Reads a source as it was known at `as_of` (microseconds UTC); `known` are its files as they were seen before. A
    /// source that is a command runs it, until `stop` becomes true; if it prints what it printed before, that is not read
    /// again. `watch` hears how far the reading is.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn read(
        &self,
        name: &str,
        spec: &SourceSpec,
        as_of: i64,
        known: &[FileStamp],
        stop: &AtomicBool,
        watch: &Watch,
    ) -> Result<Reading, IngestError> {
        self.read_fetched(name, spec, as_of, &ingest::fetch(spec, known, stop, watch)?, watch, &|_| Ok(()))
    }

    /// Bytes that the values of all sources but one take, as they were read last.
    pub(super) fn held_bytes(&self, except: &str) -> u64 {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let others = last.iter().filter(|(name, _)| *name != except);
        others.map(|(_, kept)| memory_plan::panel_bytes(&kept.ingested.panel)).sum()
    }

    /// As [`Sources::read`], where the files have been looked at or the command has run; `guard` is asked before rows are read.
    ///
    /// # Errors
    /// See [`IngestError`].
    pub fn read_fetched(
        &self,
        name: &str,
        spec: &SourceSpec,
        as_of: i64,
        fetched: &Fetched,
        watch: &Watch,
        guard: &Guard,
    ) -> Result<Reading, IngestError> {
        let stamps = fetched.stamps.clone();
        let settings = settings(spec);
        let spec = SourceSpec { as_of: Some(as_of), ..spec.clone() };
        if let Some(ingested) = self.kept(name, &settings, as_of, &stamps) {
            return Ok(Reading { ingested, stamps, bytes_read: 0 });
        }
        let ingested = Arc::new(fetched.read_guarded(&spec, watch, guard)?);
        let (files, skipped) = (stamps.files.clone(), stamps.skipped.clone());
        let kept = Kept { settings, as_of, files, skipped, ingested: ingested.clone() };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), kept);
        let bytes_read = ingested.bytes;
        Ok(Reading { ingested, stamps, bytes_read })
    }

    /// A source as whoever looks at it at `now` (microseconds UTC) sees it: what was read last, or what its files say by now if
    /// they have changed and are at most `bytes_max` bytes. What is read is kept for the stages.
    ///
    /// # Errors
    /// See [`LookError`]; where anything was read before, that is shown instead.
    pub fn look(
        &self,
        name: &str,
        spec: &SourceSpec,
        now: i64,
        bytes_max: u64,
    ) -> Result<Arc<Ingested>, LookError> {
        let settings = settings(spec);
        if let Some(held) = self.held(name, &settings).filter(|held| held.is_fresh(now)) {
            return Ok(held.ingested);
        }
        let _alone = self.looking.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever was looking before may have read it.
        let held = self.held(name, &settings);
        if let Some(held) = held.as_ref().filter(|held| held.is_fresh(now)) {
            return Ok(held.ingested.clone());
        }
        let seen = self.look_again(name, spec, now, bytes_max, held.as_ref());
        match (seen, held) {
            (Err(error), Some(held)) => {
                tracing::debug!(source = name, %error, "what was read last is shown");
                Ok(held.ingested)
            }
            (seen, _) => seen,
        }
    }

    fn look_again(
        &self,
        name: &str,
        spec: &SourceSpec,
        now: i64,
        bytes_max: u64,
        held: Option<&Kept>,
    ) -> Result<Arc<Ingested>, LookError> {
        if spec.exec.is_some() {
            return Err(LookError::Command);
        }
        let known = held.map_or(&[] as &[FileStamp], |held| &held.files);
        let glance = ingest::glance(spec, known)?;
        if let Some(held) = held.filter(|held| glance.is_same && held.says_the_same_at(now)) {
            return Ok(held.ingested.clone());
        }
        if glance.bytes > bytes_max {
            return Err(LookError::TooLarge { bytes: glance.bytes, bytes_max });
        }
        Ok(self.read(name, spec, now, known, &AtomicBool::new(false), &|_| {})?.ingested)
    }

    /// What was read last with these settings, whatever has changed since.
    fn held(&self, name: &str, settings: &str) -> Option<Kept> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.get(name).filter(|kept| kept.settings == settings).cloned()
    }

    /// Whether [`Sources::read`] would read nothing.
    pub fn is_at_hand(&self, name: &str, spec: &SourceSpec, as_of: i64, stamps: &Stamps) -> bool {
        self.kept(name, &settings(spec), as_of, stamps).is_some()
    }

    /// What was read before, if reading again would give the same.
    fn kept(&self, name: &str, settings: &str, as_of: i64, stamps: &Stamps) -> Option<Arc<Ingested>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.get(name)?;
        // A file that is left out has no stamp, and what is said of it goes with the reading.
        let are_same = kept.files == stamps.files && kept.skipped == stamps.skipped;
        let is_same = kept.settings == settings && are_same && kept.says_the_same_at(as_of);
        is_same.then(|| kept.ingested.clone())
    }
}

impl Kept {
    /// Whether the same files would give the same at another instant.
    fn says_the_same_at(&self, as_of: i64) -> bool {
        (self.as_of..=self.ingested.same_until).contains(&as_of)
    }

    /// Whether it was read a moment ago.
    fn is_fresh(&self, now: i64) -> bool {
        (self.as_of..=self.as_of.saturating_add(FRESH)).contains(&now)
    }
}

/// Settings but for `as_of`, in words.
fn settings(spec: &SourceSpec) -> String {
    format!("{:?}", SourceSpec { as_of: None, ..spec.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000_000;

    fn read(sources: &Sources, spec: &SourceSpec, as_of: i64) -> (u64, usize) {
        let reading =
            sources.read("s", spec, as_of, &[], &AtomicBool::new(false), &|_| {}).expect("readable");
        (reading.bytes_read, reading.ingested.panel.series[0].values.len())
    }

    #[test]
    fn a_source_is_read_again_only_if_that_could_give_something_else() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("a.csv");
        let rows: Vec<String> = (0..8).map(|hour| format!("1970-01-01T{hour:02}:00:00Z,{hour}")).collect();
        let write =
            |rows: &[String]| std::fs::write(&file, format!("ds,y\n{}\n", rows.join("\n"))).expect("written");
        write(&rows[..6]);
        let bytes = std::fs::metadata(&file).expect("there").len();
        let spec = SourceSpec::new(vec![file.display().to_string()]);
        let sources = Sources::default();
        assert_eq!(read(&sources, &spec, 3 * HOUR), (bytes, 4), "later rows are not known yet");
        assert_eq!(read(&sources, &spec, 3 * HOUR + 1), (0, 4));
        assert_eq!(read(&sources, &spec, 4 * HOUR), (bytes, 5), "one more row has become known");
        assert_eq!(read(&sources, &spec, 9 * HOUR), (bytes, 6));
        assert_eq!(read(&sources, &spec, 99 * HOUR), (0, 6), "nothing more can come of these files");
        assert_eq!(read(&sources, &spec, 8 * HOUR), (bytes, 6), "an earlier time is another question");
        write(&rows);
        assert_eq!(read(&sources, &spec, 99 * HOUR).1, 8, "the file has changed");
    }

    #[test]
    fn a_file_that_is_left_out_is_told_as_long_as_it_is_there() {
        let folder = tempfile::tempdir().expect("folder");
        std::fs::write(folder.path().join("a.csv"), "ds,y\n1970-01-01,1\n1970-01-02,2\n").expect("written");
        let spec = SourceSpec::new(vec![folder.path().display().to_string()]);
        let sources = Sources::default();
        let skipped = || {
            let reading =
                sources.read("s", &spec, 99 * HOUR, &[], &AtomicBool::new(false), &|_| {}).expect("readable");
            reading.ingested.skipped_files.clone()
        };
        assert!(skipped().is_empty());
        let empty = folder.path().join("b.csv");
        std::fs::write(&empty, "").expect("written");
        assert!(skipped()[0].contains("b.csv: empty file"), "it came after the reading");
        std::fs::remove_file(&empty).expect("removed");
        assert!(skipped().is_empty(), "it went after the reading");
    }

    #[test]
    fn whoever_looks_reads_what_is_small_and_new_and_otherwise_sees_what_was_read_last() {
        let folder = tempfile::tempdir().expect("folder");
        let file = folder.path().join("a.csv");
        let write = |rows: usize| {
            let rows: Vec<String> =
                (0..rows).map(|hour| format!("1970-01-01T{hour:02}:00:00Z,{hour}")).collect();
            std::fs::write(&file, format!("ds,y\n{}\n", rows.join("\n"))).expect("written");
        };
        let sources = Sources::default();
        let spec = SourceSpec::new(vec![file.display().to_string()]);
        let look = |now: i64, bytes_max: u64| {
            let seen = sources.clone().look("s", &spec, now, bytes_max);
            seen.map(|ingested| ingested.panel.series[0].values.len()).map_err(|error| error.to_string())
        };
        assert!(look(9 * HOUR, 1 << 20).expect_err("no file").contains("a.csv"));
        write(6);
        assert!(look(9 * HOUR, 10).expect_err("too large").contains("bytes"));
        assert_eq!(look(9 * HOUR, 1 << 20), Ok(6));
        write(8);
        assert_eq!(look(9 * HOUR + FRESH, 1 << 20), Ok(6), "a moment later nobody reads again");
        assert_eq!(look(9 * HOUR + FRESH + 1, 10), Ok(6), "too large by now: what was read last");
        assert_eq!(look(9 * HOUR + FRESH + 1, 1 << 20), Ok(8));
        assert_eq!(read(&sources, &spec, 10 * HOUR), (0, 8), "the stages need not read it again");
        std::fs::remove_file(&file).expect("removed");
        assert_eq!(look(99 * HOUR, 1 << 20), Ok(8), "what is gone is shown as it was");
    }
}
