//! `forecast --save-model`, `--load-model` and `--sampling-scale`.

use super::forecast::{numbers, read};
use super::program::{Place, dataset, weekly};
use crate::forecaster::{fit, panel, spec, waves};
use crate::registry::birth;
use parquet::file::reader::{FileReader, SerializedFileReader};
use s4cast::registry::Registry;
use std::fs::File;

/// `ds,y` every so many minutes for twenty days: a day that repeats, and a slow drift.
fn load(minutes: i64) -> String {
    let start = jiff::civil::date(2024, 1, 1).at(0, 0, 0, 0);
    let row = |step: i64| {
        let time = start.saturating_add(jiff::Span::new().minutes(step * minutes));
        let days = (step * minutes) as f64 / 1440.0;
        format!("{time},{}\n", 50.0 + 9.0 * (std::f64::consts::TAU * days).sin() + (days * 0.7).cos())
    };
    format!("ds,y\n{}", (0..=20 * 1440 / minutes).map(row).collect::<String>())
}

fn metadata(place: &Place, file: &str, key: &str) -> Option<String> {
    let reader = SerializedFileReader::new(File::open(place.path(file)).unwrap()).unwrap();
    let pairs = reader.metadata().file_metadata().key_value_metadata().unwrap().clone();
    pairs.into_iter().find(|pair| pair.key == format!("s4cast.{key}")).and_then(|pair| pair.value)
}

#[test]
fn a_loaded_model_forecasts_what_the_run_that_saved_it_did() {
    let place = Place::new();
    let cases = [
        (dataset("air_passengers.csv"), "-H 12 --model auto --preset fast", "1"),
        (
            dataset("intermittent_counts.csv"),
            "-H 14 --model ridge --levels 90,50 --non-negative --seed 7",
            "3",
        ),
        (dataset("air_passengers.csv"), "-H 6 --model s4d --preset fast --point mean", "2"),
        (dataset("air_passengers.csv"), "-H 6 --model ets", "2"),
    ];
    for (input, flags, threads) in cases {
        let save = format!("forecast {input} {flags} -o a.parquet --save-model m.safetensors --json");
        let saved = place.run(&save).expect(0).json();
        // With nothing but the file, and with the same settings again.
        for same in ["", flags] {
            let load = format!(
                "forecast {input} {same} -o b.parquet --load-model m.safetensors -j {threads} --json"
            );
            let loaded = place.run(&load).expect(0).json();
            let (a, b) = (read(&place.path("a.parquet")), read(&place.path("b.parquet")));
            let columns = a.schema().fields().iter().map(|field| field.name().clone()).collect::<Vec<_>>();
            for column in
                columns.iter().filter(|name| !["issued_at", "created_at", "run_id"].contains(&name.as_str()))
            {
                assert_eq!(&a[column.as_str()], &b[column.as_str()], "{flags}: {column}");
            }
            assert!(numbers(&a, "yhat").len() >= 6);
            assert_eq!(loaded["weights_sha256"], saved["weights_sha256"]);
            assert_eq!(loaded["fits"], serde_json::json!([]));
            assert_eq!(loaded["loaded_model"]["path"], "m.safetensors");
            assert!(loaded["seconds"]["train"].is_null() && saved["loaded_model"].is_null());
        }
        for file in ["a.parquet", "b.parquet"] {
            assert_eq!(metadata(&place, file, "weights_sha256").as_deref(), saved["weights_sha256"].as_str());
        }
    }
    let text = place
        .run(&format!("forecast {} -o b.parquet --load-model m.safetensors", dataset("air_passengers.csv")));
    assert!(text.expect(0).stdout.contains("Loaded    m.safetensors: ets, trained before"));
}

#[test]
fn a_version_of_a_registry_is_loaded_if_it_is_what_its_manifest_says() {
    let place = Place::new();
    let registry = Registry::at(place.path("state/models"));
    let forecaster = fit(&panel(waves(3, 60)), &spec("ridge", 3, 1)).forecaster;
    registry.add("load", &forecaster, None, &birth("run-1")).unwrap();
    let version = registry.add("load", &forecaster, None, &birth("run-2")).unwrap();
    place.put("in.csv", weekly(60));
    let run =
        place.run("forecast in.csv -o out.parquet --load-model state/models/load/2 --json").expect(0).json();
    assert_eq!(run["weights_sha256"], version.weights_sha256.as_str());
    assert_eq!((&run["loaded_model"]["job"], &run["loaded_model"]["version"]), (&"load".into(), &2.into()));
    assert_eq!(run["output"]["rows"], 3);
    // It was trained on series of other names.
    assert_eq!(run["statuses"]["cold_start"], 1);
    assert_eq!(metadata(&place, "out.parquet", "job").as_deref(), Some("load"));
    let weights = place.path("state/models/load/2/weights.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let run = place.run("forecast in.csv -o out.parquet --load-model state/models/load/2").expect(65);
    assert!(run.stderr.contains("the manifest says"), "{}", run.stderr);
    let run = place.run("forecast in.csv -o out.parquet --load-model state/models/load").expect(65);
    assert!(run.stderr.contains("manifest.json") && run.stderr.contains("missing"), "{}", run.stderr);
}

#[test]
fn every_difference_is_told_before_anything_is_written() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    let priced: String = weekly(70)
        .lines()
        .enumerate()
        .map(|(at, line)| match at {
            0 => format!("{line},price,site\n"),
            _ => format!("{line},{},a\n", at % 3),
        })
        .collect();
    place.put("priced.csv", priced);
    let save = "forecast priced.csv --as-of 2024-03-01 --future-covariates price -H 3 --model ridge --levels 80 -o a.parquet";
    place.run(&format!("{save} --save-model m.safetensors -q")).expect(0);
    place.put("hourly.csv", load(60));
    let run = place.run(
        "forecast hourly.csv -H 24 --model s4 --levels 80,99 --seed 5 --min 0 -o b.parquet --load-model m.safetensors --json",
    );
    let problems = run.expect(65).json()["error"]["problems"].to_string();
    for words in [
        "model s4 is asked for, the model was trained with ridge",
        "seed 5 is asked for",
        "level 99 is asked for, the model was trained with 80",
        "range (min 0, max none) is asked for",
        "covariate 'price' is missing, a future covariate",
        "1 series of step 1h, such as 'series', cannot be forecast by a model of step 1d",
    ] {
        assert!(problems.contains(words), "{words}: {problems}");
    }
    let run = place.run("forecast priced.csv --as-of 2024-03-01 --past-covariates price -H 4 -o b.parquet --load-model m.safetensors");
    let text = run.expect(65).stderr;
    assert!(text.contains("horizon 4 is asked for, the model has 3"), "{text}");
    assert!(text.contains("covariate 'price' is known at other times: it is a future covariate"), "{text}");
    assert!(!place.names().contains(&"b.parquet".to_owned()));
    // One that it does not read is only worth a line.
    let run = place.run(
        "forecast priced.csv --as-of 2024-03-01 --future-covariates price --static-covariates site -o b.parquet --load-model m.safetensors",
    );
    assert!(run.expect(0).stdout.contains("the model does not read site"));
}

#[test]
fn what_is_no_model_is_refused_with_its_code() {
    let place = Place::new();
    place.put("in.csv", weekly(60));
    place.put("text.safetensors", "no model at all");
    let run = |flags: &str| place.run(&format!("forecast in.csv -o out.parquet {flags}"));
    assert!(run("--load-model text.safetensors").expect(65).stderr.contains("no safetensors file"));
    assert!(run("--load-model nowhere.safetensors").expect(66).stderr.contains("nowhere.safetensors"));
    assert!(run("-H 3 --sampling-scale auto").expect(2).stderr.contains("none is loaded"));
    assert!(run("--load-model m --save-model n").expect(2).stderr.contains("leave one of them out"));
    assert!(run("--load-model m --sampling-scale 0.4").expect(2).stderr.contains("write for example auto"));
    place.run("forecast in.csv -H 3 --model ridge -o a.parquet -q --save-model m.safetensors").expect(0);
    let before = place.read("m.safetensors");
    let run = place.run("forecast in.csv -o m.safetensors --load-model m.safetensors").expect(2);
    assert!(run.stderr.contains("m.safetensors"), "{}", run.stderr);
    assert_eq!(place.read("m.safetensors"), before);
    place.put("job.toml", "schema_version = 1\n[source]\ninputs = \"in.csv\"\n[model]\nload_model = \"gone\"\n[output]\npath = \"b.parquet\"\n");
    assert!(place.run("validate -c job.toml").expect(78).stderr.contains("gone"));
}

#[test]
fn quarters_of_an_hour_are_forecast_by_a_model_of_hours() {
    let place = Place::new();
    place.put("hours.csv", load(60));
    place.put("quarters.csv", load(15));
    let save = "forecast hours.csv -H 24 --calendar hour --model ridge -o hours.parquet --save-model m.safetensors -q";
    place.run(save).expect(0);
    let common = "forecast quarters.csv --calendar hour --load-model m.safetensors -o quarters.parquet";
    let refused = place.run(common).expect(65).stderr;
    assert!(refused.contains("sampling_scale = auto lets it forecast them"), "{refused}");
    let refused = place.run(&format!("{common} --sampling-scale 0.5")).expect(65).stderr;
    assert!(refused.contains("are 1/4 of the model's step 1h, not 1/2"), "{refused}");
    let refused = place.run(&format!("{common} --sampling-scale auto -H 24")).expect(65).stderr;
    assert!(refused.contains("the model has 96 (24 steps of 1h in rows of 15m)"), "{refused}");
    for scale in ["auto", "0.25", "1/4", "0.25 -H 96 --season-length 96"] {
        let run = place.run(&format!("{common} --json --sampling-scale {scale}")).expect(0).json();
        assert_eq!((&run["output"]["rows"], &run["statuses"]["ok"]), (&96.into(), &1.into()));
        let rate = &run["loaded_model"]["rates"][0];
        assert_eq!(
            *rate,
            serde_json::json!({ "freq": "15m", "model_freq": "1h", "sampling_scale": 0.25, "horizon": 96 })
        );
        assert_eq!(metadata(&place, "quarters.parquet", "sampling_scale").as_deref(), Some("15m=1/4*1h"));
    }
    let text = place.run(&format!("{common} --sampling-scale auto")).expect(0).stdout;
    assert!(text.contains("series of step 15m are 1/4 of its step 1h: 96 rows each"), "{text}");
    let (hours, quarters) = (read(&place.path("hours.parquet")), read(&place.path("quarters.parquet")));
    let on_the_hour: Vec<f64> = numbers(&quarters, "yhat").into_iter().skip(3).step_by(4).collect();
    assert_eq!(on_the_hour, numbers(&hours, "yhat"));
    assert_eq!(metadata(&place, "hours.parquet", "sampling_scale"), None);
}
