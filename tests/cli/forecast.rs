//! What a run without any configuration gives.

use super::program::{Place, dataset, weekly};
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

/// The only row group of a small forecast.
pub fn read(path: &Path) -> RecordBatch {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    reader.build().unwrap().next().unwrap().unwrap()
}

pub fn numbers(batch: &RecordBatch, name: &str) -> Vec<f64> {
    batch[name].as_primitive::<Float64Type>().values().to_vec()
}

#[test]
fn air_passengers_without_configuration_is_schema_v1() {
    let place = Place::new();
    let input = dataset("air_passengers.csv");
    // On a busy machine it takes long enough for progress to be told.
    let run = place.run(&format!("forecast {input} -H 12 -o out.parquet --no-progress")).expect(0);
    assert_eq!(place.names(), ["out.parquet"]);
    assert_eq!(run.stderr, "");
    for words in ["1 file, 144 rows", "season of 12 steps", "than seasonal naive", "12 rows", "duckdb -c"] {
        assert!(run.stdout.contains(words), "{words} not in {}", run.stdout);
    }
    assert!(run.stdout.lines().count() <= 15, "{}", run.stdout);

    let batch = read(&place.path("out.parquet"));
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(
        names.join(" "),
        "unique_id ds horizon yhat yhat_lower yhat_upper p02_5 p10 p20 p30 p40 p50 p60 p70 p80 p90 p97_5 \
         cutoff issued_at created_at run_id model_id model_version status scenario weights"
    );
    assert_eq!(batch.num_rows(), 12);
    assert_eq!(batch["horizon"].as_primitive::<Int32Type>().values().to_vec(), (1..=12).collect::<Vec<_>>());
    let stamp = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_microsecond();
    let times = batch["ds"].as_primitive::<TimestampMicrosecondType>().values().to_vec();
    assert_eq!(times[0], stamp("1961-01-01T00:00:00Z"));
    assert_eq!(times[11], stamp("1961-12-01T00:00:00Z"));
    let cutoffs = batch["cutoff"].as_primitive::<TimestampMicrosecondType>();
    assert!(cutoffs.values().iter().all(|cutoff| *cutoff == stamp("1960-12-01T00:00:00Z")));
    assert_eq!(numbers(&batch, "yhat_lower"), numbers(&batch, "p10"));
    assert_eq!(numbers(&batch, "yhat_upper"), numbers(&batch, "p90"));
    // The years before peaked at 548 and 622 in July.
    let point = numbers(&batch, "yhat");
    assert!(point.iter().all(|value| (300.0..900.0).contains(value)), "{point:?}");
    assert!(point[6] > point[1]);
}

#[test]
fn json_is_one_document_with_stable_keys() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let run =
        place.run("forecast in.csv -H 7 -o out.parquet --model ridge --json --quality q.parquet").expect(0);
    let document = run.json();
    let keys =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&document),
        "config_sha256 created_at degraded fits issued_at loaded_model memory model output quality run_id saved_model scenarios \
         seconds shard source statuses weights_sha256"
    );
    assert_eq!(
        keys(&document["source"]),
        "command covariates files fingerprint first_ds last_ds layout notes quarantined roles rows series skipped_files"
    );
    assert_eq!(
        keys(&document["fits"][0]),
        "budget_exhausted fallbacks freq gate holdout interval_scores log_space lookbacks model_id notes parameters \
         season_length series steps steps_tried validation_error weights"
    );
    assert_eq!(
        keys(&document["model"]),
        "budget_seconds horizon integer kind levels max min point preset quantile_levels season_length seed"
    );
    assert_eq!(document["model"]["preset"], "balanced");
    assert_eq!(keys(&document["output"]), "bytes path rows schema_version");
    assert_eq!(document["output"]["rows"], 7);
    assert_eq!(document["output"]["bytes"], place.read("out.parquet").len());
    assert_eq!(document["source"]["rows"], 60);
    assert_eq!(document["fits"][0]["model_id"], "ridge");
    assert_eq!(document["statuses"]["ok"], 1);
    assert_eq!(document["source"]["fingerprint"].as_str().map(str::len), Some(64));
    assert_eq!(place.names(), ["in.csv", "out.parquet", "q.parquet"]);
}

/// Every number that a forecast publishes.
fn cells(path: &Path) -> Vec<f64> {
    let names = ["yhat", "yhat_lower", "yhat_upper", "p02_5", "p10", "p50", "p90", "p97_5"];
    let batch = read(path);
    names.iter().flat_map(|name| numbers(&batch, name)).collect()
}

#[test]
fn counts_have_no_negative_cell_if_asked_and_debts_are_not_clipped_unless_asked() {
    let place = Place::new();
    let counts = dataset("intermittent_counts.csv");
    let run = |input: &str, flags: &str, name: &str| {
        place.run(&format!("forecast {input} -H 14 --model {flags} -o {name}.parquet -q")).expect(0);
        cells(&place.path(&format!("{name}.parquet")))
    };
    for kind in ["ets", "seasonal_naive"] {
        assert!(run(&counts, kind, "free").iter().any(|cell| *cell < 0.0), "{kind}");
        assert!(run(&counts, &format!("{kind} --non-negative"), "kept").iter().all(|cell| *cell >= 0.0));
        let whole = run(&counts, &format!("{kind} --min 0 --max 3 --integer"), "whole");
        assert!(whole.iter().all(|cell| [0.0, 1.0, 2.0, 3.0].contains(cell)), "{kind}: {whole:?}");
    }
    let debts: String = weekly(60).lines().map(|line| format!("{}\n", line.replacen(',', ",-", 1))).collect();
    place.put("debts.csv", debts.replacen("-y", "y", 1));
    assert!(run("debts.csv", "ets", "debts").iter().all(|cell| *cell < 0.0));
}

#[test]
fn the_same_seed_gives_the_same_forecast() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let forecast = |name: &str, threads: u32| {
        place.run(&format!("forecast in.csv -H 7 -o {name} --seed 3 --threads {threads} -q")).expect(0);
        let batch = read(&place.path(name));
        ["yhat", "p02_5", "p97_5"].map(|column| numbers(&batch, column))
    };
    assert_eq!(forecast("a.parquet", 1), forecast("b.parquet", 2));
}

#[test]
fn as_of_drops_what_came_later_and_is_the_nominal_instant() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let run =
        place.run("forecast in.csv -H 3 -o out.parquet --model naive --as-of 2024-01-31 --json").expect(0);
    assert_eq!(run.json()["source"]["last_ds"], "2024-01-31T00:00:00Z");
    assert_eq!(run.json()["issued_at"], "2024-01-31T00:00:00Z");
    let batch = read(&place.path("out.parquet"));
    let first = batch["ds"].as_primitive::<TimestampMicrosecondType>().value(0);
    assert_eq!(first, "2024-02-01T00:00:00Z".parse::<jiff::Timestamp>().unwrap().as_microsecond());
}

#[test]
fn one_bad_series_is_left_out_and_strict_says_so() {
    let place = Place::new();
    let mut text = String::from("site,ds,y\n");
    for site in ["a", "b", "c", "d", "e"] {
        for line in weekly(40).lines().skip(1) {
            text.push_str(&format!("{site},{line}\n"));
        }
    }
    text.push_str("c,2024-01-05,99\n");
    place.put("in.csv", text);
    let arguments = "forecast in.csv -H 3 -o out.parquet --model seasonal_naive";
    let run = place.run(arguments).expect(0);
    assert!(run.stdout.contains("Left out  series c: "), "{}", run.stdout);
    assert_eq!(read(&place.path("out.parquet")).num_rows(), 12);
    place.run(&format!("{arguments} --strict")).expect(3);
    let run = place.run(&format!("{arguments} --max-bad-series 10%")).expect(65);
    assert!(run.stderr.contains("2024-01-05"), "{}", run.stderr);
    place.run(&format!("{arguments} --duplicates last --strict")).expect(0);

    let check = place.run("data check in.csv --json --report q.parquet").expect(65).json();
    assert_eq!(check["series"], 4);
    assert_eq!(check["quarantined"][0]["unique_id"], "c");
    assert_eq!(read(&place.path("q.parquet")).num_rows(), 5);
    place.run("data check in.csv --max-bad-series 1").expect(0);
}

#[test]
fn a_series_is_shown_by_its_id() {
    let place = Place::new();
    let input = dataset("missing_stretches.csv");
    let shown = place.run(&format!("data show {input} --series meter_1 --json")).expect(0).json();
    assert_eq!((shown["steps"].as_u64(), shown["missing"].as_u64()), (Some(360), Some(30)));
    assert_eq!(shown["head"].as_array().map(Vec::len), Some(5));
    let run = place.run(&format!("data show {input} --series meter_1")).expect(0);
    assert!(run.stdout.contains("330 observed, 30 missing"), "{}", run.stdout);
    let run = place.run(&format!("data show {input} --series meter1")).expect(2);
    assert!(run.stderr.contains("did you mean 'meter_1'?"), "{}", run.stderr);
}

#[test]
fn every_command_of_the_demo_works() {
    let place = Place::new();
    let files = place.run("demo d --json").expect(0).json();
    let files = files["files"].as_array().unwrap().clone();
    assert_eq!(files.len(), 5);
    for file in files {
        let command = file["command"].as_str().unwrap().strip_prefix("s4cast ").unwrap();
        let run = place.run(&format!("{command} --model seasonal_naive --json")).expect(0);
        assert_eq!(run.json()["statuses"].as_object().unwrap().keys().collect::<Vec<_>>(), ["ok"]);
    }
}

/// Twenty-four levels under noise and random walks, one row a day.
fn levels_and_walks() -> String {
    let start = jiff::civil::date(2024, 1, 1);
    let noise = |series: u32, day: u32| {
        let x = (f64::from(series * 7919 + day * 31 + 5) * 12.9898).sin() * 43_758.547;
        x - x.floor() - 0.5
    };
    let mut text = String::from("unique_id,ds,y\n");
    for series in 0..24_u32 {
        let mut level = 60.0 + f64::from(series);
        for day in 0..90_u32 {
            let date = start.saturating_add(jiff::Span::new().days(i64::from(day)));
            let y = if series.is_multiple_of(2) {
                level + 12.0 * noise(series, day)
            } else {
                level += 4.0 * noise(series, day);
                level
            };
            text.push_str(&format!("s{series},{date},{y:.3}\n"));
        }
    }
    text
}

#[test]
fn every_row_of_an_ensemble_names_its_models_and_their_weights() {
    let place = Place::new();
    place.put("in.csv", levels_and_walks());
    let run =
        place.run("forecast in.csv -H 5 -o out.parquet --model ensemble --preset fast --json").expect(0);
    let fit = &run.json()["fits"][0];
    assert_eq!(fit["model_id"], "ensemble", "{fit}");
    let mean: f64 = fit["weights"].as_object().unwrap().values().filter_map(|one| one.as_f64()).sum();
    assert!((mean - 1.0).abs() < 1e-9, "{fit}");
    let batch = read(&place.path("out.parquet"));
    let (ids, weights) = (batch["model_id"].as_string::<i32>(), batch["weights"].as_string::<i32>());
    assert_eq!(batch.num_rows(), 24 * 5);
    let mut names = std::collections::BTreeSet::new();
    for row in 0..batch.num_rows() {
        let parts: Vec<(&str, f64)> = weights
            .value(row)
            .split(',')
            .map(|part| part.split_once(':').unwrap())
            .map(|(name, weight)| (name, weight.parse().unwrap()))
            .collect();
        assert!((parts.iter().map(|(_, weight)| weight).sum::<f64>() - 1.0).abs() < 1e-3, "{parts:?}");
        let has_local = parts.iter().any(|(name, _)| ["ets", "mstl", "seasonal_naive"].contains(name));
        let id = ids.value(row);
        assert!(id == "ensemble" || !has_local || parts == [(id, 1.0)], "{id} {parts:?}");
        names.extend(parts.iter().map(|(name, _)| (*name).to_owned()));
    }
    assert!(names.contains("ets") && names.contains("ridge"), "{names:?}");
    // Any other model says what it is, too.
    place.run("forecast in.csv -H 5 -o out.parquet --model ets -q").expect(0);
    let batch = read(&place.path("out.parquet"));
    assert_eq!(batch["weights"].as_string::<i32>().value(0), "ets:1");
    let summary = place.run("forecast in.csv -H 5 -o out.parquet --model ensemble --preset fast").expect(0);
    assert!(summary.stdout.contains(" % ets"), "{}", summary.stdout);
}
