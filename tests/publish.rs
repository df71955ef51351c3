//! Runs in a sink: what readers see meanwhile, what crashes leave, what repetition, retention and formats do.

use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use jiff::SignedDuration;
use ndarray::Array2;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use s4cast::publish::{
    self, Commit, Filter, Format, Naming, Provenance, PublishError, PublishedRun, RunKey, SinkSpec, Which,
};
use s4cast::series::{Forecasts, ScenarioForecasts, SeriesForecast, Status};
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

const LEVELS: [f64; 5] = [0.025, 0.1, 0.5, 0.9, 0.975];

/// Microseconds.
const SECOND: i64 = 1_000_000;
const DAY: i64 = 86_400 * SECOND;

struct Place {
    sink: SinkSpec,
    _folder: tempfile::TempDir,
}

impl Place {
    fn new() -> Place {
        let folder = tempfile::tempdir().unwrap();
        let sink = SinkSpec {
            name: "lake".into(),
            path: folder.path().join("out"),
            format: Format::Parquet,
            naming: Naming::V1,
            retention: None,
            grace: SignedDuration::ZERO,
            remote: None,
        };
        Place { sink, _folder: folder }
    }

    /// Publishes a run of `series` series, written one second after its slot.
    fn publish(&self, key: &RunKey, series: usize) -> Result<PublishedRun, PublishError> {
        self.publish_at(key, series, key.issued_at + SECOND)
    }

    fn publish_at(&self, key: &RunKey, series: usize, created_at: i64) -> Result<PublishedRun, PublishError> {
        let provenance = provenance(key, created_at);
        publish::publish_run(&self.sink, key, &forecasts(series), &[], &["site".into()], &provenance)
    }

    fn latest(&self) -> Option<Commit> {
        publish::latest(&self.sink.path, "load").unwrap()
    }

    fn latest_file(&self) -> PathBuf {
        self.sink.path.join(format!("latest/job=load/part-0.{}", self.sink.format.as_str()))
    }

    /// Every file below the sink, relative to it.
    fn files(&self) -> BTreeSet<String> {
        let name = |path: PathBuf| path.strip_prefix(&self.sink.path).unwrap().display().to_string();
        everything(&self.sink.path).into_iter().filter(|path| path.is_file()).map(name).collect()
    }
}

fn everything(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        found.extend(everything(&path));
        found.push(path);
    }
    found
}

pub fn key(job: &str, run: usize, issued_at: i64) -> RunKey {
    RunKey { job: job.into(), run_id: format!("run-{run}"), issued_at }
}

/// Two steps of every series; the point forecast is the number of rows, so that a reader can tell a whole run.
pub fn provenance(key: &RunKey, created_at: i64) -> Provenance {
    Provenance {
        run_id: key.run_id.clone(),
        issued_at: key.issued_at,
        created_at,
        model_version: 1,
        primary_level: 80.0,
        // A level that is asked for twice has its columns once.
        levels: vec![80.0, 95.0, 80.0],
        correction: None,
        metadata: vec![("seed".into(), "7".into())],
    }
}

pub fn forecasts(series: usize) -> Forecasts {
    let one = |number: usize| SeriesForecast {
        unique_id: format!("s{number:05}"),
        keys: vec![format!("s, \"{number}\"")],
        cutoff: 0,
        times: vec![SECOND, 2 * SECOND],
        point: vec![2.0 * series as f64; 2],
        quantiles: Array2::from_shape_fn((2, LEVELS.len()), |(step, q)| {
            (number + step) as f64 / 3.0 + q as f64
        }),
        reach: f64::INFINITY,
        status: Status::Ok,
        model_id: "s4d".into(),
        weights: vec![("s4d".into(), 0.75), ("ridge".into(), 0.25)],
    };
    Forecasts { quantile_levels: LEVELS.to_vec(), series: (0..series).map(one).collect() }
}

/// Rows of a run, and whether they are all of it and of it alone.
pub fn is_whole(batches: &[RecordBatch]) -> bool {
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let points = |batch: &RecordBatch| batch["yhat"].as_primitive::<Float64Type>().values().to_vec();
    let runs =
        |batch: &RecordBatch| batch["run_id"].as_string::<i32>().iter().flatten().map(String::from).collect();
    let all: BTreeSet<String> = batches.iter().flat_map(|batch| -> Vec<String> { runs(batch) }).collect();
    all.len() == 1 && batches.iter().flat_map(points).all(|point| point == rows as f64)
}

/// Reads a file as DuckDB, pyarrow and polars do: the footer from one opening, the data from another.
fn read_twice_opened(path: &Path) -> Result<Vec<RecordBatch>, String> {
    let open = || File::open(path).map_err(|error| error.to_string());
    let footer =
        ArrowReaderMetadata::load(&open()?, ArrowReaderOptions::new()).map_err(|error| error.to_string())?;
    std::thread::yield_now();
    let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(open()?, footer).build();
    reader.unwrap().map(|batch| batch.map_err(|error| error.to_string())).collect()
}

#[test]
fn readers_see_whole_runs_while_a_thousand_are_published() {
    let place = Place::new();
    place.publish(&key("load", 0, 0), 5).unwrap();
    let (done, reads) = (AtomicBool::new(false), AtomicUsize::new(0));
    let read_on = |read: &(dyn Fn() -> Result<Vec<RecordBatch>, String> + Sync)| {
        while !done.load(Ordering::Relaxed) {
            let found = read().unwrap();
            assert!(is_whole(&found), "a run is not whole: {found:?}");
            reads.fetch_add(1, Ordering::Relaxed);
        }
    };
    std::thread::scope(|scope| {
        scope.spawn(|| read_on(&|| read_twice_opened(&place.latest_file())));
        scope.spawn(|| {
            let history = place.sink.path.join("job=load");
            read_on(&|| {
                let days = std::fs::read_dir(&history).unwrap().map(|day| day.unwrap().path());
                let parts = everything(&days.max().unwrap())
                    .into_iter()
                    .filter(|path| path.ends_with("part-0.parquet"));
                let runs: Vec<_> = parts.map(|part| read_twice_opened(&part).unwrap()).collect();
                assert!(runs.iter().all(|run| is_whole(run)), "a run is not whole: {runs:?}");
                read_twice_opened(&place.latest_file())
            })
        });
        scope.spawn(|| {
            for run in 0..100 {
                place.publish(&key("other", run, run as i64 * 900 * SECOND), 3).unwrap();
            }
        });
        for run in 1..=1000 {
            // A day has few runs, so that listing them stays cheap.
            place.publish(&key("load", run, run as i64 * DAY / 4), 1 + run * 7 % 23).unwrap();
        }
        done.store(true, Ordering::Relaxed);
    });
    assert!(reads.load(Ordering::Relaxed) > 100, "the readers hardly ran");
    assert_eq!(publish::runs(&place.sink.path, "load").unwrap().len(), 1001);
    assert_eq!(publish::runs(&place.sink.path, "other").unwrap().len(), 100);
    assert_eq!(place.latest().unwrap().run_id, "run-1000");
    assert!(
        place.files().iter().all(|name| name.ends_with("/part-0.parquet") || name.ends_with("/_commit.json"))
    );
    assert!(place.latest_file().metadata().unwrap().len() < 2 << 20, "pages of old runs pile up");
}

#[test]
fn latest_never_goes_back() {
    let place = Place::new();
    place.publish(&key("load", 2, 2 * DAY), 3).unwrap();
    place.publish(&key("load", 1, DAY), 5).unwrap();
    assert_eq!(place.latest().unwrap().run_id, "run-2");
    let shown = publish::read_run(&place.latest_file(), &Filter::default()).unwrap();
    assert!(is_whole(&shown) && shown[0].num_rows() == 6);
    let found = publish::runs(&place.sink.path, "load").unwrap();
    assert_eq!(found.iter().map(|run| run.run_id.as_str()).collect::<Vec<_>>(), ["run-2", "run-1"]);
    assert_eq!(publish::latest(&place.sink.path, "other").unwrap(), None);
}

#[test]
fn a_repetition_replaces_its_own_file_and_an_equal_one_leaves_it_alone() {
    let place = Place::new();
    let other = place.publish(&key("load", 1, 1), 4).unwrap();
    let first = place.publish(&key("load", 2, 2), 9).unwrap();
    assert_eq!(place.publish_at(&key("load", 2, 2), 9, 5 * DAY).unwrap(), first);
    assert_eq!(publish::find_run(&place.sink, &key("load", 2, 2)).unwrap().unwrap().created_at, 2 + SECOND);

    let smaller = place.publish_at(&key("load", 2, 2), 3, 5 * DAY).unwrap();
    assert_eq!((smaller.rows, &smaller.path), (6, &first.path));
    for path in [&smaller.path, &place.latest_file()] {
        let rows = publish::read_run(path, &Filter::default()).unwrap();
        assert!(is_whole(&rows) && rows[0].num_rows() == 6, "stale rows in {}", path.display());
    }
    let commit = publish::find_run(&place.sink, &key("load", 2, 2)).unwrap().unwrap();
    assert_eq!((commit.created_at, commit.sha256), (5 * DAY, smaller.sha256));
    assert_eq!(publish::find_run(&place.sink, &key("load", 1, 1)).unwrap().unwrap().sha256, other.sha256);
    assert_eq!(place.files().len(), 5);
}

#[test]
fn what_crashes_leave_is_completed_or_cleared_away() {
    let place = Place::new();
    let run = |number: usize| {
        place.sink.path.join(format!("job=load/issued_date=1970-01-0{number}/run_id=run-{number}"))
    };
    for number in 1..=4 {
        place.publish(&key("load", number, (number as i64 - 1) * DAY), number).unwrap();
    }
    let before = place.files();
    // Run 4 was killed while it wrote: neither file has its name.
    std::fs::rename(run(4).join("part-0.parquet"), run(4).join(".s4cast-part.partial")).unwrap();
    std::fs::remove_file(run(4).join("_commit.json")).unwrap();
    // Run 3 was killed between the two names: it only has to be committed.
    std::fs::rename(run(3).join("_commit.json"), run(3).join(".s4cast-commit.partial")).unwrap();
    // `latest` was about to be replaced.
    std::fs::copy(run(2).join("part-0.parquet"), place.latest_file()).unwrap();
    std::fs::write(place.latest_file().with_file_name(".s4cast-x.partial"), "half").unwrap();
    std::fs::create_dir_all(place.sink.path.join("job=other/issued_date=1970-01-01/run_id=r")).unwrap();

    let recovered = publish::recover(&place.sink, "load").unwrap();
    assert_eq!((recovered.leftovers, recovered.moved_latest), (2, true));
    assert_eq!(recovered.uncommitted, [run(4)]);
    assert!(!run(4).parent().unwrap().exists());
    assert_eq!(place.latest().unwrap().run_id, "run-3");
    assert!(place.sink.path.join("job=other/issued_date=1970-01-01/run_id=r").exists());
    assert_eq!(publish::recover(&place.sink, "load").unwrap(), publish::Recovered::default());

    place.publish(&key("load", 4, 3 * DAY), 4).unwrap();
    assert_eq!(place.files(), before);
    assert_eq!(publish::recover(&place.sink, "none").unwrap(), publish::Recovered::default());
}

#[test]
fn what_a_run_was_corrected_by_stays_beside_it_and_is_believed_only_if_it_is_that() {
    let place = Place::new();
    let key = key("load", 1, DAY);
    let publish = |correction: Option<&str>| {
        let provenance = Provenance { correction: correction.map(Into::into), ..provenance(&key, 0) };
        publish::publish_run(&place.sink, &key, &forecasts(2), &[], &["site".into()], &provenance).unwrap();
        place.latest().unwrap()
    };
    let plain = publish(None);
    assert_eq!(publish::read_correction(&plain).unwrap(), None);
    let corrected = publish(Some("[1]"));
    assert_eq!(publish::read_correction(&corrected).unwrap().as_deref(), Some("[1]"));
    assert_ne!(plain.sha256, corrected.sha256);

    std::fs::write(corrected.folder.join("_correction.json"), "[2]").unwrap();
    assert!(publish::read_correction(&corrected).unwrap_err().to_string().contains("not the one"));
    std::fs::remove_file(corrected.folder.join("_correction.json")).unwrap();
    assert!(publish::read_correction(&corrected).is_err());
    assert_eq!(publish(None).sha256, plain.sha256);
}

#[test]
fn retention_takes_old_runs_but_never_what_is_shown_or_just_superseded() {
    let mut place = Place::new();
    assert!(publish::prune(&place.sink, "load", 99 * DAY).unwrap().is_empty());
    for run in 0..5 {
        place.publish(&key("load", run, run as i64 * DAY), 2).unwrap();
    }
    // Written late: older than retention allows from its first moment on.
    place.publish_at(&key("load", 9, DAY + 1), 2, 5 * DAY).unwrap();
    assert!(publish::prune(&place.sink, "load", 99 * DAY).unwrap().is_empty(), "no retention keeps all");
    place.sink.retention = Some(SignedDuration::from_hours(49));
    place.sink.grace = SignedDuration::from_hours(1);

    let removed = publish::prune(&place.sink, "load", 5 * DAY + 60 * SECOND).unwrap();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    assert_eq!(removed.iter().map(name).collect::<Vec<_>>(), ["run_id=run-0", "run_id=run-2"]);
    assert!(!place.sink.path.join("job=load/issued_date=1970-01-01").exists());
    assert!(place.sink.path.join("job=load/issued_date=1970-01-02").exists());

    assert_eq!(publish::prune(&place.sink, "load", 999 * DAY).unwrap().len(), 3);
    assert_eq!(publish::runs(&place.sink.path, "load").unwrap().len(), 1);
    assert_eq!(place.latest().unwrap().run_id, "run-4");
    assert!(is_whole(&publish::read_run(&place.latest_file(), &Filter::default()).unwrap()));
}

#[test]
fn csv_reads_back_as_parquet_does_and_a_change_of_format_leaves_no_second_file() {
    let mut place = Place::new();
    let key = key("load", 1, DAY);
    let parquet = place.publish(&key, 40).unwrap();
    let filter = Filter {
        unique_ids: vec!["s00007".into(), "s00031".into(), "gone".into()],
        offset: 1,
        limit: Some(2),
        ..Filter::default()
    };
    let [all, some] =
        [&Filter::default(), &filter].map(|filter| publish::read_run(&parquet.path, filter).unwrap());
    place.sink.format = Format::Csv;
    let csv = place.publish(&key, 40).unwrap();
    assert_eq!(publish::read_run(&csv.path, &Filter::default()).unwrap(), all);
    assert_eq!(publish::read_run(&csv.path, &filter).unwrap()[0], some[0]);
    let ids: Vec<_> = some[0]["unique_id"].as_string::<i32>().iter().flatten().collect();
    assert_eq!(ids, ["s00007", "s00031"]);
    assert_eq!(std::fs::read(place.latest_file()).unwrap(), std::fs::read(&csv.path).unwrap());
    assert!(place.files().iter().all(|name| !name.ends_with(".parquet")), "{:?}", place.files());
    let text = std::fs::read_to_string(&csv.path).unwrap();
    let line = text.lines().nth(1).unwrap();
    assert!(line.starts_with("s00000,\"s, \"\"0\"\"\",1970-01-01T00:00:01Z,1,80.0,1.0,3.0,0.0,"), "{line}");
    assert_eq!(place.latest().unwrap().sha256, csv.sha256);
}

#[test]
fn nixtla_columns_hold_every_level_asked_for() {
    for format in Format::ALL {
        let mut place = Place::new();
        (place.sink.naming, place.sink.format) = (Naming::Nixtla, format);
        let published = place.publish(&key("load", 1, DAY), 3).unwrap();
        let batch = &publish::read_run(&published.path, &Filter::default()).unwrap()[0];
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let want = "unique_id ds s4cast s4cast-lo-80 s4cast-hi-80 s4cast-lo-95 s4cast-hi-95";
        assert_eq!(names.join(" "), want);
        let row = |name: &str| batch[name].as_primitive::<Float64Type>().value(1);
        let ends = ["s4cast-lo-95", "s4cast-lo-80", "s4cast-hi-80", "s4cast-hi-95"].map(row);
        assert_eq!(ends, [0.0, 1.0, 3.0, 4.0].map(|q| 1.0 / 3.0 + q));
        assert_eq!(batch["ds"].as_primitive::<TimestampMicrosecondType>().value(1), 2 * SECOND);
        assert_eq!(place.latest().unwrap().naming, Naming::Nixtla);
    }
}

#[test]
fn one_series_of_many_is_read_across_pages_and_row_groups() {
    let place = Place::new();
    let published = place.publish(&key("load", 1, DAY), 70_000).unwrap();
    let ids: Vec<String> = [0, 10_000, 61_440, 69_999].map(|number| format!("s{number:05}")).into();
    let read = |filter: Filter| publish::read_run(&published.path, &filter).unwrap();
    let rows = |batches: &[RecordBatch]| -> Vec<String> {
        let ids = |batch: &RecordBatch| {
            batch["unique_id"].as_string::<i32>().iter().flatten().map(String::from).collect()
        };
        batches.iter().flat_map(|batch| -> Vec<String> { ids(batch) }).collect()
    };
    let found = rows(&read(Filter { unique_ids: ids.clone(), ..Filter::default() }));
    assert_eq!(found, ids.iter().flat_map(|id| [id.clone(), id.clone()]).collect::<Vec<_>>());
    assert!(read(Filter { unique_ids: vec!["s".into(), "t".into()], ..Filter::default() }).is_empty());
    let page = rows(&read(Filter { offset: 130_001, limit: Some(2), ..Filter::default() }));
    assert_eq!(page, ["s65000", "s65001"]);
}

#[test]
fn forecasts_of_scenarios_stand_beside_the_plain_ones_and_are_read_if_asked_for() {
    let mut place = Place::new();
    let key = key("load", 1, DAY);
    let named = |name: &str, shift: f64| {
        let mut forecasts = forecasts(40);
        forecasts.series.iter_mut().for_each(|series| series.point.iter_mut().for_each(|y| *y += shift));
        ScenarioForecasts { name: name.into(), forecasts }
    };
    let scenarios = [named("promo", 1.0), named("dear", 2.0)];
    let ids = ["site".to_owned()];
    for format in [Format::Parquet, Format::Csv] {
        place.sink.format = format;
        let provenance = provenance(&key, DAY + SECOND);
        let publish = || {
            publish::publish_run(&place.sink, &key, &forecasts(40), &scenarios, &ids, &provenance).unwrap()
        };
        let run = publish();
        assert_eq!(run.rows, 3 * 80);
        assert_eq!(publish().sha256, run.sha256, "again");
        let points = |scenario: Which, unique_ids: &[&str]| -> Vec<f64> {
            let unique_ids = unique_ids.iter().map(|id| (*id).to_owned()).collect();
            let filter = Filter { unique_ids, scenario, ..Filter::default() };
            let batches = publish::read_run(&run.path, &filter).unwrap();
            batches
                .iter()
                .flat_map(|batch| batch["yhat"].as_primitive::<Float64Type>().values().to_vec())
                .collect()
        };
        assert_eq!(points(Which::All, &[]).len(), 240);
        assert_eq!(points(Which::Plain, &[]), [80.0; 80]);
        assert_eq!(points(Which::Scenario("dear".into()), &[]), [82.0; 80]);
        assert_eq!(points(Which::Scenario("promo".into()), &["s00007"]), [81.0; 2]);
        assert_eq!(points(Which::Plain, &["s00007", "s00031"]), [80.0; 4]);
        assert_eq!(points(Which::All, &["s00007"]), [80.0, 80.0, 82.0, 82.0, 81.0, 81.0]);
        assert!(points(Which::Scenario("none".into()), &[]).is_empty());
        // What is compared with what came, and learnt from, is the plain forecast.
        let columns = publish::read_columns(&place.latest().unwrap(), &LEVELS).unwrap().unwrap();
        assert_eq!((columns.ds.len(), columns.yhat), (80, vec![80.0; 80]));
    }
    // A run without scenarios has none to read.
    let plain = place.publish(&self::key("load", 2, 2 * DAY), 3).unwrap();
    let filter = |scenario| Filter { scenario, ..Filter::default() };
    assert!(publish::read_run(&plain.path, &filter(Which::Scenario("promo".into()))).unwrap().is_empty());
    // Nixtla's columns have no place for them.
    place.sink.naming = Naming::Nixtla;
    let provenance = provenance(&key, DAY);
    let error =
        publish::publish_run(&place.sink, &key, &forecasts(1), &scenarios, &ids, &provenance).unwrap_err();
    assert!(error.to_string().contains("none for scenarios"), "{error}");
}

#[test]
fn what_cannot_be_published_changes_nothing() {
    let place = Place::new();
    let first = place.publish(&key("load", 1, DAY), 3).unwrap();
    let before = place.files();
    for wrong in [key("Load", 1, DAY), key("../load", 1, DAY), key("load", 2, i64::MAX)] {
        let error = place.publish(&wrong, 3).unwrap_err();
        assert!(matches!(error, PublishError::CannotCreate { .. }) && !error.is_retryable(), "{error}");
    }
    let mut crossing = forecasts(2);
    crossing.series[1].quantiles[[1, 0]] = 99.0;
    for run in [1, 2] {
        let key = key("load", run, run as i64 * DAY);
        let provenance = provenance(&key, 0);
        let error = publish::publish_run(&place.sink, &key, &crossing, &[], &[], &provenance).unwrap_err();
        assert!(matches!(error, PublishError::Verify { .. }) && !error.is_retryable(), "{error}");
    }
    assert_eq!(place.files(), before);
    assert!(!place.sink.path.join("job=load/issued_date=1970-01-03").exists());
    assert_eq!(place.latest().unwrap().sha256, first.sha256);

    std::fs::write(place.sink.path.join("job=blocked"), "a file").unwrap();
    let error = place.publish(&key("blocked", 1, DAY), 3).unwrap_err();
    assert!(matches!(error, PublishError::CannotCreate { .. }), "{error}");
    let missing = publish::read_run(&place.sink.path.join("none.parquet"), &Filter::default()).unwrap_err();
    assert!(matches!(missing, PublishError::Read { .. }) && missing.is_retryable(), "{missing}");
    let torn = place.sink.path.join("torn.parquet");
    std::fs::write(&torn, "PAR1").unwrap();
    assert!(matches!(publish::read_run(&torn, &Filter::default()), Err(PublishError::Read { .. })));
}

#[test]
fn a_run_that_retention_takes_after_it_was_listed_has_no_rows() {
    let place = Place::new();
    place.publish(&key("load", 1, DAY), 2).unwrap();
    let run = place.latest().unwrap();
    assert_eq!(publish::read_columns(&run, &LEVELS).unwrap().unwrap().ds.len(), 4);
    std::fs::remove_file(run.path()).unwrap();
    let error = publish::read_columns(&run, &LEVELS).unwrap_err();
    assert!(matches!(error, PublishError::Read { .. }), "{error}: it counts, and cannot be read");
    std::fs::remove_dir_all(&run.folder).unwrap();
    assert_eq!(publish::read_columns(&run, &LEVELS).unwrap().unwrap(), publish::RunColumns::default());
}
