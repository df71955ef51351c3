//! Equal to the last bit.

use super::table::{columns, dictionary, of_file, of_stream, plain, put, rows, same, stream, table, with};
use arrow_array::cast::AsArray;
use arrow_array::types::TimestampMicrosecondType;
use arrow_array::{
    ArrayRef, BinaryArray, DurationSecondArray, Int64Array, LargeStringArray, NullArray, RecordBatch,
    StringArray, StringViewArray,
};
use arrow_ipc::CompressionType;
use arrow_ipc::writer::IpcWriteOptions;
use proptest::prelude::*;
use s4cast::config::RawWorker;
use std::path::Path;
use std::sync::{Arc, LazyLock};
use tempfile::TempDir;

const IDS: &str = "--id store,item --target y";

/// A table, the models that were trained on it, and what a file of it gives.
struct Known {
    folder: TempDir,
    table: RecordBatch,
    expected: RecordBatch,
}

impl Known {
    /// Of a table that a model was trained on with these flags; `more` are the flags of the forecasts.
    fn of(table: RecordBatch, train: &str, more: &str) -> Known {
        let folder = tempfile::tempdir().unwrap();
        put(&folder.path().join("in.parquet"), &table);
        let model = folder.path().join("m.safetensors");
        of_file(folder.path(), "in.parquet", &format!("{train} {more} --save-model {}", model.display()))
            .unwrap();
        let load = flags_of(folder.path(), more);
        let expected = of_file(folder.path(), "in.parquet", &load).unwrap();
        Known { folder, table, expected }
    }

    fn check(&self, bytes: Vec<u8>, more: &str, group_rows: usize, what: &str) {
        let flags = flags_of(self.folder.path(), more);
        let (found, _) = of_stream(bytes, &flags, &RawWorker::default(), group_rows).unwrap();
        same(&found, &self.expected, what);
    }
}

fn flags_of(folder: &Path, more: &str) -> String {
    format!("{more} --load-model {}", folder.join("m.safetensors").display())
}

/// Stores and items with prices and kinds of days.
static PRICED: LazyLock<Known> = LazyLock::new(|| Known::of(table(&rows()), "-H 7 --model ridge", WITH_ALL));

const WITH_ALL: &str =
    "--id store,item --target y --future-covariates price,kind --calendar auto --holidays DE";

#[test]
fn batches_of_any_size_give_the_rows_of_the_file() {
    for sizes in [&[1][..], &[7], &[100_000], &[1, 300, 2]] {
        for group_rows in [1, 150, 1_000_000] {
            let what = format!("batches of {sizes:?}, groups of {group_rows}");
            PRICED.check(plain(&PRICED.table, sizes), WITH_ALL, group_rows, &what);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn how_a_stream_is_cut_changes_nothing(
        sizes in prop::collection::vec(1usize..200, 1..8), group_rows in 1usize..800,
    ) {
        PRICED.check(plain(&PRICED.table, &sizes), WITH_ALL, group_rows, "cut anywhere");
    }
}

#[test]
fn every_model_forecasts_a_series_as_it_does_among_others() {
    let table = columns(&table(&rows()), &["store", "item", "ds", "y"]);
    let models = ["auto", "s4d", "s4", "sashimi", "ets", "counts", "croston", "ensemble", "seasonal_naive"];
    for model in models {
        let train = format!("-H 7 --model {model} --preset fast");
        let known = Known::of(table.clone(), &train, IDS);
        for group_rows in [1, 250] {
            known.check(
                plain(&known.table, &[64]),
                IDS,
                group_rows,
                &format!("{model}, groups of {group_rows}"),
            );
        }
    }
}

#[test]
fn policies_work_on_a_stream_as_on_a_file() {
    let table = columns(&table(&rows()), &["store", "item", "ds", "y"]);
    for more in [
        "--gaps linear",
        "--duplicates mean --gaps zero",
        "--freq 1d",
        "--as-of 2024-03-20",
        "--tz America/New_York",
        "--levels 80",
    ] {
        let flags = format!("{IDS} {more}");
        let known = Known::of(table.clone(), "-H 7 --model ridge", &flags);
        known.check(plain(&known.table, &[41]), &flags, 200, more);
    }
}

#[test]
fn what_holds_the_values_makes_no_difference() {
    let known = &PRICED;
    let strings = known.table["store"].as_string::<i32>().clone();
    let stamps = known.table["ds"].as_primitive::<TimestampMicrosecondType>().clone();
    let nanos = stamps.unary::<_, arrow_array::types::TimestampNanosecondType>(|micros| micros * 1000);
    let seconds = stamps.unary::<_, arrow_array::types::TimestampSecondType>(|micros| micros / 1_000_000);
    let days = stamps.unary::<_, arrow_array::types::Date32Type>(|micros| (micros / 86_400_000_000) as i32);
    let forms: Vec<(&str, RecordBatch)> = vec![
        ("dictionary", with(&known.table, "store", dictionary(&known.table, "store"))),
        ("names as a dictionary", with(&known.table, "kind", dictionary(&known.table, "kind"))),
        ("large", with(&known.table, "store", Arc::new(LargeStringArray::from_iter(strings.iter())))),
        ("views", with(&known.table, "store", Arc::new(StringViewArray::from_iter(strings.iter())))),
        ("nanoseconds", with(&known.table, "ds", Arc::new(nanos))),
        ("seconds", with(&known.table, "ds", Arc::new(seconds))),
        ("days", with(&known.table, "ds", Arc::new(days))),
    ];
    for (what, table) in forms {
        known.check(plain(&table, &[64]), WITH_ALL, 300, what);
    }
    // Columns of no use are passed over, whatever they are.
    let odd = beside(&known.table);
    known.check(plain(&odd, &[64]), WITH_ALL, 300, "odd columns");
    for codec in [CompressionType::LZ4_FRAME, CompressionType::ZSTD] {
        let options = IpcWriteOptions::default().try_with_compression(Some(codec)).unwrap();
        let what = format!("{codec:?}");
        known.check(stream(&known.table, &[500], options), WITH_ALL, 300, &what);
    }
}

/// The table with columns that nothing can be read from.
fn beside(table: &RecordBatch) -> RecordBatch {
    let rows = table.num_rows();
    let columns = table
        .schema()
        .fields()
        .iter()
        .zip(table.columns())
        .map(|(field, column)| (field.name().clone(), column.clone(), true))
        .collect::<Vec<_>>();
    let nothing: ArrayRef = Arc::new(NullArray::new(rows));
    let spans: ArrayRef = Arc::new(DurationSecondArray::from_iter_values(0..rows as i64));
    let bytes: ArrayRef = Arc::new(BinaryArray::from_iter_values((0..rows).map(|row| [row as u8])));
    let odd = [
        ("nothing".to_owned(), nothing, true),
        ("spans".to_owned(), spans, true),
        ("bytes".to_owned(), bytes, true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().chain(odd)).unwrap()
}

#[test]
fn numbers_as_ids_whole_targets_and_texts_as_times_are_read_as_in_a_file() {
    let whole = columns(&table(&rows()), &["store", "ds", "y"]);
    let rows = whole.num_rows();
    // Ascending as numbers, not as text.
    let ids: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows as i64).map(|row| 8 + row / 40)));
    let step = |row: usize| (row % 40) as i64;
    let y: ArrayRef = Arc::new(Int64Array::from_iter_values((0..rows).map(|row| 5 + step(row) % 7)));
    let day = |row: usize| jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(step(row)));
    let iso: ArrayRef = Arc::new(StringArray::from_iter_values((0..rows).map(|row| day(row).to_string())));
    let slashes = (0..rows).map(|row| day(row).strftime("%d/%m/%Y").to_string());
    let slashes: ArrayRef = Arc::new(StringArray::from_iter_values(slashes));
    let epochs = (0..rows).map(|row| 1_704_067_200 + 86_400 * step(row));
    let epochs: ArrayRef = Arc::new(Int64Array::from_iter_values(epochs));
    for (what, times) in [("iso", iso), ("day first", slashes), ("seconds", epochs)] {
        let columns = [("store", ids.clone(), true), ("ds", times, true), ("y", y.clone(), true)];
        let table = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
        let flags = "--id store --target y";
        let known = Known::of(table, "-H 3 --model ridge", flags);
        let flags_here = flags_of(known.folder.path(), flags);
        let bytes = plain(&known.table, &[33]);
        let (found, _) = of_stream(bytes, &flags_here, &RawWorker::default(), 100).unwrap();
        // A file is sorted by the text of the ids, a stream as it came.
        let order = |batch: &RecordBatch| {
            let ids = batch["unique_id"].as_string::<i32>().clone();
            let mut order: Vec<u64> = (0..batch.num_rows() as u64).collect();
            order.sort_by_key(|&row| ids.value(row as usize).to_owned());
            let order = arrow_array::UInt64Array::from(order);
            arrow_select::take::take_record_batch(batch, &order).unwrap()
        };
        assert_eq!(found["unique_id"].as_string::<i32>().value(0), "8", "{what}");
        same(&order(&found), &order(&known.expected), what);
    }
}

#[test]
fn a_model_that_is_trained_on_the_stream_forecasts_what_the_file_gives() {
    let folder = tempfile::tempdir().unwrap();
    let table = table(&rows());
    put(&folder.path().join("in.parquet"), &table);
    let training = RawWorker { is_training: true, ..RawWorker::default() };
    for model in ["ridge", "auto --preset fast"] {
        let flags = format!("{WITH_ALL} -H 7 --model {model}");
        let expected = of_file(folder.path(), "in.parquet", &flags).unwrap();
        let (found, report) = of_stream(plain(&table, &[50]), &flags, &training, 1).unwrap();
        same(&found, &expected, model);
        assert_eq!((report.left_out, report.fits.len()), (1, 1));
        let (found, _) = of_stream(plain(&beside(&table), &[50]), &flags, &training, 1).unwrap();
        same(&found, &expected, "odd columns");
    }
    // All of the stream is there, so sums are, too.
    let flags = "--id store,item --target y --hierarchy store -H 7 --model ridge --duplicates first";
    let expected = of_file(folder.path(), "in.parquet", flags).unwrap();
    same(&of_stream(plain(&table, &[50]), flags, &training, 1).unwrap().0, &expected, "hierarchy");
}
