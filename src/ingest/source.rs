//! An opened file, or some rows of a stream: its columns, a sample of its rows, and its rows as frames of the wanted columns.

use super::cells::{self, Cells};
use super::decimal;
use super::files::{Format, SourceFile, data, io_error};
use super::parquet;
use super::scan::{Block, Blocks};
use super::seen::Seen;
use super::spec::IngestError;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::io::parquet::read::ParquetReader;
use polars::prelude::{Column, DataFrame, DataType, NamedFrom, PolarsError, PolarsResult, SerReader, Series};
use std::fs::File;
use std::io;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;

/// How many bytes of a CSV file are read at a time: few enough to stay in a cache.
const BLOCK_BYTES: usize = 1 << 20;

/// About how many rows of a Parquet file are read at a time; a row group is the least. With fewer, glibc returns the
/// memory of every chunk to the system and faults it in again.
pub(super) const CHUNK_ROWS: usize = 256 << 10;

/// Rows that tell what kind a column is of.
pub(super) const SAMPLE_ROWS: usize = 2000;

/// Rows of one file.
pub(super) struct Chunk {
    pub(super) table: Table,
    /// Number of the first row, as messages count: the line in CSV (the header is line 1), the row in Parquet.
    pub(super) first_row: usize,
    /// Numbers of all rows, where they are not consecutive.
    pub(super) rows: Option<Vec<u32>>,
    /// Records that were left out, with file and line.
    pub(super) problems: Vec<String>,
    /// Whether the last of them is of a record in which the file ends.
    pub(super) is_cut_off: bool,
    /// Bytes of the file that it is from, about.
    pub(super) bytes: u64,
}

impl Chunk {
    /// Rows that follow one another, all of them as they should be.
    fn whole(table: Table, first_row: usize, bytes: u64) -> Chunk {
        Chunk { table, first_row, rows: None, problems: Vec::new(), is_cut_off: false, bytes }
    }
}

/// The wanted columns of some rows.
pub(super) enum Table {
    /// Of a Parquet file.
    Frame(DataFrame),
    /// Of a CSV file.
    Cells(Cells),
}

/// One column of a table.
#[derive(Clone, Copy)]
pub(super) enum ColumnOf<'a> {
    /// With a type.
    Typed(&'a Series),
    /// As written.
    Text(cells::Column<'a>),
}

impl Table {
    /// Number of rows.
    pub(super) fn rows(&self) -> usize {
        match self {
            Table::Frame(frame) => frame.height(),
            Table::Cells(cells) => cells.rows(),
        }
    }

    /// A column by its place among the wanted ones.
    pub(super) fn column(&self, at: usize) -> ColumnOf<'_> {
        match self {
            Table::Frame(frame) => ColumnOf::Typed(frame.columns()[at].as_materialized_series()),
            Table::Cells(cells) => ColumnOf::Text(cells.column(at)),
        }
    }
}

/// An opened file.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) file: SourceFile,
    /// Columns in file order, with polars' types; everything is text in CSV.
    pub(super) columns: Vec<(String, ColumnType)>,
    /// Written by this program: a forecast or a quality report.
    pub(super) own: bool,
    body: Body,
}

/// What is known of a column before its rows are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ColumnType {
    /// Readable, with the name of the zone that a zoned timestamp carries.
    Known(DataType, Option<String>),
    /// A type that no role can use, as messages name it.
    Unusable(&'static str),
}

#[derive(Debug)]
enum Body {
    Csv {
        separator: u8,
    },
    Parquet {
        metadata: FileMetadataRef,
        decimals: Vec<Option<i32>>,
        /// The file whose footer this is.
        seen: Seen,
    },
    /// Rows that follow each other, all columns, and how many rows of the stream stood before them.
    Frames {
        frames: Vec<DataFrame>,
        before: usize,
    },
}

impl Source {
    /// Opens a file and reads its header or footer.
    pub(super) fn open(file: SourceFile) -> Result<Source, IngestError> {
        let (columns, body, own) = match file.format {
            Format::Csv(separator) => {
                let (columns, body) = open_csv(&file, separator)?;
                (columns, body, false)
            }
            Format::Parquet => {
                let (columns, metadata, decimals, own, seen) = parquet::open(&file)?;
                (columns, Body::Parquet { metadata, decimals, seen }, own)
            }
        };
        Ok(Source { file, columns, own, body })
    }

    /// Rows of a stream, of which so many stood before; the frames have these columns.
    pub(super) fn of_frames(
        name: &str,
        columns: Vec<(String, ColumnType)>,
        frames: Vec<DataFrame>,
        before: usize,
    ) -> Source {
        let file = SourceFile {
            path: PathBuf::new(),
            name: name.to_owned(),
            format: Format::Parquet,
            hive: Vec::new(),
            named: true,
            seen: Seen { bytes: 0, modified_ns: 0, changed_ns: 0, inode: 0 },
        };
        Source { file, columns, own: false, body: Body::Frames { frames, before } }
    }

    /// `line` or `row`: what messages count.
    pub(super) fn row_word(&self) -> &'static str {
        match self.body {
            Body::Csv { .. } => "line",
            Body::Parquet { .. } | Body::Frames { .. } => "row",
        }
    }

    /// Rows of every row group of a Parquet file, of every frame of a stream; none of CSV.
    pub(super) fn row_groups(&self) -> Vec<usize> {
        match &self.body {
            Body::Csv { .. } => Vec::new(),
            Body::Parquet { metadata, .. } => {
                metadata.row_groups.iter().map(|group| group.num_rows()).collect()
            }
            Body::Frames { frames, .. } => frames.iter().map(DataFrame::height).collect(),
        }
    }

    /// The first rows, all readable columns.
    pub(super) fn sample(&self) -> Result<DataFrame, IngestError> {
        let readable = |(_, kind): &(String, ColumnType)| matches!(kind, ColumnType::Known(..));
        let wanted: Vec<usize> = (0..self.columns.len()).filter(|&at| readable(&self.columns[at])).collect();
        match &self.body {
            Body::Csv { separator } => {
                let mut blocks = self.blocks(*separator, &wanted)?;
                let block = blocks.next_block().map_err(|error| io_error(&self.file.path, &error))?;
                let cells = self.cells(&mut block.unwrap_or_default(), wanted.len())?;
                let column = |at: &usize| {
                    let texts =
                        cells.column(*at).iter().map(|text| Some(text).filter(|text| !text.is_empty()));
                    let texts: Vec<Option<&str>> = texts.take(SAMPLE_ROWS).collect();
                    Column::from(Series::new(format!("{at}").into(), texts))
                };
                let rows = cells.rows().min(SAMPLE_ROWS);
                let columns: Vec<usize> = (0..wanted.len()).collect();
                Ok(DataFrame::new(rows, columns.iter().map(column).collect()).unwrap_or_default())
            }
            Body::Parquet { .. } => self.read_rows(0, SAMPLE_ROWS, &wanted),
            Body::Frames { frames, .. } => {
                let mut frames = frames.iter();
                let mut sample = frames.next().map(|frame| projected(frame, &wanted)).unwrap_or_default();
                for frame in frames {
                    if sample.height() >= SAMPLE_ROWS {
                        break;
                    }
                    // Frames of one stream have the same columns.
                    let _ = sample.vstack_mut(&projected(frame, &wanted));
                }
                Ok(sample.head(Some(SAMPLE_ROWS)))
            }
        }
    }

    /// Gives the rows of the wanted columns (indices, ascending) to `each`, chunk by chunk in file order.
    pub(super) fn chunks(
        &self,
        wanted: &[usize],
        mut each: impl FnMut(Chunk) -> Result<(), IngestError>,
    ) -> Result<(), IngestError> {
        match &self.body {
            Body::Csv { separator } => {
                let mut blocks = self.blocks(*separator, wanted)?;
                while let Some(mut block) =
                    blocks.next_block().map_err(|error| io_error(&self.file.path, &error))?
                {
                    let bytes = block.bytes.len() as u64;
                    let table = Table::Cells(self.cells(&mut block, wanted.len())?);
                    let problems = std::mem::take(&mut block.problems);
                    let problems = problems
                        .into_iter()
                        .map(|problem| format!("{}: {problem}", self.file.name))
                        .collect();
                    let (first_row, rows, is_cut_off) = (block.first_line, block.lines, block.is_cut_off);
                    each(Chunk { table, first_row, rows, problems, is_cut_off, bytes })?;
                }
            }
            Body::Parquet { metadata, .. } => {
                let groups = metadata.row_groups.iter().map(|group| group.num_rows());
                let bytes_a_row = self.file.seen.bytes as f64 / metadata.num_rows.max(1) as f64;
                for (from, rows) in stretches(groups, CHUNK_ROWS) {
                    let table = Table::Frame(self.read_rows(from, rows, wanted)?);
                    let bytes = (bytes_a_row * rows as f64) as u64;
                    each(Chunk::whole(table, from + 1, bytes))?;
                }
            }
            Body::Frames { frames, before } => {
                let mut first_row = before + 1;
                for frame in frames {
                    let table = Table::Frame(projected(frame, wanted));
                    each(Chunk::whole(table, first_row, 0))?;
                    first_row += frame.height();
                }
            }
        }
        Ok(())
    }

    /// The records behind the header, of which the wanted columns are kept.
    fn blocks(&self, separator: u8, wanted: &[usize]) -> Result<Blocks<File>, IngestError> {
        let file = File::open(&self.file.path).map_err(|error| io_error(&self.file.path, &error))?;
        let mut blocks = Blocks::new(file, BLOCK_BYTES);
        let header = blocks.header(Some(separator)).map_err(|error| io_error(&self.file.path, &error))?;
        header.map_err(|problem| data(format!("{}: {problem}", self.file.name)))?;
        blocks.keep(wanted);
        Ok(blocks)
    }

    /// The cells of a block, which gives away its bytes and places.
    fn cells(&self, block: &mut Block, width: usize) -> Result<Cells, IngestError> {
        let (bytes, places) = (std::mem::take(&mut block.bytes), std::mem::take(&mut block.places));
        Cells::new(bytes, places, width).map_err(|line_feeds| {
            let line = block.first_line + line_feeds;
            data(format!("{}: line {line} is not UTF-8; save the file as UTF-8", self.file.name))
        })
    }

    fn read_rows(&self, from: usize, rows: usize, wanted: &[usize]) -> Result<DataFrame, IngestError> {
        let Body::Parquet { metadata, decimals, seen } = &self.body else { return Ok(DataFrame::default()) };
        let io_error = |error: io::Error| io_error(&self.file.path, &error);
        let mut file = File::open(&self.file.path).map_err(io_error)?;
        let same = file.try_clone().map_err(io_error)?;
        let names: Vec<&str> = wanted.iter().map(|&at| self.columns[at].0.as_str()).collect();
        let frame = guarded(|| {
            let fault =
                parquet::fault_of_pages(&mut file, metadata, from..from.saturating_add(rows), &names)?;
            if let Some(fault) = fault {
                return Err(PolarsError::ComputeError(fault.into()));
            }
            let mut reader = ParquetReader::new(file);
            reader.set_metadata(metadata.clone());
            let frame =
                reader.with_projection(Some(wanted.to_vec())).with_slice(Some((from, rows))).finish()?;
            decimal::to_floats(frame, &wanted.iter().map(|&at| decimals[at]).collect::<Vec<_>>())
        });
        // The footer is of another file than the pages, or they have changed below it.
        if !seen.is_same_content(&Seen::of(&same.metadata().map_err(io_error)?)) {
            let problem =
                format!("{}: another file took its place while it was read; run again", self.file.name);
            return Err(data(problem).unfinished());
        }
        let damaged = |problem: &str| {
            data(format!("{}: damaged Parquet: {problem}; write the file again", self.file.name))
        };
        let frame = frame.map_err(|problem| damaged(&problem))?;
        // A damaged page can leave its column shorter or longer than the footer says.
        let expected = rows.min(metadata.num_rows.saturating_sub(from));
        let whole = frame.width() == wanted.len()
            && frame.height() == expected
            && frame.columns().iter().all(|column| column.len() == expected);
        if whole { Ok(frame) } else { Err(damaged("its columns differ in length")) }
    }
}

/// Some columns of a frame.
fn projected(frame: &DataFrame, wanted: &[usize]) -> DataFrame {
    let columns = wanted.iter().map(|&at| frame.columns()[at].clone()).collect();
    // They are as long as each other, and no two have one name.
    DataFrame::new(frame.height(), columns).unwrap_or_default()
}

type Opened = (Vec<(String, ColumnType)>, Body);

fn open_csv(file: &SourceFile, separator: Option<u8>) -> Result<Opened, IngestError> {
    let name = &file.name;
    let reader = File::open(&file.path).map_err(|error| io_error(&file.path, &error))?;
    // The header is all that is wanted here.
    let mut blocks = Blocks::new(reader, 64 << 10);
    let header = blocks.header(separator).map_err(|error| io_error(&file.path, &error))?;
    let header = header.map_err(|problem| data(format!("{name}: {problem}")))?;
    let Some(names) = header else {
        return Err(data(format!("{name}: no header line; name the columns in the first line")));
    };
    if names.iter().any(|name| name.contains('\0')) {
        return Err(data(format!("{name}: line 1 is no text; is this a CSV or Parquet file?")));
    }
    if names.iter().any(|name| name.contains('\r')) {
        return Err(data(format!(
            "{name}: its lines end in carriage returns alone; save it with line feeds"
        )));
    }
    if let Some(twice) = duplicate(names.iter().map(String::as_str)) {
        return Err(data(format!("{name}: line 1 names the column '{twice}' twice; rename one of them")));
    }
    let columns = names.into_iter().map(|name| (name, ColumnType::Known(DataType::String, None))).collect();
    Ok((columns, Body::Csv { separator: blocks.separator() }))
}

/// The first name that occurs twice.
fn duplicate<'a>(names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut seen = std::collections::HashSet::new();
    names.filter(|name| !name.is_empty()).find(|name| !seen.insert(*name))
}

/// Neighbouring groups joined until they hold `least` rows: (first row, rows).
pub(super) fn stretches(groups: impl Iterator<Item = usize>, least: usize) -> Vec<(usize, usize)> {
    let mut stretches: Vec<(usize, usize)> = Vec::new();
    for rows in groups {
        match stretches.last_mut() {
            Some((_, sum)) if *sum < least => *sum += rows,
            last => {
                let from = last.map_or(0, |(from, sum)| *from + *sum);
                stretches.push((from, rows));
            }
        }
    }
    stretches
}

/// Runs polars on bytes that may be anything. It panics on some damaged files; that is a problem of the file then.
pub(super) fn guarded<T>(read: impl FnOnce() -> PolarsResult<T>) -> Result<T, String> {
    match std::panic::catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(error.to_string().lines().next().unwrap_or_default().to_owned()),
        Err(_) => Err("the reader gave up".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::ParquetWriter;

    /// A Parquet file of so many rows.
    fn write(path: &std::path::Path, rows: i64) {
        let column = |name: &str| Column::from(Series::new(name.into(), (0..rows).collect::<Vec<i64>>()));
        let mut frame = DataFrame::new(rows as usize, vec![column("ds"), column("y")]).unwrap();
        ParquetWriter::new(File::create(path).unwrap()).finish(&mut frame).unwrap();
    }

    #[test]
    fn a_file_that_is_replaced_between_footer_and_pages_is_never_mixed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        let open = || {
            let metadata = std::fs::metadata(&path).unwrap();
            let (format, seen) = (Format::Parquet, Seen::of(&metadata));
            let (path, name, hive) = (path.clone(), "a".to_owned(), Vec::new());
            Source::open(SourceFile { path, name, format, hive, named: true, seen }).unwrap()
        };
        write(&path, 50);
        let source = open();
        let rows = |source: &Source| {
            let mut rows = 0;
            let counted = source.chunks(&[0, 1], |chunk| {
                rows += chunk.table.rows();
                Ok(())
            });
            counted.map(|()| rows)
        };
        assert_eq!(rows(&source).unwrap(), 50);
        let other = folder.path().join("b");
        write(&other, 60);
        std::fs::rename(&other, &path).unwrap();
        let error = rows(&source).unwrap_err();
        assert!(error.is_unfinished() && error.to_string().contains("while it was read"), "{error}");
        assert_eq!(rows(&open()).unwrap(), 60);
    }

    #[test]
    fn row_groups_are_joined_into_stretches() {
        assert_eq!(stretches([3, 3, 3, 9, 1].into_iter(), 5), [(0, 6), (6, 12), (18, 1)]);
        assert!(stretches([].into_iter(), 5).is_empty());
    }
}
