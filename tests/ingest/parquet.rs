//! Parquet files as other programs write them: types, zones, damage.

use super::{Folder, assert_holds, reasons, shown};
use arrow_array::{
    ArrayRef, BooleanArray, Date32Array, Decimal128Array, DictionaryArray, Float32Array, Float64Array,
    Int32Array, Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampNanosecondArray, TimestampSecondArray, types::Int32Type,
};
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;
use proptest::prelude::*;
use s4cast::ingest::IngestErrorKind;
use std::sync::{Arc, LazyLock};

fn parquet(columns: Vec<(&str, ArrayRef)>) -> Vec<u8> {
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
    bytes
}

fn column<A: arrow_array::Array + 'static>(array: A) -> ArrayRef {
    Arc::new(array)
}

const HOUR: i64 = 3600;
/// 2024-01-01T00:00:00Z, three hours long, seconds.
const SECONDS: [i64; 3] = [1_704_067_200, 1_704_067_200 + HOUR, 1_704_067_200 + 2 * HOUR];

fn y() -> (&'static str, ArrayRef) {
    ("y", column(Float64Array::from(vec![1.0, 2.0, 4.0])))
}

fn scaled(unit: i64) -> Vec<i64> {
    SECONDS.iter().map(|second| second * unit).collect()
}

#[test]
fn times_of_any_unit_and_type_are_the_same_instants() {
    let text =
        |form: fn(&i64) -> String| column(StringArray::from(SECONDS.iter().map(form).collect::<Vec<_>>()));
    let columns: Vec<ArrayRef> = vec![
        column(TimestampSecondArray::from(scaled(1))),
        column(TimestampMillisecondArray::from(scaled(1000))),
        column(TimestampMicrosecondArray::from(scaled(1_000_000)).with_timezone("UTC")),
        column(TimestampNanosecondArray::from(scaled(1_000_000_000))),
        column(Int64Array::from(scaled(1))),
        column(Int64Array::from(scaled(1000))),
        column(Int64Array::from(scaled(1_000_000_000))),
        column(Float64Array::from(SECONDS.map(|second| second as f64).to_vec())),
        text(|&second| jiff::Timestamp::from_second(second).unwrap().to_string()),
        text(|second| second.to_string()),
    ];
    let mut fingerprints: Vec<String> = Vec::new();
    for (at, times) in columns.into_iter().enumerate() {
        let folder = Folder::with("a.parquet", parquet(vec![("ds", times), y()]));
        let read = folder.read(&["a.parquet"]).unwrap_or_else(|error| panic!("{at}: {error}"));
        assert_eq!(shown(&read.panel.series[0].times)[1], "2024-01-01T01:00:00Z", "{at}");
        fingerprints.push(read.fingerprint);
    }
    fingerprints.dedup();
    assert_eq!(fingerprints.len(), 1);
}

#[test]
fn files_of_this_program_are_read_only_if_named() {
    for key in ["s4cast.schema_version", "s4cast.quality_schema_version"] {
        let hours = column(Int64Array::from(scaled(1)));
        let batch = RecordBatch::try_from_iter(vec![("ds", hours), ("yhat", y().1)]).unwrap();
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.append_key_value_metadata(KeyValue::new(key.to_owned(), "1".to_owned()));
        writer.close().unwrap();
        let folder = Folder::with("d/out.parquet", bytes)
            .file("d/in.csv", "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-03,2\n");
        for input in ["d", "d/*"] {
            let read = folder.read(&[input]).unwrap();
            assert_eq!(read.files.len(), 1);
            assert_holds(&read.skipped_files.join(""), &["out.parquet", "s4cast"]);
        }
        assert_eq!(folder.read(&["d/out.parquet"]).unwrap().rows, 3);
    }
}

#[test]
fn the_zone_of_the_column_is_the_zone_of_the_days() {
    let midnights = ["2024-03-29T23:00:00Z", "2024-03-30T23:00:00Z", "2024-03-31T22:00:00Z"].map(super::at);
    let times = TimestampMicrosecondArray::from(midnights.to_vec()).with_timezone("Europe/Berlin");
    let read =
        Folder::with("a.parquet", parquet(vec![("ds", column(times)), y()])).read(&["a.parquet"]).unwrap();
    assert_eq!(read.panel.series[0].frequency.to_string(), "1d");
    assert_eq!(read.panel.zone.iana_name(), Some("Europe/Berlin"));
    assert!(read.notes.iter().any(|note| note.0.contains("Europe/Berlin")));
}

#[test]
fn ids_of_any_type_are_told_apart() {
    let words: DictionaryArray<Int32Type> = vec!["a", "a", "b", "b"].into_iter().collect();
    let ids: Vec<(ArrayRef, [&str; 2])> = vec![
        (column(words), ["a", "b"]),
        (column(Int32Array::from(vec![7, 7, 12, 12])), ["12", "7"]),
        (column(BooleanArray::from(vec![true, true, false, false])), ["false", "true"]),
        (column(Date32Array::from(vec![0, 0, 1, 1])), ["1970-01-01", "1970-01-02"]),
    ];
    for (id, expected) in ids {
        let days = column(Date32Array::from(vec![19_000, 19_001, 19_000, 19_001]));
        let values = column(Float32Array::from(vec![1.0; 4]));
        let read = Folder::with("a.parquet", parquet(vec![("id", id), ("ds", days), ("y", values)]))
            .read(&["a.parquet"]);
        let read = read.unwrap();
        assert_eq!(
            read.panel.series.iter().map(|series| series.unique_id.as_str()).collect::<Vec<_>>(),
            expected
        );
    }
}

#[test]
fn values_of_any_type_are_numbers() {
    let short = Decimal128Array::from(vec![150, -25, 1]).with_precision_and_scale(9, 2).unwrap();
    let long = Decimal128Array::from(vec![15_000, -2500, 100]).with_precision_and_scale(30, 4).unwrap();
    let values: Vec<(ArrayRef, [f64; 3])> = vec![
        (column(Int64Array::from(vec![1, -2, 3])), [1.0, -2.0, 3.0]),
        (column(BooleanArray::from(vec![true, false, true])), [1.0, 0.0, 1.0]),
        (column(short), [1.5, -0.25, 0.01]),
        (column(long), [1.5, -0.25, 0.01]),
        (column(StringArray::from(vec!["1", " 2.5", "1e3"])), [1.0, 2.5, 1000.0]),
    ];
    for (values, expected) in values {
        let times = column(TimestampSecondArray::from(scaled(1)));
        let read = Folder::with("a.parquet", parquet(vec![("ds", times), ("y", values)]))
            .read(&["a.parquet"])
            .unwrap();
        assert_eq!(read.panel.series[0].values, expected);
    }
}

#[test]
fn csv_and_parquet_are_read_together() {
    let times = column(TimestampSecondArray::from(scaled(1)));
    let id = column(StringArray::from(vec!["a", "a", "a"]));
    let folder = Folder::with("1.parquet", parquet(vec![("unique_id", id), ("ds", times), y()])).file(
        "2.csv",
        "y,extra,ds,unique_id\n8,x,2024-01-01 03:00,a\n9,x,2024-01-01 03:00,b\n1,x,2024-01-01 04:00,b\n",
    );
    let read = folder.read(&["*"]).unwrap();
    assert_eq!(read.panel.series[0].values, [1.0, 2.0, 4.0, 8.0]);
    assert_eq!((read.files.len(), read.rows), (2, 6));
}

#[test]
fn rows_of_parquet_are_counted_from_one() {
    let times = column(TimestampSecondArray::from(vec![Some(SECONDS[0]), None, Some(SECONDS[2])]));
    let error =
        Folder::with("a.parquet", parquet(vec![("ds", times), y()])).read(&["a.parquet"]).unwrap_err();
    assert_holds(&error.to_string(), &["a.parquet: row 2", "column ds", "empty"]);
    let id = column(StringArray::from(vec![Some("a"), Some("a"), None]));
    let times = column(TimestampSecondArray::from(scaled(1)));
    let error = Folder::with("a.parquet", parquet(vec![("id", id), ("ds", times), y()]))
        .read(&["a.parquet"])
        .unwrap_err();
    assert_holds(&error.to_string(), &["a.parquet: row 3", "the id is empty"]);
}

#[test]
fn fractions_of_an_epoch_are_refused() {
    let times = column(Float64Array::from(SECONDS.map(|second| second as f64 + 0.5).to_vec()));
    let error =
        Folder::with("a.parquet", parquet(vec![("ds", times), y()])).read(&["a.parquet"]).unwrap_err();
    assert_holds(&error.to_string(), &["a.parquet: row 1", "column ds", "fraction", "whole numbers"]);
}

#[test]
fn the_first_file_with_rows_tells_the_roles() {
    let empty = parquet(vec![
        ("ds", column(StringArray::from(Vec::<&str>::new()))),
        ("y", column(StringArray::from(Vec::<&str>::new()))),
    ]);
    let folder = Folder::with("1.parquet", empty).file("2.csv", "y,ds\n1,2024-01-01\n2,2024-01-02\n");
    assert_eq!(folder.read(&["1.parquet", "2.csv"]).unwrap().panel.series[0].values, [1.0, 2.0]);
}

#[test]
fn a_torn_file_in_a_glob_is_skipped_and_a_named_one_is_refused() {
    let whole = parquet(vec![("ds", column(TimestampSecondArray::from(scaled(1)))), y()]);
    let folder = Folder::with("d/whole.parquet", &whole)
        .file("d/torn.parquet", &whole[..whole.len() - 20])
        .file("d/.whole.parquet.tmp", &whole)
        .file("d/empty.parquet", b"");
    let read = folder.read(&["d/*.parquet"]).unwrap();
    assert_eq!(read.files.len(), 1);
    assert_eq!(read.skipped_files.len(), 2, "{:?}", read.skipped_files);
    assert_holds(
        &read.skipped_files.join("\n"),
        &["torn.parquet: no Parquet footer", "empty.parquet: empty file"],
    );
    let error = folder.read(&["d/torn.parquet"]).unwrap_err();
    assert_eq!(error.kind(), IngestErrorKind::Data);
    assert_holds(&error.to_string(), &["torn.parquet", "no Parquet footer", "again"]);
}

#[test]
fn a_wide_parquet_names_the_bad_column() {
    let times = column(TimestampSecondArray::from(scaled(1)));
    let columns = ["p", "q", "r", "s"].map(|name| {
        let third = if name == "r" { f64::INFINITY } else { 3.0 };
        (name, column(Float64Array::from(vec![1.0, 2.0, third])))
    });
    let columns = [("time", times)].into_iter().chain(columns).collect();
    let read = Folder::with("a.parquet", parquet(columns)).read(&["a.parquet"]).unwrap();
    assert_eq!(read.panel.series.len(), 3);
    assert_holds(&reasons(&read, "r").join(""), &["a.parquet: row 3", "inf"]);
}

static WHOLE: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let words: DictionaryArray<Int32Type> = vec!["a", "a", "b"].into_iter().collect();
    parquet(vec![("id", column(words)), ("ds", column(TimestampSecondArray::from(scaled(1)))), y()])
});

proptest! {
    #[test]
    fn random_bytes_as_parquet_never_panic(body in prop::collection::vec(any::<u8>(), 0..200), footer in 0u32..200) {
        let bytes = [b"PAR1", &body[..], &footer.to_le_bytes(), b"PAR1"].concat();
        prop_assert!(Folder::with("a.parquet", bytes).read(&["a.parquet"]).is_err());
    }

    #[test]
    fn damaged_parquet_never_panics(at in 4usize..900, byte in any::<u8>(), cut in 0usize..30) {
        let mut bytes = WHOLE.clone();
        let at = at % (bytes.len() - 12);
        bytes[at] = byte;
        bytes.drain(at..(at + cut % 3).min(bytes.len() - 12));
        let _ = Folder::with("a.parquet", bytes).read(&["a.parquet"]);
    }
}
