//! `s4cast train`: benchmarks of one's own on the bundled series, their figures computed a second time here.

use super::program::{Place, Run, dataset};
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// Sums differ in their order alone.
const ROUNDING: f64 = 1e-11;

fn close(a: f64, b: f64) {
    assert!((a - b).abs() <= ROUNDING * a.abs().max(1.0), "{a} is not {b}");
}

/// Time (text) and value of a bundled file with one series.
fn rows(name: &str) -> Vec<(String, f64)> {
    let text = std::fs::read_to_string(dataset(name)).unwrap();
    let row = |line: &str| {
        let (time, value) = line.split_once(',').unwrap();
        (time.to_owned(), value.parse().unwrap())
    };
    text.lines().skip(1).map(row).collect()
}

fn micros(time: &str) -> i64 {
    let time = if time.contains('T') { time.to_owned() } else { format!("{time}T00:00:00Z") };
    time.parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

/// One row of a file of forecasts.
#[derive(Clone, Debug, PartialEq)]
struct Saved {
    ts: i64,
    step: i32,
    mean: f64,
    origin: i64,
    quantiles: Vec<f64>,
}

fn saved(path: &Path) -> Vec<Saved> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(path).unwrap()).unwrap();
    let mut all = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let names: Vec<String> = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
        let quantiles: Vec<_> = names.iter().filter(|name| name.starts_with('q')).collect();
        for row in 0..batch.num_rows() {
            let instant = |name: &str| batch[name].as_primitive::<TimestampMicrosecondType>().value(row);
            let number = |name: &str| batch[name].as_primitive::<Float64Type>().value(row);
            all.push(Saved {
                ts: instant("ts"),
                step: batch["h"].as_primitive::<Int32Type>().value(row),
                mean: number("mean"),
                origin: instant("origin"),
                quantiles: quantiles.iter().map(|name| number(name)).collect(),
            });
        }
    }
    all
}

fn figure(document: &Value, path: &str) -> f64 {
    document.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("{path}: {document:#}"))
}

/// The first rows of a bundled file, as `in.csv`, with some changed.
fn put(place: &Place, name: &str, count: usize, change: impl Fn(usize, f64) -> String) {
    let rows = rows(name).into_iter().take(count).enumerate();
    let text: String = rows.map(|(at, (time, value))| format!("{time},{}\n", change(at, value))).collect();
    place.put("in.csv", format!("ds,y\n{text}"));
}

fn same(_: usize, value: f64) -> String {
    value.to_string()
}

const ROLLING: &str = "files = \"in.csv\"\nkind = \"rolling\"\nsplit = [1000, 1100, 1300]\nhorizons = [24, 48]\n\
                       season = 24\nstride = 5\n";

#[test]
fn rolling_windows_are_scaled_and_scored_as_a_plain_loop_does() {
    let place = Place::new();
    put(&place, "hourly_load.csv", 1500, same);
    place.put("load.toml", ROLLING);
    let arguments =
        "train pipeline=load.toml model=seasonal_naive season_length=24 --json --save-forecasts f.parquet";
    let document = place.run(arguments).expect(0).json();
    let rows = &rows("hourly_load.csv")[..1300];
    let train: Vec<f64> = rows[..1000].iter().map(|row| row.1).collect();
    let mean = train.iter().sum::<f64>() / 1000.0;
    let deviation = (train.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 1000.0).sqrt();
    let scaled: Vec<f64> = rows.iter().map(|row| (row.1 - mean) / deviation).collect();
    for horizon in [24, 48] {
        let (mut squares, mut sizes, mut seasonal, mut count) = (0.0, 0.0, 0.0, 0.0);
        let origins: Vec<usize> = (1100..=1300 - horizon).step_by(5).collect();
        for &origin in &origins {
            for step in 0..horizon {
                let error = scaled[origin + step] - scaled[origin - 1];
                squares += error * error;
                sizes += error.abs();
                seasonal += (scaled[origin + step] - scaled[origin - 24 + step % 24]).powi(2);
                count += 1.0;
            }
        }
        let at = |path: &str| figure(&document, &format!("/test/horizons/{horizon}/{path}"));
        close(at("naive/mse"), squares / count);
        close(at("naive/mae"), sizes / count);
        close(at("mse"), seasonal / count);
        close(at("seasonal_naive/mse"), seasonal / count);
        assert_eq!(at("origins"), origins.len() as f64);

        // The file holds the forecasts that were scored.
        let forecasts = saved(&place.path(&format!("f-{horizon}.parquet")));
        assert_eq!(forecasts.len(), origins.len() * horizon);
        let position: HashMap<i64, usize> =
            rows.iter().enumerate().map(|(at, row)| (micros(&row.0), at)).collect();
        let (mut squares, mut inside) = (0.0, 0);
        for forecast in &forecasts {
            let at = position[&forecast.ts];
            assert_eq!(at - position[&forecast.origin], forecast.step as usize);
            squares += (scaled[at] - forecast.mean).powi(2);
            // 0.025, the nine deciles, 0.975.
            let q = &forecast.quantiles;
            inside += usize::from((q[1]..=q[9]).contains(&scaled[at]));
        }
        close(at("mse"), squares / count);
        close(at("coverage/80"), inside as f64 / count);
    }
    let mean = |path: &str| {
        [24, 48]
            .map(|horizon| figure(&document, &format!("/test/horizons/{horizon}/{path}")))
            .iter()
            .sum::<f64>()
            / 2.0
    };
    close(figure(&document, "/test/mse"), mean("mse"));
    close(figure(&document, "/test/naive/mae"), mean("naive/mae"));
    assert_eq!(document["official"], true);
    assert_eq!(place.names(), ["f-24.parquet", "f-48.parquet", "in.csv", "load.toml"]);
}

#[test]
fn what_comes_after_training_or_an_origin_changes_nothing_before() {
    let place = Place::new();
    place.put("load.toml", ROLLING);
    let run = |change: &dyn Fn(usize, f64) -> String| {
        put(&place, "hourly_load.csv", 1500, change);
        let arguments = "train pipeline=load.toml model=ridge horizon=24 --json --save-forecasts f.parquet";
        let document = place.run(arguments).expect(0).json();
        let weights = document["test"]["horizons"]["24"]["weights_sha256"].clone();
        (weights, saved(&place.path("f.parquet")))
    };
    let (weights, honest) = run(&same);
    // Row 1150 and later are seen from no origin up to 1150 = 1100 + 10 * 5: eleven origins.
    let (poisoned_weights, poisoned) =
        run(&|at, value| if at >= 1150 { "1e6".into() } else { value.to_string() });
    assert_eq!(weights, poisoned_weights);
    assert_eq!(honest[..11 * 24], poisoned[..11 * 24]);
    assert_ne!(honest[11 * 24..], poisoned[11 * 24..]);
    // Missing values after the origin, and the validation part, which nothing may be trained on.
    let (poisoned_weights, _) = run(&|at, value| if at >= 1000 { "1e6".into() } else { value.to_string() });
    assert_eq!(weights, poisoned_weights);
    let holes =
        |at: usize, value: f64| if (1150..1160).contains(&at) { String::new() } else { value.to_string() };
    let (holey_weights, holey) = run(&holes);
    assert_eq!((weights, &honest[..11 * 24]), (holey_weights, &holey[..11 * 24]));
}

const HOLDOUT: &str = "files = \"in.csv\"\nkind = \"holdout\"\ntest_rows = 36\nstep = 12\nhorizons = 12\nseason = 12\n\
                       reference_season = 24\n";

#[test]
fn a_holdout_is_scored_as_its_file_of_forecasts_says() {
    let place = Place::new();
    put(&place, "air_passengers.csv", 144, same);
    place.put("air.toml", HOLDOUT);
    let arguments = "train pipeline=air.toml model=ridge --json --save-forecasts f.parquet";
    let document = place.run(arguments).expect(0).json();
    let rows = rows("air_passengers.csv");
    let y: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let scale = (12..108).map(|t| (y[t] - y[t - 12]).abs()).sum::<f64>() / 96.0;
    let position: HashMap<i64, usize> =
        rows.iter().enumerate().map(|(at, row)| (micros(&row.0), at)).collect();
    let forecasts = saved(&place.path("f.parquet"));
    let origins: Vec<usize> = forecasts.iter().step_by(12).map(|one| position[&one.origin]).collect();
    assert_eq!(origins, [107, 119, 131]);
    let (mut size, mut smape, mut deciles, mut weekly) = (0.0, 0.0, 0.0, 0.0);
    for forecast in &forecasts {
        let at = position[&forecast.ts];
        let (actual, error) = (y[at], (y[at] - forecast.mean).abs());
        size += error / 36.0;
        smape += 200.0 * error / (actual + forecast.mean.abs()) / 36.0;
        for (tenth, quantile) in (1..10).zip(&forecast.quantiles[1..10]) {
            let level = f64::from(tenth) / 10.0;
            let below = actual - quantile;
            deciles += (level * below).max((level - 1.0) * below) / 9.0 / 36.0;
        }
        weekly += (actual - y[position[&forecast.origin] + 1 - 24 + forecast.step as usize - 1]).abs() / 36.0;
    }
    close(figure(&document, "/test/mae"), size);
    close(figure(&document, "/test/mase"), size / scale);
    close(figure(&document, "/test/smape"), smape);
    close(figure(&document, "/test/scaled_crps"), 2.0 * deciles / scale);
    close(figure(&document, "/test/rmae"), size / weekly);
    assert_eq!(document["test"]["horizons"]["12"]["models"], serde_json::json!({"ridge": 3}));
    assert_eq!(document["units"], "raw");
    assert!(figure(&document, "/parameters") > 0.0 && figure(&document, "/test/skill/seasonal_naive") > 0.0);
    if cfg!(target_os = "linux") {
        assert!(figure(&document, "/cpu_seconds") > 0.0 && figure(&document, "/peak_memory_mib") > 1.0);
    }
    let table = place.run("train pipeline=air.toml model=ridge").expect(0).stdout;
    assert!(table.contains(&format!("{:.4}", size / scale)) && table.contains("in 80 %"), "{table}");
}

#[test]
fn a_test_file_continues_its_series_and_gives_owa() {
    let place = Place::new();
    let rows = rows("air_passengers.csv");
    let text = |rows: &[(String, f64)]| {
        let lines: String = rows.iter().map(|(time, value)| format!("a,{time},{value}\n")).collect();
        format!("id,ds,y\n{lines}")
    };
    place.put("train.csv", text(&rows[..132]));
    place.put("test.csv", text(&rows[132..]));
    place.put(
        "air.toml",
        "files = [\"none.csv\", \"train.csv\"]\ntest_file = \"test.csv\"\nkind = \"one_origin\"\nhorizons = 12\nseason = 12\n\
         metric = \"owa\"\nnaive2_smape = 10.0\nnaive2_mase = 2.0\n",
    );
    let document =
        place.run("train pipeline=air.toml model=seasonal_naive season_length=12 --json").expect(0).json();
    let y: Vec<f64> = rows.iter().map(|row| row.1).collect();
    let scale = (12..132).map(|t| (y[t] - y[t - 12]).abs()).sum::<f64>() / 120.0;
    let mase = (132..144).map(|t| (y[t] - y[t - 12]).abs()).sum::<f64>() / 12.0 / scale;
    let smape = (132..144).map(|t| 200.0 * (y[t] - y[t - 12]).abs() / (y[t] + y[t - 12])).sum::<f64>() / 12.0;
    close(figure(&document, "/test/owa"), 0.5 * (smape / 10.0 + mase / 2.0));
    // A test file of another series, or none that goes on.
    place.put("test.csv", text(&rows[132..]).replace("a,19", "b,19"));
    let run = place.run("train pipeline=air.toml model=naive").expect(65);
    assert!(run.stderr.contains("series b is in the test file"), "{}", run.stderr);
    place.put("test.csv", text(&rows[131..]));
    let run = place.run("train pipeline=air.toml model=naive").expect(65);
    assert!(run.stderr.contains("1959-12-01"), "{}", run.stderr);
}

#[test]
fn the_number_of_threads_changes_no_figure() {
    let place = Place::new();
    put(&place, "hourly_load.csv", 1500, same);
    place.put("load.toml", ROLLING);
    let run = |threads: u32| {
        let arguments = format!(
            "train pipeline=load.toml model=ridge horizon=24 stride=20 threads={threads} --json --save-forecasts f.parquet"
        );
        let mut document = place.run(&arguments).expect(0).json();
        document["test"]["horizons"]["24"]["seconds"].take();
        (document["test"].clone(), place.read("f.parquet"))
    };
    assert_eq!(run(1), run(2));
}

#[test]
fn refusals_say_what_is_missing_before_anything_runs() {
    let place = Place::new();
    let refused = |arguments: &str, code: i32, words: &[&str]| {
        let Run { stderr, .. } = place.run(arguments).expect(code);
        for word in words {
            assert!(stderr.contains(word), "{arguments}: {word} not in {stderr}");
        }
    };
    refused("train", 2, &["KEY=VALUE"]);
    refused("train pipeline=etth1 modl=ridge", 2, &["unknown key 'modl'", "did you mean 'model'?"]);
    refused("train pipeline=etth1", 66, &["ETTh1.csv or ETTh1.parquet", "S4CAST_DATA_DIR", "ETDataset"]);
    refused("train pipeline=etth1 data_dir=.", 66, &["no such file in .", "ETDataset"]);
    place.put("own.toml", "kind = \"rolling\"\n");
    refused("train pipeline=own.toml", 78, &["no files", "no horizons", "no split", "own.toml"]);
    put(&place, "air_passengers.csv", 30, same);
    place.put("own.toml", HOLDOUT);
    refused("train pipeline=own.toml model=naive", 65, &["nothing of its 30 rows lies before the test part"]);
    place.put("own.toml", ROLLING);
    refused("train pipeline=own.toml", 65, &["30 rows, but the split needs 1300"]);
    refused("train pipeline=own.toml --save-forecasts no/f.parquet", 73, &["mkdir -p"]);
    place.put("own.toml", HOLDOUT.replace("in.csv", "in.parquet"));
    let dry = place.run("train pipeline=own.toml model=ridge seed=4 --dry-run").expect(0);
    assert!(dry.stdout.contains("seed = 4") && dry.stdout.contains("test_rows = 36"), "{}", dry.stdout);
    let dry = place.run("train pipeline=own.toml model=ridge --dry-run --json").expect(0).json();
    assert_eq!(dry["pipeline"]["scale_season"], 12);
}
