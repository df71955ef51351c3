//! Files of every kind through [`s4cast::ingest::read`], the good and the broken.

mod broken;
mod clocks;
mod covariates;
mod golden_policies;
mod irregular;
mod layouts;
mod over_time;
mod parquet;
mod policies;

use s4cast::ingest::{IngestError, Ingested, SourceSpec};
use s4cast::series::{Quality, Verdict};
use std::path::Path;
use tempfile::TempDir;

/// A folder of input files that vanishes with the test.
struct Folder(TempDir);

impl Folder {
    fn new() -> Folder {
        Folder(tempfile::tempdir().unwrap())
    }

    /// A folder with one CSV file.
    fn with(name: &str, text: impl AsRef<[u8]>) -> Folder {
        Folder::new().file(name, text)
    }

    fn file(self, name: &str, content: impl AsRef<[u8]>) -> Folder {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn spec(&self, inputs: &[&str]) -> SourceSpec {
        SourceSpec::new(inputs.iter().map(|input| self.path().join(input).display().to_string()).collect())
    }

    fn read(&self, inputs: &[&str]) -> Result<Ingested, IngestError> {
        s4cast::ingest::read(&self.spec(inputs))
    }
}

/// Reads one CSV text with a changed spec.
fn read_csv(text: &str, change: impl Fn(&mut SourceSpec)) -> Result<Ingested, IngestError> {
    let folder = Folder::with("a.csv", text);
    let mut spec = folder.spec(&["a.csv"]);
    change(&mut spec);
    s4cast::ingest::read(&spec)
}

/// Microseconds of an ISO instant.
fn at(text: &str) -> i64 {
    text.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// ISO instants of microseconds.
fn shown(times: &[i64]) -> Vec<String> {
    times.iter().map(|&time| jiff::Timestamp::from_microsecond(time).unwrap().to_string()).collect()
}

/// The reasons for which a series is left out.
fn reasons<'a>(ingested: &'a Ingested, id: &str) -> &'a [String] {
    let quality = ingested.quality.iter().find(|quality| quality.unique_id == id).unwrap();
    match &quality.verdict {
        Verdict::Ok => &[],
        Verdict::Fallback(reasons) | Verdict::Quarantined(reasons) => reasons,
    }
}

/// Asserts that a text holds all of the words.
fn assert_holds(text: &str, words: &[&str]) {
    for word in words {
        assert!(text.contains(word), "no '{word}' in: {text}");
    }
}

/// Rows, missing, gaps, longest gap and flat run.
fn counts(quality: &Quality) -> [usize; 5] {
    [quality.rows, quality.missing, quality.gaps, quality.longest_gap, quality.flat_run]
}
