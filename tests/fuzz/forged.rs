//! Parquet files that are good, and the same with forged footers, page headers and pages.

use super::mutate::{self, Dice};
use super::thrift::{self, Node};
use arrow_array::builder::{Int32Builder, ListBuilder};
use arrow_array::types::Int32Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::ParquetMetaData;
use parquet::file::properties::{WriterProperties, WriterPropertiesBuilder, WriterVersion};
use parquet::file::reader::{FileReader, SerializedFileReader};
use std::io::Write;
use std::sync::Arc;

/// A file and where its page headers start.
pub struct Good {
    pub bytes: Vec<u8>,
    pages: Vec<usize>,
}

fn column<A: arrow_array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

fn write(columns: Vec<(&str, ArrayRef)>, properties: WriterPropertiesBuilder) -> Good {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties.build())).unwrap();
    writer.write(&batch).unwrap();
    let metadata = writer.close().unwrap();
    let pages = pages(&metadata);
    Good { bytes, pages }
}

/// A good file that somebody else wrote.
pub fn of(bytes: &[u8]) -> Good {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    Good { bytes: bytes.to_vec(), pages: pages(reader.metadata()) }
}

/// Where the page headers of a file start that are named.
fn pages(metadata: &ParquetMetaData) -> Vec<usize> {
    let chunks = metadata.row_groups().iter().flat_map(|group| group.columns());
    let starts = chunks.flat_map(|chunk| {
        [chunk.dictionary_page_offset(), Some(chunk.data_page_offset())].into_iter().flatten()
    });
    starts.map(|start| start as usize).collect()
}

/// Files of every encoding and type that the reader meets.
pub fn good() -> Vec<Good> {
    const HOUR: i64 = 3_600_000_000;
    let rows = 120usize;
    let start = 1_704_067_200_000_000i64;
    let times: Vec<i64> = (0..rows as i64).map(|row| start + row % 60 * HOUR).collect();
    let values: Vec<f64> = (0..rows).map(|row| (row * 37 % 101) as f64).collect();
    let ids: Vec<String> = (0..rows).map(|row| format!("s{}", row / 60)).collect();
    let words: DictionaryArray<Int32Type> = ids.iter().map(String::as_str).collect();
    let long = |id: ArrayRef| {
        vec![
            ("id", id),
            ("ds", column(TimestampMicrosecondArray::from(times.clone()).with_timezone("Europe/Berlin"))),
            ("y", column(Float64Array::from(values.clone()))),
        ]
    };
    let plain = WriterProperties::builder;
    let zstd = Compression::ZSTD(ZstdLevel::default());
    let holes = Float64Array::from_iter((0..60).map(|row| (row % 7 > 0).then_some(f64::from(row))));
    let mut lists = ListBuilder::new(Int32Builder::new());
    (0..60).for_each(|row| {
        (0..row % 3).for_each(|item| lists.values().append_value(item));
        lists.append(true);
    });
    let decimal = Decimal128Array::from((0..60).map(|row| i128::from(row) * 100 + 5).collect::<Vec<_>>());
    let wide = vec![
        ("day", column(Date32Array::from((19_000..19_060).collect::<Vec<i32>>()))),
        ("a", column(Int32Array::from((0..60).collect::<Vec<i32>>()))),
        ("b", column(Int64Array::from((0..60).map(|row| row * row).collect::<Vec<i64>>()))),
        ("c", column(holes)),
        ("d", column(decimal.with_precision_and_scale(12, 2).unwrap())),
    ];
    let odd = vec![
        ("id", column(StringArray::from(ids[..60].to_vec()))),
        ("ds", column(Int64Array::from(times[..60].to_vec()))),
        ("y", column(Float64Array::from(values[..60].to_vec()))),
        ("list", column(lists.finish())),
        ("flag", column(BooleanArray::from((0..60).map(|row| row % 3 == 0).collect::<Vec<_>>()))),
    ];
    let text = || column(StringArray::from(ids.clone()));
    vec![
        write(long(column(words)), plain()),
        write(long(text()), plain().set_compression(zstd).set_max_row_group_row_count(Some(50))),
        write(
            long(text()),
            plain().set_dictionary_enabled(false).set_data_page_row_count_limit(16).set_write_batch_size(16),
        ),
        write(wide.clone(), plain().set_writer_version(WriterVersion::PARQUET_2_0)),
        write(wide, plain().set_dictionary_enabled(false).set_compression(zstd)),
        write(odd, plain()),
        write(
            long(text()),
            plain()
                .set_dictionary_enabled(false)
                .set_column_encoding("ds".into(), Encoding::DELTA_BINARY_PACKED)
                .set_column_encoding("id".into(), Encoding::DELTA_BYTE_ARRAY)
                .set_column_encoding("y".into(), Encoding::BYTE_STREAM_SPLIT),
        ),
        write(
            long(text()),
            plain()
                .set_dictionary_enabled(false)
                .set_column_encoding("id".into(), Encoding::DELTA_LENGTH_BYTE_ARRAY)
                .set_writer_version(WriterVersion::PARQUET_2_0),
        ),
    ]
}

/// A file with its body, footer and page headers changed.
pub fn mutated(dice: &mut Dice, good: &Good) -> Vec<u8> {
    let Some(mut footer) = footer_of(&good.bytes) else { return good.bytes.clone() };
    let body = good.bytes.len() - 8 - footer.1;
    let mut bytes = good.bytes[..body].to_vec();
    // One forged number of rows, wherever it stands, agrees with itself.
    let rows = [60i64, 120, 50, 20, 16][dice.below(5)];
    let forged = dice.one_in(4).then(|| dice.integer());
    if let Some(forged) = forged {
        footer.0.replace(rows, forged);
    }
    // From the back, so that the other places stay where they are.
    let mut pages = good.pages.clone();
    pages.sort_unstable_by(|a, b| b.cmp(a));
    for page in pages {
        let is_changed = dice.one_in(3);
        if forged.is_none() && !is_changed {
            continue;
        }
        let Some((mut header, length)) = thrift::read(&bytes[page..]) else { continue };
        if let Some(forged) = forged {
            header.replace(rows, forged);
        }
        if is_changed {
            header.change(dice);
        }
        let mut written = Vec::new();
        header.write(&mut written);
        // What gets longer takes the first bytes of its page, so that all other offsets stay true.
        let end = (page + written.len().max(length)).min(bytes.len());
        let keep = written.len().min(end - page);
        bytes.splice(page..page + keep, written[..keep].iter().copied());
    }
    match dice.below(4) {
        0 => (0..=dice.size(20)).for_each(|_| mutate::flip(dice, &mut bytes)),
        1 => {
            let range = mutate::range(dice, bytes.len());
            bytes.drain(range);
        }
        2 => {
            let range = mutate::range(dice, bytes.len());
            let byte = dice.next() as u8;
            bytes[range].fill(byte);
        }
        _ => {}
    }
    (0..dice.size(4)).for_each(|_| footer.0.change(dice));
    let mut written = Vec::new();
    footer.0.write(&mut written);
    if dice.one_in(8) {
        (0..=dice.size(8)).for_each(|_| mutate::flip(dice, &mut written));
    }
    let length = if dice.one_in(30) { dice.integer() as u32 } else { written.len() as u32 };
    bytes.extend(written);
    bytes.extend(length.to_le_bytes());
    bytes.extend(b"PAR1");
    if dice.one_in(30) {
        let end = dice.below(bytes.len());
        bytes.truncate(end);
    }
    bytes
}

/// The footer as a tree, and its length.
fn footer_of(bytes: &[u8]) -> Option<(Node, usize)> {
    let end = bytes.len() - 8;
    let length = u32::from_le_bytes(bytes[end..end + 4].try_into().ok()?) as usize;
    Some((thrift::read(&bytes[end - length..end])?.0, length))
}
