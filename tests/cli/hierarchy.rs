//! Sums of series, forecast with them.

use super::program::Place;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, TimestampMicrosecondType};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs::File;
use std::path::Path;

/// Two regions with three shops each, 200 days.
fn shops() -> String {
    let mut text = String::from("region,shop,ds,y\n");
    for shop in 0..6_u32 {
        for day in 0..200_u32 {
            let date = jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(i64::from(day)));
            let week = [1.0, 1.1, 1.0, 0.9, 1.2, 1.6, 1.4][day as usize % 7];
            let noise = f64::from((day * 31 + shop * 17) % 13) / 13.0 - 0.5;
            let y = 10.0 * f64::from(shop + 1) * week + 4.0 * noise;
            writeln!(text, "{},s{shop},{date},{y:.3}", ["north", "south"][shop as usize / 3]).unwrap();
        }
    }
    text
}

/// Points by series and time.
fn points(path: &Path) -> BTreeMap<(String, i64), f64> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap();
    let mut points = BTreeMap::new();
    for batch in reader.build().unwrap().map(Result::unwrap) {
        let ids = batch["unique_id"].as_string::<i32>();
        let times = batch["ds"].as_primitive::<TimestampMicrosecondType>();
        let values = batch["yhat"].as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            points.insert((ids.value(row).to_owned(), times.value(row)), values.value(row));
        }
    }
    points
}

#[test]
fn forecasts_of_regions_and_the_total_are_the_sums_of_those_of_shops() {
    let place = Place::new();
    place.put("in.csv", shops());
    let common = "in.csv --id region,shop --target y -H 7 --model ridge --hierarchy region";
    for method in ["wls_var", "bottom_up", "mint_shrink"] {
        let name = format!("{method}.parquet");
        let run = place.run(&format!("forecast {common} --reconcile {method} -o {name} --json")).expect(0);
        assert_eq!(run.json()["source"]["series"], 9, "six shops, two regions, a total");
        let points = points(&place.path(&name));
        let times: BTreeSet<i64> = points.keys().map(|(_, time)| *time).collect();
        assert_eq!((points.len(), times.len()), (9 * 7, 7));
        for time in times {
            let of = |id: String| points[&(id, time)];
            let region = |name: &str, shops: std::ops::Range<u32>| {
                let sum: f64 = shops.map(|shop| of(format!("{name}/s{shop}"))).sum();
                assert!((of(name.into()) - sum).abs() < 1e-9 * sum, "{method}: {name} at {time}");
                sum
            };
            let sum = region("north", 0..3) + region("south", 3..6);
            assert!((of("total".into()) - sum).abs() < 1e-9 * sum, "{method}: the total at {time}");
        }
    }
    let run = place.run(&format!("backtest {common} --models ridge -W 2 --json")).expect(0);
    let ridge = run.json()["models"]["ridge"].clone();
    assert!(ridge["mase"].as_f64().unwrap() < 1.0, "{ridge}");
    assert_eq!(ridge["series"], 9, "{ridge}");
}

#[test]
fn what_cannot_be_summed_is_refused() {
    let place = Place::new();
    place.put("in.csv", shops());
    let refused = |flags: &str, words: &str| {
        let run =
            place.run(&format!("forecast in.csv --id region,shop --target y -H 7 {flags} -o out.parquet"));
        let run = run.expect(2);
        assert!(run.stderr.contains(words), "{flags}: {}", run.stderr);
    };
    refused("--hierarchy country", "names the column 'country', which is no id column");
    refused("--hierarchy region --reconcile magic", "unknown method 'magic'");
    refused("--reconcile ols", "reconcile without hierarchy");
    refused("--hierarchy region,region", "written twice");
    refused("--hierarchy-covariates sum", "hierarchy_covariates without hierarchy");
    refused(
        "--hierarchy region --hierarchy-covariates middle",
        "unknown policy for covariates of sums 'middle'",
    );
    refused("--hierarchy region --hierarchy-covariates price=sum", "column 'price' is no covariate");
    assert_eq!(place.names(), ["in.csv"]);
}

/// The shops with a price, which moves what they sell, a fortnight ahead.
fn priced() -> String {
    let mut text = String::from("region,shop,ds,y,price\n");
    for shop in 0..6_u32 {
        for day in 0..214_u32 {
            let date = jiff::civil::date(2024, 1, 1).saturating_add(jiff::Span::new().days(i64::from(day)));
            // Of no cycle that sales themselves could tell.
            let mixed = (day + 1000 * shop + 1).wrapping_mul(2_654_435_761);
            let mixed = (mixed ^ (mixed >> 15)).wrapping_mul(2_246_822_519);
            let price = f64::from((mixed >> 13) % 5) / 5.0 + 1.0;
            let noise = f64::from((day * 31 + shop * 17) % 13) / 13.0 - 0.5;
            let y = 10.0 * f64::from(shop + 1) * (4.0 - price) + noise;
            let y = if day < 200 { format!("{y:.3}") } else { String::new() };
            writeln!(text, "{},s{shop},{date},{y},{price}", ["north", "south"][shop as usize / 3]).unwrap();
        }
    }
    text
}

#[test]
fn sums_have_the_covariates_of_their_series_and_scenarios_add_up() {
    let place = Place::new();
    place.put("in.csv", priced());
    let common = "in.csv --id region,shop --target y -H 7 --model ridge --hierarchy region";
    let mase = |flags: &str| {
        let run = place.run(&format!("backtest {common} {flags} --models ridge -W 2 --json")).expect(0);
        run.json()["models"]["ridge"]["mase"].as_f64().unwrap()
    };
    let (with, without) = (mase("--future-covariates price"), mase(""));
    assert!(with < 0.5 * without, "MASE with prices {with}, without {without}");

    let flags = "--future-covariates price --hierarchy-covariates price=mean --scenario price=+1";
    let run = place.run(&format!("forecast {common} {flags} -o out.parquet --json")).expect(0);
    assert_eq!(run.json()["source"]["covariates"][0]["steps_ahead"], serde_json::json!([14, 14]));
    let reader =
        ParquetRecordBatchReaderBuilder::try_new(File::open(place.path("out.parquet")).unwrap()).unwrap();
    let mut sums: BTreeMap<(bool, i64), (f64, f64)> = BTreeMap::new();
    for batch in reader.build().unwrap().map(Result::unwrap) {
        let (ids, names) = (batch["unique_id"].as_string::<i32>(), batch["scenario"].as_string::<i32>());
        let times = batch["ds"].as_primitive::<TimestampMicrosecondType>();
        let values = batch["yhat"].as_primitive::<Float64Type>();
        for (row, (id, name)) in ids.iter().zip(names.iter()).enumerate() {
            let both = sums.entry((name.is_some(), times.value(row))).or_default();
            match id.unwrap() {
                "total" => both.0 += values.value(row),
                id if id.contains('/') => both.1 += values.value(row),
                _ => {}
            }
        }
    }
    assert_eq!(sums.len(), 14);
    for (at, (total, shops)) in &sums {
        assert!((total - shops).abs() < 1e-9 * total.abs(), "{at:?}: {total} and {shops}");
    }
    // Every shop sells ten times its number less where the price is one higher: 210 in all.
    let mean = |is_scenario: bool| {
        let days = sums.iter().filter(|((scenario, _), _)| *scenario == is_scenario);
        days.map(|(_, (total, _))| total).sum::<f64>() / 7.0
    };
    let fall = mean(false) - mean(true);
    assert!((fall - 210.0).abs() < 30.0, "the total falls by {fall}");
}
