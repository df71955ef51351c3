//! Does a worker keep up with a job on the same rows in a file, and does its memory stay what it is?
//!
//! ```text
//! cargo bench --bench worker                       100 000 series of 100 days
//! cargo bench --bench worker -- 20000 500 auto     series, rows of each, model
//! ```
//!
//! Both sides forecast with one saved model. The file is Parquet as fast as it can be read (no compression, dictionaries); the stream
//! comes from a file of plain batches of 10 000 rows, through a pipe, and its forecasts go into one.

use arrow_array::{ArrayRef, Float64Array, RecordBatch, StringArray, TimestampMicrosecondArray};
use arrow_ipc::writer::StreamWriter;
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

const BATCH_ROWS: usize = 10_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let number = |at: usize, usual: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(usual);
    let (series, rows) = (number(0, 100_000), number(1, 100));
    let model = words.get(2).map_or("ridge", String::as_str);
    let folder = tempfile::tempdir().expect("folder");
    let path = |name: &str| folder.path().join(name);
    write(&path("in.parquet"), &path("in.arrows"), series, rows);
    write(&path("few.parquet"), &path("few.arrows"), 300, rows);
    let flags = format!("-H 28 --model {model} --preset fast -o few.out --save-model m.safetensors -q");
    program(folder.path(), &format!("forecast few.parquet {flags}")).status().expect("trained");

    let began = Instant::now();
    let job = "forecast in.parquet --load-model m.safetensors -o out.parquet -q";
    let mut child = program(folder.path(), job).spawn().expect("started");
    let file = watched(&mut child, began);
    let mut file = Outcome { seconds: file.0, memory: file.1, bytes: 0 };
    file.bytes = std::fs::metadata(path("out.parquet")).map_or(0, |out| out.len());
    let stream = streamed(folder.path());
    let all = series * rows;
    println!("{series} series of {rows} rows, model {model}: {all} rows");
    for (name, outcome) in [("file", &file), ("worker", &stream)] {
        let memory = &outcome.memory;
        let at = |share: f64| memory.get((memory.len() as f64 * share) as usize).copied().unwrap_or(0.0);
        let warm =
            memory[..].iter().skip(memory.len() / 5).take(memory.len() / 5).copied().fold(0.0, f64::max);
        let late = memory[..].iter().skip(2 * memory.len() / 5).copied().fold(0.0, f64::max);
        println!(
            "{name:7} {:6.1} s, {:8.0} rows/s, {:4} MB out; MB held at 10, 50, 90 %: {:.0}, {:.0}, {:.0}; most {:.0}; after two \
             fifths {:+.1} % beside the fifth before",
            outcome.seconds,
            all as f64 / outcome.seconds,
            outcome.bytes >> 20,
            at(0.1),
            at(0.5),
            at(0.9),
            memory.iter().copied().fold(0.0, f64::max),
            100.0 * (late / warm - 1.0),
        );
    }
    println!("the worker has {:.0} % of the throughput of the file", 100.0 * file.seconds / stream.seconds);
}

/// What a run took.
struct Outcome {
    seconds: f64,
    /// Resident memory every few milliseconds, MB.
    memory: Vec<f64>,
    bytes: u64,
}

fn program(folder: &Path, arguments: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_s4cast"));
    command.current_dir(folder).args(arguments.split_whitespace());
    command
}

/// Forecasts the stream through pipes.
fn streamed(folder: &Path) -> Outcome {
    let began = Instant::now();
    let mut command = program(folder, "worker --model m.safetensors -q");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("started");
    let mut stdin = child.stdin.take().expect("stdin");
    let mut input = File::open(folder.join("in.arrows")).expect("input");
    let feed = std::thread::spawn(move || std::io::copy(&mut input, &mut stdin));
    let mut stdout = child.stdout.take().expect("stdout");
    let drain = std::thread::spawn(move || {
        let (mut buffer, mut bytes) = (vec![0; 1 << 20], 0);
        loop {
            match stdout.read(&mut buffer) {
                Ok(0) | Err(_) => return bytes,
                Ok(more) => bytes += more as u64,
            }
        }
    });
    let (seconds, memory) = watched(&mut child, began);
    drop(feed.join());
    Outcome { seconds, memory, bytes: drain.join().unwrap_or(0) }
}

/// Seconds until a process ends, and what it holds meanwhile.
fn watched(child: &mut std::process::Child, began: Instant) -> (f64, Vec<f64>) {
    let mut memory = Vec::new();
    loop {
        let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let held = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        memory.extend(held.map(|kilobytes| kilobytes / 1024.0));
        if let Some(status) = child.try_wait().expect("waited for") {
            assert!(status.success(), "{status}");
            return (began.elapsed().as_secs_f64(), memory);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The same rows as Parquet and as a stream, series by series.
fn write(file: &Path, stream: &Path, series: usize, rows: usize) {
    let schema = batch(0, 1, rows).schema();
    let mut file =
        ArrowWriter::try_new(File::create(file).expect("file"), schema.clone(), None).expect("writer");
    let sink = std::io::BufWriter::new(File::create(stream).expect("stream"));
    let mut stream = StreamWriter::try_new(sink, &schema).expect("writer");
    let each = (BATCH_ROWS / rows).max(1);
    for first in (0..series).step_by(each) {
        let batch = batch(first, each.min(series - first), rows);
        file.write(&batch).expect("written");
        stream.write(&batch).expect("written");
    }
    file.close().expect("closed");
    stream.finish().expect("finished");
    stream.get_mut().flush().expect("flushed");
}

fn batch(first: usize, series: usize, rows: usize) -> RecordBatch {
    let all = || (first..first + series).flat_map(move |one| (0..rows).map(move |row| (one, row)));
    let ids = all().map(|(one, _)| format!("store-{one:07}"));
    let times = all().map(|(_, row)| 1_704_067_200_000_000 + 86_400_000_000 * row as i64);
    let value = |one: usize, row: usize| {
        let noise = ((one * 7919 + row * 104_729) % 1009) as f64 / 1009.0;
        20.0 + (one % 13) as f64 + 5.0 * (row as f64 * std::f64::consts::TAU / 7.0).sin() + 3.0 * noise
    };
    let columns: [(&str, ArrayRef); 3] = [
        ("unique_id", Arc::new(StringArray::from_iter_values(ids))),
        ("ds", Arc::new(TimestampMicrosecondArray::from_iter_values(times))),
        ("y", Arc::new(Float64Array::from_iter_values(all().map(|(one, row)| value(one, row))))),
    ];
    RecordBatch::try_from_iter(columns).expect("columns of one length")
}
