//! Looking at runs: the newest ones, their series, what each of them said about one, beside files of backtests.

use jiff::SignedDuration;
use ndarray::Array2;
use s4cast::publish::{
    self, Format, Interval, Naming, Provenance, PublishError, RunKey, RunSeries, SinkSpec, Vintage,
};
use s4cast::series::{Forecasts, ScenarioForecasts, SeriesForecast, Status};
use std::path::Path;

const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

fn sink(folder: &Path, format: Format, naming: Naming) -> SinkSpec {
    SinkSpec {
        name: "lake".into(),
        path: folder.join("out"),
        format,
        naming,
        retention: None,
        grace: SignedDuration::ZERO,
        remote: None,
    }
}

/// Two steps of series `a`, `b`, …; everything about them follows from `base`.
fn forecasts(series: usize, cutoff: i64, base: f64) -> Forecasts {
    let one = |number: usize| SeriesForecast {
        unique_id: char::from(b'a' + number as u8).to_string(),
        keys: Vec::new(),
        cutoff: cutoff - number as i64,
        times: vec![cutoff + SECOND, cutoff + 2 * SECOND],
        point: vec![base + number as f64, base + number as f64 + 0.5],
        quantiles: Array2::from_shape_fn((2, LEVELS.len()), |(step, q)| base + (number + step + q) as f64),
        reach: f64::INFINITY,
        status: if number == 0 { Status::Ok } else { Status::Stale },
        model_id: "ridge".into(),
        weights: Vec::new(),
    };
    Forecasts { quantile_levels: LEVELS.to_vec(), series: (0..series).map(one).collect() }
}

fn publish_run(sink: &SinkSpec, run: usize, issued_at: i64, series: usize, scenarios: &[ScenarioForecasts]) {
    let key = RunKey { job: "load".into(), run_id: format!("run-{run}"), issued_at };
    let provenance = Provenance {
        run_id: key.run_id.clone(),
        issued_at,
        created_at: issued_at + SECOND,
        model_version: 3,
        primary_level: 80.0,
        levels: vec![80.0, 95.0],
        correction: None,
        metadata: Vec::new(),
    };
    let plain = forecasts(series, issued_at, run as f64);
    publish::publish_run(sink, &key, &plain, scenarios, &[], &provenance).unwrap();
}

#[test]
fn the_newest_runs_are_found_over_days_newest_first() {
    let folder = tempfile::tempdir().unwrap();
    let sink = sink(folder.path(), Format::Parquet, Naming::V1);
    let newest = |count: usize| {
        let runs = publish::newest_runs(&sink.path, "load", count).unwrap();
        runs.into_iter().map(|commit| commit.run_id).collect::<Vec<_>>()
    };
    assert_eq!(newest(5), [] as [String; 0]);
    for (run, issued_at) in [(0, DAY), (1, DAY + SECOND), (2, 3 * DAY), (3, 9 * DAY), (4, 9 * DAY - SECOND)] {
        publish_run(&sink, run, issued_at, 1, &[]);
    }
    assert_eq!(newest(1), ["run-3"]);
    assert_eq!(newest(4), ["run-3", "run-4", "run-2", "run-1"]);
    assert_eq!(newest(99).len(), 5);
    assert!(matches!(publish::newest_runs(&sink.path, "../x", 1), Err(PublishError::CannotCreate { .. })));
}

#[test]
fn a_run_tells_its_series_and_what_it_said_about_one_in_every_form() {
    for (format, naming) in
        Format::ALL.map(|format| [(format, Naming::V1), (format, Naming::Nixtla)]).concat()
    {
        let folder = tempfile::tempdir().unwrap();
        let sink = sink(folder.path(), format, naming);
        let is_v1 = naming == Naming::V1;
        let promo = ScenarioForecasts { name: "promo".into(), forecasts: forecasts(3, DAY, 50.0) };
        let scenarios = if is_v1 { vec![promo] } else { Vec::new() };
        publish_run(&sink, 7, DAY, 3, &scenarios);
        let commit = publish::latest(&sink.path, "load").unwrap().unwrap();
        let unique_ids = ["a", "b", "c"].map(String::from).into();
        let want = RunSeries { unique_ids, cutoff: is_v1.then_some(DAY) };
        assert_eq!(publish::read_series(&commit).unwrap(), want);

        let found = publish::read_vintage(&commit, "b", &[80.0, 50.0, 95.0]).unwrap().unwrap();
        let interval = |level: f64, lower: f64, upper: f64| Interval {
            level,
            lower: vec![lower, lower + 1.0],
            upper: vec![upper, upper + 1.0],
        };
        let want = Vintage {
            run_id: "run-7".into(),
            issued_at: DAY,
            cutoff: is_v1.then_some(DAY - 1),
            model_id: is_v1.then(|| "ridge".into()),
            model_version: is_v1.then_some(3),
            status: is_v1.then(|| "stale".into()),
            ds: vec![DAY + SECOND, DAY + 2 * SECOND],
            yhat: vec![8.0, 8.5],
            // Of the level of 50 % nothing was forecast.
            intervals: vec![interval(80.0, 9.0, 11.0), interval(95.0, 8.0, 12.0)],
        };
        assert_eq!(found, want, "{format:?} {naming:?}");
        assert_eq!(publish::read_vintage(&commit, "d", &[80.0]).unwrap(), None);
        std::fs::remove_file(commit.path()).unwrap();
        assert!(matches!(publish::read_vintage(&commit, "b", &[]), Err(PublishError::Read { .. })));
    }
}

#[test]
fn backtests_beside_runs_are_listed_and_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut sink = sink(folder.path(), Format::Parquet, Naming::V1);
    sink.retention = Some(SignedDuration::from_hours(24));
    assert_eq!(publish::backtest_files(&sink.path, "load").unwrap(), []);
    let beside = sink.path.join("backtests/job=load");
    std::fs::create_dir_all(&beside).unwrap();
    for name in ["a.parquet", ".hidden.parquet", "notes.txt", "b.parquet"] {
        std::fs::write(beside.join(name), name).unwrap();
    }
    for run in 0..4 {
        publish_run(&sink, run, DAY * (1 + run as i64), 1, &[]);
    }
    publish::recover(&sink, "load").unwrap();
    assert_eq!(publish::prune(&sink, "load", 90 * DAY).unwrap().len(), 3);
    assert_eq!(publish::runs(&sink.path, "load").unwrap().len(), 1);
    let files = publish::backtest_files(&sink.path, "load").unwrap();
    let mut names: Vec<_> = files.iter().map(|(path, _)| path.file_name().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["a.parquet", "b.parquet"]);
    assert!(beside.join(".hidden.parquet").exists() && beside.join("notes.txt").exists());
    assert!(publish::Replay::open(&files[0].0).is_err(), "it is no Parquet");
}
