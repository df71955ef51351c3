//! Arrow streams that are read: plain and compressed, with dictionaries, of every type that a column may have.

use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float64Array, Int32Array,
    LargeStringArray, RecordBatch, StringArray, StringViewArray, TimestampMillisecondArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use std::sync::Arc;

/// Rows of a table: three series.
const ROWS: usize = 90;

/// Good streams.
pub fn good() -> Vec<Vec<u8>> {
    let plain = || IpcWriteOptions::default();
    let packed = |codec| plain().try_with_compression(Some(codec)).unwrap();
    let tables = [table(texts()), table(dictionary()), table(views())];
    let mut streams: Vec<Vec<u8>> = tables.iter().map(|table| stream(table, 40, plain())).collect();
    streams.push(stream(&tables[0], ROWS, packed(CompressionType::LZ4_FRAME)));
    streams.push(stream(&tables[1], 40, packed(CompressionType::ZSTD)));
    streams.push(stream(&tables[2].slice(0, 0), 1, plain()));
    streams
}

/// What may stand where lengths stand, beside single bytes.
pub const WORDS: &[&str] =
    &["\u{ff}\u{ff}\u{ff}\u{ff}", "\0\0\0\0", "\u{7f}", "\u{10}\0\0\0", "unique_id", "price"];

fn id(row: usize) -> String {
    format!("series-{}", row * 3 / ROWS)
}

fn texts() -> ArrayRef {
    Arc::new(StringArray::from_iter_values((0..ROWS).map(id)))
}

fn views() -> ArrayRef {
    Arc::new(StringViewArray::from_iter_values((0..ROWS).map(id)))
}

fn dictionary() -> ArrayRef {
    let ids: Vec<String> = (0..ROWS).map(id).collect();
    Arc::new(ids.iter().map(|id| Some(id.as_str())).collect::<DictionaryArray<Int8Type>>())
}

fn table(ids: ArrayRef) -> RecordBatch {
    let day = |row: usize| (row % (ROWS / 3)) as i64;
    let stamps = (0..ROWS).map(|row| 1_704_067_200_000 + 86_400_000 * day(row));
    let y = (0..ROWS).map(|row| (row % 11 != 5).then_some(row as f64 % 7.0));
    let price = Decimal128Array::from_iter_values((0..ROWS).map(|row| 100 + row as i128 % 5));
    let columns: [(&str, ArrayRef, bool); 7] = [
        ("unique_id", ids, true),
        ("ds", Arc::new(TimestampMillisecondArray::from_iter_values(stamps).with_timezone("UTC")), true),
        ("y", Arc::new(Float64Array::from_iter(y)), true),
        ("price", Arc::new(price.with_precision_and_scale(10, 2).unwrap()), true),
        (
            "kind",
            Arc::new(LargeStringArray::from_iter_values((0..ROWS).map(|row| format!("k{}", row % 3)))),
            true,
        ),
        (
            "region",
            Arc::new(Int32Array::from_iter_values((0..ROWS).map(|row| (row * 3 / ROWS) as i32))),
            true,
        ),
        ("open", Arc::new(BooleanArray::from_iter((0..ROWS).map(|row| Some(row % 4 > 0)))), true),
    ];
    let mut columns = columns.to_vec();
    columns.push(("day", Arc::new(Date32Array::from_iter_values((0..ROWS).map(|row| row as i32))), true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn stream(table: &RecordBatch, rows: usize, options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &table.schema(), options).unwrap();
    for from in (0..table.num_rows()).step_by(rows) {
        writer.write(&table.slice(from, rows.min(table.num_rows() - from))).unwrap();
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}
