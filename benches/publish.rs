//! How many runs of how many series are published a second, and how long one series of a run takes to read.
//!
//! `cargo bench --bench publish -- [FOLDER [RUNS [SERIES]]]`; without a folder, a temporary one. Results with machine and
//! date are kept in RESULTS.md. `publish_readers.py` reads the folder meanwhile and counts what goes wrong.

use std::path::PathBuf;
use std::time::Instant;

use ndarray::Array2;
use s4cast::publish::{self, Filter, Format, Naming, Provenance, RunKey, SinkSpec};
use s4cast::series::{Forecasts, SeriesForecast, Status};

/// Quantile levels of the intervals of 80 and 95 percent, and the deciles.
const LEVELS: [f64; 11] = [0.025, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.975];

/// Most steps ahead; every run has another number, so that no two files are alike.
const HORIZON: usize = 48;

const MINUTE: i64 = 60_000_000;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with("--")).collect();
    let number =
        |place: usize, default| words.get(place).map_or(default, |word| word.parse().expect("a number"));
    let (runs, series) = (number(1, 200), number(2, 100));
    let temporary = tempfile::tempdir().expect("a temporary folder");
    let path = words.first().map_or_else(|| temporary.path().to_path_buf(), PathBuf::from);
    let sink = SinkSpec {
        name: "bench".into(),
        path,
        format: Format::Parquet,
        naming: Naming::V1,
        retention: None,
        grace: jiff::SignedDuration::ZERO,
        remote: None,
    };
    let (mut rows, mut bytes) = (0, 0);
    let began = Instant::now();
    for run in 0..runs {
        let issued_at = 1_767_225_600_000_000 + run as i64 * 15 * MINUTE;
        let key = RunKey { job: "bench".into(), run_id: format!("{run:08}"), issued_at };
        let published =
            publish::publish_run(&sink, &key, &forecasts(run, series), &[], &[], &provenance(&key))
                .expect("published");
        rows += published.rows;
        bytes += published.bytes;
    }
    let seconds = began.elapsed().as_secs_f64();
    let last = publish::latest(&sink.path, "bench").expect("readable").expect("a run");
    let one = Filter { unique_ids: vec![format!("s{:07}", series / 2)], ..Filter::default() };
    let began = Instant::now();
    let read = publish::read_run(&last.path(), &one).expect("readable");
    let milliseconds = began.elapsed().as_secs_f64() * 1e3;
    assert!(!read.is_empty(), "the series is there");
    println!("one series of the last run ({} rows) read in {milliseconds:.2} ms", last.rows);
    println!(
        "{runs} runs of {series} series: {:.1} runs/s, {:.0} rows/s, {:.1} KiB a run",
        runs as f64 / seconds,
        rows as f64 / seconds,
        bytes as f64 / runs as f64 / 1024.0
    );
}

fn provenance(key: &RunKey) -> Provenance {
    Provenance {
        run_id: key.run_id.clone(),
        issued_at: key.issued_at,
        created_at: key.issued_at + MINUTE,
        model_version: 1,
        primary_level: 80.0,
        levels: vec![80.0, 95.0],
        correction: None,
        metadata: Vec::new(),
    }
}

fn forecasts(run: usize, series: usize) -> Forecasts {
    let horizon = 1 + (run * 7) % HORIZON;
    let one = |number: usize| {
        let value = |step: usize, q: usize| (number * 31 + step * 17 + run) as f64 * 0.37 + q as f64;
        SeriesForecast {
            unique_id: format!("s{number:07}"),
            keys: Vec::new(),
            cutoff: 0,
            times: (1..=horizon as i64).map(|step| step * 60 * MINUTE).collect(),
            point: (0..horizon).map(|step| value(step, 5)).collect(),
            quantiles: Array2::from_shape_fn((horizon, LEVELS.len()), |(step, q)| value(step, q)),
            reach: f64::INFINITY,
            status: Status::Ok,
            model_id: "s4d".into(),
            weights: Vec::new(),
        }
    };
    Forecasts { quantile_levels: LEVELS.to_vec(), series: (0..series).map(one).collect() }
}
