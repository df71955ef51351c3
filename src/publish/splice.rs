//! The Parquet file of `latest`, which readers that open a path twice survive.
//!
//! DuckDB, pyarrow and polars take the footer of a file from one opening and its data from another. Where a file is
//! replaced between the two, they look in the new file for the pages of the old one. So the new file holds them, at
//! their old places: Parquet readers go by the footer, and what no footer speaks of is passed over.
//!
//! ```text
//! old   PAR1 | pages of A | footer of A
//! new   PAR1 | pages of A | pages of B | footer of B        whoever holds the footer of A still reads all of A
//! next  PAR1 | pages of C | pages of B | footer of C        the first gap that is wide enough
//! ```
//!
//! The pages of the run before always stay. Those of earlier ones stay as long as all that stays is small, for whoever
//! publishes small files may publish many of them while one is read.

use crate::publish::store::Failure;
use parquet::column::writer::ColumnCloseResult;
use parquet::file::metadata::{
    ColumnChunkMetaData, KeyValue, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader,
};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// Size of the magic bytes that a file begins with.
const MAGIC: u64 = 4;

/// Key of the places of pages that no footer speaks of, newest first: `12-345,345-678`.
const KEPT: &str = "s4cast.kept_pages";

/// Bytes up to which the pages of earlier runs stay, together with those of the run before.
const KEPT_BYTES: u64 = 1 << 20;

/// Bytes copied at a time.
const BLOCK: usize = 1 << 16;

/// What a reader takes from one opening and relies on after the file was replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The footer: files, of which an opening is one file to its end.
    Footer,
    /// The size, from which it counts back to the footer: objects, which are asked for stretch by stretch. So the footer of the run
    /// before stays, too, where it ended, and every file is longer than the one before, until it is much too long.
    Size,
}

/// Bytes beyond four times a run from which on a file begins anew.
const GROWN_BYTES: u64 = 4 << 20;

/// Writes the run of `part` to `out`, with the pages of `old` where they are, and `more` metadata.
///
/// `part` holds its pages without gaps, from the magic bytes on, as [`crate::publish::write_forecasts`] leaves them.
pub(super) fn splice(
    part: &File,
    old: Option<&File>,
    more: Vec<KeyValue>,
    out: &File,
    reach: Reach,
) -> Result<(), Failure> {
    let metadata = footer(part)?;
    let pages = pages(&metadata).ok_or("the part file has pages outside of it")?;
    let most = GROWN_BYTES.saturating_add(4 * pages.end);
    let is_grown = |old: &File| reach == Reach::Size && old.metadata().is_ok_and(|found| found.len() > most);
    let old = old.filter(|old| !is_grown(old)).and_then(|old| Some((old, kept(old, reach)?)));
    let kept = old.as_ref().map_or(&[][..], |(_, kept)| kept);
    let place = first_gap(kept, pages.end - pages.start);

    let mut writer = writer(&metadata, kept, more, out)?;
    let mut ahead: Vec<&Range<u64>> = kept.iter().collect();
    ahead.sort_by_key(|range| range.start);
    let behind = ahead.split_off(ahead.partition_point(|range| range.start < place));
    for range in ahead {
        copy(old.as_ref().map(|(old, _)| *old), range, &mut writer)?;
    }
    fill(place, &mut writer)?;
    append(part, &metadata, &mut writer)?;
    for range in behind {
        copy(old.as_ref().map(|(old, _)| *old), range, &mut writer)?;
    }
    Ok(writer.close().map(drop)?)
}

/// Whether `spliced` holds the very pages of `part`, all at one distance from their places there.
pub(super) fn verify(part: &File, spliced: &File) -> Result<(), String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (want, have) = (footer(part).map_err(|e| text(&e))?, footer(spliced).map_err(|e| text(&e))?);
    let (rows, found) = (want.file_metadata().num_rows(), have.file_metadata().num_rows());
    if rows != found || want.num_row_groups() != have.num_row_groups() {
        return Err(format!("{found} rows instead of {rows}"));
    }
    let (from, to) = pages(&want).zip(pages(&have)).ok_or("pages lie outside the file")?;
    let starts = |metadata: &ParquetMetaData, origin: u64| -> Vec<Option<u64>> {
        chunks(metadata).map(|chunk| Some(extent(chunk)?.start.saturating_sub(origin))).collect()
    };
    if starts(&want, from.start) != starts(&have, to.start)
        || !same(part, &from, spliced, &to).map_err(|e| text(&e))?
    {
        return Err("its pages differ from those of the run".into());
    }
    Ok(())
}

/// The value of a key in the file's metadata.
pub(super) fn value(metadata: &ParquetMetaData, key: &str) -> Option<String> {
    let pairs = metadata.file_metadata().key_value_metadata()?;
    pairs.iter().find(|pair| pair.key == key)?.value.clone()
}

/// The footer with the page index.
pub(super) fn footer(file: &File) -> Result<ParquetMetaData, parquet::errors::ParquetError> {
    ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional).parse_and_finish(file)
}

fn writer<'a>(
    metadata: &ParquetMetaData,
    kept: &[Range<u64>],
    more: Vec<KeyValue>,
    out: &'a File,
) -> Result<SerializedFileWriter<&'a File>, Failure> {
    let mut pairs = metadata.file_metadata().key_value_metadata().cloned().unwrap_or_default();
    let places: Vec<String> = kept.iter().map(|range| format!("{}-{}", range.start, range.end)).collect();
    pairs.push(KeyValue::new(KEPT.into(), places.join(",")));
    pairs.extend(more);
    let sorting = metadata.row_groups().first().and_then(|group| group.sorting_columns().cloned());
    let properties =
        WriterProperties::builder().set_key_value_metadata(Some(pairs)).set_sorting_columns(sorting);
    let schema = metadata.file_metadata().schema_descr().root_schema_ptr();
    Ok(SerializedFileWriter::new(out, schema, Arc::new(properties.build()))?)
}

/// Where the pages lie that have to stay, newest first; `None` if it cannot be told, and nothing has to stay.
fn kept(old: &File, reach: Reach) -> Option<Vec<Range<u64>>> {
    let metadata = footer(old).ok()?;
    let bytes = old.metadata().ok()?.len();
    let earlier = value(&metadata, KEPT).unwrap_or_default();
    let earlier = earlier.split(',').filter_map(|place| {
        let (start, end) = place.split_once('-')?;
        Some(start.parse().ok()?..end.parse().ok()?)
    });
    let mut kept: Vec<Range<u64>> = vec![pages(&metadata)?];
    if reach == Reach::Size {
        kept.push(tail(old, &metadata, bytes)?..bytes);
    }
    let mut sum: u64 = kept.iter().map(|range| range.end - range.start).sum();
    for range in earlier {
        let apart = kept.iter().all(|other| range.end <= other.start || other.end <= range.start);
        if !apart || range.start < MAGIC || range.start >= range.end {
            return None;
        }
        sum = sum.checked_add(range.end - range.start)?;
        if sum > KEPT_BYTES {
            break;
        }
        kept.push(range);
    }
    kept.iter().all(|range| range.end <= bytes).then_some(kept)
}

/// Where the footer begins, and what it points to beside the pages.
fn tail(mut old: &File, metadata: &ParquetMetaData, bytes: u64) -> Option<u64> {
    let mut length = [0; 4];
    old.seek(SeekFrom::Start(bytes.checked_sub(8)?)).ok()?;
    old.read_exact(&mut length).ok()?;
    let footer = bytes.checked_sub(8 + u64::from(u32::from_le_bytes(length)))?;
    let indexes =
        chunks(metadata).flat_map(|chunk| [chunk.column_index_offset(), chunk.offset_index_offset()]);
    let first = indexes.flatten().filter_map(|place| u64::try_from(place).ok()).min();
    Some(first.map_or(footer, |first| first.min(footer)))
}

/// The first place at which so many bytes overlap no range.
fn first_gap(kept: &[Range<u64>], bytes: u64) -> u64 {
    let free = |place: &u64| kept.iter().all(|range| place + bytes <= range.start || range.end <= *place);
    let places = std::iter::once(MAGIC).chain(kept.iter().map(|range| range.end));
    places.filter(free).min().unwrap_or(MAGIC)
}

/// From the first to the last byte of all pages.
fn pages(metadata: &ParquetMetaData) -> Option<Range<u64>> {
    let mut all: Option<Range<u64>> = None;
    for chunk in chunks(metadata) {
        let one = extent(chunk)?;
        all = Some(all.map_or(one.clone(), |all| all.start.min(one.start)..all.end.max(one.end)));
    }
    Some(all.unwrap_or(MAGIC..MAGIC))
}

fn chunks(metadata: &ParquetMetaData) -> impl Iterator<Item = &ColumnChunkMetaData> {
    metadata.row_groups().iter().flat_map(|group| group.columns())
}

/// The bytes of a column chunk; `None` for nonsense.
fn extent(chunk: &ColumnChunkMetaData) -> Option<Range<u64>> {
    let start = chunk.dictionary_page_offset().unwrap_or_else(|| chunk.data_page_offset());
    let (start, bytes) = (u64::try_from(start).ok()?, u64::try_from(chunk.compressed_size()).ok()?);
    (start >= MAGIC).then_some(())?;
    Some(start..start.checked_add(bytes)?)
}

/// Appends all row groups of a file, as they are.
fn append(
    part: &File,
    metadata: &ParquetMetaData,
    writer: &mut SerializedFileWriter<&File>,
) -> Result<(), Failure> {
    for (number, group) in metadata.row_groups().iter().enumerate() {
        let index = metadata.page_index_for_row_group(number);
        let mut target = writer.next_row_group()?;
        for (column, chunk) in group.columns().iter().enumerate() {
            let close = ColumnCloseResult {
                bytes_written: chunk.compressed_size().max(0) as u64,
                rows_written: group.num_rows().max(0) as u64,
                metadata: chunk.clone(),
                bloom_filter: None,
                column_index: index.column_index(column).cloned(),
                offset_index: index.offset_index(column).cloned(),
            };
            target.append_column(part, close)?;
        }
        target.close()?;
    }
    Ok(())
}

/// Copies a range of the old file to the same place.
fn copy(old: Option<&File>, range: &Range<u64>, writer: &mut SerializedFileWriter<&File>) -> io::Result<()> {
    fill(range.start, writer)?;
    let Some(mut old) = old else { return Ok(()) };
    old.seek(SeekFrom::Start(range.start))?;
    let mut block = vec![0; BLOCK];
    let mut left = range.end - range.start;
    while left > 0 {
        let want = left.min(BLOCK as u64) as usize;
        old.read_exact(&mut block[..want])?;
        writer.write_all(&block[..want])?;
        left -= want as u64;
    }
    Ok(())
}

/// Writes zeros up to a place.
fn fill(place: u64, writer: &mut SerializedFileWriter<&File>) -> io::Result<()> {
    let zeros = vec![0; BLOCK];
    while (writer.bytes_written() as u64) < place {
        let left = place - writer.bytes_written() as u64;
        writer.write_all(&zeros[..left.min(BLOCK as u64) as usize])?;
    }
    Ok(())
}

/// Whether two ranges of two files hold the same bytes.
fn same(a: &File, of_a: &Range<u64>, b: &File, of_b: &Range<u64>) -> io::Result<bool> {
    if of_a.end - of_a.start != of_b.end - of_b.start {
        return Ok(false);
    }
    let (mut a, mut b) = (a, b);
    a.seek(SeekFrom::Start(of_a.start))?;
    b.seek(SeekFrom::Start(of_b.start))?;
    let mut blocks = [vec![0; BLOCK], vec![0; BLOCK]];
    let mut left = of_a.end - of_a.start;
    while left > 0 {
        let want = left.min(BLOCK as u64) as usize;
        a.read_exact(&mut blocks[0][..want])?;
        b.read_exact(&mut blocks[1][..want])?;
        if blocks[0][..want] != blocks[1][..want] {
            return Ok(false);
        }
        left -= want as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_gap_overlaps_nothing_and_no_earlier_one_would_do(
            sizes in proptest::collection::vec((0_u64..20, 1_u64..20), 0..6), bytes in 0_u64..30,
        ) {
            let mut end = MAGIC;
            let kept: Vec<Range<u64>> = sizes.iter().map(|(gap, size)| {
                let start = end + gap;
                end = start + size;
                start..end
            }).collect();
            let place = first_gap(&kept, bytes);
            let free = |place: u64| kept.iter().all(|one| place + bytes <= one.start || one.end <= place);
            prop_assert!(place >= MAGIC && free(place));
            prop_assert!(bytes == 0 || (MAGIC..place).all(|earlier| !free(earlier)));
        }
    }
}
