//! How many rows a second become a panel, in processor time, and how much memory that takes at most.
//!
//! `cargo bench --bench ingest -- [FILE | SERIES [POINTS]]`; without a file, hourly series of `unique_id`, `ds`, `y`, as
//! Parquet and as CSV, sorted by series and, as CSV, by time. Results with machine and date are kept in RESULTS.md. Every
//! case is a process of its own, since memory at its peak can only be told of a whole process.

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use rustix::time::{ClockId, clock_gettime};
use s4cast::ingest::{self, SourceSpec};

/// 2020-01-01, microseconds.
const START: i64 = 1_577_836_800_000_000;

const HOUR: i64 = 3_600_000_000;

/// Series in a row group.
const GROUP: usize = 100;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    match words.first().filter(|word| Path::new(word).exists()) {
        Some(file) if std::env::var_os("INGEST_CASE").is_some() => measure(file),
        Some(file) => apart(Path::new(file)),
        None => {
            let number = |place: usize, default| {
                words.get(place).map_or(default, |word| word.parse().expect("a number or a file"))
            };
            let (series, points) = (number(0, 2000), number(1, 1000));
            let folder = tempfile::tempdir().expect("a temporary folder");
            let file = |name: &str| folder.path().join(name);
            write_parquet(&file("by_series.parquet"), series, points);
            write_csv(
                &file("by_series.csv"),
                (0..series).flat_map(|one| (0..points).map(move |at| (one, at))),
            );
            write_csv(&file("by_time.csv"), (0..points).flat_map(|at| (0..series).map(move |one| (one, at))));
            ["by_series.parquet", "by_series.csv", "by_time.csv"].iter().for_each(|name| apart(&file(name)));
        }
    }
}

/// Measures a file in a process of its own, on one thread.
fn apart(file: &Path) {
    let own = std::env::current_exe().expect("the path of the program");
    let mut command = Command::new(own);
    command.arg(file).env("INGEST_CASE", "1");
    command.env("POLARS_MAX_THREADS", "1").env("RAYON_NUM_THREADS", "1");
    assert!(command.status().expect("started").success(), "measured");
}

fn measure(file: &str) {
    let began = processor_seconds();
    let ingested = ingest::read(&SourceSpec::new(vec![file.to_owned()])).expect("readable");
    let seconds = processor_seconds() - began;
    let status = fs::read_to_string("/proc/self/status").expect("status of the process");
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("peak memory");
    let peak: f64 = peak.trim().trim_end_matches(" kB").parse().expect("a number");
    let name = Path::new(file).file_name().expect("a file").to_string_lossy();
    println!(
        "{name}: {} rows, {} series, {:.1} M rows/s, {seconds:.2} s of one processor, at most {:.0} MiB",
        ingested.rows,
        ingested.panel.series.len(),
        ingested.rows as f64 / seconds / 1e6,
        peak / 1024.0
    );
}

/// Processor time of all threads of this process, seconds.
fn processor_seconds() -> f64 {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    time.tv_sec as f64 + time.tv_nsec as f64 / 1e9
}

fn unique_id(series: usize) -> String {
    format!("id_{series:05}")
}

fn time(point: usize) -> i64 {
    START + point as i64 * HOUR
}

/// A season of a day, and what is unlike from series to series.
fn value(series: usize, point: usize) -> f64 {
    let noise = (series * 7919 + point * 104_729) % 1000;
    ((10_000.0 + 5000.0 * (point as f64 * std::f64::consts::TAU / 24.0).sin()).round() + noise as f64)
        / 1000.0
}

fn write_parquet(path: &Path, series: usize, points: usize) {
    let batch = |from: usize, to: usize| {
        let rows = || (from..to).flat_map(|one| (0..points).map(move |at| (one, at)));
        let ids = StringArray::from_iter_values(rows().map(|(one, _)| unique_id(one)));
        let times = TimestampMicrosecondArray::from_iter_values(rows().map(|(_, at)| time(at)));
        let values = Float64Array::from_iter_values(rows().map(|(one, at)| value(one, at)));
        let columns: [(&str, ArrayRef); 3] =
            [("unique_id", Arc::new(ids)), ("ds", Arc::new(times)), ("y", Arc::new(values))];
        RecordBatch::try_from_iter(columns).expect("columns of one length")
    };
    let properties = WriterProperties::builder().set_compression(Compression::ZSTD(Default::default()));
    let properties = properties.set_max_row_group_row_count(Some(GROUP * points)).build();
    let file = File::create(path).expect("created");
    let mut writer = ArrowWriter::try_new(file, batch(0, 0).schema(), Some(properties)).expect("a schema");
    for from in (0..series).step_by(GROUP) {
        writer.write(&batch(from, series.min(from + GROUP))).expect("written");
    }
    writer.close().expect("closed");
}

fn write_csv(path: &Path, rows: impl Iterator<Item = (usize, usize)>) {
    let mut file = BufWriter::new(File::create(path).expect("created"));
    writeln!(file, "unique_id,ds,y").expect("written");
    for (series, point) in rows {
        let time = jiff::Timestamp::from_microsecond(time(point)).expect("a time");
        let time = time.strftime("%Y-%m-%d %H:%M:%S");
        writeln!(file, "{},{time},{}", unique_id(series), value(series, point)).expect("written");
    }
    file.flush().expect("written");
}
