//! Runs: where they stand, which of two attempts counts, what comes and goes with others.

use super::{DAY, Machine, fresh};
use crate::publish::{is_whole, key};
use arrow_array::RecordBatch;
use jiff::SignedDuration;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReaderBuilder,
};
use s4cast::publish::{self, Format, ScoreRow};
use s4cast::store::break_memory;
use std::fs::File;
use std::path::Path;

#[test]
fn a_run_stands_in_the_store_and_its_copy_is_read_as_ever() {
    let machine = Machine::new(&fresh("run"));
    let run = machine.publish(&key("load", 1, DAY), 5).unwrap();
    assert_eq!((run.rows, run.waits_for.len(), machine.here()), (10, 0, vec![("run-1".into(), 10)]));
    let folder = "job=load/issued_date=1970-01-02/run_id=run-1";
    let short = &run.sha256[..12];
    let names = machine.there();
    let correction = names.iter().find(|name| name.contains("_correction-")).unwrap().clone();
    let expected = [
        format!("{folder}/_commit.json"),
        correction,
        format!("{folder}/_part-0-of-1.json"),
        format!("{folder}/part-0-{short}.parquet"),
        "latest/job=load/_latest.json".into(),
        "latest/job=load/part-0.parquet".into(),
    ];
    assert_eq!(names, expected);
    assert_eq!(machine.committed().into_iter().collect::<Vec<_>>(), [("run-1".to_owned(), 10)]);
    let pointer = machine.text("latest/job=load/_latest.json").unwrap();
    assert_eq!((pointer["folder"].as_str(), pointer["rows"].as_u64()), (Some(folder), Some(10)));
    assert_eq!(pointer["files"][0], format!("part-0-{short}.parquet"));
    assert_eq!((machine.latest(), machine.pointer()), (Some("run-1".into()), Some("run-1".into())));
    let commit = publish::latest(&machine.sink.path, "load").unwrap().unwrap();
    assert_eq!(publish::read_correction(&commit).unwrap().unwrap(), "{\"1h\": 5}");
    // One list tells that nothing has changed.
    assert_eq!(machine.pull(), 0);
}

#[test]
fn what_is_committed_stays_and_whoever_comes_later_has_it_too() {
    let store = fresh("two");
    let (a, b) = (Machine::new(&store), Machine::new(&store));
    a.publish(&key("load", 1, DAY), 5).unwrap();
    assert_eq!((b.pull(), b.here()), (1, vec![("run-1".into(), 10)]));
    let commit = publish::latest(&b.sink.path, "load").unwrap().unwrap();
    assert_eq!(publish::read_correction(&commit).unwrap().unwrap(), "{\"1h\": 5}");

    let theirs = b.publish(&key("load", 2, 2 * DAY), 7).unwrap();
    let ours = a.publish(&key("load", 2, 2 * DAY), 9).unwrap();
    assert_eq!((ours.sha256, ours.rows), (theirs.sha256.clone(), 14));
    assert_eq!(a.here(), b.here());
    // Nothing of the attempt that came second is left, and a third one changes nothing.
    let parts = |machine: &Machine| machine.there().iter().filter(|name| name.contains("/part-0-")).count();
    assert_eq!(parts(&a), 2);
    assert_eq!(b.publish(&key("load", 2, 2 * DAY), 9).unwrap().sha256, theirs.sha256);
    assert_eq!((parts(&a), a.latest(), a.pointer()), (2, Some("run-2".into()), Some("run-2".into())));

    // An older run moves nothing.
    a.publish(&key("load", 0, 0), 3).unwrap();
    assert_eq!((a.latest(), a.pointer()), (Some("run-2".into()), Some("run-2".into())));
    let fresh_one = Machine::new(&store);
    publish::recover(&fresh_one.sink, "load").unwrap();
    assert_eq!(fresh_one.here(), a.here());
}

#[test]
fn readers_that_open_twice_survive_two_publishers() {
    let store = fresh("twice");
    let machines = [Machine::new(&store), Machine::new(&store)];
    let at = tempfile::tempdir().unwrap();
    let copy = |number: usize| {
        let path = at.path().join(number.to_string());
        machines[0].store.download("latest/job=load/part-0.parquet", &path).unwrap().unwrap();
        path
    };
    let footer = |path: &Path| {
        ArrowReaderMetadata::load(&File::open(path).unwrap(), ArrowReaderOptions::new()).unwrap()
    };
    let mut before: Option<std::path::PathBuf> = None;
    for number in 0..12 {
        let machine = &machines[usize::from(number % 3 == 2)];
        machine.publish(&key("load", number, number as i64 * DAY), 5 + number % 4).unwrap();
        let now = copy(number);
        if let Some(before) = before {
            let reader = ParquetRecordBatchReaderBuilder::new_with_metadata(
                File::open(&now).unwrap(),
                footer(&before),
            );
            let found: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
            assert!(is_whole(&found), "with the footer of the run before {number}");
            // Stores are asked for the size first, and for stretches of that size then.
            let size = before.metadata().unwrap().len() as usize;
            let cut = at.path().join("cut");
            std::fs::write(&cut, &std::fs::read(&now).unwrap()[..size]).unwrap();
            let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(&cut).unwrap()).unwrap();
            let found: Vec<RecordBatch> = reader.build().unwrap().map(|batch| batch.unwrap()).collect();
            assert!(is_whole(&found), "with the size of the run before {number}");
        }
        before = Some(now);
    }
}

#[test]
fn old_runs_go_there_first_and_then_everywhere() {
    let store = fresh("prune");
    let (mut a, b) = (Machine::new(&store), Machine::new(&store));
    for run in 1..=4 {
        a.publish(&key("load", run, run as i64 * DAY), 5).unwrap();
    }
    assert_eq!(b.pull(), 4);
    a.sink.retention = Some(SignedDuration::from_hours(60));
    let removed = publish::prune(&a.sink, "load", 4 * DAY).unwrap();
    assert_eq!((removed.len(), a.here().len(), a.committed().len()), (1, 3, 3));
    assert!(!a.there().iter().any(|name| name.contains("run_id=run-1")));
    assert_eq!((b.pull(), b.here()), (1, a.here()));

    // What is too old does not come, and goes all the same.
    let mut late = Machine::new(&store);
    late.sink.retention = Some(SignedDuration::from_hours(12));
    assert_eq!(late.pull(), 2);
    publish::prune(&late.sink, "load", 6 * DAY).unwrap();
    assert_eq!(late.committed().into_keys().collect::<Vec<_>>(), ["run-4"]);
    assert_eq!((b.pull(), b.here()), (2, vec![("run-4".into(), 10)]));

    // If the store does not let go, nothing goes here.
    a.publish(&key("load", 5, 5 * DAY), 5).unwrap();
    break_memory(&store, s4cast::store::Fault::Fails, 0, 1_000);
    assert!(publish::prune(&a.sink, "load", 9 * DAY).is_err());
    s4cast::store::mend_memory(&store);
    assert_eq!(a.here().len(), 2);
}

#[test]
fn a_sink_that_moves_begins_anew_and_csv_works_too() {
    let (one, other) = (fresh("from"), fresh("to"));
    let mut machine = Machine::new(&one);
    machine.sink.format = Format::Csv;
    machine.publish(&key("load", 1, DAY), 5).unwrap();
    let part = machine.store.get("latest/job=load/part-0.csv", 1 << 20).unwrap().unwrap();
    assert_eq!(std::fs::read(machine.sink.path.join("latest/job=load/part-0.csv")).unwrap(), part);

    machine.sink.format = Format::Parquet;
    machine.publish(&key("load", 2, 2 * DAY), 5).unwrap();
    let latest: Vec<String> =
        machine.there().into_iter().filter(|name| name.starts_with("latest/")).collect();
    assert_eq!(latest, ["latest/job=load/_latest.json", "latest/job=load/part-0.parquet"]);

    let elsewhere = Machine::new(&other);
    machine.sink.remote = elsewhere.sink.remote.clone();
    machine.publish(&key("load", 3, 3 * DAY), 5).unwrap();
    assert_eq!(machine.here(), [("run-3".to_owned(), 10)]);
    assert_eq!(machine.committed().len(), 2, "what stands at the address before stays");
    assert_eq!(elsewhere.latest(), Some("run-3".into()));
}

#[test]
fn tables_follow_the_side_that_changed() {
    let store = fresh("side");
    let (a, b) = (Machine::new(&store), Machine::new(&store));
    let row = |run: &str| ScoreRow {
        run_id: run.into(),
        issued_at: 5,
        model_version: 2,
        steps: (1, 24),
        segment: None,
        points: 48,
        mase: 0.5,
        mase_seasonal_naive: 1.0,
        bias: -0.1,
        mae: 2.0,
        size: 30.0,
        pinball: None,
        intervals: vec![],
        is_final: true,
    };
    let path = |machine: &Machine| publish::scores_path(&machine.sink.path, "load").unwrap();
    let sync = |machine: &Machine| publish::sync_files(&machine.sink, "load").unwrap();
    publish::write_scores(&path(&a), &[row("a")]).unwrap();
    assert_eq!((sync(&a), sync(&a), sync(&b), sync(&b)), (1, 0, 1, 0));
    assert_eq!(publish::read_scores(&path(&b)).unwrap(), [row("a")]);
    publish::write_scores(&path(&b), &[row("a"), row("b")]).unwrap();
    assert_eq!((sync(&b), sync(&a), sync(&a)), (1, 1, 0));
    assert_eq!(publish::read_scores(&path(&a)).unwrap().len(), 2);
    let report = a.sink.path.join("backtests/job=load/summer.parquet");
    std::fs::create_dir_all(report.parent().unwrap()).unwrap();
    std::fs::write(&report, "rows").unwrap();
    assert_eq!((sync(&a), sync(&b)), (1, 1));
    assert!(b.sink.path.join("backtests/job=load/summer.parquet").exists());
    a.store.delete("backtests/job=load/summer.parquet").unwrap();
    assert_eq!((sync(&b), sync(&a)), (1, 1));
    assert!(!report.exists());
}

#[test]
fn a_folder_that_machines_share_is_a_store_too() {
    let shared = tempfile::tempdir().unwrap();
    let store = format!("file://{}", shared.path().display());
    let (a, b) = (Machine::new(&store), Machine::new(&store));
    a.publish(&key("load", 1, DAY), 5).unwrap();
    b.publish(&key("load", 2, 2 * DAY), 7).unwrap();
    assert_eq!(a.publish(&key("load", 2, 2 * DAY), 9).unwrap().rows, 14);
    assert_eq!((a.here(), a.latest(), a.pointer()), (b.here(), Some("run-2".into()), Some("run-2".into())));
    assert_eq!(a.committed().len(), 2);
    assert!(shared.path().join("lake/latest/job=load/part-0.parquet").is_file());
}
