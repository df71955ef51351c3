//! Backtests from the command line: the same forecasts as production made, nothing of the future in them.

use super::program::{Place, Run, dataset, weekly};
use arrow_array::Array;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::path::Path;

/// One row of a forecast or a backtest.
#[derive(Clone, Debug, PartialEq)]
struct Row {
    model: String,
    unique_id: String,
    cutoff: i64,
    h: i32,
    ds: i64,
    y: Option<f64>,
    /// Point, then quantiles, bit by bit.
    forecast: Vec<u64>,
}

/// The rows of a file, with what a forecast lacks left empty.
fn rows(path: &Path) -> Vec<Row> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut rows = Vec::new();
    for batch in reader.build().unwrap() {
        let batch = batch.unwrap();
        let schema = batch.schema();
        let is_quantile = |name: &str| name.starts_with('p') && name[1..3].parse::<u8>().is_ok();
        let names = schema.fields().iter().map(|field| field.name().as_str());
        let numbers: Vec<&str> = names.filter(|name| *name == "yhat" || is_quantile(name)).collect();
        let times =
            |name: &str, row: usize| batch[name].as_primitive::<TimestampMicrosecondType>().value(row);
        let steps = if schema.index_of("h").is_ok() { "h" } else { "horizon" };
        for row in 0..batch.num_rows() {
            let y = batch.column_by_name("y").map(|column| column.as_primitive::<Float64Type>());
            let number = |name: &&str| batch[*name].as_primitive::<Float64Type>().value(row).to_bits();
            let model = batch.column_by_name("model");
            rows.push(Row {
                model: model.map_or("", |column| column.as_string::<i32>().value(row)).into(),
                unique_id: batch["unique_id"].as_string::<i32>().value(row).into(),
                cutoff: times("cutoff", row),
                h: batch[steps].as_primitive::<Int32Type>().value(row),
                ds: times("ds", row),
                y: y.filter(|column| column.is_valid(row)).map(|column| column.value(row)),
                forecast: numbers.iter().map(number).collect(),
            });
        }
    }
    rows
}

/// Every forecast of a backtest is the one that `forecast --as-of` its cutoff makes; returns how many there were.
fn equals_production(place: &Place, input: &str, flags: &str, models: &str) -> usize {
    equals_production_of(place, input, flags, models, "")
}

/// The same with flags that tell what the source has.
fn equals_production_of(place: &Place, input: &str, flags: &str, models: &str, source: &str) -> usize {
    place
        .run(&format!("backtest {input} {source} {flags} --models {models} --refit always -o bt.parquet -q"))
        .expect(0);
    let outcomes = rows(&place.path("bt.parquet"));
    let cutoffs: BTreeSet<i64> = outcomes.iter().map(|row| row.cutoff).collect();
    let horizon = flags.split("-H ").nth(1).unwrap().split_whitespace().next().unwrap();
    let mut compared = 0;
    for model in models.split(',') {
        for &cutoff in &cutoffs {
            let as_of = jiff::Timestamp::from_microsecond(cutoff).unwrap();
            place
                .run(&format!(
                    "forecast {input} {source} -H {horizon} --model {model} --as-of {as_of} -o f.parquet -q"
                ))
                .expect(0);
            let known: BTreeMap<(String, i64), Vec<u64>> = rows(&place.path("f.parquet"))
                .into_iter()
                .map(|row| ((row.unique_id, row.ds), row.forecast))
                .collect();
            for row in outcomes.iter().filter(|row| row.model == model && row.cutoff == cutoff) {
                assert_eq!(known[&(row.unique_id.clone(), row.ds)], row.forecast, "{row:?}");
                compared += 1;
            }
        }
    }
    compared
}

#[test]
fn a_backtest_is_what_production_would_have_forecast() {
    let place = Place::new();
    // Two of these cutoffs lie in stretches without a value.
    let meters = dataset("missing_stretches.csv");
    assert_eq!(equals_production(&place, &meters, "-H 7 --windows 12 --step 17", "ridge"), 12 * 3 * 7);
    let late = rows(&place.path("bt.parquet")).into_iter().filter(|row| row.ds <= row.cutoff);
    assert!(late.clone().count() > 0 && late.clone().all(|row| row.y.is_none()));
    let passengers = dataset("air_passengers.csv");
    assert_eq!(
        equals_production(&place, &passengers, "-H 12 --windows 3", "ridge,seasonal_naive"),
        2 * 3 * 12
    );
    let parts = dataset("intermittent_counts.csv");
    assert_eq!(equals_production(&place, &parts, "-H 5 --windows 2 --step 9", "ridge,naive"), 2 * 2 * 8 * 5);
}

#[test]
fn so_is_a_backtest_of_networks() {
    let place = Place::new();
    assert_eq!(equals_production(&place, &dataset("missing_stretches.csv"), "-H 4 --windows 1", "auto"), 12);
    assert_eq!(equals_production(&place, &dataset("air_passengers.csv"), "-H 6 --windows 2", "auto"), 12);
}

#[test]
fn so_is_a_backtest_of_an_ensemble_and_its_weights_stand_beside_its_scores() {
    let place = Place::new();
    let passengers = dataset("air_passengers.csv");
    assert_eq!(equals_production(&place, &passengers, "-H 6 --windows 2", "ensemble"), 12);
    let run =
        place.run(&format!("backtest {passengers} -H 6 --windows 2 --models ensemble,ets --json")).expect(0);
    let models = &run.json()["models"];
    for model in ["ensemble", "ets", "seasonal_naive"] {
        let weights = models[model]["weights"].as_object().unwrap();
        let sum: f64 = weights.values().filter_map(Value::as_f64).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{model}: {weights:?}");
    }
    assert_eq!(models["ets"]["weights"]["ets"], 1.0);
    let page = place.run(&format!("backtest {passengers} -H 6 --windows 2 --models ensemble")).expect(0);
    assert!(page.stdout.contains("Weights   of ensemble: "), "{}", page.stdout);
}

/// Hourly values of two sites; what comes after hour `from` is `value`, but for the last one, which stays where the
/// data ends.
fn sites(from: u32, value: &str) -> String {
    let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
    let mut text = String::from("region,site,ds,y\n");
    for (region, site, shift) in [("north", "a", 0), ("south", "b", 5)] {
        for hour in 0..200_u32 {
            let time = start.saturating_add(jiff::Span::new().hours(i64::from(hour)));
            let own = format!("{}", 50 + (hour + shift) % 24 + hour * hour % 7);
            let y = if hour > from && hour < 199 { value } else { &own };
            text.push_str(&format!("{region},{site},{time},{y}\n"));
        }
    }
    text
}

#[test]
fn what_comes_after_a_cutoff_changes_no_forecast() {
    let place = Place::new();
    let flags = "-H 6 --windows 3 --step 10 --models ridge,naive --refit always --id region,site -q";
    let run = |name: &str, text: String| {
        place.put("in.csv", text);
        place.run(&format!("backtest in.csv {flags} -o {name}")).expect(0);
        rows(&place.path(name))
    };
    let clean = run("clean.parquet", sites(200, ""));
    // E1: models, series, windows, steps.
    assert_eq!(clean.len(), 3 * 2 * 3 * 6);
    let cutoffs: BTreeSet<i64> = clean.iter().map(|row| row.cutoff).collect();
    for (cutoff, hour) in cutoffs.into_iter().zip([173, 183, 193]) {
        for poison in ["1e9", ""] {
            let poisoned = run("poisoned.parquet", sites(hour, poison));
            let known = |rows: &[Row]| -> Vec<(String, String, i64, i64, Vec<u64>)> {
                let known = rows.iter().filter(|row| row.cutoff <= cutoff).cloned();
                known.map(|row| (row.model, row.unique_id, row.cutoff, row.ds, row.forecast)).collect()
            };
            assert_eq!(known(&poisoned), known(&clean), "{hour}, '{poison}'");
            assert_ne!(poisoned, clean);
        }
    }
}

fn scored(run: &Run, model: &str, key: &str) -> f64 {
    run.json()["models"][model][key].as_f64().unwrap_or_else(|| panic!("{model}.{key}: {}", run.stdout))
}

#[test]
fn figures_are_those_of_the_rows_that_are_written() {
    let place = Place::new();
    place.put("in.csv", sites(200, ""));
    let flags = "-H 6 --windows 3 --step 10 --models ridge,naive --id region,site --season-length 24";
    let run = place.run(&format!("backtest in.csv {flags} -o bt.parquet --json")).expect(0);
    let rows = rows(&place.path("bt.parquet"));
    for model in ["ridge", "naive", "seasonal_naive"] {
        let errors: Vec<f64> = rows
            .iter()
            .filter(|row| row.model == model)
            .map(|row| f64::from_bits(row.forecast[0]) - row.y.unwrap())
            .collect();
        let mean =
            |value: &dyn Fn(f64) -> f64| errors.iter().map(|e| value(*e)).sum::<f64>() / errors.len() as f64;
        let figures = [("mae", mean(&f64::abs)), ("mse", mean(&|e| e * e)), ("bias", mean(&|e| e))];
        for (key, want) in figures {
            assert!((scored(&run, model, key) - want).abs() < 1e-9, "{model}.{key}");
        }
    }
    assert_eq!(scored(&run, "seasonal_naive", "skill"), 0.0);
}

#[test]
fn json_is_one_document_with_stable_keys() {
    let place = Place::new();
    place.put("in.csv", sites(200, ""));
    let flags = "-H 6 --windows 4 --gap 2 --models ridge --id region,site --by series,step --segment region";
    let document = place.run(&format!("backtest in.csv {flags} --json")).expect(0).json();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        keys(&document),
        "align by cutoffs gap horizon left_out memory models notes output refit report run_id season_lengths seed series \
         sliding source step windows"
    );
    assert_eq!(
        keys(&document["models"]["ridge"]),
        "bias coverage crps fit_seconds fits mae mase mse msis notes points predict_seconds rmsse scaled_crps series \
         served skill smape wape weights width windows wql"
    );
    assert_eq!((&document["windows"], &document["series"]), (&4.into(), &2.into()));
    assert_eq!((&document["refit"], &document["models"]["ridge"]["fits"]), (&"never".into(), &1.into()));
    assert_eq!(document["models"]["ridge"]["points"], 4 * 2 * 6);
    assert_eq!(keys(&document["models"]["ridge"]["coverage"]), "80 95");
    let by = &document["by"];
    let names = |by: &Value, key: &str| {
        by["ridge"].as_array().unwrap().iter().map(|part| part[key].to_string()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(names(&by["series"], "unique_id"), r#""north/a" "south/b""#);
    assert_eq!(names(&by["segment"], "segment"), r#""north" "south""#);
    assert_eq!(names(&by["step"], "h"), "3 4 5 6 7 8");
    assert_eq!(by["series"]["ridge"][0]["mase"], by["segment"]["ridge"][0]["mase"]);
}

#[test]
fn the_page_shows_the_best_model_first() {
    let place = Place::new();
    place.put("in.csv", weekly(90).replace(",13\n", ",14\n"));
    let page =
        place.run("backtest in.csv -H 7 --models naive,ridge --by step -o bt.parquet").expect(0).stdout;
    let at = |words: &str| page.find(words).unwrap_or_else(|| panic!("'{words}' is not in {page}"));
    assert!(at("\nseasonal_naive") < at("\nnaive"), "{page}");
    at("3 windows of 7 steps, 7 apart, of 1 series");
    at("MASE by step ahead");
    at("Wrote     bt.parquet: 63 rows");
    let command = page.lines().find(|line| line.starts_with("Compare")).unwrap();
    place.run(command.split("s4cast ").nth(1).unwrap()).expect(0);
    assert_eq!(place.run("backtest in.csv -H 7 --windows 1 --models naive -q").expect(0).stdout, "");
}

#[test]
fn the_same_seed_gives_the_same_file_on_any_number_of_threads() {
    let place = Place::new();
    let input = dataset("missing_stretches.csv");
    let outcomes = |threads: u32| {
        place
            .run(&format!("backtest {input} -H 7 --windows 2 --models ridge -j {threads} -o bt.parquet -q"))
            .expect(0);
        rows(&place.path("bt.parquet"))
    };
    assert_eq!(outcomes(1), outcomes(2));
}

#[test]
fn series_that_end_at_different_times() {
    let place = Place::new();
    let mut text = String::from("id,ds,y\n");
    for (id, rows) in [("a", 80), ("b", 40), ("c", 60)] {
        weekly(rows).lines().skip(1).for_each(|line| text.push_str(&format!("{id},{line}\n")));
    }
    place.put("in.csv", text);
    let calendar = place.run("backtest in.csv -H 7 --windows 2 --models naive --json").expect(0).json();
    assert_eq!((&calendar["series"], &calendar["left_out"]), (&1.into(), &serde_json::json!(["b", "c"])));
    assert!(calendar["notes"][0].as_str().unwrap().contains("--align end"), "{}", calendar["notes"]);
    let end =
        place.run("backtest in.csv -H 7 --windows 2 --models naive --align end --json").expect(0).json();
    assert_eq!((&end["series"], &end["notes"]), (&3.into(), &serde_json::json!([])));
    assert_eq!(end["models"]["naive"]["points"], 3 * 2 * 7);
}

#[test]
fn a_broken_series_is_left_out_and_an_id_column_may_have_any_name() {
    let place = Place::new();
    let mut text = String::from("model,window,ds,y\n");
    for id in ["a", "b", "c", "d", "e"] {
        weekly(40).lines().skip(1).for_each(|line| text.push_str(&format!("{id},1,{line}\n")));
    }
    place.put("in.csv", text.replace("c,1,2024-01-05,14", "c,1,2024-01-05,bad"));
    let flags = "-H 7 --windows 2 --models naive --id model,window --segment model --json -o bt.parquet";
    let document = place.run(&format!("backtest in.csv {flags}")).expect(0).json();
    assert_eq!(document["source"]["quarantined"][0]["unique_id"], "c/1");
    assert_eq!((&document["series"], &document["output"]["rows"]), (&4.into(), &112.into()));
    assert_eq!(document["by"]["segment"]["naive"][2]["segment"], "d");
    place.run("compare bt.parquet:naive :seasonal_naive").expect(0);
}

#[test]
fn requests_that_make_no_sense() {
    let cases = [
        ("", 2, "no horizon"),
        ("-H 7 --models ridge,arima", 2, "--models: unknown model 'arima'"),
        ("-H 7 --models rigde", 2, "did you mean 'ridge'?"),
        ("-H 7 --windows 12", 2, "8 windows fit; choose --windows 8 or fewer"),
        ("-H 59", 2, "no window fits"),
        ("-H 7 --windows 0", 2, "--windows: windows 0 is none at all"),
        ("-H 7 --step x --gap -1", 2, "--gap: '-1' is not a whole number"),
        ("-H 7 --refit sometimes", 2, "neither always, never nor a number"),
        ("-H 7 --align clender", 2, "did you mean 'calendar'?"),
        ("-H 7 --gap 10000", 2, "--gap: with the gap, horizon 10007"),
        ("-H 7 --by segment", 2, "--segment COLUMN"),
        ("-H 7 --segment shop", 2, "no id column 'shop'"),
        ("-H 7 -o out.csv", 2, "write for example out.parquet"),
        ("-H 7 -o no/out.parquet", 73, "mkdir -p 'no'"),
        ("-H 7 -o in.csv", 2, "in.csv"),
    ];
    for (flags, code, message) in cases {
        let place = Place::new();
        place.put("in.csv", weekly(60));
        let run = place.run(&format!("backtest in.csv {flags}")).expect(code);
        assert!(run.stderr.contains(message), "{flags}: '{message}' is not in: {}", run.stderr);
        assert_eq!((run.stdout.as_str(), place.names()), ("", vec!["in.csv".to_owned()]), "{flags}");
    }
    let all = Place::new().run("backtest -H x --windows no --models arima,other").expect(2).stderr;
    for words in ["no input", "--horizon", "--windows", "'arima'", "'other'"] {
        assert!(all.contains(words), "{words}: {all}");
    }
}

#[test]
fn its_output_is_no_input() {
    let place = Place::new();
    std::fs::create_dir(place.path("data")).unwrap();
    place.put("data/in.csv", weekly(60));
    place.run("backtest data -H 7 --windows 1 --models naive -o data/bt.parquet -q").expect(0);
    let again = place.run("backtest data -H 7 --windows 1 --models naive --json").expect(0).json();
    assert_eq!(again["source"]["files"], serde_json::json!(["data/in.csv"]));
}

#[test]
fn covariates_are_known_at_a_cutoff_as_they_were() {
    let place = Place::new();
    place.put("in.csv", super::covariates::shops("none"));
    let source = "--id shop --target y --future-covariates promo --past-covariates event";
    assert_eq!(equals_production_of(&place, "in.csv", "-H 7 -W 2", "ridge", source), 2 * 2 * 7);
}
