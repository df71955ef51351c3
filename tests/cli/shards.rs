//! `forecast --shard`: the union of N shards is the run of one process, row for row and bit for bit, and no run is committed that
//! lacks a shard.

use super::program::{Place, Run};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use arrow_array::{Array, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;

/// Flags that fix what a run is called, so that two runs can be compared.
const RUN: &str = "--run-id r-1 --issued-at 2024-06-01";

/// Rows by series, time and scenario: every column, numbers by their bits. When rows were written is left out.
pub type Rows = BTreeMap<String, String>;

fn cell(column: &dyn Array, row: usize) -> String {
    match column.data_type() {
        _ if column.is_null(row) => "null".into(),
        DataType::Utf8 => column.as_string::<i32>().value(row).into(),
        DataType::Float64 => format!("{:x}", column.as_primitive::<Float64Type>().value(row).to_bits()),
        DataType::Int32 => column.as_primitive::<Int32Type>().value(row).to_string(),
        DataType::Timestamp(..) => column.as_primitive::<TimestampMicrosecondType>().value(row).to_string(),
        other => panic!("a column of {other}"),
    }
}

pub fn add(rows: &mut Rows, path: &Path) {
    let builder = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let batches: Vec<RecordBatch> = builder.build().unwrap().map(Result::unwrap).collect();
    for batch in &batches {
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let mut text = String::new();
            for (field, column) in schema.fields().iter().zip(batch.columns()) {
                if field.name() != "created_at" {
                    write!(text, "{}={} ", field.name(), cell(column, row)).unwrap();
                }
            }
            let key = ["unique_id", "ds", "scenario"].map(|name| cell(&batch[name], row)).join("|");
            assert!(rows.insert(key.clone(), text).is_none(), "{key} twice");
        }
    }
}

fn whole(place: &Place, file: &str) -> Rows {
    let mut rows = Rows::new();
    add(&mut rows, &place.path(file));
    rows
}

/// The commit of the run in a folder, if there is one.
pub fn commit_at(folder: &Path) -> Option<serde_json::Value> {
    let text = std::fs::read(folder.join("_commit.json")).ok()?;
    Some(serde_json::from_slice(&text).unwrap())
}

fn commit(place: &Place, folder: &str) -> Option<serde_json::Value> {
    commit_at(&place.path(folder))
}

/// The rows of a committed run, by the files that its commit names.
fn committed(place: &Place, folder: &str) -> Rows {
    let commit = commit(place, folder).expect("committed");
    let mut rows = Rows::new();
    let files = commit["files"].as_array().unwrap();
    files.iter().for_each(|file| add(&mut rows, &place.path(folder).join(file.as_str().unwrap())));
    assert_eq!(commit["rows"], rows.len());
    assert_eq!(commit["parts"].as_array().unwrap().len(), files.len());
    rows
}

fn shard(place: &Place, flags: &str, shard: &str, folder: &str) -> Run {
    place.run(&format!("forecast {flags} --shard {shard} -o {folder}"))
}

fn day(step: i64) -> jiff::civil::Date {
    jiff::civil::date(2021, 1, 1).saturating_add(jiff::Span::new().days(step))
}

/// `id,ds,y,price,promo,region`: daily series of all kinds, whose forecasts depend on what others are there.
///
/// Some are too short to tell their step, some ended long ago, some are weekly, some cannot be used, one ends in missing
/// values; the longest decides how far the calendar reaches, and a promotion occurs in one series alone.
fn panel() -> String {
    let mut text = String::from("id,ds,y,price,promo,region\n");
    let mut row = |id: i64, at: i64, y: &str, promo: &str| {
        let price = 5.0 + ((id * 7 + at) % 5) as f64 / 4.0;
        writeln!(text, "s{id:02},{},{y},{price},{promo},r{}", day(at), id % 3).unwrap();
    };
    let value = |id: i64, at: i64| {
        let noise = (id * 31 + at * 17) % 23;
        format!("{}", 20 + id % 9 + [0, 3, 5, 4, 2, 9, 11][(at % 7) as usize] + noise % 4)
    };
    for id in 0..60 {
        let (first, last, step) = match id {
            // A series of two values, or of five, a week apart like nothing else.
            3 | 17 => (895, 897, 1),
            29 => (860, 896, 7),
            // Ended long before the others.
            8 | 21 => (300, 700, 1),
            // Weekly.
            11 | 40 | 41 => (9, 894, 7),
            // Two years and a half.
            5 => (0, 900, 1),
            _ => (600 + id, 900 - id % 3, 1),
        };
        for at in (first..last).step_by(step) {
            let y = match id {
                14 | 33 if at == last - 20 => "broken".into(),
                25 if at >= last - 4 => String::new(),
                _ => value(id, at),
            };
            row(
                id,
                at,
                &y,
                if id == 38 && at % 50 == 0 {
                    "flood"
                } else if at % 9 == 0 {
                    "sale"
                } else {
                    "none"
                },
            );
        }
        // What is known in advance.
        for ahead in 0..14 {
            row(id, last + ahead * step as i64, "", if ahead == 2 { "sale" } else { "none" });
        }
    }
    text
}

const PANEL: &str = "in.csv --id id --time ds --target y --future-covariates price,promo --static-covariates region \
     --calendar auto --holidays DE --missing-covariates last";

#[test]
fn shards_of_a_loaded_model_are_the_run_of_one_process_bit_for_bit() {
    let place = Place::new();
    place.put("in.csv", panel());
    let save = format!(
        "forecast {PANEL} -H 7 --model ridge --preset fast -o fit.parquet --save-model m.safetensors {RUN}"
    );
    place.run(&save).expect(0);
    let flags = format!("{PANEL} --load-model m.safetensors --scenario promo=flood {RUN}");
    let one = place.run(&format!("forecast {flags} -o one.parquet --json")).expect(0).json();
    let expected = whole(&place, "one.parquet");
    let statuses: Vec<&str> = one["statuses"].as_object().unwrap().keys().map(String::as_str).collect();
    assert!(statuses.contains(&"stale") && statuses.contains(&"ok"), "{statuses:?}");
    assert_eq!(one["source"]["quarantined"].as_array().unwrap().len(), 2);
    for count in [7, 8] {
        let folder = format!("run-{count}");
        for index in 0..count {
            assert!(commit(&place, &folder).is_none(), "{index} of {count}");
            let run = shard(&place, &flags, &format!("{index}/{count}"), &folder).expect(0);
            let is_last = index + 1 == count;
            assert_eq!(run.stdout.contains("is committed in file:///"), is_last, "{}", run.stdout);
            assert_eq!(run.stdout.contains("waits for shard"), !is_last);
        }
        assert_eq!(committed(&place, &folder), expected, "{count}");
    }
    // Everything that is repeated is what it was.
    let before = std::fs::read(place.path("run-7/_commit.json")).unwrap();
    let again = place.run(&format!("forecast {flags} --shard 3/7 -o run-7 --json")).expect(0).json();
    assert_eq!(again["shard"]["committed"], true);
    assert_eq!(std::fs::read(place.path("run-7/_commit.json")).unwrap(), before);
    assert_eq!(committed(&place, "run-7"), expected);
}

#[test]
fn shards_that_train_see_everything_and_forecast_their_own() {
    let place = Place::new();
    place.put("in.csv", panel());
    for (model, count) in [("ridge", 3), ("ets", 2)] {
        let flags = format!("{PANEL} -H 7 --model {model} --preset fast {RUN}");
        place.run(&format!("forecast {flags} -o {model}.parquet")).expect(0);
        for index in 0..count {
            shard(&place, &flags, &format!("{index}/{count}"), model).expect(0);
        }
        assert_eq!(committed(&place, model), whole(&place, &format!("{model}.parquet")), "{model}");
    }
}

#[test]
fn what_networks_and_counts_say_of_a_series_does_not_depend_on_its_neighbours() {
    let place = Place::new();
    let mut text = String::from("id,ds,y\n");
    for id in 0..9 {
        for at in 0..120 + id {
            let y = (id * 31 + at * 17) % 13 * (at % 7) * i64::from((at + id) % 3 == 0);
            writeln!(text, "{id},{},{y}", day(at)).unwrap();
        }
    }
    place.put("in.csv", text);
    for model in ["s4d", "counts", "ensemble"] {
        let save = format!(
            "forecast in.csv -H 7 --model {model} --preset fast -o fit.parquet --save-model m.safetensors"
        );
        place.run(&save).expect(0);
        let flags = format!("in.csv --load-model m.safetensors {RUN}");
        place.run(&format!("forecast {flags} -o one.parquet")).expect(0);
        for index in 0..4 {
            shard(&place, &flags, &format!("{index}/4"), model).expect(0);
        }
        assert_eq!(committed(&place, model), whole(&place, "one.parquet"), "{model}");
    }
}

#[test]
fn a_killed_shard_leaves_no_commit_and_its_repetition_completes_the_run() {
    let place = Place::new();
    place.put("in.csv", panel());
    let flags = format!("{PANEL} -H 7 --model seasonal_naive");
    for index in [6, 0, 4, 1, 5, 3] {
        shard(&place, &flags, &format!("{index}/7"), "run").expect(0);
    }
    assert!(commit(&place, "run").is_none());
    let mut child = place.command();
    let words = format!("forecast {flags} --shard 2/7 -o run");
    let mut child = child.args(words.split_whitespace()).stdout(std::process::Stdio::null()).spawn().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(commit(&place, "run").is_none());
    // It waits, and says so by its code.
    let late = place.run(&format!("forecast {flags} --shard 1/7 -o run --shard-timeout 1s")).expect(3);
    assert!(late.stdout.contains("waits for shard 2 of 7"), "{}", late.stdout);
    let last = shard(&place, &flags, "2/7", "run").expect(0);
    assert!(last.stdout.contains("is committed"), "{}", last.stdout);
    place.run(&format!("forecast {flags} -o one.parquet")).expect(0);
    // Nobody was told what the run is called: the first shard named it, and all rows say so.
    let id = commit(&place, "run").unwrap()["run_id"].as_str().unwrap().to_owned();
    let rows = committed(&place, "run");
    assert!(rows.values().all(|row| row.contains(&format!("run_id={id} "))));
    assert_eq!(rows.len(), whole(&place, "one.parquet").len());
}

#[test]
fn a_folder_of_another_run_or_of_other_data_is_refused_and_says_why() {
    let place = Place::new();
    place.put("in.csv", panel());
    let flags = format!("{PANEL} -H 7 --model seasonal_naive");
    shard(&place, &flags, "0/2", "run").expect(0);
    let other = shard(&place, &format!("{flags} --seed 9"), "1/2", "run").expect(73);
    assert!(other.stderr.contains("config_sha256 is"), "{}", other.stderr);
    let other = shard(&place, &format!("{flags} --run-id mine"), "1/2", "run").expect(73);
    assert!(other.stderr.contains("name another folder"), "{}", other.stderr);
    // A day later there is more data: these parts do not belong together.
    place.put("in.csv", format!("{}s05,{},7,5,none,r2\n", panel(), day(930)));
    let other = shard(&place, &flags, "1/2", "run").expect(73);
    assert!(other.stderr.contains("source_rows is"), "{}", other.stderr);
    assert!(commit(&place, "run").is_none());
    place.put("in.csv", panel());
    std::fs::remove_file(place.path("run/_part-1-of-2.json")).unwrap();
    shard(&place, &flags, "1/2", "run").expect(0);
    assert!(commit(&place, "run").is_some());
    // The same after the commit: nothing that stands changes.
    let before = committed(&place, "run");
    place.put("in.csv", panel().replace("s05,2023-06-01,", "s05,2023-06-01,1"));
    let shards: Vec<i32> =
        (0..2).filter_map(|index| shard(&place, &flags, &format!("{index}/2"), "run").code).collect();
    assert!(shards.contains(&73), "{shards:?}");
    assert_eq!(committed(&place, "run"), before);
}

#[test]
fn the_environment_alone_shards_nobody_and_what_cannot_be_is_refused() {
    let place = Place::new();
    place.put("in.csv", panel());
    let flags = format!("{PANEL} -H 7 --model seasonal_naive");
    let with = |variables: &[(&str, &str)], words: &str| {
        let mut command = place.command();
        command.envs(variables.iter().copied()).args(words.split_whitespace());
        Run::of(command.output().unwrap())
    };
    let array =
        [("JOB_COMPLETION_INDEX", "1"), ("SLURM_ARRAY_TASK_ID", "1"), ("SLURM_ARRAY_TASK_COUNT", "2")];
    let plain = with(&array, &format!("forecast {flags} -o one.parquet --json")).expect(0).json();
    assert!(plain["shard"].is_null());
    let job = [("S4CAST_SHARD_COUNT", "2"), ("JOB_COMPLETION_INDEX", "1")];
    let part = with(&job, &format!("forecast {flags} -o run --json")).expect(0).json();
    assert_eq!(
        (&part["shard"]["shard"], &part["shard"]["missing"]),
        (&"1/2".into(), &serde_json::json!([0]))
    );
    let half = with(&[("S4CAST_SHARD_COUNT", "2")], &format!("forecast {flags} -o run")).expect(2);
    assert!(half.stderr.contains("nothing says which"), "{}", half.stderr);
    for (words, part) in [
        ("--shard 2/2", "0/2 to 1/2"),
        ("--shard 0/2 --save-model m.safetensors", "--load-model"),
        ("--shard 0/2 --quality q.parquet", "data check"),
        ("--shard 0/2 --budget 9s", "another model"),
        ("--shard-timeout 9s", "waits for nobody"),
        ("--run-id a/b", "no run id"),
        ("--issued-at someday", "--issued-at"),
    ] {
        let run = place.run(&format!("forecast {flags} -o run {words}")).expect(2);
        assert!(run.stderr.contains(part), "{words}: {}", run.stderr);
    }
    let sums = place.run("forecast in.csv -H 7 --hierarchy total --target y --shard 0/2 -o run").expect(2);
    assert!(sums.stderr.contains("no shard forecasts them all"), "{}", sums.stderr);
    let file = place.run(&format!("forecast {flags} -o run.parquet --shard 0/2")).expect(2);
    assert!(file.stderr.contains("the folder of a run"), "{}", file.stderr);
}

#[test]
fn too_many_bad_series_end_every_shard_as_they_end_the_whole() {
    let place = Place::new();
    place.put("in.csv", panel());
    // Two of sixty are bad: shards that have none of them are refused, too, and none that has one of four is by itself.
    let flags = format!("{PANEL} -H 7 --model ridge --preset fast");
    place.run(&format!("forecast {flags} -o fit.parquet --save-model m.safetensors")).expect(0);
    let load = format!("{PANEL} --load-model m.safetensors");
    for index in 0..5 {
        let run =
            shard(&place, &format!("{load} --max-bad-series 1"), &format!("{index}/5"), "strict").expect(65);
        assert!(run.stderr.contains("2 of 60 series cannot be used"), "{}", run.stderr);
        shard(&place, &format!("{load} --max-bad-series 4%"), &format!("{index}/5"), "run").expect(0);
    }
    assert!(commit(&place, "run").is_some() && commit(&place, "strict").is_none());
}
