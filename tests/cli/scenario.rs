//! What if: scenarios from the command line and from files.

use super::covariates::shops;
use super::program::{Place, Run};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::fs::File;
use std::path::Path;

const COMMON: &str = "--id shop --target y -H 7 --model ridge --future-covariates promo,event";

/// A published row: series, scenario, time, point.
type Row = (String, Option<String>, i64, f64);

fn rows(path: &Path) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap().map(Result::unwrap) {
        let (ids, scenarios) = (batch["unique_id"].as_string::<i32>(), batch["scenario"].as_string::<i32>());
        let times = batch["ds"].as_primitive::<TimestampMicrosecondType>();
        let points = batch["yhat"].as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let scenario = scenarios.iter().nth(row).unwrap().map(String::from);
            rows.push((ids.value(row).into(), scenario, times.value(row), points.value(row)));
        }
    }
    rows
}

fn of(rows: &[Row], scenario: Option<&str>) -> Vec<(String, i64, f64)> {
    let own = rows.iter().filter(|row| row.1.as_deref() == scenario);
    own.map(|(id, _, time, point)| (id.clone(), *time, *point)).collect()
}

/// Runs a forecast with scenarios, each an argument of its own.
fn forecast(place: &Place, scenarios: &[&str], output: &str, more: &[&str]) -> Run {
    let mut command = place.command();
    command.args(["forecast", "in.csv", "-o", output]).args(COMMON.split_whitespace()).args(more);
    for scenario in scenarios {
        command.args(["--scenario", scenario]);
    }
    Run::of(command.output().unwrap())
}

#[test]
fn scenarios_stand_beside_the_plain_forecast_which_stays_what_it_was() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    forecast(&place, &[], "plain.parquet", &[]).expect(0);
    let scenarios = ["promo=1", "quiet: promo=false, event=none", "more: promo=+100%"];
    let document = forecast(&place, &scenarios, "out.parquet", &["--json"]).expect(0).json();
    let (plain, all) = (rows(&place.path("plain.parquet")), rows(&place.path("out.parquet")));
    assert_eq!(of(&all, None), of(&plain, None), "bit for bit");
    assert_eq!((plain.len(), all.len()), (14, 4 * 14));
    assert_eq!(document["output"]["rows"], 56);

    // A promotion sells four times as much as none.
    let sold = |scenario: Option<&str>| of(&all, scenario).iter().map(|row| row.2).sum::<f64>();
    let (every_day, never) = (sold(Some("promo=1")), sold(Some("quiet")));
    assert!(every_day > 2.5 * never, "{every_day} with a promotion every day, {never} without any");
    assert!(never < sold(None) && sold(None) < every_day);
    let summaries = document["scenarios"].as_array().unwrap();
    let names: Vec<&str> = summaries.iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["promo=1", "quiet", "more"], "as they were asked for");
    assert_eq!(summaries[1]["changes"], serde_json::json!(["promo = false", "event = none"]));
    let mean = summaries[0]["mean"].as_f64().unwrap();
    assert!((mean - every_day / 14.0).abs() < 1e-9 * mean, "{mean}");
    let change = summaries[0]["change_of_mean"].as_f64().unwrap();
    assert!((change - (every_day / sold(None) - 1.0)).abs() < 1e-9, "{change}");
    // What is written is sorted by series, then scenario, then time.
    let places: Vec<_> = all.iter().map(|row| (&row.0, &row.1, row.2)).collect();
    assert!(places.is_sorted());

    let page = forecast(&place, &scenarios, "out.parquet", &[]).expect(0).stdout;
    assert!(page.contains("What if   promo=1 (promo = 1): mean of all forecasts +"), "{page}");
    assert!(page.contains("quiet (promo = false, event = none): mean of all forecasts -"), "{page}");
}

#[test]
fn everything_that_is_wrong_is_told_before_training_and_nothing_is_written() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    let scenarios = ["colour=red", "promo=10%", "promo=inf", "a: promo=1", "a: promo=0"];
    let run = forecast(&place, &scenarios, "out.parquet", &["--calendar", "weekday"]).expect(2);
    for words in [
        "--scenario: scenario 'colour=red': column 'colour' is no covariate that is known in advance; the calendar",
        "write +10% for so much more",
        "'inf' is no finite number",
        "there are two scenarios 'a'",
    ] {
        assert!(run.stderr.contains(words), "{words} not in {}", run.stderr);
    }
    // What only the data tells, all at once too.
    let run = forecast(&place, &["event=flood", "event=+1", "promo=much"], "out.parquet", &[]).expect(2);
    for words in ["has never held 'flood'; choose one of fair, none", "holds names", "'much' is none"] {
        assert!(run.stderr.contains(words), "{words} not in {}", run.stderr);
    }
    let past = place.run(
        "forecast in.csv --id shop --target y -H 7 --past-covariates promo --scenario promo=1 -o o.parquet",
    );
    assert!(past.expect(2).stderr.contains("is known as far as the target"));
    let ets = place.run("forecast in.csv --id shop --target y -H 7 --future-covariates promo --model ets --scenario promo=1 -o o.parquet");
    assert!(ets.expect(2).stderr.contains("model ets reads no covariates"));
    assert_eq!(place.names(), ["in.csv"]);
}

#[test]
fn a_file_names_its_scenarios_and_flags_win_over_it() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    let file = "[source]\ninputs = \"in.csv\"\nid = \"shop\"\ntarget = \"y\"\nfuture_covariates = [\"promo\", \"event\"]\n\
                [model]\nhorizon = 7\nkind = \"ridge\"\n[output]\npath = \"out.parquet\"\n\
                [output.scenarios]\nquiet = \"promo=0, event=none\"\nbusy = \"promo=1\"\n";
    place.put("job.toml", file);
    place.run("validate -c job.toml").expect(0);
    place.run("forecast -c job.toml").expect(0);
    let names = |rows: &[Row]| {
        let mut names: Vec<Option<String>> = rows.iter().map(|row| row.1.clone()).collect();
        names.dedup();
        names.truncate(names.len() / 2);
        names
    };
    let expected = [None, Some("busy".into()), Some("quiet".into())];
    assert_eq!(names(&rows(&place.path("out.parquet"))), expected);
    place.run("forecast -c job.toml --scenario promo=1").expect(0);
    assert_eq!(names(&rows(&place.path("out.parquet"))), [None, Some("promo=1".into())]);
    place.put("wrong.toml", file.replace("promo=0, event", "promo=0, evnt"));
    let run = place.run("validate -c wrong.toml").expect(78);
    let text = format!("{}{}", run.stdout, run.stderr);
    assert!(text.contains("scenario 'quiet': column 'evnt' is no covariate"), "{text}");
}

const DAEMON: &str = r#"schema_version = 1
[source.s]
inputs = "in.csv"
id = "shop"
target = "y"
future_covariates = ["promo", "event"]
[model.m]
kind = "ridge"
horizon = 7
[sink.o]
path = "out"
[job.a]
source = "s"
model = "m"
sink = "o"
forecast = { cron = "0 6 * * *" }
scenarios = { busy = "promo=1" }
"#;

#[test]
fn every_run_of_a_job_publishes_its_scenarios() {
    let place = Place::new();
    place.put("in.csv", shops("none"));
    place.put("d.toml", DAEMON);
    place.run("validate -c d.toml").expect(0);
    let document = place.run("run a -c d.toml --slot 2025-02-03T06:00:00Z --json").expect(0).json();
    let text = document.to_string();
    assert!(text.contains("\"scenarios\":[{\"change_of_mean\":"), "{text}");
    let all = rows(&place.path("out/latest/job=a/part-0.parquet"));
    assert_eq!((of(&all, None).len(), of(&all, Some("busy")).len()), (14, 14));
    place.put("n.toml", DAEMON.replace("path = \"out\"", "path = \"out\"\ncolumns = \"nixtla\""));
    let run = place.run("validate -c n.toml").expect(78);
    assert!(format!("{}{}", run.stdout, run.stderr).contains("which have none for scenarios"));
}
