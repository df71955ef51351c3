//! A walk over the page headers of a column before polars reads it.
//!
//! polars reserves as many bytes as a header says that its page has when it is unpacked, and room for as many values as it
//! says that a dictionary holds. A damaged header may say anything, and memory that is not there ends the process. So both are
//! first held against the bytes that there are. Source: PageHeader in parquet.thrift.

use super::footer::{Walk, is_whole};
use super::fronts;
use super::shapes::Shape;
use polars_parquet::parquet::compression::{Compression, DecompressionContext, decompress};
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

/// Bytes that any page may unpack to; usual pages have one MiB.
const UNPACKED_FREE: u64 = 16 << 20;

/// How many times its size a page may unpack to beyond that.
const UNPACKED_RATIO: u64 = 1000;

/// Bytes in which a page header is looked for: enough for most, enough for long statistics, and more than any has.
const HEADER_BYTES: [u64; 3] = [1 << 9, 1 << 14, 1 << 20];

/// The number of DELTA_BYTE_ARRAY among the encodings.
const FRONTS: u64 = 7;

/// How the pages of a column chunk of a flat column are packed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Packing {
    pub compression: Compression,
    /// Whether values may be missing.
    pub is_optional: bool,
}

/// What a page header says.
#[derive(Debug, Default, PartialEq)]
struct Header {
    /// Its own bytes.
    length: u64,
    unpacked: u64,
    packed: u64,
    /// Values of a data page.
    values: u64,
    /// Values of a dictionary page.
    dictionary: u64,
    /// How the values of a data page are encoded.
    encoding: u64,
    /// Of a page of the second version: bytes of levels in front of the values, which are never compressed.
    levels: Option<u64>,
    /// Of such a page: whether its values are as they are, whatever the column says.
    is_plain: bool,
}

/// What is wrong with the pages of a column chunk of a flat column, which begins and ends at these bytes of the file and has
/// so many rows.
pub(super) fn fault(
    file: &mut File,
    chunk: Range<u64>,
    rows: u64,
    packing: Packing,
) -> io::Result<Option<&'static str>> {
    let (mut at, mut seen, whole) = (chunk.start, 0, file.metadata()?.len());
    while at < chunk.end && (seen < rows || at == chunk.start) {
        let Some(header) = header_at(file, at, chunk.end)? else {
            return Ok(Some("a page header makes no sense"));
        };
        let packed = header.packed.min(whole);
        if header.unpacked > UNPACKED_FREE.max(packed.saturating_mul(UNPACKED_RATIO)) {
            return Ok(Some("a page claims to unpack to more than its bytes can hold"));
        }
        // Every value of a dictionary takes a byte at least.
        if header.dictionary > header.unpacked || header.values > rows {
            return Ok(Some("a page claims to have more values than its column"));
        }
        at = at.saturating_add(header.length);
        if header.encoding == FRONTS && !has_texts(file, at, &header, packing)? {
            return Ok(Some("a page claims longer texts than it has"));
        }
        at = at.saturating_add(header.packed);
        seen += header.values;
    }
    Ok(None)
}

/// Whether the texts of a data page, which begins at a byte of the file, lie inside it.
fn has_texts(file: &mut File, at: u64, header: &Header, packing: Packing) -> io::Result<bool> {
    let mut packed = Vec::new();
    file.seek(SeekFrom::Start(at))?;
    file.take(header.packed).read_to_end(&mut packed)?;
    let most = UNPACKED_FREE.max(header.unpacked.saturating_mul(UNPACKED_RATIO));
    let values = || {
        let page = unpacked(packed, header, packing)?;
        let levels = match header.levels {
            Some(levels) => usize::try_from(levels).ok()?,
            None if packing.is_optional => {
                let length = page.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))?;
                usize::try_from(length).ok()?.checked_add(4)?
            }
            None => 0,
        };
        Some(fronts::are_plausible(page.get(levels..)?, header.values, most))
    };
    Ok(values().unwrap_or(false))
}

/// A data page, unpacked; `None` where it cannot be.
fn unpacked(packed: Vec<u8>, header: &Header, packing: Packing) -> Option<Vec<u8>> {
    if packing.compression == Compression::Uncompressed || header.is_plain {
        return Some(packed);
    }
    let levels = usize::try_from(header.levels.unwrap_or(0)).ok()?;
    let mut page = vec![0; usize::try_from(header.unpacked).ok()?];
    page.get_mut(..levels)?.copy_from_slice(packed.get(..levels)?);
    let (packed, values) = (&packed[levels..], &mut page[levels..]);
    if !packed.is_empty() {
        decompress(packing.compression, packed, values, &mut DecompressionContext::Unset).ok()?;
    }
    Some(page)
}

/// The header that begins at a byte of the file.
fn header_at(file: &mut File, at: u64, end: u64) -> io::Result<Option<Header>> {
    for most in HEADER_BYTES {
        let most = most.min(end - at);
        let mut bytes = Vec::new();
        file.seek(SeekFrom::Start(at))?;
        file.take(most).read_to_end(&mut bytes)?;
        if let Some(header) = header(&bytes) {
            return Ok(Some(header));
        }
        if most == end - at {
            break;
        }
    }
    Ok(None)
}

/// The header at the start of some bytes; `None` where it does not end in them, lacks a size or has fields of other types.
fn header(bytes: &[u8]) -> Option<Header> {
    if !is_whole(Shape::PageHeader, bytes) {
        return None;
    }
    let mut walk = Walk::new(bytes);
    let (mut field, mut unpacked, mut packed, mut header) = (0, None, None, Header::default());
    while let Some(kind) = walk.field(&mut field)? {
        match (field, kind) {
            (2, 4..=6) => unpacked = Some(walk.size()?),
            (3, 4..=6) => packed = Some(walk.size()?),
            (5 | 8, 12) => data_page(&mut walk, field == 8, &mut header)?,
            (7, 12) => header.dictionary = first(&mut walk)?,
            _ => walk.skip_value(kind)?,
        }
    }
    (header.unpacked, header.packed) = (unpacked?, packed?);
    header.length = (bytes.len() - walk.left()) as u64;
    Some(header)
}

/// The part of a header that only data pages have, of the first or of the second version.
fn data_page(walk: &mut Walk<'_>, is_second: bool, header: &mut Header) -> Option<()> {
    let (mut field, mut levels) = (0, 0u64);
    while let Some(kind) = walk.field(&mut field)? {
        match (field, kind, is_second) {
            (1, 4..=6, _) => header.values = header.values.max(walk.size()?),
            (2, 4..=6, false) | (4, 4..=6, true) => header.encoding = walk.size()?,
            (5 | 6, 4..=6, true) => levels = levels.checked_add(walk.size()?)?,
            (7, 2, true) => header.is_plain = true,
            _ => walk.skip_value(kind)?,
        }
    }
    header.levels = is_second.then_some(levels);
    Some(())
}

/// The first field of a structure, a number.
fn first(walk: &mut Walk<'_>) -> Option<u64> {
    let (mut field, mut number) = (0, 0);
    while let Some(kind) = walk.field(&mut field)? {
        match (field, kind) {
            (1, 4..=6) => number = walk.size()?,
            _ => walk.skip_value(kind)?,
        }
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::io::Write;

    /// A data page (or dictionary) of so many values; sizes below 64, written as one byte each.
    fn page(field: u8, unpacked: u8, packed: u8, values: u8) -> Vec<u8> {
        let delta = (field - 3) << 4;
        let mut bytes =
            vec![0x15, 0, 0x15, 2 * unpacked, 0x15, 2 * packed, delta | 0x0c, 0x15, 2 * values, 0, 0];
        bytes.extend(vec![7; packed.into()]);
        bytes
    }

    fn of(bytes: &[u8], rows: u64) -> Option<&'static str> {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(bytes).unwrap();
        let packing = Packing { compression: Compression::Uncompressed, is_optional: false };
        fault(&mut file, 0..bytes.len() as u64, rows, packing).unwrap()
    }

    #[test]
    fn sizes_and_counts_are_held_against_the_bytes() {
        let whole = [page(7, 40, 10, 5), page(5, 20, 20, 30), page(8, 20, 20, 30)].concat();
        assert_eq!(of(&whole, 60), None);
        assert_eq!(of(&whole, 29), Some("a page claims to have more values than its column"));
        assert_eq!(of(&page(7, 4, 10, 5), 60), Some("a page claims to have more values than its column"));
        assert_eq!(of(&[0x15, 0, 0], 60), Some("a page header makes no sense"));
        // 2^30 bytes from ten, and a size below zero.
        let bomb = [&[0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0x15, 20, 0][..], &[0; 10]].concat();
        assert_eq!(of(&bomb, 60), Some("a page claims to unpack to more than its bytes can hold"));
        // 2^30 bytes from as many, of which the file has ten.
        let hollow = [0x15, 0, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0x15, 0x80, 0x80, 0x80, 0x80, 0x08, 0];
        let hollow = [&hollow[..], &[0; 10]].concat();
        assert_eq!(of(&hollow, 60), Some("a page claims to unpack to more than its bytes can hold"));
        assert_eq!(of(&[0x15, 0, 0x15, 1, 0x15, 20, 0], 60), Some("a page header makes no sense"));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            header(&bytes);
        }
    }
}
