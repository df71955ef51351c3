//! How much there is to read, before it is read: bytes, rows, about how many series; and what is too much.
//!
//! Rows of Parquet files are those of their footers. Those of CSV files are told from the lines in front of the first files. How
//! many series they are is told from a sample: rows of one series mostly stand together, or all series take turns.

use super::columns::Assignment;
use super::files::Format;
use super::source::{CHUNK_ROWS, ColumnType, Source};
use super::spec::{IngestError, Layout, SourceSpec};
use super::wanted::Wanted;
use polars::prelude::{DataFrame, DataType};
use std::collections::HashSet;
use std::fs::File;
use std::io::Read;

/// Bytes of a CSV file that its lines are counted in, and files that are looked into.
const LOOK_BYTES: u64 = 256 << 10;
const LOOK_FILES: usize = 4;

/// What a source holds, as far as it can be told without reading all of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimensions {
    /// Bytes of all files.
    pub bytes: u64,
    /// Rows of all files; of a wide file every column counts. Told from a sample where a file is CSV.
    pub rows: u64,
    /// Whether the rows are those of footers.
    pub is_counted: bool,
    /// Series, about.
    pub series: u64,
    /// Whether rows of different series take turns.
    pub is_interleaved: bool,
    /// Bytes in memory of the rows of Parquet files that are read at a time; 0 of CSV files, whose blocks are small.
    pub chunk_bytes: u64,
    /// Columns that are read beside the target.
    pub covariates: u64,
}

/// Asked before the rows are read.
pub type Guard<'a> = dyn Fn(&Dimensions) -> Result<(), IngestError> + 'a;

impl Dimensions {
    pub(super) fn of(sources: &[Source], assignment: &Assignment) -> Result<Dimensions, IngestError> {
        let width = assignment.roles.targets.len() as u64;
        let (mut bytes, mut rows, mut is_counted, mut chunk_bytes) = (0_u64, 0_u64, true, 0_u64);
        let (mut seen_bytes, mut seen_lines, mut looked) = (0_u64, 0_u64, 0);
        let mut csv_bytes = 0_u64;
        for source in sources {
            bytes += source.file.seen.bytes;
            match source.groups() {
                Some(groups) => {
                    rows += groups.iter().map(|&rows| rows as u64).sum::<u64>();
                    chunk_bytes = chunk_bytes.max(chunk(source, assignment, &groups)?);
                }
                None => {
                    is_counted = false;
                    csv_bytes += source.file.seen.bytes;
                    if looked < LOOK_FILES {
                        let (bytes, lines) = lines(source);
                        (seen_bytes, seen_lines, looked) =
                            (seen_bytes + bytes, seen_lines + lines, looked + 1);
                    }
                }
            }
        }
        rows += (csv_bytes as f64 * seen_lines as f64 / seen_bytes.max(1) as f64) as u64;
        let rows = rows.saturating_mul(width);
        let (series, is_interleaved) = match assignment.layout {
            Layout::Wide => (width, false),
            Layout::Long => series(sources, assignment, rows)?,
        };
        let covariates = assignment.covariates.len() as u64;
        Ok(Dimensions { bytes, rows, is_counted, series, is_interleaved, chunk_bytes, covariates })
    }

    /// Whether it is no more than the source may hold.
    pub(super) fn within(&self, spec: &SourceSpec) -> Result<(), IngestError> {
        let mut problems = Vec::new();
        if let Some(most) = spec.max_bytes.filter(|most| self.bytes > *most) {
            problems.push(format!(
                "the files have {} bytes, and max_bytes allows {most}; name fewer files, or raise max_bytes",
                self.bytes
            ));
        }
        if let Some(most) = spec.max_rows.filter(|most| self.is_counted && self.rows > *most) {
            problems.push(too_many_rows(&self.rows.to_string(), most));
        }
        match problems.is_empty() {
            true => Ok(()),
            false => Err(IngestError::new(super::IngestErrorKind::Data, problems)),
        }
    }
}

/// The refusal of more rows than are allowed.
pub(super) fn too_many_rows(rows: &str, most: u64) -> String {
    format!("the files have {rows} rows, and max_rows allows {most}; name fewer files, or raise max_rows")
}

/// Bytes in memory of the largest stretch of rows that is read at a time.
fn chunk(source: &Source, assignment: &Assignment, groups: &[usize]) -> Result<u64, IngestError> {
    let wanted = Wanted::new(source, assignment)?;
    let width = |at: &usize| match &source.columns[*at].1 {
        ColumnType::Known(DataType::String, _) => 16,
        _ => 8,
    };
    let columns: u64 = wanted.columns.iter().map(width).sum();
    let rows = super::source::stretches(groups.iter().copied(), CHUNK_ROWS).into_iter().map(|(_, rows)| rows);
    // A code of the series, an instant and a value stand beside them.
    Ok(rows.max().unwrap_or(0) as u64 * (columns + 4 + 8 + 8 * assignment.roles.targets.len() as u64))
}

/// Bytes in front of a CSV file, and how many lines they are.
fn lines(source: &Source) -> (u64, u64) {
    let mut front = Vec::new();
    let read = File::open(&source.file.path).and_then(|file| file.take(LOOK_BYTES).read_to_end(&mut front));
    match read {
        Ok(bytes) => (bytes as u64, memchr::memchr_iter(b'\n', &front).count() as u64),
        // Reading will say why.
        Err(_) => (0, 0),
    }
}

/// About how many series there are, and whether they take turns.
fn series(sources: &[Source], assignment: &Assignment, rows: u64) -> Result<(u64, bool), IngestError> {
    let ids = &assignment.roles.id;
    let Some(source) = sources.first().filter(|_| !ids.is_empty()) else { return Ok((1, false)) };
    let in_path = |name: &String| source.file.hive.iter().any(|(column, _)| column == name);
    let in_file: Vec<usize> =
        ids.iter().filter_map(|id| source.columns.iter().position(|(name, _)| name == id)).collect();
    // Of ids in paths there are as many as there are folders.
    let folders = match ids.iter().any(in_path) {
        true => sources.iter().map(|source| &source.file.hive).collect::<HashSet<_>>().len() as u64,
        false => 1,
    };
    if in_file.is_empty() {
        return Ok((folders, false));
    }
    let readable = |at: &usize| matches!(source.columns[*at].1, ColumnType::Known(..));
    let place = |at: usize| (0..at).filter(readable).count();
    let sample = source.sample()?;
    let keys = keys(&sample, &in_file.into_iter().map(place).collect::<Vec<_>>());
    let (runs, distinct) =
        (keys.chunk_by(|one, other| one == other).count(), keys.iter().collect::<HashSet<_>>().len());
    if keys.is_empty() {
        return Ok((0, false));
    }
    // Where hardly two rows in a row are of one series, a sample may not be long enough to see all of them: then they are more.
    let is_interleaved = runs > 2 * distinct || 2 * runs > keys.len() + 2;
    let estimate = match is_interleaved {
        true => distinct as u64,
        // The last run is cut off by the end of the sample.
        false => rows.saturating_mul(runs as u64) / keys.len() as u64,
    };
    // One run says no more than that there is at least one series in so many rows.
    let estimate = if runs == 1 { rows / keys.len().max(1) as u64 } else { estimate };
    Ok((estimate.clamp(1, rows.max(1)).max(folders), is_interleaved))
}

/// The ids of the rows of a sample.
fn keys(sample: &DataFrame, columns: &[usize]) -> Vec<String> {
    let text = |row: usize| {
        let cells = columns.iter().filter_map(|&at| sample.columns().get(at));
        cells.filter_map(|column| column.get(row).ok()).map(|value| format!("{value}/")).collect()
    };
    (0..sample.height()).map(text).collect()
}

impl Source {
    /// Rows of every group of a Parquet file; `None` of others.
    pub(super) fn groups(&self) -> Option<Vec<usize>> {
        match (self.file.format, self.row_groups()) {
            (Format::Csv(_), _) => None,
            (_, groups) => Some(groups),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is told of a CSV file with these rows.
    fn told(rows: impl Iterator<Item = (usize, usize)>) -> Dimensions {
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("in.csv");
        let rows: String =
            rows.map(|(id, day)| format!("id_{id},2024-01-{:02},{day}\n", day % 28 + 1)).collect();
        std::fs::write(&path, format!("id,ds,y\n{rows}")).expect("written");
        let mut spec = SourceSpec::new(vec![path.display().to_string()]);
        (spec.id, spec.time, spec.target) = (vec!["id".into()], Some("ds".into()), Some("y".into()));
        let seen = std::cell::Cell::new(Dimensions::default());
        let stop = |dimensions: &Dimensions| {
            seen.set(*dimensions);
            Err(IngestError::new(super::super::IngestErrorKind::Memory, vec!["enough".into()]))
        };
        assert!(super::super::read_guarded(&spec, &|_| {}, &stop).is_err());
        seen.get()
    }

    #[test]
    fn series_are_told_from_a_sample_whether_they_stand_together_or_take_turns() {
        let together = told((0..400).flat_map(|id| (0..20).map(move |day| (id, day))));
        assert!(!together.is_interleaved && (350..=450).contains(&together.series), "{together:?}");
        assert!((7_500..=8_500).contains(&together.rows) && !together.is_counted, "{together:?}");
        let turns = told((0..20).flat_map(|day| (0..400).map(move |id| (id, day))));
        assert!(turns.is_interleaved && turns.series == 400, "{turns:?}");
        // More of them than a sample shows: at least as many as it does, and not one for every row.
        let many = told((0..3).flat_map(|day| (0..3_000).map(move |id| (id, day))));
        assert!(many.is_interleaved && many.series == SAMPLE, "{many:?}");
        let long = told((0..2).flat_map(|id| (0..4_000).map(move |day| (id, day))));
        assert!(!long.is_interleaved && long.series <= 4, "{long:?}");
    }

    const SAMPLE: u64 = super::super::source::SAMPLE_ROWS as u64;
}
