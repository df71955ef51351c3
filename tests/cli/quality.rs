//! Bad and odd series from the files to the published forecast: policies, quarantine, suspicion, the quality report.

use super::program::{Place, daily};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::Float64Type;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::BTreeMap;
use std::fs::File;

/// The texts of some columns, row by row; empty where there is none.
fn texts<const N: usize>(place: &Place, file: &str, names: [&str; N]) -> Vec<[String; N]> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(place.path(file)).unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let cell = |name: &str, row: usize| {
            let column = batch[name].as_string::<i32>();
            if column.is_null(row) { String::new() } else { column.value(row).to_owned() }
        };
        rows.extend((0..batch.num_rows()).map(|row| names.map(|name| cell(name, row))));
    }
    rows
}

fn numbers(place: &Place, file: &str, name: &str) -> Vec<Option<f64>> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(place.path(file)).unwrap()).unwrap();
    let batches = reader.build().unwrap().map(Result::unwrap);
    batches.flat_map(|batch| batch[name].as_primitive::<Float64Type>().iter().collect::<Vec<_>>()).collect()
}

/// A week with a little noise that no seed decides.
fn metered(step: u32) -> f64 {
    100.0 + f64::from(step % 7) * 5.0 + f64::from(step * step % 11) / 2.0
}

/// `id,ds,y` of some series, a row a day.
fn meters(ids: &[&str], rows: u32, value: impl Fn(&str, u32) -> f64) -> String {
    let of = |id: &&str| -> String {
        let lines = daily(rows, |step| value(id, step).to_string());
        lines.lines().skip(1).map(|line| format!("{id},{line}\n")).collect()
    };
    format!("id,ds,y\n{}", ids.iter().map(of).collect::<String>())
}

/// A thousand series, of which the first `bad` hold a word.
fn thousand(bad: usize) -> String {
    let value = |id: usize, day: usize| match (id < bad, day) {
        (true, 3) => "oops".to_owned(),
        _ => (id % 7 + day % 3).to_string(),
    };
    let rows = |id| (1..=9).map(move |day| (id, day));
    let lines =
        (0..1000).flat_map(rows).map(|(id, day)| format!("s{id:04},2024-01-0{day},{}\n", value(id, day)));
    format!("id,ds,y\n{}", lines.collect::<String>())
}

#[test]
fn repeated_rows_without_a_policy_are_refused() {
    let place = Place::new();
    place.put("in.csv", "ds,y\n2024-01-01,1\n2024-01-02,2\n2024-01-02,3\n2024-01-03,4\n2024-01-04,5\n");
    let run = place.run("forecast in.csv -H 2 --model naive -o out.parquet").expect(65);
    assert!(run.stderr.contains("duplicates"), "{}", run.stderr);
    assert_eq!(place.names(), ["in.csv"]);
    place.run("forecast in.csv -H 2 --model naive --duplicates mean -o out.parquet").expect(0);
}

#[test]
fn one_bad_series_of_a_thousand_is_quarantined_and_the_others_are_forecast() {
    let place = Place::new();
    place.put("in.csv", thousand(1));
    let run = "forecast in.csv -H 2 --model seasonal_naive -o out.parquet --quality q.parquet --json";
    let document = place.run(run).expect(0).json();
    assert_eq!(document["source"]["quarantined"].as_array().map(Vec::len), Some(1));
    let mut ids: Vec<String> =
        texts(&place, "out.parquet", ["unique_id"]).into_iter().map(|[id]| id).collect();
    ids.dedup();
    assert_eq!((ids.len(), ids.first().map(String::as_str)), (999, Some("s0001")));
    let report = texts(&place, "q.parquet", ["unique_id", "verdict", "reasons"]);
    assert_eq!(report.len(), 1000);
    let left_out: Vec<_> = report.iter().filter(|[_, verdict, _]| verdict == "quarantined").collect();
    assert_eq!((left_out.len(), left_out[0][0].as_str()), (1, "s0000"));
    assert!(left_out[0][2].contains("in.csv: line 4") && left_out[0][2].contains("'oops'"), "{left_out:?}");
}

#[test]
fn too_many_bad_series_publish_nothing() {
    let place = Place::new();
    place.put("in.csv", thousand(300));
    place.put("out.parquet", "what stood there before");
    let run = "forecast in.csv -H 2 --model seasonal_naive -o out.parquet --quality q.parquet";
    let refused = place.run(run).expect(65);
    assert!(refused.stderr.contains("300 of 1000 series"), "{}", refused.stderr);
    assert_eq!(place.read("out.parquet"), b"what stood there before");
    assert_eq!(place.names(), ["in.csv", "out.parquet"]);
    place.run(&format!("{run} --max-bad-series 300")).expect(0);
}

#[test]
fn the_report_has_a_row_for_every_series_and_says_the_same_as_json() {
    let place = Place::new();
    let holes = meters(&["a", "b", "c"], 60, |_, step| metered(step));
    let is_hole = |line: &&str| !(line.starts_with("b,2024-01-1") || line.starts_with("c,2024-02-01"));
    let kept: Vec<&str> = holes.lines().filter(is_hole).collect();
    place.put("in.csv", kept.join("\n"));
    let document = place.run("data check in.csv --gaps linear --report q.parquet --json").expect(0).json();
    let quality = document["quality"].as_array().unwrap();
    let filled: Vec<_> = quality.iter().map(|one| one["filled"].as_u64().unwrap()).collect();
    assert_eq!(filled, [0, 10, 1]);
    let report = texts(&place, "q.parquet", ["unique_id", "verdict", "freq"]);
    assert_eq!(report.len(), quality.len());
    for (row, one) in report.iter().zip(quality) {
        let want = ["unique_id", "verdict", "freq"].map(|name| one[name].as_str().unwrap().to_owned());
        assert_eq!(*row, want);
    }
    let notes = document["notes"].to_string();
    assert!(notes.contains("11 missing steps are filled with a line between their neighbours"), "{notes}");
    let page = place.run("data check in.csv --gaps linear").expect(0).stdout;
    assert!(page.contains("11 filled"), "{page}");
}

#[test]
fn what_was_filled_is_no_actual_and_a_backtest_knows_what_a_forecast_would() {
    let place = Place::new();
    let all = daily(80, |step| metered(step).to_string());
    // The last six days are 15 to 20 March; nothing was written from the 13th to the 17th, nor on 5 March.
    let holes = ["05", "13", "14", "15", "16", "17"].map(|day| format!("2024-03-{day}"));
    let kept: Vec<&str> = all.lines().filter(|line| !holes.iter().any(|day| line.starts_with(day))).collect();
    place.put("in.csv", kept.join("\n"));
    let actuals = |gaps: &str| {
        let keys = format!("in.csv -H 6 --gaps {gaps}");
        place.run(&format!("backtest {keys} --windows 1 --models ridge -o bt.parquet")).expect(0);
        // A line to a value that nobody had seen yet would show here.
        let as_of = "--model ridge --as-of 2024-03-14T12:00:00Z -o f.parquet";
        place.run(&format!("forecast {keys} {as_of}")).expect(0);
        let models = texts(&place, "bt.parquet", ["model"]);
        let of_ridge = |name: &str| -> Vec<Option<f64>> {
            let values = numbers(&place, "bt.parquet", name).into_iter().zip(&models);
            values.filter(|(_, [model])| model == "ridge").map(|(value, _)| value).collect()
        };
        assert_eq!(of_ridge("yhat"), numbers(&place, "f.parquet", "yhat"), "{gaps}");
        of_ridge("y")
    };
    for gaps in ["ffill", "linear", "seasonal", "null"] {
        let y = actuals(gaps);
        assert!(y.contains(&None) && y.iter().flatten().all(|y| *y >= 100.0), "{gaps}: {y:?}");
    }
    place.run("backtest in.csv -H 6 --gaps zero --windows 1 --models ridge -o bt.parquet").expect(0);
    assert!(numbers(&place, "bt.parquet", "y").contains(&Some(0.0)));
}

const SUSPECT: &str = "[source]\ninputs = \"in.csv\"\n[model]\nhorizon = 7\nkind = \"ridge\"\n[output]\npath = \
                       \"out.parquet\"\nquality = \"q.parquet\"\n";

/// Forecasts `in.csv` with some keys of the source; the status of every series.
fn statuses(place: &Place, keys: &str) -> BTreeMap<String, String> {
    place.put("job.toml", SUSPECT.replace("[model]", &format!("{keys}\n[model]")));
    place.run("forecast -c job.toml").expect(0);
    texts(place, "out.parquet", ["unique_id", "status"])
        .into_iter()
        .map(|[id, status]| (id, status))
        .collect()
}

#[test]
fn a_frozen_meter_falls_back_with_the_reason_flatline() {
    let place = Place::new();
    place.put(
        "in.csv",
        meters(&["a", "b", "c"], 120, |id, step| metered(if id == "b" { step.min(100) } else { step })),
    );
    let statuses = statuses(&place, "flat_steps = 10\non_flat = \"fallback\"");
    assert_eq!(
        (statuses["a"].as_str(), statuses["b"].as_str(), statuses["c"].as_str()),
        ("ok", "fallback", "ok")
    );
    let report = texts(&place, "q.parquet", ["verdict", "reasons"]);
    assert_eq!((report[0][0].as_str(), report[1][0].as_str()), ("ok", "fallback"));
    assert!(report[1][1].starts_with("flatline: the last 20 values"), "{report:?}");
}

#[test]
fn spikes_are_warned_of_left_out_or_masked() {
    let place = Place::new();
    let spiky = |id: &str, step: u32| metered(step) * if id == "b" && step == 118 { 10.0 } else { 1.0 };
    place.put("in.csv", meters(&["a", "b", "c", "d"], 120, spiky));
    let clean = "[source]\ninputs = \"clean.csv\"\n";
    place.put("clean.csv", meters(&["a", "b", "c", "d"], 120, |_, step| metered(step)));

    assert_eq!(statuses(&place, "spike_threshold = 8\non_spike = \"quarantine\"").len(), 3);
    assert!(
        texts(&place, "q.parquet", ["reasons"])[1][0]
            .starts_with("spike: the value 1345 of 2024-04-28T00:00:00Z lies")
    );
    assert_eq!(statuses(&place, "spike_threshold = 8\non_spike = \"fallback\"")["b"], "fallback");
    assert!(statuses(&place, "spike_threshold = 8").values().all(|status| status == "ok"));
    let warned = numbers(&place, "out.parquet", "yhat");

    assert!(
        statuses(&place, "spike_threshold = 8\non_spike = \"mask\"").values().all(|status| status == "ok")
    );
    let report = texts(&place, "q.parquet", ["verdict", "warnings"]);
    assert!(report[1][0] == "ok" && report[1][1].ends_with("and counts as missing"), "{report:?}");
    let masked = numbers(&place, "out.parquet", "yhat");
    place.put("job.toml", SUSPECT.replace("[source]\ninputs = \"in.csv\"\n", clean));
    place.run("forecast -c job.toml").expect(0);
    let clean = numbers(&place, "out.parquet", "yhat");
    let distance = |found: &[Option<f64>]| -> f64 {
        found.iter().zip(&clean).map(|(one, two)| (one.unwrap() - two.unwrap()).abs()).sum()
    };
    // One value less than the clean series have, and not one that is wrong by a thousand.
    assert!(distance(&masked) < 0.2 * distance(&warned), "{} {}", distance(&masked), distance(&warned));
}

#[test]
fn a_masked_last_value_is_not_there() {
    let place = Place::new();
    let spiky = |id: &str, step: u32| metered(step) * if id == "b" && step == 119 { 10.0 } else { 1.0 };
    place.put("in.csv", meters(&["a", "b", "c"], 120, spiky));
    statuses(&place, "spike_threshold = 8\non_spike = \"mask\"");
    let document = place.run("data check -c job.toml --json").expect(0).json();
    let spikes: Vec<_> =
        document["quality"].as_array().unwrap().iter().map(|one| one["spikes"].as_u64()).collect();
    assert_eq!(spikes, [Some(0), Some(1), Some(0)]);
    // b ends a day before the others, and its seven steps begin a day earlier.
    let shown = |id: &str| {
        place.run(&format!("data show -c job.toml --series {id} --json")).expect(0).json()["steps"].as_u64()
    };
    assert_eq!((shown("a"), shown("b")), (Some(120), Some(119)));
}

#[test]
fn a_level_that_moved_is_reported_with_its_size() {
    let place = Place::new();
    let moved = |id: &str, step: u32| metered(step) - if id == "c" && step >= 106 { 50.0 } else { 0.0 };
    place.put("in.csv", meters(&["a", "b", "c"], 120, moved));
    assert_eq!(statuses(&place, "shift_steps = 14\non_shift = \"fallback\"")["c"], "fallback");
    let report = texts(&place, "q.parquet", ["reasons"]);
    assert!(report[2][0].starts_with("level shift: the last 14 steps lie"), "{report:?}");
    let shifts = numbers(&place, "q.parquet", "level_shift");
    assert!(shifts[0].is_none() && shifts[2].is_some_and(|by| (by + 50.0).abs() < 5.0), "{shifts:?}");
}
