//! Sources that are read again and again: what has not changed is not read twice.

use crate::ingest::{self, Fetched, FileStamp, IngestError, Ingested, SourceSpec, Stamps, Watch};
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

/// What the stages of the jobs have read last, by source.
#[derive(Default)]
pub struct Sources {
    last: Mutex<HashMap<String, Kept>>,
}

/// A source as it was read.
struct Kept {
    /// Settings but for `as_of`, in words.
    settings: String,
    as_of: i64,
    files: Vec<FileStamp>,
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
        self.read_fetched(name, spec, as_of, &ingest::fetch(spec, known, stop)?, watch)
    }

    /// As [`Sources::read`], where the files have been looked at or the command has run.
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
    ) -> Result<Reading, IngestError> {
        let stamps = fetched.stamps.clone();
        let settings = settings(spec);
        let spec = SourceSpec { as_of: Some(as_of), ..spec.clone() };
        if let Some(ingested) = self.kept(name, &settings, as_of, &stamps.files) {
            return Ok(Reading { ingested, stamps, bytes_read: 0 });
        }
        let ingested = Arc::new(fetched.read_watched(&spec, watch)?);
        let kept = Kept { settings, as_of, files: stamps.files.clone(), ingested: ingested.clone() };
        self.last.lock().unwrap_or_else(PoisonError::into_inner).insert(name.into(), kept);
        let bytes_read = ingested.bytes;
        Ok(Reading { ingested, stamps, bytes_read })
    }

    /// Whether [`Sources::read`] would read nothing.
    pub fn is_at_hand(&self, name: &str, spec: &SourceSpec, as_of: i64, files: &[FileStamp]) -> bool {
        self.kept(name, &settings(spec), as_of, files).is_some()
    }

    /// What was read before, if reading again would give the same.
    fn kept(&self, name: &str, settings: &str, as_of: i64, files: &[FileStamp]) -> Option<Arc<Ingested>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = last.get(name)?;
        let is_same = kept.settings == settings
            && kept.files == files
            && (kept.as_of..=kept.ingested.same_until).contains(&as_of);
        is_same.then(|| kept.ingested.clone())
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
}
