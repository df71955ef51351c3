//! Tables as files and as streams, and what a job and a worker make of them.

use arrow_array::types::Int32Type;
use arrow_array::{
    Array, ArrayRef, DictionaryArray, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray,
};
use arrow_ipc::reader::StreamReader;
use arrow_ipc::writer::{IpcWriteOptions, StreamWriter};
use arrow_schema::Schema;
use arrow_select::concat::concat_batches;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use s4cast::config::{self, Key, RawWorker, Settings};
use s4cast::ingest::Bounds;
use s4cast::pipeline::{self, JobError, Moment, WorkerReport};
use std::fs::File;
use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

const DAY: i64 = 86_400_000_000;

/// 2024-01-01, microseconds.
pub const START: i64 = 1_704_067_200_000_000;

/// One row: store, item, time, target, price, kind of day.
pub type Row = (String, String, Option<i64>, Option<f64>, Option<f64>, Option<&'static str>);

/// Sorted rows of some stores and items: waves with gaps, one series that is short, one with a time that comes twice, and a week
/// of prices ahead.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for store in 0..4_i64 {
        for item in 0..3_i64 {
            let days = if (store, item) == (2, 1) { 5 } else { 60 + 7 * store };
            let first = 90 - days;
            for day in first..97 {
                if (day * 7 + store + item) % 23 == 0 && day < 85 && days > 5 {
                    continue;
                }
                let wave = (day % 7 * 3 + store) as f64 + (day as f64 / (5 + item) as f64).sin();
                let price = 1.0 + (day % 5) as f64 / 10.0;
                let value = (day < 90).then_some(20.0 + wave - 4.0 * price);
                let kind = ["plain", "market", "fair"][(day % 11 % 3) as usize];
                let row = |value| {
                    let ids = (format!("s{store}"), format!("i{item}"));
                    (ids.0, ids.1, Some(START + day * DAY), value, Some(price), Some(kind))
                };
                rows.push(row(value));
                if (store, item, day) == (1, 2, 50) {
                    rows.push(row(Some(7.0)));
                }
            }
        }
    }
    rows
}

/// The rows as a table.
pub fn table(rows: &[Row]) -> RecordBatch {
    let text = |of: &dyn Fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(StringArray::from_iter(rows.iter().map(of)))
    };
    let number = |of: &dyn Fn(&Row) -> Option<f64>| -> ArrayRef {
        Arc::new(Float64Array::from_iter(rows.iter().map(of)))
    };
    let times = TimestampMicrosecondArray::from_iter(rows.iter().map(|row| row.2));
    let columns: [(&str, ArrayRef, bool); 6] = [
        ("store", text(&|row| Some(row.0.clone())), true),
        ("item", text(&|row| Some(row.1.clone())), true),
        ("ds", Arc::new(times), true),
        ("y", number(&|row| row.3), true),
        ("price", number(&|row| row.4), true),
        ("kind", text(&|row| row.5.map(String::from)), true),
    ];
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The columns of a table under some names only.
pub fn columns(table: &RecordBatch, names: &[&str]) -> RecordBatch {
    let places: Vec<usize> = names.iter().map(|name| table.schema().index_of(name).unwrap()).collect();
    table.project(&places).unwrap()
}

/// The table with a column as another array.
pub fn with(table: &RecordBatch, name: &str, array: ArrayRef) -> RecordBatch {
    let schema = table.schema();
    let columns = schema.fields().iter().zip(table.columns());
    let columns = columns.map(|(field, column)| {
        let is_it = field.name() == name;
        (field.name().clone(), if is_it { array.clone() } else { column.clone() }, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns.collect::<Vec<_>>()).unwrap()
}

/// A text column as a dictionary.
pub fn dictionary(table: &RecordBatch, name: &str) -> ArrayRef {
    let texts = table[name].as_any().downcast_ref::<StringArray>().unwrap().clone();
    Arc::new(texts.iter().collect::<DictionaryArray<Int32Type>>())
}

/// A stream of a table in batches of these sizes, again and again.
pub fn stream(table: &RecordBatch, sizes: &[usize], options: IpcWriteOptions) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new_with_options(&mut bytes, &table.schema(), options).unwrap();
    let (mut from, mut at) = (0, 0);
    while from < table.num_rows() {
        let rows = sizes[at % sizes.len()].min(table.num_rows() - from);
        writer.write(&table.slice(from, rows)).unwrap();
        (from, at) = (from + rows, at + 1);
    }
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// As [`stream`], without anything special.
pub fn plain(table: &RecordBatch, sizes: &[usize]) -> Vec<u8> {
    stream(table, sizes, IpcWriteOptions::default())
}

pub fn put(path: &Path, table: &RecordBatch) {
    let mut writer = ArrowWriter::try_new(File::create(path).unwrap(), table.schema(), None).unwrap();
    writer.write(table).unwrap();
    writer.close().unwrap();
}

pub fn moment() -> Moment {
    Moment { issued_at: START + 100 * DAY, created_at: START + 101 * DAY, run_id: "run".into() }
}

/// Settings as flags: `--id a,b --freq 1d`.
pub fn settings(flags: &str) -> Settings {
    let mut settings = Settings::default();
    let words: Vec<&str> = flags.split_whitespace().collect();
    for pair in words.chunks(2) {
        let key = match pair[0] {
            "--id" => Key::Id,
            "--time" => Key::Time,
            "--target" => Key::Target,
            "--freq" => Key::Freq,
            "--tz" => Key::Tz,
            "--gaps" => Key::Gaps,
            "--order" => Key::Order,
            "--duplicates" => Key::Duplicates,
            "--max-bad-series" => Key::MaxBadSeries,
            "--future-covariates" => Key::FutureCovariates,
            "--past-covariates" => Key::PastCovariates,
            "--static-covariates" => Key::StaticCovariates,
            "--missing-covariates" => Key::MissingCovariates,
            "--calendar" => Key::Calendar,
            "--holidays" => Key::Holidays,
            "--sampling" => Key::Sampling,
            "--sampling-scale" => Key::SamplingScale,
            "--as-of" => Key::AsOf,
            "--levels" => Key::Levels,
            "--hierarchy" => Key::Hierarchy,
            "-H" => Key::Horizon,
            "--model" => Key::Kind,
            "--preset" => Key::Preset,
            "--load-model" => Key::LoadModel,
            "--save-model" => Key::SaveModel,
            other => panic!("{other}"),
        };
        settings.flag(key, pair[1].split(','));
    }
    settings
}

/// What `forecast` makes of a file.
pub fn of_file(folder: &Path, input: &str, flags: &str) -> Result<RecordBatch, JobError> {
    let output = folder.join("out.parquet");
    let mut settings = settings(flags);
    settings.flag(Key::Inputs, [folder.join(input).display().to_string()]);
    settings.flag(Key::Output, [output.display().to_string()]);
    let launch = config::job(&settings).unwrap();
    pipeline::run(&launch.job, moment(), &|_| {})?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(output).unwrap()).unwrap();
    let schema = reader.schema().clone();
    let batches: Vec<RecordBatch> = reader.build().unwrap().map(Result::unwrap).collect();
    Ok(bare(&concat_batches(&schema, &batches).unwrap()))
}

/// A sink that can be looked at afterwards.
#[derive(Clone, Default)]
pub struct Sink(pub Arc<Mutex<Vec<u8>>>);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// What a worker makes of a stream, in groups of this many rows.
pub fn of_stream(
    bytes: Vec<u8>,
    flags: &str,
    raw: &RawWorker,
    group_rows: usize,
) -> Result<(RecordBatch, WorkerReport), JobError> {
    let mut job = config::worker(settings(flags), raw).unwrap().job;
    job.bounds = Some(Bounds { rows: group_rows, series: 1000 });
    let sink = Sink::default();
    let report = pipeline::work(&job, moment(), Cursor::new(bytes), sink.clone(), &|_| {})?;
    let bytes = sink.0.lock().unwrap().clone();
    Ok((all(&bytes), report))
}

/// The rows of a stream.
pub fn all(bytes: &[u8]) -> RecordBatch {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).unwrap();
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
    bare(&concat_batches(&schema, &batches).unwrap())
}

/// The batch without the metadata of its schema.
fn bare(batch: &RecordBatch) -> RecordBatch {
    let schema = Schema::new(batch.schema().fields().clone());
    RecordBatch::try_new(Arc::new(schema), batch.columns().to_vec()).unwrap()
}

/// Fails where two tables differ in a bit.
pub fn same(a: &RecordBatch, b: &RecordBatch, what: &str) {
    assert_eq!(a.schema(), b.schema(), "{what}");
    assert_eq!(a.num_rows(), b.num_rows(), "{what}");
    for (field, (one, other)) in a.schema().fields().iter().zip(a.columns().iter().zip(b.columns())) {
        let name = field.name();
        match (one.as_any().downcast_ref::<Float64Array>(), other.as_any().downcast_ref::<Float64Array>()) {
            (Some(one), Some(other)) => {
                let bits =
                    |array: &Float64Array| array.values().iter().map(|y| y.to_bits()).collect::<Vec<_>>();
                assert_eq!(bits(one), bits(other), "{what}: {name}");
            }
            _ => assert_eq!(one, other, "{what}: {name}"),
        }
    }
}
